//! One simulated home server: the calls of its own devices, the messages of other servers, and what survives a crash.
//!
//! It drives the same machines of `core` as the real server does, one input at a time, without a socket, a task or a clock.

mod accounts;
mod calls;
pub mod disk;
mod hosting;
mod house;
mod mirroring;
pub mod mutant;
pub(crate) mod peer;
mod peers;
pub mod rogue;

use std::collections::{BTreeMap, VecDeque};

use conclave_core::{
    device::io::ApiError,
    identity::{
        address::{DeviceUri, Domain},
        pins::Pins,
        signed::Label,
    },
    ids::{MeetingId, SessionNumber},
    meeting::{
        attendance::Attendance,
        hub::{Hub, Input},
        log::ServerSigner,
        room::Room,
        watch::Presence,
    },
    time::Time,
};
use conclave_proto::types::v1::{ErrorReason, ServerSigned, Signed, Withdraw, WithdrawBasis};
use prost::bytes::Bytes;

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
    /// A device whose Join is handed in once its session is noted here.
    Note(CallKey, mirroring::Place, SessionNumber, Box<peer::Request>),
    /// A device whose Join is handed in at a hub that this server has to follow then.
    Join(CallKey, mirroring::Place, SessionNumber),
    /// A device whose Join is logged, which is told once its server follows.
    Follow(CallKey, mirroring::Place, SessionNumber, Box<peer::Answer>),
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
            self.at_hub(now, meeting, Origin::Nobody, |_| Input::Tick);
        }
        for place in self.live.mirrors.keys().cloned().collect::<Vec<_>>() {
            if self.live.mirrors.get(&place).is_some_and(|seat| !seat.follower.room().is_over()) {
                self.follow_again(&place);
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
            self.tell_followers(now, meeting);
            self.at_hub(now, meeting, Origin::Nobody, |_| Input::Tick);
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
        let missing = seat.house.missing(room, log, now, &mut self.out);
        for (presence, away) in missing.attendance {
            let attendance = self.attendance(now, meeting, session, presence, away);
            let from = self.domain().clone();
            self.at_hub(now, meeting, Origin::Nobody, |ticket| Input::Attend { ticket, from, attendance });
        }
        for gone in missing.lost {
            let withdraw = self.withdraw(now, meeting, session, &gone);
            let from = self.domain().clone();
            self.at_hub(now, meeting, Origin::Nobody, |ticket| Input::Withdraw { ticket, from, withdraw });
        }
    }

    fn attendance(
        &self,
        now: Time,
        meeting: MeetingId,
        session: SessionNumber,
        (device, entered): Presence,
        away: bool,
    ) -> ServerSigned {
        Attendance { meeting, session, device, entered, away, time: now }.sign(&self.signer)
    }

    fn withdraw(
        &mut self,
        now: Time,
        meeting: MeetingId,
        session: SessionNumber,
        (device, entered): &Presence,
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
            entered_sequence: entered.0,
        };
        self.signer.sign(Label::Withdraw, &withdraw)
    }
}
