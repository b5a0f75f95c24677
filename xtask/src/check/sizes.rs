//! Long files are every project's sore spot.

use anyhow::Result;

use super::Findings;
use crate::workspace::Workspace;

/// Lines above which a file is split, or named below.
const MOST_LINES: usize = 600;

/// Files that may be longer, each with its reason.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("core/testkit/src/federation.rs", "owed: split promises and the network from the event loop"),
    ("core/testkit/src/home_server.rs", "owed: split the calls of devices from those of servers"),
];

/// Fails on long source files.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let mut findings = Findings::new();
    for source in workspace.sources(&["rs", "ts", "svelte", "proto"])? {
        let lines = source.text.lines().count();
        let excused = EXCEPTIONS.iter().any(|(path, _)| *path == source.path);
        if lines > MOST_LINES && !excused {
            findings.push(format!("{}: {lines} lines; split it", source.path));
        }
    }
    Ok(findings)
}
