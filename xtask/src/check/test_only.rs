//! The recorder for the search for secrets, and the client's dump of its own, exist in no default build.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Findings, findings_of};
use crate::{process, workspace::Workspace};

/// A build feature that no release enables, and a text that stands in every program built with it.
pub(crate) struct TestOnly {
    /// The package.
    pub(crate) package: &'static str,
    /// The program.
    pub(crate) program: &'static str,
    /// The feature.
    pub(crate) feature: &'static str,
    /// The text: the environment variable that names where to write.
    pub(crate) marker: &'static str,
}

/// All of them.
pub(crate) const ALL: [TestOnly; 2] = [
    TestOnly {
        package: "conclave-server",
        program: "conclave-server",
        feature: "wiretap",
        marker: "CONCLAVE_WIRETAP_DIR",
    },
    TestOnly {
        package: "conclave-cli",
        program: "conclave",
        feature: "canary",
        marker: "CONCLAVE_CANARY_FILE",
    },
];

/// Fails if a default feature enables one, or a default program holds its marker. `demo --check` shows the
/// other half: the marker is in the programs built with the feature.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let metadata = workspace.metadata(&[])?;
    let mut findings = Findings::new();
    for item in &ALL {
        for enabled in enabled_features(&metadata, item.package) {
            if enabled == item.feature {
                findings.push(format!("{}: the feature {} is on by default", item.package, item.feature));
            }
        }
    }
    let said = process::quiet(&mut workspace.build_programs())?;
    if !said.ok {
        return Ok(findings_of(false, &said.text));
    }
    for item in &ALL {
        if holds(workspace, item.program, item.marker)? {
            findings.push(format!("the default {} holds {}", item.program, item.marker));
        }
    }
    Ok(findings)
}

/// Whether a built program holds a text.
pub(crate) fn holds(workspace: &Workspace, program: &str, text: &str) -> Result<bool> {
    let path = workspace.program(program);
    ensure!(path.is_file(), "{} was not built", path.display());
    let bytes = std::fs::read(path)?;
    Ok(bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

fn enabled_features<'a>(metadata: &'a Value, package: &str) -> Vec<&'a str> {
    let nodes = metadata["resolve"]["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    nodes
        .iter()
        .filter(|node| node["id"].as_str().is_some_and(|id| is_package(id, package)))
        .flat_map(|node| node["features"].as_array().map_or(&[][..], Vec::as_slice))
        .filter_map(Value::as_str)
        .collect()
}

/// Ids look like `path+file:///folder/server#conclave-server@0.1.0`.
fn is_package(id: &str, package: &str) -> bool {
    id.rsplit_once('#').is_some_and(|(_, name)| name.split('@').next() == Some(package))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_feature_that_is_on_is_seen() {
        let node = json!({"id": "path+file:///x/server#conclave-server@0.1.0", "features": ["wiretap"]});
        let metadata = json!({"resolve": {"nodes": [node]}});
        assert_eq!(enabled_features(&metadata, "conclave-server"), ["wiretap"]);
        assert!(enabled_features(&metadata, "conclave-cli").is_empty());
    }
}
