//! The device machine itself: what each input is for, and what waits for a missing descriptor.

use std::collections::BTreeMap;

use conclave_proto::{client::v1 as api, types::v1::ErrorReason};
use prost::bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::{
    Error,
    account::{Account, SigningIn},
    call::Call,
    command::{Command, MeetingAddress, RequestId},
    event::{Done, Event},
    invitation::Inviting,
    io::{ApiError, Input, Output, StreamId},
    lookup::LookUps,
    outbox::{Outbox, Pending, Stream, Work},
    path,
    receive::Listening,
    sealing_keys::SealingKeys,
    stored,
};
use crate::{
    identity::{
        address::{Domain, UserAddress},
        pins::Pins,
    },
    machine::Machine,
    time::Time,
};

/// One signed-in device (or one that is about to sign in).
pub struct Device {
    pub(super) domain: Domain,
    entropy: ChaCha20Rng,
    pub(super) out: Outbox,
    pub(super) pins: Pins,
    pub(super) account: Option<Account>,
    pub(super) signing_in: Option<SigningIn>,
    pub(super) owner: Option<UserAddress>,
    pub(super) sealing: SealingKeys,
    pub(super) meetings: BTreeMap<MeetingAddress, stored::Meeting>,
    pub(super) calls: BTreeMap<MeetingAddress, Call>,
    pub(super) inviting: BTreeMap<RequestId, Inviting>,
    pub(super) look_ups: LookUps,
    pub(super) listening: Option<Listening>,
    renew_after: Time,
}

