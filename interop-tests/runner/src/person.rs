//! A person with an account, who uses the client `conclave` as a script would: commands, JSON lines.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::process::{Line, Process};

/// An account on this machine.
#[derive(Clone)]
pub(crate) struct Person {
    /// `alice@north.localhost:7443`.
    pub(crate) address: String,
    /// Where the client keeps keys and session.
    pub(crate) home: PathBuf,
    program: PathBuf,
    log: PathBuf,
    /// The certificates that it trusts, in the environment as in the shells that the demo prepares.
    ca: PathBuf,
    secrets: Option<PathBuf>,
}

/// A meeting that was created.
#[derive(Debug, Clone)]
pub(crate) struct Created {
    /// `ID@HUB`.
    pub(crate) meeting: String,
    /// With its secret.
    pub(crate) link: String,
}

/// How somebody enters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// Further words of the command line.
    pub(crate) arguments: Vec<String>,
}

/// Somebody in a meeting, or at its door.
pub(crate) struct Call {
    /// Who.
    pub(crate) address: String,
    process: Process,
    orders: u64,
}

/// How long anything may take that is not measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

impl Person {
    /// Signs in on this machine.
    pub(crate) fn sign_in(
        program: &Path,
        folder: &Path,
        address: &str,
        password: &str,
        ca: &Path,
    ) -> Result<Self> {
        let name: String = address.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        let home = folder.join(&name);
        let log = folder.join(format!("{name}.log"));
        let (own, program, ca) = (address.to_owned(), program.to_path_buf(), ca.to_path_buf());
        let person = Self { address: own, home, program, log, secrets: None, ca };
        person.run(&["sign-in", address, "--password-stdin", "--label", "demo"], Some(password))?;
        Ok(person)
    }

    /// The same account, from now on with another build of the client.
    pub(crate) fn with_program(&self, program: &Path) -> Self {
        Self { program: program.to_path_buf(), ..self.clone() }
    }

    /// The same account; a client built with `canary` writes the secrets that it holds to a file.
    pub(crate) fn keeping_secrets(&self, file: &Path) -> Self {
        Self { secrets: Some(file.to_path_buf()), ..self.clone() }
    }

    /// Runs one command to its end; fails if it does.
    pub(crate) fn run(&self, arguments: &[&str], input: Option<&str>) -> Result<Vec<Value>> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            writeln!(stdin, "{input}")?;
        }
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let what = || format!("{}: conclave {}: {text}{errors}", self.address, arguments.join(" "));
        ensure!(output.status.success(), what());
        text.lines().map(|line| serde_json::from_str(line).with_context(what)).collect()
    }

    /// Creates a meeting.
    pub(crate) fn create(&self, title: &str, arguments: &[&str]) -> Result<Created> {
        let lines = self.run(&[&["meeting", "create", "--title", title], arguments].concat(), None)?;
        let text = |name: &str| lines.iter().find_map(|line| line[name].as_str()).map(str::to_owned);
        let meeting = text("meeting").context("no meeting was created")?;
        Ok(Created { meeting, link: text("link").unwrap_or_default() })
    }

    /// Invites somebody.
    pub(crate) fn invite(&self, meeting: &str, address: &str) -> Result<()> {
        self.run(&["meeting", "invite", meeting, address], None).map(drop)
    }

    /// Waits for an invitation to a meeting; gives the link in it.
    pub(crate) fn invitation(&self, meeting: &str) -> Result<Value> {
        let process =
            Process::start(&self.address, &mut self.command(&["invitations", "--follow"]), &self.log)?;
        let wanted = |line: &Line| event(line).filter(|event| event["meeting"] == meeting);
        process.wait(0, "invitation", PATIENCE, wanted).map(|(_, invitation)| invitation)
    }

    /// Goes to a meeting's door.
    pub(crate) fn join(&self, meeting: &str, entry: &Entry) -> Result<Call> {
        let arguments: Vec<&str> = entry.arguments.iter().map(String::as_str).collect();
        let mut command = self.command(&[&["join", meeting], arguments.as_slice()].concat());
        let process = Process::start(&self.address, &mut command, &self.log)?;
        Ok(Call { address: self.address.clone(), process, orders: 0 })
    }

    /// Comes to a meeting as a guest who has no account, for a few seconds; gives all that the client says.
    pub(crate) fn as_guest(&self, link: &str, name: &str, ca: &Path) -> Result<Vec<Value>> {
        let ca = ca.display().to_string();
        let mut command =
            self.command(&["join", link, "--guest", name, "--ca", &ca, "--for", "3", "--no-media"]);
        let output = command.stdin(Stdio::null()).output().context("the guest's client")?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let _ = fs::create_dir_all(self.home.parent().unwrap_or(Path::new(".")));
        let mut command = Command::new(&self.program);
        command.env("CONCLAVE_HOME", &self.home).env("CONCLAVE_CA", &self.ca).arg("--json").args(arguments);
        if let Some(file) = &self.secrets {
            command.env("CONCLAVE_CANARY_FILE", file);
        }
        command
    }
}

impl Call {
    /// Waits until the person is in the room.
    pub(crate) fn entered(&self) -> Result<Duration> {
        let started = Instant::now();
        self.wait("entering", |event| (event["event"] == "joined").then_some(())).map(|()| started.elapsed())
    }

