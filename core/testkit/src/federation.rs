//! Home servers and devices on virtual time, joined by a bad network. No thread, no clock: one seed, one run.

mod devices;
mod faults;
mod lies;
mod peers;
mod people;
mod promise;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use conclave_core::{
    device::{
        command::MeetingAddress,
        io::{ApiError, Input},
    },
    identity::{
        address::{DeviceUri, Domain},
        pins::Pins,
    },
    time::Time,
};
use conclave_proto::types::v1::ErrorReason;
use prost::bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use self::lies::Lies;
pub use self::promise::Promise;
use crate::{
    client::{CallKey, Client, ClientId, Diary, StreamKey},
    home_server::{Caller, HomeServer, peer},
    link::{Conditions, Link},
    people::{Organisation, START},
};

/// How long a caller waits for what is lost.
const TIMEOUT: Duration = Duration::from_millis(700);

/// Something that comes about at a moment.
#[derive(Debug)]
enum Happening {
    Call { key: CallKey, token: Option<String>, path: &'static str, body: Bytes },
    Answer { key: CallKey, result: Result<Bytes, ApiError> },
    Open { stream: StreamKey, token: Option<String>, path: &'static str, body: Bytes },
    Close { stream: StreamKey },
    Item { stream: StreamKey, body: Bytes },
    End { stream: StreamKey, error: Option<ApiError> },
    Peer { from: Domain, to: Domain, message: peer::Message },
    Restart(Domain),
}

/// The order of things that come in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Device(StreamKey),
    Mirror(Domain, Domain, u64),
}

/// A whole federation.
pub struct Federation {
    now: Time,
    rng: ChaCha20Rng,
    link: Link,
    queue: BTreeMap<(Time, u32, u64), Happening>,
    counter: u64,
    lanes: BTreeMap<Lane, Time>,
    servers: BTreeMap<Domain, HomeServer>,
    clients: Vec<Client>,
    calls: BTreeSet<CallKey>,
    streams: BTreeSet<StreamKey>,
    lies: Lies,
    broken: BTreeSet<StreamKey>,
    requests: BTreeMap<(Domain, u64), Domain>,
    mirrors: BTreeMap<(Domain, u64), Domain>,
    submits: BTreeMap<CallKey, Promise>,
    promises: Vec<Promise>,
    /// How many things have happened.
    pub steps: u64,
    /// Whether everything that happens is told.
    pub traces: bool,
}

fn unavailable() -> ApiError {
    let message = "the simulated network lost it".to_owned();
    ApiError { reason: ErrorReason::Unavailable, message, retry_after: None }
}

impl Federation {
    /// Organisations that know each other, and no devices yet.
    ///
    /// # Panics
    /// If a domain is not of its form.
    pub fn new(seed: u64, conditions: Conditions, domains: &[&str]) -> Self {
        let organisations: Vec<_> = domains.iter().map(|domain| Organisation::new(domain)).collect();
        let mut pins = Pins::default();
        for organisation in &organisations {
            pins.accept(&organisation.descriptor(), START).expect("a first pin");
        }
        let servers = organisations
            .into_iter()
            .map(|organisation| (organisation.domain().clone(), HomeServer::new(organisation, pins.clone())));
        let servers = servers.collect();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut link_seed = [0; 32];
        rng.fill_bytes(&mut link_seed);
        Self {
            now: START,
            rng,
            link: Link::new(link_seed, conditions),
            queue: BTreeMap::new(),
            counter: 0,
            lanes: BTreeMap::new(),
            servers,
            clients: Vec::new(),
            calls: BTreeSet::new(),
            streams: BTreeSet::new(),
            lies: Lies::default(),
            broken: BTreeSet::new(),
            requests: BTreeMap::new(),
            mirrors: BTreeMap::new(),
            submits: BTreeMap::new(),
            promises: Vec::new(),
            steps: 0,
            traces: std::env::var_os("CONCLAVE_TRACE").is_some(),
        }
    }

    /// The virtual time.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// A number from the seed.
    pub fn roll(&mut self, sides: u32) -> u32 {
        self.rng.next_u32() % sides
    }

    /// Everything that home servers have acknowledged to their devices.
    pub fn promises(&self) -> &[Promise] {
        &self.promises
    }

    /// The network.
    pub const fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// One home server.
    ///
    /// # Panics
    /// If there is none of that domain.
    pub fn server(&self, domain: &str) -> &HomeServer {
        self.servers.get(&Domain::parse(domain).expect("a domain")).expect("a server")
    }

    /// One home server, to prepare it.
    ///
    /// # Panics
    /// If there is none of that domain.
    pub fn server_mut(&mut self, domain: &str) -> &mut HomeServer {
        self.servers.get_mut(&Domain::parse(domain).expect("a domain")).expect("a server")
    }

    /// All home servers.
    pub fn servers(&self) -> impl Iterator<Item = &HomeServer> {
        self.servers.values()
    }

    /// One device.
    pub fn client(&self, id: ClientId) -> &Client {
        &self.clients[id.0]
    }

    /// One device, to look at what came.
    pub fn client_mut(&mut self, id: ClientId) -> &mut Client {
        &mut self.clients[id.0]
    }

    /// All devices.
    pub fn clients(&self) -> impl Iterator<Item = (ClientId, &Client)> {
        self.clients.iter().enumerate().map(|(at, client)| (ClientId(at), client))
    }

