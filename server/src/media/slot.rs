//! A receiving place of a client: one RTP stream that carries one track after another.

use std::time::{Duration, Instant};

use conclave_core::media::{
    Codec, Layer, Medium, clear_bytes,
    payload::{Part, part},
    router::{Filling, TrackId},
};
use str0m::media::Mid;

use super::packet::Packet;

/// One recvonly section of the client's offer.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) mid: Mid,
    pub(super) medium: Medium,
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
}

/// A packet's place in the outgoing stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) sequence: u64,
    pub(super) timestamp: u32,
    /// It is the first of what the slot now carries.
    pub(super) began: bool,
}

#[derive(Debug)]
struct Sent {
    sequence: u64,
    timestamp: u32,
    at: Instant,
}

impl Slot {
    /// Empty.
    pub(super) const fn new(mid: Mid, medium: Medium) -> Self {
        Self { mid, medium, filling: None, base: None, last: None }
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
        if began {
            let can_begin = self.medium == Medium::Audio || starts_key_frame(codec, &packet.payload);
            if !can_begin || self.wanted() != Some((track, layer)) {
                return None;
            }
            self.base = Some((track, layer, self.start(now, codec, packet)));
        }
        let (_, _, base) = self.base.as_ref()?;
        // What was sent before the filling began cannot be placed.
        let ahead = packet.sequence.checked_sub(base.sequence_in)?;
        let sequence = base.sequence_out + ahead;
        let timestamp = base.timestamp_out.wrapping_add(packet.timestamp.wrapping_sub(base.timestamp_in));
        if self.last.as_ref().is_none_or(|last| last.sequence < sequence) {
            self.last = Some(Sent { sequence, timestamp, at: now });
        }
        Some(Rewritten { sequence, timestamp, began })
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
        Base { sequence_in: packet.sequence, sequence_out, timestamp_in: packet.timestamp, timestamp_out }
    }
}

/// Whether a payload begins a frame that needs no other.
fn starts_key_frame(codec: Codec, payload: &[u8]) -> bool {
    matches!(part(codec, payload), Some(Part::Start(frame)) if clear_bytes::is_key_frame(codec, frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = &[0x10, 0x00, 1, 2];
    const DELTA: &[u8] = &[0x10, 0x01, 1, 2];

    fn packet(sequence: u64, timestamp: u32, payload: &[u8]) -> Packet {
        Packet { sequence, timestamp, marker: true, level: None, payload: payload.into() }
    }

    const BASE: Layer = Layer::BASE;
    const UPPER: Layer = match Layer::new(1) {
        Some(layer) => layer,
        None => BASE,
    };

    fn filling(track: u32, layer: Layer) -> Filling {
        Filling { track: TrackId(track), layer: Some(layer) }
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
        let mut slot = Slot::new("0".into(), Medium::Video);
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
        let mut slot = Slot::new("0".into(), Medium::Video);
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
        slot.fill(Some(Filling { track: TrackId(1), layer: None }));
        assert!(slot.waits_for_key_frame().is_none());
        assert_eq!(give(&mut slot, now, upper, &packet(902, 6_070, KEY)), None);
        slot.fill(Some(filling(1, UPPER)));
        assert_eq!(give(&mut slot, now, upper, &packet(903, 9_070, DELTA)), None);
    }

    #[test]
    fn sound_starts_with_any_packet() {
        let mut slot = Slot::new("0".into(), Medium::Audio);
        slot.fill(Some(filling(1, BASE)));
        let rewritten = slot.rewrite(Instant::now(), (TrackId(1), BASE, Codec::Opus), &packet(3, 9, &[1]));
        assert_eq!(rewritten, Some(Rewritten { sequence: 1, timestamp: 9, began: true }));
    }
}
