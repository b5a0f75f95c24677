//! The header of an entry: what the hub says of it, and what its hash covers.

use conclave_proto::types::v1 as wire;
use prost::{Message, bytes::Bytes};

use super::Error;
use crate::{
    identity::address::Domain,
    ids::{EntryHash, Epoch, GroupId, MeetingId, Sequence, SessionNumber, SubmissionId},
    limits,
    time::Time,
};

/// The version of the log's form.
const VERSION: u32 = 1;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A device asks to enter.
    Join,
    /// A host's decision on a waiting device.
    Admit,
    /// A change of the group.
    Commit,
    /// A member's word on an epoch.
    Confirm,
    /// Back to an earlier epoch.
    Void,
    /// A device goes.
    Leave,
    /// A domain takes out its own user.
    Withdraw,
    /// An MLS application message.
    Message,
    /// An MLS application message that never stands in a log (spec: LOG-19).
    Passing,
    /// Reserved or of a later version: carried and hashed, never acted on (spec: LOG-05).
    Unknown(i32),
}

impl Kind {
    pub(in crate::meeting) const fn of(number: i32) -> Self {
        match number {
            1 => Self::Join,
            2 => Self::Admit,
            3 => Self::Commit,
            4 => Self::Confirm,
            5 => Self::Void,
            6 => Self::Leave,
            7 => Self::Withdraw,
            8 => Self::Message,
            15 => Self::Passing,
            other => Self::Unknown(other),
        }
    }

    /// As it travels.
    pub const fn number(self) -> i32 {
        match self {
            Self::Join => 1,
            Self::Admit => 2,
            Self::Commit => 3,
            Self::Confirm => 4,
            Self::Void => 5,
            Self::Leave => 6,
            Self::Withdraw => 7,
            Self::Message => 8,
            Self::Passing => 15,
            Self::Unknown(number) => number,
        }
    }

    /// The largest content of an entry of this kind, bytes (spec: LOG-06).
    pub const fn largest_content(self) -> usize {
        match self {
            Self::Join => limits::JOIN_BYTES,
            Self::Commit => limits::COMMIT_BYTES,
            Self::Message => limits::MESSAGE_BYTES,
            Self::Passing => limits::PASSING_BYTES,
            Self::Void => limits::VOID_BYTES,
            Self::Admit | Self::Confirm | Self::Leave | Self::Withdraw => limits::SMALL_ENTRY_BYTES,
            Self::Unknown(_) => limits::CONTROL_MESSAGE_BYTES,
        }
    }
}

/// A hub's number of office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// 1 for the hub that the record names.
    pub counter: u64,
    /// The domain in office.
    pub domain: Domain,
}

impl Term {
    /// The term of the hub that the record names.
    pub const fn first(hub: Domain) -> Self {
        Self { counter: 1, domain: hub }
    }

    pub(super) fn to_wire(&self) -> wire::Term {
        wire::Term { counter: self.counter, domain: self.domain.to_string() }
    }

    pub(super) fn from_wire(term: Option<&wire::Term>) -> Result<Self, Error> {
        let term = term.ok_or(Error::Malformed("term"))?;
        let domain = Domain::parse(&term.domain).map_err(|_| Error::Malformed("term"))?;
        Ok(Self { counter: term.counter, domain })
    }
}

/// What the hub says of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The meeting.
    pub meeting: MeetingId,
    /// The session.
    pub session: SessionNumber,
    /// The term in which it was written.
    pub term: Term,
    /// Its place.
    pub sequence: Sequence,
    /// The session's group.
    pub group: GroupId,
    /// The group's epoch before the entry.
    pub epoch: Epoch,
    /// Hash of the entry before.
    pub previous_hash: EntryHash,
    /// The hub's time.
    pub time: Time,
    /// What it is.
    pub kind: Kind,
    /// The author's id of it.
    pub submission: SubmissionId,
    /// The author's home domain.
    pub author: Domain,
    /// SHA-256 of the content.
    pub content_hash: [u8; 32],
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        wire::EntryHeader {
            version: VERSION,
            meeting_id: bytes(self.meeting.as_bytes()),
            session: self.session.0,
            term: Some(self.term.to_wire()),
            sequence: self.sequence.0,
            group_id: bytes(self.group.as_bytes()),
            epoch: self.epoch.0,
            previous_hash: bytes(self.previous_hash.as_bytes()),
            time_ms: self.time.as_ms(),
            kind: self.kind.number(),
            submission_id: bytes(self.submission.as_bytes()),
            author_domain: self.author.to_string(),
            content_hash: bytes(&self.content_hash),
        }
        .encode_to_vec()
    }

    pub(super) fn decode(encoded: &Bytes) -> Result<Self, Error> {
        if encoded.len() > limits::HEADER_BYTES {
            return Err(Error::TooLarge);
        }
        let header = wire::EntryHeader::decode(encoded.clone()).map_err(|_| Error::Malformed("header"))?;
        if header.version != VERSION {
            return Err(Error::Version(header.version));
        }
        if header.kind == wire::EntryKind::Unspecified as i32 {
            return Err(Error::Malformed("kind"));
        }
        Ok(Self {
            meeting: MeetingId::parse(&header.meeting_id).map_err(|_| Error::Malformed("meeting"))?,
            session: SessionNumber(header.session),
            term: Term::from_wire(header.term.as_ref())?,
            sequence: Sequence(header.sequence),
            group: GroupId::parse(&header.group_id).map_err(|_| Error::Malformed("group"))?,
            epoch: Epoch(header.epoch),
            previous_hash: EntryHash::parse(&header.previous_hash)
                .map_err(|_| Error::Malformed("previous hash"))?,
            time: Time::from_ms(header.time_ms),
            kind: Kind::of(header.kind),
            submission: SubmissionId::parse(&header.submission_id)
                .map_err(|_| Error::Malformed("submission id"))?,
            author: Domain::parse(&header.author_domain).map_err(|_| Error::Malformed("author"))?,
            content_hash: header
                .content_hash
                .as_ref()
                .try_into()
                .map_err(|_| Error::Malformed("content hash"))?,
        })
    }
}

fn bytes(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
