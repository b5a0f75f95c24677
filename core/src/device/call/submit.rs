//! Submissions on their way: handed in, and handed in again under the same id until the home server answers.

use conclave_proto::{client::v1 as api, types::v1 as types};
use prost::Message;
use prost::bytes::Bytes;

use super::{Call, Stage, id_bytes};
use crate::{
    device::{
        Device, Error,
        command::{MeetingAddress, RequestId},
        io::ApiError,
        outbox::{Outbox, Pending},
        path,
    },
    identity::signed::{self, Label},
    ids::{Epoch, Sequence, SessionNumber, SubmissionId},
    time::Time,
};

/// What a submission is for.
#[derive(Clone)]
pub(in crate::device) enum Purpose {
    Join,
    Commit,
    Confirm,
    /// Of this commit.
    Reject(Sequence),
    Message,
    Passing,
    Leave,
    Admit(RequestId),
}

/// A submission that is not answered.
pub(in crate::device) struct Unsent {
    purpose: Purpose,
    request: api::SubmitRequest,
    /// Whether an answer is under way.
    flying: bool,
}

/// What is to be handed in.
pub(super) struct Draft {
    pub(super) purpose: Purpose,
    pub(super) kind: types::EntryKind,
    pub(super) content: Bytes,
    pub(super) attachment: Bytes,
}

impl Device {
    /// Signs a submission under a fresh id and hands it in.
    pub(super) fn submit(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        session: SessionNumber,
        draft: Draft,
    ) -> Result<SubmissionId, Error> {
        let id = SubmissionId::from_bytes(self.random());
        let account = self.account.as_ref().ok_or(Error::NotSignedIn)?;
        let submission = types::Submission {
            meeting_id: id_bytes(meeting.id.as_bytes()),
            session: session.0,
            submission_id: id_bytes(id.as_bytes()),
            kind: draft.kind.into(),
            device: account.uri.to_string(),
            time_ms: now.as_ms(),
            content: draft.content,
        };
        let request = api::SubmitRequest {
            meeting_id: id_bytes(meeting.id.as_bytes()),
            hub: meeting.hub.to_string(),
            submission: Some(signed::sign_message(Label::Submission, &submission, &account.key)),
            attachment: draft.attachment,
        };
        let call = self.calls.get_mut(meeting).ok_or(Error::NotInMeeting)?;
        let mut unsent = Unsent { purpose: draft.purpose, request, flying: false };
        unsent.send(&mut self.out, meeting, id);
        call.unsent.insert(id, unsent);
        Ok(id)
    }

    /// The home server has it in the log.
    pub(in crate::device) fn submitted(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        id: SubmissionId,
        body: &Bytes,
    ) -> Result<(), Error> {
        api::SubmitResponse::decode(body.clone())?;
        let Some(call) = self.calls.get_mut(meeting) else { return Ok(()) };
        let Some(unsent) = call.unsent.remove(&id) else { return Ok(()) };
        call.connected();
        match unsent.purpose {
            // The log itself tells how these went on.
            Purpose::Commit | Purpose::Confirm | Purpose::Reject(_) => {}
            Purpose::Join => self.join_logged(meeting),
            Purpose::Message => self.said(now, meeting, id),
            Purpose::Passing => self.typing_told(now, meeting, id),
            Purpose::Leave => self.over(meeting, crate::device::event::Over::Left),
            Purpose::Admit(request) => self.done(request, Ok(crate::device::event::Done::Plain)),
        }
        Ok(())
    }

