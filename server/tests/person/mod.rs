//! A person with a device: the real device machine, driven over the real client API.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)] // Tests may panic.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, RwLock},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes};
use conclave_core::{
    device::{
        Device,
        command::{Command, RequestId},
        event::{CallEvent, Done, Event},
        io::{ApiError, Input, Output, StreamId},
    },
    machine::Machine,
};
use conclave_proto::types::v1::{ErrorDetail, ErrorReason};
use conclave_server::{clock, federation::tls, random};
use http::{Uri, uri::PathAndQuery};
use hyper_util::rt::TokioIo;
use prost::Message as _;
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, sync::mpsc, task::AbortHandle, time::timeout};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::AsciiMetadataValue,
    transport::{Channel, Endpoint},
};

use crate::organisation::Organisation;

/// How long a test waits for anything.
pub const SOON: Duration = Duration::from_secs(30);

/// Messages as the bytes they are.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

/// A channel to an organisation's public port that trusts its certificate.
pub fn channel(organisation: &Organisation) -> Channel {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(organisation.https.0.clone()).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let (host, port) = (organisation.domain.host().to_owned(), organisation.domain.port());
    let connect = tower::service_fn(move |_: Uri| {
        let (connector, host) = (connector.clone(), host.clone());
        async move {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(host).map_err(std::io::Error::other)?;
            connector.connect(name, stream).await.map(TokioIo::new)
        }
    });
    Endpoint::from_static("http://server.invalid").connect_with_connector_lazy(connect)
}

fn api_error(status: &Status) -> ApiError {
    let detail = ErrorDetail::decode(status.details()).unwrap_or_default();
    let reason = match detail.reason() {
        ErrorReason::Unspecified => ErrorReason::Unavailable,
        reason => reason,
    };
    let retry = u64::from(detail.retry_after_ms);
    ApiError {
        reason,
        message: format!("{status:?}"),
        retry_after: (retry > 0).then(|| Duration::from_millis(retry)),
    }
}

/// One person's device.
pub struct Person {
    pub device: Device,
    kept: BTreeMap<String, Vec<u8>>,
    channel: Channel,
    token: Arc<RwLock<Option<String>>>,
    inputs: mpsc::UnboundedReceiver<Input>,
    feed: mpsc::UnboundedSender<Input>,
    streams: HashMap<StreamId, AbortHandle>,
    events: VecDeque<Event>,
    requests: u64,
}

impl Person {
    /// Signed in, with an account that is made first.
    pub async fn new(
        organisation: &Organisation,
        store: &conclave_server::store::Shared,
        name: &str,
    ) -> Self {
        let limits = conclave_server::config::Limits::default();
        let accounts = conclave_server::account::accounts::Accounts::new(
            store.clone(),
            organisation.domain.clone(),
            &limits,
        );
        accounts.unwrap().add(name, None, "correct horse", clock::now()).await.unwrap();
        let (feed, inputs) = mpsc::unbounded_channel();
        let device = Device::new(organisation.domain.clone(), random::bytes(), std::iter::empty());
        let mut person = Self {
            device,
            kept: BTreeMap::new(),
            channel: channel(organisation),
            token: Arc::default(),
            inputs,
            feed,
            streams: HashMap::new(),
            events: VecDeque::new(),
            requests: 0,
        };
        let password = "correct horse".to_owned().into();
        let signed_in = Command::SignIn { user: name.to_owned(), password, label: "test".to_owned() };
        person.run(signed_in).await;
        person
    }

    /// Does a command to its good end.
    pub async fn run(&mut self, command: Command) -> Done {
        let shown = format!("{command:?}");
        match self.try_run(command).await {
            Ok(done) => done,
            Err(error) => panic!("{shown}: {error}"),
        }
    }

    /// Does a command to its end.
    pub async fn try_run(&mut self, command: Command) -> Result<Done, conclave_core::device::Error> {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.take(Input::Command { request, command });
        let mut others = VecDeque::new();
        let result = loop {
            match self.next().await {
                Event::Done { request: done, result } if done == request => break result,
                other => others.push_back(other),
            }
        };
        others.append(&mut self.events);
        self.events = others;
        result
    }

