//! Megabytes of empty repeated elements, at both doors and from a hostile hub: they cost little more memory than their bytes.
//!
//! Alone in its process, since it measures that process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // Tests may panic.

mod organisation;
mod person;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use conclave_core::ids::{MeetingId, SessionNumber};
use conclave_proto::{
    federation::v1::{HelloResponse, LookUpMeetingRequest, LookUpMeetingResponse},
    types::v1::SignedDescriptor,
};
use conclave_server::{
    clock,
    federation::{
        book::{Book, Openness},
        dial::Reach,
        discovery::Discovery,
        mirror::Mirrors,
        peers::Peers,
        tls, wary,
    },
    refusal::Refusal,
};
use futures::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::StreamBody;
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use organisation::{Authorities, Organisation};
use person::{Person, SOON};
use prost::Message;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Code, client::Grpc, transport::Channel};

/// What a message may cost, KiB: both ends and all copies on the way are in this process. Decoded it would be hundreds of MiB.
const MOST: u64 = 40 * 1024;
/// Four MiB of an empty element each two bytes long.
const ELEMENTS: usize = 2 * 1024 * 1024 - 64;

/// `field` over and over, with nothing in it.
fn empty(field: u8, times: usize) -> Vec<u8> {
    [field << 3 | 2, 0].repeat(times)
}

fn inside(field: u8, content: &[u8]) -> Bytes {
    let mut message = vec![field << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut message);
    message.extend_from_slice(content);
    message.into()
}

