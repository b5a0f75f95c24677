//! Which links there are: dialling those that are needed, answering those that come.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use conclave_core::identity::address::Domain;
use quinn::{
    ClientConfig, Endpoint, EndpointConfig, Incoming, ServerConfig, TokioRuntime, TransportConfig, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use super::{
    Need, PeerIdentity,
    control::LinkError,
    link::{self, Link},
};
use crate::media::{Media, SessionKey, bind as bind_udp};

/// Payloads of browsers reach 1,166 bytes, which QUIC's first guess of the path does not carry.
const MTU: u16 = 1_350;
/// Every path carries this much.
const LEAST_MTU: u16 = 1_200;
/// A silent link is over, milliseconds: a killed peer that is back must be dialled again soon.
const IDLE: VarInt = VarInt::from_u32(2_500);
/// Keeps a link alive.
const KEEP_ALIVE: Duration = Duration::from_millis(600);
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// The first guess of the way there and back; a peer that just starts is tried again that soon.
const FIRST_RTT: Duration = Duration::from_millis(100);
/// First and longest pause between two attempts to dial.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));
/// Most handshakes of others at a time.
const HANDSHAKES: usize = 64;
/// Bytes of datagrams that may wait, each way.
const DATAGRAMS: usize = 4 * 1024 * 1024;

/// Binds the relay's socket.
pub(super) fn bind(listen: SocketAddr, identity: &dyn PeerIdentity) -> io::Result<Endpoint> {
    let tls = identity.server_tls().ok_or_else(|| io::Error::other("there is no relay certificate"))?;
    let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(transport(MTU)).max_incoming(HANDSHAKES).migration(false);
    let socket = bind_udp(listen)?;
    Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))
}

fn transport(mtu: u16) -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .initial_mtu(mtu)
        .min_mtu(mtu)
        .initial_rtt(FIRST_RTT)
        .max_concurrent_bidi_streams(1_u8.into())
        .max_concurrent_uni_streams(0_u8.into())
        .max_idle_timeout(Some(IDLE.into()))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .datagram_receive_buffer_size(Some(DATAGRAMS))
        .datagram_send_buffer_size(DATAGRAMS);
    Arc::new(transport)
}

/// Keeps the links.
pub(super) struct Keeper {
    domain: Domain,
    endpoint: Endpoint,
    identity: Arc<dyn PeerIdentity>,
    media: Media,
    /// The link of each peer that dialled; a new one replaces it.
    answered: Arc<Mutex<HashMap<Domain, AbortHandle>>>,
}

impl Keeper {
    /// Keeps none yet.
    pub(super) fn new(
        domain: Domain,
        endpoint: Endpoint,
        identity: Arc<dyn PeerIdentity>,
        media: Media,
    ) -> Self {
        Self { domain, endpoint, identity, media, answered: Arc::default() }
    }

    /// Works until nobody needs anything any more. All links end with it.
    pub(super) async fn run(self, mut needs: mpsc::UnboundedReceiver<Need>) {
        let keeper = Arc::new(self);
        let mut tasks = JoinSet::new();
        let mut sessions: HashMap<SessionKey, BTreeSet<Domain>> = HashMap::new();
        let mut dialled: BTreeMap<Domain, AbortHandle> = BTreeMap::new();
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
        loop {
            tokio::select! {
                need = needs.recv() => {
                    let Some(Need { key, domains }) = need else { break };
                    if domains.is_empty() {
                        sessions.remove(&key);
                    } else {
                        sessions.insert(key, domains);
                    }
                    keeper.redial(&sessions, &mut dialled, &mut tasks);
                }
                incoming = keeper.endpoint.accept() => {
                    let Some(incoming) = incoming else { break };
                    match handshakes.clone().try_acquire_owned() {
                        Ok(permit) => {
                            let keeper = keeper.clone();
                            let (mine, handle) = tokio::sync::oneshot::channel();
                            let task = tasks.spawn(async move {
                                let handle = handle.await.ok();
                                keeper.answer(incoming, permit, handle).await;
                            });
                            // The task has not begun: it waits for its own handle.
                            let _gone = mine.send(task);
                        }
                        Err(_) => incoming.refuse(),
                    }
                }
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    /// Dials the peers that are needed and sort after this domain; lets go of those that are not (spec: MED-20).
    fn redial(
        self: &Arc<Self>,
        sessions: &HashMap<SessionKey, BTreeSet<Domain>>,
        dialled: &mut BTreeMap<Domain, AbortHandle>,
        tasks: &mut JoinSet<()>,
    ) {
        let here = |domains: &&BTreeSet<Domain>| domains.contains(&self.domain);
        let needed: BTreeSet<&Domain> =
            sessions.values().filter(here).flatten().filter(|domain| **domain > self.domain).collect();
        dialled.retain(|domain, task| {
            let keep = needed.contains(domain);
            if !keep {
                task.abort();
            }
            keep
        });
        for domain in needed {
            if !dialled.contains_key(domain) {
                let task = tasks.spawn(self.clone().dial(domain.clone()));
                dialled.insert(domain.clone(), task);
            }
        }
    }

    /// Keeps a link to a peer, for as long as the task lives.
    async fn dial(self: Arc<Self>, domain: Domain) {
        let (mut pause, longest) = PAUSE;
        let mut mtu = MTU;
        loop {
            match self.dial_once(&domain, mtu).await {
                Ok(link) => {
                    pause = PAUSE.0;
                    let end = link.run(&self.media).await;
                    tracing::info!(%end, "a relay link ended");
                }
                Err(error) => {
                    tracing::debug!(%domain, %error, "a relay link could not be made");
                    // Perhaps the path carries less.
                    mtu = if mtu == MTU { LEAST_MTU } else { MTU };
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    async fn dial_once(&self, domain: &Domain, mtu: u16) -> Result<Link, LinkError> {
        let dial = self.identity.dial(domain).await.ok_or(LinkError::Unknown)?;
        let crypto = QuicClientConfig::try_from(dial.tls)
            .map_err(|_| LinkError::Misbehaved("its keys need a cipher that QUIC lacks"))?;
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(transport(mtu));
        // The name is not checked: the peer's key is.
        let connecting = self
            .endpoint
            .connect_with(config, dial.address, "relay.invalid")
            .map_err(|_| LinkError::Misbehaved("its relay address cannot be called"))?;
        let connection = timeout(HANDSHAKE, connecting).await??;
        link::greet(connection, domain.clone(), self.identity.as_ref()).await
    }

    /// Answers a peer that dials.
    async fn answer(
        &self,
        incoming: Incoming,
        permit: tokio::sync::OwnedSemaphorePermit,
        own_task: Option<AbortHandle>,
    ) {
        let answering = async {
            let connection = timeout(HANDSHAKE, incoming).await??;
            link::welcome(connection, self.identity.as_ref()).await
        };
        let link = match answering.await {
            Ok(link) if link.domain < self.domain => link,
            Ok(link) => {
                return tracing::debug!(domain = %link.domain, "a peer dialled that should be dialled");
            }
            Err(error) => return tracing::debug!(%error, "a relay link was refused"),
        };
        drop(permit);
        if let Some(task) = own_task {
            let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(old) = answered.insert(link.domain.clone(), task) {
                old.abort();
            }
        }
        let end = link.run(&self.media).await;
        tracing::info!(%end, "a relay link ended");
    }
}
