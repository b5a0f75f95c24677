//! A server that nobody uses.

use std::{path::Path, thread, time::Duration};

use anyhow::Result;

use super::{Bench, process::memory_mib};
use crate::{
    evidence::media::percentile,
    organisation::{Organisation, Ports, Start},
    table::{Figure, Gathered},
};

impl Bench<'_> {
    /// Memory, and how long a start takes.
    pub(super) fn rest(&self, folder: &Path, gathered: &mut Gathered) -> Result<()> {
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
