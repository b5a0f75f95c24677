//! The own devices of one session: their streams, what each is told, and who has no stream any more.

use std::{collections::BTreeMap, time::Duration};

use conclave_proto::client::v1::{RefusedAttempt, StandingState};

use super::{
    Note, Tidings, What,
    absence::{self, Absences, Missing},
};
use crate::{
    identity::address::{DeviceUri, Domain},
    ids::{KeyPackageRef, Sequence, SessionNumber},
    meeting::{
        aside::Aside,
        hub::Ask,
        room::{self, Effect, Room},
    },
    time::Time,
};

/// How long a stream waits for a Join that is not in the log yet.
pub const UNSEEN: Duration = Duration::from_secs(20);

/// A device wants to follow a session.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which device, as authenticated.
    pub device: DeviceUri,
    /// Which session.
    pub session: SessionNumber,
    /// The first sequence wanted; 0: from where the device entered.
    pub next_sequence: u64,
    /// Of its Join, if it has not entered yet.
    pub key_package_ref: Option<KeyPackageRef>,
}

/// The device is no member and names no Join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device is not in the session and does not ask to enter")]
pub struct NotHere;

/// Something for one stream, named by the driver's key.
#[derive(Clone, Debug, PartialEq)]
pub struct Told<K> {
    /// Which stream.
    pub stream: K,
    /// What it is told.
    pub note: Note<Tidings>,
}

/// A stream is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened<K> {
    /// The same device's earlier streams, which are to end.
    pub replaced: Vec<K>,
    /// The first entry to hand out, if the device goes on where it was.
    pub cursor: Option<u64>,
    /// What it is told first.
    pub told: Vec<Told<K>>,
}

#[derive(Debug)]
struct Stream<K> {
    key: K,
    device: DeviceUri,
    key_package_ref: Option<KeyPackageRef>,
    /// Since when the Join it waits for has not been seen.
    unseen: Option<Duration>,
    /// Whether it is a member's.
    inside: bool,
    /// Whether it was told its last.
    over: bool,
}

/// The own devices of one session. `K` names a stream to its driver.
#[derive(Debug)]
pub struct House<K> {
    own: Domain,
    streams: Vec<Stream<K>>,
    asks: BTreeMap<DeviceUri, Ask>,
    absences: Absences,
}

/// How a stream begins.
enum Start {
    /// The session is another one.
    Elsewhere,
    /// With the commit by which the device entered.
    Entered,
    /// Where the device was.
    At(u64),
    /// With how its Join stands.
    Asks(KeyPackageRef),
}

impl Start {
    fn of(room: &Room, order: &Order) -> Result<Self, NotHere> {
        if order.session != room.session() {
            return Ok(Self::Elsewhere);
        }
        match (room.member(&order.device), order.key_package_ref) {
            (Some(member), asked) if asked.is_none_or(|asked| asked == member.key_package_ref) => {
                let after = member.entered.0 + 1;
                Ok(match order.next_sequence {
                    0 => Self::Entered,
                    next => Self::At(next.max(after)),
                })
            }
            // Not in, or in only as what it was before it crashed: then its new Join decides.
            (_, Some(asked)) => Ok(Self::Asks(asked)),
            (_, None) => Err(NotHere),
        }
    }
}

impl<K: Copy + Eq> House<K> {
    /// Nobody is there yet.
    pub const fn new(own: Domain) -> Self {
        Self { own, streams: Vec::new(), asks: BTreeMap::new(), absences: Absences::new() }
    }

    /// Opens a device's stream; `at` comes from a clock that never jumps.
    pub fn open(
        &mut self,
        room: &Room,
        key: K,
        order: Order,
        now: Time,
        at: Duration,
    ) -> Result<Opened<K>, NotHere> {
        let start = Start::of(room, &order)?;
        let Order { device, key_package_ref, .. } = order;
        let replaced = self.streams.extract_if(.., |stream| stream.device == device);
        let replaced = replaced.map(|stream| stream.key).collect();
        let mut stream = Stream { key, device, key_package_ref, unseen: None, inside: false, over: false };
        let (mut told, mut cursor) = (Vec::new(), None);
        match start {
            Start::Elsewhere => told.push(stream.end(0, Some(StandingState::Lapsed))),
            Start::Entered => told.extend(stream.enter(room, now)),
            Start::At(next) => {
                stream.inside = true;
                cursor = Some(next);
            }
            Start::Asks(asked) if room.doors().fate(&asked).is_none() => stream.unseen = Some(at),
            Start::Asks(asked) => told.extend(stream.stands(room, &asked, now)),
        }
        let tip = room.tip().sequence.0;
        if room.is_over() && !stream.over {
            told.push(stream.end(tip, None));
        }
        if let Some(ask) = self.asks.get(&stream.device).filter(|_| !stream.over) {
            told.push(stream.tell(tip, Tidings::Asked(ask.clone())));
        }
        if !stream.over {
            self.streams.push(stream);
        }
        Ok(Opened { replaced, cursor, told })
    }

