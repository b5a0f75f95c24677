//! Who calls: the one place where a federation call is joined to a domain.
//!
//! Devices are told by their session token, in `rpc::client`.

use std::time::Instant;

use conclave_core::identity::{address::Domain, keys::Fingerprint};
use conclave_proto::types::v1::ErrorReason;
use http::Request;
use tonic::body::Body;

use super::{
    budget::{Budget, Rate},
    listener::Connection,
};
use crate::{federation::peers::Peers, refusal::Refusal};

/// The only call that is open to a caller whose key is unknown.
const HELLO: &str = "/conclave.federation.v1.DirectoryService/Hello";
/// How fast one peer may call.
const PEER: Rate = Rate { burst: 20_000.0, per_second: 10_000.0 };
/// How fast unknown callers may introduce themselves, from one address.
const STRANGER: Rate = Rate { burst: 10.0, per_second: 0.2 };

/// The domain for which a call speaks; in each federation request's extensions, Hello's excepted (spec: FED-03).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(pub Domain);

/// The key that a call's connection has proved.
#[derive(Clone, Copy, Debug)]
pub struct Key(pub Fingerprint);

/// Decides for whom each federation call speaks.
pub struct Gate {
    peers: Peers,
    peer_budget: Budget<Domain>,
    stranger_budget: Budget<std::net::IpAddr>,
}

impl Gate {
    /// By the keys that these peers have pinned.
    pub fn new(peers: Peers) -> Self {
        Self { peers, peer_budget: Budget::new(PEER), stranger_budget: Budget::new(STRANGER) }
    }

    /// Puts the caller into the request, or says why it may not call (spec: FED-03, FED-08).
    pub fn admit(&self, request: &mut Request<Body>) -> Result<(), Refusal> {
        let connection = request.extensions().get::<Connection>().copied();
        let connection = connection.ok_or(Refusal::BUG)?;
        let key = connection.spki.ok_or(Refusal::new(ErrorReason::PeerNotAllowed))?;
        match self.peers.domain_of(&key) {
            Ok(domain) => {
                self.peer_budget.spend(&domain, 1.0, Instant::now())?;
                request.extensions_mut().insert(Caller(domain));
            }
            Err(refusal) if request.uri().path() != HELLO => return Err(refusal),
            Err(_) => self.stranger_budget.spend(&connection.remote.ip(), 1.0, Instant::now())?,
        }
        request.extensions_mut().insert(Key(key));
        Ok(())
    }
}

/// The caller of a federation call that passed the gate.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Domain, Refusal> {
    request.extensions().get::<Caller>().map(|caller| caller.0.clone()).ok_or(Refusal::BUG)
}
