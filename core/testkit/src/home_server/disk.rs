//! What survives a crash of a simulated home server.

use std::collections::BTreeMap;

use conclave_core::{
    identity::{
        address::{DeviceUri, Domain},
        keys::PublicKey,
    },
    ids::{MeetingId, Sequence, SessionNumber},
    meeting::{log::Entry, record::Record},
};
use conclave_proto::types::v1::{DeviceSigned, SealedInvitation, ServerSigned};

/// One entry of a log, and the hub's head if a batch ended with it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The entry, Welcome included.
    pub entry: Entry,
    /// The head over exactly this entry.
    pub head: Option<ServerSigned>,
}

/// The log of one session.
#[derive(Clone, Debug, Default)]
pub struct Log(pub Vec<Stored>);

impl Log {
    /// Adds what one batch brings.
    pub fn append(&mut self, entries: Vec<Entry>, head: &ServerSigned) {
        let last = entries.len().saturating_sub(1);
        let stored = entries.into_iter().enumerate();
        self.0.extend(stored.map(|(at, entry)| Stored { entry, head: (at == last).then(|| head.clone()) }));
    }

    /// The last sequence; 0 if it is empty.
    pub fn tip(&self) -> u64 {
        self.0.len() as u64
    }

    /// One entry.
    pub fn at(&self, sequence: Sequence) -> Option<&Stored> {
        self.0.get(usize::try_from(sequence.0.checked_sub(1)?).ok()?)
    }

    /// From `next` to `limit`, ended by an entry with a head.
    pub fn stretch(&self, next: u64, limit: u64) -> &[Stored] {
        let at = |sequence: u64| usize::try_from(sequence).unwrap_or(usize::MAX).min(self.0.len());
        let all = self.0.get(at(next.saturating_sub(1))..at(limit)).unwrap_or_default();
        let headed = all.iter().rposition(|stored| stored.head.is_some()).map_or(0, |last| last + 1);
        &all[..headed.min(conclave_core::limits::ENTRIES_PER_BATCH)]
    }

    /// All entries.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.iter().map(|stored| stored.entry.clone()).collect()
    }
}

/// One session: the policies with which it began, and its log.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Every change of policy before it.
    pub chain: Vec<DeviceSigned>,
    /// Its log.
    pub log: Log,
}

/// A meeting that this server orders.
#[derive(Clone, Debug)]
pub struct Hosted {
    /// Its record.
    pub record: Record,
    /// Every session, the last one running or over.
    pub sessions: BTreeMap<SessionNumber, Session>,
    /// Changes of policy since the last session.
    pub changes: Vec<DeviceSigned>,
}

/// Another server's meeting, as far as it is mirrored here.
#[derive(Clone, Debug)]
pub struct Mirrored {
    /// Its record.
    pub record: Record,
    /// The sessions mirrored.
    pub sessions: BTreeMap<SessionNumber, Session>,
}

/// A signed-in device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its name.
    pub uri: DeviceUri,
    /// Its key.
    pub key: PublicKey,
}

/// Everything that is stored.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// Passwords by user name.
    pub accounts: BTreeMap<String, String>,
    /// Signed-in devices by bearer token.
    pub devices: BTreeMap<String, Device>,
    /// Sealing keys by device.
    pub sealing_keys: BTreeMap<DeviceUri, DeviceSigned>,
    /// Invitations that wait for a device.
    pub invitations: BTreeMap<DeviceUri, Vec<SealedInvitation>>,
    /// Invitations on their way to other servers.
    pub outbox: Vec<SealedInvitation>,
    /// Own meetings.
    pub hosted: BTreeMap<MeetingId, Hosted>,
    /// Others' meetings, by hub.
    pub mirrored: BTreeMap<(Domain, MeetingId), Mirrored>,
    /// Numbers given out: device ids, tokens, serials, requests.
    pub numbers: u64,
}

impl Disk {
    /// A number that was never given out before.
    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}
