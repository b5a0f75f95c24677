//! Programs that the commands need: found, or installed from Debian's packages. A done step costs nothing.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::process::{self, Stage};

/// A program, and the Debian packages that hold it.
pub(crate) struct Tool {
    /// Its name on the PATH, or an absolute path.
    pub(crate) program: &'static str,
    /// What to install if it is missing.
    pub(crate) packages: &'static [&'static str],
}

/// For memory images (`gcore`).
pub(crate) const GCORE: Tool = Tool { program: "gcore", packages: &["gdb"] };
/// For lists of system calls.
pub(crate) const STRACE: Tool = Tool { program: "strace", packages: &["strace"] };
/// For decoding recordings.
pub(crate) const FFMPEG: Tool = Tool { program: "ffmpeg", packages: &["ffmpeg"] };
/// For the proto lint.
pub(crate) const NPM: Tool = Tool { program: "npm", packages: &["nodejs", "npm"] };
/// For the browser tests.
pub(crate) const CHROMIUM: Tool = Tool { program: "chromium", packages: &["chromium"] };
/// For the test that blocks UDP.
pub(crate) const IP: Tool = Tool { program: "ip", packages: &["iproute2"] };
/// Debian's Rust with sources, for the browser's target.
pub(crate) const DEBIAN_RUST: Tool =
    Tool { program: "/usr/bin/rustc", packages: &["rustc-web", "rust-web-src"] };
/// For linking, and for aws-lc, the TLS library's cryptography.
pub(crate) const CC: Tool = Tool { program: "cc", packages: &["gcc", "libc6-dev"] };

/// Sees to it that the tools are there.
pub(crate) fn need(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&str> = tools
        .iter()
        .filter(|tool| find(tool.program).is_none())
        .flat_map(|tool| tool.packages)
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)?;
    for tool in tools {
        ensure!(
            find(tool.program).is_some(),
            "{} is still missing after installing {:?}",
            tool.program,
            tool.packages
        );
    }
    Ok(())
}

/// Where a program is.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    if program.starts_with('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// Installs Debian packages, as root or by sudo.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if find("apt-get").is_none() {
        bail!("missing: {}; there is no apt-get here, so install them by hand", packages.join(" "));
    }
    println!("  installing with apt-get: {}", packages.join(" "));
    let stage = Stage::start("apt-get");
    let said = process::quiet(&mut apt(&["install", "--yes", "--no-install-recommends"], packages))?;
    if said.ok {
        stage.end("ok");
        return Ok(());
    }
    // The lists may be old or absent: fetch them and try once more.
    process::quiet(&mut apt(&["update"], &[]))?;
    let said = process::quiet(&mut apt(&["install", "--yes", "--no-install-recommends"], packages))?;
    stage.end(if said.ok { "ok" } else { "FAILED" });
    ensure!(said.ok, "apt-get could not install {}:\n{}", packages.join(" "), said.text);
    Ok(())
}

fn apt(arguments: &[&str], packages: &[&str]) -> Command {
    let root = process::first_line(Command::new("id").arg("-u")).is_some_and(|id| id == "0");
    let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
    if !root {
        command.args(["-n", "apt-get"]);
    }
    // Another installation may be running: wait for it.
    let patience = ["-o", "DPkg::Lock::Timeout=600"];
    command.env("DEBIAN_FRONTEND", "noninteractive").args(patience).args(arguments).args(packages);
    command
}

/// `buf`, installed from npm into a folder of ours.
pub(crate) fn buf(folder: &Path) -> Result<PathBuf> {
    let program = folder.join("node_modules/.bin/buf");
    if program.exists() {
        return Ok(program);
    }
    need(&[NPM])?;
    println!("  installing with npm: {BUF_PACKAGE}");
    let mut command = Command::new("npm");
    command
        .args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"])
        .arg(folder)
        .arg(BUF_PACKAGE);
    let said = process::quiet(&mut command).context("cannot run npm")?;
    ensure!(said.ok && program.exists(), "npm could not install {BUF_PACKAGE}:\n{}", said.text);
    Ok(program)
}

const BUF_PACKAGE: &str = "@bufbuild/buf@1.75.0";
