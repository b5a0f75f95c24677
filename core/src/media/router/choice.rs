//! Which tracks, in which layers, a device's slots carry.

use std::collections::BTreeMap;

use super::{Client, Filling, Routed, TrackId};
use crate::media::track::{Kind, Layer, Medium, Temporal};

/// Up to this height the smallest layer serves.
const SMALL_HEIGHT: u32 = 180;
/// Up to this height the middle layer serves.
const MIDDLE_HEIGHT: u32 = 360;
/// What layers are thought to take, bits a second, until they are measured; the last also stands for a screen.
const UNMEASURED: [u64; 3] = [150_000, 500_000, 1_500_000];
/// What sound is thought to take.
const UNMEASURED_SOUND: u64 = 40_000;
/// A larger layer than now must fit with this much to spare, per cent.
const SPARE: u64 = 115;

/// A track that a device wants, and the layer that serves it best.
struct Wanted {
    track: TrackId,
    layer: Layer,
}

impl Wanted {
    /// All its frames.
    const fn whole(&self) -> Filling {
        Filling { track: self.track, layer: Some(self.layer), temporal: Temporal::ALL }
    }
}

/// What each slot shall carry: what it carries already if that is still wanted, else the next wanted track (spec: MED-14).
pub(super) fn fill(
    tracks: &BTreeMap<TrackId, Routed>,
    voices: &[TrackId],
    client: &Client,
) -> Vec<Option<Filling>> {
    let mut fillings = vec![None; client.slots.len()];
    let mut left = client.budget.limit();
    for medium in [Medium::Audio, Medium::Video] {
        let wanted = wanted(tracks, voices, client, medium);
        let mut wanted = match medium {
            Medium::Audio => sound(tracks, &wanted, &mut left),
            Medium::Video => pictures(tracks, &wanted, client, left),
        };
        for (filling, slot) in fillings.iter_mut().zip(&client.slots) {
            if slot.medium == medium
                && let Some(old) = slot.filling
                && let Some(at) = wanted.iter().position(|new| new.track == old.track)
            {
                *filling = Some(wanted.remove(at));
            }
        }
        let mut rest = wanted.into_iter();
        for (filling, slot) in fillings.iter_mut().zip(&client.slots) {
            if slot.medium == medium && filling.is_none() {
                *filling = rest.next();
            }
        }
    }
    fillings
}

/// What all that a device wants would take, bits a second.
pub(super) fn need(tracks: &BTreeMap<TrackId, Routed>, voices: &[TrackId], client: &Client) -> u64 {
    let media = [Medium::Audio, Medium::Video].into_iter();
    let all = media.flat_map(|medium| wanted(tracks, voices, client, medium));
    all.filter_map(|wanted| tracks.get(&wanted.track).map(|routed| routed.rate(wanted.layer))).sum()
}

/// Sound is always sent; what it takes, pictures do not have.
fn sound(tracks: &BTreeMap<TrackId, Routed>, wanted: &[Wanted], left: &mut Option<u64>) -> Vec<Filling> {
    let rates = wanted.iter().filter_map(|one| tracks.get(&one.track)).map(|routed| routed.rate(Layer::BASE));
    let taken = rates.sum();
    *left = left.map(|left| left.saturating_sub(taken));
    wanted.iter().map(Wanted::whole).collect()
}

/// The fewest frames of the smallest layer of each while they fit, then more of them, then larger layers, the most wanted first
/// (spec: MED-19).
fn pictures(
    tracks: &BTreeMap<TrackId, Routed>,
    wanted: &[Wanted],
    client: &Client,
    left: Option<u64>,
) -> Vec<Filling> {
    let mut fillings: Vec<_> = wanted.iter().map(Wanted::whole).collect();
    let Some(mut left) = left else { return fillings };
    let fewest = if client.takes_whole { Temporal::ALL } else { Temporal::BASE };
    for filling in &mut fillings {
        let Some(routed) = tracks.get(&filling.track) else { continue };
        let least = Filling { layer: Some(routed.smallest()), temporal: fewest, ..*filling };
        let rate = routed.rate_of(least);
        let fits = client.cost(least, rate) <= left;
        *filling = if fits { least } else { Filling { layer: None, ..*filling } };
        left -= if fits { rate } else { 0 };
    }
    for filling in fillings.iter_mut().filter(|filling| filling.layer.is_some()) {
        let now = *filling;
        let more = Temporal::each().rev().map(|temporal| Filling { temporal, ..now });
        grow(tracks, client, filling, &mut left, more);
    }
    for (filling, wanted) in fillings.iter_mut().zip(wanted) {
        let (Some(routed), Some(smallest)) = (tracks.get(&filling.track), filling.layer) else { continue };
        let larger = (smallest.number() + 1..=wanted.layer.number()).rev().filter_map(Layer::new);
        let alive = larger.filter(|layer| routed.is_alive(*layer));
        let track = filling.track;
        grow(tracks, client, filling, &mut left, alive.map(|layer| Wanted { track, layer }.whole()));
    }
    fillings
}

