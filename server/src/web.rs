//! What the public HTTPS port answers besides gRPC: the server's descriptor, and how the server is.

use bytes::Bytes;
use conclave_proto::types::v1::SignedDescriptor;
use http::{Method, Response, StatusCode, header};
use http_body_util::Full;
use prost::Message;
use tonic::body::Body;

use crate::{federation::discovery::WELL_KNOWN, store};

/// Lives: the process answers and its store takes writes.
const HEALTH: &str = "/healthz";
/// Ready: it serves calls, and does not shut down.
const READY: &str = "/readyz";

/// Answers plain HTTP requests.
pub struct Web {
    descriptor: Bytes,
    store: store::Shared,
}

impl Web {
    /// Serves this descriptor.
    pub fn new(descriptor: &SignedDescriptor, store: store::Shared) -> Self {
        Self { descriptor: descriptor.encode_to_vec().into(), store }
    }

    /// The answer to a request that is no gRPC call.
    pub async fn answer(&self, method: &Method, path: &str, ready: bool) -> Response<Body> {
        let known = matches!(path, WELL_KNOWN | HEALTH | READY);
        match path {
            _ if known && method != Method::GET && method != Method::HEAD => {
                plain(StatusCode::METHOD_NOT_ALLOWED)
            }
            WELL_KNOWN => self.descriptor(),
            HEALTH => plain(self.health().await),
            READY if ready => plain(self.health().await),
            READY => plain(StatusCode::SERVICE_UNAVAILABLE),
            _ => plain(StatusCode::NOT_FOUND),
        }
    }

    fn descriptor(&self) -> Response<Body> {
        let mut response = Response::new(Body::new(Full::new(self.descriptor.clone())));
        let kind = header::HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("max-age=300"));
        response
    }

    /// Whether a small write reaches the disk.
    async fn health(&self) -> StatusCode {
        let key = store::schema::kv("health");
        let time = crate::clock::now().as_ms().to_be_bytes();
        match self.store.apply(store::Batch::new().put(key, time)).await {
            Ok(()) => StatusCode::OK,
            Err(error) => {
                tracing::warn!(%error, "the store takes no writes");
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    let text = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(Body::new(Full::new(Bytes::from_static(text.as_bytes()))));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
