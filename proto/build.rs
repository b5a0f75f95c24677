//! Generates the messages and, with `transport`, the services.

use std::{error::Error, fs, path::Path};

const ROOT: &str = "conclave";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    let mut files = Vec::new();
    collect(Path::new(ROOT), &mut files)?;
    files.sort();
    let descriptors = protox::compile(&files, ["."])?;
    tonic_prost_build::configure()
        .build_client(cfg!(feature = "transport"))
        .build_server(cfg!(feature = "transport"))
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
