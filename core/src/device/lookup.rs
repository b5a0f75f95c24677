//! Descriptors that are missing: what waits for them, and asking again when the connection failed (spec: DEV-13).

use std::time::Duration;

use conclave_proto::{client::v1 as api, types::v1::ErrorReason};
use prost::{Message as _, bytes::Bytes};

use super::{
    Device, Error,
    io::ApiError,
    outbox::{Pending, Work},
    path, stored,
};
use crate::{
    identity::{address::Domain, pins::Change},
    time::Time,
};

/// How long to wait before a look-up is made again; doubled each time.
const RETRY_FIRST: Duration = Duration::from_millis(200);
/// How often it is made again, before what waits for it fails.
const RETRIES: u32 = 5;

/// What waits for descriptors.
#[derive(Default)]
pub(super) struct LookUps {
    waiting: Vec<(Domain, Work)>,
    /// Look-ups that failed for want of a connection: how often, and when to make them again.
    failed: Vec<(Domain, u32, Option<Time>)>,
    /// What is known of this domain is as new as can be had: nothing more is asked for now.
    settled: Option<Domain>,
}

impl LookUps {
    /// All that waits.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&Domain, &Work)> {
        self.waiting.iter().map(|(domain, work)| (domain, work))
    }

    /// When the next one is to be made again.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.failed.iter().filter_map(|(.., at)| *at).min()
    }

    fn take(&mut self, domain: &Domain) -> Vec<Work> {
        self.failed.retain(|(failed, ..)| failed != domain);
        self.take_waiting(domain)
    }

    /// What waits for this descriptor; how often it was looked up in vain stays known.
    fn take_waiting(&mut self, domain: &Domain) -> Vec<Work> {
        self.waiting.extract_if(.., |(waited, _)| waited == domain).map(|(_, work)| work).collect()
    }

    /// What waits for this descriptor and is of no session.
    fn take_others(&mut self, domain: &Domain) -> Vec<Work> {
        let other =
            |(waited, work): &mut (Domain, Work)| waited == domain && !matches!(work, Work::Call { .. });
        self.waiting.extract_if(.., other).map(|(_, work)| work).collect()
    }

    /// Plans to ask again; false if that was done often enough, or nothing waits that can wait longer.
    fn again(&mut self, domain: &Domain, now: Time) -> bool {
        let of_call = |(waited, work): &(Domain, Work)| waited == domain && matches!(work, Work::Call { .. });
        if !self.waiting.iter().any(of_call) {
            return false;
        }
        if !self.failed.iter().any(|(failed, ..)| failed == domain) {
            self.failed.push((domain.clone(), 0, None));
        }
        let Some((_, times, at)) = self.failed.iter_mut().find(|(failed, ..)| failed == domain) else {
            return false;
        };
        if *times >= RETRIES {
            return false;
        }
        *at = Some(now + RETRY_FIRST * 2_u32.pow(*times));
        *times += 1;
        true
    }

    fn take_due(&mut self, now: Time) -> Vec<Domain> {
        let due = self
            .failed
            .iter_mut()
            .filter_map(|(domain, _, at)| at.take_if(|at| *at <= now).map(|_| domain.clone()));
        due.collect()
    }
}

impl Device {
    pub(super) fn wait_for(&mut self, domain: Domain, work: Work) {
        let is_settled = self.look_ups.settled.as_ref() == Some(&domain);
        if !is_settled && self.look_ups.waiting().all(|(waited, _)| *waited != domain) {
            self.look_up_server(domain.clone());
        }
        self.look_ups.waiting.push((domain, work));
    }

    fn look_up_server(&mut self, domain: Domain) {
        let message = api::LookUpServerRequest { domain: domain.to_string() };
        self.out.call(path::LOOK_UP_SERVER, &message, Pending::Server { domain });
    }

    /// A descriptor came: pin it, then do what waited for it; if it cannot be believed, all of that fails.
    pub(super) fn server_found(&mut self, now: Time, domain: &Domain, body: &Bytes) {
        match self.pin(now, domain, body) {
            Ok(Change::Same) => self.nothing_new(now, domain),
            Ok(Change::First | Change::Newer | Change::RootRotated) => {
                for work in self.look_ups.take(domain) {
                    self.work(now, work);
                }
            }
            // DEV-27: nothing waits for what was refused.
            Err(error) => {
                tracing::warn!(%error, "a descriptor is of no use");
                for work in self.look_ups.take(domain) {
                    self.go_without(now, domain, work, error.clone());
                }
            }
        }
    }

    /// The descriptor that came is the one that is pinned: what still lacks something of it, a newer key, waits as if it had not
    /// come (spec: DEV-32).
    fn nothing_new(&mut self, now: Time, domain: &Domain) {
        self.look_ups.settled = Some(domain.clone());
        for work in self.look_ups.take_waiting(domain) {
            self.work(now, work);
        }
        self.look_ups.settled = None;
        if self.look_ups.waiting().all(|(waited, _)| waited != domain) {
            self.look_ups.take(domain);
            return;
        }
        let message = "its descriptor lacks a key that it signs with".to_owned();
        let error = ApiError { reason: ErrorReason::Unavailable, message, retry_after: None };
        self.server_not_found(now, domain, &error);
    }

    fn pin(&mut self, now: Time, domain: &Domain, body: &Bytes) -> Result<Change, Error> {
        let answer = api::LookUpServerResponse::decode(body.clone())?;
        let descriptor = answer.descriptor.ok_or(Error::Malformed)?;
        let change = self.pins.accept(&descriptor, now).map_err(|error| Error::of_fresh(domain, error))?;
        self.out.persist(stored::PINS, Some(self.pins.export()));
        if self.pins.pin(domain).is_none() {
            return Err(Error::HomeServer("it gave another server's descriptor"));
        }
        Ok(change)
    }

    /// It did not come: sessions wait a while longer if the connection failed, everything else fails.
    pub(super) fn server_not_found(&mut self, now: Time, domain: &Domain, error: &ApiError) {
        let lost = matches!(error.reason, ErrorReason::Unavailable | ErrorReason::RateLimited);
        let again = lost && self.look_ups.again(domain, now);
        for work in if again { self.look_ups.take_others(domain) } else { self.look_ups.take(domain) } {
            self.go_without(now, domain, work, Error::Api(error.clone()));
        }
    }

    /// A look shows what is known without this descriptor, if it can (spec: DEV-18); everything else fails.
    fn go_without(&mut self, now: Time, domain: &Domain, mut work: Work, error: Error) {
        if let Work::Answer { pending: Pending::Look { unknown, .. }, .. } = &mut work
            && unknown.insert(domain.clone())
        {
            return self.work(now, work);
        }
        self.failed(&work, error);
    }

    /// Makes again what failed for want of a connection.
    pub(super) fn look_up_again(&mut self, now: Time) {
        for domain in self.look_ups.take_due(now) {
            self.look_up_server(domain);
        }
    }
}
