//! What other servers ask, and what they answer.

use conclave_core::{
    device::io::ApiError,
    identity::{
        address::{Domain, UserAddress},
        sealing::SealingKey,
        signed::Label,
    },
    ids::MeetingId,
    meeting::hub::Input,
    time::Time,
};
use conclave_proto::types::v1::ErrorReason;
use prost::bytes::Bytes;

use super::{Action, HandedIn, HomeServer, Origin, api_error, calls::encoded, mutant::Mutant, peer};

impl HomeServer {
    /// Another server hands something in, past the network.
    pub fn handed_in(
        &mut self,
        now: Time,
        from: &Domain,
        meeting: MeetingId,
        item: HandedIn,
    ) -> Result<u64, ErrorReason> {
        let request = match item {
            HandedIn::Submission(submission, attachment) => {
                peer::Request::Submit { meeting, submission, attachment }
            }
            HandedIn::Withdraw(withdraw) => peer::Request::Withdraw { meeting, withdraw },
        };
        if let Some(seat) = self.live.hubs.get_mut(&meeting) {
            seat.unseen.insert(from.clone());
        }
        self.tell_followers(now, meeting);
        let before = self.out.len();
        self.requested(now, from, u64::MAX, request);
        let answer = self.out.iter().skip(before).position(|action| {
            matches!(action, Action::Send { message: peer::Message::Response { id: u64::MAX, .. }, .. })
        });
        let answer = answer.and_then(|at| self.out.remove(before + at));
        match answer {
            Some(Action::Send {
                message: peer::Message::Response { result: Ok(peer::Answer::Logged { sequence, .. }), .. },
                ..
            }) => Ok(sequence),
            Some(Action::Send { message: peer::Message::Response { result: Err(error), .. }, .. }) => {
                Err(error.reason)
            }
            _ => Err(ErrorReason::Unavailable),
        }
    }

    /// Asks another server something.
    pub(super) fn request(&mut self, to: Domain, request: peer::Request, origin: Origin) {
        let id = self.disk.number();
        self.live.requests.insert(id, origin);
        self.out.push_back(Action::Send { to, message: peer::Message::Request { id, request } });
    }

    /// Gives an answer to whoever waits for it.
    pub(super) fn answer(&mut self, origin: Origin, result: Result<peer::Answer, ApiError>) {
        match origin {
            Origin::Device(call)
            | Origin::Note(call, ..)
            | Origin::Join(call, ..)
            | Origin::Follow(call, ..) => {
                let result = result.map(|answer| Bytes::from(encoded(answer)));
                self.out.push_back(Action::Answer { call, result });
            }
            Origin::Peer(to, id) => {
                self.out.push_back(Action::Send { to, message: peer::Message::Response { id, result } });
            }
            Origin::Watch(..) | Origin::Outbox(_) | Origin::Nobody => {}
        }
    }

    /// Another server says something.
    pub(crate) fn hear(&mut self, now: Time, from: &Domain, message: peer::Message) {
        match message {
            peer::Message::Request { id, request } => self.requested(now, from, id, request),
            peer::Message::Response { id, result } => {
                if let Some(origin) = self.live.requests.remove(&id) {
                    self.responded(now, origin, result);
                }
            }
            peer::Message::Follow { stream, meeting, session, next } => {
                self.follow(now, from.clone(), stream, (meeting, session), next);
            }
            peer::Message::Mirror { stream, item } => self.mirrored(now, from, stream, item),
            peer::Message::Acknowledge { acknowledgement, .. } => {
                let label = Label::Acknowledgement;
                if let Err(error) = self.pins.verify_server_signed(label, &acknowledgement, from, now) {
                    self.live.complaints.push(format!("{from}: {error}"));
                }
            }
            peer::Message::MirrorEnded { stream, broken } => self.mirror_ended(now, from, stream, broken),
        }
    }

    pub(super) fn requested(&mut self, now: Time, from: &Domain, id: u64, request: peer::Request) {
        let origin = Origin::Peer(from.clone(), id);
        let from = from.clone();
        match request {
            peer::Request::LookUpMeeting(meeting) => {
                self.look_up_meeting(now, self.domain().clone(), meeting, origin);
            }
            peer::Request::LookUpUser(address) => {
                let address =
                    UserAddress::parse(&address).ok().filter(|address| address.domain() == self.domain());
                let found = address.map(|address| peer::Answer::User(self.user(&address)));
                self.answer(origin, found.ok_or_else(|| api_error(ErrorReason::NotFound)));
            }
            peer::Request::Submit { meeting, submission, attachment } => {
                self.at_hub(now, meeting, origin, |ticket| Input::Submit {
                    ticket,
                    from,
                    submission,
                    attachment,
                });
            }
            peer::Request::Withdraw { meeting, withdraw } => {
                self.at_hub(now, meeting, origin, |ticket| Input::Withdraw { ticket, from, withdraw });
            }
            peer::Request::Attend { meeting, attendance } => {
                self.at_hub(now, meeting, origin, |ticket| Input::Attend { ticket, from, attendance });
            }
            peer::Request::ChangePolicy { meeting, statement } => {
                self.at_hub(now, meeting, origin, |ticket| Input::ChangePolicy { ticket, from, statement });
            }
            peer::Request::Invite(invitation) => {
                let sender = UserAddress::parse(&invitation.sender);
                if sender.is_ok_and(|sender| *sender.domain() == from) {
                    self.deliver(&invitation);
                    self.answer(origin, Ok(peer::Answer::Done));
                } else {
                    self.answer(origin, Err(api_error(ErrorReason::WrongDomain)));
                }
            }
        }
    }

    pub(super) fn responded(&mut self, now: Time, origin: Origin, result: Result<peer::Answer, ApiError>) {
        match (origin, result) {
            (Origin::Watch(order, place), Ok(peer::Answer::Meeting(meeting))) => {
                self.looked_up_to_watch(now, &place, *order, &meeting);
            }
            (Origin::Watch(order, _), result) => {
                let error = Some(result.err().unwrap_or_else(|| api_error(ErrorReason::Bug)));
                self.out.push_back(Action::End { stream: order.key, error });
            }
            (origin, Ok(peer::Answer::User(user))) if self.mutant == Some(Mutant::KeepsForeignUsers) => {
                for key in &user.sealing_keys {
                    if let Ok(known) = SealingKey::verify(key, &self.pins, now) {
                        self.disk.sealing_keys.insert(known.device().clone(), key.clone());
                    }
                }
                self.answer(origin, Ok(peer::Answer::User(user)));
            }
            (Origin::Note(call, place, session, join), Ok(peer::Answer::Meeting(meeting))) => {
                match self.start_mirror(now, &place, session, &meeting) {
                    // Another session runs by now: then the hub refuses the Join itself.
                    Ok(()) | Err(ErrorReason::NotFound) => {
                        self.request(place.0.clone(), *join, Origin::Join(call, place, session));
                    }
                    Err(reason) => self.answer(Origin::Device(call), Err(api_error(reason))),
                }
            }
            (Origin::Join(call, place, session), Ok(logged)) => {
                self.joined_elsewhere(call, place, session, logged);
            }
            (Origin::Follow(call, place, session, logged), Ok(peer::Answer::Meeting(meeting))) => {
                let started = self.start_mirror(now, &place, session, &meeting);
                self.follow_again(&place);
                self.answer(Origin::Device(call), started.map(|()| *logged).map_err(api_error));
            }
            (Origin::Outbox(delivered), Ok(_)) => {
                self.disk.outbox.retain(|invitation| invitation.invitation_id != delivered);
            }
            (origin, result) => self.answer(origin, result),
        }
    }
}
