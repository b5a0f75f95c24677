//! Following the log: each entry in order, each commit checked before it is merged.

use conclave_proto::{
    client::v1 as api,
    types::v1::{self as types, message::Body},
};
use prost::Message;
use prost::bytes::Bytes;

use super::{Call, Inside, Stage, after, id_bytes, signals, view};
use crate::{
    device::{
        Device, Error,
        command::MeetingAddress,
        event::{CallEvent, Over},
        io::ApiError,
        outbox::Stream,
        path,
    },
    group::member::Opened,
    identity::signed::Label,
    ids::Sequence,
    limits,
    meeting::log::{Entry, Head, Kind, Tip},
    time::Time,
};

impl Device {
    /// Keeps an item of the Watch stream until it can be taken in.
    pub(in crate::device) fn watched(&mut self, meeting: &MeetingAddress, message: Bytes) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        call.connected();
        if let Ok(item) = api::WatchResponse::decode(message) {
            call.inbox.push_back(item);
        } else {
            tracing::warn!("the home server sent something that cannot be decoded");
        }
        self.watch_stands(meeting);
    }

    /// The home server is there, whether or not it has anything to tell.
    pub(in crate::device) fn watch_stands(&mut self, meeting: &MeetingAddress) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        if std::mem::take(&mut call.cut_off) {
            self.tell(meeting, CallEvent::Connected(true));
        }
    }

    /// Takes in what came, in order; stops where a descriptor is missing, and goes on from there when it is here.
    pub(in crate::device) fn advance_call(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
    ) -> Result<(), Error> {
        self.open_welcome(now, meeting)?;
        while let Some(item) = self.next_item(meeting) {
            self.take_in(now, meeting, item)?;
            if let Some(call) = self.calls.get_mut(meeting) {
                call.inbox.pop_front();
            }
            self.open_welcome(now, meeting)?;
        }
        self.go_on(now, meeting);
        Ok(())
    }

    /// The next item, unless the device is between asking and being inside.
    fn next_item(&self, meeting: &MeetingAddress) -> Option<api::WatchResponse> {
        let call = self.calls.get(meeting)?;
        if matches!(call.stage, Stage::Fetching(_)) { None } else { call.inbox.front().cloned() }
    }

    fn take_in(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        item: api::WatchResponse,
    ) -> Result<(), Error> {
        use api::watch_response::Item;
        match item.item {
            Some(Item::Standing(standing)) => self.standing(now, meeting, &standing),
            Some(Item::Batch(batch)) => self.batch(now, meeting, &batch),
            Some(Item::Ask(ask)) => self.asked(meeting, &ask),
            Some(Item::Notice(notice)) => {
                self.noticed(now, meeting, notice);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn noticed(&mut self, now: Time, meeting: &MeetingAddress, notice: api::Notice) {
        use api::notice::Notice as Told;
        match notice.notice {
            Some(Told::RefusedAttempt(attempt)) => {
                if let Ok(domain) = crate::identity::address::Domain::parse(&attempt.domain) {
                    self.tell(meeting, CallEvent::RefusedAttempt { domain, times: attempt.times });
                }
            }
            Some(Told::Passing(signed)) => self.passed(meeting, &signed),
            Some(Told::Attendance(signed)) => self.attended(now, meeting, &signed),
            None => {}
        }
    }

    /// Somebody says something in passing; what cannot be opened is missed.
    fn passed(&mut self, meeting: &MeetingAddress, signed: &types::Signed) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        match inside.open_passing(meeting, signed) {
            Ok(event) => event.into_iter().for_each(|event| self.tell(meeting, event)),
            Err(error) => tracing::debug!(%error, "something said in passing cannot be opened"),
        }
    }

    fn batch(&mut self, now: Time, meeting: &MeetingAddress, batch: &api::LogBatch) -> Result<(), Error> {
        let entries = batch.entries.iter().map(Entry::parse).collect::<Result<Vec<_>, _>>()?;
        self.check_head(now, meeting, batch.head.as_ref(), &entries)?;
        for entry in entries {
            self.entry(now, meeting, &entry)?;
        }
        Ok(())
    }

    /// The hub's signature over the last entry covers all of them through the chain of hashes (spec: LOG-07).
    fn check_head(
        &self,
        now: Time,
        meeting: &MeetingAddress,
        head: Option<&types::ServerSigned>,
        entries: &[Entry],
    ) -> Result<(), Error> {
        let head = head.ok_or(Error::HomeServer("it left the hub's signature out"))?;
        let payload = self.pins.verify_server_signed(Label::Head, head, &meeting.hub, now)?;
        let head = Head::from_wire(&types::Head::decode(payload)?)?;
        match entries.last() {
            Some(last) => Ok(head.check_covers(last)?),
            None => Ok(()),
        }
    }

    /// One entry; one that is known already is skipped.
    fn entry(&mut self, now: Time, meeting: &MeetingAddress, entry: &Entry) -> Result<(), Error> {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return Ok(()) };
        if entry.sequence() <= inside.tip.sequence {
            return Ok(());
        }
        inside.tip.check_next(entry)?;
        match entry.header().kind {
            Kind::Commit => self.commit(now, meeting, entry)?,
            Kind::Confirm if self.is_by_nobody(meeting, entry)? => {}
            Kind::Confirm => self.confirmed(meeting, entry)?,
            Kind::Void => self.voided(now, meeting, entry)?,
            Kind::Message => self.message(meeting, entry),
            Kind::Join | Kind::Admit | Kind::Leave | Kind::Withdraw => match self.note(meeting, entry) {
                Err(Error::UnknownDomain(domain)) => return Err(Error::UnknownDomain(domain)),
                // What follows from a change that was refused here cannot be judged here.
                Err(error) if self.has_rejected(meeting) => {
                    tracing::debug!(%error, "an entry after a rejected commit");
                }
                noted => noted?,
            },
            // LOG-05: hashed with the rest, never acted on.
            Kind::Passing | Kind::Unknown(_) => {}
        }
        if let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) {
            inside.tip = Tip::of(entry);
        }
        Ok(())
    }

    /// Whether a rejected commit may have added its author, whom this device does not know.
    fn is_by_nobody(&mut self, meeting: &MeetingAddress, entry: &Entry) -> Result<bool, Error> {
        let (_, submission) = view::read(entry)?;
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return Ok(true) };
        Ok(inside.rejected.is_some() && inside.view.key_of(&submission.device).is_none())
    }

    /// Somebody asks to enter, is let in, or goes.
    fn note(&mut self, meeting: &MeetingAddress, entry: &Entry) -> Result<(), Error> {
        let Some(Stage::Inside(inside)) = self.calls.get_mut(meeting).map(|call| &mut call.stage) else {
            return Ok(());
        };
        let effects = inside.view.note(&inside.known, entry, &self.pins, false)?;
        inside.confirm_alone();
        for effect in effects {
            self.tell_effect(meeting, effect);
        }
        Ok(())
    }

    /// A message; one that cannot be opened is of a void epoch, or of one before this device entered.
    fn message(&mut self, meeting: &MeetingAddress, entry: &Entry) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let event = match inside.open(entry) {
            Ok(event) => event,
            Err(error) => {
                tracing::debug!(%error, sequence = entry.sequence().0, "a message cannot be opened");
                return;
            }
        };
        if let Some(event) = event {
            self.tell(meeting, event);
        }
        self.keep_token(entry.header().time, meeting);
    }

    /// The stream broke: follow again from where the log stands here.
    pub(in crate::device) fn watch_ended(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        error: Option<ApiError>,
    ) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        call.watch = None;
        let is_lost = |error: &ApiError| {
            matches!(error.reason, types::ErrorReason::Unavailable | types::ErrorReason::RateLimited)
        };
        if let Some(refused) = error.filter(|error| !is_lost(error)) {
            self.over(meeting, Over::Refused(Error::Api(refused)));
            return;
        }
        let Some(call) = self.calls.get_mut(meeting) else { return };
        call.back_off(now);
        if !std::mem::replace(&mut call.cut_off, true) {
            self.tell(meeting, CallEvent::Connected(false));
        }
    }

    /// Opens the Watch stream again.
    pub(super) fn watch_again(&mut self, meeting: &MeetingAddress) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        if call.watch.is_some() {
            return;
        }
        let (session, next, key_package_ref) = match &call.stage {
            Stage::Asking(asking) => {
                (asking.known.session, Sequence(0), asking.key_package_ref.as_bytes().to_vec())
            }
            Stage::Inside(inside) => (inside.known.session, after(inside.tip.sequence), Vec::new()),
            Stage::LookingUp | Stage::Fetching(_) | Stage::Over => return,
        };
        call.inbox.clear();
        let message = api::WatchRequest {
            meeting_id: id_bytes(meeting.id.as_bytes()),
            hub: meeting.hub.to_string(),
            session: session.0,
            next_sequence: next.0,
            key_package_ref: key_package_ref.into(),
        };
        call.watch = Some(self.out.open(path::WATCH, &message, Stream::Watch { meeting: meeting.clone() }));
    }
}

