//! One WebRTC connection to the own server's SFU: str0m in RTP mode around one UDP socket.
//!
//! It carries sealed frames and knows no keys. When it is lost it is thrown away; a new one starts with a new offer.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcError,
    change::{SdpAnswer, SdpPendingOffer},
    format::Codec,
    media::{Direction, KeyframeRequestKind, MediaKind, Mid, Pt},
    net::{Protocol, Receive},
    rtp::{RtpPacket, RtpWrite, SeqNo, Ssrc},
};
use tokio::net::UdpSocket;

use super::{
    Kind,
    rtp::{Assembler, Packetizer},
};

/// No connection after so long is none.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The largest datagram that is read.
const DATAGRAM: usize = 2_048;

/// The connection cannot be made or is lost.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine refuses a socket.
    #[error("no UDP socket: {0}")]
    Socket(#[from] io::Error),
    /// The server's answer does not fit the offer.
    #[error("the server's answer is not usable: {0}")]
    Answer(String),
    /// The other side is silent.
    #[error("the media connection was lost")]
    Lost,
    /// str0m failed.
    #[error("the media connection broke: {0}")]
    Broken(String),
}

impl From<RtcError> for Error {
    fn from(error: RtcError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// How many tracks can be received at once.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    /// Places for sound.
    pub audio: usize,
    /// Places for pictures.
    pub video: usize,
}

/// A sealed frame that came.
#[derive(Debug)]
pub struct Received {
    /// The receive slot, by its m-section's mid.
    pub slot: String,
    /// What the slot carries.
    pub kind: Kind,
    /// Tells one RTP stream from the next in the same slot.
    pub stream: u32,
    /// RTP time.
    pub ticks: u64,
    /// The sealed bytes.
    pub data: Vec<u8>,
}

/// Something happened on the connection.
#[derive(Debug)]
pub enum Happening {
    /// Frames can be sent from now on.
    Connected,
    /// A frame came.
    Frame(Received),
    /// The SFU asks for a key frame on an own track, by its place in the offer.
    KeyFrameWanted(usize),
}

/// An offer without its answer.
pub struct Offered {
    connection: Connection,
    pending: SdpPendingOffer,
    sdp: String,
}

struct Sender {
    mid: Mid,
    kind: Kind,
    pt: Pt,
    ssrc: Ssrc,
    sequence: SeqNo,
    packetizer: Packetizer,
}

struct Receiver {
    kind: Kind,
    ssrc: Option<Ssrc>,
    assembler: Assembler,
}

/// A connection, being made or made.
pub struct Connection {
    rtc: Box<Rtc>, // Many kilobytes.
    socket: UdpSocket,
    local: SocketAddr,
    outgoing: Vec<(Mid, Kind)>,
    senders: Vec<Sender>,
    receivers: HashMap<Mid, Receiver>,
    ready: VecDeque<Happening>,
    started: Instant,
    connected: bool,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("local", &self.local).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Offered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.connection.fmt(f)
    }
}

impl Offered {
    /// Prepares a connection to the server at `server`, with one m-section for each own track and each slot.
    pub async fn new(server: IpAddr, tracks: &[Kind], slots: Slots) -> Result<Self, Error> {
        let (socket, local) = bind_towards(server).await?;
        let now = Instant::now();
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_rtp_mode(true)
            .build(now);
        let candidate = Candidate::host(local, "udp").map_err(|error| Error::Broken(error.to_string()))?;
        rtc.add_local_candidate(candidate);
        let mut changes = rtc.sdp_api();
        let mut add = |kind: Kind, direction| changes.add_media(kind.into(), direction, None, None, None);
        let outgoing = tracks.iter().map(|kind| (add(*kind, Direction::SendOnly), *kind)).collect();
        let kinds = [(Kind::Audio, slots.audio), (Kind::Video, slots.video)];
        let receivers = kinds
            .into_iter()
            .flat_map(|(kind, count)| std::iter::repeat_n(kind, count))
            .map(|kind| (add(kind, Direction::RecvOnly), Receiver::new(kind)))
            .collect();
        let (offer, pending) = changes.apply().ok_or_else(|| Error::Broken("nothing to offer".to_owned()))?;
        let connection = Connection {
            rtc: Box::new(rtc),
            socket,
            local,
            outgoing,
            senders: Vec::new(),
            receivers,
            ready: VecDeque::new(),
            started: now,
            connected: false,
            buffer: vec![0; DATAGRAM],
        };
        Ok(Self { connection, pending, sdp: offer.to_sdp_string() })
    }

