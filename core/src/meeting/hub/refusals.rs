//! Refused attempts to enter, told to the members in sums.

use std::collections::BTreeMap;

use super::{Hub, Output, queue::Queued};
use crate::{identity::address::Domain, limits, meeting::Error, time::Time};

/// Counted since members were told last.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    counted: BTreeMap<Domain, u32>,
    told: Option<Time>,
}

impl Hub {
    /// Counts a refused Join, if it is one that members should hear of.
    pub(super) fn refused_join(&mut self, domain: &Domain, error: &Error, now: Time) {
        let untold = matches!(error, Error::UnknownDomain(_));
        let runs = self.room.as_ref().is_some_and(|room| room.is_founded() && !room.is_over());
        if !runs || untold {
            return;
        }
        if self.refusals.counted.contains_key(domain)
            || self.refusals.counted.len() < limits::DOMAINS_REMEMBERED
        {
            *self.refusals.counted.entry(domain.clone()).or_default() += 1;
        }
        self.tell_refusals(now);
    }

    /// Tells at once if nothing was told lately, else later in one sum.
    pub(super) fn tell_refusals(&mut self, now: Time) {
        let lately = self.refusals.told.is_some_and(|told| now.since(told) < limits::REFUSED_NOTICE);
        let Some(session) = self.room.as_ref().map(super::Room::session) else { return };
        if lately || self.refusals.counted.is_empty() {
            return;
        }
        for (domain, times) in std::mem::take(&mut self.refusals.counted) {
            self.queue.push(Queued::Ready(Box::new(Output::RefusedAttempt { session, domain, times })));
        }
        self.refusals.told = Some(now);
    }

    pub(super) fn refusals_deadline(&self) -> Option<Time> {
        let told = self.refusals.told.filter(|_| !self.refusals.counted.is_empty())?;
        Some(told + limits::REFUSED_NOTICE)
    }
}
