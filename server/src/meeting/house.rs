//! This organisation's own devices in one session: their streams, and who of them is still there.
//!
//! The same at hub and follower. It reads the room and tells devices; it decides nothing.

use std::{
    collections::{HashMap, HashSet},
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
        CommitAsk, LogBatch, Notice, RefusedAttempt, Standing, StandingState, notice, watch_response::Item,
    },
    types::v1 as wire,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::task::TaskTracker;

use super::{
    journal::{self, Stretch},
    watcher::{NOTES, Note, Outlet, Watcher, What},
};
use crate::{refusal::Refusal, store};

/// How long a member may be without a stream before its server takes it out.
pub const ABSENCE: Duration = Duration::from_secs(30);
/// How long a member that asks to enter anew may stay what it was: by then somebody should have replaced it.
const REPLACED: Duration = Duration::from_secs(5);
/// How long a stream waits for a Join that is not in the log yet.
const UNSEEN: Duration = Duration::from_secs(20);

/// A device wants to follow a session.
#[derive(Debug)]
pub struct WatchOrder {
    /// Which device, as authenticated.
    pub device: DeviceUri,
    /// Which session.
    pub session: SessionNumber,
    /// The first sequence wanted; 0: from where the device entered.
    pub next_sequence: u64,
    /// Of its Join, if it has not entered yet.
    pub key_package_ref: Option<KeyPackageRef>,
    /// Where the items go.
    pub outlet: Outlet<Item>,
}

struct Stream {
    device: DeviceUri,
    key_package_ref: Option<KeyPackageRef>,
    notes: mpsc::Sender<Note<Item>>,
    /// Since when the Join it waits for has not been seen.
    unseen: Option<Instant>,
    /// Whether it is a member's.
    inside: bool,
}

impl Stream {
    /// A reader that does not take its notes is cut; it comes back by its cursor.
    fn tell(&self, after: u64, what: What<Item>) -> bool {
        self.notes.try_send(Note { after, what }).is_ok()
    }
}

/// The own devices of one session.
pub struct House {
    own: Domain,
    journal: journal::Shared,
    tasks: TaskTracker,
    streams: Vec<Stream>,
    asks: HashMap<DeviceUri, Ask>,
    absent: HashMap<DeviceUri, Instant>,
}

impl House {
    /// Nobody is there yet.
    pub fn new(own: Domain, journal: journal::Shared, tasks: TaskTracker) -> Self {
        Self { own, journal, tasks, streams: Vec::new(), asks: HashMap::new(), absent: HashMap::new() }
    }

    /// The session's log.
    pub const fn journal(&self) -> &journal::Shared {
        &self.journal
    }

    /// Opens a device's stream; an earlier one of the same device ends.
    pub async fn watch(&mut self, room: &Room, order: WatchOrder, now: Time) -> store::Result<()> {
        let WatchOrder { device, session, next_sequence, key_package_ref, outlet } = order;
        self.streams.retain(|stream| stream.device != device);
        let (notes, inbox) = mpsc::channel(NOTES);
        let member = room.member(&device).filter(|_| session == room.session());
        let fresh = member.filter(|member| {
            next_sequence == 0 && key_package_ref.is_none_or(|asked| asked == member.key_package_ref)
        });
        let cursor = member.filter(|_| next_sequence > 0 && key_package_ref.is_none());
        let cursor = cursor.map(|member| next_sequence.max(member.entered.0 + 1));
        let inside = fresh.is_some() || cursor.is_some();
        let mut stream = Stream { device: device.clone(), key_package_ref, notes, unseen: None, inside };
        let mut last = false;
        if session != room.session() {
            last = true;
            stream.tell(0, What::Last(Some(standing(StandingState::Lapsed))));
        } else if let Some(member) = fresh {
            self.enter(room, &stream, member.entered).await?;
        } else if cursor.is_none() {
            // Not in, or in only as what it was before it crashed: then its new Join decides.
            let Some(wanted) = key_package_ref else {
                let _gone = outlet.try_send(Err(Refusal::NOT_FOUND));
                return Ok(());
            };
            if room.doors().fate(&wanted).is_none() {
                stream.unseen = Some(Instant::now());
            } else {
                last = tell_standing(&stream, room.standing(&device, &wanted, now));
            }
        }
        if room.is_over() && !last {
            stream.tell(room.tip().sequence.0, What::Last(None));
        }
        if let Some(ask) = self.asks.get(&device) {
            let item = self.ask_item(ask).await?;
            stream.tell(room.tip().sequence.0, What::Item(item));
        }
        let watcher = Watcher::new(self.journal.clone(), cursor, inbox, outlet, batch as fn(Stretch) -> Item);
        self.tasks.spawn(watcher.run());
        self.streams.push(stream);
        Ok(())
    }

