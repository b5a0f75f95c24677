//! A receiving place of a client: one RTP stream that carries one track after another.

use std::time::{Duration, Instant};

use conclave_core::media::{
    Codec, Layer, Medium, Temporal, clear_bytes,
    descriptor::Described,
    payload::{Part, part},
    router::{Filling, TrackId},
};
use str0m::media::Mid;

use super::{gaps::Gaps, packet::Packet};

/// One recvonly section of the client's offer.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) mid: Mid,
    pub(super) medium: Medium,
    /// Its receiver knows dependency descriptors.
    is_described: bool,
    pub(super) filling: Option<Filling>,
    /// What is sent, and where its packets lie in the outgoing stream; another layer of the filling's track than its own until a
    /// key frame of that has come.
    base: Option<(TrackId, Layer, Base)>,
    /// The last packet sent.
    last: Option<Sent>,
}

#[derive(Debug)]
struct Base {
    sequence_in: u64,
    sequence_out: u64,
    timestamp_in: u32,
    timestamp_out: u32,
    /// What is added to frame numbers.
    frames: u16,
    /// The highest temporal layer that is sent.
    temporal: Temporal,
    gaps: Gaps,
}

/// A packet's place in the outgoing stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) sequence: u64,
    pub(super) timestamp: u32,
    /// Its frame's number, if the receiver is to know what it depends on.
    pub(super) number: Option<u16>,
    /// It is the first of what the slot now carries.
    pub(super) began: bool,
}

#[derive(Debug)]
struct Sent {
    sequence: u64,
    timestamp: u32,
    number: Option<u16>,
    at: Instant,
}

impl Slot {
    /// Empty.
    pub(super) const fn new(mid: Mid, medium: Medium, is_described: bool) -> Self {
        Self { mid, medium, is_described, filling: None, base: None, last: None }
    }

    /// Whether it can be sent some of a layer's temporal layers; there are none of sound.
    pub(super) fn takes_parts(&self) -> bool {
        self.is_described || self.medium == Medium::Audio
    }

    /// Carries something else from now on.
    pub(super) fn fill(&mut self, filling: Option<Filling>) {
        self.filling = filling;
        let goes_on = filling.filter(|filling| filling.layer.is_some());
        self.base.take_if(|(track, _, _)| goes_on.is_none_or(|filling| filling.track != *track));
    }

    /// The layer whose key frame must come before it can be sent.
    pub(super) fn waits_for_key_frame(&self) -> Option<(TrackId, Layer)> {
        let wanted = self.wanted().filter(|_| self.medium == Medium::Video)?;
        (self.sends() != Some(wanted)).then_some(wanted)
    }

    /// What it shall carry.
    pub(super) fn wanted(&self) -> Option<(TrackId, Layer)> {
        let filling = self.filling?;
        Some((filling.track, filling.layer?))
    }

    fn sends(&self) -> Option<(TrackId, Layer)> {
        self.base.as_ref().map(|(track, layer, _)| (*track, *layer))
    }

    /// Sequence number and timestamp of a packet in the outgoing stream; `None` if it is not to be sent (spec: MED-16).
    pub(super) fn rewrite(
        &mut self,
        now: Instant,
        (track, layer, codec): (TrackId, Layer, Codec),
        packet: &Packet,
    ) -> Option<Rewritten> {
        let began = self.sends() != Some((track, layer));
        let is_wanted = self.wanted() == Some((track, layer));
        if began {
            let can_begin = self.medium == Medium::Audio || starts_key_frame(codec, packet);
            if !can_begin || !is_wanted {
                return None;
            }
            self.base = Some((track, layer, self.start(now, codec, packet)));
        }
        let described = packet.described.filter(|_| self.is_described);
        let temporal = self.filling.filter(|_| is_wanted).map(|filling| filling.temporal);
        let (_, _, base) = self.base.as_mut()?;
        // What was sent before the filling began cannot be placed.
        let ahead = packet.sequence.checked_sub(base.sequence_in)?;
        if base.leaves_out(ahead, described, temporal) {
            return None;
        }
        let sequence = base.sequence_out + base.gaps.place(ahead)?;
        let timestamp = base.timestamp_out.wrapping_add(packet.timestamp.wrapping_sub(base.timestamp_in));
        let number = described.map(|described| described.number.wrapping_add(base.frames));
        if self.last.as_ref().is_none_or(|last| last.sequence < sequence) {
            let last = self.last.as_ref().and_then(|last| last.number);
            self.last = Some(Sent { sequence, timestamp, number: number.or(last), at: now });
        }
        Some(Rewritten { sequence, timestamp, number, began })
    }

