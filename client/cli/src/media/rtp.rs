//! Sealed frames in RTP payloads, and back: VP8 by RFC 7741, Opus one frame to a packet by RFC 7587.
//!
//! The bytes are opaque but for where a frame starts and ends; a frame that lost a packet is dropped and counted.

use std::collections::BTreeMap;

use super::Kind;

/// The largest payload, descriptor included; with all headers it fits the relay links' datagrams.
pub const LARGEST_PAYLOAD: usize = 1_160;
/// X and I set, then a picture id of 15 bits.
const DESCRIPTOR: usize = 4;
/// How many packets may wait for missing ones.
const WAITING: u64 = 1_024;

/// One packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The RTP payload.
    pub payload: Vec<u8>,
    /// The RTP marker: the frame's last packet.
    pub marker: bool,
}

/// Cuts frames into packets.
#[derive(Debug)]
pub struct Packetizer {
    kind: Kind,
    picture_id: u16,
}

impl Packetizer {
    /// For one stream.
    pub const fn new(kind: Kind) -> Self {
        Self { kind, picture_id: 0 }
    }

    /// The packets of the next frame.
    pub fn packetize(&mut self, frame: &[u8]) -> Vec<Part> {
        match self.kind {
            Kind::Audio => vec![Part { payload: frame.to_vec(), marker: false }],
            Kind::Video => self.packetize_vp8(frame),
        }
    }

    fn packetize_vp8(&mut self, frame: &[u8]) -> Vec<Part> {
        let count = frame.len().div_ceil(LARGEST_PAYLOAD - DESCRIPTOR).max(1);
        let id = self.picture_id.to_be_bytes();
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        let mut parts: Vec<Part> = frame
            .chunks(frame.len().div_ceil(count).max(1))
            .enumerate()
            .map(|(index, chunk)| {
                let start = if index == 0 { 0x10 } else { 0 };
                let mut payload = Vec::with_capacity(DESCRIPTOR + chunk.len());
                payload.extend_from_slice(&[0x80 | start, 0x80, 0x80 | id[0], id[1]]);
                payload.extend_from_slice(chunk);
                Part { payload, marker: false }
            })
            .collect();
        if let Some(last) = parts.last_mut() {
            last.marker = true;
        }
        parts
    }
}

/// A frame, whole again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// Its RTP time, extended.
    pub ticks: u64,
    /// Its bytes, still sealed.
    pub data: Vec<u8>,
}

#[derive(Debug)]
struct Held {
    ticks: u64,
    starts: bool,
    marker: bool,
    bytes: Vec<u8>,
}

/// Puts the frames of one receive slot together again.
#[derive(Debug)]
pub struct Assembler {
    kind: Kind,
    held: BTreeMap<u64, Held>,
    newest: u64,
    incomplete: u64,
}

impl Assembler {
    /// For one stream.
    pub const fn new(kind: Kind) -> Self {
        Self { kind, held: BTreeMap::new(), newest: 0, incomplete: 0 }
    }

    /// Another RTP stream begins in this place.
    pub fn restart(&mut self) {
        self.held.clear();
        self.newest = 0;
    }

    /// How many frames were given up because a packet of theirs never came.
    pub const fn incomplete(&self) -> u64 {
        self.incomplete
    }

    /// Takes a packet, in any order; gives the frame that it completes.
    pub fn push(&mut self, sequence: u64, ticks: u64, marker: bool, payload: &[u8]) -> Option<Assembled> {
        if self.kind == Kind::Audio {
            return (!payload.is_empty()).then(|| Assembled { ticks, data: payload.to_vec() });
        }
        let (starts, rest) = vp8(payload)?;
        if sequence + WAITING <= self.newest {
            return None;
        }
        self.held.insert(sequence, Held { ticks, starts, marker, bytes: rest.to_vec() });
        self.newest = self.newest.max(sequence);
        let frame = self.complete(sequence);
        self.give_up_old();
        frame
    }

    fn complete(&mut self, sequence: u64) -> Option<Assembled> {
        let ticks = self.held.get(&sequence)?.ticks;
        let mut first = sequence;
        while !self.held.get(&first).filter(|held| held.ticks == ticks)?.starts {
            first = first.checked_sub(1)?;
        }
        let mut last = sequence;
        while !self.held.get(&last).filter(|held| held.ticks == ticks)?.marker {
            last += 1;
        }
        let data =
            (first..=last).filter_map(|at| self.held.remove(&at)).flat_map(|held| held.bytes).collect();
        Some(Assembled { ticks, data })
    }

    fn give_up_old(&mut self) {
        let mut last_ticks = None;
        while let Some(entry) = self.held.first_entry() {
            if entry.key() + WAITING > self.newest {
                break;
            }
            let held = entry.remove();
            if last_ticks.replace(held.ticks) != Some(held.ticks) {
                let goes_on = self.held.values().next().is_some_and(|next| next.ticks == held.ticks);
                self.incomplete += u64::from(!goes_on);
            }
        }
    }
}

