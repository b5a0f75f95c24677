//! Builds every part, joins them, and ends them in order.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use conclave_core::{
    identity::{address::Domain, certificate::DeviceCa},
    meeting::log::ServerSigner,
};
use conclave_proto::{
    federation::v1::{DeliverRequest, invitation_service_client::InvitationServiceClient},
    types::v1::{Bounce, SealedInvitation, SignedDescriptor},
};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Status, body::Body};
use tracing::info;

use crate::{
    account::{accounts::Accounts, devices::Devices, sessions::Sessions},
    config, eviction,
    federation::{
        book::{self, Book, Openness},
        discovery::Discovery,
        inbox::Inbox,
        mirror::Mirrors,
        outbox::{self, Outbox},
        peers::Peers,
        tls,
    },
    media::{
        self, Media,
        relay::{Relay, RelayConfig},
    },
    meeting::{context::Context, registry::Registry},
    port::Port,
    refusal::Refusal,
    rpc::{
        self, grpc_web,
        listener::{self, Limits, Transport},
        router::Router,
    },
    store,
    web::{Web, bundle::Bundle, plain},
};

/// Largest unary message, bytes.
const CONTROL: usize = conclave_core::limits::CONTROL_MESSAGE_BYTES;
/// Largest submission with its Welcome, bytes.
const SUBMISSION: usize =
    conclave_core::limits::COMMIT_BYTES + conclave_core::limits::WELCOME_BYTES + CONTROL;
/// How long the parts have to end after the connections.
const ENDING: Duration = Duration::from_secs(10);

/// Everything that a server is made of.
pub struct Setup {
    /// Whose server it is.
    pub domain: Domain,
    /// What it says of itself.
    pub descriptor: SignedDescriptor,
    /// Its federation key.
    pub identity: tls::Identity,
    /// TLS of the public HTTPS port.
    pub https: rustls::ServerConfig,
    /// What it remembers.
    pub store: store::Shared,
    /// How it finds others.
    pub discovery: Discovery,
    /// With whom it federates.
    pub openness: Openness,
    /// Peers that are configured instead of discovered.
    pub static_peers: Vec<SignedDescriptor>,
    /// With what it signs.
    pub signer: ServerSigner,
    /// Its users.
    pub accounts: Accounts,
    /// Certifies its users' devices.
    pub device_ca: Arc<DeviceCa>,
    /// What is too much.
    pub limits: config::Limits,
    /// Where its SFU is.
    pub media: media::Config,
    /// Where its relay listens (UDP).
    pub relay: SocketAddr,
    /// The client for browsers.
    pub client: Bundle,
}

