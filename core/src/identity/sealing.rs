//! Sealing for one device, so that only it can open: HPKE in base mode (RFC 9180).
//!
//! Says nothing of who sealed: the sealed plaintext carries the inviter's own signature.
//! The encapsulation draws on the system's or browser's entropy inside the HPKE library; keys come from given seeds.

use std::fmt;

use conclave_proto::types::v1::{self as wire, DeviceSigned, Signed};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::{
    crypto::OpenMlsCrypto,
    types::{Ciphersuite, HpkeCiphertext},
};
use prost::{Message, bytes::Bytes};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    address::DeviceUri,
    keys::SigningKey,
    pins::{self, Pins},
    signed::{self, Label},
};
use crate::{limits, time::Time};

/// The HPKE info of every sealed invitation (spec: IDN-21).
const INFO: &[u8] = b"conclave/v1/invitation";

/// Something cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The sealing key is not signed by a device that verifies.
    #[error(transparent)]
    Signer(#[from] pins::Error),
    /// The signed payload is no sealing key, or not of its form.
    #[error("a sealing key is malformed")]
    Malformed,
    /// A suite that we do not have.
    #[error("a sealing key is of an unknown suite")]
    Incompatible,
    /// Signed by another device than it names.
    #[error("a sealing key is signed by another device than it names")]
    WrongDevice,
    /// Its time is over, or too far away.
    #[error("a sealing key is not in its time of use")]
    NotInUse,
    /// Larger than the limit.
    #[error("a sealed invitation is larger than {} bytes", limits::SEALED_INVITATION_BYTES)]
    TooLarge,
    /// Sealed for somebody else, or changed on its way.
    #[error("a sealed invitation cannot be opened with this key")]
    CannotOpen,
    /// The library refused what must work.
    #[error("sealing failed")]
    Bug,
}

/// Which KEM, KDF and AEAD, named by the MLS cipher suite that has them (spec: IDN-20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Suite {
    /// 0x004F: ML-KEM-768 with X25519, so that what is recorded today cannot be opened by a later quantum computer.
    #[default]
    Hybrid,
    /// 0x0001: X25519 alone.
    Classical,
}

impl Suite {
    /// As it travels.
    pub const fn code_point(self) -> u32 {
        match self {
            Self::Hybrid => 0x004f,
            Self::Classical => 0x0001,
        }
    }

    /// From its code point.
    pub fn parse(code_point: u32) -> Result<Self, Error> {
        [Self::Hybrid, Self::Classical]
            .into_iter()
            .find(|suite| suite.code_point() == code_point)
            .ok_or(Error::Incompatible)
    }

    const fn ciphersuite(self) -> Ciphersuite {
        match self {
            Self::Hybrid => Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519,
            Self::Classical => Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
        }
    }

    /// Length of the KEM's public key, bytes.
    const fn public_key_bytes(self) -> usize {
        match self {
            Self::Hybrid => 1216,
            Self::Classical => 32,
        }
    }
}

/// A device's key pair for sealed invitations; the secret is erased when dropped, never shown.
#[derive(Clone)]
pub struct SealingKeyPair {
    suite: Suite,
    public: Bytes,
    secret: Zeroizing<Vec<u8>>,
}

impl SealingKeyPair {
    /// From 32 bytes of good randomness.
    pub fn from_seed(suite: Suite, seed: &[u8; 32]) -> Result<Self, Error> {
        let config = suite.ciphersuite().hpke_config();
        let pair = RustCrypto::default().derive_hpke_keypair(config, seed).map_err(|_| Error::Bug)?;
        #[cfg(feature = "canary")]
        crate::canary::tell("sealing key", &pair.private);
        Ok(Self { suite, public: pair.public.into(), secret: Zeroizing::new(pair.private.to_vec()) })
    }

    /// The public half, signed by its device (spec: IDN-20).
    pub fn publish(&self, device: &DeviceUri, not_after: Time, key: &SigningKey) -> Signed {
        let message = wire::SealingKey {
            device: device.to_string(),
            mls_cipher_suite: self.suite.code_point(),
            public_key: self.public.clone(),
            not_after_ms: not_after.as_ms(),
        };
        signed::sign_message(Label::SealingKey, &message, key)
    }

