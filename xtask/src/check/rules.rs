//! The numbered rules of the spec: each stands in code and has a test named after it; code names no other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::Findings;
use crate::workspace::{Source, Workspace};

/// Fails on rules without code or test, on rules twice defined, and on numbers that the spec does not know.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let sources = workspace.sources(&["md", "rs", "proto", "ts"])?;
    Ok(compare(&sources))
}

fn compare(sources: &[Source]) -> Findings {
    let mut findings = Findings::new();
    let mut defined: BTreeMap<String, String> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.path.starts_with("spec/")) {
        for rule in definitions(&source.text) {
            if let Some(first) = defined.insert(rule.clone(), source.path.clone()) {
                findings.push(format!("{rule} is defined in {first} and in {}", source.path));
            }
        }
    }
    let mut mentioned: BTreeSet<String> = BTreeSet::new();
    let mut tested: BTreeSet<String> = BTreeSet::new();
    for source in sources {
        let code = !source.path.starts_with("spec/") && !source.path.starts_with("xtask/");
        for (line, rule) in mentions(&source.text) {
            if !defined.contains_key(&rule) && !source.path.starts_with("xtask/") {
                findings.push(format!("{}:{line}: the spec has no rule {rule}", source.path));
            }
            if code {
                mentioned.insert(rule);
            }
        }
        if code {
            tested.extend(tests(&source.text));
        }
    }
    for (rule, path) in &defined {
        if !mentioned.contains(rule) {
            findings.push(format!("{path}: {rule} stands nowhere in code"));
        }
        if !tested.contains(rule) {
            findings
                .push(format!("{path}: {rule} has no test `fn {}_…`", rule.to_lowercase().replace('-', "_")));
        }
    }
    findings
}

/// `**MTG-07.**` at the start of a rule.
fn definitions(text: &str) -> Vec<String> {
    text.split("**")
        .skip(1)
        .step_by(2)
        .filter_map(|bold| bold.strip_suffix('.'))
        .filter_map(rule_at_start)
        .collect()
}

/// Every `MTG-07` in the text, with its line.
fn mentions(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices('-') {
            let Some(start) = at.checked_sub(3) else { continue };
            let Some(candidate) = line.get(start..at + 3) else { continue };
            let before = line[..start].chars().next_back();
            let after = line[at + 3..].chars().next();
            let alone = !before.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_')
                && !after.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_');
            if alone && let Some(rule) = rule_at_start(candidate) {
                found.push((number + 1, rule));
            }
        }
    }
    found
}

/// Three capitals, a hyphen and two digits, and nothing else. Some names of the trade have that form too.
fn rule_at_start(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let form = bytes.len() == 6
        && bytes[..3].iter().all(u8::is_ascii_uppercase)
        && bytes[3] == b'-'
        && bytes[4..].iter().all(u8::is_ascii_digit);
    (form && !OTHER_NAMES.contains(&&text[..3])).then(|| text.to_owned())
}

const OTHER_NAMES: [&str; 4] = ["UTF", "ISO", "RFC", "UTC"];

/// The rules that test functions are named after: `#[test]` some lines above `fn mtg_07_…`.
fn tests(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let Some(name) = code.strip_prefix("fn ").or_else(|| code.strip_prefix("async fn ")) else {
            continue;
        };
        let marked = lines[number.saturating_sub(4)..number].iter().any(|line| {
            let line = line.trim();
            line.starts_with("#[") && (line.contains("test]") || line.contains("test("))
        });
        if let (true, Some(rule)) = (marked, rule_of_test(name)) {
            found.push(rule);
        }
    }
    found
}

fn rule_of_test(name: &str) -> Option<String> {
    let mut parts = name.split('_');
    let (prefix, number) = (parts.next()?, parts.next()?);
    parts.next()?;
    rule_at_start(&format!("{}-{number}", prefix.to_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "**ABC-01.** One thing holds.\nSee ABC-01.\n";
    const CODE: &str = "// ABC-01\nfn x() {}\n#[test]\nfn abc_01_holds() {}\n";

    fn findings(spec: &str, code: &str) -> Findings {
        let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        compare(&[source("spec/01.md", spec), source("core/src/x.rs", code)])
    }

    #[test]
    fn a_rule_with_code_and_test_passes() {
        assert_eq!(findings(SPEC, CODE), Findings::new());
    }

    #[test]
    fn a_rule_without_code_or_test_is_found() {
        assert_eq!(findings(SPEC, "").len(), 2);
        assert_eq!(findings(SPEC, "// ABC-01\nfn abc_01_is_no_test() {}\n").len(), 1);
    }

    #[test]
    fn an_unknown_number_and_a_second_definition_are_found() {
        assert_eq!(findings(SPEC, &format!("{CODE}// ABC-02\n")).len(), 1);
        assert_eq!(findings(&format!("{SPEC}**ABC-01.** Again.\n"), CODE).len(), 1);
    }

    #[test]
    fn names_of_the_trade_are_no_rules() {
        assert!(mentions("UTF-16 SHA-256 AES-128 X-ABC-01 ABC-012").is_empty());
    }
}
