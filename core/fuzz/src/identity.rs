//! Names, certificates, descriptors, pins, signed envelopes and sealed invitations.

use std::{cell::LazyCell, fmt::Display, time::Duration};

use conclave_core::identity::{
    address::{DeviceUri, Domain, UserAddress},
    certificate::{Chain, DisplayName},
    descriptor::{Descriptor, Endpoint, Jurisdiction, ServerSigningKey, sign_succession},
    keys::{Fingerprint, SigningKey},
    pins::Pins,
    sealing::{Sealed, SealingKey, SealingKeyPair, Suite},
    signed::{self, Label},
};
use conclave_proto::types::v1::{DeviceSigned, SealedInvitation, ServerSigned, SignedDescriptor};
use conclave_testkit::people::{Organisation, START};
use prost::{Message, bytes::Bytes};

use crate::{Target, Verdict};

/// The targets of this module.
pub const TARGETS: &[Target] = &[
    Target { name: "names", run: names, honest: honest_names, authentic: false },
    Target { name: "certificates", run: certificates, honest: honest_certificates, authentic: true },
    Target { name: "descriptors", run: descriptors, honest: honest_descriptors, authentic: false },
    Target { name: "pins", run: pins, honest: honest_pins, authentic: false },
    Target {
        name: "device_envelopes",
        run: device_envelopes,
        honest: honest_device_envelopes,
        authentic: false,
    },
    Target {
        name: "server_envelopes",
        run: server_envelopes,
        honest: honest_server_envelopes,
        authentic: false,
    },
    Target { name: "sealing_keys", run: sealing_keys, honest: honest_sealing_keys, authentic: false },
    Target { name: "sealed", run: sealed, honest: honest_sealed, authentic: false },
];

const INVITATION: [u8; 16] = [5; 16];
const DAY: Duration = Duration::from_hours(24);

/// One organisation, its descriptor pinned, and one of its devices.
struct World {
    organisation: Organisation,
    signed: SignedDescriptor,
    pins: Pins,
    chain: Chain,
    device_key: SigningKey,
}

thread_local! {
    static WORLD: LazyCell<World> = const { LazyCell::new(World::new) };
}

impl World {
    fn new() -> Self {
        let organisation = Organisation::new("north.example");
        let signed = descriptor(&organisation);
        let mut pins = Pins::default();
        pins.accept(&signed, START).expect("an honest descriptor is accepted");
        let identity = organisation.device("alice", 1);
        let (chain, device_key) = (identity.chain().clone(), identity.key().clone());
        Self { organisation, signed, pins, chain, device_key }
    }
}

/// The server key of every fixture's descriptor, under the id `k1`.
pub(crate) fn server_key() -> SigningKey {
    SigningKey::from_seed(&[21; 32])
}

fn sealing_pair() -> SealingKeyPair {
    SealingKeyPair::from_seed(Suite::Classical, &[22; 32]).expect("a seed makes a key")
}

/// An organisation's honest descriptor.
pub(crate) fn descriptor(of: &Organisation) -> SignedDescriptor {
    let old_root = SigningKey::from_seed(&[20; 32]);
    let descriptor = Descriptor {
        domain: of.domain().clone(),
        serial: 7,
        not_before: START - DAY,
        not_after: START + 30 * DAY,
        root: of.root_key(),
        federation_endpoints: vec![Endpoint::parse("north.example:7400").expect("an endpoint")],
        relay_endpoints: vec![Endpoint::parse("[::1]:7401").expect("an endpoint")],
        federation_pins: vec![Fingerprint::of_spki(b"a"), Fingerprint::of_spki(b"b")],
        signing_keys: vec![ServerSigningKey {
            key_id: "k1".into(),
            public_key: server_key().public(),
            not_after: START + 30 * DAY,
        }],
        device_ca: of.ca().certificate().clone(),
        jurisdiction: Jurisdiction::parse("DE").expect("a jurisdiction"),
        protocol_versions: vec![1],
        features: vec!["guests".into()],
    };
    let step = sign_succession(&old_root, of.domain(), &of.root_key(), START);
    descriptor.sign(of.root(), vec![step]).expect("an honest descriptor")
}

/// Parses, and if that succeeds, the text form must parse to the same again.
fn comes_back<T: Display + PartialEq, E>(text: &str, parse: impl Fn(&str) -> Result<T, E>) -> bool {
    let Ok(parsed) = parse(text) else { return false };
    assert!(parse(&parsed.to_string()).is_ok_and(|again| again == parsed), "{text:?} does not come back");
    true
}

fn names(input: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(input) else { return Verdict::Refused };
    let accepted = [
        comes_back(text, Domain::parse),
        comes_back(text, UserAddress::parse),
        comes_back(text, DeviceUri::parse),
        comes_back(text, Endpoint::parse),
        comes_back(text, Jurisdiction::parse),
        comes_back(text, Fingerprint::parse_text),
        comes_back(text, DisplayName::parse),
    ];
    if accepted.contains(&true) { Verdict::Accepted } else { Verdict::Refused }
}

