//! Core's dependencies, natively and in browsers: no runtime, no network, no disk.

use anyhow::Result;

use super::Findings;
use crate::{process, workspace::Workspace};

/// What core may not pull in.
const BANNED: [&str; 10] =
    ["tokio", "tonic", "str0m", "quinn", "sled", "hyper", "rustls", "mio", "async-std", "socket2"];

/// Fails where `cargo tree` shows one.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let mut findings = Findings::new();
    for (place, target) in [("native", None), ("wasm", Some("wasm32-unknown-unknown"))] {
        let mut command = workspace.cargo();
        command.args(["tree", "--package", "conclave-core", "--edges", "normal", "--prefix", "none"]);
        if let Some(target) = target {
            command.args(["--target", target]);
        }
        let said = process::quiet(&mut command)?;
        if !said.ok {
            findings.push(format!("cargo tree: {}", said.text.trim()));
            continue;
        }
        findings.extend(banned(&said.text).into_iter().map(|name| format!("core pulls in {name} ({place})")));
    }
    Ok(findings)
}

fn banned(tree: &str) -> Vec<&str> {
    let mut found: Vec<&str> =
        tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| BANNED.contains(name)).collect();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_crate_is_found_by_its_whole_name() {
        assert_eq!(banned("conclave-core v0.1.0\ntokio v1.54.0\ntokio-like v1.0.0"), ["tokio"]);
    }
}
