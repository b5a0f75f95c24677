//! Real-time text: what is being typed is told as it is typed, in passing; finished lines stand in the log (spec: DEV-17).

use std::{collections::BTreeMap, time::Duration};

use conclave_proto::types::v1::{self as types, message::Body};
use prost::{Message as _, bytes::Bytes};

use super::{
    Call, Inside, signals,
    submit::{Draft, Purpose},
};
use crate::{
    device::{
        Device, Error,
        command::{MeetingAddress, RequestId},
        event::{CallEvent, Done},
    },
    group::member::Opened,
    identity::address::DeviceUri,
    ids::SubmissionId,
    limits,
    meeting::log::Kind,
    time::Time,
};

/// How long to wait after a line could not be told.
const PAUSE: Duration = Duration::from_secs(1);

/// Lines that are being typed.
#[derive(Default)]
pub(in crate::device) struct Typing {
    /// The own line as it is now, if that is not told yet.
    next: Option<types::TextLine>,
    /// What is on its way.
    flying: Option<(SubmissionId, types::TextLine)>,
    /// When the next one may go.
    not_before: Option<Time>,
    /// The last finished line of each device: what was said in passing may come after it.
    finished: BTreeMap<DeviceUri, u64>,
}

impl Typing {
    /// When the next one is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        let waits = self.next.is_some() && self.flying.is_none();
        if waits { Some(self.not_before.unwrap_or(Time::from_ms(0))) } else { None }
    }

    /// A device is gone; one that comes again counts anew.
    pub(super) fn forget(&mut self, device: &DeviceUri) {
        self.finished.remove(device);
    }

    fn take_due(&mut self, now: Time) -> Option<types::TextLine> {
        if self.deadline().is_some_and(|at| at <= now) { self.next.take() } else { None }
    }

    fn flies(&mut self, id: SubmissionId, line: types::TextLine, now: Time) {
        self.flying = Some((id, line));
        self.not_before = Some(now + limits::TYPING_INTERVAL);
    }

    /// What flew under this id is answered.
    fn landed(&mut self, id: SubmissionId) -> Option<types::TextLine> {
        self.flying.take_if(|(flying, _)| *flying == id).map(|(_, line)| line)
    }
}

impl Device {
    /// A person types.
    pub(super) fn type_line(
        &mut self,
        now: Time,
        request: RequestId,
        meeting: &MeetingAddress,
        line: types::TextLine,
    ) -> Result<(), Error> {
        if line.text.chars().count() > limits::LINE_CHARACTERS {
            return Err(Error::TooLong(limits::LINE_CHARACTERS));
        }
        let account = self.account.as_ref().ok_or(Error::NotSignedIn)?;
        let inside = self.calls.get_mut(meeting).and_then(Call::inside).ok_or(Error::NotInMeeting)?;
        let body = Body::Line(line.clone());
        if !signals::may_say(inside.view.chain.tip(), account.uri.user(), &body) {
            return Err(Error::NotEntitled);
        }
        if line.done {
            inside.typing.next = None;
            return self.say(now, meeting, Some(request), body);
        }
        inside.typing.next = Some(line);
        self.done(request, Ok(Done::Plain));
        self.tell_typing(now, meeting);
        Ok(())
    }

    /// Tells the own line as it is now, if that is due.
    pub(super) fn tell_typing(&mut self, now: Time, meeting: &MeetingAddress) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let Some(line) = inside.typing.take_due(now) else { return };
        let id: [u8; 16] = self.random();
        let message = types::Message {
            message_id: Bytes::copy_from_slice(&id),
            time_ms: now.as_ms(),
            body: Some(Body::Line(line.clone())),
        };
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let session = inside.known.session;
        let Ok(sealed) = inside.member.seal(&message.encode_to_vec()) else { return };
        let draft = Draft {
            purpose: Purpose::Passing,
            kind: types::EntryKind::Passing,
            content: sealed.into(),
            attachment: Bytes::new(),
        };
        if let Ok(id) = self.submit(now, meeting, session, draft)
            && let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside)
        {
            inside.typing.flies(id, line, now);
        }
    }

    /// The others have it, as far as they listen.
    pub(super) fn typing_told(&mut self, now: Time, meeting: &MeetingAddress, id: SubmissionId) {
        if let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) {
            inside.typing.landed(id);
        }
        self.tell_typing(now, meeting);
    }

    /// It is told again later, unless the line is another one by then.
    pub(super) fn typing_not_told(&mut self, now: Time, meeting: &MeetingAddress, id: SubmissionId) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let Some(line) = inside.typing.landed(id) else { return };
        inside.typing.next.get_or_insert(line);
        inside.typing.not_before = Some(now + PAUSE);
    }
}

impl Inside {
    /// Somebody's line stands for good.
    pub(super) fn line_finished(
        &mut self,
        device: DeviceUri,
        line: types::TextLine,
        time: Time,
    ) -> Option<CallEvent> {
        if !line.done {
            return None; // What is being typed is never logged.
        }
        let finished = self.typing.finished.entry(device.clone()).or_default();
        *finished = line.line.max(*finished);
        Some(typing(device, line, time))
    }

    /// Opens what a member says in passing: a line that is being typed, and nothing else.
    pub(super) fn open_passing(
        &mut self,
        meeting: &MeetingAddress,
        signed: &types::Signed,
    ) -> Result<Option<CallEvent>, Error> {
        let submission = crate::meeting::submission::Submission::read(signed)?;
        submission.check_place(meeting.id, self.known.session)?;
        if submission.kind != Kind::Passing {
            return Err(Error::HomeServer("what belongs in the log was told in passing"));
        }
        self.view.check_author(signed, &submission)?;
        let Opened::Message { device, plaintext, .. } = self.member.open(&submission.content)? else {
            return Ok(None);
        };
        if device != submission.device {
            return Err(Error::HomeServer("a message came under another's name"));
        }
        let message = types::Message::decode(plaintext.as_slice())?;
        let Some(body @ Body::Line(_)) = message.body else { return Ok(None) };
        if !signals::may_say(self.view.chain.tip(), device.user(), &body) {
            return Ok(None); // DEV-14
        }
        let Body::Line(line) = body else { return Ok(None) };
        let over = self.typing.finished.get(&device).is_some_and(|finished| line.line <= *finished);
        if line.done || over {
            return Ok(None);
        }
        Ok(Some(typing(device, line, submission.time)))
    }
}

fn typing(device: DeviceUri, line: types::TextLine, time: Time) -> CallEvent {
    let types::TextLine { line, text, done } = line;
    let text = text.chars().take(limits::LINE_CHARACTERS).collect();
    CallEvent::Typing { device, line, text, done, time }
}
