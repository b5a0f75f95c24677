//! No secret: canary words from chat and title, and every exporter and private key that the clients held, are searched for in
//! both servers' data, logs, memory and in all that they decrypted. The same search finds them in a client's memory, and finds a
//! key planted in a server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    claims::c2_media::first_frame,
    evidence::secrets::{self, Found, Search, Secret},
    person::PATIENCE,
    scene::{PLANTED, Scene, entry},
    table::{Figure, Gathered},
};

const CHAT: &str = "chat-canary-Zk3vQ8wLx1-umbrella";
const TITLE: &str = "title-canary-Rt7mB2nYp5-lighthouse";

pub(super) fn run(scene: &mut Scene, gathered: &mut Gathered) -> Result<()> {
    let taps = scene.recording()?;
    let folder = scene.sub("secrets")?;
    let speech = scene.programs.media.join("speech.ogg").display().to_string();
    let files = [folder.join("alice"), folder.join("bob")];
    let canary = &scene.programs.canary_client;
    let alices = scene.alice.with_program(canary).keeping_secrets(&files[0]);
    let bobs = scene.bob.with_program(canary).keeping_secrets(&files[1]);

    let created = alices.create(TITLE, &[])?;
    alices.invite(&created.meeting, &scene.bob.address)?;
    let sending = entry(&["--send-audio", &speech]);
    let mut alice = alices.join(&created.meeting, &sending)?;
    alice.entered()?;
    let link = bobs.invitation(&created.meeting)?["link"].as_str().context("no link")?.to_owned();
    let bob = bobs.join(&link, &sending)?;
    bob.entered()?;
    first_frame(&alice, &scene.bob.address, "audio")?;
    first_frame(&bob, &scene.alice.address, "audio")?;
    alice.chat(CHAT)?;
    bob.hears(CHAT, PATIENCE)?;

    let mut wanted = vec![word("the chat's canary", CHAT), word("the title's canary", TITLE)];
    for file in &files {
        wanted.extend(secrets::read(file)?);
    }
    wanted.retain(|secret| secret.bytes.len() >= secrets::LEAST_BYTES);
    wanted.sort_by(|a, b| a.bytes.cmp(&b.bytes));
    wanted.dedup_by(|a, b| a.bytes == b.bytes);
    let held = wanted
        .iter()
        .filter(|secret| secret.name.contains("media key") || secret.name.contains("exporter"))
        .count();
    #[expect(clippy::cast_precision_loss)] // Some hundreds.
    gathered.figure("wanted", format!("secrets searched for, {held} of exporters among them"), {
        Figure::at_least(wanted.len() as f64, "", 20.0)
    });
    ensure!(held > 0, "the clients told no exporter's secret");

    let images = [
        ("north", image(&folder, "north", scene.north.id()?)?),
        ("south", image(&folder, "south", scene.south.id()?)?),
    ];
    let client = image(&folder, "client", bob.id())?;
    let mut places: Vec<(String, Vec<PathBuf>)> = Vec::new();
    for (organisation, (name, memory)) in [&scene.north, &scene.south].into_iter().zip(&images) {
        places.push((format!("{name}.data"), vec![organisation.data()]));
        places.push((format!("{name}.log"), vec![organisation.log()]));
        places.push((format!("{name}.memory"), vec![memory.clone()]));
        places.push((format!("{name}.decrypted"), vec![taps.join(name)]));
    }
    let mut search = Search::new(&wanted)?;
    for (name, paths) in &places {
        let found = look(&mut search, paths)?;
        let what = format!("{name}: {}", told(&found));
        gathered.is(name, what, found.is_empty());
    }
    #[expect(clippy::cast_precision_loss)] // Mebibytes.
    gathered.figure(
        "looked_at",
        "looked at",
        Figure::at_least(search.bytes as f64 / 1_048_576.0, "MiB", 1.0),
    );
    controls(gathered, &wanted, &client, &images, &places, &folder)?;
    bob.leave()?;
    alice.leave()
}

/// The same search finds what is there: in a client, and what was planted in the servers.
fn controls(
    gathered: &mut Gathered,
    wanted: &[Secret],
    client: &Path,
    images: &[(&str, PathBuf)],
    places: &[(String, Vec<PathBuf>)],
    folder: &Path,
) -> Result<()> {
    let found = look(&mut Search::new(wanted)?, &[client.to_path_buf()])?;
    let has = |part: &str| found.iter().any(|found| found.secret.contains(part));
    gathered.is("control.chat", "control: the chat's canary is in a client's memory", has("chat's canary"));
    gathered.is("control.keys", "control: media keys are in a client's memory", has("media key"));
    let planted = [Secret { name: "planted".to_owned(), bytes: PLANTED.to_vec() }];
    for (name, image) in images {
        let found = look(&mut Search::new(&planted)?, std::slice::from_ref(image))?;
        gathered.is(
            &format!("control.{name}"),
            format!("control: the key planted in {name}'s memory is found"),
            !found.is_empty(),
        );
    }
    // A copy of a place with one secret in it: the search reads files of any kind.
    let copy = folder.join("planted");
    fs::write(&copy, [b"x".repeat(100).as_slice(), &wanted[0].bytes].concat())?;
    gathered.is("control.file", "control: a secret written to a file is found", {
        !look(&mut Search::new(wanted)?, &[copy])?.is_empty()
    });
    let empty = places.iter().filter(|(_, paths)| paths.iter().all(|path| size(path) == 0)).count();
    gathered.is("control.places", "control: no place searched is empty", empty == 0);
    Ok(())
}

fn word(name: &str, text: &str) -> Secret {
    Secret { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
}

fn look(search: &mut Search, paths: &[PathBuf]) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for path in paths {
        found.extend(search.look(path)?);
    }
    Ok(found)
}

fn told(found: &[Found]) -> String {
    let Some(first) = found.first() else { return "nothing found".to_owned() };
    let file = first.file.file_name().unwrap_or_default().to_string_lossy();
    format!("{} found, first {} as {} in {file} at {}", found.len(), first.secret, first.form, first.offset)
}

fn size(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
        return entries.map(|entry| size(&entry.path())).sum();
    }
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// A memory image of a running process.
fn image(folder: &Path, name: &str, id: u32) -> Result<PathBuf> {
    let prefix = folder.join(format!("{name}.core"));
    let output = Command::new("gcore")
        .arg("-o")
        .arg(&prefix)
        .arg(id.to_string())
        .output()
        .context("cannot run gcore")?;
    let image = folder.join(format!("{name}.core.{id}"));
    ensure!(image.is_file(), "gcore made no image: {}", String::from_utf8_lossy(&output.stderr));
    Ok(image)
}
