//! Home servers and devices on virtual time, joined by a bad network. No thread, no clock: one seed, one run.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use conclave_core::{
    device::{
        Error,
        command::{Command, MeetingAddress, RequestId},
        event::Done,
        io::{ApiError, Input},
    },
    identity::{
        address::{DeviceUri, Domain},
        pins::Pins,
    },
    ids::{MeetingId, Sequence, SessionNumber, SubmissionId},
    meeting::{log::Kind, submission::Submission},
    time::Time,
};
use conclave_proto::{client::v1 as api, types::v1::ErrorReason};
use prost::{Message as _, bytes::Bytes};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::{
    client::{self, CallKey, Client, ClientId, Diary, StreamKey},
    home_server::{self, Caller, HandedIn, HomeServer, peer},
    link::{Conditions, End, Fate, Link},
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

/// What a home server said is in the log.
#[derive(Clone, Debug)]
pub struct Promise {
    /// The hub that has it.
    pub hub: Domain,
    /// The meeting.
    pub meeting: MeetingId,
    /// Its session.
    pub session: SessionNumber,
    /// The place in the log.
    pub sequence: Sequence,
    /// The submission.
    pub submission: SubmissionId,
}

impl Promise {
    /// What would be promised by an answer to this call; a Confirm is answered without being logged.
    fn asked(path: &str, body: &Bytes) -> Option<Self> {
        if !path.ends_with("MeetingService/Submit") {
            return None;
        }
        let request = api::SubmitRequest::decode(body.clone()).ok()?;
        let submission = Submission::read(&request.submission?).ok()?;
        let hub = Domain::parse(&request.hub).ok()?;
        let (meeting, session, submission, kind) =
            (submission.meeting, submission.session, submission.id, submission.kind);
        (kind != Kind::Confirm).then_some(Self { hub, meeting, session, sequence: Sequence(0), submission })
    }
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

    /// A new device whose user has an account; it signs in.
    ///
    /// # Panics
    /// If it cannot.
    pub fn sign_in(&mut self, user: &str, domain: &str) -> ClientId {
        let password = format!("{user}'s password");
        self.server_mut(domain).disk_mut().accounts.insert(user.to_owned(), password.clone());
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let id = ClientId(self.clients.len());
        self.clients.push(Client::new(id, Domain::parse(domain).expect("a domain"), seed));
        // However bad the network is, a person tries again.
        for _ in 0..50 {
            let command = Command::SignIn {
                user: user.to_owned(),
                password: password.clone().into(),
                label: user.to_owned(),
            };
            let request = self.command(id, command);
            self.run_until(Duration::from_secs(5), |federation| federation.result(id, request).is_some());
            if matches!(self.result(id, request), Some(Ok(_))) {
                return id;
            }
        }
        panic!("{user} cannot sign in at {domain}");
    }

    /// A server hands something in at a hub, past the network: what a dishonest one does.
    pub fn hand_in(
        &mut self,
        from: &str,
        meeting: &MeetingAddress,
        item: HandedIn,
    ) -> Result<u64, ErrorReason> {
        let (now, from) = (self.now, Domain::parse(from).expect("a domain"));
        let hub = self.servers.get_mut(&meeting.hub).expect("a server");
        let handed_in = hub.handed_in(now, &from, meeting.id, item);
        self.drain(&meeting.hub);
        handed_in
    }

    /// A dishonest hub shows its own devices something that its log does not have.
    pub fn slip_in(&mut self, hub: &str, meeting: &MeetingAddress, item: &api::watch_response::Item) {
        self.server_mut(hub).slip_in(&meeting.id, item);
        self.drain(&meeting.hub);
    }

    /// A person asks for something.
    pub fn command(&mut self, id: ClientId, command: Command) -> RequestId {
        let (request, actions) = self.clients[id.0].command(self.now, command);
        self.act(actions);
        request
    }

    /// A person asks for something and waits for its end.
    ///
    /// # Panics
    /// If it does not end within a minute of virtual time.
    pub fn ask(&mut self, id: ClientId, command: Command) -> Result<Done, Error> {
        let text = format!("{command:?}");
        let request = self.command(id, command);
        let ended = self.run_until(Duration::from_mins(1), |it| it.result(id, request).is_some());
        assert!(ended, "no end of {text}");
        self.clients[id.0].done.remove(&request).expect("an end")
    }

    /// How a command ended.
    pub fn result(&self, id: ClientId, request: RequestId) -> Option<&Result<Done, Error>> {
        self.clients[id.0].done.get(&request)
    }

    /// A device crashes and starts again with its profile.
    pub fn crash_client(&mut self, id: ClientId) {
        self.clients[id.0].crash();
        let home = self.clients[id.0].home().clone();
        self.calls.retain(|key| key.client != id);
        for stream in self.streams.extract_if(.., |stream| stream.client == id).collect::<Vec<_>>() {
            self.servers.get_mut(&home).expect("a home server").close(stream);
        }
    }

    /// A server crashes and comes back after some time.
    pub fn crash_server(&mut self, domain: &str, back_after: Duration) {
        self.server_mut(domain).crash();
        let domain = Domain::parse(domain).expect("a domain");
        self.crashed(&domain, back_after);
    }

    /// Everybody who waits for a crashed server learns that it is gone.
    fn crashed(&mut self, domain: &Domain, back_after: Duration) {
        let calls: Vec<_> =
            self.calls.iter().filter(|key| self.clients[key.client.0].home() == domain).copied().collect();
        for key in calls {
            self.after(TIMEOUT, Happening::Answer { key, result: Err(unavailable()) });
        }
        let homes: Vec<_> =
            self.streams.iter().filter(|key| self.clients[key.client.0].home() == domain).copied().collect();
        for stream in homes {
            self.after(TIMEOUT, Happening::End { stream, error: Some(unavailable()) });
        }
        let asked =
            self.requests.iter().filter(|(_, to)| *to == domain).map(|((from, id), _)| (from.clone(), *id));
        for (from, id) in asked.collect::<Vec<_>>() {
            self.unanswered(from, domain.clone(), id);
        }
        self.requests.retain(|(from, _), _| from != domain);
        let broken = self.mirrors.extract_if(.., |(follower, _), hub| follower == domain || hub == domain);
        for (key, hub) in broken.collect::<Vec<_>>() {
            self.break_mirror(key, hub);
        }
        self.after(back_after, Happening::Restart(domain.clone()));
    }

    /// Cuts two servers from each other: what is open between them breaks.
    pub fn cut_servers(&mut self, one: &str, other: &str) {
        let (one, other) = (Domain::parse(one).expect("a domain"), Domain::parse(other).expect("a domain"));
        self.link.cut(End::Server(one.clone()), End::Server(other.clone()));
        let between = |a: &Domain, b: &Domain| (*a == one && *b == other) || (*a == other && *b == one);
        let broken = self.mirrors.extract_if(.., |(follower, _), hub| between(follower, hub));
        for (key, hub) in broken.collect::<Vec<_>>() {
            self.break_mirror(key, hub);
        }
    }

    /// Cuts a device from its home server.
    pub fn cut_client(&mut self, id: ClientId) {
        let home = self.clients[id.0].home().clone();
        self.link.cut(End::Client(id.0), End::Server(home.clone()));
        for stream in self.streams.iter().filter(|stream| stream.client == id).copied().collect::<Vec<_>>() {
            self.break_stream(stream);
        }
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
        let server = servers.min();
        let times = [queued, client.as_ref().map(|(time, _)| *time), server.as_ref().map(|(time, _)| *time)];
        let Some(next) = times.into_iter().flatten().min().filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        self.steps += 1;
        if queued == Some(next) {
            if let Some((_, happening)) = self.queue.pop_first() {
                self.happen(happening);
            }
        } else if let Some((_, domain)) = server.filter(|(time, _)| *time == next) {
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
        let tie = self.rng.next_u32();
        self.queue.insert((time, tie, self.counter), happening);
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

    /// What a device does.
    fn act(&mut self, actions: Vec<client::Action>) {
        for action in actions {
            match action {
                client::Action::Call { key, token, path, body } => {
                    self.calls.insert(key);
                    self.submits.extend(Promise::asked(path, &body).map(|promise| (key, promise)));
                    let (from, to) = self.ends(key.client);
                    let call = || Happening::Call { key, token: token.clone(), path, body: body.clone() };
                    match self.link.fate(&from, &to) {
                        Fate::Lost => {
                            self.after(TIMEOUT, Happening::Answer { key, result: Err(unavailable()) });
                        }
                        Fate::Comes(delay) => self.after(delay, call()),
                        Fate::Twice(first, second) => {
                            self.after(first, call());
                            self.after(second, call());
                        }
                    }
                }
                client::Action::Open { stream, token, path, body } => {
                    self.streams.insert(stream);
                    let (from, to) = self.ends(stream.client);
                    match self.link.fate(&from, &to) {
                        Fate::Lost => self.break_stream(stream),
                        Fate::Comes(delay) | Fate::Twice(delay, _) => {
                            self.in_order(
                                Lane::Device(stream),
                                delay,
                                Happening::Open { stream, token, path, body },
                            );
                        }
                    }
                }
                client::Action::Close { stream } => {
                    self.streams.remove(&stream);
                    self.after(Duration::ZERO, Happening::Close { stream });
                }
            }
        }
    }

    fn ends(&self, client: ClientId) -> (End, End) {
        (End::Client(client.0), End::Server(self.clients[client.0].home().clone()))
    }

    /// Nothing more comes on it, and both ends learn that in time.
    fn break_stream(&mut self, stream: StreamKey) {
        self.broken.insert(stream);
        self.after(TIMEOUT, Happening::End { stream, error: Some(unavailable()) });
        self.after(Duration::ZERO, Happening::Close { stream });
    }

    fn happen(&mut self, happening: Happening) {
        if self.traces {
            eprintln!("{} {happening:.300?}", self.now.as_ms() % 10_000_000);
        }
        match happening {
            Happening::Call { key, token, path, body } => {
                let home = self.clients[key.client.0].home().clone();
                let now = self.now;
                self.at_server(&home, |server| server.call(now, Caller { call: key, token }, path, body));
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

    fn heard(&mut self, from: Domain, to: Domain, message: peer::Message) {
        if self.servers[&to].is_down() {
            match message {
                peer::Message::Request { id, .. } => self.unanswered(from, to, id),
                peer::Message::Follow { stream, .. } => {
                    self.mirrors.remove(&(from.clone(), stream));
                    let message = peer::Message::MirrorEnded { stream, broken: true };
                    self.after(TIMEOUT, Happening::Peer { from: to, to: from, message });
                }
                _ => {}
            }
            return;
        }
        if let peer::Message::Response { id, .. } = &message
            && self.requests.remove(&(to.clone(), *id)).is_none()
        {
            return;
        }
        let now = self.now;
        self.at_server(&to, |server| server.hear(now, &from, message));
    }

    fn unanswered(&mut self, from: Domain, to: Domain, id: u64) {
        let message = peer::Message::Response { id, result: Err(unavailable()) };
        self.after(TIMEOUT, Happening::Peer { from: to, to: from, message });
    }

    fn input(&mut self, client: ClientId, input: Input) {
        let actions = self.clients[client.0].handle(self.now, input);
        self.act(actions);
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

    fn restarts(&self, domain: &Domain) -> bool {
        self.queue.values().any(|happening| matches!(happening, Happening::Restart(this) if this == domain))
    }

    fn server_acts(&mut self, domain: &Domain, action: home_server::Action) {
        match action {
            home_server::Action::Answer { call: key, result } => {
                if let (Ok(body), Some(promise)) = (&result, self.submits.get(&key))
                    && let Ok(answer) = api::SubmitResponse::decode(body.clone())
                {
                    self.promises.push(Promise { sequence: Sequence(answer.sequence), ..promise.clone() });
                }
                let (to, from) = self.ends(key.client);
                match self.link.fate(&from, &to) {
                    Fate::Lost => self.after(TIMEOUT, Happening::Answer { key, result: Err(unavailable()) }),
                    Fate::Comes(delay) | Fate::Twice(delay, _) => {
                        self.after(delay, Happening::Answer { key, result });
                    }
                }
            }
            home_server::Action::Item { stream, .. } | home_server::Action::End { stream, .. }
                if self.broken.contains(&stream) => {}
            home_server::Action::Item { stream, body } => {
                let (to, from) = self.ends(stream.client);
                match self.link.fate(&from, &to) {
                    Fate::Lost => self.break_stream(stream),
                    Fate::Comes(delay) | Fate::Twice(delay, _) => {
                        self.in_order(Lane::Device(stream), delay, Happening::Item { stream, body });
                    }
                }
            }
            home_server::Action::End { stream, error } => {
                let delay = self.link.delay();
                self.in_order(Lane::Device(stream), delay, Happening::End { stream, error });
            }
            home_server::Action::Send { to, message } => self.send(domain.clone(), to, message),
        }
    }

    /// A message from server to server.
    fn send(&mut self, from: Domain, to: Domain, message: peer::Message) {
        if let Some((follower, stream)) = mirror_of(&from, &to, &message) {
            return self.send_on_mirror(from, to, (follower, stream), message);
        }
        let (here, there) = (End::Server(from.clone()), End::Server(to.clone()));
        let fate = if self.servers.contains_key(&to) { self.link.fate(&here, &there) } else { Fate::Lost };
        if let peer::Message::Request { id, .. } = &message {
            self.requests.insert((from.clone(), *id), to.clone());
        }
        match (fate, &message) {
            (Fate::Lost, peer::Message::Request { id, .. }) => self.unanswered(from, to, *id),
            (Fate::Lost, peer::Message::Response { id, .. }) => self.unanswered(to, from, *id),
            (Fate::Lost, _) => {}
            (Fate::Comes(delay), _) => self.after(delay, Happening::Peer { from, to, message }),
            (Fate::Twice(first, second), _) => {
                let again = message.clone();
                self.after(first, Happening::Peer { from: from.clone(), to: to.clone(), message });
                self.after(second, Happening::Peer { from, to, message: again });
            }
        }
    }

    /// A message on a mirror stream: in order, or the stream breaks.
    fn send_on_mirror(&mut self, from: Domain, to: Domain, key: (Domain, u64), message: peer::Message) {
        let hub = if key.0 == from { to.clone() } else { from.clone() };
        if matches!(message, peer::Message::Follow { .. }) {
            self.mirrors.insert(key.clone(), hub.clone());
        }
        if !self.mirrors.contains_key(&key) {
            return; // It is broken already.
        }
        match self.link.fate(&End::Server(from.clone()), &End::Server(to.clone())) {
            Fate::Lost => {
                self.mirrors.remove(&key);
                self.break_mirror(key, hub);
            }
            Fate::Comes(delay) | Fate::Twice(delay, _) => {
                let lane = Lane::Mirror(from.clone(), to.clone(), key.1);
                self.in_order(lane, delay, Happening::Peer { from, to, message });
            }
        }
    }

    /// Both ends of a mirror stream learn that it is broken.
    fn break_mirror(&mut self, (follower, stream): (Domain, u64), hub: Domain) {
        for (from, to) in [(hub.clone(), follower.clone()), (follower, hub)] {
            let message = peer::Message::MirrorEnded { stream, broken: true };
            self.after(TIMEOUT, Happening::Peer { from, to, message });
        }
    }
}

/// Which follower's stream a message is of.
fn mirror_of(from: &Domain, to: &Domain, message: &peer::Message) -> Option<(Domain, u64)> {
    match message {
        peer::Message::Follow { stream, .. } | peer::Message::Acknowledge { stream, .. } => {
            Some((from.clone(), *stream))
        }
        peer::Message::Mirror { stream, .. } | peer::Message::MirrorEnded { stream, .. } => {
            Some((to.clone(), *stream))
        }
        peer::Message::Request { .. } | peer::Message::Response { .. } => None,
    }
}
