//! Where packets go: a pure table from tracks to slots and relay links.
//!
//! Changes come rarely and recompute the table; packets come often and only read it: [`Router::targets`] allocates nothing.

mod budget;
mod choice;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use crate::{
    identity::address::DeviceUri,
    ids::TrackNumber,
    media::track::{Kind, Layer, Medium, Temporal, Track},
    time::Time,
};

pub use budget::PathReport;

use budget::Budget;

/// A device's connection at this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// A relay link to another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// A track in the table; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(pub u32);

/// Where a track's packets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// From a device of this server.
    Client(ClientId),
    /// From another server.
    Link(LinkId),
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Into a receiving place of a device of this server.
    Slot(ClientId, usize),
    /// To another server.
    Link(LinkId),
}

/// What a device wants to receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The publisher.
    pub device: DeviceUri,
    /// Its track.
    pub track: TrackNumber,
    /// The height in pixels at which it will be shown; 0 if it does not matter.
    pub height: u32,
}

/// What a slot carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filling {
    /// The track.
    pub track: TrackId,
    /// Its layer; `None` if the device's path carries none now (spec: MED-19).
    pub layer: Option<Layer>,
    /// The highest of that layer's temporal layers that the path carries.
    pub temporal: Temporal,
}

/// Bits a second that a layer takes, for each temporal layer with those below it; all the same if it has only one.
pub type Rate = [u64; Temporal::COUNT];

/// A slot changed what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose slot.
    pub client: ClientId,
    /// Its number in the client's list.
    pub slot: usize,
    /// What it carries now.
    pub filling: Option<Filling>,
}

/// A track in the table.
#[derive(Clone, Debug)]
pub struct Routed {
    /// Where it comes from.
    pub origin: Origin,
    /// Whose it is.
    pub device: Arc<DeviceUri>,
    /// What it is.
    pub track: Track,
    /// For each layer, where its packets go.
    targets: Vec<Vec<Target>>,
    /// Layers in which packets came lately, a bit for each; 0 while nothing is known.
    alive: u8,
    /// What each layer takes; nothing while that is not known.
    rates: Vec<Rate>,
}

/// A device's receiving side.
#[derive(Clone, Debug)]
struct Client {
    device: DeviceUri,
    slots: Vec<Place>,
    wishes: Vec<Wish>,
    sound_only: bool,
    /// It cannot be sent some of a layer's temporal layers.
    takes_whole: bool,
    budget: Budget,
}

/// One of a device's slots.
#[derive(Clone, Debug)]
struct Place {
    medium: Medium,
    filling: Option<Filling>,
    /// The layer of the same track that goes on until a key frame of the new one has come (spec: MED-16).
    leaving: Option<Layer>,
}

/// The forwarding table of one session at one server.
#[derive(Clone, Debug, Default)]
pub struct Router {
    tracks: BTreeMap<TrackId, Routed>,
    clients: BTreeMap<ClientId, Client>,
    links: BTreeMap<LinkId, BTreeSet<(TrackId, Layer)>>,
    /// Audio tracks, the one heard last first.
    voices: Vec<TrackId>,
    last_track: u32,
    changes: VecDeque<Change>,
}

impl Router {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// All tracks that come from one place for one device; replaces what it had there. A track whose description changed is a
    /// new one.
    pub fn publish(&mut self, origin: Origin, device: &DeviceUri, tracks: &[Track]) {
        self.tracks.retain(|_, routed| {
            routed.origin != origin || *routed.device != *device || tracks.contains(&routed.track)
        });
        let owner = Arc::new(device.clone());
        for track in tracks {
            let known = self
                .tracks
                .values()
                .any(|routed| *routed.device == *device && routed.track.number == track.number);
            if !known {
                self.last_track = self.last_track.saturating_add(1);
                let routed = Routed {
                    origin,
                    device: owner.clone(),
                    track: *track,
                    targets: vec![Vec::new(); usize::from(track.layers)],
                    alive: 0,
                    rates: vec![Rate::default(); usize::from(track.layers)],
                };
                self.tracks.insert(TrackId(self.last_track), routed);
            }
        }
        self.recompute();
    }

    /// A device's receiving side opened.
    pub fn connect(&mut self, client: ClientId, device: DeviceUri, slots: &[Medium]) {
        let slots = slots.iter().map(|medium| Place { medium: *medium, filling: None, leaving: None });
        let slots = slots.collect();
        let budget = Budget::default();
        let (sound_only, takes_whole) = (false, false);
        self.clients
            .insert(client, Client { device, slots, wishes: Vec::new(), sound_only, takes_whole, budget });
        self.recompute();
    }