    /// Waits for an event that fits.
    pub async fn until<T>(&mut self, mut fits: impl FnMut(&Event) -> Option<T>) -> T {
        loop {
            let event = self.next().await;
            if let Some(found) = fits(&event) {
                return found;
            }
        }
    }

    /// Waits for something in a meeting.
    pub async fn until_call<T>(&mut self, mut fits: impl FnMut(&CallEvent) -> Option<T>) -> T {
        self.until(|event| match event {
            Event::Call { event, .. } => fits(event),
            _ => None,
        })
        .await
    }

    /// Goes away without a word: all streams break.
    pub fn vanish(&mut self) {
        for (_, task) in self.streams.drain() {
            task.abort();
        }
    }

    async fn next(&mut self) -> Event {
        timeout(SOON, async {
            loop {
                if let Some(event) = self.events.pop_front() {
                    return event;
                }
                let wait = self.device.deadline().map_or(SOON, |deadline| deadline.since(clock::now()));
                let input = tokio::select! {
                    input = self.inputs.recv() => input.unwrap(),
                    () = tokio::time::sleep(wait) => Input::Tick,
                };
                self.take(input);
            }
        })
        .await
        .expect("nothing comes")
    }

    fn take(&mut self, input: Input) {
        if let Input::Item { stream, .. } | Input::Ended { stream, .. } = &input
            && !self.streams.contains_key(stream)
        {
            return;
        }
        self.device.handle(clock::now(), input).unwrap();
        while let Some(output) = self.device.poll() {
            match output {
                Output::Call { call, path, body } => {
                    let (mut grpc, request, feed) = (self.grpc(), self.request(body), self.feed.clone());
                    tokio::spawn(async move {
                        let answer = match grpc.ready().await {
                            Ok(()) => grpc.unary(request, PathAndQuery::from_static(path), Raw).await,
                            Err(error) => Err(Status::unavailable(error.to_string())),
                        };
                        let result =
                            answer.map(tonic::Response::into_inner).map_err(|status| api_error(&status));
                        let _gone = feed.send(Input::Answer { call, result });
                    });
                }
                Output::Open { stream, path, body } => {
                    let (grpc, request, feed) = (self.grpc(), self.request(body), self.feed.clone());
                    let task = tokio::spawn(read(grpc, request, feed, stream, path));
                    self.streams.insert(stream, task.abort_handle());
                }
                Output::Close { stream } => {
                    if let Some(task) = self.streams.remove(&stream) {
                        task.abort();
                    }
                }
                Output::Token(token) => {
                    let text = token.map(|token| String::from_utf8(token.to_vec()).unwrap());
                    *self.token.write().unwrap() = text;
                }
                Output::Persist { key, value } => match value {
                    Some(value) => drop(self.kept.insert(key, value.to_vec())),
                    None => drop(self.kept.remove(&key)),
                },
                Output::Event(event) => self.events.push_back(*event),
            }
        }
    }

    fn grpc(&self) -> Grpc<Channel> {
        Grpc::new(self.channel.clone()).max_decoding_message_size(16 << 20)
    }

    fn request(&self, body: Bytes) -> Request<Bytes> {
        let mut request = Request::new(body);
        if let Some(token) = self.token.read().unwrap().as_ref() {
            let value = AsciiMetadataValue::try_from(format!("Bearer {token}")).unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        request
    }
}

async fn read(
    mut grpc: Grpc<Channel>,
    request: Request<Bytes>,
    feed: mpsc::UnboundedSender<Input>,
    stream: StreamId,
    path: &'static str,
) {
    let opened = match grpc.ready().await {
        Ok(()) => grpc.server_streaming(request, PathAndQuery::from_static(path), Raw).await,
        Err(error) => Err(Status::unavailable(error.to_string())),
    };
    let error = match opened {
        Ok(answer) => {
            let mut items = answer.into_inner();
            loop {
                match items.message().await {
                    Ok(Some(message)) => {
                        let _gone = feed.send(Input::Item { stream, message });
                    }
                    Ok(None) => break None,
                    Err(status) => break Some(api_error(&status)),
                }
            }
        }
        Err(status) => Some(api_error(&status)),
    };
    let _gone = feed.send(Input::Ended { stream, error });
}