    /// The offer.
    pub fn sdp(&self) -> &str {
        &self.sdp
    }

    /// The m-sections of the own tracks, in the order in which they were given.
    pub fn mids(&self) -> Vec<String> {
        self.connection.outgoing.iter().map(|(mid, _)| mid.to_string()).collect()
    }

    /// Goes on with the server's answer.
    pub fn accept(self, answer: &str) -> Result<Connection, Error> {
        let Self { mut connection, pending, .. } = self;
        let answer = SdpAnswer::from_sdp_string(answer).map_err(|error| Error::Answer(error.to_string()))?;
        let accept = || connection.rtc.sdp_api().accept_answer(pending, answer);
        guarded(accept)?.map_err(|error| Error::Answer(error.to_string()))?;
        connection.set_up_senders()?;
        connection.started = Instant::now();
        Ok(connection)
    }
}

impl Connection {
    /// Whether frames can be sent.
    pub const fn is_connected(&self) -> bool {
        self.connected
    }

    /// How many incoming frames were given up because a packet was missing.
    pub fn incomplete(&self) -> u64 {
        self.receivers.values().map(|receiver| receiver.assembler.incomplete()).sum()
    }

    /// Sends a sealed frame on the track with this place in the offer. False if it cannot be sent now.
    pub fn send(&mut self, track: usize, ticks: u64, sealed: &[u8]) -> bool {
        let Some(sender) = self.senders.get_mut(track).filter(|_| self.connected) else { return false };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx(&sender.ssrc) else { return false };
        let now = Instant::now();
        for part in sender.packetizer.packetize(sealed) {
            let sequence = sender.sequence.inc();
            let time = u32::try_from(ticks & u64::from(u32::MAX)).unwrap_or(0); // RTP times wrap.
            let packet = RtpWrite::new(sender.pt, sequence, time, now, part.payload)
                .marker(part.marker)
                .nackable(sender.kind == Kind::Video);
            stream.write_rtp(packet);
        }
        true
    }

