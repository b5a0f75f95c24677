//! The streams over which this server follows meetings elsewhere: one for each hub, all sessions on it, resumed after breaks (FED-12).
//!
//! It carries; what arrives is judged by whoever follows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use conclave_core::{
    identity::address::Domain,
    ids::{MeetingId, SessionNumber},
};
use conclave_proto::{
    federation::v1::{MirrorRequest, MirrorResponse, mirror_request::Item},
    types::v1::ServerSigned,
};
use http::uri::PathAndQuery;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Status, Streaming, client::Grpc};
use tracing::{debug, info, warn};

use super::{
    follows::{Follows, Session},
    peers::Peers,
    wary::{self, Wary},
};
use crate::refusal::Refusal;

/// Largest item of a mirror stream, bytes.
pub const ITEM_BYTES: usize = 4 * 1_024 * 1_024;
/// The call that opens a stream.
const MIRROR: &str = "/conclave.federation.v1.MirrorService/Mirror";
/// The first pause after a break, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// How often it is seen whether a session that did not take its items has taken them.
const CATCH_UP: Duration = Duration::from_millis(100);
/// How long opening a stream may take.
const OPENING: Duration = Duration::from_secs(20);

/// Where the items of one session go.
pub type Sink = mpsc::Sender<MirrorResponse>;

#[derive(Debug)]
enum Command {
    Follow(Session, watch::Receiver<u64>, Sink),
    Unfollow(Session),
    Acknowledge(ServerSigned),
}

/// All mirror streams of this server.
#[derive(Clone)]
pub struct Mirrors(Arc<Inner>);

struct Inner {
    peers: Peers,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    links: Mutex<HashMap<Domain, mpsc::UnboundedSender<Command>>>,
}

impl Mirrors {
    /// Over these peers' connections.
    pub fn new(peers: Peers, tasks: TaskTracker, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Inner { peers, tasks, shutdown, links: Mutex::default() }))
    }

    /// Follows a session from behind the last durable sequence, again after each break, until told otherwise. Following again
    /// asks the hub anew.
    pub fn follow(
        &self,
        hub: &Domain,
        meeting: MeetingId,
        session: SessionNumber,
        durable: watch::Receiver<u64>,
        sink: Sink,
    ) {
        self.send(hub, Command::Follow((meeting, session), durable, sink));
    }

    /// Follows a session no longer.
    pub fn unfollow(&self, hub: &Domain, meeting: MeetingId, session: SessionNumber) {
        self.send(hub, Command::Unfollow((meeting, session)));
    }

    /// Tells the hub what is durable here.
    pub fn acknowledge(&self, hub: &Domain, acknowledgement: ServerSigned) {
        self.send(hub, Command::Acknowledge(acknowledgement));
    }

    fn send(&self, hub: &Domain, command: Command) {
        let mut links = self.0.links.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = links.entry(hub.clone()).or_insert_with(|| {
            let (sender, commands) = mpsc::unbounded_channel();
            let link = Link {
                peers: self.0.peers.clone(),
                hub: hub.clone(),
                commands,
                shutdown: self.0.shutdown.clone(),
                follows: Follows::default(),
            };
            self.0.tasks.spawn(link.run());
            sender
        });
        // The link ends with the server only.
        let _ended = sender.send(command);
    }
}

struct Link {
    peers: Peers,
    hub: Domain,
    commands: mpsc::UnboundedReceiver<Command>,
    shutdown: CancellationToken,
    follows: Follows,
}

/// The stream ended, or the server does.
enum Ended {
    Broken(Refusal),
    Shutdown,
}

impl Link {
    async fn run(mut self) {
        let (shortest, longest) = PAUSES;
        let mut pause = shortest;
        loop {
            if self.follows.is_empty() {
                let command = tokio::select! {
                    () = self.shutdown.cancelled() => return,
                    command = self.commands.recv() => command,
                };
                let Some(command) = command else { return };
                self.note(command);
                continue;
            }
            let began = Instant::now();
            match self.stream().await {
                Ended::Shutdown => return,
                Ended::Broken(refusal) => info!(peer = %self.hub, %refusal, "a mirror stream ended"),
            }
            // A stream that held for a while was a good one.
            pause = if began.elapsed() > longest { shortest } else { pause };
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// Takes a command in; what the hub must hear of it, if there is a stream.
    fn note(&mut self, command: Command) -> Option<Item> {
        match command {
            Command::Follow(session, durable, sink) => Some(self.follows.add(session, durable, sink)),
            Command::Unfollow(session) => self.follows.remove(session),
            Command::Acknowledge(acknowledgement) => Some(Item::Acknowledgement(acknowledgement)),
        }
    }

    async fn stream(&mut self) -> Ended {
        let (requests, outgoing) = mpsc::channel(256);
        let opened = tokio::select! {
            () = self.shutdown.cancelled() => return Ended::Shutdown,
            opened = timeout(OPENING, open(&self.peers, &self.hub, outgoing)) => opened,
        };
        let mut incoming = match opened {
            Ok(Ok(incoming)) => incoming,
            Ok(Err(refusal)) => return Ended::Broken(refusal),
            Err(_) => return Ended::Broken(Refusal::UNAVAILABLE),
        };
        debug!(peer = %self.hub, sessions = self.follows.len(), "a mirror stream is open");
        let mut to_say = self.follows.again();
        let mut looks = interval(CATCH_UP);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            for item in to_say.drain(..) {
                if send(&requests, item).await.is_err() {
                    return Ended::Broken(Refusal::UNAVAILABLE);
                }
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return Ended::Shutdown,
                command = self.commands.recv() => {
                    let Some(command) = command else { return Ended::Shutdown };
                    to_say.extend(self.note(command));
                }
                _ = looks.tick(), if self.follows.is_any_behind() => to_say = self.follows.catch_up(),
                item = incoming.message() => match item {
                    Ok(Some(item)) => to_say.extend(self.hand_on(item)),
                    Ok(None) => return Ended::Broken(Refusal::UNAVAILABLE),
                    Err(status) => {
                        self.peers.broken(&self.hub).await;
                        return Ended::Broken(Refusal::of_status(&status));
                    }
                },
            }
        }
    }

    fn hand_on(&mut self, item: MirrorResponse) -> Option<Item> {
        let Ok(meeting) = MeetingId::parse(&item.meeting_id) else {
            warn!(peer = %self.hub, "a mirror item without a meeting was dropped");
            return None;
        };
        self.follows.hand_on((meeting, SessionNumber(item.session)), item)
    }
}

async fn open(
    peers: &Peers,
    hub: &Domain,
    outgoing: mpsc::Receiver<MirrorRequest>,
) -> Result<Streaming<MirrorResponse>, Refusal> {
    let mut grpc = Grpc::new(peers.channel(hub).await?).max_decoding_message_size(ITEM_BYTES);
    let requests = Request::new(ReceiverStream::new(outgoing));
    let answered = match grpc.ready().await {
        Ok(()) => {
            let codec = Wary::<MirrorRequest, MirrorResponse>::new(wary::MIRROR_RESPONSE);
            grpc.streaming(requests, PathAndQuery::from_static(MIRROR), codec).await
        }
        Err(_) => Err(Status::unavailable("")),
    };
    match answered {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) => {
            peers.broken(hub).await;
            Err(Refusal::of_status(&status))
        }
    }
}

async fn send(requests: &mpsc::Sender<MirrorRequest>, item: Item) -> Result<(), ()> {
    let sent = timeout(OPENING, requests.send(MirrorRequest { item: Some(item) })).await;
    if matches!(sent, Ok(Ok(()))) { Ok(()) } else { Err(()) }
}
