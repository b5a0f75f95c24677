//! What happened, in numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counters of one media thread.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: Counter,)*
        }

        /// What happened since the start, in numbers.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Adds these to a sum.
            pub(super) fn add_to(&self, sum: &mut Stats) {
                $(sum.$name += self.$name.0.load(Relaxed);)*
            }
        }
    };
}

counters! {
    /// Packets that came from devices.
    packets_in,
    /// Packets sent to devices.
    packets_out,
    /// Packets that a socket did not take.
    packets_lost,
    /// Packets of unknown sources, dropped before any cryptography.
    dropped_unknown,
    /// RTP packets whose key id was not their sender's, or not readable.
    dropped_key_id,
    /// RTP packets that came from devices.
    rtp_in,
    /// RTP packets sent to devices.
    rtp_out,
    /// Datagrams that came by relay links.
    relay_in,
    /// Datagrams sent by relay links.
    relay_out,
    /// Datagrams that were not taken by a relay link, or not understood.
    relay_dropped,
    /// Connections that ended by a fault of this program.
    panics,
}

/// One counter.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub(super) fn more(&self) {
        self.add(1);
    }

    /// Some more.
    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Relaxed);
    }
}
