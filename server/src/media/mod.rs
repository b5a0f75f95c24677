//! The SFU: sealed media of this server's devices, forwarded among them and to other servers by relay links.
//!
//! Nothing here holds a key that opens a frame. Meetings are spread over threads that share no lock; a thread knows neither gRPC
//! nor the store. [`Media`] is what the rest of the server holds: rosters go in, media happens.

mod client;
mod counters;
mod demux;
mod descriptor;
mod early;
mod error;
mod gaps;
mod link;
mod offer;
mod outbox;
mod packet;
mod rates;
pub mod relay;
mod requests;
mod session;
mod session_links;
mod slot;
mod socket;
mod tcp;
#[cfg(feature = "wiretap")]
mod wiretap;
mod worker;

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{Arc, OnceLock},
    thread,
};

use bytes::Bytes;
use conclave_core::{
    identity::address::DeviceUri,
    ids::{LeafIndex, MeetingId, SessionNumber},
    media::router::LinkId,
};
use conclave_proto::{
    client::v1::{PublishedTrack, Wish, signals_response::Signal},
    relay::v1::relay_message::Message,
};
use str0m::{config::DtlsCert, crypto::CryptoProvider};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
};

pub use counters::Stats;
pub use error::Error;

use counters::Counters;
use offer::Addresses;
use relay::LinkHandle;
use worker::{Command, Parts, Worker};

/// Most relay datagrams that wait for a media thread.
const RELAY_QUEUE: usize = 8_192;
/// Most packets of TCP clients that wait for a media thread.
const TCP_QUEUE: usize = 1_024;
/// Bytes that the kernel may keep for the media socket, each way.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// One sitting of a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The meeting.
    pub meeting: MeetingId,
    /// Its session.
    pub session: SessionNumber,
}

/// A device's connection; its first byte names the thread.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId([u8; 16]);

impl ConnectionId {
    /// From its bytes.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self).ok()
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({}…)", self.0[0])
    }
}

/// Where media is exchanged.
#[derive(Clone, Debug)]
pub struct Config {
    /// The UDP address of the first thread; the others take the following ports, or any if it is 0.
    pub listen: SocketAddr,
    /// The addresses at which devices reach it, if they differ from `listen`'s.
    pub advertised: Vec<IpAddr>,
    /// Where devices that can send no UDP reach it; whoever listens there hands over what comes by [`Media::carry_tcp`].
    pub tcp: Vec<SocketAddr>,
    /// How many threads; at least one, at most 255.
    pub threads: u8,
}

/// A device's offer.
#[derive(Clone, Debug)]
pub struct OpenRequest {
    /// The session.
    pub key: SessionKey,
    /// The device, as the caller has authenticated it.
    pub device: DeviceUri,
    /// Its leaf by the session's log.
    pub leaf: LeafIndex,
    /// SDP.
    pub offer: String,
    /// What its sendonly sections carry.
    pub tracks: Vec<PublishedTrack>,
}

/// What a device sends and wants now.
#[derive(Clone, Debug)]
pub struct UpdateRequest {
    /// Its connection.
    pub connection: ConnectionId,
    /// The device, as the caller has authenticated it.
    pub device: DeviceUri,
    /// What its sendonly sections carry.
    pub tracks: Vec<PublishedTrack>,
    /// What it wants to receive, most wanted first.
    pub wishes: Vec<Wish>,
    /// It wants no pictures at all.
    pub sound_only: bool,
}

/// An answered offer.
#[derive(Clone, Debug)]
pub struct Opened {
    /// SDP.
    pub answer: String,
    /// The connection's id, for later calls.
    pub connection: ConnectionId,
}

/// One media thread, as the others see it.
#[derive(Debug)]
struct Thread {
    commands: mpsc::UnboundedSender<Command>,
    datagrams: mpsc::Sender<(LinkId, Bytes)>,
    framed: mpsc::Sender<(SocketAddr, Bytes)>,
    counters: Arc<Counters>,
    address: SocketAddr,
}

