//! Why the group layer refuses something, by blame.

use crate::ids::Epoch;

/// What no commit may do, whoever makes it (spec: GRP-05).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// A commit by somebody outside the group.
    #[error("a commit from outside the group")]
    ExternalCommit,
    /// A proposal that travels alone.
    #[error("a proposal outside a commit")]
    StandaloneProposal,
    /// A proposal that the commit only refers to.
    #[error("a proposal by reference")]
    ByReference,
    /// A pre-shared key.
    #[error("a PreSharedKey proposal")]
    PreSharedKey,
    /// A new group in place of this one.
    #[error("a ReInit proposal")]
    ReInit,
    /// Entering by oneself.
    #[error("an ExternalInit proposal")]
    ExternalInit,
    /// An Update proposal; members update by the path of their own commit.
    #[error("an Update proposal")]
    Update,
    /// Any other kind of proposal.
    #[error("a proposal of a kind that the protocol does not use")]
    OtherProposal,
    /// More than one change of the group context.
    #[error("more than one change of the group context")]
    SecondContextChange,
}

/// An input was refused; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    // The author of the bytes is to blame.
    /// Too large to be looked at.
    #[error("{what} of {bytes} bytes is larger than {limit}")]
    TooLarge {
        /// What it claims to be.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The most that is read.
        limit: usize,
    },
    /// Too many of something.
    #[error("{count} {what} are more than {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there would be.
        count: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// Not of its form.
    #[error("not a well-formed {0}")]
    Malformed(&'static str),
    /// The protocol never allows it.
    #[error("forbidden: {0}")]
    Forbidden(#[from] Forbidden),
    /// A leaf is not as every leaf has to be.
    #[error("bad leaf: {0}")]
    Leaf(&'static str),
    /// The group context is not as every group's has to be.
    #[error("bad group context: {0}")]
    Context(&'static str),
    /// Two leaves would be one device.
    #[error("two leaves would belong to one device")]
    DuplicateDevice,
    /// Two leaves would have one signature key.
    #[error("two leaves would have one signature key")]
    DuplicateKey,
    /// An update would give a leaf to another device.
    #[error("an update would give the leaf to another device")]
    LeafTaken,
    /// MLS itself refuses it.
    #[error("MLS refuses this {what}: {reason}")]
    Mls {
        /// What was looked at.
        what: &'static str,
        /// What OpenMLS says.
        reason: String,
    },

    // The two sides do not fit together.
    /// A cipher suite that is not spoken.
    #[error("cipher suite {0:#06x} is not spoken")]
    UnknownSuite(u16),
    /// Not the cipher suite of the group.
    #[error("not the cipher suite of the group")]
    WrongSuite,
    /// For another group.
    #[error("for another group")]
    WrongGroup,
    /// The commit in the log starts another epoch than the Welcome opened.
    #[error("the commit in the log and the Welcome do not lead to the same epoch")]
    Forked,
    /// For another epoch.
    #[error("for epoch {} while the group is in epoch {}", .message.0, .group.0)]
    WrongEpoch {
        /// The epoch that the message is for.
        message: Epoch,
        /// The epoch of the group.
        group: Epoch,
    },

    // The caller is to blame.
    /// The KeyPackage has been used already.
    #[error("this KeyPackage has been used")]
    Used,
    /// This device was removed from the group.
    #[error("this device was removed from the group")]
    Removed,
    /// A commit of one's own waits already.
    #[error("a commit of this member is pending")]
    Pending,
    /// Staged on another state of the group, or the snapshot is older than what was sealed since.
    #[error("the group has moved on since")]
    Stale,
    /// OpenMLS failed where it cannot.
    #[error("bug: {what}: {reason}")]
    Bug {
        /// Where.
        what: &'static str,
        /// What OpenMLS says.
        reason: String,
    },
}

/// For `map_err`: MLS refuses.
pub(super) fn mls<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |error| Error::Mls { what, reason: error.to_string() }
}

/// For `map_err`: what cannot fail did.
pub(super) fn bug<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |error| Error::Bug { what, reason: error.to_string() }
}
