//! From the wire form of a policy to its rules, refusing every field that is not of its form.

use std::{collections::BTreeSet, time::Duration};

use conclave_proto::types::v1 as wire;

use super::{Error, PolicyHash, Rules};
use crate::{
    identity::{
        address::{Domain, UserAddress},
        keys::PublicKey,
    },
    time::Time,
};

/// Version, hash of the one before, and rules.
pub(super) fn policy(policy: &wire::Policy) -> Result<(u64, Option<PolicyHash>, Rules), Error> {
    let previous = match policy.previous_hash.as_ref() {
        [] => None,
        bytes => Some(PolicyHash(bytes.try_into().map_err(|_| Error::Malformed("previous hash"))?)),
    };
    if previous.is_none() != (policy.version == 0) {
        return Err(Error::Malformed("version"));
    }
    let link_key = match policy.link_key.as_ref() {
        [] => None,
        bytes => Some(PublicKey::parse(bytes).map_err(|_| Error::Malformed("link key"))?),
    };
    let rules = Rules {
        hosts: addresses(&policy.hosts, "hosts")?,
        co_hosts: addresses(&policy.co_hosts, "co-hosts")?,
        co_host_rights: rights(&policy.co_host_rights)?,
        participant_rights: rights(&policy.participant_rights)?,
        link_key,
        open_domains: domains(&policy.open_domains, "open domains")?,
        allowed_domains: domains(&policy.allowed_domains, "allowed domains")?,
        allowed_jurisdictions: policy.allowed_jurisdictions.iter().cloned().collect(),
        guests_allowed: policy.guests_allowed,
        banned: addresses(&policy.banned, "bans")?,
        tokens_not_before: Time::from_ms(policy.tokens_not_before_ms),
        lobby: policy.lobby,
        locked: policy.locked,
        ended: policy.ended,
        succession: domains(&policy.succession, "succession")?,
        lease: Duration::from_secs(policy.lease_s.into()),
        recording_allowed: policy.recording_allowed,
    };
    Ok((policy.version, previous, rules))
}

fn addresses(texts: &[String], what: &'static str) -> Result<BTreeSet<UserAddress>, Error> {
    texts.iter().map(|text| UserAddress::parse(text).map_err(|_| Error::Malformed(what))).collect()
}

fn domains<C: FromIterator<Domain>>(texts: &[String], what: &'static str) -> Result<C, Error> {
    texts.iter().map(|text| Domain::parse(text).map_err(|_| Error::Malformed(what))).collect()
}

/// A right that this version does not know is refused: it could not be carried into the next policy.
fn rights(numbers: &[i32]) -> Result<BTreeSet<wire::Right>, Error> {
    numbers
        .iter()
        .map(|&number| match wire::Right::try_from(number) {
            Ok(wire::Right::Unspecified) | Err(_) => Err(Error::Malformed("rights")),
            Ok(right) => Ok(right),
        })
        .collect()
}
