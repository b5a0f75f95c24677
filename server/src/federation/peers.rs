//! Who the other servers are, and one pooled connection to each.
//!
//! It greets; everything else that travels over the connections is its users' business.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use conclave_core::identity::{
    address::Domain,
    descriptor::{Descriptor, Endpoint},
    keys::Fingerprint,
    pins::{self, Pins},
};
use conclave_proto::{
    federation::v1::{HelloRequest, directory_service_client::DirectoryServiceClient},
    types::v1::{ErrorReason, SignedDescriptor},
};
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint as Target};
use tower::service_fn;
use tracing::{info, warn};

use super::{
    book::{self, Book},
    dial,
    discovery::{self, Discovery},
    tls::{self, Identity},
};
use crate::{clock, refusal::Refusal};

/// A domain's descriptor is not fetched more often than this.
const FETCH_PAUSE: Duration = Duration::from_mins(1);
/// Nor again so soon after a failure.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The first pause after a failed connection, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));
/// How long connecting and greeting may take.
const CONNECT_TIME: Duration = Duration::from_secs(15);

/// A peer cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operator does not want it, here or there.
    #[error("{0} is not federated with")]
    NotAllowed(Domain),
    /// Its descriptor cannot be fetched.
    #[error("the descriptor of {domain}: {error}")]
    Discovery {
        /// Whose.
        domain: Domain,
        /// Why.
        error: discovery::Error,
    },
    /// Its descriptor is of another domain.
    #[error("{0} serves a descriptor of another domain")]
    ForeignDescriptor(Domain),
    /// Its descriptor is not believed.
    #[error(transparent)]
    Descriptor(#[from] book::Error),
    /// It was tried in vain a moment ago.
    #[error("{domain} was tried in vain; next in {wait:?}")]
    Resting {
        /// Whom.
        domain: Domain,
        /// How long no further attempt is made.
        wait: Duration,
    },
    /// No connection came about.
    #[error("no connection to {domain}: {error}")]
    Unreachable {
        /// To whom.
        domain: Domain,
        /// Why.
        error: String,
    },
    /// Its key is not the pinned one, and its descriptor does not explain why.
    #[error("the key of {0} is not the pinned one")]
    PinMismatch(Domain),
    /// It does not greet back.
    #[error("{domain} answers the greeting with {refusal}")]
    Greeting {
        /// Who.
        domain: Domain,
        /// Why.
        refusal: Refusal,
    },
}

impl Error {
    /// What a caller is told.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::NotAllowed(_) => ErrorReason::PeerNotAllowed.into(),
            Self::PinMismatch(_) | Self::ForeignDescriptor(_) | Self::Descriptor(book::Error::Pins(_)) => {
                ErrorReason::PinMismatch.into()
            }
            Self::Resting { wait, .. } => Refusal::retry(ErrorReason::Unavailable, *wait),
            Self::Greeting { refusal, .. } => *refusal,
            Self::Discovery { .. } | Self::Descriptor(_) | Self::Unreachable { .. } => Refusal::UNAVAILABLE,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        info!(%error, "a peer cannot be talked to");
        error.refusal()
    }
}

/// All peers of this server.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    own: Domain,
    descriptor: SignedDescriptor,
    identity: Identity,
    discovery: Discovery,
    book: Book,
    links: Mutex<HashMap<Domain, Arc<Link>>>,
}

/// One peer. The two locks are apart: a peer that greets makes this server fetch, also while this server connects to it.
#[derive(Default)]
struct Link {
    connection: tokio::sync::Mutex<Connection>,
    /// Before when its descriptor is not fetched again.
    fetch: tokio::sync::Mutex<Option<Instant>>,
}

/// The connection to one peer.
#[derive(Default)]
struct Connection {
    channel: Option<Channel>,
    failures: u32,
    resting: Option<Instant>,
}

impl Peers {
    /// Of this server, which calls itself by `descriptor` and shows the key of `identity`.
    pub fn new(
        own: Domain,
        descriptor: SignedDescriptor,
        identity: Identity,
        discovery: Discovery,
        book: Book,
    ) -> Self {
        Self(Arc::new(Inner { own, descriptor, identity, discovery, book, links: Mutex::default() }))
    }

    /// This server's domain.
    pub fn own_domain(&self) -> &Domain {
        &self.0.own
    }

    /// This server's descriptor.
    pub fn own_descriptor(&self) -> &SignedDescriptor {
        &self.0.descriptor
    }

    /// This server's federation key.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// What is pinned now.
    pub fn pins(&self) -> Arc<Pins> {
        self.0.book.pins()
    }

    /// Which addresses may be dialled.
    pub fn reach(&self) -> dial::Reach {
        self.0.discovery.reach()
    }

    /// What is remembered and decided.
    pub fn book(&self) -> &Book {
        &self.0.book
    }

