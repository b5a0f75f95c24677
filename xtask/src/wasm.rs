//! Builds for browsers: wasm32-unknown-unknown, by rustup's target if it is there, else by Debian's compiler with std built once.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    process,
    tools::{self, DEBIAN_RUST},
    workspace::Workspace,
};

/// The target of browsers.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Turns a cargo command to a compiler that builds for browsers, with these flags beside.
pub(crate) fn prepare(workspace: &Workspace, command: &mut Command, flags: &[String]) -> Result<()> {
    let mut flags = flags.to_vec();
    if !rustup_has_target(workspace) {
        flags.push(format!("--sysroot={}", debian(workspace, command)?.display()));
    }
    if !flags.is_empty() {
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags.join(" "));
    }
    command.args(["--target", TARGET, "--target-dir"]).arg(workspace.target.join("wasm"));
    Ok(())
}

fn rustup_has_target(workspace: &Workspace) -> bool {
    let mut command = Command::new("rustc");
    command.args(["--print", "target-libdir", "--target", TARGET]).current_dir(&workspace.root);
    process::first_line(&mut command).is_some_and(|folder| Path::new(&folder).is_dir())
}

/// Turns the command to Debian's compiler; gives the sysroot of our own that it needs.
fn debian(workspace: &Workspace, command: &mut Command) -> Result<PathBuf> {
    if !Path::new("/usr/lib/rustlib/src/rust/library").is_dir() {
        tools::install(DEBIAN_RUST.packages)?;
    }
    tools::need(&[DEBIAN_RUST])?;
    let version =
        process::first_line(Command::new(DEBIAN_RUST.program).arg("-V")).context("rustc -V is silent")?;
    let key: String =
        version.chars().map(|c| if c.is_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let sysroot = workspace.folder("wasm-sysroot")?.join(key);
    if !sysroot.join("complete").is_file() {
        build_std(workspace, &sysroot)?;
    }
    command.env("RUSTC", DEBIAN_RUST.program);
    if let Some(linker) = rust_lld(workspace) {
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    Ok(sysroot)
}

/// Builds std from Debian's sources and lays it out as a sysroot.
fn build_std(workspace: &Workspace, sysroot: &Path) -> Result<()> {
    println!("  building std for {TARGET} once (about a minute)");
    let folder = workspace.folder("wasm-sysroot/empty")?;
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    fs::write(
        folder.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n",
    )?;
    let mut command = workspace.cargo();
    command
        .current_dir(&folder)
        .args(["build", "--quiet", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET])
        .arg("--target-dir")
        .arg(folder.join("target"))
        .env("RUSTC", DEBIAN_RUST.program)
        .env("RUSTC_BOOTSTRAP", "1");
    if let Some(linker) = rust_lld(workspace) {
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    let said = process::quiet(&mut command)?;
    ensure!(said.ok, "std does not build:\n{}", said.text);
    let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&libraries)?;
    for entry in fs::read_dir(folder.join("target").join(TARGET).join("release/deps"))? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.extension().is_some_and(|extension| extension == "rlib") && !name.starts_with("libempty") {
            fs::copy(&path, libraries.join(&name))?;
        }
    }
    fs::write(sysroot.join("complete"), "")?;
    Ok(())
}

/// The linker that comes with a rustup toolchain.
fn rust_lld(workspace: &Workspace) -> Option<PathBuf> {
    let mut command = Command::new("rustc");
    let sysroot = process::first_line(command.args(["--print", "sysroot"]).current_dir(&workspace.root))?;
    let found = fs::read_dir(Path::new(&sysroot).join("lib/rustlib")).ok()?;
    found.filter_map(Result::ok).map(|entry| entry.path().join("bin/rust-lld")).find(|path| path.is_file())
}
