//! A receiving place of a client: one RTP stream that carries one track after another.

use std::time::{Duration, Instant};

use conclave_core::media::{
    Codec, Medium, clear_bytes,
    payload::{Part, part},
    router::Filling,
};
use str0m::media::Mid;

use super::packet::Packet;

/// One recvonly section of the client's offer.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) mid: Mid,
    pub(super) medium: Medium,
    pub(super) filling: Option<Filling>,
    /// Where the current filling's packets lie in the outgoing stream; `None` until its first packet.
    base: Option<Base>,
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
        self.base = None;
    }

    /// Whether nothing can be sent before a key frame comes.
    pub(super) fn waits_for_key_frame(&self) -> bool {
        self.medium == Medium::Video && self.filling.is_some() && self.base.is_none()
    }

    /// Sequence number and timestamp of a packet in the outgoing stream; `None` if it is not to be sent (spec: MED-16).
    pub(super) fn rewrite(&mut self, now: Instant, codec: Codec, packet: &Packet) -> Option<(u64, u32)> {
        if self.base.is_none() {
            if self.medium == Medium::Video && !starts_key_frame(codec, &packet.payload) {
                return None;
            }
            self.base = Some(self.start(now, codec, packet));
        }
        let base = self.base.as_ref()?;
        // What was sent before the filling began cannot be placed.
        let ahead = packet.sequence.checked_sub(base.sequence_in)?;
        let sequence = base.sequence_out + ahead;
        let timestamp = base.timestamp_out.wrapping_add(packet.timestamp.wrapping_sub(base.timestamp_in));
        if self.last.as_ref().is_none_or(|last| last.sequence < sequence) {
            self.last = Some(Sent { sequence, timestamp, at: now });
        }
        Some((sequence, timestamp))
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
    use conclave_core::media::{Layer, router::TrackId};

    use super::*;

    const KEY: &[u8] = &[0x10, 0x00, 1, 2];
    const DELTA: &[u8] = &[0x10, 0x01, 1, 2];

    fn packet(sequence: u64, timestamp: u32, payload: &[u8]) -> Packet {
        Packet { sequence, timestamp, marker: true, level: None, payload: payload.into() }
    }

    fn filling(track: u32) -> Filling {
        Filling { track: TrackId(track), layer: Layer::BASE }
    }

    #[test]
    fn med_16_a_slot_is_one_stream_and_starts_with_a_key_frame() {
        let start = Instant::now();
        let mut slot = Slot::new("0".into(), Medium::Video);
        slot.fill(Some(filling(1)));
        assert!(slot.waits_for_key_frame());
        assert_eq!(slot.rewrite(start, Codec::Vp8, &packet(70_000, 5, DELTA)), None);
        assert_eq!(slot.rewrite(start, Codec::Vp8, &packet(70_001, 90_005, KEY)), Some((1, 90_005)));
        assert!(!slot.waits_for_key_frame());
        assert_eq!(slot.rewrite(start, Codec::Vp8, &packet(70_003, 93_005, DELTA)), Some((3, 93_005)));
        assert_eq!(slot.rewrite(start, Codec::Vp8, &packet(70_002, 90_005, DELTA)), Some((2, 90_005)));
        assert_eq!(slot.rewrite(start, Codec::Vp8, &packet(70_000, 5, DELTA)), None, "before the beginning");

        slot.fill(Some(filling(2)));
        let later = start + Duration::from_secs(1);
        assert_eq!(slot.rewrite(later, Codec::Vp8, &packet(9, 7, DELTA)), None);
        assert_eq!(slot.rewrite(later, Codec::Vp8, &packet(10, 7, KEY)), Some((4, 183_005)));
        assert_eq!(slot.rewrite(later, Codec::Vp8, &packet(11, 3007, DELTA)), Some((5, 186_005)));
    }

    #[test]
    fn sound_starts_with_any_packet() {
        let mut slot = Slot::new("0".into(), Medium::Audio);
        slot.fill(Some(filling(1)));
        assert_eq!(slot.rewrite(Instant::now(), Codec::Opus, &packet(3, 9, &[1])), Some((1, 9)));
    }
}
