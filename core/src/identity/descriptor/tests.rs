#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.

use std::time::Duration;

use conclave_proto::types::v1::{self as wire, Signed};
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::identity::certificate::issue_device_ca;

pub(in crate::identity) const NOW: Time = Time::from_ms(1_800_000_000_000);

pub(in crate::identity) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

pub(in crate::identity) fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

/// A descriptor of `name` under the root with this seed; its device CA has the seed after it, its signing key the next.
pub(in crate::identity) fn descriptor(name: &str, root: u8, serial: u64) -> Descriptor {
    let domain = domain(name);
    let ca = key(root + 1).public();
    let device_ca =
        issue_device_ca(&key(root), &domain, &ca, [root; 16], NOW, limits::DEVICE_CA_LIFETIME).unwrap();
    Descriptor {
        serial,
        not_before: NOW - limits::CLOCK_SKEW,
        not_after: NOW + Duration::from_hours(90 * 24),
        root: key(root).public(),
        federation_endpoints: vec![Endpoint::parse(&format!("{}:7400", domain.host())).unwrap()],
        relay_endpoints: vec![Endpoint::parse("[2001:db8::1]:7401").unwrap()],
        federation_pins: vec![Fingerprint::of_spki(b"current"), Fingerprint::of_spki(b"next")],
        signing_keys: vec![ServerSigningKey {
            key_id: "k1".into(),
            public_key: key(root + 2).public(),
            not_after: NOW + Duration::from_hours(24),
        }],
        device_ca,
        jurisdiction: Jurisdiction::parse("DE").unwrap(),
        protocol_versions: vec![1],
        features: vec!["guests".into()],
        domain,
    }
}

fn north() -> Descriptor {
    descriptor("north.example", 10, 5)
}

/// A descriptor that honest code would not sign.
fn forge(change: impl FnOnce(&mut wire::ServerDescriptor)) -> Result<Descriptor, Error> {
    let mut message = north().to_message();
    change(&mut message);
    let descriptor = Some(signed::sign_message(Label::Descriptor, &message, &key(10)));
    Descriptor::verify(&SignedDescriptor { descriptor, successions: vec![] })
}

#[test]
fn idn_11_a_descriptor_survives_its_journey() {
    let signed = north().sign(&key(10), vec![]).unwrap();
    let travelled = SignedDescriptor::decode(signed.encode_to_vec().as_slice()).unwrap();
    assert_eq!(Descriptor::verify(&travelled), Ok(north()));
}

#[test]
fn idn_11_every_field_is_checked() {
    type Change = fn(&mut wire::ServerDescriptor);
    let cases: [(&str, Change); 22] = [
        ("root_key", |d| d.root_key = vec![0; 32].into()),
        ("serial", |d| d.serial = 0),
        ("not_after_ms", |d| d.not_after_ms = d.not_before_ms),
        ("not_after_ms", |d| d.not_after_ms = u64::MAX),
        ("federation_endpoints", |d| d.federation_endpoints.clear()),
        ("federation_endpoints", |d| d.federation_endpoints.push("north.example".into())),
        ("federation_endpoints", |d| d.federation_endpoints.push(d.federation_endpoints[0].clone())),
        ("federation_endpoints", |d| {
            d.federation_endpoints = (1..10).map(|p| format!("n.example:{p}")).collect();
        }),
        ("relay_endpoints", |d| d.relay_endpoints.push("http://north.example:1".into())),
        ("federation_spki_pins", |d| d.federation_spki_pins.clear()),
        ("federation_spki_pins", |d| d.federation_spki_pins[0] = vec![1; 31].into()),
        ("federation_spki_pins", |d| d.federation_spki_pins[0] = d.federation_spki_pins[1].clone()),
        ("signing_keys", |d| d.signing_keys.clear()),
        ("signing_keys", |d| d.signing_keys.push(d.signing_keys[0].clone())),
        ("signing_keys", |d| d.signing_keys[0].key_id = "K 1".into()),
        ("signing_keys", |d| d.signing_keys[0].public_key = vec![0; 32].into()),
        ("jurisdiction", |d| d.jurisdiction = "de".into()),
        ("jurisdiction", |d| d.jurisdiction = "DEU".into()),
        ("protocol_versions", |d| d.protocol_versions.clear()),
        ("features", |d| d.features.push("a b".into())),
        ("features", |d| d.features = (0..33).map(|n| format!("f{n}")).collect()),
        ("features", |d| d.features.push("x".repeat(65))),
    ];
    for (field, change) in cases {
        assert_eq!(forge(change), Err(Error::Field(field)));
    }
    assert_eq!(forge(|d| d.protocol_versions = vec![2]), Err(Error::Incompatible));
    assert_eq!(forge(|d| d.features.push("y".repeat(20_000))), Err(Error::Malformed));
}

