//! Organisations and the devices they certify, the same on every run.

use std::time::Duration;

use conclave_core::{
    group::Identity,
    identity::{
        address::{DeviceUri, Domain, UserAddress, UserKind},
        certificate::{Chain, DeviceCa, DisplayName, issue_device_ca},
        keys::{PublicKey, SigningKey},
    },
    time::Time,
};

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
        let name = domain;
        let domain = Domain::parse(name).expect("a domain");
        let (root, ca_key) = (key(&[name, "root"]), key(&[name, "ca"]));
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

/// A key that follows from words.
fn key(words: &[&str]) -> SigningKey {
    let mut seed = [0_u8; 32];
    for (place, byte) in words.join("\0").bytes().enumerate() {
        let at = place % seed.len();
        seed[at] = seed[at].rotate_left(3) ^ byte.wrapping_mul(167).wrapping_add(1);
    }
    SigningKey::from_seed(&seed)
}