    /// The home server did not take it.
    pub(in crate::device) fn submission_refused(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        id: SubmissionId,
        error: ApiError,
    ) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        if call.unsent.get(&id).is_some_and(|unsent| matches!(unsent.purpose, Purpose::Passing)) {
            call.unsent.remove(&id);
            return self.typing_not_told(now, meeting, id);
        }
        let Some(unsent) = call.unsent.get_mut(&id) else { return };
        if matches!(error.reason, types::ErrorReason::Unavailable | types::ErrorReason::RateLimited) {
            unsent.flying = false;
            call.back_off(now);
            return;
        }
        let purpose = unsent.purpose.clone();
        call.unsent.remove(&id);
        match purpose {
            Purpose::Join => self.join_refused(now, meeting, error),
            Purpose::Commit => self.commit_refused(meeting, id, error),
            Purpose::Confirm => tracing::debug!(reason = ?error.reason, "a confirmation was not wanted"),
            Purpose::Reject(commit) => self.rejection_refused(meeting, commit),
            Purpose::Message => self.message_refused(now, meeting, id, error),
            Purpose::Passing => {}
            Purpose::Leave => self.over(meeting, crate::device::event::Over::Left),
            Purpose::Admit(request) => self.done(request, Err(Error::Api(error))),
        }
    }

    /// Hands in again what failed for want of a connection.
    pub(super) fn resubmit(&mut self, meeting: &MeetingAddress) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        for (id, unsent) in call.unsent.iter_mut().filter(|(_, unsent)| !unsent.flying) {
            unsent.send(&mut self.out, meeting, *id);
        }
    }

    fn said(&mut self, now: Time, meeting: &MeetingAddress, id: SubmissionId) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let unconfirmed = &inside.unconfirmed;
        let landed = inside.outgoing.landed(id, |epoch| unconfirmed.is_open(epoch));
        if let Some(request) = landed.and_then(|said| said.request) {
            self.done(request, Ok(crate::device::event::Done::Plain));
        }
        self.speak(now, meeting);
    }

    fn message_refused(&mut self, now: Time, meeting: &MeetingAddress, id: SubmissionId, error: ApiError) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let Some(said) = inside.outgoing.refused(id) else { return };
        // Made too long ago counts as for another epoch: it is not in the log, so it is sealed anew.
        if matches!(error.reason, types::ErrorReason::WrongEpoch | types::ErrorReason::Expired) {
            inside.outgoing.again(said);
        } else if let Some(request) = said.request {
            self.done(request, Err(Error::Api(error)));
        }
        self.speak(now, meeting);
    }

    /// Seals and hands in the next message, if none is on its way.
    pub(super) fn speak(&mut self, now: Time, meeting: &MeetingAddress) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let Some(said) = inside.outgoing.next() else { return };
        let session = inside.known.session;
        let sealed = match inside.member.seal(&said.message.encode_to_vec()) {
            Ok(sealed) => sealed,
            Err(error) => {
                if let Some(request) = said.request {
                    self.done(request, Err(error.into()));
                }
                return;
            }
        };
        let draft = Draft {
            purpose: Purpose::Message,
            kind: types::EntryKind::Message,
            content: sealed.into(),
            attachment: Bytes::new(),
        };
        if let Ok(id) = self.submit(now, meeting, session, draft)
            && let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside)
        {
            let epoch = inside.member.epoch();
            inside.outgoing.flies(id, epoch, said);
        }
    }

    /// Says on an epoch what is due.
    pub(super) fn say_due_words(&mut self, now: Time, meeting: &MeetingAddress) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let session = inside.known.session;
        for confirm in inside.unconfirmed.take_due(now) {
            self.say_word(now, meeting, session, &confirm);
        }
    }

    /// The epoch of a member, for tests of what it may read.
    pub fn epoch(&self, meeting: &MeetingAddress) -> Option<Epoch> {
        match &self.calls.get(meeting)?.stage {
            Stage::Inside(inside) => Some(inside.member.epoch()),
            _ => None,
        }
    }
}

impl Unsent {
    pub(super) fn rejects(&self, commit: Sequence) -> bool {
        matches!(self.purpose, Purpose::Reject(of) if of == commit)
    }

    fn send(&mut self, out: &mut Outbox, meeting: &MeetingAddress, id: SubmissionId) {
        self.flying = true;
        out.call(
            path::SUBMIT,
            &self.request,
            Pending::Submitted { meeting: meeting.clone(), submission: id },
        );
    }
}
