//! Servers that know each other's keys, as the federation would have learnt them.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use conclave_core::{identity::address::Domain, identity::keys::Fingerprint};
use conclave_proto::types::v1::SignedDescriptor;
use conclave_server::{
    federation::tls::{Identity, fingerprint},
    media::{
        Config, Media,
        relay::{ALPN, Dial, PeerIdentity, Relay, RelayConfig},
    },
};
use rustls_pki_types::CertificateDer;
use tokio::net::TcpListener;

/// What all servers of a test know of each other.
pub(crate) type Directory = Arc<Mutex<HashMap<Domain, (Fingerprint, Option<SocketAddr>)>>>;

struct Peers {
    own: Identity,
    directory: Directory,
}

#[async_trait]
impl PeerIdentity for Peers {
    async fn dial(&self, domain: &Domain) -> Option<Dial> {
        let (pin, address) = *self.directory.lock().unwrap().get(domain)?;
        Some(Dial { address: address?, tls: self.own.client_config(vec![pin], ALPN).ok()? })
    }

    fn server_tls(&self) -> Option<rustls::ServerConfig> {
        self.own.server_config(ALPN).ok()
    }

    async fn identify(
        &self,
        certificate: &CertificateDer<'static>,
        _descriptor: &SignedDescriptor,
    ) -> Option<Domain> {
        let key = fingerprint(certificate).ok()?;
        let directory = self.directory.lock().unwrap();
        directory.iter().find(|(_, (pin, _))| *pin == key).map(|(domain, _)| domain.clone())
    }

    fn descriptor(&self) -> SignedDescriptor {
        SignedDescriptor::default()
    }
}

/// One home server's media, with a TCP port that carries nothing else.
pub(crate) async fn with_tcp() -> (Media, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = Config { listen, advertised: Vec::new(), tcp: vec![address], threads: 2 };
    let media = Media::start(&config).unwrap();
    let carrying = media.clone();
    tokio::spawn(async move {
        while let Ok((stream, remote)) = listener.accept().await {
            let media = carrying.clone();
            tokio::spawn(async move { media.carry_tcp(stream, remote).await });
        }
    });
    (media, address)
}

/// One home server's media.
pub(crate) struct Home {
    pub(crate) media: Media,
    pub(crate) relay: Option<Relay>,
}

pub(crate) fn alone(threads: u8) -> Home {
    let config =
        Config { listen: "127.0.0.1:0".parse().unwrap(), advertised: Vec::new(), tcp: Vec::new(), threads };
    Home { media: Media::start(&config).unwrap(), relay: None }
}

pub(crate) fn federated(domain: &str, directory: &Directory) -> Home {
    let domain = Domain::parse(domain).unwrap();
    let own = Identity::generate(domain.as_str()).unwrap();
    let mut home = alone(2);
    let pin = own.spki();
    directory.lock().unwrap().insert(domain.clone(), (pin, None));
    let identity = Arc::new(Peers { own, directory: directory.clone() });
    let config = RelayConfig { domain: domain.clone(), listen: "127.0.0.1:0".parse().unwrap() };
    let relay = Relay::start(config, identity, &home.media).unwrap();
    let address = relay.local_address().unwrap();
    directory.lock().unwrap().insert(domain, (pin, Some(address)));
    home.relay = Some(relay);
    home
}
