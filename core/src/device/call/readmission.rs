//! Who came once comes again more easily: what is kept of an entered meeting, and a token for those whom a host let in.

use conclave_proto::types::v1::{self as types, message::Body};
use prost::{Message as _, bytes::Bytes};

use super::Call;
use crate::{
    device::{Device, Error, command::MeetingAddress, stored},
    identity::{address::UserAddress, signed::Label},
    limits,
    meeting::admission::{self, NewToken},
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
        let Some(call) = self.calls.get_mut(meeting) else { return };
        let secret = call.link_secret.clone();
        let Some(inside) = call.inside() else { return };
        let record = &inside.known.record;
        let details = secret.as_ref().and_then(|secret| record.details(secret).ok().flatten());
        let details = details.unwrap_or_default();
        let signed = record.signed().clone();
        let link_secret = secret.map(|secret| secret.as_bytes().to_vec()).unwrap_or_default();
        let kept = match self.meetings.get(meeting).cloned() {
            Some(kept) if link_secret.is_empty() || kept.link_secret == link_secret => return,
            Some(kept) => stored::Meeting { link_secret, ..kept },
            None => stored::Meeting {
                id: Bytes::copy_from_slice(meeting.id.as_bytes()),
                hub: meeting.hub.to_string(),
                link_secret,
                token: None,
                title: details.title.chars().take(limits::TITLE_CHARACTERS).collect(),
                starts_ms: details.starts_ms,
                record: Some(signed),
                length_s: details.length_s,
            },
        };
        self.keep_meeting(meeting.clone(), kept);
    }
}
