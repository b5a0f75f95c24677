//! `spec/test-vectors/{record,join,log}.json`: written when `CONCLAVE_WRITE_VECTORS=1`, else compared byte for byte.

use std::path::Path;

use conclave_core::{
    identity::signed::{Label, sign_bytes},
    ids::{EntryHash, KeyPackageRef, MeetingId, SessionNumber},
    limits,
    meeting::{
        Trust,
        admission::{JoinView, sign_link},
        link::{Link, LinkSecret},
        log::{Entry, Head, Tip, group_id},
        record::Record,
    },
};
use conclave_proto::types::v1 as wire;
use data_encoding::HEXLOWER;
use prost::{Message, bytes::Bytes};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::{ALICE, BOB, World, signer};

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

fn compare(name: &str, vectors: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/test-vectors").join(name);
    let text = format!("{}\n", serde_json::to_string_pretty(vectors).unwrap());
    if std::env::var_os("CONCLAVE_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    assert_eq!(stored, text, "{name} differs from what the code makes");
}

#[test]
fn record_vectors_are_as_published() {
    let world = World::new();
    let record = world.record();
    let signed = record.signed();
    let envelope = signed.signed.as_ref().unwrap();
    let link = Link {
        server: Some(world.north.domain().clone()),
        meeting: record.id(),
        hub: record.hub().clone(),
        secret: Some(world.secret.clone()),
    };
    let details = record.details(&world.secret).unwrap().unwrap();
    assert_eq!(Record::open(signed, Trust::Verify(&world.pins)).unwrap().id(), record.id());
    let secret = LinkSecret::parse(world.secret.as_bytes()).unwrap();
    compare(
        "record.json",
        &json!({
            "about": "A record, its id, its link, and the keys that follow from the link's secret. Byte strings in hexadecimal.",
            "link_secret": hex(secret.as_bytes()),
            "link_key_seed": hex(secret.link_key().seed().as_slice()),
            "link_key": hex(secret.link_key().public().as_bytes()),
            "details": {"title": details.title, "encoded": hex(details.encode_to_vec())},
            "record_payload": hex(&envelope.payload),
            "record_signature": hex(&envelope.signature),
            "creator_key": hex(world.devices[ALICE].identity.key().public().as_bytes()),
            "meeting_id": hex(record.id().as_bytes()),
            "link": link.to_string(),
            "policy": hex(record.policy().bytes()),
            "policy_hash": hex(record.policy().hash().as_bytes()),
        }),
    );
}

#[test]
fn join_vectors_are_as_published() {
    let world = World::new();
    let view = JoinView {
        meeting: world.record().id(),
        session: SessionNumber(3),
        device: world.devices[BOB].uri(),
        key_package_ref: KeyPackageRef::from_bytes([0xAB; 32]),
        expires: world.now + limits::JOIN_LIFETIME,
        evidence: None,
        jurisdiction: None,
    };
    let key = world.secret.link_key();
    let wire::evidence::Evidence::LinkSignature(signature) = sign_link(&view, &key) else {
        panic!("a link signature")
    };
    let bytes = [
        view.meeting.as_bytes().as_slice(),
        &3_u64.to_be_bytes(),
        view.device.to_string().as_bytes(),
        &[0],
        &[0xAB; 32],
        &view.expires.as_ms().to_be_bytes(),
    ]
    .concat();
    assert_eq!(signature, sign_bytes(Label::Link, &bytes, &key).as_slice(), "written out by hand");
    let join = wire::Join {
        key_package: Bytes::from_static(b"stands for a KeyPackage"),
        evidence: Some(wire::Evidence {
            evidence: Some(wire::evidence::Evidence::LinkSignature(signature.clone())),
        }),
        expires_ms: view.expires.as_ms(),
    };
    compare(
        "join.json",
        &json!({
            "about": "The link's signature over a Join, and a Join around it. The KeyPackage and its reference are placeholders.",
            "meeting_id": hex(view.meeting.as_bytes()),
            "session": view.session.0,
            "group_id": hex(group_id(&view.meeting, view.session).as_bytes()),
            "device": view.device.to_string(),
            "key_package_ref": hex(view.key_package_ref.as_bytes()),
            "expires_ms": view.expires.as_ms(),
            "link_bytes": hex(bytes),
            "link_signature": hex(signature),
            "join": hex(join.encode_to_vec()),
        }),
    );
}

#[test]
fn log_vectors_are_as_published() {
    let world = World::new();
    let meeting = MeetingId::from_bytes([0x11; 32]);
    let session = SessionNumber(1);
    let (mut tip, mut rows) = (Tip::START, Vec::new());
    let mut last = None;
    for (place, kind) in [1, 3, 8, 12].into_iter().enumerate() {
        let content = Bytes::from(format!("content {place}"));
        let header = wire::EntryHeader {
            version: 1,
            meeting_id: Bytes::copy_from_slice(meeting.as_bytes()),
            session: session.0,
            term: Some(wire::Term { counter: 1, domain: "north.example".into() }),
            sequence: tip.next_sequence().0,
            group_id: Bytes::copy_from_slice(group_id(&meeting, session).as_bytes()),
            epoch: u64::from(place > 1),
            previous_hash: Bytes::copy_from_slice(tip.hash.as_bytes()),
            time_ms: 1_795_132_800_000 + tip.sequence.0,
            kind,
            submission_id: vec![u8::try_from(place).unwrap(); 16].into(),
            author_domain: "south.example".into(),
            content_hash: Sha256::digest(&content).to_vec().into(),
        };
        let wire = wire::Entry {
            header: header.encode_to_vec().into(),
            content: content.clone(),
            attachment: Bytes::new(),
        };
        let entry = Entry::parse(&wire).unwrap();
        tip.check_next(&entry).unwrap();
        rows.push(json!({
            "kind": kind,
            "content": hex(&content),
            "header": hex(&wire.header),
            "hash": hex(entry.hash().as_bytes()),
        }));
        tip = Tip::of(&entry);
        last = Some(entry);
    }
    let head = Head::of(&last.unwrap()).sign(&signer(&world.north));
    let envelope = head.signed.unwrap();
    assert_ne!(tip.hash, EntryHash::from_bytes([0; 32]));
    compare(
        "log.json",
        &json!({
            "about": "Four entries, the last of a reserved kind, and the head over them, signed by the key below.",
            "entries": rows,
            "head_payload": hex(&envelope.payload),
            "head_signature": hex(&envelope.signature),
            "server_key": hex(signer(&world.north).key.public().as_bytes()),
        }),
    );
}
