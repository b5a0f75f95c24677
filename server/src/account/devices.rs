//! Devices: signing in, certificates, sealing keys, signing out.
//!
//! A device's id is the beginning of its key's fingerprint, so that it stays the same when it signs in again. Signing in,
//! changing and ending happen in one batch each: there is no session without its device, and none that outlives it.

use std::{net::IpAddr, sync::Arc, time::Instant};

use conclave_core::{
    identity::{
        address::{DeviceUri, UserAddress, UserKind},
        certificate::{Chain, DeviceCa, DisplayName},
        keys::PublicKey,
        possession,
        signed::{self, Label},
    },
    time::Time,
};
use conclave_proto::types::v1::{DeviceSigned, SealingKey};
use prost::Message;

use super::{
    Error, Result,
    accounts::{Account, Accounts},
    sessions::{self, Caller, Session, Token},
};
use crate::{
    config::Limits,
    random,
    store::{self, Batch, Shared, Store, schema},
};

const LABEL_CHARACTERS: usize = 64;
/// A device's last call is written down at most this often.
const SEEN_EVERY_MS: u64 = 10 * 60 * 1000;

/// A device as it is stored.
#[derive(Clone, PartialEq, Message)]
pub struct Device {
    /// Its URI.
    #[prost(string, tag = "1")]
    pub uri: String,
    /// Its Ed25519 key.
    #[prost(bytes = "vec", tag = "2")]
    pub key: Vec<u8>,
    /// What the person calls it.
    #[prost(string, tag = "3")]
    pub label: String,
    /// When it signed in, Unix milliseconds.
    #[prost(uint64, tag = "4")]
    pub signed_in_ms: u64,
    /// When it was last heard of, Unix milliseconds.
    #[prost(uint64, tag = "5")]
    pub last_seen_ms: u64,
    /// SHA-256 of its session's token.
    #[prost(bytes = "vec", tag = "6")]
    pub token_hash: Vec<u8>,
    /// End of its session, Unix milliseconds.
    #[prost(uint64, tag = "7")]
    pub expires_ms: u64,
}

/// A device that signs in.
#[derive(Debug)]
pub struct SignIn<'a> {
    /// The name before the @.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
    /// Where the call comes from.
    pub from: IpAddr,
    /// The device's key.
    pub key: PublicKey,
    /// The proof that the device has that key.
    pub possession: &'a [u8],
    /// What the person calls the device.
    pub label: &'a str,
}

/// A device that has signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// For later calls; shown once.
    pub token: Token,
    /// When it ends.
    pub expires: Time,
    /// The device.
    pub device: DeviceUri,
    /// Its certificate and its device CA's.
    pub chain: Chain,
}

/// All devices of the organisation's users.
#[derive(Clone)]
pub struct Devices {
    accounts: Accounts,
    pub(super) store: Shared,
    ca: Arc<DeviceCa>,
    session_ms: u64,
    most: usize,
}

impl Devices {
    /// Those in a store.
    pub const fn new(accounts: Accounts, store: Shared, ca: Arc<DeviceCa>, limits: &Limits) -> Self {
        let session_ms = limits.session_days * 24 * 3600 * 1000;
        Self { accounts, store, ca, session_ms, most: limits.devices_per_user }
    }

