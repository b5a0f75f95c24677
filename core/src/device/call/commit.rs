//! Commits of the log: checked by the same rules as the servers', then merged, and judged for all to see.

use conclave_proto::types::v1 as types;
use prost::Message;

use super::{Call, Inside, change::Wanted, confirm::Started, view};
use crate::{
    device::{
        Device, Error,
        command::MeetingAddress,
        event::{CallEvent, Done, Over},
    },
    group::{self, CommitContents, member::Staged},
    identity::{
        address::DeviceUri,
        pins::Pins,
        signed::{self, Label},
    },
    ids::{LeafIndex, Sequence},
    meeting::{
        self,
        commit_rules::{self, Permitted, RulesView as _},
        log::Entry,
        room::Effect,
        submission::{Confirm, Submission},
        trust::Trust,
    },
    time::Time,
};

/// A commit that may be merged.
struct Judged {
    staged: Staged,
    contents: CommitContents,
    permitted: Permitted,
}

impl Device {
    /// A commit stands in the log: it is merged only if the rules allow it (spec: DEV-06).
    pub(super) fn commit(&mut self, now: Time, meeting: &MeetingAddress, entry: &Entry) -> Result<(), Error> {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return Ok(()) };
        if inside.rejected.is_some() {
            return Ok(());
        }
        let (signed, submission) = view::read(entry)?;
        let mine = inside.committing.take_if(|committing| committing.submission == submission.id);
        if mine.is_none() {
            inside.give_way()?;
        }
        let judged = match inside.judge(entry, &signed, &submission, &self.pins) {
            Ok(judged) => judged,
            Err(Error::UnknownDomain(domain)) => {
                inside.committing = mine;
                return Err(Error::UnknownDomain(domain));
            }
            Err(error) => {
                tracing::warn!(%error, sequence = entry.sequence().0, "a commit in the log is not allowed");
                inside.reject(now, entry, &submission);
                let by = submission.device.user().clone();
                let refused = Error::ChangeRefused { by, why: Box::new(error) };
                self.tell(meeting, CallEvent::Alarm(refused));
                return Ok(());
            }
        };
        let change = inside.merge(now, entry, judged)?;
        let wanted = mine.map(|committing| self.committed(meeting, committing));
        self.tell_change(now, meeting, change);
        if let Some(Wanted::Rules { request, .. }) = wanted {
            self.done(request, Ok(Done::Plain));
        }
        Ok(())
    }

    fn tell_change(&mut self, now: Time, meeting: &MeetingAddress, change: Change) {
        for effect in change.effects {
            self.tell_effect(meeting, effect);
        }
        if change.policy_changed {
            self.tell_policy(meeting);
        }
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        if !inside.member.is_active() {
            return self.over(meeting, Over::Removed);
        }
        if inside.view.ended() {
            return self.over(meeting, Over::Ended);
        }
        self.tell_group(now, meeting, change.removed);
        for device in change.lowered {
            self.tell(meeting, CallEvent::Hand { device, raised: None });
        }
        for device in change.absent {
            self.tell(meeting, CallEvent::Away { device, away: false });
        }
        if change.added {
            self.say_again(now, meeting);
            self.spare_the_wait(now, meeting);
        }
    }

    /// What changed at the door.
    pub(super) fn tell_effect(&mut self, meeting: &MeetingAddress, effect: Effect) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        match effect {
            Effect::Waiting { device, key_package_ref, .. } => {
                inside.waiting.insert(device.clone(), key_package_ref);
                self.tell(meeting, CallEvent::Waiting(device));
            }
            Effect::JoinOpen { device, .. }
            | Effect::Denied { device, .. }
            | Effect::JoinLapsed { device, .. } => {
                let waited = inside.waiting.remove(&device).is_some();
                if waited {
                    self.tell(meeting, CallEvent::WaitingEnded(device));
                }
            }
            _ => {}
        }
    }

    /// A member's word on an epoch stands in the log.
    pub(super) fn confirmed(&mut self, meeting: &MeetingAddress, entry: &Entry) -> Result<(), Error> {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return Ok(()) };
        let (signed, submission) = view::read(entry)?;
        inside.view.check_author(&signed, &submission)?;
        let confirm = Confirm::read(&submission, inside.member.group_id()?).map_err(meeting::Error::from)?;
        if !confirm.accepted {
            return Ok(());
        }
        match inside.unconfirmed.allows(&submission.device, &confirm) {
            Some(true) => {
                inside.unconfirmed.confirmed(confirm.epoch);
                inside.outgoing.confirmed(confirm.epoch);
            }
            Some(false) => return Err(Error::HomeServer("somebody confirmed an epoch who may not")),
            None => {}
        }
        if inside.rejected.as_ref().is_some_and(|rejected| rejected.stands_by(&submission.device, &confirm)) {
            self.others_went_on(meeting);
        }
        Ok(())
    }

    /// The hub took commits back, as members asked (spec: DEV-12).
    pub(super) fn voided(&mut self, now: Time, meeting: &MeetingAddress, entry: &Entry) -> Result<(), Error> {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return Ok(()) };
        let void = types::Void::decode(entry.content().clone())?;
        let barred = DeviceUri::parse(&void.barred_device)?;
        if !inside.asked_for(&void) {
            return Err(Error::HomeServer("the hub took a commit back that no member had rejected"));
        }
        let first = Sequence(void.commit_sequence);
        // LOG-12: only who made the commit is barred.
        let known = inside.rejected.as_ref().and_then(|rejected| rejected.committer(first));
        if known.or(inside.unconfirmed.committer(first)).is_some_and(|committer| *committer != barred) {
            return Err(Error::HomeServer("the hub bars another device than the one that made the commit"));
        }
        inside.rejected.take_if(|rejected| rejected.falls_with(first));
        let before = inside.unconfirmed.voided(first);
        let went_back = before.is_some();
        let mut effects = Vec::new();
        if let Some(before) = before {
            inside.give_way()?;
            inside.member.restore(&before.group)?;
            effects = inside.view.go_back(before.view, entry.header().time);
        }
        inside.view.bar(barred.clone());
        inside.outgoing.voided(crate::ids::Epoch(void.standing_epoch));
        self.tell(meeting, CallEvent::Voided { by: barred });
        for effect in effects {
            self.tell_effect(meeting, effect);
        }
        if went_back {
            self.tell_policy(meeting);
        }
        self.tell_group(now, meeting, Vec::new());
        Ok(())
    }
}

