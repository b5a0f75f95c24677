//! What home servers acknowledge.

use conclave_core::{
    identity::address::Domain,
    ids::{MeetingId, Sequence, SessionNumber, SubmissionId},
    meeting::{log::Kind, submission::Submission},
};
use conclave_proto::client::v1 as api;
use prost::{Message as _, bytes::Bytes};

/// What a home server said is in the log.
#[derive(Clone, Debug)]
pub struct Promise {
    /// The hub that has it.
    pub hub: Domain,
    /// The meeting.
    pub meeting: MeetingId,
    /// Its session.
    pub session: SessionNumber,
    /// The place in the log.
    pub sequence: Sequence,
    /// The submission.
    pub submission: SubmissionId,
}

impl Promise {
    /// What would be promised by an answer to this call; a Confirm is answered without being logged.
    pub(super) fn asked(path: &str, body: &Bytes) -> Option<Self> {
        if !path.ends_with("MeetingService/Submit") {
            return None;
        }
        let request = api::SubmitRequest::decode(body.clone()).ok()?;
        let submission = Submission::read(&request.submission?).ok()?;
        let hub = Domain::parse(&request.hub).ok()?;
        let (meeting, session, submission, kind) =
            (submission.meeting, submission.session, submission.id, submission.kind);
        (kind != Kind::Confirm).then_some(Self { hub, meeting, session, sequence: Sequence(0), submission })
    }
}
