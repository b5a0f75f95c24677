//! Ed25519 keys under names of their own, and the fingerprint by which people compare them.
//!
//! Makes no randomness: a signing key comes from a seed that the caller drew.

use std::fmt;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use ed25519_dalek::Signer;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// DER of an Ed25519 SubjectPublicKeyInfo up to the key itself (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A public key is not of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not 32 bytes, not a point on the curve, or a point of small order.
    #[error("an Ed25519 public key must be 32 bytes that name a point of large order")]
    PublicKey,
    /// Not 64 hexadecimal digits.
    #[error("a fingerprint must be 64 hexadecimal digits, spaces allowed")]
    Fingerprint,
}

/// A secret signing key; erased when dropped, never shown.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// From 32 bytes of good randomness.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        #[cfg(feature = "canary")]
        crate::canary::tell("signing key", seed);
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The seed, for sealing it away; erased when dropped.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs bytes as they are; only [`signed`](super::signed) and certificates call this.
    pub(super) fn sign_raw(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {:?})", self.public())
    }
}

/// An Ed25519 public key that can verify (spec: IDN-04).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// From bytes that travelled; refuses points of small order, which accept signatures that nobody made (spec: IDN-04).
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| Error::PublicKey)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| Error::PublicKey)?;
        if key.is_weak() { Err(Error::PublicKey) } else { Ok(Self(key)) }
    }

    /// As it travels.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_spki(&self.spki())
    }

    /// The id of a device that has this key: the beginning of its fingerprint, so that it is the same whenever it signs in.
    pub fn device_id(&self) -> [u8; 8] {
        self.fingerprint().as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// The SubjectPublicKeyInfo in DER (RFC 8410 §4).
    pub fn spki(&self) -> Vec<u8> {
        [&SPKI_PREFIX[..], self.as_bytes()].concat()
    }

    /// Strict verification over bytes as they are (spec: IDN-04).
    pub(super) fn verify_raw(&self, bytes: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(bytes, &signature).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", HEXLOWER.encode(self.as_bytes()))
    }
}

/// SHA-256 of a SubjectPublicKeyInfo: what TLS keys are pinned by and what people compare (spec: IDN-05).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a key of any algorithm, given its SubjectPublicKeyInfo in DER.
    pub fn of_spki(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// From the 32 bytes that travelled.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        bytes.try_into().map(Self).map_err(|_| Error::Fingerprint)
    }

    /// From what a person typed: 64 hexadecimal digits, in any case, with or without spaces or colons between (spec: IDN-05).
    pub fn parse_text(text: &str) -> Result<Self, Error> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | ':')).collect();
        let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| Error::Fingerprint)?;
        Self::parse(&bytes)
    }

    /// As it travels.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    /// Sixteen groups of four digits (spec: IDN-05).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, pair) in self.0.chunks(2).enumerate() {
            let gap = if place == 0 { "" } else { " " };
            write!(f, "{gap}{}", HEXLOWER.encode(pair))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", HEXLOWER.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    #[test]
    fn idn_04_weak_and_malformed_public_keys_are_refused() {
        let mut identity_point = [0; 32];
        identity_point[0] = 1;
        let mut off_curve = [0; 32];
        off_curve[0] = 2;
        for bad in [&[0; 32][..], &identity_point, &off_curve, &[7; 31], &[7; 33], &[]] {
            assert_eq!(PublicKey::parse(bad), Err(Error::PublicKey), "{bad:?}");
        }
        let good = SigningKey::from_seed(&[1; 32]).public();
        assert_eq!(PublicKey::parse(good.as_bytes()), Ok(good));
    }

    #[test]
    fn idn_05_fingerprints_survive_what_people_type() {
        let fingerprint = SigningKey::from_seed(&[1; 32]).public().fingerprint();
        let text = fingerprint.to_string();
        assert_eq!((text.len(), text.split(' ').count()), (79, 16));
        assert_eq!(Fingerprint::parse_text(&text), Ok(fingerprint));
        assert_eq!(Fingerprint::parse_text(&text.replace(' ', ":").to_uppercase()), Ok(fingerprint));
        assert_eq!(Fingerprint::parse_text(&text.replace(' ', "")), Ok(fingerprint));
        assert_eq!(Fingerprint::parse_text(&text[..78]), Err(Error::Fingerprint));
        assert_eq!(Fingerprint::parse_text("not a fingerprint"), Err(Error::Fingerprint));
    }

    #[test]
    fn a_signing_key_does_not_show_itself() {
        let key = SigningKey::from_seed(&[0x5a; 32]);
        assert!(!format!("{key:?}").contains("5a5a5a5a"));
        assert_eq!(SigningKey::from_seed(&key.seed()).public(), key.public());
    }
}
