//! Whose a packet is: by its path, or by the ICE user name of a STUN request. Everything else is dropped unread.

use std::{collections::HashMap, net::SocketAddr};

use str0m::net::Protocol;

/// The magic cookie of STUN (RFC 8489 §5).
const COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
/// Attribute USERNAME.
const USERNAME: u16 = 0x0006;
/// Most paths that one client is known by.
const PATHS: usize = 8;

/// Where packets of a client come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Path {
    pub(super) proto: Protocol,
    pub(super) remote: SocketAddr,
}

/// Which client a packet belongs to.
#[derive(Debug)]
pub(super) struct Demux<P> {
    paths: HashMap<Path, P>,
    names: HashMap<String, P>,
}

impl<P: Copy + PartialEq> Demux<P> {
    /// Knows nobody.
    pub(super) fn new() -> Self {
        Self { paths: HashMap::new(), names: HashMap::new() }
    }

    /// A client that answers to an ICE user name.
    pub(super) fn add(&mut self, name: String, place: P) {
        self.names.insert(name, place);
    }

    /// Forgets a client; gives the paths by which it was known.
    pub(super) fn remove(&mut self, place: P) -> Vec<Path> {
        self.names.retain(|_, known| *known != place);
        self.paths.extract_if(|_, known| *known == place).map(|(path, _)| path).collect()
    }

    /// Forgets a path.
    pub(super) fn unlearn(&mut self, path: Path) {
        self.paths.remove(&path);
    }

    /// Whether a client answers to an ICE user name.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Whose a packet is, and whether its path is new (spec: MED-10).
    pub(super) fn find(&self, path: Path, packet: &[u8]) -> Option<(P, bool)> {
        if let Some(place) = self.paths.get(&path) {
            return Some((*place, false));
        }
        self.names.get(local_name(packet)?).map(|place| (*place, true))
    }

    /// A request that came by this path proved that it is the client's.
    pub(super) fn learn(&mut self, path: Path, place: P) {
        if self.paths.values().filter(|known| **known == place).count() < PATHS {
            self.paths.insert(path, place);
        }
    }
}

/// The first half of the USERNAME of a STUN binding request.
pub(super) fn local_name(packet: &[u8]) -> Option<&str> {
    let (header, mut rest) = packet.split_at_checked(20)?;
    if header.get(..2)? != [0, 1] || header.get(4..8)? != COOKIE {
        return None;
    }
    loop {
        let (head, after) = rest.split_first_chunk::<4>()?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if kind == USERNAME {
            let name = std::str::from_utf8(after.get(..length)?).ok()?;
            return name.split_once(':').map(|(local, _)| local);
        }
        rest = after.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str) -> Vec<u8> {
        let mut packet = vec![0, 1, 0, 0];
        packet.extend(COOKIE);
        packet.extend([7; 12]);
        packet.extend([0x80, 0x22, 0, 3, b'x', b'y', b'z', 0]);
        packet.extend([0, 6, 0, u8::try_from(name.len()).unwrap_or(0)]);
        packet.extend(name.as_bytes());
        packet.extend(std::iter::repeat_n(0, name.len().next_multiple_of(4) - name.len()));
        packet
    }

    #[test]
    fn med_10_n8_unknown_sources_are_dropped_unread() {
        let mut demux = Demux::new();
        demux.add("ours".to_owned(), 1);
        let remote = SocketAddr::from(([1, 2, 3, 4], 5));
        let (a, b) = (Path { proto: Protocol::Udp, remote }, Path { proto: Protocol::Tcp, remote });
        assert_eq!(demux.find(a, &request("ours:theirs")), Some((1, true)));
        assert_eq!(demux.find(a, &request("other:theirs")), None);
        assert_eq!(demux.find(a, &[0x80; 100]), None);
        for length in 0..request("ours:theirs").len() - 1 {
            assert_eq!(demux.find(a, &request("ours:theirs")[..length]), None);
        }
        demux.learn(a, 1);
        assert_eq!(demux.find(a, &[0x80; 100]), Some((1, false)));
        assert_eq!(demux.find(b, &[0x80; 100]), None);
        assert_eq!(demux.remove(1), [a]);
        assert_eq!(demux.find(a, &request("ours:theirs")), None);
    }
}