    /// Ends what must not see the entries that are about to become visible.
    pub fn before_visible(&self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::MemberRemoved { device, sequence, .. } = effect {
                let item = Some(standing(StandingState::Removed));
                // Who asks to enter anew is not the member that is removed.
                for stream in self.of(device).filter(|stream| stream.inside) {
                    stream.tell(sequence.0, What::Last(item.clone()));
                }
            }
        }
    }

    /// Tells what the entries that just became visible mean.
    pub async fn after_visible(&mut self, room: &Room, effects: &[Effect], now: Time) -> store::Result<()> {
        for effect in effects {
            match effect {
                Effect::JoinOpen { device, key_package_ref, .. }
                | Effect::Waiting { device, key_package_ref, .. } => {
                    for stream in self.waiting_for_mut(device, key_package_ref) {
                        stream.unseen = None;
                        tell_standing(stream, room.standing(device, key_package_ref, now));
                    }
                }
                Effect::Denied { device, key_package_ref } => {
                    self.end_waiting(device, key_package_ref, StandingState::Denied);
                }
                Effect::JoinLapsed { device, key_package_ref } => {
                    self.end_waiting(device, key_package_ref, StandingState::Lapsed);
                }
                Effect::MemberEntered { device, key_package_ref, sequence, .. } => {
                    self.asks.remove(device);
                    for stream in self.waiting_for(device, key_package_ref) {
                        self.enter(room, stream, *sequence).await?;
                    }
                    for stream in self.waiting_for_mut(device, key_package_ref) {
                        stream.inside = true;
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
        Ok(())
    }

    /// The hub asks one of the devices here.
    pub async fn ask(&mut self, room: &Room, device: &DeviceUri, ask: Ask) -> store::Result<()> {
        let item = self.ask_item(&ask).await?;
        for stream in self.of(device) {
            stream.tell(room.tip().sequence.0, What::Item(item.clone()));
        }
        self.asks.insert(device.clone(), ask);
        Ok(())
    }

    /// Members are told that somebody was refused at the door.
    pub fn refused_attempt(&self, room: &Room, attempt: &RefusedAttempt) {
        let notice = Notice { notice: Some(notice::Notice::RefusedAttempt(attempt.clone())) };
        for stream in self.streams.iter().filter(|stream| room.member(&stream.device).is_some()) {
            stream.tell(0, What::Item(Item::Notice(notice.clone())));
        }
    }

    /// Ends every stream: the session is over, or nothing more of it can be had.
    pub fn end_all(&mut self, room: &Room) {
        for stream in self.streams.drain(..) {
            let member = room.member(&stream.device).is_some();
            let item = (!member).then(|| standing(StandingState::Lapsed));
            stream.tell(if member { room.tip().sequence.0 } else { 0 }, What::Last(item));
        }
    }

    /// Notes who has no stream; gives those who have had none for too long.
    pub fn missing(&mut self, room: &Room, at: Instant) -> Vec<DeviceUri> {
        for stream in &mut self.streams {
            if stream.unseen.is_some_and(|since| at > since + UNSEEN) {
                stream.unseen = None;
                stream.tell(0, What::Last(Some(standing(StandingState::Lapsed))));
            }
        }
        self.streams.retain(|stream| !stream.notes.is_closed());
        // Who asks to enter anew has no stream as a member.
        let follows =
            |member: &room::Member, stream: &Stream| stream.inside && stream.device == member.device;
        let own_members = room.present().filter(|member| *member.device.domain() == self.own);
        let lonely = own_members.filter(|member| !self.streams.iter().any(|stream| follows(member, stream)));
        let lonely: HashSet<_> = lonely.map(|member| member.device.clone()).collect();
        self.absent.retain(|device, _| lonely.contains(device));
        for device in &lonely {
            self.absent.entry(device.clone()).or_insert(at);
        }
        let patience = |device: &DeviceUri| if self.of(device).next().is_some() { REPLACED } else { ABSENCE };
        let late = self.absent.iter().filter(|(device, since)| at >= **since + patience(device));
        let late: Vec<_> = late.map(|(device, _)| device.clone()).collect();
        for device in &late {
            // Tried again if it does not come into the log.
            self.absent.insert(device.clone(), at);
        }
        late
    }

    /// Whether there is anything to look after.
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty() && self.absent.is_empty()
    }

    /// The device is in: its commit and Welcome, then the log from there.
    async fn enter(&self, room: &Room, stream: &Stream, entered: Sequence) -> store::Result<()> {
        let Some(stored) = self.journal.entry(entered.0).await? else { return Ok(()) };
        let mut open_entries = Vec::new();
        for sequence in room.open_sequences().into_iter().filter(|sequence| *sequence < entered) {
            open_entries.extend(self.plain_entry(sequence).await?);
        }
        let item = Standing {
            state: StandingState::Entered.into(),
            entry: stored.entry,
            head: stored.head,
            join_sequence: 0,
            policy_chain: room.policy_chain().signed(),
            open_entries,
        };
        stream.tell(0, What::Item(Item::Standing(item)));
        stream.tell(0, What::Enter(entered.0 + 1));
        Ok(())
    }

    async fn ask_item(&self, ask: &Ask) -> store::Result<Item> {
        if ask.found {
            let join_sequence = ask.joins.first().map_or(0, |join| join.0);
            let found = Standing { join_sequence, ..of_state(StandingState::Found) };
            return Ok(Item::Standing(found));
        }
        let mut entries = Vec::new();
        for sequence in ask.joins.iter().chain(&ask.removes) {
            entries.extend(self.plain_entry(*sequence).await?);
        }
        Ok(Item::Ask(CommitAsk {
            epoch: ask.epoch.0,
            join_sequences: ask.joins.iter().map(|sequence| sequence.0).collect(),
            remove_sequences: ask.removes.iter().map(|sequence| sequence.0).collect(),
            entries,
        }))
    }

    /// An entry as members get it: without a Welcome.
    async fn plain_entry(&self, sequence: Sequence) -> store::Result<Option<wire::Entry>> {
        let stored = self.journal.entry(sequence.0).await?;
        Ok(stored.and_then(|stored| stored.entry).map(plain))
    }

    fn of<'a>(&'a self, device: &'a DeviceUri) -> impl Iterator<Item = &'a Stream> {
        self.streams.iter().filter(move |stream| stream.device == *device)
    }

    fn waiting_for<'a>(
        &'a self,
        device: &'a DeviceUri,
        wanted: &'a KeyPackageRef,
    ) -> impl Iterator<Item = &'a Stream> {
        self.of(device).filter(move |stream| stream.key_package_ref.as_ref() == Some(wanted))
    }

    fn waiting_for_mut<'a>(
        &'a mut self,
        device: &'a DeviceUri,
        wanted: &'a KeyPackageRef,
    ) -> impl Iterator<Item = &'a mut Stream> {
        self.streams
            .iter_mut()
            .filter(move |stream| stream.device == *device && stream.key_package_ref.as_ref() == Some(wanted))
    }

    fn end_waiting(&self, device: &DeviceUri, wanted: &KeyPackageRef, state: StandingState) {
        for stream in self.waiting_for(device, wanted) {
            stream.tell(0, What::Last(Some(standing(state))));
        }
    }
}

