//! Invitations: sealed to each device of the invitee, opened and verified where they arrive.

use std::collections::BTreeSet;

use conclave_proto::{client::v1 as api, types::v1 as types};
use prost::Message;
use prost::bytes::Bytes;
use zeroize::Zeroizing;

use super::{
    Device, Error,
    command::{MeetingAddress, RequestId},
    event::{Done, Event, Invited},
    io::StreamId,
    outbox::Pending,
    path, stored,
};
use crate::{
    identity::{
        address::{DeviceUri, UserAddress},
        sealing::{self, Sealed, SealingKey, SealingKeyPair},
        signed::Label,
    },
    limits,
    meeting::{
        admission::{self, NewToken},
        link::Link,
        record::Record,
        trust::Trust,
    },
    time::Time,
};

/// Invitations to one meeting on their way.
pub(super) struct Inviting {
    meeting: MeetingAddress,
    open: BTreeSet<UserAddress>,
    sent_to: usize,
    unreachable: Vec<UserAddress>,
    sealed: Vec<types::SealedInvitation>,
}

impl Device {
    pub(super) fn invite(
        &mut self,
        _now: Time,
        request: RequestId,
        meeting: &MeetingAddress,
        addresses: &[UserAddress],
    ) -> Result<(), Error> {
        self.account.as_ref().ok_or(Error::NotSignedIn)?;
        self.meetings.get(meeting).ok_or(Error::NoLink)?;
        for address in addresses {
            let message = api::LookUpUserRequest { address: address.to_string() };
            self.out.call(path::LOOK_UP_USER, &message, Pending::Users { request, address: address.clone() });
        }
        let inviting = Inviting {
            meeting: meeting.clone(),
            open: addresses.iter().cloned().collect(),
            sent_to: 0,
            unreachable: Vec::new(),
            sealed: Vec::new(),
        };
        self.inviting.insert(request, inviting);
        Ok(())
    }

    /// The sealing keys of one invitee came: seal an invitation to each of their devices.
    pub(super) fn user_found(
        &mut self,
        now: Time,
        request: RequestId,
        address: &UserAddress,
        body: &Bytes,
    ) -> Result<(), Error> {
        let answer = api::LookUpUserResponse::decode(body.clone())?;
        let Some(meeting) = self.inviting.get(&request).map(|inviting| inviting.meeting.clone()) else {
            return Ok(());
        };
        let mut sealed = Vec::new();
        for key in answer.sealing_keys.iter().take(limits::DEVICES_PER_USER) {
            let key = match SealingKey::verify(key, &self.pins, now).map_err(Error::from) {
                Ok(key) => key,
                Err(Error::UnknownDomain(domain)) => return Err(Error::UnknownDomain(domain)),
                // A device that was not used for long keeps nobody from inviting the others (spec: IDN-33).
                Err(error) => {
                    tracing::debug!(%error, "a sealing key is of no use");
                    continue;
                }
            };
            if key.device().user() == address {
                sealed.push(self.seal_invitation(now, &meeting, &key)?);
            }
        }
        let Some(inviting) = self.inviting.get_mut(&request) else { return Ok(()) };
        inviting.open.remove(address);
        if sealed.is_empty() {
            inviting.unreachable.push(address.clone());
        }
        inviting.sent_to += sealed.len();
        inviting.sealed.extend(sealed);
        if inviting.open.is_empty() {
            let invitations = std::mem::take(&mut inviting.sealed);
            if invitations.is_empty() {
                self.invitations_sent(request);
                return Ok(());
            }
            let message = api::SendInvitationsRequest { invitations };
            self.out.call(path::SEND_INVITATIONS, &message, Pending::Invitations { request });
        }
        Ok(())
    }

    fn seal_invitation(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        key: &SealingKey,
    ) -> Result<types::SealedInvitation, Error> {
        let recipient = key.device();
        let (token_id, invitation_id) = (self.random(), self.random());
        let account = self.account.as_ref().ok_or(Error::NotSignedIn)?;
        let kept = self.meetings.get(meeting).ok_or(Error::NoLink)?;
        let expires = now + limits::INVITATION_LIFETIME;
        let token = NewToken {
            meeting: meeting.id,
            address: recipient.user().clone(),
            id: token_id,
            role: types::Role::Participant,
            issued: now,
            expires,
        };
        let token = admission::sign_token(&token, &self.mls_identity()?);
        let details = types::MeetingDetails {
            title: kept.title.clone(),
            starts_ms: kept.starts_ms,
            length_s: kept.length_s,
        };
        let invitation = types::Invitation {
            recipient: recipient.to_string(),
            record: kept.record.clone(),
            link_secret: kept.link_secret.clone().into(),
            token: Some(token),
            details: details.encode_to_vec().into(),
            expires_ms: expires.as_ms(),
            inviter: account.uri.to_string(),
            time_ms: now.as_ms(),
        };
        let plaintext = account.sign(Label::Invitation, &invitation).encode_to_vec();
        let sealed = key.seal(&invitation_id, &plaintext)?;
        Ok(types::SealedInvitation {
            invitation_id: Bytes::copy_from_slice(&invitation_id),
            sender: account.uri.user().to_string(),
            recipient: recipient.to_string(),
            encapsulated_key: sealed.encapsulated_key,
            ciphertext: sealed.ciphertext,
            expires_ms: expires.as_ms(),
        })
    }