    /// For whom the holder of a key speaks, if it is allowed to and its descriptor is good now (spec: FED-03).
    pub fn domain_of(&self, key: &Fingerprint) -> Result<Domain, Refusal> {
        let domain = self.0.book.owner_of(key).ok_or(Refusal::new(ErrorReason::PeerNotAllowed))?;
        let known = self.pins();
        let current =
            known.current(&domain, clock::now()).map_err(|_| Refusal::new(ErrorReason::PinMismatch))?;
        if domain == self.0.own || !current.federation_pins.contains(key) {
            return Err(ErrorReason::PinMismatch.into());
        }
        if self.0.book.allows(&domain) { Ok(domain) } else { Err(ErrorReason::PeerNotAllowed.into()) }
    }

    /// A caller with an unknown key names itself: its domain is asked whether the key is its own (spec: FED-03).
    pub async fn introduced(&self, key: &Fingerprint, claimed: &Domain) -> Result<Domain, Refusal> {
        if *claimed == self.0.own {
            return Err(Refusal::WRONG_DOMAIN);
        }
        if self.0.book.owner_of(key).as_ref() != Some(claimed) {
            self.fetch(claimed).await?;
        }
        match self.domain_of(key) {
            Ok(domain) if domain == *claimed => Ok(domain),
            Ok(_) => Err(Refusal::WRONG_DOMAIN),
            Err(refusal) => Err(refusal),
        }
    }

    /// A domain's descriptor, fetched if it is not known or has run out.
    pub async fn described(&self, domain: &Domain) -> Result<Descriptor, Error> {
        self.discover(domain).await?;
        self.pinned(domain)
    }

    /// A domain's descriptor as it signed it.
    pub async fn signed_descriptor(&self, domain: &Domain) -> Result<SignedDescriptor, Error> {
        self.discover(domain).await?;
        let pins = self.pins();
        let pin = pins.pin(domain).ok_or_else(|| unknown(domain))?;
        Ok(pin.signed().clone())
    }

    /// Sees to it that a domain's current descriptor is known (spec: FED-06).
    pub async fn discover(&self, domain: &Domain) -> Result<(), Error> {
        let now = clock::now();
        let known = self.pins();
        if let Ok(descriptor) = known.current(domain, now) {
            let half = descriptor.not_before + descriptor.not_after.since(descriptor.not_before) / 2;
            if now < half || *domain == self.0.own {
                return Ok(());
            }
        }
        let fetched = self.fetch(domain).await;
        // An old one that is still good will do while the newer cannot be had.
        if self.pins().current(domain, now).is_ok() { Ok(()) } else { fetched }
    }

    /// Something of a domain could not be verified by what is pinned: its descriptor is fetched, also while the one that is known
    /// is good, since it may lack a newer key; no more often than a fetch may be repeated (spec: FED-06).
    pub async fn learn_more(&self, domain: &Domain) -> Result<(), Error> {
        if *domain == self.0.own {
            return Ok(());
        }
        match self.fetch(domain).await {
            // It was fetched a moment ago: by what came then it may be verified now.
            Err(Error::Resting { .. }) if self.pins().current(domain, clock::now()).is_ok() => Ok(()),
            fetched => fetched,
        }
    }

    /// The connection to a peer, greeted; made if there is none.
    pub async fn channel(&self, domain: &Domain) -> Result<Channel, Error> {
        if *domain == self.0.own || !self.0.book.allows(domain) {
            return Err(Error::NotAllowed(domain.clone()));
        }
        let link = self.link(domain);
        let mut link = link.connection.lock().await;
        if let Some(channel) = &link.channel {
            return Ok(channel.clone());
        }
        if let Some(wait) = link.resting.and_then(|until| until.checked_duration_since(Instant::now())) {
            return Err(Error::Resting { domain: domain.clone(), wait });
        }
        match self.connect(domain).await {
            Ok(channel) => {
                *link = Connection { channel: Some(channel.clone()), ..Connection::default() };
                info!(peer = %domain, "connected");
                Ok(channel)
            }
            Err(error) => {
                let (first, longest) = PAUSES;
                let pause = first.saturating_mul(1 << link.failures.min(16)).min(longest);
                link.failures += 1;
                link.resting = Some(Instant::now() + pause);
                Err(error)
            }
        }
    }

    /// A call over the connection failed for want of a connection: the next one connects anew.
    pub async fn broken(&self, domain: &Domain) {
        self.link(domain).connection.lock().await.channel = None;
    }

    fn link(&self, domain: &Domain) -> Arc<Link> {
        let mut links = self.0.links.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(links.entry(domain.clone()).or_default())
    }

    fn pinned(&self, domain: &Domain) -> Result<Descriptor, Error> {
        let pins = self.pins();
        let found = pins.current(domain, clock::now()).cloned();
        found.map_err(|error| Error::Descriptor(error.into()))
    }

