//! How a device's packets travel: by UDP, or framed on one TCP connection.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use str0m::{
    Candidate,
    net::{Protocol, TcpType, Transmit},
};

pub(crate) enum Wire {
    Udp(UdpSocket, Narrow),
    Tcp(TcpStream, mpsc::Receiver<Vec<u8>>),
}

/// A path that carries so many bits a second towards the device, and loses the rest.
pub(crate) struct Narrow {
    /// 0: any number.
    bits: Arc<AtomicU64>,
    /// When all that came is through.
    free: Instant,
}

impl Narrow {
    /// What is queued for longer is lost.
    const LONGEST: Duration = Duration::from_millis(100);

    fn loses(&mut self, bytes: usize) -> bool {
        let (bits, now) = (self.bits.load(Ordering::Relaxed), Instant::now());
        if bits == 0 {
            return false;
        }
        let free = self.free.max(now) + Duration::from_micros(bytes as u64 * 8_000_000 / bits);
        let is_lost = free - now > Self::LONGEST;
        if !is_lost {
            self.free = free;
        }
        is_lost
    }
}

impl Wire {
    pub(crate) fn udp() -> Self {
        let narrow = Narrow { bits: Arc::default(), free: Instant::now() };
        Self::Udp(UdpSocket::bind("127.0.0.1:0").unwrap(), narrow)
    }

    /// What it carries towards the device, bits a second; 0: any number.
    pub(crate) fn capacity(&self) -> Arc<AtomicU64> {
        match self {
            Self::Udp(_, narrow) => narrow.bits.clone(),
            Self::Tcp(..) => Arc::default(),
        }
    }

    pub(crate) fn tcp(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, frames) = mpsc::channel();
        let mut reading = stream.try_clone().unwrap();
        thread::spawn(move || {
            let mut length = [0; 2];
            while reading.read_exact(&mut length).is_ok() {
                let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
                if reading.read_exact(&mut frame).is_err() || sender.send(frame).is_err() {
                    return;
                }
            }
        });
        Self::Tcp(stream, frames)
    }

    pub(crate) fn proto(&self) -> Protocol {
        match self {
            Self::Udp(..) => Protocol::Udp,
            Self::Tcp(..) => Protocol::Tcp,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(socket, _) => socket.local_addr().unwrap(),
            Self::Tcp(stream, _) => stream.local_addr().unwrap(),
        }
    }

    pub(crate) fn candidate(&self) -> Candidate {
        match self {
            Self::Udp(..) => Candidate::host(self.address(), "udp").unwrap(),
            Self::Tcp(..) => {
                Candidate::builder().tcp().host(self.address()).tcptype(TcpType::Active).build().unwrap()
            }
        }
    }

    /// A connection that the server has ended takes nothing any more.
    pub(crate) fn send(&mut self, transmit: &Transmit) {
        match self {
            Self::Udp(socket, _) => {
                socket.send_to(&transmit.contents, transmit.destination).unwrap();
            }
            Self::Tcp(stream, _) => {
                let length = u16::try_from(transmit.contents.len()).unwrap().to_be_bytes();
                let _ended = stream.write_all(&[&length, &transmit.contents[..]].concat());
            }
        }
    }

    /// What came next, and from where.
    pub(crate) fn receive(&mut self, wait: Duration) -> Option<(SocketAddr, Vec<u8>)> {
        match self {
            Self::Udp(socket, narrow) => {
                let mut buffer = [0; 2_000];
                socket.set_read_timeout(Some(wait)).unwrap();
                match socket.recv_from(&mut buffer) {
                    Ok((length, _)) if narrow.loses(length) => None,
                    Ok((length, source)) => Some((source, buffer[..length].to_vec())),
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
                    Err(error) => panic!("{error}"),
                }
            }
            Self::Tcp(stream, frames) => {
                let frame = frames.recv_timeout(wait).ok()?;
                Some((stream.peer_addr().ok()?, frame))
            }
        }
    }
}
