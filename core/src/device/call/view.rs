//! What a member knows of the log: enough to refuse what its servers should have refused.

use std::collections::{BTreeMap, BTreeSet};

use conclave_proto::types::v1 as types;
use prost::Message;

use super::Known;
use crate::{
    device::Error,
    group::{CommitContents, RosterLeaf},
    identity::{
        address::DeviceUri,
        keys::PublicKey,
        pins::Pins,
        signed::{self, Label},
    },
    ids::{LeafIndex, Sequence},
    meeting::{
        commit_rules::{MemberFacts, Permitted, RulesView},
        doors::{self, Departure, Doors},
        log::{Entry, Kind},
        policy::PolicyChain,
        room::Effect,
        submission::{Admit, Submission},
        trust::Trust,
        withdrawal::Withdrawal,
    },
    time::Time,
};

/// What a member knows of the log, as of one entry.
#[derive(Clone)]
pub(in crate::device) struct MemberView {
    pub(super) chain: PolicyChain,
    doors: Doors,
    members: BTreeMap<LeafIndex, MemberFacts>,
}

impl RulesView for MemberView {
    fn policy_chain(&self) -> &PolicyChain {
        &self.chain
    }

    fn doors(&self) -> &Doors {
        &self.doors
    }

    fn member(&self, leaf: LeafIndex) -> Option<MemberFacts> {
        self.members.get(&leaf).cloned()
    }

    fn leaves(&self) -> Vec<(LeafIndex, DeviceUri)> {
        self.members.iter().map(|(leaf, facts)| (*leaf, facts.device.clone())).collect()
    }
}

impl MemberView {
    /// On entering: who is there came before anything that this member knows.
    pub(super) fn new(chain: PolicyChain, roster: &[RosterLeaf]) -> Self {
        let members = roster.iter().map(|leaf| (leaf.leaf, facts(leaf, Sequence(0)))).collect();
        Self { chain, doors: Doors::default(), members }
    }

    /// An entry about the door: a Join, Admit, Leave or Withdraw.
    ///
    /// `historic` ones were logged before this member entered: a later commit may still answer them.
    pub(super) fn note(
        &mut self,
        known: &Known,
        entry: &Entry,
        pins: &Pins,
        historic: bool,
    ) -> Result<Vec<Effect>, Error> {
        match entry.header().kind {
            Kind::Join => self.join(known, entry, pins),
            Kind::Admit => self.admit(entry, historic),
            Kind::Leave => self.leave(entry),
            Kind::Withdraw => self.withdraw(entry, pins),
            _ => Ok(Vec::new()),
        }
    }

    fn join(&mut self, known: &Known, entry: &Entry, pins: &Pins) -> Result<Vec<Effect>, Error> {
        let (signed, submission) = read(entry)?;
        let policy = self.chain.tip();
        let time = entry.header().time;
        let is_member = |device: &DeviceUri, key: &PublicKey| has(&self.members, device, key);
        let trust = Trust::Verify(pins);
        let join = doors::read_join(&known.record, &submission, &signed, policy, is_member, trust, time)?;
        self.doors.check_join(&join, time)?;
        Ok(self.doors.take_join(entry.sequence(), join))
    }

    fn admit(&mut self, entry: &Entry, historic: bool) -> Result<Vec<Effect>, Error> {
        let (signed, submission) = read(entry)?;
        // Whoever let somebody in before this member came may be gone since; servers have checked it.
        if !historic {
            self.check_author(&signed, &submission)?;
            if !self.chain.tip().allows(submission.device.user(), types::Right::Admit) {
                return Err(Error::HomeServer("somebody let a device in who may not"));
            }
        }
        let admit = Admit::read(&submission)?;
        let time = entry.header().time;
        let of = self.doors.check_admit(&admit, time)?;
        Ok(self.doors.take_admit(entry.sequence(), of, &admit, time))
    }

    fn leave(&mut self, entry: &Entry) -> Result<Vec<Effect>, Error> {
        let (signed, submission) = read(entry)?;
        self.check_author(&signed, &submission)?;
        let departure = Departure { devices: BTreeSet::from([submission.device]), joins_lapse: true };
        Ok(self.doors.take_departure(entry.sequence(), departure))
    }

