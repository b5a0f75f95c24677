//! From reasons to gRPC statuses and back: one exhaustive map, so that no answer depends on who gave it.

use conclave_proto::types::v1::{ErrorDetail, ErrorReason};
use prost::Message;
use tonic::{Code, Status};
use tracing::error;

use crate::refusal::Refusal;

/// The gRPC code of a reason, and one sentence for a person (spec: ERR-01).
pub const fn meaning(reason: ErrorReason) -> (Code, &'static str) {
    use ErrorReason as R;
    match reason {
        R::Unspecified | R::Bug => (Code::Internal, "The server made a mistake; its log says more."),
        R::Malformed => (Code::InvalidArgument, "The request is not of the form that the protocol demands."),
        R::TooLarge => (Code::ResourceExhausted, "Something in the request is larger than its limit."),
        R::RateLimited => (Code::ResourceExhausted, "Too many requests; try again later."),
        R::NotSignedIn => (Code::Unauthenticated, "Sign in first."),
        R::BadCredentials => (Code::Unauthenticated, "The name or the password is wrong."),
        R::NotFound => (Code::NotFound, "There is no such thing here."),
        R::NotEntitled => (Code::PermissionDenied, "You are not entitled to do that."),
        R::BadSignature => (Code::PermissionDenied, "A signature does not verify."),
        R::BadCertificate => (Code::PermissionDenied, "A certificate does not verify or is not valid now."),
        R::WrongDomain => (Code::PermissionDenied, "A server may only speak for its own domain."),
        R::PinMismatch => (Code::Unauthenticated, "The other server's key is not the one known for it."),
        R::PeerNotAllowed => (Code::PermissionDenied, "This server does not federate with that one."),
        R::Expired => (Code::FailedPrecondition, "The time for that is over or not yet come."),
        R::Replayed => (Code::AlreadyExists, "That was used before."),
        R::NoAdmission => (Code::PermissionDenied, "Nothing that was shown admits this device."),
        R::Banned => (Code::PermissionDenied, "That person was removed from the meeting."),
        R::Locked => (Code::FailedPrecondition, "The meeting is locked."),
        R::Ended => (Code::FailedPrecondition, "The meeting is over."),
        R::Waiting => (Code::FailedPrecondition, "A host must let you in first."),
        R::Denied => (Code::PermissionDenied, "A host did not let you in."),
        R::ForbiddenCommit => (Code::PermissionDenied, "The change holds something that the rules forbid."),
        R::WrongEpoch => (Code::Aborted, "The meeting has moved on; catch up and try again."),
        R::LogBroken => (Code::DataLoss, "The meeting's log does not continue as it must."),
        R::Incompatible => (Code::Unimplemented, "The two sides share no version of the protocol."),
        R::Full => (Code::ResourceExhausted, "There is no room for more."),
        R::Unavailable => (Code::Unavailable, "A server cannot be reached now; try again."),
        R::Barred => (Code::PermissionDenied, "This device may not change the meeting any more."),
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let (code, message) = meaning(refusal.reason);
        let retry_after_ms = u32::try_from(refusal.retry_after.as_millis()).unwrap_or(u32::MAX);
        let detail =
            ErrorDetail { reason: refusal.reason.into(), message: message.to_owned(), retry_after_ms };
        Self::with_details(code, message, detail.encode_to_vec().into())
    }
}

/// Notes a fault of this program in the log and answers with nothing of it.
pub fn bug(what: impl std::fmt::Display) -> Refusal {
    error!(%what, "a fault of this program");
    Refusal::BUG
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn err_01_each_reason_has_its_code_and_survives_the_wire() {
        for number in 1..=28 {
            let Ok(reason) = ErrorReason::try_from(number) else { panic!("{number} is not defined") };
            let said = Refusal { reason, retry_after: Duration::from_millis(250) };
            let status = Status::from(said);
            assert_ne!(status.code(), Code::Ok);
            assert_ne!(status.code(), Code::Unknown);
            assert_eq!(Refusal::of_status(&status), said);
        }
        assert!(ErrorReason::try_from(29).is_err(), "a new reason needs its line in the spec and here");
    }

    #[test]
    fn err_02_foreign_text_goes_no_further() {
        let detail = ErrorDetail {
            reason: ErrorReason::Locked.into(),
            message: "<script>".to_owned(),
            retry_after_ms: u32::MAX,
        };
        let foreign = Status::with_details(Code::Ok, "<script>", detail.encode_to_vec().into());
        let passed_on = Status::from(Refusal::of_status(&foreign));
        assert_eq!(passed_on.code(), Code::FailedPrecondition);
        assert!(!passed_on.message().contains('<'));
        assert_eq!(Refusal::of_status(&Status::unavailable("x")), Refusal::UNAVAILABLE);
    }
}
