//! What a call knows while it lasts: who is there, who waits, what was asked, and the media worker.

use std::collections::HashMap;

use conclave_core::{
    device::{
        command::{Command, Door, MeetingAddress, RequestId},
        event::{CallEvent, Event, MediaKeys, Over, Roster, Standing},
    },
    identity::address::{DeviceUri, UserAddress},
    ids::{SessionNumber, TrackNumber},
    media::track,
};
use conclave_proto::types::v1 as wire;
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    Options,
    order::{Order, addresses},
};
use crate::{
    clock,
    driver::{self, Driver},
    media::{
        connection::Slots,
        signalling::Session,
        worker::{self, Order as MediaOrder, Plan, Report, track_of},
    },
    present,
    screen::Note,
};

/// How many tracks are received at once.
const SLOTS: Slots = Slots { audio: 4, video: 4 };

/// Who asked for something, and what comes back with its result.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) name: &'static str,
    pub(super) id: Option<Value>,
    pub(super) answer: Option<oneshot::Sender<Value>>,
}

/// How far a stay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Asking,
    Waiting,
    Inside,
}

/// How a stay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    Well,
    Badly,
}

pub(super) struct Stay {
    pub(super) driver: Driver,
    pub(super) meeting: MeetingAddress,
    pub(super) reports: Option<mpsc::UnboundedReceiver<Report>>,
    pub(super) at: At,
    refusal_is_told: bool,
    options: Options,
    orders: Option<mpsc::UnboundedSender<MediaOrder>>,
    session: Option<SessionNumber>,
    entered: Option<Instant>,
    roster: Option<Roster>,
    waiting: Vec<DeviceUri>,
    early_keys: Vec<MediaKeys>,
    origins: HashMap<RequestId, Origin>,
}

impl Stay {
    pub(super) fn new(driver: Driver, options: Options) -> Self {
        let meeting = match &options.door {
            Door::Link(link) => MeetingAddress { id: link.meeting, hub: link.hub.clone() },
            Door::Address(address) => address.clone(),
        };
        Self {
            driver,
            meeting,
            reports: None,
            at: At::Asking,
            refusal_is_told: false,
            options,
            orders: None,
            session: None,
            entered: None,
            roster: None,
            waiting: Vec::new(),
            early_keys: Vec::new(),
            origins: HashMap::new(),
        }
    }

    pub(super) fn join(&mut self) -> Result<(), driver::Error> {
        let door = self.options.door.clone();
        self.begin(Command::Join(door), Origin { name: "join", ..Origin::default() })
    }

    /// When the time that was asked for is over.
    pub(super) fn leave_at(&self) -> Option<Instant> {
        Some(self.entered? + self.options.stay?)
    }

    /// Whether the stay has an end of its own, without anybody who types.
    pub(super) const fn stays_by_itself(&self) -> bool {
        self.options.stay.is_some()
    }

    pub(super) fn begin(&mut self, command: Command, origin: Origin) -> Result<(), driver::Error> {
        let request = self.driver.command(command)?;
        self.origins.insert(request, origin);
        Ok(())
    }

    /// An order as a command of the device; the error is what to answer.
    pub(super) fn command(&self, order: Order) -> Result<Command, Note> {
        let meeting = self.meeting.clone();
        let malformed = |sentence: String| present::failure("malformed", &sentence);
        Ok(match order {
            Order::Chat { text } => Command::Chat { meeting, text },
            Order::Admit { device } => {
                Command::Admit { meeting, device: self.who_waits(&device)?, admitted: true }
            }
            Order::Deny { device } => {
                Command::Admit { meeting, device: self.who_waits(&device)?, admitted: false }
            }
            Order::Remove { address } => {
                let address = UserAddress::parse(&address).map_err(|error| malformed(error.to_string()))?;
                Command::Remove { meeting, address }
            }
            Order::Lock {} => Command::Lock { meeting, locked: true },
            Order::Unlock {} => Command::Lock { meeting, locked: false },
            Order::Lobby { on } => Command::Lobby { meeting, on },
            Order::CoHost { address, on } => {
                let address = UserAddress::parse(&address).map_err(|error| malformed(error.to_string()))?;
                Command::SetCoHost { meeting, address, on }
            }
            Order::Type { line, text, done } => Command::Type { meeting, line, text, done },
            Order::Hand { raised } => Command::RaiseHand { meeting, raised },
            Order::Lower { device } => Command::LowerHand { meeting, device: self.who_is_there(&device)? },
            Order::Mute { device } => Command::AskMute { meeting, device: self.who_is_there(&device)? },
            Order::React { reaction: name } => {
                let wire_name = format!("REACTION_{}", name.to_ascii_uppercase());
                let reaction = wire::Reaction::from_str_name(&wire_name);
                let reaction = reaction.filter(|known| *known != wire::Reaction::Unspecified);
                let reaction = reaction.ok_or_else(|| malformed(format!("there is no reaction {name}")))?;
                Command::React { meeting, reaction }
            }
            Order::Invite { addresses: texts } => {
                Command::Invite { meeting, addresses: addresses(&texts).map_err(malformed)? }
            }
            Order::End {} => Command::End(meeting),
            Order::Leave {} | Order::Roster {} | Order::Code {} => Command::Leave(meeting),
        })
    }

    fn who_waits(&self, who: &str) -> Result<DeviceUri, Note> {
        if let Ok(device) = DeviceUri::parse(who) {
            return Ok(device);
        }
        let found = self.waiting.iter().find(|device| device.user().to_string() == who);
        found.cloned().ok_or_else(|| present::failure("not_found", &format!("{who} does not wait")))
    }

