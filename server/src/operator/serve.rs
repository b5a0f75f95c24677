//! `serve`: makes everything that [`server`](crate::server) needs out of the configuration, and stops it on a signal.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
};

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
    audit, clock,
    config::{self, Config, LogFormat, Openness, Public},
    federation::{
        book::{self, Openness as Peering},
        dial::Reach,
        discovery::Discovery,
        tls,
    },
    keyring::{self, Keyring},
    media,
    port::Port,
    server::{self, Listeners, Setup},
    web::bundle::Bundle,
};

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(config: &Config) -> Result<()> {
    log(config)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let setup = setup(config).await?;
    let office = Office { config: config.clone(), store: setup.store.clone() };
    let listeners = Listeners {
        public: bind(config.public.listen, "public.listen").await?,
        federation: bind(config.federation.listen, "federation.listen").await?,
        plain: match config.web.plain_loopback {
            Some(address) => Some(bind(address, "web.plain_loopback").await?),
            None => None,
        },
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
    let filter = filter(config)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match config.log.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    set.map_err(|error| anyhow::anyhow!("starting the log: {error}"))
}

/// What is logged.
pub(super) fn filter(config: &Config) -> Result<EnvFilter> {
    EnvFilter::try_new(&config.log.level).with_context(|| format!("log.level {:?}", config.log.level))
}

async fn setup(config: &Config) -> Result<Setup> {
    let held = Keyring::of(config).load()?;
    let descriptor = Descriptor::verify(&held.descriptor)?;
    check_time(&descriptor)?;
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
    let advertised = advertised(&config.media);
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
            tcp: advertised.iter().map(|ip| SocketAddr::new(*ip, config.public.listen.port())).collect(),
            advertised,
            threads: u8::try_from(config.media.threads).unwrap_or(u8::MAX),
        },
        relay: config.relay.listen,
        client: match &config.web.folder {
            Some(folder) => {
                Bundle::read(folder).with_context(|| format!("web.folder {}", folder.display()))?
            }
            None => Bundle::built_in(),
        },
    })
}

/// Whether the descriptor is valid now.
pub(super) fn check_time(descriptor: &Descriptor) -> Result<()> {
    let now = clock::now();
    let remedy = || {
        if now < descriptor.not_before {
            let (now, signed) = (audit::utc(now.as_ms()), audit::utc(descriptor.not_before.as_ms()));
            format!(
                "this machine's clock says {now}, but the descriptor was signed at {signed}: set the clock (NTP)"
            )
        } else {
            "run: conclave-server descriptor sign".to_owned()
        }
    };
    descriptor.check_valid_at(now).with_context(remedy)
}

/// The IP addresses that clients are told for media.
pub(super) fn advertised(media: &config::Media) -> Vec<IpAddr> {
    if !media.advertise.is_empty() {
        return media.advertise.clone();
    }
    let ip = media.listen.ip();
    vec![if ip.is_unspecified() { own_address(ip.is_ipv4()) } else { ip }]
}

/// The address from which this machine reaches the world; itself, if it reaches nothing. Nothing is sent.
fn own_address(v4: bool) -> IpAddr {
    // Addresses for documentation, which nobody has.
    let (any, world, this): (IpAddr, IpAddr, IpAddr) = if v4 {
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::LOCALHOST.into())
    } else {
        let world = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        (Ipv6Addr::UNSPECIFIED.into(), world.into(), Ipv6Addr::LOCALHOST.into())
    };
    let route = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((world, 9))?;
        socket.local_addr()
    };
    route().map_or(this, |own| own.ip())
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

pub(super) async fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, Port> {
    TcpListener::bind(address).await.map_err(|error| Port { setting, address, error })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use conclave_core::{
        identity::{address::Domain, keys::SigningKey},
        time::Time,
    };

    use super::*;

    #[test]
    fn a_clock_that_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::of(Domain::parse("north.example").unwrap());
        config.data = folder.path().to_owned();
        std::fs::create_dir(folder.path().join("keys")).unwrap();
        let keyring = Keyring::of(&config);
        keyring.create().unwrap();
        let day = Duration::from_hours(24);
        let signed_at = |time| {
            let signed = keyring.sign(&config, &SigningKey::from_seed(&[7; 32]), time).unwrap();
            Descriptor::verify(&signed).unwrap()
        };
        let error = check_time(&signed_at(clock::now() + day)).unwrap_err();
        assert!(error.to_string().contains("set the clock"), "{error:#}");
        let long_ago = Time::from_ms(clock::now().as_ms() - 500 * 86_400_000);
        let error = check_time(&signed_at(long_ago)).unwrap_err();
        assert!(error.to_string().contains("descriptor sign"), "{error:#}");
        check_time(&signed_at(clock::now())).unwrap();
    }

    #[test]
    fn clients_are_told_an_address_that_they_can_use() {
        let listening = |listen: &str, advertise: &[&str]| {
            let advertise = advertise.iter().map(|ip| ip.parse().unwrap()).collect();
            advertised(&config::Media { listen: listen.parse().unwrap(), advertise, threads: 1 })
        };
        assert!(!listening("0.0.0.0:7442", &[])[0].is_unspecified());
        assert!(!listening("[::]:7442", &[])[0].is_unspecified());
        assert_eq!(listening("127.0.0.1:7442", &[])[0].to_string(), "127.0.0.1");
        assert_eq!(listening("0.0.0.0:7442", &["198.51.100.9"])[0].to_string(), "198.51.100.9");
    }
}
