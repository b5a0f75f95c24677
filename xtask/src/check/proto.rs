//! buf lint over the protocol files.

use std::process::Command;

use anyhow::Result;

use super::{Findings, findings_of};
use crate::{process, tools, workspace::Workspace};

/// Fails on what buf finds.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let folder = workspace.folder("tools/buf")?;
    let buf = tools::buf(&folder)?;
    let mut command = Command::new(buf);
    command.arg("lint").current_dir(workspace.root.join("proto")).env("BUF_CACHE_DIR", folder.join("cache"));
    let said = process::quiet(&mut command)?;
    Ok(findings_of(said.ok, &said.text))
}
