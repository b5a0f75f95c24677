//! How an organisation's root came from earlier ones (spec: IDN-15).

use std::collections::BTreeSet;

use conclave_proto::types::v1::{RootSuccession, RootSuccessionStatement};
use prost::bytes::Bytes;

use super::Error;
use crate::{
    identity::{
        address::Domain,
        keys::{PublicKey, SigningKey},
        signed::{self, Label},
    },
    limits,
    time::Time,
};

/// The old root's word for the new one.
pub fn sign_succession(old: &SigningKey, domain: &Domain, new: &PublicKey, now: Time) -> RootSuccession {
    let statement = RootSuccessionStatement {
        domain: domain.to_string(),
        new_root_key: Bytes::copy_from_slice(new.as_bytes()),
        time_ms: now.as_ms(),
    };
    RootSuccession {
        old_root_key: Bytes::copy_from_slice(old.public().as_bytes()),
        statement: Some(signed::sign_message(Label::RootSuccession, &statement, old)),
    }
}

/// Whether the chain leads from `pinned` to the root at its end, which `check_chain` has found to be the descriptor's.
pub fn verify_succession(
    chain: &[RootSuccession],
    domain: &Domain,
    pinned: &PublicKey,
    root: &PublicKey,
) -> Result<(), Error> {
    check_chain(chain, domain, root)?;
    if chain.iter().any(|step| step.old_root_key == pinned.as_bytes()[..]) {
        Ok(())
    } else {
        Err(Error::Succession)
    }
}

/// Every step signed by the root before it, no root twice, the last one `root` (spec: IDN-15).
pub(super) fn check_chain(chain: &[RootSuccession], domain: &Domain, root: &PublicKey) -> Result<(), Error> {
    if chain.len() > limits::ROOT_SUCCESSIONS {
        return Err(Error::Succession);
    }
    let mut seen = BTreeSet::new();
    let mut next: Option<Bytes> = None;
    for step in chain {
        let continues = next.as_ref().is_none_or(|expected| *expected == step.old_root_key);
        if !continues || !seen.insert(&step.old_root_key) {
            return Err(Error::Succession);
        }
        next = Some(check_step(step, domain)?);
    }
    match next {
        Some(last) if last != root.as_bytes()[..] || seen.contains(&last) => Err(Error::Succession),
        _ => Ok(()),
    }
}

/// The new root that one step names.
fn check_step(step: &RootSuccession, domain: &Domain) -> Result<Bytes, Error> {
    let old = PublicKey::parse(&step.old_root_key).map_err(|_| Error::Succession)?;
    let statement = step.statement.as_ref().ok_or(Error::Succession)?;
    let statement: RootSuccessionStatement =
        signed::verify_decode(Label::RootSuccession, statement, &old).map_err(|_| Error::Succession)?;
    if statement.domain == domain.as_str() { Ok(statement.new_root_key) } else { Err(Error::Succession) }
}
