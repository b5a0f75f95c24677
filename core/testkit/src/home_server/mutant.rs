//! Ways in which a simulated server can be wrong on purpose, to show that the checks of a run would notice.

use conclave_proto::types::v1 as types;
use prost::Message;

/// How a server is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// As a hub, it loses the last entry when it crashes, though it had acknowledged it.
    ForgetsLastEntry,
    /// As a hub, it gives its followers other entries than its own devices.
    ForksLog,
    /// It acknowledges what its devices hand in, and forgets it.
    AcknowledgesTooSoon,
    /// It keeps what other organisations tell of their users.
    KeepsForeignUsers,
}

/// The same entry at another time: a different one in the same place.
pub(super) fn other_entry(entry: &types::Entry) -> types::Entry {
    let mut header = types::EntryHeader::decode(entry.header.clone()).expect("a header");
    header.time_ms += 1;
    types::Entry { header: header.encode_to_vec().into(), ..entry.clone() }
}