    /// A stream is closed or broken.
    pub fn close(&mut self, key: K) {
        self.streams.retain(|stream| stream.key != key);
    }

    /// Ends what must not see the entries that are about to become visible.
    pub fn before_visible(&mut self, effects: &[Effect]) -> Vec<Told<K>> {
        let mut told = Vec::new();
        for effect in effects {
            if let Effect::MemberRemoved { device, sequence, .. } = effect {
                // Who asks to enter anew is not the member that is removed.
                let members = self.of(device).filter(|stream| stream.inside);
                told.extend(members.map(|stream| stream.end(sequence.0, Some(StandingState::Removed))));
            }
        }
        self.forget_ended();
        told
    }

    /// Tells what the entries that just became visible mean.
    pub fn after_visible(&mut self, room: &Room, effects: &[Effect], now: Time) -> Vec<Told<K>> {
        let told = effects.iter().flat_map(|effect| self.effect(room, effect, now)).collect();
        self.forget_ended();
        told
    }

    fn effect(&mut self, room: &Room, effect: &Effect, now: Time) -> Vec<Told<K>> {
        match effect {
            Effect::JoinOpen { device, key_package_ref, .. }
            | Effect::Waiting { device, key_package_ref, .. } => {
                let waiting = self.waiting_for(device, *key_package_ref);
                waiting.filter_map(|stream| stream.stands(room, key_package_ref, now)).collect()
            }
            Effect::Denied { device, key_package_ref } => {
                let waiting = self.waiting_for(device, *key_package_ref);
                waiting.map(|stream| stream.end(0, Some(StandingState::Denied))).collect()
            }
            Effect::JoinLapsed { device, key_package_ref } => {
                let waiting = self.waiting_for(device, *key_package_ref);
                waiting.map(|stream| stream.end(0, Some(StandingState::Lapsed))).collect()
            }
            Effect::MemberEntered { device, key_package_ref, .. } => {
                self.asks.remove(device);
                let waiting = self.waiting_for(device, *key_package_ref);
                waiting.flat_map(|stream| stream.enter(room, now)).collect()
            }
            Effect::MemberRemoved { device, .. } | Effect::MemberLeft { device, .. } => {
                self.asks.remove(device);
                Vec::new()
            }
            Effect::EpochStarted { .. } => {
                self.asks.clear();
                Vec::new()
            }
            Effect::SessionOver => self.end_all(room),
            Effect::EpochConfirmed { .. } | Effect::Voided { .. } | Effect::PolicyChanged(_) => Vec::new(),
        }
    }

    /// The hub asks one of the devices here; who comes later is asked as well, until the group has changed.
    pub fn ask(&mut self, room: &Room, device: &DeviceUri, ask: Ask) -> Vec<Told<K>> {
        let tip = room.tip().sequence.0;
        let told = self.of(device).map(|stream| stream.tell(tip, Tidings::Asked(ask.clone()))).collect();
        self.asks.insert(device.clone(), ask);
        told
    }

    /// Members are told that somebody was refused at the door.
    pub fn refused_attempt(&self, room: &Room, attempt: &RefusedAttempt) -> Vec<Told<K>> {
        let members = self.streams.iter().filter(|stream| room.member(&stream.device).is_some());
        members.map(|stream| stream.tell(0, Tidings::RefusedAttempt(attempt.clone()))).collect()
    }

    /// Members are told something that is not in the log, after all that was in it by then.
    pub fn aside(&self, room: &Room, aside: &Aside) -> Vec<Told<K>> {
        let (tip, subject) = (room.tip().sequence.0, aside.subject());
        let members = self.streams.iter().filter(|stream| stream.inside && !stream.over);
        let others = members.filter(|stream| subject.as_ref() != Some(&stream.device));
        others.map(|stream| stream.tell(tip, Tidings::Aside(aside.clone()))).collect()
    }

    /// Ends every stream: the session is over, or nothing more of it can be had.
    pub fn end_all(&mut self, room: &Room) -> Vec<Told<K>> {
        let tip = room.tip().sequence.0;
        let all = self.streams.drain(..).filter(|stream| !stream.over);
        let told = all.map(|mut stream| {
            let member = room.member(&stream.device).is_some();
            if member { stream.end(tip, None) } else { stream.end(0, Some(StandingState::Lapsed)) }
        });
        told.collect()
    }