    /// A device knows no dependency descriptors: it gets all frames of a layer or none (spec: MED-27).
    pub fn take_whole(&mut self, client: ClientId) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.takes_whole = true;
            self.recompute();
        }
    }

    /// What a device wants; nothing for a medium means that the server chooses, but no pictures where it wants sound alone (spec: MED-14).
    pub fn wish(&mut self, client: ClientId, wishes: Vec<Wish>, sound_only: bool) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.sound_only = sound_only;
            client.wishes = wishes;
            self.recompute();
        }
    }

    /// A device is gone, with its tracks.
    pub fn disconnect(&mut self, client: ClientId) {
        self.clients.remove(&client);
        self.tracks.retain(|_, routed| routed.origin != Origin::Client(client));
        self.changes.retain(|change| change.client != client);
        self.recompute();
    }

    /// What another server wants; tracks that came by a link are left out (spec: MED-21).
    pub fn subscribe(&mut self, link: LinkId, wanted: impl IntoIterator<Item = (TrackId, Layer)>) {
        self.links.insert(link, wanted.into_iter().collect());
        self.recompute();
    }

    /// Another server is gone, with its tracks.
    pub fn unlink(&mut self, link: LinkId) {
        self.links.remove(&link);
        self.tracks.retain(|_, routed| routed.origin != Origin::Link(link));
        self.recompute();
    }

    /// Packets of a track's layer came, or stopped coming.
    pub fn set_alive(&mut self, track: TrackId, layer: Layer, alive: bool) {
        let Some(routed) = self.tracks.get_mut(&track) else { return };
        let bit = 1 << layer.number();
        let now = if alive { routed.alive | bit } else { routed.alive & !bit };
        if now != routed.alive {
            routed.alive = now;
            if routed.track.layers > 1 {
                self.recompute();
            }
        }
    }

    /// What layers took in the last second, bits; the table is made anew for devices whose paths do not carry all.
    pub fn set_rates(&mut self, rates: impl IntoIterator<Item = (TrackId, Layer, Rate)>) {
        for (track, layer, now) in rates {
            let routed = self.tracks.get_mut(&track);
            let place = usize::from(layer.number());
            if let Some(rate) = routed.and_then(|routed| routed.rates.get_mut(place)) {
                for (rate, now) in rate.iter_mut().zip(now) {
                    // Pictures that rest take little, and much again a moment later.
                    *rate = now.max(*rate - *rate / 4);
                }
            }
        }
        if self.clients.values().any(|client| client.budget.limit().is_some()) {
            self.recompute();
        }
    }

    /// What was seen of the path to a device in the last second; whether that changed the table (spec: MED-19).
    pub fn report(&mut self, now: Time, client: ClientId, report: PathReport) -> bool {
        let Some(known) = self.clients.get(&client) else { return false };
        let need = choice::need(&self.tracks, &self.voices, known);
        let changed =
            self.clients.get_mut(&client).is_some_and(|known| known.budget.report(now, report, need));
        if changed {
            self.recompute();
        }
        changed
    }

    /// A slot carries the layer that it was to change to.
    pub fn arrived(&mut self, client: ClientId, slot: usize) {
        let place = self.clients.get_mut(&client).and_then(|client| client.slots.get_mut(slot));
        if place.is_some_and(|place| place.leaving.take().is_some()) {
            self.retarget();
        }
    }

    /// Somebody speaks; the sound of a screen is nobody's voice.
    pub fn heard(&mut self, track: TrackId) {
        let is_voice = self.tracks.get(&track).is_some_and(|routed| routed.track.kind == Kind::Audio);
        if is_voice && self.voices.first() != Some(&track) {
            self.voices.retain(|voice| *voice != track);
            self.voices.insert(0, track);
            if self.clients.values().any(|client| !client.carries(track)) {
                self.recompute();
            }
        }
    }

    /// Where the packets of a track's layer go.
    pub fn targets(&self, track: TrackId, layer: Layer) -> &[Target] {
        self.tracks
            .get(&track)
            .and_then(|routed| routed.targets.get(usize::from(layer.number())))
            .map_or(&[], Vec::as_slice)
    }

    /// A track in the table.
    pub fn track(&self, track: TrackId) -> Option<&Routed> {
        self.tracks.get(&track)
    }

    /// The track that a device publishes from one place under a number.
    pub fn find(&self, origin: Origin, device: &DeviceUri, number: TrackNumber) -> Option<TrackId> {
        let found = self.tracks.iter().find(|(_, routed)| {
            routed.origin == origin && *routed.device == *device && routed.track.number == number
        });
        found.map(|(id, _)| *id)
    }

    /// The tracks of this server's own devices: what other servers are told of.
    pub fn own_tracks(&self) -> impl Iterator<Item = (TrackId, &Routed)> {
        self.tracks
            .iter()
            .filter(|(_, routed)| matches!(routed.origin, Origin::Client(_)))
            .map(|(id, routed)| (*id, routed))
    }

    /// The layers that this server needs of a link: those that a slot here carries.
    pub fn needed_of(&self, link: LinkId) -> BTreeSet<(TrackId, Layer)> {
        let slots = self.clients.values().flat_map(|client| &client.slots);
        slots
            .flat_map(Place::carried)
            .filter(|(track, _)| {
                self.tracks.get(track).is_some_and(|routed| routed.origin == Origin::Link(link))
            })
            .collect()
    }

    /// What a device's slots carry.
    pub fn slots(&self, client: ClientId) -> impl Iterator<Item = Option<Filling>> {
        self.clients.get(&client).into_iter().flat_map(|client| client.slots.iter().map(|slot| slot.filling))
    }

    /// The next slot that changed.
    pub fn poll(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    fn recompute(&mut self) {
        self.voices.retain(|voice| self.tracks.contains_key(voice));
        let ids: Vec<_> = self.clients.keys().copied().collect();
        for id in ids {
            let Some(client) = self.clients.get(&id) else { continue };
            let fillings = choice::fill(&self.tracks, &self.voices, client);
            let Some(client) = self.clients.get_mut(&id) else { continue };
            for (slot, (place, new)) in client.slots.iter_mut().zip(fillings).enumerate() {
                if place.filling != new {
                    place.fill(new);
                    self.changes.push_back(Change { client: id, slot, filling: new });
                }
            }
        }
        self.retarget();
    }

    /// Fills the targets from slots and subscriptions.
    fn retarget(&mut self) {
        for routed in self.tracks.values_mut() {
            routed.targets.iter_mut().for_each(Vec::clear);
        }
        for (id, client) in &self.clients {
            for (slot, place) in client.slots.iter().enumerate() {
                for (track, layer) in place.carried() {
                    if let Some(targets) = targets_mut(&mut self.tracks, track, layer) {
                        targets.push(Target::Slot(*id, slot));
                    }
                }
            }
        }
        for (link, wanted) in &self.links {
            for (track, layer) in wanted {
                let own =
                    self.tracks.get(track).is_some_and(|routed| matches!(routed.origin, Origin::Client(_))); // MED-21
                if own && let Some(targets) = targets_mut(&mut self.tracks, *track, *layer) {
                    targets.push(Target::Link(*link));
                }
            }
        }
    }
}

