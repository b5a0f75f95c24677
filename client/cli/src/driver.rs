//! Runs the device machine on tokio: one input in, all outputs carried out in order, then the next.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use conclave_core::{
    device::{
        Device, Error as DeviceError,
        command::{Command, RequestId},
        event::{Done, Event},
        io::{ApiError, Input, Output, StreamId},
    },
    identity::address::DeviceUri,
    machine::Machine,
};
use futures::StreamExt;
use tokio::{sync::mpsc, task::AbortHandle};

use crate::{
    api::{self, Api},
    clock,
    profile::{self, Profile},
};

/// A deadline further away than this is looked at again then.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// What is still unanswered at the end is given up after this time.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);

/// The device cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What it must keep cannot be stored.
    #[error(transparent)]
    Profile(#[from] profile::Error),
    /// The server's address is not usable.
    #[error(transparent)]
    Connect(#[from] api::ConnectError),
    /// Without it there are no keys.
    #[error("this machine gives no randomness")]
    NoRandomness,
    /// A command failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// The machine, its profile and its connection.
pub struct Driver {
    device: Device,
    profile: Profile,
    api: Api,
    inputs: mpsc::UnboundedReceiver<Input>,
    feed: mpsc::UnboundedSender<Input>,
    streams: HashMap<StreamId, AbortHandle>,
    unanswered: usize,
    events: VecDeque<Event>,
    next_request: u64,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl Driver {
    /// The device as its profile left it.
    pub fn new(profile: Profile) -> Result<Self, Error> {
        let api = Api::new(profile.server())?;
        let kept = profile.load()?;
        let kept = kept.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        let device = Device::new(profile.address().domain().clone(), seed()?, kept);
        let (feed, inputs) = mpsc::unbounded_channel();
        let (streams, events) = (HashMap::new(), VecDeque::new());
        let mut driver =
            Self { device, profile, api, inputs, feed, streams, unanswered: 0, events, next_request: 1 };
        driver.carry_out()?;
        Ok(driver)
    }

    /// This device's name, once signed in.
    pub fn uri(&self) -> Option<&DeviceUri> {
        self.device.uri()
    }

    /// The account's folder.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The connection, for media.
    pub const fn api(&self) -> &Api {
        &self.api
    }

    /// Begins a command; its end comes as [`Event::Done`].
    pub fn command(&mut self, command: Command) -> Result<RequestId, Error> {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.take(Input::Command { request, command })?;
        Ok(request)
    }

    /// Waits for the next event. May be dropped and called again at any time.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let wait = match self.device.deadline() {
                Some(deadline) => deadline.since(clock::now()).min(LONGEST_SLEEP),
                None => LONGEST_SLEEP,
            };
            let input = tokio::select! {
                input = self.inputs.recv() => input.unwrap_or(Input::Tick),
                () = tokio::time::sleep(wait) => Input::Tick,
            };
            self.take(input)?;
        }
    }

    /// Does one command to its end; other events that come meanwhile go to `other`.
    pub async fn run(&mut self, command: Command, mut other: impl FnMut(Event)) -> Result<Done, Error> {
        let wanted = self.command(command)?;
        loop {
            match self.next().await? {
                Event::Done { request, result } if request == wanted => return Ok(result?),
                event => other(event),
            }
        }
    }

    /// Waits until what was called last is answered, such as the word that an invitation is stored; not for long.
    pub async fn settle(&mut self) -> Result<(), Error> {
        let until = tokio::time::Instant::now() + SETTLE_WITHIN;
        while self.unanswered > 0 {
            let Ok(input) = tokio::time::timeout_at(until, self.inputs.recv()).await else { break };
            self.take(input.unwrap_or(Input::Tick))?;
        }
        Ok(())
    }

    fn take(&mut self, input: Input) -> Result<(), Error> {
        // A stream that was closed is silent, whatever was on its way.
        if let Input::Opened { stream } | Input::Item { stream, .. } | Input::Ended { stream, .. } = &input
            && !self.streams.contains_key(stream)
        {
            return Ok(());
        }
        if let Input::Ended { stream, .. } = &input {
            self.streams.remove(stream);
        }
        if let Input::Answer { .. } = &input {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
        self.device.handle(clock::now(), input)?;
        self.carry_out()
    }

    fn carry_out(&mut self) -> Result<(), Error> {
        while let Some(output) = self.device.poll() {
            match output {
                Output::Call { call, path, body } => {
                    let (api, feed) = (self.api.clone(), self.feed.clone());
                    self.unanswered += 1;
                    tokio::spawn(async move {
                        let result = api.call(path, body).await.map_err(ApiError::from);
                        let _ = feed.send(Input::Answer { call, result });
                    });
                }
                Output::Open { stream, path, body } => {
                    let task = read_stream(self.api.clone(), self.feed.clone(), stream, path, body);
                    self.streams.insert(stream, tokio::spawn(task).abort_handle());
                }
                Output::Close { stream } => {
                    if let Some(task) = self.streams.remove(&stream) {
                        task.abort();
                    }
                }
                Output::Token(token) => self.api.set_token(token.as_ref()),
                Output::Persist { key, value } => {
                    self.profile.store(&key, value.as_ref().map(|v| v.as_slice()))?;
                }
                Output::Event(event) => self.events.push_back(*event),
            }
        }
        Ok(())
    }
}

async fn read_stream(
    api: Api,
    feed: mpsc::UnboundedSender<Input>,
    stream: StreamId,
    path: &'static str,
    body: bytes::Bytes,
) {
    let mut items = match api.open(path, body).await {
        Ok(items) => items,
        Err(error) => {
            let _ = feed.send(Input::Ended { stream, error: Some(error.into()) });
            return;
        }
    };
    if feed.send(Input::Opened { stream }).is_err() {
        return;
    }
    let mut end = None;
    while let Some(item) = items.next().await {
        match item {
            Ok(message) => {
                if feed.send(Input::Item { stream, message }).is_err() {
                    return;
                }
            }
            Err(error) => {
                end = Some(error.into());
                break;
            }
        }
    }
    let _ = feed.send(Input::Ended { stream, error: end });
}

impl From<api::Error> for ApiError {
    fn from(error: api::Error) -> Self {
        Self { reason: error.reason, message: error.message, retry_after: error.retry_after }
    }
}

/// Fresh randomness from the operating system.
fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.secure_random.fill(&mut seed).map_err(|_| Error::NoRandomness)?;
    Ok(seed)
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
