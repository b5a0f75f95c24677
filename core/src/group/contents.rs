//! What a commit does, in plain words: the same for members, who hold the secrets, and for servers, who do not.

use openmls::prelude::{
    ConfirmationTag, Extensions, GroupContext, LeafNode, OpenMlsCrypto, Proposal, ProposalOrRefType,
    PublicMessageIn, QueuedProposal, Sender, StagedCommit,
};
use tls_codec::{DeserializeBytes as _, Serialize as _, VLBytes};

use super::{
    Error, Forbidden, KeyPackageSummary, RosterLeaf, Suite, check, context, credential, error::bug,
    key_package,
};
use crate::{
    identity::{address::DeviceUri, certificate::Chain, keys::PublicKey},
    ids::{Epoch, LeafIndex},
};

/// One Add; its leaf is known once the commit is merged.
pub type AddedLeaf = KeyPackageSummary;

/// The committer's own leaf as the commit's path leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathLeaf {
    /// Its certificates, of the same device as before; not checked up to a root here.
    pub chain: Chain,
    /// The key that it signs with from now on, which is the certificate's.
    pub signature_key: PublicKey,
}

/// What a commit does. It has passed every check that needs no knowledge of the meeting (spec: GRP-05, GRP-06, GRP-07).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitContents {
    /// The member that made it.
    pub committer: LeafIndex,
    /// Whose device that is.
    pub committer_device: DeviceUri,
    /// The epoch that it ends.
    pub epoch: Epoch,
    /// Who is added, in the order of the Adds.
    pub adds: Vec<AddedLeaf>,
    /// Who is removed, in the order of the Removes; never the committer.
    pub removes: Vec<LeafIndex>,
    /// The new policy's bytes, if it changes.
    pub policy: Option<Vec<u8>>,
    /// The committer's new leaf, if the commit has a path.
    pub path: Option<PathLeaf>,
    /// The commit's authenticated_data.
    pub annotations: Vec<u8>,
    /// The confirmation tag of the epoch that it starts; servers cannot verify it.
    pub confirmation_tag: Vec<u8>,
}

/// What surrounds the staged commit.
pub(super) struct Frame<'a> {
    pub(super) suite: Suite,
    pub(super) roster: &'a [RosterLeaf],
    pub(super) context: &'a GroupContext,
    pub(super) envelope: Envelope,
    pub(super) annotations: Vec<u8>,
}

/// What stands around a commit in its PublicMessage.
pub(super) struct Envelope {
    committer: LeafIndex,
    confirmation_tag: Vec<u8>,
}

impl Envelope {
    pub(super) fn of(message: &PublicMessageIn) -> Result<Self, Error> {
        let Sender::Member(committer) = message.sender() else {
            return Err(Forbidden::ExternalCommit.into());
        };
        let tag = message.confirmation_tag().ok_or(Error::Malformed("commit: no confirmation tag"))?;
        Ok(Self { committer: LeafIndex(committer.u32()), confirmation_tag: tag_bytes(tag)? })
    }

    pub(super) fn confirmation_tag(&self) -> &[u8] {
        &self.confirmation_tag
    }
}

/// Takes a staged commit apart and checks it; used alike by members and by servers.
pub(super) fn extract(
    crypto: &impl OpenMlsCrypto,
    frame: Frame<'_>,
    staged: &StagedCommit,
) -> Result<CommitContents, Error> {
    let committer = super::roster::at(frame.roster, frame.envelope.committer)
        .ok_or(Error::Malformed("commit: nobody is at the committer's leaf"))?;
    let mut contents = CommitContents {
        committer: frame.envelope.committer,
        committer_device: committer.device().clone(),
        epoch: Epoch(frame.context.epoch().as_u64()),
        adds: Vec::new(),
        removes: Vec::new(),
        policy: None,
        path: None,
        annotations: frame.annotations,
        confirmation_tag: frame.envelope.confirmation_tag,
    };
    for queued in staged.queued_proposals() {
        take(crypto, frame.suite, queued, &mut contents)?;
    }
    if let Some(leaf) = staged.update_path_leaf_node() {
        contents.path = Some(path_leaf(leaf, frame.suite)?);
    }
    check::resulting_roster(frame.roster, &contents)?;
    check::resulting_context(frame.context, staged.group_context(), contents.policy.as_deref())?;
    Ok(contents)
}

fn take(
    crypto: &impl OpenMlsCrypto,
    suite: Suite,
    queued: &QueuedProposal,
    contents: &mut CommitContents,
) -> Result<(), Error> {
    if queued.proposal_or_ref_type() == ProposalOrRefType::Reference {
        return Err(Forbidden::ByReference.into());
    }
    match queued.proposal() {
        Proposal::Add(add) => contents.adds.push(key_package::summary(crypto, suite, add.key_package())?),
        Proposal::Remove(remove) => contents.removes.push(LeafIndex(remove.removed().u32())),
        Proposal::GroupContextExtensions(change) => {
            if contents.policy.replace(new_policy(change.extensions())?).is_some() {
                return Err(Forbidden::SecondContextChange.into());
            }
        }
        Proposal::Update(_) => return Err(Forbidden::Update.into()),
        Proposal::PreSharedKey(_) => return Err(Forbidden::PreSharedKey.into()),
        Proposal::ReInit(_) => return Err(Forbidden::ReInit.into()),
        Proposal::ExternalInit(_) => return Err(Forbidden::ExternalInit.into()),
        _ => return Err(Forbidden::OtherProposal.into()),
    }
    Ok(())
}

fn new_policy(extensions: &Extensions<GroupContext>) -> Result<Vec<u8>, Error> {
    context::policy_of(extensions).map(<[u8]>::to_vec)
}

fn path_leaf(leaf: &LeafNode, suite: Suite) -> Result<PathLeaf, Error> {
    context::check_leaf_form(leaf, suite)?;
    let chain = credential::decode(leaf.credential(), leaf.signature_key().as_slice())?;
    Ok(PathLeaf { signature_key: *chain.claimed_key(), chain })
}

/// A tag as it travels in Confirm entries: without its length.
pub(super) fn tag_bytes(tag: &ConfirmationTag) -> Result<Vec<u8>, Error> {
    let framed = tag.tls_serialize_detached().map_err(bug("confirmation tag"))?;
    VLBytes::tls_deserialize_exact_bytes(&framed).map(Vec::from).map_err(bug("confirmation tag"))
}
