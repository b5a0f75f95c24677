//! `serve`: makes everything that [`server`](crate::server) needs out of the configuration, and stops it on a signal.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use conclave_core::{identity::descriptor::Descriptor, meeting::log::ServerSigner};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;
use tracing_subscriber::EnvFilter;

use super::{act, act::Office, socket};
use crate::{
    account::accounts::Accounts,
    clock,
    config::{Config, LogFormat, Openness, Public},
    federation::{
        book::{self, Openness as Peering},
        dial::Reach,
        discovery::Discovery,
        tls,
    },
    keyring::{self, Keyring},
    media,
    server::{self, Listeners, Setup},
};

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(config: &Config) -> Result<()> {
    log(config)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let setup = setup(config).await?;
    let office = Office { config: config.clone(), store: setup.store.clone() };
    let listeners = Listeners {
        public: bind(config.public.listen, "public").await?,
        federation: bind(config.federation.listen, "federation").await?,
    };
    let running = server::start(setup, listeners).await?;
    let (operators, shutdown) = (TaskTracker::new(), CancellationToken::new());
    socket::listen(office, &operators, shutdown.clone())?;
    tokio::select! {
        _ = terminate.recv() => info!("SIGTERM"),
        _ = interrupt.recv() => info!("SIGINT"),
    }
    shutdown.cancel();
    operators.close();
    operators.wait().await;
    running.stop().await;
    Ok(())
}

fn log(config: &Config) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log.level).context("log.level in the configuration")?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match config.log.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    set.map_err(|error| anyhow::anyhow!("starting the log: {error}"))
}

async fn setup(config: &Config) -> Result<Setup> {
    let held = Keyring::of(config).load()?;
    let descriptor = Descriptor::verify(&held.descriptor)?;
    descriptor.check_valid_at(clock::now()).context("run: conclave-server descriptor sign")?;
    let reach = if config.discovery.allow_private { Reach::Anywhere } else { Reach::Public };
    let discovery = Discovery::new(&config.discovery.ca_files, reach).context("discovery.ca_files")?;
    let https = https(&config.public)?;
    let mut static_peers = Vec::new();
    for peer in &config.discovery.peers {
        if let Some(file) = &peer.descriptor {
            static_peers.push(keyring::read_descriptor(file).context("discovery.peers")?);
        }
    }
    let store = act::open_store(config).await?;
    for peer in &config.discovery.peers {
        if let Some(root) = &peer.root {
            book::approve_root(&*store, &peer.domain, root).await?;
        }
    }
    let openness = match config.federation.peers {
        Openness::Open => Peering::Open,
        Openness::Approve => Peering::Approved,
    };
    let domain = config.domain.0.clone();
    let accounts = Accounts::new(Arc::clone(&store), domain.clone(), &config.limits)?;
    let (key_id, key) = (held.signing_key_id, held.signing_key);
    Ok(Setup {
        signer: ServerSigner { domain: domain.clone(), key_id, key },
        domain,
        descriptor: held.descriptor,
        identity: held.identity,
        https,
        store,
        discovery,
        openness,
        static_peers,
        accounts,
        device_ca: Arc::new(held.device_ca),
        limits: config.limits.clone(),
        media: media::Config {
            listen: config.media.listen,
            advertised: config.media.advertise.clone(),
            threads: u8::try_from(config.media.threads).unwrap_or(u8::MAX),
        },
        relay: config.relay.listen,
    })
}

/// TLS of the public port.
pub(super) fn https(public: &Public) -> Result<ServerConfig> {
    let (certificate, key) = (public.certificate.display(), public.key.display());
    let chain = CertificateDer::pem_file_iter(&public.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| anyhow::anyhow!("public.certificate {certificate}: {error}"))?;
    let private = PrivateKeyDer::from_pem_file(&public.key)
        .map_err(|error| anyhow::anyhow!("public.key {key}: {error}"))?;
    let mut https = ServerConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| format!("public.certificate {certificate} and public.key {key}"))?;
    https.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(https)
}

async fn bind(address: SocketAddr, part: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{part}.listen {address}"))
}