    /// Trades a password for a session and a certificate.
    pub async fn sign_in(&self, request: SignIn<'_>, now: Time, instant: Instant) -> Result<SignedIn> {
        let user = self.accounts.address(request.user).map_err(|_| Error::WrongPassword)?;
        check_label(request.label)?;
        possession::verify(&user, &request.key, request.possession).map_err(|_| Error::NoPossession)?;
        let account = self.accounts.check(request.user, request.password, request.from, instant).await?;
        let device = DeviceUri::new(user, request.key.device_id());
        let chain = self.certify(&account.display_name, &device, &request.key, now)?;
        let (token, expires) = (Token::generate(), Time::from_ms(now.as_ms() + self.session_ms));
        let record = Device {
            uri: device.to_string(),
            key: request.key.as_bytes().to_vec(),
            label: request.label.to_owned(),
            signed_in_ms: now.as_ms(),
            last_seen_ms: now.as_ms(),
            token_hash: token.hash().to_vec(),
            expires_ms: expires.as_ms(),
        };
        loop {
            // Nothing between the password and the session: an account that is disabled or changed meanwhile is asked again.
            let stored = self.store.get(schema::account(&account.name).as_bytes()).await?;
            if stored.as_deref() != Some(account.encode_to_vec().as_slice()) {
                return Err(Error::WrongPassword);
            }
            let batch = self.begin(&account, &device, &record, now).await?;
            match self.store.apply(batch).await {
                Ok(()) => return Ok(SignedIn { token, expires, device, chain }),
                Err(store::Error::Changed) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A batch that puts the device in place of what was there, and lets expired devices go.
    async fn begin(
        &self,
        account: &Account,
        device: &DeviceUri,
        record: &Device,
        now: Time,
    ) -> Result<Batch> {
        let (name, id) = (account.name.as_str(), device.device());
        let key = schema::device(name, id);
        let before = self.store.get(key.as_bytes()).await?;
        let mut batch = Batch::new()
            .expect_value(schema::account(name), account.encode_to_vec())
            .expect(key.clone(), before.clone());
        let mut others = 0;
        for other in self.list(name).await? {
            if other.uri == record.uri {
                batch = batch.delete(sessions::key(&other.token_hash)?);
            } else if other.expires_ms <= now.as_ms() {
                batch = batch.and(ending(name, &other)?);
            } else {
                others += 1;
            }
        }
        if others >= self.most {
            return Err(Error::TooManyDevices);
        }
        let session =
            Session { device: record.uri.clone(), expires_ms: record.expires_ms, meeting: Vec::new() };
        Ok(batch
            .put(key, record.encode_to_vec())
            .put(sessions::key(&record.token_hash)?, session.encode_to_vec()))
    }

    /// A new certificate for the device that calls, with the name that its account has now.
    pub async fn renew(&self, caller: &Caller, now: Time) -> Result<Chain> {
        if caller.user().kind() == UserKind::Guest {
            return self.renew_guest(caller, now).await;
        }
        let name = caller.user().name();
        let account = self.accounts.find(name).await?.filter(|account| !account.disabled);
        let device = self.find(&caller.device).await?.ok_or(Error::NoSession)?;
        let key = PublicKey::parse(&device.key).map_err(|_| Error::Bug("a stored device key"))?;
        self.certify(&account.ok_or(Error::NoSession)?.display_name, &caller.device, &key, now)
    }

    pub(super) fn certify(
        &self,
        name: &str,
        device: &DeviceUri,
        key: &PublicKey,
        now: Time,
    ) -> Result<Chain> {
        let display_name = DisplayName::parse(name).map_err(|_| Error::Bug("a stored display name"))?;
        self.ca.issue(device, &display_name, key, random::bytes(), now).map_err(Error::DeviceCa)
    }

    /// The devices of a user, by when they signed in.
    pub async fn list(&self, user: &str) -> Result<Vec<Device>> {
        list(&*self.store, user).await
    }

    /// One device.
    pub async fn find(&self, device: &DeviceUri) -> Result<Option<Device>> {
        find(&*self.store, device).await
    }

    /// Writes down that a device was heard of; seldom, and never in the way of its call.
    pub async fn seen(&self, caller: &Caller, now: Time) -> Result<()> {
        let key = schema::device(&schema::user_name(caller.user()), caller.device.device());
        let Some(before) = self.store.get(key.as_bytes()).await? else { return Ok(()) };
        let mut device = Device::decode(&*before).map_err(|_| Error::Bug("a stored device"))?;
        if now.as_ms() < device.last_seen_ms + SEEN_EVERY_MS {
            return Ok(());
        }
        device.last_seen_ms = now.as_ms();
        let batch = Batch::new().expect_value(key.clone(), before).put(key, device.encode_to_vec());
        match self.store.apply(batch).await {
            Err(store::Error::Changed) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Stores the caller's key for sealed invitations.
    pub async fn publish_sealing_key(&self, caller: &Caller, published: &DeviceSigned) -> Result<()> {
        let (name, id) = (schema::user_name(caller.user()), caller.device.device());
        loop {
            let device = self.find(&caller.device).await?.ok_or(Error::NoSession)?;
            check_sealing_key(caller, &device, published)?;
            let batch = Batch::new()
                .expect_value(schema::device(&name, id), device.encode_to_vec())
                .put(schema::sealing_key(&name, id), published.encode_to_vec());
            match self.store.apply(batch).await {
                Err(store::Error::Changed) => {}
                done => return Ok(done?),
            }
        }
    }

    /// Ends one device's session and forgets the device.
    pub async fn sign_out(&self, user: &UserAddress, device: &DeviceUri) -> Result<()> {
        sign_out(&*self.store, user, device).await
    }

    /// Ends all sessions of a user; answers how many.
    pub async fn sign_out_everywhere(&self, user: &UserAddress) -> Result<u32> {
        sign_out_everywhere(&*self.store, user).await
    }
}

/// The devices of a user, by when they signed in.
pub async fn list(store: &dyn Store, user: &str) -> Result<Vec<Device>> {
    // Expired ones go only when another signs in, so there may be more than the limit.
    let found = schema::list::<Device>(store, schema::devices(user).range(), usize::MAX).await?;
    let mut devices: Vec<_> = found.into_iter().map(|(_, device)| device).collect();
    devices.sort_by_key(|device| device.signed_in_ms);
    Ok(devices)
}

/// Ends all sessions of a user; answers how many.
pub async fn sign_out_everywhere(store: &dyn Store, user: &UserAddress) -> Result<u32> {
    let mut ended = 0;
    for device in list(store, &schema::user_name(user)).await? {
        let device = DeviceUri::parse(&device.uri).map_err(|_| Error::Bug("a stored device"))?;
        match sign_out(store, user, &device).await {
            Ok(()) => ended += 1,
            Err(Error::NoDevice) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ended)
}

async fn sign_out(store: &dyn Store, user: &UserAddress, device: &DeviceUri) -> Result<()> {
    if device.user() != user {
        return Err(Error::NoDevice);
    }
    loop {
        let found = find(store, device).await?.ok_or(Error::NoDevice)?;
        match store.apply(ending(&schema::user_name(user), &found)?).await {
            Err(store::Error::Changed) => {}
            done => return Ok(done?),
        }
    }
}

/// One device.
pub async fn find(store: &dyn Store, device: &DeviceUri) -> Result<Option<Device>> {
    let key = schema::device(&schema::user_name(device.user()), device.device());
    Ok(schema::read(store, &key).await?)
}

/// That the sealing key is signed by the device's key and names the device.
fn check_sealing_key(caller: &Caller, device: &Device, published: &DeviceSigned) -> Result<()> {
    let key = PublicKey::parse(&device.key).map_err(|_| Error::Bug("a stored device key"))?;
    let signed = published.signed.as_ref().ok_or(Error::SealingKey)?;
    let stated: SealingKey =
        signed::verify_decode(Label::SealingKey, signed, &key).map_err(|_| Error::SealingKey)?;
    let chain = Chain::parse(&published.certificate_chain).map_err(|_| Error::SealingKey)?;
    let own =
        stated.device == device.uri && chain.claimed_uri() == &caller.device && chain.claimed_key() == &key;
    if own { Ok(()) } else { Err(Error::SealingKey) }
}

/// Forgets a device, if it is still as it was read.
pub(super) fn ending(user: &str, device: &Device) -> Result<Batch> {
    let uri = DeviceUri::parse(&device.uri).map_err(|_| Error::Bug("a stored device"))?;
    let key = schema::device(user, uri.device());
    Ok(Batch::new()
        .expect_value(key.clone(), device.encode_to_vec())
        .delete(key)
        .delete(schema::sealing_key(user, uri.device()))
        .delete(sessions::key(&device.token_hash)?))
}

fn check_label(label: &str) -> Result<()> {
    let ok = label.is_empty() || DisplayName::parse(label).is_ok();
    if ok && label.chars().count() <= LABEL_CHARACTERS { Ok(()) } else { Err(Error::Label) }
}
