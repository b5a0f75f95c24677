//! What the sealer refuses to do and the opener refuses to believe.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.

use std::time::Duration;

use proptest::prelude::*;

use super::{EpochKeys, OpenError, Opener, SealError, Sealer};
use crate::{
    identity::address::DeviceUri,
    ids::{Epoch, LeafIndex, TrackNumber},
    media::track::{Codec, Kind, Layer, TrackLayer},
    time::Time,
};

const ALICE: LeafIndex = LeafIndex(0);
const BOB: LeafIndex = LeafIndex(1);
const VOICE: TrackLayer =
    TrackLayer { number: TrackNumber(1), kind: Kind::Audio, codec: Codec::Opus, layer: Layer::BASE };
const CAMERA: TrackLayer =
    TrackLayer { number: TrackNumber(2), kind: Kind::Video, codec: Codec::Vp8, layer: Layer::BASE };

fn at(ms: u64) -> Time {
    Time::from_ms(1_000_000 + ms)
}

fn keys(epoch: u64, own: LeafIndex) -> EpochKeys {
    let name = |n: u32| DeviceUri::parse(&format!("conclave://n.example/u/a/d/000000000000000{n}")).unwrap();
    let base_key = [u8::try_from(epoch % 251).unwrap(); 16];
    EpochKeys::new(Epoch(epoch), base_key, own, (0..3).map(|n| (LeafIndex(n), name(n))))
}

fn sealer(epoch: u64) -> Sealer {
    let mut sealer = Sealer::new();
    sealer.enter(keys(epoch, ALICE), at(0), true);
    sealer
}

fn opener(epoch: u64) -> Opener {
    let mut opener = Opener::new();
    opener.enter(keys(epoch, BOB), at(0), &[]);
    opener
}

fn seal(sealer: &mut Sealer, now: Time, track: TrackLayer, frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sealer.seal(now, track, frame, &mut out).unwrap();
    out
}

#[test]
fn med_05_nothing_is_sealed_without_keys() {
    let (mut sealer, mut out) = (Sealer::new(), vec![1, 2, 3]);
    assert_eq!(sealer.seal(at(0), VOICE, b"hello", &mut out), Err(SealError::NoKeys));
    assert!(out.is_empty());
    sealer.enter(keys(1, ALICE), at(0), false);
    assert_eq!(sealer.seal(at(0), VOICE, b"hello", &mut out), Ok(()));
    sealer.forget();
    assert_eq!(sealer.seal(at(0), VOICE, b"hello", &mut out), Err(SealError::NoKeys));
    assert!(out.is_empty());
}

#[test]
fn med_05_a_removal_ends_the_old_key_at_once_and_other_commits_within_a_second() {
    let mut sealer = sealer(1);
    sealer.enter(keys(2, ALICE), at(0), false);
    let mut old = opener(1);
    assert!(old.open(at(900), Codec::Opus, &seal(&mut sealer, at(900), VOICE, b"a")).is_ok());
    // A second commit within the overlap does not prolong it.
    sealer.enter(keys(3, ALICE), at(900), false);
    let mut newest = opener(3);
    assert!(newest.open(at(1000), Codec::Opus, &seal(&mut sealer, at(1000), VOICE, b"b")).is_ok());

    sealer.enter(keys(4, ALICE), at(2000), true);
    let frame = seal(&mut sealer, at(2000), VOICE, b"c");
    assert_eq!(newest.open(at(2000), Codec::Opus, &frame), Err(OpenError::WrongEpoch));
}

#[test]
fn med_06_c12_a_counter_never_repeats_under_a_key() {
    let mut sealer = sealer(1);
    let first = seal(&mut sealer, at(0), VOICE, b"same");
    // A reuse of the nonce is asked for: the same epoch is entered again, and after another.
    sealer.enter(keys(1, ALICE), at(0), true);
    let second = seal(&mut sealer, at(0), VOICE, b"same");
    sealer.enter(keys(2, ALICE), at(0), true);
    sealer.enter(keys(1, ALICE), at(0), true);
    let third = seal(&mut sealer, at(0), VOICE, b"same");
    let mut opener = opener(1);
    let counters =
        [first, second, third].map(|frame| opener.open(at(0), Codec::Opus, &frame).unwrap().counter);
    assert_eq!(counters, [0, 1, 2]);
}

#[test]
fn c12_replayed_frames_are_refused() {
    let (mut sealer, mut opener) = (sealer(1), opener(1));
    let frames: Vec<_> = (0..200).map(|_| seal(&mut sealer, at(0), VOICE, b"x")).collect();
    assert!(opener.open(at(0), Codec::Opus, &frames[1]).is_ok());
    assert!(opener.open(at(0), Codec::Opus, &frames[0]).is_ok(), "reordering is no replay");
    assert_eq!(opener.open(at(0), Codec::Opus, &frames[1]), Err(OpenError::Replayed));
    assert!(opener.open(at(0), Codec::Opus, &frames[199]).is_ok());
    assert_eq!(opener.open(at(0), Codec::Opus, &frames[2]), Err(OpenError::Replayed), "rewound");
    // A void epoch in between does not make the old frames new.
    opener.enter(keys(2, BOB), at(0), &[]);
    opener.enter(keys(1, BOB), at(0), &[]);
    assert_eq!(opener.open(at(0), Codec::Opus, &frames[199]), Err(OpenError::Replayed));
}

