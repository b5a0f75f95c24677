//! Meetings as devices see them, whichever server is the hub.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_core::{
    identity::address::{DeviceUri, Domain, UserAddress},
    ids::{Epoch, KeyPackageRef, MeetingId, SessionNumber},
    limits,
    meeting::{log::Kind, submission::Submission, watch::Order},
};
use conclave_proto::{
    client::v1::{
        ChangePolicyRequest, ChangePolicyResponse, CreateMeetingRequest, CreateMeetingResponse,
        FetchTreeRequest, FetchTreeResponse, ListMeetingsRequest, ListMeetingsResponse, LookUpMeetingRequest,
        LookUpMeetingResponse, MeetingSummary, SubmitRequest, SubmitResponse, WatchRequest, WatchResponse,
        meeting_service_server::MeetingService,
    },
    federation::v1::{
        self as federation, meeting_service_client::MeetingServiceClient, submit_request::Item,
    },
    types::v1::{ErrorReason, Look},
};
use futures::{StreamExt, stream, stream::BoxStream};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

use super::{gate::caller, look_ups::LookUps};
use crate::{
    account::sessions::Caller,
    meeting::{follower, house::WatchOrder, hub, registry::Registry},
    refusal::Refusal,
    rpc::budget::{Budget, Rate},
};

/// How often one user may name a meeting that is not there (C14).
const MISSES: Rate = Rate::per_minute(limits::USER_MISS_BURST, limits::USER_MISSES_PER_MINUTE);
/// Items that wait for a device's network.
const WAITING: usize = 16;
/// Bytes of a tree in one piece.
const CHUNK: usize = 60_000;
/// How long a hub may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers for all meetings that this server's devices take part in.
pub struct Meetings {
    registry: Registry,
    misses: Budget<UserAddress>,
    look_ups: Arc<LookUps>,
}

/// A meeting as a device names it.
struct Named {
    id: MeetingId,
    hub: Domain,
}

impl Meetings {
    /// Of these meetings.
    pub fn new(registry: Registry, look_ups: Arc<LookUps>) -> Self {
        Self { registry, misses: Budget::new(MISSES), look_ups }
    }

    async fn named(&self, id: &[u8], hub: &str, caller: &Caller) -> Result<Named, Refusal> {
        self.misses.check(caller.user(), 1.0, Instant::now())?;
        let id = MeetingId::parse(id).map_err(|_| Refusal::MALFORMED)?;
        let hub = Domain::parse(hub).map_err(|_| Refusal::MALFORMED)?;
        if let Some(only) = caller.only
            && (only != id || !self.registry.is_at(&hub, &id).await?)
        {
            return Err(Refusal::NOT_FOUND); // IDN-32
        }
        self.look_ups.turn_to(caller.user(), &hub)?;
        Ok(Named { id, hub })
    }

    fn is_here(&self, named: &Named) -> bool {
        named.hub == *self.registry.own()
    }

    /// A meeting that is not there costs; whoever asks for too many is answered the same for those that are (spec: FED-11).
    fn missed<T>(&self, user: &UserAddress, found: Result<T, Refusal>) -> Result<T, Refusal> {
        if found.as_ref().is_err_and(|refusal| refusal.reason == ErrorReason::NotFound) {
            self.misses.spend(user, 1.0, Instant::now())?;
        }
        found
    }

    async fn look_up(&self, named: &Named, look: Option<Look>) -> Result<LookUpMeetingResponse, Refusal> {
        if self.is_here(named) {
            return self.registry.hub(&named.id).await?.ask(|reply| hub::Order::LookUp(look, reply)).await;
        }
        let found = self.registry.look_up_elsewhere(&named.hub, &named.id, look).await?;
        Ok(LookUpMeetingResponse {
            record: found.record,
            policy_chain: found.policy_chain,
            session: found.session,
            running: found.running,
            session_policy_version: found.session_policy_version,
            inside: found.inside,
        })
    }

