//! What an entry changed, for whoever serves devices and media.

use std::sync::Arc;

use crate::{
    identity::address::DeviceUri,
    ids::{Epoch, KeyPackageRef, LeafIndex, Sequence},
    meeting::policy::Policy,
};

/// One consequence of an applied entry, in the order in which they took hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A Join is logged and will be committed, or found the session; also when a waiting one was let in.
    JoinOpen {
        /// Who asks.
        device: DeviceUri,
        /// Its KeyPackage.
        key_package_ref: KeyPackageRef,
        /// Where the Join stands.
        sequence: Sequence,
    },
    /// A Join is logged, and a host must let the device in.
    Waiting {
        /// Who asks.
        device: DeviceUri,
        /// Its KeyPackage.
        key_package_ref: KeyPackageRef,
        /// Where the Join stands.
        sequence: Sequence,
    },
    /// A host turned a waiting device away.
    Denied {
        /// Whom.
        device: DeviceUri,
        /// Its KeyPackage.
        key_package_ref: KeyPackageRef,
    },
    /// A Join is answered no more: replaced by a newer one, no longer admissible, or its commit is void.
    JoinLapsed {
        /// Whose.
        device: DeviceUri,
        /// Its KeyPackage.
        key_package_ref: KeyPackageRef,
    },
    /// A device is in the group. Follows the [`EpochStarted`](Self::EpochStarted) of its commit.
    MemberEntered {
        /// Who.
        device: DeviceUri,
        /// Where in the tree.
        leaf: LeafIndex,
        /// The epoch that it enters.
        epoch: Epoch,
        /// The KeyPackage that was used.
        key_package_ref: KeyPackageRef,
        /// The commit that added it.
        sequence: Sequence,
    },
    /// A member said that it goes, or its domain took it out: it is present no more, though still in the tree.
    MemberLeft {
        /// Who.
        device: DeviceUri,
        /// Where in the tree.
        leaf: LeafIndex,
    },
    /// A member is out of the tree.
    MemberRemoved {
        /// Who.
        device: DeviceUri,
        /// Where it was.
        leaf: LeafIndex,
        /// The first epoch without it.
        epoch: Epoch,
        /// The commit that removed it; after a Void, the Void.
        sequence: Sequence,
        /// Whether it had gone by itself before.
        had_left: bool,
    },
    /// A commit or the founding was logged.
    EpochStarted {
        /// The epoch it starts.
        epoch: Epoch,
        /// The commit.
        sequence: Sequence,
    },
    /// Somebody else entered the epoch; no Void goes behind it.
    EpochConfirmed {
        /// The epoch.
        epoch: Epoch,
    },
    /// The group goes back.
    Voided {
        /// The first commit that is void; so are all later ones.
        commit_sequence: Sequence,
        /// The epoch that stands again.
        standing_epoch: Epoch,
        /// Who may not commit any more.
        barred: DeviceUri,
    },
    /// The policy is another one.
    PolicyChanged(Arc<Policy>),
    /// Nobody is present any more, or the meeting ended: the session takes no more members.
    SessionOver,
}
