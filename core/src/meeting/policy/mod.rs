//! The rules of a meeting: what they say, in the exact bytes on which all members agree.
//!
//! Who may change them is decided in [`change`], how one follows from another in [`chain`].

pub mod chain;
pub mod change;
mod decode;
pub mod rights;

use std::{collections::BTreeSet, fmt, time::Duration};

use conclave_proto::types::v1 as wire;
use prost::{Message, bytes::Bytes};
use sha2::{Digest, Sha256};

pub use self::{
    chain::{PolicyChain, Statement, sign_change},
    rights::Role,
};
use crate::{
    identity::{
        address::{Domain, UserAddress},
        keys::PublicKey,
    },
    limits,
};

/// A policy is not one that a meeting can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not decodable, or a field is not of its form.
    #[error("the policy's {0} is not of its form")]
    Malformed(&'static str),
    /// A list or the whole is larger than its limit.
    #[error("the policy's {0} is larger than allowed")]
    TooLarge(&'static str),
    /// Nobody would be host.
    #[error("a meeting needs at least one host")]
    NoHost,
    /// Guests have no account behind them.
    #[error("a guest cannot be host or co-host")]
    GuestHost,
    /// Bans outrank roles, so nobody has both.
    #[error("a host or co-host cannot be banned; take the role away in the same change")]
    BannedHost,
    /// It does not say that it follows from the one before.
    #[error("the policy does not follow from the one before it")]
    Discontinuous,
    /// An ended meeting stays ended.
    #[error("the meeting is over; its policy changes no more")]
    Ended,
    /// Tokens once void stay void.
    #[error("void admission tokens cannot be made good again")]
    TokensRevived,
    /// The signer's role does not allow it.
    #[error("the signer may not change {0}")]
    NotEntitled(&'static str),
    /// It is signed for another meeting, by another device than it says, or at a time out of order.
    #[error("the policy statement's {0} is not as it must be")]
    Misplaced(&'static str),
}

/// SHA-256 of a policy's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyHash([u8; 32]);

impl PolicyHash {
    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PolicyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyHash({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// What a policy says; change a copy and call [`Policy::next`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Each is an independent switch of the policy.
pub struct Rules {
    /// Who may do everything.
    pub hosts: BTreeSet<UserAddress>,
    /// Who helps the hosts.
    pub co_hosts: BTreeSet<UserAddress>,
    /// What co-hosts may do beyond participants.
    pub co_host_rights: BTreeSet<wire::Right>,
    /// What participants may do.
    pub participant_rights: BTreeSet<wire::Right>,
    /// The key whose secret is in the link; none: no link admits.
    pub link_key: Option<PublicKey>,
    /// Domains whose users are admitted without further evidence.
    pub open_domains: BTreeSet<Domain>,
    /// If not empty, only users of these domains can be in the meeting.
    pub allowed_domains: BTreeSet<Domain>,
    /// If not empty, only users of servers under these jurisdictions can be in it.
    pub allowed_jurisdictions: BTreeSet<String>,
    /// Whether organisations may certify guests into it.
    pub guests_allowed: bool,
    /// Who never gets in.
    pub banned: BTreeSet<UserAddress>,
    /// Admission tokens issued before this are void.
    pub tokens_not_before: crate::time::Time,
    /// Whether whoever has no address token waits for a host.
    pub lobby: bool,
    /// Whether nobody new gets in.
    pub locked: bool,
    /// Whether the meeting is over for good.
    pub ended: bool,
    /// Domains that may take over, in order.
    pub succession: Vec<Domain>,
    /// How long a hub may be silent before it is succeeded.
    pub lease: Duration,
    /// Whether members may record.
    pub recording_allowed: bool,
}

impl Rules {
    /// What a new meeting has when its creator asks for nothing special: one host, everybody talks, shows and writes (spec: MTG-06).
    pub fn for_creator(creator: UserAddress) -> Self {
        use wire::Right;
        Self {
            hosts: BTreeSet::from([creator]),
            co_hosts: BTreeSet::new(),
            co_host_rights: BTreeSet::from([Right::Invite, Right::Admit, Right::Remove, Right::Lock]),
            participant_rights: BTreeSet::from([
                Right::Chat,
                Right::SendAudio,
                Right::SendVideo,
                Right::ShareScreen,
            ]),
            link_key: None,
            open_domains: BTreeSet::new(),
            allowed_domains: BTreeSet::new(),
            allowed_jurisdictions: BTreeSet::new(),
            guests_allowed: true,
            banned: BTreeSet::new(),
            tokens_not_before: crate::time::Time::from_ms(0),
            lobby: false,
            locked: false,
            ended: false,
            succession: Vec::new(),
            lease: limits::DEFAULT_LEASE,
            recording_allowed: false,
        }
    }

    /// What no policy may be, whoever signs it (spec: MTG-07).
    fn check(&self) -> Result<(), Error> {
        let lists = [
            ("hosts", self.hosts.len(), limits::HOSTS),
            ("co-hosts", self.co_hosts.len(), limits::HOSTS),
            ("open domains", self.open_domains.len(), limits::POLICY_DOMAINS),
            ("allowed domains", self.allowed_domains.len(), limits::POLICY_DOMAINS),
            ("allowed jurisdictions", self.allowed_jurisdictions.len(), limits::POLICY_DOMAINS),
            ("bans", self.banned.len(), limits::BANS),
            ("succession", self.succession.len(), limits::SUCCESSION),
        ];
        if let Some((what, ..)) = lists.into_iter().find(|(_, length, limit)| length > limit) {
            return Err(Error::TooLarge(what));
        }
        if self.hosts.is_empty() {
            return Err(Error::NoHost);
        }
        let leaders = || self.hosts.iter().chain(&self.co_hosts);
        if leaders().any(rights::is_guest) {
            return Err(Error::GuestHost);
        }
        if leaders().any(|address| self.banned.contains(address)) {
            return Err(Error::BannedHost);
        }
        let country = |code: &String| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
        if !self.allowed_jurisdictions.iter().all(country) {
            return Err(Error::Malformed("jurisdiction"));
        }
        let distinct: BTreeSet<_> = self.succession.iter().collect();
        if distinct.len() != self.succession.len() {
            return Err(Error::Malformed("succession"));
        }
        Ok(())
    }

    fn encode(&self, version: u64, previous: Option<PolicyHash>) -> wire::Policy {
        fn text<'a, T: ToString + 'a>(items: impl IntoIterator<Item = &'a T>) -> Vec<String> {
            items.into_iter().map(ToString::to_string).collect()
        }
        let numbers = |rights: &BTreeSet<wire::Right>| rights.iter().map(|&right| right.into()).collect();
        wire::Policy {
            version,
            previous_hash: previous.map(|hash| Bytes::copy_from_slice(hash.as_bytes())).unwrap_or_default(),
            hosts: text(&self.hosts),
            co_hosts: text(&self.co_hosts),
            co_host_rights: numbers(&self.co_host_rights),
            participant_rights: numbers(&self.participant_rights),
            link_key: self.link_key.map(|key| Bytes::copy_from_slice(key.as_bytes())).unwrap_or_default(),
            open_domains: text(&self.open_domains),
            allowed_domains: text(&self.allowed_domains),
            allowed_jurisdictions: text(&self.allowed_jurisdictions),
            guests_allowed: self.guests_allowed,
            banned: text(&self.banned),
            tokens_not_before_ms: self.tokens_not_before.as_ms(),
            lobby: self.lobby,
            locked: self.locked,
            ended: self.ended,
            succession: text(&self.succession),
            lease_s: u32::try_from(self.lease.as_secs()).unwrap_or(u32::MAX),
            recording_allowed: self.recording_allowed,
        }
    }
}

/// A policy that holds together, with the bytes by which it is hashed and carried (spec: MTG-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    bytes: Bytes,
    hash: PolicyHash,
    version: u64,
    previous: Option<PolicyHash>,
    rules: Rules,
}

impl Policy {
    /// The policy of a new meeting.
    #[allow(clippy::needless_pass_by_value)] // The rules live on in the policy.
    pub fn first(rules: Rules) -> Result<Self, Error> {
        Self::parse(rules.encode(0, None).encode_to_vec().into())
    }

    /// The policy that follows this one.
    pub fn next(&self, rules: &Rules) -> Result<Self, Error> {
        Self::parse(rules.encode(self.version.saturating_add(1), Some(self.hash)).encode_to_vec().into())
    }

    /// From bytes that travelled; the bytes are kept as they are.
    pub fn parse(bytes: Bytes) -> Result<Self, Error> {
        if bytes.len() > limits::POLICY_BYTES {
            return Err(Error::TooLarge("encoding"));
        }
        let hash = PolicyHash(Sha256::digest(&bytes).into());
        let decoded = wire::Policy::decode(bytes.clone()).map_err(|_| Error::Malformed("encoding"))?;
        let (version, previous, rules) = decode::policy(&decoded)?;
        rules.check()?;
        Ok(Self { bytes, hash, version, previous, rules })
    }

    /// As it travels and stands in the group's context.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The hash of the bytes.
    pub const fn hash(&self) -> PolicyHash {
        self.hash
    }

    /// 0 in the record; counts up by one with every change.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// What it says.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }
}
