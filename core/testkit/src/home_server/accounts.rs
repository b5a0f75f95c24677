//! The calls about accounts, the directory and invitations.

use std::time::Duration;

use conclave_core::{
    device::io::ApiError,
    identity::{
        address::{DeviceUri, Domain, UserAddress, UserKind},
        certificate::DisplayName,
        keys::PublicKey,
        possession,
        sealing::SealingKey,
    },
    time::Time,
};
use conclave_proto::{client::v1 as api, types::v1 as types};
use prost::{Message as _, bytes::Bytes};
use types::ErrorReason;

use super::{Action, HomeServer, Origin, api_error, disk, peer};
use crate::client::{CallKey, StreamKey};

/// How long a session lasts.
const SESSION: Duration = Duration::from_hours(30 * 24);

type Answered = Result<Option<Bytes>, ApiError>;

fn malformed<E>(_: E) -> ApiError {
    api_error(ErrorReason::Malformed)
}

fn encoded(message: &impl prost::Message) -> Bytes {
    message.encode_to_vec().into()
}

impl HomeServer {
    pub(super) fn sign_in(&mut self, now: Time, body: Bytes) -> Answered {
        let request = api::SignInRequest::decode(body).map_err(malformed)?;
        if self.disk.accounts.get(&request.user) != Some(&request.password) {
            return Err(api_error(ErrorReason::BadCredentials));
        }
        let user =
            UserAddress::new(UserKind::User, &request.user, self.domain().clone()).map_err(malformed)?;
        let key = PublicKey::parse(&request.device_key).map_err(malformed)?;
        possession::verify(&user, &key, &request.possession)
            .map_err(|_| api_error(ErrorReason::BadSignature))?;
        let number = self.disk.number();
        let known =
            self.disk.devices.values().find(|device| device.key == key).map(|device| device.uri.clone());
        let uri = known.unwrap_or_else(|| DeviceUri::new(user, number.to_be_bytes()));
        let certificate_chain = self.certify(now, &uri, &key);
        let session_token = format!("{}-{number}", self.domain());
        let device = uri.to_string();
        self.disk.devices.insert(session_token.clone(), disk::Device { uri, key });
        Ok(Some(encoded(&api::SignInResponse {
            session_token,
            session_expires_ms: (now + SESSION).as_ms(),
            device,
            certificate_chain,
        })))
    }

    fn certify(&mut self, now: Time, uri: &DeviceUri, key: &PublicKey) -> Vec<Bytes> {
        let mut serial = [0; 16];
        serial[8..].copy_from_slice(&self.disk.number().to_be_bytes());
        serial[0] = 1;
        let name = DisplayName::parse(uri.user().name()).expect("a display name");
        let chain = self.organisation.ca().issue(uri, &name, key, serial, now).expect("a certificate");
        chain.certificates().to_vec()
    }

    pub(super) fn renew(&mut self, now: Time, caller: &disk::Device) -> Bytes {
        let certificate_chain = self.certify(now, &caller.uri, &caller.key);
        encoded(&api::RenewCertificateResponse { certificate_chain })
    }

    pub(super) fn sign_out(&mut self, caller: &disk::Device, body: Bytes) -> Answered {
        let request = api::SignOutRequest::decode(body).map_err(malformed)?;
        let named = if request.device.is_empty() { caller.uri.to_string() } else { request.device };
        let before = self.disk.devices.len();
        self.disk.devices.retain(|_, device| {
            let is_own = device.uri.user() == caller.uri.user();
            !(is_own && (request.everywhere || device.uri.to_string() == named))
        });
        let ended = u32::try_from(before - self.disk.devices.len()).unwrap_or(u32::MAX);
        Ok(Some(encoded(&api::SignOutResponse { ended })))
    }

    /// What its user has created here.
    pub(super) fn list_meetings(&self, caller: &disk::Device) -> Bytes {
        let records = self.disk.hosted.values().map(|hosted| &hosted.record);
        let own = records.filter(|record| record.creator() == caller.uri.user());
        let meetings = own.map(|record| api::MeetingSummary {
            meeting_id: Bytes::copy_from_slice(record.id().as_bytes()),
            hub: record.hub().to_string(),
            record: Some(record.signed().clone()),
            present: 0,
            ended: false,
        });
        encoded(&api::ListMeetingsResponse { meetings: meetings.collect() })
    }

