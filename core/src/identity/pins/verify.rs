//! Verifying devices and servers under the pins: the one place that joins a signature to a domain's root.

use conclave_proto::types::v1::{DeviceSigned, ServerSigned};
use prost::bytes::Bytes;

use super::{Error, Pins};
use crate::{
    identity::{
        address::Domain,
        certificate::{Chain, VerifiedDevice},
        descriptor,
        signed::{self, Label},
    },
    time::Time,
};

impl Pins {
    /// Verifies a device that enters or changes now, up to its domain's pinned root (spec: IDN-10).
    ///
    /// A root outlives the descriptor that named it, so an expired descriptor does not matter here.
    pub fn verify_device(&self, chain: &Chain, now: Time) -> Result<VerifiedDevice, Error> {
        let device = self.verify_device_ignoring_time(chain)?;
        device.check_valid_at(now)?;
        Ok(device)
    }

    /// Verifies a device whose certificates may have expired since: one that is in already, or that signed something earlier.
    pub fn verify_device_ignoring_time(&self, chain: &Chain) -> Result<VerifiedDevice, Error> {
        let domain = chain.claimed_uri().domain();
        Ok(chain.verify_ignoring_time(&self.known(domain)?.root, domain)?)
    }

    /// Verifies what a device signed just now; gives the payload out only then (spec: IDN-03, IDN-19).
    pub fn verify_device_signed(
        &self,
        label: Label,
        signed: &DeviceSigned,
        now: Time,
    ) -> Result<(VerifiedDevice, Bytes), Error> {
        let (device, payload) = self.verify_device_signed_ignoring_time(label, signed)?;
        device.check_valid_at(now)?;
        Ok((device, payload))
    }

    /// Verifies what a device signed earlier. The caller asks [`VerifiedDevice::check_valid_at`] for the time in the payload.
    pub fn verify_device_signed_ignoring_time(
        &self,
        label: Label,
        signed: &DeviceSigned,
    ) -> Result<(VerifiedDevice, Bytes), Error> {
        let chain = Chain::parse(&signed.certificate_chain)?;
        let device = self.verify_device_ignoring_time(&chain)?;
        let envelope = signed.signed.as_ref().ok_or(Error::Absent)?;
        let payload = signed::verify(label, envelope, &device.key)?.clone();
        Ok((device, payload))
    }

    /// Verifies what this domain's server signed, with a key of its current descriptor (spec: IDN-14).
    pub fn verify_server_signed(
        &self,
        label: Label,
        signed: &ServerSigned,
        domain: &Domain,
        now: Time,
    ) -> Result<Bytes, Error> {
        if signed.domain != domain.as_str() {
            return Err(Error::WrongDomain);
        }
        let key =
            self.current(domain, now)?.signing_key(&signed.key_id, now).map_err(|error| match error {
                descriptor::Error::UnknownKey => {
                    Error::UnknownKey { domain: domain.clone(), key_id: signed.key_id.clone() }
                }
                other => other.into(),
            })?;
        let envelope = signed.signed.as_ref().ok_or(Error::Absent)?;
        Ok(signed::verify(label, envelope, key)?.clone())
    }
}
