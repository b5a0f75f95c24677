//! How many calls somebody may make: a bucket of tokens for each verified caller (spec: FED-08).

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use conclave_proto::types::v1::ErrorReason;

use crate::refusal::Refusal;

/// Most callers remembered; beyond it, those whose buckets are full again are forgotten.
const CALLERS: usize = 10_000;

/// How fast one caller may go.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Calls at once.
    pub burst: f64,
    /// Calls for each second.
    pub per_second: f64,
}

impl Rate {
    /// So many at once, so many a minute.
    pub const fn per_minute(burst: u32, per_minute: u32) -> Self {
        Self { burst: burst as f64, per_second: per_minute as f64 / 60.0 }
    }

    fn enough(self, tokens: f64, cost: f64) -> Result<(), Refusal> {
        if tokens >= cost {
            return Ok(());
        }
        let wait = Duration::from_secs_f64(((cost - tokens) / self.per_second).min(60.0));
        Err(Refusal::retry(ErrorReason::RateLimited, wait))
    }
}

/// Buckets by caller.
#[derive(Debug)]
pub struct Budget<K> {
    rate: Rate,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    since: Instant,
}

impl<K: Eq + Hash + Clone> Budget<K> {
    /// Every caller starts with a full bucket.
    pub fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::new(HashMap::new()) }
    }

    /// Whether `cost` tokens are there, or when they will be; takes none.
    pub fn check(&self, caller: &K, cost: f64, now: Instant) -> Result<(), Refusal> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = buckets.get(caller).map_or(self.rate.burst, |bucket| bucket.at(now, self.rate));
        self.rate.enough(tokens, cost)
    }

    /// Takes `cost` tokens, or says when there will be enough.
    pub fn spend(&self, caller: &K, cost: f64, now: Instant) -> Result<(), Refusal> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CALLERS && !buckets.contains_key(caller) {
            buckets.retain(|_, bucket| bucket.at(now, self.rate) < self.rate.burst);
            if buckets.len() >= CALLERS {
                return Err(Refusal::retry(ErrorReason::RateLimited, Duration::from_secs(1)));
            }
        }
        let bucket = buckets.entry(caller.clone()).or_insert(Bucket { tokens: self.rate.burst, since: now });
        let tokens = bucket.at(now, self.rate);
        self.rate.enough(tokens, cost)?;
        *bucket = Bucket { tokens: tokens - cost, since: now };
        Ok(())
    }
}

impl Bucket {
    fn at(&self, now: Instant, rate: Rate) -> f64 {
        let refilled = now.saturating_duration_since(self.since).as_secs_f64() * rate.per_second;
        (self.tokens + refilled).min(rate.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fed_08_a_caller_has_a_budget_of_its_own_that_refills() {
        let budget = Budget::new(Rate { burst: 3.0, per_second: 2.0 });
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(budget.spend(&"a", 1.0, start), Ok(()));
        }
        let refused = budget.spend(&"a", 1.0, start);
        assert_eq!(refused, Err(Refusal::retry(ErrorReason::RateLimited, Duration::from_millis(500))));
        assert!(budget.check(&"a", 1.0, start).is_err());
        assert_eq!(budget.check(&"b", 1.0, start), Ok(()));
        assert_eq!(budget.spend(&"b", 1.0, start), Ok(()), "another caller is not affected");
        assert_eq!(budget.spend(&"a", 1.0, start + Duration::from_millis(500)), Ok(()));
    }
}
