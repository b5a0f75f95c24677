//! The account side of a device: signing in, its certificate, its sealing keys, its session.

use conclave_proto::{client::v1 as api, types::v1 as types};
use prost::Message;
use prost::bytes::Bytes;
use zeroize::Zeroizing;

use super::{
    Device, Error,
    command::{MeetingAddress, RequestId},
    event::{Done, Event, Over},
    outbox::Pending,
    path,
    session::guest_meeting,
    stored,
};
use crate::{
    identity::{
        address::{DeviceUri, UserAddress, UserKind},
        certificate::{Chain, DisplayName},
        keys::SigningKey,
        possession,
        signed::{self, Label},
    },
    meeting::{guest, link::Link},
    time::Time,
};

/// A signed-in device.
pub(super) struct Account {
    /// The key that signs for the device, in certificates, MLS and submissions.
    pub(super) key: SigningKey,
    /// Its name.
    pub(super) uri: DeviceUri,
    /// Its certificates, as its organisation issued them.
    pub(super) chain: Chain,
    /// When the certificate began and ends.
    pub(super) validity: (Time, Time),
    /// When the session ends.
    pub(super) expires: Time,
    /// The one meeting of a guest.
    pub(super) meeting: Option<MeetingAddress>,
    /// The bearer token.
    token: Zeroizing<String>,
}

/// A sign-in that is not answered yet.
pub(super) struct SigningIn {
    key: SigningKey,
    /// The one meeting of a guest.
    meeting: Option<MeetingAddress>,
}

impl Account {
    /// What is kept in the profile.
    pub(super) fn stored(&self) -> Vec<u8> {
        let meeting = self.meeting.as_ref();
        stored::Account {
            seed: self.key.seed().to_vec(),
            uri: self.uri.to_string(),
            chain: self.chain.certificates().to_vec(),
            token: self.token.to_string(),
            not_before_ms: self.validity.0.as_ms(),
            not_after_ms: self.validity.1.as_ms(),
            expires_ms: self.expires.as_ms(),
            guest_meeting: meeting
                .map(|meeting| Bytes::copy_from_slice(meeting.id.as_bytes()))
                .unwrap_or_default(),
            guest_hub: meeting.map(|meeting| meeting.hub.to_string()).unwrap_or_default(),
        }
        .encode_to_vec()
    }

    /// From the profile.
    pub(super) fn from_stored(bytes: &[u8]) -> Option<Self> {
        let account = stored::Account::decode(bytes).ok()?;
        Some(Self {
            key: SigningKey::from_seed(&account.seed.try_into().ok()?),
            uri: DeviceUri::parse(&account.uri).ok()?,
            chain: Chain::parse(&account.chain).ok()?,
            validity: (Time::from_ms(account.not_before_ms), Time::from_ms(account.not_after_ms)),
            expires: Time::from_ms(account.expires_ms),
            meeting: guest_meeting(&account.guest_meeting, &account.guest_hub),
            token: account.token.into(),
        })
    }

    /// The bearer token.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// When to ask for a new certificate: at half of its life.
    pub(super) fn renew_at(&self) -> Time {
        self.validity.0 + self.validity.1.since(self.validity.0) / 2
    }

    /// Signs a payload as this device, with its certificates.
    pub(super) fn sign(&self, label: Label, message: &impl Message) -> types::DeviceSigned {
        types::DeviceSigned {
            signed: Some(signed::sign_message(label, message, &self.key)),
            certificate_chain: self.chain.certificates().to_vec(),
        }
    }
}

impl Device {
    pub(super) fn sign_in(
        &mut self,
        request: RequestId,
        user: &str,
        password: &str,
        label: &str,
    ) -> Result<(), Error> {
        let address = UserAddress::new(UserKind::User, user, self.domain.clone())?;
        let (key, device_id) = match &self.account {
            Some(account) if *account.uri.user() == address => {
                (account.key.clone(), data_encoding::HEXLOWER.encode(&account.uri.device()))
            }
            _ => (SigningKey::from_seed(&self.random()), String::new()),
        };
        let message = api::SignInRequest {
            user: user.to_owned(),
            password: password.to_owned(),
            device_key: Bytes::copy_from_slice(key.public().as_bytes()),
            possession: Bytes::copy_from_slice(&possession::prove(&address, &key)),
            label: label.to_owned(),
            device_id,
        };
        self.signing_in = Some(SigningIn { key, meeting: None });
        self.out.call(path::SIGN_IN, &message, Pending::SignIn { request });
        Ok(())
    }

