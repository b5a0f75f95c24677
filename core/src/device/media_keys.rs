//! Media keys on their way to another part of the same device, such as a browser's frame worker.

use prost::Message;
use zeroize::Zeroizing;

use super::event::{MediaKeys, Secret};
use crate::{
    identity::address::DeviceUri,
    ids::{Epoch, LeafIndex},
    media::frame::EpochKeys,
};

/// The form in which they travel.
#[derive(Clone, PartialEq, Message)]
struct Travelling {
    #[prost(uint64, tag = "1")]
    epoch: u64,
    #[prost(bytes = "vec", tag = "2")]
    base_key: Vec<u8>,
    #[prost(uint32, tag = "3")]
    own_leaf: u32,
    #[prost(message, repeated, tag = "4")]
    roster: Vec<Leaf>,
    #[prost(bool, tag = "5")]
    at_once: bool,
    #[prost(uint32, repeated, tag = "6")]
    removed: Vec<u32>,
}

/// One member.
#[derive(Clone, PartialEq, Message)]
struct Leaf {
    #[prost(uint32, tag = "1")]
    leaf: u32,
    #[prost(string, tag = "2")]
    device: String,
}

impl MediaKeys {
    /// As bytes; whoever passes them on seals them.
    pub fn to_secret(&self) -> Secret {
        let roster =
            self.keys.roster().map(|(leaf, device)| Leaf { leaf: leaf.0, device: device.to_string() });
        let mut travelling = Travelling {
            epoch: self.keys.epoch().0,
            base_key: self.keys.base_key().to_vec(),
            own_leaf: self.keys.own_leaf().0,
            roster: roster.collect(),
            at_once: self.at_once,
            removed: self.removed.iter().map(|leaf| leaf.0).collect(),
        };
        let secret = Zeroizing::new(travelling.encode_to_vec());
        zeroize::Zeroize::zeroize(&mut travelling.base_key);
        secret
    }

    /// From such bytes.
    pub fn from_secret(bytes: &[u8]) -> Option<Self> {
        let travelling = Travelling::decode(bytes).ok()?;
        let base_key = Zeroizing::new(travelling.base_key);
        let roster = travelling.roster.iter();
        let roster = roster.map(|leaf| Some((LeafIndex(leaf.leaf), DeviceUri::parse(&leaf.device).ok()?)));
        let roster: Vec<_> = roster.collect::<Option<_>>()?;
        let (epoch, own_leaf) = (Epoch(travelling.epoch), LeafIndex(travelling.own_leaf));
        Some(Self {
            keys: EpochKeys::new(epoch, base_key.as_slice().try_into().ok()?, own_leaf, roster),
            at_once: travelling.at_once,
            removed: travelling.removed.into_iter().map(LeafIndex).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;
    use crate::{
        ids::TrackNumber,
        media::{
            Layer, Opener, Sealer, TrackLayer,
            track::{Codec, Kind},
        },
        time::Time,
    };

    #[test]
    fn keys_that_travelled_open_what_the_others_sealed() {
        let name =
            |n: u32| DeviceUri::parse(&format!("conclave://n.example/u/a/d/000000000000000{n}")).unwrap();
        let roster = || (0..2).map(|n| (LeafIndex(n), name(n)));
        let keys = |own| EpochKeys::new(Epoch(3), [7; 16], LeafIndex(own), roster());
        let sent = MediaKeys { keys: keys(1), at_once: true, removed: vec![LeafIndex(5)] };
        let come = MediaKeys::from_secret(&sent.to_secret()).unwrap();
        assert_eq!((come.at_once, come.removed), (true, vec![LeafIndex(5)]));
        let track =
            TrackLayer { number: TrackNumber(1), kind: Kind::Audio, codec: Codec::Opus, layer: Layer::BASE };
        let (mut sealer, mut opener, mut frame) = (Sealer::new(), Opener::new(), Vec::new());
        sealer.enter(keys(0), Time::from_ms(1), true);
        opener.enter(come.keys, Time::from_ms(1), &[]);
        sealer.seal(Time::from_ms(1), track, b"hello", &mut frame).unwrap();
        let shown = opener.open(Time::from_ms(1), Codec::Opus, &frame).unwrap();
        assert_eq!((shown.frame.as_slice(), shown.device.as_ref()), (b"hello".as_slice(), &name(0)));
        assert!(MediaKeys::from_secret(b"x").is_none());
    }
}
