//! The CPU time that processes have used (Linux).

use std::{fs, time::Duration};

use anyhow::{Context, Result};

use crate::sfu::Sfu;

/// Ticks a second in `/proc/PID/stat`; 100 on every Linux of today.
const TICKS: u64 = 100;

/// User and system time of all.
pub(crate) fn of(sfus: &[Sfu]) -> Result<Duration> {
    let mut ticks = 0;
    for sfu in sfus {
        let stat = fs::read_to_string(format!("/proc/{}/stat", sfu.pid()))?;
        // The second field, the name, ends with the last parenthesis.
        let (_, fields) = stat.rsplit_once(") ").context("an unreadable stat")?;
        for field in fields.split(' ').skip(11).take(2) {
            ticks += field.parse::<u64>()?;
        }
    }
    Ok(Duration::from_millis(ticks * 1_000 / TICKS))
}