    async fn hand_in(&self, named: &Named, request: SubmitRequest) -> Result<SubmitResponse, Refusal> {
        let submission = request.submission.ok_or(Refusal::MALFORMED)?;
        if self.is_here(named) {
            let (from, attachment) = (self.registry.own().clone(), request.attachment);
            let meeting = self.registry.hub(&named.id).await?;
            let order = |reply| hub::Order::Submit { from, submission, attachment, reply };
            let receipt = meeting.ask(order).await?;
            return Ok(SubmitResponse { sequence: receipt.sequence.0, time_ms: receipt.time.as_ms() });
        }
        let mut client = self.client(&named.hub).await?;
        let request = federation::SubmitRequest {
            meeting_id: request.meeting_id,
            item: Some(Item::Submission(submission)),
            attachment: request.attachment,
        };
        let answer = timeout(PATIENCE, client.submit(request)).await.map_err(|_| Refusal::UNAVAILABLE)?;
        let answer = answer.map_err(|status| Refusal::of_status(&status))?.into_inner();
        Ok(SubmitResponse { sequence: answer.sequence, time_ms: answer.time_ms })
    }

    async fn client(&self, hub: &Domain) -> Result<MeetingServiceClient<tonic::transport::Channel>, Refusal> {
        let channel = self.registry.context().peers.channel(hub).await?;
        Ok(MeetingServiceClient::new(channel).max_decoding_message_size(limits::CONTROL_MESSAGE_BYTES))
    }

    async fn tree(
        &self,
        named: &Named,
        device: DeviceUri,
        session: SessionNumber,
        epoch: Epoch,
    ) -> Result<Arc<[u8]>, Refusal> {
        if self.is_here(named) {
            let meeting = self.registry.hub(&named.id).await?;
            meeting.ask(|reply| hub::Order::Tree { device, session, epoch, reply }).await
        } else {
            let followed = self.registry.followed(&named.id, session).await?;
            followed.ask(|reply| follower::Order::Tree { device, epoch, reply }).await
        }
    }
}

#[async_trait]
impl MeetingService for Meetings {
    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;
    type FetchTreeStream = BoxStream<'static, Result<FetchTreeResponse, Status>>;

    async fn create_meeting(
        &self,
        request: Request<CreateMeetingRequest>,
    ) -> Result<Response<CreateMeetingResponse>, Status> {
        let caller = caller(&request)?;
        let record = request.into_inner().record.ok_or(Refusal::MALFORMED)?;
        let id = self.registry.create(&record, caller.user()).await?;
        Ok(Response::new(CreateMeetingResponse { meeting_id: id.as_bytes().to_vec().into() }))
    }

    async fn list_meetings(
        &self,
        request: Request<ListMeetingsRequest>,
    ) -> Result<Response<ListMeetingsResponse>, Status> {
        let caller = caller(&request)?;
        let mut meetings = Vec::new();
        for record in self.registry.list(caller.user()).await? {
            let (present, ended) = self.registry.summary(&record).await;
            meetings.push(MeetingSummary {
                meeting_id: record.id().as_bytes().to_vec().into(),
                hub: record.hub().to_string(),
                record: Some(record.signed().clone()),
                present,
                ended,
            });
        }
        Ok(Response::new(ListMeetingsResponse { meetings }))
    }

