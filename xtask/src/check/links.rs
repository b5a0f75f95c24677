//! Relative links in the documents lead somewhere.

use anyhow::Result;

use super::Findings;
use crate::workspace::Workspace;

/// Fails on a link to a file that is not there.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let mut findings = Findings::new();
    for source in workspace.sources(&["md"])? {
        let file = workspace.root.join(&source.path);
        let Some(folder) = file.parent() else { continue };
        for target in targets(&source.text) {
            if !folder.join(target).exists() {
                findings.push(format!("{}: there is no {target}", source.path));
            }
        }
    }
    Ok(findings)
}

/// What stands in `](…)`, without addresses elsewhere and places inside a page.
fn targets(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| {
            !target.is_empty() && !target.contains("://") && !target.contains(char::is_whitespace)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_links_are_found_and_others_are_not() {
        let text = "[a](b.md) [c](https://example.org/x) [d](#e) [f](g/h.md#i)";
        assert_eq!(targets(text), ["b.md", "g/h.md"]);
    }
}
