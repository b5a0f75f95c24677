//! Files with a secret of 32 bytes: 64 hexadecimal digits that only the owner may read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

/// A secret file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read or written.
    #[error("the key file {0} cannot be used: {1}")]
    Io(PathBuf, io::Error),
    /// Others may read it.
    #[error("the key file {0} can be read by others; run: chmod 600 {0}")]
    Open(PathBuf),
    /// It does not hold a key.
    #[error("the key file {0} does not hold 64 hexadecimal digits")]
    Form(PathBuf),
}

/// Reads a secret.
pub fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, Error> {
    let io = |error| Error::Io(path.to_owned(), error);
    let form = || Error::Form(path.to_owned());
    let mut file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
        return Err(Error::Open(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(io)?;
    let bytes = HEXLOWER.decode(text.trim().as_bytes()).map(Zeroizing::new).map_err(|_| form())?;
    bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| form())
}

/// Writes a secret to a file that is not there yet.
pub fn write_new(path: &Path, secret: &[u8; 32]) -> Result<(), Error> {
    let text = Zeroizing::new(HEXLOWER.encode(secret) + "\n");
    create(path, text.as_bytes()).map_err(|error| Error::Io(path.to_owned(), error))
}

/// Writes a file that is not there yet and that only the owner may read; it is on the disk when this returns.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_folder_of(path)
}

/// Puts a file in place of one that may be there; afterwards there is the old one or the new one, never half of it.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => create(&fresh, bytes)?,
    }
    fs::rename(&fresh, path)?;
    sync_folder_of(path)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        write_new(&path, &[7; 32]).unwrap();
        assert_eq!(*read(&path).unwrap(), [7; 32]);
        assert!(matches!(write_new(&path, &[8; 32]), Err(Error::Io(..))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(Error::Open(_))));
        replace(&path, b"nonsense").unwrap();
        assert!(matches!(read(&path), Err(Error::Form(_))));
    }
}
