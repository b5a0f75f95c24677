//! A session's state, folded from its log; the same code at hub and follower.
//!
//! `check_next` decides, `apply` changes; what was checked and stored before is replayed the same way.

mod apply;
mod check;
mod effect;
mod epochs;
mod error;
mod roster;
mod submissions;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

pub use self::{
    check::Checked,
    effect::Effect,
    error::Error,
    roster::{AtEntry, Member},
};
use self::{epochs::Unconfirmed, roster::Roster, submissions::Submissions};
use super::{
    Error as MeetingError,
    commit_rules::{MemberFacts, RulesView},
    doors::{Doors, Fate, OpenJoin},
    log::{Entry, Term, Tip, group_id},
    policy::{Policy, PolicyChain},
    record::Record,
    trust::Trust,
};
use crate::{
    group::Tracker,
    identity::address::{DeviceUri, Domain},
    ids::{Epoch, GroupId, KeyPackageRef, LeafIndex, Sequence, SessionNumber, SubmissionId},
    time::Time,
};

/// One session as its log tells it.
#[derive(Debug)]
pub struct Room {
    record: Arc<Record>,
    session: SessionNumber,
    group: GroupId,
    term: Term,
    start_version: u64,
    tip: Tip,
    chain: PolicyChain,
    doors: Doors,
    tracker: Option<Tracker>,
    roster: Roster,
    unconfirmed: VecDeque<Unconfirmed>,
    trees: BTreeMap<Epoch, Arc<[u8]>>,
    submissions: Submissions,
}

/// How a device's Join stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A member will commit it.
    Logged(Sequence),
    /// A host must let the device in.
    Waiting(Sequence),
    /// Nobody has founded the session: this device may.
    Found(Sequence),
    /// The device is in, since this commit.
    Entered(Sequence),
    /// A host turned it away.
    Denied,
    /// The device was in, and is no more.
    Removed,
    /// Ended unanswered, or never seen.
    Lapsed,
}

impl Room {
    /// Before the first entry; `chain` is the policy with which the session begins.
    pub fn new(record: Arc<Record>, chain: PolicyChain, session: SessionNumber) -> Self {
        Self {
            group: group_id(&record.id(), session),
            term: Term::first(record.hub().clone()),
            record,
            session,
            start_version: chain.version(),
            tip: Tip::START,
            chain,
            doors: Doors::default(),
            tracker: None,
            roster: Roster::default(),
            unconfirmed: VecDeque::new(),
            trees: BTreeMap::new(),
            submissions: Submissions::default(),
        }
    }

