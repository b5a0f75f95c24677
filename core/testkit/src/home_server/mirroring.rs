//! Other servers' meetings: it drives the follower machine and does what the machine says, in order.

use std::{sync::Arc, time::Duration};

use conclave_core::{
    identity::address::Domain,
    ids::{MeetingId, SessionNumber},
    meeting::{
        follower::{Follower, Input, Output},
        log::ServerSigner,
        policy::PolicyChain,
        record::Record,
        trust::Trust,
    },
    time::Time,
};
use conclave_proto::{client::v1 as api, types::v1::ErrorReason};

use super::{
    Action, HomeServer, Origin, api_error,
    disk::{Mirrored, Session},
    house::{House, WatchOrder},
    peer::{self, MirrorItem},
};
use crate::client::CallKey;

/// How long to wait before a mirror stream is opened again.
const RETRY: Duration = Duration::from_millis(500);

/// One session of another's meeting, as it is mirrored.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) follower: Follower,
    pub(crate) house: House,
    /// The open mirror stream.
    pub(crate) stream: Option<u64>,
    pub(crate) retry_at: Option<Time>,
    /// The hub ended the stream for good.
    pub(crate) gone: bool,
}

/// A meeting of another hub.
pub(crate) type Place = (Domain, MeetingId);

impl Seat {
    const fn new(follower: Follower, own: Domain) -> Self {
        Self { follower, house: House::new(own), stream: None, retry_at: None, gone: false }
    }

    /// From what is stored.
    pub(crate) fn restore(
        mirrored: &Mirrored,
        number: SessionNumber,
        signer: &ServerSigner,
        now: Time,
    ) -> Option<Self> {
        let session = mirrored.sessions.get(&number)?;
        let chain = PolicyChain::verify(&mirrored.record, &session.chain, Trust::Stored, now).ok()?;
        let head = session.log.0.iter().rev().find_map(|stored| stored.head.clone());
        let (record, entries) = (Arc::new(mirrored.record.clone()), session.log.entries());
        let follower = Follower::restore(record, chain, number, signer.clone(), &entries, head);
        Some(Self::new(follower.expect("what was stored folds"), signer.domain.clone()))
    }
}

impl HomeServer {
    /// An own device follows a session of another's meeting.
    pub(super) fn watch_mirror(&mut self, now: Time, place: &Place, order: WatchOrder) {
        let stream = order.key;
        if let Some(seat) = self.live.mirrors.get_mut(place)
            && seat.follower.room().session() >= order.order.session
        {
            if seat.follower.has_stopped() {
                let error = Some(api_error(ErrorReason::LogBroken));
                return self.out.push_back(Action::End { stream, error });
            }
            // The hub says again whether this server may follow.
            seat.gone = false;
            let room = seat.follower.room();
            let session = self.disk.mirrored.get(place).and_then(|m| m.sessions.get(&room.session()));
            let Some(session) = session else { return };
            seat.house.watch(room, &session.log, order, now, &mut self.out);
            self.follow_again(place);
            return;
        }
        let (hub, meeting) = place.clone();
        self.request(
            hub,
            peer::Request::LookUpMeeting(meeting),
            Origin::Watch(Box::new(order), place.clone()),
        );
    }

    /// The hub told what is needed to mirror the session that a device wants to follow.
    pub(super) fn looked_up_to_watch(
        &mut self,
        now: Time,
        place: &Place,
        order: WatchOrder,
        meeting: &api::LookUpMeetingResponse,
    ) {
        match self.start_mirror(now, place, order.order.session, meeting) {
            Ok(()) => self.watch_mirror(now, place, order),
            Err(reason) => {
                self.out.push_back(Action::End { stream: order.key, error: Some(api_error(reason)) });
            }
        }
    }

    /// Hands in a Join of an own device once its session is noted here: no crash in between leaves a device in the room after whom
    /// nobody looks.
    pub(super) fn hand_in_join(
        &mut self,
        call: CallKey,
        place: Place,
        session: SessionNumber,
        join: peer::Request,
    ) {
        let (hub, meeting) = place.clone();
        let known = self.live.mirrors.get(&place).map(|seat| seat.follower.room().session());
        if known.is_some_and(|known| known >= session) {
            self.request(hub, join, Origin::Join(call, place, session));
        } else {
            let origin = Origin::Note(call, place, session, Box::new(join));
            self.request(hub, peer::Request::LookUpMeeting(meeting), origin);
        }
    }

