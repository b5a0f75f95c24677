//! Each server is killed with SIGKILL in mid-meeting and restarted: media resumes within 5 s of the server being back, the log
//! has no hole and no double, chat sent meanwhile arrives once.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{
    claims::{c2_media::first_frame, c3_chat},
    evidence::media,
    mallory::now_ms,
    organisation::Start,
    person::{Call, PATIENCE},
    scene::{Scene, entry},
    table::{Figure, Gathered},
};

/// Media is back within this time of the server being ready.
const BACK_S: f64 = 5.0;
/// Longer is not waited for.
const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn run(scene: &mut Scene, gathered: &mut Gathered) -> Result<()> {
    let folder = scene.sub("restart")?;
    let log = |name: &str| folder.join(format!("{name}.frames"));
    let _ = (fs::remove_file(log("alice")), fs::remove_file(log("bob")));
    let created = scene.meeting_with_bob("Restart", &[])?;
    let sending = |name: &str, clip: &str| {
        let clip = scene.programs.media.join(clip).display().to_string();
        entry(&["--send-audio", &clip, "--frame-log", &log(name).display().to_string()])
    };
    let (mut alice, mut bob) =
        scene.call(&created, &sending("alice", "speech.ogg"), &sending("bob", "speech-b.ogg"))?;
    first_frame(&alice, &scene.bob.address, "audio")?;
    first_frame(&bob, &scene.alice.address, "audio")?;
    alice.chat("before")?;
    bob.hears("before", PATIENCE)?;

    for name in ["south", "north"] {
        let server = if name == "south" { &mut scene.south } else { &mut scene.north };
        server.kill()?;
        alice.chat(&format!("alice while {name} is down"))?;
        bob.chat(&format!("bob while {name} is down"))?;
        thread::sleep(Duration::from_secs(1));
        server.start(&Start::default())?;
        #[expect(clippy::cast_precision_loss)] // Milliseconds of this century.
        let back = now_ms() as f64;
        for listener in ["alice", "bob"] {
            let took = resumed(&log(listener), back)?;
            let what = format!("{listener} hears again after {name}'s server is back");
            gathered.figure(&format!("{name}.{listener}.media_s"), what, Figure::at_most(took, "s", BACK_S));
        }
        bob.hears(&format!("alice while {name} is down"), LIMIT)?;
        alice.hears(&format!("bob while {name} is down"), LIMIT)?;
        let (a, b) = (format!("alice after {name}"), format!("bob after {name}"));
        alice.chat(&a)?;
        bob.hears(&a, LIMIT)?;
        bob.chat(&b)?;
        alice.hears(&b, LIMIT)?;
        // Its own place in the log comes to the author by the same way as to the others.
        bob.hears(&b, LIMIT)?;
        alice.hears(&a, LIMIT)?;
    }
    everything_once(gathered, &alice, &bob);
    told_in_silence(scene, gathered, &bob)?;
    scene.both_see(&alice, &bob, PATIENCE)?;
    let code = |call: &Call| call.last("roster").map(|roster| roster["code"].clone());
    gathered.is("code", "the verification codes still agree", code(&alice) == code(&bob));
    bob.leave()?;
    alice.leave()
}

/// Seconds after `back` at which the first frame came that was sent after `back`.
fn resumed(log: &std::path::Path, back: f64) -> Result<f64> {
    let end = Instant::now() + LIMIT;
    loop {
        let frames = media::log(log)?;
        if let Some(frame) = frames.iter().find(|frame| frame.dir == "received" && frame.t_ms > back) {
            return Ok((frame.t_ms - back) / 1000.0);
        }
        ensure!(Instant::now() < end, "no frame came any more");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Nobody speaks, so the log has no news for bob's client; it must say all the same that his server is back.
fn told_in_silence(scene: &mut Scene, gathered: &mut Gathered, bob: &Call) -> Result<()> {
    let from = bob.heard();
    let connected = |is: bool| {
        move |event: &Value| (event["event"] == "connection" && event["connected"] == is).then_some(())
    };
    scene.south.kill()?;
    bob.wait_from(from, "word that the server is away", LIMIT, connected(false))?;
    scene.south.start(&Start::default())?;
    let back = Instant::now();
    bob.wait_from(from, "word that the server is back", LIMIT, connected(true))?;
    let took = back.elapsed().as_secs_f64();
    gathered.figure("south.told_s", "until bob is told, in silence", Figure::at_most(took, "s", BACK_S));
    Ok(())
}

fn everything_once(gathered: &mut Gathered, alice: &Call, bob: &Call) {
    let (mine, his) = (c3_chat::order(alice), c3_chat::order(bob));
    for (name, order) in [("alice", &mine), ("bob", &his)] {
        let mut ids: Vec<&String> = order.iter().map(|(_, id)| id).collect();
        ids.sort_unstable();
        let before = ids.len();
        ids.dedup();
        gathered.is(
            &format!("{name}.once"),
            format!("{name} heard each of {before} messages once"),
            ids.len() == before,
        );
        let growing = order.windows(2).all(|pair| pair[0].0 < pair[1].0);
        gathered.is(&format!("{name}.order"), format!("{name} saw the log's places only grow"), growing);
    }
    let what = format!("both saw the same {} messages at the same places", mine.len());
    gathered.is("places", what, mine == his && mine.len() == 9);
    // Every device checks the chain of the log: a hole or a double would be an alarm.
    let alarms = [alice, bob].iter().filter(|call| call.last("alarm").is_some()).count();
    gathered.is("log", "no device found a hole, a double or another break in the log's chain", alarms == 0);
}