    /// Waits for an event that `wanted` takes, from the first one on.
    pub(crate) fn wait<T>(&self, what: &str, wanted: impl FnMut(&Value) -> Option<T>) -> Result<T> {
        self.wait_from(0, what, PATIENCE, wanted)
    }

    /// Waits for an event after the first `from` lines.
    pub(crate) fn wait_from<T>(
        &self,
        from: usize,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Value) -> Option<T>,
    ) -> Result<T> {
        self.process.wait(from, what, limit, |line| wanted(&event(line)?)).map(|(_, found)| found)
    }

    /// All events so far, with their times.
    pub(crate) fn events(&self) -> Vec<(Instant, Value)> {
        self.process.lines_from(0).iter().filter_map(|line| Some((line.at, event(line)?))).collect()
    }

    /// How many lines have come; for [`Self::wait_from`].
    pub(crate) fn heard(&self) -> usize {
        self.process.heard()
    }

    /// Waits until the roster shows exactly these people; gives the roster.
    pub(crate) fn roster_of(&self, addresses: &[&str], limit: Duration) -> Result<Value> {
        let mut wanted: Vec<&str> = addresses.to_vec();
        wanted.sort_unstable();
        let what = format!("roster of {}", wanted.join(", "));
        self.wait_from(0, &what, limit, |event| (users(event)? == wanted).then(|| event.clone()))
    }

    /// Waits until the last roster shows exactly these people.
    pub(crate) fn roster_of_last(&self, addresses: &[&str]) -> Result<()> {
        let from = self.heard();
        if self.last("roster").is_some_and(|roster| users(&roster).as_deref() == Some(addresses)) {
            return Ok(());
        }
        self.wait_from(from, "a smaller roster", PATIENCE, |event| (users(event)? == addresses).then_some(()))
    }

    /// The last event of a name.
    pub(crate) fn last(&self, name: &str) -> Option<Value> {
        self.events().into_iter().rev().map(|(_, event)| event).find(|event| event["event"] == name)
    }

    /// The names of the events that came after the first `from` lines, without repetition.
    pub(crate) fn names_from(&self, from: usize) -> Vec<String> {
        let lines = self.process.lines_from(from);
        let mut names: Vec<String> =
            lines.iter().filter_map(|line| Some(event(line)?["event"].as_str()?.to_owned())).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Gives an order and waits for its result: `Ok` if it was done, the reason if it was refused.
    pub(crate) fn order(&mut self, mut order: Value) -> Result<Result<(), String>> {
        self.orders += 1;
        let id = self.orders;
        order["id"] = json!(id);
        let from = self.heard();
        self.tell(&order)?;
        let what = format!("result of {order}");
        self.wait_from(from, &what, PATIENCE, |event| {
            (event["id"] == id).then(|| match event["reason"].as_str() {
                Some(reason) if event["event"] == "error" => Err(reason.to_owned()),
                _ => Ok(()),
            })
        })
    }

    /// Says something to all.
    pub(crate) fn chat(&mut self, text: &str) -> Result<()> {
        self.tell(&json!({ "cmd": "chat", "text": text }))
    }

    /// How it ended for this person: the reason of the event `over`, or of an error.
    pub(crate) fn over(&self, limit: Duration) -> Result<String> {
        self.wait_from(0, "end of the call", limit, |event| match event["event"].as_str()? {
            "over" | "error" => Some(format!(
                "{}: {}",
                event["reason"].as_str().unwrap_or_default(),
                event["message"].as_str().unwrap_or_default()
            )),
            _ => None,
        })
    }

    /// Waits for a chat message.
    pub(crate) fn hears(&self, text: &str, limit: Duration) -> Result<()> {
        let wanted = |event: &Value| (event["event"] == "chat" && event["text"] == text).then_some(());
        self.wait_from(0, &format!("chat {text:?}"), limit, wanted)
    }

    /// All chat heard so far: author's address and text.
    pub(crate) fn heard_chat(&self) -> Vec<(String, String)> {
        let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let chat = self.events().into_iter().map(|(_, event)| event).filter(|event| event["event"] == "chat");
        chat.map(|event| (text(&event, "from"), text(&event, "text"))).collect()
    }

    /// Gives a command as a JSON line.
    pub(crate) fn tell(&mut self, command: &Value) -> Result<()> {
        self.process.say(&command.to_string())
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Leaves, and waits until the client has ended.
    pub(crate) fn leave(mut self) -> Result<()> {
        self.tell(&json!({ "cmd": "leave" }))?;
        let ended = self.process.ended(PATIENCE)?;
        ensure!(ended.is_some(), "{} does not leave\n{}", self.address, self.process.tail());
        Ok(())
    }

    /// Waits until the client ends by itself; gives whether it ended well.
    pub(crate) fn ended(&mut self, limit: Duration) -> Result<Option<bool>> {
        Ok(self.process.ended(limit)?.map(|status| status.success()))
    }
}

/// One JSON line.
fn event(line: &Line) -> Option<Value> {
    serde_json::from_str(&line.text).ok()
}

/// The sorted user addresses of a roster event.
pub(crate) fn users(event: &Value) -> Option<Vec<&str>> {
    if event["event"] != "roster" {
        return None;
    }
    let mut users: Vec<&str> =
        event["members"].as_array()?.iter().filter_map(|member| member["address"].as_str()).collect();
    users.sort_unstable();
    Some(users)
}
