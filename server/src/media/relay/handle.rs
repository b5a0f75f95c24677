//! What the media threads hold of a relay link: its number, and where to put what shall go out.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use conclave_core::{identity::address::Domain, limits, media::router::LinkId};
use conclave_proto::relay::v1::{RelayMessage, relay_message::Message};
use tokio::sync::mpsc;

use crate::media::packet::Packet;

use super::datagram;

/// One relay link, from the time both sides have said hello until it breaks.
#[derive(Clone, Debug)]
pub(in crate::media) struct LinkHandle {
    pub(in crate::media) id: LinkId,
    pub(in crate::media) domain: Domain,
    /// Largest datagram that both sides and the path take.
    pub(in crate::media) largest: Arc<AtomicUsize>,
    pub(in crate::media) control: mpsc::UnboundedSender<RelayMessage>,
    pub(in crate::media) datagrams: mpsc::Sender<Bytes>,
    pub(in crate::media) last_stream: Arc<AtomicU32>,
    pub(in crate::media) subscribed: Arc<AtomicUsize>,
}

impl LinkHandle {
    /// Puts a message on the control stream.
    pub(in crate::media) fn say(&self, message: Message) {
        // A link that is gone is reported to every thread; what was said last does not matter then.
        let _gone = self.control.send(RelayMessage { message: Some(message) });
    }

    /// A stream number that this link has not used yet.
    pub(in crate::media) fn fresh_stream(&self) -> u32 {
        self.last_stream.fetch_add(1, Relaxed).wrapping_add(1)
    }

    /// Sends a packet; whether all of it was taken.
    pub(in crate::media) fn send(&self, stream: u32, packet: &Packet) -> bool {
        let mut taken = true;
        let fits = datagram::write(stream, packet, self.largest.load(Relaxed), |datagram| {
            taken &= self.datagrams.try_send(datagram).is_ok();
        });
        fits && taken
    }

    /// Replaces a session's share of the link's streams; how many it may have.
    pub(in crate::media) fn share(&self, old: usize, wanted: usize) -> usize {
        let mut share = 0;
        let taken = self.subscribed.fetch_update(Relaxed, Relaxed, |all| {
            let others = all.saturating_sub(old);
            share = wanted.min(limits::RELAY_STREAMS.saturating_sub(others)); // MED-23
            Some(others + share)
        });
        debug_assert!(taken.is_ok());
        share
    }
}
