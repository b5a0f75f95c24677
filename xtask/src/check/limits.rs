//! `spec/13-limits.md` and `core/src/limits.rs` name the same limits with the same numbers; `--fix` writes the table anew.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use anyhow::{Context, Result};

use super::{Findings, arithmetic};
use crate::workspace::Workspace;

const CODE: &str = "core/src/limits.rs";
const SPEC: &str = "spec/13-limits.md";

/// One constant of the code.
#[derive(Debug, PartialEq, Eq)]
struct Limit {
    name: String,
    /// A count, or milliseconds.
    value: u128,
    unit: &'static str,
    meaning: String,
}

/// Fails where the two differ.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let code = fs::read_to_string(workspace.root.join(CODE)).context(CODE)?;
    let spec = fs::read_to_string(workspace.root.join(SPEC)).context(SPEC)?;
    Ok(match in_code(&code) {
        Ok(limits) => compare(&limits, &spec),
        Err(findings) => findings,
    })
}

/// Writes the table of the spec from the code.
pub(super) fn fix(workspace: &Workspace) -> Result<()> {
    let code = fs::read_to_string(workspace.root.join(CODE)).context(CODE)?;
    let path = workspace.root.join(SPEC);
    let spec = fs::read_to_string(&path).context(SPEC)?;
    if let Ok(limits) = in_code(&code) {
        let kept: Vec<&str> = spec.lines().filter(|line| !line.starts_with("| `")).collect();
        fs::write(path, format!("{}\n{}", kept.join("\n"), table(&limits)))?;
    }
    Ok(())
}

fn table(limits: &[Limit]) -> String {
    let mut rows = String::new();
    for limit in limits {
        let (value, unit) = if limit.unit == "ms" && limit.value.is_multiple_of(1000) {
            (limit.value / 1000, "s")
        } else {
            (limit.value, limit.unit)
        };
        let _ = writeln!(rows, "| `{}` | {} | {unit} | {} |", limit.name, grouped(value), limit.meaning);
    }
    rows
}

fn compare(limits: &[Limit], spec: &str) -> Findings {
    let mut findings = Findings::new();
    let mut listed = in_spec(spec);
    for Limit { name, value, .. } in limits {
        match listed.remove(name.as_str()) {
            None => findings
                .push(format!("{SPEC}: {name} is missing; `cargo xtask check --fix` writes the table")),
            Some(spec) if spec != *value => {
                findings.push(format!("{SPEC}: {name} is {spec}, in code it is {value}"));
            }
            Some(_) => {}
        }
    }
    findings.extend(listed.keys().map(|name| format!("{SPEC}: {name} is not in {CODE}")));
    findings
}

/// `/// Meaning.` above `pub const NAME: TYPE = EXPRESSION;`
fn in_code(code: &str) -> Result<Vec<Limit>, Findings> {
    let values = values(code);
    let mut limits: Vec<Limit> = Vec::new();
    let mut findings = Findings::new();
    let mut meaning = String::new();
    for line in code.lines() {
        if let Some(text) = line.strip_prefix("/// ") {
            meaning = if meaning.is_empty() { text.to_owned() } else { format!("{meaning} {text}") };
            continue;
        }
        if let Some((name, kind, expression)) = constant(line) {
            if let Some(value) = values.get(name) {
                let unit = unit(kind, &meaning);
                let meaning = meaning.trim_end_matches('.').replace('|', "\\|");
                limits.push(Limit { name: name.to_owned(), value: *value, unit, meaning });
            } else {
                findings.push(format!("{CODE}: {name} = {expression}: cannot be read"));
            }
        }
        meaning.clear();
    }
    if findings.is_empty() { Ok(limits) } else { Err(findings) }
}

/// The constants that can be read; one may stand on another that comes later.
fn values(code: &str) -> BTreeMap<String, u128> {
    let mut known = BTreeMap::new();
    loop {
        let before = known.len();
        for (name, _, expression) in code.lines().filter_map(constant) {
            if let Some(value) = arithmetic::evaluate(expression, &known) {
                known.insert(name.to_owned(), value);
            }
        }
        if known.len() == before {
            return known;
        }
    }
}

fn constant(line: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = line.strip_prefix("pub const ")?.split_once(':')?;
    let (kind, expression) = rest.split_once('=')?;
    Some((name.trim(), kind.trim(), expression.trim().trim_end_matches(';')))
}

fn unit(kind: &str, meaning: &str) -> &'static str {
    if kind.ends_with("Duration") {
        return "ms";
    }
    let named = ["bytes", "characters"].into_iter().find(|unit| meaning.contains(&format!(", {unit}")));
    named.unwrap_or("")
}

/// Rows `| `NAME` | number | unit | meaning |`; times stand in milliseconds or seconds, by their unit.
fn in_spec(spec: &str) -> BTreeMap<&str, u128> {
    spec.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let name = cells.next()?.trim_end_matches('`');
            let number: u128 = cells.next()?.replace(',', "").parse().ok()?;
            let factor = if cells.next()? == "s" { 1000 } else { 1 };
            Some((name, number * factor))
        })
        .collect()
}

/// `1234567` as `1,234,567`.
fn grouped(value: u128) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "/// How long.\npub const A: Duration = Duration::from_secs(5 * 60);\n\
        /// Largest, bytes.\npub const B: usize = 64 * 1_024;\npub const C: usize = D + 1;\npub const D: usize = 1;\n";

    #[test]
    fn equal_limits_pass_and_different_ones_are_named() {
        let limits = in_code(CODE).unwrap();
        assert!(compare(&limits, &table(&limits)).is_empty());
        assert_eq!(compare(&limits, "| `A` | 301 | s | x |\n| `E` | 1 | bytes | y |").len(), 5);
    }

    #[test]
    fn the_table_has_units_and_grouped_numbers() {
        let table = table(&in_code(CODE).unwrap());
        assert!(table.contains("| `A` | 300 | s | How long |"), "{table}");
        assert!(table.contains("| `B` | 65,536 | bytes | Largest, bytes |"), "{table}");
    }
}
