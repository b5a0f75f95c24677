//! Signing in and out, certificates and devices.

use std::{net::IpAddr, time::Instant};

use conclave_core::{
    identity::{
        address::{DeviceUri, Domain},
        keys::PublicKey,
    },
    ids::MeetingId,
    meeting::guest,
};
use conclave_proto::client::v1::{
    DeviceInfo, ListDevicesRequest, ListDevicesResponse, PublishSealingKeyRequest, PublishSealingKeyResponse,
    RenewCertificateRequest, RenewCertificateResponse, SignInGuestRequest, SignInGuestResponse,
    SignInRequest, SignInResponse, SignOutRequest, SignOutResponse, account_service_server::AccountService,
};
use conclave_proto::types::v1::ErrorReason;
use tonic::{Request, Response, Status, async_trait};

use super::gate::caller;
use crate::{
    account::{
        devices::{Devices, SignIn},
        guests::Guest,
        throttle::network,
    },
    clock,
    meeting::registry::Registry,
    refusal::Refusal,
    rpc::{
        budget::{Budget, Rate},
        listener::Connection,
    },
};

/// How many guests may come from one network.
const GUESTS: Rate = Rate { burst: 30.0, per_second: 0.5 };

/// Answers for this server's accounts.
pub struct Account {
    devices: Devices,
    registry: Registry,
    guests: Budget<IpAddr>,
}

impl Account {
    /// Of these devices, and guests of these meetings.
    pub fn new(devices: Devices, registry: Registry) -> Self {
        Self { devices, registry, guests: Budget::new(GUESTS) }
    }
}

#[async_trait]
impl AccountService for Account {
    async fn sign_in(&self, request: Request<SignInRequest>) -> Result<Response<SignInResponse>, Status> {
        let from = request.extensions().get::<Connection>().ok_or(Refusal::BUG)?.remote.ip();
        let request = request.into_inner();
        let sign_in = SignIn {
            user: &request.user,
            password: &request.password,
            from,
            key: PublicKey::parse(&request.device_key).map_err(|_| Refusal::MALFORMED)?,
            possession: &request.possession,
            label: &request.label,
        };
        let signed_in =
            self.devices.sign_in(sign_in, clock::now(), Instant::now()).await.map_err(Refusal::from)?;
        Ok(Response::new(SignInResponse {
            session_token: signed_in.token.reveal().to_owned(),
            session_expires_ms: signed_in.expires.as_ms(),
            device: signed_in.device.to_string(),
            certificate_chain: signed_in.chain.certificates().to_vec(),
        }))
    }

    async fn sign_in_guest(
        &self,
        request: Request<SignInGuestRequest>,
    ) -> Result<Response<SignInGuestResponse>, Status> {
        let from = request.extensions().get::<Connection>().ok_or(Refusal::BUG)?.remote.ip();
        let request = request.into_inner();
        self.guests.spend(&network(from), 1.0, Instant::now())?;
        let key = PublicKey::parse(&request.device_key).map_err(|_| Refusal::MALFORMED)?;
        let meeting = MeetingId::parse(&request.meeting_id).map_err(|_| Refusal::MALFORMED)?;
        let hub = Domain::parse(&request.hub).map_err(|_| Refusal::MALFORMED)?;
        let device = guest::device_of(&key, self.registry.own()).map_err(|_| Refusal::MALFORMED)?;
        let policy = self.registry.policy(&hub, &meeting).await?;
        let rules = policy.rules();
        // The same answer as for a meeting that is not there: without the link nobody learns that it is.
        let link_key = rules.link_key.as_ref().ok_or(Refusal::NOT_FOUND)?;
        guest::verify(link_key, &meeting, &device, &request.link_signature)
            .map_err(|_| Refusal::NOT_FOUND)?; // IDN-31
        if rules.ended {
            return Err(Refusal::from(ErrorReason::Ended).into());
        }
        if !rules.guests_allowed {
            return Err(Refusal::from(ErrorReason::NoAdmission).into());
        }
        let (name, possession) = (request.display_name.as_str(), &request.possession[..]);
        let guest = Guest { name, key, device, possession, meeting };
        let signed_in = self.devices.sign_in_guest(guest, clock::now()).await.map_err(Refusal::from)?;
        Ok(Response::new(SignInGuestResponse {
            session_token: signed_in.token.reveal().to_owned(),
            session_expires_ms: signed_in.expires.as_ms(),
            device: signed_in.device.to_string(),
            certificate_chain: signed_in.chain.certificates().to_vec(),
        }))
    }

    async fn renew_certificate(
        &self,
        request: Request<RenewCertificateRequest>,
    ) -> Result<Response<RenewCertificateResponse>, Status> {
        let caller = caller(&request)?;
        let chain = self.devices.renew(&caller, clock::now()).await.map_err(Refusal::from)?;
        Ok(Response::new(RenewCertificateResponse { certificate_chain: chain.certificates().to_vec() }))
    }

    async fn publish_sealing_key(
        &self,
        request: Request<PublishSealingKeyRequest>,
    ) -> Result<Response<PublishSealingKeyResponse>, Status> {
        let caller = caller(&request)?;
        let key = request.into_inner().sealing_key.ok_or(Refusal::MALFORMED)?;
        self.devices.publish_sealing_key(&caller, &key).await.map_err(Refusal::from)?;
        Ok(Response::new(PublishSealingKeyResponse {}))
    }

    async fn list_devices(
        &self,
        request: Request<ListDevicesRequest>,
    ) -> Result<Response<ListDevicesResponse>, Status> {
        let caller = caller(&request)?;
        let own = caller.device.to_string();
        let devices = self.devices.list(caller.user().name()).await.map_err(Refusal::from)?;
        let info = |device: crate::account::devices::Device| DeviceInfo {
            this_device: device.uri == own,
            device: device.uri,
            label: device.label,
            signed_in_ms: device.signed_in_ms,
            last_seen_ms: device.last_seen_ms,
        };
        Ok(Response::new(ListDevicesResponse { devices: devices.into_iter().map(info).collect() }))
    }

    async fn sign_out(&self, request: Request<SignOutRequest>) -> Result<Response<SignOutResponse>, Status> {
        let caller = caller(&request)?;
        let SignOutRequest { device, everywhere } = request.into_inner();
        if everywhere {
            let ended = self.devices.sign_out_everywhere(caller.user()).await.map_err(Refusal::from)?;
            return Ok(Response::new(SignOutResponse { ended }));
        }
        let device = match device.as_str() {
            "" => caller.device.clone(),
            uri => DeviceUri::parse(uri).map_err(|_| Refusal::MALFORMED)?,
        };
        self.devices.sign_out(caller.user(), &device).await.map_err(Refusal::from)?;
        Ok(Response::new(SignOutResponse { ended: 1 }))
    }
}
