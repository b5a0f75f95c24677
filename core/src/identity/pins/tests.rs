#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.

use std::time::Duration;

use conclave_proto::types::v1::{DeviceSigned, RootSuccession, ServerSigned};
use proptest::prelude::*;

use super::*;
use crate::identity::{
    address::DeviceUri,
    certificate::{Chain, DeviceCa, DisplayName},
    descriptor::{
        sign_succession,
        tests::{NOW, descriptor, domain, key},
    },
    signed::Label,
};

const DAY: Duration = Duration::from_hours(24);

fn signed(name: &str, root: u8, serial: u64) -> SignedDescriptor {
    descriptor(name, root, serial).sign(&key(root), vec![]).unwrap()
}

fn succeeded(name: &str, old: u8, new: u8, serial: u64) -> SignedDescriptor {
    let step: RootSuccession = sign_succession(&key(old), &domain(name), &key(new).public(), NOW);
    descriptor(name, new, serial).sign(&key(new), vec![step]).unwrap()
}

fn pinned(descriptors: &[SignedDescriptor]) -> Pins {
    let mut pins = Pins::default();
    for signed in descriptors {
        pins.accept(signed, NOW).unwrap();
    }
    pins
}

fn device(name: &str, root: u8) -> Chain {
    let domain = domain(name);
    let certificate = descriptor(name, root, 1).device_ca;
    let ca = DeviceCa::new(key(root + 1), certificate, &key(root).public(), &domain).unwrap();
    let uri = DeviceUri::parse(&format!("conclave://{domain}/u/alice/d/0102030405060708")).unwrap();
    ca.issue(&uri, &DisplayName::parse("Alice").unwrap(), &key(99).public(), [1; 16], NOW).unwrap()
}

/// Refused, and nothing changed.
fn refuses(pins: &Pins, signed: &SignedDescriptor, now: Time) -> Error {
    let mut changed = pins.clone();
    let error = changed.accept(signed, now).unwrap_err();
    assert_eq!(&changed, pins, "a refused input changes nothing");
    error
}

#[test]
fn idn_16_serials_go_up_and_say_one_thing() {
    let mut pins = Pins::default();
    assert_eq!(pins.accept(&signed("north.example", 10, 5), NOW), Ok(Change::First));
    assert_eq!(pins.accept(&signed("north.example", 10, 5), NOW), Ok(Change::Same));
    assert_eq!(pins.accept(&signed("north.example", 10, 6), NOW), Ok(Change::Newer));
    let lower = Error::LowerSerial { domain: domain("north.example"), pinned: 6, offered: 5 };
    assert_eq!(refuses(&pins, &signed("north.example", 10, 5), NOW), lower);
    let mut other = descriptor("north.example", 10, 6);
    other.features.clear();
    let other = other.sign(&key(10), vec![]).unwrap();
    assert_eq!(refuses(&pins, &other, NOW), Error::SerialReused(domain("north.example")));
}

#[test]
fn r20_stale_descriptors_are_refused() {
    let signed = signed("north.example", 10, 5);
    let pins = pinned(std::slice::from_ref(&signed));
    let (late, early) = (NOW + 91 * DAY, NOW - DAY);
    for pins in [&Pins::default(), &pins] {
        assert_eq!(refuses(pins, &signed, late), Error::Descriptor(descriptor::Error::Expired));
        assert_eq!(refuses(pins, &signed, early), Error::Descriptor(descriptor::Error::NotYetValid));
    }
    let north = domain("north.example");
    assert!(pins.current(&north, NOW).is_ok());
    assert_eq!(pins.current(&north, late).map(|_| ()), Err(Error::Stale(north)));
}

#[test]
fn idn_17_a_second_root_is_refused() {
    let pins = pinned(&[signed("north.example", 10, 5)]);
    let second = Error::SecondRoot {
        domain: domain("north.example"),
        pinned: key(10).public().fingerprint(),
        offered: key(20).public().fingerprint(),
    };
    assert_eq!(refuses(&pins, &signed("north.example", 20, 6), NOW), second);
    assert_eq!(refuses(&pins, &succeeded("north.example", 30, 20, 6), NOW), second, "another root's word");
    let chain = device("north.example", 20);
    assert_eq!(pins.verify_device(&chain, NOW), Err(Error::Certificate(certificate::Error::Signature)));
}

#[test]
fn idn_17_the_old_root_may_name_a_new_one() {
    let mut pins = pinned(&[signed("north.example", 10, 5)]);
    let lower = Error::LowerSerial { domain: domain("north.example"), pinned: 5, offered: 4 };
    assert_eq!(refuses(&pins, &succeeded("north.example", 10, 20, 4), NOW), lower);
    let reused = Error::SerialReused(domain("north.example"));
    assert_eq!(refuses(&pins, &succeeded("north.example", 10, 20, 5), NOW), reused);
    assert_eq!(pins.accept(&succeeded("north.example", 10, 20, 6), NOW), Ok(Change::RootRotated));
    assert!(pins.verify_device(&device("north.example", 20), NOW).is_ok());
    assert!(pins.verify_device(&device("north.example", 10), NOW).is_err());
    assert!(matches!(refuses(&pins, &signed("north.example", 10, 7), NOW), Error::SecondRoot { .. }));
}