    /// SHA-256 of the public key, by which a device tells its own keys apart.
    pub fn key_id(&self) -> [u8; 32] {
        Sha256::digest(&self.public).into()
    }

    /// Opens what was sealed for this device (spec: IDN-21).
    pub fn open(
        &self,
        sealed: &Sealed,
        invitation_id: &[u8; 16],
        recipient: &DeviceUri,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        if sealed.ciphertext.len() > limits::SEALED_INVITATION_BYTES {
            return Err(Error::TooLarge);
        }
        let input = HpkeCiphertext {
            kem_output: sealed.encapsulated_key.to_vec().into(),
            ciphertext: sealed.ciphertext.to_vec().into(),
        };
        let (config, aad) = (self.suite.ciphersuite().hpke_config(), aad(invitation_id, recipient));
        RustCrypto::default()
            .hpke_open(config, &input, &self.secret, INFO, &aad)
            .map(Zeroizing::new)
            .map_err(|_| Error::CannotOpen)
    }
}

impl fmt::Debug for SealingKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKeyPair({:?})", self.suite)
    }
}

/// A device's public key for sealed invitations, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealingKey {
    device: DeviceUri,
    suite: Suite,
    public: Bytes,
}

impl SealingKey {
    /// Verifies that the device which the key names signed it, and that it is in use (spec: IDN-20).
    pub fn verify(signed: &DeviceSigned, pins: &Pins, now: Time) -> Result<Self, Error> {
        let (device, payload) = pins.verify_device_signed(Label::SealingKey, signed, now)?;
        let message = wire::SealingKey::decode(payload).map_err(|_| Error::Malformed)?;
        if message.device != device.uri.to_string() {
            return Err(Error::WrongDevice);
        }
        let suite = Suite::parse(message.mls_cipher_suite)?;
        if message.public_key.len() != suite.public_key_bytes() {
            return Err(Error::Malformed);
        }
        let not_after = Time::from_ms(message.not_after_ms);
        let over = now > not_after + limits::CLOCK_SKEW;
        if over || not_after.since(now) > limits::SEALING_KEY_LIFETIME + limits::CLOCK_SKEW {
            return Err(Error::NotInUse);
        }
        Ok(Self { device: device.uri, suite, public: message.public_key })
    }

    /// Whose key it is.
    pub const fn device(&self) -> &DeviceUri {
        &self.device
    }

    /// Seals for this device (spec: IDN-21).
    pub fn seal(&self, invitation_id: &[u8; 16], plaintext: &[u8]) -> Result<Sealed, Error> {
        let (config, aad) = (self.suite.ciphersuite().hpke_config(), aad(invitation_id, &self.device));
        let sealed = RustCrypto::default()
            .hpke_seal(config, &self.public, INFO, &aad, plaintext)
            .map_err(|_| Error::Malformed)?;
        let ciphertext = Bytes::copy_from_slice(sealed.ciphertext.as_slice());
        if ciphertext.len() > limits::SEALED_INVITATION_BYTES {
            return Err(Error::TooLarge);
        }
        Ok(Sealed { encapsulated_key: Bytes::copy_from_slice(sealed.kem_output.as_slice()), ciphertext })
    }
}

/// What was sealed, as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The HPKE encapsulated key.
    pub encapsulated_key: Bytes,
    /// The HPKE ciphertext.
    pub ciphertext: Bytes,
}

