//! Which submissions are in the log, for as long as their time would let them in again.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use crate::{
    identity::address::Domain,
    ids::{Sequence, SubmissionId},
    limits,
    time::Time,
};

/// Twice the skew is how long after its entry a submission's time can still be near the clock; a minute more for good measure.
const KEPT: Duration = Duration::from_secs(2 * limits::CLOCK_SKEW.as_secs() + 60);

/// The ids of the last minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct Submissions {
    known: HashMap<SubmissionId, (Domain, Sequence, Time)>,
    by_age: VecDeque<(Time, SubmissionId)>,
}

impl Submissions {
    pub(super) fn find(&self, id: &SubmissionId) -> Option<(&Domain, Sequence, Time)> {
        self.known.get(id).map(|(author, sequence, time)| (author, *sequence, *time))
    }

    pub(super) fn insert(&mut self, id: SubmissionId, author: Domain, sequence: Sequence, now: Time) {
        while self.by_age.front().is_some_and(|(time, _)| now.since(*time) > KEPT) {
            if let Some((_, old)) = self.by_age.pop_front() {
                self.known.remove(&old);
            }
        }
        self.by_age.push_back((now, id));
        self.known.insert(id, (author, sequence, now));
    }
}
