//! What can be asked inside a call: typed by a person, or as a JSON line by a script or another terminal.

use conclave_core::identity::address::UserAddress;
use serde::{Deserialize, Serialize};

/// Help for people.
pub const HELP: &str = "  /roster                 who is in the room
  /code                   the verification code, to compare aloud
  /admit WHO, /deny WHO   let a waiting person in, or turn them away
  /remove ADDRESS         remove somebody, for good
  /lock, /unlock          nobody new gets in, or again
  /lobby on|off           who comes by link must wait
  /co-host ADDRESS on|off make somebody co-host, or no longer
  /hand up|down           raise your hand, or take it down
  /lower WHO, /mute WHO   take a hand down; ask somebody to mute their microphone
  /react NAME             thumbs_up, heart, applause, laugh or surprise
  /invite ADDRESS…        invite people
  /end                    end the meeting for everybody, for good
  /leave                  go
Everything else is chat; a line that begins with // is chat that begins with /.";

/// One order, as `{"cmd": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Say something.
    Chat {
        /// What.
        text: String,
    },
    /// Show the roster.
    Roster {},
    /// Show the verification code.
    Code {},
    /// Let somebody in.
    Admit {
        /// A device URI or an address.
        device: String,
    },
    /// Turn somebody away.
    Deny {
        /// A device URI or an address.
        device: String,
    },
    /// Remove somebody for good.
    Remove {
        /// Whom.
        address: String,
    },
    /// Nobody new gets in.
    Lock {},
    /// Or again.
    Unlock {},
    /// Turn the lobby on or off.
    Lobby {
        /// Which.
        on: bool,
    },
    /// Make somebody co-host, or no longer.
    CoHost {
        /// Whom.
        address: String,
        /// Co-host or not.
        on: bool,
    },
    /// Raise the own hand, or take it down.
    Hand {
        /// Up or down.
        raised: bool,
    },
    /// Tell what is being typed; for scripts alone, since a terminal gives whole lines.
    Type {
        /// The number of the line, counting up.
        line: u64,
        /// The whole line as it is now.
        text: String,
        /// Whether it is finished.
        done: bool,
    },
    /// Take somebody's hand down.
    Lower {
        /// A device URI or an address.
        device: String,
    },
    /// Ask somebody to mute their microphone.
    Mute {
        /// A device URI or an address.
        device: String,
    },
    /// Show a reaction.
    React {
        /// Which.
        reaction: String,
    },
    /// Invite people.
    Invite {
        /// Whom.
        addresses: Vec<String>,
    },
    /// End the meeting for good.
    End {},
    /// Go.
    Leave {},
}

/// A line of JSON: an order, and a mark that comes back with its result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Comes back with the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<serde_json::Value>,
    /// What to do.
    #[serde(flatten)]
    pub order: Order,
}

impl Order {
    /// Its name in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Chat { .. } => "chat",
            Self::Roster {} => "roster",
            Self::Code {} => "code",
            Self::Admit { .. } => "admit",
            Self::Deny { .. } => "deny",
            Self::Remove { .. } => "remove",
            Self::Lock {} => "lock",
            Self::Unlock {} => "unlock",
            Self::Lobby { .. } => "lobby",
            Self::CoHost { .. } => "co_host",
            Self::Hand { .. } => "hand",
            Self::Type { .. } => "type",
            Self::Lower { .. } => "lower",
            Self::Mute { .. } => "mute",
            Self::React { .. } => "react",
            Self::Invite { .. } => "invite",
            Self::End {} => "end",
            Self::Leave {} => "leave",
        }
    }

    /// What a person typed; none for an empty line. The error is the sentence to show.
    pub fn typed(line: &str) -> Result<Option<Self>, String> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(None);
        }
        let Some(command) = line.strip_prefix('/') else {
            return Ok(Some(Self::Chat { text: line.to_owned() }));
        };
        if command.starts_with('/') {
            return Ok(Some(Self::Chat { text: command.to_owned() }));
        }
        let mut words = command.split_whitespace();
        let name = words.next().unwrap_or_default();
        let mut word = |what: &str| words.next().map(str::to_owned).ok_or(format!("/{name} needs {what}"));
        let order = match name {
            "roster" => Self::Roster {},
            "code" => Self::Code {},
            "admit" => Self::Admit { device: word("whom, as the lobby shows them")? },
            "deny" => Self::Deny { device: word("whom, as the lobby shows them")? },
            "remove" => Self::Remove { address: word("whom, as bob@south.example")? },
            "lock" => Self::Lock {},
            "unlock" => Self::Unlock {},
            "lobby" => Self::Lobby { on: either(name, &word("on or off")?, "on", "off")? },
            "co-host" => {
                let address = word("whom, as bob@south.example")?;
                Self::CoHost { address, on: either(name, &word("on or off")?, "on", "off")? }
            }
            "hand" => Self::Hand { raised: either(name, &word("up or down")?, "up", "down")? },
            "lower" => Self::Lower { device: word("whom, as bob@south.example")? },
            "mute" => Self::Mute { device: word("whom, as bob@south.example")? },
            "react" => Self::React { reaction: word("a name, as thumbs_up")? },
            "invite" => {
                let mut addresses = vec![word("whom, as bob@south.example")?];
                addresses.extend(words.map(str::to_owned));
                Self::Invite { addresses }
            }
            "end" => Self::End {},
            "leave" | "quit" => Self::Leave {},
            "help" | "?" => return Err(HELP.to_owned()),
            other => return Err(format!("there is no /{other}; /help shows what there is")),
        };
        Ok(Some(order))
    }
}

