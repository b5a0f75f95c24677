//! Meetings from outside: creating, listing, inviting, ending; and the invitations that came.

use conclave_core::{
    device::{
        Error as DeviceError,
        command::{Command, MeetingAddress, NewMeeting},
        event::{Done, Event},
    },
    group::suite::Suite,
    identity::address::UserAddress,
};

use super::{address, device, once};
use crate::{
    args::{Create, Meeting},
    driver::{self, Driver},
    present,
    profile::Profile,
    screen::Screen,
};

pub(super) async fn run(profile: Profile, command: Meeting, screen: Screen) -> anyhow::Result<bool> {
    let mut driver = device(profile)?;
    let command = match command {
        Meeting::Create(create) => return self::create(&mut driver, create, &screen).await,
        Meeting::List => Command::ListMeetings,
        Meeting::Show { meeting } => {
            let wanted = address(&mut driver, &meeting, &screen).await?;
            let Done::Meetings(all) = once(&mut driver, Command::ListMeetings, &screen).await? else {
                return Ok(false);
            };
            let found = all.iter().find(|meeting| meeting.address == wanted);
            let sentence = "this meeting is not among yours";
            screen.say(&found.map_or_else(|| present::failure("not_found", sentence), present::meeting));
            return Ok(found.is_some());
        }
        Meeting::Invite { meeting, addresses } => {
            let meeting = address(&mut driver, &meeting, &screen).await?;
            return invite(&mut driver, &meeting, addresses, &screen).await;
        }
        Meeting::End { meeting } => Command::End(address(&mut driver, &meeting, &screen).await?),
    };
    let done = once(&mut driver, command, &screen).await?;
    screen.say(&present::done(&done));
    Ok(true)
}

async fn create(driver: &mut Driver, create: Create, screen: &Screen) -> anyhow::Result<bool> {
    let title = create.title.clone();
    let done = once(driver, Command::CreateMeeting(new_meeting(create)), screen).await?;
    let mut note = present::done(&done);
    if let Done::Created { meeting, .. } = &done {
        note.text = format!("{}\n\n{}", note.text, present::next_steps(&title, &present::address(meeting)));
    }
    screen.say(&note);
    Ok(true)
}

/// One by one: who cannot be reached keeps nobody else from being invited.
async fn invite(
    driver: &mut Driver,
    meeting: &MeetingAddress,
    addresses: Vec<UserAddress>,
    screen: &Screen,
) -> anyhow::Result<bool> {
    let (mut sent, mut nobody, mut all_well) = (0, Vec::new(), true);
    for address in addresses {
        let command = Command::Invite { meeting: meeting.clone(), addresses: vec![address.clone()] };
        let done = driver_error(once(driver, command, screen).await)?;
        match done {
            Ok(Done::Invited { devices, unreachable }) => {
                sent += devices;
                nobody.extend(unreachable);
            }
            Ok(_) => {}
            Err(error) => {
                all_well = false;
                screen.say(&present::error_about(&address, &error));
            }
        }
    }
    if all_well || sent > 0 || !nobody.is_empty() {
        screen.say(&present::done(&Done::Invited { devices: sent, unreachable: nobody }));
    }
    Ok(all_well)
}

/// Apart: what was refused, and what keeps the program from going on.
fn driver_error<T>(result: anyhow::Result<T>) -> anyhow::Result<Result<T, DeviceError>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => match error.downcast::<driver::Error>()? {
            driver::Error::Device(refused) => Ok(Err(refused)),
            other => Err(other.into()),
        },
    }
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
        length_s: 0,
        lobby: create.lobby,
        link: !create.no_link,
        guests: create.guests,
        open_domains: create.open_domain,
        suite: if create.classical { Suite::Classical } else { Suite::Hybrid },
    }
}
