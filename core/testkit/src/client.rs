//! One simulated device: the machine of `core`, its profile, and a diary of what it told its person.

mod quirk;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use conclave_core::{
    device::{
        Device, Error,
        command::{Command, MeetingAddress, RequestId},
        event::{CallEvent, Done, Event, Invited, Over, Roster, Standing},
        io::{CallId, Input, Output, StreamId},
    },
    identity::address::{DeviceUri, Domain},
    ids::{Epoch, SessionNumber},
    machine::Machine as _,
    media::frame::{EpochKeys, Opener, Sealer},
    meeting::{link::Link, policy::Policy},
    time::Time,
};
use conclave_proto::types::v1::Reaction;
use prost::bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

pub use self::quirk::Quirk;

/// Names a simulated device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub usize);

/// A call of one life of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallKey {
    pub(crate) client: ClientId,
    pub(crate) life: u32,
    pub(crate) call: CallId,
}

/// A stream of one life of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamKey {
    pub(crate) client: ClientId,
    pub(crate) life: u32,
    pub(crate) stream: StreamId,
}

/// What goes from a device to its home server.
#[derive(Debug)]
pub(crate) enum Action {
    Call { key: CallKey, token: Option<String>, path: &'static str, body: Bytes },
    Open { stream: StreamKey, token: Option<String>, path: &'static str, body: Bytes },
    Close { stream: StreamKey },
}

/// A chat message as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub from: DeviceUri,
    /// What.
    pub text: String,
    /// The author's id of it.
    pub id: [u8; 16],
    /// Its place in the log.
    pub sequence: u64,
}

/// What a device told of one meeting since it last asked to enter.
#[derive(Default)]
pub struct Diary {
    /// The session, once it entered.
    pub session: Option<SessionNumber>,
    /// When it entered.
    pub entered: Option<Time>,
    /// The epoch in which it entered.
    pub entered_in: Option<Epoch>,
    /// How its Join stood last.
    pub standing: Option<Standing>,
    /// Who is in the room.
    pub roster: Option<Roster>,
    /// The rules in force.
    pub policy: Option<std::sync::Arc<Policy>>,
    /// The link that admits, as far as the device knows.
    pub link: Option<Link>,
    /// Who waits for a host.
    pub waiting: BTreeSet<DeviceUri>,
    /// What was said.
    pub chats: Vec<Said>,
    /// The hands that are up, the first one first.
    pub hands: BTreeMap<u64, DeviceUri>,
    /// Who reacted how.
    pub reactions: Vec<(DeviceUri, Reaction)>,
    /// Who asked this device to mute its microphone.
    pub muted_by: Vec<DeviceUri>,
    /// Who cannot be reached now.
    pub away: BTreeSet<DeviceUri>,
    /// Lines as they were typed: whose, which, what, and whether finished.
    pub typed: Vec<(DeviceUri, u64, String, bool)>,
    /// What each device publishes.
    pub tracks: BTreeMap<DeviceUri, Vec<u32>>,
    /// What went wrong.
    pub alarms: Vec<String>,
    /// Whose commits were taken back.
    pub voided: Vec<DeviceUri>,
    /// How often somebody was refused at the door.
    pub refused_attempts: u32,
    /// How it ended.
    pub over: Option<Over>,
    /// The keys of every epoch.
    pub keys: Vec<EpochKeys>,
    /// Seals its frames.
    pub sealer: Sealer,
    /// Opens others' frames.
    pub opener: Opener,
}

impl Diary {
    /// Whether the device is in the room.
    pub fn is_inside(&self) -> bool {
        self.roster.is_some() && self.over.is_none()
    }

    /// Its epoch.
    pub fn epoch(&self) -> Option<Epoch> {
        self.roster.as_ref().map(|roster| roster.epoch)
    }

    /// The devices that it sees in the room.
    pub fn devices(&self) -> BTreeSet<DeviceUri> {
        let members = self.roster.iter().flat_map(|roster| &roster.members);
        members.map(|member| member.device.clone()).collect()
    }

