//! Organisations and the devices they certify, the same on every run.

use std::time::Duration;

use conclave_core::{
    group::Identity,
    identity::{
        address::{DeviceUri, Domain, UserAddress, UserKind},
        certificate::{Chain, DeviceCa, DisplayName, issue_device_ca},
        descriptor::{Descriptor, Endpoint, Jurisdiction, PROTOCOL_VERSION, ServerSigningKey},
        keys::{Fingerprint, PublicKey, SigningKey},
    },
    meeting::log::ServerSigner,
    time::Time,
};
use conclave_proto::types::v1::SignedDescriptor;

/// Where virtual time starts: 20 November 2026. Not in the future, since OpenMLS compares lifetimes with the wall clock.
pub const START: Time = Time::from_ms(1_795_132_800_000);

const CA_LIFETIME: Duration = Duration::from_hours(365 * 24);

/// One organisation with its root key and device CA.
#[derive(Debug)]
pub struct Organisation {
    domain: Domain,
    root: SigningKey,
    ca: DeviceCa,
}

impl Organisation {
    /// The organisation of a domain; its keys follow from the domain.
    ///
    /// # Panics
    /// If the domain is not of its form.
    pub fn new(domain: &str) -> Self {
        Self::with_keys(domain, domain)
    }

    /// Somebody else who claims a domain, with keys of its own.
    ///
    /// # Panics
    /// If the domain is not of its form.
    pub fn impostor(domain: &str) -> Self {
        Self::with_keys(domain, "impostor")
    }

    fn with_keys(domain: &str, from: &str) -> Self {
        let domain = Domain::parse(domain).expect("a domain");
        let (root, ca_key) = (key(&[from, "root"]), key(&[from, "ca"]));
        let certificate = issue_device_ca(&root, &domain, &ca_key.public(), [1; 16], START, CA_LIFETIME)
            .expect("a device CA certificate");
        let ca = DeviceCa::new(ca_key, certificate, &root.public(), &domain).expect("a device CA");
        Self { domain, root, ca }
    }

    /// Its domain.
    pub const fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Its root key, which verifiers pin.
    pub fn root_key(&self) -> PublicKey {
        self.root.public()
    }

    /// Its root key, to sign descriptors with.
    pub const fn root(&self) -> &SigningKey {
        &self.root
    }

    /// Its device CA.
    pub const fn ca(&self) -> &DeviceCa {
        &self.ca
    }

    /// A user's device, certified at the start of virtual time.
    pub fn device(&self, user: &str, number: u8) -> Identity {
        self.certify(UserKind::User, user, number, START)
    }

    /// A guest's device, certified at the start of virtual time.
    pub fn guest(&self, guest: &str, number: u8) -> Identity {
        self.certify(UserKind::Guest, guest, number, START)
    }

    /// A device's key and fresh certificates for it.
    ///
    /// # Panics
    /// If the name is not of its form.
    pub fn certify(&self, kind: UserKind, user: &str, number: u8, now: Time) -> Identity {
        let key = key(&[self.domain.as_str(), user, &number.to_string()]);
        let chain = self.chain(kind, user, number, &key.public(), now);
        Identity::new(key, chain).expect("certificates for the key")
    }

    /// Certificates that say what the CA is told, true or not.
    ///
    /// # Panics
    /// If the name is not of its form.
    pub fn chain(&self, kind: UserKind, user: &str, number: u8, key: &PublicKey, now: Time) -> Chain {
        let address = UserAddress::new(kind, user, self.domain.clone()).expect("a user address");
        let uri = DeviceUri::new(address, [number; 8]);
        let name = DisplayName::parse(user).expect("a display name");
        self.ca.issue(&uri, &name, key, [number.wrapping_add(2); 16], now).expect("a certificate")
    }
}

impl Organisation {
    /// With what its server signs.
    pub fn server_signer(&self) -> ServerSigner {
        let key = key(&[self.domain.as_str(), "server"]);
        ServerSigner { domain: self.domain.clone(), key_id: "k1".into(), key }
    }

    /// What its server says of itself.
    ///
    /// # Panics
    /// If the name is too long for an endpoint.
    pub fn descriptor(&self) -> SignedDescriptor {
        let endpoint = Endpoint::parse(&format!("{}:7400", self.domain.host())).expect("an endpoint");
        let signer = self.server_signer();
        let not_after = START + Duration::from_hours(90 * 24);
        let descriptor = Descriptor {
            domain: self.domain.clone(),
            serial: 1,
            not_before: START,
            not_after,
            root: self.root.public(),
            federation_endpoints: vec![endpoint.clone()],
            relay_endpoints: vec![endpoint],
            federation_pins: vec![Fingerprint::of_spki(self.domain.as_str().as_bytes())],
            signing_keys: vec![ServerSigningKey {
                key_id: signer.key_id,
                public_key: signer.key.public(),
                not_after,
            }],
            device_ca: self.ca.certificate().clone(),
            jurisdiction: Jurisdiction::parse("DE").expect("a jurisdiction"),
            protocol_versions: vec![PROTOCOL_VERSION],
            features: Vec::new(),
        };
        descriptor.sign(&self.root, Vec::new()).expect("a good descriptor")
    }
}

/// A key that follows from words.
fn key(words: &[&str]) -> SigningKey {
    let mut seed = [0_u8; 32];
    for (place, byte) in words.join("\0").bytes().enumerate() {
        let at = place % seed.len();
        seed[at] = seed[at].rotate_left(3) ^ byte.wrapping_mul(167).wrapping_add(1);
    }
    SigningKey::from_seed(&seed)
}
