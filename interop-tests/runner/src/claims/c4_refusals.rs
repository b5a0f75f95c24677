//! mallory, with no evidence, with a link lacking its fragment, with a token made out to bob, with bob's replayed Join, and by
//! having her own server ask, is refused each time, and the members see nothing but a refused attempt.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use conclave_proto::types::v1::{ErrorReason, Evidence, Join, Signed, Submission, evidence};
use data_encoding::BASE32_NOPAD;
use prost::{Message as _, bytes::Bytes};
use serde_json::Value;

use crate::{
    evidence::wiretap,
    grpc,
    mallory::{Answer, Mallory, Where},
    person::{Call, Entry, PATIENCE},
    scene::{MALLORY, Scene},
    seized::Seized,
    table::Gathered,
};

pub(super) fn run(scene: &mut Scene, gathered: &mut Gathered) -> Result<()> {
    let taps = scene.recording()?;

    // No link admits here, so bob's evidence is his token, and mallory's own server has seen it.
    let created = scene.meeting_with_bob("Refusals", &["--no-link"])?;
    let (mut alice, bob) = scene.call(&created, &Entry::default(), &Entry::default())?;
    let place = place_of(&created.meeting)?;
    let (replay, token) = bobs_join(&taps.join("south"), &place)?;
    let first = quiet_place(&mut alice, &bob)?;
    let before = (alice.heard(), bob.heard());

    by_the_client(scene, gathered, &created.meeting)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let answers = runtime.block_on(by_hand(scene, &place, replay, token))?;
    for (id, what, answer) in answers {
        // What was logged once is not logged again: the answer may be its old place.
        let refused = match &answer {
            Answer::Refused(reason) => is_refusal(*reason),
            Answer::Logged(sequence) => id == "server.replay" && *sequence < first,
        };
        let reason = match &answer {
            Answer::Refused(reason) => reason.as_str_name().trim_start_matches("ERROR_REASON_").to_owned(),
            Answer::Logged(sequence) => format!("stands in the log at {sequence}"),
        };
        gathered.is(id, format!("{what}: {reason}"), refused);
    }

    alice.wait_from(before.0, "refused attempt", PATIENCE, |event| {
        (event["event"] == "refused_attempt").then_some(())
    })?;
    for (name, call, from) in [("alice", &alice, before.0), ("bob", &bob, before.1)] {
        let names = call.names_from(from);
        let what = format!("meanwhile {name} saw nothing but: {}", names.join(", "));
        // `media` tells of the person's own connection.
        gathered.is(
            &format!("{name}.saw"),
            what,
            names.iter().all(|name| name == "refused_attempt" || name == "media"),
        );
    }
    let last = place_in_log(&mut alice, &bob, "after mallory came")?;
    let what = format!("nothing was logged meanwhile: alice's words stand at {first} and {last}");
    gathered.is("nothing_logged", what, last == first + 1);
    scene.both_see(&alice, &bob, Duration::from_secs(5))?;
    bob.leave()?;
    alice.leave()
}

/// Waits until nobody writes but alice: her last two words stand side by side. Gives the place of the last.
fn quiet_place(alice: &mut Call, bob: &Call) -> Result<u64> {
    let mut last = place_in_log(alice, bob, "is it quiet?")?;
    for round in 0..20 {
        std::thread::sleep(Duration::from_millis(300));
        let next = place_in_log(alice, bob, &format!("is it quiet now? {round}"))?;
        if next == last + 1 {
            return Ok(next);
        }
        last = next;
    }
    anyhow::bail!("the log did not become quiet")
}

/// Lets alice say something; gives its place in the log.
fn place_in_log(alice: &mut Call, bob: &Call, text: &str) -> Result<u64> {
    alice.chat(text)?;
    let place = |event: &Value| {
        let fits = event["event"] == "chat" && event["text"] == text;
        fits.then(|| event["sequence"].as_u64()).flatten()
    };
    alice.wait(text, place)?;
    bob.wait(text, place)
}