#[test]
fn med_07_what_was_seen_stays_seen_however_long_a_void_epoch_lasted() {
    let (mut sealer, mut opener) = (sealer(1), opener(1));
    let old = seal(&mut sealer, at(0), VOICE, b"x");
    assert!(opener.open(at(0), Codec::Opus, &old).is_ok());
    // Epochs 2 to 9 are void; the keys of epoch 1 were forgotten long since, twice.
    for again in [0, 60_000] {
        for epoch in 2..=9 {
            opener.enter(keys(epoch, BOB), at(again + epoch * 3_000), &[]);
        }
        let back = at(again + 40_000);
        opener.enter(keys(1, BOB), back, &[]);
        assert_eq!(opener.open(back, Codec::Opus, &old), Err(OpenError::Replayed));
        assert!(opener.open(back, Codec::Opus, &seal(&mut sealer, at(0), VOICE, b"y")).is_ok());
    }
}

#[test]
fn med_08_who_was_removed_by_a_void_commit_is_heard_again() {
    let (mut carol, mut opener) = (Sealer::new(), opener(1));
    carol.enter(keys(1, LeafIndex(2)), at(0), true);
    opener.enter(keys(2, BOB), at(0), &[LeafIndex(2)]);
    opener.enter(keys(1, BOB), at(500), &[]);
    assert!(opener.open(at(500), Codec::Opus, &seal(&mut carol, at(500), VOICE, b"x")).is_ok());
}

#[test]
fn med_08_the_old_epoch_is_heard_for_two_seconds_except_from_the_removed() {
    let (mut alice, mut carol, mut opener) = (sealer(1), Sealer::new(), opener(1));
    carol.enter(keys(1, LeafIndex(2)), at(0), true);
    opener.enter(keys(2, BOB), at(0), &[LeafIndex(2)]);
    assert!(opener.open(at(2000), Codec::Opus, &seal(&mut alice, at(0), VOICE, b"x")).is_ok());
    let removed = seal(&mut carol, at(0), VOICE, b"x");
    assert_eq!(opener.open(at(0), Codec::Opus, &removed), Err(OpenError::RemovedSender));
    let late = seal(&mut alice, at(0), VOICE, b"x");
    assert_eq!(opener.open(at(2001), Codec::Opus, &late), Err(OpenError::WrongEpoch));
    let mut ahead = sealer(3);
    let early = seal(&mut ahead, at(0), VOICE, b"x");
    assert_eq!(opener.open(at(0), Codec::Opus, &early), Err(OpenError::WrongEpoch));
}

#[test]
fn med_09_a_frame_is_what_its_sender_said_and_nothing_else() {
    let (mut sealer, mut opener) = (sealer(1), opener(1));
    let screen = TrackLayer { kind: Kind::Screen, ..CAMERA };
    let mut key_frame = vec![0x10; 50];
    key_frame[0] = 0;
    let frame = seal(&mut sealer, at(0), screen, &key_frame);
    assert_eq!(opener.open(at(0), Codec::Vp8, &frame).unwrap().track, screen);
    // The same key id cannot become a camera afterwards.
    let camera = seal(&mut sealer, at(0), CAMERA, &key_frame);
    assert_eq!(opener.open(at(0), Codec::Vp8, &camera), Err(OpenError::NotAuthentic));
    assert!(opener.open(at(0), Codec::Opus, &frame).is_err());
    let sound = TrackLayer { number: TrackNumber(3), kind: Kind::ScreenAudio, ..VOICE };
    let frame = seal(&mut sealer, at(0), sound, b"applause");
    assert_eq!(opener.open(at(0), Codec::Opus, &frame).unwrap().track, sound);
    let voice = seal(&mut sealer, at(0), TrackLayer { kind: Kind::Audio, ..sound }, b"a word");
    assert_eq!(opener.open(at(0), Codec::Opus, &voice), Err(OpenError::NotAuthentic));
    let mut out = Vec::new();
    assert_eq!(sealer.seal(at(0), screen, &[0; 5], &mut out), Err(SealError::TooShort));
}

#[test]
fn med_04_every_bit_is_authenticated() {
    let mut sealer = sealer(1);
    let key_frame = [0x50; 40];
    let frame = seal(&mut sealer, at(0), CAMERA, &key_frame);
    for bit in 0..frame.len() * 8 {
        let mut altered = frame.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(opener(1).open(at(0), Codec::Vp8, &altered).is_err(), "bit {bit}");
    }
    assert!(opener(1).open(at(0), Codec::Vp8, &frame).is_ok());
}

#[test]
fn own_frames_and_strangers_are_refused() {
    let frame = seal(&mut sealer(1), at(0), VOICE, b"x");
    let mut mirror = Opener::new();
    mirror.enter(keys(1, ALICE), at(0), &[]);
    assert_eq!(mirror.open(at(0), Codec::Opus, &frame), Err(OpenError::UnknownSender));
    let mut stranger = Sealer::new();
    stranger.enter(keys(1, LeafIndex(9)), at(0), true);
    let frame = seal(&mut stranger, at(0), VOICE, b"x");
    assert_eq!(opener(1).open(at(0), Codec::Opus, &frame), Err(OpenError::UnknownSender));
}

proptest! {
    #[test]
    fn c2_random_bytes_never_open_and_never_panic(bytes: Vec<u8>, vp8: bool) {
        let codec = if vp8 { Codec::Vp8 } else { Codec::Opus };
        prop_assert!(opener(1).open(at(0) + Duration::from_secs(1), codec, &bytes).is_err());
    }

    #[test]
    fn whatever_is_sealed_opens_to_the_same(frame in proptest::collection::vec(any::<u8>(), 10..3000)) {
        let opened = opener(1).open(at(0), Codec::Vp8, &seal(&mut sealer(1), at(0), CAMERA, &frame)).unwrap();
        prop_assert_eq!(opened.frame, frame);
    }
}
