//! Looks for secrets in files: raw, in hexadecimal, in base64 at each of its three alignments.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use aho_corasick::AhoCorasick;
use anyhow::{Context, Result, ensure};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use serde_json::Value;

/// Something that must not be found.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    /// What it is, for the table; never the secret itself.
    pub(crate) name: String,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Reads what a client built with `canary` wrote: JSON lines of name and hexadecimal. The last may be half written.
pub(crate) fn read(file: &Path) -> Result<Vec<Secret>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line)?;
            let text = |field: &str| line[field].as_str().context("a field is missing");
            Ok(Secret { name: text("name")?.to_owned(), bytes: HEXLOWER.decode(text("hex")?.as_bytes())? })
        })
        .collect()
}

/// Where one was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The secret's name.
    pub(crate) secret: String,
    /// In which form.
    pub(crate) form: &'static str,
    /// In which file.
    pub(crate) file: PathBuf,
    /// Where in it.
    pub(crate) offset: u64,
}

/// A search for a set of secrets.
pub(crate) struct Search {
    patterns: AhoCorasick,
    forms: Vec<(String, &'static str)>,
    longest: usize,
    /// How many bytes were looked at so far.
    pub(crate) bytes: u64,
}

/// Shorter secrets would be found by chance.
pub(crate) const LEAST_BYTES: usize = 12;

impl Search {
    /// Prepares all forms of all secrets.
    pub(crate) fn new(secrets: &[Secret]) -> Result<Self> {
        let mut forms = Vec::new();
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            ensure!(secret.bytes.len() >= LEAST_BYTES, "{} is too short to be searched for", secret.name);
            for (form, pattern) in forms_of(&secret.bytes) {
                forms.push((secret.name.clone(), form));
                patterns.push(pattern);
            }
        }
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        let patterns = AhoCorasick::new(&patterns).context("cannot prepare the search")?;
        Ok(Self { patterns, forms, longest, bytes: 0 })
    }

    /// Searches a file, or every file below a folder.
    pub(crate) fn look(&mut self, place: &Path) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        if place.is_dir() {
            for entry in fs::read_dir(place)? {
                found.extend(self.look(&entry?.path())?);
            }
        } else if place.is_file() {
            self.file(place, &mut found)?;
        }
        Ok(found)
    }

    /// Reads in pieces that overlap by the longest pattern.
    fn file(&mut self, path: &Path, found: &mut Vec<Found>) -> Result<()> {
        let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut piece = vec![0; PIECE + self.longest];
        let mut kept = 0;
        let mut before = 0_u64;
        loop {
            let read = file.read(&mut piece[kept..])?;
            if read == 0 {
                return Ok(());
            }
            self.bytes += read as u64;
            let end = kept + read;
            for hit in hits(&self.patterns, &piece[..end]) {
                let (secret, form) = &self.forms[hit.0];
                let offset = before + hit.1 as u64;
                let known = found.iter().any(|f| f.offset == offset && f.secret == *secret && f.file == path);
                if !known {
                    found.push(Found { secret: secret.clone(), form, file: path.to_path_buf(), offset });
                }
            }
            let keep = self.longest.min(end);
            piece.copy_within(end - keep..end, 0);
            before += (end - keep) as u64;
            kept = keep;
        }
    }
}

const PIECE: usize = 1 << 20;

/// Pattern number and place of every hit, overlapping ones too.
fn hits(patterns: &AhoCorasick, bytes: &[u8]) -> Vec<(usize, usize)> {
    patterns.find_overlapping_iter(bytes).map(|hit| (hit.pattern().as_usize(), hit.start())).collect()
}

fn forms_of(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![
        ("raw", secret.to_vec()),
        ("hex", HEXLOWER.encode(secret).into_bytes()),
        ("HEX", HEXUPPER.encode(secret).into_bytes()),
    ];
    for skipped in 0..3 {
        forms.push(("base64", inner_base64(secret, skipped, |bytes| BASE64_NOPAD.encode(bytes))));
        forms.push(("base64url", inner_base64(secret, skipped, |bytes| BASE64URL_NOPAD.encode(bytes))));
    }
    forms
}

/// What of a secret's base64 does not depend on the bytes around it, if it begins `skipped` bytes after a multiple of three.
fn inner_base64(secret: &[u8], skipped: usize, encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let from = (3 - skipped) % 3;
    let whole = (secret.len() - from) / 3 * 3;
    encode(&secret[from..from + whole]).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret { name: "canary".to_owned(), bytes: b"the quick brown fox?".to_vec() }
    }

    fn look(content: &[u8]) -> Vec<Found> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), content).unwrap();
        Search::new(&[secret()]).unwrap().look(folder.path()).unwrap()
    }

    #[test]
    fn each_form_is_found_at_each_alignment() {
        for before in 0..4 {
            let mut text = vec![b'x'; before];
            text.extend(&secret().bytes);
            text.extend(b"yz");
            assert!(!look(&text).is_empty(), "raw");
            assert!(!look(HEXLOWER.encode(&text).as_bytes()).is_empty(), "hex");
            assert!(!look(BASE64_NOPAD.encode(&text).as_bytes()).is_empty(), "base64 after {before}");
            assert!(!look(BASE64URL_NOPAD.encode(&text).as_bytes()).is_empty(), "base64url after {before}");
        }
    }

    #[test]
    fn a_secret_across_two_pieces_is_found_once() {
        for at in [PIECE - 5, PIECE, PIECE + 15, 2 * PIECE] {
            let mut text = vec![0; at];
            text.extend(&secret().bytes);
            text.extend([0; 40]);
            let found = look(&text);
            assert_eq!(found.iter().filter(|found| found.form == "raw").count(), 1);
            assert_eq!(found[0].offset, at as u64);
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert_eq!(look(b"the quick brown ox?"), []);
    }
}