    /// Ends the streams of a device that may not have them any more.
    pub fn cut(&mut self, device: &DeviceUri) -> Vec<Told<K>> {
        let told = self.of(device).map(|stream| stream.end(0, None)).collect();
        self.asks.remove(device);
        self.forget_ended();
        told
    }

    /// Ends streams that wait for a Join that does not come.
    pub fn give_up(&mut self, at: Duration) -> Vec<Told<K>> {
        let late = self.streams.iter_mut();
        let late = late.filter(|stream| stream.unseen.is_some_and(|since| at > since + UNSEEN));
        let told = late.map(|stream| stream.end(0, Some(StandingState::Lapsed))).collect();
        self.forget_ended();
        told
    }

    /// Notes who has no stream, and says what is to be done about it.
    pub fn missing(&mut self, room: &Room, at: Duration) -> Missing {
        if room.is_over() {
            self.absences.clear();
            return Missing::default();
        }
        let own = room.present().filter(|member| *member.device.domain() == self.own);
        let present = own.map(|member| {
            let mut streams = self.streams.iter().filter(|stream| stream.device == member.device);
            // Who asks to enter anew has no stream as a member.
            let has = match streams.next() {
                None => absence::Stream::None,
                Some(first) if first.inside || streams.any(|stream| stream.inside) => absence::Stream::Member,
                Some(_) => absence::Stream::Anew,
            };
            ((member.device.clone(), member.entered), has)
        });
        self.absences.look(&present.collect(), at)
    }

    /// Whether there is anything to look after.
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty() && self.absences.is_empty()
    }

    fn forget_ended(&mut self) {
        self.streams.retain(|stream| !stream.over);
    }

    fn of<'a>(&'a mut self, device: &'a DeviceUri) -> impl Iterator<Item = &'a mut Stream<K>> {
        self.streams.iter_mut().filter(move |stream| stream.device == *device && !stream.over)
    }

    fn waiting_for<'a>(
        &'a mut self,
        device: &'a DeviceUri,
        wanted: KeyPackageRef,
    ) -> impl Iterator<Item = &'a mut Stream<K>> {
        self.of(device).filter(move |stream| stream.key_package_ref == Some(wanted))
    }
}

impl<K: Copy> Stream<K> {
    fn told(&self, after: u64, what: What<Tidings>) -> Told<K> {
        Told { stream: self.key, note: Note { after, what } }
    }

    fn tell(&self, after: u64, tidings: Tidings) -> Told<K> {
        self.told(after, What::Item(tidings))
    }

    fn end(&mut self, after: u64, state: Option<StandingState>) -> Told<K> {
        self.over = true;
        let last = state.map(|state| Tidings::Standing(state, Sequence(0)));
        self.told(after, What::Last(last))
    }

    /// The device is in: its commit and Welcome, with what was so then, and the log from there (spec: DEV-03).
    fn enter(&mut self, room: &Room, now: Time) -> Vec<Told<K>> {
        let asked = self.key_package_ref;
        let member = room.member(&self.device);
        let member = member.filter(|member| asked.is_none_or(|asked| asked == member.key_package_ref));
        let Some(member) = member else {
            // It is out again, before it could hear that it was in.
            return asked.and_then(|asked| self.stands(room, &asked, now)).into_iter().collect();
        };
        self.unseen = None;
        self.inside = true;
        let (commit, then) = (member.entered, &member.at_entry);
        let policy_chain = room.policy_chain().at_version(then.policy_version).signed();
        let entered = Tidings::Entered { commit, open: then.open.clone(), policy_chain };
        vec![self.tell(0, entered), self.told(0, What::Enter(commit.0 + 1))]
    }

    /// Says how its Join stands.
    fn stands(&mut self, room: &Room, key_package_ref: &KeyPackageRef, now: Time) -> Option<Told<K>> {
        use room::Standing as S;
        self.unseen = None;
        let (state, sequence) = match room.standing(&self.device, key_package_ref, now) {
            S::Logged(sequence) => (StandingState::Logged, sequence),
            S::Waiting(sequence) => (StandingState::Waiting, sequence),
            S::Found(sequence) => (StandingState::Found, sequence),
            // Told by `enter`, with all that belongs to it.
            S::Entered(_) => return None,
            S::Denied => return Some(self.end(0, Some(StandingState::Denied))),
            S::Removed => return Some(self.end(0, Some(StandingState::Removed))),
            S::Lapsed => return Some(self.end(0, Some(StandingState::Lapsed))),
        };
        Some(self.tell(0, Tidings::Standing(state, sequence)))
    }
}
