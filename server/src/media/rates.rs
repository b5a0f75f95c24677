//! What the layers that come take, measured.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_core::media::{Layer, router::TrackId};

use super::session::Session;

/// How long is measured.
const INTERVAL: Duration = Duration::from_secs(1);

impl Session {
    /// Looks at what came since the last time, once a second, and tells the table and the other servers.
    pub(super) fn measure(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.measured);
        if passed < INTERVAL {
            return;
        }
        self.measured = now;
        let rate = |bytes: &mut u64| {
            let bits = u128::from(std::mem::take(bytes)) * 8_000 / passed.as_millis();
            u64::try_from(bits).unwrap_or(u64::MAX)
        };
        let mut own: BTreeMap<(TrackId, Layer), u64> = BTreeMap::new();
        for source in self.clients.values_mut().flat_map(|client| &mut client.sources) {
            *own.entry((source.track, source.layer)).or_default() += rate(&mut source.bytes);
        }
        for link in self.links.values_mut() {
            link.tell_rates(self.key, &own);
        }
        let others = self.links.values_mut().flat_map(|link| link.remotes.values_mut());
        let others: Vec<_> = others
            .filter(|remote| remote.bytes > 0)
            .map(|remote| (remote.track, remote.layer, rate(&mut remote.bytes)))
            .collect();
        let own = own.into_iter().map(|((track, layer), rate)| (track, layer, rate));
        self.router.set_rates(own.chain(others));
    }
}
