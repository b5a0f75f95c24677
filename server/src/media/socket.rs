//! The UDP socket of a media thread, many packets at a time each way (recvmmsg and GRO, GSO where the kernel has them).

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use tokio::{io::Interest, net::UdpSocket};

/// How many buffers are filled by one system call.
const BUFFERS: usize = 16;
/// Each takes what the kernel joins of one sender.
const BUFFER_BYTES: usize = 64 * 1024;

/// The UDP socket of a media thread.
#[derive(Debug)]
pub(super) struct MediaSocket {
    socket: UdpSocket,
    state: UdpSocketState,
}

/// Where packets are read into.
pub(super) struct Buffers {
    bytes: Vec<u8>,
    metas: [RecvMeta; BUFFERS],
    filled: usize,
}

impl Buffers {
    /// Empty.
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; BUFFERS * BUFFER_BYTES], metas: [RecvMeta::default(); BUFFERS], filled: 0 }
    }

    /// The packets read last, with their sources.
    pub(super) fn packets(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let filled = self.metas.iter().zip(self.bytes.chunks(BUFFER_BYTES)).take(self.filled);
        filled.flat_map(|(meta, buffer)| {
            let whole = buffer.get(..meta.len).unwrap_or_default();
            whole.chunks(meta.stride.max(1)).map(|packet| (meta.addr, packet))
        })
    }
}

impl MediaSocket {
    /// Must be called inside a runtime.
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self { socket: UdpSocket::from_std(socket)?, state })
    }

    /// Waits until there is something to read.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Reads what is there; whether there was anything.
    pub(super) fn read(&self, into: &mut Buffers) -> bool {
        let Buffers { bytes, metas, filled } = into;
        let mut chunks = bytes.chunks_mut(BUFFER_BYTES);
        let mut buffers: [IoSliceMut<'_>; BUFFERS] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let read = self
            .socket
            .try_io(Interest::READABLE, || self.state.recv((&self.socket).into(), &mut buffers, metas));
        // What fails here is an ICMP answer to an earlier packet, or nothing to read.
        *filled = read.unwrap_or(0);
        *filled > 0
    }

    /// How many packets one system call may send.
    pub(super) fn most_together(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Sends one packet, or several of the same size; whether the socket took them.
    pub(super) fn send(&self, destination: SocketAddr, contents: &[u8], size: Option<usize>) -> bool {
        let send = |contents: &[u8], segment_size| {
            let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip: None };
            let send = || self.state.try_send((&self.socket).into(), &transmit);
            self.socket.try_io(Interest::WRITABLE, send)
        };
        match (send(contents, size), size) {
            (Ok(()), _) => true,
            (Err(error), _) if error.kind() == io::ErrorKind::WouldBlock => false,
            // The network does not take packets together: from now on they go one by one, these too.
            (Err(_), Some(size)) => contents.chunks(size.max(1)).all(|packet| send(packet, None).is_ok()),
            (Err(error), None) => {
                tracing::debug!(%error, "a media packet could not be sent");
                false
            }
        }
    }
}
