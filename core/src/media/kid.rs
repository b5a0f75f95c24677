//! The SFrame key id: whose key, which track and layer, which epoch (RFC 9605 §5.2).

use crate::{
    ids::{Epoch, LeafIndex, TrackNumber},
    media::{
        clear_bytes,
        frame::header::Header,
        track::{Codec, Layer},
    },
};

/// Bits of the epoch.
const EPOCH_BITS: u32 = 8;
/// Bits of the leaf index.
const LEAF_BITS: u32 = 16;
/// Bits of the layer within the context.
const LAYER_BITS: u32 = 2;

/// A key id in its parts (spec: MED-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId {
    /// The track.
    pub track: TrackNumber,
    /// Its layer.
    pub layer: Layer,
    /// The sender's leaf; below 65,536.
    pub leaf: LeafIndex,
    /// The epoch's low eight bits.
    pub epoch: u8,
}

impl KeyId {
    /// From its parts; `None` if the leaf is too large for it.
    pub fn new(track: TrackNumber, layer: Layer, leaf: LeafIndex, epoch: Epoch) -> Option<Self> {
        (leaf.0 < 1 << LEAF_BITS).then_some(Self { track, layer, leaf, epoch: low(epoch) })
    }

    /// The number that stands in the header.
    pub fn encode(self) -> u64 {
        let context = u64::from(self.track.0) << LAYER_BITS | u64::from(self.layer.number());
        context << (LEAF_BITS + EPOCH_BITS) | u64::from(self.leaf.0) << EPOCH_BITS | u64::from(self.epoch)
    }

    /// The parts of a number from a header; `None` if it holds more than they can.
    pub fn decode(kid: u64) -> Option<Self> {
        let context = kid >> (LEAF_BITS + EPOCH_BITS);
        let leaf = u32::try_from(kid >> EPOCH_BITS & 0xffff).ok()?;
        Some(Self {
            track: TrackNumber(u32::try_from(context >> LAYER_BITS).ok()?),
            layer: Layer::from_bits(context),
            leaf: LeafIndex(leaf),
            epoch: u8::try_from(kid & 0xff).ok()?,
        })
    }

    /// Reads the key id from the beginning of a sealed frame, without any key: what an SFU checks.
    pub fn peek(codec: Codec, frame: &[u8]) -> Option<Self> {
        let rest = frame.get(clear_bytes::length(codec, frame)?..)?;
        Self::decode(Header::parse(rest)?.0.kid)
    }
}

/// The part of an epoch that stands in a key id.
pub(crate) fn low(epoch: Epoch) -> u8 {
    epoch.0.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    #[test]
    fn med_01_key_ids_hold_context_leaf_and_epoch() {
        let id =
            KeyId::new(TrackNumber(5), Layer::new(2).unwrap(), LeafIndex(0x0102), Epoch(0x1_0003)).unwrap();
        assert_eq!(id.encode(), 0x1601_0203);
        assert_eq!(KeyId::decode(id.encode()), Some(id));
        let largest =
            KeyId::new(TrackNumber(u32::MAX), Layer::new(3).unwrap(), LeafIndex(0xffff), Epoch(255)).unwrap();
        assert_eq!(KeyId::decode(largest.encode()), Some(largest));
        assert_eq!(KeyId::decode(u64::MAX), None);
        assert_eq!(KeyId::new(TrackNumber(1), Layer::BASE, LeafIndex(0x1_0000), Epoch(0)), None);
    }
}
