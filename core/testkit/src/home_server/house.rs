//! A server's own devices in one session: what each stream is told, and who has no stream any more.
//!
//! The same semantics as the server's own: a note takes effect once the log up to its place has been handed out.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use conclave_core::{
    identity::address::{DeviceUri, Domain},
    ids::{KeyPackageRef, Sequence, SessionNumber},
    meeting::{
        hub::Ask,
        room::{self, Effect, Room},
    },
    time::Time,
};
use conclave_proto::{
    client::v1::{
        CommitAsk, LogBatch, Notice, RefusedAttempt, Standing, StandingState, WatchResponse, notice,
        watch_response::Item,
    },
    types::v1::ErrorReason,
};
use prost::Message;

use super::{Action, api_error, disk::Log};
use crate::client::StreamKey;

/// How long a member may be without a stream before its server takes it out.
pub(crate) const ABSENCE: Duration = Duration::from_secs(30);
/// How long a member that asks to enter anew may stay what it was: by then somebody should have replaced it.
const REPLACED: Duration = Duration::from_secs(5);
/// How long a stream waits for a Join that is not in the log yet.
const UNSEEN: Duration = Duration::from_secs(20);

/// A device wants to follow a session.
#[derive(Clone, Debug)]
pub(crate) struct WatchOrder {
    pub(crate) key: StreamKey,
    pub(crate) device: DeviceUri,
    pub(crate) session: SessionNumber,
    pub(crate) next_sequence: u64,
    pub(crate) key_package_ref: Option<KeyPackageRef>,
}

#[derive(Clone, Debug)]
enum What {
    Item(Box<Item>),
    Enter(u64),
    Last(Option<Box<Item>>),
}

#[derive(Debug)]
struct Stream {
    key: StreamKey,
    device: DeviceUri,
    wanted: Option<KeyPackageRef>,
    cursor: Option<u64>,
    due: VecDeque<(u64, What)>,
    unseen: Option<Time>,
    /// Whether it is a member's.
    inside: bool,
    over: bool,
}

impl Stream {
    fn tell(&mut self, after: u64, what: What) {
        self.due.push_back((after, what));
    }

    /// Hands out all that is due.
    fn pump(&mut self, log: &Log, out: &mut VecDeque<Action>) {
        while !self.over && self.step(log, out) {}
    }

    fn step(&mut self, log: &Log, out: &mut VecDeque<Action>) -> bool {
        let due = self.due.front().is_some_and(|(after, _)| self.cursor.is_none_or(|next| next > *after));
        if due && let Some((_, what)) = self.due.pop_front() {
            self.take(what, out);
            return true;
        }
        let Some(next) = self.cursor.filter(|next| *next <= log.tip()) else { return false };
        let last = self.due.iter().position(|(_, what)| matches!(what, What::Last(_)));
        let limit = last.map_or(log.tip(), |last| self.due[last].0.min(log.tip()));
        let stretch = log.stretch(next, limit);
        if let Some(end) = stretch.last() {
            self.cursor = Some(next + stretch.len() as u64);
            let entries = stretch.iter().map(|stored| stored.entry.to_wire_for_members()).collect();
            self.item(Item::Batch(LogBatch { entries, head: end.head.clone() }), out);
            return true;
        }
        // The log may end for this reader inside a batch: the rest of it stays untold.
        let Some((_, what)) = last.and_then(|last| self.due.remove(last)) else { return false };
        self.take(what, out);
        true
    }

    fn take(&mut self, what: What, out: &mut VecDeque<Action>) {
        match what {
            What::Item(item) => self.item(*item, out),
            What::Enter(sequence) => {
                self.cursor = Some(self.cursor.map_or(sequence, |at| at.max(sequence)));
            }
            What::Last(item) => {
                if let Some(item) = item {
                    self.item(*item, out);
                }
                self.over = true;
                out.push_back(Action::End { stream: self.key, error: None });
            }
        }
    }

    fn item(&self, item: Item, out: &mut VecDeque<Action>) {
        let body = WatchResponse { item: Some(item) }.encode_to_vec().into();
        out.push_back(Action::Item { stream: self.key, body });
    }
}

/// The own devices of one session.
#[derive(Debug, Default)]
pub(crate) struct House {
    streams: Vec<Stream>,
    asks: BTreeMap<DeviceUri, Ask>,
    absent: BTreeMap<DeviceUri, Time>,
}

