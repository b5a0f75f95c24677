//! Meetings seen from outside: what one is before one asks to enter, and links to pass on.

use std::collections::BTreeSet;

use conclave_proto::{client::v1 as api, types::v1 as types};
use prost::{Message as _, bytes::Bytes};

use super::{
    Device, Error,
    call::Call,
    command::{Door, MeetingAddress, RequestId},
    event::{Done, Looked},
    outbox::Pending,
    path, stored,
};
use crate::{
    identity::address::{Domain, UserAddress},
    limits,
    meeting::{
        link::{Link, LinkSecret},
        look,
        policy::PolicyChain,
        record::Record,
        trust::Trust,
    },
    time::Time,
};

impl Door {
    /// Where it leads.
    pub(super) fn meeting(&self) -> MeetingAddress {
        match self {
            Self::Link(link) => MeetingAddress { id: link.meeting, hub: link.hub.clone() },
            Self::Address(meeting) => meeting.clone(),
        }
    }
}

/// Whether a token's time is not over.
fn lasts(token: &types::DeviceSigned, now: Time) -> bool {
    let payload = token.signed.as_ref().map(|signed| signed.payload.clone()).unwrap_or_default();
    types::AdmissionToken::decode(payload).is_ok_and(|token| token.expires_ms > now.as_ms())
}

impl Device {
    /// Asks what a meeting is and, with the evidence by which this device would enter, who is inside.
    pub(super) fn look(&mut self, now: Time, request: RequestId, door: &Door) -> Result<(), Error> {
        let account = self.account.as_ref().ok_or(Error::NotSignedIn)?;
        let meeting = door.meeting();
        let token = self.meetings.get(&meeting).and_then(|kept| kept.token.clone());
        // The hub judges one piece of evidence: a token that has run out would keep the secret from being tried.
        let token = token.filter(|token| lasts(token, now));
        let secret = self.secret_of(door);
        let message = api::LookUpMeetingRequest {
            meeting_id: Bytes::copy_from_slice(meeting.id.as_bytes()),
            hub: meeting.hub.to_string(),
            look: Some(look::ask(meeting.id, &account.uri, token, secret.as_ref(), now)),
        };
        self.out.call(path::LOOK_UP_MEETING, &message, {
            Pending::Look { request, door: door.clone(), unknown: BTreeSet::new() }
        });
        Ok(())
    }

    /// What the servers say of it: record and policies are verified; how many are inside is theirs to say (spec: DEV-18).
    pub(super) fn looked(
        &mut self,
        now: Time,
        (request, door): (RequestId, &Door),
        unknown: &BTreeSet<Domain>,
        body: &Bytes,
    ) -> Result<(), Error> {
        let answer = api::LookUpMeetingResponse::decode(body.clone())?;
        let (meeting, trust) = (door.meeting(), Trust::Verify(&self.pins));
        let record = Record::open(answer.record.as_ref().ok_or(Error::Malformed)?, trust)?;
        if record.id() != meeting.id || *record.hub() != meeting.hub {
            return Err(Error::HomeServer("it gave another meeting's record"));
        }
        let chain = PolicyChain::verify(&record, &answer.policy_chain, trust, now)?;
        let inside = answer.inside.filter(|_| answer.running);
        let named = inside.iter().flat_map(|inside| &inside.domains).take(limits::LOOKED_AT_DOMAINS);
        let mut domains = vec![meeting.hub.clone()];
        for domain in named.filter_map(|domain| Domain::parse(domain).ok()) {
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        let mut organisations = Vec::new();
        for domain in domains {
            let jurisdiction = match self.pins.current(&domain, now) {
                Ok(descriptor) => Some(descriptor.jurisdiction.to_string()),
                Err(_) if unknown.contains(&domain) => None,
                Err(error) => return Err(error.into()),
            };
            organisations.push((domain, jurisdiction));
        }
        let details = self.secret_of(door).and_then(|secret| record.details(&secret).ok().flatten());
        let kept = self.meetings.get(&meeting);
        let (title, starts_ms, length_s) = match (details, kept) {
            (Some(details), _) => (Some(details.title), details.starts_ms, details.length_s),
            (None, Some(kept)) => (Some(kept.title.clone()), kept.starts_ms, kept.length_s),
            (None, None) => (None, 0, 0),
        };
        let rules = chain.tip().rules();
        let is_over = rules.ended;
        let looked = Looked {
            title: title.map(|title| title.chars().take(limits::TITLE_CHARACTERS).collect()),
            starts_ms,
            length_s,
            creator: record.creator().clone(),
            suite: record.suite(),
            hosts: rules.hosts.iter().cloned().collect(),
            organisations,
            present: inside.map(|inside| inside.present),
            running: answer.running,
            lobby: rules.lobby,
            locked: rules.locked,
            ended: rules.ended,
            guests_allowed: rules.guests_allowed,
            meeting,
        };
        if is_over {
            self.invitation_answered(&looked.meeting);
        }
        self.done(request, Ok(Done::Looked(Box::new(looked))));
        Ok(())
    }

    /// The secret that a link holds, or that is kept.
    fn secret_of(&self, door: &Door) -> Option<LinkSecret> {
        let given = match door {
            Door::Link(link) => link.secret.clone(),
            Door::Address(_) => None,
        };
        given.or_else(|| self.meetings.get(&door.meeting()).and_then(stored::Meeting::secret))
    }

    /// A link to somebody's own server; it carries the secret only where the link admits (spec: DEV-19).
    pub(super) fn link_for(
        &mut self,
        request: RequestId,
        meeting: &MeetingAddress,
        address: &UserAddress,
    ) -> Result<(), Error> {
        self.account.as_ref().ok_or(Error::NotSignedIn)?;
        let kept = self.meetings.get(meeting);
        let call = self.calls.get_mut(meeting);
        if kept.is_none() && call.is_none() {
            return Err(Error::NoLink);
        }
        let asked = call.as_ref().and_then(|call| call.link_secret.clone());
        let secret = if let Some(inside) = call.and_then(Call::inside) {
            // Inside, the key in force is known; a link that was changed since admits nobody.
            let key = inside.link_key();
            self.secret_in_force(meeting, key.as_ref())
        } else {
            let secret = kept.and_then(stored::Meeting::secret).or(asked);
            let record = kept.and_then(|kept| kept.record.as_ref());
            let record = record.and_then(|signed| Record::open(signed, Trust::Stored).ok());
            secret.filter(|_| record.is_none_or(|record| record.policy().rules().link_key.is_some()))
        };
        let server = Some(address.domain().clone());
        let link = Link { server, meeting: meeting.id, hub: meeting.hub.clone(), secret };
        self.done(request, Ok(Done::Link(link)));
        Ok(())
    }
}
