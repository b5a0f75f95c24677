//! How many hosts a user may have this server turn to: only what is not known yet costs (spec: FED-08).

use std::time::Instant;

use conclave_core::identity::address::{Domain, UserAddress};

use crate::{
    federation::peers::Peers,
    refusal::Refusal,
    rpc::budget::{Budget, Rate},
};

/// How fast one user may have domains and people looked up.
const RATE: Rate = Rate { burst: 200.0, per_second: 5.0 };

/// What each user has had looked up.
pub struct LookUps {
    peers: Peers,
    budget: Budget<UserAddress>,
}

impl LookUps {
    /// Nobody has asked yet.
    pub fn new(peers: Peers) -> Self {
        Self { peers, budget: Budget::new(RATE) }
    }

    /// Something is looked up for a user.
    pub fn spend(&self, user: &UserAddress) -> Result<(), Refusal> {
        self.budget.spend(user, 1.0, Instant::now())
    }

    /// A user names a domain; to be asked before its host is contacted.
    pub fn turn_to(&self, user: &UserAddress, domain: &Domain) -> Result<(), Refusal> {
        let is_known = domain == self.peers.own_domain() || self.peers.pins().pin(domain).is_some();
        if is_known { Ok(()) } else { self.spend(user) }
    }
}
