//! A path of somebody's machine in a file helps nobody and tells too much.

use anyhow::Result;

use super::Findings;
use crate::workspace::Workspace;

/// First parts of such paths; written in two halves, so that this file is clean.
const ROOTS: [(&str, &str); 4] = [("/ro", "ot/"), ("/wo", "rk/"), ("/ho", "me/"), ("/Us", "ers/")];

/// Fails where one stands.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let mut findings = Findings::new();
    for source in workspace.sources(&[])? {
        for (number, line) in source.text.lines().enumerate() {
            if ROOTS.iter().any(|(a, b)| names(line, &format!("{a}{b}"))) {
                findings.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    Ok(findings)
}

/// Whether the line has the path at the start of a word: `a/home/b` is a relative path.
fn names(line: &str, root: &str) -> bool {
    line.match_indices(root).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-*}>)/".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_path_is_found_and_a_relative_one_is_not() {
        let root = format!("{}{}", ROOTS[2].0, ROOTS[2].1);
        assert!(names(&format!("see {root}ann/x"), &root));
        assert!(names(&format!("\"{root}ann\""), &root));
        assert!(!names("src/home/page.rs", &root));
    }
}
