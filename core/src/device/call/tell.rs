//! What the person is told of a session.

use sha2::{Digest, Sha256};

use super::{Call, Inside};
use crate::{
    device::{
        Device, Error,
        command::MeetingAddress,
        event::{CallEvent, Done, Event, MediaKeys, Member, Over, Roster, Verification},
    },
    ids::LeafIndex,
    media::frame::EpochKeys,
    meeting::link::Link,
    time::Time,
};

impl Device {
    pub(super) fn tell(&mut self, meeting: &MeetingAddress, event: CallEvent) {
        self.out.event(Event::Call { meeting: meeting.clone(), event });
    }

    /// Ends the call and says why; a join that still waits gets its answer.
    pub(in crate::device) fn over(&mut self, meeting: &MeetingAddress, over: Over) {
        let Some(call) = self.calls.remove(meeting) else { return };
        if let Some(watch) = call.watch {
            self.out.close(watch);
        }
        if let Some(request) = call.request {
            self.done(request, Ok(Done::Plain));
        }
        self.tell(meeting, CallEvent::Over(over));
    }

    /// Something in a session failed for good.
    pub(in crate::device) fn call_failed(&mut self, meeting: &MeetingAddress, error: Error) {
        tracing::warn!(%error, meeting = %meeting.id, "the call failed");
        if let Some(request) = self.calls.get_mut(meeting).and_then(|call| call.request.take()) {
            self.done(request, Err(error.clone()));
        } else {
            self.tell(meeting, CallEvent::Alarm(error.clone()));
        }
        self.over(meeting, Over::Refused(error));
    }

    /// The rules in force.
    pub(super) fn tell_policy(&mut self, meeting: &MeetingAddress) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let policy = inside.view.chain.tip().clone();
        self.keep_link_in_force(meeting);
        let secret = self.secret_in_force(meeting, policy.rules().link_key.as_ref());
        let link = secret.map(|secret| Link {
            server: Some(self.domain.clone()),
            meeting: meeting.id,
            hub: meeting.hub.clone(),
            secret: Some(secret),
        });
        self.tell(meeting, CallEvent::Policy { policy, link });
    }

    /// The roster and the frame keys, after every change of the group.
    pub(super) fn tell_group(&mut self, now: Time, meeting: &MeetingAddress, removed: Vec<LeafIndex>) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let roster = inside.roster(now, &self.pins);
        let keys = inside.frame_keys();
        self.tell(meeting, CallEvent::Roster(roster));
        match keys {
            Ok(keys) => {
                let at_once = !removed.is_empty();
                self.tell(meeting, CallEvent::Keys(MediaKeys { keys, at_once, removed }));
            }
            Err(error) => self.call_failed(meeting, error),
        }
    }
}

impl Inside {
    /// Every leaf of the tree, whatever a server says of it (spec: DEV-11).
    fn roster(&self, now: Time, pins: &crate::identity::pins::Pins) -> Roster {
        let own = self.member.own_leaf();
        let policy = self.view.chain.tip();
        let members = self.member.roster().iter().map(|leaf| {
            let verified = pins.verify_device_ignoring_time(&leaf.chain);
            let valid = verified.as_ref().is_ok_and(|device| device.check_valid_at(now).is_ok());
            Member {
                leaf: leaf.leaf,
                device: leaf.device().clone(),
                display_name: verified.map(|device| device.display_name.to_string()).unwrap_or_default(),
                role: policy.role(leaf.device().user()),
                verification: if valid { Verification::Certified } else { Verification::Expired },
                is_self: leaf.leaf == own,
            }
        });
        let authenticator = self.member.epoch_authenticator();
        Roster {
            epoch: self.member.epoch(),
            members: members.collect(),
            verification_code: code(&authenticator),
        }
    }

    fn frame_keys(&self) -> Result<EpochKeys, Error> {
        let base_key = self.member.frame_base_key()?;
        let roster = self.member.roster().iter().map(|leaf| (leaf.leaf, leaf.device().clone()));
        Ok(EpochKeys::new(self.member.epoch(), *base_key, self.member.own_leaf(), roster))
    }
}

/// Six groups of five digits from the epoch authenticator (RFC 9420 §8.7), the same for all members (spec: DEV-09).
fn code(epoch_authenticator: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"conclave/v1/verification-code\0");
    hash.update(epoch_authenticator);
    let digest = hash.finalize();
    let groups = digest.chunks_exact(5).map(|five| {
        let number = five.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        format!("{:05}", number % 100_000)
    });
    groups.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dev_09_the_code_is_six_groups_of_five_digits_and_follows_the_authenticator() {
        let one = code(&[1; 32]);
        assert_eq!(one.split(' ').map(str::len).collect::<Vec<_>>(), [5; 6]);
        assert!(one.chars().all(|c| c == ' ' || c.is_ascii_digit()));
        assert_ne!(one, code(&[2; 32]));
    }
}