    /// What was said, oldest first.
    pub fn texts(&self) -> Vec<&str> {
        self.chats.iter().map(|said| said.text.as_str()).collect()
    }

    fn note(&mut self, now: Time, event: CallEvent) {
        match event {
            CallEvent::Standing(standing) => self.standing = Some(standing),
            CallEvent::Entered { session, .. } => {
                self.session = Some(session);
                self.entered = Some(now);
            }
            CallEvent::Roster(roster) => {
                self.entered_in.get_or_insert(roster.epoch);
                self.roster = Some(roster);
            }
            CallEvent::Waiting(device) => drop(self.waiting.insert(device)),
            CallEvent::WaitingEnded(device) => drop(self.waiting.remove(&device)),
            CallEvent::Chat { from, text, message_id, sequence, .. } => {
                self.chats.push(Said { from, text, id: message_id, sequence: sequence.0 });
            }
            CallEvent::Policy { policy, link } => {
                self.policy = Some(policy);
                self.link = link;
            }
            CallEvent::Keys(keys) => {
                self.sealer.enter(keys.keys.clone(), now, keys.at_once);
                self.opener.enter(keys.keys.clone(), now, &keys.removed);
                self.keys.push(keys.keys);
            }
            CallEvent::RefusedAttempt { times, .. } => self.refused_attempts += times,
            CallEvent::Voided { by } => self.voided.push(by),
            CallEvent::Alarm(error) => self.alarms.push(error.to_string()),
            CallEvent::Over(over) => {
                self.over = Some(over);
                self.sealer.forget();
                self.opener.forget();
            }
            CallEvent::Tracks { device, tracks } => {
                self.tracks.insert(device, tracks.iter().map(|track| track.number).collect());
            }
            CallEvent::Hand { device, raised: Some(at) } => drop(self.hands.insert(at.0, device)),
            CallEvent::Hand { device, raised: None } => self.hands.retain(|_, up| *up != device),
            CallEvent::Reaction { device, reaction } => self.reactions.push((device, reaction)),
            CallEvent::Typing { device, line, text, done, .. } => self.typed.push((device, line, text, done)),
            CallEvent::Away { device, away: true } => drop(self.away.insert(device)),
            CallEvent::Away { device, away: false } => drop(self.away.remove(&device)),
            CallEvent::MutedBy(device) => self.muted_by.push(device),
            CallEvent::Connected(_) => {}
        }
    }
}

/// A simulated device.
pub struct Client {
    id: ClientId,
    home: Domain,
    device: Device,
    life: u32,
    token: Option<String>,
    profile: BTreeMap<String, Vec<u8>>,
    seeds: ChaCha20Rng,
    ticked: Time,
    requests: u64,
    /// Results of commands.
    pub done: BTreeMap<RequestId, Result<Done, Error>>,
    /// How often it was told that its session is over.
    pub signed_out: u32,
    /// Invitations that came.
    pub invited: Vec<Invited>,
    /// What it told, by meeting, since it last asked to enter.
    pub diaries: BTreeMap<MeetingAddress, Diary>,
    /// What it told of meetings before that.
    pub earlier: Vec<(MeetingAddress, Diary)>,
    /// Keys that came since somebody last looked.
    pub fresh_keys: VecDeque<(MeetingAddress, EpochKeys)>,
    /// How it is wrong on purpose.
    pub quirk: Option<Quirk>,
    /// How far its clock is behind.
    pub behind: Duration,
}

impl Client {
    /// A device of a user at `home` that has not signed in.
    pub fn new(id: ClientId, home: Domain, seed: [u8; 32]) -> Self {
        let mut seeds = ChaCha20Rng::from_seed(seed);
        let device = Device::new(home.clone(), fresh(&mut seeds), []);
        Self {
            id,
            home,
            device,
            life: 0,
            token: None,
            profile: BTreeMap::new(),
            seeds,
            ticked: Time::from_ms(0),
            requests: 0,
            done: BTreeMap::new(),
            signed_out: 0,
            invited: Vec::new(),
            diaries: BTreeMap::new(),
            earlier: Vec::new(),
            fresh_keys: VecDeque::new(),
            quirk: None,
            behind: Duration::ZERO,
        }
    }

