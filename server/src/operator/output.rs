//! Answers, for people and for scripts.

use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::act::{Answer, PeerRow, UserRow};
use crate::{audit, store::backup::Progress};

/// Shows a bar on a terminal once something takes long.
pub(super) fn progress() -> Progress {
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} records {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    Box::new(move |done, total| {
        if total > 10_000 && bar.elapsed() > Duration::from_millis(500) {
            bar.set_length(total);
            bar.set_position(done);
        }
        if done == total {
            bar.finish_and_clear();
        }
    })
}

/// What is wrong, with its causes; each is said once.
pub(super) fn sentence(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// Prints an answer.
pub(super) fn show(answer: Answer, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    match answer {
        Answer::Done { text } => println!("{text}"),
        Answer::Users { users } => show_users(&users),
        Answer::Peers { peers } => show_peers(&peers),
        Answer::Audit { entries } => show_audit(&entries)?,
        Answer::Backup { file, summary } => {
            println!("{} records written to {}", summary.records, file.display());
            println!("contents  {}\nall       {}", summary.contents, summary.all);
            println!(
                "It is not encrypted and holds no keys: keep it safe, and keep a copy of data/keys as well."
            );
        }
    }
    Ok(())
}

fn show_users(users: &[UserRow]) {
    if users.is_empty() {
        println!("No accounts yet. Make one with: conclave-server user add NAME");
    }
    let width = users.iter().map(|user| user.address.len()).max().unwrap_or(0);
    for UserRow { address, display_name, disabled, created_ms, devices } in users {
        let state = if *disabled { "disabled" } else { "enabled" };
        println!(
            "{address:width$}  {state:8}  devices: {devices:<2}  since {}  {display_name}",
            audit::utc(*created_ms)
        );
    }
}

fn show_peers(peers: &[PeerRow]) {
    if peers.is_empty() {
        println!("No other server is known yet.");
    }
    for peer in peers {
        match &peer.root {
            Some(root) => {
                println!("{}  {}  since {}", peer.domain, peer.decision, audit::utc(peer.first_seen_ms));
                println!("    root {root}");
            }
            None => println!("{}  {}  not seen yet", peer.domain, peer.decision),
        }
        if let Some(refused) = &peer.refused_root {
            println!("    REFUSED another root: {refused}");
            println!(
                "    If its operator confirms it: conclave-server peer approve {} --root FINGERPRINT",
                peer.domain
            );
        }
    }
}

fn show_audit(entries: &[audit::Entry]) -> Result<()> {
    if entries.is_empty() {
        println!("No operator has changed anything yet.");
    }
    for entry in entries {
        let audit::Entry { number, time_ms, who, act, subject, hash, continues } = entry;
        let broken = if *continues { "" } else { "  DOES NOT CONTINUE THE RECORD BEFORE" };
        println!("{number}  {}  {who}  {act} {subject}  {}{broken}", audit::utc(*time_ms), &hash[..16]);
    }
    if entries.iter().all(|entry| entry.continues) {
        return Ok(());
    }
    anyhow::bail!("the audit log's chain is broken: somebody changed the store")
}
