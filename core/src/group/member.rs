//! A member: it holds the secrets of its epoch, follows commits, makes its own, and seals and opens messages.
//!
//! Knows nothing of meetings: whether a commit is allowed there is for `meeting` to say, between
//! [`stage`](Member::stage) and [`merge`](Member::merge).

use std::collections::BTreeMap;

use openmls::prelude::{MlsGroup, OpenMlsProvider as _, ProcessedMessageContent, Sender, StagedCommit};
use tls_codec::Serialize as _;
use zeroize::Zeroizing;

use super::{
    CommitContents, Error, Identity, RosterLeaf, Suite,
    contents::{self, Envelope, Frame},
    context, credential, decode,
    error::{bug, mls},
    provider::{Memory, Provider},
    roster,
    signer::MlsSigner,
    tracker,
};
use crate::{
    identity::address::DeviceUri,
    ids::{Epoch, GroupId, LeafIndex},
    time::Time,
};

/// Label and length of the key that media is sealed under (RFC 9605 §5.2).
const FRAME_LABEL: &str = "SFrame 1.0 Base Key";

/// One device in one group.
#[derive(Debug)]
pub struct Member {
    pub(super) group: MlsGroup,
    pub(super) provider: Provider,
    pub(super) identity: Identity,
    pub(super) suite: Suite,
    pub(super) roster: Vec<RosterLeaf>,
    /// Own commits made so far, so that a staged echo is only ever matched with the draft it is of.
    pub(super) drafts: u64,
    /// Messages sealed in each epoch; never goes back with a snapshot.
    sealed: BTreeMap<Epoch, u64>,
}

/// A commit that has been verified and checked, and can be merged.
#[derive(Debug)]
pub struct Staged {
    on: Position,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Others(Box<StagedCommit>),
    /// The member's own pending commit came back.
    Own {
        draft: u64,
    },
}

/// Where a group stands: epochs of two branches have the same number, never the same tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) epoch: Epoch,
    pub(super) confirmation_tag: Vec<u8>,
}

/// An opened application message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// From another member.
    Message {
        /// In which epoch it was sealed.
        epoch: Epoch,
        /// The author's leaf in that epoch.
        leaf: LeafIndex,
        /// The author's device, by the leaf of that epoch.
        device: DeviceUri,
        /// What it says.
        plaintext: Vec<u8>,
    },
    /// One's own message came back; only its author cannot open it.
    Own,
}

/// A member as it was, to go back to when the hub declares epochs void.
#[derive(Debug, Clone)]
pub struct Snapshot {
    memory: Memory,
    roster: Vec<RosterLeaf>,
    epoch: Epoch,
    sealed: u64,
}

impl Snapshot {
    /// The epoch that it goes back to.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }
}

impl Member {
    /// Makes a group of one; also gives the signed GroupInfo with the tree, as MLSMessage, for the servers (spec: GRP-11).
    ///
    /// `seed` must never be given twice.
    pub fn found(
        identity: Identity,
        suite: Suite,
        group_id: GroupId,
        policy: &[u8],
        now: Time,
        seed: [u8; 32],
    ) -> Result<(Self, Vec<u8>), Error> {
        let provider = Provider::new(seed);
        let signer = MlsSigner::new(identity.key());
        let config = context::create_config(suite, policy, now)?;
        context::policy_of(config.group_context_extensions())?;
        let mls_id = openmls::prelude::GroupId::from_slice(group_id.as_bytes());
        let credential = identity.credential_with_key()?;
        let group = MlsGroup::new_with_group_id(&provider, &signer, &config, mls_id, credential)
            .map_err(bug("founding"))?;
        let info = group
            .export_group_info(provider.crypto(), &signer, true)
            .map_err(bug("GroupInfo"))?
            .to_bytes()
            .map_err(bug("GroupInfo"))?;
        let roster = roster::read_new(group.public_group(), suite)?;
        Ok((Self::of(group, roster, provider, identity, suite), info))
    }

    pub(super) const fn of(
        group: MlsGroup,
        roster: Vec<RosterLeaf>,
        provider: Provider,
        identity: Identity,
        suite: Suite,
    ) -> Self {
        Self { group, provider, identity, suite, roster, drafts: 0, sealed: BTreeMap::new() }
    }

