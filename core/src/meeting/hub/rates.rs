//! How fast members and domains may write (spec: LOG-14).

use std::{collections::HashMap, hash::Hash};

use crate::{
    identity::address::{DeviceUri, Domain},
    limits,
    meeting::log::Kind,
    time::Time,
};

/// Fills with time, empties with use; counts in thousandths.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: u64,
    filled: Time,
}

/// What a bucket holds at most, and what flows in each second.
#[derive(Clone, Copy)]
struct Rate {
    burst: u32,
    per_second: u32,
}

const COMMITS: Rate = Rate { burst: limits::COMMIT_BURST, per_second: limits::COMMITS_PER_SECOND };
const SMALL: Rate = Rate { burst: limits::SMALL_BURST, per_second: limits::SMALL_PER_SECOND };
const MESSAGES: Rate = Rate { burst: limits::MESSAGE_BURST, per_second: limits::MESSAGE_BYTES_PER_SECOND };
const PASSING: Rate = Rate { burst: limits::PASSING_BURST, per_second: limits::PASSING_PER_SECOND };
const JOINS: Rate = Rate { burst: limits::JOIN_BURST, per_second: limits::JOINS_PER_SECOND };
const WORDS: Rate = Rate { burst: limits::WORD_BURST, per_second: limits::WORDS_PER_SECOND };

impl Bucket {
    fn full(rate: Rate, now: Time) -> Self {
        Self { level: u64::from(rate.burst) * 1_000, filled: now }
    }

    /// Takes `cost` out, if it is there.
    fn take(&mut self, rate: Rate, cost: u32, now: Time) -> bool {
        let elapsed = now.as_ms().saturating_sub(self.filled.as_ms());
        let inflow = elapsed.saturating_mul(u64::from(rate.per_second));
        self.level = self.level.saturating_add(inflow).min(u64::from(rate.burst) * 1_000);
        self.filled = self.filled.max(now);
        match self.level.checked_sub(u64::from(cost) * 1_000) {
            Some(rest) => {
                self.level = rest;
                true
            }
            None => false,
        }
    }
}

/// Buckets of one kind, by whom they are for.
#[derive(Debug)]
struct Buckets<K>(HashMap<K, Bucket>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    fn take(&mut self, key: &K, rate: Rate, cost: u32, now: Time) -> bool {
        if let Some(bucket) = self.0.get_mut(key) {
            return bucket.take(rate, cost, now);
        }
        if self.0.len() >= limits::DOMAINS_REMEMBERED.max(limits::MEMBERS) {
            // Whoever was idle long enough to be full again needs no memory.
            self.0.retain(|_, bucket| !bucket.clone().take(rate, rate.burst, now));
        }
        if self.0.len() >= limits::DOMAINS_REMEMBERED.max(limits::MEMBERS) {
            return false;
        }
        let mut bucket = Bucket::full(rate, now);
        let taken = bucket.take(rate, cost, now);
        self.0.insert(key.clone(), bucket);
        taken
    }
}

/// All budgets of one meeting.
#[derive(Debug, Default)]
pub(super) struct Rates {
    commits: Buckets<DeviceUri>,
    messages: Buckets<DeviceUri>,
    passing: Buckets<DeviceUri>,
    small: Buckets<DeviceUri>,
    joins: Buckets<Domain>,
    words: Buckets<Domain>,
}

impl Rates {
    /// Whether a domain may say something of its own devices now, or change the policy from outside.
    pub(super) fn take_word(&mut self, domain: &Domain, now: Time) -> bool {
        self.words.take(domain, WORDS, 1, now)
    }

    /// Whether a device may write an entry of this kind and size now.
    pub(super) fn take(&mut self, device: &DeviceUri, kind: Kind, bytes: usize, now: Time) -> bool {
        match kind {
            Kind::Commit => self.commits.take(device, COMMITS, 1, now),
            Kind::Message => {
                let cost = u32::try_from(bytes).unwrap_or(u32::MAX).max(limits::MESSAGE_COST);
                self.messages.take(device, MESSAGES, cost, now)
            }
            Kind::Passing => self.passing.take(device, PASSING, 1, now),
            Kind::Join => self.joins.take(device.domain(), JOINS, 1, now),
            _ => self.small.take(device, SMALL, 1, now),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    fn device(n: u8) -> DeviceUri {
        DeviceUri::parse(&format!("conclave://north.example/u/alice/d/00000000000000{n:02x}")).unwrap()
    }

    #[test]
    fn log_14_a_commit_storm_is_cut_and_others_are_not() {
        let mut rates = Rates::default();
        let start = Time::from_ms(1_000_000);
        let taken = |rates: &mut Rates, n, ms| {
            rates.take(&device(n), Kind::Commit, 100, Time::from_ms(start.as_ms() + ms))
        };
        // 50 a second for two seconds: the burst, and what flows in.
        let stormed = (0..100).filter(|i| taken(&mut rates, 1, i * 20)).count();
        assert_eq!(stormed, 13);
        assert!(taken(&mut rates, 2, 2_000));
        assert!(taken(&mut rates, 1, 60_000));
    }
}
