//! The driver against a small account server that really certifies, over real TLS.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use conclave_core::{
    identity::{
        address::{DeviceUri, Domain, UserAddress},
        certificate::{DeviceCa, DisplayName, issue_device_ca},
        descriptor::{Descriptor, Endpoint, Jurisdiction, ServerSigningKey},
        keys::{PublicKey, SigningKey},
    },
    limits,
};
use conclave_proto::{
    client::v1::{
        self as client,
        account_service_server::{AccountService, AccountServiceServer},
        directory_service_server::{DirectoryService, DirectoryServiceServer},
        invitation_service_server::{InvitationService, InvitationServiceServer},
    },
    types::v1::{ErrorDetail, ErrorReason},
};
use prost::Message;
use tonic::{Code, Request, Response, Status};

use super::*;
use crate::testing::{Serving, Tls};

struct Home {
    domain: Domain,
    root: SigningKey,
    ca: DeviceCa,
    tokens: Mutex<Vec<Option<String>>>,
}

impl Home {
    fn new(domain: Domain) -> Self {
        let (root, key) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
        let lifetime = limits::DEVICE_CA_LIFETIME;
        let certificate =
            issue_device_ca(&root, &domain, &key.public(), [1; 16], clock::now(), lifetime).unwrap();
        let ca = DeviceCa::new(key, certificate, &root.public(), &domain).unwrap();
        Self { domain, root, ca, tokens: Mutex::default() }
    }

    fn heard(&self, metadata: &tonic::metadata::MetadataMap) {
        let token = metadata.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        self.tokens.lock().unwrap().push(token);
    }
}

fn refused(reason: ErrorReason, message: &str) -> Status {
    let detail = ErrorDetail { reason: reason.into(), message: message.to_owned(), retry_after_ms: 0 };
    Status::with_details(Code::Unauthenticated, "", detail.encode_to_vec().into())
}

#[tonic::async_trait]
impl AccountService for Home {
    async fn sign_in(
        &self,
        request: Request<client::SignInRequest>,
    ) -> Result<Response<client::SignInResponse>, Status> {
        let request = request.into_inner();
        if request.password != "right" {
            return Err(refused(ErrorReason::BadCredentials, "Name or password is wrong."));
        }
        let uri = format!("conclave://{}/u/{}/d/1a2b3c4d5e6f7a8b", self.domain, request.user);
        let key = PublicKey::parse(&request.device_key).unwrap();
        let name = DisplayName::parse("Alice").unwrap();
        let chain =
            self.ca.issue(&DeviceUri::parse(&uri).unwrap(), &name, &key, [2; 16], clock::now()).unwrap();
        Ok(Response::new(client::SignInResponse {
            session_token: "a-secret-token".to_owned(),
            session_expires_ms: 0,
            device: uri,
            certificate_chain: chain.certificates().to_vec(),
        }))
    }

    async fn sign_in_guest(
        &self,
        _: Request<client::SignInGuestRequest>,
    ) -> Result<Response<client::SignInGuestResponse>, Status> {
        Err(refused(ErrorReason::NotFound, "No such meeting."))
    }

    async fn renew_certificate(
        &self,
        _: Request<client::RenewCertificateRequest>,
    ) -> Result<Response<client::RenewCertificateResponse>, Status> {
        Err(Status::unavailable(""))
    }

    async fn publish_sealing_key(
        &self,
        request: Request<client::PublishSealingKeyRequest>,
    ) -> Result<Response<client::PublishSealingKeyResponse>, Status> {
        self.heard(request.metadata());
        Ok(Response::new(client::PublishSealingKeyResponse {}))
    }

    async fn list_devices(
        &self,
        request: Request<client::ListDevicesRequest>,
    ) -> Result<Response<client::ListDevicesResponse>, Status> {
        self.heard(request.metadata());
        let device = client::DeviceInfo { label: "laptop".to_owned(), ..client::DeviceInfo::default() };
        Ok(Response::new(client::ListDevicesResponse { devices: vec![device] }))
    }

    async fn sign_out(
        &self,
        _: Request<client::SignOutRequest>,
    ) -> Result<Response<client::SignOutResponse>, Status> {
        Ok(Response::new(client::SignOutResponse { ended: 1 }))
    }
}

