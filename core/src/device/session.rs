//! The end of a session: what is forgotten with it, and what a person who comes back finds again.

use conclave_proto::types::v1::ErrorReason;
use prost::bytes::Bytes;

use super::{
    Device, Error,
    command::MeetingAddress,
    event::{Event, Over},
    io::ApiError,
    stored,
};
use crate::{
    identity::address::{UserAddress, UserKind},
    time::Time,
};

impl Device {
    /// The one meeting that a guest's device is good for.
    pub fn guest_of(&self) -> Option<&MeetingAddress> {
        self.account.as_ref().and_then(|account| account.meeting.as_ref())
    }

    /// Whose meetings the profile keeps after their session ran out.
    pub(super) fn restore_owner(&mut self, value: &[u8]) {
        let text = std::str::from_utf8(value).ok();
        self.owner = text.and_then(|text| UserAddress::parse(text).ok());
    }

    /// The home server knows a call's token no longer: the device is signed out (spec: DEV-29).
    pub(super) fn heed_refusal(&mut self, now: Time, id: u64, error: &ApiError) {
        let Some(account) = &self.account else { return };
        if error.reason != ErrorReason::NotSignedIn || !self.out.is_of_session(id) {
            return;
        }
        // One that ran out was not ended by anybody: its user will come back.
        let ran_out = now >= account.expires && account.uri.user().kind() == UserKind::User;
        let owner = ran_out.then(|| account.uri.user().clone());
        self.end_session(&Over::Refused(Error::NotSignedIn), owner);
        self.out.event(Event::SignedOut);
    }

    /// Nothing of the session stays, nor of its meetings unless they are kept for their owner (spec: DEV-29).
    pub(super) fn end_session(&mut self, over: &Over, owner: Option<UserAddress>) {
        let meetings: Vec<MeetingAddress> = self.calls.keys().cloned().collect();
        for meeting in meetings {
            self.over(&meeting, over.clone());
        }
        self.stop_listening();
        self.account = None;
        self.sealing.forget();
        self.out.token(None);
        self.out.persist(stored::ACCOUNT, None);
        self.out.persist(stored::SEALING, None);
        if let Some(owner) = owner {
            self.out.persist(stored::OWNER, Some(owner.to_string().into_bytes()));
            self.owner = Some(owner);
        } else {
            self.forget_meetings();
        }
    }

    /// Somebody has signed in: what is kept stays only if it is theirs. Says whether a session ended by that.
    pub(super) fn make_room_for(&mut self, user: &UserAddress) -> bool {
        let before = self.account.as_ref().map(|account| account.uri.user().clone());
        let is_other = before.as_ref().is_some_and(|before| before != user);
        if is_other {
            self.end_session(&Over::Left, None);
        } else if before.or_else(|| self.owner.clone()).as_ref() != Some(user) {
            self.forget_meetings();
        }
        if self.owner.take().is_some() {
            self.out.persist(stored::OWNER, None);
        }
        is_other
    }

    fn forget_meetings(&mut self) {
        for meeting in std::mem::take(&mut self.meetings).into_keys() {
            self.out.persist(stored::meeting_place(&meeting), None);
        }
    }
}

/// The meeting of a guest, as it is kept.
pub(super) fn guest_meeting(id: &Bytes, hub: &str) -> Option<MeetingAddress> {
    let id = crate::ids::MeetingId::parse(id).ok()?;
    Some(MeetingAddress { id, hub: crate::identity::address::Domain::parse(hub).ok()? })
}
