//! Listening for invitations: once for what waits, or for as long as the device is signed in.

use std::time::Duration;

use conclave_proto::{client::v1 as api, types::v1::ErrorReason};

use super::{
    Device, Error,
    command::RequestId,
    event::Done,
    io::{ApiError, StreamId},
    outbox::{Stream, Work},
    path,
};
use crate::time::Time;

/// How long to wait before the stream is opened again; doubled up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// How long to wait at most.
const RETRY_MOST: Duration = Duration::from_mins(1);

/// Invitations are listened for until the device signs out.
pub(super) struct Listening {
    request: RequestId,
    /// The stream, while it is open.
    stream: Option<StreamId>,
    patience: Duration,
    /// When to open it again.
    again: Option<Time>,
}

impl Listening {
    /// When to come back.
    pub(super) const fn deadline(&self) -> Option<Time> {
        self.again
    }
}

impl Device {
    /// Opens the stream of invitations.
    pub(super) fn receive(&mut self, request: RequestId, follow: bool) {
        if follow {
            self.stop_listening();
            let listening = Listening { request, stream: None, patience: RETRY_FIRST, again: None };
            self.listening = Some(listening);
            self.listen();
        } else {
            let message = api::ReceiveRequest { only_waiting: true };
            self.out.open(path::RECEIVE, &message, Stream::Receive { request: Some(request) });
        }
    }

    fn listen(&mut self) {
        let Some(listening) = &mut self.listening else { return };
        let message = api::ReceiveRequest { only_waiting: false };
        listening.again = None;
        listening.stream = Some(self.out.open(path::RECEIVE, &message, Stream::Receive { request: None }));
    }

    /// Nothing more is listened for.
    pub(super) fn stop_listening(&mut self) {
        let Some(listening) = self.listening.take() else { return };
        if let Some(stream) = listening.stream {
            self.out.close(stream);
        }
        self.done(listening.request, Ok(Done::Plain));
    }

    /// The home server has taken the stream on.
    pub(super) fn receive_stands(&mut self, stream: StreamId) {
        if let Some(listening) = self.listening.as_mut().filter(|one| one.stream == Some(stream)) {
            listening.patience = RETRY_FIRST;
        }
    }

    /// The stream that was to stay open is over: it is opened again, unless this device may not listen (spec: DEV-28).
    pub(super) fn listening_ended(&mut self, now: Time, stream: StreamId, error: Option<ApiError>) {
        let Some(listening) = self.listening.as_mut().filter(|one| one.stream == Some(stream)) else {
            return;
        };
        listening.stream = None;
        if let Some(error) = error.filter(|error| error.reason == ErrorReason::NotEntitled) {
            let request = listening.request;
            self.listening = None;
            return self.done(request, Err(Error::Api(error)));
        }
        listening.again = Some(now + listening.patience);
        listening.patience = (listening.patience * 2).min(RETRY_MOST);
    }

    /// Opens it again when that is due.
    pub(super) fn listen_again(&mut self, now: Time) {
        if self.listening.as_ref().and_then(Listening::deadline).is_some_and(|at| now >= at) {
            self.listen();
        }
    }

    /// The stream of what waited is over; that is told once those are that wait for a descriptor.
    pub(super) fn receive_ended(
        &mut self,
        stream: StreamId,
        request: RequestId,
        error: Option<&ApiError>,
    ) -> Result<(), Error> {
        let of_stream = |work: &Work| matches!(work, Work::Received { stream: this, .. } if *this == stream);
        if let Some((domain, _)) = self.look_ups.waiting().find(|(_, work)| of_stream(work)) {
            return Err(Error::UnknownDomain(domain.clone()));
        }
        self.done(request, error.map_or(Ok(Done::Plain), |error| Err(Error::Api(error.clone()))));
        Ok(())
    }
}
