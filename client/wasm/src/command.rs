//! Commands as a page writes them: JSON.

use conclave_core::{
    device::{
        command::{Command, Door, MeetingAddress, NewMeeting},
        problem::Problem,
    },
    group::suite::Suite,
    identity::address::{self, DeviceUri, UserAddress},
    meeting::link::{self, Link},
};
use conclave_proto::types::v1 as types;
use serde::Deserialize;

/// A command cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It names no meeting.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// It names no person, or no device.
    #[error(transparent)]
    Address(#[from] address::Error),
    /// It is not of its form.
    #[error(transparent)]
    Form(#[from] serde_json::Error),
}

impl Error {
    /// What a person is told.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Link(error) => error.into(),
            Self::Address(error) => error.into(),
            Self::Form(_) => Problem::Bug,
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Wire {
    SignIn { user: String, password: String, label: String },
    SignInGuest { link: String, name: String },
    SignOut { device: Option<String>, everywhere: bool },
    Devices {},
    Create { title: String, starts_ms: u64, length_s: u32, lobby: bool, link: bool, guests: bool },
    Meetings {},
    Invite { meeting: String, addresses: Vec<String> },
    Look { meeting: String },
    LinkFor { meeting: String, address: String },
    Receive {},
    Dismiss { meeting: String },
    Join { meeting: String },
    Leave { meeting: String },
    Chat { meeting: String, text: String },
    Admit { meeting: String, device: String, admitted: bool },
    Remove { meeting: String, address: String },
    Lock { meeting: String, locked: bool },
    Lobby { meeting: String, on: bool },
    SetCoHost { meeting: String, address: String, on: bool },
    RaiseHand { meeting: String, raised: bool },
    LowerHand { meeting: String, device: String },
    React { meeting: String, reaction: Reaction },
    Type { meeting: String, line: u64, text: String, done: bool },
    AskMute { meeting: String, device: String },
    End { meeting: String },
    Publish { meeting: String, tracks: Vec<Track> },
}

/// One published track.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Track {
    number: u32,
    kind: Kind,
    layers: u32,
}

/// What a track carries.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Audio,
    Video,
    Screen,
    ScreenAudio,
}

/// A reaction.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reaction {
    ThumbsUp,
    Heart,
    Applause,
    Laugh,
    Surprise,
}

impl From<Reaction> for types::Reaction {
    fn from(reaction: Reaction) -> Self {
        match reaction {
            Reaction::ThumbsUp => Self::ThumbsUp,
            Reaction::Heart => Self::Heart,
            Reaction::Applause => Self::Applause,
            Reaction::Laugh => Self::Laugh,
            Reaction::Surprise => Self::Surprise,
        }
    }
}

impl From<Track> for types::Track {
    fn from(track: Track) -> Self {
        let (kind, codec) = match track.kind {
            Kind::Audio => (types::TrackKind::Audio, types::Codec::Opus),
            Kind::Video => (types::TrackKind::Video, types::Codec::Vp8),
            Kind::Screen => (types::TrackKind::Screen, types::Codec::Vp8),
            Kind::ScreenAudio => (types::TrackKind::ScreenAudio, types::Codec::Opus),
        };
        Self { number: track.number, kind: kind.into(), codec: codec.into(), layers: track.layers }
    }
}

