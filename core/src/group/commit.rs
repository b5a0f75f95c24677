//! A member's own commit, from plan to bytes.

use openmls::prelude::{CommitMessageBundle, LeafNodeIndex, LeafNodeParameters, OpenMlsProvider as _};

use super::{
    CommitContents, Error, Identity, Member,
    contents::Envelope,
    context, decode,
    error::{bug, mls},
    key_package,
    signer::MlsSigner,
};
use crate::{identity::certificate::Chain, ids::LeafIndex, limits};

/// What a commit shall do. An empty plan renews the keys of one's own leaf.
#[derive(Clone, Debug, Default)]
pub struct CommitPlan {
    /// KeyPackages (MLSMessage) to add, in this order.
    pub adds: Vec<Vec<u8>>,
    /// Leaves to remove; never one's own.
    pub removes: Vec<LeafIndex>,
    /// The new policy, if it changes.
    pub policy: Option<Vec<u8>>,
    /// The commit's authenticated_data.
    pub annotations: Vec<u8>,
    /// Fresh keys for one's own leaf even if only Adds are committed.
    pub self_update: bool,
    /// Renewed certificates for the same device and key.
    pub renewal: Option<Chain>,
}

/// A commit that waits for its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitDraft {
    /// The commit: a PublicMessage, as MLSMessage.
    pub handshake: Vec<u8>,
    /// The Welcome for those it adds, as MLSMessage.
    pub welcome: Option<Vec<u8>>,
    /// What others will see that it does.
    pub contents: CommitContents,
}

impl Member {
    /// Makes a commit and keeps it pending until [`merge_own`](Self::merge_own) or [`drop_own`](Self::drop_own).
    ///
    /// It passes the checks that everybody else will make, or is not made at all.
    pub fn commit(&mut self, plan: CommitPlan) -> Result<CommitDraft, Error> {
        self.check_active()?;
        if self.group.pending_commit().is_some() {
            return Err(Error::Pending);
        }
        let annotations = plan.annotations.clone();
        let made = self.build(plan).and_then(|bundle| self.draft(bundle, annotations));
        if made.is_err() {
            self.drop_own()?;
        }
        made
    }

    fn build(&mut self, plan: CommitPlan) -> Result<CommitMessageBundle, Error> {
        let suite = self.suite;
        let adds = plan.adds.iter().map(|bytes| {
            let added = key_package::read(self.provider.crypto(), bytes)?;
            key_package::summary(self.provider.crypto(), suite, &added)?;
            Ok(added)
        });
        let adds = adds.collect::<Result<Vec<_>, Error>>()?;
        let renewed =
            plan.renewal.map(|chain| Identity::new(self.identity.key().clone(), chain)).transpose()?;
        let leaf = match &renewed {
            Some(identity) => LeafNodeParameters::builder()
                .with_credential_with_key(identity.credential_with_key()?)
                .build(),
            None => LeafNodeParameters::default(),
        };
        let empty = adds.is_empty() && plan.removes.is_empty() && plan.policy.is_none();
        let signer = MlsSigner::new(self.identity.key());
        self.group.set_aad(plan.annotations);
        let mut builder = self
            .group
            .commit_builder()
            .consume_proposal_store(false)
            .force_self_update(plan.self_update || empty)
            .leaf_node_parameters(leaf)
            .propose_adds(adds)
            .propose_removals(plan.removes.iter().map(|leaf| LeafNodeIndex::new(leaf.0)));
        if let Some(policy) = plan.policy {
            builder = builder
                .propose_group_context_extensions(context::extensions(&policy)?)
                .map_err(mls("policy"))?;
        }
        let (rand, crypto) = (self.provider.rand(), self.provider.crypto());
        builder
            .load_psks(self.provider.storage())
            .map_err(bug("commit"))?
            .build(rand, crypto, &signer, |_| true)
            .map_err(mls("commit"))?
            .stage_commit(&self.provider)
            .map_err(mls("commit"))
    }

    fn draft(&mut self, bundle: CommitMessageBundle, annotations: Vec<u8>) -> Result<CommitDraft, Error> {
        let (handshake, welcome, _) = bundle.into_messages();
        let handshake = handshake.to_bytes().map_err(bug("commit"))?;
        let welcome = welcome.map(|welcome| welcome.to_bytes().map_err(bug("Welcome"))).transpose()?;
        if let Some(bytes) = welcome.as_ref().map(Vec::len).filter(|bytes| *bytes > limits::WELCOME_BYTES) {
            return Err(Error::TooLarge { what: "Welcome", bytes, limit: limits::WELCOME_BYTES });
        }
        let contents = self.pending_contents(Envelope::of(&decode::handshake(&handshake)?)?, annotations)?;
        self.drafts += 1;
        Ok(CommitDraft { handshake, welcome, contents })
    }
}
