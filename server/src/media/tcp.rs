//! Media over TCP, where a network lets no UDP through: the packets of one client, framed by RFC 4571, on one connection (RFC 6544).
//!
//! A connection belongs to nobody until its first frame, a STUN request, names a client. From then on it is a path like any other:
//! the media thread knows it by its remote address, and answers into a short queue.

use std::{io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use str0m::net::DatagramSend;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::timeout,
};

use super::{Thread, ask, demux, worker::Command};

/// Time for the first frame.
const FIRST_FRAME: Duration = Duration::from_secs(10);
/// ICE asks for consent every few seconds (RFC 7675): who is silent for longer is gone.
const SILENCE: Duration = Duration::from_secs(30);
/// Time for the other side to take what was written.
const STUCK: Duration = Duration::from_secs(10);
/// Largest frame; WebRTC's packets fit into one of Ethernet's.
const FRAME_BYTES: usize = 2_048;
/// Packets that wait for a slow reader before more of them are lost.
const WAITING: usize = 512;
/// Packets written by one system call.
const TOGETHER: usize = 64;

/// Where packets to a TCP client go.
pub(super) type Packets = mpsc::Sender<DatagramSend>;

/// Carries a client's packets until either side ends it; a stranger's connection is closed unanswered (spec: MED-10).
pub(super) async fn carry(threads: &[Thread], stream: TcpStream, remote: SocketAddr) -> io::Result<()> {
    let (reading, writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    let first = timeout(FIRST_FRAME, frame(&mut reading)).await??;
    let (packets, queue) = mpsc::channel(WAITING);
    let Some(thread) = thread_of(threads, &first, remote, packets).await else { return Ok(()) };
    let ended = tokio::select! {
        ended = read(thread, reading, remote, first) => ended,
        ended = write(writing, queue) => ended,
    };
    thread.tell(Command::TcpDown(remote));
    ended
}

/// The thread that knows the client whom a STUN request names.
async fn thread_of<'a>(
    threads: &'a [Thread],
    first: &[u8],
    remote: SocketAddr,
    packets: Packets,
) -> Option<&'a Thread> {
    let name = demux::local_name(first)?;
    for thread in threads {
        let up = |answer| Command::TcpUp(name.to_owned(), remote, packets.clone(), answer);
        if ask(thread, up).await == Ok(true) {
            return Some(thread);
        }
    }
    None
}

async fn read(
    thread: &Thread,
    mut stream: BufReader<OwnedReadHalf>,
    remote: SocketAddr,
    first: Bytes,
) -> io::Result<()> {
    let mut next = first;
    loop {
        // A thread that is busy slows the sender down.
        if thread.framed.send((remote, next)).await.is_err() {
            return Ok(());
        }
        next = timeout(SILENCE, frame(&mut stream)).await??;
    }
}

/// Two bytes of length, big-endian, and as many bytes.
async fn frame(stream: &mut BufReader<OwnedReadHalf>) -> io::Result<Bytes> {
    let length = usize::from(stream.read_u16().await?);
    if length > FRAME_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes.into())
}

async fn write(mut stream: OwnedWriteHalf, mut queue: mpsc::Receiver<DatagramSend>) -> io::Result<()> {
    let (mut waiting, mut bytes) = (Vec::new(), Vec::new());
    // The queue ends when the media thread forgets the client.
    while queue.recv_many(&mut waiting, TOGETHER).await > 0 {
        bytes.clear();
        for packet in waiting.drain(..) {
            if let Ok(length) = u16::try_from(packet.len()) {
                bytes.extend(length.to_be_bytes());
                bytes.extend_from_slice(&packet);
            }
        }
        timeout(STUCK, stream.write_all(&bytes)).await??;
    }
    Ok(())
}
