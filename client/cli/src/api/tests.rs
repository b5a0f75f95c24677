//! Against a real gRPC server over real TLS.

use std::{sync::Mutex, time::Duration};

use conclave_proto::{
    client::v1::{
        self as client,
        directory_service_server::{DirectoryService, DirectoryServiceServer},
        invitation_service_server::{InvitationService, InvitationServiceServer},
    },
    types::v1::{ErrorDetail, ErrorReason},
};
use prost::Message;
use tonic::{Code, Response, Status};

use super::*;
use crate::testing::{Serving, Tls};

#[derive(Default)]
struct Server {
    tokens: Mutex<Vec<Option<String>>>,
}

#[tonic::async_trait]
impl DirectoryService for Server {
    async fn look_up_server(
        &self,
        request: Request<client::LookUpServerRequest>,
    ) -> Result<Response<client::LookUpServerResponse>, Status> {
        let token = request.metadata().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        self.tokens.lock().unwrap().push(token);
        if request.into_inner().domain == "south.example" {
            return Ok(Response::new(client::LookUpServerResponse { descriptor: None }));
        }
        let detail = ErrorDetail {
            reason: ErrorReason::NotFound.into(),
            message: "There is no such server.".to_owned(),
            retry_after_ms: 250,
        };
        Err(Status::with_details(Code::NotFound, "not found", detail.encode_to_vec().into()))
    }

    async fn look_up_user(
        &self,
        _: Request<client::LookUpUserRequest>,
    ) -> Result<Response<client::LookUpUserResponse>, Status> {
        Err(Status::permission_denied("a proxy says no"))
    }
}

type Items = futures::stream::BoxStream<'static, Result<client::ReceiveResponse, Status>>;

#[tonic::async_trait]
impl InvitationService for Server {
    type ReceiveStream = Items;

    async fn send_invitations(
        &self,
        _: Request<client::SendInvitationsRequest>,
    ) -> Result<Response<client::SendInvitationsResponse>, Status> {
        std::future::pending().await
    }

    async fn receive(&self, _: Request<client::ReceiveRequest>) -> Result<Response<Items>, Status> {
        let items = [Ok(client::ReceiveResponse::default()), Err(Status::unavailable("going down"))];
        Ok(Response::new(futures::stream::iter(items).boxed()))
    }

    async fn acknowledge(
        &self,
        _: Request<client::AcknowledgeRequest>,
    ) -> Result<Response<client::AcknowledgeResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

const LOOK_UP: &str = "/conclave.client.v1.DirectoryService/LookUpServer";

async fn serve(tls: &Tls) -> (Arc<Server>, Serving) {
    let server = Arc::new(Server::default());
    let router = tonic::transport::Server::builder()
        .add_service(DirectoryServiceServer::from_arc(Arc::clone(&server)))
        .add_service(InvitationServiceServer::from_arc(Arc::clone(&server)));
    let serving = tls.serve(router).await;
    (server, serving)
}

fn look_up(domain: &str) -> Bytes {
    client::LookUpServerRequest { domain: domain.to_owned() }.encode_to_vec().into()
}

#[tokio::test]
async fn calls_carry_bytes_and_the_token_both_ways() {
    let tls = Tls::new();
    let (server, _task) = serve(&tls).await;
    let api = Api::new(&tls.address()).unwrap();
    api.call(LOOK_UP, look_up("south.example")).await.unwrap();
    api.set_token(Some(&Zeroizing::new(b"secret".to_vec())));
    api.call(LOOK_UP, look_up("south.example")).await.unwrap();
    api.set_token(None);
    api.call(LOOK_UP, look_up("south.example")).await.unwrap();
    let tokens = server.tokens.lock().unwrap().clone();
    assert_eq!(tokens, [None, Some("Bearer secret".to_owned()), None]);
    assert!(!format!("{api:?}").contains("secret"));
}

#[tokio::test]
async fn refusals_keep_their_reason_and_their_sentence() {
    let tls = Tls::new();
    let _server = serve(&tls).await;
    let api = Api::new(&tls.address()).unwrap();
    let refused = api.call(LOOK_UP, look_up("nowhere.example")).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::NotFound);
    assert_eq!(refused.message, "There is no such server.");
    assert_eq!(refused.retry_after, Some(Duration::from_millis(250)));
    let path = "/conclave.client.v1.DirectoryService/LookUpUser";
    let refused = api.call(path, Bytes::new()).await.unwrap_err();
    assert_eq!(
        (refused.reason, &*refused.message),
        (ErrorReason::NotEntitled, "the server answered: a proxy says no")
    );
    let path = "/conclave.client.v1.NoSuchService/Call";
    assert_eq!(api.call(path, Bytes::new()).await.unwrap_err().reason, ErrorReason::Incompatible);
}

#[tokio::test]
async fn streams_end_with_what_the_server_says() {
    let tls = Tls::new();
    let _server = serve(&tls).await;
    let api = Api::new(&tls.address()).unwrap();
    let path = "/conclave.client.v1.InvitationService/Receive";
    let mut stream = api.open(path, Bytes::new()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), Bytes::new());
    assert_eq!(stream.next().await.unwrap().unwrap_err().reason, ErrorReason::Unavailable);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_server_that_comes_back_is_reached_again() {
    let tls = Tls::new();
    let api = Api::new(&tls.address()).unwrap();
    let refused = api.call(LOOK_UP, look_up("south.example")).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::Unavailable);
    assert!(refused.message.contains("refused"), "{refused}");
    for _ in 0..2 {
        let (_, serving) = serve(&tls).await;
        api.call(LOOK_UP, look_up("south.example")).await.unwrap();
        drop(serving);
        while api.call(LOOK_UP, look_up("south.example")).await.is_ok() {}
    }
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not_spoken_to() {
    let (tls, other) = (Tls::new(), Tls::new());
    let (server, _task) = serve(&tls).await;
    let address = Address { ca: other.address().ca, ..tls.address() };
    let refused = Api::new(&address).unwrap().call(LOOK_UP, look_up("south.example")).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::Unavailable);
    assert!(refused.message.contains("certificate"), "{refused}");
    assert!(server.tokens.lock().unwrap().is_empty());
    let missing = Address { ca: Some("/no/such/file".into()), ..tls.address() };
    assert!(Api::new(&missing).unwrap_err().to_string().contains("/no/such/file"));
}
