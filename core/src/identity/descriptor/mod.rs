//! What a home server says of itself: where it is, which keys are its own, whose law it stands under.
//!
//! Says that a descriptor is whole and signed by the root that it names; whether that root is the right one is decided by
//! [`pins`](super::pins).

mod fields;
mod succession;
mod travel;

use conclave_proto::types::v1::{RootSuccession, SignedDescriptor};
pub use fields::{Endpoint, Jurisdiction, ServerSigningKey};
use prost::bytes::Bytes;
pub use succession::{sign_succession, verify_succession};

use super::{
    address::Domain,
    certificate,
    keys::{Fingerprint, PublicKey, SigningKey},
    signed::{self, Label},
};
use crate::{limits, time::Time};

/// The protocol version that this code speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// A descriptor is not good. Except for `Incompatible`, the server that signed it is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Absent, larger than the limit, or no descriptor.
    #[error("the descriptor is absent, too large or malformed")]
    Malformed,
    /// One field is not of its form, or there are too many or too few of it.
    #[error("the descriptor's field {0} is not of its form")]
    Field(&'static str),
    /// The root's signature does not verify.
    #[error("the descriptor is not signed by the root that it names")]
    Signature,
    /// The device CA's certificate is not good.
    #[error("the descriptor's device CA: {0}")]
    DeviceCa(#[from] certificate::Error),
    /// An old root's word for a new one does not verify, or the words do not lead to the root.
    #[error("the successions of the descriptor's root do not lead to it")]
    Succession,
    /// No protocol version in common.
    #[error("the server speaks no version of the protocol that we speak")]
    Incompatible,
    /// The time has not come.
    #[error("the descriptor is not valid yet")]
    NotYetValid,
    /// The time is over.
    #[error("the descriptor has expired")]
    Expired,
    /// The signing key is not in the descriptor, or its time is over.
    #[error("the server has no such signing key now")]
    UnknownKey,
}

/// A descriptor whose every field is of its form (spec: IDN-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Who is described.
    pub domain: Domain,
    /// Counts up with every change.
    pub serial: u64,
    /// Start of validity.
    pub not_before: Time,
    /// End of validity.
    pub not_after: Time,
    /// The organisation's root.
    pub root: PublicKey,
    /// Where peers reach the federation services, most wanted first.
    pub federation_endpoints: Vec<Endpoint>,
    /// Where peers reach the relay, most wanted first.
    pub relay_endpoints: Vec<Endpoint>,
    /// Of the federation TLS keys, current first.
    pub federation_pins: Vec<Fingerprint>,
    /// With which the server signs.
    pub signing_keys: Vec<ServerSigningKey>,
    /// The device CA's certificate in DER.
    pub device_ca: Bytes,
    /// Whose law the server stands under.
    pub jurisdiction: Jurisdiction,
    /// Protocol versions spoken, most wanted first.
    pub protocol_versions: Vec<u32>,
    /// Names of optional features.
    pub features: Vec<String>,
}

impl Descriptor {
    /// Signs a descriptor after checking it as a peer would (spec: IDN-11, IDN-12).
    pub fn sign(
        &self,
        root: &SigningKey,
        successions: Vec<RootSuccession>,
    ) -> Result<SignedDescriptor, Error> {
        let descriptor = signed::sign_message(Label::Descriptor, &self.to_message(), root);
        let signed = SignedDescriptor { descriptor: Some(descriptor), successions };
        Self::verify(&signed)?;
        Ok(signed)
    }

    /// Verifies that the root which the payload names signed it, and all fields; time and pins are judged elsewhere.
    ///
    /// The one payload that is decoded before its signature is verified: it names the key (spec: IDN-12).
    pub fn verify(signed: &SignedDescriptor) -> Result<Self, Error> {
        let envelope = signed.descriptor.as_ref().ok_or(Error::Malformed)?;
        if envelope.payload.len() > limits::DESCRIPTOR_BYTES {
            return Err(Error::Malformed);
        }
        let message = travel::decode(&envelope.payload)?;
        let root = PublicKey::parse(&message.root_key).map_err(|_| Error::Field("root_key"))?;
        signed::verify(Label::Descriptor, envelope, &root).map_err(|_| Error::Signature)?;
        let descriptor = Self::from_message(message)?;
        succession::check_chain(&signed.successions, &descriptor.domain, &root)?;
        Ok(descriptor)
    }

    /// Whether the descriptor is good at this time, clock skew granted (spec: IDN-13).
    pub fn check_valid_at(&self, time: Time) -> Result<(), Error> {
        if time + limits::CLOCK_SKEW < self.not_before {
            Err(Error::NotYetValid)
        } else if time > self.not_after + limits::CLOCK_SKEW {
            Err(Error::Expired)
        } else {
            Ok(())
        }
    }

    /// The server's signing key of this id, if it is still in use at this time (spec: IDN-14).
    pub fn signing_key(&self, key_id: &str, time: Time) -> Result<&PublicKey, Error> {
        let key = self.signing_keys.iter().find(|key| key.key_id == key_id).ok_or(Error::UnknownKey)?;
        if time > key.not_after + limits::CLOCK_SKEW { Err(Error::UnknownKey) } else { Ok(&key.public_key) }
    }
}

#[cfg(test)]
pub(super) mod tests;
