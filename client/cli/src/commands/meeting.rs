//! Meetings from outside: creating, listing, inviting, ending; and the invitations that came.

use conclave_core::{
    device::{
        command::{Command, NewMeeting},
        event::{Done, Event},
    },
    group::suite::Suite,
};

use super::{address, device, once};
use crate::{
    args::{Create, Meeting},
    present,
    profile::Profile,
    screen::Screen,
};

pub(super) async fn run(profile: Profile, command: Meeting, screen: Screen) -> anyhow::Result<bool> {
    let mut driver = device(profile)?;
    let command = match command {
        Meeting::Create(create) => Command::CreateMeeting(new_meeting(create)),
        Meeting::List => Command::ListMeetings,
        Meeting::Show { meeting } => {
            let wanted = address(&meeting)?;
            let Done::Meetings(all) = once(&mut driver, Command::ListMeetings, screen).await? else {
                return Ok(false);
            };
            let found = all.iter().find(|meeting| meeting.address == wanted);
            let sentence = "this meeting is not among yours";
            screen.say(&found.map_or_else(|| present::failure("not_found", sentence), present::meeting));
            return Ok(found.is_some());
        }
        Meeting::Invite { meeting, addresses } => Command::Invite { meeting: address(&meeting)?, addresses },
        Meeting::End { meeting } => Command::End(address(&meeting)?),
    };
    let done = once(&mut driver, command, screen).await?;
    screen.say(&present::done(&done));
    Ok(true)
}

pub(super) async fn invitations(profile: Profile, follow: bool, screen: Screen) -> anyhow::Result<bool> {
    let mut driver = device(profile)?;
    let mut came = false;
    let show = |event: Event| {
        came |= matches!(event, Event::Invited(_));
        screen.say(&present::event(&event));
    };
    let listening = driver.run(Command::Receive { follow }, show);
    tokio::select! {
        done = listening => screen.say(&present::done(&done?)),
        _ = tokio::signal::ctrl_c() => {}
    }
    driver.settle().await?;
    if !came && !screen.is_json() {
        screen.say(&crate::screen::Note::new("none", serde_json::json!({}), "No new invitations."));
    }
    Ok(true)
}

fn new_meeting(create: Create) -> NewMeeting {
    NewMeeting {
        title: create.title,
        starts_ms: 0,
        lobby: create.lobby,
        link: !create.no_link,
        guests: create.guests,
        open_domains: create.open_domain,
        suite: if create.classical { Suite::Classical } else { Suite::Hybrid },
    }
}
