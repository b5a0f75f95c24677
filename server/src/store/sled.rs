//! The embedded engine, and the only file that knows sled (`=0.34.7`).
//!
//! What sled does not do, this file does: its `flush` is no durability barrier on Linux (it calls `sync_file_range`), so every
//! write ends with `sync_data` on its file, and on its blobs and their folder when there are new ones; it panics on damage,
//! so every call runs under `catch_unwind`; it forgets a cut tail, so the number of the last group stands in a file of its own, the
//! witness. After a failed write sled is of no use until it is opened again; a nearly full disk is therefore refused before.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    Error, Range, Record, Result, Shared,
    batch::Bounds,
    envelope::DataKey,
    sealed::{Engine, NO_SPACE, SealedStore},
};

const CACHE_BYTES: u64 = 64 << 20;
/// With less free space on the disk, writes are refused.
pub const KEEP_FREE_BYTES: u64 = 64 << 20;
const GROUPS_PER_SPACE_CHECK: u64 = 64;
const GROUPS_PER_WITNESS_SYNC: u64 = 256;
const WITNESS_SLOT: usize = 24;

/// Opens the store in a folder, which is made if it is not there.
pub fn open(folder: &Path, key: &DataKey) -> Result<Shared> {
    Ok(Arc::new(SealedStore::open(Sled::open(folder)?, key)?))
}

struct Sled {
    db: sled::Db,
    folder: PathBuf,
    data: File,
    blobs_synced: Mutex<BTreeSet<String>>,
    witness: File,
    groups: AtomicU64,
}

impl Sled {
    fn open(folder: &Path) -> Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unavailable)?;
        let inner = folder.join("sled");
        let config = sled::Config::new()
            .path(&inner)
            .flush_every_ms(None)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::HighThroughput);
        let db = patiently(|| guarded(|| config.open()))?;
        let witness = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("witness"))
            .map_err(unavailable)?;
        let data = File::open(inner.join("db")).map_err(unavailable)?;
        data.sync_all().map_err(unavailable)?;
        for folder in [&inner, folder] {
            sync_folder(folder).map_err(unavailable)?;
        }
        let opened = Self {
            db,
            folder: inner,
            data,
            blobs_synced: Mutex::default(),
            witness,
            groups: AtomicU64::default(),
        };
        opened.sync_blobs().map_err(unavailable)?;
        Ok(opened)
    }

    /// Syncs the blob files that are new since the last time, and their folder.
    fn sync_blobs(&self) -> io::Result<()> {
        let folder = self.folder.join("blobs");
        let mut present = BTreeSet::new();
        for entry in fs::read_dir(&folder)? {
            present.insert(entry?.file_name().to_string_lossy().into_owned());
        }
        let mut synced = self.blobs_synced.lock().unwrap_or_else(PoisonError::into_inner);
        if *synced == present {
            return Ok(());
        }
        for name in present.difference(&synced) {
            match File::open(folder.join(name)).and_then(|file| file.sync_all()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        *synced = present;
        sync_folder(&folder)
    }

    fn check_space(&self) -> Result<()> {
        if !self.groups.fetch_add(1, Ordering::Relaxed).is_multiple_of(GROUPS_PER_SPACE_CHECK) {
            return Ok(());
        }
        let disk = rustix::fs::statvfs(&self.folder).map_err(unavailable)?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < KEEP_FREE_BYTES {
            self.groups.store(0, Ordering::Relaxed);
            return Err(Error::Unavailable(NO_SPACE.to_owned()));
        }
        Ok(())
    }
}

impl Engine for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(guarded(|| self.db.get(key))?.map(|value| value.to_vec()))
    }

    fn scan(&self, range: &Range, limit: usize) -> Result<Vec<Record>> {
        let Some(bounds) = range.bounds() else { return Ok(Vec::new()) };
        guarded(|| {
            let found = self.db.range::<&[u8], Bounds<'_>>(bounds);
            let found = found.map(|record| record.map(|(key, value)| (key.to_vec(), value.to_vec())));
            if range.is_backward() { found.rev().take(limit).collect() } else { found.take(limit).collect() }
        })
    }

    fn write(&self, changes: HashMap<Vec<u8>, Option<Vec<u8>>>) -> Result<()> {
        self.check_space()?;
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        guarded(|| self.db.apply_batch(batch).and_then(|()| self.db.flush()))?;
        self.data.sync_data().and_then(|()| self.sync_blobs()).map_err(unavailable)
    }

    /// The greater of two slots, of which a torn write can spoil only one.
    fn witness(&self) -> Result<u64> {
        let mut bytes = [0; 2 * WITNESS_SLOT];
        let length = self.witness.metadata().map_err(unavailable)?.len();
        if length == 0 {
            return Ok(0);
        }
        let damaged = || Error::Damaged("its witness file does not read".to_owned());
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
        self.witness.read_exact_at(&mut bytes[..length], 0).map_err(|_| damaged())?;
        bytes.chunks_exact(WITNESS_SLOT).filter_map(witness_slot).max().ok_or_else(damaged)
    }

    fn note(&self, group: u64) -> Result<()> {
        let mut slot = [0; WITNESS_SLOT];
        slot[..8].copy_from_slice(&group.to_be_bytes());
        slot[8..].copy_from_slice(&witness_check(group));
        let place = (group % 2) * WITNESS_SLOT as u64;
        self.witness.write_all_at(&slot, place).map_err(unavailable)?;
        if group.is_multiple_of(GROUPS_PER_WITNESS_SYNC) {
            self.witness.sync_data().map_err(unavailable)?;
        }
        Ok(())
    }
}

fn witness_slot(slot: &[u8]) -> Option<u64> {
    let (group, check) = slot.split_first_chunk()?;
    let group = u64::from_be_bytes(*group);
    (check == witness_check(group)).then_some(group)
}

fn witness_check(group: u64) -> [u8; 16] {
    use sha2::Digest as _;
    let hash: [u8; 32] = sha2::Sha256::digest(group.to_be_bytes()).into();
    let mut check = [0; 16];
    check.copy_from_slice(&hash[..16]);
    check
}

/// Calls sled; a panic inside is damage.
fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(named(error)),
        Err(_) => Err(Error::Damaged("the engine cannot read its file".to_owned())),
    }
}

/// sled gives its lock back a moment after it is closed: whoever opens at once waits for that, not for a living owner.
fn patiently<T>(mut open: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 0..40 {
        match open() {
            Err(Error::InUse) => std::thread::sleep(Duration::from_millis(50)),
            opened => return opened,
        }
    }
    open()
}

fn named(error: sled::Error) -> Error {
    match error {
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => Error::InUse,
        sled::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Error::Damaged("a file of the store ends too early".to_owned())
        }
        // The engine makes its files itself: one that it looks for in vain was there.
        sled::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            Error::Damaged("a file of the store is missing".to_owned())
        }
        sled::Error::Io(error) => unavailable(error),
        sled::Error::Corruption { .. } => Error::Damaged("the engine finds its file corrupt".to_owned()),
        sled::Error::CollectionNotFound(_) | sled::Error::Unsupported(_) | sled::Error::ReportableBug(_) => {
            Error::Damaged("the engine cannot make sense of its file".to_owned())
        }
    }
}

fn unavailable(error: impl Into<io::Error>) -> Error {
    Error::Unavailable(error.into().to_string())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
