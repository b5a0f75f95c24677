//! What forwarding costs: CPU per delivered packet of 1,100 B, of the SFU processes alone.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Bench;
use crate::table::{Figure, Gathered};

/// Publishers x subscribers x packets a second; half of what Janus 1.1.2 took for it on a machine of two cores, us.
const LOADS: [(&str, f64); 3] = [("1x10x500", 13.9), ("4x20x200", 6.9), ("4x40x200", 6.5)];
/// What goes from one organisation's SFU to another's.
const RELAYED: &str = "4x20x200";

impl Bench<'_> {
    /// One SFU under each load, then two with a relay link between them.
    pub(super) fn forwarding(&self, gathered: &mut Gathered) -> Result<()> {
        for (load, aim) in LOADS {
            let figures = self.media_load(&[load])?;
            let what = format!("CPU of the SFU for a delivered packet, {load}");
            let value = figures["us_per_packet"].as_f64().context("no figure")?;
            gathered.figure(
                &format!("media.sfu.us_per_packet.{load}"),
                what,
                Figure::at_most(value, "us", aim),
            );
            share(gathered, &format!("media.sfu.delivered.{load}"), &figures)?;
        }
        let figures = self.media_load(&["--relay", RELAYED])?;
        let what = format!("CPU of both SFUs for a delivered packet over a relay link, {RELAYED}");
        let value = figures["us_per_packet"].as_f64().context("no figure")?;
        gathered.figure(&format!("media.relay.us_per_packet.{RELAYED}"), what, Figure::noted(value, "us"));
        share(gathered, &format!("media.relay.delivered.{RELAYED}"), &figures)
    }

    fn media_load(&self, words: &[&str]) -> Result<Value> {
        println!("load: {}", words.join(" "));
        let output = Command::new(self.media_load)
            .arg("run")
            .args(words)
            .output()
            .with_context(|| format!("cannot run {}", self.media_load.display()))?;
        ensure!(output.status.success(), "the load failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// A cheap packet that never arrives would flatter: most must.
fn share(gathered: &mut Gathered, id: &str, figures: &Value) -> Result<()> {
    let percent = 100.0 * figures["delivered_share"].as_f64().context("no figure")?;
    gathered.figure(id, "of the packets that were due, delivered", Figure::at_least(percent, "%", 90.0));
    Ok(())
}