fn honest_names() -> Vec<Vec<u8>> {
    let fingerprint = Fingerprint::of_spki(b"a").to_string();
    [
        "north.example:7400",
        "guest/7f3a@north.example",
        "conclave://n/u/alice/d/0102030405060708",
        "[::1]:1",
        "DE",
    ]
    .into_iter()
    .chain([fingerprint.as_str()])
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

/// A device certificate under the honest device CA, then a device CA certificate above the honest device.
fn certificates(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        let input = Bytes::copy_from_slice(input);
        let [leaf, ca] = world.chain.certificates().clone();
        let judge = |certificates: [Bytes; 2]| {
            let chain = Chain::parse(&certificates)?;
            chain.verify(&world.organisation.root_key(), world.organisation.domain(), START)
        };
        let accepted = judge([input.clone(), ca]).is_ok() || judge([leaf, input]).is_ok();
        if accepted { Verdict::Accepted } else { Verdict::Refused }
    })
}

fn honest_certificates() -> Vec<Vec<u8>> {
    WORLD.with(|world| world.chain.certificates().iter().map(|der| der.to_vec()).collect())
}

fn descriptors(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        let Ok(signed) = SignedDescriptor::decode(input) else { return Verdict::Refused };
        let accepted = Pins::default().accept(&signed, START);
        if accepted.is_ok() {
            let payload =
                |signed: &SignedDescriptor| signed.descriptor.clone().map(|envelope| envelope.payload);
            assert_eq!(payload(&signed), payload(&world.signed), "a forged descriptor was accepted");
        }
        Verdict::of(&accepted)
    })
}

fn honest_descriptors() -> Vec<Vec<u8>> {
    WORLD.with(|world| vec![world.signed.encode_to_vec()])
}

fn pins(input: &[u8]) -> Verdict {
    Verdict::of(&Pins::import(input))
}

fn honest_pins() -> Vec<Vec<u8>> {
    WORLD.with(|world| {
        let mut pins = world.pins.clone();
        pins.approve(world.organisation.domain().clone(), Fingerprint::of_spki(b"x"));
        vec![pins.export()]
    })
}

fn device_envelopes(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        let Ok(signed) = DeviceSigned::decode(input) else { return Verdict::Refused };
        let verified = world.pins.verify_device_signed(Label::Policy, &signed, START);
        if let Ok((device, payload)) = &verified {
            assert_eq!(
                (&device.uri, payload.len()),
                (world.chain.claimed_uri(), 40),
                "a forged envelope was accepted"
            );
        }
        Verdict::of(&verified)
    })
}

fn honest_device_envelopes() -> Vec<Vec<u8>> {
    WORLD.with(|world| {
        let payload = vec![3; 40];
        let signed = signed::sign(Label::Policy, payload, &world.device_key);
        let certificate_chain = world.chain.certificates().to_vec();
        vec![DeviceSigned { signed: Some(signed), certificate_chain }.encode_to_vec()]
    })
}

fn server_envelopes(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        let Ok(signed) = ServerSigned::decode(input) else { return Verdict::Refused };
        let domain = world.organisation.domain();
        let verified = world.pins.verify_server_signed(Label::Head, &signed, domain, START);
        if let Ok(payload) = &verified {
            assert_eq!(payload.as_ref(), [4; 40], "a forged envelope was accepted");
        }
        Verdict::of(&verified)
    })
}

fn honest_server_envelopes() -> Vec<Vec<u8>> {
    let signed = Some(signed::sign(Label::Head, vec![4; 40], &server_key()));
    vec![ServerSigned { signed, domain: "north.example".into(), key_id: "k1".into() }.encode_to_vec()]
}

fn sealing_keys(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        let Ok(signed) = DeviceSigned::decode(input) else { return Verdict::Refused };
        let verified = SealingKey::verify(&signed, &world.pins, START);
        // Sealing for any key that was accepted must work.
        verified.as_ref().map_or(Verdict::Refused, |key| Verdict::of(&key.seal(&INVITATION, b"hello")))
    })
}

fn honest_sealing_keys() -> Vec<Vec<u8>> {
    WORLD.with(|world| {
        let publish = |suite| {
            let pair = SealingKeyPair::from_seed(suite, &[22; 32]).expect("a seed makes a key");
            let signed = pair.publish(world.chain.claimed_uri(), START + 7 * DAY, &world.device_key);
            let certificate_chain = world.chain.certificates().to_vec();
            DeviceSigned { signed: Some(signed), certificate_chain }.encode_to_vec()
        };
        vec![publish(Suite::Hybrid), publish(Suite::Classical)]
    })
}

fn sealed(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        let Ok(invitation) = SealedInvitation::decode(input) else { return Verdict::Refused };
        let sealed =
            Sealed { encapsulated_key: invitation.encapsulated_key, ciphertext: invitation.ciphertext };
        let opened = sealing_pair().open(&sealed, &INVITATION, world.chain.claimed_uri());
        if let Ok(plaintext) = &opened {
            assert_eq!(plaintext.as_slice(), b"hello", "a forged invitation was opened");
        }
        Verdict::of(&opened)
    })
}

fn honest_sealed() -> Vec<Vec<u8>> {
    WORLD.with(|world| {
        let device = world.chain.claimed_uri();
        let published = sealing_pair().publish(device, START + 7 * DAY, &world.device_key);
        let certificate_chain = world.chain.certificates().to_vec();
        let signed = DeviceSigned { signed: Some(published), certificate_chain };
        let key = SealingKey::verify(&signed, &world.pins, START).expect("an honest sealing key");
        let sealed = key.seal(&INVITATION, b"hello").expect("an honest key seals");
        let invitation = SealedInvitation {
            invitation_id: INVITATION.to_vec().into(),
            recipient: device.to_string(),
            encapsulated_key: sealed.encapsulated_key,
            ciphertext: sealed.ciphertext,
            ..SealedInvitation::default()
        };
        vec![invitation.encode_to_vec()]
    })
}
