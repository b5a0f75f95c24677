//! Time and randomness are given to core. Clippy bans the calls; this finds what clippy cannot see: names in macros, other spellings.

use anyhow::Result;

use super::Findings;
use crate::workspace::{Source, Workspace};

/// What may not stand in core, and why.
const BANNED: [(&str, &str); 13] = [
    ("SystemTime::now", "time is given"),
    ("Instant::now", "time is given"),
    ("OsRng", "randomness is given"),
    ("SysRng", "randomness is given"),
    ("thread_rng", "randomness is given"),
    ("from_entropy", "randomness is given"),
    ("from_os_rng", "randomness is given"),
    ("getrandom(", "randomness is given"),
    ("std::net::Tcp", "core has no sockets"),
    ("std::net::Udp", "core has no sockets"),
    ("std::fs::", "core has no disk"),
    ("std::thread::", "core has no tasks"),
    ("std::env::", "core has no environment"),
];

/// Fails where one stands in core's own sources.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let sources = workspace.sources(&["rs"])?;
    Ok(sources.iter().filter(|source| source.path.starts_with("core/src/")).flat_map(scan).collect())
}

fn scan(source: &Source) -> Findings {
    let mut findings = Findings::new();
    for (number, line) in source.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (name, reason) in BANNED {
            if code.contains(name) {
                findings.push(format!("{}:{}: {name}: {reason}", source.path, number + 1));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_code_is_found_and_one_in_a_comment_is_not() {
        let of = |text: &str| Source { path: "core/src/x.rs".to_owned(), text: text.to_owned() };
        assert_eq!(scan(&of("let now = std::time::Instant::now();")).len(), 1);
        assert!(scan(&of("// never Instant::now")).is_empty());
    }
}
