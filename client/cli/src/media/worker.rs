//! The task that sends, receives, seals and opens one device's media in one session, and connects again when the server restarts.
//!
//! Frame keys come from the device machine with every change of the group; until the first ones are here, nothing is sent.

use std::{
    collections::HashSet,
    path::PathBuf,
    time::{Duration, Instant},
};

use conclave_core::{
    identity::address::DeviceUri,
    ids::{LeafIndex, TrackNumber},
    media::{
        EpochKeys, Layer, Opener, Sealer, Track, TrackLayer,
        frame::{OpenError, Opened},
        track::{self, Codec},
    },
};
use conclave_proto::types::v1 as wire;
use tokio::sync::mpsc;

use super::{
    Clip, FileError, Kind,
    connection::{self, Connection, Happening, Received, Slots},
    early::Early,
    frame_log::{Direction, FrameLog},
    ivf,
    pace::Pace,
    record::Recorder,
    signalling::{self, Session},
    starts::Starts,
};
use crate::{api::Api, clock};

/// How soon a lost connection is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Frames of the own clips that are overdue by more are skipped.
const LATE: Duration = Duration::from_millis(200);

/// What a stay's media is to be.
#[derive(Debug)]
pub struct Plan {
    /// Where.
    pub session: Session,
    /// The own device, for the log.
    pub device: DeviceUri,
    /// What is sent.
    pub tracks: Vec<(Track, Clip)>,
    /// How much can be received at once.
    pub slots: Slots,
    /// Where recordings go.
    pub record: Option<PathBuf>,
    /// Where the log of frames goes.
    pub frame_log: Option<PathBuf>,
}

/// What the worker is told.
#[derive(Debug)]
pub enum Order {
    /// A new epoch.
    Keys {
        /// Its keys.
        keys: EpochKeys,
        /// Whether the old ones must not be used any more.
        at_once: bool,
        /// The leaves that are gone.
        removed: Vec<LeafIndex>,
    },
    /// No sound goes out any more.
    Mute,
    /// The stay is over.
    Stop,
}

/// What the worker tells.
#[derive(Debug)]
pub enum Report {
    /// Media flows, or no longer; the sentence says why.
    Connected(Result<(), String>),
    /// The first frame of a track was opened.
    FirstFrame {
        /// Whose, as its key proves.
        device: DeviceUri,
        /// Which track.
        track: TrackNumber,
        /// What it carries.
        kind: Kind,
    },
    /// A recording was begun.
    Recording {
        /// Whose.
        device: DeviceUri,
        /// Which track.
        track: TrackNumber,
        /// What it carries.
        kind: Kind,
        /// Where.
        file: PathBuf,
    },
    /// A file cannot be written any more.
    Failed(String),
    /// All is over; the recordings are closed.
    Finished(Statistics),
}

/// What was sent and received.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Statistics {
    /// Frames sealed and handed to the connection.
    pub frames_sent: u64,
    /// Frames received and opened.
    pub frames_received: u64,
    /// Frames received that could not be opened: replayed, not authentic, of an unknown epoch or sender.
    pub frames_refused: u64,
    /// Frames of which a packet was missing.
    pub frames_incomplete: u64,
    /// Times that the server asked for a key frame; a file cannot make one, its next one comes by itself.
    pub key_frames_wanted: u64,
    /// Connections made.
    pub connections: u64,
    /// The recordings.
    pub recordings: Vec<PathBuf>,
}

/// Starts the worker.
pub fn start(
    api: Api,
    plan: Plan,
) -> Result<(mpsc::UnboundedSender<Order>, mpsc::UnboundedReceiver<Report>), FileError> {
    let recorder = plan.record.as_deref().map(Recorder::new).transpose()?;
    let log = plan.frame_log.as_deref().map(FrameLog::create).transpose()?;
    let (order, orders) = mpsc::unbounded_channel();
    let (reports, report) = mpsc::unbounded_channel();
    let now = Instant::now();
    let tracks = plan.tracks.into_iter();
    let worker = Worker {
        api,
        session: plan.session,
        device: plan.device,
        outgoing: tracks.map(|(track, clip)| Outgoing { track, pace: Pace::new(clip, now) }).collect(),
        slots: plan.slots,
        recorder,
        log,
        sealer: Sealer::new(),
        opener: Opener::new(),
        early: Early::default(),
        starts: Starts::default(),
        wanted: Vec::new(),
        ready: false,
        muted: false,
        seen: HashSet::new(),
        told: false,
        reports,
        statistics: Statistics::default(),
        sealed: Vec::new(),
    };
    tokio::spawn(worker.run(orders));
    Ok((order, report))
}

