//! Which key holds what, and the schema's version.
//!
//! The first byte of a key names its area. Names of variable length end with a zero byte, which no name holds; numbers are
//! big-endian, so that keys come in their order. Values are protobuf messages unless an area says otherwise.

use conclave_core::{
    identity::address::{UserAddress, UserKind},
    ids::{MeetingId, Sequence, SessionNumber},
};
use prost::Message;

use super::{Batch, Error, Range, Result, Store};

/// The version that this program reads and writes.
pub const VERSION: u32 = 1;

const SCHEMA: &[u8] = b"\x01schema";

/// The areas, by the first byte of their keys. Zero is the store's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Area {
    /// The store's settings: the schema's version.
    Settings = 0x01,
    /// User name → the account.
    Accounts = 0x10,
    /// SHA-256 of a session token → the session.
    Sessions = 0x11,
    /// User, device id → the device.
    Devices = 0x12,
    /// User, device id → the sealing key as published.
    SealingKeys = 0x13,
    /// Domain → what is known and decided about a peer.
    Peers = 0x20,
    /// Meeting → its record as signed.
    Meetings = 0x30,
    /// Meeting, number → one policy statement as signed.
    Policies = 0x31,
    /// Meeting, session → what the hub or follower keeps of a session besides its log.
    MeetingSessions = 0x32,
    /// Meeting, session, sequence → one log entry.
    Log = 0x33,
    /// Meeting, session, sequence → what belongs to an entry without being logged, such as a Welcome.
    Attachments = 0x34,
    /// User, meeting → a meeting that the user sees in their list.
    UserMeetings = 0x35,
    /// User, invitation id → an invitation that waits for the user's devices.
    InvitationsIn = 0x40,
    /// Domain, invitation id → an invitation on its way out.
    Outbox = 0x41,
    /// Number → one record of the audit log.
    Audit = 0x50,
    /// Name → small things that parts of the server keep for themselves.
    Kv = 0x60,
}

