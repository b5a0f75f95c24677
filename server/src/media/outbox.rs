//! Packets that wait to be sent together: by UDP several of one size to one destination cost one system call.

use std::{collections::HashMap, net::SocketAddr};

use str0m::net::{Protocol, Transmit};

use super::{counters::Counters, socket::MediaSocket, tcp::Packets};

/// Most bytes of packets sent by one system call.
const TOGETHER: usize = 65_000;

/// Packets that wait to be sent.
#[derive(Default)]
pub(super) struct Outbox {
    queue: Vec<Transmit>,
    /// Those of clients on TCP.
    framed: Vec<Transmit>,
    together: Vec<u8>,
}

impl Outbox {
    /// One more.
    pub(super) fn push(&mut self, transmit: Transmit) {
        if transmit.proto == Protocol::Udp {
            self.queue.push(transmit);
        } else {
            self.framed.push(transmit);
        }
    }

    /// Sends them all, in their order for each destination; what a socket does not take is lost, as UDP may lose it.
    pub(super) fn flush(
        &mut self,
        socket: &MediaSocket,
        tcp: &HashMap<SocketAddr, Packets>,
        counters: &Counters,
    ) {
        for transmit in self.framed.drain(..) {
            let client = tcp.get(&transmit.destination);
            let taken = client.is_some_and(|packets| packets.try_send(transmit.contents).is_ok());
            if taken { counters.packets_out.more() } else { counters.packets_lost.more() }
        }
        if self.queue.len() > 1 {
            self.queue.sort_by_key(|transmit| transmit.destination);
        }
        let most = socket.most_together();
        let mut rest = self.queue.as_slice();
        while let Some(first) = rest.first() {
            let count = run(rest, most);
            let (now, later) = rest.split_at(count);
            rest = later;
            if let [only] = now {
                send(socket, counters, only.destination, &only.contents, None);
            } else {
                self.together.clear();
                for transmit in now {
                    self.together.extend_from_slice(&transmit.contents);
                }
                send(socket, counters, first.destination, &self.together, Some(first.contents.len()));
            }
        }
        self.queue.clear();
    }
}

/// How many of the first packets go together: one destination, one size, the last may be smaller.
fn run(queue: &[Transmit], most: usize) -> usize {
    let Some(first) = queue.first() else { return 0 };
    let size = first.contents.len();
    let mut bytes = 0;
    let mut count = 0;
    for transmit in queue.iter().take(most.max(1)) {
        let length = transmit.contents.len();
        bytes += length;
        if transmit.destination != first.destination || length > size || bytes > TOGETHER {
            break;
        }
        count += 1;
        if length < size {
            break;
        }
    }
    count.max(1)
}

fn send(socket: &MediaSocket, counters: &Counters, to: SocketAddr, bytes: &[u8], size: Option<usize>) {
    let packets = size.map_or(1, |size| bytes.len().div_ceil(size));
    if socket.send(to, bytes, size) {
        counters.packets_out.add(packets);
    } else {
        counters.packets_lost.add(packets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transmit(port: u16, length: usize) -> Transmit {
        Transmit {
            proto: Protocol::Udp,
            source: SocketAddr::from(([127, 0, 0, 1], 1)),
            destination: SocketAddr::from(([127, 0, 0, 1], port)),
            contents: vec![0; length].into(),
        }
    }

    #[test]
    fn packets_of_one_size_to_one_destination_go_together() {
        let queue =
            [transmit(1, 9), transmit(1, 9), transmit(1, 5), transmit(1, 9), transmit(2, 9), transmit(2, 10)];
        assert_eq!(run(&queue, 64), 3, "the smaller one ends it");
        assert_eq!(run(&queue, 2), 2);
        assert_eq!(run(&queue, 0), 1);
        assert_eq!(run(&queue[3..], 64), 1, "another destination");
        assert_eq!(run(&queue[4..], 64), 1, "a larger one");
        let large: Vec<_> = (0..64).map(|_| transmit(1, 1_200)).collect();
        assert_eq!(run(&large, 64), TOGETHER / 1_200);
    }
}
