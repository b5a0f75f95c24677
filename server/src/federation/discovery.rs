//! Fetching another server's descriptor from its well-known address.
//!
//! It only fetches; whether the descriptor is believed is for `peers` and the pins to say.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use conclave_core::identity::address::Domain;
use conclave_proto::types::v1::SignedDescriptor;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use prost::Message;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::TlsConnector;

use super::{
    dial::{self, Reach},
    tls,
};

/// Where a server describes itself.
pub const WELL_KNOWN: &str = "/.well-known/conclave/server";
/// Largest descriptor, bytes.
pub const DESCRIPTOR_BYTES: usize = 64 * 1024;
/// How long the whole fetch may take.
const FETCH_TIME: Duration = Duration::from_secs(10);

/// No descriptor could be fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured roots cannot be read.
    #[error("the file {0} holds no certificates that can be read")]
    Roots(String),
    /// No connection came about.
    #[error(transparent)]
    Dial(#[from] dial::Error),
    /// The HTTPS certificate is not good for that name, or TLS failed otherwise.
    #[error("the server's HTTPS certificate or handshake is not acceptable: {0}")]
    Tls(std::io::Error),
    /// The HTTP exchange failed.
    #[error("the server did not answer as HTTP demands")]
    Http,
    /// It answered with something else than 200; redirects are not followed (spec: FED-04).
    #[error("the server answered {0} where its descriptor should be")]
    Status(StatusCode),
    /// The answer is too large or no descriptor.
    #[error("the answer is no descriptor")]
    Malformed,
    /// It took too long.
    #[error("the server took too long to answer")]
    TimedOut,
}

/// Fetches descriptors over HTTPS.
#[derive(Clone)]
pub struct Discovery {
    tls: TlsConnector,
    reach: Reach,
}

impl std::fmt::Debug for Discovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Discovery").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Discovery {
    /// Trusts the system's certificate authorities and those in `ca_files` (PEM).
    pub fn new<P: AsRef<Path>>(ca_files: &[P], reach: Reach) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for file in ca_files {
            let name = || Error::Roots(file.as_ref().display().to_string());
            let read = CertificateDer::pem_file_iter(file).map_err(|_| name())?;
            let mut count = 0;
            for certificate in read {
                roots.add(certificate.map_err(|_| name())?).map_err(|_| name())?;
                count += 1;
            }
            if count == 0 {
                return Err(name());
            }
        }
        let mut config = ClientConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| Error::Tls(std::io::Error::other(error)))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), reach })
    }

    /// Which addresses may be dialled.
    pub const fn reach(&self) -> Reach {
        self.reach
    }

    /// What `domain` says of itself now; nothing of it is verified but its form.
    pub async fn fetch(&self, domain: &Domain) -> Result<SignedDescriptor, Error> {
        let body = tokio::time::timeout(FETCH_TIME, self.fetch_body(domain))
            .await
            .map_err(|_| Error::TimedOut)??;
        SignedDescriptor::decode(body).map_err(|_| Error::Malformed)
    }

    async fn fetch_body(&self, domain: &Domain) -> Result<Bytes, Error> {
        let stream = dial::dial(domain.host(), domain.port(), self.reach).await?;
        let name = ServerName::try_from(domain.host().to_owned()).map_err(|_| Error::Malformed)?;
        let stream = self.tls.connect(name, stream).await.map_err(Error::Tls)?;
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(32 * 1024)
            .max_headers(64)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Error::Http)?;
        // Ends with the sender, at the latest with FETCH_TIME.
        let driver = tokio::spawn(connection);
        let answer = Self::exchange(&mut sender, domain).await;
        driver.abort();
        answer
    }

    async fn exchange(
        sender: &mut hyper::client::conn::http1::SendRequest<Empty<Bytes>>,
        domain: &Domain,
    ) -> Result<Bytes, Error> {
        let request = Request::get(WELL_KNOWN)
            .header(header::HOST, domain.as_str())
            .body(Empty::new())
            .map_err(|_| Error::Malformed)?;
        let response = sender.send_request(request).await.map_err(|_| Error::Http)?;
        if response.status() != StatusCode::OK {
            return Err(Error::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), DESCRIPTOR_BYTES);
        Ok(body.collect().await.map_err(|_| Error::Malformed)?.to_bytes())
    }
}
