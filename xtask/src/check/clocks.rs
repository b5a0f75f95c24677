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
    let core: Vec<&Source> = sources.iter().filter(|source| source.path.starts_with("core/src/")).collect();
    let tests = test_files(&core);
    Ok(core.into_iter().filter(|source| !tests.contains(&source.path)).flat_map(scan).collect())
}

/// Files whose module is declared under `#[cfg(test)]` in the file above; they never run in a program.
fn test_files(core: &[&Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in core {
        let folder = source.path.trim_end_matches("mod.rs").trim_end_matches("lib.rs");
        let folder =
            folder.strip_suffix(".rs").map_or_else(|| folder.to_owned(), |module| format!("{module}/"));
        let lines: Vec<&str> = source.text.lines().collect();
        for pair in lines.windows(2) {
            if pair[0] == TEST_ONLY
                && let Some(name) = pair[1].strip_prefix("mod ").and_then(|n| n.strip_suffix(';'))
            {
                found.push(format!("{folder}{name}.rs"));
            }
        }
    }
    found
}

const TEST_ONLY: &str = "#[cfg(test)]";

fn scan(source: &Source) -> Findings {
    let mut findings = Findings::new();
    let program = source.text.lines().take_while(|line| *line != TEST_ONLY);
    for (number, line) in program.enumerate() {
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
        assert!(scan(&of("fn f() {}\n#[cfg(test)]\nmod tests { std::env::var(x) }")).is_empty());
    }

    #[test]
    fn a_module_for_tests_is_known_by_its_declaration() {
        let text = "#[cfg(test)]\nmod vectors;\nmod keys;\n".to_owned();
        let source = Source { path: "core/src/identity/mod.rs".to_owned(), text };
        assert_eq!(test_files(&[&source]), ["core/src/identity/vectors.rs"]);
    }
}
