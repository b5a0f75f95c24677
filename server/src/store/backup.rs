//! Backups: every record in one file, by itself, whatever engine wrote it.
//!
//! `conclave-backup 1`, a line of JSON about its origin, then the records as `key length (u32) ‖ value length (u32) ‖ key ‖ value`
//! in order, an end mark (`ffffffff`), and a line of JSON: how many records, SHA-256 of the records, SHA-256 of all before it.
//! Values are in the clear: keep the file as safe as the server itself. The server's keys are not in it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use conclave_core::time::Time;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{Batch, Store, Visit, envelope::DataKey, schema, sled};

const MAGIC: &str = "conclave-backup 1\n";
const END: u32 = u32::MAX;
const LARGEST_VALUE: u32 = 64 << 20;
const RECORDS_PER_BATCH: usize = 500;
const LONGEST_LINE: u64 = 4096;

/// A backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be written or read.
    #[error("the backup file {0}: {1}")]
    Io(PathBuf, io::Error),
    /// It would be overwritten.
    #[error("there is a file {0} already; name another one, nothing is overwritten")]
    FileExists(PathBuf),
    /// It is not one, or not whole.
    #[error("the backup file {0} is not whole or not one of ours: {1}")]
    NotWhole(PathBuf, &'static str),
    /// It is another organisation's.
    #[error("the backup is of {found}, this server is {own}")]
    OtherDomain {
        /// Whose it is.
        found: String,
        /// Whose server this is.
        own: String,
    },
    /// There is a store already.
    #[error("there is a store in {0} already; move it away first, nothing is overwritten")]
    StoreExists(PathBuf),
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] super::Error),
}

/// Where a backup comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Whose server.
    pub domain: String,
    /// When, Unix milliseconds.
    pub time_ms: u64,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many records.
    pub records: u64,
    /// SHA-256 of the records: equal for equal contents, whenever and wherever they were backed up.
    pub contents: String,
    /// SHA-256 of everything before the last line.
    pub all: String,
}

/// How far it is: records done, records in all.
pub type Progress = Box<dyn Fn(u64, u64) + Send>;

/// Writes a backup to a file that is not there yet.
pub async fn write(
    store: &dyn Store,
    file: &Path,
    domain: &str,
    now: Time,
    progress: Progress,
) -> Result<Summary, Error> {
    let io = |error| Error::Io(file.to_owned(), error);
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let opened = opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::FileExists(file.to_owned()),
        _ => io(error),
    })?;
    let origin = Origin { domain: domain.to_owned(), time_ms: now.as_ms() };
    let writer = Arc::new(Mutex::new(Writer::begin(opened, &origin).map_err(io)?));
    let taker = Arc::clone(&writer);
    let visit: Visit = Box::new(move |total, key, value| {
        let mut writer = taker.lock().unwrap_or_else(PoisonError::into_inner);
        writer.record(key, value)?;
        progress(writer.records, total);
        Ok(())
    });
    let exported = store.export(visit).await.map_err(Error::from);
    let finished =
        exported.and_then(|()| writer.lock().unwrap_or_else(PoisonError::into_inner).finish().map_err(io));
    if finished.is_err() {
        // Half a backup must not look like one.
        let _gone = fs::remove_file(file);
    }
    finished
}

struct Writer {
    out: BufWriter<File>,
    all: Sha256,
    contents: Sha256,
    records: u64,
}

