//! Core for browsers: it builds for wasm32-unknown-unknown.

use anyhow::Result;

use super::{Findings, findings_of};
use crate::{process, wasm, workspace::Workspace};

/// Fails if core does not build.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let mut command = workspace.cargo();
    command.args(["build", "--quiet", "--package", "conclave-core", "--lib"]);
    // Nobody runs this build: it need not be fast.
    command.args([
        "--config",
        "profile.dev.package.\"*\".opt-level=0",
        "--config",
        "profile.dev.opt-level=0",
    ]);
    wasm::prepare(workspace, &mut command, &[])?;
    let said = process::quiet(&mut command)?;
    Ok(findings_of(said.ok, &said.text))
}
