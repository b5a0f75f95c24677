//! Why the home server did not answer as wished, in the one form that the rest of the client knows.

use std::{io, time::Duration};

use conclave_proto::types::v1::{ErrorDetail, ErrorReason};
use prost::Message;
use rustls::CertificateError;
use tonic::{Code, Status};

/// The home server refused, or was not reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The machine-readable reason; [`ErrorReason::Unavailable`] if the server was not reached.
    pub reason: ErrorReason,
    /// One sentence for a person.
    pub message: String,
    /// How long to wait before trying again.
    pub retry_after: Option<Duration>,
}

impl Error {
    pub(super) fn unavailable(message: &dyn std::fmt::Display) -> Self {
        Self { reason: ErrorReason::Unavailable, message: message.to_string(), retry_after: None }
    }

    /// With the innermost cause, which is the one that helps, and what to do about it.
    pub(super) fn unreachable(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        match advice(cause) {
            Some(advice) => Self::unavailable(&format_args!("your server cannot be reached: {advice}")),
            None => Self::unavailable(&format_args!("your server cannot be reached: {cause}")),
        }
    }
}

/// What a person can do about a cause.
fn advice(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    // An I/O error hides what it is made of.
    let hidden = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let tls = hidden.map_or_else(|| cause.downcast_ref(), |inner| inner.downcast_ref());
    if let Some(rustls::Error::InvalidCertificate(why)) = tls {
        return Some(match why {
            CertificateError::UnknownIssuer => {
                "this machine does not trust its certificate; if your organisation made it itself, sign in with --ca FILE"
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid at this time; it must be renewed there, or this machine's clock is wrong"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name; is the address right?"
            }
            _ => return None,
        });
    }
    match cause.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => {
            Some("the connection was refused; does it run, and is the address right?")
        }
        io::ErrorKind::TimedOut => Some("it does not answer; does it run, and does the network lead there?"),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Some("no network leads there"),
        _ => None,
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let detail = ErrorDetail::decode(status.details()).unwrap_or_default();
        let retry_after =
            (detail.retry_after_ms > 0).then(|| Duration::from_millis(detail.retry_after_ms.into()));
        match ErrorReason::try_from(detail.reason) {
            Ok(reason) if reason != ErrorReason::Unspecified => {
                Self { reason, message: detail.message, retry_after }
            }
            _ if std::error::Error::source(&status).is_some() => Self::unreachable(&status),
            _ => Self {
                reason: reason_of_code(status.code()),
                message: match status.message() {
                    "" => format!("the server answered: {}", status.code().description()),
                    text => format!("the server answered: {text}"),
                },
                retry_after,
            },
        }
    }
}

/// For answers that did not come from a Conclave server: a proxy before it, or none at all.
const fn reason_of_code(code: Code) -> ErrorReason {
    match code {
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded | Code::Aborted | Code::Unknown => {
            ErrorReason::Unavailable
        }
        Code::Unauthenticated => ErrorReason::NotSignedIn,
        Code::PermissionDenied => ErrorReason::NotEntitled,
        Code::NotFound => ErrorReason::NotFound,
        Code::ResourceExhausted => ErrorReason::RateLimited,
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => ErrorReason::Malformed,
        Code::Unimplemented => ErrorReason::Incompatible,
        Code::Ok | Code::AlreadyExists | Code::Internal | Code::DataLoss => ErrorReason::Bug,
    }
}
