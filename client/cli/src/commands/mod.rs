//! The commands, one file for each group of them.

mod account;
mod guest;
mod join;
mod meeting;
mod remote;
mod verify_web;

use std::{collections::BTreeSet, path::Path};

use anyhow::Context;
use conclave_core::device::{
    command::{Command as DeviceCommand, Door, MeetingAddress},
    event::{Done, Event},
};
use conclave_core::meeting::link::Link;

use crate::{
    args::{Cli, Command},
    driver::{self, Driver},
    present,
    profile::{self, Profile},
    screen::{Note, Screen},
};

/// Does what was asked; true if it ended well. What went wrong has been said by then.
pub async fn run(cli: Cli) -> bool {
    let screen = Screen::new(cli.json);
    match dispatch(cli, screen.clone()).await {
        Ok(ended_well) => ended_well,
        Err(error) => {
            screen.say(&failure(&error));
            false
        }
    }
}

async fn dispatch(cli: Cli, screen: Screen) -> anyhow::Result<bool> {
    let home = profile::home();
    let command = match cli.command {
        Command::SignIn(sign_in) => return account::sign_in(&home, sign_in, screen).await,
        Command::Join(join) if join.guest.is_some() => {
            return Box::pin(guest::join(&home, join, screen)).await;
        }
        Command::VerifyWeb(verify) => return verify_web::run(verify, screen).await,
        command => command,
    };
    let profile = Profile::open(&home, cli.account)?;
    match command {
        Command::SignIn(_) | Command::VerifyWeb(_) => Ok(false),
        Command::SignOut { everywhere } => account::sign_out(profile, everywhere, screen).await,
        Command::Devices { command } => account::devices(profile, command, screen).await,
        Command::Meeting { command } => meeting::run(profile, command, screen).await,
        Command::Invitations { follow } => meeting::invitations(profile, follow, screen).await,
        Command::Join(join) => Box::pin(join::run(device(profile)?, join, screen)).await,
        Command::Lobby { .. } | Command::Remove { .. } | Command::Lock { .. } => {
            remote::run(&profile, command, screen).await
        }
    }
}

/// The error as it is said: with the protocol's reason where there is one.
fn failure(error: &anyhow::Error) -> Note {
    match error.downcast_ref::<driver::Error>() {
        Some(driver::Error::Device(error)) => present::error(error),
        _ => present::failure("local", &format!("{error:#}")),
    }
}

/// A signed-in device, after what it missed.
fn device(profile: Profile) -> anyhow::Result<Driver> {
    let address = profile.address().clone();
    let driver = Driver::new(profile)?;
    anyhow::ensure!(driver.uri().is_some(), profile::Error::Unknown(address));
    Ok(driver)
}

/// Does one command and says what it gave, and what else came meanwhile.
async fn once(driver: &mut Driver, command: DeviceCommand, screen: &Screen) -> anyhow::Result<Done> {
    let _busy = screen.busy("Asking your server …");
    let done = driver.run(command, |event| screen.say(&present::event(&event))).await?;
    driver.settle().await?;
    Ok(done)
}

/// By what a person enters a meeting that was typed as a link, an address, or its title.
async fn door(driver: &mut Driver, text: &str, screen: &Screen) -> anyhow::Result<Door> {
    let link = match Link::parse(text) {
        Ok(link) => link,
        Err(error) => {
            let unknown = || {
                if is_title(text) {
                    format!("{text} names no meeting of yours, and is no link or address")
                } else {
                    format!("{text} is no meeting's link or address")
                }
            };
            let Some(address) = by_title(driver, text, screen).await? else {
                return Err(error).with_context(unknown);
            };
            return Ok(Door::Address(address));
        }
    };
    Ok(if link.secret.is_some() {
        Door::Link(link)
    } else {
        Door::Address(MeetingAddress { id: link.meeting, hub: link.hub })
    })
}

/// Whether a text is meant as a title: links and addresses hold one of these.
fn is_title(text: &str) -> bool {
    !text.contains(['/', '@', '#'])
}

/// The one meeting with this title that is not over.
async fn by_title(
    driver: &mut Driver,
    title: &str,
    screen: &Screen,
) -> anyhow::Result<Option<MeetingAddress>> {
    if !is_title(title) {
        return Ok(None);
    }
    // It may have come with an invitation that still waits at the server.
    let mut found = BTreeSet::new();
    let note = |event| {
        if let Event::Invited(invited) = event
            && invited.title == title
        {
            found.insert(invited.meeting);
        }
    };
    if let Err(error) = driver.run(DeviceCommand::Receive { follow: false }, note).await {
        tracing::warn!(%error, "waiting invitations could not be fetched");
    }
    if let Done::Meetings(all) = once(driver, DeviceCommand::ListMeetings, screen).await? {
        found.retain(|address| all.iter().all(|one| one.address != *address || !one.ended));
        let mine = all.into_iter().filter(|one| !one.ended && one.title.as_deref() == Some(title));
        found.extend(mine.map(|one| one.address));
    }
    anyhow::ensure!(found.len() < 2, "several of your meetings are called {title}; name one by its address");
    Ok(found.pop_first())
}

async fn address(driver: &mut Driver, text: &str, screen: &Screen) -> anyhow::Result<MeetingAddress> {
    Ok(match door(driver, text, screen).await? {
        Door::Link(link) => MeetingAddress { id: link.meeting, hub: link.hub },
        Door::Address(address) => address,
    })
}

/// A file that must be there.
fn readable(path: &Path, what: &str) -> String {
    format!("cannot send {what} from {}", path.display())
}