/// Where it listens.
pub struct Listeners {
    /// The public HTTPS port: devices and the well-known path.
    pub public: TcpListener,
    /// The federation port.
    pub federation: TcpListener,
    /// The public port without TLS, on a loopback address; for demonstrations.
    pub plain: Option<TcpListener>,
}

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peers cannot be read.
    #[error(transparent)]
    Book(#[from] book::OpenError),
    /// A configured peer's descriptor is not good.
    #[error("a configured peer: {0}")]
    StaticPeer(#[from] book::Error),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A port cannot be listened on.
    #[error(transparent)]
    Port(#[from] Port),
    /// The federation key cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
}

/// A running server; dropping it does not stop it, [`Running::stop`] does.
pub struct Running {
    /// The other servers.
    pub peers: Peers,
    /// The meetings.
    pub registry: Registry,
    /// The SFU.
    pub media: Media,
    /// The UDP address of the relay.
    pub relay_address: SocketAddr,
    relay: Relay,
    shutdown: CancellationToken,
    connections: TaskTracker,
    parts: TaskTracker,
    store: store::Shared,
}

/// Starts all parts.
pub async fn start(setup: Setup, listeners: Listeners) -> Result<Running, Error> {
    let (shutdown, connections, parts) = (CancellationToken::new(), TaskTracker::new(), TaskTracker::new());
    let store = Arc::clone(&setup.store);
    let peers = know_peers(&setup).await?;
    parts.spawn(follow_operator(peers.clone(), Arc::clone(&store), shutdown.clone()));
    let inbox = Inbox::new(Arc::clone(&store), setup.domain.clone());
    let courier = Arc::new(PeerCourier(peers.clone()));
    let outbox =
        Outbox::open(Arc::clone(&store), inbox.clone(), courier, parts.clone(), shutdown.clone()).await?;
    let port = |setting, address| move |error| Port { setting, address, error };
    let media = Media::start(&setup.media).map_err(port("media.listen", setup.media.listen))?;
    let relay = RelayConfig { domain: setup.domain.clone(), listen: setup.relay };
    let relay =
        Relay::start(relay, Arc::new(peers.clone()), &media).map_err(port("relay.listen", setup.relay))?;
    let registry = Registry::open(Context {
        signer: setup.signer.clone(),
        store: Arc::clone(&store),
        peers: peers.clone(),
        mirrors: Mirrors::new(peers.clone(), parts.clone(), shutdown.clone()),
        media: media.clone(),
        tasks: parts.clone(),
        shutdown: shutdown.clone(),
    })
    .await?;
    parts.spawn(eviction::run(
        registry.clone(),
        setup.accounts.clone(),
        Arc::clone(&store),
        shutdown.clone(),
    ));
    let boxes = (inbox, outbox);
    let federation = federation_port(&setup, &peers, &registry, &boxes.0);
    let public = public_port(&setup, &peers, &registry, boxes, media.clone(), shutdown.clone());
    let relay_address = relay.local_address().map_err(port("relay.listen", setup.relay))?;
    let running =
        Running { peers, registry, media, relay_address, relay, shutdown, connections, parts, store };
    let federation_tls = Transport::tls(setup.identity.server_config(tls::ALPN_H2)?);
    running.listen(listeners.federation, federation_tls, (Limits::FEDERATION, None), Arc::new(federation));
    let mut https = setup.https;
    https.alpn_protocols = vec![tls::ALPN_H2.to_vec(), b"http/1.1".to_vec()];
    let plain_address = listeners.plain.as_ref().and_then(|plain| plain.local_addr().ok());
    let other = without_tls(running.media.clone(), plain_address.map(|address| address.port()));
    let public = Arc::new(public);
    if let Some(plain) = listeners.plain {
        running.listen(plain, Transport::Plain, (Limits::CLIENTS, None), Arc::clone(&public));
    }
    running.listen(listeners.public, Transport::tls(https), (Limits::CLIENTS, Some(other)), public);
    info!(domain = %setup.domain, "the server runs");
    Ok(running)
}

/// What comes to the public port without TLS: media (MED-18), or in a demonstration a browser that was handed over.
fn without_tls(media: Media, plain_port: Option<u16>) -> listener::Other {
    Arc::new(move |stream, remote| {
        let media = media.clone();
        Box::pin(async move {
            match plain_port {
                Some(port) if remote.ip().is_loopback() && plain::begins_as_http(&stream).await? => {
                    plain::show_the_way(stream, port).await
                }
                _ => media.carry_tcp(stream, remote).await,
            }
        })
    })
}

async fn know_peers(setup: &Setup) -> Result<Peers, Error> {
    let book = Book::open(Arc::clone(&setup.store), setup.openness, setup.descriptor.clone()).await?;
    for peer in &setup.static_peers {
        let named = conclave_core::identity::descriptor::Descriptor::verify(peer);
        let named = named.map_err(|error| book::Error::Pins(error.into()))?;
        book.accept(peer, &named.domain, crate::clock::now()).await?;
    }
    let (domain, descriptor) = (setup.domain.clone(), setup.descriptor.clone());
    Ok(Peers::new(domain, descriptor, setup.identity.clone(), setup.discovery.clone(), book))
}

fn federation_port(setup: &Setup, peers: &Peers, registry: &Registry, inbox: &Inbox) -> FederationPort {
    use conclave_proto::federation::v1::{
        directory_service_server::DirectoryServiceServer, invitation_service_server::InvitationServiceServer,
        meeting_service_server::MeetingServiceServer, mirror_service_server::MirrorServiceServer,
    };
    let directory = rpc::federation::directory::Directory::new(peers.clone(), Arc::clone(&setup.store));
    let invitations = rpc::federation::invitation::Invitations::new(setup.domain.clone(), inbox.clone());
    let misses = rpc::federation::meeting::misses();
    let meetings = rpc::federation::meeting::Meetings::new(registry.clone(), misses.clone());
    let mirror = rpc::federation::mirror::Mirror::new(registry.clone(), misses);
    let router = Router::default()
        .with(DirectoryServiceServer::new(directory).max_decoding_message_size(CONTROL))
        .with(InvitationServiceServer::new(invitations).max_decoding_message_size(outbox::DELIVERY_BYTES))
        .with(MeetingServiceServer::new(meetings).max_decoding_message_size(SUBMISSION))
        .with(MirrorServiceServer::new(mirror).max_decoding_message_size(CONTROL));
    FederationPort { gate: rpc::caller::Gate::new(peers.clone()), router }
}

fn public_port(
    setup: &Setup,
    peers: &Peers,
    registry: &Registry,
    (inbox, outbox): (Inbox, Outbox),
    media: Media,
    shutdown: CancellationToken,
) -> PublicPort {
    use conclave_proto::client::v1::{
        account_service_server::AccountServiceServer, directory_service_server::DirectoryServiceServer,
        invitation_service_server::InvitationServiceServer, media_service_server::MediaServiceServer,
        meeting_service_server::MeetingServiceServer,
    };
    use rpc::client::{account, directory, gate, invitation, look_ups, media as media_calls, meeting};
    let store = || Arc::clone(&setup.store);
    let devices = Devices::new(setup.accounts.clone(), store(), Arc::clone(&setup.device_ca), &setup.limits);
    let gate = gate::Gate::new(Sessions::new(store()), devices.clone());
    let domain = setup.domain.clone();
    let look_ups = Arc::new(look_ups::LookUps::new(peers.clone()));
    let invitations =
        invitation::Invitations::new(domain, store(), inbox, outbox, look_ups.clone(), shutdown.clone());
    let media = media_calls::Calls::new(registry.clone(), media, shutdown.clone());
    let router = Router::default()
        .with(
            AccountServiceServer::new(account::Account::new(devices, registry.clone()))
                .max_decoding_message_size(CONTROL),
        )
        .with(
            DirectoryServiceServer::new(directory::Directory::new(peers.clone(), store(), look_ups.clone()))
                .max_decoding_message_size(CONTROL),
        )
        .with(InvitationServiceServer::new(invitations).max_decoding_message_size(outbox::DELIVERY_BYTES))
        .with(
            MeetingServiceServer::new(meeting::Meetings::new(registry.clone(), look_ups))
                .max_decoding_message_size(SUBMISSION),
        )
        .with(MediaServiceServer::new(media).max_decoding_message_size(2 * CONTROL));
    let web = Web::new(&setup.descriptor, setup.client.clone(), store());
    PublicPort { gate, router, web, shutdown }
}

impl Running {
    fn listen<P: Serves>(
        &self,
        listener: TcpListener,
        transport: Transport,
        (limits, other): (Limits, Option<listener::Other>),
        port: Arc<P>,
    ) {
        let answer = move |request| {
            let port = Arc::clone(&port);
            async move { port.answer(request).await }
        };
        let (tasks, shutdown) = (self.connections.clone(), self.shutdown.clone());
        let door = listener::Door { transport, limits, other };
        self.connections.spawn(listener::serve(listener, door, answer, tasks, shutdown));
    }

    /// What it remembers.
    pub fn store(&self) -> store::Shared {
        Arc::clone(&self.store)
    }

    /// Takes no new calls, lets those that run end, finishes what is queued and closes the store.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.connections.close();
        self.connections.wait().await;
        self.parts.close();
        if tokio::time::timeout(ENDING, self.parts.wait()).await.is_err() {
            tracing::warn!("some parts did not end in time");
        }
        self.relay.stop().await;
        self.store.close().await;
        info!("the server has stopped");
    }
}

/// One port's way of answering.
#[async_trait]
trait Serves: Send + Sync + 'static {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body>;
}

