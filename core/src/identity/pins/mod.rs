//! Which root is the right one for each domain: the first one seen, until that root or a person says otherwise.
//!
//! Servers and devices each keep their own pins, so that no server can show its users a false organisation without
//! disagreeing with what everybody else sees. Fetches nothing: a missing or outdated domain is an error that names it.

mod stored;
mod verify;

use std::collections::BTreeMap;

use conclave_proto::types::v1::SignedDescriptor;

use super::{
    address::Domain,
    certificate,
    descriptor::{self, Descriptor, verify_succession},
    keys::Fingerprint,
    signed,
};
use crate::{limits, time::Time};

/// A descriptor is not accepted, or something does not verify under the pins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No descriptor of this domain is pinned; look it up and try again.
    #[error("nothing is known of {0} yet")]
    UnknownDomain(Domain),
    /// The pinned descriptor has run out; look up a newer one and try again.
    #[error("what is known of {0} has expired")]
    Stale(Domain),
    /// The pinned descriptor does not have this signing key; a newer one may.
    #[error("{domain} has no signing key {key_id} now")]
    UnknownKey {
        /// Whose key.
        domain: Domain,
        /// Which key.
        key_id: String,
    },
    /// Older than what is pinned.
    #[error("the descriptor of {domain} has serial {offered}, but {pinned} was seen before")]
    LowerSerial {
        /// Whose descriptor.
        domain: Domain,
        /// The serial pinned.
        pinned: u64,
        /// The serial refused.
        offered: u64,
    },
    /// Two different descriptors with one serial: the server said two things.
    #[error("{0} signed two different descriptors with one serial")]
    SerialReused(Domain),
    /// Another root than the pinned one, without its word or the operator's.
    #[error("{domain} shows the root {offered}, but {pinned} is pinned")]
    SecondRoot {
        /// Whose root.
        domain: Domain,
        /// What is pinned, or what a person approved.
        pinned: Fingerprint,
        /// What was refused.
        offered: Fingerprint,
    },
    /// As many domains are pinned as the limit allows.
    #[error("no more than {} domains can be pinned", limits::PINNED_DOMAINS)]
    Full,
    /// What names itself as one domain's was signed as another's, or the name is none.
    #[error("a signature is of another domain than it must be")]
    WrongDomain,
    /// The descriptor itself is not good.
    #[error(transparent)]
    Descriptor(#[from] descriptor::Error),
    /// A device's certificates are not good.
    #[error(transparent)]
    Certificate(#[from] certificate::Error),
    /// A signature is not good.
    #[error(transparent)]
    Signed(#[from] signed::Error),
    /// A part of the message is absent.
    #[error("a signed message lacks its signature")]
    Absent,
    /// Stored pins are damaged.
    #[error("the stored pins are damaged")]
    Damaged,
}

/// What accepting a descriptor changed; the first and the last are worth telling a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The domain's root was pinned for the first time.
    First,
    /// It was known already, byte for byte.
    Same,
    /// A newer descriptor of the same root.
    Newer,
    /// A new root, proved by the old one or approved by a person.
    RootRotated,
}

/// One domain's descriptor, as verified and as it travelled.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    descriptor: Descriptor,
    signed: SignedDescriptor,
}

impl Pin {
    /// What the domain says of itself.
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// As it travelled, for passing on and storing.
    pub const fn signed(&self) -> &SignedDescriptor {
        &self.signed
    }
}

/// The pins of one server or device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pins {
    pinned: BTreeMap<Domain, Pin>,
    approved: BTreeMap<Domain, Fingerprint>,
}

impl Pins {
    /// Takes a descriptor in, or refuses it and changes nothing (spec: IDN-16).
    pub fn accept(&mut self, signed: &SignedDescriptor, now: Time) -> Result<Change, Error> {
        let descriptor = Descriptor::verify(signed)?;
        descriptor.check_valid_at(now)?;
        let change = self.judge(&descriptor, signed)?;
        if change != Change::Same {
            if self.approved.get(&descriptor.domain) == Some(&descriptor.root.fingerprint()) {
                self.approved.remove(&descriptor.domain);
            }
            self.pinned.insert(descriptor.domain.clone(), Pin { descriptor, signed: signed.clone() });
        }
        Ok(change)
    }

    /// What accepting a verified descriptor would change (spec: IDN-16, IDN-17, IDN-18).
    fn judge(&self, new: &Descriptor, signed: &SignedDescriptor) -> Result<Change, Error> {
        let offered = new.root.fingerprint();
        let approved = self.approved.get(&new.domain);
        let Some(Pin { descriptor: old, signed: old_signed }) = self.pinned.get(&new.domain) else {
            return match approved {
                Some(expected) if *expected != offered => Err(second_root(new, *expected)),
                _ if self.pinned.len() >= limits::PINNED_DOMAINS => Err(Error::Full),
                _ => Ok(Change::First),
            };
        };
        if old.root != new.root && approved == Some(&offered) {
            return Ok(Change::RootRotated);
        }
        if old.root != new.root
            && verify_succession(&signed.successions, &new.domain, &old.root, &new.root).is_err()
        {
            return Err(second_root(new, old.root.fingerprint()));
        }
        let lower =
            Error::LowerSerial { domain: new.domain.clone(), pinned: old.serial, offered: new.serial };
        let same_bytes = old_signed.descriptor.as_ref().map(|envelope| &envelope.payload)
            == signed.descriptor.as_ref().map(|envelope| &envelope.payload);
        match new.serial.cmp(&old.serial) {
            std::cmp::Ordering::Less => Err(lower),
            std::cmp::Ordering::Equal if same_bytes => Ok(Change::Same),
            std::cmp::Ordering::Equal => Err(Error::SerialReused(new.domain.clone())),
            std::cmp::Ordering::Greater if old.root == new.root => Ok(Change::Newer),
            std::cmp::Ordering::Greater => Ok(Change::RootRotated),
        }
    }

    /// A person vouches for a root: it is accepted once in place of the pinned one, or as the only one if none is pinned yet
    /// (spec: IDN-18).
    pub fn approve(&mut self, domain: Domain, root: Fingerprint) {
        self.approved.insert(domain, root);
    }

    /// What is pinned for a domain, however old.
    pub fn pin(&self, domain: &Domain) -> Option<&Pin> {
        self.pinned.get(domain)
    }

    /// The domain's descriptor, if it is good now (spec: IDN-13).
    pub fn current(&self, domain: &Domain, now: Time) -> Result<&Descriptor, Error> {
        let descriptor = self.known(domain)?;
        descriptor.check_valid_at(now).map_err(|_| Error::Stale(domain.clone()))?;
        Ok(descriptor)
    }

    /// Every domain pinned, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Domain, &Pin)> {
        self.pinned.iter()
    }

    fn known(&self, domain: &Domain) -> Result<&Descriptor, Error> {
        self.pinned.get(domain).map(Pin::descriptor).ok_or_else(|| Error::UnknownDomain(domain.clone()))
    }
}

fn second_root(new: &Descriptor, pinned: Fingerprint) -> Error {
    Error::SecondRoot { domain: new.domain.clone(), pinned, offered: new.root.fingerprint() }
}

#[cfg(test)]
mod tests;
