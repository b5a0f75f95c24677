//! This organisation's own devices in one session: carries to their streams what `core` says they are told.

use std::{collections::BTreeMap, time::Duration};

use conclave_core::{
    identity::address::{DeviceUri, Domain},
    meeting::{
        aside::Aside,
        hub::Ask,
        room::{Effect, Room},
        watch::{self, Logged, Missing, Note, Order, Tidings, Told, What},
    },
    time::Time,
};
use conclave_proto::client::v1::{RefusedAttempt, watch_response::Item};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::task::TaskTracker;

use super::{
    journal::{self, Stretch},
    order::{Reply, answer},
    watcher::{NOTES, Outlet, Watcher, tell_in_passing},
};
use crate::{refusal::Refusal, store};

/// A device wants to follow a session.
#[derive(Debug)]
pub struct WatchOrder {
    /// Which, and from where.
    pub order: Order,
    /// Where the items go.
    pub outlet: Outlet<Item>,
    /// Whether it may.
    pub reply: Reply<()>,
}

/// Names a stream.
type StreamKey = u64;

/// The own devices of one session.
pub struct House {
    devices: watch::House<StreamKey>,
    journal: journal::Shared,
    tasks: TaskTracker,
    streams: BTreeMap<StreamKey, mpsc::Sender<Note<Item>>>,
    opened: StreamKey,
    since: Instant,
}

impl House {
    /// Nobody is there yet.
    pub fn new(own: Domain, journal: journal::Shared, tasks: TaskTracker) -> Self {
        let (devices, since) = (watch::House::new(own), Instant::now());
        Self { devices, journal, tasks, streams: BTreeMap::new(), opened: 0, since }
    }

    /// The session's log.
    pub const fn journal(&self) -> &journal::Shared {
        &self.journal
    }

    /// Opens a device's stream; an earlier one of the same device ends.
    pub async fn watch(&mut self, room: &Room, order: WatchOrder, now: Time) -> store::Result<()> {
        let WatchOrder { order, outlet, reply } = order;
        self.opened += 1;
        let (key, at) = (self.opened, self.at());
        let Ok(opened) = self.devices.open(room, key, order, now, at) else {
            answer(reply, Err(Refusal::NOT_FOUND));
            return Ok(());
        };
        answer(reply, Ok(()));
        for replaced in opened.replaced {
            self.streams.remove(&replaced);
        }
        let (notes, inbox) = mpsc::channel(NOTES);
        self.streams.insert(key, notes);
        self.carry(opened.told).await?;
        let cursor = opened.cursor;
        let watcher = Watcher::new(self.journal.clone(), cursor, inbox, outlet, batch as fn(Stretch) -> Item);
        self.tasks.spawn(watcher.run());
        Ok(())
    }

    /// Ends what must not see the entries that are about to become visible.
    pub async fn before_visible(&mut self, effects: &[Effect]) -> store::Result<()> {
        let told = self.devices.before_visible(effects);
        self.carry(told).await
    }

    /// Tells what the entries that just became visible mean.
    pub async fn after_visible(&mut self, room: &Room, effects: &[Effect], now: Time) -> store::Result<()> {
        let told = self.devices.after_visible(room, effects, now);
        self.carry(told).await
    }

    /// The hub asks one of the devices here.
    pub async fn ask(&mut self, room: &Room, device: &DeviceUri, ask: Ask) -> store::Result<()> {
        let told = self.devices.ask(room, device, ask);
        self.carry(told).await
    }

    /// Members are told that somebody was refused at the door.
    pub async fn refused_attempt(&mut self, room: &Room, attempt: &RefusedAttempt) -> store::Result<()> {
        let told = self.devices.refused_attempt(room, attempt);
        self.carry(told).await
    }

    /// Members are told something that is not in the log; a reader that is busy misses it.
    pub async fn aside(&mut self, room: &Room, aside: &Aside) -> store::Result<()> {
        for Told { stream, note } in self.devices.aside(room, aside) {
            let What::Item(tidings) = note.what else { continue };
            let Some(item) = self.item(tidings).await? else { continue };
            if let Some(notes) = self.streams.get(&stream) {
                tell_in_passing(notes, note.after, item);
            }
        }
        Ok(())
    }

    /// Ends every stream: the session is over, or nothing more of it can be had.
    pub async fn end_all(&mut self, room: &Room) -> store::Result<()> {
        let told = self.devices.end_all(room);
        self.carry(told).await
    }

    /// Ends the streams of a device that may not have them any more.
    pub async fn cut(&mut self, device: &DeviceUri) -> store::Result<()> {
        let told = self.devices.cut(device);
        self.carry(told).await
    }

    /// Notes who has no stream, and says what is to be done about it.
    pub async fn missing(&mut self, room: &Room) -> store::Result<Missing> {
        let closed = self.streams.extract_if(.., |_, notes| notes.is_closed());
        for (key, _) in closed {
            self.devices.close(key);
        }
        let at = self.at();
        let told = self.devices.give_up(at);
        self.carry(told).await?;
        Ok(self.devices.missing(room, at))
    }

    /// Whether there is anything to look after.
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty() && self.devices.is_idle()
    }

    /// By a clock that never jumps.
    fn at(&self) -> Duration {
        self.since.elapsed()
    }

    /// Fetches the entries that each message needs, and hands it to its stream.
    async fn carry(&mut self, told: Vec<Told<StreamKey>>) -> store::Result<()> {
        for Told { stream, note } in told {
            let what = match note.what {
                What::Item(tidings) => match self.item(tidings).await? {
                    Some(item) => What::Item(item),
                    None => continue,
                },
                What::Enter(sequence) => What::Enter(sequence),
                What::Last(Some(tidings)) => What::Last(self.item(tidings).await?),
                What::Last(None) => What::Last(None),
            };
            let note = Note { after: note.after, what };
            let taken = self.streams.get(&stream).is_some_and(|notes| notes.try_send(note).is_ok());
            if !taken {
                // A reader that does not take its notes is cut; it comes back by its cursor.
                self.streams.remove(&stream);
                self.devices.close(stream);
            }
        }
        Ok(())
    }

    async fn item(&self, tidings: Tidings) -> store::Result<Option<Item>> {
        let mut entries = BTreeMap::new();
        for sequence in tidings.entries() {
            let Some(stored) = self.journal.entry(sequence.0).await? else { continue };
            let logged = stored.entry.map(|entry| Logged { entry, head: stored.head });
            entries.extend(logged.map(|logged| (sequence, logged)));
        }
        Ok(tidings.item(&entries))
    }
}

fn batch(stretch: Stretch) -> Item {
    watch::batch(stretch.entries, stretch.head)
}
