//! What members tell each other beside the log's own entries: who may say what, hands, and what is said again for newcomers.

use std::collections::BTreeMap;

use conclave_proto::types::v1::{self as types, message::Body};
use prost::bytes::Bytes;

use super::{Call, Inside, message::Said};
use crate::{
    device::{
        Device, Error,
        command::{Command, MeetingAddress, RequestId},
        event::CallEvent,
    },
    identity::address::{DeviceUri, UserAddress},
    ids::Sequence,
    meeting::{commit_rules::RulesView as _, policy::Policy},
    time::Time,
};

/// Whether a person may say this; the author and every receiver decide by this alone (spec: DEV-14).
pub(super) fn may_say(policy: &Policy, author: &UserAddress, body: &Body) -> bool {
    let right = match body {
        Body::Chat(_) | Body::Line(_) => types::Right::Chat,
        Body::MuteRequest(_) => types::Right::Remove,
        Body::Token(_) => types::Right::Invite,
        Body::Hand(hand) if !hand.device.is_empty() => types::Right::Remove,
        Body::Hand(_) | Body::Reaction(_) => return true,
        Body::Tracks(list) => {
            let mut rights = list.tracks.iter().filter_map(to_send);
            return rights.all(|right| policy.allows(author, right));
        }
    };
    policy.allows(author, right)
}

fn to_send(track: &types::Track) -> Option<types::Right> {
    match track.kind() {
        types::TrackKind::Audio => Some(types::Right::SendAudio),
        types::TrackKind::Video => Some(types::Right::SendVideo),
        types::TrackKind::Screen | types::TrackKind::ScreenAudio => Some(types::Right::ShareScreen),
        types::TrackKind::Unspecified => None,
    }
}

/// The hands of the devices in the room.
#[derive(Debug, Default)]
pub(in crate::device) struct Hands {
    /// The entry by which each went up.
    up: BTreeMap<DeviceUri, Sequence>,
    /// The entry by which each came down last.
    down: BTreeMap<DeviceUri, Sequence>,
}

impl Hands {
    /// A device is gone, and its hand with it; whether it was up.
    pub(super) fn forget(&mut self, device: &DeviceUri) -> bool {
        self.down.remove(device);
        self.up.remove(device).is_some()
    }

    fn lower(&mut self, device: DeviceUri, at: Sequence) -> Option<CallEvent> {
        self.down.insert(device.clone(), at);
        self.up.remove(&device).map(|_| CallEvent::Hand { device, raised: None })
    }

    fn raise(&mut self, device: DeviceUri, at: Sequence) -> Option<CallEvent> {
        if self.up.contains_key(&device) {
            return None;
        }
        self.up.insert(device.clone(), at);
        Some(CallEvent::Hand { device, raised: Some(at) })
    }

    /// A hand that went up before this member came, as its owner tells it again; it may have come down since.
    fn stands(&mut self, device: DeviceUri, since: Sequence) -> Option<CallEvent> {
        let lowered = self.down.get(&device).is_some_and(|at| *at > since);
        if lowered { None } else { self.raise(device, since) }
    }
}

impl Inside {
    /// Somebody's word on a hand; gives what is news (spec: DEV-15).
    pub(super) fn hand(&mut self, author: DeviceUri, hand: &types::Hand, at: Sequence) -> Option<CallEvent> {
        let own = hand.device.is_empty();
        let device = if own { author } else { DeviceUri::parse(&hand.device).ok()? };
        let came = self.view.member(self.leaf_of(&device)?)?.entered;
        match (hand.raised, Sequence(hand.raised_sequence)) {
            (false, _) => self.hands.lower(device, at),
            (true, _) if !own => None, // Nobody raises another's hand.
            (true, Sequence(0)) => self.hands.raise(device, at),
            (true, since) if came < since && since < self.entered => self.hands.stands(device, since),
            // Said for those who came later; who was there knows better.
            (true, _) => None,
        }
    }