impl Inside {
    /// Opens a message; gives what is to be told of it, once.
    fn open(&mut self, entry: &Entry) -> Result<Option<CallEvent>, Error> {
        let (signed, submission) = view::read(entry)?;
        self.view.check_author(&signed, &submission)?;
        let (own, device, message) = match self.member.open(&submission.content)? {
            Opened::Message { device, plaintext, .. } => {
                (false, device, types::Message::decode(plaintext.as_slice())?)
            }
            Opened::Own => match self.outgoing.seen(submission.id) {
                Some(message) => (true, submission.device.clone(), message),
                None => return Ok(None),
            },
        };
        if device != submission.device {
            return Err(Error::HomeServer("a message came under another's name"));
        }
        // DEV-08: its author may have had to say it again.
        if !self.seen.insert((device.clone(), message.message_id.clone())) {
            return Ok(None);
        }
        let message_id = message.message_id.as_ref().try_into().map_err(|_| Error::Malformed)?;
        let body = message.body.ok_or(Error::Malformed)?;
        if !signals::may_say(self.view.chain.tip(), device.user(), &body) {
            return Ok(None); // DEV-14
        }
        let (time, sequence) = (entry.header().time, entry.sequence());
        Ok(match body {
            Body::Chat(text) => {
                let text = text.chars().take(limits::CHAT_CHARACTERS).collect();
                Some(CallEvent::Chat { from: device, text, message_id, time, sequence })
            }
            Body::Tracks(list) if !own => {
                let tracks = list.tracks.into_iter().take(limits::TRACKS_PER_DEVICE).collect();
                Some(CallEvent::Tracks { device, tracks })
            }
            Body::Tracks(_) => None,
            Body::Line(line) => self.line_finished(device, line, time),
            Body::Hand(hand) => self.hand(device, &hand, sequence),
            Body::Reaction(reaction) => {
                let known = types::Reaction::try_from(reaction).unwrap_or_default();
                (known != types::Reaction::Unspecified)
                    .then_some(CallEvent::Reaction { device, reaction: known })
            }
            Body::Token(token) => {
                self.token = (!own).then_some(token);
                None
            }
            Body::MuteRequest(request) => {
                let own = self.device_of(self.member.own_leaf());
                own.is_some_and(|own| own.to_string() == request.device).then_some(CallEvent::MutedBy(device))
            }
        })
    }
}
