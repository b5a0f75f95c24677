//! What continuous integration runs is there, and is what developers run.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

#[test]
fn continuous_integration_runs_the_tests_and_nothing_else() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/run");
    let text = fs::read_to_string(&file).expect(".ci/run");
    let commands: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(commands, ["set -euo pipefail", "cd \"$(dirname \"$0\")/..\"", "exec cargo xtask test"]);
    let mode = fs::metadata(&file).expect(".ci/run").permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "it must be executable");
}
