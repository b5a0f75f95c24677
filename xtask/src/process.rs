//! Running other programs: quietly with a moving line, or with their output shown and kept.

use std::{
    io::{BufRead, BufReader, IsTerminal, Write},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

/// What a program said.
pub(crate) struct Said {
    /// Whether it exited with 0.
    pub(crate) ok: bool,
    /// Standard output, then standard error.
    pub(crate) text: String,
}

/// Runs it to its end and keeps what it says.
pub(crate) fn quiet(command: &mut Command) -> Result<Said> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(Said { ok: output.status.success(), text })
}

/// Runs it to its end; shows its output as it comes, and keeps standard output.
pub(crate) fn shown(command: &mut Command) -> Result<Said> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    let mut text = String::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            text.push_str(&line);
            text.push('\n');
        }
    }
    Ok(Said { ok: child.wait()?.success(), text })
}

/// Runs it with the terminal as it is.
pub(crate) fn interactive(command: &mut Command) -> Result<bool> {
    Ok(command.status().with_context(|| format!("cannot run {command:?}"))?.success())
}

/// The first line of a short program's output.
pub(crate) fn first_line(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}

/// A stage that takes a while: a moving line in a terminal, one plain line elsewhere.
pub(crate) struct Stage {
    name: String,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Stage {
    /// Starts and shows it.
    pub(crate) fn start(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}  {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { name: name.to_owned(), started: Instant::now(), bar }
    }

    /// Ends it; says how it went and how long it took.
    pub(crate) fn end(self, outcome: &str) -> Duration {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        let taken = self.started.elapsed();
        println!("  {:<12} {:<8} {}", self.name, outcome, duration(taken));
        let _ = std::io::stdout().flush();
        taken
    }
}

/// A duration for people.
pub(crate) fn duration(taken: Duration) -> String {
    let seconds = taken.as_secs_f64();
    if seconds < 60.0 { format!("{seconds:.1} s") } else { format!("{:.1} min", seconds / 60.0) }
}
