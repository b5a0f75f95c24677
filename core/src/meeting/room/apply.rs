//! What a checked entry changes.

use std::sync::Arc;

use super::{
    AtEntry, Checked, Effect, Error, Member, Room,
    check::{Change, CheckedCommit},
    epochs::{Before, CheckedVoid, Unconfirmed},
    roster::Roster,
};
use crate::{
    group::Tracker,
    identity::address::DeviceUri,
    ids::{Epoch, Sequence},
    limits,
    meeting::{Error as MeetingError, doors::Departure},
    time::Time,
};

impl Room {
    /// Applies what [`check_next`](Self::check_next) allowed. An error here is a bug: drop the room and replay it.
    pub fn apply(&mut self, checked: Checked) -> Result<Vec<Effect>, MeetingError> {
        let Checked { before, tip, submission, change } = checked;
        if before != self.tip {
            return Err(Error::Bug("an entry was checked against another state").into());
        }
        let was_over = self.is_over();
        let mut effects = self.change(change, tip.sequence, tip.time)?;
        self.tip = tip;
        if let Some((id, author)) = submission {
            self.submissions.insert(id, author, tip.sequence, tip.time);
        }
        if !was_over && self.is_over() {
            effects.extend(self.doors.take_over());
            effects.push(Effect::SessionOver);
        }
        Ok(effects)
    }

    fn change(&mut self, change: Change, sequence: Sequence, now: Time) -> Result<Vec<Effect>, MeetingError> {
        Ok(match change {
            Change::Nothing => Vec::new(),
            Change::Join(join) => self.doors.take_join(sequence, *join),
            Change::Admit { of, admit } => self.doors.take_admit(sequence, of, &admit, now),
            Change::Found { tracker, join } => self.found(*tracker, join, sequence)?,
            Change::Commit(commit) => self.commit(*commit, sequence, now)?,
            Change::Confirm { commit } => self.confirm(commit),
            Change::Void(void) => self.void(&void, sequence, now)?,
            Change::Depart(departure) => self.depart(departure, sequence),
        })
    }

    fn depart(&mut self, departure: Departure, sequence: Sequence) -> Vec<Effect> {
        let gone =
            |member: &&Arc<Member>| departure.devices.contains(&member.device) && !self.has_left(member);
        let left = self.roster.iter().filter(gone).map(|member| left(member));
        let mut effects: Vec<_> = left.collect();
        effects.extend(self.doors.take_departure(sequence, departure));
        effects.extend(self.confirm_alone());
        effects
    }

    /// Nobody else is left to confirm what the only present member committed, and nobody to be stranded by it (spec: LOG-11).
    fn confirm_alone(&mut self) -> Vec<Effect> {
        let mut present = self.present();
        let (Some(alone), None) = (present.next(), present.next()) else { return Vec::new() };
        let own = self.unconfirmed.iter().rev().find(|waiting| waiting.committer == alone.device);
        let last = own.map(|waiting| waiting.commit);
        drop(present);
        last.map(|commit| self.confirm(commit)).unwrap_or_default()
    }

    fn found(
        &mut self,
        tracker: Tracker,
        join: Sequence,
        sequence: Sequence,
    ) -> Result<Vec<Effect>, MeetingError> {
        let leaf = tracker.roster().first().ok_or(Error::Bug("a founded group is empty"))?.leaf;
        let epoch = tracker.epoch();
        self.tracker = Some(tracker);
        let mut effects = vec![Effect::EpochStarted { epoch, sequence }];
        for founder in self.doors.take_added(&[join]) {
            let member = Member::of(&founder, leaf, sequence);
            effects.push(entered(&member, epoch));
            self.roster.insert(member);
        }
        self.stamp(sequence);
        effects.push(Effect::EpochConfirmed { epoch });
        Ok(effects)
    }

    fn commit(
        &mut self,
        commit: CheckedCommit,
        sequence: Sequence,
        now: Time,
    ) -> Result<Vec<Effect>, MeetingError> {
        let CheckedCommit { staged, contents, permitted } = commit;
        let tracker = self.tracker.as_mut().ok_or(Error::Bug("a commit without a group"))?;
        let before =
            Before { tracker: tracker.snapshot(), roster: self.roster.clone(), chain: self.chain.clone() };
        tracker.merge(staged)?;
        let epoch = tracker.epoch();
        let mut effects = vec![Effect::EpochStarted { epoch, sequence }];
        for &leaf in &contents.removes {
            let had_left = self.roster.at(leaf).is_some_and(|member| self.has_left(member));
            let member = self.roster.remove(leaf).ok_or(Error::Bug("a removed leaf was empty"))?;
            effects.push(removed(&member, epoch, sequence, had_left));
        }
        self.roster.update(&contents);
        let added = self.doors.take_added(&permitted.joins);
        let key_packages = added.iter().map(|join| join.view.key_package_ref).collect();
        for join in &added {
            let leaf = self.leaf_in_tree(join.device()).ok_or(Error::Bug("an added device has no leaf"))?;
            let member = Member::of(join, leaf, sequence);
            effects.push(entered(&member, epoch));
            self.roster.insert(member);
        }
        if !added.is_empty() {
            self.keep_tree(epoch)?;
        }
        if let Some(statement) = permitted.statement {
            self.chain.push(statement);
            effects.push(Effect::PolicyChanged(self.chain.tip().clone()));
        }
        effects.extend(self.judge_again(now));
        if !added.is_empty() {
            self.stamp(sequence);
        }
        self.unconfirmed.push_back(Unconfirmed {
            commit: sequence,
            epoch,
            committer: contents.committer_device,
            confirmation_tag: contents.confirmation_tag,
            added: key_packages,
            before,
        });
        effects.extend(self.confirm_alone());
        Ok(effects)
    }