    /// Goes on where the last filling ended, later by the time that has passed.
    fn start(&self, now: Instant, codec: Codec, packet: &Packet) -> Base {
        let rate = match codec {
            Codec::Opus => 48_000,
            Codec::Vp8 => 90_000,
        };
        let (sequence_out, timestamp_out) = match &self.last {
            // The first sequence number must lie below 65,536: the receiver assumes that none were before.
            None => (1, packet.timestamp),
            Some(last) => {
                let passed = now.saturating_duration_since(last.at).max(Duration::from_millis(10));
                let ticks = passed.as_micros() * rate / 1_000_000;
                #[allow(clippy::cast_possible_truncation)] // RTP timestamps wrap around.
                (last.sequence + 1, last.timestamp.wrapping_add(ticks as u32))
            }
        };
        let last = self.last.as_ref().and_then(|last| last.number);
        let frames =
            packet.described.zip(last).map(|(new, last)| last.wrapping_add(1).wrapping_sub(new.number));
        Base {
            sequence_in: packet.sequence,
            sequence_out,
            timestamp_in: packet.timestamp,
            timestamp_out,
            frames: frames.unwrap_or(0),
            temporal: self.filling.map_or(Temporal::ALL, |filling| filling.temporal),
            gaps: Gaps::default(),
        }
    }
}

impl Base {
    /// Whether a packet is not sent because the path carries fewer frames (spec: MED-27). What is late was decided when others
    /// went past it.
    fn leaves_out(&mut self, ahead: u64, described: Option<Described>, wanted: Option<Temporal>) -> bool {
        let Some(described) = described.filter(|_| self.gaps.is_next(ahead)) else { return false };
        if let Some(wanted) = wanted.filter(|_| described.starts) {
            let higher = Temporal::each().rev().filter(|higher| *higher <= wanted && *higher > self.temporal);
            let reached = higher.into_iter().find(|higher| described.lets_switch(self.temporal, *higher));
            self.temporal = reached.unwrap_or(self.temporal.min(wanted));
        }
        let is_left_out = described.temporal > self.temporal;
        if is_left_out {
            self.gaps.leave_out(ahead, described.number);
        }
        is_left_out
    }
}

