//! What OpenMLS runs on: RustCrypto, randomness from a given seed, and a memory that can go back.
//!
//! Nothing here reaches a disk. HPKE inside RustCrypto draws its own randomness from the platform.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use openmls::prelude::{OpenMlsProvider, OpenMlsRand};
use openmls_rust_crypto::{MemoryStorage, RustCrypto};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use zeroize::Zeroize;

/// ChaCha20 from a given seed.
#[derive(Debug)]
pub struct SeededRand(Mutex<ChaCha20Rng>);

/// A seeded generator never fails.
#[derive(Debug, thiserror::Error)]
pub enum NeverFails {}

impl OpenMlsRand for SeededRand {
    type Error = NeverFails;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Self::Error> {
        let mut out = [0; N];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut out);
        Ok(out)
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, Self::Error> {
        let mut out = vec![0; len];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut out);
        Ok(out)
    }
}

/// Crypto, randomness and memory of one group.
#[derive(Debug)]
pub struct Provider {
    crypto: RustCrypto,
    rand: SeededRand,
    storage: MemoryStorage,
}

impl Provider {
    /// With an empty memory.
    pub fn new(seed: [u8; 32]) -> Self {
        let rand = SeededRand(Mutex::new(ChaCha20Rng::from_seed(seed)));
        Self { crypto: RustCrypto::default(), rand, storage: MemoryStorage::default() }
    }

    /// A copy of the memory as it is now.
    pub(super) fn snapshot(&self) -> Memory {
        copy_of(&self.storage)
    }

    /// The memory as it was then.
    pub(super) fn restore(&self, memory: &Memory) {
        put_back(&self.storage, memory);
    }
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = RustCrypto;
    type RandProvider = SeededRand;
    type StorageProvider = MemoryStorage;

    fn storage(&self) -> &MemoryStorage {
        &self.storage
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &SeededRand {
        &self.rand
    }
}

/// What a memory held at one moment; erased when dropped.
#[derive(Clone)]
pub(super) struct Memory(HashMap<Vec<u8>, Vec<u8>>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} values)", self.0.len())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}

/// A copy of a memory as it is now.
pub(super) fn copy_of(storage: &MemoryStorage) -> Memory {
    Memory(storage.values.read().unwrap_or_else(PoisonError::into_inner).clone())
}

/// Makes a memory what it was.
pub(super) fn put_back(storage: &MemoryStorage, memory: &Memory) {
    let mut values = storage.values.write().unwrap_or_else(PoisonError::into_inner);
    values.values_mut().for_each(Zeroize::zeroize);
    values.clone_from(&memory.0);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_bytes() {
        let draw = |seed| Provider::new([seed; 32]).rand().random_array::<32>().unwrap();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_eq!(Provider::new([1; 32]).rand().random_vec(5).unwrap(), draw(1)[..5]);
    }
}