/// The server's media. Cheap to clone; the threads end with the last clone.
#[derive(Clone, Debug)]
pub struct Media {
    threads: Arc<[Thread]>,
    /// Told of every roster, so that relay links come and go with it.
    needs: Arc<OnceLock<mpsc::UnboundedSender<relay::Need>>>,
}

impl Media {
    /// Binds the sockets and starts the threads.
    pub fn start(config: &Config) -> io::Result<Self> {
        let provider: CryptoProvider = str0m::crypto::from_feature_flags();
        let certificate = provider
            .dtls_provider
            .generate_certificate()
            .ok_or_else(|| io::Error::other("no DTLS certificate could be made"))?;
        provider.install_process_default();
        let threads =
            (0..config.threads.max(1)).map(|index| start_thread(config, index, certificate.clone()));
        let threads = threads.collect::<io::Result<Vec<_>>>()?;
        Ok(Self { threads: threads.into(), needs: Arc::default() })
    }

    /// The UDP addresses in use, one for each thread.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.threads.iter().map(|thread| thread.address).collect()
    }

    /// Carries media over a TCP connection on which something else than TLS came, until it ends.
    pub async fn carry_tcp(&self, stream: TcpStream, remote: SocketAddr) -> io::Result<()> {
        tcp::carry(&self.threads, stream, remote).await
    }

    /// Answers a device's offer.
    pub async fn open(&self, request: OpenRequest) -> Result<Opened, Error> {
        let thread = self.thread_of(request.key)?;
        let (answer, connection) = ask(thread, |answer| Command::Open(Box::new(request), answer)).await??;
        Ok(Opened { answer, connection })
    }

    /// Takes note of what a device sends and wants.
    pub async fn update(&self, request: UpdateRequest) -> Result<(), Error> {
        let thread = self.thread_with(request.connection)?;
        ask(thread, |answer| Command::Update(Box::new(request), answer)).await?
    }

    /// What is in a device's slots, and whether its connection ended, as it changes; the present state first.
    pub async fn signals(
        &self,
        connection: ConnectionId,
        device: DeviceUri,
    ) -> Result<watch::Receiver<Signal>, Error> {
        let thread = self.thread_with(connection)?;
        ask(thread, |answer| Command::Signals(connection, device, answer)).await?
    }

    /// Closes a device's connection.
    pub fn close(&self, connection: ConnectionId, device: DeviceUri) {
        if let Ok(thread) = self.thread_with(connection) {
            thread.tell(Command::Close(connection, device));
        }
    }

    /// Ends a device's connections in a session at once: its removal is in the log.
    pub fn cut(&self, key: SessionKey, device: DeviceUri) {
        if let Ok(thread) = self.thread_of(key) {
            thread.tell(Command::Cut(key, device));
        }
    }

    /// Who is in a session by its log, everywhere; to be called at each change, with nobody when the session is over. Connections
    /// of devices that are not in it end at once.
    pub fn set_roster(&self, key: SessionKey, roster: impl IntoIterator<Item = (DeviceUri, LeafIndex)>) {
        let roster: HashMap<_, _> = roster.into_iter().collect();
        if let Some(needs) = self.needs.get() {
            let domains = roster.keys().map(|device| device.domain().clone()).collect();
            // Once the relay has ended there are no links to come and go.
            let _gone = needs.send(relay::Need { key, domains });
        }
        if let Ok(thread) = self.thread_of(key) {
            thread.tell(Command::Roster(key, roster));
        }
    }

    /// What happened since the start.
    pub fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        for thread in self.threads.iter() {
            thread.counters.add_to(&mut sum);
        }
        sum
    }

    /// Tells every thread of a relay link.
    fn link_up(&self, handle: &LinkHandle) {
        for thread in self.threads.iter() {
            thread.tell(Command::LinkUp(handle.clone()));
        }
    }

    /// Tells every thread that a relay link is gone.
    fn link_down(&self, link: LinkId) {
        for thread in self.threads.iter() {
            thread.tell(Command::LinkDown(link));
        }
    }

    /// Gives what another server said to those whom it concerns.
    fn relay_message(&self, link: LinkId, message: Message, place: OwnedSemaphorePermit) {
        let place = Arc::new(place);
        let session = match &message {
            Message::Announce(announce) => requests::key(&announce.meeting_id, announce.session),
            Message::Subscribe(subscribe) => requests::key(&subscribe.meeting_id, subscribe.session),
            Message::LayerRates(rates) => requests::key(&rates.meeting_id, rates.session),
            _ => None,
        };
        match session {
            Some(key) => {
                if let Ok(thread) = self.thread_of(key) {
                    thread.tell(Command::Relay(link, message, place));
                }
            }
            None => {
                for thread in self.threads.iter() {
                    thread.tell(Command::Relay(link, message.clone(), place.clone()));
                }
            }
        }
    }

    /// Gives a datagram to a thread; what it cannot take is lost, as on any path.
    fn relay_datagram(&self, thread: usize, link: LinkId, datagram: Bytes) {
        if let Some(thread) = self.threads.get(thread)
            && thread.datagrams.try_send((link, datagram)).is_err()
        {
            thread.counters.relay_dropped.more();
        }
    }

    /// A datagram of a relay link is of no stream that was announced.
    fn relay_dropped(&self) {
        if let Some(thread) = self.threads.first() {
            thread.counters.relay_dropped.more();
        }
    }

    /// The thread that a session fell to.
    fn index_of(&self, key: SessionKey) -> usize {
        let bytes = key.meeting.as_bytes();
        let mixed = u64::from_le_bytes(std::array::from_fn(|at| bytes[at])).wrapping_add(key.session.0);
        usize::try_from(mixed % self.threads.len() as u64).unwrap_or(0)
    }

    fn thread_of(&self, key: SessionKey) -> Result<&Thread, Error> {
        self.threads.get(self.index_of(key)).ok_or(Error::Unavailable)
    }

    fn thread_with(&self, connection: ConnectionId) -> Result<&Thread, Error> {
        self.threads.get(usize::from(connection.0[0])).ok_or(Error::NoConnection)
    }
}

