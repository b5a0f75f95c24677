//! bob is removed: his SFU sends him nothing more; frames captured at his server after alice applied the commit, replayed
//! against everything his device kept, do not decrypt; he cannot come back by link, token or guest name.

use std::{fs, thread, time::Duration};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    claims::c2_media::first_frame,
    evidence::{
        media,
        secrets::{self, Secret},
        sframe::{self, Sealed},
        wiretap,
    },
    person::{Entry, PATIENCE},
    scene::{BOB, MALLORY, Scene, entry},
    table::{Figure, Gathered},
};

/// How long alice goes on talking after bob is out.
const AFTERWARDS: Duration = Duration::from_secs(3);

pub(super) fn run(scene: &mut Scene, gathered: &mut Gathered) -> Result<()> {
    let taps = scene.recording()?;
    let folder = scene.sub("removal")?;
    let (kept, heard) = (folder.join("bob.secrets"), folder.join("bob.frames"));
    let speech = scene.programs.media.join("speech.ogg").display().to_string();
    let created = scene.meeting_with_bob("Removal", &["--guests"])?;
    scene.alice.invite(&created.meeting, &scene.mallory.address)?;
    let mut alice = scene.alice.join(&created.meeting, &entry(&["--send-audio", &speech]))?;
    alice.entered()?;
    // bob's client keeps everything that it ever knew. mallory, honest today, stays: frames go on to bob's server for her.
    let bobs = scene.bob.with_program(&scene.programs.canary_client).keeping_secrets(&kept);
    let link = bobs.invitation(&created.meeting)?["link"].as_str().context("no link")?.to_owned();
    let bob = bobs.join(&link, &entry(&["--frame-log", &heard.display().to_string()]))?;
    bob.entered()?;
    let mallory = scene.mallory.join(&created.link, &Entry::default())?;
    mallory.entered()?;
    first_frame(&bob, &scene.alice.address, "audio")?;
    first_frame(&mallory, &scene.alice.address, "audio")?;

    let guest = scene.bob.as_guest(&created.link, "Vera", &scene.north.certificate())?;
    let came = guest.iter().any(|event| event["event"] == "joined");
    gathered.is("guest.control", "control: before, somebody comes by the link as a guest", came);

    let recording = taps.join("south/relay.bin");
    alice.order(json!({ "cmd": "remove", "address": scene.bob.address }))?.map_err(anyhow::Error::msg)?;
    let both = [scene.alice.address.as_str(), &scene.mallory.address];
    alice.roster_of(&both, PATIENCE)?;
    // alice has applied the commit. What she sealed before may be on its way for a moment.
    thread::sleep(Duration::from_millis(500));
    let sent = taps.join("south/sent.bin");
    let sent_before = fs::metadata(&sent)?.len();
    let (border, frames_before) = (fs::metadata(&recording)?.len(), media::log(&heard)?.len());
    let over = bob.over(PATIENCE)?;
    gathered.is("told", format!("bob's client is told: {over}"), over.starts_with("removed"));
    thread::sleep(AFTERWARDS);
    let more = media::log(&heard)?.len() - frames_before;
    #[expect(clippy::cast_precision_loss)] // None, or some tens.
    gathered.figure(
        "heard",
        "frames that bob's client opened afterwards",
        Figure::at_most(more as f64, "", 0.0),
    );
    // bob's client stays on the line: only his SFU keeps packets from him.
    let to = |user: &str| wiretap::sent_to(&sent, sent_before, &format!("/u/{user}/"));
    let (to_bob, to_mallory) = (to(BOB.0)?, to(MALLORY.0)?);
    gathered.figure("sfu", "packets that his SFU sent him afterwards", Figure::at_most(to_bob, "", 0.0));
    gathered.figure("sfu.control", "and to mallory, who stays", Figure::at_least(to_mallory, "", 50.0));

    decrypt(
        gathered,
        &sframe::relayed(&recording, 0)?,
        &sframe::relayed(&recording, border)?,
        &secrets::read(&kept)?,
    );

    for (id, what, door) in [
        ("link", "by the link", created.link.as_str()),
        ("token", "by his invitation's token", link.as_str()),
        ("address", "by the bare address", created.meeting.as_str()),
    ] {
        let mut again = scene.bob.join(door, &Entry::default())?;
        let over = again.over(PATIENCE)?;
        let stays_out =
            again.ended(PATIENCE)? == Some(false) && !again.names_from(0).iter().any(|name| name == "joined");
        gathered.is(&format!("back.{id}"), format!("bob comes back {what}: {over}"), stays_out);
    }
    for (id, door) in [("north", &created.link), ("south", &link)] {
        let home = if id == "north" { &scene.north } else { &scene.south };
        let said = scene.bob.as_guest(door, "Bob again", &home.certificate())?;
        let stays_out = said.iter().any(|event| event["event"] == "error")
            && !said.iter().any(|event| event["event"] == "joined");
        gathered.is(
            &format!("back.guest.{id}"),
            format!("bob comes back as a guest of {id}: refused"),
            stays_out,
        );
    }
    let seen = alice.last("roster").map(|roster| roster.to_string()).unwrap_or_default();
    gathered.is("roster", "no roster shows bob again", !seen.contains(&scene.bob.address));
    let policy = alice.last("policy").unwrap_or_default();
    let bob_banned = policy["banned"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| *one == scene.bob.address.as_str()));
    gathered.is("banned", "the policy bans his address", bob_banned);
    mallory.leave()?;
    alice.leave()
}

#[expect(clippy::cast_precision_loss)] // Some hundreds.
fn decrypt(gathered: &mut Gathered, all: &[Sealed], after: &[Sealed], kept: &[Secret]) {
    let keys: Vec<&Secret> = kept.iter().filter(|secret| secret.bytes.len() >= 16).collect();
    let opens = |frame: &Sealed| keys.iter().any(|key| frame.opens_with(&key.bytes));
    let before = &all[..all.len() - after.len()];
    let control = before.iter().filter(|frame| opens(frame)).count();
    let what =
        format!("control: of {} frames before, those that bob's {} secrets open", before.len(), keys.len());
    gathered.figure("control", what, Figure::at_least(control as f64, "", 1.0));
    gathered.figure(
        "captured",
        "frames captured at his server afterwards",
        Figure::at_least(after.len() as f64, "", 50.0),
    );
    let opened = after.iter().filter(|frame| opens(frame)).count();
    gathered.figure(
        "opened",
        "of them, those that any of his secrets opens",
        Figure::at_most(opened as f64, "", 0.0),
    );
}
