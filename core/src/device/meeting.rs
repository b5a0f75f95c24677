//! Meetings outside a session: creating, listing, ending, and what the profile keeps of them.

use std::time::Duration;

use conclave_proto::{client::v1 as api, types::v1 as types};
use prost::Message;
use prost::bytes::Bytes;

use super::{
    Device, Error,
    command::{MeetingAddress, NewMeeting, RequestId},
    event::{Done, Meeting, OpenInvitation},
    outbox::Pending,
    path, stored,
};
use crate::{
    identity::address::{Domain, UserAddress},
    ids::MeetingId,
    meeting::{
        self as rules,
        link::{Link, LinkSecret},
        policy::{PolicyChain, Rules, sign_change},
        record::{NewRecord, Record},
        trust::Trust,
    },
    time::Time,
};

/// How long a planned meeting is of interest at least, once it has begun.
const SHORTEST: Duration = Duration::from_hours(1);

impl Device {
    pub(super) fn create_meeting(
        &mut self,
        now: Time,
        request: RequestId,
        new: &NewMeeting,
    ) -> Result<(), Error> {
        let secret = LinkSecret::from_bytes(self.random());
        let nonce = self.random();
        let account = self.account.as_ref().ok_or(Error::NotSignedIn)?;
        let mut rules = Rules::for_creator(account.uri.user().clone());
        rules.lobby = new.lobby;
        rules.guests_allowed = new.guests;
        rules.open_domains.extend(new.open_domains.iter().cloned());
        rules.link_key = new.link.then(|| secret.link_key().public());
        let (title, starts_ms, length_s) = (new.title.clone(), new.starts_ms, new.length_s);
        let details = types::MeetingDetails { title: title.clone(), starts_ms, length_s };
        let new = NewRecord {
            hub: self.domain.clone(),
            suite: new.suite,
            rules,
            details: Some((details, &secret)),
            nonce,
            created: now,
        };
        let record = Record::create(new, &self.mls_identity()?)?;
        let meeting = MeetingAddress { id: record.id(), hub: self.domain.clone() };
        let kept = stored::Meeting {
            id: Bytes::copy_from_slice(meeting.id.as_bytes()),
            hub: meeting.hub.to_string(),
            link_secret: secret.as_bytes().to_vec(),
            token: None,
            title,
            starts_ms,
            record: Some(record.signed().clone()),
            length_s,
            ..stored::Meeting::default()
        };
        self.keep_meeting(meeting.clone(), kept);
        let message = api::CreateMeetingRequest { record: Some(record.signed().clone()) };
        self.out.call(path::CREATE_MEETING, &message, Pending::Create { request, meeting });
        Ok(())
    }

    pub(super) fn meeting_created(
        &mut self,
        request: RequestId,
        meeting: &MeetingAddress,
        body: &Bytes,
    ) -> Result<(), Error> {
        let answer = api::CreateMeetingResponse::decode(body.clone())?;
        if MeetingId::parse(&answer.meeting_id)? != meeting.id {
            return Err(Error::HomeServer("it named the meeting by another id"));
        }
        let link = self.meetings.get(meeting).and_then(|kept| self.link(meeting, kept));
        self.done(request, Ok(Done::Created { meeting: meeting.clone(), link }));
        Ok(())
    }

    /// The server lists what was created or joined; what this device was invited to, only it knows (spec: DEV-30).
    pub(super) fn meetings_listed(
        &mut self,
        now: Time,
        request: RequestId,
        body: &Bytes,
    ) -> Result<(), Error> {
        let answer = api::ListMeetingsResponse::decode(body.clone())?;
        let meetings = answer.meetings.iter().map(|summary| {
            let address = MeetingAddress {
                id: MeetingId::parse(&summary.meeting_id)?,
                hub: Domain::parse(&summary.hub)?,
            };
            let kept = self.meetings.get(&address);
            Ok(Meeting {
                title: kept.map(|kept| kept.title.clone()),
                starts_ms: kept.map_or(0, |kept| kept.starts_ms),
                length_s: kept.map_or(0, |kept| kept.length_s),
                link: kept.and_then(|kept| self.link(&address, kept)),
                address,
                present: summary.present,
                ended: summary.ended,
                invited: None,
            })
        });
        let mut meetings = meetings.collect::<Result<Vec<_>, Error>>()?;
        let is_listed = |address: &MeetingAddress| meetings.iter().any(|meeting| meeting.address == *address);
        let invited = self.meetings.iter().filter(|(address, _)| !is_listed(address));
        let invited: Vec<_> =
            invited.filter_map(|(address, kept)| self.invited_to(now, address, kept)).collect();
        meetings.extend(invited);
        self.done(request, Ok(Done::Meetings(meetings)));
        Ok(())
    }