impl House {
    /// Opens a device's stream; an earlier one of the same device ends.
    pub(crate) fn watch(
        &mut self,
        room: &Room,
        log: &Log,
        order: WatchOrder,
        now: Time,
        out: &mut VecDeque<Action>,
    ) {
        let WatchOrder { key, device, session, next_sequence, key_package_ref: wanted } = order;
        self.streams.retain(|stream| stream.device != device);
        let member = room.member(&device).filter(|_| session == room.session());
        let fresh = member.filter(|member| {
            next_sequence == 0 && wanted.is_none_or(|wanted| wanted == member.key_package_ref)
        });
        let cursor = member.filter(|_| next_sequence > 0 && wanted.is_none());
        let cursor = cursor.map(|member| next_sequence.max(member.entered.0 + 1));
        let mut stream = Stream {
            key,
            device: device.clone(),
            wanted,
            cursor,
            due: VecDeque::new(),
            unseen: None,
            inside: cursor.is_some(),
            over: false,
        };
        if session != room.session() {
            stream.tell(0, What::Last(Some(boxed(StandingState::Lapsed))));
        } else if let Some(member) = fresh {
            enter(&mut stream, room, log, member.entered);
        } else if cursor.is_none() {
            // Not in, or in only as what it was before it crashed: then its new Join decides.
            let Some(wanted) = wanted else {
                out.push_back(Action::End { stream: key, error: Some(api_error(ErrorReason::NotFound)) });
                return;
            };
            if room.doors().fate(&wanted).is_none() {
                stream.unseen = Some(now);
            } else {
                tell_standing(&mut stream, room.standing(&device, &wanted, now));
            }
        }
        if room.is_over() {
            stream.tell(log.tip(), What::Last(None));
        }
        if let Some(ask) = self.asks.get(&device) {
            stream.tell(log.tip(), What::Item(Box::new(ask_item(log, ask))));
        }
        stream.pump(log, out);
        self.streams.push(stream);
    }

    /// A stream is closed or broken.
    pub(crate) fn close(&mut self, key: StreamKey) {
        self.streams.retain(|stream| stream.key != key);
    }

    /// Ends what must not see the entries that are about to become visible.
    pub(crate) fn before_visible(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::MemberRemoved { device, sequence, .. } = effect {
                // Who asks to enter anew is not the member that is removed.
                for stream in self.of(device).filter(|stream| stream.inside) {
                    stream.tell(sequence.0, What::Last(Some(boxed(StandingState::Removed))));
                }
            }
        }
    }

    /// Tells what the entries that just became visible mean.
    pub(crate) fn after_visible(
        &mut self,
        room: &Room,
        log: &Log,
        effects: &[Effect],
        now: Time,
        out: &mut VecDeque<Action>,
    ) {
        for effect in effects {
            match effect {
                Effect::JoinOpen { device, key_package_ref, .. }
                | Effect::Waiting { device, key_package_ref, .. } => {
                    for stream in self.waiting_for(device, *key_package_ref) {
                        stream.unseen = None;
                        tell_standing(stream, room.standing(device, key_package_ref, now));
                    }
                }
                Effect::Denied { device, key_package_ref } => {
                    self.end_waiting(device, *key_package_ref, StandingState::Denied);
                }
                Effect::JoinLapsed { device, key_package_ref } => {
                    self.end_waiting(device, *key_package_ref, StandingState::Lapsed);
                }
                Effect::MemberEntered { device, key_package_ref, sequence, .. } => {
                    self.asks.remove(device);
                    for stream in self.waiting_for(device, *key_package_ref) {
                        enter(stream, room, log, *sequence);
                    }
                }
                Effect::MemberRemoved { device, .. } | Effect::MemberLeft { device, .. } => {
                    self.asks.remove(device);
                }
                Effect::EpochStarted { .. } => self.asks.clear(),
                Effect::SessionOver => self.end_all(room),
                Effect::EpochConfirmed { .. } | Effect::Voided { .. } | Effect::PolicyChanged(_) => {}
            }
        }
        self.pump(log, out);
    }

    /// The hub asks one of the devices here.
    pub(crate) fn ask(&mut self, log: &Log, device: &DeviceUri, ask: Ask, out: &mut VecDeque<Action>) {
        let item = ask_item(log, &ask);
        for stream in self.of(device) {
            stream.tell(log.tip(), What::Item(Box::new(item.clone())));
        }
        self.asks.insert(device.clone(), ask);
        self.pump(log, out);
    }

    /// Members are told that somebody was refused at the door.
    pub(crate) fn refused_attempt(
        &mut self,
        room: &Room,
        log: &Log,
        attempt: &RefusedAttempt,
        out: &mut VecDeque<Action>,
    ) {
        let notice = Notice { notice: Some(notice::Notice::RefusedAttempt(attempt.clone())) };
        for stream in self.streams.iter_mut().filter(|stream| room.member(&stream.device).is_some()) {
            stream.tell(0, What::Item(Box::new(Item::Notice(notice.clone()))));
        }
        self.pump(log, out);
    }

    /// Ends every stream: the session is over.
    pub(crate) fn end_all(&mut self, room: &Room) {
        for stream in &mut self.streams {
            let member = room.member(&stream.device).is_some();
            let item = (!member).then(|| boxed(StandingState::Lapsed));
            stream.tell(if member { room.tip().sequence.0 } else { 0 }, What::Last(item));
        }
    }

    /// Cuts every stream at once.
    pub(crate) fn cut_all(&mut self, reason: Option<ErrorReason>, out: &mut VecDeque<Action>) {
        for stream in self.streams.drain(..) {
            out.push_back(Action::End { stream: stream.key, error: reason.map(api_error) });
        }
    }

    /// Gives items to every stream, whatever the log says: only a dishonest server does that.
    pub(crate) fn slip_in(&self, item: &Item, out: &mut VecDeque<Action>) {
        for stream in &self.streams {
            stream.item(item.clone(), out);
        }
    }

    /// Notes who has no stream; gives those who have had none for too long.
    pub(crate) fn missing(
        &mut self,
        own: &Domain,
        room: &Room,
        log: &Log,
        now: Time,
        out: &mut VecDeque<Action>,
    ) -> Vec<DeviceUri> {
        for stream in &mut self.streams {
            if stream.unseen.take_if(|since| now > *since + UNSEEN).is_some() {
                stream.tell(0, What::Last(Some(boxed(StandingState::Lapsed))));
            }
        }
        self.pump(log, out);
        if room.is_over() {
            return Vec::new();
        }
        // Who asks to enter anew has no stream as a member.
        let follows =
            |member: &room::Member, stream: &Stream| stream.inside && stream.device == member.device;
        let own_members = room.present().filter(|member| member.device.domain() == own);
        let lonely = own_members.filter(|member| !self.streams.iter().any(|stream| follows(member, stream)));
        let lonely: Vec<_> = lonely.map(|member| member.device.clone()).collect();
        self.absent.retain(|device, _| lonely.contains(device));
        let mut late = Vec::new();
        for device in lonely {
            let anew = self.streams.iter().any(|stream| stream.device == device);
            let since = self.absent.entry(device.clone()).or_insert(now);
            if now >= *since + if anew { REPLACED } else { ABSENCE } {
                *since = now; // Tried again if it does not come into the log.
                late.push(device);
            }
        }
        late
    }

    fn pump(&mut self, log: &Log, out: &mut VecDeque<Action>) {
        for stream in &mut self.streams {
            stream.pump(log, out);
        }
        self.streams.retain(|stream| !stream.over);
    }

    fn of<'a>(&'a mut self, device: &'a DeviceUri) -> impl Iterator<Item = &'a mut Stream> {
        self.streams.iter_mut().filter(move |stream| stream.device == *device)
    }

    fn waiting_for<'a>(
        &'a mut self,
        device: &'a DeviceUri,
        wanted: KeyPackageRef,
    ) -> impl Iterator<Item = &'a mut Stream> {
        self.of(device).filter(move |stream| stream.wanted == Some(wanted))
    }

    fn end_waiting(&mut self, device: &DeviceUri, wanted: KeyPackageRef, state: StandingState) {
        for stream in self.waiting_for(device, wanted) {
            stream.tell(0, What::Last(Some(boxed(state))));
        }
    }
}

