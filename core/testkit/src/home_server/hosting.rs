//! The meetings that a server orders: it drives the hub machine and does what the machine says, in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use conclave_core::{
    identity::{
        address::{DeviceUri, Domain},
        pins::Pins,
    },
    ids::{MeetingId, Sequence, SessionNumber},
    meeting::{
        hub::{Hub, Input, Output, Stored, Ticket},
        log::{Entry, ServerSigner},
        record::Record,
    },
    time::Time,
};
use conclave_proto::{client::v1 as api, types::v1::ErrorReason};

use super::{
    Action, HomeServer, Origin, api_error,
    disk::{Disk, Hosted, Log, Session},
    house::{House, WatchOrder},
    mutant::Mutant,
    peer::{self, MirrorItem},
};

/// Another server that mirrors the session.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) peer: Domain,
    pub(crate) stream: u64,
    pub(crate) next: u64,
}

/// One meeting that this server orders, as it runs.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) hub: Hub,
    pub(crate) house: House,
    pub(crate) outlets: Vec<Outlet>,
    /// Servers that hand things in past the network, and look as if they followed.
    pub(crate) unseen: BTreeSet<Domain>,
    pub(crate) origins: BTreeMap<Ticket, Origin>,
    pub(crate) tickets: u64,
}

impl Seat {
    pub(crate) const fn new(hub: Hub, own: Domain) -> Self {
        Self {
            hub,
            house: House::new(own),
            outlets: Vec::new(),
            unseen: BTreeSet::new(),
            origins: BTreeMap::new(),
            tickets: 0,
        }
    }

    /// From what is stored.
    pub(crate) fn restore(hosted: &Hosted, signer: ServerSigner, now: Time) -> Self {
        let session = hosted
            .sessions
            .last_key_value()
            .map(|(number, session)| (*number, session.chain.clone(), session.log.entries()));
        let stored = Stored { record: hosted.record.clone(), session, changes: hosted.changes.clone() };
        let own = signer.domain.clone();
        Self::new(Hub::restore(stored, signer, now).expect("what was stored folds"), own)
    }

    /// Gives an input to the machine; a refusal is told at once.
    pub(crate) fn give(
        &mut self,
        now: Time,
        pins: &Pins,
        origin: Origin,
        input: impl FnOnce(Ticket) -> Input,
    ) -> Option<(Origin, ErrorReason)> {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        match self.hub.handle(now, pins, input(ticket)) {
            Ok(()) => {
                self.origins.insert(ticket, origin);
                None
            }
            Err(error) => Some((origin, error.reason())),
        }
    }
}

pub(crate) fn look_up(hub: &Hub, now: Time) -> api::LookUpMeetingResponse {
    let view = hub.session(now);
    api::LookUpMeetingResponse {
        record: Some(hub.record().signed().clone()),
        policy_chain: hub.policy_chain().signed(),
        session: view.number.0,
        running: view.running,
        session_policy_version: view.policy_version,
        inside: None,
    }
}

impl HomeServer {
    /// Stores a new meeting.
    pub(super) fn host(&mut self, record: Record) {
        let hub = Hub::new(record.clone(), self.signer.clone());
        let id = record.id();
        let hosted = Hosted { record, sessions: BTreeMap::new(), changes: Vec::new() };
        self.disk.hosted.entry(id).or_insert(hosted);
        let own = self.domain().clone();
        self.live.hubs.entry(id).or_insert_with(|| Seat::new(hub, own));
    }

    /// Hands an input to a meeting's hub and does what follows.
    pub(super) fn at_hub(
        &mut self,
        now: Time,
        meeting: MeetingId,
        origin: Origin,
        input: impl FnOnce(Ticket) -> Input,
    ) {
        let Some(seat) = self.live.hubs.get_mut(&meeting) else {
            return self.answer(origin, Err(api_error(ErrorReason::NotFound)));
        };
        let refused = seat.give(now, &self.pins, origin, input);
        self.run_hub(now, meeting);
        if let Some((origin, reason)) = refused
            && !self.down
        {
            self.answer(origin, Err(api_error(reason)));
        }
    }

