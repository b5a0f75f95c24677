//! When the frames of a clip are due: at their own pace, round after round, as a camera or microphone would give them.

use std::time::{Duration, Instant};

use super::{Clip, Frame};

/// A clip that is being sent.
#[derive(Debug)]
pub struct Pace {
    clip: Clip,
    began: Instant,
    next: usize,
    round: u64,
}

impl Pace {
    /// Starts the clip now.
    pub const fn new(clip: Clip, now: Instant) -> Self {
        Self { clip, began: now, next: 0, round: 0 }
    }

    /// When the next frame is due.
    pub fn due(&self) -> Instant {
        self.began + self.time_of(self.ticks())
    }

    /// The next frame with its RTP time, if it is due; frames more than `late` overdue are skipped, as a camera's would be.
    pub fn take(&mut self, now: Instant, late: Duration) -> Option<(u64, &Frame)> {
        while self.due() + late < now {
            self.advance();
        }
        if self.due() > now {
            return None;
        }
        let (ticks, taken) = (self.ticks(), self.next);
        self.advance();
        Some((ticks, self.clip.frames.get(taken)?))
    }

    fn ticks(&self) -> u64 {
        self.round * self.clip.length + self.clip.frames.get(self.next).map_or(0, |frame| frame.ticks)
    }

    fn advance(&mut self) {
        self.next += 1;
        if self.next >= self.clip.frames.len() {
            self.next = 0;
            self.round += 1;
        }
    }

    fn time_of(&self, ticks: u64) -> Duration {
        let rate = u64::from(self.clip.kind.clock_rate());
        Duration::from_secs(ticks / rate) + Duration::from_nanos(ticks % rate * 1_000_000_000 / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{ogg, probe};

    const LATE: Duration = Duration::from_millis(200);

    #[test]
    fn frames_come_when_they_are_due_and_the_clip_goes_round() {
        let start = Instant::now();
        let clip = ogg::read(&probe::clip("speech.ogg")).unwrap();
        let mut pace = Pace::new(clip.clone(), start);
        for (index, sent) in (0..2_000_u64).zip(clip.frames.iter().cycle()) {
            assert_eq!(pace.due(), start + Duration::from_millis(index * 20));
            assert!(
                pace.take(start + Duration::from_millis(index * 20 - 1.min(index)), LATE).is_none()
                    || index == 0
            );
            if index > 0 {
                let (ticks, frame) = pace.take(pace.due(), LATE).unwrap();
                assert_eq!(ticks, index * 960);
                assert_eq!(frame.payload, sent.payload);
            }
        }
    }

    #[test]
    fn after_a_pause_it_goes_on_where_it_would_be() {
        let start = Instant::now();
        let mut pace = Pace::new(ogg::read(&probe::clip("speech.ogg")).unwrap(), start);
        let (ticks, _) = pace.take(start + Duration::from_secs(30), LATE).unwrap();
        assert_eq!(ticks, (30_000 - 200) / 20 * 960);
    }
}
