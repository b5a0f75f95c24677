//! Passwords: argon2id, a few at one time, in a queue that ends (spec: OPR-01).
//!
//! A flood of sign-ins takes neither the memory nor the cores that running calls need.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _, password_hash::SaltString};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{Error, Result};
use crate::random;

const CHARACTERS: std::ops::RangeInclusive<usize> = 8..=256;

/// Checks and hashes passwords.
#[derive(Clone)]
pub struct Passwords {
    at_once: Arc<Semaphore>,
    queued: Arc<AtomicUsize>,
    most_queued: usize,
    /// The hash of a password that nobody knows, so that unknown users take as long as known ones (spec: OPR-03).
    decoy: Arc<str>,
}

/// A place in the queue; given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passwords {
    /// `at_once` are worked on, `waiting` more may wait.
    pub fn new(at_once: usize, waiting: usize) -> Result<Self> {
        let decoy = hash(&random::bytes::<16>())?.into();
        let at_once_permits = Arc::new(Semaphore::new(at_once));
        Ok(Self { at_once: at_once_permits, queued: Arc::default(), most_queued: at_once + waiting, decoy })
    }

    /// The hash of a new password, in the PHC format.
    pub async fn hash(&self, password: &str) -> Result<String> {
        if !CHARACTERS.contains(&password.chars().count()) {
            return Err(Error::Password);
        }
        let password = Zeroizing::new(password.to_owned());
        self.work(move || hash(password.as_bytes())).await?
    }

    /// Whether it is the password; `None` stands for a user who does not exist, and takes as long.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        if password.chars().count() > *CHARACTERS.end() {
            return Ok(false);
        }
        let password = Zeroizing::new(password.to_owned());
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.decoy).to_owned();
        self.work(move || {
            let parsed = PasswordHash::new(&hash).map_err(|_| Error::Bug("a stored password hash"))?;
            let same = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(known && same)
        })
        .await?
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let ahead = self.queued.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(&self.queued));
        if ahead >= self.most_queued {
            return Err(Error::Busy);
        }
        let permit = Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| Error::Busy)?;
        // The permit goes along: a caller who hangs up frees nothing before the work is done.
        let work = move || {
            let _until_done = (permit, place);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Error::Bug("hashing a password"))
    }
}

/// The default parameters of the argon2 crate: id, 19 MiB, two passes, one lane, as OWASP advises.
fn hash(password: &[u8]) -> Result<String> {
    let salt = SaltString::encode_b64(&random::bytes::<16>()).map_err(|_| Error::Bug("a salt"))?;
    let hash = Argon2::default().hash_password(password, &salt);
    hash.map(|hash| hash.to_string()).map_err(|_| Error::Bug("hashing a password"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_opens_only_its_own_hash() {
        let passwords = Passwords::new(1, 8).unwrap();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(passwords.verify("correct horse", Some(&hash)).await, Ok(true));
        assert_eq!(passwords.verify("incorrect horse", Some(&hash)).await, Ok(false));
        assert_eq!(passwords.verify("correct horse", None).await, Ok(false));
        assert_eq!(passwords.hash("short").await, Err(Error::Password));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn opr_01_c17_a_flood_of_sign_ins_is_turned_away_and_not_hashed() {
        let passwords = Passwords::new(1, 2).unwrap();
        let flood: Vec<_> = (0..40)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.verify("a wrong password", None).await })
            })
            .collect();
        let mut busy = 0;
        for attempt in flood {
            match attempt.await.unwrap() {
                Err(Error::Busy) => busy += 1,
                other => assert_eq!(other, Ok(false)),
            }
        }
        assert!(busy >= 20, "only {busy} of 40 were turned away");
        assert_eq!(passwords.verify("a wrong password", None).await, Ok(false));
    }
}
