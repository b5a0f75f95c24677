//! The browser tests: real pages in Chromium, through real servers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

use crate::{
    process,
    suites::Count,
    tools::{self, CHROMIUM, FFMPEG, IP, NPM},
    web,
    workspace::Workspace,
};

/// Where the tests are, in the client's folder.
const TESTS: &str = "browser-tests";

/// Runs the tests of the page's view models, which need no browser.
pub(crate) fn unit(workspace: &Workspace) -> Result<Count> {
    tools::need(&[NPM])?;
    web::packages(workspace)?;
    let mut command = Command::new(NPM.program);
    command.args(["run", "--silent", "test"]).current_dir(workspace.root.join("client/web"));
    tests(&mut command)
}

/// Builds the client and the server, and runs the tests: one file after another, since each has two cores' worth to do.
pub(crate) fn run(workspace: &Workspace) -> Result<Count> {
    tools::need(&[NPM, CHROMIUM, FFMPEG, IP])?;
    web::build(workspace, false)?;
    let said = process::quiet(&mut workspace.build_programs())?;
    ensure!(said.ok, "the build failed:\n{}", said.text);
    let folder = workspace.root.join("client/web");
    // What earlier runs left would only grow; the last run's logs and pictures of failures stay.
    let state = workspace.folder(TESTS)?;
    fs::remove_dir_all(&state)?;
    fs::create_dir(&state)?;
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-reporter=tap", "--test-concurrency=1"])
        .args(files(&folder)?)
        .current_dir(&folder)
        .env("CONCLAVE_SERVER", workspace.program("conclave-server"))
        .env("CONCLAVE_CLIENT", workspace.program("conclave"))
        .env("CONCLAVE_STATE", state);
    tests(&mut command)
}

/// The files with tests, relative to the client's folder, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.join(TESTS))? {
        let name = entry?.file_name();
        if name.to_string_lossy().ends_with(".test.mjs") {
            found.push(Path::new(TESTS).join(name));
        }
    }
    ensure!(!found.is_empty(), "there are no tests in {TESTS}");
    found.sort();
    Ok(found)
}

fn tests(command: &mut Command) -> Result<Count> {
    let said = process::shown(command)?;
    let mut count = counted(&said.text);
    if !said.ok && count.failed == 0 {
        count.failed = 1;
    }
    Ok(count)
}

/// The last lines of a TAP report: `# pass 7`, `# fail 0`.
fn counted(text: &str) -> Count {
    let number = |word: &str| {
        let line = text.lines().rev().find_map(|line| line.strip_prefix(word));
        line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    Count { passed: number("# pass "), failed: number("# fail ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tap_report_is_counted() {
        let count = counted("ok 1 - a\n# tests 3\n# pass 2\n# fail 1\n");
        assert_eq!((count.passed, count.failed), (2, 1));
    }
}
