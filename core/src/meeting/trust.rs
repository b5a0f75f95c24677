//! How far signatures are believed: verified under pins, or known good because they were verified before they were stored.

use conclave_proto::types::v1::{DeviceSigned, ServerSigned, Signed};
use prost::{Message, bytes::Bytes};

use crate::{
    identity::{
        address::{DeviceUri, Domain},
        certificate::Chain,
        keys::PublicKey,
        pins::{Error, Pins},
        signed::{self, Label},
    },
    time::Time,
};

/// Where the bytes come from.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// From others: every signature and certificate is verified.
    Verify(&'a Pins),
    /// From the own store, where they came only after they were verified.
    Stored,
}

impl Trust<'_> {
    /// What a device signed, at the time that the payload tells.
    pub(super) fn open<M: Message + Default>(
        self,
        label: Label,
        signed: &DeviceSigned,
        time: impl FnOnce(&M) -> u64,
    ) -> Result<(DeviceUri, M), Error> {
        let decode =
            |payload: Bytes| M::decode(payload).map_err(|_| Error::Signed(signed::Error::Payload(label)));
        match self {
            Self::Verify(pins) => {
                let (device, payload) = pins.verify_device_signed_ignoring_time(label, signed)?;
                let message = decode(payload)?;
                device.check_valid_at(Time::from_ms(time(&message)))?;
                Ok((device.uri, message))
            }
            Self::Stored => {
                let chain = Chain::parse(&signed.certificate_chain)?;
                let payload = signed.signed.as_ref().ok_or(Error::Absent)?.payload.clone();
                Ok((chain.claimed_uri().clone(), decode(payload)?))
            }
        }
    }

    /// That a device's certificates are good for it to enter or change now.
    pub(super) fn check_device(self, chain: &Chain, now: Time) -> Result<(), Error> {
        match self {
            Self::Verify(pins) => pins.verify_device(chain, now).map(|_| ()),
            Self::Stored => Ok(()),
        }
    }

    /// That a device with a known key signed this.
    pub(super) fn check_signature(
        self,
        label: Label,
        signed: &Signed,
        key: &PublicKey,
    ) -> Result<(), signed::Error> {
        match self {
            Self::Verify(_) => signed::verify(label, signed, key).map(|_| ()),
            Self::Stored => Ok(()),
        }
    }

    /// That a key made this bare signature.
    pub(super) fn check_bytes(
        self,
        label: Label,
        bytes: &[u8],
        signature: &[u8],
        key: &PublicKey,
    ) -> Result<(), signed::Error> {
        match self {
            Self::Verify(_) => signed::verify_bytes(label, bytes, signature, key),
            Self::Stored => Ok(()),
        }
    }

    /// What a domain's server signed.
    pub(super) fn open_server<M: Message + Default>(
        self,
        label: Label,
        signed: &ServerSigned,
        domain: &Domain,
        now: Time,
    ) -> Result<M, Error> {
        let payload = match self {
            Self::Verify(pins) => pins.verify_server_signed(label, signed, domain, now)?,
            Self::Stored => signed.signed.as_ref().ok_or(Error::Absent)?.payload.clone(),
        };
        M::decode(payload).map_err(|_| Error::Signed(signed::Error::Payload(label)))
    }

    /// Under which law a domain stands, as far as it is known.
    pub(super) fn jurisdiction(self, domain: &Domain) -> Option<String> {
        match self {
            Self::Verify(pins) => pins.pin(domain).map(|pin| pin.descriptor().jurisdiction.to_string()),
            Self::Stored => None,
        }
    }
}
