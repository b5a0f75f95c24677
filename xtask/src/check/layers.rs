//! Who may import whom, inside core and inside the server.

use anyhow::Result;

use super::Findings;
use crate::workspace::{Source, Workspace};

/// For each layer of core: what it may import. Files beside the layers (ids, limits, time, machine) are free to all.
const CORE: [(&str, &[&str]); 5] = [
    ("identity", &[]),
    ("group", &["identity"]),
    ("meeting", &["identity", "group"]),
    ("media", &["identity"]),
    ("device", &["identity", "group", "meeting", "media"]),
];

/// For each layer of the server.
const SERVER: [(&str, &[&str]); 5] = [
    ("store", &[]),
    ("federation", &["store", "media"]),
    ("media", &["store", "federation"]),
    ("meeting", &["store", "federation", "media"]),
    ("rpc", &["store", "federation", "media", "meeting"]),
];

/// Crates that one file alone may name.
const FENCED: [(&str, &str); 1] = [("sled", "server/src/store/sled.rs")];

/// Fails on an import against the arrows.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let mut findings = Findings::new();
    for source in workspace.sources(&["rs"])? {
        findings.extend(against(&source, "core/src/", &CORE));
        findings.extend(against(&source, "server/src/", &SERVER));
        findings.extend(rpc_outside(&source));
        findings.extend(fenced(&source));
    }
    Ok(findings)
}

/// Imports of a file that its layer may not have.
fn against(source: &Source, folder: &str, layers: &[(&str, &[&str])]) -> Findings {
    let Some(inside) = source.path.strip_prefix(folder) else { return Findings::new() };
    let own = layer_of(inside);
    let Some((_, allowed)) = layers.iter().find(|(layer, _)| *layer == own) else { return Findings::new() };
    let depth = inside.matches('/').count() + usize::from(!inside.ends_with("/mod.rs"));
    imports(&source.text, depth)
        .into_iter()
        .filter(|(_, name)| name != own && layers.iter().any(|(layer, _)| layer == name))
        .filter(|(_, name)| !allowed.contains(&name.as_str()))
        .map(|(line, name)| format!("{}:{line}: {own} may not import {name}", source.path))
        .collect()
}

/// Only `server.rs` builds the services; `main.rs` may declare the module.
fn rpc_outside(source: &Source) -> Findings {
    let Some(inside) = source.path.strip_prefix("server/src/") else { return Findings::new() };
    let own = layer_of(inside);
    if own == "server" || own == "rpc" || SERVER.iter().any(|(layer, _)| *layer == own) {
        return Findings::new();
    }
    imports(&source.text, inside.matches('/').count() + 1)
        .into_iter()
        .filter(|(_, name)| name == "rpc")
        .map(|(line, _)| format!("{}:{line}: only server.rs may import rpc", source.path))
        .collect()
}

fn fenced(source: &Source) -> Findings {
    let mut findings = Findings::new();
    for (name, only) in FENCED {
        if source.path == only || !source.path.starts_with("server/") || has_own_module(&source.text, name) {
            continue;
        }
        for (number, line) in code_lines(&source.text) {
            let path = format!("{name}::");
            let used = line
                .match_indices(&path)
                .any(|(at, _)| starts_word(&line, at) && !line[..at].ends_with("::"));
            if used || line.trim().starts_with(&format!("use {name};")) {
                findings.push(format!("{}:{number}: only {only} may name {name}", source.path));
            }
        }
    }
    findings
}

/// Whether the name means a module of ours in this file: it is declared there, or imported by a path of ours.
fn has_own_module(text: &str, name: &str) -> bool {
    let code: String = code_lines(text).into_iter().map(|(_, line)| line + "\n").collect();
    code.split(';').map(str::trim).any(|statement| {
        let declared = statement.ends_with(&format!("mod {name}"));
        let own =
            ["use crate::", "use super::", "use conclave"].iter().any(|begin| statement.contains(begin));
        let words: Vec<&str> = statement.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        declared || own && words.contains(&name)
    })
}

/// The first folder or file name: `meeting` for `meeting/hub.rs` and for `meeting.rs`.
fn layer_of(inside: &str) -> &str {
    inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// Top-level modules that the text names, by line: `crate::x`, `crate::{x, y::z}`, and as many `super::` as lead to the root.
fn imports(text: &str, depth: usize) -> Vec<(usize, String)> {
    let lines = code_lines(text);
    let code = lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
    let line_at = |at: usize| code[..at].matches('\n').count() + 1;
    let mut found = Vec::new();
    for prefix in ["crate::".to_owned(), "super::".repeat(depth)] {
        if prefix.is_empty() {
            continue;
        }
        for (at, _) in code.match_indices(&prefix) {
            if starts_word(&code, at) && !code[..at].ends_with("::") {
                let rest = &code[at + prefix.len()..];
                found.extend(heads(rest).into_iter().map(|name| (line_at(at), name)));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The first names of a path or of a group of paths.
fn heads(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else {
        return vec![word(rest)];
    };
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut fresh = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && (c.is_alphanumeric() || c == '_') => {
                names.push(word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn starts_word(text: &str, at: usize) -> bool {
    !text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Numbered lines without comments.
fn code_lines(text: &str) -> Vec<(usize, String)> {
    text.lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.split("//").next().unwrap_or_default().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn an_import_against_the_arrows_is_found_in_each_spelling() {
        let path = "core/src/identity/keys.rs";
        for text in [
            "use crate::meeting::hub;",
            "use crate::{\n    ids::X,\n    meeting::{hub, log},\n};",
            "use super::super::meeting::hub;",
            "fn f() -> crate::meeting::X {}",
        ] {
            assert_eq!(against(&source(path, text), "core/src/", &CORE).len(), 1, "{text}");
        }
    }

    #[test]
    fn an_import_along_the_arrows_passes() {
        let text = "use crate::{identity::keys, group::member, ids::X};\n// crate::media::frame in a comment";
        assert!(against(&source("core/src/meeting/hub.rs", text), "core/src/", &CORE).is_empty());
    }

    #[test]
    fn rpc_and_sled_are_fenced() {
        assert_eq!(rpc_outside(&source("server/src/config.rs", "use crate::rpc::status;")).len(), 1);
        assert!(rpc_outside(&source("server/src/server.rs", "use crate::rpc::status;")).is_empty());
        assert_eq!(fenced(&source("server/src/store/memory.rs", "fn f(db: sled::Db) {}")).len(), 1);
        assert!(fenced(&source("server/src/store/sled.rs", "fn f(db: sled::Db) {}")).is_empty());
        let own = "use crate::store::{memory, sled};\nfn f() { sled::open() }";
        assert!(fenced(&source("server/src/store/mod.rs", own)).is_empty());
        assert!(fenced(&source("server/src/store/mod.rs", "mod sled;\npub use sled::Store;")).is_empty());
    }
}
