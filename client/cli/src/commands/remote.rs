//! Commands for the call that runs in another terminal.

use std::io::ErrorKind;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{
    args::{Command, Lobby},
    call::{
        listen,
        order::{Line, Order},
    },
    profile::Profile,
    screen::{Note, Screen},
};

pub(super) async fn run(profile: &Profile, command: Command, screen: Screen) -> anyhow::Result<bool> {
    let order = match command {
        Command::Lobby { command: Lobby::Admit { who } } => Order::Admit { device: who },
        Command::Lobby { command: Lobby::Deny { who } } => Order::Deny { device: who },
        Command::Remove { address } => Order::Remove { address: address.to_string() },
        Command::Lock { off: false } => Order::Lock {},
        _ => Order::Unlock {},
    };
    let answer = match listen::tell(profile.folder(), &Line { id: None, order }).await {
        Ok(answer) => answer,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            bail!("no call of this account runs in another terminal; begin one with: conclave join LINK")
        }
        Err(error) => return Err(error).context("asking the call that runs in another terminal"),
    };
    let ok = answer["ok"] == true;
    let text = answer["text"].as_str().filter(|text| !text.is_empty()).unwrap_or("Done.").to_owned();
    let fields = match answer {
        Value::Object(mut fields) => {
            for key in ["event", "t_ms", "text"] {
                fields.remove(key);
            }
            Value::Object(fields)
        }
        other => other,
    };
    screen.say(&Note::new(if ok { "done" } else { "error" }, fields, text));
    Ok(ok)
}
