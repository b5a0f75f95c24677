//! Why the meeting layer refuses something, and the one map from that to the wire.

use conclave_proto::types::v1::ErrorReason;

use super::{admission, commit_rules, doors, log, policy, record, room, submission};
use crate::{
    group,
    identity::{address::Domain, pins, signed},
};

/// An input was refused; nothing changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Nothing is known of this domain, or too little: look it up, and give the same input again.
    #[error("{0} must be looked up first")]
    UnknownDomain(Domain),
    /// A record is not good.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// A policy or its change is not good.
    #[error(transparent)]
    Policy(#[from] policy::Error),
    /// A device does not get in.
    #[error(transparent)]
    Admission(admission::Refused),
    /// Something at the door is not good.
    #[error(transparent)]
    Door(#[from] doors::DoorError),
    /// A submission is not good.
    #[error(transparent)]
    Submission(#[from] submission::Error),
    /// A commit does what it may not.
    #[error(transparent)]
    Commit(#[from] commit_rules::Error),
    /// The log does not continue as it must.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// The session's state does not allow it.
    #[error(transparent)]
    Room(#[from] room::Error),
    /// The group layer refuses it.
    #[error(transparent)]
    Group(#[from] group::Error),
    /// A certificate, descriptor or server signature is not good.
    #[error(transparent)]
    Identity(pins::Error),
}

impl From<pins::Error> for Error {
    fn from(error: pins::Error) -> Self {
        match error {
            pins::Error::UnknownDomain(domain)
            | pins::Error::Stale(domain)
            | pins::Error::UnknownKey { domain, .. } => Self::UnknownDomain(domain),
            other => Self::Identity(other),
        }
    }
}

impl From<admission::Refused> for Error {
    fn from(refused: admission::Refused) -> Self {
        match refused {
            admission::Refused::Issuer(error) => match Self::from(error) {
                Self::Identity(error) => Self::Admission(admission::Refused::Issuer(error)),
                unknown => unknown,
            },
            other => Self::Admission(other),
        }
    }
}

impl Error {
    /// The reason as it travels.
    pub fn reason(&self) -> ErrorReason {
        match self {
            Self::UnknownDomain(_) => ErrorReason::Unavailable,
            Self::Record(error) => of_record(error),
            Self::Policy(error) => of_policy(error),
            Self::Admission(refused) => of_admission(refused),
            Self::Door(error) => of_door(*error),
            Self::Submission(error) => of_submission(error),
            Self::Commit(error) => of_commit(error),
            Self::Log(_) => ErrorReason::LogBroken,
            Self::Room(error) => of_room(error),
            Self::Group(error) => of_group(error),
            Self::Identity(error) => of_identity(error),
        }
    }
}

fn of_record(error: &record::Error) -> ErrorReason {
    use record::Error as E;
    match error {
        E::Malformed(_) | E::CreatorNoHost | E::Sealed => ErrorReason::Malformed,
        E::TooLarge | E::Title => ErrorReason::TooLarge,
        E::NotCreator => ErrorReason::NotEntitled,
        E::Suite(_) => ErrorReason::Incompatible,
    }
}

fn of_policy(error: &policy::Error) -> ErrorReason {
    use policy::Error as E;
    match error {
        E::Malformed(_) | E::NoHost | E::GuestHost | E::BannedHost | E::TokensRevived => {
            ErrorReason::Malformed
        }
        E::TooLarge(_) => ErrorReason::TooLarge,
        E::Discontinuous => ErrorReason::WrongEpoch,
        E::Misplaced("time") => ErrorReason::Expired,
        E::Misplaced(_) => ErrorReason::Malformed,
        E::Ended => ErrorReason::Ended,
        E::NotEntitled(_) => ErrorReason::NotEntitled,
    }
}

const fn of_admission(refused: &admission::Refused) -> ErrorReason {
    use admission::Refused as R;
    match refused {
        R::Ended => ErrorReason::Ended,
        R::Locked => ErrorReason::Locked,
        R::Banned => ErrorReason::Banned,
        R::Organisation | R::Guests | R::Token(_) | R::Link | R::NoEvidence | R::Issuer(_) => {
            ErrorReason::NoAdmission
        }
    }
}

const fn of_door(error: doors::DoorError) -> ErrorReason {
    use doors::DoorError as E;
    match error {
        E::Replayed => ErrorReason::Replayed,
        E::Full => ErrorReason::Full,
        E::NoSuchJoin => ErrorReason::NotFound,
        E::NobodyHere => ErrorReason::Waiting,
    }
}

const fn of_submission(error: &submission::Error) -> ErrorReason {
    use submission::Error as E;
    match error {
        E::Malformed(_) | E::Kind => ErrorReason::Malformed,
        E::TooLarge => ErrorReason::TooLarge,
        E::Elsewhere(_) => ErrorReason::NotFound,
        E::Time => ErrorReason::Expired,
        E::WrongDomain => ErrorReason::WrongDomain,
        E::IdInUse => ErrorReason::Replayed,
        E::Signature(error) => of_signature(*error),
    }
}

const fn of_signature(error: signed::Error) -> ErrorReason {
    match error {
        signed::Error::Signature(_) => ErrorReason::BadSignature,
        signed::Error::Payload(_) => ErrorReason::Malformed,
    }
}

const fn of_commit(error: &commit_rules::Error) -> ErrorReason {
    use commit_rules::Error as E;
    match error {
        E::NotMember => ErrorReason::NotEntitled,
        E::Barred => ErrorReason::Barred,
        E::Ended => ErrorReason::Ended,
        E::Annotations(_)
        | E::Add(_)
        | E::Remove(_)
        | E::Policy
        | E::PolicyWithAdds
        | E::BannedStays
        | E::LinkStays
        | E::KeyChanged => ErrorReason::ForbiddenCommit,
    }
}

const fn of_room(error: &room::Error) -> ErrorReason {
    use room::Error as E;
    match error {
        E::NotMember | E::NotEntitled | E::Running => ErrorReason::NotEntitled,
        E::NotRunning | E::Over => ErrorReason::NotFound,
        E::AlreadyFounded | E::WrongEpoch | E::TooDeep => ErrorReason::WrongEpoch,
        E::NothingToJudge | E::Void(_) | E::Founding(_) | E::Welcome | E::Header(_) => ErrorReason::Malformed,
        E::RateLimited => ErrorReason::RateLimited,
        E::HubMisbehaved => ErrorReason::LogBroken,
        E::Bug(_) => ErrorReason::Bug,
    }
}

const fn of_group(error: &group::Error) -> ErrorReason {
    use group::Error as E;
    match error {
        E::TooLarge { .. } | E::TooMany { .. } => ErrorReason::TooLarge,
        E::Malformed(_) | E::Mls { .. } => ErrorReason::Malformed,
        E::Forbidden(_)
        | E::Leaf(_)
        | E::Context(_)
        | E::DuplicateDevice
        | E::DuplicateKey
        | E::LeafTaken => ErrorReason::ForbiddenCommit,
        E::UnknownSuite(_) | E::WrongSuite => ErrorReason::Incompatible,
        E::WrongGroup | E::WrongEpoch { .. } | E::Forked | E::Pending | E::Stale => ErrorReason::WrongEpoch,
        E::Used => ErrorReason::Replayed,
        E::Removed => ErrorReason::NotEntitled,
        E::Bug { .. } => ErrorReason::Bug,
    }
}

const fn of_identity(error: &pins::Error) -> ErrorReason {
    use pins::Error as E;
    match error {
        E::UnknownDomain(_) | E::Stale(_) | E::UnknownKey { .. } => ErrorReason::Unavailable,
        E::LowerSerial { .. } | E::SerialReused(_) | E::SecondRoot { .. } => ErrorReason::PinMismatch,
        E::Full => ErrorReason::Full,
        E::WrongDomain => ErrorReason::WrongDomain,
        E::Descriptor(_) | E::Certificate(_) => ErrorReason::BadCertificate,
        E::Signed(error) => of_signature(*error),
        E::Absent => ErrorReason::Malformed,
        E::Damaged => ErrorReason::Bug,
    }
}