    /// A guest's answer has the form of a user's (spec: IDN-31).
    pub(super) fn sign_in_guest(&mut self, request: RequestId, link: &Link, name: &str) -> Result<(), Error> {
        let secret = link.secret.as_ref().ok_or(Error::NoLink)?;
        DisplayName::parse(name)?;
        let key = SigningKey::from_seed(&self.random());
        let device = guest::device_of(&key.public(), &self.domain)?;
        let message = api::SignInGuestRequest {
            display_name: name.to_owned(),
            device_key: Bytes::copy_from_slice(key.public().as_bytes()),
            possession: Bytes::copy_from_slice(&possession::prove(device.user(), &key)),
            meeting_id: Bytes::copy_from_slice(link.meeting.as_bytes()),
            hub: link.hub.to_string(),
            link_signature: Bytes::copy_from_slice(&guest::prove(secret, &link.meeting, &device)),
        };
        let meeting = MeetingAddress { id: link.meeting, hub: link.hub.clone() };
        self.signing_in = Some(SigningIn { key, meeting: Some(meeting) });
        self.out.call(path::SIGN_IN_GUEST, &message, Pending::SignIn { request });
        Ok(())
    }

    pub(super) fn signed_in(&mut self, now: Time, request: RequestId, body: &Bytes) -> Result<(), Error> {
        let answer = api::SignInResponse::decode(body.clone())?;
        let SigningIn { key, meeting } = self.signing_in.as_ref().ok_or(Error::NotSignedIn)?;
        let (key, meeting) = (key.clone(), meeting.clone());
        let uri = DeviceUri::parse(&answer.device)?;
        let chain = Chain::parse(&answer.certificate_chain)?;
        self.out.token(Some(&answer.session_token));
        let verified = self.pins.verify_device(&chain, now);
        let verified = verified.map_err(|error| Error::of_fresh(&self.domain, error))?;
        if verified.uri != uri || verified.key != key.public() || *uri.domain() != self.domain {
            return Err(Error::HomeServer("it certified another device than the one that signed in"));
        }
        let validity = (verified.not_before, verified.not_after);
        if self.make_room_for(uri.user()) {
            self.out.token(Some(&answer.session_token));
        }
        let expires = Time::from_ms(answer.session_expires_ms);
        let token = answer.session_token.into();
        let account = Account { key, uri, chain, validity, expires, meeting, token };
        self.out.persist(stored::ACCOUNT, Some(account.stored()));
        self.account = Some(account);
        self.signing_in = None;
        if verified.uri.user().kind() == UserKind::Guest {
            self.done(request, Ok(Done::SignedIn(verified.uri)));
            return Ok(());
        }
        self.publish_sealing_key(now, Some(request))
    }

    pub(super) fn renewed(&mut self, now: Time, body: &Bytes) -> Result<(), Error> {
        let answer = api::RenewCertificateResponse::decode(body.clone())?;
        let chain = Chain::parse(&answer.certificate_chain)?;
        let verified = self.pins.verify_device(&chain, now);
        let verified = verified.map_err(|error| Error::of_fresh(&self.domain, error))?;
        let account = self.account.as_mut().ok_or(Error::NotSignedIn)?;
        if verified.uri != account.uri || verified.key != account.key.public() {
            return Err(Error::HomeServer("it renewed another device's certificate"));
        }
        account.chain = chain;
        account.validity = (verified.not_before, verified.not_after);
        let stored = account.stored();
        self.out.persist(stored::ACCOUNT, Some(stored));
        self.sealing_key_tick(now);
        Ok(())
    }

    pub(super) fn sign_out(
        &mut self,
        request: RequestId,
        device: Option<&DeviceUri>,
        everywhere: bool,
    ) -> Result<(), Error> {
        let account = self.account.as_ref().ok_or(Error::NotSignedIn)?;
        let this_device = everywhere || device.is_none_or(|device| *device == account.uri);
        let message =
            api::SignOutRequest { device: device.map(ToString::to_string).unwrap_or_default(), everywhere };
        self.out.call(path::SIGN_OUT, &message, Pending::SignOut { request, this_device });
        Ok(())
    }

    pub(super) fn signed_out(
        &mut self,
        request: RequestId,
        this_device: bool,
        body: &Bytes,
    ) -> Result<(), Error> {
        let answer = api::SignOutResponse::decode(body.clone())?;
        if this_device {
            self.end_session(&Over::Left, None);
        }
        self.done(request, Ok(Done::SignedOut(answer.ended)));
        Ok(())
    }

    /// The home server knows of no session any more, so that this device's is over too.
    pub(super) fn was_signed_out(&mut self, request: RequestId) {
        self.end_session(&Over::Left, None);
        self.done(request, Ok(Done::SignedOut(0)));
    }

    pub(super) fn devices_listed(&mut self, request: RequestId, body: &Bytes) -> Result<(), Error> {
        let answer = api::ListDevicesResponse::decode(body.clone())?;
        self.out.event(Event::Done { request, result: Ok(Done::Devices(answer.devices)) });
        Ok(())
    }
}
