//! Who came once comes again more easily: what is kept of an entered meeting, and a token for those whom a host let in.

use conclave_proto::types::v1::{self as types, message::Body};
use prost::{Message as _, bytes::Bytes};

use super::Call;
use crate::{
    device::{Device, Error, command::MeetingAddress, stored},
    identity::{address::UserAddress, keys::PublicKey, signed::Label},
    limits,
    meeting::{
        admission::{self, NewToken},
        link::LinkSecret,
    },
    time::Time,
};

impl Device {
    /// Whoever this device let in, and is in now, gets a token of its own (spec: DEV-25).
    pub(super) fn spare_the_wait(&mut self, now: Time, meeting: &MeetingAddress) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let devices = inside.member.roster().iter().map(|leaf| leaf.device().user().clone());
        let came: Vec<UserAddress> = devices.filter(|user| inside.let_in.remove(user)).collect();
        for address in came {
            let told = self.token_for(now, meeting, address);
            if let Err(error) = told.and_then(|token| self.say(now, meeting, None, Body::Token(token))) {
                tracing::debug!(%error, "somebody who was let in gets no token");
            }
        }
    }

    fn token_for(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        address: UserAddress,
    ) -> Result<types::DeviceSigned, Error> {
        let token = NewToken {
            meeting: meeting.id,
            address,
            id: self.random(),
            role: types::Role::Participant,
            issued: now,
            expires: now + limits::READMISSION_LIFETIME,
        };
        Ok(admission::sign_token(&token, &self.mls_identity()?))
    }

    /// Keeps a token that came in the room, if it is for this user and this meeting.
    pub(super) fn keep_token(&mut self, now: Time, meeting: &MeetingAddress) {
        let came = self.calls.get_mut(meeting).and_then(Call::inside).and_then(|inside| inside.token.take());
        let Some(signed) = came else { return };
        let Ok((issuer, payload)) = self.pins.verify_device_signed(Label::AdmissionToken, &signed, now)
        else {
            return;
        };
        let issuer = issuer.uri.to_string();
        let Ok(token) = types::AdmissionToken::decode(payload) else { return };
        let own = self.account.as_ref().map(|account| account.uri.user().to_string());
        let is_mine = Some(&token.address) == own.as_ref()
            && token.issuer == issuer
            && token.meeting_id == meeting.id.as_bytes()[..];
        if let Some(mut kept) = self.meetings.get(meeting).cloned().filter(|_| is_mine) {
            kept.token = Some(signed);
            self.keep_meeting(meeting.clone(), kept);
        }
    }

    /// A meeting that was entered by a link is one of this device's meetings from now on.
    pub(super) fn keep_entered(&mut self, meeting: &MeetingAddress) {
        if self.meetings.contains_key(meeting) {
            return self.invitation_answered(meeting);
        }
        let Some(call) = self.calls.get_mut(meeting) else { return };
        let secret = call.link_secret.clone();
        let Some(inside) = call.inside() else { return };
        let record = &inside.known.record;
        let details = secret.as_ref().and_then(|secret| record.details(secret).ok().flatten());
        let details = details.unwrap_or_default();
        let kept = stored::Meeting {
            id: Bytes::copy_from_slice(meeting.id.as_bytes()),
            hub: meeting.hub.to_string(),
            title: details.title.chars().take(limits::TITLE_CHARACTERS).collect(),
            starts_ms: details.starts_ms,
            record: Some(record.signed().clone()),
            length_s: details.length_s,
            ..stored::Meeting::default()
        };
        self.keep_meeting(meeting.clone(), kept);
    }

    /// The secret of the link in force, of the two that this device may know: the one it keeps, and the one it came with.
    pub(in crate::device) fn secret_in_force(
        &self,
        meeting: &MeetingAddress,
        link_key: Option<&PublicKey>,
    ) -> Option<LinkSecret> {
        let kept = self.meetings.get(meeting).and_then(stored::Meeting::secret);
        let came_with = self.calls.get(meeting).and_then(|call| call.link_secret.clone());
        [kept, came_with].into_iter().flatten().find(|secret| Some(&secret.link_key().public()) == link_key)
    }

    /// Keeps the secret of the link in force, and no other (spec: DEV-31).
    pub(super) fn keep_link_in_force(&mut self, meeting: &MeetingAddress) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let link_key = inside.link_key();
        let secret = self.secret_in_force(meeting, link_key.as_ref());
        let link_secret = secret.map(|secret| secret.as_bytes().to_vec()).unwrap_or_default();
        if let Some(mut kept) =
            self.meetings.get(meeting).filter(|kept| kept.link_secret != link_secret).cloned()
        {
            kept.link_secret = link_secret;
            self.keep_meeting(meeting.clone(), kept);
        }
    }
}
