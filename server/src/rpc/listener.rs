//! Accepting TLS connections and serving HTTP on them, within limits.
//!
//! It knows neither the calls nor the callers: each request gets the [`Connection`] that it came over as an extension.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use conclave_core::identity::keys::Fingerprint;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::body::Body;
use tracing::{debug, warn};

use crate::federation::tls;

/// The first byte of every TLS connection (RFC 8446 §5.1); media over TCP begins with the length of a short packet (spec: MED-18).
const TLS_HANDSHAKE: u8 = 22;

/// How a listener protects itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at one time.
    pub connections: usize,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time from the handshake to the end of the first request's headers.
    pub first_request: Duration,
    /// Time after which a connection is asked to go.
    pub age: Duration,
    /// Time that it has to go.
    pub grace: Duration,
    /// Calls at one time on one connection.
    pub streams: u32,
    /// Headers of one request, decoded, bytes.
    pub header_bytes: u32,
}

impl Limits {
    /// Between servers: few connections with many calls.
    pub const FEDERATION: Self = Self {
        connections: 2_000,
        handshake: Duration::from_secs(10),
        first_request: Duration::from_secs(10),
        age: Duration::from_hours(6),
        grace: Duration::from_secs(30),
        streams: 256,
        header_bytes: 16 * 1024,
    };
    /// For devices: many connections with few calls.
    pub const CLIENTS: Self = Self { connections: 20_000, streams: 64, ..Self::FEDERATION };
}

/// What lies between a connection and its requests.
#[derive(Clone)]
pub enum Transport {
    /// TLS.
    Tls(TlsAcceptor),
    /// Nothing; for loopback addresses alone.
    Plain,
}

impl Transport {
    /// By this configuration.
    pub fn tls(config: rustls::ServerConfig) -> Self {
        Self::Tls(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Where a request came from; in each request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The other side's address.
    pub remote: SocketAddr,
    /// The key that it proved, if it was asked for one.
    pub spki: Option<Fingerprint>,
}

/// Carries connections that begin with something else than TLS.
pub type Other = Arc<dyn Fn(TcpStream, SocketAddr) -> BoxFuture<'static, io::Result<()>> + Send + Sync>;

/// What a listener is for.
pub struct Door {
    /// What lies between.
    pub transport: Transport,
    /// How it protects itself.
    pub limits: Limits,
    /// Whom it gives what is not TLS; without it, such connections fail.
    pub other: Option<Other>,
}

/// Serves until `shutdown`; then each connection ends its calls, at most `grace` long. Connections run in `tasks`.
pub async fn serve<F, Fut>(
    listener: TcpListener,
    door: Door,
    answer: F,
    tasks: TaskTracker,
    shutdown: CancellationToken,
) where
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    let door = Arc::new(door);
    let places = Arc::new(Semaphore::new(door.limits.connections));
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: shed load and go on (F12).
                warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            debug!("a connection was turned away: all places are taken");
            continue;
        };
        let (door, answer, shutdown) = (Arc::clone(&door), answer.clone(), shutdown.clone());
        tasks.spawn(async move {
            if let Err(error) = serve_one(stream, remote, &door, answer, shutdown).await {
                debug!(%error, "a connection ended");
            }
            drop(place);
        });
    }
}

async fn serve_one<F, Fut>(
    stream: TcpStream,
    remote: SocketAddr,
    Door { transport, limits, other }: &Door,
    answer: F,
    shutdown: CancellationToken,
) -> Result<(), Failed>
where
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    let limits = *limits;
    stream.set_nodelay(true)?;
    let acceptor = match transport {
        Transport::Tls(acceptor) => acceptor,
        Transport::Plain => {
            let context = Connection { remote, spki: None };
            return converse(stream, context, limits, answer, shutdown).await;
        }
    };
    if let Some(other) = other {
        let mut first = [0];
        timeout(limits.handshake, stream.peek(&mut first)).await??;
        if first != [TLS_HANDSHAKE] {
            return tokio::select! {
                () = shutdown.cancelled() => Ok(()),
                ended = other(stream, remote) => Ok(ended?),
            };
        }
    }
    let stream = timeout(limits.handshake, acceptor.accept(stream)).await??;
    let context = Connection { remote, spki: proven_key(&stream)? };
    converse(stream, context, limits, answer, shutdown).await
}

/// Why a connection ended.
type Failed = Box<dyn std::error::Error + Send + Sync>;

async fn converse<S, F, Fut>(
    stream: S,
    context: Connection,
    limits: Limits,
    answer: F,
    shutdown: CancellationToken,
) -> Result<(), Failed>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    let asked = Arc::new(AtomicBool::new(false));
    let service = {
        let asked = Arc::clone(&asked);
        service_fn(move |mut request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(context);
            let answer = answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        })
    };
    let builder = http_builder(limits);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let silence = sleep(limits.first_request);
    let age = sleep(limits.age);
    tokio::pin!(silence, age);
    let mut heard = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            // hyper has no time-out for the HTTP/2 preface and the first headers.
            () = &mut silence, if !heard => {
                heard = asked.load(Ordering::Relaxed);
                if !heard {
                    return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                }
            }
            () = &mut age => break,
            () = shutdown.cancelled() => break,
        }
    }
    connection.as_mut().graceful_shutdown();
    timeout(limits.grace, connection).await?
}

fn proven_key(stream: &TlsStream<TcpStream>) -> Result<Option<Fingerprint>, rustls::Error> {
    let (_, session) = stream.get_ref();
    session.peer_certificates().and_then(<[_]>::first).map(tls::fingerprint).transpose()
}

fn http_builder(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.first_request)
        .max_headers(64)
        .max_buf_size(limits.header_bytes as usize)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .max_pending_accept_reset_streams(64)
        .max_local_error_reset_streams(64)
        .max_send_buf_size(256 * 1024)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