    async fn look_up_meeting(
        &self,
        request: Request<LookUpMeetingRequest>,
    ) -> Result<Response<LookUpMeetingResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let named = self.named(&request.meeting_id, &request.hub, &caller).await?;
        // MTG-34: nobody asks in another's name.
        if request.look.as_ref().is_some_and(|look| look.device != caller.device.to_string()) {
            return Err(Refusal::from(ErrorReason::NotEntitled).into());
        }
        let found = self.look_up(&named, request.look).await;
        Ok(Response::new(self.missed(caller.user(), found)?))
    }

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<SubmitResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let named = self.named(&request.meeting_id, &request.hub, &caller).await?;
        let submission = request.submission.as_ref().ok_or(Refusal::MALFORMED)?;
        let submission = Submission::read(submission).map_err(|error| hub::refusal(&error.into()))?;
        if submission.device != caller.device {
            return Err(Refusal::from(ErrorReason::NotEntitled).into());
        }
        let follows = submission.kind == Kind::Join && !self.is_here(&named);
        if follows {
            let expected = self.registry.expect(&named.hub, &named.id, submission.session).await;
            self.missed(caller.user(), expected)?;
        }
        let answer = self.hand_in(&named, request).await;
        let answer = self.missed(caller.user(), answer)?;
        if submission.kind == Kind::Join {
            if follows {
                self.registry.follow(&named.hub, &named.id, submission.session).await?;
            }
            if caller.only.is_none() {
                self.registry.list_for(caller.user(), &named.id).await?;
            }
        }
        Ok(Response::new(answer))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let named = self.named(&request.meeting_id, &request.hub, &caller).await?;
        let key_package_ref = match request.key_package_ref.len() {
            0 => None,
            _ => Some(KeyPackageRef::parse(&request.key_package_ref).map_err(|_| Refusal::MALFORMED)?),
        };
        let (outlet, items) = mpsc::channel(WAITING);
        let session = SessionNumber(request.session);
        let device = caller.device.clone();
        let order = Order { device, session, next_sequence: request.next_sequence, key_package_ref };
        let handed_in = async {
            if self.is_here(&named) {
                let meeting = self.registry.hub(&named.id).await?;
                meeting.ask(|reply| hub::Order::Watch(WatchOrder { order, outlet, reply })).await
            } else {
                let followed = self.registry.followed(&named.id, session).await?;
                followed.ask(|reply| follower::Order::Watch(WatchOrder { order, outlet, reply })).await
            }
        };
        self.missed(caller.user(), handed_in.await)?;
        let items = ReceiverStream::new(items).map(|item: Result<_, Refusal>| match item {
            Ok(item) => Ok(WatchResponse { item: Some(item) }),
            Err(refusal) => Err(Status::from(refusal)),
        });
        Ok(Response::new(items.boxed()))
    }

    async fn fetch_tree(
        &self,
        request: Request<FetchTreeRequest>,
    ) -> Result<Response<Self::FetchTreeStream>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let named = self.named(&request.meeting_id, &request.hub, &caller).await?;
        let (session, epoch) = (SessionNumber(request.session), Epoch(request.epoch));
        let tree = self.tree(&named, caller.device.clone(), session, epoch).await;
        let tree = self.missed(caller.user(), tree)?;
        let chunks: Vec<_> = tree
            .chunks(CHUNK)
            .map(|chunk| Ok(FetchTreeResponse { chunk: bytes::Bytes::copy_from_slice(chunk) }))
            .collect();
        Ok(Response::new(stream::iter(chunks).boxed()))
    }

    async fn change_policy(
        &self,
        request: Request<ChangePolicyRequest>,
    ) -> Result<Response<ChangePolicyResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let named = self.named(&request.meeting_id, &request.hub, &caller).await?;
        let statement = request.statement.ok_or(Refusal::MALFORMED)?;
        let changed = async {
            if self.is_here(&named) {
                let (meeting, from) = (self.registry.hub(&named.id).await?, self.registry.own().clone());
                meeting.ask(|reply| hub::Order::ChangePolicy { from, statement, reply }).await.map(|_| ())
            } else {
                let mut client = self.client(&named.hub).await?;
                let request = federation::ChangePolicyRequest {
                    meeting_id: request.meeting_id.clone(),
                    statement: Some(statement),
                };
                let answer = timeout(PATIENCE, client.change_policy(request)).await;
                let answer = answer.map_err(|_| Refusal::UNAVAILABLE)?;
                answer.map(|_| ()).map_err(|status| Refusal::of_status(&status))
            }
        };
        self.missed(caller.user(), changed.await)?;
        Ok(Response::new(ChangePolicyResponse {}))
    }
}
