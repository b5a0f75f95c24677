//! With the lobby on, a waiting device receives no roster, no key and no media, and no one but a host can let it in; after
//! admission it does.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::{
    claims::c2_media::first_frame,
    person::PATIENCE,
    scene::{Scene, entry},
    table::Gathered,
};

/// What a waiting client may hear: how its own wish stands, and of its own connection.
const HARMLESS: [&str; 4] = ["joining", "standing", "connection", "done"];

pub(super) fn run(scene: &mut Scene, gathered: &mut Gathered) -> Result<()> {
    let created = scene.meeting_with_bob("Lobby", &["--lobby"])?;
    let speech = scene.programs.media.join("speech.ogg").display().to_string();
    let sending = entry(&["--send-audio", &speech]);
    let (mut alice, mut bob) = scene.call(&created, &sending, &sending)?;
    gathered.is("token_enters", "bob, who holds a token, entered without waiting", true);
    first_frame(&bob, &scene.alice.address, "audio")?;

    let mut mallory = scene.mallory.join(&created.link, &sending)?;
    mallory.wait("waiting", |event| (event["state"] == "waiting").then_some(()))?;
    let device = alice.wait("somebody waits", |event| waiting(event, &scene.mallory.address))?;
    gathered.is("host_sees", format!("alice sees who waits: {device}"), true);

    // Things go on in the room while mallory waits.
    alice.chat("behind the door")?;
    bob.hears("behind the door", PATIENCE)?;
    let refused = bob.order(json!({ "cmd": "admit", "device": device }))?;
    let what = format!("bob, no host, cannot let her in: {}", refused.clone().err().unwrap_or_default());
    gathered.is("bob_cannot", what, refused.is_err());
    alice.chat("still behind the door")?;
    bob.hears("still behind the door", PATIENCE)?;

    let heard = mallory.names_from(0);
    let what = format!("waiting, mallory heard of nothing but: {}", heard.join(", "));
    gathered.is("nothing", what, heard.iter().all(|name| HARMLESS.contains(&name.as_str())));
    let seen = alice.last("roster").map(|roster| roster.to_string()).unwrap_or_default();
    gathered.is("no_member", "no roster shows her", !seen.contains(&scene.mallory.address));

    alice.order(json!({ "cmd": "admit", "device": device }))?.map_err(anyhow::Error::msg)?;
    mallory.entered()?;
    let all = [scene.alice.address.as_str(), &scene.bob.address, &scene.mallory.address];
    mallory.roster_of(&all, PATIENCE)?;
    gathered.is("admitted", "after alice's word she is in, and sees the roster", true);
    first_frame(&mallory, &scene.alice.address, "audio")?;
    gathered.is("media", "and hears alice", true);
    let old = mallory.heard_chat().iter().any(|(_, text)| text.contains("behind the door"));
    gathered.is("no_past", "and got nothing of what was said before", !old);
    mallory.chat("thank you")?;
    bob.hears("thank you", Duration::from_secs(20))?;
    mallory.leave()?;
    bob.leave()?;
    alice.leave()
}

fn waiting(event: &Value, address: &str) -> Option<String> {
    let fits = event["event"] == "waiting" && event["address"] == address;
    fits.then(|| event["device"].as_str().map(str::to_owned)).flatten()
}
