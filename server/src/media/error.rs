//! Why a media request was refused.

use conclave_proto::types::v1::ErrorReason;

use crate::refusal::Refusal;

/// A media request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The offer is not SDP that this server answers.
    #[error("the offer cannot be answered")]
    Offer,
    /// The offer, or a list in the request, is too long.
    #[error("the request is too large")]
    TooLarge,
    /// A track does not fit its section of the offer.
    #[error("a track does not fit its section of the offer")]
    Track,
    /// There is no such connection of this device.
    #[error("no such connection")]
    NoConnection,
    /// The device is not in the session.
    #[error("the device is not in the session")]
    NotAMember,
    /// The media threads are gone or overloaded.
    #[error("media is not available")]
    Unavailable,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Offer | Error::Track => Self::MALFORMED,
            Error::TooLarge => Self::TOO_LARGE,
            Error::NoConnection | Error::NotAMember => Self::NOT_FOUND,
            Error::Unavailable => Self::from(ErrorReason::Unavailable),
        }
    }
}
