//! The browser client's files, in memory: those built in, or those of a folder.

use std::{collections::BTreeMap, fs, io, path::Path};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// What was there when this program was built; empty if the client had not been built before.
static BUILT_IN: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

/// What a file's name ends in when it is the brotli form of the file before.
const BROTLI: &str = ".br";

/// One file.
#[derive(Clone, Debug)]
pub struct File {
    /// As it is.
    pub plain: Bytes,
    /// Compressed by brotli.
    pub brotli: Option<Bytes>,
    /// Its media type.
    pub kind: &'static str,
    /// SHA-256 of the plain form, in hexadecimal digits.
    pub hash: String,
}

/// All files by their paths, without a slash before.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    files: BTreeMap<String, File>,
}

impl Bundle {
    /// What is part of this program.
    pub fn built_in() -> Self {
        Self::of(BUILT_IN.iter().map(|(path, bytes)| ((*path).to_owned(), Bytes::from_static(bytes))))
    }

    /// What lies in a folder now.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut found = Vec::new();
        read_folder(folder, "", &mut found)?;
        Ok(Self::of(found))
    }

    fn of(found: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        let (compressed, plain): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(path, _)| path.ends_with(BROTLI));
        let mut files: BTreeMap<_, _> = plain.into_iter().map(|(path, bytes)| file(path, bytes)).collect();
        for (path, bytes) in compressed {
            if let Some(file) = files.get_mut(path.trim_end_matches(BROTLI)) {
                file.brotli = Some(bytes);
            }
        }
        Self { files }
    }

    /// The file at exactly this path. Nothing is decoded and no disk is touched, so no path leads out.
    pub fn find(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Whether there is a client at all.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// One line for each file, as `sha256sum` writes it.
    pub fn hashes(&self) -> String {
        let mut lines = String::new();
        for (path, file) in &self.files {
            lines += &file.hash;
            lines += "  ";
            lines += path;
            lines.push('\n');
        }
        lines
    }
}

fn file(path: String, plain: Bytes) -> (String, File) {
    let hash = HEXLOWER.encode(&Sha256::digest(&plain));
    let kind = kind_of(&path);
    (path, File { plain, brotli: None, kind, hash })
}

fn kind_of(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "json" | "webmanifest" => "application/json",
        "ftl" | "txt" => "text/plain; charset=utf-8",
        "woff2" => "font/woff2",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}

fn read_folder(folder: &Path, before: &str, found: &mut Vec<(String, Bytes)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{before}{name}");
        if entry.file_type()?.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), found)?;
        } else if !name.starts_with('.') {
            found.push((path, fs::read(entry.path())?.into()));
        }
    }
    Ok(())
}
