//! Audio and video both ways for 10 s: at least 95 % of the frames sent arrive, each identical to one sent and named with its
//! sender; the recordings decode to the full length.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    evidence::media::{self, Frame, percentile},
    mallory::now_ms,
    person::{Call, Entry, PATIENCE},
    scene::{Scene, entry},
    table::{Figure, Gathered},
};

/// How long is measured.
const SECONDS: f64 = 10.0;
/// What of the frames sent has to arrive.
const SHARE: f64 = 95.0;

pub(super) fn run(scene: &mut Scene, gathered: &mut Gathered) -> Result<()> {
    let folder = scene.sub("media")?;
    let _ = fs::remove_dir_all(&folder);
    let files = |name: &str| Files { record: folder.join(name), log: folder.join(format!("{name}.frames")) };
    let (of_alice, of_bob) = (files("alice"), files("bob"));
    fs::create_dir_all(&folder)?;
    let created = scene.meeting_with_bob("Media", &[])?;
    let clips = &scene.programs.media;
    let (speech_a, speech_b, moving) =
        (clips.join("speech.ogg"), clips.join("speech-b.ogg"), clips.join("moving.ivf"));
    let (alice, bob) =
        scene.call(&created, &of_alice.sending(&speech_a, &moving), &of_bob.sending(&speech_b, &moving))?;
    for (call, sender) in [(&alice, &scene.bob.address), (&bob, &scene.alice.address)] {
        for kind in ["audio", "video"] {
            first_frame(call, sender, kind)?;
        }
    }
    let took = until_first_frame(&bob).context("bob has no first frame")?;
    gathered.figure(
        "first_frame_ms",
        "from bob's joining to his first decrypted frame",
        Figure::noted(took, "ms"),
    );
    #[expect(clippy::cast_precision_loss)] // Milliseconds of this century.
    let from = now_ms() as f64;
    let until = from + SECONDS * 1000.0;
    thread::sleep(Duration::from_secs_f64(SECONDS + 2.0));
    bob.leave()?;
    alice.leave()?;

    let (log_a, log_b) = (media::log(&of_alice.log)?, media::log(&of_bob.log)?);
    let clip_a: HashSet<String> = &media::ogg_hashes(&speech_a)? | &media::ivf_hashes(&moving)?;
    let clip_b: HashSet<String> = &media::ogg_hashes(&speech_b)? | &media::ivf_hashes(&moving)?;
    let both = [("alice", &log_a, "bob", &log_b, &clip_a), ("bob", &log_b, "alice", &log_a, &clip_b)];
    for (sender, sent, receiver, received, clip) in both {
        let genuine =
            sent.iter().filter(|frame| frame.dir == "sent").all(|frame| clip.contains(&frame.sha256));
        gathered.is(
            &format!("{sender}.clip"),
            format!("what {sender} sent are the clip's frames, unaltered"),
            genuine,
        );
        for kind in ["audio", "video"] {
            ways(gathered, &format!("{sender} to {receiver}"), kind, (sent, received), (from, until));
        }
    }
    recordings(gathered, &of_alice.record)?;
    recordings(gathered, &of_bob.record)
}

struct Files {
    record: PathBuf,
    log: PathBuf,
}

impl Files {
    fn sending(&self, audio: &Path, video: &Path) -> Entry {
        let text = |path: &Path| path.display().to_string();
        entry(&[
            "--send-audio",
            &text(audio),
            "--send-video",
            &text(video),
            "--record",
            &text(&self.record),
            "--frame-log",
            &text(&self.log),
        ])
    }
}

/// Waits for the first frame of a kind from somebody.
pub(crate) fn first_frame(call: &Call, sender: &str, kind: &str) -> Result<()> {
    let of_sender = |event: &Value| {
        let (user, domain) = sender.split_once('@')?;
        let device = format!("conclave://{domain}/u/{user}/d/");
        let fits = event["event"] == "media"
            && event["state"] == "first_frame"
            && event["kind"] == kind
            && event["device"].as_str()?.starts_with(&device);
        fits.then_some(())
    };
    call.wait_from(0, &format!("first {kind} frame of {sender}"), PATIENCE, of_sender)
}

/// Milliseconds from asking to enter to the first decrypted frame, by the client's own clock.
pub(crate) fn until_first_frame(call: &Call) -> Option<f64> {
    let events: Vec<Value> = call.events().into_iter().map(|(_, event)| event).collect();
    let time = |event: &Value| event["t_ms"].as_f64();
    let joining = events.iter().find(|event| event["event"] == "joining").and_then(time)?;
    let first = events.iter().find(|event| event["state"] == "first_frame").and_then(time)?;
    Some(first - joining)
}

#[expect(clippy::cast_precision_loss)] // Some hundreds.
fn ways(
    gathered: &mut Gathered,
    way: &str,
    kind: &str,
    logs: (&[Frame], &[Frame]),
    (from, until): (f64, f64),
) {
    let id = format!("{}.{kind}", way.replace(" to ", "_to_"));
    let found = media::arrived(logs.0, logs.1, kind, from, until);
    let share = found.received as f64 * 100.0 / found.sent.max(1) as f64;
    let what = format!("{kind} {way}: {} of {} frames arrived", found.received, found.sent);
    gathered.figure(&format!("{id}.share"), what, Figure::at_least(share, "%", SHARE));
    let what = format!("{kind} {way}: frames under that name that were not sent, or twice");
    gathered.figure(&format!("{id}.foreign"), what, Figure::at_most(found.foreign as f64, "", 0.0));
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let value = percentile(&found.latency_ms, share);
        let what = format!("{kind} {way}: from send to receipt, {name}");
        gathered.figure(&format!("{id}.latency.{name}_ms"), what, Figure::noted(value, "ms"));
    }
}

fn recordings(gathered: &mut Gathered, folder: &Path) -> Result<()> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.sort();
    ensure!(
        files.len() >= 2,
        "{} holds {} recordings, not sound and pictures",
        folder.display(),
        files.len()
    );
    for file in files {
        let name = file.file_name().context("no name")?.to_string_lossy().into_owned();
        let owner = folder.file_name().context("no name")?.to_string_lossy().into_owned();
        let seconds = media::decoded_seconds(&file)?;
        let what = format!("{owner}'s recording {name} decodes by ffmpeg");
        gathered.figure(&format!("recording.{owner}.{name}"), what, Figure::at_least(seconds, "s", SECONDS));
    }
    Ok(())
}
