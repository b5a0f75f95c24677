//! First figures, on release builds: chat between two organisations, joining, and a server at rest.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{
    claims::{first_frame, until_first_frame},
    evidence::media::percentile,
    organisation::{Organisation, Ports, Start},
    person::{Entry, Person},
    plot,
    scene::entry,
    table::{self, Figure, Gathered},
};

/// What is measured with what.
pub(crate) struct Bench<'a> {
    /// `conclave-server`, release.
    pub(crate) server: &'a Path,
    /// `conclave`, release.
    pub(crate) client: &'a Path,
    /// `conclave-load`, release.
    pub(crate) load: &'a Path,
    /// Clips.
    pub(crate) media: &'a Path,
    /// Where state is kept, and where the plot goes.
    pub(crate) state: &'a Path,
}

const PASSWORD: &str = "no secret at all";

/// Runs one; prints the table, writes plot and JSON.
pub(crate) fn run(bench: &Bench<'_>, name: &str, json: Option<&Path>) -> Result<bool> {
    let folder = bench.state.join(name);
    let _ = fs::remove_dir_all(&folder);
    let mut gathered = Gathered::default();
    match name {
        "federation" => bench.federation(&folder, &mut gathered)?,
        "join" => bench.join(&folder, &mut gathered)?,
        "rest" => bench.rest(&folder, &mut gathered)?,
        other => bail!("there is no bench {other}; there are federation, join, rest"),
    }
    table::print_figures(name, &gathered);
    let plot = bench.state.join(format!("{name}.svg"));
    fs::write(&plot, plot::bars(name, &gathered))?;
    println!("\nplot: {}", plot.display());
    let ok = gathered.rows.iter().all(|row| row.ok);
    if let Some(file) = json {
        table::write_figures(name, &gathered, file)?;
    }
    Ok(ok)
}