impl Thread {
    fn tell(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::error!("a media thread is gone");
        }
    }
}

async fn ask<T>(thread: &Thread, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Error> {
    let (answer, answered) = oneshot::channel();
    thread.tell(command(answer));
    answered.await.map_err(|_| Error::Unavailable)
}

fn start_thread(config: &Config, index: u8, certificate: DtlsCert) -> io::Result<Thread> {
    let port = match config.listen.port() {
        0 => 0,
        first => first.checked_add(u16::from(index)).ok_or_else(|| io::Error::other("no such port"))?,
    };
    let socket = bind(SocketAddr::new(config.listen.ip(), port))?;
    let address = socket.local_addr()?;
    let advertised = match config.advertised.as_slice() {
        [] => vec![address],
        ips => ips.iter().map(|ip| SocketAddr::new(*ip, address.port())).collect(),
    };
    let (commands, command_queue) = mpsc::unbounded_channel();
    let (datagrams, datagram_queue) = mpsc::channel(RELAY_QUEUE);
    let (framed, framed_queue) = mpsc::channel(TCP_QUEUE);
    let counters = Arc::<Counters>::default();
    let parts = Parts {
        socket,
        addresses: Addresses { udp: advertised, tcp: config.tcp.clone() },
        certificate,
        counters: counters.clone(),
        commands: command_queue,
        datagrams: datagram_queue,
        framed: framed_queue,
        new_connection: Box::new(move || new_connection(index)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(format!("media-{index}")).spawn(move || {
        runtime.block_on(async {
            match Worker::new(parts) {
                Ok(worker) => worker.run().await,
                Err(error) => tracing::error!(%error, "a media thread could not start"),
            }
        });
    })?;
    Ok(Thread { commands, datagrams, framed, counters, address })
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::DGRAM,
        Some(socket2::Protocol::UDP),
    )?;
    // The kernel may give less than is asked for; media works with what it gives.
    let _less = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _less = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A fresh id that nobody can guess.
fn new_connection(thread: u8) -> ConnectionId {
    let mut id = [0; 16];
    // Ids of connections are checked together with the device that calls: a weak one would still open nothing.
    if rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut id).is_err() {
        tracing::error!("no randomness for a connection's id");
    }
    id[0] = thread;
    ConnectionId(id)
}
