//! One link from hello to its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use conclave_core::{identity::address::Domain, media::router::LinkId};
use conclave_proto::relay::v1::{RelayHello, RelayMessage, relay_message::Message};
use quinn::{Connection, RecvStream, SendDatagramError, SendStream};
use rustls_pki_types::CertificateDer;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep, timeout},
};

use super::{
    PeerIdentity,
    control::{self, LinkError, Pace},
    datagram,
    handle::LinkHandle,
    streams::Streams,
};
use crate::media::{Media, requests::key};

/// How long the hellos may take, and any write on the control stream.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most datagrams that wait to be sent.
const QUEUE: usize = 4_096;
/// Most messages of a peer that wait for media threads.
const WAITING: usize = 16;
/// Largest datagram that this side takes; paths carry less.
const LARGEST: u32 = 65_000;
/// What a path carries is asked for after this many datagrams.
const LOOK: u32 = 64;
/// Smallest datagram that a peer must take.
const SMALLEST: usize = 512;

/// Links of this process, each with its own number.
static LAST_LINK: AtomicU32 = AtomicU32::new(0);

/// What the peer said, and its place among what waits.
type Heard = (Message, OwnedSemaphorePermit);

/// A link whose peer has said hello and is known.
pub(super) struct Link {
    pub(super) domain: Domain,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    largest: usize,
}

/// Dials: the TLS configuration has made sure who the peer is; its hello shows that it has accepted this side.
pub(super) async fn greet(
    connection: Connection,
    domain: Domain,
    identity: &dyn PeerIdentity,
) -> Result<Link, LinkError> {
    let greeting = async {
        let (mut send, mut receive) = connection.open_bi().await?;
        control::write(&mut send, &hello(identity)).await?;
        let theirs = expect_hello(&mut receive).await?;
        Ok::<_, LinkError>((send, receive, theirs))
    };
    let (send, receive, theirs) = timeout(PATIENCE, greeting).await??;
    let largest = largest(&connection, &theirs)?;
    Ok(Link { domain, connection, send, receive, largest })
}

/// Answers: nothing is said before the peer's key is known to be that of its domain.
pub(super) async fn welcome(connection: Connection, identity: &dyn PeerIdentity) -> Result<Link, LinkError> {
    let greeting = async {
        let (mut send, mut receive) = connection.accept_bi().await?;
        let theirs = expect_hello(&mut receive).await?;
        let certificate = certificate(&connection).ok_or(LinkError::Unknown)?;
        let descriptor = theirs.descriptor.clone().unwrap_or_default();
        let domain = identity.identify(&certificate, &descriptor).await.ok_or(LinkError::Unknown)?;
        control::write(&mut send, &hello(identity)).await?;
        Ok::<_, LinkError>((send, receive, theirs, domain))
    };
    let (send, receive, theirs, domain) = timeout(PATIENCE, greeting).await??;
    let largest = largest(&connection, &theirs)?;
    Ok(Link { domain, connection, send, receive, largest })
}

impl Link {
    /// Carries media until the link breaks.
    pub(super) async fn run(self, media: &Media) -> LinkError {
        let Self { domain, connection, send, receive, largest } = self;
        let id = LinkId(LAST_LINK.fetch_add(1, Relaxed) + 1);
        let (control, control_queue) = mpsc::unbounded_channel();
        let (datagrams, datagram_queue) = mpsc::channel(QUEUE);
        let (heard, heard_queue) = mpsc::channel(1);
        let theirs = largest;
        let largest = Arc::new(AtomicUsize::new(carried(&connection, theirs)));
        let handle = LinkHandle {
            id,
            domain,
            largest: largest.clone(),
            control,
            datagrams,
            last_stream: Arc::default(),
            subscribed: Arc::default(),
        };
        tracing::debug!(link = id.0, domain = %handle.domain, "a relay link is up");
        media.link_up(&handle);
        let _up = Up { media, connection: &connection, id };
        tokio::select! {
            end = read_control(receive, heard) => end,
            end = write_control(send, control_queue) => end,
            end = send_datagrams(&connection, datagram_queue, theirs, &largest) => end,
            end = dispatch(&connection, heard_queue, media, id) => end,
        }
    }
}

/// Takes the link down, also when its task is aborted.
struct Up<'a> {
    media: &'a Media,
    connection: &'a Connection,
    id: LinkId,
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.media.link_down(self.id);
        self.connection.close(0_u32.into(), b"");
    }
}

