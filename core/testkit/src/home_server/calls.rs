//! The calls and streams of a server's own devices.

use conclave_core::{
    device::io::ApiError,
    identity::address::Domain,
    ids::{KeyPackageRef, MeetingId, SessionNumber},
    meeting::{hub::Input, log::Kind, record::Record, submission::Submission, trust::Trust, watch::Order},
    time::Time,
};
use conclave_proto::{client::v1 as api, types::v1::ErrorReason};
use prost::{Message as _, bytes::Bytes};

use super::{
    Action, CHUNK, Caller, HomeServer, Origin, api_error, disk, hosting, house::WatchOrder, mutant::Mutant,
    peer,
};
use crate::client::{CallKey, StreamKey};

impl HomeServer {
    /// A device's unary call.
    pub(crate) fn call(&mut self, now: Time, caller: &Caller, path: &str, body: Bytes) {
        let call = caller.call;
        let answered = self.unary(now, caller, path, body);
        if let Some(result) = answered.transpose() {
            self.out.push_back(Action::Answer { call, result });
        }
    }

    pub(super) fn caller(&self, token: Option<&String>) -> Result<disk::Device, ApiError> {
        let device = token.and_then(|token| self.disk.devices.get(token));
        device.cloned().ok_or_else(|| api_error(ErrorReason::NotSignedIn))
    }

    pub(super) fn unary(
        &mut self,
        now: Time,
        caller: &Caller,
        path: &str,
        body: Bytes,
    ) -> Result<Option<Bytes>, ApiError> {
        let (service, method) = path.rsplit_once('/').unwrap_or_default();
        if method == "SignIn" {
            return self.sign_in(now, body);
        }
        let device = self.caller(caller.token.as_ref())?;
        match (service.rsplit('.').next().unwrap_or_default(), method) {
            ("AccountService", "RenewCertificate") => Ok(Some(self.renew(now, &device))),
            ("AccountService", "PublishSealingKey") => self.publish_sealing_key(now, &device, body),
            ("AccountService", "SignOut") => self.sign_out(&device, body),
            ("MeetingService", "ListMeetings") => Ok(Some(self.list_meetings(&device))),
            ("DirectoryService", "LookUpServer") => self.look_up_server(body),
            ("DirectoryService", "LookUpUser") => self.look_up_user(caller.call, body),
            ("InvitationService", "SendInvitations") => self.send_invitations(&device, body),
            ("InvitationService", "Acknowledge") => self.acknowledge(&device, body),
            ("MeetingService", method) => self.meeting_call(now, caller.call, &device, method, body),
            _ => Err(api_error(ErrorReason::Malformed)),
        }
    }

    pub(super) fn meeting_call(
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
                    self.at_hub(now, meeting, origin, |ticket| Input::Submit {
                        ticket,
                        from,
                        submission,
                        attachment,
                    });
                } else {
                    let join = Submission::read(&submission).ok().filter(|one| one.kind == Kind::Join);
                    let request = peer::Request::Submit { meeting, submission, attachment };
                    match join {
                        Some(join) => self.hand_in_join(call, (hub, meeting), join.session, request),
                        None => self.request(hub, request, origin),
                    }
                }
            }
            "ChangePolicy" => {
                let request = api::ChangePolicyRequest::decode(body).map_err(bad)?;
                let (hub, meeting) = place(&request.hub, &request.meeting_id)?;
                let statement = request.statement.ok_or_else(|| api_error(ErrorReason::Malformed))?;
                if hub == *self.domain() {
                    let from = hub;
                    self.at_hub(now, meeting, origin, |ticket| Input::ChangePolicy {
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

    pub(super) fn create(
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

    pub(super) fn look_up_meeting(&mut self, now: Time, hub: Domain, meeting: MeetingId, origin: Origin) {
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
                self.receive(stream, &device, &body);
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

    pub(super) fn watch(
        &mut self,
        now: Time,
        key: StreamKey,
        device: &disk::Device,
        body: Bytes,
    ) -> Result<(), ApiError> {
        let request = api::WatchRequest::decode(body).map_err(|_| api_error(ErrorReason::Malformed))?;
        let (hub, meeting) = place(&request.hub, &request.meeting_id)?;
        let order = Order {
            device: device.uri.clone(),
            session: SessionNumber(request.session),
            next_sequence: request.next_sequence,
            key_package_ref: KeyPackageRef::parse(&request.key_package_ref).ok(),
        };
        let order = WatchOrder { key, order };
        if hub == *self.domain() {
            self.watch_hub(now, meeting, order);
        } else {
            self.watch_mirror(now, &(hub, meeting), order);
        }
        Ok(())
    }

    pub(super) fn fetch_tree(
        &mut self,
        stream: StreamKey,
        device: &disk::Device,
        body: Bytes,
    ) -> Result<(), ApiError> {
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
}

pub(super) fn place(hub: &str, meeting: &[u8]) -> Result<(Domain, MeetingId), ApiError> {
    let hub = Domain::parse(hub).map_err(|_| api_error(ErrorReason::Malformed))?;
    Ok((hub, MeetingId::parse(meeting).map_err(|_| api_error(ErrorReason::Malformed))?))
}

pub(super) fn encoded(answer: peer::Answer) -> Vec<u8> {
    match answer {
        peer::Answer::Meeting(meeting) => meeting.encode_to_vec(),
        peer::Answer::User(user) => user.encode_to_vec(),
        peer::Answer::Logged { sequence, time_ms } => {
            api::SubmitResponse { sequence, time_ms }.encode_to_vec()
        }
        peer::Answer::Done => Vec::new(),
    }
}
