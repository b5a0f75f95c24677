//! One simulated home server: the calls of its own devices, the messages of other servers, and what survives a crash.
//!
//! It drives the same machines of `core` as the real server does, one input at a time, without a socket, a task or a clock.

mod accounts;
pub mod disk;
mod hosting;
mod house;
mod mirroring;
pub mod mutant;
pub(crate) mod peer;

use std::collections::{BTreeMap, VecDeque};

use conclave_core::{
    device::io::ApiError,
    identity::{
        address::{DeviceUri, Domain, UserAddress},
        pins::Pins,
        signed::Label,
    },
    ids::{KeyPackageRef, MeetingId, SessionNumber},
    meeting::{
        hub::{Hub, Input},
        log::ServerSigner,
        record::Record,
        room::Room,
        trust::Trust,
    },
    time::Time,
};
use conclave_proto::{
    client::v1 as api,
    types::v1::{ErrorReason, ServerSigned, Signed, Withdraw, WithdrawBasis},
};
use prost::{Message as _, bytes::Bytes};

use self::{
    disk::{Disk, Log},
    house::WatchOrder,
    mutant::Mutant,
};
use crate::{
    client::{CallKey, StreamKey},
    people::Organisation,
};

/// How often a server looks after those who went away.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);
/// Bytes of a ratchet tree in one message.
const CHUNK: usize = 60_000;

/// What a server does to the outside.
#[derive(Debug)]
pub(crate) enum Action {
    /// Answers a device's call.
    Answer { call: CallKey, result: Result<Bytes, ApiError> },
    /// Gives a device an item of a stream.
    Item { stream: StreamKey, body: Bytes },
    /// Ends a device's stream.
    End { stream: StreamKey, error: Option<ApiError> },
    /// Tells another server something.
    Send { to: Domain, message: peer::Message },
}

/// Who waits for an answer.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A device here.
    Device(CallKey),
    /// Another server.
    Peer(Domain, u64),
    /// A device's stream, which needs the meeting first.
    Watch(Box<WatchOrder>, mirroring::Place),
    /// An invitation that is kept until it is delivered.
    Outbox(Bytes),
    /// Nobody.
    Nobody,
}

/// A device's call.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// For the answer.
    pub(crate) call: CallKey,
    /// The bearer token, if it sent one.
    pub(crate) token: Option<String>,
}

/// What another server hands in.
#[derive(Clone, Debug)]
pub enum HandedIn {
    /// A device's submission, and a Welcome with a commit that adds.
    Submission(Signed, Bytes),
    /// That server takes out its own.
    Withdraw(ServerSigned),
}

/// What a crash forgets.
#[derive(Debug, Default)]
struct Live {
    hubs: BTreeMap<MeetingId, hosting::Seat>,
    mirrors: BTreeMap<mirroring::Place, mirroring::Seat>,
    receivers: BTreeMap<StreamKey, DeviceUri>,
    requests: BTreeMap<u64, Origin>,
    complaints: Vec<String>,
}

/// One organisation's server.
#[derive(Debug)]
pub struct HomeServer {
    organisation: Organisation,
    signer: ServerSigner,
    pins: Pins,
    disk: Disk,
    live: Live,
    out: VecDeque<Action>,
    down: bool,
    /// After how many steps of its machines it crashes.
    fuse: Option<u32>,
    mutant: Option<Mutant>,
    looked: Time,
}

fn api_error(reason: ErrorReason) -> ApiError {
    ApiError { reason, message: format!("{reason:?}"), retry_after: None }
}

impl HomeServer {
    /// A server that knows the other organisations.
    pub fn new(organisation: Organisation, pins: Pins) -> Self {
        let signer = organisation.server_signer();
        Self {
            organisation,
            signer,
            pins,
            disk: Disk::default(),
            live: Live::default(),
            out: VecDeque::new(),
            down: false,
            fuse: None,
            mutant: None,
            looked: Time::from_ms(0),
        }
    }

    /// Its domain.
    pub const fn domain(&self) -> &Domain {
        &self.signer.domain
    }

    /// Its organisation.
    pub const fn organisation(&self) -> &Organisation {
        &self.organisation
    }

    /// What it has stored.
    pub const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// To prepare accounts, or to damage something.
    pub const fn disk_mut(&mut self) -> &mut Disk {
        &mut self.disk
    }

