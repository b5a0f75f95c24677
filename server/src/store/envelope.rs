//! The envelope around each value: versioned, bound to its key, AES-256-GCM.
//!
//! `version 1 ‖ salt (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`; associated data is the record's key. The salt, fresh for
//! each run of the program and for each 2^28 values, gives the AES key by HKDF-SHA256 from the data key, so that random
//! nonces never run out. A value that was moved to another key, cut or flipped does not open.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf,
};
use zeroize::Zeroizing;

use crate::{random, secret_file};

const VERSION: u8 = 1;
const SALT: usize = 8;
const NONCE: usize = 12;
/// Length of the authentication tag at the end.
pub(super) const TAG: usize = 16;
const HEADER: usize = 1 + SALT + NONCE;
const VALUES_PER_SALT: u32 = 1 << 28;
const REMEMBERED_SALTS: usize = 1024;

/// A value does not open: it was damaged, or sealed for another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value does not open")]
pub struct DoesNotOpen;

/// The secret under which all values of one store lie.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// From its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A fresh one.
    pub fn generate() -> Self {
        Self(Zeroizing::new(random::bytes()))
    }

    /// Reads it from its file.
    pub fn read(path: &Path) -> Result<Self, secret_file::Error> {
        secret_file::read(path).map(Self)
    }

    /// Writes it to a new file.
    pub fn write_new(&self, path: &Path) -> Result<(), secret_file::Error> {
        secret_file::write_new(path, &self.0)
    }
}

struct Salted {
    salt: [u8; SALT],
    key: LessSafeKey,
    sealed: AtomicU32,
}

/// Seals and opens the values of one store.
pub struct Sealer {
    secret: hkdf::Prk,
    current: RwLock<Arc<Salted>>,
    known: RwLock<HashMap<[u8; SALT], Arc<Salted>>>,
}

impl Sealer {
    /// For one data key.
    pub fn new(key: &DataKey) -> Self {
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, b"conclave/v1/store").extract(&*key.0);
        let current = RwLock::new(derive(&secret, random::bytes()));
        Self { secret, current, known: RwLock::default() }
    }

    /// The sealed form of a value under a key.
    pub fn seal(&self, key: &[u8], value: &[u8]) -> Vec<u8> {
        let salted = self.salted();
        let nonce: [u8; NONCE] = random::bytes();
        let mut out = Vec::with_capacity(HEADER + value.len() + TAG);
        out.push(VERSION);
        out.extend_from_slice(&salted.salt);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(value);
        let (_, body) = out.split_at_mut(HEADER);
        let tag = salted
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(key), body)
            .expect("AES-GCM seals whatever fits in memory");
        out.extend_from_slice(tag.as_ref());
        out
    }

    /// The value that was sealed under this key.
    pub fn open(&self, key: &[u8], mut sealed: Vec<u8>) -> Result<Vec<u8>, DoesNotOpen> {
        if sealed.len() < HEADER + TAG || sealed[0] != VERSION {
            return Err(DoesNotOpen);
        }
        let salt = sealed[1..=SALT].try_into().map_err(|_| DoesNotOpen)?;
        let nonce = sealed[1 + SALT..HEADER].try_into().map_err(|_| DoesNotOpen)?;
        let length = self
            .key_of(salt)
            .key
            .open_within(Nonce::assume_unique_for_key(nonce), Aad::from(key), &mut sealed, HEADER..)
            .map_err(|_| DoesNotOpen)?
            .len();
        sealed.truncate(length);
        Ok(sealed)
    }

    fn salted(&self) -> Arc<Salted> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        if current.sealed.fetch_add(1, Ordering::Relaxed) < VALUES_PER_SALT {
            return current;
        }
        let fresh = derive(&self.secret, random::bytes());
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        fresh
    }

    fn key_of(&self, salt: [u8; SALT]) -> Arc<Salted> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if current.salt == salt {
            return current.clone();
        }
        drop(current);
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&salt) {
            return known.clone();
        }
        let derived = derive(&self.secret, salt);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_SALTS {
            known.clear();
        }
        known.insert(salt, derived.clone());
        derived
    }
}

/// The tag of a sealed value: differs for every sealing, so it stands for the record in sums.
pub(super) fn tag(sealed: &[u8]) -> u128 {
    sealed.last_chunk::<TAG>().map_or(0, |tag| u128::from_be_bytes(*tag))
}

fn derive(secret: &hkdf::Prk, salt: [u8; SALT]) -> Arc<Salted> {
    let info = [b"value".as_slice(), &salt];
    let key = secret.expand(&info, &AES_256_GCM).map(UnboundKey::from);
    let key = LessSafeKey::new(key.expect("32 bytes are within HKDF's reach"));
    Arc::new(Salted { salt, key, sealed: AtomicU32::new(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_only_unchanged_and_under_its_own_key() {
        let sealer = Sealer::new(&DataKey::from_bytes([3; 32]));
        let value = sealer.seal(b"key", b"value");
        assert_eq!(sealer.open(b"key", value.clone()), Ok(b"value".to_vec()));
        assert_eq!(sealer.open(b"kez", value.clone()), Err(DoesNotOpen));
        for place in 0..value.len() {
            let mut flipped = value.clone();
            flipped[place] ^= 0x10;
            assert_eq!(sealer.open(b"key", flipped), Err(DoesNotOpen), "byte {place}");
            assert_eq!(sealer.open(b"key", value[..place].to_vec()), Err(DoesNotOpen), "cut at {place}");
        }
    }

    #[test]
    fn another_run_with_the_same_key_opens_it_and_another_key_does_not() {
        let sealed = Sealer::new(&DataKey::from_bytes([3; 32])).seal(b"key", b"value");
        assert!(Sealer::new(&DataKey::from_bytes([3; 32])).open(b"key", sealed.clone()).is_ok());
        assert!(Sealer::new(&DataKey::from_bytes([4; 32])).open(b"key", sealed).is_err());
    }

    #[test]
    fn the_plaintext_does_not_show() {
        let sealed = Sealer::new(&DataKey::generate()).seal(b"key", b"canary-canary");
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
    }
}