/// RFC 7741 §4.2: whether a frame starts here, and the bytes after the descriptor.
fn vp8(payload: &[u8]) -> Option<(bool, &[u8])> {
    let (&first, mut rest) = payload.split_first()?;
    if first & 0x80 != 0 {
        let (&extension, after) = rest.split_first()?;
        rest = after;
        if extension & 0x80 != 0 {
            rest = rest.get(if rest.first()? & 0x80 != 0 { 2 } else { 1 }..)?;
        }
        if extension & 0x40 != 0 {
            rest = rest.get(1..)?;
        }
        if extension & 0x30 != 0 {
            rest = rest.get(1..)?;
        }
    }
    (!rest.is_empty()).then_some((first & 0x17 == 0x10, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, seed: u8) -> Vec<u8> {
        (0..=u8::MAX).cycle().take(length).map(|i| i.wrapping_mul(31).wrapping_add(seed)).collect()
    }

    #[test]
    fn frames_of_every_size_survive_the_packets() {
        let (mut cut, mut join) = (Packetizer::new(Kind::Video), Assembler::new(Kind::Video));
        let mut sequence = 0;
        for (index, length) in [1, 3, 1_155, 1_156, 1_157, 2_312, 2_313, 40_000].into_iter().enumerate() {
            let sent = frame(length, u8::try_from(index).unwrap());
            let parts = cut.packetize(&sent);
            assert_eq!(parts.len(), length.div_ceil(1_156));
            let mut got = None;
            for part in &parts {
                assert!(part.payload.len() <= LARGEST_PAYLOAD);
                assert!(got.is_none());
                got = join.push(sequence, index as u64, part.marker, &part.payload);
                sequence += 1;
            }
            assert_eq!(got, Some(Assembled { ticks: index as u64, data: sent }));
        }
        assert_eq!(join.incomplete(), 0);
    }

    #[test]
    fn the_order_of_arrival_does_not_matter() {
        let mut cut = Packetizer::new(Kind::Video);
        let frames: Vec<_> = (0..20).map(|i| frame(5_000, i)).collect();
        let mut packets = Vec::new();
        for (ticks, frame) in frames.iter().enumerate() {
            packets.extend(cut.packetize(frame).into_iter().map(|part| (ticks as u64, part)));
        }
        let mut numbered: Vec<_> = packets.into_iter().enumerate().collect();
        numbered.reverse();
        let mut join = Assembler::new(Kind::Video);
        let mut got: Vec<_> = numbered
            .into_iter()
            .filter_map(|(n, (ticks, part))| join.push(n as u64, ticks, part.marker, &part.payload))
            .collect();
        got.reverse();
        assert!(got.iter().map(|assembled| &assembled.data).eq(&frames));
    }

    #[test]
    fn a_frame_that_lost_a_packet_is_dropped_and_counted_and_the_next_ones_come() {
        let (mut cut, mut join) = (Packetizer::new(Kind::Video), Assembler::new(Kind::Video));
        let (mut sequence, mut whole) = (0, 0);
        for ticks in 0..600 {
            for (index, part) in cut.packetize(&frame(5_000, 1)).into_iter().enumerate() {
                let lost = ticks % 10 == 3 && index == 2;
                if !lost && join.push(sequence, ticks, part.marker, &part.payload).is_some() {
                    whole += 1;
                }
                sequence += 1;
            }
        }
        assert_eq!(whole, 540);
        // Those within the last 1,024 packets may still be completed.
        assert!((38..=40).contains(&join.incomplete()), "{}", join.incomplete());
    }

    #[test]
    fn descriptors_that_others_write_are_understood() {
        assert_eq!(vp8(&[0x10, 7]), Some((true, &[7][..])));
        assert_eq!(vp8(&[0x00, 7]), Some((false, &[7][..])));
        assert_eq!(vp8(&[0x11, 7]), Some((false, &[7][..])));
        assert_eq!(vp8(&[0x90, 0xf0, 0x85, 1, 2, 3, 7]), Some((true, &[7][..])));
        assert_eq!(vp8(&[0x90, 0x80, 0x05, 7]), Some((true, &[7][..])));
        for bad in [&[][..], &[0x10], &[0x90], &[0x90, 0x80], &[0x90, 0x80, 0x80, 1], &[0x90, 0xf0, 1, 2, 3]]
        {
            assert_eq!(vp8(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn no_packet_makes_it_panic() {
        let mut join = Assembler::new(Kind::Video);
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let bytes = state.to_be_bytes();
            let _ =
                join.push(state >> 50, state >> 60, bytes[0] & 1 == 1, &bytes[..usize::from(bytes[1] & 7)]);
        }
        assert!(join.held.len() as u64 <= WAITING);
    }
}
