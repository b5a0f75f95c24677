//! A device's two certificates, verified up to its organisation's root.

use prost::bytes::Bytes;

use super::{
    DEVICE_CA_NAME, DisplayName, Error, ROOT_NAME,
    fields::{Fields, Usage},
};
use crate::{
    identity::{
        address::{DeviceUri, Domain, UserKind},
        keys::PublicKey,
    },
    limits,
    time::Time,
};

/// Device certificate and device CA certificate, well formed, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    certificates: [Bytes; 2],
    leaf: Fields,
    ca: Fields,
    uri: DeviceUri,
}

impl Chain {
    /// Reads certificates in DER, leaf first (spec: IDN-06).
    pub fn parse(certificates: &[Bytes]) -> Result<Self, Error> {
        let [leaf_der, ca_der] = certificates else { return Err(Error::Count) };
        let (leaf, ca) = (Fields::parse(leaf_der)?, Fields::parse(ca_der)?);
        let uri = DeviceUri::parse(&leaf.uri).map_err(|_| Error::Uri)?;
        Ok(Self { certificates: [leaf_der.clone(), ca_der.clone()], leaf, ca, uri })
    }

    /// As it travels.
    pub const fn certificates(&self) -> &[Bytes; 2] {
        &self.certificates
    }

    /// Whose device the chain claims to be of; proves nothing before [`verify`](Self::verify).
    pub const fn claimed_uri(&self) -> &DeviceUri {
        &self.uri
    }

    /// The device's key as claimed; proves nothing before [`verify`](Self::verify).
    pub const fn claimed_key(&self) -> &PublicKey {
        &self.leaf.key
    }

    /// Verifies everything, for a device that enters or changes now (spec: IDN-10).
    pub fn verify(&self, root: &PublicKey, domain: &Domain, now: Time) -> Result<VerifiedDevice, Error> {
        let device = self.verify_ignoring_time(root, domain)?;
        device.check_valid_at(now)?;
        Ok(device)
    }

    /// Verifies everything but the time: for a device that is in already, or for what was signed earlier (spec: IDN-10).
    pub fn verify_ignoring_time(&self, root: &PublicKey, domain: &Domain) -> Result<VerifiedDevice, Error> {
        self.ca.check_device_ca(root, domain)?;
        self.leaf.verify_signature(&self.ca.key)?;
        if self.leaf.issuer != self.ca.subject {
            return Err(Error::Issuer);
        }
        if self.leaf.is_ca {
            return Err(Error::Kind);
        }
        if self.leaf.usage != Usage::Data {
            return Err(Error::KeyUsage);
        }
        if self.uri.domain() != domain {
            return Err(Error::Domain(domain.clone()));
        }
        self.leaf.check_lifetime(limits::DEVICE_CERTIFICATE_LIFETIME)?;
        let display_name = self.leaf.common_name().ok_or(Error::DisplayName)?;
        Ok(VerifiedDevice {
            uri: self.uri.clone(),
            key: self.leaf.key,
            display_name: DisplayName::parse(&display_name)?,
            not_before: self.leaf.not_before.max(self.ca.not_before),
            not_after: self.leaf.not_after.min(self.ca.not_after),
        })
    }
}

impl Fields {
    /// That the organisation's root made this device CA, whatever the time is (spec: IDN-07).
    pub(super) fn check_device_ca(&self, root: &PublicKey, domain: &Domain) -> Result<(), Error> {
        self.verify_signature(root)?;
        if self.issuer_common_name().as_deref() != Some(ROOT_NAME)
            || self.common_name().as_deref() != Some(DEVICE_CA_NAME)
        {
            return Err(Error::Issuer);
        }
        if !self.is_ca {
            return Err(Error::Kind);
        }
        if self.usage != Usage::Certificates {
            return Err(Error::KeyUsage);
        }
        if self.uri != ca_uri(domain) {
            return Err(Error::Domain(domain.clone()));
        }
        self.check_lifetime(limits::DEVICE_CA_LIFETIME)
    }
}

/// The alternative name of a domain's device CA (spec: IDN-07).
pub(super) fn ca_uri(domain: &Domain) -> String {
    format!("conclave://{domain}")
}

/// A device whose organisation says that this key is its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedDevice {
    /// Whose device it is.
    pub uri: DeviceUri,
    /// Its signature key, in MLS too.
    pub key: PublicKey,
    /// How its organisation calls the person.
    pub display_name: DisplayName,
    /// Start of the validity of both certificates.
    pub not_before: Time,
    /// End of the validity of both certificates.
    pub not_after: Time,
}

impl VerifiedDevice {
    /// Whether a guest uses it, who can never be a host.
    pub fn is_guest(&self) -> bool {
        self.uri.user().kind() == UserKind::Guest
    }

    /// Whether the certificates are good at this time, clock skew granted (spec: IDN-10).
    pub fn check_valid_at(&self, time: Time) -> Result<(), Error> {
        if time + limits::CLOCK_SKEW < self.not_before {
            Err(Error::NotYetValid)
        } else if time > self.not_after + limits::CLOCK_SKEW {
            Err(Error::Expired)
        } else {
            Ok(())
        }
    }
}
