//! One call: the device machine, the media worker, and a person or a script in between.

pub mod listen;
pub mod order;
mod stay;

use std::{path::PathBuf, time::Duration};

use conclave_core::device::command::{Command, Door};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use self::{
    listen::Heard,
    order::{Line, Order},
    stay::{At, Origin, Stay, Went},
};
use crate::{
    driver::{self, Driver},
    media::{Clip, worker::Report},
    present,
    screen::{Busy, Note, Screen},
};

/// Leaving takes no longer than this, whatever the servers do.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
/// The recordings are closed within this time.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// How to enter, and what to send and keep.
#[derive(Debug)]
pub struct Options {
    /// By what.
    pub door: Door,
    /// What is sent.
    pub clips: Vec<Clip>,
    /// Where recordings go.
    pub record: Option<PathBuf>,
    /// Where the log of frames goes.
    pub frame_log: Option<PathBuf>,
    /// How long to stay.
    pub stay: Option<Duration>,
    /// Whether there is sound and vision at all.
    pub media: bool,
}

/// Enters, stays, goes. True if the stay ended well.
pub async fn run(driver: Driver, screen: Screen, options: Options) -> Result<bool, driver::Error> {
    let (hear, heard) = mpsc::channel(64);
    let others = tokio::spawn(listen::others(driver.profile().folder().to_owned(), hear.clone()));
    let input = tokio::spawn(listen::input(hear));
    let stay = Stay::new(driver, options);
    let mut call =
        Call { stay, screen, busy: None, shown: At::Asking, heard, leave_by: None, closed_input: false };
    let result = call.run().await;
    input.abort();
    others.abort();
    result
}

struct Call {
    stay: Stay,
    screen: Screen,
    /// Until the person is in.
    busy: Option<Busy>,
    shown: At,
    heard: mpsc::Receiver<Heard>,
    leave_by: Option<tokio::time::Instant>,
    closed_input: bool,
}

impl Call {
    async fn run(&mut self) -> Result<bool, driver::Error> {
        self.screen.say(&Note::new("joining", json!({}), ""));
        self.busy = self.screen.busy("Asking to enter …");
        self.stay.join()?;
        let ended_well = loop {
            let until = self.leave_by.or_else(|| self.stay.leave_at());
            tokio::select! {
                event = self.stay.driver.next() => {
                    let (notes, went) = self.stay.take(event?)?;
                    self.show_progress();
                    for note in &notes {
                        self.screen.say(note);
                    }
                    if let Some(went) = went {
                        break went == Went::Well;
                    }
                }
                Some(heard) = self.heard.recv(), if !self.closed_input => self.hear(heard)?,
                report = next_report(&mut self.stay.reports) => self.screen.say(&present::media(&report)),
                _ = tokio::signal::ctrl_c() => {
                    if self.leave_by.is_some() {
                        break false;
                    }
                    self.leave(Origin::default())?;
                }
                () = sleep_until(until) => {
                    if self.leave_by.is_some() {
                        break true; // The server did not answer; it will notice that we are gone.
                    }
                    self.leave(Origin::default())?;
                }
            }
        };
        #[cfg(feature = "canary")]
        if !ended_well {
            crate::canary::hold_on().await;
        }
        self.finish_media().await;
        Ok(ended_well)
    }

    /// Says what is waited for, until the person is in.
    fn show_progress(&mut self) {
        if std::mem::replace(&mut self.shown, self.stay.at) == self.stay.at {
            return;
        }
        self.busy = None; // One at a time.
        if self.stay.at == At::Waiting {
            self.busy = self.screen.busy("Waiting for a host; Ctrl-C gives up …");
        }
    }

    fn hear(&mut self, heard: Heard) -> Result<(), driver::Error> {
        let Some(line) = heard.line else {
            self.closed_input = true;
            return if self.stay.stays_by_itself() { Ok(()) } else { self.leave(Origin::default()) };
        };
        let is_json = self.screen.is_json() || heard.answer.is_some();
        let parsed = if is_json { parse_json(&line) } else { parse_typed(&line) };
        match parsed {
            Ok(None) => Ok(()),
            Ok(Some(Line { id, order })) => {
                let origin = Origin { name: order.name(), id, answer: heard.answer };
                self.obey(order, origin)
            }
            Err(sentence) => {
                let origin = Origin { answer: heard.answer, ..Origin::default() };
                let note = match sentence.as_str() {
                    order::HELP => Note::new("help", json!({}), order::HELP),
                    other => present::failure("malformed", other),
                };
                self.answer(origin, &note);
                Ok(())
            }
        }
    }

    fn obey(&mut self, order: Order, origin: Origin) -> Result<(), driver::Error> {
        match order {
            Order::Leave {} => self.leave(origin),
            Order::Roster {} => {
                self.answer(origin, &self.stay.roster_note());
                Ok(())
            }
            Order::Code {} => {
                self.answer(origin, &self.stay.code_note());
                Ok(())
            }
            order => match self.stay.command(order) {
                Ok(command) => self.stay.begin(command, origin),
                Err(note) => {
                    self.answer(origin, &note);
                    Ok(())
                }
            },
        }
    }

    fn leave(&mut self, origin: Origin) -> Result<(), driver::Error> {
        self.busy = None; // One at a time.
        self.busy = self.screen.busy("Leaving …");
        self.leave_by = Some(tokio::time::Instant::now() + LEAVE_WITHIN);
        let meeting = self.stay.meeting.clone();
        self.stay.begin(Command::Leave(meeting), origin)
    }

    fn answer(&self, origin: Origin, note: &Note) {
        if let Some(note) = origin.deliver(note) {
            self.screen.say(&note);
        }
    }

    async fn finish_media(&mut self) {
        self.stay.stop_media();
        if self.stay.reports.is_none() {
            return;
        }
        let finished = async {
            loop {
                let report = next_report(&mut self.stay.reports).await;
                if !matches!(report, Report::Connected(_)) {
                    self.screen.say(&present::media(&report)); // That the connection ends is no news now.
                }
                if matches!(report, Report::Finished(_)) {
                    break;
                }
            }
        };
        if tokio::time::timeout(FINISH_WITHIN, finished).await.is_err() {
            self.screen.say(&present::failure("file", "the recordings could not be closed in time"));
        }
    }
}

fn parse_json(line: &str) -> Result<Option<Line>, String> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(line).map(Some).map_err(|error| error.to_string())
}

fn parse_typed(line: &str) -> Result<Option<Line>, String> {
    Ok(Order::typed(line)?.map(|order| Line { id: None, order }))
}

impl Origin {
    /// Sends the answer to whom it is for; gives it back if that is the screen.
    fn deliver(self, note: &Note) -> Option<Note> {
        let mut note = note.clone();
        if let Value::Object(fields) = &mut note.fields {
            if !self.name.is_empty() {
                fields.insert("cmd".to_owned(), self.name.into());
            }
            if let Some(id) = self.id {
                fields.insert("id".to_owned(), id);
            }
        }
        match self.answer {
            Some(answer) => {
                let mut json = note.to_json();
                json["text"] = note.text.clone().into();
                let _ = answer.send(json); // The other terminal may be gone.
                None
            }
            None => Some(note),
        }
    }
}

async fn next_report(reports: &mut Option<mpsc::UnboundedReceiver<Report>>) -> Report {
    if let Some(receiver) = reports {
        if let Some(report) = receiver.recv().await {
            return report;
        }
        *reports = None;
    }
    std::future::pending().await
}

async fn sleep_until(until: Option<tokio::time::Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
