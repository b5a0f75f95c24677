//! The test vectors of RFC 9605 and of `spec/test-vectors/sframe.json`; the latter's frames come from another implementation.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.

use data_encoding::HEXLOWER;
use serde_json::Value;

use super::{EpochKeys, Opener, Sealer, cipher::Cipher, header::Header};
use crate::{
    identity::address::DeviceUri,
    ids::{Epoch, LeafIndex, TrackNumber},
    media::{
        kid::KeyId,
        track::{Codec, Kind, Layer, TrackLayer},
    },
    time::Time,
};

fn vectors(section: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../../../spec/test-vectors/sframe.json")).unwrap();
    all[section].as_array().unwrap().clone()
}

fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    HEXLOWER.decode(vector[field].as_str().unwrap().as_bytes()).unwrap()
}

fn number(vector: &Value, field: &str) -> u64 {
    vector[field].as_u64().unwrap()
}

fn small(vector: &Value, field: &str) -> u32 {
    u32::try_from(number(vector, field)).unwrap()
}

fn layer(vector: &Value) -> Layer {
    Layer::new(u8::try_from(number(vector, "layer")).unwrap()).unwrap()
}

#[test]
fn rfc_9605_headers_are_read_and_written() {
    for vector in vectors("headers") {
        let header = Header { kid: number(&vector, "kid"), ctr: number(&vector, "ctr") };
        let encoded = bytes(&vector, "encoded");
        let mut out = Vec::new();
        header.write(&mut out);
        assert_eq!(out, encoded);
        assert_eq!(Header::parse(&encoded), Some((header, encoded.len())));
        assert_eq!(Header::parse(&encoded[..encoded.len() - 1]), None);
    }
}

#[test]
fn rfc_9605_frame_is_sealed_and_opened() {
    for vector in vectors("rfc9605") {
        let (kid, ctr) = (number(&vector, "kid"), number(&vector, "ctr"));
        let cipher = Cipher::derive(&bytes(&vector, "base_key"), kid).unwrap();
        let mut aad = Vec::new();
        Header { kid, ctr }.write(&mut aad);
        let mut out = aad.clone();
        aad.extend(bytes(&vector, "metadata"));
        assert_eq!(aad, bytes(&vector, "aad"));
        let from = out.len();
        out.extend(bytes(&vector, "pt"));
        cipher.seal(ctr, &aad, &mut out, from).unwrap();
        assert_eq!(out, bytes(&vector, "ct"));

        let (text, tag) = out[from..].split_last_chunk().unwrap();
        let mut text = text.to_vec();
        assert!(cipher.open(ctr, &aad, &mut text, tag));
        assert_eq!(text, bytes(&vector, "pt"));
    }
}

#[test]
fn med_01_key_ids_match_the_vectors() {
    for vector in vectors("key_ids") {
        let id = KeyId::new(
            TrackNumber(small(&vector, "track")),
            layer(&vector),
            LeafIndex(small(&vector, "leaf")),
            Epoch(number(&vector, "epoch")),
        );
        assert_eq!(id.unwrap().encode(), number(&vector, "kid"));
    }
}

#[test]
fn med_04_frames_match_the_vectors() {
    for vector in vectors("frames") {
        let kind =
            [Kind::Audio, Kind::Video, Kind::Screen, Kind::ScreenAudio][small(&vector, "kind") as usize - 1];
        let codec = [Codec::Opus, Codec::Vp8][small(&vector, "codec") as usize - 1];
        let track =
            TrackLayer { number: TrackNumber(small(&vector, "track")), kind, codec, layer: layer(&vector) };
        let sender = DeviceUri::parse("conclave://north.example/u/alice/d/1a2b3c4d5e6f7a8b").unwrap();
        let leaf = LeafIndex(small(&vector, "leaf"));
        let base_key = bytes(&vector, "base_key").try_into().unwrap();
        let epoch = Epoch(number(&vector, "epoch"));
        let keys = |own| EpochKeys::new(epoch, base_key, own, [(leaf, sender.clone())]);
        let now = Time::from_ms(0);

        let (mut sealer, mut out) = (Sealer::new(), Vec::new());
        sealer.enter(keys(leaf), now, true);
        for _ in 0..=number(&vector, "counter") {
            sealer.seal(now, track, &bytes(&vector, "frame"), &mut out).unwrap();
        }
        assert_eq!(out, bytes(&vector, "sealed"), "{}", vector["name"]);

        let mut opener = Opener::new();
        opener.enter(keys(LeafIndex(1)), now, &[]);
        let shown = opener.open(now, codec, &out).unwrap();
        assert_eq!(shown.frame, bytes(&vector, "frame"));
        assert_eq!((shown.track, shown.leaf), (track, leaf));
        assert_eq!(KeyId::peek(codec, &out).unwrap().leaf, leaf);
    }
}
