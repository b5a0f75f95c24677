//! Who is in the tree, since when, and by what.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    group::CommitContents,
    identity::{address::DeviceUri, certificate::Chain, keys::PublicKey},
    ids::{KeyPackageRef, LeafIndex, Sequence},
    meeting::{admission::By, doors::OpenJoin},
};

/// One member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where in the tree.
    pub leaf: LeafIndex,
    /// Whose device.
    pub device: DeviceUri,
    /// What it signs with.
    pub key: PublicKey,
    /// Its certificates.
    pub chain: Chain,
    /// The commit that added it.
    pub entered: Sequence,
    /// The KeyPackage that was used.
    pub key_package_ref: KeyPackageRef,
    /// What admitted it.
    pub came_by: By,
    /// How the meeting stood when it entered.
    pub at_entry: Arc<AtEntry>,
}

/// How a meeting stood when somebody entered, for whoever is told of it only later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AtEntry {
    /// Entries that a later commit might still answer.
    pub open: Vec<Sequence>,
    /// The version of the policy.
    pub policy_version: u64,
}

impl Member {
    pub(super) fn of(join: &OpenJoin, leaf: LeafIndex, entered: Sequence) -> Self {
        Self {
            leaf,
            device: join.view.device.clone(),
            key: join.key,
            chain: join.chain.clone(),
            entered,
            key_package_ref: join.view.key_package_ref,
            came_by: join.admission.by,
            at_entry: Arc::default(),
        }
    }
}

/// All members, found by leaf and by device.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    by_leaf: BTreeMap<LeafIndex, Arc<Member>>,
    by_device: HashMap<DeviceUri, LeafIndex>,
}

impl Roster {
    pub(super) fn at(&self, leaf: LeafIndex) -> Option<&Arc<Member>> {
        self.by_leaf.get(&leaf)
    }

    pub(super) fn of(&self, device: &DeviceUri) -> Option<&Arc<Member>> {
        self.by_device.get(device).and_then(|leaf| self.by_leaf.get(leaf))
    }

    /// Whether a device is in the tree with this key.
    pub(super) fn has(&self, device: &DeviceUri, key: &PublicKey) -> bool {
        self.of(device).is_some_and(|member| member.key == *key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.by_leaf.values()
    }

    pub(super) fn insert(&mut self, member: Member) {
        self.by_device.insert(member.device.clone(), member.leaf);
        self.by_leaf.insert(member.leaf, Arc::new(member));
    }

    pub(super) fn remove(&mut self, leaf: LeafIndex) -> Option<Arc<Member>> {
        let member = self.by_leaf.remove(&leaf)?;
        self.by_device.remove(&member.device);
        Some(member)
    }

    /// Notes how the meeting stands for everybody whom this commit added.
    pub(super) fn stamp(&mut self, commit: Sequence, stands: AtEntry) {
        let stands = Arc::new(stands);
        for member in self.by_leaf.values_mut().filter(|member| member.entered == commit) {
            Arc::make_mut(member).at_entry = stands.clone();
        }
    }

    /// The committer's leaf as its path leaves it.
    pub(super) fn update(&mut self, contents: &CommitContents) {
        if let Some(path) = &contents.path
            && let Some(member) = self.by_leaf.get_mut(&contents.committer)
        {
            let member = Arc::make_mut(member);
            member.chain.clone_from(&path.chain);
            member.key = path.signature_key;
        }
    }
}