impl Bench<'_> {
    fn organisations(&self, folder: &Path) -> Result<(Organisation, Organisation)> {
        let folders = [folder.join("north"), folder.join("south")];
        let trusted = folders.each_ref().map(|folder| Organisation::certificate_in(folder));
        let mut north = Organisation::init(self.server, "north", &folders[0], Ports::free()?, &trusted)?;
        let mut south = Organisation::init(self.server, "south", &folders[1], Ports::free()?, &trusted)?;
        north.add_user("alice", PASSWORD)?;
        south.add_user("bob", PASSWORD)?;
        north.start(&Start::default())?;
        south.start(&Start::default())?;
        Ok((north, south))
    }

    fn federation(&self, folder: &Path, gathered: &mut Gathered) -> Result<()> {
        let (mut north, mut south) = self.organisations(folder)?;
        let servers = [north.id()?, south.id()?];
        let latency = self.load(&north, &south, &["latency", "--messages", "500"])?;
        for (name, aim) in [("p50_ms", 4.7), ("p99_ms", f64::INFINITY)] {
            let what = format!("chat alice@north to bob@south, synced at both, {name}");
            let value = latency[name].as_f64().context("no figure")?;
            let figure =
                if aim.is_finite() { Figure::at_most(value, "ms", aim) } else { Figure::noted(value, "ms") };
            gathered.figure(&format!("federation.latency.{name}"), what, figure);
        }
        let before = cpu_seconds(&servers)?;
        let one = self.load(&north, &south, &["throughput", "--messages", "20000"])?;
        let cpu = cpu_seconds(&servers)? - before;
        let rate = one["msgs_per_s"].as_f64().context("no figure")?;
        gathered.figure("federation.one_meeting.msgs_per_s", "one meeting, 32 in flight", {
            Figure::at_least(rate, "1/s", 3400.0)
        });
        let sixteen =
            self.load(&north, &south, &["throughput", "--messages", "20000", "--meetings", "16"])?;
        let rate = sixteen["msgs_per_s"].as_f64().context("no figure")?;
        gathered.figure("federation.sixteen_meetings.msgs_per_s", "sixteen meetings, 32 in flight", {
            Figure::noted(rate, "1/s")
        });
        let messages = one["messages"].as_f64().context("no figure")?;
        gathered.figure(
            "federation.cpu_s_per_1000",
            "CPU of both servers for 1,000 messages, one meeting",
            Figure::at_most(cpu * 1000.0 / messages, "s", 0.5),
        );
        let largest = servers.iter().map(|id| memory_mib(*id, "VmHWM")).collect::<Result<Vec<_>>>()?;
        let largest = largest.into_iter().fold(0.0, f64::max);
        gathered.figure("federation.rss_mib", "most memory of a server", Figure::noted(largest, "MiB"));
        south.stop()?;
        north.stop()
    }

    fn load(&self, north: &Organisation, south: &Organisation, words: &[&str]) -> Result<Value> {
        println!("load: {}", words.join(" "));
        let output = Command::new(self.load)
            .args(["--north", &north.domain, "--south", &south.domain, "--password", PASSWORD])
            .arg("--north-ca")
            .arg(north.certificate())
            .arg("--south-ca")
            .arg(south.certificate())
            .args(words)
            .output()
            .with_context(|| format!("cannot run {}", self.load.display()))?;
        ensure!(output.status.success(), "the load failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn join(&self, folder: &Path, gathered: &mut Gathered) -> Result<()> {
        const TIMES: usize = 20;
        let (mut north, mut south) = self.organisations(folder)?;
        let people = folder.join("people");
        fs::create_dir_all(&people)?;
        let sign_in = |home: &Organisation, user: &str| {
            let address = format!("{user}@{}", home.domain);
            Person::sign_in(self.client, &people, &address, PASSWORD, &home.certificate())
        };
        let (alice, bob) = (sign_in(&north, "alice")?, sign_in(&south, "bob")?);
        let speech = self.media.join("speech.ogg").display().to_string();
        let created = alice.create("Join", &[])?;
        let talking = alice.join(&created.meeting, &entry(&["--send-audio", &speech]))?;
        talking.entered()?;
        let mut times = Vec::new();
        for round in 1..=TIMES {
            let call = bob.join(&created.link, &Entry::default())?;
            first_frame(&call, &alice.address, "audio")?;
            times.push(until_first_frame(&call).context("no first frame")?);
            println!("join {round} of {TIMES}");
            call.leave()?;
            talking.roster_of_last(&[&alice.address])?;
        }
        times.sort_by(f64::total_cmp);
        let what = "from pressing join to the first decrypted frame, across organisations, 20 times";
        gathered.figure("join.first_frame.p50_ms", what, Figure::noted(percentile(&times, 0.5), "ms"));
        talking.leave()?;
        south.stop()?;
        north.stop()
    }

    fn rest(&self, folder: &Path, gathered: &mut Gathered) -> Result<()> {
        let place = folder.join("north");
        let mut north = Organisation::init(self.server, "north", &place, Ports::free()?, &[])?;
        let mut starts = Vec::new();
        for _ in 0..5 {
            starts.push(north.start(&Start::default())?.as_secs_f64());
            north.stop()?;
        }
        starts.sort_by(f64::total_cmp);
        north.start(&Start::default())?;
        thread::sleep(Duration::from_secs(3));
        let resident = memory_mib(north.id()?, "VmRSS")?;
        gathered.figure("rest.rss_mib", "memory of a server at rest", Figure::at_most(resident, "MiB", 40.0));
        gathered.figure("rest.start_s", "from start to ready, median of 5", {
            Figure::noted(percentile(&starts, 0.5), "s")
        });
        north.stop()
    }
}

/// User and system time of processes so far.
fn cpu_seconds(ids: &[u32]) -> Result<f64> {
    let ticks: u64 = ids
        .iter()
        .map(|id| -> Result<u64> {
            let stat = fs::read_to_string(PathBuf::from(format!("/proc/{id}/stat")))?;
            // The name may hold spaces: count from behind its parenthesis.
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let field = |number: usize| -> Result<u64> { Ok(fields.get(number).context("stat")?.parse()?) };
            Ok(field(11)? + field(12)?)
        })
        .sum::<Result<u64>>()?;
    #[expect(clippy::cast_precision_loss)] // Some thousands.
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// On every Linux that there is (`getconf CLK_TCK`).
const TICKS_PER_SECOND: f64 = 100.0;

fn memory_mib(id: u32, field: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .context("no such field")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// Name, value and unit of every figure.
pub(crate) fn values(gathered: &Gathered) -> Vec<(String, f64, String)> {
    let rows = gathered.rows.iter();
    rows.filter_map(|row| Some((row.id.clone(), row.value.as_f64()?, row.unit.to_owned()))).collect()
}