/// Whether a packet begins a frame that needs no other (spec: MED-29).
fn starts_key_frame(codec: Codec, packet: &Packet) -> bool {
    if let Some(described) = packet.described {
        return described.starts && described.is_key;
    }
    let part = part(codec, &packet.payload);
    matches!(part, Some(Part::Start(frame)) if clear_bytes::is_key_frame(codec, frame))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.
    use conclave_core::media::descriptor::{self, Structure};

    use super::*;

    const KEY: &[u8] = &[0x10, 0x00, 1, 2];
    const DELTA: &[u8] = &[0x10, 0x01, 1, 2];

    fn packet(sequence: u64, timestamp: u32, payload: &[u8]) -> Packet {
        let payload = payload.into();
        Packet { sequence, timestamp, marker: true, level: None, descriptor: None, described: None, payload }
    }

    const BASE: Layer = Layer::BASE;
    const UPPER: Layer = match Layer::new(1) {
        Some(layer) => layer,
        None => BASE,
    };

    fn filling(track: u32, layer: Layer) -> Filling {
        Filling { track: TrackId(track), layer: Some(layer), temporal: Temporal::ALL }
    }

    /// Gives a packet of a layer to a slot.
    fn give(
        slot: &mut Slot,
        now: Instant,
        (track, layer): (u32, Layer),
        packet: &Packet,
    ) -> Option<(u64, u32)> {
        let rewritten = slot.rewrite(now, (TrackId(track), layer, Codec::Vp8), packet)?;
        Some((rewritten.sequence, rewritten.timestamp))
    }

    #[test]
    fn med_16_a_slot_is_one_stream_and_starts_with_a_key_frame() {
        let start = Instant::now();
        let mut slot = Slot::new("0".into(), Medium::Video, true);
        slot.fill(Some(filling(1, BASE)));
        assert!(slot.waits_for_key_frame().is_some());
        let first = (1, BASE);
        assert_eq!(give(&mut slot, start, first, &packet(70_000, 5, DELTA)), None);
        assert_eq!(give(&mut slot, start, first, &packet(70_001, 90_005, KEY)), Some((1, 90_005)));
        assert!(slot.waits_for_key_frame().is_none());
        assert_eq!(give(&mut slot, start, first, &packet(70_003, 93_005, DELTA)), Some((3, 93_005)));
        assert_eq!(give(&mut slot, start, first, &packet(70_002, 90_005, DELTA)), Some((2, 90_005)));
        assert_eq!(give(&mut slot, start, first, &packet(70_000, 5, DELTA)), None, "before the beginning");

        slot.fill(Some(filling(2, BASE)));
        let (second, later) = ((2, BASE), start + Duration::from_secs(1));
        assert_eq!(give(&mut slot, later, first, &packet(70_004, 96_005, KEY)), None, "another track's");
        assert_eq!(give(&mut slot, later, second, &packet(9, 7, DELTA)), None);
        assert_eq!(give(&mut slot, later, second, &packet(10, 7, KEY)), Some((4, 183_005)));
        assert_eq!(give(&mut slot, later, second, &packet(11, 3007, DELTA)), Some((5, 186_005)));
    }

    #[test]
    fn med_16_another_layer_takes_over_with_its_key_frame() {
        let now = Instant::now();
        let mut slot = Slot::new("0".into(), Medium::Video, true);
        slot.fill(Some(filling(1, BASE)));
        let (base, upper) = ((1, BASE), (1, UPPER));
        assert_eq!(give(&mut slot, now, base, &packet(5, 0, KEY)), Some((1, 0)));
        slot.fill(Some(filling(1, UPPER)));
        assert_eq!(slot.waits_for_key_frame(), Some((TrackId(1), UPPER)));
        assert_eq!(give(&mut slot, now, upper, &packet(900, 70, DELTA)), None);
        assert_eq!(give(&mut slot, now, base, &packet(6, 3_000, DELTA)), Some((2, 3_000)), "goes on");
        assert!(give(&mut slot, now, upper, &packet(901, 3_070, KEY)).is_some_and(|(next, _)| next == 3));
        assert!(slot.waits_for_key_frame().is_none());
        assert_eq!(give(&mut slot, now, base, &packet(7, 6_000, KEY)), None, "no longer");
        // Paused: nothing of it is sent, and a key frame begins it again.
        slot.fill(Some(Filling { track: TrackId(1), layer: None, temporal: Temporal::ALL }));
        assert!(slot.waits_for_key_frame().is_none());
        assert_eq!(give(&mut slot, now, upper, &packet(902, 6_070, KEY)), None);
        slot.fill(Some(filling(1, UPPER)));
        assert_eq!(give(&mut slot, now, upper, &packet(903, 9_070, DELTA)), None);
    }

    /// Chromium's descriptors of VP8 with three temporal layers: a key frame, then four frames again and again.
    const DESCRIPTORS: [&str; 9] = [
        "c000018002044eaaaf2860414d34538a0940404fc02cc0",
        "c500041220",
        "c300061260",
        "c500081220",
        "c2000a12e0",
        "c5000c12a880",
        "c4000e12e980",
        "c50010",
        "c2001212e0",
    ];

    /// A frame of two packets, or a key frame of one, as they come of a layer whose packets came before.
    fn frame(structure: &mut Option<Structure>, sequence: u64, hex: &str) -> Vec<Packet> {
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        let parts: &[u8] = if bytes.len() > 7 { &[0xc0] } else { &[0x80, 0x40] };
        let parts = parts.iter().zip(sequence..).map(|(part, sequence)| {
            let mut bytes = bytes.clone();
            bytes[0] = bytes[0] & 0x3f | part;
            let described = descriptor::read(&bytes, structure);
            Packet { described, ..packet(sequence, 0, DELTA) }
        });
        parts.collect()
    }

    /// Gives all frames to a slot from the sequence number on, and says which frames came out and with which numbers.
    fn run(slot: &mut Slot, mut sequence: u64, frames: &[&str]) -> Vec<(u64, u16)> {
        let mut structure = None;
        frame(&mut structure, 0, DESCRIPTORS[0]);
        let mut out = Vec::new();
        for hex in frames {
            for packet in frame(&mut structure, sequence, hex) {
                sequence += 1;
                let rewritten = slot.rewrite(Instant::now(), (TrackId(1), BASE, Codec::Vp8), &packet);
                out.extend(rewritten.map(|rewritten| (rewritten.sequence, rewritten.number.unwrap())));
            }
        }
        out
    }

    fn narrow(temporal: u8) -> Filling {
        Filling { temporal: Temporal::at_most(temporal), ..filling(1, BASE) }
    }

    #[test]
    fn med_27_higher_temporal_layers_are_left_out_without_a_gap() {
        let mut slot = Slot::new("0".into(), Medium::Video, true);
        slot.fill(Some(narrow(0)));
        assert_eq!(run(&mut slot, 1, &DESCRIPTORS), [(1, 1), (2, 10), (3, 10), (4, 18), (5, 18)]);
        slot.fill(Some(narrow(1)));
        let more = run(&mut slot, 18, &DESCRIPTORS[1..]);
        assert_eq!(more, [(6, 6), (7, 6), (8, 10), (9, 10), (10, 14), (11, 14), (12, 18), (13, 18)]);
        slot.fill(Some(narrow(3)));
        let all = run(&mut slot, 34, &DESCRIPTORS[1..]);
        assert_eq!(
            all.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(),
            (14..28).collect::<Vec<_>>()
        );
        assert_eq!(all[0], (14, 6), "the frame that lets switch, not the one before it");
    }

    #[test]
    fn med_27_more_temporal_layers_only_where_their_frames_can_be_decoded() {
        let mut slot = Slot::new("0".into(), Medium::Video, true);
        slot.fill(Some(narrow(0)));
        run(&mut slot, 1, &DESCRIPTORS[..5]);
        slot.fill(Some(narrow(3)));
        // The first middle frame needs the one before it, which was left out; the second begins the layer.
        let frames: Vec<_> = DESCRIPTORS[5..].iter().chain(&DESCRIPTORS[1..4]).copied().collect();
        assert_eq!(
            run(&mut slot, 10, &frames).iter().map(|(_, frame)| *frame).collect::<Vec<_>>(),
            [18, 18, 6, 6, 8, 8]
        );
    }

    #[test]
    fn med_27_who_knows_no_descriptors_gets_every_frame() {
        let mut slot = Slot::new("0".into(), Medium::Video, false);
        slot.fill(Some(narrow(0)));
        let mut structure = None;
        for (sequence, packet) in DESCRIPTORS.iter().flat_map(|hex| frame(&mut structure, 0, hex)).enumerate()
        {
            let packet = Packet { sequence: sequence as u64, ..packet };
            let rewritten = slot.rewrite(Instant::now(), (TrackId(1), BASE, Codec::Vp8), &packet);
            assert_eq!(rewritten.map(|r| (r.sequence, r.number)), Some((sequence as u64 + 1, None)));
        }
    }

    #[test]
    fn med_28_frame_numbers_go_on_when_a_slot_changes_what_it_carries() {
        let mut slot = Slot::new("0".into(), Medium::Video, true);
        slot.fill(Some(narrow(3)));
        run(&mut slot, 1, &DESCRIPTORS);
        let now = Instant::now();
        let mut structure = None;
        let mut give = |slot: &mut Slot, layer, sequence, hex| {
            let packet = frame(&mut structure, sequence, hex).remove(0);
            slot.rewrite(now, (TrackId(2), layer, Codec::Vp8), &packet)
                .map(|r| (r.sequence, r.number, r.began))
        };
        slot.fill(Some(filling(2, UPPER)));
        assert_eq!(give(&mut slot, UPPER, 5, DESCRIPTORS[0]), Some((18, Some(19), true)));
        assert_eq!(
            give(&mut slot, UPPER, 6, DESCRIPTORS[1]),
            Some((19, Some(22), false)),
            "three later, as it came"
        );
        slot.fill(Some(filling(2, BASE)));
        assert_eq!(give(&mut slot, BASE, 900, DESCRIPTORS[0]), Some((20, Some(23), true)));
    }

    #[test]
    fn med_29_where_it_can_be_read_the_descriptor_says_what_a_key_frame_is() {
        let mut slot = Slot::new("0".into(), Medium::Video, true);
        slot.fill(Some(narrow(3)));
        let give = |slot: &mut Slot, packet: &Packet| {
            slot.rewrite(Instant::now(), (TrackId(1), BASE, Codec::Vp8), packet).is_some()
        };
        let mut structure = None;
        let key = frame(&mut structure, 9, DESCRIPTORS[0]).remove(0);
        let delta = frame(&mut structure, 8, DESCRIPTORS[1]).remove(0);
        assert!(
            !give(&mut slot, &Packet { payload: KEY.into(), ..delta }),
            "whatever the payload seems to be"
        );
        assert!(give(&mut slot, &key));
    }

    #[test]
    fn sound_starts_with_any_packet() {
        let mut slot = Slot::new("0".into(), Medium::Audio, true);
        slot.fill(Some(filling(1, BASE)));
        let rewritten = slot.rewrite(Instant::now(), (TrackId(1), BASE, Codec::Opus), &packet(3, 9, &[1]));
        assert_eq!(rewritten, Some(Rewritten { sequence: 1, timestamp: 9, number: None, began: true }));
    }
}
