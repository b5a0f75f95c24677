//! A device: a str0m client on its own thread, which seals what it sends and opens what it gets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use conclave_core::{
    identity::address::DeviceUri,
    ids::{Epoch, LeafIndex, TrackNumber},
    media::{Codec, EpochKeys, Kind, Layer, Opener, Sealer, Temporal, Track, TrackLayer},
    time::Time,
};
use conclave_proto::client::v1::PublishedTrack;
use conclave_server::media::{Media, OpenRequest, Opened, SessionKey};
use str0m::{
    Event, Input, Output, Rtc,
    change::SdpAnswer,
    media::{Direction, Frequency, MediaKind, MediaTime, Mid},
    net::Receive,
};

use crate::{
    dependencies::{self, Dependencies},
    wire::Wire,
};

/// Who sent a frame, on which track, and what.
pub(crate) type Shown = (DeviceUri, TrackNumber, Vec<u8>);

/// A frame that came with what it depends on.
pub(crate) struct Seen {
    pub(crate) number: u16,
    pub(crate) temporal: Temporal,
    /// No packet was missing before it.
    pub(crate) is_contiguous: bool,
}

/// What one device did and saw.
#[derive(Default)]
pub(crate) struct Diary {
    /// Frames sent on each track since the first that others could see.
    pub(crate) sent: BTreeMap<TrackNumber, Vec<Vec<u8>>>,
    pub(crate) shown: BTreeSet<Shown>,
    pub(crate) shown_in_order: Vec<Shown>,
    /// Frames with dependencies, in their order.
    pub(crate) seen: Vec<Seen>,
    pub(crate) not_opened: usize,
    pub(crate) key_frames_asked: usize,
    pub(crate) was_connected: bool,
    pub(crate) is_over: bool,
}

/// A device before it connects.
pub(crate) struct Device {
    pub(crate) uri: DeviceUri,
    pub(crate) leaf: LeafIndex,
    /// The leaf that its frames claim; another than its own for a forger.
    pub(crate) claims: LeafIndex,
    pub(crate) publishes: Vec<Track>,
    pub(crate) audio_slots: usize,
    pub(crate) video_slots: usize,
    /// Bytes of a video frame.
    pub(crate) video_bytes: usize,
    /// Its pictures come in three temporal layers, and it knows those of others.
    pub(crate) is_described: bool,
    /// After so many frames it rests for three seconds.
    pub(crate) rests_after: Option<u32>,
    /// By what it sends.
    pub(crate) wire: Wire,
}

pub(crate) fn audio(number: u32) -> Track {
    Track { number: TrackNumber(number), kind: Kind::Audio, codec: Codec::Opus, layers: 1 }
}

pub(crate) fn video(number: u32) -> Track {
    Track { number: TrackNumber(number), kind: Kind::Video, codec: Codec::Vp8, layers: 1 }
}

impl Device {
    pub(crate) fn new(uri: &str, leaf: u32) -> Self {
        Self {
            uri: DeviceUri::parse(uri).unwrap(),
            leaf: LeafIndex(leaf),
            claims: LeafIndex(leaf),
            publishes: vec![audio(1), video(2)],
            audio_slots: 1,
            video_slots: 2,
            video_bytes: 3_000,
            is_described: false,
            rests_after: None,
            wire: Wire::udp(),
        }
    }

