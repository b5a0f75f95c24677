//! Why the device could not do something, by blame.

use conclave_proto::types::v1::ErrorReason;

use super::io::ApiError;
use crate::{
    group,
    identity::{
        address,
        address::{Domain, UserAddress},
        certificate, descriptor, pins, sealing, signed,
    },
    ids::BadLength,
    meeting,
};

/// Why the device could not do something.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The person must sign in first.
    #[error("sign in first")]
    NotSignedIn,
    /// This device is not in that meeting.
    #[error("you are not in this meeting")]
    NotInMeeting,
    /// This device is in that meeting already, or about to be.
    #[error("you are in this meeting already")]
    AlreadyInMeeting,
    /// Nobody of that address is in the room.
    #[error("nobody of that address is in the room")]
    NobodyThere,
    /// The device does not know this meeting's link.
    #[error("this device does not know the meeting's link")]
    NoLink,
    /// The policy does not let this person say this.
    #[error("the rules of this meeting do not let you do this")]
    NotEntitled,
    /// A text is too long.
    #[error("this text is too long: at most {0} characters")]
    TooLong(usize),
    /// The home server refused.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The home server broke the protocol.
    #[error("your home server misbehaved: {0}")]
    HomeServer(&'static str),
    /// What came from a server cannot be decoded.
    #[error("a server sent something that cannot be decoded")]
    Malformed,
    /// A name is not of its form.
    #[error(transparent)]
    Address(#[from] address::Error),
    /// A certificate does not hold.
    #[error(transparent)]
    Certificate(#[from] certificate::Error),
    /// A pin forbids it.
    #[error(transparent)]
    Pins(pins::Error),
    /// A signature does not hold.
    #[error(transparent)]
    Signature(#[from] signed::Error),
    /// An invitation cannot be sealed or opened.
    #[error(transparent)]
    Sealing(sealing::Error),
    /// The group refused.
    #[error(transparent)]
    Group(#[from] group::Error),
    /// The meeting's rules refused.
    #[error(transparent)]
    Meeting(meeting::Error),
    /// The descriptor of this domain is needed first; the machine fetches it and tries again.
    #[error("the descriptor of {0} is needed first")]
    UnknownDomain(Domain),
    /// What a domain signed is not valid at the time of this device's clock.
    #[error("by this device's clock, what {0} signed is not valid now: is the clock right?")]
    WrongClock(Domain),
    /// A change of the group breaks the rules, so this device did not follow it.
    #[error("a change by {by} was refused: {why}")]
    ChangeRefused {
        /// Who made it.
        by: UserAddress,
        /// Which rule.
        why: Box<Self>,
    },
    /// The others followed a change that this device refused.
    #[error("the others went on with a change that this device refused")]
    OthersWentOn,
}

impl Error {
    /// The machine-readable reason.
    pub fn reason(&self) -> ErrorReason {
        match self {
            Self::NotSignedIn => ErrorReason::NotSignedIn,
            Self::NotInMeeting | Self::NobodyThere | Self::NoLink | Self::UnknownDomain(_) => {
                ErrorReason::NotFound
            }
            Self::AlreadyInMeeting => ErrorReason::Replayed,
            Self::NotEntitled => ErrorReason::NotEntitled,
            Self::TooLong(_) => ErrorReason::TooLarge,
            Self::Api(error) => error.reason,
            Self::HomeServer(_) | Self::Malformed | Self::Address(_) | Self::Sealing(_) => {
                ErrorReason::Malformed
            }
            Self::Certificate(_) | Self::Pins(_) | Self::WrongClock(_) => ErrorReason::BadCertificate,
            Self::Signature(_) => ErrorReason::BadSignature,
            Self::Group(_) | Self::ChangeRefused { .. } | Self::OthersWentOn => ErrorReason::ForbiddenCommit,
            Self::Meeting(error) => error.reason(),
        }
    }
}

impl Error {
    /// Of what this domain has signed just now: if its time is not now, a clock is wrong (spec: DEV-27).
    pub(super) fn of_fresh(domain: &Domain, error: pins::Error) -> Self {
        use {certificate::Error as C, descriptor::Error as D};
        match error {
            pins::Error::Certificate(C::NotYetValid | C::Expired)
            | pins::Error::Descriptor(D::NotYetValid | D::Expired) => Self::WrongClock(domain.clone()),
            other => other.into(),
        }
    }
}

impl From<pins::Error> for Error {
    fn from(error: pins::Error) -> Self {
        match error {
            pins::Error::UnknownDomain(domain)
            | pins::Error::Stale(domain)
            | pins::Error::UnknownKey { domain, .. } => Self::UnknownDomain(domain),
            other => Self::Pins(other),
        }
    }
}

impl From<sealing::Error> for Error {
    fn from(error: sealing::Error) -> Self {
        match error {
            sealing::Error::Signer(error) => error.into(),
            other => Self::Sealing(other),
        }
    }
}

impl From<meeting::Error> for Error {
    fn from(error: meeting::Error) -> Self {
        match error {
            meeting::Error::UnknownDomain(domain) => Self::UnknownDomain(domain),
            other => Self::Meeting(other),
        }
    }
}

impl From<meeting::log::Error> for Error {
    fn from(error: meeting::log::Error) -> Self {
        Self::Meeting(error.into())
    }
}

impl From<meeting::submission::Error> for Error {
    fn from(error: meeting::submission::Error) -> Self {
        Self::Meeting(error.into())
    }
}

impl From<BadLength> for Error {
    fn from(_: BadLength) -> Self {
        Self::Malformed
    }
}

impl From<prost::DecodeError> for Error {
    fn from(_: prost::DecodeError) -> Self {
        Self::Malformed
    }
}
