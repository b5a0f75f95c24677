//! One reader of one log, at its own pace: what comes next for it.

use std::collections::VecDeque;

/// Something for a reader. It takes effect once the log up to `after` has been handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<T> {
    /// The tip when the note was written; 0: at once.
    pub after: u64,
    /// What it says.
    pub what: What<T>,
}

/// What a note says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What<T> {
    /// Hand this out.
    Item(T),
    /// The device is in: hand out the log from here on.
    Enter(u64),
    /// Hand out this, and end the stream; nothing of the log after the note's tip goes out.
    Last(Option<T>),
}

impl<T> What<T> {
    /// Whether nothing comes after it.
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Last(_))
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// Nothing, until the log grows or a note comes.
    Wait,
    /// Hand this out.
    Hand(T),
    /// Hand out entries from `next` on and none after `limit`, and say so by [`handed_out`](Reader::handed_out) or
    /// [`nothing_there`](Reader::nothing_there).
    Read {
        /// The first one wanted.
        next: u64,
        /// The last one that may go out.
        limit: Option<u64>,
    },
    /// Hand this out, and end the stream.
    End(Option<T>),
}

/// One reader.
#[derive(Clone, Debug)]
pub struct Reader<T> {
    /// The next sequence wanted; `None` until the device is in.
    cursor: Option<u64>,
    due: VecDeque<Note<T>>,
}

impl<T> Reader<T> {
    /// A reader that starts at `cursor`, or with notes alone.
    pub const fn new(cursor: Option<u64>) -> Self {
        Self { cursor, due: VecDeque::new() }
    }

    /// Takes a note in.
    pub fn note(&mut self, note: Note<T>) {
        self.due.push_back(note);
    }

    /// What comes next, with the log as long as `tip`.
    pub fn step(&mut self, tip: u64) -> Step<T> {
        while let Some(note) = self.due.pop_front_if(|note| self.cursor.is_none_or(|next| next > note.after))
        {
            match note.what {
                What::Item(item) => return Step::Hand(item),
                What::Last(item) => return Step::End(item),
                What::Enter(sequence) => {
                    self.cursor = Some(self.cursor.map_or(sequence, |at| at.max(sequence)));
                }
            }
        }
        match self.cursor {
            Some(next) if next <= tip => {
                let last = self.due.iter().find(|note| note.what.is_last());
                Step::Read { next, limit: last.map(|note| note.after) }
            }
            _ => Step::Wait,
        }
    }

    /// So many entries went out.
    pub fn handed_out(&mut self, entries: usize) {
        let entries = u64::try_from(entries).unwrap_or(u64::MAX);
        self.cursor = self.cursor.map(|next| next.saturating_add(entries));
    }

    /// The log may end for this reader inside a batch, whose rest has no head of its own: it stays untold.
    pub fn nothing_there(&mut self, tip: u64) -> Step<T> {
        let last = self.due.iter().position(|note| note.after <= tip && note.what.is_last());
        match last.and_then(|last| self.due.remove(last)) {
            Some(Note { what: What::Last(item), .. }) => Step::End(item),
            _ => Step::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(after: u64, what: What<&'static str>) -> Note<&'static str> {
        Note { after, what }
    }

    #[test]
    fn notes_come_when_the_log_before_them_is_out() {
        let mut reader = Reader::new(Some(1));
        reader.note(note(2, What::Item("after two")));
        assert_eq!(reader.step(3), Step::Read { next: 1, limit: None });
        reader.handed_out(1);
        assert_eq!(reader.step(3), Step::Read { next: 2, limit: None });
        reader.handed_out(1);
        assert_eq!(reader.step(3), Step::Hand("after two"));
        assert_eq!(reader.step(3), Step::Read { next: 3, limit: None });
        reader.handed_out(1);
        assert_eq!(reader.step(3), Step::Wait);
    }

    #[test]
    fn a_device_that_is_not_in_gets_notes_and_no_entry() {
        let mut reader = Reader::new(None);
        assert_eq!(reader.step(9), Step::Wait);
        reader.note(note(7, What::Item("waiting")));
        assert_eq!(reader.step(9), Step::Hand("waiting"));
        reader.note(note(0, What::Enter(8)));
        assert_eq!(reader.step(9), Step::Read { next: 8, limit: None });
    }

    #[test]
    fn nothing_goes_out_after_the_place_of_the_last_note() {
        let mut reader = Reader::new(Some(2));
        reader.note(note(0, What::Item("first")));
        reader.note(note(3, What::Last(Some("removed"))));
        assert_eq!(reader.step(9), Step::Hand("first"));
        assert_eq!(reader.step(9), Step::Read { next: 2, limit: Some(3) });
        // Entries 2 and 3 are inside a batch that ends later: they have no head to go out with.
        assert_eq!(reader.nothing_there(2), Step::Wait, "the last entry is not durable yet");
        assert_eq!(reader.nothing_there(9), Step::End(Some("removed")));
    }

    #[test]
    fn a_reader_never_goes_back() {
        let mut reader: Reader<()> = Reader::new(Some(5));
        reader.note(Note { after: 0, what: What::Enter(3) });
        assert_eq!(reader.step(9), Step::Read { next: 5, limit: None });
    }
}