    /// Its home server.
    pub const fn home(&self) -> &Domain {
        &self.home
    }

    /// Its name, once it has signed in.
    pub fn uri(&self) -> Option<&DeviceUri> {
        self.device.uri()
    }

    /// Which of its lives it is in.
    pub const fn life(&self) -> u32 {
        self.life
    }

    /// What it stored.
    pub const fn profile(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.profile
    }

    /// It forgets what its profile does not keep; the calls of its former life are gone.
    pub fn crash(&mut self) {
        let profile = self.profile.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        self.device = Device::new(self.home.clone(), fresh(&mut self.seeds), profile);
        self.life += 1;
        self.earlier.extend(std::mem::take(&mut self.diaries));
    }

    /// A person asks for something.
    pub(crate) fn command(&mut self, now: Time, command: Command) -> (RequestId, Vec<Action>) {
        self.requests += 1;
        let request = RequestId(self.requests);
        if let Command::Join(door) = &command {
            use conclave_core::device::command::Door;
            let meeting = match door {
                Door::Link(link) => MeetingAddress { id: link.meeting, hub: link.hub.clone() },
                Door::Address(meeting) => meeting.clone(),
            };
            if self.diaries.get(&meeting).is_none_or(|diary| diary.over.is_some())
                && let Some(old) = self.diaries.insert(meeting.clone(), Diary::default())
            {
                self.earlier.push((meeting, old));
            }
        }
        (request, self.handle(now, Input::Command { request, command }))
    }

    /// Something comes from its home server, or the time has come.
    pub(crate) fn handle(&mut self, now: Time, input: Input) -> Vec<Action> {
        self.device.handle(now - self.behind, input).expect("a device refuses nothing");
        let mut actions = Vec::new();
        let (client, life) = (self.id, self.life);
        while let Some(output) = self.device.poll() {
            match output {
                Output::Call { call, path, body } => {
                    let key = CallKey { client, life, call };
                    actions.push(Action::Call { key, token: self.token.clone(), path, body });
                }
                Output::Open { stream, path, body } => {
                    let stream = StreamKey { client, life, stream };
                    actions.push(Action::Open { stream, token: self.token.clone(), path, body });
                }
                Output::Close { stream } => {
                    actions.push(Action::Close { stream: StreamKey { client, life, stream } });
                }
                Output::Token(token) => {
                    self.token = token.map(|token| String::from_utf8(token.to_vec()).expect("a token"));
                }
                Output::Persist { key, value } => {
                    match value {
                        Some(value) => self.profile.insert(key, value.to_vec()),
                        None => self.profile.remove(&key),
                    };
                }
                Output::Event(event) => self.note(now, *event),
            }
        }
        actions
    }

    /// The deadline has come.
    pub(crate) fn tick(&mut self, now: Time) -> Vec<Action> {
        self.ticked = now;
        self.handle(now, Input::Tick)
    }

    /// When to come back.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.device.deadline().map(|time| (time + self.behind).max(self.ticked + Duration::from_millis(1)))
    }

    fn note(&mut self, now: Time, event: Event) {
        match event {
            Event::Done { request, result } => drop(self.done.insert(request, result)),
            Event::Invited(invited) => self.invited.push(invited),
            Event::SignedOut => self.signed_out += 1,
            Event::Bounced { .. } => {}
            Event::Call { meeting, event } => {
                if let CallEvent::Keys(keys) = &event {
                    self.fresh_keys.push_back((meeting.clone(), keys.keys.clone()));
                }
                let diary = self.diaries.entry(meeting).or_default();
                let before = diary.chats.len();
                diary.note(now, event);
                if let (Some(quirk), Some(said)) = (&mut self.quirk, diary.chats.get(before).cloned()) {
                    diary.chats.truncate(before);
                    let told = quirk.tells(said);
                    diary.chats.extend(told);
                }
            }
        }
    }
}

fn fresh(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    seed
}
