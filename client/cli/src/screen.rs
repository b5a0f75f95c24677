//! What the program says: sentences for a person, or one JSON object a line for a script.

use std::io::{self, IsTerminal, Write};

use serde_json::{Map, Value};

use crate::{media::frame_log::wall_clock_ms, terminal};

/// Where words go.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    json: bool,
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
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a script listens.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person types.
    pub fn is_interactive(&self) -> bool {
        !self.json && io::stdin().is_terminal()
    }

    /// Says it.
    pub fn say(&self, note: &Note) {
        let mut out = io::stdout().lock();
        if self.json {
            let _ = writeln!(out, "{}", terminal::json_line(&note.to_json()));
        } else {
            for line in note.text.lines() {
                let _ = writeln!(out, "{}", terminal::clean(line));
            }
        }
        let _ = out.flush(); // A closed pipe ends the words, not the call.
    }
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
