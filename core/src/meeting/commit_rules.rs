//! What a commit may do in a meeting: one function for hub, followers and every member.
//!
//! What no commit may do in any meeting is checked by `group` before.

use std::{collections::BTreeSet, sync::Arc};

use conclave_proto::types::v1 as wire;
use prost::Message;

use super::{
    Error as MeetingError,
    admission::By,
    doors::Doors,
    policy::{Policy, PolicyChain, Statement, change::newly_banned},
    trust::Trust,
};
use crate::{
    group::{CommitContents, contents::AddedLeaf},
    identity::{
        address::{DeviceUri, UserAddress, UserKind},
        certificate::Chain,
        keys::PublicKey,
    },
    ids::{KeyPackageRef, LeafIndex, Sequence},
    limits,
    time::Time,
};

/// The commit does what it may not; the committer is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The committer is not a member, or has said that it goes.
    #[error("only a member that stays can commit")]
    NotMember,
    /// The committer stranded the group before.
    #[error("this device was barred from committing in this session")]
    Barred,
    /// The meeting is over.
    #[error("the meeting is over")]
    Ended,
    /// The annotations cannot be read, or do not match the commit.
    #[error("the commit's annotations are not of their form: {0}")]
    Annotations(&'static str),
    /// An Add without a Join of its own: a ghost.
    #[error("an Add answers no open Join: {0}")]
    Add(&'static str),
    /// A Remove that nothing justifies.
    #[error("nothing allows the Remove of leaf {}", .0.0)]
    Remove(LeafIndex),
    /// The policy changes without a statement, or not to what the statement says.
    #[error("the change of policy is not what its statement says")]
    Policy,
    /// A policy is changed and somebody added at once.
    #[error("a commit that changes the policy adds nobody")]
    PolicyWithAdds,
    /// Somebody banned stays.
    #[error("a commit that bans somebody must remove all of their devices")]
    BannedStays,
    /// Somebody is banned who could come back by the link, but the link stays.
    #[error("banning somebody who can come back by the link must change or disable the link")]
    LinkStays,
    /// The committer's leaf gets another key.
    #[error("a device's key stays the same while it is a member")]
    KeyChanged,
}

/// A member, as these rules need to know it.
#[derive(Clone, Debug)]
pub struct MemberFacts {
    /// Whose device.
    pub device: DeviceUri,
    /// What it signs with.
    pub key: PublicKey,
    /// Its certificates.
    pub chain: Chain,
    /// The commit that added it; 0 if it was there before the log that is known.
    pub entered: Sequence,
    /// What admitted it, if that is known.
    pub came_by: Option<By>,
}

/// What the rules need to know of a session. Servers and members both can tell.
pub trait RulesView {
    /// Every policy so far.
    fn policy_chain(&self) -> &PolicyChain;
    /// Open Joins, Admits, Leaves and Withdraws.
    fn doors(&self) -> &Doors;
    /// The member at a leaf.
    fn member(&self, leaf: LeafIndex) -> Option<MemberFacts>;
    /// Every leaf with its device.
    fn leaves(&self) -> Vec<(LeafIndex, DeviceUri)>;

    /// Where a device is in the tree.
    fn leaf_of(&self, device: &DeviceUri) -> Option<LeafIndex> {
        self.leaves().into_iter().find_map(|(leaf, other)| (other == *device).then_some(leaf))
    }
}

/// An allowed commit's consequences.
#[derive(Clone, Debug)]
pub struct Permitted {
    /// The Joins that it answers, in the order of the Adds.
    pub joins: Vec<Sequence>,
    /// The change of policy.
    pub statement: Option<Statement>,
}

/// Checks a commit against everything that the log says up to it; `now` is the time of its entry.
pub fn check(
    view: &impl RulesView,
    contents: &CommitContents,
    trust: Trust<'_>,
    now: Time,
) -> Result<Permitted, MeetingError> {
    let committer = check_committer(view, contents)?;
    let annotations = read_annotations(contents)?;
    if view.policy_chain().tip().rules().ended {
        return Err(Error::Ended.into());
    }
    if let Some(path) = &contents.path {
        if path.signature_key != committer.key {
            return Err(Error::KeyChanged.into()); // MTG-27
        }
        if path.chain != committer.chain {
            trust.check_device(&path.chain, now)?;
        }
    }
    let joins = check_adds(view, contents, &annotations, now)?;
    let statement = check_policy(view, contents, &annotations, trust, now)?;
    let policy = statement.as_ref().map_or_else(|| view.policy_chain().tip(), Statement::policy);
    check_removes(view, contents, &annotations, &committer, policy)?;
    if let Some(statement) = &statement {
        check_bans(view, contents, statement)?;
    }
    Ok(Permitted { joins, statement })
}

/// The committer is a member, stays, and was not barred (spec: MTG-23).
fn check_committer(view: &impl RulesView, contents: &CommitContents) -> Result<MemberFacts, Error> {
    let committer = view.member(contents.committer).ok_or(Error::NotMember)?;
    if committer.device != contents.committer_device {
        return Err(Error::NotMember);
    }
    if view.doors().is_barred(&committer.device) {
        return Err(Error::Barred);
    }
    let gone = view.doors().departed(&committer.device);
    if gone.is_some_and(|gone| gone > committer.entered) { Err(Error::NotMember) } else { Ok(committer) }
}

fn read_annotations(contents: &CommitContents) -> Result<wire::CommitAnnotations, Error> {
    // Empty elements are two bytes on the wire and fifty in memory: bounded before they are decoded (R11).
    if contents.annotations.len() > limits::ANNOTATIONS_BYTES {
        return Err(Error::Annotations("they are too large"));
    }
    let annotations = wire::CommitAnnotations::decode(contents.annotations.as_slice())
        .map_err(|_| Error::Annotations("they cannot be decoded"))?;
    if annotations.adds.len() != contents.adds.len() {
        return Err(Error::Annotations("one is needed for each Add, and no more"));
    }
    let named: BTreeSet<_> = annotations.removes.iter().map(|basis| LeafIndex(basis.leaf_index)).collect();
    if named.len() != annotations.removes.len() || !named.iter().all(|leaf| contents.removes.contains(leaf)) {
        return Err(Error::Annotations("a basis names a leaf that is not removed, or one twice"));
    }
    Ok(annotations)
}

/// Each Add answers an earlier, open Join with its very KeyPackage, let in if it had to wait (spec: MTG-24).
fn check_adds(
    view: &impl RulesView,
    contents: &CommitContents,
    annotations: &wire::CommitAnnotations,
    now: Time,
) -> Result<Vec<Sequence>, Error> {
    let mut joins = Vec::with_capacity(contents.adds.len());
    for (added, basis) in contents.adds.iter().zip(&annotations.adds) {
        let sequence = Sequence(basis.join_sequence);
        if joins.contains(&sequence) {
            return Err(Error::Add("a Join is answered twice"));
        }
        check_add(view, contents, added, basis, now)?;
        joins.push(sequence);
    }
    Ok(joins)
}

fn check_add(
    view: &impl RulesView,
    contents: &CommitContents,
    added: &AddedLeaf,
    basis: &wire::AddBasis,
    now: Time,
) -> Result<(), Error> {
    let join = view
        .doors()
        .join(Sequence(basis.join_sequence))
        .ok_or(Error::Add("there is no such Join, or it was answered"))?;
    let named = KeyPackageRef::parse(&basis.key_package_ref).ok();
    if named != Some(added.key_package_ref) || join.view.key_package_ref != added.key_package_ref {
        return Err(Error::Add("its KeyPackage is not the Join's"));
    }
    if join.view.expires < now {
        return Err(Error::Add("the Join has expired"));
    }
    if join.waits(now) {
        return Err(Error::Add("a host must let the device in first"));
    }
    let admit = Sequence(basis.admit_sequence);
    let let_in = join.admitted.map(|(sequence, _)| sequence);
    if admit.0 != 0 && Some(admit) != let_in {
        return Err(Error::Add("it names another Admit than the Join's"));
    }
    if join.admission.must_wait && admit.0 == 0 {
        return Err(Error::Add("it does not name the Admit"));
    }
    // MTG-25: the device's old leaf goes in the same commit.
    let old = view.leaf_of(added.device());
    if old.is_some_and(|old| !contents.removes.contains(&old)) {
        return Err(Error::Add("the device's old leaf stays"));
    }
    Ok(())
}

/// Each Remove answers a Leave or Withdraw, replaces the leaf of a device that joins anew, is of the committer's own user, or
/// of somebody banned (spec: MTG-26).
fn check_removes(
    view: &impl RulesView,
    contents: &CommitContents,
    annotations: &wire::CommitAnnotations,
    committer: &MemberFacts,
    policy: &Policy,
) -> Result<(), Error> {
    for &leaf in &contents.removes {
        let member = view.member(leaf).ok_or(Error::Remove(leaf))?;
        let basis = annotations.removes.iter().find(|basis| basis.leaf_index == leaf.0);
        let allowed = match basis {
            Some(basis) => {
                let sequence = Sequence(basis.sequence);
                let departure = view.doors().departure(sequence);
                sequence > member.entered
                    && departure.is_some_and(|departure| departure.devices.contains(&member.device))
            }
            None => {
                member.device.user() == committer.device.user()
                    || contents.adds.iter().any(|added| *added.device() == member.device)
                    || policy.is_banned(member.device.user())
            }
        };
        if !allowed {
            return Err(Error::Remove(leaf));
        }
    }
    Ok(())
}

/// The policy changes exactly as an entitled device's statement says, near its time (spec: MTG-28).
fn check_policy(
    view: &impl RulesView,
    contents: &CommitContents,
    annotations: &wire::CommitAnnotations,
    trust: Trust<'_>,
    now: Time,
) -> Result<Option<Statement>, MeetingError> {
    let (policy, signed) = match (&contents.policy, &annotations.policy) {
        (None, None) => return Ok(None),
        (Some(policy), Some(signed)) => (policy, signed),
        _ => return Err(Error::Policy.into()),
    };
    if !contents.adds.is_empty() {
        return Err(Error::PolicyWithAdds.into());
    }
    let statement = view.policy_chain().check_next(signed, trust)?;
    if statement.policy().bytes() != policy.as_slice() {
        return Err(Error::Policy.into());
    }
    let apart = now.since(statement.time()).max(statement.time().since(now));
    if apart > limits::CLOCK_SKEW {
        return Err(super::policy::Error::Misplaced("time").into());
    }
    Ok(Some(statement))
}

/// Nobody banned stays, and neither does the link by which they came, or by which they could come back as a guest (spec: MTG-29).
fn check_bans(view: &impl RulesView, contents: &CommitContents, statement: &Statement) -> Result<(), Error> {
    let (old, new): (&Arc<Policy>, &Arc<Policy>) = (view.policy_chain().tip(), statement.policy());
    let banned: BTreeSet<UserAddress> = newly_banned(old, new);
    let link_stays = old.rules().link_key.is_some() && old.rules().link_key == new.rules().link_key;
    for (leaf, device) in view.leaves() {
        if !banned.contains(device.user()) {
            continue;
        }
        if !contents.removes.contains(&leaf) {
            return Err(Error::BannedStays);
        }
        let by_link = view.member(leaf).is_some_and(|member| member.came_by == Some(By::Link));
        if link_stays && (by_link || device.user().kind() == UserKind::Guest) {
            return Err(Error::LinkStays);
        }
    }
    if link_stays && !banned.is_empty() && new.rules().guests_allowed {
        return Err(Error::LinkStays);
    }
    Ok(())
}

/// What a committer writes beside its commit.
#[derive(Clone, Debug, Default)]
pub struct Annotations {
    /// For each Add: the Join, its KeyPackage, and the Admit if it had to wait.
    pub adds: Vec<(Sequence, KeyPackageRef, Option<Sequence>)>,
    /// For each Remove that answers a Leave or Withdraw: the leaf and that entry.
    pub removes: Vec<(LeafIndex, Sequence)>,
    /// The change of policy.
    pub policy: Option<wire::DeviceSigned>,
}

impl Annotations {
    /// As the commit's authenticated data.
    pub fn encode(&self) -> Vec<u8> {
        let adds = self.adds.iter().map(|(join, reference, admit)| wire::AddBasis {
            join_sequence: join.0,
            key_package_ref: prost::bytes::Bytes::copy_from_slice(reference.as_bytes()),
            admit_sequence: admit.map_or(0, |admit| admit.0),
        });
        let removes = self
            .removes
            .iter()
            .map(|(leaf, sequence)| wire::RemoveBasis { leaf_index: leaf.0, sequence: sequence.0 });
        wire::CommitAnnotations {
            adds: adds.collect(),
            removes: removes.collect(),
            policy: self.policy.clone(),
        }
        .encode_to_vec()
    }
}