    /// What a device told of a meeting.
    ///
    /// # Panics
    /// If it never asked to enter.
    pub fn diary(&self, id: ClientId, meeting: &MeetingAddress) -> &Diary {
        self.clients[id.0].diaries.get(meeting).expect("a diary")
    }

    /// A device's name.
    ///
    /// # Panics
    /// If it has not signed in.
    pub fn uri(&self, id: ClientId) -> DeviceUri {
        self.clients[id.0].uri().expect("a signed-in device").clone()
    }

    /// Runs for some time.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Nothing happens until then.
    pub fn wait_until(&mut self, time: Time) {
        self.now = self.now.max(time);
    }

    /// Runs until something is so; false if it is not within the time.
    pub fn run_until(&mut self, time: Duration, so: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + time;
        while !so(self) {
            if !self.step(end) {
                self.now = end;
                return so(self);
            }
        }
        true
    }

    /// The next thing, if it comes before `end`.
    pub fn step(&mut self, end: Time) -> bool {
        let queued = self.queue.keys().next().map(|(time, ..)| *time);
        let client =
            self.clients.iter().enumerate().filter_map(|(at, client)| Some((client.deadline()?, at))).min();
        let servers =
            self.servers.iter().filter_map(|(domain, server)| Some((server.deadline()?, domain.clone())));
        let woken = servers.min();
        let times = [queued, client.as_ref().map(|(time, _)| *time), woken.as_ref().map(|(time, _)| *time)];
        let Some(next) = times.into_iter().flatten().min().filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        self.steps += 1;
        if queued == Some(next) {
            if let Some((_, happening)) = self.queue.pop_first() {
                self.happen(happening);
            }
        } else if let Some((_, domain)) = woken.filter(|(time, _)| *time == next) {
            if let Some(server) = self.servers.get_mut(&domain) {
                server.tick(self.now);
            }
            self.drain(&domain);
        } else if let Some((_, at)) = client {
            let actions = self.clients[at].tick(self.now);
            self.act(actions);
        }
        true
    }

    fn at(&mut self, time: Time, happening: Happening) {
        self.counter += 1;
        let lot = self.rng.next_u32();
        self.queue.insert((time, lot, self.counter), happening);
    }

    fn after(&mut self, delay: Duration, happening: Happening) {
        self.at(self.now + delay, happening);
    }

    /// After everything that was sent on the same lane.
    fn in_order(&mut self, lane: Lane, delay: Duration, happening: Happening) {
        let soonest = self.lanes.get(&lane).map_or(self.now, |last| *last + Duration::from_millis(1));
        let time = (self.now + delay).max(soonest);
        self.lanes.insert(lane, time);
        self.at(time, happening);
    }

    fn happen(&mut self, happening: Happening) {
        if self.traces {
            eprintln!("{} {happening:.300?}", self.now.as_ms() % 10_000_000);
        }
        match happening {
            Happening::Call { key, token, path, body } => {
                let home = self.clients[key.client.0].home().clone();
                let now = self.now;
                self.at_server(&home, |server| server.call(now, &Caller { call: key, token }, path, body));
                if self.servers[&home].is_down() {
                    self.after(TIMEOUT, Happening::Answer { key, result: Err(unavailable()) });
                }
            }
            Happening::Open { stream, token, path, body } => {
                let home = self.clients[stream.client.0].home().clone();
                let now = self.now;
                if !self.streams.contains(&stream) {
                    return;
                }
                self.at_server(&home, |server| server.open(now, stream, token.as_ref(), path, body));
                if self.servers[&home].is_down() {
                    self.after(TIMEOUT, Happening::End { stream, error: Some(unavailable()) });
                }
            }
            Happening::Close { stream } => {
                let home = self.clients[stream.client.0].home().clone();
                self.at_server(&home, |server| server.close(stream));
            }
            Happening::Answer { key, result } => {
                if self.calls.remove(&key) && self.clients[key.client.0].life() == key.life {
                    self.input(key.client, Input::Answer { call: key.call, result });
                }
            }
            Happening::Item { stream, body } => {
                if self.streams.contains(&stream) {
                    self.input(stream.client, Input::Item { stream: stream.stream, message: body });
                }
            }
            Happening::End { stream, error } => {
                if self.streams.remove(&stream) {
                    self.input(stream.client, Input::Ended { stream: stream.stream, error });
                }
            }
            Happening::Peer { from, to, message } => self.heard(from, to, message),
            Happening::Restart(domain) => {
                let now = self.now;
                if let Some(server) = self.servers.get_mut(&domain) {
                    server.restart(now);
                }
                self.drain(&domain);
            }
        }
    }

    fn at_server(&mut self, domain: &Domain, act: impl FnOnce(&mut HomeServer)) {
        let Some(server) = self.servers.get_mut(domain).filter(|server| !server.is_down()) else { return };
        act(server);
        self.drain(domain);
    }

    /// Sends what a server has to say; a crash in the middle keeps it from saying more.
    pub(crate) fn drain(&mut self, domain: &Domain) {
        while let Some(action) = self.servers.get_mut(domain).and_then(HomeServer::poll) {
            self.server_acts(domain, action);
        }
        if self.servers[domain].is_down() && !self.restarts(domain) {
            let back_after = Duration::from_millis(500) + self.link.delay() * 20;
            self.crashed(domain, back_after);
        }
    }
}
