//! The demo: two organisations on this machine. The work is done by the runner, which this builds and starts.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::{
    check::test_only::{self, TestOnly},
    process::{self, Stage},
    report::Report,
    suites::Count,
    tools::{self, FFMPEG, GCORE, STRACE},
    web,
    workspace::Workspace,
};

/// What `demo` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Runs the script of claims with real processes and prints claim, evidence and verdict.
    #[arg(long)]
    check: bool,
    /// With --check: writes the rows as JSON.
    #[arg(long, value_name = "FILE", requires = "check")]
    json: Option<PathBuf>,
    /// Keeps the state of the last run: accounts, meetings, logs.
    #[arg(long)]
    keep: bool,
}

/// Starts the servers and waits for Ctrl-C; with --check proves the claims.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<bool> {
    if arguments.check {
        let count = check(workspace, arguments.json.as_deref(), arguments.keep)?;
        return Ok(count.failed == 0);
    }
    // The servers take the page in when they are built.
    web::build(workspace, false)?;
    build(workspace, &[])?;
    let mut command = runner(workspace, "demo")?;
    command.arg("--media").arg(workspace.root.join("interop-tests/media"));
    if arguments.keep {
        command.arg("--keep");
    }
    process::interactive(&mut command)
}

/// Runs the claims; counts them.
pub(crate) fn check(workspace: &Workspace, json: Option<&Path>, keep: bool) -> Result<Count> {
    tools::need(&[FFMPEG, GCORE, STRACE])?;
    build_special(workspace)?;
    build(workspace, &[])?;
    let file = json.map_or_else(|| workspace.target.join("demo-check.json"), Path::to_path_buf);
    let mut command = runner(workspace, "check")?;
    command.arg("--json").arg(&file).arg("--media").arg(workspace.root.join("interop-tests/media"));
    for item in &test_only::ALL {
        command.arg(format!("--{}-{}", item.feature, item.program)).arg(special_path(workspace, item));
    }
    if keep {
        command.arg("--keep");
    }
    let _ = std::fs::remove_file(&file);
    let ok = process::interactive(&mut command)?;
    let text = std::fs::read_to_string(&file)?;
    let report: Report = serde_json::from_str(&text)?;
    let passed = report.rows.iter().filter(|row| row.ok).count();
    let failed = report.rows.len() - passed;
    Ok(Count { passed, failed: if ok { failed } else { failed.max(1) } })
}

fn runner(workspace: &Workspace, command: &str) -> Result<std::process::Command> {
    let mut runner = std::process::Command::new(workspace.program("conclave-runner"));
    runner
        .arg(command)
        .arg("--server")
        .arg(workspace.program("conclave-server"))
        .arg("--client")
        .arg(workspace.program("conclave"))
        .arg("--state")
        .arg(workspace.folder("demo")?);
    Ok(runner)
}

fn build(workspace: &Workspace, features: &[String]) -> Result<()> {
    let stage = Stage::start("build");
    let mut command = workspace.build_programs();
    if !features.is_empty() {
        command.arg("--features").arg(features.join(","));
    }
    let said = process::quiet(&mut command)?;
    stage.end(if said.ok { "ok" } else { "FAILED" });
    ensure!(said.ok, "the build failed:\n{}", said.text);
    Ok(())
}

/// Builds the programs with their test-only features beside the default ones, and shows that the markers are in them.
fn build_special(workspace: &Workspace) -> Result<()> {
    let features: Vec<String> =
        test_only::ALL.iter().map(|item| format!("{}/{}", item.package, item.feature)).collect();
    build(workspace, &features)?;
    for item in &test_only::ALL {
        ensure!(
            test_only::holds(workspace, item.program, item.marker)?,
            "{} built with {} lacks the marker {}, so its absence elsewhere would prove nothing",
            item.program,
            item.feature,
            item.marker
        );
        std::fs::copy(workspace.program(item.program), special_path(workspace, item))?;
    }
    Ok(())
}

fn special_path(workspace: &Workspace, item: &TestOnly) -> PathBuf {
    workspace.program(&format!("{}-{}", item.program, item.feature))
}
