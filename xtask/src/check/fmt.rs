//! rustfmt.

use anyhow::Result;

use super::{Findings, findings_of};
use crate::{process, workspace::Workspace};

/// Fails where `cargo fmt` would change something.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let said = process::quiet(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    Ok(findings_of(said.ok, &said.text))
}

/// Formats everything.
pub(super) fn fix(workspace: &Workspace) -> Result<()> {
    process::quiet(workspace.cargo().args(["fmt", "--all"])).map(drop)
}
