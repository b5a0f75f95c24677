//! The signed tip of a log, and the follower's word that entries are on its disk.

use conclave_proto::types::v1 as wire;
use prost::{Message, bytes::Bytes};

use super::{Entry, Error, Term};
use crate::{
    identity::{
        address::Domain,
        keys::SigningKey,
        signed::{self, Label},
    },
    ids::{EntryHash, MeetingId, Sequence, SessionNumber},
};

/// A home server's signing key, with the names under which others find it.
#[derive(Clone, Debug)]
pub struct ServerSigner {
    /// Whose key it is.
    pub domain: Domain,
    /// Its id in the domain's descriptor.
    pub key_id: String,
    /// The key.
    pub key: SigningKey,
}

impl ServerSigner {
    /// Signs a message as this server.
    pub fn sign(&self, label: Label, message: &impl Message) -> wire::ServerSigned {
        wire::ServerSigned {
            signed: Some(signed::sign_message(label, message, &self.key)),
            domain: self.domain.to_string(),
            key_id: self.key_id.clone(),
        }
    }
}

/// What the hub signs of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The meeting.
    pub meeting: MeetingId,
    /// The session.
    pub session: SessionNumber,
    /// The term of the entry.
    pub term: Term,
    /// The last entry's sequence.
    pub sequence: Sequence,
    /// The last entry's hash.
    pub hash: EntryHash,
}

impl Head {
    /// The head that has `entry` last.
    pub fn of(entry: &Entry) -> Self {
        let header = entry.header();
        Self {
            meeting: header.meeting,
            session: header.session,
            term: header.term.clone(),
            sequence: header.sequence,
            hash: entry.hash(),
        }
    }

    /// From a decoded payload whose signature is verified.
    pub fn from_wire(head: &wire::Head) -> Result<Self, Error> {
        Ok(Self {
            meeting: MeetingId::parse(&head.meeting_id).map_err(|_| Error::Malformed("meeting"))?,
            session: SessionNumber(head.session),
            term: Term::from_wire(head.term.as_ref())?,
            sequence: Sequence(head.sequence),
            hash: EntryHash::parse(&head.entry_hash).map_err(|_| Error::Malformed("hash"))?,
        })
    }

    fn to_wire(&self) -> wire::Head {
        wire::Head {
            meeting_id: Bytes::copy_from_slice(self.meeting.as_bytes()),
            session: self.session.0,
            term: Some(self.term.to_wire()),
            sequence: self.sequence.0,
            entry_hash: Bytes::copy_from_slice(self.hash.as_bytes()),
        }
    }

    /// Signed by the hub (spec: LOG-07).
    pub fn sign(&self, hub: &ServerSigner) -> wire::ServerSigned {
        hub.sign(Label::Head, &self.to_wire())
    }

    /// Whether this head signs exactly `entry` as the last one (spec: LOG-07).
    pub fn check_covers(&self, entry: &Entry) -> Result<(), Error> {
        if *self == Self::of(entry) { Ok(()) } else { Err(Error::Head) }
    }
}

/// A follower's word that everything up to `head` is on its disk.
pub fn sign_acknowledgement(head: &Head, follower: &ServerSigner) -> wire::ServerSigned {
    let acknowledgement = wire::Acknowledgement {
        meeting_id: Bytes::copy_from_slice(head.meeting.as_bytes()),
        session: head.session.0,
        sequence: head.sequence.0,
        entry_hash: Bytes::copy_from_slice(head.hash.as_bytes()),
    };
    follower.sign(Label::Acknowledgement, &acknowledgement)
}
