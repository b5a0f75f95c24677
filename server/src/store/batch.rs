//! What is asked of a store: batches with their conditions, and ranges of keys.

use std::ops::Bound;

/// What a key must hold for a batch to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// There is no such key.
    Absent,
    /// The key holds exactly this.
    Value(Vec<u8>),
}

/// Writes that happen together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    pub(super) conditions: Vec<(Vec<u8>, Expect)>,
    pub(super) changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key.
    #[must_use]
    pub fn put(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.changes.push((key.into(), Some(value.into())));
        self
    }

    /// Removes a key; absent already is fine.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.changes.push((key.into(), None));
        self
    }

    /// Only if there is no such key yet.
    #[must_use]
    pub fn expect_absent(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.conditions.push((key.into(), Expect::Absent));
        self
    }

    /// Only if the key holds exactly this.
    #[must_use]
    pub fn expect_value(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.conditions.push((key.into(), Expect::Value(value.into())));
        self
    }

    /// Only if the key holds what was read before: `None` is absent.
    #[must_use]
    pub fn expect(self, key: impl Into<Vec<u8>>, read: Option<Vec<u8>>) -> Self {
        match read {
            Some(value) => self.expect_value(key, value),
            None => self.expect_absent(key),
        }
    }

    /// Sets a key that must be new.
    #[must_use]
    pub fn create(self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        let key = key.into();
        self.expect_absent(key.clone()).put(key, value)
    }

    /// Both batches as one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.conditions.extend(other.conditions);
        self.changes.extend(other.changes);
        self
    }

    /// Whether it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Where a range begins and ends.
pub(super) type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// A range of keys, and the direction in which it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    start: Bound<Vec<u8>>,
    end: Bound<Vec<u8>>,
    backward: bool,
}

impl Range {
    /// Every key; the store's own, which begin with a zero, are not among them.
    pub fn all() -> Self {
        Self { start: Bound::Included(vec![1]), end: Bound::Unbounded, backward: false }
    }

    /// Every key that begins so.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let start = prefix.into();
        let end = after_prefix(&start).map_or(Bound::Unbounded, Bound::Excluded);
        Self { start: Bound::Included(start), end, backward: false }
    }

    /// The same, from this key on.
    #[must_use]
    pub fn starting_at(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.start = Bound::Included(key.into());
        self
    }

    /// The same, behind this key.
    #[must_use]
    pub fn after(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.start = Bound::Excluded(key.into());
        self
    }

    /// The same, ending before this key.
    #[must_use]
    pub fn before(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.end = Bound::Excluded(key.into());
        self
    }

    /// The same, last key first.
    #[must_use]
    pub const fn backward(mut self) -> Self {
        self.backward = true;
        self
    }

    /// Whether the last key comes first.
    pub(super) const fn is_backward(&self) -> bool {
        self.backward
    }

    /// Its bounds, or nothing if no key can lie between them.
    pub(super) fn bounds(&self) -> Option<Bounds<'_>> {
        let start = self.start.as_ref().map(Vec::as_slice);
        let end = self.end.as_ref().map(Vec::as_slice);
        match (start, end) {
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) if a >= b => {
                None
            }
            bounds => Some(bounds),
        }
    }
}

/// The first key behind every key with this prefix.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_behind_its_last_key() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(after_prefix(&[255]), None);
        assert_eq!(after_prefix(&[]), None);
    }

    #[test]
    fn an_empty_range_has_no_bounds() {
        assert!(Range::prefix("a").starting_at("b").bounds().is_none());
        assert!(Range::prefix("a").starting_at("ab").bounds().is_some());
    }
}
