//! One session's part of a relay link: which numbers mean which layers, both ways.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use conclave_core::{
    identity::address::DeviceUri,
    ids::{LeafIndex, TrackNumber},
    limits,
    media::{
        Codec, Layer, Temporal, Track,
        router::{Rate, Routed, TrackId},
    },
};
use conclave_proto::{
    relay::v1::{Announce, AnnouncedTrack, LayerRate, LayerRates, Subscribe, relay_message::Message},
    types::v1 as wire,
};
use prost::Message as _;

use super::{
    SessionKey,
    descriptor::Meaning,
    rates::Tally,
    relay::{Incoming, LinkHandle},
};

/// What is around an announced track, bytes.
const FRAMING: usize = 4;
/// Bytes of tracks in one list: the meeting and the session are named besides.
const ANNOUNCED_BYTES: usize = limits::RELAY_MESSAGE_BYTES - 128;

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
    pub(super) meaning: Meaning,
    /// Since the rates were last looked at.
    pub(super) tally: Tally,
}

/// What a device may have announced: its leaf, and its tracks with the numbers of their layers.
pub(super) type Acceptable = BTreeMap<DeviceUri, (LeafIndex, Vec<(Track, Vec<u32>)>)>;

/// One session's part of a relay link.
#[derive(Debug)]
pub(super) struct SessionLink {
    pub(super) handle: LinkHandle,
    /// The numbers under which this side announced its layers.
    numbers: BTreeMap<(TrackId, Layer), u32>,
    /// The same, by number.
    places: HashMap<u32, (TrackId, Layer)>,
    /// What the other side subscribed to, to be read at each packet.
    wanted: BTreeMap<(TrackId, Layer), u32>,
    pub(super) remotes: HashMap<u32, Remote>,
    /// The other side's last list, kept because its devices may be logged here later.
    pub(super) heard: Vec<AnnouncedTrack>,
    said: Option<Vec<AnnouncedTrack>>,
    asked: Option<BTreeSet<u32>>,
    /// The rates of which the other side knows, kilobits a second.
    pub(super) told: BTreeMap<u32, [u32; Temporal::COUNT]>,
}