/// The invitation and its recipient, so that neither can be exchanged on the way.
fn aad(invitation_id: &[u8; 16], recipient: &DeviceUri) -> Vec<u8> {
    [&invitation_id[..], recipient.to_string().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.
    use std::time::Duration;

    use super::*;
    use crate::identity::{
        certificate::{DeviceCa, DisplayName},
        descriptor::tests::{NOW, descriptor, domain, key},
    };

    const ID: [u8; 16] = [7; 16];
    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn bob() -> DeviceUri {
        DeviceUri::parse("conclave://north.example/u/bob/d/0102030405060708").unwrap()
    }

    fn pair(suite: Suite, seed: u8) -> SealingKeyPair {
        SealingKeyPair::from_seed(suite, &[seed; 32]).unwrap()
    }

    fn signed(publication: Signed) -> DeviceSigned {
        let north = descriptor("north.example", 10, 1);
        let ca =
            DeviceCa::new(key(11), north.device_ca, &key(10).public(), &domain("north.example")).unwrap();
        let name = DisplayName::parse("Bob").unwrap();
        let chain = ca.issue(&bob(), &name, &key(99).public(), [1; 16], NOW).unwrap();
        DeviceSigned { signed: Some(publication), certificate_chain: chain.certificates().to_vec() }
    }

    fn verify(publication: Signed, now: Time) -> Result<SealingKey, Error> {
        let mut pins = Pins::default();
        pins.accept(&descriptor("north.example", 10, 1).sign(&key(10), vec![]).unwrap(), NOW).unwrap();
        SealingKey::verify(&signed(publication), &pins, now)
    }

    #[test]
    fn idn_21_only_the_device_opens_what_was_sealed_for_it() {
        for suite in [Suite::Hybrid, Suite::Classical] {
            let own = pair(suite, 1);
            let sealed =
                verify(own.publish(&bob(), NOW + WEEK, &key(99)), NOW).unwrap().seal(&ID, b"secret").unwrap();
            assert_eq!(own.open(&sealed, &ID, &bob()).unwrap().as_slice(), b"secret");
            let refused = Err(Error::CannotOpen);
            assert_eq!(pair(suite, 2).open(&sealed, &ID, &bob()), refused);
            assert_eq!(own.open(&sealed, &[8; 16], &bob()), refused);
            let carol = DeviceUri::parse("conclave://north.example/u/carol/d/0102030405060708").unwrap();
            assert_eq!(own.open(&sealed, &ID, &carol), refused);
            let mut changed = sealed.clone();
            changed.ciphertext = sealed.ciphertext.iter().map(|byte| byte ^ 1).collect();
            assert_eq!(own.open(&changed, &ID, &bob()), refused);
            for length in 0..sealed.encapsulated_key.len().min(40) {
                let cut =
                    Sealed { encapsulated_key: sealed.encapsulated_key.slice(..length), ..sealed.clone() };
                assert_eq!(own.open(&cut, &ID, &bob()), refused);
            }
        }
    }

    #[test]
    fn idn_20_a_sealing_key_is_its_devices_own_and_has_its_time() {
        let own = pair(Suite::Hybrid, 1);
        let good = own.publish(&bob(), NOW + WEEK, &key(99));
        assert_eq!(verify(good.clone(), NOW).unwrap().device(), &bob());
        let by_other = own.publish(&bob(), NOW + WEEK, &key(98));
        assert!(matches!(verify(by_other, NOW), Err(Error::Signer(pins::Error::Signed(_)))));
        let carol = DeviceUri::parse("conclave://north.example/u/carol/d/0102030405060708").unwrap();
        assert_eq!(verify(own.publish(&carol, NOW + WEEK, &key(99)), NOW), Err(Error::WrongDevice));
        assert_eq!(verify(own.publish(&bob(), NOW - WEEK, &key(99)), NOW), Err(Error::NotInUse));
        assert_eq!(verify(own.publish(&bob(), NOW + 3 * WEEK, &key(99)), NOW), Err(Error::NotInUse));
        let message = wire::SealingKey::decode(good.payload).unwrap();
        let publish = |message: &wire::SealingKey| signed::sign_message(Label::SealingKey, message, &key(99));
        let unknown = wire::SealingKey { mls_cipher_suite: 2, ..message.clone() };
        assert_eq!(verify(publish(&unknown), NOW), Err(Error::Incompatible));
        let short = wire::SealingKey { public_key: vec![1; 32].into(), ..message };
        assert_eq!(verify(publish(&short), NOW), Err(Error::Malformed));
    }

    #[test]
    fn a_sealing_key_pair_comes_from_its_seed_and_does_not_show_itself() {
        let own = pair(Suite::Hybrid, 1);
        assert_eq!(own.key_id(), pair(Suite::Hybrid, 1).key_id());
        assert_ne!(own.key_id(), pair(Suite::Hybrid, 2).key_id());
        assert_eq!(format!("{own:?}"), "SealingKeyPair(Hybrid)");
    }
}