/// What a merged commit changed.
struct Change {
    effects: Vec<Effect>,
    removed: Vec<LeafIndex>,
    /// Hands of devices that are gone.
    lowered: Vec<DeviceUri>,
    /// Devices that are gone and could not be reached before.
    absent: Vec<DeviceUri>,
    added: bool,
    policy_changed: bool,
}

impl Inside {
    /// Checks a commit that this member is about to hand in, as everybody else will.
    pub(super) fn check(&self, now: Time, contents: &CommitContents, pins: &Pins) -> Result<(), Error> {
        commit_rules::check(&self.view, contents, Trust::Verify(pins), now)?;
        Ok(())
    }

    /// Another commit came first: the own one is dropped, and made anew on the new epoch if it is still wanted.
    fn give_way(&mut self) -> Result<(), group::Error> {
        if let Some(committing) = self.committing.take() {
            self.wanted.push_front(committing.wanted);
        }
        self.member.drop_own()
    }

    fn judge(
        &mut self,
        entry: &Entry,
        signed: &types::Signed,
        submission: &Submission,
        pins: &Pins,
    ) -> Result<Judged, Error> {
        self.view.check_author(signed, submission)?;
        let commit = types::Commit::decode(submission.content.clone())?;
        let Some(types::commit::Change::Handshake(handshake)) = commit.change else {
            return Err(Error::HomeServer("the session was founded twice"));
        };
        let (staged, contents) = self.member.stage(&handshake)?;
        if contents.committer_device != submission.device {
            return Err(meeting::Error::from(commit_rules::Error::NotMember).into());
        }
        let permitted = commit_rules::check(&self.view, &contents, Trust::Verify(pins), entry.header().time)?;
        Ok(Judged { staged, contents, permitted })
    }

