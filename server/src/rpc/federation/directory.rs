//! Greeting, and the sealing keys of this server's users.

use conclave_core::identity::{
    address::{UserAddress, UserKind},
    descriptor::Descriptor,
};
use conclave_proto::{
    federation::v1::{
        HelloRequest, HelloResponse, LookUpUserRequest, LookUpUserResponse,
        directory_service_server::DirectoryService,
    },
    types::v1::DeviceSigned,
};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    federation::peers::Peers,
    refusal::Refusal,
    rpc::caller::{self, Key},
    store::{self, schema},
};

/// Most devices of one user that are told.
const DEVICES: usize = 64;

/// Answers for this server's directory.
pub struct Directory {
    peers: Peers,
    store: store::Shared,
}

impl Directory {
    /// Of these users, for these peers.
    pub const fn new(peers: Peers, store: store::Shared) -> Self {
        Self { peers, store }
    }
}

/// The sealing keys of a user of this server; none for an unknown one.
pub async fn sealing_keys(
    store: &dyn store::Store,
    user: &UserAddress,
) -> Result<Vec<DeviceSigned>, Refusal> {
    let range = schema::sealing_keys(&schema::user_name(user)).range();
    let keys = schema::list(store, range, DEVICES).await?;
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

#[async_trait]
impl DirectoryService for Directory {
    async fn hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        let answer =
            || Response::new(HelloResponse { descriptor: Some(self.peers.own_descriptor().clone()) });
        if caller::caller(&request).is_ok() {
            return Ok(answer());
        }
        let Key(key) = *request.extensions().get::<Key>().ok_or(Refusal::BUG)?;
        let shown = request.into_inner().descriptor.ok_or(Refusal::MALFORMED)?;
        // Only the name is taken from it; what counts is what that name's server says when asked.
        let claimed = Descriptor::verify(&shown).map_err(|_| Refusal::MALFORMED)?.domain;
        self.peers.introduced(&key, &claimed).await?;
        Ok(answer())
    }

    async fn look_up_user(
        &self,
        request: Request<LookUpUserRequest>,
    ) -> Result<Response<LookUpUserResponse>, Status> {
        let from = caller::caller(&request)?;
        let request = request.into_inner();
        let user = UserAddress::parse(&request.address).map_err(|_| Refusal::MALFORMED)?;
        let asks = UserAddress::parse(&request.on_behalf_of).map_err(|_| Refusal::MALFORMED)?;
        if asks.domain() != &from {
            return Err(Refusal::WRONG_DOMAIN.into());
        }
        if user.domain() != self.peers.own_domain() || user.kind() != UserKind::User {
            return Err(Refusal::NOT_FOUND.into());
        }
        let sealing_keys = sealing_keys(&*self.store, &user).await?;
        Ok(Response::new(LookUpUserResponse { sealing_keys }))
    }
}