    pub(super) fn invitations_sent(&mut self, request: RequestId) {
        let Some(inviting) = self.inviting.remove(&request) else { return };
        let result = Done::Invited { devices: inviting.sent_to, unreachable: inviting.unreachable };
        self.done(request, Ok(result));
    }

    /// Something came on the stream of invitations.
    pub(super) fn received(&mut self, now: Time, _stream: StreamId, message: &Bytes) -> Result<(), Error> {
        let message = api::ReceiveResponse::decode(message.clone())?;
        let id = match message.item.ok_or(Error::Malformed)? {
            api::receive_response::Item::Invitation(sealed) => {
                let invited = self.open_invitation(now, &sealed);
                // One that cannot be opened never will be: acknowledge it too. A missing descriptor is fetched first.
                match invited {
                    Err(Error::UnknownDomain(domain)) => return Err(Error::UnknownDomain(domain)),
                    Err(error) => tracing::warn!(%error, "an invitation was dropped"),
                    Ok(invited) => self.out.event(Event::Invited(invited)),
                }
                sealed.invitation_id
            }
            api::receive_response::Item::Bounce(bounce) => {
                let (recipient, reason) = (bounce.recipient, bounce.reason);
                self.out.event(Event::Bounced { recipient, reason });
                bounce.invitation_id
            }
        };
        let message = api::AcknowledgeRequest { invitation_ids: vec![id] };
        self.out.call(path::ACKNOWLEDGE, &message, Pending::Acknowledged);
        Ok(())
    }

    fn open_invitation(&mut self, now: Time, sealed: &types::SealedInvitation) -> Result<Invited, Error> {
        let account = self.account.as_ref().ok_or(Error::NotSignedIn)?;
        if sealed.recipient != account.uri.to_string() {
            return Err(Error::HomeServer("it gave an invitation for another device"));
        }
        let plaintext = self.unseal(sealed)?;
        let signed = types::DeviceSigned::decode(plaintext.as_slice())?;
        let (inviter, payload) = self.pins.verify_device_signed(Label::Invitation, &signed, now)?;
        let invitation = types::Invitation::decode(payload)?;
        let expires = Time::from_ms(invitation.expires_ms);
        if invitation.recipient != sealed.recipient
            || invitation.inviter != inviter.uri.to_string()
            || expires < now
        {
            return Err(Error::Malformed);
        }
        let record =
            Record::open(invitation.record.as_ref().ok_or(Error::Malformed)?, Trust::Verify(&self.pins))?;
        let address = MeetingAddress { id: record.id(), hub: record.hub().clone() };
        let details = types::MeetingDetails::decode(invitation.details)?;
        let title: String = details.title.chars().take(limits::TITLE_CHARACTERS).collect();
        let kept = stored::Meeting {
            id: Bytes::copy_from_slice(address.id.as_bytes()),
            hub: address.hub.to_string(),
            link_secret: invitation.link_secret.to_vec(),
            token: invitation.token,
            title: title.clone(),
            starts_ms: details.starts_ms,
            record: invitation.record,
            length_s: details.length_s,
            inviter: inviter.uri.user().to_string(),
            invited_until_ms: invitation.expires_ms,
            dismissed: self
                .meetings
                .get(&address)
                .is_some_and(|kept| kept.dismissed && kept.invited_until_ms == invitation.expires_ms),
        };
        let secret = kept.secret();
        self.keep_meeting(address.clone(), kept);
        let (server, hub) = (Some(self.domain.clone()), address.hub.clone());
        let link = Link { server, meeting: address.id, hub, secret };
        let inviter = inviter.uri.user().clone();
        Ok(Invited {
            meeting: address,
            inviter,
            title,
            starts_ms: details.starts_ms,
            length_s: details.length_s,
            link,
            expires,
        })
    }

    fn unseal(&self, sealed: &types::SealedInvitation) -> Result<Zeroizing<Vec<u8>>, Error> {
        let id = sealed.invitation_id.as_ref().try_into().map_err(|_| Error::Malformed)?;
        let recipient = DeviceUri::parse(&sealed.recipient)?;
        let sealed = Sealed {
            encapsulated_key: sealed.encapsulated_key.clone(),
            ciphertext: sealed.ciphertext.clone(),
        };
        let mut failure = sealing::Error::CannotOpen.into();
        for seed in self.sealing.seeds() {
            let seed = seed.try_into().map_err(|_| Error::Malformed)?;
            match SealingKeyPair::from_seed(sealing::Suite::default(), seed)?.open(&sealed, &id, &recipient) {
                Ok(plaintext) => return Ok(plaintext),
                Err(error) => failure = error.into(),
            }
        }
        Err(failure)
    }
}
