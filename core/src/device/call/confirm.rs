//! Epochs that nobody else has entered yet: what this member still has to say of them, and the way back.

use std::time::Duration;

use conclave_proto::types::v1 as types;

use super::view::MemberView;
use crate::{
    group::member::Snapshot,
    ids::{Epoch, Sequence},
    limits,
    time::Time,
};

/// How much later each member further from the committer says its word, so that not all speak at once.
const STEP: Duration = Duration::from_millis(150);

/// This member as it was before a commit.
pub(in crate::device) struct Before {
    pub(super) group: Snapshot,
    pub(super) view: MemberView,
}

/// A commit whose epoch is not confirmed.
struct Open {
    commit: Sequence,
    epoch: Epoch,
    before: Before,
}

/// A word on an epoch that is not said yet.
pub(in crate::device) struct Word {
    pub(super) due: Time,
    pub(super) confirm: types::Confirm,
}

/// The unconfirmed epochs, oldest first, and the words to say.
#[derive(Default)]
pub(in crate::device) struct Unconfirmed {
    open: Vec<Open>,
    words: Vec<Word>,
}

impl Unconfirmed {
    /// A commit was merged; `before` is the group before it.
    pub(super) fn started(&mut self, commit: Sequence, epoch: Epoch, before: Before) {
        self.open.push(Open { commit, epoch, before });
    }

    /// Everything up to this epoch stands for good.
    pub(super) fn confirmed(&mut self, epoch: Epoch) {
        self.open.retain(|open| open.epoch > epoch);
        self.words.retain(|word| word.confirm.epoch > epoch.0);
    }

    /// The first commit that is void: gives the member as it was before it, if this member had merged it.
    pub(super) fn voided(&mut self, first: Sequence) -> Option<Before> {
        self.words.retain(|word| word.confirm.commit_sequence < first.0);
        let at = self.open.iter().position(|open| open.commit >= first)?;
        self.open.drain(at..).next().map(|open| open.before)
    }

    /// Says a word later, the later the further the member is from the committer.
    pub(super) fn plan(&mut self, now: Time, rank: u32, confirm: types::Confirm) {
        self.words.push(Word { due: now + STEP * rank, confirm });
    }

    /// Whether an epoch may yet be void.
    pub(super) fn is_open(&self, epoch: Epoch) -> bool {
        self.open.iter().any(|open| open.epoch <= epoch)
    }

    /// Whether the hub would take no further commit before one of these is confirmed.
    pub(super) fn is_deep(&self) -> bool {
        self.open.len() >= limits::UNCONFIRMED_COMMITS
    }

    /// The words that are due.
    pub(super) fn take_due(&mut self, now: Time) -> Vec<types::Confirm> {
        let (due, later) = self.words.drain(..).partition(|word| word.due <= now);
        self.words = later;
        let due: Vec<Word> = due;
        due.into_iter().map(|word| word.confirm).collect()
    }

    /// When the next word is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.words.iter().map(|word| word.due).min()
    }
}
