//! Three temporal layers, as a browser describes them: of four frames every second one is in the highest, one in the middle.

use conclave_core::media::{Temporal, descriptor};
use str0m::rtp::{Extension, ExtensionSerializer, ExtensionValues};

/// What follows the frame number in a key frame's descriptor; Chromium's.
const STRUCTURE: [u8; 20] = [
    0x80, 0x02, 0x04, 0x4e, 0xaa, 0xaf, 0x28, 0x60, 0x41, 0x4d, 0x34, 0x53, 0x8a, 0x09, 0x40, 0x40, 0x9f,
    0xc0, 0x59, 0xc0,
];

/// The descriptor of a frame in one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependencies(Vec<u8>);

impl Dependencies {
    /// Of a frame so many after its key frame, and the temporal layer that it is in.
    pub(crate) fn of(number: u16, after: u32) -> (Self, Temporal) {
        let (template, temporal) = match (after, after % 4) {
            (0, _) => (0, 0),
            (_, 0) => (1, 0),
            (_, 2) => (3, 1),
            _ => (5, 2),
        };
        let [high, low] = number.to_be_bytes();
        let structure: &[u8] = if after == 0 { &STRUCTURE } else { &[] };
        (Self([&[0xc0 | template, high, low], structure].concat()), Temporal::at_most(temporal))
    }

    /// The frame's number.
    pub(crate) fn number(&self) -> u16 {
        u16::from_be_bytes([self.0[1], self.0[2]])
    }
}

/// The extension, for str0m.
pub(crate) fn extension() -> Extension {
    Extension::with_serializer(descriptor::URI, Serializer)
}

#[derive(Debug)]
struct Serializer;

impl ExtensionSerializer for Serializer {
    fn write_to(&self, buffer: &mut [u8], values: &ExtensionValues) -> usize {
        let Some(Dependencies(bytes)) = values.user_values.get() else { return 0 };
        buffer[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    }

    fn parse_value(&self, bytes: &[u8], values: &mut ExtensionValues) -> bool {
        values.user_values.set(Dependencies(bytes.to_vec()));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, _: &ExtensionValues) -> bool {
        true
    }
}