/// The device is in: its commit and Welcome, then the log from there.
fn enter(stream: &mut Stream, room: &Room, log: &Log, entered: Sequence) {
    let Some(stored) = log.at(entered) else { return };
    let open = room.open_sequences().into_iter().filter(|sequence| *sequence < entered);
    let open_entries = open.filter_map(|sequence| log.at(sequence));
    let item = Standing {
        state: StandingState::Entered.into(),
        entry: Some(stored.entry.to_wire()),
        head: stored.head.clone(),
        join_sequence: 0,
        policy_chain: room.policy_chain().signed(),
        open_entries: open_entries.map(|stored| stored.entry.to_wire_for_members()).collect(),
    };
    stream.tell(0, What::Item(Box::new(Item::Standing(item))));
    stream.tell(0, What::Enter(entered.0 + 1));
    stream.inside = true;
}

fn ask_item(log: &Log, ask: &Ask) -> Item {
    if ask.found {
        let join_sequence = ask.joins.first().map_or(0, |join| join.0);
        return Item::Standing(Standing { join_sequence, ..of_state(StandingState::Found) });
    }
    let named = ask.joins.iter().chain(&ask.removes).filter_map(|sequence| log.at(*sequence));
    Item::Ask(CommitAsk {
        epoch: ask.epoch.0,
        join_sequences: ask.joins.iter().map(|sequence| sequence.0).collect(),
        remove_sequences: ask.removes.iter().map(|sequence| sequence.0).collect(),
        entries: named.map(|stored| stored.entry.to_wire_for_members()).collect(),
    })
}

fn of_state(state: StandingState) -> Standing {
    Standing { state: state.into(), ..Standing::default() }
}

fn boxed(state: StandingState) -> Box<Item> {
    Box::new(Item::Standing(of_state(state)))
}

/// Says how a Join stands.
fn tell_standing(stream: &mut Stream, stands: room::Standing) {
    use room::Standing as S;
    let (state, sequence, last) = match stands {
        S::Logged(sequence) => (StandingState::Logged, sequence, false),
        S::Waiting(sequence) => (StandingState::Waiting, sequence, false),
        S::Found(sequence) => (StandingState::Found, sequence, false),
        // Told by `enter`, with all that belongs to it.
        S::Entered(_) => return,
        S::Denied => (StandingState::Denied, Sequence(0), true),
        S::Removed => (StandingState::Removed, Sequence(0), true),
        S::Lapsed => (StandingState::Lapsed, Sequence(0), true),
    };
    let item = Box::new(Item::Standing(Standing { join_sequence: sequence.0, ..of_state(state) }));
    stream.tell(0, if last { What::Last(Some(item)) } else { What::Item(item) });
}