    /// The organisations that it knows.
    pub const fn pins(&self) -> &Pins {
        &self.pins
    }

    /// What it found wrong with hubs since it started.
    pub fn complaints(&self) -> &[String] {
        &self.live.complaints
    }

    /// Makes it wrong on purpose.
    pub const fn corrupt(&mut self, mutant: Mutant) {
        self.mutant = Some(mutant);
    }

    /// Whether it is crashed.
    pub const fn is_down(&self) -> bool {
        self.down
    }

    /// Lets it crash after some more steps of its machines.
    pub const fn light_fuse(&mut self, steps: u32) {
        self.fuse = Some(steps);
    }

    /// The hub of an own meeting, as it runs.
    pub fn hub(&self, meeting: &MeetingId) -> Option<&Hub> {
        self.live.hubs.get(meeting).map(|seat| &seat.hub)
    }

    /// The room of a mirrored meeting, as it runs.
    pub fn mirror(&self, hub: &Domain, meeting: &MeetingId) -> Option<&Room> {
        self.live.mirrors.get(&(hub.clone(), *meeting)).map(|seat| seat.follower.room())
    }

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

    /// Shows its own devices in an own meeting something, whatever the log says: only a dishonest server does that.
    pub(crate) fn slip_in(&mut self, meeting: &MeetingId, item: &api::watch_response::Item) {
        if let Some(seat) = self.live.hubs.get(meeting) {
            seat.house.slip_in(item, &mut self.out);
        }
    }

    /// The next thing to do, oldest first.
    pub(crate) fn poll(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// Everything that is not stored is gone.
    pub fn crash(&mut self) {
        self.down = true;
        self.fuse = None;
        self.out.clear();
        self.live = Live::default();
        if self.mutant == Some(Mutant::ForgetsLastEntry) {
            let sessions = self.disk.hosted.values_mut().flat_map(|hosted| hosted.sessions.values_mut());
            for session in sessions {
                session.log.0.pop();
            }
        }
    }

    /// Comes back with what is stored.
    pub(crate) fn restart(&mut self, now: Time) {
        self.down = false;
        self.looked = now;
        self.live.hubs = hosting::restore(&self.disk, &self.signer, now);
        for (place, mirrored) in &self.disk.mirrored {
            let Some((number, _)) = mirrored.sessions.last_key_value() else { continue };
            if let Some(seat) = mirroring::Seat::restore(mirrored, *number, &self.signer, now) {
                self.live.mirrors.insert(place.clone(), seat);
            }
        }
        for meeting in self.live.hubs.keys().copied().collect::<Vec<_>>() {
            self.to_hub(now, meeting, Origin::Nobody, |_| Input::Tick);
        }
        let own = self.signer.domain.clone();
        for place in self.live.mirrors.keys().cloned().collect::<Vec<_>>() {
            let room = self.live.mirrors.get(&place).map(|seat| seat.follower.room());
            if room.is_some_and(|room| room.present().any(|member| *member.device.domain() == own)) {
                self.follow_again(now, &place);
            }
        }
    }

    /// Whether the fuse has burnt down: it crashes here.
    fn blows(&mut self) -> bool {
        if let Some(steps) = &mut self.fuse {
            if *steps == 0 {
                self.crash();
                return true;
            }
            *steps -= 1;
        }
        false
    }

    /// When it must look after something by itself.
    pub fn deadline(&self) -> Option<Time> {
        if self.down {
            return None;
        }
        let machines = self.live.hubs.values().filter_map(|seat| seat.hub.deadline());
        let busy = !self.disk.outbox.is_empty()
            || self.live.mirrors.values().any(|seat| !seat.gone && !seat.follower.room().is_over())
            || self.live.hubs.values().any(|seat| seat.hub.room().is_some_and(|room| !room.is_over()));
        let look = busy.then(|| self.looked + LOOK);
        // Not twice in the same moment.
        let soonest = self.looked + std::time::Duration::from_millis(1);
        machines.chain(look).min().map(|time| time.max(soonest))
    }

    /// Looks after what is due.
    pub(crate) fn tick(&mut self, now: Time) {
        self.looked = now;
        for meeting in self.live.hubs.keys().copied().collect::<Vec<_>>() {
            self.to_hub(now, meeting, Origin::Nobody, |_| Input::Tick);
            self.withdraw_missing(now, meeting);
        }
        self.tick_mirrors(now);
        for invitation in self.disk.outbox.clone() {
            let Ok(recipient) = DeviceUri::parse(&invitation.recipient) else { continue };
            let id = invitation.invitation_id.clone();
            let request = peer::Request::Invite(Box::new(invitation));
            self.request(recipient.domain().clone(), request, Origin::Outbox(id));
        }
    }

    fn withdraw_missing(&mut self, now: Time, meeting: MeetingId) {
        let Some(seat) = self.live.hubs.get_mut(&meeting) else { return };
        let Some(room) = seat.hub.room() else { return };
        let stored = self.disk.hosted.get(&meeting).and_then(|hosted| hosted.sessions.get(&room.session()));
        let (session, empty) = (room.session(), Log::default());
        let log = stored.map_or(&empty, |stored| &stored.log);
        let late = seat.house.missing(&self.signer.domain, room, log, now, &mut self.out);
        for device in late {
            let withdraw = self.withdraw(now, meeting, session, &device);
            let from = self.domain().clone();
            self.to_hub(now, meeting, Origin::Nobody, |ticket| Input::Withdraw { ticket, from, withdraw });
        }
    }

    fn withdraw(
        &mut self,
        now: Time,
        meeting: MeetingId,
        session: SessionNumber,
        device: &DeviceUri,
    ) -> ServerSigned {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.disk.number().to_be_bytes());
        id[8] = 1;
        let withdraw = Withdraw {
            meeting_id: meeting.as_bytes().to_vec().into(),
            session: session.0,
            subject: device.to_string(),
            basis: WithdrawBasis::ConnectionLost.into(),
            time_ms: now.as_ms(),
            submission_id: id.to_vec().into(),
        };
        self.signer.sign(Label::Withdraw, &withdraw)
    }

