//! A device's signing key as OpenMLS wants it.

use ed25519_dalek::Signer as _;
use openmls::prelude::SignatureScheme;
use openmls_traits::signatures::{Signer, SignerError};

use crate::identity::keys::SigningKey;

/// Signs for MLS; MLS has its own domain separation.
pub(super) struct MlsSigner(ed25519_dalek::SigningKey);

impl MlsSigner {
    pub(super) fn new(key: &SigningKey) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&key.seed()))
    }
}

impl Signer for MlsSigner {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.0.try_sign(payload).map(|signature| signature.to_vec()).map_err(|_| SignerError::SigningError)
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
