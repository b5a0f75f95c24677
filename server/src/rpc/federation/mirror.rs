//! The streams over which other servers follow the meetings that this server orders.

use std::{sync::Arc, time::Instant};

use conclave_core::{
    identity::{address::Domain, signed::Label},
    ids::{MeetingId, SessionNumber},
};
use conclave_proto::{
    federation::v1::{
        Follow, MirrorRefusal, MirrorRequest, MirrorResponse, Unfollow, mirror_request::Item,
        mirror_response, mirror_service_server::MirrorService,
    },
    types::v1::{Acknowledgement, ServerSigned},
};
use futures::{StreamExt, stream::BoxStream};
use prost::Message;
use tokio::{sync::mpsc, time::sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};
use tracing::{debug, warn};

use crate::{
    clock,
    meeting::{
        hub::{Order, mirrored},
        registry::Registry,
        watcher::Outlet,
    },
    refusal::Refusal,
    rpc::{
        budget::{Budget, Rate},
        caller,
        federation::meeting::{Misses, find, missed},
    },
};

/// How fast one peer may say anything on its streams; what comes faster is read later.
const WORDS: Rate = Rate { burst: 10_000.0, per_second: 2_000.0 };
/// How fast one peer may ask to follow: all its sessions at once after a break, and hardly any later.
const FOLLOWS: Rate = Rate { burst: 4_096.0, per_second: 64.0 };
/// Items that wait for the network, for all sessions of one stream together.
const WAITING: usize = 32;

/// Serves logs to followers.
pub struct Mirror {
    registry: Registry,
    misses: Misses,
    paces: Arc<Paces>,
}

/// How fast each peer goes, over all its streams.
struct Paces {
    words: Budget<Domain>,
    follows: Budget<Domain>,
}

impl Paces {
    /// Waits until there is room for a request; nothing else of the stream is read meanwhile.
    async fn wait(&self, from: &Domain, request: &MirrorRequest) {
        let follows = matches!(request.item, Some(Item::Follow(_))).then_some(&self.follows);
        for budget in [Some(&self.words), follows].into_iter().flatten() {
            while let Err(refusal) = budget.spend(from, 1.0, Instant::now()) {
                sleep(refusal.retry_after).await;
            }
        }
    }
}

impl Mirror {
    /// Of these meetings.
    pub fn new(registry: Registry, misses: Misses) -> Self {
        let paces = Paces { words: Budget::new(WORDS), follows: Budget::new(FOLLOWS) };
        Self { registry, misses, paces: Arc::new(paces) }
    }
}

#[async_trait]
impl MirrorService for Mirror {
    type MirrorStream = BoxStream<'static, Result<MirrorResponse, Status>>;

    async fn mirror(
        &self,
        request: Request<Streaming<MirrorRequest>>,
    ) -> Result<Response<Self::MirrorStream>, Status> {
        let from = caller::caller(&request)?;
        let (outlet, items) = mpsc::channel(WAITING);
        let (registry, misses, paces) = (self.registry.clone(), self.misses.clone(), self.paces.clone());
        let serving = Serving { registry, misses, paces, from, outlet };
        let (tasks, shutdown) = (&self.registry.context().tasks, self.registry.context().shutdown.clone());
        let requests = request.into_inner();
        tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = serving.run(requests) => {}
            }
        });
        let items = ReceiverStream::new(items).map(|item: Result<_, Refusal>| item.map_err(Status::from));
        Ok(Response::new(items.boxed()))
    }
}

struct Serving {
    registry: Registry,
    misses: Misses,
    paces: Arc<Paces>,
    from: Domain,
    outlet: Outlet<MirrorResponse>,
}

impl Serving {
    async fn run(self, mut requests: Streaming<MirrorRequest>) {
        loop {
            let request = tokio::select! {
                () = self.outlet.closed() => return,
                request = requests.message() => request,
            };
            match request {
                Ok(Some(request)) => {
                    self.paces.wait(&self.from, &request).await;
                    if let Err(refusal) = self.take(request).await {
                        let _gone = self.outlet.send(Err(refusal)).await;
                        return;
                    }
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    async fn take(&self, request: MirrorRequest) -> Result<(), Refusal> {
        match request.item.ok_or(Refusal::MALFORMED)? {
            Item::Follow(follow) => self.follow(follow).await,
            Item::Unfollow(Unfollow { meeting_id, session }) => {
                let meeting = MeetingId::parse(&meeting_id).map_err(|_| Refusal::MALFORMED)?;
                if let Ok(handle) = self.registry.hub(&meeting).await {
                    handle.tell(Order::Unfollow(self.from.clone(), SessionNumber(session))).await?;
                }
                Ok(())
            }
            Item::Acknowledgement(signed) => self.acknowledged(&signed),
        }
    }

    async fn follow(&self, follow: Follow) -> Result<(), Refusal> {
        let meeting = MeetingId::parse(&follow.meeting_id).map_err(|_| Refusal::MALFORMED)?;
        let session = SessionNumber(follow.session);
        let (domain, outlet) = (self.from.clone(), self.outlet.clone());
        let followed = match find(&self.registry, &self.misses, &self.from, &follow.meeting_id).await {
            Ok(handle) => {
                let next_sequence = follow.next_sequence;
                let order = |reply| Order::Follow { domain, session, next_sequence, outlet, reply };
                missed(&self.misses, &self.from, handle.ask(order).await)
            }
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = followed {
            debug!(peer = %self.from, %meeting, %refusal, "a session is not served");
            let reason = refusal.reason.as_str_name().to_owned();
            let item = mirror_response::Item::Refusal(MirrorRefusal { reason });
            let _gone = self.outlet.send(Ok(mirrored(meeting, session, item))).await;
        }
        Ok(())
    }

    /// The follower's word that entries are on its disk: verified, and noted.
    fn acknowledged(&self, signed: &ServerSigned) -> Result<(), Refusal> {
        let pins = self.registry.context().peers.pins();
        let payload = pins.verify_server_signed(Label::Acknowledgement, signed, &self.from, clock::now());
        let payload = payload.map_err(|error| {
            warn!(peer = %self.from, %error, "an acknowledgement does not verify");
            Refusal::new(conclave_proto::types::v1::ErrorReason::BadSignature)
        })?;
        let word = Acknowledgement::decode(payload).map_err(|_| Refusal::MALFORMED)?;
        debug!(peer = %self.from, sequence = word.sequence, "acknowledged");
        Ok(())
    }
}
