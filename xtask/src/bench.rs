//! The benches: release builds, measured by the runner.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::{
    process::{self, Stage},
    tools::{self, CHROMIUM},
    web,
    workspace::Workspace,
};

/// What `bench` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// federation, media, join, rest or web.
    name: String,
    /// Writes the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Builds for release and measures.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<bool> {
    if arguments.name == "web" {
        tools::need(&[CHROMIUM])?;
        web::build(workspace, false)?;
    }
    let stage = Stage::start("build");
    let said =
        process::quiet(workspace.cargo().args(["build", "--quiet", "--release", "--workspace", "--bins"]))?;
    stage.end(if said.ok { "ok" } else { "FAILED" });
    ensure!(said.ok, "the build failed:\n{}", said.text);
    let programs = workspace.target.join("release");
    let mut command = std::process::Command::new(programs.join("conclave-runner"));
    command
        .args(["bench", &arguments.name, "--server"])
        .arg(programs.join("conclave-server"))
        .arg("--client")
        .arg(programs.join("conclave"))
        .arg("--load")
        .arg(programs.join("conclave-load"))
        .arg("--media-load")
        .arg(programs.join("conclave-media-load"))
        .arg("--media")
        .arg(workspace.root.join("interop-tests/media"))
        .arg("--page")
        .arg(workspace.root.join("client/web"))
        .arg("--state")
        .arg(workspace.folder("bench")?);
    if let Some(json) = &arguments.json {
        command.arg("--json").arg(json);
    }
    process::interactive(&mut command)
}