impl Writer {
    fn begin(file: File, origin: &Origin) -> io::Result<Self> {
        let mut writer =
            Self { out: BufWriter::new(file), all: Sha256::new(), contents: Sha256::new(), records: 0 };
        writer.put(MAGIC.as_bytes())?;
        writer.put(line(origin)?.as_bytes())?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.all.update(bytes);
        self.out.write_all(bytes)
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(io::Error::other);
        for part in [&length(key)?.to_be_bytes()[..], &length(value)?.to_be_bytes()[..], key, value] {
            self.contents.update(part);
            self.put(part)?;
        }
        self.records += 1;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<Summary> {
        self.put(&END.to_be_bytes())?;
        let summary = Summary {
            records: self.records,
            contents: HEXLOWER.encode(&self.contents.finalize_reset()),
            all: HEXLOWER.encode(&self.all.finalize_reset()),
        };
        self.out.write_all(line(&summary)?.as_bytes())?;
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        Ok(summary)
    }
}

/// Reads a whole backup, and gives each record out while it goes. Only the summary says that the file was whole.
pub fn read(
    file: &Path,
    mut visit: impl FnMut(Vec<u8>, Vec<u8>) -> Result<(), Error>,
) -> Result<(Origin, Summary), Error> {
    let opened = File::open(file).map_err(|error| Error::Io(file.to_owned(), error))?;
    let mut reader = Reader { file, input: BufReader::new(opened), all: Sha256::new() };
    let mut contents = Sha256::new();
    if reader.line()? != MAGIC {
        return Err(reader.bad("it does not begin as a backup does"));
    }
    let origin: Origin =
        serde_json::from_str(&reader.line()?).map_err(|_| reader.bad("its second line does not read"))?;
    let mut records = 0;
    loop {
        let key_length = reader.number()?;
        if key_length == END {
            break;
        }
        let value_length = reader.number()?;
        let (key, value) = (reader.bytes(key_length)?, reader.bytes(value_length)?);
        for part in [&key_length.to_be_bytes()[..], &value_length.to_be_bytes()[..], &key, &value] {
            contents.update(part);
        }
        records += 1;
        visit(key, value)?;
    }
    let all = HEXLOWER.encode(&reader.all.clone().finalize());
    let found = Summary { records, contents: HEXLOWER.encode(&contents.finalize()), all };
    let stated: Summary =
        serde_json::from_str(&reader.line()?).map_err(|_| reader.bad("its last line does not read"))?;
    if found == stated {
        Ok((origin, found))
    } else {
        Err(reader.bad("its checksums do not agree with its contents"))
    }
}

struct Reader<'a> {
    file: &'a Path,
    input: BufReader<File>,
    all: Sha256,
}

impl Reader<'_> {
    fn bad(&self, why: &'static str) -> Error {
        Error::NotWhole(self.file.to_owned(), why)
    }

    fn line(&mut self) -> Result<String, Error> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(LONGEST_LINE).read_until(b'\n', &mut line);
        read.map_err(|error| Error::Io(self.file.to_owned(), error))?;
        self.all.update(&line);
        String::from_utf8(line).map_err(|_| self.bad("a line of it is no text"))
    }

    fn number(&mut self) -> Result<u32, Error> {
        let bytes = self.bytes(4)?;
        Ok(bytes.try_into().map_or(END, u32::from_be_bytes))
    }

    fn bytes(&mut self, length: u32) -> Result<Vec<u8>, Error> {
        if length > LARGEST_VALUE {
            return Err(self.bad("a record of it is too large"));
        }
        let mut bytes = Vec::new();
        let read = (&mut self.input).take(length.into()).read_to_end(&mut bytes);
        read.map_err(|error| Error::Io(self.file.to_owned(), error))?;
        if bytes.len() != usize::try_from(length).unwrap_or(usize::MAX) {
            return Err(self.bad("it ends too early"));
        }
        self.all.update(&bytes);
        Ok(bytes)
    }
}

fn line(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)? + "\n")
}

/// Reads a backup twice, once to check it and once to write a new store with it, which appears whole or not at all.
pub async fn restore(
    file: &Path,
    folder: &Path,
    key: &DataKey,
    domain: &str,
    progress: Progress,
) -> Result<Summary, Error> {
    let (origin, summary) = read(file, |_, _| Ok(()))?;
    if origin.domain != domain {
        return Err(Error::OtherDomain { found: origin.domain, own: domain.to_owned() });
    }
    let io = |error| Error::Io(folder.to_owned(), error);
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::StoreExists(folder.to_owned()));
    }
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    let fresh = folder.with_file_name(name);
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(io)?;
    }
    let store = sled::open(&fresh, key)?;
    let (sender, mut batches) = mpsc::channel(4);
    let source = file.to_owned();
    let reading = tokio::task::spawn_blocking(move || read_batches(&source, &sender));
    let mut done = 0;
    while let Some(batch) = batches.recv().await {
        done += u64::try_from(batch.changes.len()).unwrap_or(u64::MAX);
        store.apply(batch).await?;
        progress(done, summary.records);
    }
    reading.await.map_err(|error| io(io::Error::other(error)))??;
    schema::settle(&*store).await?;
    store.close().await;
    drop(store);
    if folder.exists() {
        fs::remove_dir(folder).map_err(io)?;
    }
    fs::rename(&fresh, folder).map_err(io)?;
    let parent = folder.parent().unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(io)?;
    Ok(summary)
}

fn read_batches(file: &Path, batches: &mpsc::Sender<Batch>) -> Result<(), Error> {
    let mut pending = Batch::new();
    let gone = |_| super::Error::Closed;
    read(file, |key, value| {
        pending = std::mem::take(&mut pending).create(key, value);
        if pending.changes.len() == RECORDS_PER_BATCH {
            batches.blocking_send(std::mem::take(&mut pending)).map_err(gone)?;
        }
        Ok(())
    })?;
    Ok(batches.blocking_send(pending).map_err(gone)?)
}
