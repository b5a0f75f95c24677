//! Nobody is contacted but the configured addresses: all network calls of both servers in a short run, every destination listed.

use std::{collections::BTreeSet, path::Path};

use anyhow::Result;

use crate::{
    claims::c2_media::first_frame,
    evidence::network,
    organisation::{Organisation, Start},
    person::PATIENCE,
    scene::{Scene, entry},
    table::Gathered,
};

pub(super) fn run(scene: &mut Scene, gathered: &mut Gathered) -> Result<()> {
    let traces = scene.sub("traces")?;
    let program = scene.programs.server.clone();
    scene.restart(&program, |name| Start { wiretap: None, trace: Some(traces.join(name)) })?;

    let created = scene.meeting_with_bob("Contacts", &[])?;
    let clip = |name: &str| scene.programs.media.join(name).display().to_string();
    let (speech, other) = (clip("speech.ogg"), clip("speech-b.ogg"));
    let sending = (entry(&["--send-audio", &speech]), entry(&["--send-audio", &other]));
    let (mut alice, bob) = scene.call(&created, &sending.0, &sending.1)?;
    first_frame(&alice, &scene.bob.address, "audio")?;
    first_frame(&bob, &scene.alice.address, "audio")?;
    alice.chat("hello")?;
    bob.hears("hello", PATIENCE)?;
    bob.leave()?;
    alice.leave()?;
    scene.north.stop()?;
    scene.south.stop()?;

    listed(gathered, "north", &traces.join("north"), &scene.south)?;
    listed(gathered, "south", &traces.join("south"), &scene.north)?;
    scene.restart(&program, |_| Start::default())
}

/// Every destination is the peer's, or an address that had sent to this server first: its own clients'.
fn listed(gathered: &mut Gathered, name: &str, trace: &Path, peer: &Organisation) -> Result<()> {
    let found = network::read(trace)?;
    let ports = [peer.ports.public, peer.ports.federation];
    let configured: BTreeSet<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let mut foreign = 0;
    let (mut peers, mut clients) = (Vec::new(), Vec::new());
    for destination in &found.internet {
        if configured.contains(destination) {
            peers.push(destination.as_str());
        } else if found.heard_from.contains(destination) {
            clients.push(destination.as_str());
        } else {
            foreign += 1;
            gathered.is(
                &format!("{name}.foreign.{foreign}"),
                format!("{name} contacted {destination}"),
                false,
            );
        }
    }
    let what = format!("{name} contacted its peer at {}", peers.join(", "));
    gathered.is(&format!("{name}.peer"), what, !peers.is_empty());
    let what = format!("{name} answered its own clients at {}", clients.join(", "));
    gathered.is(&format!("{name}.clients"), what, !clients.is_empty());
    let what = format!("{name} contacted nobody else; {} destinations in all", found.internet.len());
    gathered.is(&format!("{name}.nobody_else"), what, foreign == 0);
    let unread = found.unread.first().cloned().unwrap_or_default();
    gathered.is(
        &format!("{name}.read"),
        format!("every address in the trace was understood {unread}"),
        found.unread.is_empty(),
    );
    let local: Vec<&str> = found.local.iter().map(String::as_str).collect();
    gathered.is(
        &format!("{name}.local"),
        format!("no socket but the internet's: {}", local.join(", ")),
        local.is_empty(),
    );
    Ok(())
}
