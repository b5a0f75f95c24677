//! The client for browsers: core as wasm, its bindings, the page; laid out where the server's build takes it in.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    process::{self, Stage},
    tools::{self, NPM},
    wasm,
    workspace::Workspace,
};

/// Where the page's sources are.
const SOURCES: &str = "client/web";
/// The name of the bindings' files.
const NAME: &str = "conclave_wasm";

/// What `web` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Builds core quickly and slow to run, for work on the page.
    #[arg(long)]
    quick: bool,
}

/// Builds all of it.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<bool> {
    build(workspace, arguments.quick)?;
    Ok(true)
}

/// Builds all of it, for `client/web/dist`.
pub(crate) fn build(workspace: &Workspace, quick: bool) -> Result<()> {
    tools::need(&[NPM])?;
    let module = stage("wasm", || build_core(workspace, quick))?;
    stage("bindings", || bind(&module, &workspace.root.join(SOURCES).join("wasm")))?;
    stage("packages", || packages(workspace))?;
    stage("types", || npm(workspace, &["run", "--silent", "check"], None))?;
    stage("page", || page(workspace))
}

fn stage<T>(name: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let stage = Stage::start(name);
    let result = act();
    stage.end(if result.is_ok() { "ok" } else { "FAILED" });
    result
}

fn build_core(workspace: &Workspace, quick: bool) -> Result<PathBuf> {
    let mut command = workspace.cargo();
    command.args(["build", "--quiet", "--package", "conclave-wasm", "--lib"]);
    let profile = if quick {
        let slow =
            ["--config", "profile.dev.package.\"*\".opt-level=0", "--config", "profile.dev.opt-level=0"];
        command.args(slow);
        "debug"
    } else {
        command.args(["--profile", "web"]);
        "web"
    };
    wasm::prepare(workspace, &mut command, &if quick { Vec::new() } else { remapped(workspace) })?;
    let said = process::quiet(&mut command)?;
    ensure!(said.ok, "core does not build for browsers:\n{}", said.text);
    Ok(workspace.target.join("wasm").join(wasm::TARGET).join(profile).join(format!("{NAME}.wasm")))
}

/// No path of this machine stands in the panic messages.
fn remapped(workspace: &Workspace) -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).unwrap_or_default();
    let registries = fs::read_dir(home.join("registry/src")).into_iter().flatten().filter_map(Result::ok);
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let mut flags: Vec<String> = registries.map(|entry| remap(&entry.path(), "crates")).collect();
    flags.push(remap(&workspace.root, "."));
    flags
}

fn bind(module: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).web(true)?.typescript(true).out_name(NAME);
    bindgen.generate(folder).context("wasm-bindgen")
}

/// Installs what the lock file names, if that is not done.
pub(crate) fn packages(workspace: &Workspace) -> Result<()> {
    let folder = workspace.root.join(SOURCES);
    let lock = fs::read(folder.join("package-lock.json"))?;
    let done = folder.join("node_modules/.installed");
    if fs::read(&done).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    npm(workspace, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], None)?;
    fs::write(done, lock)?;
    Ok(())
}

fn page(workspace: &Workspace) -> Result<()> {
    let built = workspace.folder("web")?;
    npm(workspace, &["run", "--silent", "build"], Some(&built))?;
    replace(&built, &workspace.root.join(SOURCES).join("dist"))
}

fn npm(workspace: &Workspace, arguments: &[&str], out: Option<&Path>) -> Result<()> {
    let mut command = Command::new(NPM.program);
    command.args(arguments).current_dir(workspace.root.join(SOURCES));
    if let Some(out) = out {
        command.env("CONCLAVE_WEB_OUT", out);
    }
    let said = process::quiet(&mut command)?;
    ensure!(said.ok, "npm {}:\n{}", arguments.join(" "), said.text);
    Ok(())
}

/// Puts the built files in place of the earlier ones. What did not change is left alone, so that the server is built anew
/// only when it must be.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let wanted = files(from)?;
    for old in files(to)?.iter().filter(|old| !wanted.contains(old)) {
        fs::remove_file(to.join(old))?;
    }
    for file in &wanted {
        let (new, target) = (fs::read(from.join(file))?, to.join(file));
        if fs::read(&target).is_ok_and(|old| old == new) {
            continue;
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(target, new)?;
    }
    Ok(())
}

/// All files below, relative; those that begin with a dot are not ours.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?.into_iter().map(|below| name.join(below)));
        } else if !name.to_string_lossy().starts_with('.') {
            found.push(name);
        }
    }
    Ok(found)
}
