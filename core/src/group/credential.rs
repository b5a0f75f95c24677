//! The MLS X.509 credential (RFC 9420 §5.3): a device's certificate chain inside its leaf.
//!
//! Reads names and keys out of certificates; whether a chain is to be believed is decided by `identity`.

use openmls::prelude::{Credential, CredentialType, CredentialWithKey};
use prost::bytes::Bytes;
use tls_codec::{DeserializeBytes as _, Serialize as _, VLByteSlice, VLBytes};

use super::{Error, error::bug};
use crate::identity::{
    address::DeviceUri,
    certificate::Chain,
    keys::{PublicKey, SigningKey},
};

/// A device as it enters groups: its signing key and the certificates for it.
#[derive(Clone, Debug)]
pub struct Identity {
    key: SigningKey,
    chain: Chain,
}

impl Identity {
    /// Refuses a chain that certifies another key (spec: GRP-06).
    pub fn new(key: SigningKey, chain: Chain) -> Result<Self, Error> {
        if *chain.claimed_key() == key.public() {
            Ok(Self { key, chain })
        } else {
            Err(Error::Leaf("the certificate is for another key"))
        }
    }

    /// The signing key.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The certificates.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    pub(super) fn credential_with_key(&self) -> Result<CredentialWithKey, Error> {
        Ok(CredentialWithKey {
            credential: encode(&self.chain)?,
            signature_key: self.key.public().as_bytes().as_slice().into(),
        })
    }
}

/// The chain as an MLS credential.
pub(super) fn encode(chain: &Chain) -> Result<Credential, Error> {
    let mut content = Vec::new();
    for certificate in chain.certificates() {
        VLByteSlice(certificate).tls_serialize(&mut content).map_err(bug("credential"))?;
    }
    Ok(Credential::new(CredentialType::X509, content))
}

/// The chain in an MLS credential, which must be for the leaf's signature key (spec: GRP-06).
pub(super) fn decode(credential: &Credential, signature_key: &[u8]) -> Result<Chain, Error> {
    let chain = read(credential)?;
    let key = PublicKey::parse(signature_key).map_err(|_| Error::Leaf("its signature key is bad"))?;
    if *chain.claimed_key() == key {
        Ok(chain)
    } else {
        Err(Error::Leaf("its certificate is for another key than its signature key"))
    }
}

/// The device that the credential of a leaf names, once the leaf is in the tree.
pub(super) fn claimed_device(credential: &Credential) -> Result<DeviceUri, Error> {
    read(credential).map(|chain| chain.claimed_uri().clone())
}

fn read(credential: &Credential) -> Result<Chain, Error> {
    if credential.credential_type() != CredentialType::X509 {
        return Err(Error::Leaf("its credential is not X.509"));
    }
    let mut rest = credential.serialized_content();
    let mut certificates = Vec::new();
    while !rest.is_empty() {
        if certificates.len() == 2 {
            return Err(Error::Leaf("its credential has more than two certificates"));
        }
        let (certificate, after) =
            VLBytes::tls_deserialize_bytes(rest).map_err(|_| Error::Malformed("credential"))?;
        certificates.push(Bytes::from(Vec::from(certificate)));
        rest = after;
    }
    Chain::parse(&certificates).map_err(|_| Error::Leaf("its certificates are not of their form"))
}
