//! `spec/13-limits.md` and `core/src/limits.rs` name the same limits with the same numbers.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Findings;
use crate::workspace::Workspace;

const CODE: &str = "core/src/limits.rs";
const SPEC: &str = "spec/13-limits.md";

/// Fails where the two differ.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let sources = workspace.sources(&["rs", "md"])?;
    let text =
        |path: &str| sources.iter().find(|source| source.path == path).map(|source| source.text.as_str());
    let (Some(code), Some(spec)) = (text(CODE), text(SPEC)) else {
        return Ok(vec![format!("{CODE} or {SPEC} is missing")]);
    };
    Ok(compare(code, spec))
}

fn compare(code: &str, spec: &str) -> Findings {
    let mut findings = Findings::new();
    let mut listed = in_spec(spec);
    for (name, expression) in in_code(code) {
        let value = milliseconds_or_count(expression);
        match (value, listed.remove(name)) {
            (None, _) => {
                findings.push(format!("{CODE}: {name} = {expression}: cannot be read; write numbers and *"));
            }
            (Some(value), None) => findings.push(format!("{SPEC}: {name} is missing; it is {value}")),
            (Some(value), Some(spec)) if value != spec => {
                findings.push(format!("{SPEC}: {name} is {spec}, in code it is {value}"));
            }
            _ => {}
        }
    }
    findings.extend(listed.keys().map(|name| format!("{SPEC}: {name} is not in {CODE}")));
    findings
}

/// `pub const NAME: TYPE = EXPRESSION;`
fn in_code(code: &str) -> Vec<(&str, &str)> {
    code.lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().strip_prefix("pub const ")?.split_once(':')?;
            let (_, expression) = rest.split_once('=')?;
            Some((name.trim(), expression.trim().trim_end_matches(';')))
        })
        .collect()
}

/// Rows `| `NAME` | number | unit | meaning |`; times stand in milliseconds or seconds, by their unit.
fn in_spec(spec: &str) -> BTreeMap<&str, u128> {
    spec.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let name = cells.next()?.trim_end_matches('`');
            let number: u128 = cells.next()?.replace(',', "").parse().ok()?;
            let factor = if matches!(cells.next()?, "s" | "seconds") { 1000 } else { 1 };
            Some((name, number * factor))
        })
        .collect()
}

/// A count as it is, a duration in milliseconds.
fn milliseconds_or_count(expression: &str) -> Option<u128> {
    const UNITS: [(&str, u128); 4] =
        [("from_millis", 1), ("from_secs", 1000), ("from_mins", 60_000), ("from_hours", 3_600_000)];
    let (inner, factor) = match expression.strip_prefix("Duration::") {
        Some(call) => {
            let (unit, inner) = call.strip_suffix(')')?.split_once('(')?;
            (inner, UNITS.iter().find(|(name, _)| *name == unit)?.1)
        }
        None => (expression, 1),
    };
    inner
        .split('*')
        .map(|number| number.trim().replace('_', "").parse::<u128>().ok())
        .try_fold(factor, |product, number| Some(product * number?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_limits_pass_and_different_ones_are_named() {
        let code = "pub const A: Duration = Duration::from_mins(5);\npub const B: usize = 64 * 1_024;";
        assert!(compare(code, "| `A` | 300 | s | x |\n| `B` | 65,536 | bytes | y |").is_empty());
        assert_eq!(compare(code, "| `A` | 301 | s | x |\n| `C` | 1 | bytes | y |").len(), 3);
    }
}
