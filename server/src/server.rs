//! Builds every part, joins them, and ends them in order.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use conclave_core::identity::address::Domain;
use conclave_proto::{
    federation::v1::{
        DeliverRequest, directory_service_server::DirectoryServiceServer,
        invitation_service_client::InvitationServiceClient,
        invitation_service_server::InvitationServiceServer,
    },
    types::v1::{Bounce, SealedInvitation, SignedDescriptor},
};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Status, body::Body};
use tracing::info;

use crate::{
    federation::{
        book::{self, Book, Openness},
        discovery::Discovery,
        inbox::Inbox,
        outbox::{self, Outbox},
        peers::Peers,
        tls,
    },
    refusal::Refusal,
    rpc::{
        caller::Gate,
        federation::{directory::Directory, invitation::Invitations},
        listener::{self, Limits},
        router::Router,
    },
    store,
    web::Web,
};

/// Largest unary message, bytes.
const CONTROL: usize = conclave_core::limits::CONTROL_MESSAGE_BYTES;
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
}

/// Where it listens.
pub struct Listeners {
    /// The public HTTPS port: devices and the well-known path.
    pub public: TcpListener,
    /// The federation port.
    pub federation: TcpListener,
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
    /// The federation key cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
}

/// A running server; dropping it does not stop it, [`Running::stop`] does.
pub struct Running {
    /// The other servers.
    pub peers: Peers,
    shutdown: CancellationToken,
    connections: TaskTracker,
    parts: TaskTracker,
    store: store::Shared,
}

/// Starts all parts.
pub async fn start(setup: Setup, listeners: Listeners) -> Result<Running, Error> {
    let Setup { domain, descriptor, identity, https, store, discovery, openness, static_peers } = setup;
    let (shutdown, connections, parts) = (CancellationToken::new(), TaskTracker::new(), TaskTracker::new());
    let book = Book::open(Arc::clone(&store), openness, descriptor.clone()).await?;
    for peer in static_peers {
        let named = conclave_core::identity::descriptor::Descriptor::verify(&peer);
        let named = named.map_err(|error| book::Error::Pins(error.into()))?;
        book.accept(&peer, &named.domain, crate::clock::now()).await?;
    }
    let peers = Peers::new(domain.clone(), descriptor.clone(), identity.clone(), discovery, book);
    parts.spawn(follow_operator(peers.clone(), Arc::clone(&store), shutdown.clone()));
    let inbox = Inbox::new(Arc::clone(&store), domain.clone());
    let courier = Arc::new(PeerCourier(peers.clone()));
    let outbox =
        Outbox::open(Arc::clone(&store), inbox.clone(), courier, parts.clone(), shutdown.clone()).await?;

    let router = Router::default()
        .with(
            DirectoryServiceServer::new(Directory::new(peers.clone(), Arc::clone(&store)))
                .max_decoding_message_size(CONTROL),
        )
        .with(
            InvitationServiceServer::new(Invitations::new(domain.clone(), inbox.clone()))
                .max_decoding_message_size(outbox::DELIVERY_BYTES),
        );
    let federation = FederationPort { gate: Gate::new(peers.clone()), router };
    let public = PublicPort { web: Web::new(&descriptor, Arc::clone(&store)), shutdown: shutdown.clone() };
    let running = Running { peers, shutdown, connections, parts, store };
    let federation_tls = identity.server_config(tls::ALPN_H2)?;
    running.listen(listeners.federation, federation_tls, Limits::FEDERATION, Arc::new(federation));
    running.listen(listeners.public, https, Limits::CLIENTS, Arc::new(public));
    drop(outbox);
    info!(%domain, "the server runs");
    Ok(running)
}

impl Running {
    fn listen<P: Port>(
        &self,
        listener: TcpListener,
        tls: rustls::ServerConfig,
        limits: Limits,
        port: Arc<P>,
    ) {
        let answer = move |request| {
            let port = Arc::clone(&port);
            async move { port.answer(request).await }
        };
        let (tasks, shutdown) = (self.connections.clone(), self.shutdown.clone());
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        self.connections.spawn(listener::serve(listener, acceptor, limits, answer, tasks, shutdown));
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
        self.store.close().await;
        info!("the server has stopped");
    }
}

/// One port's way of answering.
#[async_trait]
trait Port: Send + Sync + 'static {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body>;
}

struct FederationPort {
    gate: Gate,
    router: Router,
}

#[async_trait]
impl Port for FederationPort {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let mut request = request.map(body);
        match self.gate.admit(&mut request) {
            Ok(()) => self.router.answer(request).await.map(out),
            Err(refusal) => Status::from(refusal).into_http(),
        }
    }
}

struct PublicPort {
    web: Web,
    shutdown: CancellationToken,
}

#[async_trait]
impl Port for PublicPort {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let ready = !self.shutdown.is_cancelled();
        self.web.answer(request.method(), request.uri().path(), ready).await
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
