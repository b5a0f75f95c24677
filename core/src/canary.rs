//! Under the feature `canary` alone: remembers the secrets that this device holds, so that the search for secrets on the servers
//! knows what to look for. No release enables it.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, PoisonError},
};

use openmls_rust_crypto::MemoryStorage;
use serde_json::Value;

/// Secrets by their bytes, with their names.
static TOLD: Mutex<BTreeMap<Vec<u8>, String>> = Mutex::new(BTreeMap::new());

/// Shorter ones could be met by chance.
const LEAST_BYTES: usize = 16;

/// Remembers a secret.
pub fn tell(name: &str, secret: &[u8]) {
    if secret.len() >= LEAST_BYTES && secret.iter().any(|byte| *byte != 0) {
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        told.entry(secret.to_vec()).or_insert_with(|| name.to_owned());
    }
}

/// Gives what was remembered since the last time: name and bytes.
pub fn drain() -> Vec<(String, Vec<u8>)> {
    let told = mem::take(&mut *TOLD.lock().unwrap_or_else(PoisonError::into_inner));
    told.into_iter().map(|(secret, name)| (name, secret)).collect()
}

/// Remembers every secret that OpenMLS keeps for a group: it stores JSON whose field names say what is secret.
pub(crate) fn tell_storage(storage: &MemoryStorage) {
    let values = storage.values.read().unwrap_or_else(PoisonError::into_inner);
    for value in values.values() {
        if let Ok(value) = serde_json::from_slice::<Value>(value) {
            walk("mls", &value);
        }
    }
}

fn walk(path: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| walk(&format!("{path}.{name}"), field));
        }
        Value::Array(items) => {
            let bytes: Option<Vec<u8>> =
                items.iter().map(|item| item.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect();
            match bytes {
                Some(bytes) if is_secret(path) => tell(path, &bytes),
                Some(_) => {}
                None => items.iter().for_each(|item| walk(path, item)),
            }
        }
        _ => {}
    }
}

/// The epoch authenticator, the group's context and public keys are no secrets.
fn is_secret(path: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| path.contains(word));
    has(&["secret", "private_key"]) && !has(&["public", "serialized_context", "epoch_authenticator"])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use openmls::prelude::{
        BasicCredential, Ciphersuite, CredentialWithKey, MlsGroup, OpenMlsProvider, SignatureScheme,
    };
    use openmls_rust_crypto::OpenMlsRustCrypto;
    use openmls_traits::signatures::{Signer, SignerError};

    use super::*;

    struct Key(ed25519_dalek::SigningKey);

    impl Signer for Key {
        fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
            Ok(ed25519_dalek::Signer::sign(&self.0, payload).to_vec())
        }

        fn signature_scheme(&self) -> SignatureScheme {
            SignatureScheme::ED25519
        }
    }

    #[test]
    fn the_secrets_of_a_group_are_told_and_its_public_keys_are_not() {
        let provider = OpenMlsRustCrypto::default();
        let key = Key(ed25519_dalek::SigningKey::from_bytes(&[1; 32]));
        let signature_key = key.0.verifying_key().to_bytes();
        let credential = CredentialWithKey {
            credential: BasicCredential::new(b"alice".to_vec()).into(),
            signature_key: signature_key.as_slice().into(),
        };
        let suite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
        let group = MlsGroup::builder().ciphersuite(suite).build(&provider, &key, credential).unwrap();
        tell_storage(provider.storage());
        let told = drain();
        let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
        for word in ["exporter_secret", "init_secret", "secret_tree", "private_key", "membership_key"] {
            assert!(names.iter().any(|name| name.contains(word)), "{word} is not among {names:?}");
        }
        let public =
            [&signature_key[..], group.epoch_authenticator().as_slice(), group.group_id().as_slice()];
        assert!(told.iter().all(|(_, secret)| !public.contains(&secret.as_slice())));
    }
}
