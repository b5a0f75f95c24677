//! Which media thread a peer's streams belong to, by what it has announced.

use std::collections::HashMap;

use crate::media::SessionKey;

/// Most streams of a peer whose thread is remembered.
const STREAMS: usize = 65_536;

/// The streams of one link.
#[derive(Debug, Default)]
pub(super) struct Streams {
    threads: HashMap<u32, usize>,
    /// What each session's last list named.
    sessions: HashMap<SessionKey, Vec<u32>>,
}

impl Streams {
    /// A session's streams are these now, as many of them as there is room for; the numbers of its earlier list mean nothing any
    /// more.
    pub(super) fn replace(&mut self, key: SessionKey, thread: usize, mut numbers: Vec<u32>) {
        for old in self.sessions.remove(&key).unwrap_or_default() {
            self.threads.remove(&old);
        }
        numbers.truncate(STREAMS.saturating_sub(self.threads.len()));
        self.threads.extend(numbers.iter().map(|number| (*number, thread)));
        if !numbers.is_empty() {
            self.sessions.insert(key, numbers);
        }
    }

    /// The thread of a stream.
    pub(super) fn thread_of(&self, stream: u32) -> Option<usize> {
        self.threads.get(&stream).copied()
    }
}

#[cfg(test)]
mod tests {
    use conclave_core::ids::{MeetingId, SessionNumber};

    use super::*;

    fn session(number: u64) -> SessionKey {
        SessionKey { meeting: MeetingId::from_bytes([1; 32]), session: SessionNumber(number) }
    }

    #[test]
    fn a_link_that_lives_long_keeps_hearing() {
        let mut streams = Streams::default();
        // Numbers are never used again: each list has new ones.
        for first in (0..10 * 65_536).step_by(512) {
            streams.replace(session(u64::from(first % 3)), 1, (first..first + 512).collect());
        }
        let last = 10 * 65_536 - 1;
        assert_eq!((streams.thread_of(last), streams.thread_of(last - 5 * 512)), (Some(1), None));
        for number in 0..3 {
            streams.replace(session(number), 1, Vec::new());
        }
        assert!(streams.threads.is_empty() && streams.sessions.is_empty());
    }
}
