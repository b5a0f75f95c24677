//! One media thread: one UDP socket, the sessions that fell to it, no lock and nothing shared with another thread.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_core::{
    identity::address::DeviceUri,
    ids::LeafIndex,
    media::router::{ClientId, LinkId},
};
use conclave_proto::{client::v1::signals_response::Signal, relay::v1::relay_message::Message};
use str0m::{config::DtlsCert, net::Protocol};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    time::sleep_until,
};

use super::{
    ConnectionId, OpenRequest, SessionKey, UpdateRequest,
    client::Client,
    counters::Counters,
    demux::{Demux, Path},
    early::Early,
    error::Error,
    offer::Addresses,
    outbox::Outbox,
    relay::{LinkHandle, read_datagram},
    session::{Session, Work},
    socket::{Buffers, MediaSocket},
    tcp::Packets,
};

/// Most datagrams of relay links, or packets of TCP clients, read before what they caused is sent.
const BATCH: usize = 64;
/// Most reads of the socket before what they caused is sent.
const READS: usize = 4;

/// What a media thread is asked to do.
pub(super) enum Command {
    Open(Box<OpenRequest>, oneshot::Sender<Result<(String, ConnectionId), Error>>),
    Update(Box<UpdateRequest>, oneshot::Sender<Result<(), Error>>),
    Signals(ConnectionId, DeviceUri, oneshot::Sender<Result<watch::Receiver<Signal>, Error>>),
    Close(ConnectionId, DeviceUri),
    Cut(SessionKey, DeviceUri),
    Roster(SessionKey, HashMap<DeviceUri, LeafIndex>),
    LinkUp(LinkHandle),
    LinkDown(LinkId),
    /// What another server said, with its place among what waits.
    Relay(LinkId, Message, Arc<OwnedSemaphorePermit>),
    /// A TCP connection names a client by its ICE user name; whether it is known here.
    TcpUp(String, SocketAddr, Packets, oneshot::Sender<bool>),
    TcpDown(SocketAddr),
}

/// What a media thread works with.
pub(super) struct Worker {
    socket: MediaSocket,
    /// The addresses where clients reach the socket.
    pub(super) addresses: Addresses,
    pub(super) certificate: DtlsCert,
    counters: Arc<Counters>,
    commands: mpsc::UnboundedReceiver<Command>,
    datagrams: mpsc::Receiver<(LinkId, Bytes)>,
    framed: mpsc::Receiver<(SocketAddr, Bytes)>,
    /// The ways to clients on TCP.
    pub(super) tcp: HashMap<SocketAddr, Packets>,
    pub(super) sessions: HashMap<SessionKey, Session>,
    pub(super) demux: Demux<(SessionKey, ClientId)>,
    pub(super) connections: HashMap<ConnectionId, (SessionKey, ClientId)>,
    pub(super) links: HashMap<LinkId, LinkHandle>,
    pub(super) streams: HashMap<(LinkId, u32), SessionKey>,
    pub(super) early: Early,
    pub(super) last_client: u32,
    out: Outbox,
    pub(super) new_connection: Box<dyn FnMut() -> ConnectionId + Send>,
}

/// What a media thread is made of.
pub(super) struct Parts {
    pub(super) socket: std::net::UdpSocket,
    pub(super) addresses: Addresses,
    pub(super) certificate: DtlsCert,
    pub(super) counters: Arc<Counters>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) datagrams: mpsc::Receiver<(LinkId, Bytes)>,
    pub(super) framed: mpsc::Receiver<(SocketAddr, Bytes)>,
    pub(super) new_connection: Box<dyn FnMut() -> ConnectionId + Send>,
}

impl Worker {
    /// Must be called inside a runtime.
    pub(super) fn new(parts: Parts) -> std::io::Result<Self> {
        Ok(Self {
            socket: MediaSocket::new(parts.socket)?,
            addresses: parts.addresses,
            certificate: parts.certificate,
            counters: parts.counters,
            commands: parts.commands,
            datagrams: parts.datagrams,
            framed: parts.framed,
            tcp: HashMap::new(),
            sessions: HashMap::new(),
            demux: Demux::new(),
            connections: HashMap::new(),
            links: HashMap::new(),
            streams: HashMap::new(),
            early: Early::default(),
            last_client: 0,
            out: Outbox::default(),
            new_connection: parts.new_connection,
        })
    }