    /// A Join of an own device is in a hub's log: whether it enters is for this server to see, whatever the device does.
    pub(super) fn joined_elsewhere(
        &mut self,
        call: CallKey,
        place: Place,
        session: SessionNumber,
        logged: peer::Answer,
    ) {
        if let Some(seat) = self.live.mirrors.get_mut(&place)
            && seat.follower.room().session() >= session
        {
            seat.gone = false;
            self.follow_again(&place);
            return self.answer(Origin::Device(call), Ok(logged));
        }
        let (hub, meeting) = place.clone();
        let origin = Origin::Follow(call, place, session, Box::new(logged));
        self.request(hub, peer::Request::LookUpMeeting(meeting), origin);
    }

    /// Begins to mirror a session, if it is not mirrored yet.
    pub(super) fn start_mirror(
        &mut self,
        now: Time,
        place: &Place,
        session: SessionNumber,
        meeting: &api::LookUpMeetingResponse,
    ) -> Result<(), ErrorReason> {
        let known = self.live.mirrors.get(place).map(|seat| seat.follower.room().session());
        if known.is_some_and(|known| known >= session) {
            return Ok(());
        }
        let number = SessionNumber(meeting.session);
        if number != session {
            return Err(ErrorReason::NotFound);
        }
        let (record, chain) = self.verified(now, place, meeting).ok_or(ErrorReason::LogBroken)?;
        let follower = Follower::new(Arc::new(record.clone()), chain.clone(), number, self.signer.clone());
        let mirrored = self.disk.mirrored.entry(place.clone());
        let mirrored =
            mirrored.or_insert_with(|| Mirrored { record, sessions: std::collections::BTreeMap::new() });
        mirrored.sessions.insert(number, Session { chain: chain.signed(), log: super::Log::default() });
        let seat = Seat::new(follower, self.domain().clone());
        if let Some(mut old) = self.live.mirrors.insert(place.clone(), seat) {
            old.house.cut_all(None, &mut self.out);
        }
        Ok(())
    }

    fn verified(
        &self,
        now: Time,
        place: &Place,
        meeting: &api::LookUpMeetingResponse,
    ) -> Option<(Record, PolicyChain)> {
        let trust = Trust::Verify(&self.pins);
        let record = Record::open(meeting.record.as_ref()?, trust).ok()?;
        if record.id() != place.1 || *record.hub() != place.0 {
            return None;
        }
        let chain = PolicyChain::verify(&record, &meeting.policy_chain, trust, now).ok()?;
        Some((record, chain.at_version(meeting.session_policy_version)))
    }

    /// Opens the mirror stream, if it is not open.
    pub(super) fn follow_again(&mut self, place: &Place) {
        let stream = self.disk.number();
        let Some(seat) = self.live.mirrors.get_mut(place) else { return };
        if seat.stream.is_some() || seat.gone || seat.follower.has_stopped() {
            return;
        }
        seat.stream = Some(stream);
        seat.retry_at = None;
        let (session, next) = (seat.follower.room().session(), seat.follower.next_sequence());
        let message = peer::Message::Follow { stream, meeting: place.1, session, next };
        self.out.push_back(Action::Send { to: place.0.clone(), message });
    }

    /// The hub told something on a mirror stream.
    pub(super) fn mirrored(&mut self, now: Time, from: &Domain, stream: u64, item: MirrorItem) {
        let place =
            self.live.mirrors.iter().find(|(place, seat)| place.0 == *from && seat.stream == Some(stream));
        let Some(place) = place.map(|(place, _)| place.clone()) else { return };
        let Some(seat) = self.live.mirrors.get_mut(&place) else { return };
        let number = seat.follower.room().session();
        let stored = self.disk.mirrored.get(&place).and_then(|mirrored| mirrored.sessions.get(&number));
        match item {
            MirrorItem::Batch { entries, head } => {
                let input = Input::Entries { entries, head };
                if let Err(error) = seat.follower.handle(now, &self.pins, &input) {
                    self.live.complaints.push(format!("{from}: {error}"));
                }
                self.run_follower(now, &place);
                self.after_stop(&place);
            }
            MirrorItem::Ask { device, ask } => {
                let Some(stored) = stored else { return };
                seat.house.ask(seat.follower.room(), &stored.log, &device, ask, &mut self.out);
            }
            MirrorItem::Aside(aside) => {
                let (Some(stored), room) = (stored, seat.follower.room()) else { return };
                if seat.follower.check_aside(now, &self.pins, &aside).is_ok() {
                    seat.house.aside(room, &stored.log, &aside, &mut self.out);
                }
            }
            MirrorItem::RefusedAttempt(attempt) => {
                let Some(stored) = stored else { return };
                seat.house.refused_attempt(seat.follower.room(), &stored.log, &attempt, &mut self.out);
            }
        }
    }

