//! Signing in and out, certificates and devices.

use std::time::Instant;

use conclave_core::identity::{address::DeviceUri, keys::PublicKey};
use conclave_proto::client::v1::{
    DeviceInfo, ListDevicesRequest, ListDevicesResponse, PublishSealingKeyRequest, PublishSealingKeyResponse,
    RenewCertificateRequest, RenewCertificateResponse, SignInRequest, SignInResponse, SignOutRequest,
    SignOutResponse, account_service_server::AccountService,
};
use tonic::{Request, Response, Status, async_trait};

use super::gate::caller;
use crate::{
    account::devices::{Devices, SignIn},
    clock,
    refusal::Refusal,
    rpc::listener::Connection,
};

/// Answers for this server's accounts.
pub struct Account {
    devices: Devices,
}

impl Account {
    /// Of these devices.
    pub const fn new(devices: Devices) -> Self {
        Self { devices }
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