    /// Works until nobody can ask anything any more.
    pub(super) async fn run(mut self) {
        let mut buffers = Buffers::new();
        loop {
            let now = Instant::now();
            let deadline = self.sessions.values().map(Session::deadline).min();
            let deadline = deadline.unwrap_or(now + Duration::from_secs(1));
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => break,
                },
                ready = self.socket.readable() => match ready {
                    Ok(()) => self.read(&mut buffers),
                    Err(error) => tracing::error!(%error, "the media socket failed"),
                },
                Some(datagram) = self.datagrams.recv() => self.relayed(datagram),
                Some(packet) = self.framed.recv() => self.read_framed(packet),
                () = sleep_until(deadline.into()) => self.tick(),
            }
            self.out.flush(&self.socket, &self.tcp, &self.counters);
            self.clean_up();
        }
    }

    /// Reads what the socket has, up to a few batches.
    fn read(&mut self, buffers: &mut Buffers) {
        let mut touched = Vec::new();
        for _ in 0..READS {
            if !self.socket.read(buffers) {
                break;
            }
            for (remote, packet) in buffers.packets() {
                let path = Path { proto: Protocol::Udp, remote };
                if let Some(key) = self.receive(path, packet)
                    && !touched.contains(&key)
                {
                    touched.push(key);
                }
            }
        }
        for key in touched {
            self.with_session(key, Session::flush);
        }
    }

    /// A packet of a client on TCP, and those that wait behind it.
    fn read_framed(&mut self, first: (SocketAddr, Bytes)) {
        let mut touched = Vec::new();
        let mut next = Some(first);
        for _ in 0..BATCH {
            let Some((remote, packet)) = next else { break };
            let path = Path { proto: Protocol::Tcp, remote };
            if let Some(key) = self.receive(path, &packet)
                && !touched.contains(&key)
            {
                touched.push(key);
            }
            next = self.framed.try_recv().ok();
        }
        for key in touched {
            self.with_session(key, Session::flush);
        }
    }

    fn receive(&mut self, path: Path, bytes: &[u8]) -> Option<SessionKey> {
        self.counters.packets_in.more();
        let Some(((key, client), is_new)) = self.demux.find(path, bytes) else {
            self.counters.dropped_unknown.more(); // MED-10
            return None;
        };
        let at = self.addresses.of(path)?;
        let taken =
            self.with_session(key, |session, work| session.receive(work, client, (path, at), bytes))?;
        if taken && is_new {
            self.demux.learn(path, (key, client));
        }
        taken.then_some(key)
    }

    /// A datagram of a relay link, and those that wait behind it.
    fn relayed(&mut self, first: (LinkId, Bytes)) {
        let mut touched = Vec::new();
        let mut next = Some(first);
        for _ in 0..BATCH {
            let Some((link, bytes)) = next else { break };
            self.counters.relay_in.more();
            #[cfg(feature = "wiretap")]
            super::wiretap::relay(&bytes);
            let datagram = read_datagram(&bytes);
            let key = datagram.as_ref().and_then(|d| self.streams.get(&(link, d.stream))).copied();
            match (datagram, key) {
                (Some(datagram), Some(key)) => {
                    self.with_session(key, |session, work| session.take_from_link(work, link, datagram));
                    if !touched.contains(&key) {
                        touched.push(key);
                    }
                }
                _ => self.counters.relay_dropped.more(),
            }
            next = self.datagrams.try_recv().ok();
        }
        for key in touched {
            self.with_session(key, Session::flush);
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let due: Vec<_> =
            self.sessions.values().filter(|session| session.deadline() <= now).map(|s| s.key).collect();
        for key in due {
            self.with_session(key, Session::tick);
        }
    }

    pub(super) fn with_session<T>(
        &mut self,
        key: SessionKey,
        ask: impl FnOnce(&mut Session, &mut Work<'_>) -> T,
    ) -> Option<T> {
        let session = self.sessions.get_mut(&key)?;
        let mut work = Work { now: Instant::now(), out: &mut self.out, counters: &self.counters };
        Some(ask(session, &mut work))
    }

    fn signals(
        &self,
        connection: ConnectionId,
        device: &DeviceUri,
    ) -> Result<watch::Receiver<Signal>, Error> {
        let (key, id) = self.place(connection, device)?;
        let client = self.sessions.get(&key).and_then(|session| session.clients.get(&id));
        client.map(Client::signals).ok_or(Error::NoConnection)
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Open(request, answer) => {
                let opened = self.open(*request);
                // Whoever asked may have gone meanwhile; the connection ends by itself then.
                let _gone = answer.send(opened);
            }
            Command::Update(request, answer) => {
                let _gone = answer.send(self.update(*request));
            }
            Command::Signals(connection, device, answer) => {
                let found = self.signals(connection, &device);
                let _gone = answer.send(found);
            }
            Command::Close(connection, device) => {
                if let Ok((key, client)) = self.place(connection, &device) {
                    self.with_session(key, |session, work| session.end(work, client, "closed"));
                }
            }
            Command::Cut(key, device) => {
                self.with_session(key, |session, work| session.cut(work, &device));
            }
            Command::Roster(key, roster) => self.set_roster(key, roster),
            Command::LinkUp(handle) => self.link_up(handle),
            Command::LinkDown(link) => self.link_down(link),
            Command::Relay(link, message, place) => {
                self.relay_message(link, message);
                drop(place);
            }
            Command::TcpUp(name, remote, packets, answer) => {
                let known = self.demux.knows(&name);
                if known {
                    self.tcp.insert(remote, packets);
                }
                let _gone = answer.send(known);
            }
            Command::TcpDown(remote) => {
                self.tcp.remove(&remote);
                self.demux.unlearn(Path { proto: Protocol::Tcp, remote });
            }
        }
        for key in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.with_session(key, Session::flush);
        }
    }
}