/// Refusals at the door; being told to come back later would be none.
fn is_refusal(reason: ErrorReason) -> bool {
    matches!(
        reason,
        ErrorReason::NoAdmission
            | ErrorReason::Replayed
            | ErrorReason::NotEntitled
            | ErrorReason::WrongDomain
            | ErrorReason::BadSignature
            | ErrorReason::BadCertificate
            | ErrorReason::NotFound
    )
}

/// With the honest client: the bare address, and a link without its fragment.
fn by_the_client(scene: &Scene, gathered: &mut Gathered, meeting: &str) -> Result<()> {
    let bare = format!("https://{}/m/{meeting}", scene.south.domain);
    for (id, what, door) in
        [("address", "no evidence", meeting), ("bare_link", "a link without its fragment", &bare)]
    {
        let mut call = scene.mallory.join(door, &Entry::default())?;
        let over = call.over(PATIENCE)?;
        let ended_badly = call.ended(PATIENCE)? == Some(false);
        let never_in = call.names_from(0).iter().all(|name| name != "joined" && name != "roster");
        gathered.is(&format!("client.{id}"), format!("client with {what}: {over}"), ended_badly && never_in);
    }
    Ok(())
}

type Tried = (&'static str, &'static str, Answer);

/// Signed in like anybody, with Joins made by hand.
async fn by_hand(scene: &Scene, place: &Where, replay: Signed, token: Evidence) -> Result<Vec<Tried>> {
    let tls = grpc::trust(&scene.south.certificate())?;
    let mallory = Mallory::sign_in(&scene.south.domain, tls, MALLORY.0, MALLORY.1).await?;
    let mut tried = Vec::new();
    let bare = mallory.join(place, None).await?;
    tried.push(("no_evidence", "a Join without evidence", mallory.submit(place, bare).await?));
    let forged = Evidence { evidence: Some(evidence::Evidence::LinkSignature(Bytes::from(vec![7; 64]))) };
    let forged = mallory.join(place, Some(forged)).await?;
    tried.push((
        "forged_link",
        "a Join with an invented link signature",
        mallory.submit(place, forged).await?,
    ));
    let stolen = mallory.join(place, Some(token)).await?;
    tried.push(("bobs_token", "a Join with the token made out to bob", mallory.submit(place, stolen).await?));
    tried.push(("replay", "bob's own Join, sent again", mallory.submit(place, replay.clone()).await?));
    let session = Submission::decode(replay.payload.clone())?.session;
    let server = Seized::connect(&scene.south, &scene.north).await?;
    let bare = mallory.join(place, None).await?;
    tried.push((
        "server.bare",
        "her own server, with a Join without evidence",
        server.submit(place, bare).await?,
    ));
    tried.push((
        "server.replay",
        "her own server, with bob's Join again",
        server.submit(place, replay).await?,
    ));
    let alice = server.withdraw(place, session, &scene.alice.address).await?;
    tried.push(("server.withdraw", "her own server, withdrawing alice of north", alice));
    Ok(tried)
}

/// bob's Join and his token, as mallory's server saw them.
fn bobs_join(tap: &Path, place: &Where) -> Result<(Signed, Evidence)> {
    for signed in wiretap::submissions(tap)? {
        let Ok(submission) = Submission::decode(signed.payload.clone()) else { continue };
        if submission.meeting_id != place.id || !submission.device.contains("/u/bob/") {
            continue;
        }
        if let Ok(Join { evidence: Some(evidence), .. }) = Join::decode(submission.content.clone())
            && let Some(evidence::Evidence::Token(_)) = &evidence.evidence
        {
            return Ok((signed, evidence));
        }
    }
    anyhow::bail!("bob's Join is not in the recording")
}

/// `ID@HUB` with the id in base32.
pub(super) fn place_of(meeting: &str) -> Result<Where> {
    let (id, hub) = meeting.split_once('@').context("not a meeting address")?;
    let id = BASE32_NOPAD.decode(id.to_ascii_uppercase().as_bytes())?;
    Ok(Where { id: id.into(), hub: hub.to_owned() })
}