impl Device {
    /// A device of `domain`'s user with what its profile keeps; `seed` is fresh randomness.
    pub fn new<'a>(
        domain: Domain,
        seed: [u8; 32],
        profile: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let mut device = Self {
            domain,
            entropy: ChaCha20Rng::from_seed(seed),
            out: Outbox::default(),
            pins: Pins::default(),
            account: None,
            signing_in: None,
            owner: None,
            sealing: SealingKeys::default(),
            meetings: BTreeMap::new(),
            calls: BTreeMap::new(),
            inviting: BTreeMap::new(),
            look_ups: LookUps::default(),
            listening: None,
            renew_after: Time::from_ms(0),
        };
        for (key, value) in profile {
            device.restore(key, value);
        }
        if let Some(account) = &device.account {
            device.out.token(Some(account.token()));
        }
        device
    }

    /// The signed-in device's name.
    pub fn uri(&self) -> Option<&crate::identity::address::DeviceUri> {
        self.account.as_ref().map(|account| &account.uri)
    }

    fn restore(&mut self, key: &str, value: &[u8]) {
        match key {
            stored::ACCOUNT => self.account = Account::from_stored(value),
            stored::OWNER => self.restore_owner(value),
            stored::PINS => self.pins = Pins::import(value).unwrap_or_default(),
            stored::SEALING => self.sealing.restore(value),
            _ if key.starts_with(stored::MEETING) => self.restore_meeting(value),
            _ => {}
        }
    }

    /// Fresh randomness.
    pub(super) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill_bytes(&mut bytes);
        bytes
    }

    /// Does a piece of work; one that lacks a descriptor waits for it, one that fails tells whom it concerns.
    pub(super) fn work(&mut self, now: Time, work: Work) {
        let result = match &work {
            Work::Command { request, command } => self.command(now, *request, command),
            Work::Answer { pending, body } => self.answered(now, pending, body),
            Work::Received { stream, message } => self.received(now, *stream, message),
            Work::ReceiveEnded { stream, request, error } => {
                self.receive_ended(*stream, *request, error.as_ref())
            }
            Work::Call { meeting } => self.advance_call(now, meeting),
        };
        match result {
            Ok(()) => {}
            Err(Error::UnknownDomain(domain)) => self.wait_for(domain, work),
            Err(error) => self.failed(&work, error),
        }
    }

    pub(super) fn failed(&mut self, work: &Work, error: Error) {
        match work {
            Work::Command { request, .. } | Work::ReceiveEnded { request, .. } => {
                self.done(*request, Err(error));
            }
            Work::Answer { pending, .. } => self.failed_answer(pending, error),
            Work::Received { .. } => tracing::warn!(%error, "an invitation was dropped"),
            Work::Call { meeting } => self.call_failed(meeting, error),
        }
    }

    fn failed_answer(&mut self, pending: &Pending, error: Error) {
        match pending {
            Pending::SignIn { request }
            | Pending::SealingKey { request: Some(request), .. }
            | Pending::SignOut { request, .. }
            | Pending::Devices { request }
            | Pending::Create { request, .. }
            | Pending::Meetings { request }
            | Pending::Invitations { request }
            | Pending::Look { request, .. }
            | Pending::LookUpToEnd { request, .. }
            | Pending::ChangedPolicy { request }
            | Pending::Users { request, .. } => {
                self.inviting.remove(request);
                self.done(*request, Err(error));
            }
            Pending::LookUpMeeting { meeting } | Pending::Submitted { meeting, .. } => {
                self.call_failed(meeting, error);
            }
            Pending::SealingKey { request: None, .. }
            | Pending::Renew
            | Pending::Server { .. }
            | Pending::Acknowledged => {
                tracing::warn!(%error, "the home server's answer was of no use");
            }
        }
    }

    pub(super) fn done(&mut self, request: RequestId, result: Result<Done, Error>) {
        self.out.event(Event::Done { request, result });
    }

    fn command(&mut self, now: Time, request: RequestId, command: &Command) -> Result<(), Error> {
        match command {
            Command::SignIn { user, password, label } => self.sign_in(request, user, password, label),
            Command::SignInGuest { link, name } => self.sign_in_guest(request, link, name),
            Command::SignOut { device, everywhere } => self.sign_out(request, device.as_ref(), *everywhere),
            Command::ListDevices => {
                self.out.call(path::LIST_DEVICES, &api::ListDevicesRequest {}, Pending::Devices { request });
                Ok(())
            }
            Command::CreateMeeting(new) => self.create_meeting(now, request, new),
            Command::ListMeetings => {
                self.out.call(
                    path::LIST_MEETINGS,
                    &api::ListMeetingsRequest {},
                    Pending::Meetings { request },
                );
                Ok(())
            }
            Command::Invite { meeting, addresses } => self.invite(now, request, meeting, addresses),
            Command::LinkFor { meeting, address } => self.link_for(request, meeting, address),
            Command::Receive { follow } => {
                self.receive(request, *follow);
                Ok(())
            }
            Command::Dismiss(meeting) => {
                self.dismiss(meeting);
                self.done(request, Ok(Done::Plain));
                Ok(())
            }
            Command::Join(door) => self.join(request, door),
            Command::Look(door) => self.look(now, request, door),
            Command::End(meeting) if !self.calls.contains_key(meeting) => {
                self.account.as_ref().ok_or(Error::NotSignedIn)?;
                self.look_up_meeting(meeting, Pending::LookUpToEnd { request, meeting: meeting.clone() });
                Ok(())
            }
            other => self.call_command(now, request, other),
        }
    }

    fn answered(&mut self, now: Time, pending: &Pending, body: &Bytes) -> Result<(), Error> {
        match pending {
            Pending::SignIn { request } => self.signed_in(now, *request, body),
            Pending::SealingKey { request, certified } => {
                self.sealing_key_published(*request, *certified);
                Ok(())
            }
            Pending::Renew => self.renewed(now, body),
            Pending::SignOut { request, this_device } => self.signed_out(*request, *this_device, body),
            Pending::Devices { request } => self.devices_listed(*request, body),
            Pending::Server { domain } => {
                self.server_found(now, domain, body);
                Ok(())
            }
            Pending::Create { request, meeting } => self.meeting_created(*request, meeting, body),
            Pending::Meetings { request } => self.meetings_listed(now, *request, body),
            Pending::Users { request, address } => self.user_found(now, *request, address, body),
            Pending::Invitations { request } => {
                self.invitations_sent(*request);
                Ok(())
            }
            Pending::Acknowledged => Ok(()),
            Pending::LookUpMeeting { meeting } => self.meeting_found(now, meeting, body),
            Pending::Look { request, door, unknown } => self.looked(now, (*request, door), unknown, body),
            Pending::LookUpToEnd { request, meeting } => self.end_from_outside(now, *request, meeting, body),
            Pending::ChangedPolicy { request } => {
                self.done(*request, Ok(Done::Plain));
                Ok(())
            }
            Pending::Submitted { meeting, submission } => self.submitted(now, meeting, *submission, body),
        }
    }

    fn refused(&mut self, now: Time, pending: Pending, error: ApiError) {
        match pending {
            Pending::Server { domain } => self.server_not_found(now, &domain, &error),
            Pending::Submitted { meeting, submission } => {
                self.submission_refused(now, &meeting, submission, error);
            }
            Pending::LookUpMeeting { meeting } => self.look_up_refused(now, &meeting, error),
            Pending::SignOut { request, this_device: true } if error.reason == ErrorReason::NotSignedIn => {
                self.was_signed_out(request);
            }
            pending => self.failed_answer(&pending, Error::Api(error)),
        }
    }

    fn item(&mut self, now: Time, stream: StreamId, message: Bytes) {
        match self.out.stream(stream).cloned() {
            Some(Stream::Receive { .. }) => self.work(now, Work::Received { stream, message }),
            Some(Stream::Watch { meeting }) => {
                self.watched(&meeting, message);
                self.work(now, Work::Call { meeting });
            }
            Some(Stream::Tree { meeting }) => self.tree_piece(&meeting, &message),
            None => {}
        }
    }

    fn opened(&mut self, stream: StreamId) {
        match self.out.stream(stream).cloned() {
            Some(Stream::Watch { meeting }) => self.watch_stands(&meeting),
            Some(Stream::Receive { .. }) => self.receive_stands(stream),
            Some(Stream::Tree { .. }) | None => {}
        }
    }

    fn ended(&mut self, now: Time, stream: StreamId, error: Option<ApiError>) {
        if let Some(error) = &error {
            self.heed_refusal(now, stream.0, error);
        }
        match self.out.ended(stream) {
            Some(Stream::Receive { request: Some(request) }) => {
                self.work(now, Work::ReceiveEnded { stream, request, error });
            }
            Some(Stream::Receive { request: None }) => self.listening_ended(now, stream, error),
            None => {}
            Some(Stream::Watch { meeting }) => self.watch_ended(now, &meeting, error),
            Some(Stream::Tree { meeting }) => {
                self.tree_ended(now, &meeting, error.as_ref());
                self.work(now, Work::Call { meeting });
            }
        }
    }

    fn tick(&mut self, now: Time) {
        if self.account.as_ref().is_some_and(|account| now >= account.renew_at()) && now >= self.renew_after {
            self.renew_after = now + crate::limits::RENEWAL_RETRY;
            self.out.call(path::RENEW_CERTIFICATE, &api::RenewCertificateRequest {}, Pending::Renew);
        }
        self.sealing_key_tick(now);
        self.listen_again(now);
        self.look_up_again(now);
        let meetings: Vec<MeetingAddress> = self.calls.keys().cloned().collect();
        for meeting in meetings {
            self.call_tick(now, &meeting);
            self.work(now, Work::Call { meeting });
        }
    }
}

