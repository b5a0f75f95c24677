//! A server's own devices in one session: carries to their streams what `core` says they are told.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use conclave_core::{
    identity::address::{DeviceUri, Domain},
    meeting::{
        aside::Aside,
        hub::Ask,
        room::{Effect, Room},
        watch::{self, Logged, Missing, Order, Reader, Step, Tidings, Told},
    },
    time::Time,
};
use conclave_proto::{
    client::v1::{RefusedAttempt, WatchResponse, watch_response::Item},
    types::v1::ErrorReason,
};
use prost::Message;

use super::{Action, api_error, disk::Log};
use crate::client::StreamKey;

/// A device wants to follow a session.
#[derive(Clone, Debug)]
pub(crate) struct WatchOrder {
    pub(crate) key: StreamKey,
    pub(crate) order: Order,
}

/// What actions go to.
pub(super) type Out = VecDeque<Action>;

/// The own devices of one session.
#[derive(Debug)]
pub(crate) struct House {
    devices: watch::House<StreamKey>,
    readers: BTreeMap<StreamKey, Reader<Tidings>>,
}

impl House {
    /// Nobody is there yet.
    pub(crate) const fn new(own: Domain) -> Self {
        Self { devices: watch::House::new(own), readers: BTreeMap::new() }
    }

    /// Opens a device's stream; an earlier one of the same device ends.
    pub(crate) fn watch(&mut self, room: &Room, log: &Log, order: WatchOrder, now: Time, out: &mut Out) {
        let WatchOrder { key, order } = order;
        let Ok(opened) = self.devices.open(room, key, order, now, at(now)) else {
            out.push_back(Action::End { stream: key, error: Some(api_error(ErrorReason::NotFound)) });
            return;
        };
        self.readers.retain(|stream, _| !opened.replaced.contains(stream));
        self.readers.insert(key, Reader::new(opened.cursor));
        self.carry(log, opened.told, out);
    }

    /// A stream is closed or broken.
    pub(crate) fn close(&mut self, key: StreamKey) {
        self.devices.close(key);
        self.readers.remove(&key);
    }

    /// Ends what must not see the entries that are about to become visible.
    pub(crate) fn before_visible(&mut self, effects: &[Effect]) {
        let told = self.devices.before_visible(effects);
        self.note(told);
    }

    /// Tells what the entries that just became visible mean.
    pub(crate) fn after_visible(
        &mut self,
        room: &Room,
        log: &Log,
        effects: &[Effect],
        now: Time,
        out: &mut Out,
    ) {
        let told = self.devices.after_visible(room, effects, now);
        self.carry(log, told, out);
    }

    /// The hub asks one of the devices here.
    pub(crate) fn ask(&mut self, room: &Room, log: &Log, device: &DeviceUri, ask: Ask, out: &mut Out) {
        let told = self.devices.ask(room, device, ask);
        self.carry(log, told, out);
    }

    /// Members are told that somebody was refused at the door.
    pub(crate) fn refused_attempt(
        &mut self,
        room: &Room,
        log: &Log,
        attempt: &RefusedAttempt,
        out: &mut Out,
    ) {
        let told = self.devices.refused_attempt(room, attempt);
        self.carry(log, told, out);
    }

    /// Members are told something that is not in the log.
    pub(crate) fn aside(&mut self, room: &Room, log: &Log, aside: &Aside, out: &mut Out) {
        let told = self.devices.aside(room, aside);
        self.carry(log, told, out);
    }

    /// Cuts every stream at once.
    pub(crate) fn cut_all(&mut self, reason: Option<ErrorReason>, out: &mut Out) {
        for stream in std::mem::take(&mut self.readers).into_keys() {
            self.devices.close(stream);
            out.push_back(Action::End { stream, error: reason.map(api_error) });
        }
    }

    /// Gives items to every stream, whatever the log says: only a dishonest server does that.
    pub(crate) fn slip_in(&self, item: &Item, out: &mut Out) {
        for stream in self.readers.keys() {
            hand(*stream, item.clone(), out);
        }
    }

    /// Notes who has no stream, and says what is to be done about it.
    pub(crate) fn missing(&mut self, room: &Room, log: &Log, now: Time, out: &mut Out) -> Missing {
        let told = self.devices.give_up(at(now));
        self.carry(log, told, out);
        self.devices.missing(room, at(now))
    }

    fn note(&mut self, told: Vec<Told<StreamKey>>) {
        for Told { stream, note } in told {
            if let Some(reader) = self.readers.get_mut(&stream) {
                reader.note(note);
            }
        }
    }

    /// Hands out all that is due.
    fn carry(&mut self, log: &Log, told: Vec<Told<StreamKey>>, out: &mut Out) {
        self.note(told);
        self.readers.retain(|stream, reader| pump(*stream, reader, log, out));
    }
}

/// Virtual time never jumps.
const fn at(now: Time) -> Duration {
    Duration::from_millis(now.as_ms())
}

/// Hands out all that is due on one stream; whether it goes on.
fn pump(stream: StreamKey, reader: &mut Reader<Tidings>, log: &Log, out: &mut Out) -> bool {
    loop {
        let step = match reader.step(log.tip()) {
            Step::Read { next, limit } => {
                let stretch = log.stretch(next, limit.unwrap_or(u64::MAX).min(log.tip()));
                if let Some(last) = stretch.last() {
                    reader.handed_out(stretch.len());
                    let entries = stretch.iter().map(|stored| stored.entry.to_wire());
                    hand(stream, watch::batch(entries, last.head.clone()), out);
                    continue;
                }
                reader.nothing_there(log.tip())
            }
            step => step,
        };
        match step {
            Step::Hand(tidings) => tell(stream, tidings, log, out),
            Step::End(tidings) => {
                if let Some(tidings) = tidings {
                    tell(stream, tidings, log, out);
                }
                out.push_back(Action::End { stream, error: None });
                return false;
            }
            Step::Wait | Step::Read { .. } => return true,
        }
    }
}

fn tell(stream: StreamKey, tidings: Tidings, log: &Log, out: &mut Out) {
    let named = tidings.entries();
    let logged = named.iter().filter_map(|sequence| {
        let stored = log.at(*sequence)?;
        Some((*sequence, Logged { entry: stored.entry.to_wire(), head: stored.head.clone() }))
    });
    if let Some(item) = tidings.item(&logged.collect()) {
        hand(stream, item, out);
    }
}

fn hand(stream: StreamKey, item: Item, out: &mut Out) {
    let body = WatchResponse { item: Some(item) }.encode_to_vec().into();
    out.push_back(Action::Item { stream, body });
}
