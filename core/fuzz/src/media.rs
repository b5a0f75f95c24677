//! Sealed frames and RTP payloads.

use conclave_core::{
    identity::address::DeviceUri,
    ids::{Epoch, LeafIndex, TrackNumber},
    media::{
        clear_bytes, descriptor,
        frame::{EpochKeys, Opener, Sealer},
        kid::KeyId,
        payload,
        track::{Codec, Kind, Layer, TrackLayer},
    },
    time::Time,
};

use crate::{Target, Verdict};

/// The targets of this module.
pub const TARGETS: &[Target] = &[
    Target { name: "frames", run: frames, honest: honest_frames, authentic: true },
    Target { name: "dependencies", run: dependencies, honest: honest_dependencies, authentic: false },
    Target { name: "rtp_payloads", run: rtp_payloads, honest: honest_rtp_payloads, authentic: false },
];

const NOW: Time = Time::from_ms(1_000);

/// The same epoch as seen from one leaf.
fn keys(own_leaf: u32) -> EpochKeys {
    let device = |leaf: u32| {
        let uri = format!("conclave://north.example/u/user{leaf}/d/0000000000000000");
        (LeafIndex(leaf), DeviceUri::parse(&uri).expect("a device URI"))
    };
    EpochKeys::new(Epoch(3), [7; 16], LeafIndex(own_leaf), (0..3).map(device))
}

fn frames(input: &[u8]) -> Verdict {
    let mut accepted = false;
    for codec in [Codec::Opus, Codec::Vp8] {
        let mut opener = Opener::new();
        opener.enter(keys(1), NOW, &[]);
        accepted |= opener.open(NOW, codec, input).is_ok();
        if accepted {
            assert!(opener.open(NOW, codec, input).is_err(), "a replayed frame was opened");
            break;
        }
    }
    if accepted { Verdict::Accepted } else { Verdict::Refused }
}

fn honest_frames() -> Vec<Vec<u8>> {
    let mut sealer = Sealer::new();
    sealer.enter(keys(0), NOW, true);
    let mut seal = |kind, codec, frame: &[u8]| {
        let number = TrackNumber(if codec == Codec::Opus { 1 } else { 2 });
        let track = TrackLayer { number, kind, codec, layer: Layer::BASE };
        let mut out = Vec::new();
        sealer.seal(NOW, track, frame, &mut out).expect("an honest frame is sealed");
        out
    };
    vec![
        seal(Kind::Audio, Codec::Opus, &[0xfc, 1, 2, 3]),
        seal(Kind::Audio, Codec::Opus, &[0xfc; 160]),
        seal(Kind::Video, Codec::Vp8, &[0x10; 400]),
        seal(Kind::Screen, Codec::Vp8, &[0x11; 60]),
    ]
}

fn rtp_payloads(input: &[u8]) -> Verdict {
    let mut verdict = Verdict::Refused;
    for codec in [Codec::Opus, Codec::Vp8] {
        if let Some(payload::Part::Start(frame)) = payload::part(codec, input) {
            let clear = clear_bytes::length(codec, frame);
            let _ = clear_bytes::is_key_frame(codec, frame);
            if let (Some(_), Some(id)) = (clear, KeyId::peek(codec, frame)) {
                assert_eq!(KeyId::decode(id.encode()), Some(id), "a key id does not come back");
                verdict = Verdict::Accepted;
            }
        }
    }
    verdict
}

fn honest_rtp_payloads() -> Vec<Vec<u8>> {
    let descriptor = [0x90, 0x80, 0x05];
    honest_frames()
        .into_iter()
        .flat_map(|frame| [frame.clone(), [&descriptor[..], &frame].concat()])
        .collect()
}

/// What the first descriptor of a browser's key frame says, and one of a later frame.
const DESCRIPTORS: [&[u8]; 2] = [
    &[
        0x80, 0, 2, 0x80, 0x02, 0x04, 0x4e, 0xaa, 0xaf, 0x28, 0x60, 0x41, 0x4d, 0x34, 0x53, 0x8a, 0x09, 0x40,
        0x40, 0x9f, 0xc0, 0x59, 0xc0,
    ],
    &[0xc3, 0, 6, 0x12, 0x60],
];

/// A descriptor, alone and after an honest structure.
fn dependencies(input: &[u8]) -> Verdict {
    let mut alone = None;
    let first = descriptor::read(input, &mut alone);
    assert_eq!(first.is_some(), alone.is_some(), "a structure is known just if it was read");
    let mut known = None;
    descriptor::read(DESCRIPTORS[0], &mut known).expect("an honest descriptor is read");
    let before = known.clone();
    let second = descriptor::read(input, &mut known);
    assert!(second.is_some_and(|described| described.is_key) || known == before, "a structure was lost");
    if second.is_some() { Verdict::Accepted } else { Verdict::Refused }
}

fn honest_dependencies() -> Vec<Vec<u8>> {
    DESCRIPTORS.map(<[u8]>::to_vec).to_vec()
}