    /// A device's unary call.
    pub(crate) fn call(&mut self, now: Time, caller: Caller, path: &str, body: Bytes) {
        let call = caller.call;
        let answered = self.unary(now, caller, path, body);
        if let Some(result) = answered.transpose() {
            self.out.push_back(Action::Answer { call, result });
        }
    }

    fn caller(&self, token: Option<&String>) -> Result<disk::Device, ApiError> {
        let device = token.and_then(|token| self.disk.devices.get(token));
        device.cloned().ok_or_else(|| api_error(ErrorReason::NotSignedIn))
    }

    fn unary(
        &mut self,
        now: Time,
        caller: Caller,
        path: &str,
        body: Bytes,
    ) -> Result<Option<Bytes>, ApiError> {
        let (service, method) = path.rsplit_once('/').unwrap_or_default();
        if method == "SignIn" {
            return self.sign_in(now, body);
        }
        let device = self.caller(caller.token.as_ref())?;
        match (service.rsplit('.').next().unwrap_or_default(), method) {
            ("AccountService", "RenewCertificate") => self.renew(now, &device),
            ("AccountService", "PublishSealingKey") => self.publish_sealing_key(now, &device, body),
            ("DirectoryService", "LookUpServer") => self.look_up_server(body),
            ("DirectoryService", "LookUpUser") => self.look_up_user(caller, body),
            ("InvitationService", "SendInvitations") => self.send_invitations(&device, body),
            ("InvitationService", "Acknowledge") => self.acknowledge(&device, body),
            ("MeetingService", method) => self.meeting_call(now, caller.call, &device, method, body),
            _ => Err(api_error(ErrorReason::Malformed)),
        }
    }