    fn who_is_there(&self, who: &str) -> Result<DeviceUri, Note> {
        if let Ok(device) = DeviceUri::parse(who) {
            return Ok(device);
        }
        let members = self.roster.iter().flat_map(|roster| &roster.members);
        let found = members.map(|member| &member.device).find(|device| device.user().to_string() == who);
        found.cloned().ok_or_else(|| present::failure("not_found", &format!("{who} is not in the room")))
    }

    pub(super) fn roster_note(&self) -> Note {
        self.with_roster(present::roster)
    }

    pub(super) fn code_note(&self) -> Note {
        self.with_roster(present::code)
    }

    fn with_roster(&self, show: impl Fn(&Roster) -> Note) -> Note {
        self.roster
            .as_ref()
            .map_or_else(|| present::failure("not_found", "you are not in the room yet"), show)
    }

    /// Takes an event; gives what to say, and how the stay ended if it did.
    pub(super) fn take(&mut self, event: Event) -> Result<(Vec<Note>, Option<Went>), driver::Error> {
        let mut notes = Vec::new();
        let mut went = None;
        match event {
            Event::Done { request, ref result } => {
                let origin = self.origins.remove(&request).unwrap_or_default();
                let is_asked = result.is_err() || !origin.name.is_empty();
                self.refusal_is_told |= origin.name == "join" && result.is_err();
                let note = present::event(&event);
                notes.extend(origin.deliver(&note).filter(|_| is_asked));
            }
            Event::Call { meeting, event } if meeting == self.meeting => {
                notes.push(self.note(&meeting, &event));
                went = self.heed(event, &mut notes)?;
            }
            other => notes.push(present::event(&other)),
        }
        Ok((notes, went))
    }

    /// What to say of an event: to a person only what is news.
    fn note(&self, meeting: &MeetingAddress, event: &CallEvent) -> Note {
        let mut note = present::call_event(meeting, event);
        match (event, &self.roster) {
            (CallEvent::Roster(new), Some(old)) => note.text = present::comings_and_goings(old, new),
            (CallEvent::Over(Over::Refused(_)), _) if self.refusal_is_told => note.text.clear(),
            (CallEvent::Typing { device, .. }, _) if Some(device) == self.driver.uri() => note.text.clear(),
            (CallEvent::Chat { from, .. }, _) if Some(from) == self.driver.uri() => note.text.clear(),
            _ => {}
        }
        note
    }

    fn heed(&mut self, event: CallEvent, notes: &mut Vec<Note>) -> Result<Option<Went>, driver::Error> {
        match event {
            CallEvent::Entered { session, .. } => {
                self.at = At::Inside;
                self.session = Some(session);
                self.entered = Some(Instant::now());
                for keys in std::mem::take(&mut self.early_keys) {
                    self.enter_epoch(keys, notes)?;
                }
            }
            CallEvent::Standing(Standing::Waiting) => self.at = At::Waiting,
            CallEvent::Roster(roster) => {
                notes.push(Note { text: String::new(), ..present::code(&roster) });
                self.roster = Some(roster);
            }
            CallEvent::Waiting(device) => self.waiting.push(device),
            CallEvent::WaitingEnded(device) => self.waiting.retain(|waiting| *waiting != device),
            CallEvent::Keys(keys) => self.enter_epoch(keys, notes)?,
            CallEvent::MutedBy(_) => {
                if let Some(orders) = &self.orders {
                    let _ = orders.send(MediaOrder::Mute); // It may have ended with its files.
                }
            }
            CallEvent::Over(Over::Left | Over::Ended) => return Ok(Some(Went::Well)),
            CallEvent::Over(_) => return Ok(Some(Went::Badly)),
            _ => {}
        }
        Ok(None)
    }

    fn enter_epoch(&mut self, keys: MediaKeys, notes: &mut Vec<Note>) -> Result<(), driver::Error> {
        if !self.options.media {
            return Ok(());
        }
        let Some(session) = self.session else {
            self.early_keys.push(keys);
            return Ok(());
        };
        if self.orders.is_none() {
            self.start_media(session, notes)?;
        }
        if let Some(orders) = &self.orders {
            let MediaKeys { keys, at_once, removed } = keys;
            let _ = orders.send(MediaOrder::Keys { keys, at_once, removed }); // It may have ended with its files.
        }
        Ok(())
    }

    fn start_media(&mut self, session: SessionNumber, notes: &mut Vec<Note>) -> Result<(), driver::Error> {
        let Some(device) = self.driver.uri().cloned() else { return Ok(()) };
        let first = track::first_number(clock::now()).0;
        let tracks: Vec<_> = std::mem::take(&mut self.options.clips)
            .into_iter()
            .zip(first..)
            .map(|(clip, number)| (track_of(&clip, TrackNumber(number)), clip))
            .collect();
        let published: Vec<wire::Track> = tracks.iter().map(|(track, _)| track.into()).collect();
        let plan = Plan {
            session: Session {
                meeting_id: self.meeting.id.as_bytes().to_vec().into(),
                hub: self.meeting.hub.to_string(),
                number: session.0,
            },
            device,
            tracks,
            slots: SLOTS,
            record: self.options.record.take(),
            frame_log: self.options.frame_log.take(),
        };
        match worker::start(self.driver.api().clone(), plan) {
            Ok((orders, reports)) => {
                self.orders = Some(orders);
                self.reports = Some(reports);
            }
            Err(error) => {
                self.options.media = false;
                notes.push(present::failure("file", &error.to_string()));
            }
        }
        if published.is_empty() {
            return Ok(());
        }
        let meeting = self.meeting.clone();
        self.begin(Command::Publish { meeting, tracks: published }, Origin::default())
    }

    pub(super) fn stop_media(&mut self) {
        if let Some(orders) = self.orders.take() {
            let _ = orders.send(MediaOrder::Stop); // It may be over already.
        }
    }
}
