//! An organisation made in code: its keys, a real server on loopback ports, and a store in memory that outlives it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)] // Tests may panic, each uses its part.

use std::{path::PathBuf, sync::Arc, time::Duration};

use conclave_core::{
    identity::{
        address::Domain,
        certificate::{DeviceCa, issue_device_ca},
        descriptor::{Descriptor, Endpoint, Jurisdiction, ServerSigningKey},
        keys::{Fingerprint, SigningKey},
    },
    limits,
    meeting::log::ServerSigner,
};
use conclave_proto::types::v1::SignedDescriptor;
use conclave_server::{
    account::accounts::Accounts,
    clock, config,
    federation::{
        book::Openness,
        dial::Reach,
        discovery::Discovery,
        tls::{self, Identity},
    },
    media,
    server::{self, Listeners, Running, Setup},
    store::{self, envelope::DataKey, memory},
    web::bundle::Bundle,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;

const LOOPBACK: std::net::Ipv4Addr = std::net::Ipv4Addr::LOCALHOST;

/// The public certificates of all organisations of a test, in files that discovery trusts.
pub struct Authorities {
    folder: tempfile::TempDir,
    files: std::sync::Mutex<Vec<PathBuf>>,
}

impl Authorities {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), files: std::sync::Mutex::default() }
    }

    pub fn files(&self) -> Vec<PathBuf> {
        self.files.lock().unwrap().clone()
    }

    fn add(&self, name: &str, pem: &str) {
        let file = self.folder.path().join(format!("{name}.pem"));
        std::fs::write(&file, pem).unwrap();
        self.files.lock().unwrap().push(file);
    }
}

pub struct Organisation {
    pub domain: Domain,
    pub root: SigningKey,
    pub ca: DeviceCa,
    pub signer: ServerSigner,
    pub identity: Identity,
    pub descriptor: SignedDescriptor,
    pub disk: memory::Disk,
    pub store_key: [u8; 32],
    pub openness: Openness,
    pub reach: Reach,
    pub https: (CertificateDer<'static>, Arc<PrivateKeyDer<'static>>),
    /// The folder of the browser client; none by default.
    pub client: PathBuf,
    /// Also serves over plain HTTP here, from its next start.
    pub plain: Option<TcpListener>,
    ports: (u16, u16, u16),
    listeners: Option<(TcpListener, TcpListener)>,
}

