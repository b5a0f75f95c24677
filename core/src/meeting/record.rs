//! What a meeting is: signed once by its creator, named by its own hash.

use std::sync::Arc;

use aes_gcm::{Aes128Gcm, Key, KeyInit, Nonce, aead::Aead};
use conclave_proto::types::v1 as wire;
use prost::{Message, bytes::Bytes};
use sha2::{Digest, Sha256};

use super::{
    Error as MeetingError,
    link::LinkSecret,
    policy::{Policy, Rules},
    trust::Trust,
};
use crate::{
    group::{Identity, Suite},
    identity::{
        address::{Domain, UserAddress, UserKind},
        signed::{self, Label},
    },
    ids::MeetingId,
    limits,
    time::Time,
};

/// A record is not one of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field is not of its form.
    #[error("the record's {0} is not of its form")]
    Malformed(&'static str),
    /// Larger than the limit.
    #[error("the record is larger than {} bytes", limits::RECORD_BYTES)]
    TooLarge,
    /// Signed by somebody else than the creator it names, or by a guest.
    #[error("the record is not signed by its creator")]
    NotCreator,
    /// The creator must be able to open the own meeting.
    #[error("the creator is not a host of the first policy")]
    CreatorNoHost,
    /// The cipher suite is not spoken here.
    #[error("cipher suite {0:#06x} is not spoken")]
    Suite(u32),
    /// The title is too long.
    #[error("a title has at most {} characters", limits::TITLE_CHARACTERS)]
    Title,
    /// The link secret does not open the details.
    #[error("this link does not open the meeting's title and time")]
    Sealed,
}

/// What a creator decides.
#[derive(Clone, Debug)]
pub struct NewRecord<'a> {
    /// Whose server orders the meeting.
    pub hub: Domain,
    /// The cipher suite.
    pub suite: Suite,
    /// The first policy.
    pub rules: Rules,
    /// Title and time, and the link secret under which they are sealed.
    pub details: Option<(wire::MeetingDetails, &'a LinkSecret)>,
    /// 32 random bytes.
    pub nonce: [u8; 32],
    /// Now.
    pub created: Time,
}

/// A verified record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    signed: wire::DeviceSigned,
    id: MeetingId,
    creator: UserAddress,
    hub: Domain,
    suite: Suite,
    policy: Arc<Policy>,
    nonce: [u8; 32],
    created: Time,
    sealed_details: Bytes,
}

impl Record {
    /// Signs a new meeting as its creator (spec: MTG-01).
    pub fn create(new: NewRecord<'_>, identity: &Identity) -> Result<Self, MeetingError> {
        let policy = Policy::first(new.rules)?;
        let sealed_details = match &new.details {
            Some((details, secret)) => seal(details, secret, &new.nonce)?,
            None => Bytes::new(),
        };
        let record = wire::MeetingRecord {
            creator: identity.chain().claimed_uri().user().to_string(),
            hub: new.hub.to_string(),
            succession: policy.rules().succession.iter().map(ToString::to_string).collect(),
            mls_cipher_suite: new.suite.code_point(),
            initial_policy: policy.bytes().clone(),
            nonce: Bytes::copy_from_slice(&new.nonce),
            created_ms: new.created.as_ms(),
            sealed_details,
        };
        let signed = wire::DeviceSigned {
            signed: Some(signed::sign_message(Label::Record, &record, identity.key())),
            certificate_chain: identity.chain().certificates().to_vec(),
        };
        Self::open(&signed, Trust::Stored)
    }

    /// Verifies a record that travelled, with the creator's certificates as of its creation (spec: MTG-01, MTG-02).
    pub fn open(signed: &wire::DeviceSigned, trust: Trust<'_>) -> Result<Self, MeetingError> {
        let payload = signed.signed.as_ref().map(|signed| signed.payload.clone()).unwrap_or_default();
        if payload.len() > limits::RECORD_BYTES {
            return Err(Error::TooLarge.into());
        }
        let (device, record): (_, wire::MeetingRecord) =
            trust.open(Label::Record, signed, |record: &wire::MeetingRecord| record.created_ms)?;
        let creator = UserAddress::parse(&record.creator).map_err(|_| Error::Malformed("creator"))?;
        if creator != *device.user() || creator.kind() == UserKind::Guest {
            return Err(Error::NotCreator.into());
        }
        let policy = Policy::parse(record.initial_policy)?;
        if policy.version() != 0 {
            return Err(Error::Malformed("policy version").into());
        }
        if !policy.rules().hosts.contains(&creator) {
            return Err(Error::CreatorNoHost.into());
        }
        if !policy.rules().succession.iter().map(Domain::as_str).eq(record.succession.iter()) {
            return Err(Error::Malformed("succession").into());
        }
        Ok(Self {
            signed: signed.clone(),
            id: MeetingId::from_bytes(Sha256::digest(&payload).into()),
            creator,
            hub: Domain::parse(&record.hub).map_err(|_| Error::Malformed("hub"))?,
            suite: Suite::from_code_point(record.mls_cipher_suite)
                .map_err(|_| Error::Suite(record.mls_cipher_suite))?,
            policy: Arc::new(policy),
            nonce: record.nonce.as_ref().try_into().map_err(|_| Error::Malformed("nonce"))?,
            created: Time::from_ms(record.created_ms),
            sealed_details: record.sealed_details,
        })
    }

    /// The meeting's id: SHA-256 of the record's bytes (spec: MTG-01).
    pub const fn id(&self) -> MeetingId {
        self.id
    }

    /// As it travels.
    pub const fn signed(&self) -> &wire::DeviceSigned {
        &self.signed
    }

    /// Who made it.
    pub const fn creator(&self) -> &UserAddress {
        &self.creator
    }

    /// Whose server orders it.
    pub const fn hub(&self) -> &Domain {
        &self.hub
    }

    /// The cipher suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The first policy.
    pub const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// When it was made.
    pub const fn created(&self) -> Time {
        self.created
    }

    /// Title and time, if there are any, by the link secret (spec: MTG-04).
    pub fn details(&self, secret: &LinkSecret) -> Result<Option<wire::MeetingDetails>, Error> {
        if self.sealed_details.is_empty() {
            return Ok(None);
        }
        let plain = cipher(secret)
            .decrypt(&nonce_of(&self.nonce)?, self.sealed_details.as_ref())
            .map_err(|_| Error::Sealed)?;
        wire::MeetingDetails::decode(plain.as_slice()).map(Some).map_err(|_| Error::Malformed("details"))
    }
}

fn cipher(secret: &LinkSecret) -> Aes128Gcm {
    Aes128Gcm::new(&Key::<Aes128Gcm>::from(*secret.details_key()))
}

/// The first 12 bytes of the record's nonce: each link secret and nonce belong to one record, so no pair seals twice.
fn nonce_of(nonce: &[u8; 32]) -> Result<Nonce<aes_gcm::aead::consts::U12>, Error> {
    let bytes: [u8; 12] =
        nonce.get(..12).and_then(|part| part.try_into().ok()).ok_or(Error::Malformed("nonce"))?;
    Ok(Nonce::from(bytes))
}

fn seal(details: &wire::MeetingDetails, secret: &LinkSecret, nonce: &[u8; 32]) -> Result<Bytes, Error> {
    if details.title.chars().count() > limits::TITLE_CHARACTERS {
        return Err(Error::Title);
    }
    let sealed = cipher(secret).encrypt(&nonce_of(nonce)?, details.encode_to_vec().as_slice());
    Ok(sealed.map_err(|_| Error::Sealed)?.into())
}
