//! A group as servers follow it: by its public handshakes alone, without a secret.
//!
//! A tracker verifies signatures, the tree and all that `check` checks. It cannot verify membership tags, confirmation tags
//! or path secrets; that is what Confirm entries are for.

use openmls::prelude::{ProcessedMessageContent, ProposalStore, PublicGroup, PublicMessageIn, StagedCommit};
use openmls_rust_crypto::{MemoryStorage, RustCrypto};
use tls_codec::Serialize as _;

use super::{
    CommitContents, Error, KeyPackageSummary, RosterLeaf, Suite,
    contents::{self, Envelope, Frame},
    context, decode,
    error::{bug, mls},
    key_package,
    member::Position,
    provider::{Memory, copy_of, put_back},
    roster,
};
use crate::ids::{Epoch, GroupId, LeafIndex};

/// One group, followed.
#[derive(Debug)]
pub struct Tracker {
    group: PublicGroup,
    group_id: GroupId,
    suite: Suite,
    crypto: RustCrypto,
    storage: MemoryStorage,
    roster: Vec<RosterLeaf>,
}

/// A commit that has been verified and checked, and can be merged.
#[derive(Debug)]
pub struct StagedPublic {
    on: Position,
    staged: Box<StagedCommit>,
}

/// A tracker as it was.
#[derive(Debug, Clone)]
pub struct Snapshot {
    memory: Memory,
    roster: Vec<RosterLeaf>,
    epoch: Epoch,
}

impl Snapshot {
    /// The epoch that it goes back to.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }
}

impl Tracker {
    /// Follows a group from its founder's GroupInfo (MLSMessage) on (spec: GRP-11).
    pub fn found(group_info: &[u8]) -> Result<Self, Error> {
        let info = decode::group_info(group_info)?;
        let suite = Suite::from_mls(info.ciphersuite())?;
        let group_id = GroupId::parse(info.group_id().as_slice()).map_err(|_| Error::WrongGroup)?;
        if info.epoch().as_u64() != 0 || !info.group_context().confirmed_transcript_hash().is_empty() {
            return Err(Error::Context("a group is followed from epoch 0 on"));
        }
        context::policy_of(info.group_context().extensions())?;
        let tree = info.extensions().ratchet_tree().ok_or(Error::Malformed("GroupInfo: no ratchet tree"))?;
        let tree = tree.ratchet_tree().clone();
        if tree.leaves().count() != 1 {
            return Err(Error::Context("the founder must be alone"));
        }
        let (crypto, storage) = (RustCrypto::default(), MemoryStorage::default());
        let (group, _) = PublicGroup::from_external(&crypto, &storage, tree, info, ProposalStore::new())
            .map_err(mls("GroupInfo"))?;
        let roster = roster::read_new(&group, suite)?;
        Ok(Self { group, group_id, suite, crypto, storage, roster })
    }

    /// Verifies and checks a commit (MLSMessage); nothing changes until [`merge`](Self::merge).
    pub fn stage(&self, handshake: &[u8]) -> Result<(StagedPublic, CommitContents), Error> {
        let message = decode::handshake(handshake)?;
        check_place(&message, self.group.group_id(), self.epoch())?;
        let envelope = Envelope::of(&message)?;
        let processed = self.group.process_message(&self.crypto, message).map_err(mls("commit"))?;
        let annotations = processed.aad().to_vec();
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return Err(Error::Malformed("commit"));
        };
        let frame = Frame {
            suite: self.suite,
            roster: &self.roster,
            context: self.group.group_context(),
            envelope,
            annotations,
        };
        let contents = contents::extract(&self.crypto, frame, &staged)?;
        Ok((StagedPublic { on: self.position()?, staged }, contents))
    }

    /// Enters the epoch that a staged commit starts.
    pub fn merge(&mut self, staged: StagedPublic) -> Result<(), Error> {
        if staged.on != self.position()? {
            return Err(Error::Stale);
        }
        self.group.merge_commit(&self.storage, *staged.staged).map_err(bug("merge"))?;
        self.roster = roster::read(&self.group, &self.roster)?;
        Ok(())
    }

    /// The tracker as it is now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { memory: copy_of(&self.storage), roster: self.roster.clone(), epoch: self.epoch() }
    }

    /// Goes back to a snapshot of this group.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let storage = MemoryStorage::default();
        put_back(&storage, &snapshot.memory);
        let group = PublicGroup::load(&storage, self.group.group_id()).map_err(bug("restore"))?;
        self.group = group.ok_or(Error::WrongGroup)?;
        self.storage = storage;
        self.roster.clone_from(&snapshot.roster);
        Ok(())
    }

    /// Checks a KeyPackage (MLSMessage) for this group.
    pub fn check_key_package(&self, bytes: &[u8]) -> Result<KeyPackageSummary, Error> {
        key_package::check(self.suite, bytes)
    }

    fn position(&self) -> Result<Position, Error> {
        Ok(Position { epoch: self.epoch(), confirmation_tag: self.confirmation_tag()? })
    }

    /// Everybody in the group, by leaf index.
    pub fn roster(&self) -> &[RosterLeaf] {
        &self.roster
    }

    /// The member at a leaf.
    pub fn member(&self, leaf: LeafIndex) -> Option<&RosterLeaf> {
        roster::at(&self.roster, leaf)
    }

    /// The epoch.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.group.group_context().epoch().as_u64())
    }

    /// The group.
    pub const fn group_id(&self) -> GroupId {
        self.group_id
    }

    /// The group's cipher suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The epoch's confirmation tag as its committer gave it; not verified.
    pub fn confirmation_tag(&self) -> Result<Vec<u8>, Error> {
        contents::tag_bytes(self.group.confirmation_tag())
    }

    /// The policy in force.
    pub fn policy(&self) -> Result<&[u8], Error> {
        context::policy_of(self.group.group_context().extensions())
    }

    /// The hash of the ratchet tree.
    pub fn tree_hash(&self) -> &[u8] {
        self.group.group_context().tree_hash()
    }

    /// The ratchet tree, for joiners.
    pub fn tree(&self) -> Result<Vec<u8>, Error> {
        self.group.export_ratchet_tree().tls_serialize_detached().map_err(bug("ratchet tree"))
    }
}

/// That a commit is for this group and this epoch.
pub(super) fn check_place(
    message: &PublicMessageIn,
    group_id: &openmls::prelude::GroupId,
    epoch: Epoch,
) -> Result<(), Error> {
    if message.group_id() != group_id {
        return Err(Error::WrongGroup);
    }
    let of_message = Epoch(message.epoch().as_u64());
    if of_message == epoch { Ok(()) } else { Err(Error::WrongEpoch { message: of_message, group: epoch }) }
}