    fn merge(&mut self, now: Time, entry: &Entry, judged: Judged) -> Result<Change, Error> {
        let Judged { staged, contents, permitted } = judged;
        let before = super::confirm::Before { group: self.member.snapshot(), view: self.view.clone() };
        let policy_changed = permitted.statement.is_some();
        let gone = contents.removes.iter().filter_map(|leaf| self.view.member(*leaf));
        let gone: Vec<_> = gone.map(|facts| facts.device).collect();
        for device in &gone {
            self.typing.forget(device);
        }
        let absent = gone.iter().filter(|device| self.away.forget(device)).cloned().collect();
        let lowered = gone.into_iter().filter(|device| self.hands.forget(device)).collect();
        self.member.merge(staged)?;
        let (sequence, time) = (entry.sequence(), entry.header().time);
        let effects = self.view.merged(sequence, &contents, permitted, self.member.roster(), time);
        for added in &contents.adds {
            self.waiting.remove(added.device());
        }
        if self.member.is_active() && self.member.roster().len() > 1 {
            let started = Started {
                commit: sequence,
                epoch: self.member.epoch(),
                committer: contents.committer_device.clone(),
                own: contents.committer == self.member.own_leaf(),
                tag: self.member.confirmation_tag()?,
                before,
            };
            self.unconfirmed.started(started);
            self.judge_aloud(now, sequence, contents.committer)?;
        } else {
            self.unconfirmed.confirmed(self.member.epoch());
        }
        self.confirm_alone();
        let (removed, added) = (contents.removes, !contents.adds.is_empty());
        Ok(Change { effects, removed, lowered, absent, added, policy_changed })
    }

    /// What this member committed stands once nobody else is present (spec: LOG-11).
    pub(super) fn confirm_alone(&mut self) {
        let alone = self.view.is_alone(self.member.own_leaf());
        if let Some(epoch) = self.unconfirmed.last_own().filter(|_| alone) {
            self.unconfirmed.confirmed(epoch);
            self.outgoing.confirmed(epoch);
        }
    }

    /// Plans to say that this member entered the epoch; the nearest after the committer speaks first (spec: DEV-10).
    pub(super) fn judge_aloud(
        &mut self,
        now: Time,
        commit: Sequence,
        committer: LeafIndex,
    ) -> Result<(), Error> {
        let own = self.member.own_leaf();
        if committer == own {
            return Ok(());
        }
        let leaves = self.member.roster().iter().map(|member| member.leaf);
        let between = |leaf: &LeafIndex| {
            let (after, before) = (*leaf > committer, *leaf < own);
            if committer < own { after && before } else { after || before }
        };
        let rank = leaves.filter(between).count();
        let confirm = types::Confirm {
            group_id: super::id_bytes(self.member.group_id()?.as_bytes()),
            epoch: self.member.epoch().0,
            accepted: true,
            confirmation_tag: self.member.confirmation_tag()?.into(),
            commit_sequence: commit.0,
        };
        self.unconfirmed.plan(now, u32::try_from(rank).unwrap_or(u32::MAX).min(20), confirm);
        Ok(())
    }

    /// Whether a member's signed rejection is among the reasons of a Void.
    fn asked_for(&self, void: &types::Void) -> bool {
        void.rejections.iter().any(|rejection| {
            let Ok(submission) = Submission::read(rejection) else { return false };
            let judged = types::Confirm::decode(submission.content.clone());
            let rejects = judged
                .is_ok_and(|confirm| !confirm.accepted && confirm.commit_sequence >= void.commit_sequence);
            let author = self.view.key_of(&submission.device);
            rejects && author.is_some_and(|key| signed::verify(Label::Submission, rejection, &key).is_ok())
        })
    }
}
