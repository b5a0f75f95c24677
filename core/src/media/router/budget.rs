//! How much a device's path carries, as far as is known: down at once, up slowly (spec: MED-19).

use std::time::Duration;

use crate::time::Time;

/// Lost of a thousand packets: more is too much.
const LOSS: u64 = 100;
/// A round trip that takes so much longer than at its best waits in queues.
const DELAY: Duration = Duration::from_millis(400);
/// So many reports of queues, one after the other, are no hiccup.
const DELAYED: u32 = 3;
/// Of what arrived, per cent: what is sent from then on, so that the queues empty.
const LESS: u64 = 85;
/// What the budget grows to, per cent, once nothing was wrong for a while.
const MORE: u64 = 125;
/// The least budget, bits a second: sound, and one small picture.
const LEAST: u64 = 150_000;
/// How long nothing may have been wrong before the budget grows.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// The same for a path that has not carried more each time.
const LONGEST_PATIENCE: Duration = Duration::from_mins(1);
/// After a cut, what was under way before is still reported.
const SETTLING: Duration = Duration::from_secs(2);
/// Trouble so soon after the budget grew comes from that.
const TRIAL: Duration = Duration::from_secs(10);

/// What was seen of a path in the last second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathReport {
    /// Bits that were sent.
    pub sent: u64,
    /// Lost of a thousand packets.
    pub lost: u64,
    /// There and back.
    pub round_trip: Option<Duration>,
}

/// What a device may be sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    limit: Option<u64>,
    /// The shortest round trip.
    best: Option<Duration>,
    /// Reports of queues, one after the other.
    delayed: u32,
    /// When it was last cut or grew.
    changed: Time,
    cut: Option<Time>,
    grew: Option<Time>,
    patience: Duration,
}

impl Budget {
    /// Bits a second; `None` while the path has carried all that was sent.
    pub(super) const fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Takes note of a report; `wanted` is what would be sent without a limit. Whether the limit changed.
    pub(super) fn report(&mut self, now: Time, report: PathReport, wanted: u64) -> bool {
        let before = self.limit;
        if self.is_congested(report) {
            self.shrink(now, report);
        } else if let Some(limit) = self.limit
            && now.since(self.changed) >= self.patience
        {
            let limit = limit * MORE / 100;
            self.limit = (limit < wanted.saturating_mul(2)).then_some(limit);
            self.changed = now;
            self.grew = Some(now);
        }
        self.limit != before
    }

    fn is_congested(&mut self, report: PathReport) -> bool {
        let best = match (self.best, report.round_trip) {
            (Some(best), Some(now)) => Some(best.min(now)),
            (best, now) => best.or(now),
        };
        self.best = best;
        let waits = report.round_trip.zip(best).is_some_and(|(now, best)| now > best + DELAY);
        self.delayed = if waits { self.delayed + 1 } else { 0 };
        report.lost > LOSS || self.delayed >= DELAYED
    }

    fn shrink(&mut self, now: Time, report: PathReport) {
        self.changed = now;
        if self.cut.is_some_and(|cut| now.since(cut) < SETTLING) {
            return;
        }
        let failed = self.grew.take().is_some_and(|grew| now.since(grew) < TRIAL);
        self.patience = if failed { (self.patience * 2).min(LONGEST_PATIENCE) } else { FIRST_PATIENCE };
        let arrived = report.sent * 1_000_u64.saturating_sub(report.lost) / 1_000;
        let limit = (arrived * LESS / 100).max(LEAST);
        self.limit = Some(self.limit.map_or(limit, |old| old.min(limit)));
        self.cut = Some(now);
        self.delayed = 0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)] // Tests may panic.
    use super::*;

    const WANTED: u64 = 2_000_000;

    fn report(sent: u64, lost: u64, ms: u64) -> PathReport {
        PathReport { sent, lost, round_trip: Some(Duration::from_millis(ms)) }
    }

    fn second(n: u64) -> Time {
        Time::from_ms(n * 1_000)
    }

    #[test]
    fn med_19_a_path_that_carries_everything_has_no_limit() {
        let mut budget = Budget::default();
        for n in 0..100 {
            assert!(!budget.report(second(n), report(5_000_000, 99, 20 + n % 50), WANTED));
        }
        assert_eq!(budget.limit(), None);
    }

    #[test]
    fn med_19_loss_cuts_the_budget_at_once_and_it_grows_slowly() {
        let mut budget = Budget::default();
        assert!(budget.report(second(1), report(2_000_000, 500, 20), WANTED));
        assert_eq!(budget.limit(), Some(850_000));
        // What was under way is not counted twice.
        assert!(!budget.report(second(2), report(2_000_000, 500, 20), WANTED));
        for n in 3..7 {
            assert!(!budget.report(second(n), report(800_000, 0, 20), WANTED), "second {n}");
        }
        assert!(budget.report(second(7), report(800_000, 0, 20), WANTED));
        assert_eq!(budget.limit(), Some(1_062_500));
        let lifted = (8..100).find(|n| {
            budget.report(second(*n), report(800_000, 0, 20), WANTED);
            budget.limit().is_none()
        });
        assert_eq!(lifted, Some(37), "six more steps");
    }

    #[test]
    fn med_19_a_path_that_does_not_carry_more_is_tried_ever_less() {
        let mut budget = Budget::default();
        budget.report(second(0), report(1_000_000, 300, 20), WANTED);
        let mut grew = Vec::new();
        for n in 1..200 {
            let before = budget.limit();
            // Nothing above 650,000 passes.
            let sent = before.unwrap_or(WANTED);
            let lost = if sent > 650_000 { 200 } else { 0 };
            budget.report(second(n), report(sent, lost, 20), WANTED);
            if budget.limit() > before {
                grew.push(n);
            }
        }
        let pauses: Vec<_> = grew.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.len() > 3 && pauses.windows(3).all(|three| three[0] < three[2]), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause >= 60), "{pauses:?}");
    }

    #[test]
    fn med_19_queues_cut_the_budget_when_they_stay() {
        let mut budget = Budget::default();
        assert!(!budget.report(second(0), report(1_000_000, 0, 30), WANTED));
        assert!(!budget.report(second(1), report(1_000_000, 0, 900), WANTED));
        assert!(!budget.report(second(2), report(1_000_000, 0, 30), WANTED), "a hiccup");
        for n in 3..5 {
            assert!(!budget.report(second(n), report(1_000_000, 0, 900), WANTED));
        }
        assert!(budget.report(second(5), report(1_000_000, 0, 900), WANTED));
        assert_eq!(budget.limit(), Some(850_000));
    }

    #[test]
    fn med_19_sound_and_one_small_picture_are_always_sent() {
        let mut budget = Budget::default();
        budget.report(second(0), report(200_000, 900, 20), WANTED);
        assert_eq!(budget.limit(), Some(LEAST));
    }
}
