//! Invitations that other servers bring.

use std::time::Instant;

use conclave_core::{
    identity::address::{Domain, UserAddress},
    limits,
};
use conclave_proto::{
    federation::v1::{DeliverRequest, DeliverResponse, invitation_service_server::InvitationService},
    types::v1::{Bounce, SealedInvitation},
};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    clock,
    federation::{
        inbox::{self, Delivery, Inbox},
        outbox,
    },
    refusal::Refusal,
    rpc::{
        budget::{Budget, Rate},
        caller,
    },
};

/// How many invitations one peer may bring (R18).
const PEER: Rate = Rate::per_minute(limits::PEER_INVITATION_BURST, limits::PEER_INVITATIONS_PER_MINUTE);
/// How many invitations one user may get from one peer.
const TARGET: Rate = Rate::per_minute(limits::TARGET_INVITATION_BURST, limits::TARGET_INVITATIONS_PER_MINUTE);

/// Takes invitations for this server's users.
pub struct Invitations {
    own: Domain,
    inbox: Inbox,
    by_peer: Budget<Domain>,
    by_target: Budget<(Domain, UserAddress)>,
}

impl Invitations {
    /// Into this inbox.
    pub fn new(own: Domain, inbox: Inbox) -> Self {
        Self { own, inbox, by_peer: Budget::new(PEER), by_target: Budget::new(TARGET) }
    }

    /// `None`: it is on the disk; else why it never will be.
    async fn take(&self, from: &Domain, invitation: &SealedInvitation) -> Result<Option<Bounce>, Refusal> {
        let bounced = |why: &str| Ok(Some(inbox::bounce(invitation, why)));
        let Ok((sender, recipient)) = inbox::check_form(invitation) else {
            return bounced("It was malformed or too large.");
        };
        if sender.domain() != from || recipient.domain() != &self.own {
            return Err(Refusal::WRONG_DOMAIN); // FED-10
        }
        if invitation.expires_ms < clock::now().as_ms() {
            return bounced("Its time was over.");
        }
        let target = (from.clone(), recipient.user().clone());
        if self.by_target.spend(&target, 1.0, Instant::now()).is_err() {
            return bounced("The person gets too many invitations from there.");
        }
        match self.inbox.deliver(invitation).await? {
            Delivery::Stored => Ok(None),
            Delivery::Unknown => bounced("There is no such device."),
            Delivery::Full => bounced("The person has too many invitations waiting."),
        }
    }
}

#[async_trait]
impl InvitationService for Invitations {
    async fn deliver(&self, request: Request<DeliverRequest>) -> Result<Response<DeliverResponse>, Status> {
        let from = caller::caller(&request)?;
        let invitations = request.into_inner().invitations;
        if invitations.len() > outbox::AT_ONCE {
            return Err(Refusal::TOO_LARGE.into());
        }
        #[allow(clippy::cast_precision_loss)] // At most 64.
        self.by_peer.spend(&from, invitations.len() as f64, Instant::now())?;
        let mut bounces = Vec::new();
        for invitation in &invitations {
            bounces.extend(self.take(&from, invitation).await?);
        }
        Ok(Response::new(DeliverResponse { bounces }))
    }
}