    /// Opens a connection and works on it until told to stop.
    pub(crate) async fn join(
        self,
        media: &Media,
        key: SessionKey,
        roster: &[(LeafIndex, DeviceUri)],
        stop: Arc<AtomicBool>,
    ) -> (Opened, JoinHandle<Diary>) {
        str0m::crypto::from_feature_flags().install_process_default();
        let mut config = Rtc::builder().clear_codecs().enable_opus(true, false).enable_vp8(true);
        if self.is_described {
            config = config.set_extension(9, dependencies::extension());
        }
        let mut rtc = config.build(Instant::now());
        rtc.add_local_candidate(self.wire.candidate());
        let mut changes = rtc.sdp_api();
        let mut sections = Vec::new();
        for track in &self.publishes {
            let kind = if track.kind == Kind::Audio { MediaKind::Audio } else { MediaKind::Video };
            sections.push((changes.add_media(kind, Direction::SendOnly, None, None, None), *track));
        }
        for _ in 0..self.audio_slots {
            changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        }
        for _ in 0..self.video_slots {
            changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = changes.apply().unwrap();
        let tracks = sections
            .iter()
            .map(|(mid, track)| PublishedTrack { mid: mid.to_string(), track: Some(track.into()) })
            .collect();
        let request = OpenRequest {
            key,
            device: self.uri.clone(),
            leaf: self.leaf,
            offer: offer.to_sdp_string(),
            tracks,
        };
        let answered = media.open(request).await.unwrap();
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answered.answer).unwrap()).unwrap();

        let mut sealer = Sealer::new();
        let mut opener = Opener::new();
        let keys = |own| EpochKeys::new(Epoch(1), [7; 16], own, roster.iter().cloned());
        sealer.enter(keys(self.claims), clock(), true);
        opener.enter(keys(self.leaf), clock(), &[]);
        let running = Running {
            rtc,
            wire: self.wire,
            sections,
            sealer,
            opener,
            video_bytes: self.video_bytes,
            is_described: self.is_described,
            rests_after: self.rests_after,
            after: 0,
            diary: Diary::default(),
            key_frame: true,
            count: 0,
            next: Instant::now(),
            started: None,
        };
        let worker = thread::spawn(move || running.run(&stop));
        (answered, worker)
    }
}

struct Running {
    rtc: Rtc,
    wire: Wire,
    sections: Vec<(Mid, Track)>,
    sealer: Sealer,
    opener: Opener,
    video_bytes: usize,
    is_described: bool,
    rests_after: Option<u32>,
    /// Frames since the last key frame.
    after: u32,
    diary: Diary,
    key_frame: bool,
    count: u32,
    next: Instant,
    started: Option<Instant>,
}

impl Running {
    fn run(mut self, stop: &AtomicBool) -> Diary {
        while !stop.load(Ordering::Relaxed) && self.rtc.is_alive() && !self.diary.is_over {
            let deadline = self.poll();
            if self.diary.is_over {
                break;
            }
            if self.started.is_some() && Instant::now() >= self.next {
                self.next += Duration::from_millis(20);
                self.send();
                if self.rests_after == Some(self.count) {
                    self.next += Duration::from_secs(3);
                }
                continue;
            }
            let until = if self.started.is_some() { deadline.min(self.next) } else { deadline };
            let wait = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            if let Some((source, bytes)) = self.wire.receive(wait)
                && let Ok(contents) = bytes.as_slice().try_into()
            {
                let (proto, destination) = (self.wire.proto(), self.wire.address());
                let receive = Receive { proto, source, destination, contents };
                self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
            }
            self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        }
        self.diary
    }

