//! The dependency descriptor in RTP packets: str0m is told how to read and write it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_core::{
    limits::DEPENDENCIES_BYTES,
    media::descriptor::{LEAST_BYTES, Structure, URI, read},
};
use str0m::{
    Rtc,
    media::Mid,
    rtp::{Extension, ExtensionSerializer, ExtensionValues},
};

use super::packet::Packet;

/// The number under which it is known until an offer gives another.
pub(super) const ID: u8 = 12;
/// Bytes that are carried without an allocation; all but a few packets have fewer.
const SHORT: usize = 7;
/// Most bytes of an extension in the short form (RFC 8285).
const ONE_BYTE_FORM: usize = 16;

/// Least time between two requests for a structure.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often a structure is asked for: one that cannot be read does not become readable.
const ASKS: u8 = 3;

/// What the descriptors of one stream mean.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    structure: Option<Structure>,
    /// When the structure was asked for last, and how often it may be asked for again.
    asked: Option<(Instant, u8)>,
}

impl Meaning {
    /// Reads what a packet's descriptor says; whether a key frame must be asked for, so that it can be read.
    pub(super) fn read(&mut self, now: Instant, packet: &mut Packet) -> bool {
        let Some(own) = &packet.descriptor else { return false };
        packet.described = read(own.bytes(), &mut self.structure);
        if self.structure.is_some() {
            self.asked = None;
            return false;
        }
        let left = match self.asked {
            None => ASKS,
            Some((at, _)) if now.saturating_duration_since(at) < ASK_AGAIN => 0,
            Some((_, left)) => left,
        };
        if left > 0 {
            self.asked = Some((now, left - 1));
        }
        left > 0
    }
}

/// A descriptor as it came; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Descriptor {
    Short(u8, [u8; SHORT]),
    Long(Arc<[u8]>),
}

impl Descriptor {
    /// From its bytes; `None` if they are too few or too many.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        if !(LEAST_BYTES..=DEPENDENCIES_BYTES).contains(&bytes.len()) {
            return None;
        }
        let mut short = [0; SHORT];
        Some(match short.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Self::Short(u8::try_from(bytes.len()).ok()?, short)
            }
            None => Self::Long(bytes.into()),
        })
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }

    /// The same for a frame of another number.
    pub(super) fn renumbered(&self, number: u16) -> Self {
        let [high, low] = number.to_be_bytes();
        match self {
            Self::Short(length, [flags, _, _, rest @ ..]) => {
                let [r0, r1, r2, r3] = *rest;
                Self::Short(*length, [*flags, high, low, r0, r1, r2, r3])
            }
            Self::Long(bytes) if bytes.get(1..LEAST_BYTES) == Some(&[high, low]) => self.clone(),
            Self::Long(bytes) => {
                let head = bytes.iter().take(1).copied().chain([high, low]);
                Self::Long(head.chain(bytes.iter().skip(LEAST_BYTES).copied()).collect())
            }
        }
    }

    /// Out of the values of a packet.
    pub(super) fn of(values: &ExtensionValues) -> Option<Self> {
        match (values.frame_mark, values.tx_time_offs) {
            (Some(first), Some(second)) => {
                let [length, head @ ..] = first.to_be_bytes();
                let [b0, b1, b2] = head;
                let [b3, b4, b5, b6] = second.to_be_bytes();
                Some(Self::Short(length, [b0, b1, b2, b3, b4, b5, b6]))
            }
            _ => values.user_values.get_arc::<Self>().map(|long| (*long).clone()),
        }
    }

    /// Among the values of a packet. str0m's place for values of others costs a map for each packet; a short descriptor lies in
    /// the places of two extensions that this server never negotiates.
    pub(super) fn put(self, values: &mut ExtensionValues) {
        match self {
            Self::Short(length, [b0, b1, b2, b3, b4, b5, b6]) => {
                values.frame_mark = Some(u32::from_be_bytes([length, b0, b1, b2]));
                values.tx_time_offs = Some(u32::from_be_bytes([b3, b4, b5, b6]));
            }
            Self::Long(_) => values.user_values.set(self),
        }
    }
}

/// The extension, for str0m.
pub(super) fn extension() -> Extension {
    Extension::with_serializer(URI, Serializer)
}

/// Whether a section has it.
pub(super) fn is_negotiated(rtc: &Rtc, mid: Mid) -> bool {
    let extensions = rtc.media(mid).map(str0m::media::Media::remote_extmap);
    extensions.is_some_and(|map| map.iter().any(|(_, extension)| extension.as_uri() == URI))
}

#[derive(Debug)]
struct Serializer;

impl ExtensionSerializer for Serializer {
    fn write_to(&self, buffer: &mut [u8], values: &ExtensionValues) -> usize {
        let Some(descriptor) = Descriptor::of(values) else { return 0 };
        let bytes = descriptor.bytes();
        let Some(place) = buffer.get_mut(..bytes.len()) else { return 0 };
        place.copy_from_slice(bytes);
        bytes.len()
    }

    fn parse_value(&self, bytes: &[u8], values: &mut ExtensionValues) -> bool {
        let descriptor = Descriptor::new(bytes);
        let fits = descriptor.is_some();
        if let Some(descriptor) = descriptor {
            descriptor.put(values);
        }
        fits
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, values: &ExtensionValues) -> bool {
        Descriptor::of(values).is_some_and(|descriptor| descriptor.bytes().len() > ONE_BYTE_FORM)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    fn packet(hex: &str) -> Packet {
        let descriptor = Descriptor::new(&data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap());
        let (level, described, payload) = (None, None, [1].as_slice().into());
        Packet { sequence: 1, timestamp: 1, marker: true, level, descriptor, described, payload }
    }

    #[test]
    fn med_26_a_stream_whose_structure_is_not_known_needs_a_key_frame_a_few_times_at_most() {
        let (mut meaning, start) = (Meaning::default(), Instant::now());
        let mut read = |ms, hex| {
            let mut packet = packet(hex);
            let asks = meaning.read(start + Duration::from_millis(ms), &mut packet);
            (asks, packet.described.is_some())
        };
        let asked = (0..100).filter(|turn| read(turn * 100, "c500041220").0).count();
        assert_eq!(asked, 3, "not again and again: it may be one that cannot be read");
        assert_eq!(read(10_000, "c000018002044eaaaf2860414d34538a0940404fc02cc0"), (false, true));
        assert_eq!(read(10_100, "c500041220"), (false, true));
        let without = Packet { descriptor: None, ..packet("c500041220") };
        assert!(!Meaning::default().read(start, &mut without.clone()), "a stream without descriptors");
    }

    #[test]
    fn med_28_descriptors_of_any_size_pass_through_packets() {
        for length in 0..=255_u8 {
            let bytes: Vec<u8> = (0..length).collect();
            let mut values = ExtensionValues::default();
            let taken = Serializer.parse_value(&bytes, &mut values);
            assert_eq!(taken, (LEAST_BYTES..=DEPENDENCIES_BYTES).contains(&bytes.len()), "{length} bytes");
            if !taken {
                assert_eq!(Descriptor::of(&values), None);
                continue;
            }
            Descriptor::of(&values).unwrap().renumbered(0xa1b2).put(&mut values);
            let mut expected = bytes.clone();
            expected.splice(1..3, [0xa1, 0xb2]);
            let mut out = [0; 300];
            let written = Serializer.write_to(&mut out, &values);
            assert_eq!(out.get(..written), Some(expected.as_slice()));
            assert_eq!(Serializer.requires_two_byte_form(&values), written > ONE_BYTE_FORM);
        }
    }
}