impl Machine for Device {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    /// Never refuses: what is wrong is told by an event to whom it concerns.
    fn handle(&mut self, now: Time, input: Input) -> Result<(), Error> {
        match input {
            Input::Command { request, command } => self.work(now, Work::Command { request, command }),
            Input::Answer { call, result } => match (self.out.answered(call), result) {
                (Some(pending), Ok(body)) => self.work(now, Work::Answer { pending, body }),
                (Some(pending), Err(error)) => {
                    if !matches!(pending, Pending::SignIn { .. } | Pending::SignOut { this_device: true, .. })
                    {
                        self.heed_refusal(now, call.0, &error);
                    }
                    self.refused(now, pending, error);
                }
                (None, _) => {}
            },
            Input::Opened { stream } => self.opened(stream),
            Input::Item { stream, message } => self.item(now, stream, message),
            Input::Ended { stream, error } => self.ended(now, stream, error),
            Input::Tick => self.tick(now),
        }
        Ok(())
    }

    fn poll(&mut self) -> Option<Output> {
        self.out.pop()
    }

    fn deadline(&self) -> Option<Time> {
        let renewal = self.account.as_ref().map(|account| account.renew_at().max(self.renew_after));
        let listening = self.listening.as_ref().and_then(Listening::deadline);
        let own = [renewal, self.sealing_key_due(), self.look_ups.deadline(), listening];
        let again = own.into_iter().flatten();
        self.calls.values().filter_map(Call::deadline).chain(again).min()
    }
}
