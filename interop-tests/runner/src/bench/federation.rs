//! Chat from alice@north to bob@south, every entry synced at both servers before it is acknowledged.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    Bench, PASSWORD,
    process::{cpu_seconds, memory_mib},
};
use crate::{
    organisation::Organisation,
    table::{Figure, Gathered},
};

impl Bench<'_> {
    pub(super) fn federation(&self, folder: &Path, gathered: &mut Gathered) -> Result<()> {
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
}
