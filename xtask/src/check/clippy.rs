//! clippy, over everything at once.

use anyhow::Result;

use super::{Findings, findings_of};
use crate::{
    process,
    tools::{self, CC},
    workspace::Workspace,
};

/// Fails on any warning.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    tools::need(&[CC])?;
    let mut command = workspace.cargo();
    command.args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    let said = process::quiet(&mut command)?;
    Ok(findings_of(said.ok, &said.text))
}
