//! Entering a meeting.

use std::time::Duration;

use anyhow::Context;
use conclave_core::device::{
    command::{Command, Door},
    event::Event,
};

use super::{door, readable};
use crate::{
    args::Join,
    call::{self, Options},
    driver::Driver,
    media::{ivf, ogg},
    present,
    screen::Screen,
};

pub(super) async fn run(mut driver: Driver, join: Join, screen: Screen) -> anyhow::Result<bool> {
    // Files are looked at before anybody is disturbed.
    let mut clips = Vec::new();
    if let Some(path) = &join.send_audio {
        clips.push(ogg::read(path).with_context(|| readable(path, "sound"))?);
    }
    if let Some(path) = &join.send_video {
        clips.push(ivf::read(path).with_context(|| readable(path, "pictures"))?);
    }
    let options = Options {
        door: door(&mut driver, &join.meeting, &screen).await?,
        clips,
        record: join.record,
        frame_log: join.frame_log,
        stay: join.seconds.map(Duration::from_secs),
        media: !join.no_media,
    };
    if let Door::Address(wanted) = &options.door {
        // An invitation that still waits at the server may be what opens this door.
        let _busy = screen.busy("Asking your server …");
        let show = |event: Event| {
            if !matches!(&event, Event::Invited(invited) if invited.meeting == *wanted) {
                screen.say(&present::event(&event));
            }
        };
        if let Err(error) = driver.run(Command::Receive { follow: false }, show).await {
            tracing::warn!(%error, "waiting invitations could not be fetched");
        }
    }
    Ok(call::run(driver, screen, options).await?)
}