fn hello(identity: &dyn PeerIdentity) -> RelayMessage {
    let hello = RelayHello { descriptor: Some(identity.descriptor()), max_datagram: LARGEST };
    RelayMessage { message: Some(Message::Hello(hello)) }
}

async fn expect_hello(stream: &mut RecvStream) -> Result<RelayHello, LinkError> {
    match control::read(stream).await?.0.message {
        Some(Message::Hello(hello)) => Ok(hello),
        _ => Err(LinkError::Misbehaved("no hello came first")),
    }
}

/// The largest datagram that the peer takes.
fn largest(connection: &Connection, theirs: &RelayHello) -> Result<usize, LinkError> {
    let largest = usize::try_from(theirs.max_datagram).unwrap_or(usize::MAX);
    let path = connection.max_datagram_size().ok_or(LinkError::Misbehaved("it takes no datagrams"))?;
    if largest.min(path) < SMALLEST {
        return Err(LinkError::Misbehaved("it takes too small datagrams"));
    }
    Ok(largest)
}

/// The largest datagram that the path carries now and the peer takes.
fn carried(connection: &Connection, theirs: usize) -> usize {
    connection.max_datagram_size().unwrap_or(0).clamp(SMALLEST, theirs)
}

fn certificate(connection: &Connection) -> Option<CertificateDer<'static>> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.first().cloned()
}

/// Reads what the peer says, no faster than it is taken.
async fn read_control(mut stream: RecvStream, heard: mpsc::Sender<Heard>) -> LinkError {
    let (places, mut speed) = (Arc::new(Semaphore::new(WAITING)), Pace::new(Instant::now()));
    loop {
        let (message, bytes) = match control::read(&mut stream).await {
            Ok(read) => read,
            Err(error) => return error,
        };
        sleep(speed.take(bytes, Instant::now())).await;
        // A newer peer's message.
        let Some(message) = message.message else { continue };
        let Ok(permit) = places.clone().acquire_owned().await else { return LinkError::NotNeeded };
        if heard.send((message, permit)).await.is_err() {
            return LinkError::NotNeeded;
        }
    }
}

async fn write_control(
    mut stream: SendStream,
    mut queue: mpsc::UnboundedReceiver<RelayMessage>,
) -> LinkError {
    while let Some(message) = queue.recv().await {
        match timeout(PATIENCE, control::write(&mut stream, &message)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(late) => return late.into(),
        }
    }
    LinkError::NotNeeded
}

async fn send_datagrams(
    connection: &Connection,
    mut queue: mpsc::Receiver<Bytes>,
    theirs: usize,
    largest: &AtomicUsize,
) -> LinkError {
    let mut count = 0_u32;
    while let Some(datagram) = queue.recv().await {
        count = count.wrapping_add(1);
        if count.is_multiple_of(LOOK) {
            largest.store(carried(connection, theirs), Relaxed);
        }
        match connection.send_datagram(datagram) {
            Ok(()) => {}
            // The path has shrunk: what comes next is cut smaller.
            Err(SendDatagramError::TooLarge) => largest.store(carried(connection, theirs), Relaxed),
            Err(SendDatagramError::ConnectionLost(lost)) => return lost.into(),
            Err(SendDatagramError::UnsupportedByPeer | SendDatagramError::Disabled) => {
                return LinkError::Misbehaved("it takes no datagrams");
            }
        }
    }
    LinkError::NotNeeded
}

/// Gives what comes to the thread that it belongs to.
async fn dispatch(
    connection: &Connection,
    mut heard: mpsc::Receiver<Heard>,
    media: &Media,
    id: LinkId,
) -> LinkError {
    let mut streams = Streams::default();
    loop {
        tokio::select! {
            Some((message, place)) = heard.recv() => {
                if let Message::Announce(announce) = &message
                    && let Some(key) = key(&announce.meeting_id, announce.session)
                {
                    let numbers = announce.tracks.iter().flat_map(|track| &track.stream_ids);
                    streams.replace(key, media.index_of(key), numbers.copied().collect());
                }
                media.relay_message(id, message, place);
            }
            datagram = connection.read_datagram() => match datagram {
                Ok(datagram) => match datagram::stream(&datagram).and_then(|stream| streams.thread_of(stream)) {
                    Some(thread) => media.relay_datagram(thread, id, datagram),
                    None => media.relay_dropped(),
                },
                Err(error) => return error.into(),
            },
        }
    }
}