fn targets_mut(
    tracks: &mut BTreeMap<TrackId, Routed>,
    track: TrackId,
    layer: Layer,
) -> Option<&mut Vec<Target>> {
    tracks.get_mut(&track)?.targets.get_mut(usize::from(layer.number()))
}

impl Client {
    /// Whether a slot carries this track already.
    fn carries(&self, track: TrackId) -> bool {
        self.slots.iter().any(|slot| slot.filling.is_some_and(|filling| filling.track == track))
    }
}

impl Place {
    /// Carries something else from now on; another layer of the same picture only once it can be shown.
    fn fill(&mut self, new: Option<Filling>) {
        let old = self.filling.filter(|old| new.is_some_and(|new| new.track == old.track));
        let shown = old.and_then(|old| self.leaving.or(old.layer));
        let wanted = new.and_then(|new| new.layer);
        self.leaving = shown.filter(|shown| wanted.is_some_and(|wanted| wanted != *shown));
        self.filling = new;
    }

    /// The layers that go into it.
    fn carried(&self) -> impl Iterator<Item = (TrackId, Layer)> + use<> {
        let Self { filling, leaving, .. } = *self;
        let layers = [filling.and_then(|filling| filling.layer), leaving].into_iter().flatten();
        filling.into_iter().flat_map(move |filling| layers.clone().map(move |layer| (filling.track, layer)))
    }
}
