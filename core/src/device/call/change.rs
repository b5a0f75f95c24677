//! Changing the group: what hosts want and what the hub asks for, one commit at a time.

use conclave_proto::{client::v1 as api, types::v1 as types};
use prost::{Message, bytes::Bytes};
use sha2::{Digest, Sha256};

use super::{
    Call, Inside, Stage,
    submit::{Draft, Purpose},
};
use crate::{
    device::{
        Device, Error,
        command::{MeetingAddress, RequestId},
        io::ApiError,
    },
    group::CommitPlan,
    identity::address::{UserAddress, UserKind},
    ids::{LeafIndex, Sequence, SubmissionId},
    meeting::{
        self as rules,
        admission::By,
        commit_rules::{Annotations, RulesView as _},
        link::LinkSecret,
        log::Entry,
        policy::sign_change,
    },
    time::Time,
};

/// A change that somebody wants.
#[derive(Clone, Debug)]
pub(in crate::device) enum Wanted {
    /// A host's wish.
    Rules { request: RequestId, change: RuleChange },
    /// The hub's.
    Ask { joins: Vec<Sequence>, removes: Vec<Sequence> },
}

/// What a host changes.
#[derive(Clone, Debug)]
pub(in crate::device) enum RuleChange {
    Remove(UserAddress),
    Lock(bool),
    Lobby(bool),
    CoHost(UserAddress, bool),
    End,
}

/// The own commit that is on its way.
pub(in crate::device) struct Committing {
    pub(super) submission: SubmissionId,
    pub(super) wanted: Wanted,
    /// A new link secret that becomes good with the commit.
    pub(super) link_secret: Option<LinkSecret>,
}

/// A commit about to be made.
struct Plan {
    plan: CommitPlan,
    link_secret: Option<LinkSecret>,
}

impl Device {
    /// The hub asks this device to commit.
    pub(super) fn asked(&mut self, meeting: &MeetingAddress, ask: &api::CommitAsk) -> Result<(), Error> {
        let Some(Stage::Inside(inside)) = self.calls.get_mut(meeting).map(|call| &mut call.stage) else {
            return Ok(());
        };
        for entry in &ask.entries {
            let entry = Entry::parse(entry)?;
            if inside.view.knows(&entry) {
                continue;
            }
            match inside.view.note(&inside.known, &entry, &self.pins, true) {
                Err(Error::UnknownDomain(domain)) => return Err(Error::UnknownDomain(domain)),
                Err(error) => tracing::debug!(%error, "the hub asks for what was answered already"),
                Ok(_) => {}
            }
        }
        let sequences = |list: &[u64]| list.iter().copied().map(Sequence).collect();
        let wanted =
            Wanted::Ask { joins: sequences(&ask.join_sequences), removes: sequences(&ask.remove_sequences) };
        inside.wanted.retain(|wanted| !matches!(wanted, Wanted::Ask { .. }));
        inside.wanted.push_back(wanted);
        Ok(())
    }