    /// What newcomers do not know of this member: what it publishes, and its hand.
    fn standing_words(&self) -> Vec<Body> {
        let mut words = Vec::new();
        if !self.tracks.is_empty() {
            words.push(Body::Tracks(types::TrackList { tracks: self.tracks.clone() }));
        }
        let own = self.device_of(self.member.own_leaf());
        if let Some(at) = own.and_then(|own| self.hands.up.get(own)) {
            let hand = types::Hand { raised: true, device: String::new(), raised_sequence: at.0 };
            words.push(Body::Hand(hand));
        }
        words
    }
}

impl Device {
    /// A person signals something.
    pub(super) fn signal(&mut self, now: Time, request: RequestId, command: &Command) -> Result<(), Error> {
        let (meeting, body) = match command {
            Command::RaiseHand { meeting, raised } => {
                (meeting, Body::Hand(types::Hand { raised: *raised, ..types::Hand::default() }))
            }
            Command::LowerHand { meeting, device } => {
                let hand = types::Hand { device: device.to_string(), ..types::Hand::default() };
                (meeting, Body::Hand(hand))
            }
            Command::React { meeting, reaction } => (meeting, Body::Reaction((*reaction).into())),
            Command::AskMute { meeting, device } => {
                (meeting, Body::MuteRequest(types::MuteRequest { device: device.to_string() }))
            }
            _ => return Err(Error::NotInMeeting),
        };
        self.say(now, meeting, Some(request), body)
    }

    /// Says something in the room, if the rules let this person.
    pub(super) fn say(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        request: Option<RequestId>,
        body: Body,
    ) -> Result<(), Error> {
        let id: [u8; 16] = self.random();
        let account = self.account.as_ref().ok_or(Error::NotSignedIn)?;
        let inside = self.calls.get_mut(meeting).and_then(Call::inside).ok_or(Error::NotInMeeting)?;
        if !may_say(inside.view.chain.tip(), account.uri.user(), &body) {
            return Err(Error::NotEntitled);
        }
        let message_id = Bytes::copy_from_slice(&id);
        let message = types::Message { message_id, time_ms: now.as_ms(), body: Some(body) };
        inside.outgoing.say(Said { request, message });
        self.speak(now, meeting);
        Ok(())
    }

    /// Newcomers do not know what was said before they came.
    pub(super) fn say_again(&mut self, now: Time, meeting: &MeetingAddress) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        for body in inside.standing_words() {
            if let Err(error) = self.say(now, meeting, None, body) {
                tracing::warn!(%error, "newcomers could not be told what stands");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.

    use super::*;
    use crate::meeting::policy::Rules;

    #[test]
    fn dev_14_who_may_say_what_is_in_the_policy() {
        let person = |name: &str| UserAddress::parse(name).unwrap();
        let (host, helper, bob) =
            (person("alice@north.example"), person("carol@south.example"), person("bob@south.example"));
        let mut rules = Rules::for_creator(host.clone());
        rules.co_hosts.insert(helper.clone());
        rules.participant_rights.remove(&types::Right::Chat);
        rules.participant_rights.remove(&types::Right::SendVideo);
        let policy = Policy::first(rules).unwrap();
        let publish = |kinds: &[types::TrackKind]| {
            let tracks =
                kinds.iter().map(|kind| types::Track { kind: (*kind).into(), ..types::Track::default() });
            Body::Tracks(types::TrackList { tracks: tracks.collect() })
        };
        let lower =
            types::Hand { device: "conclave://a.b/u/c/d/0000000000000001".into(), ..types::Hand::default() };
        // By the host, the co-host, the participant.
        let cases = [
            (Body::Chat("hi".into()), [true, false, false]),
            (Body::Line(types::TextLine::default()), [true, false, false]),
            (Body::Reaction(1), [true, true, true]),
            (Body::Hand(types::Hand::default()), [true, true, true]),
            (Body::Hand(lower), [true, true, false]),
            (Body::MuteRequest(types::MuteRequest::default()), [true, true, false]),
            (publish(&[types::TrackKind::Audio, types::TrackKind::Screen]), [true, true, true]),
            (publish(&[types::TrackKind::Audio, types::TrackKind::Video]), [true, false, false]),
        ];
        for (body, expected) in cases {
            assert_eq!([&host, &helper, &bob].map(|who| may_say(&policy, who, &body)), expected, "{body:?}");
        }
    }
}
