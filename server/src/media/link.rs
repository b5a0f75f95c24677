//! One session's part of a relay link: which numbers mean which layers, both ways.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use conclave_core::{
    identity::address::DeviceUri,
    ids::{LeafIndex, TrackNumber},
    media::{
        Codec, Layer, Track,
        router::{Routed, TrackId},
    },
};
use conclave_proto::{
    relay::v1::{Announce, AnnouncedTrack, Subscribe, relay_message::Message},
    types::v1 as wire,
};

use super::{
    SessionKey,
    relay::{Incoming, LinkHandle},
};

/// Most tracks that a device publishes.
pub(super) const TRACKS_PER_DEVICE: usize = 16;
/// Most streams of one session that one link carries in one direction (spec: MED-23).
const STREAMS: usize = 128;
/// Most tracks of one session that another server may announce.
const TRACKS: usize = 1_024;

/// A stream that the other side sends.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) device: DeviceUri,
    pub(super) number: TrackNumber,
    pub(super) leaf: LeafIndex,
    pub(super) codec: Codec,
    pub(super) layer: Layer,
    pub(super) track: TrackId,
    pub(super) incoming: Incoming,
}

/// One session's part of a relay link.
#[derive(Debug)]
pub(super) struct SessionLink {
    pub(super) handle: LinkHandle,
    /// The numbers under which this side announced its layers.
    numbers: BTreeMap<(TrackId, Layer), u32>,
    /// What the other side subscribed to, to be read at each packet.
    wanted: BTreeMap<(TrackId, Layer), u32>,
    pub(super) remotes: HashMap<u32, Remote>,
    /// The other side's last list, kept because its devices may be logged here later.
    pub(super) heard: Vec<AnnouncedTrack>,
    said: Option<Vec<AnnouncedTrack>>,
    asked: Option<BTreeSet<u32>>,
}

impl SessionLink {
    /// A new link knows nothing of a session.
    pub(super) fn new(handle: LinkHandle, heard: Vec<AnnouncedTrack>) -> Self {
        Self {
            handle,
            numbers: BTreeMap::new(),
            wanted: BTreeMap::new(),
            remotes: HashMap::new(),
            heard,
            said: None,
            asked: None,
        }
    }

    /// Tells the other side what is published here, if it does not know yet.
    pub(super) fn announce<'a>(&mut self, key: SessionKey, own: impl Iterator<Item = (TrackId, &'a Routed)>) {
        let mut tracks = Vec::new();
        let mut live = BTreeSet::new();
        for (id, routed) in own {
            let layers = (0..routed.track.layers).filter_map(Layer::new);
            let stream_ids = layers
                .map(|layer| {
                    live.insert((id, layer));
                    *self.numbers.entry((id, layer)).or_insert_with(|| self.handle.fresh_stream())
                })
                .collect();
            let track = Some(wire::Track::from(&routed.track));
            tracks.push(AnnouncedTrack { device: routed.device.to_string(), track, stream_ids });
        }
        self.numbers.retain(|place, _| live.contains(place));
        if self.said.as_ref() != Some(&tracks) && (self.said.is_some() || !tracks.is_empty()) {
            self.said = Some(tracks.clone());
            let announce = Announce {
                meeting_id: key.meeting.as_bytes().to_vec().into(),
                session: key.session.0,
                tracks,
            };
            self.handle.say(Message::Announce(announce));
        }
    }

    /// Tells the other side what is needed here, if it does not know yet.
    pub(super) fn subscribe(&mut self, key: SessionKey, needed: &BTreeSet<(TrackId, Layer)>) {
        let streams: BTreeSet<u32> = self
            .remotes
            .iter()
            .filter(|(_, remote)| needed.contains(&(remote.track, remote.layer)))
            .map(|(stream, _)| *stream)
            .collect();
        if self.asked.as_ref() != Some(&streams) && (self.asked.is_some() || !streams.is_empty()) {
            self.asked = Some(streams.clone());
            let subscribe = Subscribe {
                meeting_id: key.meeting.as_bytes().to_vec().into(),
                session: key.session.0,
                stream_ids: streams.into_iter().collect(),
            };
            self.handle.say(Message::Subscribe(subscribe));
        }
    }

    /// The other side wants these streams and no others; more than the budget are left out (spec: MED-23).
    pub(super) fn subscribed(&mut self, streams: &[u32]) -> Vec<(TrackId, Layer)> {
        let old = self.wanted.len();
        let mut wanted = BTreeMap::new();
        for stream in streams {
            if wanted.len() == STREAMS {
                break;
            }
            if let Some(place) = self.place_of(*stream) {
                wanted.insert(place, *stream);
            }
        }
        let share = self.handle.share(old, wanted.len());
        self.wanted = wanted.into_iter().take(share).collect();
        self.wanted.keys().copied().collect()
    }

    /// The layer that this side announced under a number.
    pub(super) fn place_of(&self, stream: u32) -> Option<(TrackId, Layer)> {
        self.numbers.iter().find(|(_, number)| **number == stream).map(|(place, _)| *place)
    }

    /// The number under which the other side gets a layer.
    pub(super) fn number_of(&self, track: TrackId, layer: Layer) -> Option<u32> {
        self.wanted.get(&(track, layer)).copied()
    }

    /// The number under which the other side announced a layer.
    pub(super) fn remote_number(&self, track: TrackId, layer: Layer) -> Option<u32> {
        let mut remotes = self.remotes.iter();
        remotes.find(|(_, remote)| remote.track == track && remote.layer == layer).map(|(stream, _)| *stream)
    }

    /// The tracks of the other side's last list that it may announce: those of its own devices in the session (spec: MED-24).
    pub(super) fn acceptable(
        &self,
        roster: &HashMap<DeviceUri, LeafIndex>,
    ) -> BTreeMap<DeviceUri, (LeafIndex, Vec<(Track, Vec<u32>)>)> {
        let mut devices: BTreeMap<DeviceUri, (LeafIndex, Vec<(Track, Vec<u32>)>)> = BTreeMap::new();
        for announced in self.heard.iter().take(TRACKS) {
            let Ok(device) = DeviceUri::parse(&announced.device) else { continue };
            let Some(track) = announced.track.as_ref().and_then(|track| Track::try_from(track).ok()) else {
                continue;
            };
            let Some(leaf) = roster.get(&device) else { continue };
            let fits = *device.domain() == self.handle.domain
                && announced.stream_ids.len() == usize::from(track.layers);
            let (_, tracks) = devices.entry(device).or_insert_with(|| (*leaf, Vec::new()));
            if fits && tracks.len() < TRACKS_PER_DEVICE {
                tracks.push((track, announced.stream_ids.clone()));
            }
        }
        devices
    }

    /// The link is gone, or the session: gives the streams back.
    pub(super) fn release(&mut self) {
        self.handle.share(self.wanted.len(), 0);
        self.wanted.clear();
    }
}
