//! What the layers that come take, measured.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_core::media::{
    Layer, Temporal,
    descriptor::Described,
    router::{Rate, TrackId},
};

use super::session::Session;

/// How long is measured.
const INTERVAL: Duration = Duration::from_secs(1);

/// Bytes that came of a layer, by temporal layer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally([u64; Temporal::COUNT]);

impl Tally {
    /// Some more; what nothing is said of nobody can do without.
    pub(super) fn add(&mut self, described: Option<Described>, length: usize) {
        let temporal = described.map_or(Temporal::BASE, |described| described.temporal);
        if let Some(bytes) = self.0.get_mut(usize::from(temporal.number())) {
            *bytes += length as u64;
        }
    }

    /// What that was a second, and counts anew.
    fn take(&mut self, passed: Duration) -> Rate {
        let mut sum = 0;
        std::mem::take(&mut self.0).map(|bytes| {
            sum += bytes;
            u64::try_from(u128::from(sum) * 8_000 / passed.as_millis().max(1)).unwrap_or(u64::MAX)
        })
    }
}

impl Session {
    /// Looks at what came since the last time, once a second, and tells the table and the other servers.
    pub(super) fn measure(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.measured);
        if passed < INTERVAL {
            return;
        }
        self.measured = now;
        let mut own: BTreeMap<(TrackId, Layer), Rate> = BTreeMap::new();
        let sources = self.clients.values_mut().flat_map(|client| &mut client.sources);
        for source in sources.filter(|source| source.is_alive) {
            let sum = own.entry((source.place.track, source.place.layer)).or_default();
            for (sum, rate) in sum.iter_mut().zip(source.tally.take(passed)) {
                *sum += rate;
            }
        }
        for link in self.links.values_mut() {
            link.tell_rates(self.key, &own);
        }
        let others = self.links.values_mut().flat_map(|link| link.remotes.values_mut());
        let others: Vec<_> = others
            .map(|remote| (remote.track, remote.layer, remote.tally.take(passed)))
            .filter(|(_, _, rate)| rate.last() > Some(&0))
            .collect();
        let own = own.into_iter().map(|((track, layer), rate)| (track, layer, rate));
        self.router.set_rates(own.chain(others));
    }
}
