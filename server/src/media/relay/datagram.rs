//! What a relay datagram holds: the few fields of an RTP packet that the other side cannot know, then the sealed payload.
//!
//! ```text
//! u32 stream | u16 sequence | u32 timestamp | u8 flags | [u8 level] | [u8 length, dependency descriptor] | [u8 fragment] | payload
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use conclave_core::limits::{DEPENDENCIES_BYTES, RELAY_FRAGMENTS};

use crate::media::{descriptor::Descriptor, packet::Packet};

/// The RTP marker.
const MARKER: u8 = 0x01;
/// A byte with the audio level follows: voice in the highest bit, level in the others (RFC 6464).
const LEVEL: u8 = 0x02;
/// One byte length and that many bytes of dependency descriptor follow.
const DESCRIPTOR: u8 = 0x04;
/// A byte with the fragment's place follows: the last one has the highest bit.
const FRAGMENT: u8 = 0x08;
/// The highest bit of a fragment's place.
const LAST: u8 = 0x80;
/// Bytes before the payload at most, without a dependency descriptor.
const HEADER_BYTES: usize = 13;

/// One datagram, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::media) struct Datagram {
    pub(in crate::media) stream: u32,
    pub(in crate::media) sequence: u16,
    pub(in crate::media) timestamp: u32,
    pub(in crate::media) marker: bool,
    pub(in crate::media) level: Option<(i8, bool)>,
    pub(in crate::media) descriptor: Option<Descriptor>,
    /// Its place among the payload's fragments, and whether it is the last; `None` if it is whole.
    pub(in crate::media) fragment: Option<(u8, bool)>,
    pub(in crate::media) payload: Bytes,
}

/// Writes a packet as one datagram, or as several if it is larger than `largest` (spec: MED-22).
pub(in crate::media) fn write(
    stream: u32,
    packet: &Packet,
    largest: usize,
    mut send: impl FnMut(Bytes),
) -> bool {
    let header =
        HEADER_BYTES + packet.descriptor.as_ref().map_or(0, |descriptor| 1 + descriptor.bytes().len());
    if header + packet.payload.len() <= largest {
        send(write_one(stream, packet, None, &packet.payload));
        return true;
    }
    let room = largest.saturating_sub(header);
    if room == 0 || packet.payload.len().div_ceil(room) > RELAY_FRAGMENTS {
        return false;
    }
    let count = packet.payload.len().div_ceil(room);
    for (place, part) in (0_u8..).zip(packet.payload.chunks(room)) {
        let last = if usize::from(place) + 1 == count { LAST } else { 0 };
        send(write_one(stream, packet, Some(place | last), part));
    }
    true
}

fn write_one(stream: u32, packet: &Packet, fragment: Option<u8>, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER_BYTES + 1 + DEPENDENCIES_BYTES + payload.len());
    out.put_u32(stream);
    #[allow(clippy::cast_possible_truncation)] // The other side extends it again.
    out.put_u16(packet.sequence as u16);
    out.put_u32(packet.timestamp);
    let mut flags = if packet.marker { MARKER } else { 0 };
    flags |= if packet.level.is_some() { LEVEL } else { 0 };
    flags |= if packet.descriptor.is_some() { DESCRIPTOR } else { 0 };
    flags |= if fragment.is_some() { FRAGMENT } else { 0 };
    out.put_u8(flags);
    if let Some((level, voice)) = packet.level {
        out.put_u8(level.unsigned_abs().min(127) | if voice { 0x80 } else { 0 });
    }
    if let Some(descriptor) = &packet.descriptor {
        let bytes = descriptor.bytes();
        #[allow(clippy::cast_possible_truncation)] // At most `DEPENDENCIES_BYTES`.
        out.put_u8(bytes.len() as u8);
        out.put_slice(bytes);
    }
    if let Some(fragment) = fragment {
        out.put_u8(fragment);
    }
    out.put_slice(payload);
    out.freeze()
}

/// The stream that a datagram belongs to.
pub(super) fn stream(datagram: &[u8]) -> Option<u32> {
    datagram.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Reads a datagram; `None` if it is not of its form.
pub(in crate::media) fn read(datagram: &Bytes) -> Option<Datagram> {
    let (head, mut rest) = datagram.split_first_chunk::<11>()?;
    let [s0, s1, s2, s3, q0, q1, t0, t1, t2, t3, flags] = *head;
    let mut take = |length: usize| {
        let (field, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(field)
    };
    let level = take(usize::from(flags & LEVEL != 0))?.first();
    let length = take(usize::from(flags & DESCRIPTOR != 0))?.first();
    let descriptor = take(length.copied().map_or(0, usize::from))?;
    let fragment = take(usize::from(flags & FRAGMENT != 0))?.first();
    Some(Datagram {
        stream: u32::from_be_bytes([s0, s1, s2, s3]),
        sequence: u16::from_be_bytes([q0, q1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        marker: flags & MARKER != 0,
        level: level.map(|byte| (-i8::try_from(byte & 0x7f).unwrap_or(127), byte & 0x80 != 0)),
        descriptor: Descriptor::new(descriptor),
        fragment: fragment.map(|byte| (byte & !LAST, byte & LAST != 0)),
        payload: datagram.slice(datagram.len() - rest.len()..),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(length: usize, level: Option<(i8, bool)>) -> Packet {
        let payload = (0..length).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect();
        let descriptor = Descriptor::new(&[0xc3, 0, 6, 0x12, 0x60]).filter(|_| level.is_some());
        Packet { sequence: 0x1_0002, timestamp: 7, marker: true, level, descriptor, described: None, payload }
    }

    fn written(packet: &Packet, largest: usize) -> Vec<Bytes> {
        let mut out = Vec::new();
        assert!(write(9, packet, largest, |datagram| out.push(datagram)));
        out
    }

    #[test]
    fn med_22_datagrams_survive_their_form() {
        for level in [None, Some((-30, true)), Some((-127, false))] {
            let packet = packet(1_100, level);
            let datagrams = written(&packet, 1_200);
            assert_eq!(datagrams.len(), 1);
            let found = read(&datagrams[0]);
            let expected = Datagram {
                stream: 9,
                sequence: 2,
                timestamp: 7,
                marker: true,
                level,
                descriptor: packet.descriptor.clone(),
                fragment: None,
                payload: packet.payload.to_vec().into(),
            };
            assert_eq!(found, Some(expected));
        }
    }

    #[test]
    fn med_22_large_payloads_travel_in_fragments() {
        let packet = packet(1_166, None);
        let datagrams = written(&packet, 600);
        assert_eq!(datagrams.len(), 2);
        assert!(datagrams.iter().all(|datagram| datagram.len() <= 600));
        let parts: Vec<_> = datagrams.iter().filter_map(read).collect();
        assert_eq!(
            parts.iter().map(|part| part.fragment).collect::<Vec<_>>(),
            [Some((0, false)), Some((1, true))]
        );
        let whole: Vec<u8> = parts.iter().flat_map(|part| part.payload.to_vec()).collect();
        assert_eq!(whole, packet.payload.to_vec());
        assert!(!write(9, &packet, 100, |_| ()), "too many fragments");
    }

    #[test]
    fn short_datagrams_are_refused() {
        let whole = written(&packet(5, Some((-1, false))), 1_200).remove(0);
        for length in 0..18 {
            assert_eq!(read(&whole.slice(..length)), None, "{length} bytes");
        }
        assert!(read(&whole.slice(..18)).is_some_and(|datagram| datagram.payload.is_empty()));
    }
}
