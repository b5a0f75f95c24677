//! Key, salt and AEAD of one key id (RFC 9605 §4.4.2 to §4.4.4).

use aes_gcm::{
    Aes128Gcm, KeyInit,
    aead::{AeadInPlace, generic_array::GenericArray},
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// AES_128_GCM_SHA256_128 (RFC 9605 §8.1).
pub const CIPHER_SUITE: u16 = 0x0004;
/// Bytes of an AEAD tag.
pub(crate) const TAG_BYTES: usize = 16;

/// The AEAD of one key id.
pub(crate) struct Cipher {
    aead: Aes128Gcm,
    salt: [u8; 12],
}

impl Cipher {
    /// Derives key and salt from the epoch's base key.
    pub(crate) fn derive(base_key: &[u8], kid: u64) -> Option<Self> {
        let secret = Hkdf::<Sha256>::new(None, base_key);
        let mut key = Zeroizing::new([0; 16]);
        let mut salt = [0; 12];
        let id = kid.to_be_bytes();
        let suite = CIPHER_SUITE.to_be_bytes();
        secret.expand_multi_info(&[b"SFrame 1.0 Secret key ", &id, &suite], key.as_mut_slice()).ok()?;
        secret.expand_multi_info(&[b"SFrame 1.0 Secret salt ", &id, &suite], &mut salt).ok()?;
        let aead = Aes128Gcm::new(GenericArray::from_slice(key.as_slice()));
        Some(Self { aead, salt })
    }

    /// The salt, exclusive-or the counter.
    fn nonce(&self, counter: u64) -> [u8; 12] {
        let mut nonce = self.salt;
        for (byte, mask) in nonce.iter_mut().skip(4).zip(counter.to_be_bytes()) {
            *byte ^= mask;
        }
        nonce
    }

    /// Encrypts `out[from..]` in place and appends the tag.
    pub(crate) fn seal(&self, counter: u64, aad: &[u8], out: &mut Vec<u8>, from: usize) -> Option<()> {
        let nonce = self.nonce(counter);
        let tag = self.aead.encrypt_in_place_detached((&nonce).into(), aad, out.get_mut(from..)?).ok()?;
        out.extend_from_slice(&tag);
        Some(())
    }

    /// Decrypts in place; on failure `text` is worthless.
    pub(crate) fn open(&self, counter: u64, aad: &[u8], text: &mut [u8], tag: &[u8; TAG_BYTES]) -> bool {
        let nonce = self.nonce(counter);
        self.aead.decrypt_in_place_detached((&nonce).into(), aad, text, tag.into()).is_ok()
    }
}
