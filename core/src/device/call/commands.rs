//! What a person asks for inside a session.

use conclave_proto::types::v1 as types;
use prost::Message;
use prost::bytes::Bytes;

use super::{
    Call, Stage,
    change::{RuleChange, Wanted},
    submit::{Draft, Purpose},
};
use crate::{
    device::{
        Device, Error,
        command::{Command, MeetingAddress, RequestId},
        event::{Done, Over},
    },
    identity::address::DeviceUri,
    limits,
    time::Time,
};

impl Device {
    pub(in crate::device) fn call_command(
        &mut self,
        now: Time,
        request: RequestId,
        command: &Command,
    ) -> Result<(), Error> {
        match command {
            Command::Leave(meeting) => self.leave(now, request, meeting),
            Command::Chat { meeting, text } => {
                if text.chars().count() > limits::CHAT_CHARACTERS {
                    return Err(Error::TooLong(limits::CHAT_CHARACTERS));
                }
                let body = types::message::Body::Chat(text.clone());
                self.say(now, meeting, Some(request), body)
            }
            Command::Publish { meeting, tracks } => {
                let inside = self.calls.get_mut(meeting).and_then(Call::inside).ok_or(Error::NotInMeeting)?;
                inside.tracks.clone_from(tracks);
                let list = types::TrackList { tracks: tracks.clone() };
                self.say(now, meeting, Some(request), types::message::Body::Tracks(list))
            }
            Command::RaiseHand { .. }
            | Command::LowerHand { .. }
            | Command::React { .. }
            | Command::AskMute { .. } => self.signal(now, request, command),
            Command::Type { meeting, line, text, done } => {
                let line = types::TextLine { line: *line, text: text.clone(), done: *done };
                self.type_line(now, request, meeting, line)
            }
            Command::Admit { meeting, device, admitted } => {
                self.admit(now, request, meeting, device, *admitted)
            }
            Command::Remove { meeting, address } => {
                self.want(now, request, meeting, RuleChange::Remove(address.clone()))
            }
            Command::Lock { meeting, locked } => self.want(now, request, meeting, RuleChange::Lock(*locked)),
            Command::Lobby { meeting, on } => self.want(now, request, meeting, RuleChange::Lobby(*on)),
            Command::SetCoHost { meeting, address, on } => {
                self.want(now, request, meeting, RuleChange::CoHost(address.clone(), *on))
            }
            Command::End(meeting) => self.want(now, request, meeting, RuleChange::End),
            _ => Err(Error::NotInMeeting),
        }
    }

    fn want(
        &mut self,
        now: Time,
        request: RequestId,
        meeting: &MeetingAddress,
        change: RuleChange,
    ) -> Result<(), Error> {
        let inside = self.calls.get_mut(meeting).and_then(Call::inside).ok_or(Error::NotInMeeting)?;
        inside.wanted.push_back(Wanted::Rules { request, change });
        self.commit_next(now, meeting);
        Ok(())
    }

    /// Decides on a waiting device.
    fn admit(
        &mut self,
        now: Time,
        request: RequestId,
        meeting: &MeetingAddress,
        device: &DeviceUri,
        admitted: bool,
    ) -> Result<(), Error> {
        let inside = self.calls.get_mut(meeting).and_then(Call::inside).ok_or(Error::NotInMeeting)?;
        let session = inside.known.session;
        let key_package_ref = inside.waiting.get(device).copied().ok_or(Error::NobodyThere)?;
        if admitted {
            inside.let_in.insert(device.user().clone());
        }
        let admit = types::Admit {
            key_package_ref: super::id_bytes(key_package_ref.as_bytes()),
            device: device.to_string(),
            admitted,
            expires_ms: (now + limits::JOIN_LIFETIME).as_ms(),
        };
        let draft = Draft {
            purpose: Purpose::Admit(request),
            kind: types::EntryKind::Admit,
            content: admit.encode_to_vec().into(),
            attachment: Bytes::new(),
        };
        self.submit(now, meeting, session, draft)?;
        Ok(())
    }

    /// Says goodbye; whoever is not in yet just stops asking.
    fn leave(&mut self, now: Time, request: RequestId, meeting: &MeetingAddress) -> Result<(), Error> {
        let call = self.calls.get_mut(meeting).ok_or(Error::NotInMeeting)?;
        let Stage::Inside(inside) = &mut call.stage else {
            self.over(meeting, Over::Left);
            self.done(request, Ok(Done::Plain));
            return Ok(());
        };
        let (session, leaf) = (inside.known.session, inside.member.own_leaf());
        call.request = Some(request);
        let draft = Draft {
            purpose: Purpose::Leave,
            kind: types::EntryKind::Leave,
            content: types::Leave { leaf_index: leaf.0 }.encode_to_vec().into(),
            attachment: Bytes::new(),
        };
        self.submit(now, meeting, session, draft)?;
        Ok(())
    }

    /// What is due, and what failed for want of a connection, once more.
    pub(in crate::device) fn call_tick(&mut self, now: Time, meeting: &MeetingAddress) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        let stale = match &call.stage {
            Stage::Asking(asking) => now >= asking.expires,
            Stage::Fetching(fetching) => call.retry.is_some_and(|at| now >= at) && !fetching.complete,
            _ => false,
        };
        if stale {
            return self.ask_again(meeting);
        }
        if call.retry.take_if(|at| now >= *at).is_some() {
            if matches!(call.stage, Stage::LookingUp) {
                self.look_up(meeting);
            }
            self.watch_again(meeting);
            self.resubmit(meeting);
        }
        self.tell_typing(now, meeting);
        self.forget_absences(now, meeting);
    }

    /// What the last entries made possible or due.
    pub(super) fn go_on(&mut self, now: Time, meeting: &MeetingAddress) {
        self.say_due_words(now, meeting);
        self.commit_next(now, meeting);
        self.speak(now, meeting);
    }
}
