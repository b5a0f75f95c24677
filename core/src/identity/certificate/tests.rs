#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.

use std::time::Duration;

use proptest::prelude::*;
use prost::bytes::Bytes;
use x509_cert::{
    Certificate, TbsCertificate,
    der::{
        Decode, Encode,
        asn1::{BitString, Ia5String, OctetString},
        oid::ObjectIdentifier,
    },
    ext::{
        AsExtension, Extension,
        pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName, name::GeneralName},
    },
    spki::AlgorithmIdentifierOwned,
};

use super::*;
use crate::{
    identity::{address::DeviceUri, keys::SigningKey},
    limits,
    time::Time,
};

const NOW: Time = Time::from_ms(1_800_000_000_000);
const DAY: Duration = Duration::from_hours(24);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn north() -> Domain {
    Domain::parse("north.example").unwrap()
}

fn ca_of(domain: &Domain, root: u8, ca: u8) -> DeviceCa {
    let certificate =
        issue_device_ca(&key(root), domain, &key(ca).public(), [ca; 16], NOW, 90 * DAY).unwrap();
    DeviceCa::new(key(ca), certificate, &key(root).public(), domain).unwrap()
}

fn issue(uri: &str) -> Chain {
    let name = DisplayName::parse("Alice").unwrap();
    let uri = DeviceUri::parse(uri).unwrap();
    ca_of(&north(), 1, 2).issue(&uri, &name, &key(3).public(), [9; 16], NOW).unwrap()
}

fn alice() -> Chain {
    issue("conclave://north.example/u/alice/d/0102030405060708")
}

fn verify(chain: &Chain) -> Result<VerifiedDevice, Error> {
    chain.verify(&key(1).public(), &north(), NOW)
}

/// A certificate that honest code would not make.
fn forge(der: &Bytes, signer: &SigningKey, change: impl FnOnce(&mut TbsCertificate)) -> Bytes {
    let mut certificate = Certificate::from_der(der).unwrap();
    change(&mut certificate.tbs_certificate);
    let signature = signer.sign_raw(&certificate.tbs_certificate.to_der().unwrap());
    certificate.signature = BitString::from_bytes(&signature).unwrap();
    certificate.to_der().unwrap().into()
}

/// Alice's chain with her own certificate changed, signed by the right device CA.
fn with_leaf(change: impl FnOnce(&mut TbsCertificate)) -> Result<VerifiedDevice, Error> {
    let [leaf, ca] = alice().certificates().clone();
    verify(&Chain::parse(&[forge(&leaf, &key(2), change), ca])?)
}

/// Alice's chain with the device CA's certificate changed, signed by the right root.
fn with_ca(change: impl FnOnce(&mut TbsCertificate)) -> Result<VerifiedDevice, Error> {
    let [leaf, ca] = alice().certificates().clone();
    verify(&Chain::parse(&[leaf, forge(&ca, &key(1), change)])?)
}

fn replace(tbs: &mut TbsCertificate, extension: &impl AsExtension) {
    let extension = extension.to_extension(&tbs.subject, &[]).unwrap();
    let extensions = tbs.extensions.as_mut().unwrap();
    extensions.retain(|old| old.extn_id != extension.extn_id);
    extensions.push(extension);
}

fn uris(uris: &[&str]) -> SubjectAltName {
    let name = |uri: &&str| GeneralName::UniformResourceIdentifier(Ia5String::new(uri).unwrap());
    SubjectAltName(uris.iter().map(name).collect())
}

#[test]
fn idn_10_an_honest_chain_says_who_the_device_is() {
    let device = verify(&alice()).unwrap();
    assert_eq!(device.uri.to_string(), "conclave://north.example/u/alice/d/0102030405060708");
    assert_eq!((device.key, device.display_name.as_str()), (key(3).public(), "Alice"));
    assert!(!device.is_guest());
    assert_eq!(device.not_after, NOW + limits::DEVICE_CERTIFICATE_LIFETIME);
    assert_eq!(device.not_before, NOW - limits::CLOCK_SKEW);
    let again = Chain::parse(alice().certificates()).unwrap();
    assert_eq!(again, alice());
}

#[test]
fn idn_10_guests_and_users_are_never_confused() {
    assert!(verify(&issue("conclave://north.example/g/7f3a/d/0102030405060708")).unwrap().is_guest());
    for uri in [
        "conclave://north.example/u/guest/7f3a/d/0102030405060708",
        "conclave://north.example/u/guest%2f7f3a/d/0102030405060708",
    ] {
        assert_eq!(with_leaf(|tbs| replace(tbs, &uris(&[uri]))), Err(Error::Uri), "{uri}");
    }
}

