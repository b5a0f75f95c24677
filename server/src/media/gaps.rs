//! The numbers of a stream from which packets are left out: what goes on is numbered without a gap.

use std::collections::VecDeque;

/// Most runs of left out packets that are remembered, for packets that come late: some seconds.
const RUNS: usize = 64;

/// Which packets were left out lately.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// One more than the highest number so far.
    next: u64,
    /// The oldest first.
    runs: VecDeque<Run>,
    /// Where the last forgotten run ended.
    forgotten: u64,
    /// The frame that was left out last.
    frame: u16,
}

/// Packets left out, one after the other.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: u64,
    end: u64,
    /// How many were left out before.
    before: u64,
}

impl Run {
    /// How many were left out up to its end.
    const fn total(&self) -> u64 {
        self.before + (self.end - self.start)
    }
}

impl Gaps {
    /// Whether no packet of this number or a higher one came before.
    pub(super) const fn is_next(&self, number: u64) -> bool {
        number >= self.next
    }

    /// Leaves out a packet that is the next; packets of its frame that were lost before it are left out too.
    pub(super) fn leave_out(&mut self, number: u64, frame: u16) {
        match self.runs.back_mut() {
            Some(run) if run.end == number || (run.end == self.next && self.frame == frame) => {
                run.end = number + 1;
            }
            last => {
                let before = last.map_or(0, |run| run.total());
                if self.runs.len() == RUNS {
                    self.forgotten = self.runs.pop_front().map_or(0, |run| run.end);
                }
                self.runs.push_back(Run { start: number, end: number + 1, before });
            }
        }
        self.next = number + 1;
        self.frame = frame;
    }

    /// The number of a packet that goes on; `None` if it was left out, or is too late to tell. A late one goes on if its place was
    /// kept, whatever it holds: the place must be filled.
    pub(super) fn place(&mut self, number: u64) -> Option<u64> {
        self.next = self.next.max(number + 1);
        for run in self.runs.iter().rev() {
            if number >= run.end {
                return Some(number - run.total());
            }
            if number >= run.start {
                return None;
            }
        }
        let before = self.runs.front().map_or(0, |run| run.before);
        (number >= self.forgotten).then(|| number - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn med_27_what_goes_on_is_numbered_without_a_gap() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.place(0), Some(0));
        gaps.leave_out(1, 10);
        gaps.leave_out(2, 10);
        assert_eq!(gaps.place(3), Some(1));
        gaps.leave_out(4, 12);
        // Number 5 comes late; 6 is another frame's.
        gaps.leave_out(6, 13);
        assert!(gaps.is_next(7) && !gaps.is_next(6));
        assert_eq!(gaps.place(7), Some(3));
        assert_eq!(gaps.place(5), Some(2), "its place was kept");
        assert_eq!(gaps.place(3), Some(1), "the same again");
        assert_eq!([1, 2, 4, 6].map(|left_out| gaps.place(left_out)), [None; 4]);
    }

    #[test]
    fn med_27_what_was_lost_of_a_left_out_frame_leaves_no_gap() {
        let mut gaps = Gaps::default();
        gaps.leave_out(0, 7);
        gaps.leave_out(3, 7);
        assert_eq!(gaps.place(4), Some(0));
        assert_eq!(gaps.place(2), None);
    }

    #[test]
    fn old_runs_are_forgotten_and_what_is_older_has_no_place() {
        let mut gaps = Gaps::default();
        for n in 0..1_000 {
            assert_eq!(gaps.place(2 * n), Some(n));
            gaps.leave_out(2 * n + 1, 0);
        }
        assert_eq!(gaps.runs.len(), RUNS);
        assert_eq!(gaps.place(1_998), Some(999));
        assert_eq!(gaps.place(1_900), Some(950));
        assert_eq!(gaps.place(100), None);
    }
}
