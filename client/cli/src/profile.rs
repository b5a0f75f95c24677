//! What stays on this machine between two runs: one folder for each account, one file for each thing that the device keeps.
//!
//! Files are for their owner alone, and replaced as a whole or not at all. Keys of sessions never come here: the device
//! machine does not hand them out.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use conclave_core::identity::address::{Domain, UserAddress};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::api;

/// The folder's name for what the device keeps.
const STATE: &str = "state";
/// The file that names the server.
const SETTINGS: &str = "settings.json";
/// The file that names the account used last.
const CURRENT: &str = "current";

/// The profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody signed in here yet.
    #[error("nobody is signed in here; begin with: conclave sign-in you@your.domain")]
    Nobody,
    /// The account asked for is not here.
    #[error("{0} is not signed in here; begin with: conclave sign-in {0}")]
    Unknown(UserAddress),
    /// Others could read it.
    #[error("others can read {0}, which holds your keys; to go on: chmod -R go= {0}")]
    Exposed(PathBuf),
    /// A file of it is not of its form.
    #[error("{0} is damaged; sign in again after removing it")]
    Damaged(PathBuf),
    /// The disk refused.
    #[error("cannot use {file}: {error}")]
    Io {
        /// Which file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    server: String,
    ca: Option<PathBuf>,
}

/// A key and what is kept under it.
pub type Kept = (String, Zeroizing<Vec<u8>>);

/// One account on this machine.
#[derive(Debug)]
pub struct Profile {
    folder: PathBuf,
    address: UserAddress,
    server: api::Address,
}

/// Where profiles are: `$CONCLAVE_HOME`, else `~/.config/conclave`.
pub fn home() -> PathBuf {
    if let Some(home) = std::env::var_os("CONCLAVE_HOME") {
        return home.into();
    }
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
    config.unwrap_or_else(|| PathBuf::from(".")).join("conclave")
}

impl Profile {
    /// Makes an account's folder. What was there stays, until [`Self::settle`].
    pub fn create(home: &Path, address: UserAddress, server: api::Address) -> Result<Self, Error> {
        let profile = Self { folder: folder(home, &address), address, server };
        make_folder(home)?;
        make_folder(&profile.folder)?;
        make_folder(&profile.folder.join(STATE))?;
        Ok(profile)
    }

    /// Once signed in: notes the account's server, and makes this account the one that is opened when none is named.
    pub fn settle(&self, home: &Path) -> Result<(), Error> {
        let settings = Settings { server: self.server.server.to_string(), ca: self.server.ca.clone() };
        let text = serde_json::to_vec_pretty(&settings).map_err(|error| io_error(home, error.into()))?;
        replace(&self.folder.join(SETTINGS), &text)?;
        replace(&home.join(CURRENT), self.address.to_string().as_bytes())
    }

    /// Opens an account's folder; none: that of the account used last.
    pub fn open(home: &Path, address: Option<UserAddress>) -> Result<Self, Error> {
        let address = match address {
            Some(address) => address,
            None => current(home)?,
        };
        let folder = folder(home, &address);
        if !folder.join(SETTINGS).exists() {
            return Err(Error::Unknown(address));
        }
        check(&folder)?;
        check(&folder.join(STATE))?;
        let file = folder.join(SETTINGS);
        let damaged = || Error::Damaged(file.clone());
        let settings: Settings = serde_json::from_slice(&read(&file)?).map_err(|_| damaged())?;
        let server = Domain::parse(&settings.server).map_err(|_| damaged())?;
        Ok(Self { folder, address, server: api::Address { server, ca: settings.ca } })
    }

    /// Whose it is.
    pub const fn address(&self) -> &UserAddress {
        &self.address
    }

    /// The home server.
    pub const fn server(&self) -> &api::Address {
        &self.server
    }

    /// Its folder, where a running call listens for commands.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything that the device keeps.
    pub fn load(&self) -> Result<Vec<Kept>, Error> {
        let folder = self.folder.join(STATE);
        let mut all = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|error| io_error(&folder, error))? {
            let path = entry.map_err(|error| io_error(&folder, error))?.path();
            let Some(key) = path.file_name().and_then(|name| key_of(name.to_str()?)) else { continue };
            all.push((key, read(&path)?));
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all)
    }

    /// Stores durably, or deletes.
    pub fn store(&self, key: &str, value: Option<&[u8]>) -> Result<(), Error> {
        let path = self.folder.join(STATE).join(name_of(key));
        match value {
            Some(value) => replace(&path, value),
            None => match fs::remove_file(&path) {
                Ok(()) => sync_folder(&path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(io_error(&path, error)),
            },
        }
    }
}

fn folder(home: &Path, address: &UserAddress) -> PathBuf {
    home.join("accounts").join(name_of(&address.to_string()))
}

fn current(home: &Path) -> Result<UserAddress, Error> {
    let file = home.join(CURRENT);
    if !file.exists() {
        return Err(Error::Nobody);
    }
    let text = read(&file)?;
    let address = std::str::from_utf8(&text).ok().and_then(|text| UserAddress::parse(text.trim()).ok());
    address.ok_or(Error::Damaged(file))
}

