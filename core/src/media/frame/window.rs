//! Which counters were seen: a sliding window over the highest.

/// How far behind the highest counter a frame may come.
pub(crate) const WIDTH: u64 = 128;

/// The counters seen under one key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// The highest seen plus one; 0 before the first.
    next: u128,
    /// Bit `i` stands for the counter `next - 1 - i`.
    seen: u128,
}

impl Window {
    /// Whether a counter is new and not too old (spec: MED-07).
    pub(crate) fn is_fresh(&self, counter: u64) -> bool {
        let counter = u128::from(counter);
        if counter >= self.next {
            return true;
        }
        let behind = self.next - 1 - counter;
        behind < u128::from(WIDTH) && self.seen >> behind & 1 == 0
    }

    /// Marks a counter as seen; only after its frame was authenticated.
    pub(crate) fn mark(&mut self, counter: u64) {
        let counter = u128::from(counter);
        if counter >= self.next {
            let ahead = u32::try_from(counter + 1 - self.next).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.next = counter + 1;
        } else if let Ok(behind) = u32::try_from(self.next - 1 - counter) {
            self.seen |= 1_u128.checked_shl(behind).unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn med_07_each_counter_counts_once_within_the_window() {
        let mut window = Window::default();
        for counter in [0, 1, 5, 3, 200, 100, u64::MAX] {
            assert!(window.is_fresh(counter), "{counter}");
            window.mark(counter);
            assert!(!window.is_fresh(counter), "{counter}");
        }
        assert!(!window.is_fresh(4));
        assert!(!window.is_fresh(u64::MAX - WIDTH));
        assert!(window.is_fresh(u64::MAX - WIDTH + 1));
    }
}