#[test]
fn idn_10_signatures_are_checked_up_to_the_root() {
    let [leaf, ca] = alice().certificates().clone();
    let by_other_ca = Chain::parse(&[forge(&leaf, &key(7), |_| ()), ca.clone()]).unwrap();
    assert_eq!(verify(&by_other_ca), Err(Error::Signature));
    let by_other_root = Chain::parse(&[leaf.clone(), forge(&ca, &key(7), |_| ())]).unwrap();
    assert_eq!(verify(&by_other_root), Err(Error::Signature));
    assert_eq!(alice().verify(&key(7).public(), &north(), NOW), Err(Error::Signature));
    // A device that issues for a friend.
    let friend =
        Chain::parse(&[forge(&leaf, &key(3), |tbs| tbs.serial_number = tbs.serial_number.clone()), leaf]);
    assert_eq!(verify(&friend.unwrap()), Err(Error::Signature));
}

#[test]
fn idn_03_a_changed_byte_anywhere_is_noticed() {
    let [leaf, ca] = alice().certificates().clone();
    for place in 0..leaf.len() {
        let mut changed = leaf.to_vec();
        changed[place] ^= 1;
        let chain = Chain::parse(&[changed.into(), ca.clone()]);
        assert!(chain.and_then(|chain| verify(&chain)).is_err(), "byte {place}");
    }
}

#[test]
fn idn_07_the_device_ca_is_what_it_must_be() {
    let no_ca = BasicConstraints { ca: false, path_len_constraint: None };
    assert_eq!(with_ca(|tbs| replace(tbs, &no_ca)), Err(Error::Kind));
    let deep = BasicConstraints { ca: true, path_len_constraint: Some(1) };
    assert_eq!(with_ca(|tbs| replace(tbs, &deep)), Err(Error::Kind));
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::DigitalSignature);
    assert_eq!(with_ca(|tbs| replace(tbs, &usage)), Err(Error::KeyUsage));
    assert_eq!(
        with_ca(|tbs| replace(tbs, &KeyUsage(KeyUsages::DigitalSignature.into()))),
        Err(Error::KeyUsage)
    );
    assert_eq!(with_ca(|tbs| tbs.issuer = tbs.subject.clone()), Err(Error::Issuer));
    assert_eq!(with_ca(|tbs| tbs.subject = tbs.issuer.clone()), Err(Error::Issuer));
    assert_eq!(
        with_ca(|tbs| replace(tbs, &uris(&["conclave://south.example"]))),
        Err(Error::Domain(north()))
    );
}

#[test]
fn idn_08_validity_is_bounded() {
    let long = |tbs: &mut TbsCertificate| tbs.validity.not_after = at(NOW + 8 * DAY);
    assert_eq!(with_leaf(long), Err(Error::Lifetime));
    let reversed = |tbs: &mut TbsCertificate| tbs.validity.not_after = at(NOW - DAY);
    assert_eq!(with_leaf(reversed), Err(Error::Lifetime));
    assert_eq!(with_ca(|tbs| tbs.validity.not_after = at(NOW + 500 * DAY)), Err(Error::Lifetime));
    let outlived = with_ca(|tbs| tbs.validity.not_after = at(NOW + DAY)).unwrap();
    assert_eq!(outlived.not_after, NOW + DAY);
}

fn at(time: Time) -> x509_cert::time::Time {
    let time = x509_cert::der::asn1::UtcTime::from_unix_duration(Duration::from_millis(time.as_ms()));
    time.unwrap().into()
}

#[test]
fn idn_10_the_time_counts_with_five_minutes_of_skew() {
    let (root, late) = (key(1).public(), NOW + limits::DEVICE_CERTIFICATE_LIFETIME + limits::CLOCK_SKEW);
    let second = Duration::from_secs(1);
    assert!(alice().verify(&root, &north(), late).is_ok());
    assert_eq!(alice().verify(&root, &north(), late + second), Err(Error::Expired));
    let early = NOW - 2 * limits::CLOCK_SKEW;
    assert!(alice().verify(&root, &north(), early).is_ok());
    assert_eq!(alice().verify(&root, &north(), early - second), Err(Error::NotYetValid));
    let ever = alice().verify_ignoring_time(&root, &north()).unwrap();
    assert_eq!(ever.check_valid_at(late + second), Err(Error::Expired));
    assert_eq!(ever.check_valid_at(NOW), Ok(()));
}

#[test]
fn idn_10_a_device_belongs_to_the_domain_of_its_ca() {
    let south = Domain::parse("south.example").unwrap();
    assert_eq!(alice().verify(&key(1).public(), &south, NOW), Err(Error::Domain(south.clone())));
    let stolen = uris(&["conclave://south.example/u/bob/d/0102030405060708"]);
    assert_eq!(with_leaf(|tbs| replace(tbs, &stolen)), Err(Error::Domain(north())));
    let (name, uri) =
        (DisplayName::parse("Bob").unwrap(), "conclave://south.example/u/bob/d/0102030405060708");
    let refused =
        ca_of(&north(), 1, 2).issue(&DeviceUri::parse(uri).unwrap(), &name, &key(3).public(), [0; 16], NOW);
    assert_eq!(refused, Err(Error::Domain(north())));
}

