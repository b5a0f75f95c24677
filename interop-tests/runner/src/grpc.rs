//! gRPC to a home server as any client may make it: TLS under the demo's certificate, no help from our own client.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

/// Trusts the certificates of one PEM file, and no others.
pub(crate) fn trust(ca: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(ca).with_context(|| format!("cannot read {}", ca.display()))?
    {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// Connects to a server on this machine under its name.
pub(crate) async fn connect(domain: &str, tls: Arc<ClientConfig>) -> Result<Channel> {
    let (host, port) = domain.split_once(':').unwrap_or((domain, "443"));
    let address = SocketAddr::from(([127, 0, 0, 1], port.parse().context("port")?));
    let name = ServerName::try_from(host.to_owned()).context("server name")?;
    let connector = TlsConnector::from(tls);
    let endpoint = Endpoint::from_shared(format!("http://{domain}"))?
        .origin(format!("https://{domain}").parse()?)
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(10));
    let channel = endpoint.connect_with_connector(tower::service_fn(move |_| {
        let (connector, name) = (connector.clone(), name.clone());
        async move {
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            Ok::<_, io::Error>(TokioIo::new(connector.connect(name, tcp).await?))
        }
    }));
    channel.await.with_context(|| format!("cannot connect to {domain}"))
}
