//! What a device wants in the log: its form, its signature, its time.

use conclave_proto::types::v1 as wire;
use prost::{Message, bytes::Bytes};

use super::log::Kind;
use crate::{
    group::Identity,
    identity::{
        address::DeviceUri,
        signed::{self, Label},
    },
    ids::{Epoch, GroupId, KeyPackageRef, LeafIndex, MeetingId, Sequence, SessionNumber, SubmissionId},
    limits,
    time::Time,
};

/// A submission is not of its form or not in its place; its author is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field is not of its form.
    #[error("the submission's {0} is not of its form")]
    Malformed(&'static str),
    /// Larger than its kind allows.
    #[error("the submission is larger than its kind allows")]
    TooLarge,
    /// Only hubs write this kind, or nobody.
    #[error("a device cannot submit this kind of entry")]
    Kind,
    /// For another meeting or session.
    #[error("the submission is for another {0}")]
    Elsewhere(&'static str),
    /// Its time is too far from the hub's clock.
    #[error("the submission's time is more than five minutes from the server's clock")]
    Time,
    /// Handed in by another domain than the author's (spec: MTG-17).
    #[error("a submission must come from its author's own domain")]
    WrongDomain,
    /// Its id was used by another author.
    #[error("the submission's id is in use")]
    IdInUse,
    /// The signature does not verify.
    #[error(transparent)]
    Signature(#[from] signed::Error),
}

/// A submission as its author claims it; the signature is checked by whoever knows the author's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The meeting.
    pub meeting: MeetingId,
    /// The session.
    pub session: SessionNumber,
    /// The author's id of it.
    pub id: SubmissionId,
    /// What it is.
    pub kind: Kind,
    /// Who wrote it.
    pub device: DeviceUri,
    /// When.
    pub time: Time,
    /// By kind.
    pub content: Bytes,
}

impl Submission {
    /// Reads what is claimed; nothing is to be believed before the signature is checked.
    pub fn read(signed: &wire::Signed) -> Result<Self, Error> {
        let submission =
            wire::Submission::decode(signed.payload.clone()).map_err(|_| Error::Malformed("encoding"))?;
        let kind = Kind::of(submission.kind);
        let by_devices = matches!(
            kind,
            Kind::Join
                | Kind::Admit
                | Kind::Commit
                | Kind::Confirm
                | Kind::Leave
                | Kind::Message
                | Kind::Passing
        );
        if !by_devices {
            return Err(Error::Kind);
        }
        if signed.payload.len() > kind.largest_content() {
            return Err(Error::TooLarge);
        }
        Ok(Self {
            meeting: MeetingId::parse(&submission.meeting_id).map_err(|_| Error::Malformed("meeting"))?,
            session: SessionNumber(submission.session),
            id: SubmissionId::parse(&submission.submission_id).map_err(|_| Error::Malformed("id"))?,
            kind,
            device: DeviceUri::parse(&submission.device).map_err(|_| Error::Malformed("device"))?,
            time: Time::from_ms(submission.time_ms),
            content: submission.content,
        })
    }

    /// As its author signs it.
    pub fn sign(&self, identity: &Identity) -> wire::Signed {
        let submission = wire::Submission {
            meeting_id: Bytes::copy_from_slice(self.meeting.as_bytes()),
            session: self.session.0,
            submission_id: Bytes::copy_from_slice(self.id.as_bytes()),
            kind: self.kind.number(),
            device: self.device.to_string(),
            time_ms: self.time.as_ms(),
            content: self.content.clone(),
        };
        signed::sign_message(Label::Submission, &submission, identity.key())
    }

    /// That its time is near the hub's clock, so that nothing old is taken for new (spec: MTG-16).
    pub fn check_time(&self, now: Time) -> Result<(), Error> {
        let apart = now.since(self.time).max(self.time.since(now));
        if apart > limits::CLOCK_SKEW { Err(Error::Time) } else { Ok(()) }
    }

    /// That it is for this session.
    pub fn check_place(&self, meeting: MeetingId, session: SessionNumber) -> Result<(), Error> {
        if self.meeting != meeting {
            Err(Error::Elsewhere("meeting"))
        } else if self.session != session {
            Err(Error::Elsewhere("session"))
        } else {
            Ok(())
        }
    }

    pub(super) fn decode<M: Message + Default>(&self) -> Result<M, Error> {
        M::decode(self.content.clone()).map_err(|_| Error::Malformed("content"))
    }
}

/// A host's decision on a waiting device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admit {
    /// The Join's KeyPackage.
    pub key_package_ref: KeyPackageRef,
    /// The waiting device.
    pub device: DeviceUri,
    /// Whether it may enter.
    pub admitted: bool,
    /// When the decision ends.
    pub expires: Time,
}

impl Admit {
    /// From a submission's content.
    pub fn read(submission: &Submission) -> Result<Self, Error> {
        let admit: wire::Admit = submission.decode()?;
        Ok(Self {
            key_package_ref: KeyPackageRef::parse(&admit.key_package_ref)
                .map_err(|_| Error::Malformed("KeyPackageRef"))?,
            device: DeviceUri::parse(&admit.device).map_err(|_| Error::Malformed("device"))?,
            admitted: admit.admitted,
            expires: Time::from_ms(admit.expires_ms),
        })
    }
}

/// A member's word on an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// The epoch judged.
    pub epoch: Epoch,
    /// Whether the member entered it.
    pub accepted: bool,
    /// The tag that it computed.
    pub confirmation_tag: Bytes,
    /// The commit that made the epoch.
    pub commit: Sequence,
}

impl Confirm {
    /// From a submission's content, for this group.
    pub fn read(submission: &Submission, group: GroupId) -> Result<Self, Error> {
        let confirm: wire::Confirm = submission.decode()?;
        if confirm.group_id != group.as_bytes()[..] {
            return Err(Error::Elsewhere("group"));
        }
        Ok(Self {
            epoch: Epoch(confirm.epoch),
            accepted: confirm.accepted,
            confirmation_tag: confirm.confirmation_tag,
            commit: Sequence(confirm.commit_sequence),
        })
    }
}

/// The leaf that a Leave names.
pub(super) fn read_leave(submission: &Submission) -> Result<LeafIndex, Error> {
    let leave: wire::Leave = submission.decode()?;
    Ok(LeafIndex(leave.leaf_index))
}
