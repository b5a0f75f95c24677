//! Frames of an epoch whose keys are still on their way: kept for a moment, so that a change of the group loses none.
//!
//! Media comes straight from SFU to SFU, the commit through the hub: a sender's first frames under a new key often arrive first.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::connection::Received;

/// How long a frame waits for its keys.
const WAIT: Duration = Duration::from_secs(2);
/// How many wait at most: two seconds of eight tracks.
const MOST: usize = 1_024;

/// The frames that wait, oldest first.
#[derive(Debug, Default)]
pub struct Early {
    held: VecDeque<(Instant, Received)>,
}

impl Early {
    /// Keeps a frame; gives how many older ones were given up for it.
    pub fn hold(&mut self, now: Instant, received: Received) -> u64 {
        let mut given_up = self.give_up(now);
        if self.held.len() >= MOST {
            self.held.pop_front();
            given_up += 1;
        }
        self.held.push_back((now, received));
        given_up
    }

    /// All that wait, to be tried again with new keys.
    pub fn take(&mut self) -> Vec<Received> {
        self.held.drain(..).map(|(_, received)| received).collect()
    }

    /// Forgets what has waited too long; gives how many those were.
    pub fn give_up(&mut self, now: Instant) -> u64 {
        let stale = self.held.iter().take_while(|(since, _)| now.duration_since(*since) > WAIT).count();
        self.held.drain(..stale);
        stale as u64
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Kind;

    fn frame(ticks: u64) -> Received {
        Received { slot: "1".to_owned(), kind: Kind::Audio, stream: 1, ticks, data: vec![1] }
    }

    #[test]
    fn frames_wait_in_order_for_two_seconds_and_not_without_bound() {
        let (mut early, start) = (Early::default(), Instant::now());
        assert_eq!(early.hold(start, frame(1)), 0);
        assert_eq!(early.hold(start + Duration::from_secs(1), frame(2)), 0);
        assert_eq!(early.hold(start + Duration::from_millis(2_500), frame(3)), 1);
        assert_eq!(early.take().iter().map(|frame| frame.ticks).collect::<Vec<_>>(), [2, 3]);
        assert!(early.is_empty());
        let given_up: u64 = (0..2_000).map(|ticks| early.hold(start, frame(ticks))).sum();
        assert_eq!((given_up, early.len()), (2_000 - MOST as u64, MOST));
    }
}
