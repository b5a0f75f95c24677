//! A person with a device: the real device machine, driven over the real client API.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)] // Tests may panic.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
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
    identity::address::{DeviceUri, Domain, UserAddress},
    machine::Machine,
};
use conclave_proto::types::v1::{ErrorDetail, ErrorReason};
use conclave_server::{clock, federation::tls, random, server::Running};
use http::{Uri, uri::PathAndQuery};
use hyper_util::rt::TokioIo;
use prost::Message as _;
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, sync::mpsc, task::JoinHandle, time::timeout};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::AsciiMetadataValue,
    transport::{Channel, Endpoint},
};

use crate::organisation::Organisation;

const PASSWORD: &str = "correct horse";
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
    reach(organisation, &Endpoint::from_static("http://server.invalid"))
}

/// One that takes little before it is read.
pub fn narrow_channel(organisation: &Organisation) -> Channel {
    let target = Endpoint::from_static("http://server.invalid");
    reach(organisation, &target.initial_stream_window_size(65_535).initial_connection_window_size(65_535))
}

fn reach(organisation: &Organisation, target: &Endpoint) -> Channel {
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
    target.connect_with_connector_lazy(connect)
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

/// One person's device. It goes on by itself, as a running client does: it commits and confirms while the test waits for others.
pub struct Person {
    pub address: UserAddress,
    requests: u64,
    commands: mpsc::UnboundedSender<(RequestId, Command)>,
    /// Commands are answered in `results`, all else is told in `events`.
    results: mpsc::UnboundedReceiver<(RequestId, Answer)>,
    events: mpsc::UnboundedReceiver<Event>,
    engine: JoinHandle<()>,
    profile: Profile,
    domain: Domain,
    token: Token,
    device: Option<DeviceUri>,
    /// To its server.
    pub channel: Channel,
}

/// The secret with which the device calls.
type Token = Arc<Mutex<Option<String>>>;
/// The end of a command.
type Answer = Result<Done, conclave_core::device::Error>;
/// What the device keeps, as it would on a disk.
type Profile = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

impl Person {
    /// Signed in, with an account that is made first.
    pub async fn new(organisation: &Organisation, running: &Running, name: &str) -> Self {
        organisation.accounts(running).add(name, None, PASSWORD, clock::now()).await.unwrap();
        Self::sign_in(organisation, name).await
    }

    /// Another device of an account that is there.
    pub async fn sign_in(organisation: &Organisation, name: &str) -> Self {
        let mut person =
            Self::start(organisation.domain.clone(), channel(organisation), name, Profile::default());
        let password = PASSWORD.to_owned().into();
        let sign_in = Command::SignIn { user: name.to_owned(), password, label: "test".to_owned() };
        let Done::SignedIn(device) = person.run(sign_in).await else { panic!("{name} cannot sign in") };
        person.device = Some(device);
        person
    }

    /// Somebody without an account, who has not come yet.
    pub fn visitor(organisation: &Organisation) -> Self {
        let channel = channel(organisation);
        Self::start(organisation.domain.clone(), channel, "visitor", Profile::default())
    }

    fn start(domain: Domain, channel: Channel, name: &str, profile: Profile) -> Self {
        let (commands, ordered) = mpsc::unbounded_channel();
        let (told, events) = mpsc::unbounded_channel();
        let (answered, results) = mpsc::unbounded_channel();
        let (feed, inputs) = mpsc::unbounded_channel();
        let (kept, token) = (profile.lock().unwrap().clone(), Token::default());
        let kept = kept.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        let engine = Engine {
            device: Device::new(domain.clone(), random::bytes(), kept),
            profile: profile.clone(),
            channel: channel.clone(),
            token: token.clone(),
            feed,
            streams: HashMap::new(),
            told,
            answered,
        };
        let engine = tokio::spawn(engine.run(ordered, inputs));
        let address = UserAddress::parse(&format!("{name}@{domain}")).unwrap();
        let (requests, device) = (0, None);
        Self { address, requests, commands, results, events, engine, profile, domain, token, device, channel }
    }

    /// Which device it is.
    pub fn device(&self) -> &DeviceUri {
        self.device.as_ref().unwrap()
    }

    /// The device does nothing any more by itself; its calls are made by hand.
    pub fn freeze(&self) {
        self.engine.abort();
    }

    /// A call by hand.
    pub fn request<T>(&self, message: T) -> Request<T> {
        authorized(self.token.lock().unwrap().as_deref(), message)
    }

    /// The device dies without a word and starts again with what it kept: it is in no meeting.
    pub fn crash(&mut self) {
        self.engine.abort();
        let name = self.address.name().to_owned();
        let again = Self::start(self.domain.clone(), self.channel.clone(), &name, self.profile.clone());
        let device = self.device.take();
        *self = again;
        self.device = device;
    }

    /// Does a command to its good end.
    pub async fn run(&mut self, command: Command) -> Done {
        let shown = format!("{command:?}");
        self.try_run(command).await.unwrap_or_else(|error| panic!("{shown}: {error}"))
    }

    /// Does a command to its end.
    pub async fn try_run(&mut self, command: Command) -> Answer {
        let request = self.ask(command);
        self.answer(request).await
    }

    /// Asks for something; its end, if it has one, is told by [`answer`](Self::answer).
    pub fn ask(&mut self, command: Command) -> RequestId {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.commands.send((request, command)).unwrap();
        request
    }

    /// The end of what was asked for; of others that end meanwhile nobody wants to know.
    pub async fn answer(&mut self, request: RequestId) -> Answer {
        let answered = async {
            loop {
                let (of, answer) = self.results.recv().await.unwrap();
                if of == request {
                    return answer;
                }
            }
        };
        timeout(SOON, answered).await.expect("no answer comes")
    }

    /// Waits for an event that fits; those before it are passed over.
    pub async fn until<T>(&mut self, mut fits: impl FnMut(&Event) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.unwrap();
                if let Some(found) = fits(&event) {
                    return found;
                }
            }
        };
        timeout(SOON, found).await.unwrap_or_else(|_| panic!("{}: nothing fits", self.address))
    }

    /// Waits for something in a meeting.
    pub async fn until_call<T>(&mut self, mut fits: impl FnMut(&CallEvent) -> Option<T>) -> T {
        self.until(|event| match event {
            Event::Call { event, .. } => fits(event),
            _ => None,
        })
        .await
    }

    /// Everything that was told and not yet waited for.
    pub fn told(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.engine.abort();
    }
}