    fn withdraw(&mut self, entry: &Entry, pins: &Pins) -> Result<Vec<Effect>, Error> {
        let (author, time) = (&entry.header().author, entry.header().time);
        let signed = types::ServerSigned::decode(entry.content().clone())?;
        let payload = pins.verify_server_signed(Label::Withdraw, &signed, author, time)?;
        let withdraw = types::Withdraw::decode(payload)?;
        let withdrawal = Withdrawal::read(&withdraw).map_err(|_| Error::Malformed)?;
        if withdrawal.subject.domain() != author {
            return Err(Error::HomeServer("a domain withdrew another domain's user"));
        }
        let members = self.members.values().map(|facts| (&facts.device, facts.entered));
        let departure = withdrawal.departure(members, self.doors.asking());
        Ok(self.doors.take_departure(entry.sequence(), departure))
    }

    pub(super) fn check_author(&self, signed: &types::Signed, submission: &Submission) -> Result<(), Error> {
        let key =
            self.key_of(&submission.device).ok_or(Error::HomeServer("somebody wrote who is no member"))?;
        signed::verify(Label::Submission, signed, &key)?;
        Ok(())
    }

    /// The key of a member.
    pub(super) fn key_of(&self, device: &DeviceUri) -> Option<PublicKey> {
        self.members.values().find(|facts| facts.device == *device).map(|facts| facts.key)
    }

    /// Whether everybody else in the tree has left or was withdrawn.
    pub(super) fn is_alone(&self, own: LeafIndex) -> bool {
        let gone =
            |facts: &MemberFacts| self.doors.departed(&facts.device).is_some_and(|gone| gone > facts.entered);
        self.members.iter().all(|(leaf, facts)| *leaf == own || gone(facts))
    }

    /// Whether the meeting is over for good.
    pub(super) fn ended(&self) -> bool {
        self.chain.tip().rules().ended
    }

    /// A commit was merged: the roster after it, and what it answered.
    pub(super) fn merged(
        &mut self,
        sequence: Sequence,
        contents: &CommitContents,
        permitted: Permitted,
        roster: &[RosterLeaf],
        now: Time,
    ) -> Vec<Effect> {
        let joins = self.doors.take_added(&permitted.joins);
        self.members.retain(|leaf, _| !contents.removes.contains(leaf));
        for leaf in roster {
            let known = self.members.get_mut(&leaf.leaf).filter(|facts| facts.device == *leaf.device());
            if let Some(facts) = known {
                facts.chain = leaf.chain.clone();
                continue;
            }
            let mut added = facts(leaf, sequence);
            let by = joins.iter().find(|join| join.device() == leaf.device()).map(|join| join.admission.by);
            added.came_by = by;
            self.members.insert(leaf.leaf, added);
        }
        if let Some(statement) = permitted.statement {
            self.chain.push(statement);
        }
        self.judge_again(now)
    }

    /// Commits were taken back: members and policies are as before, what came to the door since is judged by them.
    pub(super) fn go_back(&mut self, before: Self, now: Time) -> Vec<Effect> {
        self.chain = before.chain;
        self.members = before.members;
        self.judge_again(now)
    }

    fn judge_again(&mut self, now: Time) -> Vec<Effect> {
        let Self { doors, chain, members } = self;
        doors.judge_again(chain.tip(), |device, key| has(members, device, key), now)
    }

    /// Whether this entry was noted already.
    pub(super) fn knows(&self, entry: &Entry) -> bool {
        let sequence = entry.sequence();
        let admitted =
            || self.doors.joins().any(|(_, join)| join.admitted.is_some_and(|(at, _)| at == sequence));
        self.doors.join(sequence).is_some() || self.doors.departure(sequence).is_some() || admitted()
    }

    /// The device that voided commits are blamed on.
    pub(super) fn bar(&mut self, device: DeviceUri) {
        self.doors.bar(device);
    }
}

/// Whether a device is in the tree with this key.
fn has(members: &BTreeMap<LeafIndex, MemberFacts>, device: &DeviceUri, key: &PublicKey) -> bool {
    members.values().any(|facts| facts.device == *device && facts.key == *key)
}

fn facts(leaf: &RosterLeaf, entered: Sequence) -> MemberFacts {
    MemberFacts {
        device: leaf.device().clone(),
        key: leaf.signature_key,
        chain: leaf.chain.clone(),
        entered,
        came_by: None,
    }
}

/// A device-signed entry; its signature is checked by whoever knows the key.
pub(super) fn read(entry: &Entry) -> Result<(types::Signed, Submission), Error> {
    let signed = types::Signed::decode(entry.content().clone())?;
    let submission = Submission::read(&signed)?;
    Ok((signed, submission))
}
