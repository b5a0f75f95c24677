//! What goes into the follower machine and what comes out.

use conclave_proto::types::v1 as wire;

use crate::meeting::{log::Entry, room::Effect};

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The hub sent entries with their head.
    Entries {
        /// In order; those already known are skipped.
        entries: Vec<wire::Entry>,
        /// Signs the last of them.
        head: wire::ServerSigned,
    },
}

/// What is to be done, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Store these entries durably; then serve them to the own devices; then act on the effects.
    Append {
        /// In order.
        entries: Vec<Entry>,
        /// As the hub signed it; covers the last of them.
        head: wire::ServerSigned,
        /// What they changed.
        effects: Vec<Effect>,
    },
    /// Tell the hub that everything so far is durable.
    Acknowledge(wire::ServerSigned),
    /// The hub signed two histories: keep both, they prove it to anybody. No further entry is taken.
    Evidence {
        /// The head that was known.
        known: wire::ServerSigned,
        /// The head that contradicts it.
        other: wire::ServerSigned,
    },
}