    /// Asks for a key frame on a stream that comes.
    pub fn ask_for_key_frame(&mut self, stream: u32) {
        if let Some(stream) = self.rtc.direct_api().stream_rx(&stream.into()) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// Drives the connection until something happens. May be dropped and called again at any time.
    pub async fn next(&mut self) -> Result<Happening, Error> {
        loop {
            let deadline = self.drain()?;
            if let Some(happening) = self.ready.pop_front() {
                return Ok(happening);
            }
            if !self.rtc.is_alive() || (!self.connected && self.started.elapsed() > CONNECT_WITHIN) {
                return Err(Error::Lost);
            }
            let deadline = deadline.min(Instant::now() + Duration::from_secs(1));
            tokio::select! {
                received = self.socket.recv_from(&mut self.buffer) => match received {
                    Ok((length, source)) => self.take_datagram(length, source)?,
                    // The other side's port is closed: it restarts; what follows from that, the time-outs decide.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error.into()),
                },
                () = tokio::time::sleep_until(deadline.into()) => {
                    let rtc = &mut self.rtc;
                    guarded(|| rtc.handle_input(Input::Timeout(Instant::now())))??;
                }
            }
        }
    }

    /// Sends what waits and collects what happened; gives the next deadline.
    fn drain(&mut self) -> Result<Instant, Error> {
        loop {
            let rtc = &mut self.rtc;
            match guarded(|| rtc.poll_output())?? {
                Output::Timeout(deadline) => return Ok(deadline),
                // A full socket buffer loses the datagram, as the network might.
                Output::Transmit(datagram) => {
                    let _ = self.socket.try_send_to(&datagram.contents, datagram.destination);
                }
                Output::Event(event) => self.take_event(event)?,
            }
        }
    }

    fn take_datagram(&mut self, length: usize, source: SocketAddr) -> Result<(), Error> {
        let Ok(contents) = self.buffer[..length].try_into() else { return Ok(()) };
        let receive = Receive { proto: Protocol::Udp, source, destination: self.local, contents };
        let rtc = &mut self.rtc;
        Ok(guarded(|| rtc.handle_input(Input::Receive(Instant::now(), receive)))??)
    }

    fn take_event(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Connected => {
                self.connected = true;
                self.ready.push_back(Happening::Connected);
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => {
                return Err(Error::Lost);
            }
            Event::RtpPacket(packet) => self.take_packet(&packet),
            Event::KeyframeRequest(request) => {
                if let Some(track) = self.outgoing.iter().position(|(mid, _)| *mid == request.mid) {
                    self.ready.push_back(Happening::KeyFrameWanted(track));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take_packet(&mut self, packet: &RtpPacket) {
        let ssrc = packet.header.ssrc;
        let Some(mid) = self.rtc.direct_api().stream_rx(&ssrc).map(|stream| stream.mid()) else { return };
        let Some(receiver) = self.receivers.get_mut(&mid) else { return };
        if receiver.ssrc.replace(ssrc) != Some(ssrc) {
            receiver.assembler.restart();
        }
        let ticks = packet.time.numer();
        let (sequence, marker) = (*packet.seq_no, packet.header.marker);
        if let Some(frame) = receiver.assembler.push(sequence, ticks, marker, &packet.payload) {
            self.ready.push_back(Happening::Frame(Received {
                slot: mid.to_string(),
                kind: receiver.kind,
                stream: *ssrc,
                ticks: frame.ticks,
                data: frame.data,
            }));
        }
    }

    fn set_up_senders(&mut self) -> Result<(), Error> {
        for (mid, kind) in &self.outgoing {
            let missing = || Error::Answer("it refuses one of the own tracks".to_owned());
            let codec = if *kind == Kind::Audio { Codec::Opus } else { Codec::Vp8 };
            let offered = self.rtc.media(*mid).ok_or_else(missing)?.remote_pts().to_vec();
            let mut all = self.rtc.codec_config().params().iter();
            let fits = |pt: &Pt| offered.is_empty() || offered.contains(pt);
            let pt = all.find(|p| p.spec().codec == codec && fits(&p.pt())).ok_or_else(missing)?.pt();
            let mut api = self.rtc.direct_api();
            let ssrc = api.stream_tx_by_mid(*mid, None).ok_or_else(missing)?.ssrc();
            let packetizer = Packetizer::new(*kind);
            self.senders.push(Sender {
                mid: *mid,
                kind: *kind,
                pt,
                ssrc,
                sequence: SeqNo::default(),
                packetizer,
            });
        }
        tracing::debug!(tracks = ?self.senders.iter().map(|s| s.mid).collect::<Vec<_>>(), "media answered");
        Ok(())
    }
}

impl Receiver {
    const fn new(kind: Kind) -> Self {
        Self { kind, ssrc: None, assembler: Assembler::new(kind) }
    }
}

impl From<Kind> for MediaKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Audio => Self::Audio,
            Kind::Video => Self::Video,
        }
    }
}

/// str0m may panic on a fault of its own; that costs the connection, not the call.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|_| Error::Broken("a fault inside the WebRTC library".to_owned()))
}

/// A socket on the local address from which `server` is reached.
async fn bind_towards(server: IpAddr) -> Result<(UdpSocket, SocketAddr), Error> {
    let any: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let probe = UdpSocket::bind((any, 0)).await?;
    probe.connect((server, 9)).await?; // Sends nothing; asks the kernel for its route.
    let socket = UdpSocket::bind((probe.local_addr()?.ip(), 0)).await?;
    let local = socket.local_addr()?;
    Ok((socket, local))
}
