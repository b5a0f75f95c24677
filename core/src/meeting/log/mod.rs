//! The log of a session: entries in a hash chain, and heads that sign its tip.
//!
//! Knows form and order; what an entry means is decided by [`room`](super::room).

mod head;
mod header;

pub use self::{
    head::{Head, ServerSigner, sign_acknowledgement},
    header::{Header, Kind, Term},
};

use conclave_proto::types::v1 as wire;
use prost::{Message, bytes::Bytes};
use sha2::{Digest, Sha256};

use crate::{
    ids::{EntryHash, GroupId, MeetingId, Sequence, SessionNumber},
    limits,
    time::Time,
};

/// The log does not continue as it must; the hub is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not decodable, or a field is not of its form.
    #[error("the entry's {0} is not of its form")]
    Malformed(&'static str),
    /// Larger than its kind allows.
    #[error("an entry's content is larger than its kind allows")]
    TooLarge,
    /// Another protocol version.
    #[error("log version {0} is not spoken")]
    Version(u32),
    /// An entry of another meeting, session, term or group.
    #[error("the entry belongs to another {0}")]
    Foreign(&'static str),
    /// Entries are missing in between.
    #[error("entry {} came where {} was due", .got.0, .due.0)]
    Gap {
        /// The sequence that was due.
        due: Sequence,
        /// The sequence that came.
        got: Sequence,
    },
    /// Its previous hash is not the hash of the entry before.
    #[error("entry {} does not continue the one before it", .0.0)]
    BrokenChain(Sequence),
    /// Its content is not what its header says.
    #[error("the content of entry {} is not what its header says", .0.0)]
    ContentHash(Sequence),
    /// Its time is before that of the entry before, or ahead of the clock.
    #[error("entry {} has a time out of order", .0.0)]
    Time(Sequence),
    /// The head does not sign the last entry.
    #[error("the head does not sign the last entry")]
    Head,
    /// Two different entries with one sequence, both signed.
    #[error("two histories are signed for entry {}", .0.0)]
    Fork(Sequence),
}

/// The group of a session (spec: LOG-01).
pub fn group_id(meeting: &MeetingId, session: SessionNumber) -> GroupId {
    let mut hash = Sha256::new();
    hash.update(b"conclave/v1/group\0");
    hash.update(meeting.as_bytes());
    hash.update(session.0.to_be_bytes());
    GroupId::from_bytes(hash.finalize().into())
}

/// One entry, its header decoded, its content opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    header: Header,
    encoded_header: Bytes,
    hash: EntryHash,
    content: Bytes,
    attachment: Bytes,
}

/// SHA-256("conclave/v1/entry" 0x00 || header) (spec: LOG-02).
fn hash_of(encoded_header: &[u8]) -> EntryHash {
    let mut hash = Sha256::new();
    hash.update(b"conclave/v1/entry\0");
    hash.update(encoded_header);
    EntryHash::from_bytes(hash.finalize().into())
}

impl Entry {
    /// Written by the hub; the header's content hash is computed here.
    pub(super) fn write(mut header: Header, content: Bytes, attachment: Bytes) -> Self {
        header.content_hash = Sha256::digest(&content).into();
        let encoded_header = Bytes::from(header.encode());
        Self { hash: hash_of(&encoded_header), header, encoded_header, content, attachment }
    }

    /// From an entry that travelled or was stored (spec: LOG-03).
    pub fn parse(entry: &wire::Entry) -> Result<Self, Error> {
        let header = Header::decode(&entry.header)?;
        if entry.content.len() > header.kind.largest_content() {
            return Err(Error::TooLarge);
        }
        if entry.attachment.len() > limits::WELCOME_BYTES {
            return Err(Error::TooLarge);
        }
        if Sha256::digest(&entry.content).as_slice() != header.content_hash {
            return Err(Error::ContentHash(header.sequence));
        }
        Ok(Self {
            hash: hash_of(&entry.header),
            header,
            encoded_header: entry.header.clone(),
            content: entry.content.clone(),
            attachment: entry.attachment.clone(),
        })
    }

    /// From the bytes of [`to_bytes`](Self::to_bytes).
    pub fn from_bytes(bytes: Bytes) -> Result<Self, Error> {
        Self::parse(&wire::Entry::decode(bytes).map_err(|_| Error::Malformed("encoding"))?)
    }

    /// As it travels between servers and is stored, Welcome included.
    pub fn to_wire(&self) -> wire::Entry {
        wire::Entry {
            header: self.encoded_header.clone(),
            content: self.content.clone(),
            attachment: self.attachment.clone(),
        }
    }

    /// As it travels to members: without the Welcome.
    pub fn to_wire_for_members(&self) -> wire::Entry {
        wire::Entry { attachment: Bytes::new(), ..self.to_wire() }
    }

    /// The encoded wire form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_wire().encode_to_vec()
    }

    /// What the hub says of it.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Its place.
    pub const fn sequence(&self) -> Sequence {
        self.header.sequence
    }

    /// The header's hash.
    pub const fn hash(&self) -> EntryHash {
        self.hash
    }

    /// The content, by kind.
    pub const fn content(&self) -> &Bytes {
        &self.content
    }

    /// A commit's Welcome, where it is known.
    pub const fn attachment(&self) -> &Bytes {
        &self.attachment
    }
}

/// The end of a log, which the next entry must continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The last entry's sequence; 0 before the first.
    pub sequence: Sequence,
    /// Its hash; zeros before the first.
    pub hash: EntryHash,
    /// Its time.
    pub time: Time,
}

impl Tip {
    /// Before the first entry.
    pub const START: Self =
        Self { sequence: Sequence(0), hash: EntryHash::from_bytes([0; 32]), time: Time::from_ms(0) };

    /// The sequence that is due next.
    pub const fn next_sequence(&self) -> Sequence {
        Sequence(self.sequence.0.saturating_add(1))
    }

    /// The tip after an entry.
    pub const fn of(entry: &Entry) -> Self {
        Self { sequence: entry.header.sequence, hash: entry.hash, time: entry.header.time }
    }

    /// Whether an entry continues the log here (spec: LOG-04).
    pub fn check_next(&self, entry: &Entry) -> Result<(), Error> {
        let header = entry.header();
        if header.sequence != self.next_sequence() {
            return Err(Error::Gap { due: self.next_sequence(), got: header.sequence });
        }
        if header.previous_hash != self.hash {
            return Err(Error::BrokenChain(header.sequence));
        }
        if header.time < self.time {
            return Err(Error::Time(header.sequence));
        }
        Ok(())
    }
}