/// Reads one.
pub(crate) fn parse(json: &str) -> Result<Command, Error> {
    let wire: Wire = serde_json::from_str(json)?;
    Ok(match wire {
        Wire::SignIn { user, password, label } => Command::SignIn { user, password: password.into(), label },
        Wire::SignInGuest { link, name } => Command::SignInGuest { link: Link::parse(&link)?, name },
        Wire::SignOut { device, everywhere } => {
            Command::SignOut { device: device.as_deref().map(parse_device).transpose()?, everywhere }
        }
        Wire::Devices {} => Command::ListDevices,
        Wire::Create { title, starts_ms, length_s, lobby, link, guests } => {
            Command::CreateMeeting(NewMeeting {
                title,
                starts_ms,
                length_s,
                lobby,
                link,
                guests,
                open_domains: Vec::new(),
                suite: Suite::Hybrid,
            })
        }
        Wire::Meetings {} => Command::ListMeetings,
        Wire::Invite { meeting, addresses } => Command::Invite {
            meeting: address(&meeting)?,
            addresses: addresses.iter().map(|text| user(text)).collect::<Result<_, _>>()?,
        },
        Wire::Look { meeting } => Command::Look(door(&meeting)?),
        Wire::LinkFor { meeting, address: who } => {
            Command::LinkFor { meeting: address(&meeting)?, address: user(&who)? }
        }
        Wire::Receive {} => Command::Receive { follow: true },
        Wire::Dismiss { meeting } => Command::Dismiss(address(&meeting)?),
        Wire::Join { meeting } => Command::Join(door(&meeting)?),
        Wire::Leave { meeting } => Command::Leave(address(&meeting)?),
        Wire::Chat { meeting, text } => Command::Chat { meeting: address(&meeting)?, text },
        Wire::Admit { meeting, device, admitted } => {
            Command::Admit { meeting: address(&meeting)?, device: parse_device(&device)?, admitted }
        }
        Wire::Remove { meeting, address: who } => {
            Command::Remove { meeting: address(&meeting)?, address: user(&who)? }
        }
        Wire::Lock { meeting, locked } => Command::Lock { meeting: address(&meeting)?, locked },
        Wire::Lobby { meeting, on } => Command::Lobby { meeting: address(&meeting)?, on },
        Wire::SetCoHost { meeting, address: who, on } => {
            Command::SetCoHost { meeting: address(&meeting)?, address: user(&who)?, on }
        }
        Wire::RaiseHand { meeting, raised } => Command::RaiseHand { meeting: address(&meeting)?, raised },
        Wire::LowerHand { meeting, device } => {
            Command::LowerHand { meeting: address(&meeting)?, device: parse_device(&device)? }
        }
        Wire::React { meeting, reaction } => {
            Command::React { meeting: address(&meeting)?, reaction: reaction.into() }
        }
        Wire::Type { meeting, line, text, done } => {
            Command::Type { meeting: address(&meeting)?, line, text, done }
        }
        Wire::AskMute { meeting, device } => {
            Command::AskMute { meeting: address(&meeting)?, device: parse_device(&device)? }
        }
        Wire::End { meeting } => Command::End(address(&meeting)?),
        Wire::Publish { meeting, tracks } => Command::Publish {
            meeting: address(&meeting)?,
            tracks: tracks.into_iter().map(Into::into).collect(),
        },
    })
}

/// By what a person enters: a link with its secret, or the address alone.
fn door(text: &str) -> Result<Door, Error> {
    let link = Link::parse(text)?;
    Ok(if link.secret.is_some() {
        Door::Link(link)
    } else {
        Door::Address(MeetingAddress { id: link.meeting, hub: link.hub })
    })
}

/// `ID@HUB`.
pub(crate) fn address(text: &str) -> Result<MeetingAddress, Error> {
    let link = Link::parse(text)?;
    Ok(MeetingAddress { id: link.meeting, hub: link.hub })
}

fn user(text: &str) -> Result<UserAddress, Error> {
    Ok(UserAddress::parse(text)?)
}

fn parse_device(text: &str) -> Result<DeviceUri, Error> {
    Ok(DeviceUri::parse(text)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)] // Tests may panic.
    use super::*;

    const MEETING: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@north.example";

    #[test]
    fn unknown_fields_and_bad_links_are_refused_with_a_sentence() {
        assert!(parse(r#"{"type":"devices"}"#).is_ok());
        assert!(parse(r#"{"type":"devices","x":1}"#).is_err());
        let refused = parse(r#"{"type":"join","meeting":"hello"}"#).unwrap_err();
        let react = |name| parse(&format!(r#"{{"type":"react","meeting":"{MEETING}","reaction":"{name}"}}"#));
        let Ok(Command::React { reaction: types::Reaction::ThumbsUp, .. }) = react("thumbs_up") else {
            panic!("a reaction")
        };
        assert!(react("poop").is_err());
        assert_eq!(refused.problem(), Problem::LinkForm);
    }
}