impl Organisation {
    /// `north` becomes `north.localhost:PORT`.
    pub async fn new(name: &str, seed: u8, authorities: &Authorities) -> Self {
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let federation = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = std::net::UdpSocket::bind((LOOPBACK, 0)).unwrap();
        let ports = (
            public.local_addr().unwrap().port(),
            federation.local_addr().unwrap().port(),
            relay.local_addr().unwrap().port(),
        );
        drop(relay);
        let host = format!("{name}.localhost");
        let domain = Domain::parse(&format!("{host}:{}", ports.0)).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![host]).unwrap().self_signed(&key).unwrap();
        authorities.add(name, &certificate.pem());
        let secret = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let root = SigningKey::from_seed(&[seed; 32]);
        let ca_key = SigningKey::from_seed(&[seed + 1; 32]);
        let lifetime = limits::DEVICE_CA_LIFETIME;
        let ca =
            issue_device_ca(&root, &domain, &ca_key.public(), [seed; 16], clock::now(), lifetime).unwrap();
        let ca = DeviceCa::new(ca_key, ca, &root.public(), &domain).unwrap();
        let key = SigningKey::from_seed(&[seed + 2; 32]);
        let signer = ServerSigner { domain: domain.clone(), key_id: "k1".into(), key };
        let identity = Identity::generate(domain.as_str()).unwrap();
        let mut organisation = Self {
            descriptor: SignedDescriptor::default(),
            disk: memory::Disk::new(),
            store_key: [seed; 32],
            openness: Openness::Open,
            reach: Reach::Anywhere,
            https: (certificate.der().clone(), Arc::new(secret)),
            client: PathBuf::new(),
            plain: None,
            listeners: Some((public, federation)),
            domain,
            root,
            ca,
            signer,
            identity,
            ports,
        };
        organisation.descriptor = organisation.describe(1, |_| {});
        organisation
    }

    /// A descriptor of this serial, changed at will and signed by the root.
    pub fn describe(&self, serial: u64, change: impl FnOnce(&mut Descriptor)) -> SignedDescriptor {
        let now = clock::now();
        let mut descriptor = Descriptor {
            domain: self.domain.clone(),
            serial,
            not_before: now - limits::CLOCK_SKEW,
            not_after: now + Duration::from_hours(24 * 30),
            root: self.root.public(),
            federation_endpoints: vec![self.federation_endpoint()],
            relay_endpoints: vec![
                Endpoint::parse(&format!("{}:{}", self.domain.host(), self.ports.2)).unwrap(),
            ],
            federation_pins: vec![self.identity.spki()],
            signing_keys: vec![ServerSigningKey {
                key_id: self.signer.key_id.clone(),
                public_key: self.signer.key.public(),
                not_after: now + Duration::from_hours(24 * 30),
            }],
            device_ca: self.ca.certificate().clone(),
            jurisdiction: Jurisdiction::parse("DE").unwrap(),
            protocol_versions: vec![1],
            features: vec![],
        };
        change(&mut descriptor);
        descriptor.sign(&self.root, vec![]).unwrap()
    }

    pub fn federation_endpoint(&self) -> Endpoint {
        Endpoint::parse(&format!("{}:{}", self.domain.host(), self.ports.1)).unwrap()
    }

    pub fn pin(&self) -> Fingerprint {
        self.identity.spki()
    }

    pub fn store(&self) -> store::Shared {
        memory::open(&self.disk, &DataKey::from_bytes(self.store_key)).unwrap()
    }

    pub fn accounts(&self, running: &Running) -> Accounts {
        Accounts::new(running.store(), self.domain.clone(), &config::Limits::default()).unwrap()
    }

    /// Nobody listens on its ports.
    pub fn unreachable(mut self) -> Self {
        self.listeners = None;
        self
    }

    /// Somebody else answers on its ports: the public one and the federation's.
    pub fn take_listeners(mut self) -> (TcpListener, TcpListener) {
        self.listeners.take().unwrap()
    }

    /// TLS of its public port, for those who answer there by hand.
    pub fn acceptor(&self, alpn: &[&[u8]]) -> tokio_rustls::TlsAcceptor {
        let mut config = self.https_config();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    }

    fn https_config(&self) -> rustls::ServerConfig {
        rustls::ServerConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.https.0.clone()], self.https.1.clone_key())
            .unwrap()
    }

    /// Starts its server; ports stay the same over restarts.
    pub async fn start(&mut self, authorities: &Authorities) -> Running {
        let (public, federation) = match self.listeners.take() {
            Some(bound) => bound,
            None => (bind(self.ports.0).await, bind(self.ports.1).await),
        };
        until_free(self.ports.2).await;
        let https = self.https_config();
        let (store, limits) = (self.store(), config::Limits::default());
        let setup = Setup {
            domain: self.domain.clone(),
            descriptor: self.descriptor.clone(),
            identity: self.identity.clone(),
            https,
            store: store.clone(),
            discovery: Discovery::new(&authorities.files(), self.reach).unwrap(),
            openness: self.openness,
            static_peers: vec![],
            signer: self.signer.clone(),
            accounts: Accounts::new(store.clone(), self.domain.clone(), &limits).unwrap(),
            device_ca: Arc::new(self.ca.clone()),
            limits,
            media: media::Config {
                listen: (LOOPBACK, 0).into(),
                advertised: vec![],
                tcp: vec![],
                threads: 1,
            },
            relay: (LOOPBACK, self.ports.2).into(),
            client: Bundle::read(&self.client).unwrap_or_default(),
        };
        server::start(setup, Listeners { public, federation, plain: self.plain.take() }).await.unwrap()
    }
}

/// QUIC gives its socket back a moment after its endpoint was dropped.
async fn until_free(port: u16) {
    for _ in 0..500 {
        if std::net::UdpSocket::bind((LOOPBACK, port)).is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn bind(port: u16) -> TcpListener {
    TcpListener::bind(("127.0.0.1", port)).await.unwrap()
}