#[tonic::async_trait]
impl DirectoryService for Home {
    async fn look_up_server(
        &self,
        _: Request<client::LookUpServerRequest>,
    ) -> Result<Response<client::LookUpServerResponse>, Status> {
        let now = clock::now();
        let endpoint = || vec![Endpoint::parse("north.localhost:1").unwrap()];
        let public_key = SigningKey::from_seed(&[3; 32]).public();
        let descriptor = Descriptor {
            domain: self.domain.clone(),
            serial: 1,
            not_before: now,
            not_after: now + Duration::from_hours(1),
            root: self.root.public(),
            federation_endpoints: endpoint(),
            relay_endpoints: endpoint(),
            federation_pins: vec![public_key.fingerprint()],
            signing_keys: vec![ServerSigningKey {
                key_id: "a".to_owned(),
                public_key,
                not_after: now + Duration::from_hours(1),
            }],
            device_ca: self.ca.certificate().clone(),
            jurisdiction: Jurisdiction::parse("CZ").unwrap(),
            protocol_versions: vec![1],
            features: Vec::new(),
        };
        let descriptor = descriptor.sign(&self.root, Vec::new()).unwrap();
        Ok(Response::new(client::LookUpServerResponse { descriptor: Some(descriptor) }))
    }

    async fn look_up_user(
        &self,
        _: Request<client::LookUpUserRequest>,
    ) -> Result<Response<client::LookUpUserResponse>, Status> {
        Ok(Response::new(client::LookUpUserResponse::default()))
    }
}

type Items = futures::stream::BoxStream<'static, Result<client::ReceiveResponse, Status>>;

#[tonic::async_trait]
impl InvitationService for Home {
    type ReceiveStream = Items;

    async fn send_invitations(
        &self,
        _: Request<client::SendInvitationsRequest>,
    ) -> Result<Response<client::SendInvitationsResponse>, Status> {
        Ok(Response::new(client::SendInvitationsResponse {}))
    }

    async fn receive(&self, _: Request<client::ReceiveRequest>) -> Result<Response<Items>, Status> {
        Ok(Response::new(futures::stream::empty().boxed()))
    }

    async fn acknowledge(
        &self,
        _: Request<client::AcknowledgeRequest>,
    ) -> Result<Response<client::AcknowledgeResponse>, Status> {
        Ok(Response::new(client::AcknowledgeResponse {}))
    }
}

struct Scene {
    folder: tempfile::TempDir,
    tls: Tls,
    home: Arc<Home>,
    _serving: Serving,
}

impl Scene {
    async fn new() -> Self {
        let tls = Tls::new();
        let home = Arc::new(Home::new(tls.address().server));
        let router = tonic::transport::Server::builder()
            .add_service(AccountServiceServer::from_arc(Arc::clone(&home)))
            .add_service(DirectoryServiceServer::from_arc(Arc::clone(&home)))
            .add_service(InvitationServiceServer::from_arc(Arc::clone(&home)));
        let serving = tls.serve(router).await;
        Self { folder: tempfile::tempdir().unwrap(), tls, home, _serving: serving }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("conclave")
    }

    fn driver(&self) -> Driver {
        let address = UserAddress::parse(&format!("alice@{}", self.tls.address().server)).unwrap();
        Driver::new(Profile::create(&self.path(), address, self.tls.address()).unwrap()).unwrap()
    }
}

fn sign_in(password: &str) -> Command {
    let password = zeroize::Zeroizing::new(password.to_owned());
    Command::SignIn { user: "alice".to_owned(), password, label: "laptop".to_owned() }
}

#[tokio::test]
async fn a_device_signs_in_once_and_is_signed_in_after_a_restart() {
    let scene = Scene::new().await;
    let mut driver = scene.driver();
    assert!(driver.uri().is_none());
    let done = driver.run(sign_in("right"), |_| {}).await.unwrap();
    let uri = driver.uri().cloned().unwrap();
    assert!(matches!(done, Done::SignedIn(device) if device == uri));
    drop(driver);
    let mut again = scene.driver();
    assert_eq!(again.uri(), Some(&uri));
    let done = again.run(Command::ListDevices, |_| {}).await.unwrap();
    assert!(matches!(done, Done::Devices(devices) if devices[0].label == "laptop"));
    let tokens = scene.home.tokens.lock().unwrap().clone();
    assert!(tokens.len() >= 2);
    assert!(tokens.iter().all(|token| token.as_deref() == Some("Bearer a-secret-token")), "{tokens:?}");
    let done = again.run(Command::Receive { follow: false }, |_| {}).await.unwrap();
    assert!(matches!(done, Done::Plain));
    again.run(Command::SignOut { device: None, everywhere: false }, |_| {}).await.unwrap();
    assert!(scene.driver().uri().is_none());
}

#[tokio::test]
async fn a_refused_sign_in_gives_the_reason_and_keeps_nothing() {
    let scene = Scene::new().await;
    let refused = scene.driver().run(sign_in("wrong"), |_| {}).await.unwrap_err();
    let Error::Device(refused) = refused else { panic!("{refused}") };
    assert_eq!(refused.reason(), ErrorReason::BadCredentials);
    assert_eq!(refused.to_string(), "Name or password is wrong.");
    let driver = scene.driver();
    assert!(driver.uri().is_none());
    let account = driver.profile().load().unwrap().into_iter().find(|(key, _)| key == "account");
    assert!(account.is_none());
}