    fn invited_to(&self, now: Time, address: &MeetingAddress, kept: &stored::Meeting) -> Option<Meeting> {
        let by = UserAddress::parse(&kept.inviter).ok()?;
        (now < kept.invited_until()).then(|| Meeting {
            address: address.clone(),
            title: Some(kept.title.clone()),
            starts_ms: kept.starts_ms,
            length_s: kept.length_s,
            link: self.link(address, kept),
            present: 0,
            ended: false,
            invited: Some(OpenInvitation { by, dismissed: kept.dismissed }),
        })
    }

    /// The person wants to be asked no more about an invitation.
    pub(super) fn dismiss(&mut self, meeting: &MeetingAddress) {
        if let Some(mut kept) = self.meetings.get(meeting).filter(|kept| !kept.dismissed).cloned() {
            kept.dismissed = true;
            self.keep_meeting(meeting.clone(), kept);
        }
    }

    /// What was entered, or is over, is no invitation any more.
    pub(super) fn invitation_answered(&mut self, meeting: &MeetingAddress) {
        if let Some(mut kept) = self.meetings.get(meeting).filter(|kept| !kept.inviter.is_empty()).cloned() {
            kept.inviter.clear();
            self.keep_meeting(meeting.clone(), kept);
        }
    }

    /// Asks for the record and the policies of a meeting.
    pub(super) fn look_up_meeting(&mut self, meeting: &MeetingAddress, pending: Pending) {
        let message = api::LookUpMeetingRequest {
            meeting_id: Bytes::copy_from_slice(meeting.id.as_bytes()),
            hub: meeting.hub.to_string(),
            look: None,
        };
        self.out.call(path::LOOK_UP_MEETING, &message, pending);
    }

    /// Ends a meeting that this device is not in.
    pub(super) fn end_from_outside(
        &mut self,
        now: Time,
        request: RequestId,
        meeting: &MeetingAddress,
        body: &Bytes,
    ) -> Result<(), Error> {
        let answer = api::LookUpMeetingResponse::decode(body.clone())?;
        let trust = Trust::Verify(&self.pins);
        let record = Record::open(answer.record.as_ref().ok_or(Error::Malformed)?, trust)?;
        if record.id() != meeting.id {
            return Err(Error::HomeServer("it gave another meeting's record"));
        }
        let chain = PolicyChain::verify(&record, &answer.policy_chain, trust, now)?;
        let mut rules = chain.tip().rules().clone();
        rules.ended = true;
        let policy = chain.tip().next(&rules).map_err(rules::Error::from)?;
        let message = api::ChangePolicyRequest {
            meeting_id: Bytes::copy_from_slice(meeting.id.as_bytes()),
            hub: meeting.hub.to_string(),
            statement: Some(sign_change(meeting.id, &policy, &self.mls_identity()?, now)),
        };
        self.out.call(path::CHANGE_POLICY, &message, Pending::ChangedPolicy { request });
        Ok(())
    }

    /// Keeps what only this device knows of a meeting.
    pub(super) fn keep_meeting(&mut self, meeting: MeetingAddress, kept: stored::Meeting) {
        self.out.persist(stored::meeting_place(&meeting), Some(kept.encode_to_vec()));
        self.meetings.insert(meeting, kept);
    }

    pub(super) fn restore_meeting(&mut self, value: &[u8]) {
        let Ok(kept) = stored::Meeting::decode(value) else { return };
        if let (Ok(id), Ok(hub)) = (MeetingId::parse(&kept.id), Domain::parse(&kept.hub)) {
            self.meetings.insert(MeetingAddress { id, hub }, kept);
        }
    }

    /// The link by this device's own server, if the meeting has one.
    pub(super) fn link(&self, meeting: &MeetingAddress, kept: &stored::Meeting) -> Option<Link> {
        let secret = kept.secret()?;
        let server = Some(self.domain.clone());
        Some(Link { server, meeting: meeting.id, hub: meeting.hub.clone(), secret: Some(secret) })
    }
}

impl stored::Meeting {
    /// Until when an invitation to it is of interest: the end of what is planned, else the end of the token.
    fn invited_until(&self) -> Time {
        match self.starts_ms {
            0 => Time::from_ms(self.invited_until_ms),
            starts => Time::from_ms(starts) + Duration::from_secs(self.length_s.into()).max(SHORTEST),
        }
    }

    /// The link secret, if there is one.
    pub(super) fn secret(&self) -> Option<LinkSecret> {
        LinkSecret::parse(&self.link_secret).ok()
    }
}
