//! Guests: people without an account, certified for one meeting because they have its link (spec: IDN-31, IDN-32).
//!
//! Whether the meeting takes guests, and whether the link is its own, is decided before this is asked.

use conclave_core::{
    identity::{
        address::{DeviceUri, UserAddress},
        certificate::{Chain, DisplayName},
        keys::PublicKey,
        possession,
    },
    ids::MeetingId,
    limits,
    time::Time,
};
use prost::Message;

use super::{
    Error, Result,
    devices::{Device, Devices, SignedIn, ending},
    sessions::{self, Caller, Session, Token},
};
use crate::store::{self, Batch, schema};

/// Somebody who comes by a link.
#[derive(Debug)]
pub struct Guest<'a> {
    /// What they are called.
    pub name: &'a str,
    /// The device's key.
    pub key: PublicKey,
    /// The device, as its key says.
    pub device: DeviceUri,
    /// The proof that the device has that key.
    pub possession: &'a [u8],
    /// The meeting that they may enter, and no other.
    pub meeting: MeetingId,
}

impl Devices {
    /// A session and a certificate for a guest.
    pub async fn sign_in_guest(&self, guest: Guest<'_>, now: Time) -> Result<SignedIn> {
        let name = DisplayName::parse(guest.name).map_err(|_| Error::DisplayName)?;
        possession::verify(guest.device.user(), &guest.key, guest.possession)
            .map_err(|_| Error::NoPossession)?;
        let chain = self.certify(name.as_str(), &guest.device, &guest.key, now)?;
        let (token, expires) = (Token::generate(), now + limits::GUEST_SESSION);
        let record = Device {
            uri: guest.device.to_string(),
            key: guest.key.as_bytes().to_vec(),
            label: name.as_str().to_owned(),
            signed_in_ms: now.as_ms(),
            last_seen_ms: now.as_ms(),
            token_hash: token.hash().to_vec(),
            expires_ms: expires.as_ms(),
        };
        let session = Session {
            device: record.uri.clone(),
            expires_ms: record.expires_ms,
            meeting: guest.meeting.as_bytes().to_vec(),
        };
        loop {
            let batch = self.place_for(guest.device.user(), &record, now).await?;
            let key = schema::device(&schema::user_name(guest.device.user()), guest.device.device());
            let batch = batch
                .put(key, record.encode_to_vec())
                .put(sessions::key(&record.token_hash)?, session.encode_to_vec());
            match self.store.apply(batch).await {
                Ok(()) => return Ok(SignedIn { token, expires, device: guest.device, chain }),
                Err(store::Error::Changed) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A batch that lets go of guests whose time is over, and of what this one was before.
    async fn place_for(&self, user: &UserAddress, new: &Device, now: Time) -> Result<Batch> {
        let guests = schema::list::<Device>(&*self.store, schema::guests().range(), usize::MAX).await?;
        let (mut batch, mut others) = (Batch::new(), 0);
        let mut was_here = false;
        for (_, guest) in guests {
            if guest.uri == new.uri {
                was_here = true;
                batch = batch
                    .expect_value(
                        schema::device(&schema::user_name(user), device_of(&guest)?.device()),
                        guest.encode_to_vec(),
                    )
                    .delete(sessions::key(&guest.token_hash)?);
            } else if guest.expires_ms <= now.as_ms() {
                batch = batch.and(ending(&schema::user_name(device_of(&guest)?.user()), &guest)?);
            } else {
                others += 1;
            }
        }
        if others >= limits::GUESTS {
            return Err(Error::TooManyDevices);
        }
        if !was_here {
            let device = device_of(new)?;
            batch = batch.expect(schema::device(&schema::user_name(user), device.device()), None);
        }
        Ok(batch)
    }

    /// A new certificate for a guest's device, with the name that it came with.
    pub(super) async fn renew_guest(&self, caller: &Caller, now: Time) -> Result<Chain> {
        let device = self.find(&caller.device).await?.ok_or(Error::NoSession)?;
        let key = PublicKey::parse(&device.key).map_err(|_| Error::Bug("a stored device key"))?;
        self.certify(&device.label, &caller.device, &key, now)
    }
}

fn device_of(guest: &Device) -> Result<DeviceUri> {
    DeviceUri::parse(&guest.uri).map_err(|_| Error::Bug("a stored device"))
}