    /// Folds entries that were verified before they were stored.
    pub fn replay<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>) -> Result<(), MeetingError> {
        for entry in entries {
            let checked = self.check_next(entry, Trust::Stored)?;
            self.apply(checked)?;
        }
        Ok(())
    }

    /// The meeting's record.
    pub const fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// The session's number.
    pub const fn session(&self) -> SessionNumber {
        self.session
    }

    /// The session's group.
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// The term in which the hub writes.
    pub const fn term(&self) -> &Term {
        &self.term
    }

    /// The end of the log.
    pub const fn tip(&self) -> Tip {
        self.tip
    }

    /// The group's epoch; 0 before it is founded.
    pub fn epoch(&self) -> Epoch {
        self.tracker.as_ref().map_or(Epoch(0), Tracker::epoch)
    }

    /// The last epoch that somebody beside its committer has entered.
    pub fn confirmed_epoch(&self) -> Epoch {
        self.unconfirmed.front().map_or_else(|| self.epoch(), |first| first.before.tracker.epoch())
    }

    /// Whether a commit waits to be confirmed.
    pub fn is_unconfirmed(&self, commit: Sequence) -> bool {
        self.unconfirmed(commit).is_some()
    }

    /// The epoch before a commit that waits to be confirmed, and who made it.
    pub fn before(&self, commit: Sequence) -> Option<(Epoch, &DeviceUri)> {
        self.unconfirmed(commit).map(|waiting| (waiting.before.tracker.epoch(), &waiting.committer))
    }

    /// The policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        self.chain.tip()
    }

    /// Every policy so far.
    pub const fn policy_chain(&self) -> &PolicyChain {
        &self.chain
    }

    /// The version of the policy with which the session began.
    pub const fn start_version(&self) -> u64 {
        self.start_version
    }

    /// Who asks to enter or to go.
    pub const fn doors(&self) -> &Doors {
        &self.doors
    }

    /// Whether somebody founded it.
    pub const fn is_founded(&self) -> bool {
        self.tracker.is_some()
    }

    /// Everybody in the tree, by leaf.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.roster.iter().map(AsRef::as_ref)
    }

    /// A member of the tree by its device.
    pub fn member(&self, device: &DeviceUri) -> Option<&Member> {
        self.roster.of(device).map(AsRef::as_ref)
    }

    /// Everybody in the tree that has not said that it goes.
    pub fn present(&self) -> impl Iterator<Item = &Member> {
        self.members().filter(|member| !self.has_left(member))
    }

    /// Whether a member has said that it goes, or its domain took it out.
    pub fn has_left(&self, member: &Member) -> bool {
        self.doors.departed(&member.device).is_some_and(|gone| gone > member.entered)
    }

    /// Whether it takes no more members: it was founded, and nobody is present or the meeting ended.
    pub fn is_over(&self) -> bool {
        self.is_founded() && (self.policy().rules().ended || self.present().next().is_none())
    }

    /// Whether it was never founded, and nobody is left who could.
    pub fn is_abandoned(&self, now: Time) -> bool {
        !self.is_founded()
            && self.tip.sequence.0 > 0
            && !self.doors.joins().any(|(_, join)| join.may_enter(now))
    }

    /// Where a submission stands in the log, if it is there, with the time of its entry.
    pub fn find_submission(&self, id: &SubmissionId) -> Option<(&Domain, Sequence, Time)> {
        self.submissions.find(id)
    }

    /// The commit by which a device that is in the tree entered.
    pub fn entered_at(&self, device: &DeviceUri) -> Option<Sequence> {
        self.member(device).map(|member| member.entered)
    }

    /// How a Join stands.
    pub fn standing(&self, device: &DeviceUri, key_package_ref: &KeyPackageRef, now: Time) -> Standing {
        let member = self.member(device).filter(|member| member.key_package_ref == *key_package_ref);
        if let Some(member) = member {
            return Standing::Entered(member.entered);
        }
        match self.doors.fate(key_package_ref) {
            Some(Fate::Denied) => Standing::Denied,
            Some(Fate::Added) => Standing::Removed,
            Some(Fate::Lapsed) | None => Standing::Lapsed,
            Some(Fate::Open(sequence)) => match self.doors.join(sequence) {
                Some(join) if join.device() == device && now <= join.view.expires => {
                    self.standing_of(sequence, join, now)
                }
                _ => Standing::Lapsed,
            },
        }
    }

    fn standing_of(&self, sequence: Sequence, join: &OpenJoin, now: Time) -> Standing {
        if join.waits(now) {
            Standing::Waiting(sequence)
        } else if !self.is_founded() && self.founder(now) == Some(sequence) {
            Standing::Found(sequence)
        } else {
            Standing::Logged(sequence)
        }
    }

    /// The Join whose device founds the session first of all.
    pub fn founder(&self, now: Time) -> Option<Sequence> {
        self.doors.joins().find(|(_, join)| join.may_enter(now)).map(|(sequence, _)| sequence)
    }

    /// Whether a domain may mirror the log: a device of it is in the tree or asks to enter (spec: LOG-13).
    ///
    /// A domain whose last device is removed still gets the entry that removes it: ask before that entry is applied.
    pub fn may_follow(&self, domain: &Domain, now: Time) -> bool {
        self.members().any(|member| member.device.domain() == domain)
            || self
                .doors
                .joins()
                .any(|(_, join)| join.device().domain() == domain && now <= join.view.expires)
    }

    /// The ratchet tree of an epoch that lately added somebody.
    pub fn tree_at(&self, epoch: Epoch) -> Option<&Arc<[u8]>> {
        self.trees.get(&epoch)
    }

    /// The earlier entries that a later commit may still answer, for those who enter now.
    fn open_sequences(&self) -> Vec<Sequence> {
        self.doors.open_sequences(|device| self.member(device).is_some_and(|member| self.has_left(member)))
    }

    /// Leaves and Withdraws of devices that are still in the tree, oldest first.
    pub fn removes_to_commit(&self) -> Vec<Sequence> {
        let gone = self.members().filter(|member| self.has_left(member));
        let mut all: Vec<_> = gone.filter_map(|member| self.doors.departed(&member.device)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl RulesView for Room {
    fn policy_chain(&self) -> &PolicyChain {
        &self.chain
    }

    fn doors(&self) -> &Doors {
        &self.doors
    }

    fn member(&self, leaf: LeafIndex) -> Option<MemberFacts> {
        self.roster.at(leaf).map(|member| MemberFacts {
            device: member.device.clone(),
            key: member.key,
            chain: member.chain.clone(),
            entered: member.entered,
            came_by: Some(member.came_by),
        })
    }

    fn leaves(&self) -> Vec<(LeafIndex, DeviceUri)> {
        self.members().map(|member| (member.leaf, member.device.clone())).collect()
    }

    fn leaf_of(&self, device: &DeviceUri) -> Option<LeafIndex> {
        self.roster.of(device).map(|member| member.leaf)
    }
}