#[test]
fn idn_18_a_person_may_approve_a_root() {
    let mut pins = pinned(&[signed("north.example", 10, 5)]);
    pins.approve(domain("north.example"), key(20).public().fingerprint());
    assert!(matches!(refuses(&pins, &signed("north.example", 30, 6), NOW), Error::SecondRoot { .. }));
    // Until it comes, the old root goes on and does not use the approval up.
    assert_eq!(pins.accept(&signed("north.example", 10, 6), NOW), Ok(Change::Newer));
    assert_eq!(pins.accept(&signed("north.example", 20, 1), NOW), Ok(Change::RootRotated));
    // The approval is used up.
    assert!(matches!(refuses(&pins, &signed("north.example", 10, 9), NOW), Error::SecondRoot { .. }));
    // Before anything is pinned, an approval is the only root.
    let mut closed = Pins::default();
    closed.approve(domain("north.example"), key(20).public().fingerprint());
    assert!(matches!(refuses(&closed, &signed("north.example", 10, 1), NOW), Error::SecondRoot { .. }));
    assert_eq!(closed.accept(&signed("north.example", 20, 1), NOW), Ok(Change::First));
}

#[test]
fn idn_19_what_devices_sign_is_verified_under_their_own_domains_root() {
    let pins = pinned(&[signed("north.example", 10, 5)]);
    let by = |chain: &Chain, signer: u8| DeviceSigned {
        signed: Some(signed::sign(Label::Policy, b"payload".to_vec(), &key(signer))),
        certificate_chain: chain.certificates().to_vec(),
    };
    let chain = device("north.example", 10);
    let (who, payload) = pins.verify_device_signed(Label::Policy, &by(&chain, 99), NOW).unwrap();
    assert_eq!((who.uri.user().name(), payload.as_ref()), ("alice", &b"payload"[..]));
    let bad = |label| Err(Error::Signed(signed::Error::Signature(label)));
    assert_eq!(pins.verify_device_signed(Label::Record, &by(&chain, 99), NOW), bad(Label::Record));
    assert_eq!(pins.verify_device_signed(Label::Policy, &by(&chain, 98), NOW), bad(Label::Policy));
    let late = pins.verify_device_signed(Label::Policy, &by(&chain, 99), NOW + 8 * DAY);
    assert_eq!(late, Err(Error::Certificate(certificate::Error::Expired)));
    assert!(pins.verify_device_signed_ignoring_time(Label::Policy, &by(&chain, 99)).is_ok());
    let stranger = by(&device("south.example", 40), 99);
    let unknown = pins.verify_device_signed(Label::Policy, &stranger, NOW);
    assert_eq!(unknown, Err(Error::UnknownDomain(domain("south.example"))));
    let unsigned = DeviceSigned { signed: None, ..by(&chain, 99) };
    assert_eq!(pins.verify_device_signed(Label::Policy, &unsigned, NOW), Err(Error::Absent));
}

#[test]
fn idn_14_what_servers_sign_is_verified_with_a_key_of_their_current_descriptor() {
    let pins = pinned(&[signed("north.example", 10, 5), signed("south.example", 40, 5)]);
    let (north, south) = (domain("north.example"), domain("south.example"));
    let by = |signer: u8, domain: &Domain, key_id: &str| ServerSigned {
        signed: Some(signed::sign(Label::Head, b"payload".to_vec(), &key(signer))),
        domain: domain.to_string(),
        key_id: key_id.into(),
    };
    let verify = |signed: &ServerSigned, signer| pins.verify_server_signed(Label::Head, signed, signer, NOW);
    assert_eq!(verify(&by(12, &north, "k1"), &north).unwrap().as_ref(), b"payload");
    assert_eq!(verify(&by(12, &north, "k1"), &south), Err(Error::WrongDomain));
    let bad = Err(Error::Signed(signed::Error::Signature(Label::Head)));
    assert_eq!(verify(&by(42, &north, "k1"), &north), bad, "another domain's key");
    let unknown = Error::UnknownKey { domain: north.clone(), key_id: "k2".into() };
    assert_eq!(verify(&by(12, &north, "k2"), &north), Err(unknown));
    let stale = pins.verify_server_signed(Label::Head, &by(12, &north, "k1"), &north, NOW + 91 * DAY);
    assert_eq!(stale, Err(Error::Stale(north.clone())));
    let ended = pins.verify_server_signed(Label::Head, &by(12, &north, "k1"), &north, NOW + 2 * DAY);
    assert_eq!(ended, Err(Error::UnknownKey { domain: north, key_id: "k1".into() }));
}

#[test]
fn pins_survive_being_stored() {
    let mut pins = pinned(&[signed("north.example", 10, 5), succeeded("south.example", 40, 50, 7)]);
    pins.approve(domain("east.example"), key(60).public().fingerprint());
    assert_eq!(Pins::import(&pins.export()), Ok(pins.clone()));
    let mut damaged = pins.export();
    let place = damaged.len() / 2;
    damaged[place] ^= 1;
    assert_eq!(Pins::import(&damaged), Err(Error::Damaged));
}

proptest! {
    #[test]
    fn stored_pins_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(Pins::import(&bytes));
    }
}
