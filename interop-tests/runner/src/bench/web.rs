//! What a person waits for in a browser. The measuring is done by the page's own tests, in Chromium.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::Bench;
use crate::{
    evidence::media::percentile,
    table::{Figure, Gathered},
};

/// What the script prints last.
#[derive(Deserialize)]
struct Measured {
    interactive: Vec<f64>,
    bytes: f64,
    frames: Vec<f64>,
}

impl Bench<'_> {
    /// A cold load of the start page, and joining.
    pub(super) fn web(&self, folder: &Path, gathered: &mut Gathered) -> Result<()> {
        let output = Command::new("node")
            .arg("browser-tests/bench.mjs")
            .current_dir(self.page)
            .env("CONCLAVE_SERVER", self.server)
            .env("CONCLAVE_STATE", folder)
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run node")?;
        ensure!(output.status.success(), "the browser's part failed");
        let text = String::from_utf8(output.stdout)?;
        let last = text.lines().last().context("the browser's part measured nothing")?;
        let Measured { mut interactive, bytes, mut frames } = serde_json::from_str(last)?;
        interactive.sort_by(f64::total_cmp);
        frames.sort_by(f64::total_cmp);
        let (median, slow) = (percentile(&interactive, 0.5), percentile(&interactive, 0.95));
        let what = "cold load of the start page until the first field can be used, median";
        gathered.figure("web.interactive_ms", what, Figure::at_most(median, "ms", 1000.0));
        gathered.figure("web.interactive_p95_ms", "the same, 95th percentile", Figure::noted(slow, "ms"));
        let what = "all that a cold load transfers, core included, headers too";
        gathered.figure("web.bytes_compressed", what, Figure::at_most(bytes, "B", 900_000.0));
        let (median, slow) = (percentile(&frames, 0.5), percentile(&frames, 0.95));
        let what = "from Join now to the first picture of somebody at another organisation, median";
        gathered.figure("web.join_to_first_frame_ms", what, Figure::noted(median, "ms"));
        gathered.figure(
            "web.join_to_first_frame_p95_ms",
            "the same, 95th percentile",
            Figure::noted(slow, "ms"),
        );
        Ok(())
    }
}