/// Drives the device machine.
struct Engine {
    device: Device,
    profile: Profile,
    channel: Channel,
    token: Token,
    feed: mpsc::UnboundedSender<Input>,
    streams: HashMap<StreamId, AbortOnDrop>,
    told: mpsc::UnboundedSender<Event>,
    answered: mpsc::UnboundedSender<(RequestId, Answer)>,
}

/// A stream that ends with whoever reads it.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Engine {
    async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<(RequestId, Command)>,
        mut inputs: mpsc::UnboundedReceiver<Input>,
    ) {
        self.carry_out();
        loop {
            let wait = self.device.deadline().map_or(SOON, |deadline| deadline.since(clock::now()));
            let input = tokio::select! {
                command = commands.recv() => {
                    let Some((request, command)) = command else { return };
                    Input::Command { request, command }
                }
                input = inputs.recv() => input.unwrap(),
                () = tokio::time::sleep(wait) => Input::Tick,
            };
            self.take(input);
        }
    }

    fn take(&mut self, input: Input) {
        // A stream that was closed is silent, whatever was on its way.
        match &input {
            Input::Item { stream, .. } if !self.streams.contains_key(stream) => return,
            Input::Ended { stream, .. } if self.streams.remove(stream).is_none() => return,
            _ => {}
        }
        self.device.handle(clock::now(), input).unwrap();
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.device.poll() {
            match output {
                Output::Call { call, path, body } => {
                    let (grpc, request, feed) = (self.grpc(), self.request(body), self.feed.clone());
                    tokio::spawn(async move {
                        let result = once(grpc, request, path).await.map_err(|status| api_error(&status));
                        let _gone = feed.send(Input::Answer { call, result });
                    });
                }
                Output::Open { stream, path, body } => {
                    let task = read(self.grpc(), self.request(body), self.feed.clone(), stream, path);
                    self.streams.insert(stream, AbortOnDrop(tokio::spawn(task)));
                }
                Output::Close { stream } => drop(self.streams.remove(&stream)),
                Output::Token(token) => {
                    let text = token.map(|token| String::from_utf8(token.to_vec()).unwrap());
                    *self.token.lock().unwrap() = text;
                }
                Output::Persist { key, value } => {
                    let mut profile = self.profile.lock().unwrap();
                    match value {
                        Some(value) => drop(profile.insert(key, value.to_vec())),
                        None => drop(profile.remove(&key)),
                    }
                }
                Output::Event(event) => self.tell(*event),
            }
        }
    }

    /// Nobody may listen any more.
    fn tell(&self, event: Event) {
        match event {
            Event::Done { request, result } => drop(self.answered.send((request, result))),
            event => drop(self.told.send(event)),
        }
    }

    fn grpc(&self) -> Grpc<Channel> {
        Grpc::new(self.channel.clone()).max_decoding_message_size(16 << 20)
    }

    fn request(&self, body: Bytes) -> Request<Bytes> {
        authorized(self.token.lock().unwrap().as_deref(), body)
    }
}

fn authorized<T>(token: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let value = AsciiMetadataValue::try_from(format!("Bearer {token}")).unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

/// A unary call with a body as it is.
pub async fn once(
    mut grpc: Grpc<Channel>,
    request: Request<Bytes>,
    path: &'static str,
) -> Result<Bytes, Status> {
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    Ok(grpc.unary(request, PathAndQuery::from_static(path), Raw).await?.into_inner())
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
