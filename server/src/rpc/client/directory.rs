//! What devices may know of others, through their own server.

use std::sync::Arc;

use conclave_core::identity::address::{Domain, UserAddress};
use conclave_proto::{
    client::v1::{
        LookUpServerRequest, LookUpServerResponse, LookUpUserRequest, LookUpUserResponse,
        directory_service_server::DirectoryService,
    },
    federation::v1 as federation,
};
use tonic::{Request, Response, Status, async_trait};

use super::{gate::caller, look_ups::LookUps};
use crate::{
    federation::{peers::Peers, wary},
    refusal::Refusal,
    rpc::federation::directory::sealing_keys,
    store,
};

/// Asks another server for its user.
const LOOK_UP_USER: &str = "/conclave.federation.v1.DirectoryService/LookUpUser";
/// Largest answer of another server, bytes.
const ANSWER_BYTES: usize = 512 * 1_024;

/// Answers what devices ask of others.
pub struct Directory {
    peers: Peers,
    store: store::Shared,
    look_ups: Arc<LookUps>,
}

impl Directory {
    /// Asks these peers.
    pub const fn new(peers: Peers, store: store::Shared, look_ups: Arc<LookUps>) -> Self {
        Self { peers, store, look_ups }
    }
}

#[async_trait]
impl DirectoryService for Directory {
    async fn look_up_server(
        &self,
        request: Request<LookUpServerRequest>,
    ) -> Result<Response<LookUpServerResponse>, Status> {
        self.look_ups.spend(caller(&request)?.user())?;
        let domain = Domain::parse(&request.get_ref().domain).map_err(|_| Refusal::MALFORMED)?;
        let descriptor = if domain == *self.peers.own_domain() {
            self.peers.own_descriptor().clone()
        } else {
            self.peers.signed_descriptor(&domain).await.map_err(Refusal::from)?
        };
        Ok(Response::new(LookUpServerResponse { descriptor: Some(descriptor) }))
    }

    async fn look_up_user(
        &self,
        request: Request<LookUpUserRequest>,
    ) -> Result<Response<LookUpUserResponse>, Status> {
        let caller = caller(&request)?;
        self.look_ups.spend(caller.user())?;
        let address = UserAddress::parse(&request.get_ref().address).map_err(|_| Refusal::MALFORMED)?;
        let sealing_keys = if address.domain() == self.peers.own_domain() {
            sealing_keys(&*self.store, &address).await?
        } else {
            let channel = self.peers.channel(address.domain()).await.map_err(Refusal::from)?;
            let request = federation::LookUpUserRequest {
                address: address.to_string(),
                on_behalf_of: caller.user().to_string(),
            };
            let shape = wary::LOOK_UP_USER_RESPONSE;
            let answer: federation::LookUpUserResponse =
                wary::call(channel, LOOK_UP_USER, request, shape, ANSWER_BYTES).await?;
            answer.sealing_keys
        };
        Ok(Response::new(LookUpUserResponse { sealing_keys }))
    }
}
