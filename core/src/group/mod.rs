//! One MLS group: as members drive it, and as servers that hold no secret follow it.
//!
//! Decides what every group of the protocol has in common (spec: GRP). Whose certificate is good, who may add, remove or change
//! the policy: that is decided by `identity` and `meeting`, from what this module tells them.

mod check;
pub mod commit;
pub mod contents;
mod context;
pub mod credential;
pub mod decode;
mod error;
pub mod joiner;
pub mod key_package;
pub mod member;
pub mod provider;
pub mod roster;
mod signer;
pub mod suite;
pub mod tracker;
mod tree;

pub use self::{
    commit::{CommitDraft, CommitPlan},
    contents::CommitContents,
    context::POLICY_EXTENSION,
    credential::Identity,
    error::{Error, Forbidden},
    joiner::Joiner,
    key_package::KeyPackageSummary,
    member::Member,
    roster::RosterLeaf,
    suite::Suite,
    tracker::Tracker,
};
