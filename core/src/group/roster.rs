//! Who is in a group.

use openmls::prelude::{LeafNodeIndex, PublicGroup};

use super::{Error, Suite, check, context, credential};
use crate::{
    identity::{address::DeviceUri, certificate::Chain, keys::PublicKey},
    ids::LeafIndex,
};

/// One member, as its leaf shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterLeaf {
    /// Where in the tree.
    pub leaf: LeafIndex,
    /// Its certificates; the group layer has checked their form, not whom they come from.
    pub chain: Chain,
    /// The key that it signs with, which is the certificate's.
    pub signature_key: PublicKey,
}

impl RosterLeaf {
    /// Whose device it is, by its certificate.
    pub const fn device(&self) -> &DeviceUri {
        self.chain.claimed_uri()
    }
}

/// The roster by leaf index; leaves that did not change since `known` are taken from there.
pub(super) fn read(group: &PublicGroup, known: &[RosterLeaf]) -> Result<Vec<RosterLeaf>, Error> {
    group
        .members()
        .map(|member| {
            let leaf = LeafIndex(member.index.u32());
            let same =
                known.binary_search_by_key(&leaf, |known| known.leaf).ok().and_then(|at| known.get(at));
            if let Some(same) = same
                && same.signature_key.as_bytes()[..] == member.signature_key[..]
                && credential::encode(&same.chain)? == member.credential
            {
                return Ok(same.clone());
            }
            let chain = credential::decode(&member.credential, &member.signature_key)?;
            Ok(RosterLeaf { leaf, signature_key: *chain.claimed_key(), chain })
        })
        .collect()
}

/// The member at a leaf.
pub(super) fn at(roster: &[RosterLeaf], leaf: LeafIndex) -> Option<&RosterLeaf> {
    roster.binary_search_by_key(&leaf, |member| member.leaf).ok().and_then(|at| roster.get(at))
}

/// That every leaf is as every leaf has to be, for a group that is entered or followed from here on (spec: GRP-02, GRP-07).
pub(super) fn read_new(group: &PublicGroup, suite: Suite) -> Result<Vec<RosterLeaf>, Error> {
    let roster = read(group, &[])?;
    for member in &roster {
        let leaf = group.leaf(LeafNodeIndex::new(member.leaf.0)).ok_or(Error::Malformed("ratchet tree"))?;
        context::check_leaf_form(leaf, suite)?;
    }
    check::roster(&roster)?;
    Ok(roster)
}
