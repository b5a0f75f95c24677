//! SFrame (RFC 9605) with keys from MLS (§5.2), cipher suite AES_128_GCM_SHA256_128.
//!
//! A sealed frame is clear bytes, SFrame header, ciphertext, tag. What a frame belongs to (track, kind, codec, layer) and its
//! clear bytes are authenticated. Members share the secrets: a frame proves that a member of the epoch sealed it, and its key
//! id says which; that the two agree is for the sender's own home server to check.

mod cipher;
pub(crate) mod header;
mod keys;
mod opener;
mod past;
mod sealer;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
mod window;

pub use cipher::CIPHER_SUITE;
pub use keys::{BASE_KEY_BYTES, EXPORTER_LABEL, EpochKeys};
pub use opener::{OpenError, Opened, Opener};
pub use sealer::{SealError, Sealer};