fn kib(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

/// By how much memory grew at most while something went on, KiB.
async fn growth<T>(work: impl Future<Output = T>) -> (T, u64) {
    // "5" makes the highest mark anew.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = kib("VmRSS:");
    let done = work.await;
    (done, kib("VmHWM:").saturating_sub(before))
}

#[tokio::test]
async fn fed_07_r11_empty_elements_cost_little() {
    at_the_doors().await;
    from_a_hostile_hub().await;
}

async fn at_the_doors() {
    let authorities = Authorities::new();
    let mut north = Organisation::new("north", 10, &authorities).await;
    let mut south = Organisation::new("south", 20, &authorities).await;
    let (north_runs, south_runs) = (north.start(&authorities).await, south.start(&authorities).await);
    let eve = Person::new(&north, &north_runs, "eve").await;
    let peer = south_runs.peers.channel(&north.domain).await.unwrap();
    for (path, field) in [
        ("/conclave.federation.v1.InvitationService/Deliver", 1),
        ("/conclave.federation.v1.MeetingService/Submit", 1),
        ("/conclave.federation.v1.DirectoryService/LookUpUser", 1),
        ("/conclave.federation.v1.MirrorService/Mirror", 1),
    ] {
        knock(&peer, path, field, tonic::Request::new).await;
    }
    for (path, field) in [
        ("/conclave.client.v1.InvitationService/SendInvitations", 1),
        ("/conclave.client.v1.InvitationService/Acknowledge", 1),
        ("/conclave.client.v1.MeetingService/Submit", 3),
        ("/conclave.client.v1.MeetingService/CreateMeeting", 1),
        ("/conclave.client.v1.MediaService/Open", 5),
        ("/conclave.client.v1.AccountService/SignIn", 1),
    ] {
        knock(&eve.channel, path, field, |body| eve.request(body)).await;
    }
    north_runs.stop().await;
    south_runs.stop().await;
}

/// Refused, whether it is too long or has too many elements.
async fn knock(
    channel: &Channel,
    path: &'static str,
    field: u8,
    request: impl Fn(Bytes) -> tonic::Request<Bytes>,
) {
    // More than any method takes; and what the largest and the usual methods still read.
    for times in [ELEMENTS, 500_000, 32_000] {
        let body = Bytes::from(empty(field, times));
        let calls = person::once(Grpc::new(channel.clone()), request(body), path);
        let (answer, growth) = growth(calls).await;
        let refused = answer.expect_err(path);
        let code = refused.code();
        // A stream of requests ends without an answer.
        let ended = path.ends_with("/Mirror") && refused.message() == "Missing response message.";
        let bounded = matches!(code, Code::ResourceExhausted | Code::InvalidArgument) || ended;
        assert!(times < ELEMENTS || bounded, "{path} {times}: {refused:?}");
        assert!(growth < MOST, "{path} {times}: {growth} KiB");
    }
}

async fn from_a_hostile_hub() {
    let authorities = Authorities::new();
    let north = Organisation::new("north", 10, &authorities).await;
    let south = Organisation::new("south", 20, &authorities).await;
    let book = Book::open(south.store(), Openness::Open, south.descriptor.clone()).await.unwrap();
    book.accept(&north.descriptor, &north.domain, clock::now()).await.unwrap();
    let discovery = Discovery::new(&authorities.files(), Reach::Anywhere).unwrap();
    let peers =
        Peers::new(south.domain.clone(), south.descriptor.clone(), south.identity.clone(), discovery, book);
    let (hub, descriptor) = (north.domain.clone(), north.descriptor.clone());
    let acceptor = north.identity.server_config(tls::ALPN_H2).unwrap();
    let opened = Arc::new(AtomicUsize::new(0));
    let meeting = MeetingId::from_bytes([1; 32]);
    let hostile = Hostile {
        descriptor,
        opened: opened.clone(),
        mirrored: [&inside(1, meeting.as_bytes())[..], &[0x10, 1], &inside(3, &empty(1, ELEMENTS))]
            .concat()
            .into(),
        found: empty(2, ELEMENTS).into(),
    };
    tokio::spawn(
        hostile.serve(north.take_listeners().1, tokio_rustls::TlsAcceptor::from(Arc::new(acceptor))),
    );
    let channel = peers.channel(&hub).await.unwrap();

    let path = "/conclave.federation.v1.MeetingService/LookUpMeeting";
    let shape = wary::LOOK_UP_MEETING_RESPONSE;
    let asked = wary::call(channel, path, LookUpMeetingRequest::default(), shape, 4 * 1024 * 1024);
    let (answer, grew): (Result<LookUpMeetingResponse, Refusal>, u64) = growth(asked).await;
    assert_eq!(answer, Err(Refusal::TOO_LARGE));
    assert!(grew < MOST, "a look-up: {grew} KiB");

    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let mirrors = Mirrors::new(peers, tasks.clone(), shutdown.clone());
    let (sink, mut items) = mpsc::channel(4);
    let (_durable, at) = watch::channel(0);
    let following = async {
        mirrors.follow(&hub, meeting, SessionNumber(1), at, sink);
        // It comes back for more only after it has refused what it got.
        while opened.load(Relaxed) < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (followed, grew) = growth(timeout(SOON, following)).await;
    followed.expect("the follower opens its stream again");
    assert!(items.try_recv().is_err(), "nothing of it is handed on");
    assert!(grew < MOST, "a mirror stream: {grew} KiB");
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
}

/// A hub that greets as it should and then answers with emptiness.
struct Hostile {
    descriptor: SignedDescriptor,
    opened: Arc<AtomicUsize>,
    mirrored: Bytes,
    found: Bytes,
}

impl Hostile {
    async fn serve(self, listener: TcpListener, acceptor: tokio_rustls::TlsAcceptor) {
        let this = Arc::new(self);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let this = this.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = this.answer(&request);
                    async move { Ok::<_, std::convert::Infallible>(answer) }
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                builder.serve_connection(TokioIo::new(stream), service).await
            });
        }
    }

    fn answer(
        &self,
        request: &Request<Incoming>,
    ) -> Response<impl hyper::body::Body<Data = Bytes, Error = std::convert::Infallible> + use<>> {
        let message = match request.uri().path().rsplit('/').next() {
            Some("Hello") => {
                HelloResponse { descriptor: Some(self.descriptor.clone()) }.encode_to_vec().into()
            }
            Some("Mirror") => {
                self.opened.fetch_add(1, Relaxed);
                self.mirrored.clone()
            }
            _ => self.found.clone(),
        };
        let mut prefix = BytesMut::new();
        prefix.put_u8(0);
        prefix.put_u32(u32::try_from(message.len()).unwrap());
        let trailers =
            HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
        let frames = [Frame::data(prefix.freeze()), Frame::data(message), Frame::trailers(trailers)];
        let body = StreamBody::new(stream::iter(frames.map(Ok)));
        Response::builder().header("content-type", "application/grpc").body(body).unwrap()
    }
}
