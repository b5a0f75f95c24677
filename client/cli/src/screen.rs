//! What the program says: sentences for a person, or one JSON object a line for a script.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value};
use tokio::task::JoinHandle;

use crate::{media::frame_log::wall_clock_ms, terminal};

/// What is done within this time needs no word.
const SHORT: Duration = Duration::from_millis(300);
/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(100);

/// Where words go.
#[derive(Clone, Debug)]
pub struct Screen {
    json: bool,
    spinner: Arc<Mutex<Spinner>>,
}

/// The line at the bottom while something takes long.
#[derive(Debug, Default)]
enum Spinner {
    #[default]
    Off,
    /// It turns if it is not over soon.
    Awaited,
    Turning(ProgressBar),
}

/// While it is there, a spinner says on a terminal what is going on. One at a time.
#[derive(Debug)]
pub struct Busy {
    spinner: Arc<Mutex<Spinner>>,
    starts: JoinHandle<()>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.starts.abort();
        if let Spinner::Turning(bar) = std::mem::take(&mut *lock(&self.spinner)) {
            bar.finish_and_clear();
        }
    }
}

fn lock(spinner: &Mutex<Spinner>) -> MutexGuard<'_, Spinner> {
    spinner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something to say, in both forms.
#[derive(Debug, Clone)]
pub struct Note {
    /// The event's name in JSON.
    pub event: &'static str,
    /// Its fields.
    pub fields: Value,
    /// For a person; each line is cleaned before it is shown. Empty: nothing to show.
    pub text: String,
}

impl Note {
    /// An event with its fields and its sentence.
    pub fn new(event: &'static str, fields: Value, text: impl Into<String>) -> Self {
        Self { event, fields, text: text.into() }
    }

    /// As a JSON object with the time.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("event".to_owned(), self.event.into());
        object.insert("t_ms".to_owned(), wall_clock_ms().into());
        if let Value::Object(fields) = &self.fields {
            object.extend(fields.clone());
        }
        Value::Object(object)
    }
}

impl Screen {
    /// For scripts or for people.
    pub fn new(json: bool) -> Self {
        Self { json, spinner: Arc::default() }
    }

    /// Shows that something goes on, if it takes long and a person looks at a terminal.
    pub fn busy(&self, what: &'static str) -> Option<Busy> {
        if self.json || !io::stdout().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        *lock(&self.spinner) = Spinner::Awaited;
        let spinner = Arc::clone(&self.spinner);
        let starts = tokio::spawn(async move {
            tokio::time::sleep(SHORT).await;
            let mut spinner = lock(&spinner);
            if matches!(*spinner, Spinner::Awaited) {
                *spinner = Spinner::Turning(turning(what));
            }
        });
        Some(Busy { spinner: Arc::clone(&self.spinner), starts })
    }

    /// Whether a script listens.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Says it: what went wrong on the error output, unless a script listens.
    pub fn say(&self, note: &Note) {
        match &*lock(&self.spinner) {
            Spinner::Turning(bar) => bar.suspend(|| self.write(note)),
            Spinner::Off | Spinner::Awaited => self.write(note),
        }
    }

    fn write(&self, note: &Note) {
        // A closed pipe ends the words, not the call.
        let _ = if self.json {
            writeln!(io::stdout().lock(), "{}", terminal::json_line(&note.to_json()))
        } else if note.event == "error" {
            write_lines(io::stderr().lock(), &note.text)
        } else {
            write_lines(io::stdout().lock(), &note.text)
        };
        let _ = io::stdout().flush();
    }
}

fn turning(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(TURN);
    bar
}

fn write_lines(mut out: impl Write, text: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(out, "{}", terminal::clean(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_carry_their_name_and_time() {
        let note = Note::new("chat", serde_json::json!({ "text": "hi" }), "hi");
        let json = note.to_json();
        assert_eq!((&json["event"], &json["text"]), (&"chat".into(), &"hi".into()));
        assert!(json["t_ms"].as_f64().unwrap() > 1.6e12);
    }
}