struct Outgoing {
    track: Track,
    pace: Pace,
}

struct Worker {
    api: Api,
    session: Session,
    device: DeviceUri,
    outgoing: Vec<Outgoing>,
    slots: Slots,
    recorder: Option<Recorder>,
    log: Option<FrameLog>,
    sealer: Sealer,
    opener: Opener,
    early: Early,
    starts: Starts,
    /// Streams on which a key frame is to be asked for.
    wanted: Vec<u32>,
    ready: bool,
    /// Whether a host asked this device to be silent; a file has no switch to turn the sound on again.
    muted: bool,
    seen: HashSet<(DeviceUri, TrackNumber)>,
    /// Whether it was told that there is no connection.
    told: bool,
    reports: mpsc::UnboundedSender<Report>,
    statistics: Statistics,
    sealed: Vec<u8>,
}

/// Why a connection came to its end.
enum End {
    Stopped,
    Lost(String),
}

impl Worker {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        while !self.ready {
            match orders.recv().await {
                Some(Order::Stop) | None => return self.finish(),
                Some(order) => self.obey(order),
            }
        }
        loop {
            let reason = match self.connect(&mut orders).await {
                End::Stopped => break,
                End::Lost(reason) => reason,
            };
            self.lost(reason);
            let again = tokio::time::Instant::now() + RETRY;
            while let Ok(order) = tokio::time::timeout_at(again, orders.recv()).await {
                match order {
                    Some(Order::Stop) | None => return self.finish(),
                    Some(order) => self.obey(order),
                }
            }
        }
        self.finish();
    }

    fn finish(mut self) {
        self.sealer.forget();
        self.opener.forget();
        self.statistics.frames_refused += self.early.len() as u64;
        if let Some(recorder) = self.recorder.take() {
            match recorder.finish() {
                Ok(files) => self.statistics.recordings = files,
                Err(error) => self.report(Report::Failed(error.to_string())),
            }
        }
        self.report(Report::Finished(self.statistics.clone()));
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Keys { keys, at_once, removed } => self.enter(keys, at_once, &removed),
            Order::Mute => self.muted = true,
            Order::Stop => {}
        }
    }

    fn enter(&mut self, keys: EpochKeys, at_once: bool, removed: &[LeafIndex]) {
        tracing::debug!(epoch = keys.epoch().0, at_once, "new frame keys");
        let now = clock::now();
        self.opener.enter(keys.clone(), now, removed);
        // Nobody loses by it: who is slower keeps the frames until the keys are there, and who is new need not wait (MED-05).
        self.sealer.enter(keys, now, true);
        self.ready = true;
        for received in self.early.take() {
            self.open(received);
        }
    }

    /// One connection, from the offer to its end.
    async fn connect(&mut self, orders: &mut mpsc::UnboundedReceiver<Order>) -> End {
        let tracks: Vec<_> = self
            .outgoing
            .iter()
            .map(|out| (kind_of(out.track.codec), wire::Track::from(&out.track)))
            .collect();
        let mut opened = match signalling::open(&self.api, &self.session, &tracks, self.slots).await {
            Ok(opened) => opened,
            Err(error) => return End::Lost(error.to_string()),
        };
        self.statistics.connections += 1;
        self.starts.forget();
        let end = self.drive(&mut opened.connection, &mut opened.signals, orders).await;
        self.statistics.frames_incomplete += opened.connection.incomplete();
        opened.close(&self.api).await;
        end
    }

    async fn drive(
        &mut self,
        connection: &mut Connection,
        signals: &mut signalling::Signals,
        orders: &mut mpsc::UnboundedReceiver<Order>,
    ) -> End {
        loop {
            for stream in self.wanted.drain(..) {
                connection.ask_for_key_frame(stream);
            }
            let due = self.outgoing.iter().map(|out| out.pace.due()).min();
            let due = due.filter(|_| connection.is_connected());
            tokio::select! {
                biased; // New keys come before frames that need them.
                order = orders.recv() => match order {
                    Some(Order::Stop) | None => return End::Stopped,
                    Some(order) => self.obey(order),
                },
                slots = signalling::next(signals) => match slots {
                    Some(slots) => tracing::debug!(filled = slots.slots.len(), "slots changed"),
                    None => return End::Lost("the server ended the media connection".to_owned()),
                },
                () = sleep_until(due) => self.send(connection),
                happening = connection.next() => match happening {
                    Ok(happening) => self.take(happening),
                    Err(connection::Error::Lost) => return End::Lost("the server is silent".to_owned()),
                    Err(error) => return End::Lost(error.to_string()),
                },
            }
        }
    }

    fn send(&mut self, connection: &mut Connection) {
        for place in 0..self.outgoing.len() {
            while !matches!(self.send_next(connection, place), Err(Unsent::NotDue)) {}
        }
    }

    fn send_next(&mut self, connection: &mut Connection, place: usize) -> Result<(), Unsent> {
        let Some(out) = self.outgoing.get_mut(place) else { return Err(Unsent::NotDue) };
        let layer = out.track.layer(Layer::BASE).ok_or(Unsent::Refused)?;
        let (ticks, frame) = out.pace.take(Instant::now(), LATE).ok_or(Unsent::NotDue)?;
        if self.muted && kind_of(out.track.codec) == Kind::Audio {
            return Err(Unsent::Refused); // DEV-16
        }
        self.sealer
            .seal(clock::now(), layer, &frame.payload, &mut self.sealed)
            .map_err(|_| Unsent::Refused)?;
        if !connection.send(place, ticks, &self.sealed) {
            return Err(Unsent::Refused);
        }
        self.statistics.frames_sent += 1;
        let payload = frame.payload.clone();
        let device = self.device.clone();
        self.log(Direction::Sent, &device, layer, &payload);
        Ok(())
    }

    fn take(&mut self, happening: Happening) {
        match happening {
            Happening::Connected => {
                self.told = false;
                self.report(Report::Connected(Ok(())));
            }
            Happening::KeyFrameWanted(_) => self.statistics.key_frames_wanted += 1,
            Happening::Frame(received) => self.open(received),
        }
    }

    fn open(&mut self, received: Received) {
        let codec = if received.kind == Kind::Audio { Codec::Opus } else { Codec::Vp8 };
        match self.opener.open(clock::now(), codec, &received.data) {
            Ok(opened) => self.opened(&received, opened),
            Err(OpenError::WrongEpoch) => {
                self.statistics.frames_refused += self.early.hold(Instant::now(), received);
            }
            Err(error) => {
                self.statistics.frames_refused += 1;
                tracing::debug!(slot = %received.slot, %error, "a frame was refused");
            }
        }
    }

    fn opened(&mut self, received: &Received, opened: Opened) {
        self.statistics.frames_received += 1;
        self.log(Direction::Received, &opened.device, opened.track, &opened.frame);
        let (device, number, kind) = (opened.device.as_ref(), opened.track.number, received.kind);
        if self.seen.insert((device.clone(), number)) {
            self.report(Report::FirstFrame { device: device.clone(), track: number, kind });
        }
        if kind == Kind::Video {
            let key = ivf::size_of_key_frame(&opened.frame).is_some();
            if self.starts.took((device, number), key, Instant::now()) {
                self.wanted.push(received.stream);
            }
        }
        let Some(recorder) = &mut self.recorder else { return };
        match recorder.take((device, number), kind, received.ticks, opened.frame.into()) {
            Ok(None) => {}
            Ok(Some(file)) => {
                let file = file.to_owned();
                self.report(Report::Recording { device: device.clone(), track: number, kind, file });
            }
            Err(error) => {
                self.recorder = None;
                self.report(Report::Failed(format!("the recording stopped: {error}")));
            }
        }
    }

    fn log(&mut self, direction: Direction, device: &DeviceUri, track: TrackLayer, frame: &[u8]) {
        let Some(log) = &mut self.log else { return };
        if let Err(error) = log.write(direction, device, track.number, kind_of(track.codec), frame) {
            self.log = None;
            self.report(Report::Failed(format!("the log of frames stopped: {error}")));
        }
    }

    /// Tells once that there is no connection any more; what the next attempts meet is for the log.
    fn lost(&mut self, reason: String) {
        tracing::debug!(reason, "no media");
        if !std::mem::replace(&mut self.told, true) {
            self.report(Report::Connected(Err(reason)));
        }
    }

    fn report(&self, report: Report) {
        // Nobody listens any more when the program ends.
        let _ = self.reports.send(report);
    }
}

enum Unsent {
    NotDue,
    Refused,
}

/// A clip as a track to publish.
pub fn track_of(clip: &Clip, number: TrackNumber) -> Track {
    let (kind, codec) = match clip.kind {
        Kind::Audio => (track::Kind::Audio, Codec::Opus),
        Kind::Video => (track::Kind::Video, Codec::Vp8),
    };
    Track { number, kind, codec, layers: 1 }
}

const fn kind_of(codec: Codec) -> Kind {
    match codec {
        Codec::Opus => Kind::Audio,
        Codec::Vp8 => Kind::Video,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