    /// Does what the hub says, in order; the fuse may blow before or after each step.
    pub(super) fn run_hub(&mut self, now: Time, meeting: MeetingId) {
        loop {
            let Some(output) = self.live.hubs.get_mut(&meeting).and_then(|seat| seat.hub.poll()) else {
                return;
            };
            if self.blows() {
                return;
            }
            self.hub_output(now, meeting, output);
        }
    }

    fn hub_output(&mut self, now: Time, meeting: MeetingId, output: Output) {
        let domain = self.domain().clone();
        let (Some(seat), Some(hosted)) =
            (self.live.hubs.get_mut(&meeting), self.disk.hosted.get_mut(&meeting))
        else {
            return;
        };
        match output {
            Output::SessionOpened { session, policy_chain } => {
                hosted.changes.clear();
                hosted.sessions.insert(session, Session { chain: policy_chain, log: Log::default() });
                seat.house.cut_all(None, &mut self.out);
                for outlet in seat.outlets.drain(..) {
                    let ended = peer::Message::MirrorEnded { stream: outlet.stream, broken: false };
                    self.out.push_back(Action::Send { to: outlet.peer, message: ended });
                }
            }
            Output::Append { session, entries, head, effects } => {
                let Some(stored) = hosted.sessions.get_mut(&session) else { return };
                let Some(room) = seat.hub.room() else { return };
                seat.house.before_visible(&effects);
                stored.log.append(entries, &head);
                seat.house.after_visible(room, &stored.log, &effects, now, &mut self.out);
                let Seat { hub, outlets, .. } = seat;
                let mutant = self.mutant;
                outlets.retain_mut(|outlet| {
                    hand_out(outlet, hub, &stored.log, mutant, &mut self.out);
                    let stays = hub.room().is_some_and(|room| room.may_follow(&outlet.peer, now));
                    if !stays {
                        let ended = peer::Message::MirrorEnded { stream: outlet.stream, broken: false };
                        self.out.push_back(Action::Send { to: outlet.peer.clone(), message: ended });
                    }
                    stays
                });
            }
            Output::PolicyStored { statement, .. } => hosted.changes.push(statement),
            Output::Reply { ticket, receipt } => {
                if let Some(origin) = seat.origins.remove(&ticket) {
                    let (sequence, time_ms) = (receipt.sequence.0, receipt.time.as_ms());
                    self.answer(origin, Ok(peer::Answer::Logged { sequence, time_ms }));
                }
            }
            Output::Ask { session, device, ask } => {
                let (Some(stored), Some(room)) = (hosted.sessions.get(&session), seat.hub.room()) else {
                    return;
                };
                if *device.domain() == domain {
                    seat.house.ask(room, &stored.log, &device, ask, &mut self.out);
                } else {
                    let item = MirrorItem::Ask { device: device.clone(), ask };
                    tell(&seat.outlets, |peer| peer == device.domain(), &item, &mut self.out);
                }
            }
            Output::Aside { session, aside } => {
                let (Some(stored), Some(room)) = (hosted.sessions.get(&session), seat.hub.room()) else {
                    return;
                };
                seat.house.aside(room, &stored.log, &aside, &mut self.out);
                tell(&seat.outlets, |_| true, &MirrorItem::Aside(aside), &mut self.out);
            }
            Output::RefusedAttempt { session, domain, times } => {
                let attempt = api::RefusedAttempt { domain: domain.to_string(), times, time_ms: now.as_ms() };
                let (Some(stored), Some(room)) = (hosted.sessions.get(&session), seat.hub.room()) else {
                    return;
                };
                seat.house.refused_attempt(room, &stored.log, &attempt, &mut self.out);
                tell(&seat.outlets, |_| true, &MirrorItem::RefusedAttempt(attempt), &mut self.out);
            }
        }
    }

