//! Between a descriptor and the message that travels.

use std::{collections::BTreeSet, hash::Hash};

use conclave_proto::types::v1::{self as wire, ServerDescriptor};
use prost::{Message, bytes::Bytes};

use super::{Descriptor, Endpoint, Error, Jurisdiction, PROTOCOL_VERSION, ServerSigningKey};
use crate::{
    identity::{
        address::Domain,
        certificate,
        keys::{Fingerprint, PublicKey},
    },
    limits,
    time::Time,
};

pub(super) fn decode(payload: &Bytes) -> Result<ServerDescriptor, Error> {
    ServerDescriptor::decode(payload.clone()).map_err(|_| Error::Malformed)
}

impl Descriptor {
    /// As it travels.
    pub(super) fn to_message(&self) -> ServerDescriptor {
        let endpoints = |list: &[Endpoint]| list.iter().map(ToString::to_string).collect();
        let signing_key = |key: &ServerSigningKey| wire::ServerSigningKey {
            key_id: key.key_id.clone(),
            public_key: Bytes::copy_from_slice(key.public_key.as_bytes()),
            not_after_ms: key.not_after.as_ms(),
        };
        let pin = |pin: &Fingerprint| Bytes::copy_from_slice(pin.as_bytes());
        ServerDescriptor {
            domain: self.domain.to_string(),
            serial: self.serial,
            not_before_ms: self.not_before.as_ms(),
            not_after_ms: self.not_after.as_ms(),
            root_key: Bytes::copy_from_slice(self.root.as_bytes()),
            federation_endpoints: endpoints(&self.federation_endpoints),
            relay_endpoints: endpoints(&self.relay_endpoints),
            federation_spki_pins: self.federation_pins.iter().map(pin).collect(),
            signing_keys: self.signing_keys.iter().map(signing_key).collect(),
            device_ca: self.device_ca.clone(),
            jurisdiction: self.jurisdiction.to_string(),
            protocol_versions: self.protocol_versions.clone(),
            features: self.features.clone(),
        }
    }

    /// Checks every field (spec: IDN-11).
    pub(super) fn from_message(message: ServerDescriptor) -> Result<Self, Error> {
        let domain = Domain::parse(&message.domain).map_err(|_| Error::Field("domain"))?;
        let root = PublicKey::parse(&message.root_key).map_err(|_| Error::Field("root_key"))?;
        certificate::check_device_ca(&message.device_ca, &root, &domain)?;
        let (not_before, not_after) = validity(&message)?;
        if message.serial == 0 {
            return Err(Error::Field("serial"));
        }
        Ok(Self {
            serial: message.serial,
            not_before,
            not_after,
            federation_endpoints: endpoints(&message.federation_endpoints, 1, "federation_endpoints")?,
            relay_endpoints: endpoints(&message.relay_endpoints, 0, "relay_endpoints")?,
            federation_pins: pins(&message.federation_spki_pins)?,
            signing_keys: signing_keys(&message.signing_keys)?,
            device_ca: message.device_ca,
            jurisdiction: Jurisdiction::parse(&message.jurisdiction)?,
            protocol_versions: versions(message.protocol_versions)?,
            features: features(message.features)?,
            domain,
            root,
        })
    }
}

/// From 1 (or `least`) to `most`, none twice.
fn check_list<T: Ord + Hash>(
    list: &[T],
    least: usize,
    most: usize,
    field: &'static str,
) -> Result<(), Error> {
    let distinct = list.len() <= most && list.iter().collect::<BTreeSet<_>>().len() == list.len();
    if distinct && list.len() >= least { Ok(()) } else { Err(Error::Field(field)) }
}

/// 1 to `most` bytes of `a-z 0-9 -`.
fn check_name(name: &str, most: usize, field: &'static str) -> Result<(), Error> {
    let form_ok = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if form_ok && (1..=most).contains(&name.len()) { Ok(()) } else { Err(Error::Field(field)) }
}

fn validity(message: &ServerDescriptor) -> Result<(Time, Time), Error> {
    let (from, to) = (Time::from_ms(message.not_before_ms), Time::from_ms(message.not_after_ms));
    if from < to && to.since(from) <= limits::DESCRIPTOR_LIFETIME + limits::CLOCK_SKEW {
        Ok((from, to))
    } else {
        Err(Error::Field("not_after_ms"))
    }
}

fn endpoints(list: &[String], least: usize, field: &'static str) -> Result<Vec<Endpoint>, Error> {
    check_list(list, least, limits::ENDPOINTS, field)?;
    list.iter().map(|text| Endpoint::parse(text).map_err(|_| Error::Field(field))).collect()
}

fn pins(list: &[Bytes]) -> Result<Vec<Fingerprint>, Error> {
    const FIELD: &str = "federation_spki_pins";
    check_list(list, 1, limits::FEDERATION_PINS, FIELD)?;
    list.iter().map(|pin| Fingerprint::parse(pin).map_err(|_| Error::Field(FIELD))).collect()
}

fn signing_keys(list: &[wire::ServerSigningKey]) -> Result<Vec<ServerSigningKey>, Error> {
    const FIELD: &str = "signing_keys";
    let ids: Vec<_> = list.iter().map(|key| &key.key_id).collect();
    check_list(&ids, 1, limits::SIGNING_KEYS, FIELD)?;
    let parse = |key: &wire::ServerSigningKey| {
        check_name(&key.key_id, limits::KEY_ID_BYTES, FIELD)?;
        Ok(ServerSigningKey {
            key_id: key.key_id.clone(),
            public_key: PublicKey::parse(&key.public_key).map_err(|_| Error::Field(FIELD))?,
            not_after: Time::from_ms(key.not_after_ms),
        })
    };
    list.iter().map(parse).collect()
}

fn versions(list: Vec<u32>) -> Result<Vec<u32>, Error> {
    check_list(&list, 1, limits::PROTOCOL_VERSIONS, "protocol_versions")?;
    if list.contains(&PROTOCOL_VERSION) { Ok(list) } else { Err(Error::Incompatible) }
}

fn features(list: Vec<String>) -> Result<Vec<String>, Error> {
    check_list(&list, 0, limits::FEATURES, "features")?;
    list.iter().try_for_each(|name| check_name(name, limits::FEATURE_BYTES, "features"))?;
    Ok(list)
}
