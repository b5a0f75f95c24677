//! How often somebody may guess: a bucket of attempts for each user and for each address (spec: OPR-02).
//!
//! A right password gives its attempt back, so only guessing uses a bucket up. Time is given.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Error, Result};

const USERS: Bucket = Bucket { attempts: 10, refill: Duration::from_secs(15) };
const ADDRESSES: Bucket = Bucket { attempts: 30, refill: Duration::from_secs(2) };
/// Buckets kept; the fullest go first.
const BUCKETS: usize = 50_000;

#[derive(Clone, Copy)]
struct Bucket {
    attempts: u32,
    refill: Duration,
}

/// Attempts to sign in.
pub struct Throttle {
    users: Buckets<String>,
    addresses: Buckets<IpAddr>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { users: Buckets::new(USERS), addresses: Buckets::new(ADDRESSES) }
    }
}

impl Throttle {
    /// Takes an attempt from both buckets, or says how long to wait.
    pub fn attempt(&self, user: &str, from: IpAddr, now: Instant) -> Result<()> {
        self.addresses.take(network(from), now)?;
        self.users.take(user.to_owned(), now)
    }

    /// Gives an attempt back: the password was right.
    pub fn succeeded(&self, user: &str, from: IpAddr) {
        self.addresses.give_back(&network(from));
        self.users.give_back(&user.to_owned());
    }
}

/// One person has a /64 of IPv6, and IPv4 written as IPv6 is IPv4.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// For each key, when its bucket will be full again.
struct Buckets<K> {
    bucket: Bucket,
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(bucket: Bucket) -> Self {
        Self { bucket, full_at: Mutex::default() }
    }

    fn take(&self, key: K, now: Instant) -> Result<()> {
        let Bucket { attempts, refill } = self.bucket;
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= BUCKETS && !full_at.contains_key(&key) {
            full_at.retain(|_, at| *at > now);
            if full_at.len() >= BUCKETS {
                return Err(Error::Throttled(refill));
            }
        }
        let full = full_at.get(&key).copied().unwrap_or(now).max(now) + refill;
        let wait = (full - now).saturating_sub(refill * attempts);
        if wait > Duration::ZERO {
            return Err(Error::Throttled(wait));
        }
        full_at.insert(key, full);
        Ok(())
    }

    fn give_back(&self, key: &K) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = full_at.get_mut(key) {
            *at = at.checked_sub(self.bucket.refill).unwrap_or(*at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn opr_02_c17_guessing_one_user_from_many_addresses_is_throttled() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for host in 0..10 {
            let from = IpAddr::from([192, 0, 2, host]);
            assert_eq!(throttle.attempt("alice", from, now), Ok(()));
        }
        assert_eq!(throttle.attempt("alice", HERE, now), Err(Error::Throttled(USERS.refill)));
        assert_eq!(throttle.attempt("bob", HERE, now), Ok(()));
        assert_eq!(throttle.attempt("alice", HERE, now + USERS.refill), Ok(()));
    }

    #[test]
    fn opr_02_c17_spraying_many_users_from_one_address_is_throttled() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let sprayed = (0..100).filter(|user| throttle.attempt(&format!("u{user}"), HERE, now).is_ok());
        assert_eq!(sprayed.count(), 30);
        let v6 = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, host]);
        let sprayed = (0..100).filter(|user| throttle.attempt(&format!("v{user}"), v6(*user), now).is_ok());
        assert_eq!(sprayed.count(), 30);
    }

    #[test]
    fn opr_02_right_passwords_use_nothing_up() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..100 {
            assert_eq!(throttle.attempt("alice", HERE, now), Ok(()));
            throttle.succeeded("alice", HERE);
        }
    }
}
