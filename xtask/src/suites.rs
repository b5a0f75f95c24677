//! The test suites, what each runs, and the table of minutes.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::{
    browser, check, demo,
    process::{self, duration},
    report::{Report, Row},
    tools::{self, CC, FFMPEG},
    web,
    workspace::Workspace,
};

/// What `test` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// check, build, unit, sim, server, demo or browser; all of them, in that order, if none is named.
    suites: Vec<String>,
    /// Writes the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Passed and failed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count {
    /// How many passed.
    pub(crate) passed: usize,
    /// How many failed.
    pub(crate) failed: usize,
}

/// One suite.
struct Suite {
    name: &'static str,
    what: &'static str,
    run: fn(&Workspace) -> Result<Count>,
}

const SUITES: [Suite; 7] = [
    Suite { name: "check", what: "layers, rules, limits, licences, formatting, clippy", run: checks },
    Suite { name: "build", what: "the page, every program and test", run: build },
    Suite { name: "unit", what: "tests inside the crates, and of the page's view models", run: unit },
    Suite { name: "sim", what: "core's scenarios on a simulated federation", run: sim },
    Suite { name: "server", what: "servers on loopback", run: server },
    Suite { name: "demo", what: "the claims, on real processes", run: claims },
    Suite { name: "browser", what: "pages in Chromium, through real servers", run: browser::run },
];

/// Runs the suites and prints the table; the last line counts.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<bool> {
    if let Some(unknown) =
        arguments.suites.iter().find(|name| SUITES.iter().all(|suite| suite.name != **name))
    {
        let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
        bail!("there is no suite {unknown}; there are {}", names.join(", "));
    }
    tools::need(&[CC])?;
    let chosen: Vec<&Suite> = SUITES
        .iter()
        .filter(|suite| arguments.suites.is_empty() || arguments.suites.iter().any(|name| name == suite.name))
        .collect();
    let mut report = Report::new(workspace, "test");
    let mut times: Vec<(&str, Count, Duration)> = Vec::new();
    for (number, suite) in chosen.iter().enumerate() {
        println!("\n== [{}/{}] {}: {}", number + 1, chosen.len(), suite.name, suite.what);
        let started = Instant::now();
        let count = (suite.run)(workspace).unwrap_or_else(|error| {
            println!("  error: {error:#}");
            Count { passed: 0, failed: 1 }
        });
        times.push((suite.name, count, started.elapsed()));
        report.rows.push(row(suite, count, started.elapsed()));
    }
    report.write(arguments.json.as_deref())?;
    summary(&times);
    Ok(report.ok())
}

fn row(suite: &Suite, count: Count, taken: Duration) -> Row {
    Row {
        id: format!("test.{}", suite.name),
        what: format!("{}; {} passed, {} failed", suite.what, count.passed, count.failed),
        value: json!((taken.as_secs_f64() / 60.0 * 100.0).round() / 100.0),
        unit: "min".to_owned(),
        aim: String::new(),
        ok: count.failed == 0,
    }
}

fn summary(times: &[(&str, Count, Duration)]) {
    println!("\n{:<10} {:>8} {:>8}  time", "suite", "passed", "failed");
    let mut sum = Count::default();
    let mut whole = Duration::ZERO;
    for (name, count, taken) in times {
        println!("{name:<10} {:>8} {:>8}  {}", count.passed, count.failed, duration(*taken));
        sum = Count { passed: sum.passed + count.passed, failed: sum.failed + count.failed };
        whole += *taken;
    }
    println!("{:<10} {:>8} {:>8}  {}", "all", sum.passed, sum.failed, duration(whole));
    println!("\n{} passed, {} failed", sum.passed, sum.failed);
}

#[expect(clippy::unnecessary_wraps)] // One signature for all suites.
fn checks(workspace: &Workspace) -> Result<Count> {
    let report = check::all(workspace, &[]);
    let passed = report.rows.iter().filter(|row| row.ok).count();
    Ok(Count { passed, failed: report.rows.len() - passed })
}

/// Builds the page first, since the server takes it in; then everything at once, so that each crate is built with one set of features.
fn build(workspace: &Workspace) -> Result<Count> {
    web::build(workspace, false)?;
    let ok = process::interactive(workspace.cargo().args(["build", "--workspace", "--all-targets"]))?;
    anyhow::ensure!(ok, "the build failed");
    Ok(Count::default())
}

fn unit(workspace: &Workspace) -> Result<Count> {
    // The client's tests play what they have recorded.
    tools::need(&[FFMPEG])?;
    let crates = cargo_test(workspace, &["--lib", "--bins"])?;
    let page = browser::unit(workspace)?;
    Ok(Count { passed: crates.passed + page.passed, failed: crates.failed + page.failed })
}

fn sim(workspace: &Workspace) -> Result<Count> {
    integration(workspace, &["conclave-core", "conclave-testkit", "conclave-fuzz"])
}

fn server(workspace: &Workspace) -> Result<Count> {
    integration(workspace, &["conclave-server", "conclave-cli"])
}

fn claims(workspace: &Workspace) -> Result<Count> {
    demo::check(workspace, None, false)
}

/// The integration tests of some packages. The whole workspace is selected, so that nothing is built twice.
fn integration(workspace: &Workspace, packages: &[&str]) -> Result<Count> {
    let metadata = workspace.metadata(&["--no-deps"])?;
    let all = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let mut arguments = Vec::new();
    for package in
        all.iter().filter(|package| package["name"].as_str().is_some_and(|name| packages.contains(&name)))
    {
        for target in package["targets"].as_array().into_iter().flatten() {
            if target["kind"][0] == "test" {
                arguments.push("--test".to_owned());
                arguments.push(target["name"].as_str().unwrap_or_default().to_owned());
            }
        }
    }
    if arguments.is_empty() {
        println!("  no integration tests yet");
        return Ok(Count::default());
    }
    cargo_test(workspace, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn cargo_test(workspace: &Workspace, arguments: &[&str]) -> Result<Count> {
    let mut command = workspace.cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]).args(arguments);
    let said = process::shown(&mut command)?;
    let mut count = counted(&said.text);
    if !said.ok && count.failed == 0 {
        count.failed = 1; // It did not build, or a test binary died.
    }
    Ok(count)
}

/// Sums the lines `test result: ok. 5 passed; 0 failed; …`.
fn counted(text: &str) -> Count {
    let mut sum = Count::default();
    for line in text.lines().filter(|line| line.starts_with("test result:")) {
        let number = |word: &str| {
            let before = line.split(word).next().unwrap_or_default();
            before.trim_end().rsplit(' ').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(0)
        };
        sum.passed += number(" passed");
        sum.failed += number(" failed");
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_over_binaries() {
        let text = "test result: ok. 5 passed; 0 failed; 0 ignored\nx\ntest result: FAILED. 2 passed; 3 failed; 0 ignored";
        let count = counted(text);
        assert_eq!((count.passed, count.failed), (7, 3));
    }
}