    /// An own device follows a session of an own meeting.
    pub(super) fn watch_hub(&mut self, now: Time, meeting: MeetingId, order: WatchOrder) {
        let stream = order.key;
        let seat = self.live.hubs.get_mut(&meeting);
        let sessions = self.disk.hosted.get(&meeting).map(|hosted| &hosted.sessions);
        if let (Some(seat), Some(sessions)) = (seat, sessions)
            && let (Some(room), Some((_, session))) = (seat.hub.room(), sessions.last_key_value())
        {
            seat.house.watch(room, &session.log, order, now, &mut self.out);
        } else {
            self.out.push_back(Action::End { stream, error: Some(api_error(ErrorReason::NotFound)) });
        }
    }

    /// Another server mirrors a session.
    pub(super) fn follow(
        &mut self,
        now: Time,
        peer: Domain,
        stream: u64,
        (meeting, session): (MeetingId, SessionNumber),
        next: Sequence,
    ) {
        let stored = self.disk.hosted.get(&meeting).and_then(|hosted| hosted.sessions.get(&session));
        let seat = self.live.hubs.get_mut(&meeting);
        if let (Some(seat), Some(stored)) = (seat, stored)
            && seat.hub.room().is_some_and(|room| room.session() == session && room.may_follow(&peer, now))
        {
            seat.outlets.retain(|outlet| outlet.peer != peer);
            let mut outlet = Outlet { peer, stream, next: next.0 };
            hand_out(&mut outlet, &seat.hub, &stored.log, self.mutant, &mut self.out);
            seat.outlets.push(outlet);
            self.tell_followers(now, meeting);
        } else {
            let message = peer::Message::MirrorEnded { stream, broken: false };
            self.out.push_back(Action::Send { to: peer, message });
        }
    }

    /// Tells the hub who mirrors its session now.
    pub(super) fn tell_followers(&mut self, now: Time, meeting: MeetingId) {
        let Some(seat) = self.live.hubs.get(&meeting) else { return };
        let followers = seat.outlets.iter().map(|outlet| &outlet.peer).chain(&seat.unseen).cloned().collect();
        self.at_hub(now, meeting, Origin::Nobody, |_| Input::Followers(followers));
    }

    /// The ratchet tree that an own device needs to enter an own meeting.
    pub(super) fn hub_tree(&self, meeting: &MeetingId, device: &DeviceUri, epoch: u64) -> Option<Vec<u8>> {
        let room = self.live.hubs.get(meeting)?.hub.room()?;
        room.member(device)?;
        room.tree_at(conclave_core::ids::Epoch(epoch)).map(|tree| tree.to_vec())
    }
}

/// Hands out what a follower has not got yet.
fn hand_out(outlet: &mut Outlet, hub: &Hub, log: &Log, mutant: Option<Mutant>, out: &mut VecDeque<Action>) {
    loop {
        let stretch = log.stretch(outlet.next, log.tip());
        let Some(head) = stretch.last().and_then(|last| last.head.clone()) else { return };
        let mut entries: Vec<_> = stretch.iter().map(|stored| stored.entry.to_wire()).collect();
        outlet.next += stretch.len() as u64;
        let mut head = head;
        if mutant == Some(Mutant::ForksLog)
            && let Some(last) = entries.last_mut()
            && last.content.len() < 1_000
        {
            *last = super::mutant::other_entry(last);
            head = hub.sign_head(&Entry::parse(last).expect("an entry"));
        }
        let item = MirrorItem::Batch { entries, head };
        let message = peer::Message::Mirror { stream: outlet.stream, item };
        out.push_back(Action::Send { to: outlet.peer.clone(), message });
    }
}

fn tell(outlets: &[Outlet], whom: impl Fn(&Domain) -> bool, item: &MirrorItem, out: &mut VecDeque<Action>) {
    for outlet in outlets.iter().filter(|outlet| whom(&outlet.peer)) {
        let message = peer::Message::Mirror { stream: outlet.stream, item: item.clone() };
        out.push_back(Action::Send { to: outlet.peer.clone(), message });
    }
}

/// Every hub as it runs, from what is stored.
pub(crate) fn restore(disk: &Disk, signer: &ServerSigner, now: Time) -> BTreeMap<MeetingId, Seat> {
    let seats = disk.hosted.iter();
    seats.map(|(id, hosted)| (*id, Seat::restore(hosted, signer.clone(), now))).collect()
}
