//! `spec/test-vectors/identity.json`: written when `CONCLAVE_WRITE_VECTORS=1`, else compared byte for byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.

use std::{fs, path::Path};

use conclave_proto::types::v1::{Head, SignedDescriptor};
use data_encoding::HEXLOWER;
use prost::{Message, bytes::Bytes};
use serde_json::{Value, json};

use super::{
    address::DeviceUri,
    certificate::{Chain, DeviceCa, DisplayName},
    descriptor::{
        Descriptor, sign_succession,
        tests::{NOW, descriptor, domain, key},
        verify_succession,
    },
    keys::Fingerprint,
    pins::{Change, Pins},
    sealing::{Sealed, SealingKey, SealingKeyPair, Suite},
    signed::{self, Label},
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/test-vectors/identity.json");
const ID: [u8; 16] = [0x2a; 16];

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

fn bytes(value: &Value) -> Bytes {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap().into()
}

fn alice() -> DeviceUri {
    DeviceUri::parse("conclave://north.example/u/alice/d/0102030405060708").unwrap()
}

fn north() -> Descriptor {
    descriptor("north.example", 10, 5)
}

fn signed_north() -> SignedDescriptor {
    let step = sign_succession(&key(9), &domain("north.example"), &key(10).public(), NOW);
    north().sign(&key(10), vec![step]).unwrap()
}

fn chain() -> Chain {
    let (root, name) = (key(10).public(), DisplayName::parse("Alice Ämter").unwrap());
    let ca = DeviceCa::new(key(11), north().device_ca, &root, &domain("north.example")).unwrap();
    ca.issue(&alice(), &name, &key(13).public(), [7; 16], NOW).unwrap()
}

/// What anybody can compute again from the seeds.
fn computed() -> Value {
    let head = Head { session: 1, sequence: 9, entry_hash: vec![3; 32].into(), ..Head::default() };
    let signed_head = signed::sign_message(Label::Head, &head, &key(12));
    let [leaf, ca] = chain().certificates().clone();
    let pair = |suite| SealingKeyPair::from_seed(suite, &[14; 32]).unwrap();
    let publication = |suite| hex(pair(suite).publish(&alice(), NOW, &key(13)).encode_to_vec());
    json!({
        "about": "Byte strings in hexadecimal. Every key is an Ed25519 seed of 32 equal bytes, given as that byte.",
        "now_ms": NOW.as_ms(),
        "keys": { "old_root": 9, "root": 10, "device_ca": 11, "server_signing_key": 12, "device": 13 },
        "root_key": {
            "public_key": hex(key(10).public().as_bytes()),
            "spki": hex(key(10).public().spki()),
            "fingerprint": key(10).public().fingerprint().to_string(),
        },
        "signed": {
            "label": "head", "payload": hex(&signed_head.payload), "signature": hex(&signed_head.signature),
        },
        "device_ca_certificate": hex(ca),
        "device_certificate": {
            "der": hex(leaf), "uri": alice().to_string(), "display_name": "Alice Ämter",
            "not_before_ms": NOW.as_ms() - 300_000, "not_after_ms": NOW.as_ms() + 7 * 86_400_000,
        },
        "signed_descriptor": hex(signed_north().encode_to_vec()),
        "sealing_keys_signed": { "0x004f": publication(Suite::Hybrid), "0x0001": publication(Suite::Classical) },
    })
}

/// Sealing draws randomness, so these are only opened again.
fn sealed() -> Value {
    let mut pins = Pins::default();
    assert_eq!(pins.accept(&signed_north(), NOW), Ok(Change::First));
    let seal = |suite: Suite| {
        let pair = SealingKeyPair::from_seed(suite, &[14; 32]).unwrap();
        let signed = conclave_proto::types::v1::DeviceSigned {
            signed: Some(pair.publish(&alice(), NOW, &key(13))),
            certificate_chain: chain().certificates().to_vec(),
        };
        let sealed = SealingKey::verify(&signed, &pins, NOW).unwrap().seal(&ID, b"hello alice").unwrap();
        json!({
            "suite": suite.code_point(), "seed": 14, "invitation_id": hex(ID), "recipient": alice().to_string(),
            "encapsulated_key": hex(&sealed.encapsulated_key), "ciphertext": hex(&sealed.ciphertext),
            "plaintext": hex(b"hello alice"),
        })
    };
    json!([seal(Suite::Hybrid), seal(Suite::Classical)])
}

fn vectors() -> Value {
    if std::env::var_os("CONCLAVE_WRITE_VECTORS").is_some() {
        let mut all = computed();
        all["sealed"] = sealed();
        fs::create_dir_all(Path::new(FILE).parent().unwrap()).unwrap();
        fs::write(FILE, serde_json::to_string_pretty(&all).unwrap() + "\n").unwrap();
    }
    serde_json::from_str(&fs::read_to_string(FILE).unwrap()).unwrap()
}

#[test]
fn the_vectors_of_the_spec_hold() {
    let stored = vectors();
    for (name, value) in computed().as_object().unwrap() {
        assert_eq!(&stored[name], value, "{name}");
    }
    let signed = SignedDescriptor::decode(bytes(&stored["signed_descriptor"])).unwrap();
    let descriptor = Descriptor::verify(&signed).unwrap();
    assert_eq!(descriptor, north());
    let fingerprint = Fingerprint::parse_text(stored["root_key"]["fingerprint"].as_str().unwrap());
    assert_eq!(fingerprint, Ok(descriptor.root.fingerprint()));
    let old = key(9).public();
    assert_eq!(verify_succession(&signed.successions, &descriptor.domain, &old, &descriptor.root), Ok(()));
    let certificates = [bytes(&stored["device_certificate"]["der"]), bytes(&stored["device_ca_certificate"])];
    let device =
        Chain::parse(&certificates).unwrap().verify(&descriptor.root, &descriptor.domain, NOW).unwrap();
    assert_eq!((device.uri, device.display_name.as_str()), (alice(), "Alice Ämter"));
}

#[test]
fn the_sealed_vectors_of_the_spec_open() {
    let stored = vectors();
    let all = stored["sealed"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    for vector in all {
        let suite = Suite::parse(u32::try_from(vector["suite"].as_u64().unwrap()).unwrap()).unwrap();
        let sealed = Sealed {
            encapsulated_key: bytes(&vector["encapsulated_key"]),
            ciphertext: bytes(&vector["ciphertext"]),
        };
        let pair = SealingKeyPair::from_seed(suite, &[14; 32]).unwrap();
        let opened = pair.open(&sealed, &ID, &alice()).unwrap();
        assert_eq!(opened.as_slice(), bytes(&vector["plaintext"]).as_ref());
    }
}
