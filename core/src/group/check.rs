//! What MLS leaves to the application and OpenMLS therefore does not check, as far as no meeting has to be known.

use std::collections::BTreeSet;

use openmls::prelude::GroupContext;

use super::{CommitContents, Error, RosterLeaf, context};
use crate::{
    identity::{address::DeviceUri, keys::PublicKey},
    limits,
};

/// No device and no key twice, no leaf given away, not too many (spec: GRP-06, GRP-07, GRP-09).
pub(super) fn resulting_roster(roster: &[RosterLeaf], contents: &CommitContents) -> Result<(), Error> {
    if contents.adds.len() > limits::JOINS_PER_COMMIT {
        let (count, limit) = (contents.adds.len(), limits::JOINS_PER_COMMIT);
        return Err(Error::TooMany { what: "Adds", count, limit });
    }
    if contents.path.is_none() && !contents.removes.is_empty() {
        return Err(Error::Malformed("commit: a Remove without a path")); // GRP-13; OpenMLS refuses it, too.
    }
    if let Some(path) = &contents.path
        && *path.chain.claimed_uri() != contents.committer_device
    {
        return Err(Error::LeafTaken);
    }
    let stay = roster.iter().filter(|member| !contents.removes.contains(&member.leaf));
    let stay = stay.map(|member| match &contents.path {
        Some(path) if member.leaf == contents.committer => (member.device(), &path.signature_key),
        _ => (member.device(), &member.signature_key),
    });
    let enter = contents.adds.iter().map(|added| (added.device(), &added.signature_key));
    unique(stay.chain(enter))
}

/// No device and no key twice, not too many members (spec: GRP-07, GRP-09).
pub(super) fn unique<'a>(members: impl Iterator<Item = (&'a DeviceUri, &'a PublicKey)>) -> Result<(), Error> {
    let (mut devices, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for (device, key) in members {
        if !devices.insert(device) {
            return Err(Error::DuplicateDevice);
        }
        if !keys.insert(key.as_bytes()) {
            return Err(Error::DuplicateKey);
        }
    }
    if devices.len() > limits::MEMBERS {
        let count = devices.len();
        return Err(Error::TooMany { what: "members", count, limit: limits::MEMBERS });
    }
    Ok(())
}

/// A whole roster, for a group that is entered or followed from here on (spec: GRP-07, GRP-09).
pub(super) fn roster(members: &[RosterLeaf]) -> Result<(), Error> {
    unique(members.iter().map(|member| (member.device(), &member.signature_key)))
}

/// The new context differs from the old in epoch and hashes, and in the policy if the commit says so (spec: GRP-03).
pub(super) fn resulting_context(
    old: &GroupContext,
    new: &GroupContext,
    policy: Option<&[u8]>,
) -> Result<(), Error> {
    let expected = match policy {
        Some(policy) => policy,
        None => context::policy_of(old.extensions())?,
    };
    if context::policy_of(new.extensions())? == expected {
        Ok(())
    } else {
        Err(Error::Context("the policy changes without a proposal"))
    }
}
