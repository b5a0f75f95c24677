//! The home server's gRPC API over TLS, as paths and bytes: the device machine encodes and decodes, this only carries.

mod codec;
mod connect;
mod error;

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, RwLock},
    time::Duration,
};

use bytes::Bytes;
use conclave_core::identity::address::Domain;
use futures::{Stream, StreamExt, TryStreamExt};
use http::uri::PathAndQuery;
use http_body_util::{BodyExt as _, Limited};
use tonic::{Request, client::Grpc, metadata::AsciiMetadataValue, transport::Channel};
use tower::{Service as _, ServiceExt as _};
use zeroize::Zeroizing;

pub use connect::Error as ConnectError;
pub use error::Error;

use codec::RawCodec;

/// A unary call must be answered within this time.
const CALL_WITHIN: Duration = Duration::from_secs(20);
/// A connection must stand within this time.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A silent connection is asked for a sign of life this often; without one for as long, it is over.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The largest message taken in: a batch of log entries with post-quantum commits.
const LARGEST_MESSAGE: usize = 16 << 20;

/// Where the home server is, and whom to trust for its TLS certificate.
#[derive(Clone, Debug)]
pub struct Address {
    /// Host and port; usually the domain itself.
    pub server: Domain,
    /// PEM file of the certificates to trust, in place of the system's.
    pub ca: Option<PathBuf>,
}

/// A connection to the home server, made when needed and made again when lost. Clones share it.
#[derive(Clone, Debug)]
pub struct Api {
    channel: Channel,
    server: Domain,
    token: Arc<RwLock<Option<AsciiMetadataValue>>>,
}

impl Api {
    /// Reads the certificates to trust; connects with the first call.
    pub fn new(address: &Address) -> Result<Self, connect::Error> {
        let channel = connect::channel(address, CONNECT_WITHIN, KEEP_ALIVE)?;
        Ok(Self { channel, server: address.server.clone(), token: Arc::default() })
    }

    /// The token that goes with every call from now on.
    pub fn set_token(&self, token: Option<&Zeroizing<Vec<u8>>>) {
        let value = token.and_then(|token| {
            let text = Zeroizing::new(format!("Bearer {}", std::str::from_utf8(token).ok()?));
            let mut value = AsciiMetadataValue::try_from(text.as_str()).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        if let Ok(mut held) = self.token.write() {
            *held = value;
        }
    }

    /// The server's IP address, for media.
    pub async fn ip(&self) -> Result<IpAddr, Error> {
        let addresses = connect::resolve(&self.server).await.map_err(|error| Error::unavailable(&error))?;
        addresses
            .first()
            .map(std::net::SocketAddr::ip)
            .ok_or_else(|| Error::unavailable(&"the server's name has no address"))
    }

    /// Makes a unary call.
    pub async fn call(&self, path: &'static str, body: Bytes) -> Result<Bytes, Error> {
        let answer = async {
            let mut grpc = self.ready().await?;
            let path = PathAndQuery::from_static(path);
            Ok(grpc.unary(self.request(body), path, RawCodec).await?.into_inner())
        };
        match tokio::time::timeout(CALL_WITHIN, answer).await {
            Ok(result) => result,
            Err(_) => Err(Error::unavailable(&"the server did not answer in time")),
        }
    }

    /// Reads a file of the server's public port, of at most so many bytes.
    pub async fn read(&self, path: &str, most: usize) -> Result<Bytes, Error> {
        let answer = async {
            let mut channel = self.channel.clone();
            let request = http::Request::get(path).body(tonic::body::Body::empty());
            let request = request.map_err(|error| Error::unavailable(&error))?;
            channel.ready().await.map_err(|error| Error::unreachable(&error))?;
            let answer = channel.call(request).await.map_err(|error| Error::unreachable(&error))?;
            if !answer.status().is_success() {
                return Err(Error::unavailable(&format!("it answers {}", answer.status())));
            }
            let body = Limited::new(answer.into_body(), most).collect().await;
            Ok(body.map_err(|error| Error::unavailable(&error))?.to_bytes())
        };
        match tokio::time::timeout(CALL_WITHIN, answer).await {
            Ok(result) => result,
            Err(_) => Err(Error::unavailable(&"the server did not answer in time")),
        }
    }

    /// Opens a server stream.
    pub async fn open(
        &self,
        path: &'static str,
        body: Bytes,
    ) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + use<>, Error> {
        let mut grpc = self.ready().await?;
        let path = PathAndQuery::from_static(path);
        let response = grpc.server_streaming(self.request(body), path, RawCodec).await?;
        Ok(response.into_inner().map_err(Error::from).boxed())
    }

    async fn ready(&self) -> Result<Grpc<Channel>, Error> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(LARGEST_MESSAGE);
        grpc.ready().await.map_err(|error| Error::unreachable(&error))?;
        Ok(grpc)
    }

    fn request(&self, body: Bytes) -> Request<Bytes> {
        let mut request = Request::new(body);
        if let Some(token) = self.token.read().ok().and_then(|token| token.clone()) {
            request.metadata_mut().insert("authorization", token);
        }
        request
    }
}

#[cfg(test)]
mod tests;
