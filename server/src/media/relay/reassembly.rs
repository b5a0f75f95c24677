//! Sequence numbers and payloads of one incoming stream, made whole again.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use conclave_core::limits::{RELAY_FRAGMENTS, RTP_PAYLOAD_BYTES};

use super::datagram::Datagram;
use crate::media::packet::Packet;

/// Most payloads that wait for fragments.
const WAITING: usize = 16;

/// What is known of one incoming stream.
#[derive(Debug, Default)]
pub(in crate::media) struct Incoming {
    highest: Option<u64>,
    waiting: VecDeque<(u64, Vec<Option<Bytes>>)>,
}

impl Incoming {
    /// Takes one datagram; gives the packet that it completes.
    pub(in crate::media) fn take(&mut self, datagram: Datagram) -> Option<Packet> {
        let sequence = self.extend(datagram.sequence);
        let Datagram { timestamp, marker, level, descriptor, payload, fragment, .. } = datagram;
        let payload: Arc<[u8]> = match fragment {
            None => Arc::from(payload.as_ref()),
            Some((place, last)) => self.put(sequence, place, last, payload)?,
        };
        let is_small = payload.len() <= RTP_PAYLOAD_BYTES; // MED-30
        is_small.then_some(Packet {
            sequence,
            timestamp,
            marker,
            level,
            descriptor,
            described: None,
            payload,
        })
    }

    /// Keeps a fragment; gives the payload once all are there.
    fn put(&mut self, sequence: u64, place: u8, last: bool, part: Bytes) -> Option<Arc<[u8]>> {
        let place = usize::from(place);
        if place >= RELAY_FRAGMENTS {
            return None;
        }
        let at = if let Some(at) = self.waiting.iter().position(|(known, _)| *known == sequence) {
            at
        } else {
            if self.waiting.len() == WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back((sequence, Vec::new()));
            self.waiting.len() - 1
        };
        let (_, parts) = self.waiting.get_mut(at)?;
        // The last fragment says how many there are; until it is there one more is missing.
        let needed = if last { place + 1 } else { place + 2 };
        if parts.len() < needed {
            parts.resize(needed, None);
        }
        *parts.get_mut(place)? = Some(part);
        if parts.iter().any(Option::is_none) {
            return None;
        }
        let (_, parts) = self.waiting.remove(at)?;
        Some(parts.into_iter().flatten().flatten().collect())
    }

    /// The extended sequence number nearest to the highest so far.
    fn extend(&mut self, sequence: u16) -> u64 {
        let highest = *self.highest.get_or_insert(0x1_0000 + u64::from(sequence));
        #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // The distance modulo 65,536.
        let distance = sequence.wrapping_sub(highest as u16) as i16;
        let extended = highest.saturating_add_signed(i64::from(distance));
        self.highest = Some(highest.max(extended));
        extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::relay::datagram::{read, write};

    fn packet(sequence: u64, payload: Arc<[u8]>) -> Packet {
        Packet {
            sequence,
            timestamp: 5,
            marker: false,
            level: None,
            descriptor: None,
            described: None,
            payload,
        }
    }

    #[test]
    fn med_30_no_payload_is_larger_than_a_packet() {
        for (length, is_taken) in [(RTP_PAYLOAD_BYTES, true), (RTP_PAYLOAD_BYTES + 1, false)] {
            let mut datagrams = Vec::new();
            assert!(write(1, &packet(1, vec![7; length].into()), 400, |datagram| datagrams.push(datagram)));
            let mut incoming = Incoming::default();
            let taken = datagrams.iter().filter_map(|datagram| incoming.take(read(datagram)?)).count();
            assert_eq!(taken == 1, is_taken, "{length} bytes");
        }
    }

    #[test]
    fn sequence_numbers_grow_over_the_wrap_and_come_late() {
        let mut incoming = Incoming::default();
        let extended: Vec<_> =
            [65_534, 65_535, 1, 0, 2, 65_533].into_iter().map(|n| incoming.extend(n)).collect();
        let first = extended[0];
        assert_eq!(
            extended,
            [0, 1, 3, 2, 4].map(|n| first + n).into_iter().chain([first - 1]).collect::<Vec<_>>()
        );
    }

    #[test]
    fn med_22_fragments_are_made_whole_in_any_order() {
        let payload: Arc<[u8]> = (0..=250).cycle().take(1_000).collect();
        let packet = |n| packet(n, payload.clone());
        let mut datagrams = Vec::new();
        for n in 1..4 {
            assert!(write(1, &packet(n), 400, |datagram| datagrams.push(datagram)));
        }
        assert_eq!(datagrams.len(), 9);
        datagrams.remove(4); // The second packet loses its middle.
        datagrams.reverse();
        let mut incoming = Incoming::default();
        let whole: Vec<_> = datagrams.iter().filter_map(|datagram| incoming.take(read(datagram)?)).collect();
        assert_eq!(whole.len(), 2);
        assert!(whole.iter().all(|packet| packet.payload == payload));
    }
}
