//! What the compiler does not check. Each check is a file; each finding is a line that says where and why.

mod arithmetic;
mod clippy;
mod clocks;
mod dependencies;
mod fmt;
mod layers;
mod licences;
mod limits;
mod links;
mod page;
mod paths;
mod proto;
mod rules;
mod sizes;
pub(crate) mod test_only;
mod wasm;

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde_json::json;

use crate::{
    process::Stage,
    report::{Report, Row},
    workspace::Workspace,
};

/// What a check found wrong; empty: nothing.
type Findings = Vec<String>;

/// One check.
struct Check {
    name: &'static str,
    what: &'static str,
    run: fn(&Workspace) -> Result<Findings>,
}

/// Cheap ones first.
const CHECKS: [Check; 15] = [
    Check { name: "fmt", what: "rustfmt agrees", run: fmt::run },
    Check { name: "sizes", what: "no source file over 600 lines", run: sizes::run },
    Check { name: "paths", what: "no path of somebody's machine in a file", run: paths::run },
    Check { name: "layers", what: "imports in core and server go one way", run: layers::run },
    Check { name: "page", what: "imports in the page go one way", run: page::run },
    Check { name: "clocks", what: "core takes no time, randomness, socket or file", run: clocks::run },
    Check { name: "rules", what: "every rule of the spec stands in code and has a test", run: rules::run },
    Check { name: "limits", what: "spec and code name the same limits", run: limits::run },
    Check { name: "links", what: "links between the documents lead somewhere", run: links::run },
    Check {
        name: "dependencies",
        what: "core stays free of runtime, network and disk crates",
        run: dependencies::run,
    },
    Check { name: "licences", what: "every dependency's licence is on the list", run: licences::run },
    Check { name: "proto", what: "buf lint agrees", run: proto::run },
    Check { name: "clippy", what: "clippy is silent on all targets", run: clippy::run },
    Check { name: "wasm", what: "core builds for browsers", run: wasm::run },
    Check { name: "test-only", what: "default builds have no wiretap and no canary", run: test_only::run },
];

/// What `check` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these checks; `cargo xtask check help` lists them.
    names: Vec<String>,
    /// Writes the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// First formats the code and writes the spec's table of limits anew.
    #[arg(long)]
    fix: bool,
}

/// Runs all checks, or those named, and prints the table.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<bool> {
    let names = &arguments.names;
    if names.iter().any(|name| name == "help") {
        for check in CHECKS {
            println!("  {:<14} {}", check.name, check.what);
        }
        return Ok(true);
    }
    if let Some(unknown) = names.iter().find(|name| CHECKS.iter().all(|check| check.name != **name)) {
        bail!("there is no check {unknown}; `cargo xtask check help` lists them");
    }
    if arguments.fix {
        fmt::fix(workspace)?;
        limits::fix(workspace)?;
    }
    let report = all(workspace, names);
    report.print();
    report.write(arguments.json.as_deref())?;
    Ok(report.ok())
}

/// Runs the checks and shows their findings as they come.
pub(crate) fn all(workspace: &Workspace, names: &[String]) -> Report {
    let mut report = Report::new(workspace, "check");
    for check in CHECKS.iter().filter(|check| names.is_empty() || names.iter().any(|name| name == check.name))
    {
        let stage = Stage::start(check.name);
        let findings = (check.run)(workspace)
            .unwrap_or_else(|error| vec![format!("the check could not run: {error:#}")]);
        stage.end(if findings.is_empty() { "ok" } else { "FAILED" });
        for finding in &findings {
            println!("      {finding}");
        }
        report.rows.push(Row {
            id: format!("check.{}", check.name),
            what: check.what.to_owned(),
            value: json!(findings.len()),
            unit: "findings".to_owned(),
            aim: "0".to_owned(),
            ok: findings.is_empty(),
        });
    }
    report
}

/// The lines of a program's output that matter, as findings.
fn findings_of(ok: bool, text: &str) -> Findings {
    if ok {
        return Vec::new();
    }
    let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    let from = lines.len().saturating_sub(MOST_LINES);
    let kept: Findings = lines.into_iter().skip(from).collect();
    if kept.is_empty() { vec!["failed without a word".to_owned()] } else { kept }
}

/// How much of a failed program's output is shown.
const MOST_LINES: usize = 120;
