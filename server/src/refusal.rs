//! The one shape in which every part of the server says no: a reason that a program reads, and when to try again.
//!
//! No text: what a person reads is made from the reason where the answer leaves (`rpc::status`), so nothing internal gets out.

use std::{fmt, time::Duration};

use conclave_proto::types::v1::{ErrorDetail, ErrorReason};
use prost::Message;
use tonic::{Code, Status};
use tracing::warn;

use crate::store;

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: ErrorReason,
    /// When trying again may help; zero if it does not.
    pub retry_after: Duration,
}

impl Refusal {
    /// For good.
    pub const fn new(reason: ErrorReason) -> Self {
        Self { reason, retry_after: Duration::ZERO }
    }

    /// For now.
    pub const fn retry(reason: ErrorReason, retry_after: Duration) -> Self {
        Self { reason, retry_after }
    }

    /// What another server's status means here; its text stays there (spec: ERR-02).
    pub fn of_status(status: &Status) -> Self {
        if let Ok(detail) = ErrorDetail::decode(status.details())
            && let Ok(reason) = ErrorReason::try_from(detail.reason)
            && reason != ErrorReason::Unspecified
        {
            let retry_after = Duration::from_millis(detail.retry_after_ms.min(600_000).into());
            return Self { reason, retry_after };
        }
        match status.code() {
            Code::InvalidArgument => Self::MALFORMED,
            Code::OutOfRange | Code::ResourceExhausted => Self::TOO_LARGE,
            Code::Unimplemented => Self::new(ErrorReason::Incompatible),
            _ => Self::UNAVAILABLE,
        }
    }

    /// There is no such thing, or the caller may not know of it.
    pub const NOT_FOUND: Self = Self::new(ErrorReason::NotFound);
    /// A request is not of its form.
    pub const MALFORMED: Self = Self::new(ErrorReason::Malformed);
    /// Something is larger than its limit.
    pub const TOO_LARGE: Self = Self::new(ErrorReason::TooLarge);
    /// A fault of this program; the log says more.
    pub const BUG: Self = Self::new(ErrorReason::Bug);
    /// Somebody speaks for a domain that is not his.
    pub const WRONG_DOMAIN: Self = Self::new(ErrorReason::WrongDomain);
    /// Another server, or a part of this one, cannot be reached now.
    pub const UNAVAILABLE: Self = Self::retry(ErrorReason::Unavailable, Duration::from_secs(1));
}

impl From<ErrorReason> for Refusal {
    fn from(reason: ErrorReason) -> Self {
        match reason {
            ErrorReason::Unavailable => Self::UNAVAILABLE,
            reason => Self::new(reason),
        }
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        warn!(%error, "the store did not do it");
        Self::UNAVAILABLE
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_str_name())
    }
}

impl std::error::Error for Refusal {}
