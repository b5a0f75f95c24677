//! What must hold at every moment of every run, whatever breaks; and what must hold once all is healed.

mod log;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};

use conclave_core::{
    device::command::MeetingAddress,
    identity::address::{DeviceUri, Domain},
    ids::{Epoch, MeetingId, SessionNumber, TrackNumber},
    media::{
        frame::{EpochKeys, Opener, Sealer},
        track::{Codec, Kind, Layer, TrackLayer},
    },
    time::Time,
};

use self::log::author;
pub use self::{log::LogCheck, secrets::secrets_of};
use crate::{
    client::{ClientId, Quirk},
    federation::Federation,
    home_server::disk::Log,
};

/// Something that must never be, is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A hub's log lost or changed an entry that was there.
    #[error("{0}: the log lost or changed an entry: {1}")]
    LogChanged(Domain, String),
    /// A submission was acknowledged and is not in the log.
    #[error("{0}: an acknowledged submission is not in the log at {1}")]
    Forgotten(Domain, u64),
    /// A follower has what the hub has not.
    #[error("{0} has another entry {1} than its hub")]
    NoPrefix(Domain, u64),
    /// Two commits of one epoch stand on one branch.
    #[error("two commits of epoch {0}")]
    TwoCommits(u64),
    /// A commit adds what no Join of its own asked for.
    #[error("entry {0} adds what no Join of its own asked for: {1}")]
    GhostAdd(u64, &'static str),
    /// Somebody opened a frame of an epoch that it is not in.
    #[error("{0} opens a frame of epoch {1} without being in it")]
    Eavesdropper(DeviceUri, u64),
    /// A message did not come exactly once and in its author's order.
    #[error("{0} has the messages of {1} wrong: {2}")]
    Chat(DeviceUri, String, String),
    /// Members do not agree though nothing is broken any more.
    #[error("no agreement: {0}")]
    Disagreement(String),
    /// Something of an intruder's is in a log, or was taken for good.
    #[error("{0} has something of an intruder's: {1}")]
    Intruded(Domain, String),
    /// A server has another organisation's user data.
    #[error("{0} has data of another organisation: {1}")]
    Leak(Domain, String),
}

/// A chat message that was handed in.
#[derive(Clone, Debug)]
pub struct Spoken {
    /// By whom.
    pub author: ClientId,
    /// Where.
    pub meeting: MeetingAddress,
    /// In which session.
    pub session: Option<SessionNumber>,
    /// What: the author's name and a number that grows.
    pub text: String,
    /// The author's epoch then.
    pub epoch: Option<Epoch>,
    /// Whether its author was told that it is in the log.
    pub acknowledged: bool,
}

struct Frame {
    bytes: Vec<u8>,
    members: Vec<DeviceUri>,
}

/// Watches a run.
#[derive(Default)]
pub struct Watchman {
    logs: BTreeMap<(Domain, MeetingId, SessionNumber), LogCheck>,
    mirrored: BTreeMap<(Domain, Domain, MeetingId, SessionNumber), u64>,
    promises: usize,
    frames: BTreeMap<(MeetingAddress, Epoch), Vec<Frame>>,
    held: BTreeMap<(MeetingAddress, Epoch), Vec<(DeviceUri, EpochKeys)>>,
    /// Devices of which nothing may ever be in a log.
    pub outlaws: BTreeSet<DeviceUri>,
    /// How many frames were opened by those who may.
    pub opened: u64,
    /// How many entries were checked.
    pub entries: u64,
}

impl Watchman {
    /// Looks at everything that changed since it last looked.
    pub fn check(&mut self, federation: &mut Federation) -> Result<(), Violation> {
        self.check_logs(federation)?;
        self.check_mirrors(federation)?;
        self.check_promises(federation)?;
        self.check_keys(federation)
    }