    pub(super) fn publish_sealing_key(&mut self, now: Time, caller: &disk::Device, body: Bytes) -> Answered {
        let request = api::PublishSealingKeyRequest::decode(body).map_err(malformed)?;
        let signed = request.sealing_key.ok_or_else(|| api_error(ErrorReason::Malformed))?;
        let key =
            SealingKey::verify(&signed, &self.pins, now).map_err(|_| api_error(ErrorReason::BadSignature))?;
        if *key.device() != caller.uri {
            return Err(api_error(ErrorReason::NotEntitled));
        }
        self.disk.sealing_keys.insert(caller.uri.clone(), signed);
        Ok(Some(encoded(&api::PublishSealingKeyResponse {})))
    }

    pub(super) fn look_up_server(&self, body: Bytes) -> Answered {
        let request = api::LookUpServerRequest::decode(body).map_err(malformed)?;
        let domain = Domain::parse(&request.domain).map_err(malformed)?;
        let pin = self.pins.pin(&domain).ok_or_else(|| api_error(ErrorReason::NotFound))?;
        Ok(Some(encoded(&api::LookUpServerResponse { descriptor: Some(pin.signed().clone()) })))
    }

    pub(super) fn look_up_user(&mut self, call: CallKey, body: Bytes) -> Answered {
        let request = api::LookUpUserRequest::decode(body).map_err(malformed)?;
        let address = UserAddress::parse(&request.address).map_err(malformed)?;
        if address.domain() == self.domain() {
            return Ok(Some(encoded(&self.user(&address))));
        }
        let domain = address.domain().clone();
        self.request(domain, peer::Request::LookUpUser(request.address), Origin::Device(call));
        Ok(None)
    }

    pub(super) fn user(&self, address: &UserAddress) -> api::LookUpUserResponse {
        let keys = self.disk.sealing_keys.iter().filter(|(device, _)| device.user() == address);
        api::LookUpUserResponse { sealing_keys: keys.map(|(_, key)| key.clone()).collect() }
    }

    pub(super) fn send_invitations(&mut self, caller: &disk::Device, body: Bytes) -> Answered {
        let request = api::SendInvitationsRequest::decode(body).map_err(malformed)?;
        for invitation in request.invitations {
            let recipient = DeviceUri::parse(&invitation.recipient).map_err(malformed)?;
            if invitation.sender != caller.uri.user().to_string() {
                return Err(api_error(ErrorReason::NotEntitled));
            }
            if recipient.domain() == self.domain() {
                self.deliver(&invitation);
            } else {
                self.disk.outbox.push(invitation.clone());
                let id = invitation.invitation_id.clone();
                let request = peer::Request::Invite(Box::new(invitation));
                self.request(recipient.domain().clone(), request, Origin::Outbox(id));
            }
        }
        Ok(Some(encoded(&api::SendInvitationsResponse {})))
    }

    /// Stores an invitation for a device here, once.
    pub(super) fn deliver(&mut self, invitation: &types::SealedInvitation) {
        let Ok(recipient) = DeviceUri::parse(&invitation.recipient) else { return };
        let waiting = self.disk.invitations.entry(recipient.clone()).or_default();
        if waiting.iter().any(|known| known.invitation_id == invitation.invitation_id) {
            return;
        }
        waiting.push(invitation.clone());
        let streams = self.live.receivers.iter().filter(|(_, device)| **device == recipient);
        for stream in streams.map(|(stream, _)| *stream).collect::<Vec<_>>() {
            self.hand_out(stream, invitation.clone());
        }
    }

    fn hand_out(&mut self, stream: StreamKey, invitation: types::SealedInvitation) {
        let item = Some(api::receive_response::Item::Invitation(invitation));
        let body = api::ReceiveResponse { item }.encode_to_vec().into();
        self.out.push_back(Action::Item { stream, body });
    }

    pub(super) fn receive(&mut self, stream: StreamKey, caller: &disk::Device, body: &[u8]) {
        let only_waiting = api::ReceiveRequest::decode(body).is_ok_and(|request| request.only_waiting);
        for invitation in self.disk.invitations.get(&caller.uri).cloned().unwrap_or_default() {
            self.hand_out(stream, invitation);
        }
        if only_waiting {
            self.out.push_back(Action::End { stream, error: None });
        } else {
            self.live.receivers.insert(stream, caller.uri.clone());
        }
    }

    pub(super) fn acknowledge(&mut self, caller: &disk::Device, body: Bytes) -> Answered {
        let request = api::AcknowledgeRequest::decode(body).map_err(malformed)?;
        if let Some(waiting) = self.disk.invitations.get_mut(&caller.uri) {
            waiting.retain(|known| !request.invitation_ids.contains(&known.invitation_id));
        }
        Ok(Some(encoded(&api::AcknowledgeResponse {})))
    }
}
