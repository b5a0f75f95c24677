//! Takes the browser client into the program, if it was built: `cargo xtask web` puts it into `client/web/dist`.

use std::{env, fmt::Write as _, fs, io, path::Path};

fn main() -> io::Result<()> {
    let here = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let folder = Path::new(&here).join("../client/web/dist").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    list(&folder, &folder, &mut files)?;
    files.sort();
    let mut code = String::from("&[\n");
    for file in &files {
        let _ = writeln!(code, "({file:?}, include_bytes!({:?})),", folder.join(file).to_string_lossy());
    }
    code.push_str("]\n");
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out).join("bundle.rs"), code)
}

/// Paths of all files below, with `/`; what begins with a dot is not part of the client.
fn list(root: &Path, folder: &Path, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if path.is_dir() {
            list(root, &path, files)?;
        } else if !name.starts_with('.') {
            files.push(name);
        }
    }
    Ok(())
}
