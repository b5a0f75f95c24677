//! A program that runs beside us: its lines are kept, its end is noticed, and it dies with its owner.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// A running program.
pub(crate) struct Process {
    /// What messages call it.
    pub(crate) name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Arc<Lines>,
    log: PathBuf,
}

/// Lines of standard output with the time at which each came.
#[derive(Default)]
struct Lines {
    kept: Mutex<Kept>,
    more: Condvar,
}

#[derive(Default)]
struct Kept {
    lines: Vec<Line>,
    closed: bool,
}

/// One line.
#[derive(Clone)]
pub(crate) struct Line {
    /// When it was read.
    pub(crate) at: Instant,
    /// Without its end.
    pub(crate) text: String,
}

impl Process {
    /// Starts it; standard error is appended to `log`.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let errors = File::options().create(true).append(true).open(log)?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {name}: {command:?}"))?;
        let lines = Arc::new(Lines::default());
        let output = child.stdout.take().context("no standard output")?;
        let shared = Arc::clone(&lines);
        thread::spawn(move || shared.read(output));
        let stdin = child.stdin.take();
        Ok(Self { name: name.to_owned(), child, stdin, lines, log: log.to_path_buf() })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes one line to its standard input.
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its standard input is closed")?;
        writeln!(stdin, "{line}")
            .and_then(|()| stdin.flush())
            .with_context(|| format!("{} is gone", self.name))
    }

    /// How many lines have come.
    pub(crate) fn heard(&self) -> usize {
        self.lines.kept.lock().unwrap_or_else(PoisonError::into_inner).lines.len()
    }

    /// All lines from number `from`.
    pub(crate) fn lines_from(&self, from: usize) -> Vec<Line> {
        let kept = self.lines.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.lines.get(from..).unwrap_or_default().to_vec()
    }

    /// The first line from number `from` for which `wanted` gives something; fails with `what` when the time is over.
    pub(crate) fn wait<T>(
        &self,
        from: usize,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Line) -> Option<T>,
    ) -> Result<(usize, T)> {
        let end = Instant::now() + limit;
        let mut next = from;
        let mut kept = self.lines.kept.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            while let Some(line) = kept.lines.get(next) {
                next += 1;
                if let Some(found) = wanted(line) {
                    return Ok((next, found));
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || kept.closed {
                let why = if kept.closed { "it ended" } else { "time is over" };
                drop(kept);
                bail!("{}: no {what}: {why}\n{}", self.name, self.tail());
            }
            kept = self.lines.more.wait_timeout(kept, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM, end of input), and kills it if it does not.
    pub(crate) fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        drop(self.stdin.take());
        let _ = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        if let Some(status) = self.ended(limit)? {
            Ok(status)
        } else {
            self.kill()?;
            bail!("{} did not stop within {} s", self.name, limit.as_secs())
        }
    }

    /// Waits for its own end.
    pub(crate) fn ended(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The last lines of its output and log, for messages.
    pub(crate) fn tail(&self) -> String {
        let lines = self.lines_from(self.heard().saturating_sub(8));
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let log: Vec<&str> = log.lines().collect();
        let log = log[log.len().saturating_sub(8)..].join("\n    ");
        let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        format!("  last output:\n    {}\n  last log:\n    {log}", lines.join("\n    "))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lines {
    fn read(&self, output: impl std::io::Read) {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { break };
            let text = String::from_utf8_lossy(&line).into_owned();
            self.add(Some(Line { at: Instant::now(), text }));
        }
        self.add(None);
    }

    fn add(&self, line: Option<Line>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match line {
            Some(line) => kept.lines.push(line),
            None => kept.closed = true,
        }
        drop(kept);
        self.more.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_awaited_and_a_missing_one_is_reported_with_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut shell = Command::new("sh");
        let process =
            Process::start("sh", shell.args(["-c", "echo one; echo two; echo oh >&2"]), &log).unwrap();
        let second = |line: &Line| (line.text == "two").then_some(());
        let (next, ()) = process.wait(0, "two", Duration::from_secs(10), second).unwrap();
        assert_eq!(next, 2);
        let error =
            process.wait(next, "three", Duration::from_secs(10), |_| None::<()>).unwrap_err().to_string();
        assert!(error.contains("no three: it ended"), "{error}");
    }
}
