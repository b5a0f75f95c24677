//! Invitations to and from devices of this server.

use std::{collections::BTreeMap, sync::Arc};

use conclave_core::{
    identity::address::{DeviceUri, Domain},
    limits,
};
use conclave_proto::{
    client::v1::{
        AcknowledgeRequest, AcknowledgeResponse, ReceiveRequest, ReceiveResponse, SendInvitationsRequest,
        SendInvitationsResponse, invitation_service_server::InvitationService,
    },
    types::v1::SealedInvitation,
};
use futures::{StreamExt, stream::BoxStream};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};

use super::{gate::caller, look_ups::LookUps};
use crate::{
    clock,
    federation::{
        inbox::{self, Delivery, Inbox},
        outbox::{self, Outbox},
    },
    refusal::Refusal,
    store,
};

/// Most ids acknowledged in one call.
const ACKNOWLEDGED: usize = 1_000;

/// Answers for this server's invitations.
pub struct Invitations {
    own: Domain,
    store: store::Shared,
    inbox: Inbox,
    outbox: Outbox,
    look_ups: Arc<LookUps>,
    shutdown: CancellationToken,
}

impl Invitations {
    /// In and out of these boxes.
    pub const fn new(
        own: Domain,
        store: store::Shared,
        inbox: Inbox,
        outbox: Outbox,
        look_ups: Arc<LookUps>,
        shutdown: CancellationToken,
    ) -> Self {
        Self { own, store, inbox, outbox, look_ups, shutdown }
    }

    /// For a device of this server: delivered, or bounced, at once.
    async fn deliver_here(&self, invitation: &SealedInvitation) -> Result<(), Refusal> {
        let why = match self.inbox.deliver(invitation).await? {
            Delivery::Stored => return Ok(()),
            Delivery::Unknown => "There is no such device.",
            Delivery::Full => "The person has too many invitations waiting.",
        };
        let bounce = self.inbox.bounced(invitation, inbox::bounce(invitation, why));
        Ok(self.store.apply(bounce).await?)
    }
}

#[async_trait]
impl InvitationService for Invitations {
    type ReceiveStream = BoxStream<'static, Result<ReceiveResponse, Status>>;

    async fn send_invitations(
        &self,
        request: Request<SendInvitationsRequest>,
    ) -> Result<Response<SendInvitationsResponse>, Status> {
        let caller = caller(&request)?;
        let invitations = request.into_inner().invitations;
        if invitations.len() > outbox::AT_ONCE {
            return Err(Refusal::TOO_LARGE.into());
        }
        let mut by_domain: BTreeMap<Domain, Vec<SealedInvitation>> = BTreeMap::new();
        for invitation in invitations {
            let (sender, recipient) = inbox::check_form(&invitation)?;
            if sender != *caller.user() {
                return Err(Refusal::WRONG_DOMAIN.into());
            }
            by_domain.entry(recipient.domain().clone()).or_default().push(invitation);
        }
        for domain in by_domain.keys() {
            self.look_ups.turn_to(caller.user(), domain)?;
        }
        for (domain, invitations) in by_domain {
            if domain == self.own {
                for invitation in &invitations {
                    self.deliver_here(invitation).await?;
                }
            } else {
                self.outbox.enqueue(&domain, invitations, clock::now()).await?;
            }
        }
        Ok(Response::new(SendInvitationsResponse {}))
    }

    async fn receive(
        &self,
        request: Request<ReceiveRequest>,
    ) -> Result<Response<Self::ReceiveStream>, Status> {
        let device = caller(&request)?.device;
        let only_waiting = request.get_ref().only_waiting;
        let (outlet, items) = mpsc::channel(16);
        let (inbox, shutdown) = (self.inbox.clone(), self.shutdown.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = hand_out(&inbox, &device, only_waiting, outlet) => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(items).boxed()))
    }

    async fn acknowledge(
        &self,
        request: Request<AcknowledgeRequest>,
    ) -> Result<Response<AcknowledgeResponse>, Status> {
        let device = caller(&request)?.device;
        let ids = request.into_inner().invitation_ids;
        if ids.len() > ACKNOWLEDGED {
            return Err(Refusal::TOO_LARGE.into());
        }
        self.inbox.acknowledge(&device, &ids).await.map_err(Refusal::from)?;
        Ok(Response::new(AcknowledgeResponse {}))
    }
}

/// What waits, then what comes; each item once for each stream.
async fn hand_out(
    inbox: &Inbox,
    device: &DeviceUri,
    only_waiting: bool,
    outlet: mpsc::Sender<Result<ReceiveResponse, Status>>,
) {
    let mut notice = inbox.watch(device.user());
    let mut told: Vec<bytes::Bytes> = Vec::new();
    loop {
        let waiting = match inbox.waiting(device).await {
            Ok(waiting) => waiting,
            Err(error) => {
                let _gone = outlet.send(Err(Refusal::from(error).into())).await;
                return;
            }
        };
        let ids: Vec<_> = waiting.iter().filter_map(|item| inbox::id_of(item).cloned()).collect();
        told.retain(|id| ids.contains(id));
        for item in waiting {
            let Some(id) = inbox::id_of(&item).cloned() else { continue };
            if told.contains(&id) {
                continue;
            }
            told.push(id);
            if !matches!(timeout(limits::SLOW_READER, outlet.send(Ok(item))).await, Ok(Ok(()))) {
                return;
            }
        }
        if only_waiting {
            return;
        }
        tokio::select! {
            () = outlet.closed() => return,
            changed = notice.changed() => if !changed { return },
        }
    }
}