fn plain(mut entry: wire::Entry) -> wire::Entry {
    entry.attachment.clear();
    entry
}

fn batch(stretch: Stretch) -> Item {
    let entries = stretch.entries.into_iter().map(plain).collect();
    Item::Batch(LogBatch { entries, head: stretch.head })
}

fn of_state(state: StandingState) -> Standing {
    Standing { state: state.into(), ..Standing::default() }
}

fn standing(state: StandingState) -> Item {
    Item::Standing(of_state(state))
}

/// Says how a Join stands; whether that was the last word.
fn tell_standing(stream: &Stream, stands: room::Standing) -> bool {
    use room::Standing as S;
    let (state, sequence, last) = match stands {
        S::Logged(sequence) => (StandingState::Logged, sequence, false),
        S::Waiting(sequence) => (StandingState::Waiting, sequence, false),
        S::Found(sequence) => (StandingState::Found, sequence, false),
        // Told by `enter`, with all that belongs to it.
        S::Entered(_) => return false,
        S::Denied => (StandingState::Denied, Sequence(0), true),
        S::Removed => (StandingState::Removed, Sequence(0), true),
        S::Lapsed => (StandingState::Lapsed, Sequence(0), true),
    };
    let item = Item::Standing(Standing { join_sequence: sequence.0, ..of_state(state) });
    stream.tell(0, if last { What::Last(Some(item)) } else { What::Item(item) });
    last
}
