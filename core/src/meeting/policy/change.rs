//! Who may change what in a policy.

use std::collections::BTreeSet;

use conclave_proto::types::v1::Right;

use super::{Error, Policy, Role, Rules};
use crate::identity::address::UserAddress;

/// What changed, by the right that it takes.
#[allow(clippy::struct_excessive_bools)] // One for each right, all independent.
struct Changes {
    roles: bool,
    bans: bool,
    more_bans: bool,
    door: bool,
    ended: bool,
    link_or_tokens: bool,
    rest: bool,
}

impl Changes {
    fn between(old: &Rules, new: &Rules) -> Self {
        let mut rest_only = old.clone();
        rest_only.hosts.clone_from(&new.hosts);
        rest_only.co_hosts.clone_from(&new.co_hosts);
        rest_only.co_host_rights.clone_from(&new.co_host_rights);
        rest_only.participant_rights.clone_from(&new.participant_rights);
        rest_only.banned.clone_from(&new.banned);
        rest_only.lobby = new.lobby;
        rest_only.locked = new.locked;
        rest_only.ended = new.ended;
        rest_only.link_key = new.link_key;
        rest_only.tokens_not_before = new.tokens_not_before;
        Self {
            roles: (&old.hosts, &old.co_hosts, &old.co_host_rights, &old.participant_rights)
                != (&new.hosts, &new.co_hosts, &new.co_host_rights, &new.participant_rights),
            bans: old.banned != new.banned,
            more_bans: !new.banned.is_subset(&old.banned),
            door: (old.lobby, old.locked) != (new.lobby, new.locked),
            ended: old.ended != new.ended,
            link_or_tokens: (old.link_key, old.tokens_not_before) != (new.link_key, new.tokens_not_before),
            rest: rest_only != *new,
        }
    }

    /// The first thing changed that `may` does not cover.
    fn forbidden(&self, may: impl Fn(Right) -> bool) -> Option<&'static str> {
        // Whoever bans may also take the link and old tokens away, or the banned would come back by them.
        let link = may(Right::ChangePolicy) || (self.more_bans && may(Right::Remove));
        [
            (self.roles, false, "roles"),
            (self.bans, may(Right::Remove), "bans"),
            (self.door, may(Right::Lock), "lock or lobby"),
            (self.ended, may(Right::End), "the end of the meeting"),
            (self.link_or_tokens, link, "the link or the validity of tokens"),
            (self.rest, may(Right::ChangePolicy), "the policy"),
        ]
        .into_iter()
        .find_map(|(changed, allowed, what)| (changed && !allowed).then_some(what))
    }
}

/// Whether `signer` may put `new` in the place of `old` (spec: MTG-09).
pub fn check_change(old: &Policy, new: &Policy, signer: &UserAddress) -> Result<(), Error> {
    // MTG-07: the bytes hold together; here: they continue the old ones.
    if new.version != old.version.saturating_add(1) || new.previous != Some(old.hash) {
        return Err(Error::Discontinuous);
    }
    if old.rules.ended {
        return Err(Error::Ended); // MTG-10
    }
    if new.rules.tokens_not_before < old.rules.tokens_not_before {
        return Err(Error::TokensRevived);
    }
    if old.is_banned(signer) {
        return Err(Error::NotEntitled("the policy"));
    }
    if old.role(signer) == Role::Host {
        return Ok(());
    }
    match Changes::between(&old.rules, &new.rules).forbidden(|right| old.allows(signer, right)) {
        Some(what) => Err(Error::NotEntitled(what)),
        None => Ok(()),
    }
}

/// Whom a change bans that was not banned before.
pub fn newly_banned(old: &Policy, new: &Policy) -> BTreeSet<UserAddress> {
    new.rules.banned.difference(&old.rules.banned).cloned().collect()
}
