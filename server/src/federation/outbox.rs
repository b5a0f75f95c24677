//! Invitations on their way to other servers: stored, tried again for days, then bounced.
//!
//! One queue and one task for each domain, so that a dead peer delays nobody else (FED-09, F6).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use conclave_core::{identity::address::Domain, time::Time};
use conclave_proto::types::v1::{Bounce, ErrorReason, SealedInvitation};
use prost::Message;
use tokio::{sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::inbox::{self, Inbox};
use crate::{
    refusal::Refusal,
    store::{
        self, Batch,
        schema::{self, Area, Key},
    },
};

/// How long an invitation is tried.
pub const PATIENCE: Duration = Duration::from_hours(72);
/// Most invitations handed over in one call.
pub const AT_ONCE: usize = 64;
/// Largest handing-over, bytes; a queue is handed over in parts that fit.
pub const DELIVERY_BYTES: usize = 1_024 * 1_024;
/// Most invitations that may wait for one domain.
const QUEUE: usize = 10_000;
/// The first pause after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(15));

/// One waiting invitation.
#[derive(Clone, PartialEq, Message)]
struct Outgoing {
    #[prost(message, optional, tag = "1")]
    invitation: Option<SealedInvitation>,
    #[prost(uint64, tag = "2")]
    queued_ms: u64,
}

/// Hands invitations to another server.
#[async_trait]
pub trait Courier: Send + Sync + 'static {
    /// Tries once; the answer names those that will never be delivered.
    async fn deliver(&self, to: &Domain, invitations: Vec<SealedInvitation>) -> Result<Vec<Bounce>, Refusal>;
}

/// The queues of all domains.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    store: store::Shared,
    inbox: Inbox,
    courier: Arc<dyn Courier>,
    pauses: (Duration, Duration),
    tasks: TaskTracker,
    shutdown: CancellationToken,
    wakers: Mutex<HashMap<Domain, Arc<Notify>>>,
}

impl Outbox {
    /// Takes up again what was waiting.
    pub async fn open(
        store: store::Shared,
        inbox: Inbox,
        courier: Arc<dyn Courier>,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> store::Result<Self> {
        let (wakers, pauses) = (Mutex::default(), PAUSES);
        let outbox = Self(Arc::new(Inner { store, inbox, courier, pauses, tasks, shutdown, wakers }));
        for domain in outbox.waiting_domains().await? {
            outbox.wake(&domain);
        }
        Ok(outbox)
    }

    /// Takes invitations for one domain; durable on return. Taking one twice has no effect.
    pub async fn enqueue(
        &self,
        domain: &Domain,
        invitations: Vec<SealedInvitation>,
        now: Time,
    ) -> Result<(), Refusal> {
        let waiting = self.0.store.scan(schema::outbox(domain.as_str()).range(), QUEUE).await?;
        if waiting.len() + invitations.len() > QUEUE {
            return Err(Refusal::retry(ErrorReason::Full, Duration::from_mins(1)));
        }
        let batch = invitations.into_iter().fold(Batch::new(), |batch, invitation| {
            let key = schema::outgoing(domain.as_str(), &invitation.invitation_id);
            let outgoing = Outgoing { invitation: Some(invitation), queued_ms: now.as_ms() };
            batch.put(key, outgoing.encode_to_vec())
        });
        self.0.store.apply(batch).await?;
        self.wake(domain);
        Ok(())
    }

    async fn waiting_domains(&self) -> store::Result<Vec<Domain>> {
        let mut domains = Vec::new();
        let mut range = Key::area(Area::Outbox).range();
        while let Some((key, _)) = self.0.store.scan(range.clone(), 1).await?.into_iter().next() {
            let name: Vec<u8> = key.iter().skip(1).take_while(|byte| **byte != 0).copied().collect();
            let name = String::from_utf8(name).unwrap_or_default();
            // Past all keys of this domain: the byte after the name's end.
            range = range.starting_at([&[Area::Outbox as u8], name.as_bytes(), &[1]].concat());
            domains.extend(Domain::parse(&name).ok());
        }
        Ok(domains)
    }

    /// Starts the domain's task, or tells it that there is something new.
    fn wake(&self, domain: &Domain) {
        let mut wakers = self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        let waker = wakers.entry(domain.clone()).or_insert_with(|| {
            let waker = Arc::new(Notify::new());
            let queue = Queue { outbox: self.clone(), domain: domain.clone(), waker: Arc::clone(&waker) };
            self.0.tasks.spawn(queue.run());
            waker
        });
        waker.notify_one();
    }
}

struct Queue {
    outbox: Outbox,
    domain: Domain,
    waker: Arc<Notify>,
}

impl Queue {
    async fn run(self) {
        let (shortest, longest) = self.outbox.0.pauses;
        let mut pause = shortest;
        loop {
            let worked = tokio::select! {
                () = self.outbox.0.shutdown.cancelled() => return,
                worked = self.round() => worked,
            };
            match worked {
                Ok(true) => pause = shortest,
                Ok(false) => tokio::select! {
                    () = self.outbox.0.shutdown.cancelled() => return,
                    () = self.waker.notified() => {}
                },
                Err(refusal) => {
                    info!(peer = %self.domain, %refusal, ?pause, "invitations wait for a peer");
                    // What is new does not hurry: the peer is the one that is not ready.
                    let _ = timeout(pause, self.outbox.0.shutdown.cancelled()).await;
                    pause = (pause * 2).min(longest);
                }
            }
        }
    }