/// Takes the first of the options, the best first, for which enough is left.
fn grow(
    tracks: &BTreeMap<TrackId, Routed>,
    client: &Client,
    filling: &mut Filling,
    left: &mut u64,
    mut options: impl Iterator<Item = Filling>,
) {
    let Some(routed) = tracks.get(&filling.track) else { return };
    let base = routed.rate_of(*filling);
    let extra = |option: Filling| routed.rate_of(option).saturating_sub(base);
    if let Some(larger) = options.find(|option| client.cost(*option, extra(*option)) <= *left) {
        *left = left.saturating_sub(extra(larger));
        *filling = larger;
    }
}

/// The tracks of others that a device wants for a medium, most wanted first, as many as it has slots.
fn wanted(
    tracks: &BTreeMap<TrackId, Routed>,
    voices: &[TrackId],
    client: &Client,
    medium: Medium,
) -> Vec<Wanted> {
    let others = || {
        tracks
            .iter()
            .filter(|(_, routed)| *routed.device != client.device && routed.track.kind.medium() == medium)
    };
    let mut wanted = Vec::new();
    if client.sound_only && medium == Medium::Video {
        return wanted;
    }
    for wish in &client.wishes {
        let found =
            others().find(|(_, routed)| *routed.device == wish.device && routed.track.number == wish.track);
        if let Some((id, routed)) = found
            && !wanted.iter().any(|known: &Wanted| known.track == *id)
        {
            wanted.push(Wanted { track: *id, layer: routed.layer_for(wish.height) });
        }
    }
    if wanted.is_empty() {
        let mut all: Vec<_> = others().collect();
        all.sort_by_key(|(id, routed)| {
            let voice = voices.iter().position(|voice| voice == *id).unwrap_or(usize::MAX);
            (!matches!(routed.track.kind, Kind::Screen | Kind::ScreenAudio), voice, **id)
        });
        wanted.extend(all.into_iter().map(|(id, routed)| Wanted { track: *id, layer: routed.layer_for(0) }));
    }
    wanted.truncate(client.slots.iter().filter(|slot| slot.medium == medium).count());
    wanted
}

impl Routed {
    /// The layer for a height, among those alive if that is known (spec: MED-15).
    fn layer_for(&self, height: u32) -> Layer {
        let highest = self.track.layers.saturating_sub(1);
        let ideal = match height {
            0 => highest,
            height if height <= SMALL_HEIGHT => 0,
            height if height <= MIDDLE_HEIGHT => highest.min(1),
            _ => highest,
        };
        let alive = |layer: &u8| Layer::new(*layer).is_some_and(|layer| self.is_alive(layer));
        let below = (0..=ideal).rev().find(alive);
        let layer = below.or_else(|| (ideal..=highest).find(alive)).unwrap_or(0);
        Layer::new(layer).unwrap_or(Layer::BASE)
    }

    /// The smallest layer that comes.
    fn smallest(&self) -> Layer {
        let all = (0..self.track.layers).filter_map(Layer::new);
        all.into_iter().find(|layer| self.is_alive(*layer)).unwrap_or(Layer::BASE)
    }

    const fn is_alive(&self, layer: Layer) -> bool {
        self.alive == 0 || self.alive & 1 << layer.number() != 0
    }

    /// What a layer takes, bits a second.
    fn rate(&self, layer: Layer) -> u64 {
        self.rate_up_to(layer, Temporal::ALL)
    }

    /// What a slot would take.
    fn rate_of(&self, filling: Filling) -> u64 {
        filling.layer.map_or(0, |layer| self.rate_up_to(layer, filling.temporal))
    }

    fn rate_up_to(&self, layer: Layer, temporal: Temporal) -> u64 {
        let place = usize::from(layer.number());
        let measured = self.rates.get(place).filter(|rate| rate.last().is_some_and(|all| *all > 0));
        match measured.and_then(|rate| rate.get(usize::from(temporal.number()))) {
            Some(rate) => *rate,
            _ if self.track.kind.medium() == Medium::Audio => UNMEASURED_SOUND,
            _ if self.track.kind == Kind::Screen => UNMEASURED.last().copied().unwrap_or(0),
            _ => UNMEASURED.get(place).copied().unwrap_or(0),
        }
    }
}

impl Client {
    /// What must be left for a filling that takes so much more than is counted already: more than that if it is more than is
    /// sent of the track now.
    fn cost(&self, filling: Filling, rate: u64) -> u64 {
        let carried = self.slots.iter().filter_map(|slot| slot.filling);
        let now = carried.into_iter().find(|now| now.track == filling.track);
        let grows = now.is_some_and(|now| (now.layer, now.temporal) < (filling.layer, filling.temporal));
        if grows { rate * SPARE / 100 } else { rate }
    }
}
