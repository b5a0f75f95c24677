//! What a browser gets from the public port: the page with its headers, and gRPC-Web.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Tests may panic.

mod organisation;

use std::sync::Arc;

use bytes::Bytes;
use conclave_core::identity::{address::UserAddress, keys::SigningKey, possession};
use conclave_proto::client::v1::{ListDevicesRequest, SignInRequest, SignInResponse};
use conclave_server::{account::accounts::Accounts, clock, config::Limits, server::Running};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use organisation::{Authorities, Organisation};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

const PASSWORD: &str = "correct horse";
const SIGN_IN: &str = "/conclave.client.v1.AccountService/SignIn";
const LIST_DEVICES: &str = "/conclave.client.v1.AccountService/ListDevices";
const GRPC_WEB: &str = "application/grpc-web+proto";

struct North {
    organisation: Organisation,
    plain: u16,
    running: Running,
    _client: tempfile::TempDir,
}

impl North {
    /// With alice, and with a client of three files unless there is none.
    async fn start(has_client: bool) -> Self {
        let authorities = Authorities::new();
        let mut organisation = Organisation::new("north", 10, &authorities).await;
        let client = tempfile::tempdir().unwrap();
        if has_client {
            std::fs::create_dir(client.path().join("assets")).unwrap();
            std::fs::write(client.path().join("index.html"), "<!doctype html>page").unwrap();
            std::fs::write(client.path().join("assets/app-1a2b.js"), "let a = 1;").unwrap();
            std::fs::write(client.path().join("assets/app-1a2b.js.br"), "small").unwrap();
        }
        organisation.client = client.path().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain = listener.local_addr().unwrap().port();
        organisation.plain = Some(listener);
        let accounts =
            Accounts::new(organisation.store(), organisation.domain.clone(), &Limits::default()).unwrap();
        accounts.add("alice", None, PASSWORD, clock::now()).await.unwrap();
        let running = organisation.start(&authorities).await;
        Self { organisation, plain, running, _client: client }
    }

