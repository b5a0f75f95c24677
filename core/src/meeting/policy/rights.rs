//! Who is what under a policy, and what that allows.

use conclave_proto::types::v1::Right;

use super::Policy;
use crate::identity::address::{UserAddress, UserKind};

/// What a person is in a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Let in by name only; can talk, show and write at most.
    Guest,
    /// Takes part.
    Participant,
    /// Helps the hosts.
    CoHost,
    /// May do everything.
    Host,
}

/// What a guest can have at most.
const FOR_GUESTS: [Right; 4] = [Right::Chat, Right::SendAudio, Right::SendVideo, Right::ShareScreen];

/// Whether an address is a guest's.
pub(super) fn is_guest(address: &UserAddress) -> bool {
    address.kind() == UserKind::Guest
}

impl Policy {
    /// The role of an address.
    pub fn role(&self, address: &UserAddress) -> Role {
        let rules = self.rules();
        if rules.hosts.contains(address) {
            Role::Host
        } else if rules.co_hosts.contains(address) {
            Role::CoHost
        } else if is_guest(address) {
            Role::Guest
        } else {
            Role::Participant
        }
    }

    /// Whether an address has a right (spec: MTG-08).
    pub fn allows(&self, address: &UserAddress, right: Right) -> bool {
        let rules = self.rules();
        let participant = rules.participant_rights.contains(&right);
        match self.role(address) {
            Role::Host => true,
            Role::CoHost => participant || rules.co_host_rights.contains(&right),
            Role::Participant => participant,
            Role::Guest => participant && FOR_GUESTS.contains(&right),
        }
    }

    /// Whether bans, domains or jurisdictions keep an address out, whatever it holds.
    pub fn is_banned(&self, address: &UserAddress) -> bool {
        self.rules().banned.contains(address)
    }
}
