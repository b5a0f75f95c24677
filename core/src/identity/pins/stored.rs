//! Pins as they are stored. Every signature is verified again when they come back; only time is not judged.

use conclave_proto::types::v1::SignedDescriptor;
use prost::Message;

use super::{Error, Pin, Pins};
use crate::identity::{address::Domain, descriptor::Descriptor, keys::Fingerprint};

/// All pins of one party.
#[derive(Clone, PartialEq, Message)]
struct StoredPins {
    #[prost(message, repeated, tag = "1")]
    descriptors: Vec<SignedDescriptor>,
    #[prost(message, repeated, tag = "2")]
    approvals: Vec<StoredApproval>,
}

/// One root that a person vouched for and that has not been seen yet.
#[derive(Clone, PartialEq, Message)]
struct StoredApproval {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(bytes = "vec", tag = "2")]
    root: Vec<u8>,
}

impl Pins {
    /// All pins and approvals as bytes.
    pub fn export(&self) -> Vec<u8> {
        let approval = |(domain, root): (&Domain, &Fingerprint)| StoredApproval {
            domain: domain.to_string(),
            root: root.as_bytes().to_vec(),
        };
        StoredPins {
            descriptors: self.pinned.values().map(|pin| pin.signed.clone()).collect(),
            approvals: self.approved.iter().map(approval).collect(),
        }
        .encode_to_vec()
    }

    /// Pins from bytes that [`export`](Self::export) made.
    pub fn import(bytes: &[u8]) -> Result<Self, Error> {
        let stored = StoredPins::decode(bytes).map_err(|_| Error::Damaged)?;
        let mut pins = Self::default();
        for signed in stored.descriptors {
            pins.restore(signed)?;
        }
        for StoredApproval { domain, root } in stored.approvals {
            let domain = Domain::parse(&domain).map_err(|_| Error::Damaged)?;
            pins.approve(domain, Fingerprint::parse(&root).map_err(|_| Error::Damaged)?);
        }
        Ok(pins)
    }

    /// Puts back one pin that was stored on its own; an expired one stays good for its root and serial.
    pub fn restore(&mut self, signed: SignedDescriptor) -> Result<(), Error> {
        let descriptor = Descriptor::verify(&signed).map_err(|_| Error::Damaged)?;
        self.pinned.insert(descriptor.domain.clone(), Pin { descriptor, signed });
        Ok(())
    }
}
