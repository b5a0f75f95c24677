//! UDP packets that wait to be sent together.

use std::io::ErrorKind;

use str0m::net::Transmit;
use tokio::net::UdpSocket;

use super::counters::Counters;

/// UDP packets that wait to be sent.
#[derive(Default)]
pub(super) struct Outbox {
    queue: Vec<Transmit>,
}

impl Outbox {
    /// One more.
    pub(super) fn push(&mut self, transmit: Transmit) {
        self.queue.push(transmit);
    }

    /// Sends them all; what the socket does not take is lost, as UDP may lose it.
    pub(super) fn flush(&mut self, socket: &UdpSocket, counters: &Counters) {
        for transmit in self.queue.drain(..) {
            match socket.try_send_to(&transmit.contents, transmit.destination) {
                Ok(_) => counters.packets_out.more(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => tracing::debug!(%error, "a media packet could not be sent"),
            }
        }
    }
}