    /// Verifies and checks a commit (MLSMessage); nothing changes until [`merge`](Self::merge).
    ///
    /// One's own commit, come back from the log, is recognised as the pending one.
    pub fn stage(&mut self, handshake: &[u8]) -> Result<(Staged, CommitContents), Error> {
        self.check_active()?;
        let message = decode::handshake(handshake)?;
        tracker::check_place(&message, self.group.group_id(), self.epoch())?;
        let envelope = Envelope::of(&message)?;
        let processed = self.group.process_message(&self.provider, message).map_err(mls("commit"))?;
        let annotations = processed.aad().to_vec();
        let on = self.position()?;
        match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                let contents = self.contents(envelope, annotations, &staged)?;
                Ok((Staged { on, change: Change::Others(staged) }, contents))
            }
            ProcessedMessageContent::OwnPendingCommit => {
                let contents = self.pending_contents(envelope, annotations)?;
                Ok((Staged { on, change: Change::Own { draft: self.drafts } }, contents))
            }
            _ => Err(Error::Malformed("commit")),
        }
    }

    /// Whether a commit (MLSMessage) starts the epoch that this member is in: for who entered by a Welcome (spec: DEV-05).
    pub fn check_started_by(&self, handshake: &[u8]) -> Result<(), Error> {
        let message = decode::handshake(handshake)?;
        let before = Epoch(self.epoch().0.saturating_sub(1));
        tracker::check_place(&message, self.group.group_id(), before)?;
        if Envelope::of(&message)?.confirmation_tag() == self.confirmation_tag()? {
            Ok(())
        } else {
            Err(Error::Forked)
        }
    }

    /// Enters the epoch that a staged commit starts.
    pub fn merge(&mut self, staged: Staged) -> Result<(), Error> {
        if staged.on != self.position()? {
            return Err(Error::Stale);
        }
        match staged.change {
            Change::Own { draft } if draft == self.drafts => self.merge_own(),
            Change::Own { .. } => Err(Error::Stale),
            Change::Others(staged) => {
                self.group.merge_staged_commit(&self.provider, *staged).map_err(bug("merge"))?;
                self.entered()
            }
        }
    }

    /// Enters the epoch of one's own pending commit.
    pub fn merge_own(&mut self) -> Result<(), Error> {
        if self.group.pending_commit().is_none() {
            return Err(Error::Stale);
        }
        self.group.merge_pending_commit(&self.provider).map_err(bug("merge"))?;
        self.entered()
    }

    /// Forgets one's own pending commit, if there is one.
    pub fn drop_own(&mut self) -> Result<(), Error> {
        self.group.set_aad(Vec::new());
        self.group.clear_pending_commit(self.provider.storage()).map_err(bug("pending commit"))
    }

    fn entered(&mut self) -> Result<(), Error> {
        self.roster = roster::read(self.group.public_group(), &self.roster)?;
        if let Some(own) = roster::at(&self.roster, self.own_leaf()).filter(|_| self.is_active()) {
            self.identity = Identity::new(self.identity.key().clone(), own.chain.clone())?;
        }
        Ok(())
    }

    /// Seals an application message; gives an MLSMessage with a PrivateMessage.
    pub fn seal(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        self.check_active()?;
        self.group.set_aad(Vec::new());
        *self.sealed.entry(self.epoch()).or_default() += 1;
        let signer = MlsSigner::new(self.identity.key());
        let sealed = self.group.create_message(&self.provider, &signer, plaintext).map_err(bug("seal"))?;
        sealed.to_bytes().map_err(bug("seal"))
    }

    /// Opens an application message (MLSMessage) of this epoch or one of the last few.
    pub fn open(&mut self, message: &[u8]) -> Result<Opened, Error> {
        self.check_active()?;
        let message = decode::private_message(message)?;
        if message.group_id() != self.group.group_id() {
            return Err(Error::WrongGroup);
        }
        let processed = self.group.process_message(&self.provider, message).map_err(mls("message"))?;
        let epoch = Epoch(processed.epoch().as_u64());
        let sender = processed.sender().clone();
        let credential = processed.credential().clone();
        match (processed.into_content(), sender) {
            (ProcessedMessageContent::ApplicationMessage(message), Sender::Member(leaf)) => {
                let device = credential::claimed_device(&credential)?;
                let plaintext = message.into_bytes();
                Ok(Opened::Message { epoch, leaf: LeafIndex(leaf.u32()), device, plaintext })
            }
            (ProcessedMessageContent::OwnPrivateMessage, _) => Ok(Opened::Own),
            _ => Err(Error::Malformed("private message")),
        }
    }

    /// The member as it is now, to be taken just before a commit is merged that may turn out void.
    pub fn snapshot(&self) -> Snapshot {
        let epoch = self.epoch();
        let sealed = self.sealed.get(&epoch).copied().unwrap_or_default();
        Snapshot { memory: self.provider.snapshot(), roster: self.roster.clone(), epoch, sealed }
    }

    /// Goes back to a snapshot, with no commit pending.
    ///
    /// Refused if something was sealed in that epoch after the snapshot: its keys would be used twice (spec: GRP-12).
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        if self.sealed.get(&snapshot.epoch).copied().unwrap_or_default() != snapshot.sealed {
            return Err(Error::Stale);
        }
        let now = self.provider.snapshot();
        self.provider.restore(&snapshot.memory);
        let group = match MlsGroup::load(self.provider.storage(), self.group.group_id()) {
            Ok(Some(group)) => group,
            Ok(None) => return self.keep(&now, "the snapshot holds no group"),
            Err(error) => return self.keep(&now, &error.to_string()),
        };
        self.group = group;
        self.roster.clone_from(&snapshot.roster);
        self.sealed.retain(|epoch, _| *epoch <= snapshot.epoch);
        self.drop_own()
    }

    fn keep(&mut self, memory: &Memory, reason: &str) -> Result<(), Error> {
        self.provider.restore(memory);
        Err(Error::Bug { what: "restore", reason: reason.to_owned() })
    }

    fn contents(
        &self,
        envelope: Envelope,
        annotations: Vec<u8>,
        staged: &StagedCommit,
    ) -> Result<CommitContents, Error> {
        let (suite, context) = (self.suite, self.group.public_group().group_context());
        let frame = Frame { suite, roster: &self.roster, context, envelope, annotations };
        contents::extract(self.provider.crypto(), frame, staged)
    }

    pub(super) fn pending_contents(
        &self,
        envelope: Envelope,
        annotations: Vec<u8>,
    ) -> Result<CommitContents, Error> {
        self.contents(envelope, annotations, self.group.pending_commit().ok_or(Error::Stale)?)
    }

    pub(super) fn position(&self) -> Result<Position, Error> {
        Ok(Position { epoch: self.epoch(), confirmation_tag: self.confirmation_tag()? })
    }

    pub(super) fn check_active(&self) -> Result<(), Error> {
        if self.is_active() { Ok(()) } else { Err(Error::Removed) }
    }

    /// False once this device has been removed.
    pub fn is_active(&self) -> bool {
        self.group.is_active()
    }

    /// Whether a commit of one's own waits.
    pub fn has_pending(&self) -> bool {
        self.group.pending_commit().is_some()
    }

    /// Everybody in the group, by leaf index.
    pub fn roster(&self) -> &[RosterLeaf] {
        &self.roster
    }

    /// One's own leaf.
    pub fn own_leaf(&self) -> LeafIndex {
        LeafIndex(self.group.own_leaf_index().u32())
    }

    /// The epoch.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.group.epoch().as_u64())
    }

    /// The group.
    pub fn group_id(&self) -> Result<GroupId, Error> {
        GroupId::parse(self.group.group_id().as_slice()).map_err(|_| Error::WrongGroup)
    }

    /// The group's cipher suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// A value that only members of this epoch know, and that differs if their views differ (RFC 9420 §8.7).
    pub fn epoch_authenticator(&self) -> Vec<u8> {
        self.group.epoch_authenticator().as_slice().to_vec()
    }

    /// The epoch's confirmation tag.
    pub fn confirmation_tag(&self) -> Result<Vec<u8>, Error> {
        contents::tag_bytes(self.group.confirmation_tag())
    }

    /// The policy in force.
    pub fn policy(&self) -> Result<&[u8], Error> {
        context::policy_of(self.group.extensions())
    }

    /// The hash of the ratchet tree.
    pub fn tree_hash(&self) -> &[u8] {
        self.group.public_group().group_context().tree_hash()
    }

    /// The ratchet tree, for joiners.
    pub fn tree(&self) -> Result<Vec<u8>, Error> {
        self.group.export_ratchet_tree().tls_serialize_detached().map_err(bug("ratchet tree"))
    }

    /// The epoch's secret that media keys come from (RFC 9605 §5.2).
    pub fn frame_base_key(&self) -> Result<Zeroizing<[u8; 16]>, Error> {
        self.check_active()?;
        let secret = self.group.export_secret(self.provider.crypto(), FRAME_LABEL, b"", 16);
        let secret = Zeroizing::new(secret.map_err(bug("exporter"))?);
        let mut key = Zeroizing::new([0; 16]);
        key.copy_from_slice(secret.get(..16).ok_or(Error::Malformed("exported secret"))?);
        #[cfg(feature = "canary")]
        {
            crate::canary::tell(
                &format!("media key of epoch {}", self.group.epoch().as_u64()),
                key.as_slice(),
            );
            crate::canary::tell_storage(self.provider.storage());
        }
        Ok(key)
    }
}