    async fn fetch(&self, domain: &Domain) -> Result<(), Error> {
        let link = self.link(domain);
        let mut not_before = link.fetch.lock().await;
        if let Some(wait) = not_before.and_then(|at| at.checked_duration_since(Instant::now())) {
            return Err(Error::Resting { domain: domain.clone(), wait });
        }
        *not_before = Some(Instant::now() + RETRY_PAUSE);
        let failed = |error| Error::Discovery { domain: domain.clone(), error };
        let fetched = self.0.discovery.fetch(domain).await.map_err(failed)?;
        let named = Descriptor::verify(&fetched).map_err(|error| book::Error::Pins(error.into()))?;
        if named.domain != *domain {
            return Err(Error::ForeignDescriptor(domain.clone()));
        }
        self.0.book.accept(&fetched, domain, clock::now()).await?;
        *not_before = Some(Instant::now() + FETCH_PAUSE);
        Ok(())
    }

    async fn connect(&self, domain: &Domain) -> Result<Channel, Error> {
        let now = clock::now();
        if self.pins().current(domain, now).is_err() {
            self.fetch(domain).await?;
        }
        let channel = match self.open(domain).await {
            Err(Error::PinMismatch(_)) => {
                warn!(peer = %domain, "a peer shows a key that is not pinned; asking for its descriptor");
                self.fetch(domain).await.map_err(|_| Error::PinMismatch(domain.clone()))?;
                self.open(domain).await?
            }
            opened => opened?,
        };
        self.greet(domain, channel.clone()).await?;
        Ok(channel)
    }

    /// Connects by what is pinned now; the channel itself connects again later by what is pinned then.
    async fn open(&self, domain: &Domain) -> Result<Channel, Error> {
        let (peers, name) = (self.clone(), domain.clone());
        // Dialled once by hand, for an error that can be told apart.
        self.dial(&name).await?;
        let connector = service_fn(move |_: Uri| {
            let (peers, name) = (peers.clone(), name.clone());
            async move { peers.dial(&name).await.map(TokioIo::new).map_err(io::Error::other) }
        });
        let target = Target::from_static("http://peer.invalid")
            .connect_timeout(CONNECT_TIME)
            .http2_keep_alive_interval(Duration::from_secs(15))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true)
            .http2_max_header_list_size(16 * 1024)
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(4 * 1024 * 1024);
        let unreachable = |error: tonic::transport::Error| Error::Unreachable {
            domain: domain.clone(),
            error: error.to_string(),
        };
        target.connect_with_connector(connector).await.map_err(unreachable)
    }

    async fn greet(&self, domain: &Domain, channel: Channel) -> Result<(), Error> {
        let request = HelloRequest { descriptor: Some(self.0.descriptor.clone()) };
        let mut client =
            DirectoryServiceClient::new(channel).max_decoding_message_size(discovery::DESCRIPTOR_BYTES);
        let answer = tokio::time::timeout(CONNECT_TIME, client.hello(request)).await;
        let refused = |refusal| Error::Greeting { domain: domain.clone(), refusal };
        let answer = answer.map_err(|_| refused(Refusal::UNAVAILABLE))?;
        let hello = answer.map_err(|status| refused(Refusal::of_status(&status)))?.into_inner();
        // A newer descriptor comes for free; what contradicts the pins is told to the operator and ends the matter.
        if let Some(descriptor) = hello.descriptor
            && Descriptor::verify(&descriptor).is_ok_and(|named| named.domain == *domain)
        {
            self.0.book.accept(&descriptor, domain, clock::now()).await?;
        }
        Ok(())
    }

    /// A TLS connection to one of the peer's endpoints, its key checked (spec: FED-01).
    async fn dial(&self, domain: &Domain) -> Result<TlsStream<TcpStream>, Error> {
        let descriptor = self.pinned(domain)?;
        let unreachable = |error: String| Error::Unreachable { domain: domain.clone(), error };
        let config = self.0.identity.client_config(descriptor.federation_pins.clone(), tls::ALPN_H2);
        let config = Arc::new(config.map_err(|error| unreachable(error.to_string()))?);
        let mut last = Error::Unreachable { domain: domain.clone(), error: "no endpoint".to_owned() };
        for endpoint in &descriptor.federation_endpoints {
            match tokio::time::timeout(CONNECT_TIME, self.dial_one(domain, endpoint, &config)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error @ Error::PinMismatch(_))) => return Err(error),
                Ok(Err(error)) => last = error,
                Err(_) => last = unreachable("time is over".to_owned()),
            }
        }
        Err(last)
    }

    async fn dial_one(
        &self,
        domain: &Domain,
        endpoint: &Endpoint,
        config: &Arc<rustls::ClientConfig>,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let unreachable = |error: String| Error::Unreachable { domain: domain.clone(), error };
        let stream = dial::dial(endpoint.host(), endpoint.port(), self.0.discovery.reach()).await;
        let stream = stream.map_err(|error| unreachable(error.to_string()))?;
        let name = ServerName::try_from("peer.invalid").map_err(|error| unreachable(error.to_string()))?;
        let connected = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
        connected.map_err(|error| {
            let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            if cause.is_some_and(tls::is_pin_mismatch) {
                warn!(peer = %domain, "a peer's key is not the pinned one");
                Error::PinMismatch(domain.clone())
            } else {
                unreachable(error.to_string())
            }
        })
    }
}

fn unknown(domain: &Domain) -> Error {
    Error::Descriptor(pins::Error::UnknownDomain(domain.clone()).into())
}