    /// Nothing more is taken from a hub that broke the rules.
    fn after_stop(&mut self, place: &Place) {
        let Some(seat) = self.live.mirrors.get_mut(place) else { return };
        if seat.follower.has_stopped() {
            seat.house.cut_all(Some(ErrorReason::LogBroken), &mut self.out);
        }
    }

    fn run_follower(&mut self, now: Time, place: &Place) {
        loop {
            let Some(seat) = self.live.mirrors.get_mut(place) else { return };
            let Some(output) = seat.follower.poll() else { return };
            if self.blows() {
                return;
            }
            let Some(seat) = self.live.mirrors.get_mut(place) else { return };
            match output {
                Output::Append { entries, head, effects } => {
                    let room = seat.follower.room();
                    let stored = self.disk.mirrored.get_mut(place);
                    let Some(stored) = stored.and_then(|m| m.sessions.get_mut(&room.session())) else {
                        return;
                    };
                    seat.house.before_visible(&effects);
                    stored.log.append(entries, &head);
                    seat.house.after_visible(room, &stored.log, &effects, now, &mut self.out);
                }
                Output::Acknowledge(acknowledgement) => {
                    let Some(stream) = seat.stream else { continue };
                    let message = peer::Message::Acknowledge { stream, acknowledgement };
                    self.out.push_back(Action::Send { to: place.0.clone(), message });
                }
                Output::Evidence { .. } => {
                    self.live.complaints.push(format!("{}: evidence of a fork", place.0));
                }
            }
        }
    }

    /// A mirror stream is over.
    pub(super) fn mirror_ended(&mut self, now: Time, from: &Domain, stream: u64, broken: bool) {
        for seat in self.live.hubs.values_mut() {
            seat.outlets.retain(|outlet| outlet.peer != *from || outlet.stream != stream);
        }
        let seats = self.live.mirrors.iter_mut();
        for (_, seat) in seats.filter(|(place, seat)| place.0 == *from && seat.stream == Some(stream)) {
            seat.stream = None;
            if broken {
                seat.retry_at = Some(now + RETRY);
            } else {
                seat.gone = true;
                seat.house.cut_all(Some(ErrorReason::NotFound), &mut self.out);
            }
        }
    }

    /// Looks after the mirrored sessions.
    pub(super) fn tick_mirrors(&mut self, now: Time) {
        for place in self.live.mirrors.keys().cloned().collect::<Vec<_>>() {
            let Some(seat) = self.live.mirrors.get_mut(&place) else { continue };
            if seat.retry_at.is_some_and(|at| at <= now) {
                self.follow_again(&place);
            }
            let Some(seat) = self.live.mirrors.get_mut(&place) else { continue };
            let session = seat.follower.room().session();
            let Some(stored) = self.disk.mirrored.get(&place).and_then(|m| m.sessions.get(&session)) else {
                continue;
            };
            if seat.gone || seat.follower.has_stopped() {
                continue;
            }
            let room = seat.follower.room();
            let missing = seat.house.missing(room, &stored.log, now, &mut self.out);
            for (presence, away) in missing.attendance {
                let attendance = self.attendance(now, place.1, session, presence, away);
                let request = peer::Request::Attend { meeting: place.1, attendance };
                self.request(place.0.clone(), request, Origin::Nobody);
            }
            for gone in missing.lost {
                let withdraw = self.withdraw(now, place.1, session, &gone);
                let request = peer::Request::Withdraw { meeting: place.1, withdraw };
                self.request(place.0.clone(), request, Origin::Nobody);
            }
        }
    }
}
