//! What a process has used, from /proc.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

/// User and system time of processes so far.
pub(super) fn cpu_seconds(ids: &[u32]) -> Result<f64> {
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

/// A field of /proc/ID/status that holds kB.
pub(super) fn memory_mib(id: u32, field: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .context("no such field")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