    fn check_logs(&mut self, federation: &Federation) -> Result<(), Violation> {
        for server in federation.servers() {
            for (meeting, hosted) in &server.disk().hosted {
                for (number, session) in &hosted.sessions {
                    let key = (server.domain().clone(), *meeting, *number);
                    let known = self.logs.entry(key).or_insert_with(|| LogCheck::new(hosted.record.suite()));
                    let news = known.take(server.domain(), &session.log)?;
                    self.entries += news;
                    for stored in session.log.0.iter().rev().take(usize::try_from(news).unwrap_or(usize::MAX))
                    {
                        if let Some(outlaw) = author(&stored.entry).filter(|by| self.outlaws.contains(by)) {
                            return Err(Violation::Intruded(server.domain().clone(), outlaw.to_string()));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn check_mirrors(&mut self, federation: &Federation) -> Result<(), Violation> {
        for server in federation.servers() {
            for ((hub, meeting), mirrored) in &server.disk().mirrored {
                for (number, session) in &mirrored.sessions {
                    let known = self.logs.get(&(hub.clone(), *meeting, *number));
                    let key = (server.domain().clone(), hub.clone(), *meeting, *number);
                    let checked = self.mirrored.entry(key).or_default();
                    let first = usize::try_from(*checked).unwrap_or(usize::MAX);
                    for stored in session.log.0.iter().skip(first) {
                        *checked += 1;
                        if known.and_then(|known| known.hash(*checked)) != Some(stored.entry.hash()) {
                            return Err(Violation::NoPrefix(server.domain().clone(), *checked));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn check_promises(&mut self, federation: &Federation) -> Result<(), Violation> {
        for promise in federation.promises().iter().skip(self.promises) {
            self.promises += 1;
            let log =
                federation.servers().find(|server| *server.domain() == promise.hub).and_then(|server| {
                    server.disk().hosted.get(&promise.meeting)?.sessions.get(&promise.session)
                });
            let entry = log.and_then(|session| session.log.at(promise.sequence));
            if entry.is_none_or(|stored| stored.entry.header().submission != promise.submission) {
                return Err(Violation::Forgotten(promise.hub.clone(), promise.sequence.0));
            }
        }
        Ok(())
    }

    fn check_keys(&mut self, federation: &mut Federation) -> Result<(), Violation> {
        let now = federation.now();
        for id in federation.clients().map(|(id, _)| id).collect::<Vec<_>>() {
            while let Some((meeting, keys)) = federation.client_mut(id).fresh_keys.pop_front() {
                let device = federation.uri(id);
                self.obtains(now, device, &meeting, keys.clone())?;
                if let Some(Quirk::PassesKeysTo(friend)) = federation.client(id).quirk {
                    self.obtains(now, federation.uri(friend), &meeting, keys)?;
                }
            }
        }
        Ok(())
    }

    /// A device has the keys of an epoch: it seals a frame, and tries to open what others sealed; they try to open its own.
    pub fn obtains(
        &mut self,
        now: Time,
        device: DeviceUri,
        meeting: &MeetingAddress,
        keys: EpochKeys,
    ) -> Result<(), Violation> {
        let place = (meeting.clone(), keys.epoch());
        for frame in self.frames.get(&place).into_iter().flatten() {
            self.opened += try_open(now, &device, &keys, frame)?;
        }
        let held = self.held.entry(place.clone()).or_default();
        let members: Vec<_> = keys.roster().map(|(_, device)| device.clone()).collect();
        if members.contains(&device) {
            let frame = Frame { bytes: seal(now, &keys), members };
            for (other, theirs) in held.iter() {
                self.opened += try_open(now, other, theirs, &frame)?;
            }
            self.frames.entry(place).or_default().push(frame);
        }
        held.push((device, keys));
        Ok(())
    }

    /// The checks of one log, as far as it was seen.
    pub fn log(&self, hub: &Domain, meeting: &MeetingId, session: SessionNumber) -> Option<&LogCheck> {
        self.logs.get(&(hub.clone(), *meeting, session))
    }
}

fn seal(now: Time, keys: &EpochKeys) -> Vec<u8> {
    let mut sealer = Sealer::new();
    sealer.enter(keys.clone(), now, true);
    let track =
        TrackLayer { number: TrackNumber(1), kind: Kind::Audio, codec: Codec::Opus, layer: Layer::BASE };
    let mut frame = Vec::new();
    sealer.seal(now, track, b"canary", &mut frame).expect("keys to seal with");
    frame
}

fn try_open(now: Time, device: &DeviceUri, keys: &EpochKeys, frame: &Frame) -> Result<u64, Violation> {
    let mut opener = Opener::new();
    opener.enter(keys.clone(), now, &[]);
    if opener.open(now, Codec::Opus, &frame.bytes).is_err() {
        return Ok(0);
    }
    if frame.members.contains(device) {
        Ok(1)
    } else {
        Err(Violation::Eavesdropper(device.clone(), keys.epoch().0))
    }
}

/// Each message exactly once, in its author's order, and none missing at whoever was there all the time.
pub fn check_chat(federation: &Federation, spoken: &[Spoken]) -> Result<(), Violation> {
    for (id, client) in federation.clients() {
        let Some(device) = client.uri() else { continue };
        // What it told before it crashed or left may end anywhere, but is in order.
        let earlier = client.earlier.iter().map(|(meeting, diary)| (meeting, diary, false));
        let current = client.diaries.iter().map(|(meeting, diary)| (meeting, diary, diary.is_inside()));
        for (meeting, diary, inside) in current.chain(earlier) {
            let wrong = |author: &str, what: String| Violation::Chat(device.clone(), author.to_owned(), what);
            let mut last: BTreeMap<&str, u64> = BTreeMap::new();
            for said in &diary.chats {
                let (author, number) = said.text.rsplit_once(' ').unwrap_or((&said.text, "0"));
                let number = number.parse().unwrap_or(0);
                if last.insert(author, number).is_some_and(|last| last >= number) {
                    return Err(wrong(author, format!("{:?}", diary.texts())));
                }
            }
            let there = |spoken: &&Spoken| {
                spoken.acknowledged
                    && spoken.author != id
                    && spoken.meeting == *meeting
                    && spoken.session == diary.session
                    && inside
                    && diary.entered_in.is_some_and(|entered| Some(entered) <= spoken.epoch)
            };
            for spoken in spoken.iter().filter(there) {
                if !diary.chats.iter().any(|said| said.text == spoken.text) {
                    return Err(wrong(&spoken.text, "it is missing".to_owned()));
                }
            }
        }
    }
    Ok(())
}

/// Once nothing is broken any more: all members see one room, and every server the same log.
pub fn check_agreement(federation: &Federation, meeting: &MeetingAddress) -> Result<(), Violation> {
    let broken = |what: String| Err(Violation::Disagreement(what));
    let inside: Vec<_> = federation
        .clients()
        .filter_map(|(_, client)| Some((client.uri()?, client.diaries.get(meeting)?)))
        .filter(|(_, diary)| diary.is_inside())
        .collect();
    let Some(hub) = federation.servers().find(|server| *server.domain() == meeting.hub) else {
        return Ok(());
    };
    let room = hub.hub(&meeting.id).and_then(|hub| hub.room());
    let present: Vec<_> = room
        .into_iter()
        .flat_map(conclave_core::meeting::room::Room::present)
        .map(|member| &member.device)
        .collect();
    let mut believed: Vec<_> = inside.iter().map(|(device, _)| *device).collect();
    let mut logged = present.clone();
    believed.sort_unstable();
    logged.sort_unstable();
    if believed != logged {
        return broken(format!("inside are {believed:?}, the log says {logged:?}"));
    }
    let Some((_, first)) = inside.first() else { return Ok(()) };
    let first = first.roster.as_ref().expect("a roster");
    for (device, diary) in &inside {
        let roster = diary.roster.as_ref().expect("a roster");
        if roster.epoch != first.epoch || roster.verification_code != first.verification_code {
            return broken(format!("{device} is in epoch {:?}, another in {:?}", roster.epoch, first.epoch));
        }
        let mut seen: Vec<_> = roster.members.iter().map(|member| &member.device).collect();
        seen.sort_unstable();
        if seen != logged {
            return broken(format!("{device} sees {seen:?}, the log says {logged:?}"));
        }
    }
    let session = room.map(conclave_core::meeting::room::Room::session);
    let tip = |log: &Log| log.tip();
    let hub_tip = session
        .and_then(|session| Some(tip(&hub.disk().hosted.get(&meeting.id)?.sessions.get(&session)?.log)));
    for server in
        federation.servers().filter(|server| logged.iter().any(|device| device.domain() == server.domain()))
    {
        let mirrored = server.disk().mirrored.get(&(meeting.hub.clone(), meeting.id));
        let mirror_tip = mirrored.and_then(|mirrored| Some(tip(&mirrored.sessions.get(&session?)?.log)));
        if *server.domain() != meeting.hub && mirror_tip != hub_tip {
            return broken(format!("{} has {mirror_tip:?} entries of {hub_tip:?}", server.domain()));
        }
    }
    Ok(())
}

/// No server has anything of another organisation's users but what their meetings show, and none has a secret.
pub fn check_home(federation: &Federation) -> Result<(), Violation> {
    let secrets: Vec<_> = federation.clients().flat_map(|(_, client)| secrets_of(client)).collect();
    for server in federation.servers() {
        let leak = |what: String| Violation::Leak(server.domain().clone(), what);
        let disk = server.disk();
        let keys = disk.sealing_keys.keys().chain(disk.invitations.keys());
        let foreign = keys.chain(disk.devices.values().map(|device| &device.uri));
        if let Some(foreign) = foreign.into_iter().find(|device| device.domain() != server.domain()) {
            return Err(leak(foreign.to_string()));
        }
        let known = federation.clients().filter(|(_, client)| client.home() == server.domain());
        let known: Vec<_> =
            known.filter_map(|(_, client)| Some(client.uri()?.user().name().to_owned())).collect();
        if let Some(stranger) = disk.accounts.keys().find(|name| !known.contains(name)) {
            return Err(leak(format!("an account of {stranger}")));
        }
        if secrets::found(disk, &secrets) {
            return Err(leak("a secret of a device".to_owned()));
        }
    }
    Ok(())
}