    fn meeting_call(
        &mut self,
        now: Time,
        call: CallKey,
        device: &disk::Device,
        method: &str,
        body: Bytes,
    ) -> Result<Option<Bytes>, ApiError> {
        let origin = Origin::Device(call);
        let bad = |_| api_error(ErrorReason::Malformed);
        match method {
            "CreateMeeting" => {
                let request = api::CreateMeetingRequest::decode(body).map_err(bad)?;
                return self.create(device, &request);
            }
            "LookUpMeeting" => {
                let request = api::LookUpMeetingRequest::decode(body).map_err(bad)?;
                let (hub, meeting) = place(&request.hub, &request.meeting_id)?;
                self.look_up_meeting(now, hub, meeting, origin);
            }
            "Submit" => {
                let request = api::SubmitRequest::decode(body).map_err(bad)?;
                let (hub, meeting) = place(&request.hub, &request.meeting_id)?;
                let submission = request.submission.ok_or_else(|| api_error(ErrorReason::Malformed))?;
                let attachment = request.attachment;
                if self.mutant == Some(Mutant::AcknowledgesTooSoon) {
                    let (sequence, time_ms) = (9_999, now.as_ms());
                    return Ok(Some(api::SubmitResponse { sequence, time_ms }.encode_to_vec().into()));
                }
                if hub == *self.domain() {
                    let from = hub;
                    self.to_hub(now, meeting, origin, |ticket| Input::Submit {
                        ticket,
                        from,
                        submission,
                        attachment,
                    });
                } else {
                    self.request(hub, peer::Request::Submit { meeting, submission, attachment }, origin);
                }
            }
            "ChangePolicy" => {
                let request = api::ChangePolicyRequest::decode(body).map_err(bad)?;
                let (hub, meeting) = place(&request.hub, &request.meeting_id)?;
                let statement = request.statement.ok_or_else(|| api_error(ErrorReason::Malformed))?;
                if hub == *self.domain() {
                    let from = hub;
                    self.to_hub(now, meeting, origin, |ticket| Input::ChangePolicy {
                        ticket,
                        from,
                        statement,
                    });
                } else {
                    self.request(hub, peer::Request::ChangePolicy { meeting, statement }, origin);
                }
            }
            _ => return Err(api_error(ErrorReason::Malformed)),
        }
        Ok(None)
    }

    fn create(
        &mut self,
        device: &disk::Device,
        request: &api::CreateMeetingRequest,
    ) -> Result<Option<Bytes>, ApiError> {
        let signed = request.record.as_ref().ok_or_else(|| api_error(ErrorReason::Malformed))?;
        let record =
            Record::open(signed, Trust::Verify(&self.pins)).map_err(|error| api_error(error.reason()))?;
        if record.hub() != self.domain() || record.creator() != device.uri.user() {
            return Err(api_error(ErrorReason::NotEntitled));
        }
        let meeting_id = Bytes::copy_from_slice(record.id().as_bytes());
        self.host(record);
        Ok(Some(api::CreateMeetingResponse { meeting_id }.encode_to_vec().into()))
    }

    fn look_up_meeting(&mut self, now: Time, hub: Domain, meeting: MeetingId, origin: Origin) {
        if hub != *self.domain() {
            return self.request(hub, peer::Request::LookUpMeeting(meeting), origin);
        }
        let found = self.live.hubs.get(&meeting).map(|seat| hosting::look_up(&seat.hub, now));
        let found = found.map(peer::Answer::Meeting).ok_or_else(|| api_error(ErrorReason::NotFound));
        self.answer(origin, found);
    }

    /// A device opens a stream.
    pub(crate) fn open(
        &mut self,
        now: Time,
        stream: StreamKey,
        token: Option<&String>,
        path: &str,
        body: Bytes,
    ) {
        let opened = self.caller(token).and_then(|device| match path.rsplit('/').next() {
            Some("Receive") => {
                self.receive(stream, &device, body);
                Ok(())
            }
            Some("Watch") => self.watch(now, stream, &device, body),
            Some("FetchTree") => self.fetch_tree(stream, &device, body),
            _ => Err(api_error(ErrorReason::Malformed)),
        });
        if let Err(error) = opened {
            self.out.push_back(Action::End { stream, error: Some(error) });
        }
    }

    fn watch(
        &mut self,
        now: Time,
        key: StreamKey,
        device: &disk::Device,
        body: Bytes,
    ) -> Result<(), ApiError> {
        let request = api::WatchRequest::decode(body).map_err(|_| api_error(ErrorReason::Malformed))?;
        let (hub, meeting) = place(&request.hub, &request.meeting_id)?;
        let order = WatchOrder {
            key,
            device: device.uri.clone(),
            session: SessionNumber(request.session),
            next_sequence: request.next_sequence,
            key_package_ref: KeyPackageRef::parse(&request.key_package_ref).ok(),
        };
        if hub == *self.domain() {
            self.watch_hub(now, meeting, order);
        } else {
            self.watch_mirror(now, &(hub, meeting), order);
        }
        Ok(())
    }

