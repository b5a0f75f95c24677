//! Where things are: the root, the target folder, the source files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process;

/// The checkout that this command runs in.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
}

/// One text file of the project.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

impl Workspace {
    /// The workspace that this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().context("xtask has no parent folder")?.to_path_buf();
        let mut workspace = Self { target: root.join("target"), root };
        let metadata = workspace.metadata(&["--no-deps"])?;
        let target =
            metadata["target_directory"].as_str().context("cargo metadata names no target folder")?;
        workspace.target = PathBuf::from(target);
        Ok(workspace)
    }

    /// A cargo command in the root.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        command
    }

    /// A build of every program. One small test is built along, because cargo then chooses the same features of
    /// dependencies as for the tests, and nothing is built twice.
    pub(crate) fn build_programs(&self) -> Command {
        let mut command = self.cargo();
        command.args(["build", "--quiet", "--workspace", "--bins", "--test", "ci"]);
        command
    }

    /// What `cargo metadata` says.
    pub(crate) fn metadata(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = self.cargo();
        command.args(["metadata", "--format-version=1"]).args(arguments);
        let output = command.output().context("cannot run cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")
    }

    /// A built program of the dev profile.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// A folder for what the commands leave behind.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.target.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// Every text file whose name ends in one of `extensions`, sorted; all text files if none is given.
    pub(crate) fn sources(&self, extensions: &[&str]) -> Result<Vec<Source>> {
        let mut found = Vec::new();
        walk(&self.root, &self.root, extensions, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Version lines of the compiler in use.
    pub(crate) fn rustc_version(&self) -> String {
        process::first_line(Command::new("rustc").arg("-V").current_dir(&self.root)).unwrap_or_default()
    }
}

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 5] = ["target", "node_modules", ".git", "out", "dist"];

fn walk(root: &Path, folder: &Path, extensions: &[&str], found: &mut Vec<Source>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(root, &path, extensions, found)?;
            }
        } else if kind.is_file() && name != ".git" && wanted(&path, extensions) {
            // A file that is no UTF-8 is a recording or a picture: nothing to scan.
            if let Ok(text) = fs::read_to_string(&path) {
                let relative = path.strip_prefix(root).unwrap_or(&path);
                found.push(Source { path: relative.to_string_lossy().replace('\\', "/"), text });
            }
        }
    }
    Ok(())
}

fn wanted(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    extensions.is_empty() || extensions.contains(&extension)
}
