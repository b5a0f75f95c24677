//! Entering a meeting.

use std::time::Duration;

use anyhow::Context;

use super::{device, door, readable};
use crate::{
    args::Join,
    call::{self, Options},
    media::{ivf, ogg},
    profile::Profile,
    screen::Screen,
};

pub(super) async fn run(profile: Profile, join: Join, screen: Screen) -> anyhow::Result<bool> {
    let door = door(&join.meeting)?;
    // Files are looked at before anybody is disturbed.
    let mut clips = Vec::new();
    if let Some(path) = &join.send_audio {
        clips.push(ogg::read(path).with_context(|| readable(path, "sound"))?);
    }
    if let Some(path) = &join.send_video {
        clips.push(ivf::read(path).with_context(|| readable(path, "pictures"))?);
    }
    let options = Options {
        door,
        clips,
        record: join.record,
        frame_log: join.frame_log,
        stay: join.seconds.map(Duration::from_secs),
        media: !join.no_media,
    };
    Ok(call::run(device(profile)?, screen, options).await?)
}
