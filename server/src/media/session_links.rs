//! The relay's side of a session: what other servers announce, want and ask for.

use std::{collections::BTreeMap, time::Instant};

use conclave_core::{
    identity::address::DeviceUri,
    media::{
        Layer,
        router::{LinkId, Origin, Rate, TrackId},
    },
};
use conclave_proto::relay::v1::{AnnouncedTrack, KeyFrameRequest, LayerRate, relay_message::Message};

use super::{
    link::{Remote, SessionLink},
    relay::LinkHandle,
    session::{Session, Work},
};

impl Session {
    /// A relay link to one of the session's organisations is there.
    pub(super) fn link_up(&mut self, work: &mut Work<'_>, handle: LinkHandle, heard: Vec<AnnouncedTrack>) {
        let id = handle.id;
        self.links.insert(id, SessionLink::new(handle, heard));
        self.reannounced(id);
        self.settle(work);
    }

    /// A relay link is gone, or its organisation has left the session.
    pub(super) fn link_down(&mut self, work: &mut Work<'_>, id: LinkId) {
        if let Some(mut link) = self.links.remove(&id) {
            link.release();
            self.router.unlink(id);
            // A link that replaced this one could not publish what this one still did.
            for other in self.links.keys().copied().collect::<Vec<_>>() {
                self.reannounced(other);
            }
            self.settle(work);
        }
    }

    /// The other side published or stopped something.
    pub(super) fn announced(&mut self, work: &mut Work<'_>, id: LinkId, tracks: Vec<AnnouncedTrack>) {
        if let Some(link) = self.links.get_mut(&id) {
            link.heard = tracks;
            self.reannounced(id);
            self.settle(work);
        }
    }

    /// Brings the table in line with the other side's list and the roster (spec: MED-24).
    pub(super) fn reannounced(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let origin = Origin::Link(id);
        let devices = link.acceptable(&self.roster);
        let mut before: BTreeMap<u32, Remote> = link.remotes.drain().collect();
        let gone: Vec<DeviceUri> = before
            .values()
            .map(|remote| remote.device.clone())
            .filter(|device| !devices.contains_key(device))
            .collect();
        for device in gone {
            self.router.publish(origin, &device, &[]);
        }
        for (device, (leaf, tracks)) in devices {
            let published: Vec<_> = tracks.iter().map(|(track, _)| *track).collect();
            self.router.publish(origin, &device, &published);
            for (track, streams) in tracks {
                let Some(place) = self.router.find(origin, &device, track.number) else { continue };
                for (stream, layer) in streams.into_iter().zip((0..track.layers).filter_map(Layer::new)) {
                    let old = before.remove(&stream).filter(|old| old.track == place && old.layer == layer);
                    let (incoming, meaning, tally) =
                        old.map_or_else(Default::default, |old| (old.incoming, old.meaning, old.tally));
                    let remote = Remote {
                        device: device.clone(),
                        number: track.number,
                        leaf,
                        codec: track.codec,
                        layer,
                        track: place,
                        incoming,
                        meaning,
                        tally,
                    };
                    link.remotes.insert(stream, remote);
                }
            }
        }
    }

    /// The other side wants these streams.
    pub(super) fn subscribed(&mut self, id: LinkId, streams: &[u32]) {
        if let Some(link) = self.links.get_mut(&id) {
            let wanted = link.subscribed(streams);
            self.router.subscribe(id, wanted);
        }
    }

    /// The other side says what layers of its devices take; those that take nothing are not chosen (spec: MED-25).
    pub(super) fn rated(&mut self, work: &mut Work<'_>, id: LinkId, rates: &[LayerRate]) {
        let Some(link) = self.links.get(&id) else { return };
        let known = rates.iter().filter_map(|rate| {
            let remote = link.remotes.get(&rate.stream_id)?;
            let all = rate.kilobits;
            let lower = |place| rate.lower_kilobits.get(place).copied().unwrap_or(all).min(all);
            Some((remote.track, remote.layer, std::array::from_fn(|place| u64::from(lower(place)) * 1_000)))
        });
        let known: Vec<(_, _, Rate)> = known.collect();
        for (track, layer, rate) in &known {
            self.router.set_alive(*track, *layer, rate.last() > Some(&0));
        }
        self.router.set_rates(known);
        self.settle(work);
    }

    /// The other side needs a key frame.
    pub(super) fn key_frame_wanted(&mut self, now: Instant, id: LinkId, stream: u32) {
        if let Some((track, layer)) = self.links.get(&id).and_then(|link| link.place_of(stream)) {
            self.ask(now, track, layer);
        }
    }
}

impl SessionLink {
    /// Asks the other side for a key frame.
    pub(super) fn request_key_frame(&self, track: TrackId, layer: Layer) {
        if let Some(stream_id) = self.remote_number(track, layer) {
            self.handle.say(Message::KeyFrameRequest(KeyFrameRequest { stream_id }));
        }
    }
}