    /// Makes the next commit, if one is wanted and none is on its way.
    pub(super) fn commit_next(&mut self, now: Time, meeting: &MeetingAddress) {
        loop {
            let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
            if inside.committing.is_some() || inside.unconfirmed.is_deep() {
                return;
            }
            let Some(wanted) = inside.wanted.pop_front() else { return };
            match self.try_commit(now, meeting, &wanted) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => self.change_failed(&wanted, error),
            }
        }
    }

    fn change_failed(&mut self, wanted: &Wanted, error: Error) {
        match wanted {
            Wanted::Rules { request, .. } => self.done(*request, Err(error)),
            Wanted::Ask { .. } => tracing::warn!(%error, "the hub asked for a commit that cannot be made"),
        }
    }

    /// Makes and hands in a commit; false if there is nothing left to do.
    fn try_commit(&mut self, now: Time, meeting: &MeetingAddress, wanted: &Wanted) -> Result<bool, Error> {
        let plan = match wanted {
            Wanted::Rules { change, .. } => Some(self.plan_change(now, meeting, change)?),
            Wanted::Ask { joins, removes } => {
                let inside = self.calls.get_mut(meeting).and_then(Call::inside).ok_or(Error::NotInMeeting)?;
                inside.plan_answer(now, joins, removes)
            }
        };
        let Some(Plan { plan, link_secret }) = plan else { return Ok(false) };
        let inside = self.calls.get_mut(meeting).and_then(Call::inside).ok_or(Error::NotInMeeting)?;
        let draft = inside.member.commit(plan)?;
        if let Err(error) = inside.check(now, &draft.contents, &self.pins) {
            inside.member.drop_own()?;
            return Err(error);
        }
        let session = inside.known.session;
        let welcome = draft.welcome.map(Bytes::from).unwrap_or_default();
        let hash =
            if welcome.is_empty() { Bytes::new() } else { Bytes::copy_from_slice(&Sha256::digest(&welcome)) };
        let commit = types::Commit {
            change: Some(types::commit::Change::Handshake(draft.handshake.into())),
            welcome_hash: hash,
        };
        let draft = Draft {
            purpose: Purpose::Commit,
            kind: types::EntryKind::Commit,
            content: commit.encode_to_vec().into(),
            attachment: welcome,
        };
        let submission = self.submit(now, meeting, session, draft)?;
        if let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) {
            inside.committing = Some(Committing { submission, wanted: wanted.clone(), link_secret });
        }
        Ok(true)
    }

    /// A change of policy, with the Removes that it brings.
    fn plan_change(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        change: &RuleChange,
    ) -> Result<Plan, Error> {
        let fresh = LinkSecret::from_bytes(self.random());
        let identity = self.mls_identity()?;
        let inside = self.calls.get_mut(meeting).and_then(Call::inside).ok_or(Error::NotInMeeting)?;
        let mut rules = inside.view.chain.tip().rules().clone();
        let mut removes = Vec::new();
        let mut link_secret = None;
        match change {
            RuleChange::Remove(address) => {
                removes = inside.leaves_of(address)?;
                rules.banned.insert(address.clone());
                rules.hosts.remove(address);
                rules.co_hosts.remove(address);
                if rules.link_key.is_some() && (rules.guests_allowed || inside.may_have_link(address)) {
                    rules.link_key = Some(fresh.link_key().public());
                    link_secret = Some(fresh);
                }
            }
            RuleChange::Lock(locked) => rules.locked = *locked,
            RuleChange::Lobby(on) => rules.lobby = *on,
            RuleChange::CoHost(address, true) => drop(rules.co_hosts.insert(address.clone())),
            RuleChange::CoHost(address, false) => drop(rules.co_hosts.remove(address)),
            RuleChange::End => rules.ended = true,
        }
        let policy = inside.view.chain.tip().next(&rules).map_err(rules::Error::from)?;
        let statement = sign_change(meeting.id, &policy, &identity, now);
        let annotations = Annotations { policy: Some(statement), ..Annotations::default() }.encode();
        let policy = Some(policy.bytes().to_vec());
        let plan = CommitPlan { removes, policy, annotations, ..CommitPlan::default() };
        Ok(Plan { plan, link_secret })
    }

    /// The own commit was refused.
    pub(super) fn commit_refused(&mut self, meeting: &MeetingAddress, id: SubmissionId, error: ApiError) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        let Some(inside) = call.inside() else { return };
        let Some(committing) = inside.committing.take_if(|committing| committing.submission == id) else {
            return;
        };
        if let Err(error) = inside.member.drop_own() {
            tracing::error!(%error, "a refused commit could not be dropped");
        }
        match (error.reason, committing.wanted) {
            // Another commit was first; once it is taken in, this one is made anew.
            (types::ErrorReason::WrongEpoch | types::ErrorReason::Expired, wanted @ Wanted::Rules { .. }) => {
                inside.wanted.push_front(wanted);
            }
            (types::ErrorReason::WrongEpoch | types::ErrorReason::Expired, Wanted::Ask { .. }) => {}
            (_, wanted) => self.change_failed(&wanted, Error::Api(error)),
        }
    }

    /// The own commit is merged: keeps the link that it made; gives what it was for.
    pub(super) fn committed(&mut self, meeting: &MeetingAddress, committing: Committing) -> Wanted {
        if let Some(secret) = committing.link_secret
            && let Some(mut kept) = self.meetings.get(meeting).cloned()
        {
            kept.link_secret = secret.as_bytes().to_vec();
            self.keep_meeting(meeting.clone(), kept);
        }
        committing.wanted
    }
}

impl Inside {
    fn leaves_of(&self, address: &UserAddress) -> Result<Vec<LeafIndex>, Error> {
        let leaves = self.member.roster().iter().filter(|leaf| leaf.device().user() == address);
        let leaves: Vec<_> = leaves.map(|leaf| leaf.leaf).collect();
        if leaves.is_empty() { Err(Error::NobodyThere) } else { Ok(leaves) }
    }

    /// Whether somebody came by the link, or may have: before this device came, it cannot know.
    fn may_have_link(&self, address: &UserAddress) -> bool {
        self.member.roster().iter().filter(|leaf| leaf.device().user() == address).any(|leaf| {
            let by = self.view.member(leaf.leaf).and_then(|facts| facts.came_by);
            address.kind() == UserKind::Guest || by.is_none_or(|by| by == By::Link)
        })
    }

    /// Answers Joins, Leaves and Withdraws, as far as they are still open.
    fn plan_answer(&self, now: Time, joins: &[Sequence], departures: &[Sequence]) -> Option<Plan> {
        let mut plan = CommitPlan::default();
        let mut annotations = Annotations::default();
        let doors = self.view.doors();
        for sequence in joins {
            let Some(join) = doors.join(*sequence).filter(|join| join.may_enter(now)) else { continue };
            let admit = join.admitted.map(|(sequence, _)| sequence);
            annotations.adds.push((*sequence, join.view.key_package_ref, admit));
            plan.adds.push(join.key_package.to_vec());
            plan.removes.extend(self.leaf_of(join.device()));
        }
        for sequence in departures {
            let Some(departure) = doors.departure(*sequence) else { continue };
            for device in &departure.devices {
                let Some(leaf) = self.leaf_of(device).filter(|leaf| !plan.removes.contains(leaf)) else {
                    continue;
                };
                if leaf != self.member.own_leaf() {
                    plan.removes.push(leaf);
                    annotations.removes.push((leaf, *sequence));
                }
            }
        }
        plan.annotations = annotations.encode();
        let nothing = plan.adds.is_empty() && plan.removes.is_empty();
        (!nothing).then_some(Plan { plan, link_secret: None })
    }
}