struct FederationPort {
    gate: rpc::caller::Gate,
    router: Router,
}

#[async_trait]
impl Serves for FederationPort {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let mut request = request.map(body);
        match self.gate.admit(&mut request) {
            Ok(()) => self.router.answer(request).await.map(out),
            Err(refusal) => Status::from(refusal).into_http(),
        }
    }
}

struct PublicPort {
    gate: rpc::client::gate::Gate,
    router: Router,
    web: Web,
    shutdown: CancellationToken,
}

#[async_trait]
impl Serves for PublicPort {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        if !self.router.serves(request.uri().path()) {
            return self.web.answer(&request, !self.shutdown.is_cancelled()).await;
        }
        let request = request.map(body);
        if grpc_web::is_grpc_web(&request) {
            return grpc_web::answer(request, |request| self.call(request)).await;
        }
        self.call(request).await
    }
}

impl PublicPort {
    async fn call(&self, mut request: Request<Body>) -> Response<Body> {
        match self.gate.admit(&mut request).await {
            Ok(()) => self.router.answer(request).await.map(out),
            Err(refusal) => Status::from(refusal).into_http(),
        }
    }
}

/// A request's body as the services take it.
fn body(incoming: Incoming) -> Body {
    #[cfg(feature = "wiretap")]
    return crate::wiretap::tap(incoming);
    #[cfg(not(feature = "wiretap"))]
    Body::new(incoming)
}

/// A response's body as it leaves.
fn out(body: Body) -> Body {
    #[cfg(feature = "wiretap")]
    return crate::wiretap::tap(body);
    #[cfg(not(feature = "wiretap"))]
    body
}

/// Takes up what the operator decides about peers while the server runs.
async fn follow_operator(peers: Peers, store: store::Shared, shutdown: CancellationToken) {
    let mut notice = store.watch(store::schema::Key::area(store::schema::Area::Peers).as_bytes());
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = notice.changed() => if !changed { return },
        }
        if let Err(error) = peers.book().reload(None).await {
            tracing::warn!(%error, "the peers cannot be read again");
        }
    }
}

/// Carries invitations over the peers' connections.
struct PeerCourier(Peers);

#[async_trait]
impl outbox::Courier for PeerCourier {
    async fn deliver(&self, to: &Domain, invitations: Vec<SealedInvitation>) -> Result<Vec<Bounce>, Refusal> {
        let channel = self.0.channel(to).await?;
        let mut client = InvitationServiceClient::new(channel).max_decoding_message_size(CONTROL);
        let request = tonic::Request::new(DeliverRequest { invitations });
        let answer = tokio::time::timeout(Duration::from_secs(30), client.deliver(request)).await;
        match answer.unwrap_or_else(|_| Err(Status::unavailable(""))) {
            Ok(answer) => Ok(answer.into_inner().bounces),
            Err(status) => {
                let refusal = Refusal::of_status(&status);
                if refusal == Refusal::UNAVAILABLE {
                    self.0.broken(to).await;
                }
                Err(refusal)
            }
        }
    }
}
