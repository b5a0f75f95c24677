//! Pictures of every state of the page: desktop and phone, light and dark, in several languages.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{
    process,
    tools::{self, CHROMIUM, NPM},
    web,
    workspace::Workspace,
};

/// What `screenshots` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where the pictures go; `screenshots` below the target folder if nothing is said.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Languages such as en or ja; these two if none is named.
    languages: Vec<String>,
}

/// Builds the page and the server, walks through every state, and says where the pictures are.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<bool> {
    tools::need(&[NPM, CHROMIUM])?;
    web::build(workspace, false)?;
    let said = process::quiet(&mut workspace.build_programs())?;
    ensure!(said.ok, "the build failed:\n{}", said.text);
    let out = arguments.out.clone().map_or_else(|| workspace.folder("screenshots"), Ok)?;
    fs::create_dir_all(&out).with_context(|| format!("{}", out.display()))?;
    let out = out.canonicalize()?;
    let mut command = Command::new("node");
    command
        .arg("browser-tests/screenshots.mjs")
        .arg(&out)
        .args(&arguments.languages)
        .current_dir(workspace.root.join("client/web"))
        .env("CONCLAVE_SERVER", workspace.program("conclave-server"))
        .env("CONCLAVE_STATE", workspace.folder("browser-tests")?);
    let ok = process::interactive(&mut command)?;
    println!("\nThe pictures are in {}", out.display());
    Ok(ok)
}
