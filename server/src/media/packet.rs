//! A media packet between its arrival and its departures.

use std::sync::Arc;

use conclave_core::media::descriptor::Described;
use str0m::rtp::{ExtensionValues, RtpPacket};

use super::descriptor::Descriptor;

/// What of an RTP packet goes on; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Extended sequence number of its source.
    pub(super) sequence: u64,
    /// RTP timestamp of its source.
    pub(super) timestamp: u32,
    /// The last packet of a frame, or the first of a talk spurt.
    pub(super) marker: bool,
    /// RFC 6464: level in negative decibels, and whether it is a voice.
    pub(super) level: Option<(i8, bool)>,
    /// What says on which frames its own depends.
    pub(super) descriptor: Option<Descriptor>,
    /// The same, read; `None` if it cannot be.
    pub(super) described: Option<Described>,
    /// The sealed payload.
    pub(super) payload: Arc<[u8]>,
}

impl From<RtpPacket> for Packet {
    fn from(packet: RtpPacket) -> Self {
        let extensions = &packet.header.ext_vals;
        Self {
            sequence: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            level: extensions.audio_level.map(|level| (level, extensions.voice_activity.unwrap_or(false))),
            descriptor: Descriptor::of(extensions),
            described: None,
            payload: packet.payload,
        }
    }
}

impl Packet {
    /// The header extensions that go on, the descriptor with another frame number, if with any (spec: MED-28); all others belong
    /// to one connection.
    pub(super) fn extensions(&self, number: Option<u16>) -> ExtensionValues {
        let mut values = ExtensionValues {
            audio_level: self.level.map(|(level, _)| level),
            voice_activity: self.level.map(|(_, voice)| voice),
            ..ExtensionValues::default()
        };
        if let (Some(descriptor), Some(number)) = (&self.descriptor, number) {
            descriptor.renumbered(number).put(&mut values);
        }
        values
    }
}
