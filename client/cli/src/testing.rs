//! For tests: a gRPC server on this machine, over TLS with a certificate of its own, that can be killed and come back.

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use conclave_core::identity::address::Domain;
use futures::StreamExt;
use rustls_pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::server::{Connected, Router};

use crate::api::Address;

/// A name, a port and a certificate; a server can be started on it again and again.
pub(crate) struct Tls {
    folder: tempfile::TempDir,
    acceptor: TlsAcceptor,
    port: u16,
}

/// A running server; to drop it is to kill it, with all its connections.
pub(crate) struct Serving {
    runtime: Option<Runtime>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Tls {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["north.localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { folder, acceptor: TlsAcceptor::from(Arc::new(config)), port }
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(crate) fn address(&self) -> Address {
        let server = Domain::parse(&format!("north.localhost:{}", self.port)).unwrap();
        Address { server, ca: Some(self.ca()) }
    }

    /// Gives each connection to `answer`.
    pub(crate) async fn serve_connections<F>(
        &self,
        answer: impl Fn(TlsStream<TcpStream>) -> F + Send + 'static,
    ) -> Serving
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (acceptor, port) = (self.acceptor.clone(), self.port);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        runtime.spawn(async move {
            let listener = listen(port).await;
            ready.send(()).unwrap();
            while let Ok((tcp, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(tcp).await {
                    tokio::spawn(answer(stream));
                }
            }
        });
        is_ready.await.unwrap();
        Serving { runtime: Some(runtime) }
    }

    pub(crate) async fn serve(&self, router: Router) -> Serving {
        let (acceptor, port) = (self.acceptor.clone(), self.port);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        runtime.spawn(async move {
            let listener = listen(port).await;
            ready.send(()).unwrap();
            let incoming = TcpListenerStream::new(listener).filter_map(move |tcp| {
                let acceptor = acceptor.clone();
                async move { Some(io::Result::Ok(Accepted(acceptor.accept(tcp.ok()?).await.ok()?))) }
            });
            router.serve_with_incoming(incoming).await.unwrap();
        });
        is_ready.await.unwrap();
        Serving { runtime: Some(runtime) }
    }
}

/// A server that was killed gives its port back a moment later.
async fn listen(port: u16) -> TcpListener {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            bound => return bound.unwrap(),
        }
    }
}

struct Accepted(TlsStream<TcpStream>);

impl Connected for Accepted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