    fn poll(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(deadline)) => return deadline,
                Ok(Output::Transmit(transmit)) => {
                    self.wire.send(&transmit);
                }
                Ok(Output::Event(Event::Connected)) => {
                    self.diary.was_connected = true;
                    self.started = Some(Instant::now());
                    self.next = Instant::now();
                }
                Ok(Output::Event(Event::KeyframeRequest(_))) => {
                    self.key_frame = true;
                    self.diary.key_frames_asked += 1;
                }
                Ok(Output::Event(Event::MediaData(data))) => {
                    let codec = match data.params.spec().codec {
                        str0m::format::Codec::Opus => Codec::Opus,
                        _ => Codec::Vp8,
                    };
                    match self.opener.open(clock(), codec, &data.data) {
                        Ok(opened) => {
                            if let Some(own) = data.ext_vals.user_values.get::<Dependencies>() {
                                // The frame's last byte is its temporal layer.
                                let temporal = Temporal::at_most(opened.frame.last().copied().unwrap_or(0));
                                let (number, is_contiguous) = (own.number(), data.contiguous);
                                self.diary.seen.push(Seen { number, temporal, is_contiguous });
                            }
                            let shown = (opened.device.as_ref().clone(), opened.track.number, opened.frame);
                            self.diary.shown.insert(shown.clone());
                            self.diary.shown_in_order.push(shown);
                        }
                        Err(_) => self.diary.not_opened += 1,
                    }
                }
                Ok(Output::Event(Event::Closed)) | Err(_) => {
                    self.diary.is_over = true;
                    return Instant::now();
                }
                Ok(Output::Event(_)) => {}
            }
        }
    }

    /// Seals and sends one frame of each track.
    fn send(&mut self) {
        let elapsed = self.started.unwrap().elapsed();
        self.count += 1;
        self.after = if self.key_frame { 0 } else { self.after + 1 };
        #[allow(clippy::cast_possible_truncation)] // Frame numbers wrap around.
        let (own, temporal) = Dependencies::of(self.count as u16, self.after);
        for (mid, track) in self.sections.clone() {
            let frame = match track.codec {
                Codec::Opus => [&[0xfc][..], &self.count.to_be_bytes(), &[7; 60]].concat(),
                Codec::Vp8 => {
                    let first = if self.key_frame { 0x10 } else { 0x11 };
                    let start = [&[first, 0, 0, 0x9d, 1, 0x2a, 64, 0, 64, 0][..], &self.count.to_be_bytes()];
                    let mut frame = start.concat();
                    frame.resize(self.video_bytes, temporal.number());
                    frame
                }
            };
            let layer =
                TrackLayer { number: track.number, kind: track.kind, codec: track.codec, layer: Layer::BASE };
            let mut sealed = Vec::new();
            self.sealer.seal(clock(), layer, &frame, &mut sealed).unwrap();
            let mut writer = self.rtc.writer(mid).unwrap();
            if self.is_described && track.codec == Codec::Vp8 {
                writer = writer.user_extension_value(own.clone());
            }
            let wanted = match track.codec {
                Codec::Opus => str0m::format::Codec::Opus,
                Codec::Vp8 => str0m::format::Codec::Vp8,
            };
            let pt = writer.payload_params().find(|p| p.spec().codec == wanted).unwrap().pt();
            let rate =
                if track.codec == Codec::Opus { Frequency::FORTY_EIGHT_KHZ } else { Frequency::NINETY_KHZ };
            let time = MediaTime::from_seconds(elapsed.as_secs_f64()).rebase(rate);
            writer.write(pt, Instant::now(), time, sealed).unwrap();
            self.diary.sent.entry(track.number).or_default().push(frame);
            self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
            self.poll();
        }
        self.key_frame = false;
    }
}

pub(crate) fn clock() -> Time {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_ms(u64::try_from(passed.as_millis()).unwrap())
}

impl Diary {
    /// How many of the frames that `sender` sent after the first that arrived were shown, and how many were sent.
    pub(crate) fn shown_of(&self, uri: &DeviceUri, track: u32, sender: &Self) -> (usize, usize) {
        let number = TrackNumber(track);
        let shown: Vec<_> = sender.sent[&number]
            .iter()
            .map(|frame| self.shown.contains(&(uri.clone(), number, frame.clone())))
            .collect();
        let first = shown.iter().position(|shown| *shown).unwrap_or(shown.len());
        // The last frames may still be on their way.
        let end = shown.len().saturating_sub(10).max(first);
        (shown[first..end].iter().filter(|shown| **shown).count(), end - first)
    }

    /// The same, for a receiver that left before the sender.
    pub(crate) fn shown_in_time(&self, uri: &DeviceUri, track: u32, sender: &Self) -> (usize, usize) {
        let number = TrackNumber(track);
        let shown = |frame: &Vec<u8>| self.shown.contains(&(uri.clone(), number, frame.clone()));
        let sent = &sender.sent[&number];
        let first = sent.iter().position(&shown).unwrap_or(sent.len());
        let last = sent.iter().rposition(&shown).map_or(first, |last| last + 1);
        (sent[first..last].iter().filter(|frame| shown(frame)).count(), last - first)
    }
}
