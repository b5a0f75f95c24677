//! Who of the members cannot be reached now, by the word of their own domains (spec: DEV-26).

use std::collections::BTreeMap;

use conclave_proto::types::v1 as types;

use super::{Call, Inside};
use crate::{
    device::{Device, Error, command::MeetingAddress, event::CallEvent},
    identity::{address::DeviceUri, pins::Pins},
    ids::Sequence,
    limits,
    meeting::{attendance::Attendance, commit_rules::RulesView, trust::Trust},
    time::Time,
};

/// What was said last of a device.
struct Word {
    /// When its domain said so, by that domain's clock.
    said: Time,
    /// Until when it counts as away.
    until: Option<Time>,
}

/// What the domains say of their devices.
#[derive(Default)]
pub(in crate::device) struct Away(BTreeMap<DeviceUri, Word>);

impl Away {
    /// When somebody's absence is not believed any longer.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.0.values().filter_map(|word| word.until).min()
    }

    /// A device is gone; says whether it was away.
    pub(super) fn forget(&mut self, device: &DeviceUri) -> bool {
        self.0.remove(device).is_some_and(|word| word.until.is_some())
    }

    /// Takes a word that is newer than the last; says whether it changes anything.
    fn hear(&mut self, device: &DeviceUri, said: Time, until: Option<Time>) -> bool {
        let known = self.0.get(device);
        if known.is_some_and(|known| said <= known.said) {
            return false;
        }
        let was = known.is_some_and(|known| known.until.is_some());
        self.0.insert(device.clone(), Word { said, until });
        was != until.is_some()
    }

    /// Those whose absence was not said again in time.
    fn expired(&mut self, now: Time) -> Vec<DeviceUri> {
        let due = self
            .0
            .iter_mut()
            .filter_map(|(device, word)| word.until.take_if(|until| *until <= now).map(|_| device.clone()));
        due.collect()
    }
}

impl Device {
    /// A domain says whether its device can be reached; what is not good is missed.
    pub(super) fn attended(&mut self, now: Time, meeting: &MeetingAddress, signed: &types::ServerSigned) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        match inside.attendance(now, meeting, signed, &self.pins) {
            Ok(Some(event)) => self.tell(meeting, event),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "a word on who can be reached is dropped"),
        }
    }

    /// Nobody stays away by a word that is not said again.
    pub(super) fn forget_absences(&mut self, now: Time, meeting: &MeetingAddress) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        for device in inside.away.expired(now) {
            self.tell(meeting, CallEvent::Away { device, away: false });
        }
    }
}

impl Inside {
    fn attendance(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        signed: &types::ServerSigned,
        pins: &Pins,
    ) -> Result<Option<CallEvent>, Error> {
        let place = (meeting.id, self.known.session);
        let Attendance { device, entered, away, time, .. } =
            Attendance::open(signed, Trust::Verify(pins), place, now)?;
        let facts = self.leaf_of(&device).and_then(|leaf| self.view.member(leaf));
        // Of who was there before, this member does not know since when.
        let there = facts.is_some_and(|facts| facts.entered == Sequence(0) || facts.entered == entered);
        if !there || self.device_of(self.member.own_leaf()) == Some(&device) {
            return Ok(None);
        }
        let until = away.then_some(now + limits::AWAY_LASTS);
        let changed = self.away.hear(&device, time, until);
        Ok(changed.then_some(CallEvent::Away { device, away }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    #[test]
    fn dev_26_an_older_word_changes_nothing_and_one_not_said_again_runs_out() {
        let device = DeviceUri::parse("conclave://south.example/u/bob/d/0102030405060708").unwrap();
        let (mut away, at) = (Away::default(), Time::from_ms);
        assert!(away.hear(&device, at(10), Some(at(100))));
        assert!(!away.hear(&device, at(10), None), "the same moment");
        assert!(!away.hear(&device, at(9), None), "an older word");
        assert!(!away.hear(&device, at(11), Some(at(200))), "said again");
        assert_eq!((away.deadline(), away.expired(at(199))), (Some(at(200)), vec![]));
        assert_eq!(away.expired(at(200)), std::slice::from_ref(&device));
        assert_eq!((away.deadline(), away.expired(at(300))), (None, vec![]));
        assert!(!away.hear(&device, at(11), Some(at(400))), "a word that ran out comes no second time");
        assert!(away.hear(&device, at(12), Some(at(400))));
        assert!(away.forget(&device) && !away.forget(&device));
    }
}