/// Builds a key of an area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// The area alone: the prefix of all its keys.
    pub fn area(area: Area) -> Self {
        Self(vec![area as u8])
    }

    /// Adds a name and its end.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        self
    }

    /// Adds bytes of a fixed length.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// The keys that begin so.
    pub fn range(self) -> Range {
        Range::prefix(self.0)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Key> for Vec<u8> {
    fn from(key: Key) -> Self {
        key.0
    }
}

/// The account of a user; `name` is the part before the @.
pub fn account(name: &str) -> Key {
    Key::area(Area::Accounts).name(name)
}

/// A signed-in session, by the hash of its token.
pub fn session(token_hash: &[u8; 32]) -> Key {
    Key::area(Area::Sessions).bytes(token_hash)
}

/// The name under which the store knows a user: guests have their mark, `guest/7f3a`.
pub fn user_name(user: &UserAddress) -> String {
    match user.kind() {
        UserKind::User => user.name().to_owned(),
        UserKind::Guest => format!("guest/{}", user.name()),
    }
}

/// The devices of all guests.
pub fn guests() -> Key {
    Key::area(Area::Devices).bytes(b"guest/")
}

/// The devices of a user.
pub fn devices(user: &str) -> Key {
    Key::area(Area::Devices).name(user)
}

/// One device of a user.
pub fn device(user: &str, id: [u8; 8]) -> Key {
    devices(user).bytes(&id)
}

/// The sealing keys of a user's devices.
pub fn sealing_keys(user: &str) -> Key {
    Key::area(Area::SealingKeys).name(user)
}

/// The sealing key of one device.
pub fn sealing_key(user: &str, id: [u8; 8]) -> Key {
    sealing_keys(user).bytes(&id)
}

/// A peer.
pub fn peer(domain: &str) -> Key {
    Key::area(Area::Peers).name(domain)
}

/// A meeting's record.
pub fn meeting(id: &MeetingId) -> Key {
    Key::area(Area::Meetings).bytes(id.as_bytes())
}

/// A meeting's policy statements, in order.
pub fn policies(id: &MeetingId) -> Key {
    Key::area(Area::Policies).bytes(id.as_bytes())
}

/// One policy statement.
pub fn policy(id: &MeetingId, number: u64) -> Key {
    policies(id).number(number)
}

/// One session of a meeting.
pub fn meeting_session(id: &MeetingId, session: SessionNumber) -> Key {
    Key::area(Area::MeetingSessions).bytes(id.as_bytes()).number(session.0)
}

/// The log of a session, in order.
pub fn log(id: &MeetingId, session: SessionNumber) -> Key {
    Key::area(Area::Log).bytes(id.as_bytes()).number(session.0)
}

/// One log entry.
pub fn log_entry(id: &MeetingId, session: SessionNumber, sequence: Sequence) -> Key {
    log(id, session).number(sequence.0)
}

/// What belongs to one log entry without being logged.
pub fn attachment(id: &MeetingId, session: SessionNumber, sequence: Sequence) -> Key {
    Key::area(Area::Attachments).bytes(id.as_bytes()).number(session.0).number(sequence.0)
}

/// The meetings that a user sees.
pub fn user_meetings(user: &str) -> Key {
    Key::area(Area::UserMeetings).name(user)
}

/// One meeting that a user sees.
pub fn user_meeting(user: &str, id: &MeetingId) -> Key {
    user_meetings(user).bytes(id.as_bytes())
}

/// The invitations that wait for a user.
pub fn invitations_in(user: &str) -> Key {
    Key::area(Area::InvitationsIn).name(user)
}

/// One invitation that waits.
pub fn invitation_in(user: &str, id: &[u8]) -> Key {
    invitations_in(user).bytes(id)
}

/// The invitations on their way to a domain.
pub fn outbox(domain: &str) -> Key {
    Key::area(Area::Outbox).name(domain)
}

/// One invitation on its way.
pub fn outgoing(domain: &str, id: &[u8]) -> Key {
    outbox(domain).bytes(id)
}

/// One record of the audit log.
pub fn audit(number: u64) -> Key {
    Key::area(Area::Audit).number(number)
}

/// A small thing under a name of its owner's choice.
pub fn kv(name: &str) -> Key {
    Key::area(Area::Kv).name(name)
}

/// The number at the end of a key: a log entry's sequence, a policy's or audit record's number.
pub fn number_of(key: &[u8]) -> u64 {
    key.last_chunk().map_or(0, |number| u64::from_be_bytes(*number))
}

/// The message that a key holds.
pub async fn read<M: Message + Default>(store: &dyn Store, key: &Key) -> Result<Option<M>> {
    store.get(key.as_bytes()).await?.map(|value| decode(key.as_bytes(), &value)).transpose()
}

/// The messages in a range, with their keys.
pub async fn list<M: Message + Default>(
    store: &dyn Store,
    range: Range,
    limit: usize,
) -> Result<Vec<(Vec<u8>, M)>> {
    let records = store.scan(range, limit).await?;
    records.into_iter().map(|(key, value)| decode(&key, &value).map(|message| (key, message))).collect()
}

fn decode<M: Message + Default>(key: &[u8], value: &[u8]) -> Result<M> {
    let area = key.first().copied().unwrap_or_default();
    M::decode(value).map_err(|_| Error::Damaged(format!("a record of area {area:#04x} has a wrong form")))
}

/// Refuses a newer schema and brings an older one up to date.
pub(super) async fn settle(store: &dyn Store) -> Result<()> {
    let Some(found) = store.get(SCHEMA).await? else {
        return store.apply(Batch::new().create(SCHEMA, VERSION.to_be_bytes())).await;
    };
    let found = found.try_into().map(u32::from_be_bytes);
    match found.map_err(|_| Error::Damaged("its schema version has a wrong form".to_owned()))? {
        VERSION => Ok(()),
        // There is no older version than the first: the step from 1 to 2 will stand here.
        found => Err(Error::Newer { found, known: VERSION }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{envelope::DataKey, memory};

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        let disk = memory::Disk::new();
        let key = DataKey::from_bytes([1; 32]);
        let store = memory::open(&disk, &key).unwrap();
        settle(&*store).await.unwrap();
        settle(&*store).await.unwrap();
        store.apply(Batch::new().put(SCHEMA, 7_u32.to_be_bytes())).await.unwrap();
        assert_eq!(settle(&*store).await, Err(Error::Newer { found: 7, known: VERSION }));
    }

    #[test]
    fn names_do_not_run_into_each_other() {
        let ann = devices("ann");
        assert!(!devices("anna").as_bytes().starts_with(ann.as_bytes()));
        assert!(
            log_entry(&MeetingId::from_bytes([9; 32]), SessionNumber(1), Sequence(255)).as_bytes()
                < log_entry(&MeetingId::from_bytes([9; 32]), SessionNumber(1), Sequence(256)).as_bytes()
        );
    }
}
