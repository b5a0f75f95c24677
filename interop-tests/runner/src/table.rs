//! The table of claim, evidence and verdict, and its JSON form.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};

/// One line: something observed about a claim.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    /// Stable name below the claim: `frames.audio`.
    pub(crate) id: String,
    /// What was observed.
    pub(crate) what: String,
    /// The figure or word observed.
    pub(crate) value: Value,
    /// Of the figure.
    pub(crate) unit: &'static str,
    /// What it should be.
    pub(crate) aim: String,
    /// Whether it is.
    pub(crate) ok: bool,
}

/// The evidence gathered for one claim.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// In the order of gathering.
    pub(crate) rows: Vec<Evidence>,
}

impl Gathered {
    /// Notes whether something is so.
    pub(crate) fn is(&mut self, id: &str, what: impl Into<String>, ok: bool) {
        let value = if ok { "yes" } else { "no" };
        self.rows.push(Evidence {
            id: id.to_owned(),
            what: what.into(),
            value: json!(value),
            unit: "",
            aim: "yes".to_owned(),
            ok,
        });
    }

    /// Notes a figure with its aim.
    pub(crate) fn figure(&mut self, id: &str, what: impl Into<String>, figure: Figure) {
        self.rows.push(Evidence {
            id: id.to_owned(),
            what: what.into(),
            value: json!((figure.value * 1000.0).round() / 1000.0),
            unit: figure.unit,
            aim: figure.aim,
            ok: figure.ok,
        });
    }
}

/// A number with its unit and aim.
pub(crate) struct Figure {
    value: f64,
    unit: &'static str,
    aim: String,
    ok: bool,
}

impl Figure {
    /// At most `aim`.
    pub(crate) fn at_most(value: f64, unit: &'static str, aim: f64) -> Self {
        Self { value, unit, aim: format!("<= {aim}"), ok: value <= aim }
    }

    /// At least `aim`.
    pub(crate) fn at_least(value: f64, unit: &'static str, aim: f64) -> Self {
        Self { value, unit, aim: format!(">= {aim}"), ok: value >= aim }
    }

    /// Only noted.
    pub(crate) fn noted(value: f64, unit: &'static str) -> Self {
        Self { value, unit, aim: String::new(), ok: true }
    }
}

/// One claim with what was found.
pub(crate) struct Judged {
    /// Its number in the table.
    pub(crate) number: u8,
    /// The claim.
    pub(crate) claim: &'static str,
    /// What was found.
    pub(crate) gathered: Gathered,
    /// Why the script broke off, if it did.
    pub(crate) broke_off: Option<String>,
}

impl Judged {
    /// A claim without evidence holds nothing.
    pub(crate) fn holds(&self) -> bool {
        self.broke_off.is_none()
            && !self.gathered.rows.is_empty()
            && self.gathered.rows.iter().all(|row| row.ok)
    }
}

#[derive(Serialize)]
struct Row<'a> {
    id: String,
    what: &'a str,
    value: Value,
    unit: &'a str,
    aim: &'a str,
    ok: bool,
}

/// Prints claim, evidence, verdict.
pub(crate) fn print(judged: &[Judged]) {
    println!("\n{:<44}  {:<70}  verdict", "claim", "evidence");
    for claim in judged {
        let verdict = if claim.holds() { "holds" } else { "FAILS" };
        let title = format!("{}. {}", claim.number, claim.claim);
        let mut first = true;
        for row in &claim.gathered.rows {
            let value = match &row.value {
                Value::String(text) => text.clone(),
                other => format!("{other} {}", row.unit),
            };
            let mark = if row.ok { ' ' } else { '!' };
            let aim = if row.aim.is_empty() || row.aim == "yes" {
                String::new()
            } else {
                format!(" (aim {})", row.aim)
            };
            let (left, right) = if first { (title.as_str(), verdict) } else { ("", "") };
            println!("{left:<44} {mark}{:<70}  {right}", format!("{}: {}{aim}", row.what, value.trim()));
            first = false;
        }
        if let Some(reason) = &claim.broke_off {
            println!("{:<44} !{reason}", if first { &title } else { "" });
        }
    }
}

/// Writes the JSON form: a row for each claim and for each piece of evidence.
pub(crate) fn write(judged: &[Judged], name: &str, file: &Path) -> Result<()> {
    let mut rows = Vec::new();
    for claim in judged {
        let value = if claim.holds() { "holds" } else { "fails" };
        let (id, ok) = (format!("claim.{}", claim.number), claim.holds());
        rows.push(Row { id, what: claim.claim, value: json!(value), unit: "", aim: "holds", ok });
        for row in &claim.gathered.rows {
            rows.push(Row {
                id: format!("claim.{}.{}", claim.number, row.id),
                what: &row.what,
                value: row.value.clone(),
                unit: row.unit,
                aim: &row.aim,
                ok: row.ok,
            });
        }
    }
    let report = json!({ "name": name, "machine": machine(), "rows": rows });
    let text = serde_json::to_string_pretty(&report)?;
    fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
}

/// Prints figures alone.
pub(crate) fn print_figures(name: &str, gathered: &Gathered) {
    println!("\n{name:<44} {:>14}  {:<12} what", "value", "aim");
    for row in &gathered.rows {
        let mark = if row.ok { ' ' } else { '!' };
        println!(
            "{:<43} {mark}{:>14}  {:<12} {}",
            row.id,
            format!("{} {}", row.value, row.unit),
            row.aim,
            row.what
        );
    }
}

/// Writes figures alone.
pub(crate) fn write_figures(name: &str, gathered: &Gathered, file: &Path) -> Result<()> {
    let rows = gathered.rows.iter().map(|row| Row {
        id: row.id.clone(),
        what: &row.what,
        value: row.value.clone(),
        unit: row.unit,
        aim: &row.aim,
        ok: row.ok,
    });
    let report = json!({ "name": name, "machine": machine(), "rows": rows.collect::<Vec<_>>() });
    let text = serde_json::to_string_pretty(&report)?;
    fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
}

/// One line about this machine.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("", |(_, cpu)| cpu);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores{cpu}; Linux {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_holds_only_with_evidence_and_only_if_all_of_it_is_well() {
        let judge = |gathered| Judged { number: 1, claim: "x", gathered, broke_off: None };
        assert!(!judge(Gathered::default()).holds());
        let mut gathered = Gathered::default();
        gathered.is("a", "a", true);
        gathered.figure("b", "b", Figure::at_most(1.0, "s", 2.0));
        assert!(judge(gathered).holds());
        let mut gathered = Gathered::default();
        gathered.figure("b", "b", Figure::at_least(1.0, "s", 2.0));
        assert!(!judge(gathered).holds());
    }
}
