//! Licences of everything that is linked, read offline from the packages' own manifests.

use anyhow::Result;
use serde_json::Value;

use super::Findings;
use crate::workspace::Workspace;

/// Licences that Apache-2.0 code may be shipped with.
const ALLOWED: [&str; 14] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "0BSD",
    "Zlib",
    "MPL-2.0",
    "Unicode-3.0",
    "CC0-1.0",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
];

/// Licences allowed for one package only, each with its reason.
const EXCEPTIONS: [(&str, &str); 2] = [
    // aws-lc carries code of OpenSSL's authors; the notice is kept, and nothing links OpenSSL.
    ("aws-lc-sys", "OpenSSL"),
    ("aws-lc-fips-sys", "OpenSSL"),
];

/// Packages that are never linked, each with its reason.
const BANNED: [(&str, &str); 4] = [
    ("openssl", "one TLS library: rustls"),
    ("openssl-sys", "one TLS library: rustls"),
    ("native-tls", "one TLS library: rustls"),
    ("reqwest", "nothing contacts a third party"),
];

/// Fails on a licence that is not on the list, and on banned packages.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let metadata = workspace.metadata(&[])?;
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(packages.iter().filter_map(finding).collect())
}

fn finding(package: &Value) -> Option<String> {
    let name = package["name"].as_str().unwrap_or("?");
    if let Some((_, reason)) = BANNED.iter().find(|(banned, _)| *banned == name) {
        return Some(format!("{name} is banned: {reason}"));
    }
    let Some(licence) = package["license"].as_str() else {
        return Some(format!("{name} names no licence"));
    };
    let allowed = |one: &str| ALLOWED.contains(&one) || EXCEPTIONS.contains(&(name, one));
    (!satisfied(licence, &allowed)).then(|| format!("{name}: {licence}"))
}

/// Whether an SPDX expression can be met: AND binds closer than OR; the old `/` means OR.
fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = expression.split_whitespace().collect();
    let mut at = 0;
    any(&tokens, &mut at, allowed) && at == tokens.len()
}

fn any(tokens: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = every(tokens, at, allowed);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        met |= every(tokens, at, allowed);
    }
    met
}

fn every(tokens: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(tokens, at, allowed);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(tokens, at, allowed);
    }
    met
}

fn one(tokens: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if *token == "(" {
        let met = any(tokens, at, allowed);
        let closed = tokens.get(*at) == Some(&")");
        *at += 1;
        return met && closed;
    }
    if tokens.get(*at) == Some(&"WITH") {
        let exception = tokens.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return allowed(&format!("{token} WITH {exception}"));
    }
    allowed(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        let allowed = |one: &str| one == "MIT" || one == "Apache-2.0 WITH LLVM-exception";
        assert!(satisfied("MIT OR GPL-3.0", &allowed));
        assert!(satisfied("GPL-3.0/MIT", &allowed));
        assert!(satisfied("(GPL-2.0 OR MIT) AND (Apache-2.0 WITH LLVM-exception)", &allowed));
        assert!(!satisfied("MIT AND GPL-3.0", &allowed));
        assert!(!satisfied("GPL-3.0", &allowed));
        assert!(!satisfied("(MIT", &allowed));
    }

    #[test]
    fn a_banned_package_is_found_whatever_its_licence() {
        let package = serde_json::json!({"name": "openssl", "license": "Apache-2.0"});
        assert!(finding(&package).is_some());
    }
}
