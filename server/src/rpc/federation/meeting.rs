//! What followers ask of the meetings that this server orders.

use std::{sync::Arc, time::Instant};

use conclave_core::{
    identity::address::{DeviceUri, Domain},
    ids::MeetingId,
    limits,
    meeting::hub::Receipt,
};
use conclave_proto::{
    federation::v1::{
        ChangePolicyRequest, ChangePolicyResponse, LookUpMeetingRequest, LookUpMeetingResponse,
        SubmitRequest, SubmitResponse, meeting_service_server::MeetingService, submit_request::Item,
    },
    types::v1::ErrorReason,
};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    meeting::{
        hub::{Handle, Order},
        registry::Registry,
    },
    refusal::Refusal,
    rpc::{
        budget::{Budget, Rate},
        caller,
    },
};

/// Meetings that are not there, as each peer named them (C14).
pub type Misses = Arc<Budget<Domain>>;

/// Nobody has guessed yet.
pub fn misses() -> Misses {
    Arc::new(Budget::new(Rate::per_minute(limits::PEER_MISS_BURST, limits::PEER_MISSES_PER_MINUTE)))
}

/// A meeting here. Whoever asks for too many that are not there is answered the same for those that are (spec: FED-11).
pub async fn find(registry: &Registry, misses: &Misses, from: &Domain, id: &[u8]) -> Result<Handle, Refusal> {
    misses.check(from, 1.0, Instant::now())?;
    let found = match MeetingId::parse(id) {
        Ok(id) => registry.hub(&id).await,
        Err(_) => Err(Refusal::NOT_FOUND),
    };
    missed(misses, from, found)
}

/// What is not there, or not for this peer, counts.
pub fn missed<T>(misses: &Misses, from: &Domain, found: Result<T, Refusal>) -> Result<T, Refusal> {
    if found.as_ref().is_err_and(|refusal| refusal.reason == ErrorReason::NotFound) {
        misses.spend(from, 1.0, Instant::now())?;
    }
    found
}

/// Answers for this server's meetings.
pub struct Meetings {
    registry: Registry,
    misses: Misses,
}

impl Meetings {
    /// Of these meetings.
    pub const fn new(registry: Registry, misses: Misses) -> Self {
        Self { registry, misses }
    }

    async fn find(&self, from: &Domain, id: &[u8]) -> Result<Handle, Refusal> {
        find(&self.registry, &self.misses, from, id).await
    }
}

#[async_trait]
impl MeetingService for Meetings {
    async fn look_up_meeting(
        &self,
        request: Request<LookUpMeetingRequest>,
    ) -> Result<Response<LookUpMeetingResponse>, Status> {
        let from = caller::caller(&request)?;
        let LookUpMeetingRequest { meeting_id, look } = request.into_inner();
        let meeting = self.find(&from, &meeting_id).await?;
        // MTG-34: a server speaks for its own devices.
        let is_own = |device: &str| DeviceUri::parse(device).is_ok_and(|device| *device.domain() == from);
        let look = look.filter(|look| is_own(&look.device));
        let found = meeting.ask(|reply| Order::LookUp(look, reply)).await?;
        Ok(Response::new(LookUpMeetingResponse {
            record: found.record,
            policy_chain: found.policy_chain,
            session: found.session,
            running: found.running,
            session_policy_version: found.session_policy_version,
            inside: found.inside,
        }))
    }

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<SubmitResponse>, Status> {
        let from = caller::caller(&request)?;
        let SubmitRequest { meeting_id, item, attachment } = request.into_inner();
        let meeting = self.find(&from, &meeting_id).await?;
        let Receipt { sequence, time } = match item {
            Some(Item::Submission(submission)) => {
                meeting.ask(|reply| Order::Submit { from, submission, attachment, reply }).await?
            }
            Some(Item::Withdraw(withdraw)) => {
                let order = |reply| Order::Withdraw { from: from.clone(), withdraw, reply };
                missed(&self.misses, &from, meeting.ask(order).await)?
            }
            Some(Item::Attendance(attendance)) => {
                let order = |reply| Order::Attend { from: from.clone(), attendance, reply };
                missed(&self.misses, &from, meeting.ask(order).await)?
            }
            None => return Err(Refusal::MALFORMED.into()),
        };
        Ok(Response::new(SubmitResponse { sequence: sequence.0, time_ms: time.as_ms() }))
    }

    async fn change_policy(
        &self,
        request: Request<ChangePolicyRequest>,
    ) -> Result<Response<ChangePolicyResponse>, Status> {
        let from = caller::caller(&request)?;
        let ChangePolicyRequest { meeting_id, statement } = request.into_inner();
        let meeting = self.find(&from, &meeting_id).await?;
        let statement = statement.ok_or(Refusal::MALFORMED)?;
        meeting.ask(|reply| Order::ChangePolicy { from, statement, reply }).await?;
        Ok(Response::new(ChangePolicyResponse {}))
    }
}
