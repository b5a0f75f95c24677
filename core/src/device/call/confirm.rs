//! Epochs that nobody else has entered yet: what this member still has to say of them, and the way back.

use std::time::Duration;

use conclave_proto::types::v1 as types;

use super::view::MemberView;
use crate::{
    group::member::Snapshot,
    identity::address::DeviceUri,
    ids::{Epoch, Sequence},
    limits,
    meeting::submission::Confirm,
    time::Time,
};

/// How much later each member further from the committer says its word, so that not all speak at once.
const STEP: Duration = Duration::from_millis(150);

/// How long after a rejection it is said again, if nothing has come of it; doubled up to [`REPEAT_MOST`].
const REPEAT_FIRST: Duration = Duration::from_secs(4);
/// How long between rejections at most.
const REPEAT_MOST: Duration = Duration::from_secs(32);

/// This member as it was before a commit.
pub(in crate::device) struct Before {
    pub(super) group: Snapshot,
    pub(super) view: MemberView,
}

/// A commit that this member merged, and the epoch that it made.
pub(in crate::device) struct Started {
    pub(super) commit: Sequence,
    pub(super) epoch: Epoch,
    pub(super) committer: DeviceUri,
    /// Whether this member made it.
    pub(super) own: bool,
    /// The epoch's confirmation tag, as this member computed it.
    pub(super) tag: Vec<u8>,
    /// This member before it.
    pub(super) before: Before,
}

/// A word on an epoch that is not said yet.
struct Word {
    due: Time,
    confirm: types::Confirm,
    /// When to say it again; a hub that crashed has forgotten it (spec: DEV-07).
    again: Option<Duration>,
}

/// The unconfirmed epochs, oldest first, and the words to say.
#[derive(Default)]
pub(in crate::device) struct Unconfirmed {
    open: Vec<Started>,
    words: Vec<Word>,
}

impl Unconfirmed {
    /// A commit was merged.
    pub(super) fn started(&mut self, started: Started) {
        self.open.push(started);
    }

    /// Whether somebody may confirm an epoch: it is the one that the commit made, by another, with its tag; none if this member
    /// knows no such commit that is open (spec: LOG-11).
    pub(super) fn allows(&self, author: &DeviceUri, confirm: &Confirm) -> Option<bool> {
        let open = self.open.iter().find(|open| open.commit == confirm.commit)?;
        let is_right = open.epoch == confirm.epoch && confirm.confirmation_tag == open.tag;
        Some(is_right && open.committer != *author)
    }

    /// Who made a commit that is open here.
    pub(super) fn committer(&self, commit: Sequence) -> Option<&DeviceUri> {
        self.open.iter().find(|open| open.commit == commit).map(|open| &open.committer)
    }

    /// The last open epoch that this member made.
    pub(super) fn last_own(&self) -> Option<Epoch> {
        self.open.iter().rev().find(|open| open.own).map(|open| open.epoch)
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
        let again = (!confirm.accepted).then_some(REPEAT_FIRST);
        self.words.push(Word { due: now + STEP * rank, confirm, again });
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
        let again = due.iter().filter_map(|word| {
            let (wait, confirm) = (word.again?, word.confirm.clone());
            Some(Word { due: now + wait, confirm, again: Some((wait * 2).min(REPEAT_MOST)) })
        });
        self.words.extend(again);
        due.into_iter().map(|word| word.confirm).collect()
    }

    /// When the next word is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.words.iter().map(|word| word.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(accepted: bool) -> types::Confirm {
        types::Confirm { epoch: 3, commit_sequence: 9, accepted, ..types::Confirm::default() }
    }

    #[test]
    fn dev_07_a_rejection_is_repeated_ever_more_slowly_until_its_epoch_is_decided() {
        for decide in [
            |all: &mut Unconfirmed| all.confirmed(Epoch(3)),
            |all: &mut Unconfirmed| {
                all.voided(Sequence(9));
            },
        ] {
            let mut all = Unconfirmed::default();
            let start = Time::from_ms(1_000_000);
            all.plan(start, 0, word(false));
            let mut said = Vec::new();
            for second in 0..120 {
                let now = start + Duration::from_secs(second);
                said.extend(all.take_due(now).iter().map(|_| second));
            }
            assert_eq!(said, [0, 4, 12, 28, 60, 92]);
            decide(&mut all);
            assert_eq!(all.deadline(), None);
        }
    }

    #[test]
    fn a_confirmation_is_said_once() {
        let mut all = Unconfirmed::default();
        all.plan(Time::from_ms(0), 2, word(true));
        assert!(all.take_due(Time::from_ms(299)).is_empty());
        assert_eq!(all.take_due(Time::from_ms(300)), [word(true)]);
        assert_eq!(all.deadline(), None);
    }
}