    /// Who is told of its entry later needs what was so then (spec: DEV-03).
    fn stamp(&mut self, commit: Sequence) {
        let stands = AtEntry { open: self.open_sequences(), policy_version: self.chain.version() };
        self.roster.stamp(commit, stands);
    }

    fn leaf_in_tree(&self, device: &DeviceUri) -> Option<crate::ids::LeafIndex> {
        let tracker = self.tracker.as_ref()?;
        tracker.roster().iter().find(|leaf| leaf.device() == device).map(|leaf| leaf.leaf)
    }

    fn keep_tree(&mut self, epoch: Epoch) -> Result<(), MeetingError> {
        if let Some(tracker) = &self.tracker {
            self.trees.insert(epoch, tracker.tree()?.into());
        }
        while self.trees.len() > limits::TREES_KEPT {
            self.trees.pop_first();
        }
        Ok(())
    }

    fn judge_again(&mut self, now: Time) -> Vec<Effect> {
        let Self { doors, chain, roster, .. } = self;
        doors.judge_again(chain.tip(), |device, key| roster.has(device, key), now)
    }

    /// Whoever is in an epoch went through all before it, so they are confirmed too.
    fn confirm(&mut self, commit: Sequence) -> Vec<Effect> {
        let Some(place) = self.unconfirmed.iter().position(|waiting| waiting.commit == commit) else {
            return Vec::new();
        };
        self.unconfirmed
            .drain(..=place)
            .map(|waiting| Effect::EpochConfirmed { epoch: waiting.epoch })
            .collect()
    }

    fn void(
        &mut self,
        void: &CheckedVoid,
        sequence: Sequence,
        now: Time,
    ) -> Result<Vec<Effect>, MeetingError> {
        let place = self.unconfirmed.iter().position(|waiting| waiting.commit == void.commit);
        let place = place.ok_or(Error::Bug("a void commit was not waiting"))?;
        let undone: Vec<_> = self.unconfirmed.drain(place..).collect();
        let before = undone.first().map(|first| first.before.clone()).ok_or(Error::Bug("nothing is void"))?;
        let tracker = self.tracker.as_mut().ok_or(Error::Bug("a Void without a group"))?;
        tracker.restore(&before.tracker)?;
        let now_roster = std::mem::replace(&mut self.roster, before.roster);
        let policy_differs = self.chain.tip() != before.chain.tip();
        self.chain = before.chain;
        self.doors.bar(void.barred.clone());
        self.trees.retain(|epoch, _| *epoch <= void.standing);
        for key_package_ref in undone.iter().flat_map(|undone| &undone.added) {
            self.doors.take_void(*key_package_ref);
        }
        let mut effects = vec![Effect::Voided {
            commit_sequence: void.commit,
            standing_epoch: void.standing,
            barred: void.barred.clone(),
        }];
        effects.extend(self.roster_went_back(&now_roster, void.standing, sequence));
        if policy_differs {
            effects.push(Effect::PolicyChanged(self.chain.tip().clone()));
        }
        effects.extend(self.judge_again(now));
        Ok(effects)
    }

    fn roster_went_back(&self, from: &Roster, standing: Epoch, sequence: Sequence) -> Vec<Effect> {
        let same = |a: Option<&Arc<Member>>, b: &Member| a.is_some_and(|a| a.entered == b.entered);
        let out = from.iter().filter(|member| !same(self.roster.at(member.leaf), member));
        let mut effects: Vec<_> =
            out.map(|member| removed(member, standing, sequence, self.has_left(member))).collect();
        for member in self.roster.iter().filter(|member| !same(from.at(member.leaf), member)) {
            effects.push(entered(member, standing));
            if self.has_left(member) {
                effects.push(left(member));
            }
        }
        effects
    }
}

fn entered(member: &Member, epoch: Epoch) -> Effect {
    Effect::MemberEntered {
        device: member.device.clone(),
        leaf: member.leaf,
        epoch,
        key_package_ref: member.key_package_ref,
        sequence: member.entered,
    }
}

fn left(member: &Member) -> Effect {
    Effect::MemberLeft { device: member.device.clone(), leaf: member.leaf }
}

fn removed(member: &Member, epoch: Epoch, sequence: Sequence, had_left: bool) -> Effect {
    Effect::MemberRemoved { device: member.device.clone(), leaf: member.leaf, epoch, sequence, had_left }
}