impl SessionLink {
    /// A new link knows nothing of a session.
    pub(super) fn new(handle: LinkHandle, heard: Vec<AnnouncedTrack>) -> Self {
        Self {
            handle,
            numbers: BTreeMap::new(),
            places: HashMap::new(),
            wanted: BTreeMap::new(),
            remotes: HashMap::new(),
            heard,
            said: None,
            asked: None,
            told: BTreeMap::new(),
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
        self.places = self.numbers.iter().map(|(place, number)| (*number, *place)).collect();
        self.told.retain(|stream, _| self.places.contains_key(stream));
        let tracks = fair(tracks);
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
        for stream in streams.iter().take(limits::RELAY_STREAMS_PER_SESSION) {
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
        self.places.get(&stream).copied()
    }

    /// Tells the other side what layers took in the last second, where that has changed (spec: MED-25).
    pub(super) fn tell_rates(&mut self, key: SessionKey, measured: &BTreeMap<(TrackId, Layer), Rate>) {
        let mut rates = Vec::new();
        for (place, stream_id) in &self.numbers {
            let rate = measured.get(place).copied().unwrap_or_default();
            let now = rate.map(|bits| u32::try_from(bits.div_ceil(1_000)).unwrap_or(u32::MAX));
            let told = self.told.entry(*stream_id).or_default();
            let changed =
                |(told, now): (&u32, &u32)| (*told == 0) != (*now == 0) || told.abs_diff(*now) > *told / 5;
            if told.iter().zip(&now).any(changed) {
                *told = now;
                rates.push(layer_rate(*stream_id, now));
            }
        }
        if !rates.is_empty() {
            let meeting_id = key.meeting.as_bytes().to_vec().into();
            self.handle.say(Message::LayerRates(LayerRates { meeting_id, session: key.session.0, rates }));
        }
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
    pub(super) fn acceptable(&self, roster: &HashMap<DeviceUri, LeafIndex>) -> Acceptable {
        let mut devices = Acceptable::new();
        for announced in self.heard.iter().take(limits::ANNOUNCED_TRACKS) {
            let Ok(device) = DeviceUri::parse(&announced.device) else { continue };
            let Some(track) = announced.track.as_ref().and_then(|track| Track::try_from(track).ok()) else {
                continue;
            };
            let Some(leaf) = roster.get(&device) else { continue };
            let fits = *device.domain() == self.handle.domain
                && announced.stream_ids.len() == usize::from(track.layers);
            let (_, tracks) = devices.entry(device).or_insert_with(|| (*leaf, Vec::new()));
            if fits && tracks.len() < limits::TRACKS_PER_DEVICE {
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

/// As many tracks as one list may hold: of every device the first, then of every device the second (spec: MED-31).
fn fair(tracks: Vec<AnnouncedTrack>) -> Vec<AnnouncedTrack> {
    let size = |track: &AnnouncedTrack| track.encoded_len() + FRAMING;
    let bytes: usize = tracks.iter().map(size).sum();
    if tracks.len() <= limits::ANNOUNCED_TRACKS && bytes <= ANNOUNCED_BYTES {
        return tracks;
    }
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut ranked: Vec<_> = tracks
        .into_iter()
        .map(|track| {
            let count = counts.entry(track.device.clone()).or_default();
            *count += 1;
            (*count, track)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let mut left = ANNOUNCED_BYTES;
    let fitting = ranked.into_iter().map(|(_, track)| track).take(limits::ANNOUNCED_TRACKS);
    fitting
        .take_while(|track| {
            let fits = size(track) <= left;
            left = left.saturating_sub(size(track));
            fits
        })
        .collect()
}

/// What a layer takes, and its lower temporal layers, if it has any.
fn layer_rate(stream_id: u32, [lower @ .., kilobits]: [u32; Temporal::COUNT]) -> LayerRate {
    let is_one = lower.iter().all(|rate| *rate == kilobits);
    let lower_kilobits = if is_one { Vec::new() } else { lower.to_vec() };
    LayerRate { stream_id, kilobits, lower_kilobits }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.
    use std::sync::Arc;

    use conclave_core::{
        identity::address::Domain,
        ids::{MeetingId, SessionNumber},
        media::{
            Kind,
            router::{ClientId, LinkId, Origin, Router},
        },
    };
    use conclave_proto::relay::v1::RelayMessage;
    use tokio::sync::mpsc;

    use super::*;

    fn link(domain: &str) -> (SessionLink, mpsc::UnboundedReceiver<RelayMessage>) {
        let (control, said) = mpsc::unbounded_channel();
        let handle = LinkHandle {
            id: LinkId(1),
            domain: Domain::parse(domain).unwrap(),
            largest: Arc::new(1_200.into()),
            control,
            datagrams: mpsc::channel(1).0,
            last_stream: Arc::default(),
            subscribed: Arc::default(),
        };
        (SessionLink::new(handle, Vec::new()), said)
    }

    fn device(domain: &str, number: u32) -> DeviceUri {
        DeviceUri::parse(&format!("conclave://{domain}/u/d{number}/d/0000000000000001")).unwrap()
    }

    fn camera(number: u32) -> Track {
        Track { number: TrackNumber(number), kind: Kind::Video, codec: Codec::Vp8, layers: 3 }
    }

    const KEY: SessionKey = SessionKey { meeting: MeetingId::from_bytes([1; 32]), session: SessionNumber(1) };

    #[test]
    fn med_23_r16_a_link_is_not_made_to_carry_everything() {
        let mut router = Router::new();
        for number in 0..500 {
            let client = ClientId(number);
            router.connect(client, device("north.example", number), &[]);
            router.publish(Origin::Client(client), &device("north.example", number), &[camera(1)]);
        }
        let (mut link, mut said) = link("south.example");
        link.announce(KEY, router.own_tracks());
        let Some(Message::Announce(announce)) = said.try_recv().unwrap().message else { unreachable!() };
        let all: Vec<u32> = announce.tracks.iter().flat_map(|track| track.stream_ids.clone()).collect();
        assert_eq!(all.len(), 1_500);
        assert_eq!(link.subscribed(&all).len(), 128);
        assert_eq!(link.subscribed(&[all[0], all[0], u32::MAX]).len(), 1);
        // Other sessions have used the link up.
        link.handle.share(0, 1_023);
        assert_eq!(link.subscribed(&all).len(), 1);
        link.release();
        assert_eq!(link.handle.share(1_023, 2_000), 1_024);
    }

    #[test]
    fn med_31_of_too_many_tracks_every_device_has_its_first() {
        let named = |user: &str, devices: u32, tracks| {
            let all = (0..devices).flat_map(move |device| (0..tracks).map(move |track| (device, track)));
            let user = user.to_owned();
            all.map(move |(number, track)| AnnouncedTrack {
                device: device(&format!("{user}.example"), number).to_string(),
                track: Some((&camera(track)).into()),
                stream_ids: vec![u32::MAX; 3],
            })
        };
        let firsts = |list: &[AnnouncedTrack]| {
            list.iter().filter(|one| one.track.as_ref().is_some_and(|track| track.number == 0)).count()
        };
        let few: Vec<_> = named("north", 100, 8).collect();
        assert_eq!(fair(few.clone()), few);
        let many = fair(named("north", 900, 8).collect());
        assert_eq!((many.len(), firsts(&many)), (limits::ANNOUNCED_TRACKS, 900));
        let long = fair(named("north.".repeat(38).trim_end_matches('.'), 900, 2).collect());
        let announce = Announce { meeting_id: vec![1; 32].into(), session: u64::MAX, tracks: long };
        assert_eq!(firsts(&announce.tracks), announce.tracks.len().min(900), "the first before the second");
        let message = RelayMessage { message: Some(Message::Announce(announce)) };
        let length = message.encoded_len();
        assert!(
            (limits::RELAY_MESSAGE_BYTES - 1_024..=limits::RELAY_MESSAGE_BYTES).contains(&length),
            "{length}"
        );
    }

    #[test]
    fn nothing_is_announced_or_subscribed_twice() {
        let mut router = Router::new();
        router.connect(ClientId(1), device("north.example", 1), &[]);
        let (mut link, mut said) = link("south.example");
        link.announce(KEY, router.own_tracks());
        link.subscribe(KEY, &BTreeSet::new());
        assert!(said.try_recv().is_err(), "nothing to say");
        router.publish(Origin::Client(ClientId(1)), &device("north.example", 1), &[camera(1)]);
        link.announce(KEY, router.own_tracks());
        link.announce(KEY, router.own_tracks());
        assert!(said.try_recv().is_ok());
        assert!(said.try_recv().is_err());
        router.publish(Origin::Client(ClientId(1)), &device("north.example", 1), &[]);
        link.announce(KEY, router.own_tracks());
        assert!(said.try_recv().is_ok(), "an end is said too");
    }

    #[test]
    fn med_25_the_other_side_hears_of_rates_that_change() {
        let mut router = Router::new();
        router.connect(ClientId(1), device("north.example", 1), &[]);
        router.publish(Origin::Client(ClientId(1)), &device("north.example", 1), &[camera(1)]);
        let (mut link, mut said) = link("south.example");
        link.announce(KEY, router.own_tracks());
        let Some(Message::Announce(announce)) = said.try_recv().unwrap().message else { unreachable!() };
        let streams = announce.tracks[0].stream_ids.clone();
        let (track, _) = router.own_tracks().next().unwrap();
        let mut tell = |rates: [u64; 3]| {
            let places = (0..3).filter_map(Layer::new).map(|layer| (track, layer));
            link.tell_rates(KEY, &places.zip(rates.map(|rate| [rate; 4])).collect());
            match said.try_recv().ok()?.message {
                Some(Message::LayerRates(rates)) => {
                    Some(rates.rates.iter().map(|rate| (rate.stream_id, rate.kilobits)).collect::<Vec<_>>())
                }
                _ => None,
            }
        };
        assert_eq!(tell([100_001, 500_000, 0]), Some(vec![(streams[0], 101), (streams[1], 500)]));
        assert_eq!(tell([110_000, 450_000, 0]), None, "no more than a fifth");
        assert_eq!(tell([110_000, 700_000, 1]), Some(vec![(streams[1], 700), (streams[2], 1)]));
        assert_eq!(tell([110_000, 0, 1]), Some(vec![(streams[1], 0)]), "nothing came");
    }

    #[test]
    fn med_24_a_peer_speaks_for_its_own_devices_in_the_session_only() {
        let announced = |device: &DeviceUri, number, streams| AnnouncedTrack {
            device: device.to_string(),
            track: Some((&camera(number)).into()),
            stream_ids: streams,
        };
        let (own, foreign, absent) =
            (device("south.example", 1), device("north.example", 2), device("south.example", 3));
        let roster = HashMap::from([(own.clone(), LeafIndex(4)), (foreign.clone(), LeafIndex(5))]);
        let (mut link, _said) = link("south.example");
        link.heard = vec![
            announced(&own, 1, vec![1, 2, 3]),
            announced(&own, 2, vec![4]),
            announced(&foreign, 1, vec![5, 6, 7]),
            announced(&absent, 1, vec![8, 9, 10]),
        ];
        let acceptable = link.acceptable(&roster);
        let tracks: Vec<_> = acceptable.values().flat_map(|(_, tracks)| tracks).collect();
        assert_eq!(tracks, [&(camera(1), vec![1, 2, 3])]);

        link.heard = (0..40).map(|n| announced(&own, n, vec![3 * n, 3 * n + 1, 3 * n + 2])).collect();
        assert_eq!(link.acceptable(&roster)[&own].1.len(), limits::TRACKS_PER_DEVICE);
    }
}