/// A key as a file name: what might mean something to the file system is written as `%` and two hexadecimal digits.
fn name_of(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'-' | b'_' | b':' | b'.');
    let mut name = String::with_capacity(key.len());
    for (index, byte) in key.bytes().enumerate() {
        if plain(byte) && !(index == 0 && byte == b'.') {
            name.push(byte.into());
        } else {
            name.push('%');
            name += &HEXLOWER.encode(&[byte]);
        }
    }
    name
}

fn key_of(name: &str) -> Option<String> {
    if name.starts_with('.') {
        return None; // A replacement that was cut off.
    }
    let (mut bytes, mut rest) = (Vec::new(), name.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let hex = rest.get(..2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

fn make_folder(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| io_error(path, error))?;
    check(path)
}

fn check(path: &Path) -> Result<(), Error> {
    let mode = fs::metadata(path).map_err(|error| io_error(path, error))?.mode();
    if mode.trailing_zeros() >= 6 { Ok(()) } else { Err(Error::Exposed(path.to_owned())) }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    check(path)?;
    fs::read(path).map(Zeroizing::new).map_err(|error| io_error(path, error))
}

/// Either the old content or the new one is there, whatever happens meanwhile.
fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let draft = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(|error| io_error(path, error))?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| io_error(folder, error))
}

fn io_error(file: &Path, error: io::Error) -> Error {
    Error::Io { file: file.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn address(text: &str) -> UserAddress {
        UserAddress::parse(text).unwrap()
    }

    fn server() -> api::Address {
        api::Address { server: Domain::parse("north.localhost:7443").unwrap(), ca: Some("/ca.pem".into()) }
    }

    fn made() -> (tempfile::TempDir, Profile) {
        let home = tempfile::tempdir().unwrap();
        let profile =
            Profile::create(&home.path().join("c"), address("alice@north.localhost:7443"), server()).unwrap();
        profile.settle(&home.path().join("c")).unwrap();
        (home, profile)
    }

    #[test]
    fn what_is_stored_is_there_after_a_restart_and_for_its_owner_alone() {
        let (home, profile) = made();
        profile.store("account", Some(b"key")).unwrap();
        profile.store("meeting/abc@north.localhost:7443", Some(b"link")).unwrap();
        profile.store("../../evil", Some(b"x")).unwrap();
        profile.store("pins", Some(b"old")).unwrap();
        profile.store("pins", Some(b"new")).unwrap();
        profile.store("../../evil", None).unwrap();
        profile.store("never there", None).unwrap();
        let again = Profile::open(&home.path().join("c"), None).unwrap();
        assert_eq!(again.address(), &address("alice@north.localhost:7443"));
        assert_eq!(again.server().ca, server().ca);
        let all: Vec<_> =
            again.load().unwrap().into_iter().map(|(key, value)| (key, value.to_vec())).collect();
        let expected =
            [("account", &b"key"[..]), ("meeting/abc@north.localhost:7443", b"link"), ("pins", b"new")];
        assert!(all.iter().map(|(key, value)| (key.as_str(), value.as_slice())).eq(expected));
        for entry in fs::read_dir(again.folder().join(STATE)).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_profile_that_others_can_read_is_refused_with_the_remedy() {
        let (home, profile) = made();
        profile.store("account", Some(b"key")).unwrap();
        let home = home.path().join("c");
        let file = profile.folder().join(STATE).join("account");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Profile::open(&home, None).unwrap().load().unwrap_err();
        assert!(matches!(refused, Error::Exposed(_)) && refused.to_string().contains("chmod"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(profile.folder(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(Profile::open(&home, None), Err(Error::Exposed(_))));
    }

    #[test]
    fn the_account_used_last_is_the_current_one() {
        let (home, _) = made();
        let home = home.path().join("c");
        assert!(matches!(Profile::open(&home.join("none"), None), Err(Error::Nobody)));
        let bob = address("bob@south.example");
        assert!(matches!(Profile::open(&home, Some(bob.clone())), Err(Error::Unknown(_))));
        let profile = Profile::create(&home, bob.clone(), server()).unwrap();
        assert!(
            matches!(Profile::open(&home, Some(bob.clone())), Err(Error::Unknown(_))),
            "not signed in yet"
        );
        assert_ne!(Profile::open(&home, None).unwrap().address(), &bob);
        profile.settle(&home).unwrap();
        assert_eq!(Profile::open(&home, None).unwrap().address(), &bob);
        let alice = address("alice@north.localhost:7443");
        assert_eq!(Profile::open(&home, Some(alice.clone())).unwrap().address(), &alice);
    }

    #[test]
    fn a_replacement_that_was_cut_off_leaves_the_old_content() {
        let (_home, profile) = made();
        profile.store("pins", Some(b"old")).unwrap();
        fs::write(profile.folder().join(STATE).join(".pins.99"), b"ha").unwrap();
        let all = profile.load().unwrap();
        assert_eq!((all.len(), all[0].1.as_slice()), (1, &b"old"[..]));
    }
}
