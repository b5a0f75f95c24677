//! The store's twin in memory, for tests: the same sealing, conditions and checks over a map.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Range, Record, Result, Shared,
    envelope::DataKey,
    sealed::{Engine, SealedStore},
};

#[derive(Default)]
struct Contents {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    witness: u64,
}

/// What stands for the disk: outlives the stores that are opened on it.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<Contents>>);

impl Disk {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes what lies on it behind the store's back, as a failing disk would.
    pub fn tamper(&self, change: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u8>>)) {
        change(&mut self.contents().records);
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a store on it.
pub fn open(disk: &Disk, key: &DataKey) -> Result<Shared> {
    Ok(Arc::new(SealedStore::open(disk.clone(), key)?))
}

impl Engine for Disk {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.contents().records.get(key).cloned())
    }

    fn scan(&self, range: &Range, limit: usize) -> Result<Vec<Record>> {
        let Some(bounds) = range.bounds() else { return Ok(Vec::new()) };
        let contents = self.contents();
        let found =
            contents.records.range::<[u8], _>(bounds).map(|(key, value)| (key.clone(), value.clone()));
        Ok(if range.is_backward() { found.rev().take(limit).collect() } else { found.take(limit).collect() })
    }

    fn write(&self, changes: HashMap<Vec<u8>, Option<Vec<u8>>>) -> Result<()> {
        let mut contents = self.contents();
        for (key, value) in changes {
            match value {
                Some(value) => contents.records.insert(key, value),
                None => contents.records.remove(&key),
            };
        }
        Ok(())
    }

    fn witness(&self) -> Result<u64> {
        Ok(self.contents().witness)
    }

    fn note(&self, group: u64) -> Result<()> {
        self.contents().witness = group;
        Ok(())
    }
}
