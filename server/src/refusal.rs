//! The one shape in which every part of the server says no: a reason that a program reads, and when to try again.
//!
//! No text: what a person reads is made from the reason where the answer leaves (`rpc::status`), so nothing internal gets out.

use std::{fmt, time::Duration};

use conclave_proto::types::v1::ErrorReason;

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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_str_name())
    }
}

impl std::error::Error for Refusal {}
