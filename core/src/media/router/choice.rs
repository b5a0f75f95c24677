//! Which tracks, in which layers, a device's slots carry.

use std::collections::BTreeMap;

use super::{Client, Filling, Routed, TrackId};
use crate::media::track::{Kind, Layer, Medium};

/// Up to this height the smallest layer serves.
const SMALL_HEIGHT: u32 = 180;
/// Up to this height the middle layer serves.
const MIDDLE_HEIGHT: u32 = 360;

/// What each slot shall carry: what it carries already if that is still wanted, else the next wanted track (spec: MED-14).
pub(super) fn fill(
    tracks: &BTreeMap<TrackId, Routed>,
    voices: &[TrackId],
    client: &Client,
) -> Vec<Option<Filling>> {
    let mut fillings = vec![None; client.slots.len()];
    for medium in [Medium::Audio, Medium::Video] {
        let room = client.slots.iter().filter(|(of, _)| *of == medium).count();
        let mut wanted = wanted(tracks, voices, client, medium);
        wanted.truncate(room);
        for (filling, (of, old)) in fillings.iter_mut().zip(&client.slots) {
            if *of == medium
                && let Some(old) = old
                && let Some(at) = wanted.iter().position(|new| new.track == old.track)
            {
                *filling = Some(wanted.remove(at));
            }
        }
        let mut rest = wanted.into_iter();
        for (filling, (of, _)) in fillings.iter_mut().zip(&client.slots) {
            if *of == medium && filling.is_none() {
                *filling = rest.next();
            }
        }
    }
    fillings
}

/// The tracks of others that a device wants for a medium, most wanted first.
fn wanted(
    tracks: &BTreeMap<TrackId, Routed>,
    voices: &[TrackId],
    client: &Client,
    medium: Medium,
) -> Vec<Filling> {
    let others = || {
        tracks
            .iter()
            .filter(|(_, routed)| *routed.device != client.device && routed.track.kind.medium() == medium)
    };
    let mut wanted = Vec::new();
    for wish in &client.wishes {
        let found =
            others().find(|(_, routed)| *routed.device == wish.device && routed.track.number == wish.track);
        if let Some((id, routed)) = found
            && !wanted.iter().any(|filling: &Filling| filling.track == *id)
        {
            wanted.push(Filling { track: *id, layer: routed.layer_for(wish.height) });
        }
    }
    if wanted.is_empty() {
        let mut all: Vec<_> = others().collect();
        all.sort_by_key(|(id, routed)| {
            let voice = voices.iter().position(|voice| voice == *id).unwrap_or(usize::MAX);
            (!matches!(routed.track.kind, Kind::Screen | Kind::ScreenAudio), voice, **id)
        });
        wanted.extend(all.into_iter().map(|(id, routed)| Filling { track: *id, layer: routed.layer_for(0) }));
    }
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
        let alive = |layer: &u8| self.alive == 0 || self.alive & 1 << layer != 0;
        let below = (0..=ideal).rev().find(alive);
        let layer = below.or_else(|| (ideal..=highest).find(alive)).unwrap_or(0);
        Layer::new(layer).unwrap_or(Layer::BASE)
    }
}
