//! Who may import whom in the page: `core ← media ← call ← ui`, and one file alone that knows wasm.

use anyhow::Result;

use super::Findings;
use crate::workspace::{Source, Workspace};

const FOLDER: &str = "client/web/src/";

/// For each layer of the page: what it may import besides itself. `ui` takes no more than types from core.
const LAYERS: [(&str, &[&str]); 5] = [
    ("core", &[]),
    ("media", &["core"]),
    ("call", &["core", "media"]),
    ("text", &[]),
    ("ui", &["media", "call", "text"]),
];

/// The only importer of wasm.
const WASM: &str = "client/web/src/core/wasm.ts";

/// Fails on an import against the arrows.
pub(super) fn run(workspace: &Workspace) -> Result<Findings> {
    let sources = workspace.sources(&["ts", "svelte"])?;
    Ok(sources.iter().flat_map(against).collect())
}

fn against(source: &Source) -> Findings {
    let Some(inside) = source.path.strip_prefix(FOLDER) else { return Findings::new() };
    let own = inside.split('/').next().unwrap_or_default();
    let mut findings = Findings::new();
    for (number, line) in source.text.lines().enumerate() {
        let Some(from) = imported(line) else { continue };
        let at = format!("{}:{}", source.path, number + 1);
        if from.contains("/wasm/") && source.path != WASM {
            findings.push(format!("{at}: only {WASM} may import wasm"));
        }
        let layer = from.trim_start_matches("../").split('/').next().unwrap_or_default();
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == own) else { continue };
        let is_type = line.trim_start().starts_with("import type ")
            || line.contains("} from") && line.contains("import type");
        let may = layer == own || allowed.contains(&layer) || own == "ui" && layer == "core" && is_type;
        if from.starts_with("../") && LAYERS.iter().any(|(known, _)| *known == layer) && !may {
            findings.push(format!("{at}: {own} may not import {layer}"));
        }
    }
    findings
}

/// What a line imports from, as it stands between the quotes.
fn imported(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = if line.starts_with("import ") || line.starts_with("export ") || line.starts_with('}') {
        line.split(" from '").nth(1)?
    } else {
        return None;
    };
    rest.split('\'').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        against(&Source { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn an_import_against_the_arrows_of_the_page_is_found() {
        let call = "client/web/src/call/call.svelte.ts";
        assert_eq!(found(call, "import Tile from '../ui/Tile.svelte';"), 1);
        assert_eq!(found(call, "import { Driver } from '../core/driver';"), 0);
        assert_eq!(found(call, "import init from '../../wasm/conclave_wasm.js';"), 1);
        assert_eq!(found(WASM, "} from '../../wasm/conclave_wasm.js';"), 0);
        let ui = "client/web/src/ui/Tile.svelte";
        assert_eq!(found(ui, "  import type { Role } from '../core/events';"), 0);
        assert_eq!(found(ui, "  import { Driver } from '../core/driver';"), 1);
        assert_eq!(found("client/web/src/core/driver.ts", "import { x } from '../media/capture';"), 1);
    }
}