/// One of two words.
fn either(name: &str, word: &str, yes: &str, no: &str) -> Result<bool, String> {
    if word != yes && word != no {
        return Err(format!("/{name} needs {yes} or {no}"));
    }
    Ok(word == yes)
}

/// Addresses, or the sentence to show.
pub fn addresses(texts: &[String]) -> Result<Vec<UserAddress>, String> {
    texts.iter().map(|text| UserAddress::parse(text).map_err(|error| format!("{text}: {error}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_lines_are_chat_or_commands() {
        let chat = |text: &str| Ok(Some(Order::Chat { text: text.to_owned() }));
        assert_eq!(Order::typed("  hello, /all  "), chat("hello, /all"));
        assert_eq!(Order::typed("//etc/passwd"), chat("/etc/passwd"));
        assert_eq!(Order::typed("   "), Ok(None));
        assert_eq!(Order::typed("/lobby on"), Ok(Some(Order::Lobby { on: true })));
        assert_eq!(Order::typed("/hand up"), Ok(Some(Order::Hand { raised: true })));
        let helper = Order::CoHost { address: "a@b.c".to_owned(), on: false };
        assert_eq!(Order::typed("/co-host a@b.c off"), Ok(Some(helper)));
        assert_eq!(Order::typed("/co-host a@b.c"), Err("/co-host needs on or off".to_owned()));
        let invite = Order::Invite { addresses: vec!["a@b.c".to_owned(), "d@e.f".to_owned()] };
        assert_eq!(Order::typed("/invite a@b.c d@e.f"), Ok(Some(invite)));
        assert_eq!(Order::typed("/remove"), Err("/remove needs whom, as bob@south.example".to_owned()));
        assert_eq!(Order::typed("/lobby maybe"), Err("/lobby needs on or off".to_owned()));
        assert_eq!(Order::typed("/help"), Err(HELP.to_owned()));
        assert_eq!(Order::typed("/dance"), Err("there is no /dance; /help shows what there is".to_owned()));
    }

    #[test]
    fn scripts_write_the_same_orders_as_json() {
        let line: Line =
            serde_json::from_str(r#"{"id":7,"cmd":"admit","device":"bob@south.example"}"#).unwrap();
        assert_eq!(line.order, Order::Admit { device: "bob@south.example".to_owned() });
        assert_eq!(line.id, Some(7.into()));
        assert_eq!(serde_json::from_str::<Line>(r#"{"cmd":"leave"}"#).unwrap().order, Order::Leave {});
        for bad in [r#"{"cmd":"dance"}"#, r#"{"cmd":"lobby"}"#, r#"{"text":"hi"}"#, "hi"] {
            assert!(serde_json::from_str::<Line>(bad).is_err(), "{bad}");
        }
        for order in [Order::Roster {}, Order::Lock {}, Order::Chat { text: "x".to_owned() }] {
            let json = serde_json::to_value(Line { id: None, order: order.clone() }).unwrap();
            assert_eq!(json["cmd"], order.name());
        }
    }
}
