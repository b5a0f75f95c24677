//! What followers ask of the meetings that this server orders.

use std::time::Instant;

use conclave_core::{identity::address::Domain, ids::MeetingId, meeting::hub::Receipt};
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

/// How often one peer may name a meeting that is not there (C14).
const MISSES: Rate = Rate { burst: 50.0, per_second: 1.0 };

/// Answers for this server's meetings.
pub struct Meetings {
    registry: Registry,
    misses: Budget<Domain>,
}

impl Meetings {
    /// Of these meetings.
    pub fn new(registry: Registry) -> Self {
        Self { registry, misses: Budget::new(MISSES) }
    }

    /// A meeting here. Whoever asks for too many that are not there is answered the same for those that are.
    async fn find(&self, from: &Domain, id: &[u8]) -> Result<Handle, Refusal> {
        let id = MeetingId::parse(id).map_err(|_| Refusal::NOT_FOUND)?;
        self.misses.spend(from, 0.0, Instant::now())?;
        let found = self.registry.hub(&id).await;
        if found.as_ref().is_err_and(|refusal| refusal.reason == ErrorReason::NotFound) {
            self.misses.spend(from, 1.0, Instant::now())?;
        }
        found
    }
}

#[async_trait]
impl MeetingService for Meetings {
    async fn look_up_meeting(
        &self,
        request: Request<LookUpMeetingRequest>,
    ) -> Result<Response<LookUpMeetingResponse>, Status> {
        let from = caller::caller(&request)?;
        let meeting = self.find(&from, &request.get_ref().meeting_id).await?;
        let found = meeting.ask(Order::LookUp).await?;
        Ok(Response::new(LookUpMeetingResponse {
            record: found.record,
            policy_chain: found.policy_chain,
            session: found.session,
            running: found.running,
            session_policy_version: found.session_policy_version,
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
                meeting.ask(|reply| Order::Withdraw { from, withdraw, reply }).await?
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