    /// One request over HTTPS.
    async fn ask(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.organisation.https.0.clone()).unwrap();
        let provider = conclave_server::federation::tls::provider();
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(("127.0.0.1", self.organisation.domain.port())).await.unwrap();
        let name = self.organisation.domain.host().to_owned().try_into().unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        exchange(stream, request).await
    }

    async fn read(&self, path: &str, headers: &[(header::HeaderName, &str)]) -> Response<Bytes> {
        let mut request = Request::get(path).header(header::HOST, "north.localhost");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        self.ask(request.body(Full::default()).unwrap()).await
    }

    /// A gRPC-Web call: the first message of the answer, and its trailers, wherever they stand.
    async fn call(&self, path: &str, message: &[u8]) -> (Option<Bytes>, String) {
        let response = self.ask(grpc_web(Method::POST, path, message)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let status = response.headers().get("grpc-status").map(|status| status.to_str().unwrap().to_owned());
        let (mut first, mut trailers) = (None, status.map(|status| format!("grpc-status:{status}\r\n")));
        let mut body = response.into_body();
        while body.len() >= 5 {
            let prefix = body.split_to(5);
            let length = u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize;
            let part = body.split_to(length);
            if prefix[0] & 0x80 == 0 {
                first.get_or_insert(part);
            } else {
                trailers = Some(String::from_utf8(part.to_vec()).unwrap());
            }
        }
        (first, trailers.unwrap_or_default())
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Response<Bytes>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

fn grpc_web(method: Method, path: &str, message: &[u8]) -> Request<Full<Bytes>> {
    let mut body = vec![0];
    body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend(message);
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "north.localhost")
        .header(header::CONTENT_TYPE, GRPC_WEB)
        .header(header::ACCEPT, GRPC_WEB)
        .body(Full::new(body.into()))
        .unwrap()
}

fn sign_in(north: &North, password: &str) -> Vec<u8> {
    let key = SigningKey::from_seed(&[0x40; 32]);
    let address = UserAddress::parse(&format!("alice@{}", north.organisation.domain)).unwrap();
    SignInRequest {
        user: "alice".into(),
        password: password.into(),
        device_key: Bytes::copy_from_slice(key.public().as_bytes()),
        possession: Bytes::copy_from_slice(&possession::prove(&address, &key)),
        label: "browser".into(),
        device_id: String::new(),
    }
    .encode_to_vec()
}

fn header_of<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn the_page_and_its_files_come_with_headers_that_let_nothing_else_in() {
    let north = North::start(true).await;
    for path in
        ["/", "/m/abc@north.example", "/assets/app-1a2b.js", "/.well-known/conclave/server", "/nothing"]
    {
        let answer = north.read(path, &[]).await;
        let policy = header_of(&answer, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"), "{path}");
        assert!(policy.contains("connect-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{path}");
        assert_eq!(header_of(&answer, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header_of(&answer, "referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header_of(&answer, "cross-origin-opener-policy"), "same-origin", "{path}");
    }
    let page = north.read("/m/abc@north.example", &[]).await;
    assert_eq!((page.status(), page.body().as_ref()), (StatusCode::OK, &b"<!doctype html>page"[..]));
    assert_eq!(header_of(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header_of(&page, "cache-control"), "no-cache");
    let again = north.read("/", &[(header::IF_NONE_MATCH, header_of(&page, "etag"))]).await;
    assert_eq!((again.status(), again.body().len()), (StatusCode::NOT_MODIFIED, 0));

    let script = north.read("/assets/app-1a2b.js", &[]).await;
    assert_eq!(script.body().as_ref(), b"let a = 1;");
    assert!(header_of(&script, "cache-control").contains("immutable"));
    let small = north.read("/assets/app-1a2b.js", &[(header::ACCEPT_ENCODING, "gzip, br")]).await;
    assert_eq!((header_of(&small, "content-encoding"), small.body().as_ref()), ("br", &b"small"[..]));
    let hashes = north.read("/.well-known/conclave/web", &[]).await;
    assert!(String::from_utf8_lossy(hashes.body()).contains("  assets/app-1a2b.js\n"));
    north.running.stop().await;
}

#[tokio::test]
async fn no_path_leads_out_of_the_client_and_only_reading_is_allowed() {
    let north = North::start(true).await;
    for path in [
        "/../Cargo.toml",
        "/assets/../index.html",
        "/assets/%2e%2e/index.html",
        "//index.html",
        "/assets/",
        "/assets/app-1a2b.js.br",
        "/etc/passwd",
    ] {
        assert_eq!(north.read(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let post = Request::post("/").header(header::HOST, "north.localhost").body(Full::default()).unwrap();
    assert_eq!(north.ask(post).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    north.running.stop().await;
}

#[tokio::test]
async fn a_build_without_the_client_says_so() {
    let north = North::start(false).await;
    let answer = north.read("/", &[]).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer.body().as_ref(), b"There is no web client in this build.");
    north.running.stop().await;
}

#[tokio::test]
async fn a_page_signs_in_and_calls_by_grpc_web_within_the_same_limits() {
    let north = North::start(true).await;
    let (answer, trailers) = north.call(SIGN_IN, &sign_in(&north, PASSWORD)).await;
    assert!(trailers.contains("grpc-status:0"), "{trailers}");
    let answer = SignInResponse::decode(answer.unwrap()).unwrap();
    assert!(answer.device.contains("/u/alice/d/") && !answer.session_token.is_empty());

    let (answer, trailers) = north.call(SIGN_IN, &sign_in(&north, "wrong")).await;
    assert!(answer.is_none() && !trailers.contains("grpc-status:0"), "{trailers}");
    let (answer, trailers) = north.call(LIST_DEVICES, &ListDevicesRequest {}.encode_to_vec()).await;
    assert!(answer.is_none() && trailers.contains("grpc-status:16"), "{trailers}");
    let (answer, trailers) = north.call(SIGN_IN, &vec![0; 1 << 20]).await;
    assert!(answer.is_none() && !trailers.contains("grpc-status:0"), "{trailers}");

    let read = north.ask(grpc_web(Method::GET, SIGN_IN, b"")).await;
    assert_eq!(read.status(), StatusCode::METHOD_NOT_ALLOWED);
    // What is for other servers is not here.
    let other = "/conclave.federation.v1.MeetingService/Submit";
    let foreign = north.ask(grpc_web(Method::POST, other, b"")).await;
    assert_eq!(foreign.status(), StatusCode::NOT_FOUND);
    north.running.stop().await;
}

#[tokio::test]
async fn the_plain_loopback_port_serves_the_same() {
    let north = North::start(true).await;
    let stream = TcpStream::connect(("127.0.0.1", north.plain)).await.unwrap();
    let request = Request::get("/").header(header::HOST, "north.localhost").body(Full::default()).unwrap();
    let page = exchange(stream, request).await;
    assert_eq!(page.body().as_ref(), b"<!doctype html>page");
    assert!(header_of(&page, "content-security-policy").contains("default-src 'none'"));
    let stream = TcpStream::connect(("127.0.0.1", north.plain)).await.unwrap();
    let answer = exchange(stream, grpc_web(Method::POST, SIGN_IN, &sign_in(&north, PASSWORD))).await;
    assert_eq!((answer.status(), header_of(&answer, "content-type")), (StatusCode::OK, GRPC_WEB));
    north.running.stop().await;
}
