//! TCP and TLS to the home server.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use conclave_core::identity::address::Domain;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};

use super::Address;

/// The connection cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file with the certificates to trust is not usable.
    #[error("the certificates in {file} cannot be used: {why}")]
    Certificates {
        /// Which file.
        file: String,
        /// Why.
        why: String,
    },
    /// The server's name cannot stand in a URL.
    #[error("not a usable server name: {0}")]
    Name(String),
}

/// A channel that connects when it is first used, and again whenever the connection is lost.
pub(super) fn channel(address: &Address, within: Duration, keep_alive: Duration) -> Result<Channel, Error> {
    let server = &address.server;
    let name = || Error::Name(server.to_string());
    let authority = format!("{}:{}", server.host(), server.port());
    let origin: Uri = format!("https://{authority}").parse().map_err(|_| name())?;
    let tls = TlsConnector::from(Arc::new(tls_config(address.ca.as_deref())?));
    let server_name = ServerName::try_from(server.host().to_owned()).map_err(|_| name())?;
    // The scheme is http because the TLS is ours; the origin says what it is.
    let endpoint = Endpoint::from_shared(format!("http://{authority}"))
        .map_err(|_| name())?
        .origin(origin)
        .connect_timeout(within)
        .http2_keep_alive_interval(keep_alive)
        .keep_alive_timeout(keep_alive)
        .keep_alive_while_idle(true);
    let server = server.clone();
    Ok(endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
        let (tls, name, server) = (tls.clone(), server_name.clone(), server.clone());
        async move {
            let stream = tokio::time::timeout(within, connect(&server, &tls, name)).await;
            stream.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map(TokioIo::new)
        }
    })))
}

async fn connect(
    server: &Domain,
    tls: &TlsConnector,
    name: ServerName<'static>,
) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(&*resolve(server).await?).await?;
    tcp.set_nodelay(true)?;
    tls.connect(name, tcp).await
}

/// `*.localhost` is this machine (RFC 6761 §6.3), which not every resolver knows.
pub(super) async fn resolve(server: &Domain) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = (server.host(), server.port());
    if host == "localhost" || host.ends_with(".localhost") {
        return Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]);
    }
    let found = tokio::net::lookup_host((host, port)).await;
    Ok(found
        .map_err(|error| io::Error::other(format!("the name {host} is not found; is it right? ({error})")))?
        .collect())
}

fn tls_config(ca: Option<&Path>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(file) => {
            let fail = |why: String| Error::Certificates { file: file.display().to_string(), why };
            let certificates = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| fail(error.to_string()))?;
            for certificate in certificates {
                roots.add(certificate).map_err(|error| fail(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(fail("there is no certificate in it".to_owned()));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Name(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