    fn fetch_tree(&mut self, stream: StreamKey, device: &disk::Device, body: Bytes) -> Result<(), ApiError> {
        let request = api::FetchTreeRequest::decode(body).map_err(|_| api_error(ErrorReason::Malformed))?;
        let (hub, meeting) = place(&request.hub, &request.meeting_id)?;
        let tree = if hub == *self.domain() {
            self.hub_tree(&meeting, &device.uri, request.epoch)
        } else {
            let room = self.mirror(&hub, &meeting).filter(|room| room.member(&device.uri).is_some());
            room.and_then(|room| room.tree_at(conclave_core::ids::Epoch(request.epoch)))
                .map(|tree| tree.to_vec())
        };
        let tree = tree.ok_or_else(|| api_error(ErrorReason::WrongEpoch))?;
        for chunk in tree.chunks(CHUNK) {
            let body = api::FetchTreeResponse { chunk: Bytes::copy_from_slice(chunk) }.encode_to_vec().into();
            self.out.push_back(Action::Item { stream, body });
        }
        self.out.push_back(Action::End { stream, error: None });
        Ok(())
    }

    /// A device's stream is closed or broken.
    pub(crate) fn close(&mut self, stream: StreamKey) {
        self.live.receivers.remove(&stream);
        self.live.hubs.values_mut().for_each(|seat| seat.house.close(stream));
        self.live.mirrors.values_mut().for_each(|seat| seat.house.close(stream));
    }

    /// Asks another server something.
    fn request(&mut self, to: Domain, request: peer::Request, origin: Origin) {
        let id = self.disk.number();
        self.live.requests.insert(id, origin);
        self.out.push_back(Action::Send { to, message: peer::Message::Request { id, request } });
    }

    /// Gives an answer to whoever waits for it.
    fn answer(&mut self, origin: Origin, result: Result<peer::Answer, ApiError>) {
        match origin {
            Origin::Device(call) => {
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

    fn requested(&mut self, now: Time, from: &Domain, id: u64, request: peer::Request) {
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
                self.to_hub(now, meeting, origin, |ticket| Input::Submit {
                    ticket,
                    from,
                    submission,
                    attachment,
                });
            }
            peer::Request::Withdraw { meeting, withdraw } => {
                self.to_hub(now, meeting, origin, |ticket| Input::Withdraw { ticket, from, withdraw });
            }
            peer::Request::ChangePolicy { meeting, statement } => {
                self.to_hub(now, meeting, origin, |ticket| Input::ChangePolicy { ticket, from, statement });
            }
            peer::Request::Invite(invitation) => {
                let sender = UserAddress::parse(&invitation.sender);
                if sender.is_ok_and(|sender| *sender.domain() == from) {
                    self.deliver(*invitation);
                    self.answer(origin, Ok(peer::Answer::Done));
                } else {
                    self.answer(origin, Err(api_error(ErrorReason::WrongDomain)));
                }
            }
        }
    }

    fn responded(&mut self, now: Time, origin: Origin, result: Result<peer::Answer, ApiError>) {
        match (origin, result) {
            (Origin::Watch(order, place), Ok(peer::Answer::Meeting(meeting))) => {
                self.looked_up_to_watch(now, &place, *order, &meeting);
            }
            (Origin::Watch(order, _), result) => {
                let error = Some(result.err().unwrap_or_else(|| api_error(ErrorReason::Bug)));
                self.out.push_back(Action::End { stream: order.key, error });
            }
            (Origin::Outbox(delivered), Ok(_)) => {
                self.disk.outbox.retain(|invitation| invitation.invitation_id != delivered);
            }
            (origin, result) => self.answer(origin, result),
        }
    }
}

fn place(hub: &str, meeting: &[u8]) -> Result<(Domain, MeetingId), ApiError> {
    let hub = Domain::parse(hub).map_err(|_| api_error(ErrorReason::Malformed))?;
    Ok((hub, MeetingId::parse(meeting).map_err(|_| api_error(ErrorReason::Malformed))?))
}

fn encoded(answer: peer::Answer) -> Vec<u8> {
    match answer {
        peer::Answer::Meeting(meeting) => meeting.encode_to_vec(),
        peer::Answer::User(user) => user.encode_to_vec(),
        peer::Answer::Logged { sequence, time_ms } => {
            api::SubmitResponse { sequence, time_ms }.encode_to_vec()
        }
        peer::Answer::Done => Vec::new(),
    }
}
