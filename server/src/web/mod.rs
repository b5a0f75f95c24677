//! What the public HTTPS port answers besides gRPC: the client for browsers, the server's descriptor, and how the server is.

pub mod bundle;
mod headers;
pub mod plain;

use bytes::Bytes;
use conclave_proto::types::v1::SignedDescriptor;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use prost::Message;
use tonic::body::Body;

use self::bundle::{Bundle, File};
use crate::{federation::discovery::WELL_KNOWN, store};

/// Lives: the process answers and its store takes writes.
const HEALTH: &str = "/healthz";
/// Ready: it serves calls, and does not shut down.
const READY: &str = "/readyz";
/// The hashes of the client's files, for whoever compares them with a build of their own.
const HASHES: &str = "/.well-known/conclave/web";
/// The page; it shows every place of the client.
const PAGE: &str = "index.html";
/// Where meetings' links lead.
const MEETING: &str = "/m/";
/// Where files lie whose names hold their hashes.
const HASHED: &str = "assets/";
/// What is said where no client was built in.
const NO_CLIENT: &str = "There is no web client in this build.";

/// Answers plain HTTP requests.
pub struct Web {
    descriptor: Bytes,
    bundle: Bundle,
    hashes: Bytes,
    store: store::Shared,
}

impl Web {
    /// Serves this descriptor and this client.
    pub fn new(descriptor: &SignedDescriptor, bundle: Bundle, store: store::Shared) -> Self {
        let hashes = bundle.hashes().into();
        Self { descriptor: descriptor.encode_to_vec().into(), bundle, hashes, store }
    }

    /// The answer to a request that is no gRPC call.
    pub async fn answer<B>(&self, request: &Request<B>, ready: bool) -> Response<Body> {
        let path = request.uri().path();
        let mut response = if request.method() != Method::GET && request.method() != Method::HEAD {
            if self.knows(path) {
                plain(StatusCode::METHOD_NOT_ALLOWED)
            } else {
                plain(StatusCode::NOT_FOUND)
            }
        } else {
            match path {
                WELL_KNOWN => self.descriptor(),
                HASHES => said(StatusCode::OK, "text/plain; charset=utf-8", self.hashes.clone()),
                HEALTH => plain(self.health().await),
                READY if ready => plain(self.health().await),
                READY => plain(StatusCode::SERVICE_UNAVAILABLE),
                _ => self.client(path, request.headers()),
            }
        };
        headers::protect(response.headers_mut());
        response
    }

    fn knows(&self, path: &str) -> bool {
        matches!(path, WELL_KNOWN | HASHES | HEALTH | READY) || self.file(path).is_some()
    }

    /// The file that a path means, and its own path.
    fn file<'a>(&self, path: &'a str) -> Option<(&'a str, &File)> {
        let place = if path == "/" || path.starts_with(MEETING) { PAGE } else { path.strip_prefix('/')? };
        self.bundle.find(place).map(|file| (place, file))
    }

    fn client(&self, path: &str, asked: &HeaderMap) -> Response<Body> {
        let Some((place, file)) = self.file(path) else {
            let empty = self.bundle.is_empty() && (path == "/" || path.starts_with(MEETING));
            let text = if empty { NO_CLIENT } else { "Not Found" };
            return said(
                StatusCode::NOT_FOUND,
                "text/plain; charset=utf-8",
                Bytes::from_static(text.as_bytes()),
            );
        };
        let tag = format!("\"{}\"", file.hash);
        let known = asked.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
        let brotli = file.brotli.as_ref().filter(|_| takes_brotli(asked));
        let mut response = if known {
            said(StatusCode::NOT_MODIFIED, file.kind, Bytes::new())
        } else {
            said(StatusCode::OK, file.kind, brotli.unwrap_or(&file.plain).clone())
        };
        let headers = response.headers_mut();
        if brotli.is_some() && !known {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        }
        // What holds its hash in its name never changes; the rest is asked for again.
        let keep = if place.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(header::ETAG, tag);
        }
        response
    }

    fn descriptor(&self) -> Response<Body> {
        let mut response = said(StatusCode::OK, "application/octet-stream", self.descriptor.clone());
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
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

fn takes_brotli(asked: &HeaderMap) -> bool {
    let accepted =
        asked.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|one| one.trim() == "br")
}

fn plain(status: StatusCode) -> Response<Body> {
    let text = status.canonical_reason().unwrap_or_default();
    said(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

fn said(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
