//! What the server remembers: ordered keys, atomic conditional batches, a change notice.
//!
//! What `apply` has answered is on the disk. Values are sealed before they reach an engine ([`envelope`]), so damage is
//! found and data at rest is encrypted; keys are not. [`sled`] is the embedded engine, [`memory`] its twin for tests.
//! Which key holds what is decided in [`schema`] alone.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;

pub mod backup;
mod batch;
pub mod envelope;
pub mod memory;
pub mod schema;
mod sealed;
pub mod sled;
mod watch;

pub use self::{
    batch::{Batch, Expect, Range},
    watch::Watch,
};

/// A key and its value.
pub type Record = (Vec<u8>, Vec<u8>);

/// Takes one record of an export; the first number is how many there are in all.
pub type Visit = Box<dyn FnMut(u64, &[u8], &[u8]) -> std::io::Result<()> + Send>;

/// A store that the parts of the server share.
pub type Shared = Arc<dyn Store>;

/// What a store answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a store did not do it. Only [`Error::Changed`] is an ordinary answer; the rest are the store's own troubles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A condition of the batch does not hold; nothing was written.
    #[error("what the change was based on has changed meanwhile")]
    Changed,
    /// The disk is full or refuses; nothing was acknowledged. Trying again may help.
    #[error("the store cannot write: {0}")]
    Unavailable(String),
    /// What lies on the disk is not what was written.
    #[error(
        "the store is damaged: {0}. Move its folder away and run `conclave-server restore FILE` with the last backup"
    )]
    Damaged(String),
    /// The key file is not the one that the values were sealed with.
    #[error("the store was sealed with another key: put the store.key that belongs to it back in its place")]
    WrongKey,
    /// A newer program wrote it.
    #[error(
        "the store has schema version {found}, this program knows up to {known}: install the newer program"
    )]
    Newer {
        /// The version in the store.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// Another process has it open.
    #[error("another process has the store open")]
    InUse,
    /// It was closed.
    #[error("the store is closed")]
    Closed,
}

/// An ordered key-value store. Keys compare as bytes.
///
/// Reads see every batch that was acknowledged, and may see one that is about to be.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The value of a key.
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// At most `limit` records of a range, in its order.
    async fn scan(&self, range: Range, limit: usize) -> Result<Vec<Record>>;

    /// Writes all of a batch, or nothing if one of its conditions does not hold. Answers when it is on the disk.
    ///
    /// Batches are applied in the order in which they were handed over; those that arrive together share one sync.
    async fn apply(&self, batch: Batch) -> Result<()>;

    /// Hands over every record as of one moment, in the order of keys. Writes wait meanwhile.
    async fn export(&self, visit: Visit) -> Result<()>;

    /// A notice whenever a key with this prefix has changed, after it is on the disk.
    fn watch(&self, prefix: &[u8]) -> Watch;

    /// Finishes what was handed over, and refuses all later writes.
    async fn close(&self);
}

/// Opens the store of a server in a folder, checks all that lies in it, and brings its schema up to date.
pub async fn open(folder: &Path, key: &envelope::DataKey) -> Result<Shared> {
    let (folder, key) = (folder.to_owned(), key.clone());
    let opened = tokio::task::spawn_blocking(move || sled::open(&folder, &key)).await;
    let store = opened.map_err(|error| Error::Unavailable(error.to_string()))??;
    schema::settle(&*store).await?;
    Ok(store)
}
