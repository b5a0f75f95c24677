//! Rows of what was found or measured: a table for people, JSON for programs.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{process, workspace::Workspace};

/// Everything that one command found.
#[derive(Serialize, Deserialize)]
pub(crate) struct Report {
    /// The command.
    pub(crate) name: String,
    /// What it ran on.
    pub(crate) machine: String,
    /// What it found.
    pub(crate) rows: Vec<Row>,
}

/// One finding or figure.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    /// Stable name.
    pub(crate) id: String,
    /// What it is.
    pub(crate) what: String,
    /// The figure, or a word.
    pub(crate) value: Value,
    /// Of the figure.
    pub(crate) unit: String,
    /// What the figure should be; empty if nothing is aimed at.
    pub(crate) aim: String,
    /// Whether the aim is met.
    pub(crate) ok: bool,
}

impl Report {
    /// An empty one for this machine.
    pub(crate) fn new(workspace: &Workspace, name: &str) -> Self {
        Self { name: name.to_owned(), machine: machine(workspace), rows: Vec::new() }
    }

    /// Whether every row is well.
    pub(crate) fn ok(&self) -> bool {
        self.rows.iter().all(|row| row.ok)
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        let width = self.rows.iter().map(|row| row.id.len()).max().unwrap_or(0).max(4);
        println!("\n{:<width$}  {:>14}  {:<10}  {:<4}  what", self.name, "value", "aim", "ok");
        for row in &self.rows {
            let value = match &row.value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let value = format!("{value} {}", row.unit);
            let ok = if row.ok { "yes" } else { "NO" };
            println!("{:<width$}  {:>14}  {:<10}  {ok:<4}  {}", row.id, value.trim(), row.aim, row.what);
        }
    }

    /// Writes the JSON form, if a file is named.
    pub(crate) fn write(&self, file: Option<&Path>) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        let text = serde_json::to_string_pretty(self)?;
        fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
    }
}

/// One line about this machine.
fn machine(workspace: &Workspace) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok())
        .map_or_else(String::new, |kib| format!(", {} GiB", kib / 1024 / 1024));
    let system = field_with("/etc/os-release", "PRETTY_NAME", '=').unwrap_or_default();
    let kernel = process::first_line(Command::new("uname").arg("-r")).unwrap_or_default();
    format!("{cores} cores {cpu}{memory}; {system}, Linux {kernel}; {}", workspace.rustc_version())
}

fn field(file: &str, name: &str) -> Option<String> {
    field_with(file, name, ':')
}

fn field_with(file: &str, name: &str, separator: char) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(separator)?.1.trim().trim_matches('"').to_owned())
}