#[test]
fn idn_10_the_device_certificate_is_what_it_must_be() {
    let ca = BasicConstraints { ca: true, path_len_constraint: Some(0) };
    assert_eq!(with_leaf(|tbs| replace(tbs, &ca)), Err(Error::Kind));
    let usage = KeyUsage(KeyUsages::KeyCertSign.into());
    assert_eq!(with_leaf(|tbs| replace(tbs, &usage)), Err(Error::KeyUsage));
    assert_eq!(with_leaf(|tbs| tbs.issuer = tbs.subject.clone()), Err(Error::Issuer));
    let two = uris(&["conclave://north.example/u/alice/d/0102030405060708"; 2]);
    assert_eq!(with_leaf(|tbs| replace(tbs, &two)), Err(Error::Uri));
    assert_eq!(with_leaf(|tbs| replace(tbs, &uris(&[]))), Err(Error::Uri));
    assert_eq!(with_leaf(|tbs| tbs.extensions = None), Err(Error::Uri));
}

#[test]
fn idn_06_unknown_critical_extensions_and_doubles_are_refused() {
    let unknown = |critical| Extension {
        extn_id: ObjectIdentifier::new_unwrap("1.2.3.4"),
        critical,
        extn_value: OctetString::new([5, 0]).unwrap(),
    };
    assert_eq!(with_leaf(|tbs| tbs.extensions.as_mut().unwrap().push(unknown(true))), Err(Error::Extension));
    assert!(with_leaf(|tbs| tbs.extensions.as_mut().unwrap().push(unknown(false))).is_ok());
    let doubled = |tbs: &mut TbsCertificate| {
        let extensions = tbs.extensions.as_mut().unwrap();
        extensions.push(extensions[0].clone());
    };
    assert_eq!(with_leaf(doubled), Err(Error::Extension));
}

#[test]
fn idn_06_only_ed25519_and_only_two_certificates_of_bounded_size() {
    let rsa = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
    assert_eq!(with_leaf(|tbs| tbs.signature.oid = rsa), Err(Error::Algorithm));
    let other = AlgorithmIdentifierOwned { oid: rsa, parameters: None };
    assert_eq!(with_leaf(|tbs| tbs.subject_public_key_info.algorithm = other), Err(Error::Algorithm));
    let weak = BitString::from_bytes(&[0; 32]).unwrap();
    assert_eq!(with_leaf(|tbs| tbs.subject_public_key_info.subject_public_key = weak), Err(Error::Algorithm));
    let [leaf, ca] = alice().certificates().clone();
    assert_eq!(Chain::parse(&[]), Err(Error::Count));
    assert_eq!(Chain::parse(std::slice::from_ref(&leaf)), Err(Error::Count));
    assert_eq!(Chain::parse(&[leaf.clone(), ca.clone(), ca.clone()]), Err(Error::Count));
    let padded = |extra: usize| Bytes::from([leaf.as_ref(), &vec![0; extra]].concat());
    assert_eq!(Chain::parse(&[padded(1), ca.clone()]), Err(Error::Malformed));
    assert_eq!(Chain::parse(&[padded(4096), ca]), Err(Error::TooLarge));
}

#[test]
fn a_device_ca_is_refused_without_its_key_or_after_its_end() {
    let certificate = ca_of(&north(), 1, 2).certificate().clone();
    let wrong = DeviceCa::new(key(3), certificate.clone(), &key(1).public(), &north());
    assert_eq!(wrong.map(|_| ()), Err(Error::Signature));
    let ca = DeviceCa::new(key(2), certificate, &key(1).public(), &north()).unwrap();
    let (uri, name) = (alice().claimed_uri().clone(), DisplayName::parse("Alice").unwrap());
    assert_eq!(ca.issue(&uri, &name, &key(3).public(), [0; 16], NOW + 91 * DAY), Err(Error::Expired));
}

proptest! {
    #[test]
    fn idn_06_parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let bytes = Bytes::from(bytes);
        prop_assert!(Chain::parse(&[bytes.clone(), bytes]).is_err());
    }

    #[test]
    fn idn_06_damaged_certificates_are_refused(place in 0usize..300, value: u8, ca: bool) {
        let mut certificates = alice().certificates().clone();
        let mut damaged = certificates[usize::from(ca)].to_vec();
        let place = place % damaged.len();
        prop_assume!(damaged[place] != value);
        damaged[place] = value;
        certificates[usize::from(ca)] = damaged.into();
        prop_assert!(Chain::parse(&certificates).and_then(|chain| verify(&chain)).is_err());
    }
}
