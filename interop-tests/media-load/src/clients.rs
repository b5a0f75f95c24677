//! Publishers and subscribers: str0m for ICE and DTLS, publishers also for SRTP.

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use conclave_core::{
    identity::address::DeviceUri,
    ids::{Epoch, LeafIndex},
    media::{EpochKeys, Layer, Sealer},
    time::Time,
};
use serde_json::json;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::SdpAnswer,
    media::{Direction, MediaKind, Mid, Pt},
    net::{Protocol, Receive},
    rtp::RtpWrite,
};

use crate::sfu::{Sfu, TRACK};

/// Bytes of an RTP payload: VP8's descriptor, then one sealed frame.
const PAYLOAD: usize = 1_100;
/// What sealing adds: header with the key id and a growing counter, and tag; the frame is padded to what remains.
const SEALING: usize = 1 + 4 + 4 + 16;
/// Bytes that the kernel keeps for a subscriber that is slow.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// One device's connection.
pub(crate) struct Client {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    deadline: Instant,
    connected: bool,
    /// The publisher's section, and how it seals.
    sending: Option<(Mid, Sealer)>,
}

/// Everybody connects: publishers at the first SFU, subscribers at the last.
pub(crate) fn join(
    sfus: &mut [Sfu],
    publishers: u32,
    subscribers: u32,
) -> Result<(Vec<Client>, Vec<Client>)> {
    let last = if sfus.len() > 1 { "south.example" } else { "north.example" };
    let uri = |domain: &str, number: u32| format!("conclave://{domain}/u/u{number}/d/{number:016x}");
    let mut roster: Vec<String> = (0..publishers).map(|number| uri("north.example", number)).collect();
    roster.extend((publishers..publishers + subscribers).map(|number| uri(last, number)));
    for sfu in &mut *sfus {
        sfu.ask(&json!({"roster": roster}))?;
    }
    let mut clients = (Vec::new(), Vec::new());
    for (leaf, device) in (0..).zip(&roster) {
        if leaf < publishers {
            let sfu = sfus.first_mut().context("no SFU")?;
            clients.0.push(Client::open(sfu, device, leaf, &roster, 0)?);
        } else {
            let sfu = sfus.last_mut().context("no SFU")?;
            clients.1.push(Client::open(sfu, device, leaf, &roster, publishers)?);
        }
    }
    Ok(clients)
}

/// Publishers send at their rate until told to stop.
pub(crate) fn send(mut clients: Vec<Client>, rate: u32, stop: &AtomicBool) -> Result<()> {
    let pause = Duration::from_secs(1) / rate;
    let mut next = Instant::now();
    let mut count = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        for client in &mut clients {
            client.work(|_| false)?;
        }
        while next <= Instant::now() {
            next += pause;
            count += 1;
            for client in &mut clients {
                client.publish(count, rate)?;
            }
        }
        thread::sleep(Duration::from_micros(500));
    }
    Ok(())
}

/// Subscribers count until told to stop.
pub(crate) fn receive(mut clients: Vec<Client>, delivered: &AtomicU64, stop: &AtomicBool) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        for client in &mut clients {
            client.work(|packet| {
                // RFC 7983: RTP and RTCP begin with 128 to 191; the payload types 64 to 95 are RTCP's.
                let is_media = packet.len() >= PAYLOAD && (128..=191).contains(&packet[0]);
                if is_media {
                    delivered.fetch_add(1, Ordering::Relaxed);
                }
                is_media
            })?;
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

impl Client {
    fn open(sfu: &mut Sfu, device: &str, leaf: u32, roster: &[String], slots: u32) -> Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
        socket.set_recv_buffer_size(SOCKET_BUFFER)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from(socket);
        let address = socket.local_addr()?;
        let mut rtc = Rtc::builder().clear_codecs().enable_vp8(true).set_rtp_mode(true).build(Instant::now());
        rtc.add_local_candidate(Candidate::host(address, "udp")?);
        let mut changes = rtc.sdp_api();
        let section =
            (slots == 0).then(|| changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None));
        for _ in 0..slots {
            changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = changes.apply().context("no offer")?;
        let mid = section.map(|mid| mid.to_string());
        let question = json!({"device": device, "leaf": leaf, "offer": offer.to_sdp_string(), "mid": mid});
        let answer = sfu.ask(&question)?;
        let answer = answer["answer"].as_str().context("no answer")?;
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(answer)?)?;
        let sending = section.map(|mid| sealer(leaf, roster).map(|sealer| (mid, sealer))).transpose()?;
        Ok(Self { rtc, socket, address, deadline: Instant::now(), connected: false, sending })
    }

    /// Takes what came, unless `counts` has done with it, and says what is to be said.
    fn work(&mut self, mut counts: impl FnMut(&[u8]) -> bool) -> Result<()> {
        let mut buffer = [0; 2_000];
        loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, source)) => {
                    let packet = buffer.get(..length).unwrap_or_default();
                    if length > 0
                        && !counts(packet)
                        && let Ok(contents) = packet.try_into()
                    {
                        let receive =
                            Receive { proto: Protocol::Udp, source, destination: self.address, contents };
                        self.rtc.handle_input(Input::Receive(Instant::now(), receive))?;
                        self.poll()?;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        if self.deadline <= Instant::now() {
            self.rtc.handle_input(Input::Timeout(Instant::now()))?;
            self.poll()?;
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    // A full socket loses packets, as networks do.
                    let _lost = self.socket.send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(_) => {}
            }
        }
    }

    /// Sends one frame in one packet.
    fn publish(&mut self, count: u32, rate: u32) -> Result<()> {
        let Some((mid, sealer)) = self.sending.as_mut().filter(|_| self.connected) else { return Ok(()) };
        let layer = TRACK.layer(Layer::BASE).context("no layer")?;
        let mut frame = vec![0x10; PAYLOAD - 1 - SEALING];
        frame[1..5].copy_from_slice(&count.to_be_bytes());
        let mut ciphertext = Vec::new();
        sealer.seal(Time::from_ms(0), layer, &frame, &mut ciphertext)?;
        let mut payload = vec![0x10];
        payload.extend_from_slice(&ciphertext);
        payload.resize(PAYLOAD, 0);
        let mid = *mid;
        let pt: Pt = self.rtc.codec_config().params().first().context("no codec")?.pt();
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, None).context("no stream")?;
        let timestamp = count.wrapping_mul(90_000 / rate);
        stream.write_rtp(
            RtpWrite::new(pt, u64::from(count).into(), timestamp, Instant::now(), payload).marker(true),
        );
        self.rtc.handle_input(Input::Timeout(Instant::now()))?;
        self.poll()
    }
}

fn sealer(leaf: u32, roster: &[String]) -> Result<Sealer> {
    let roster = roster.iter().map(|device| Ok(DeviceUri::parse(device)?)).collect::<Result<Vec<_>>>()?;
    let keys = EpochKeys::new(Epoch(1), [7; 16], LeafIndex(leaf), (0..).map(LeafIndex).zip(roster));
    let mut sealer = Sealer::new();
    sealer.enter(keys, Time::from_ms(0), true);
    Ok(sealer)
}
