//! Long files are every project's sore spot.

use anyhow::Result;

use super::Findings;
use crate::workspace::Workspace;

/// Lines above which a file is split.
const MOST_LINES: usize = 600;

/// Fails on long source files.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let mut findings = Findings::new();
    for source in workspace.sources(&["rs", "ts", "svelte", "proto"])? {
        let lines = source.text.lines().count();
        if lines > MOST_LINES {
            findings.push(format!("{}: {lines} lines; split it", source.path));
        }
    }
    Ok(findings)
}