    /// Tries what waits; `false` if nothing does.
    async fn round(&self) -> Result<bool, Refusal> {
        let range = schema::outbox(self.domain.as_str()).range();
        let records = self.outbox.0.store.scan(range, AT_ONCE).await?;
        if records.is_empty() {
            return Ok(false);
        }
        let now = crate::clock::now();
        let mut ready = Vec::new();
        let mut bytes = 0;
        for (key, value) in records {
            bytes += value.len();
            if bytes > DELIVERY_BYTES - 64 * 1_024 && !ready.is_empty() {
                break;
            }
            match Outgoing::decode(value.as_slice()) {
                Ok(Outgoing { invitation: Some(invitation), queued_ms }) => {
                    let over =
                        now.since(Time::from_ms(queued_ms)) > PATIENCE || invitation.expires_ms < now.as_ms();
                    if over {
                        self.give_up(key, &invitation, "It could not be delivered in time.").await?;
                    } else {
                        ready.push((key, invitation));
                    }
                }
                _ => self.bury(key, value).await?,
            }
        }
        if !ready.is_empty() {
            self.hand_over(ready).await?;
        }
        Ok(true)
    }

    /// All at once; if the peer refuses the lot for good, one by one, so that a bad one stops only itself.
    async fn hand_over(&self, ready: Vec<(Vec<u8>, SealedInvitation)>) -> Result<(), Refusal> {
        let invitations = ready.iter().map(|(_, invitation)| invitation.clone()).collect();
        match self.outbox.0.courier.deliver(&self.domain, invitations).await {
            Ok(bounces) => self.settle(&ready, &bounces).await,
            Err(refusal) if !is_final(refusal) => Err(refusal),
            Err(refusal) if ready.len() == 1 => {
                warn!(peer = %self.domain, %refusal, "a peer refuses an invitation");
                for (key, invitation) in ready {
                    self.give_up(key, &invitation, "The other server refused it.").await?;
                }
                Ok(())
            }
            Err(_) => {
                for one in ready {
                    Box::pin(self.hand_over(vec![one])).await?;
                }
                Ok(())
            }
        }
    }

    async fn settle(&self, done: &[(Vec<u8>, SealedInvitation)], bounces: &[Bounce]) -> Result<(), Refusal> {
        let mut batch = Batch::new();
        for (key, invitation) in done {
            batch = batch.delete(key.clone());
            if let Some(bounce) =
                bounces.iter().find(|bounce| bounce.invitation_id == invitation.invitation_id)
            {
                let said = inbox::bounce(invitation, &inbox::printable(&bounce.reason));
                batch = batch.and(self.outbox.0.inbox.bounced(invitation, said));
            }
        }
        Ok(self.outbox.0.store.apply(batch).await?)
    }

    async fn give_up(&self, key: Vec<u8>, invitation: &SealedInvitation, why: &str) -> Result<(), Refusal> {
        let bounce = self.outbox.0.inbox.bounced(invitation, inbox::bounce(invitation, why));
        Ok(self.outbox.0.store.apply(bounce.delete(key)).await?)
    }

    /// What cannot even be read goes where an operator finds it, and out of the way.
    async fn bury(&self, key: Vec<u8>, value: Vec<u8>) -> Result<(), Refusal> {
        warn!(peer = %self.domain, "an unreadable invitation was put aside");
        let grave = schema::kv("dead-letter").bytes(&key);
        Ok(self.outbox.0.store.apply(Batch::new().put(grave, value).delete(key)).await?)
    }
}

/// Whether trying again cannot help.
const fn is_final(refusal: Refusal) -> bool {
    matches!(
        refusal.reason,
        ErrorReason::Malformed
            | ErrorReason::TooLarge
            | ErrorReason::NotEntitled
            | ErrorReason::WrongDomain
            | ErrorReason::NotFound
            | ErrorReason::Expired
            | ErrorReason::Incompatible
    )
}
