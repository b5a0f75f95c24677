//! Session tokens: 32 random bytes, shown once, stored as their hash.
//!
//! A session is one device's. Who may begin one is decided in `devices`.

use conclave_core::{
    identity::address::{DeviceUri, UserAddress},
    ids::MeetingId,
    time::Time,
};
use data_encoding::BASE64URL_NOPAD;
use prost::Message;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Error, Result};
use crate::{
    random,
    store::{
        Shared,
        schema::{self, Key},
    },
};

/// A session as it is stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Session {
    /// The device's URI.
    #[prost(string, tag = "1")]
    pub(super) device: String,
    /// End, Unix milliseconds.
    #[prost(uint64, tag = "2")]
    pub(super) expires_ms: u64,
    /// The one meeting of a guest; empty for users.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) meeting: Vec<u8>,
}

/// The secret that stands for a session; erased when dropped, never shown in logs.
pub struct Token(Zeroizing<String>);

impl Token {
    /// A fresh one.
    pub(super) fn generate() -> Self {
        Self(Zeroizing::new(BASE64URL_NOPAD.encode(&random::bytes::<32>())))
    }

    /// As the device gets it, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Who calls: a device with a session that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its device.
    pub device: DeviceUri,
    /// When its session ends.
    pub expires: Time,
    /// The one meeting that a guest's device may name.
    pub only: Option<MeetingId>,
}

impl Caller {
    /// Its user.
    pub const fn user(&self) -> &UserAddress {
        self.device.user()
    }
}

/// All sessions.
#[derive(Clone)]
pub struct Sessions {
    store: Shared,
}

impl Sessions {
    /// Those in a store.
    pub const fn new(store: Shared) -> Self {
        Self { store }
    }

    /// Whose token it is.
    pub async fn caller(&self, token: &str, now: Time) -> Result<Caller> {
        let session: Session =
            schema::read(&*self.store, &schema::session(&hash(token))).await?.ok_or(Error::NoSession)?;
        let expires = Time::from_ms(session.expires_ms);
        if now >= expires {
            return Err(Error::NoSession);
        }
        let device = DeviceUri::parse(&session.device).map_err(|_| Error::Bug("a stored session"))?;
        let only = match session.meeting.as_slice() {
            [] => None,
            id => Some(MeetingId::parse(id).map_err(|_| Error::Bug("a stored session"))?),
        };
        Ok(Caller { device, expires, only })
    }
}

/// The key of a stored session.
pub(super) fn key(token_hash: &[u8]) -> Result<Key> {
    let hash = token_hash.try_into().map_err(|_| Error::Bug("a stored token hash"))?;
    Ok(schema::session(hash))
}