#[test]
fn idn_11_the_device_ca_is_of_this_root_and_domain() {
    let other_domain = descriptor("south.example", 10, 1).device_ca;
    let other_root = descriptor("north.example", 20, 1).device_ca;
    let refused = forge(|d| d.device_ca = other_domain);
    assert_eq!(refused, Err(Error::DeviceCa(certificate::Error::Domain(domain("north.example")))));
    assert_eq!(forge(|d| d.device_ca = other_root), Err(Error::DeviceCa(certificate::Error::Signature)));
    assert_eq!(forge(|d| d.domain = "North.example".into()), Err(Error::Field("domain")));
}

#[test]
fn idn_12_only_the_root_that_it_names_signs_a_descriptor() {
    assert_eq!(north().sign(&key(11), vec![]), Err(Error::Signature));
    let signed = north().sign(&key(10), vec![]).unwrap();
    let mut envelope = signed.descriptor.unwrap();
    envelope.payload = [envelope.payload.as_ref(), &[0xfa, 0x3f, 0]].concat().into();
    let changed = SignedDescriptor { descriptor: Some(envelope), successions: vec![] };
    assert_eq!(Descriptor::verify(&changed), Err(Error::Signature));
    assert_eq!(Descriptor::verify(&SignedDescriptor::default()), Err(Error::Malformed));
    let empty = SignedDescriptor { descriptor: Some(Signed::default()), successions: vec![] };
    assert_eq!(Descriptor::verify(&empty), Err(Error::Field("root_key")));
}

#[test]
fn idn_13_a_descriptor_has_its_time() {
    let (second, skew) = (Duration::from_secs(1), limits::CLOCK_SKEW);
    let descriptor = north();
    assert_eq!(descriptor.check_valid_at(descriptor.not_after + skew), Ok(()));
    assert_eq!(descriptor.check_valid_at(descriptor.not_after + skew + second), Err(Error::Expired));
    assert_eq!(descriptor.check_valid_at(descriptor.not_before - skew), Ok(()));
    assert_eq!(descriptor.check_valid_at(descriptor.not_before - skew - second), Err(Error::NotYetValid));
}

#[test]
fn idn_14_signing_keys_have_their_time() {
    let (day, descriptor) = (Duration::from_hours(24), north());
    assert_eq!(descriptor.signing_key("k1", NOW + day), Ok(&key(12).public()));
    assert_eq!(descriptor.signing_key("k1", NOW + 2 * day), Err(Error::UnknownKey));
    assert_eq!(descriptor.signing_key("k2", NOW), Err(Error::UnknownKey));
}

#[test]
fn idn_15_successions_lead_from_root_to_root() {
    let north = domain("north.example");
    let step = |old: u8, new: u8| sign_succession(&key(old), &north, &key(new).public(), NOW);
    let verify = |chain: &[RootSuccession], pinned: u8, root: u8| {
        verify_succession(chain, &north, &key(pinned).public(), &key(root).public())
    };
    let chain = [step(1, 2), step(2, 3)];
    assert_eq!(verify(&chain, 1, 3), Ok(()));
    assert_eq!(verify(&chain, 2, 3), Ok(()));
    assert_eq!(verify(&[step(1, 2)], 4, 2), Err(Error::Succession), "from a root that is not in it");
    assert_eq!(verify(&chain, 1, 2), Err(Error::Succession), "to another root");
    assert_eq!(verify(&[step(1, 2), step(3, 4)], 1, 4), Err(Error::Succession), "with a gap");
    assert_eq!(verify(&[step(1, 2), step(2, 1)], 2, 1), Err(Error::Succession), "back to an old root");
    assert_eq!(verify(&[step(1, 1)], 1, 1), Err(Error::Succession), "from a root to itself");
    assert_eq!(verify(&[], 1, 1), Err(Error::Succession), "nothing proves nothing");
    let mut stolen = step(5, 2);
    stolen.old_root_key = step(1, 2).old_root_key;
    assert_eq!(verify(&[stolen], 1, 2), Err(Error::Succession), "signed by somebody else");
    let elsewhere = sign_succession(&key(1), &domain("south.example"), &key(2).public(), NOW);
    assert_eq!(verify(&[elsewhere], 1, 2), Err(Error::Succession), "for another domain");
    let long: Vec<_> = (1..=17).map(|n| step(n, n + 1)).collect();
    assert_eq!(verify(&long, 1, 18), Err(Error::Succession), "longer than the limit");
}

#[test]
fn idn_11_endpoints_have_one_form() {
    for good in ["north.example:7400", "127.0.0.1:1", "[::1]:65535", "localhost:443"] {
        assert_eq!(Endpoint::parse(good).map(|endpoint| endpoint.to_string()), Ok(good.to_owned()));
    }
    for bad in [
        "",
        ":1",
        "n.example",
        "n.example:0",
        "n.example:01",
        "::1:1",
        "[::1]",
        "[n.example]:1",
        "N.example:1",
        "n.example:65536",
        "a:1:2",
    ] {
        assert!(Endpoint::parse(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn idn_12_random_bytes_are_no_descriptor(payload in proptest::collection::vec(any::<u8>(), 0..400)) {
        let descriptor = Some(signed::sign(Label::Descriptor, payload, &key(10)));
        let signed = SignedDescriptor { descriptor, successions: vec![] };
        prop_assert!(Descriptor::verify(&signed).is_err());
    }
}
