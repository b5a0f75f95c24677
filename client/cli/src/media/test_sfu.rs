//! For tests: the smallest SFU that workers can meet at, behind a real gRPC server; it can be killed.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use conclave_proto::client::v1::{
    self as wire,
    media_service_server::{MediaService, MediaServiceServer},
};
use futures::StreamExt;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::SdpOffer,
    format::Codec,
    media::{Direction, MediaKind, Mid},
    net::{Protocol, Receive},
    rtp::{RtpPacket, RtpWrite, SeqNo},
};
use tokio::{net::UdpSocket, sync::mpsc};
use tonic::{Request, Response, Status};

use crate::testing::{Serving, Tls};

type Packet = (usize, MediaKind, Arc<RtpPacket>);

#[derive(Default)]
struct Sfu {
    clients: Arc<Mutex<Vec<mpsc::UnboundedSender<Packet>>>>,
}

/// Serves until dropped.
pub(super) async fn serve(tls: &Tls) -> Serving {
    tls.serve(tonic::transport::Server::builder().add_service(MediaServiceServer::new(Sfu::default()))).await
}

struct Client {
    number: usize,
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    clients: Arc<Mutex<Vec<mpsc::UnboundedSender<Packet>>>>,
    mids: Vec<Mid>,
    slots: HashMap<(usize, MediaKind), (Mid, SeqNo)>,
}

impl Client {
    async fn run(mut self, mut packets: mpsc::UnboundedReceiver<Packet>) {
        let mut buffer = vec![0; 2048];
        loop {
            let deadline = loop {
                match self.rtc.poll_output().unwrap() {
                    Output::Timeout(at) => break at,
                    Output::Transmit(out) => {
                        let _ = self.socket.try_send_to(&out.contents, out.destination);
                    }
                    Output::Event(Event::RtpPacket(packet)) => self.share(packet),
                    Output::Event(_) => {}
                }
            };
            tokio::select! {
                Ok((length, source)) = self.socket.recv_from(&mut buffer) => {
                    let contents = buffer[..length].try_into().unwrap();
                    let receive = Receive { proto: Protocol::Udp, source, destination: self.local, contents };
                    self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
                }
                Some((from, kind, packet)) = packets.recv() => {
                    self.forward(from, kind, &packet);
                    self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
                }
                () = tokio::time::sleep_until(deadline.into()) => {
                    self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
                }
            }
        }
    }

    fn share(&mut self, packet: RtpPacket) {
        let mid = self.rtc.direct_api().stream_rx(&packet.header.ssrc).unwrap().mid();
        let kind = self.rtc.media(mid).unwrap().kind();
        let packet = Arc::new(packet);
        for (number, other) in self.clients.lock().unwrap().iter().enumerate() {
            if number != self.number {
                let _ = other.send((self.number, kind, Arc::clone(&packet)));
            }
        }
    }

    fn forward(&mut self, from: usize, kind: MediaKind, packet: &RtpPacket) {
        let Some((mid, sequence)) = self.slots.get_mut(&(from, kind)) else { return self.fill(from, kind) };
        let codec = if kind.is_audio() { Codec::Opus } else { Codec::Vp8 };
        let pt = self.rtc.codec_config().params().iter().find(|p| p.spec().codec == codec).unwrap().pt();
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(*mid, None).unwrap();
        let write =
            RtpWrite::new(pt, sequence.inc(), packet.header.timestamp, Instant::now(), &*packet.payload)
                .marker(packet.header.marker)
                .nackable(kind.is_video());
        stream.write_rtp(write);
    }

    /// The next free slot, for this packet's successors.
    fn fill(&mut self, from: usize, kind: MediaKind) {
        let taken = self.slots.keys().filter(|(_, other)| *other == kind).count();
        let is_slot = |mid: &&Mid| {
            self.rtc.media(**mid).is_some_and(|m| m.kind() == kind && m.direction() == Direction::SendOnly)
        };
        let mid = *self.mids.iter().filter(is_slot).nth(taken).unwrap();
        self.slots.insert((from, kind), (mid, SeqNo::from(1)));
    }
}

#[tonic::async_trait]
impl MediaService for Sfu {
    type SignalsStream = futures::stream::BoxStream<'static, Result<wire::SignalsResponse, Status>>;

    async fn open(
        &self,
        request: Request<wire::OpenRequest>,
    ) -> Result<Response<wire::OpenResponse>, Status> {
        let request = request.into_inner();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let mut rtc = Rtc::builder()
            .set_ice_lite(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_rtp_mode(true)
            .build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap());
        let offer = SdpOffer::from_sdp_string(&request.offer).unwrap();
        let mids =
            request.offer.lines().filter_map(|line| Some(Mid::from(line.strip_prefix("a=mid:")?))).collect();
        let answer = rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
        let (sender, packets) = mpsc::unbounded_channel();
        let number = {
            let mut clients = self.clients.lock().unwrap();
            clients.push(sender);
            clients.len() - 1
        };
        let clients = Arc::clone(&self.clients);
        tokio::spawn(
            Client { number, rtc, socket, local, clients, slots: HashMap::new(), mids }.run(packets),
        );
        Ok(Response::new(wire::OpenResponse { answer, connection_id: vec![1].into() }))
    }

    async fn update(
        &self,
        _: Request<wire::UpdateRequest>,
    ) -> Result<Response<wire::UpdateResponse>, Status> {
        Ok(Response::new(wire::UpdateResponse {}))
    }

    async fn signals(
        &self,
        _: Request<wire::SignalsRequest>,
    ) -> Result<Response<Self::SignalsStream>, Status> {
        Ok(Response::new(futures::stream::pending().boxed()))
    }

    async fn close(&self, _: Request<wire::CloseRequest>) -> Result<Response<wire::CloseResponse>, Status> {
        Ok(Response::new(wire::CloseResponse {}))
    }
}
