//! Relay links: one QUIC connection to each organisation that has devices in a session here.
//!
//! A control stream says what there is and what is wanted; media travels in datagrams. The server whose domain sorts first dials.
//! Who a peer is, this module does not decide: it asks [`PeerIdentity`].

mod control;
mod datagram;
mod endpoint;
mod handle;
mod link;
mod reassembly;
mod streams;

use std::{collections::BTreeSet, io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use conclave_core::identity::address::Domain;
use conclave_proto::types::v1::SignedDescriptor;
use rustls_pki_types::CertificateDer;
use tokio::sync::mpsc;

use super::{Media, SessionKey};

pub(super) use datagram::{Datagram, read as read_datagram};
pub(super) use handle::LinkHandle;
pub(super) use reassembly::Incoming;

/// How long peers have to hear that the relay ends.
const GOODBYE: Duration = Duration::from_secs(1);
/// The protocol's name in TLS.
pub const ALPN: &[u8] = b"conclave-relay/1";

/// Where and how a peer's relay is called.
#[derive(Clone, Debug)]
pub struct Dial {
    /// Its address, resolved and filtered.
    pub address: SocketAddr,
    /// TLS that accepts the peer's pinned keys only, with [`ALPN`].
    pub tls: rustls::ClientConfig,
}

/// Who peers are: given by the federation's part of the server.
#[async_trait]
pub trait PeerIdentity: Send + Sync + 'static {
    /// Where and how a domain's relay is called now; `None` if that is not known, to be asked again later.
    async fn dial(&self, domain: &Domain) -> Option<Dial>;
    /// TLS for answering, with [`ALPN`]; must ask for a certificate and check that the caller holds its key.
    fn server_tls(&self) -> Option<rustls::ServerConfig>;
    /// The domain whose pinned key a caller's certificate holds; the caller's own descriptor may help to learn it.
    async fn identify(
        &self,
        certificate: &CertificateDer<'static>,
        descriptor: &SignedDescriptor,
    ) -> Option<Domain>;
    /// This server's descriptor.
    fn descriptor(&self) -> SignedDescriptor;
}

/// Where the relay listens.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// This server's domain.
    pub domain: Domain,
    /// The UDP address.
    pub listen: SocketAddr,
}

/// Which organisations a session needs links to.
#[derive(Debug)]
pub(super) struct Need {
    pub(super) key: SessionKey,
    pub(super) domains: BTreeSet<Domain>,
}

/// The relay of this server; ends when dropped.
#[derive(Debug)]
pub struct Relay {
    endpoint: quinn::Endpoint,
    task: tokio::task::JoinHandle<()>,
}

impl Relay {
    /// Binds the socket and keeps links to whom the media's rosters name; at most once for each [`Media`].
    pub fn start(config: RelayConfig, identity: Arc<dyn PeerIdentity>, media: &Media) -> io::Result<Self> {
        let (needs, queue) = mpsc::unbounded_channel();
        let endpoint = endpoint::bind(config.listen, identity.as_ref())?;
        media.needs.set(needs).map_err(|_| io::Error::other("this media has a relay already"))?;
        let keeper = endpoint::Keeper::new(config.domain, endpoint.clone(), identity, media.clone());
        Ok(Self { endpoint, task: tokio::spawn(keeper.run(queue)) })
    }

    /// Ends all links and gives the port back.
    pub async fn stop(mut self) {
        self.task.abort();
        let _aborted = (&mut self.task).await;
        self.endpoint.close(0_u32.into(), b"closed");
        let _late = tokio::time::timeout(GOODBYE, self.endpoint.wait_idle()).await;
    }

    /// The UDP address in use.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        self.endpoint.close(0_u32.into(), b"closed");
    }
}
