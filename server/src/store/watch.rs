//! The change notice: who watches a prefix is woken after a key under it is on the disk.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

/// Wakes whenever something under its prefix has changed. Notices that nobody took yet fall together into one.
#[derive(Debug)]
pub struct Watch {
    receiver: watch::Receiver<u64>,
}

impl Watch {
    /// Returns once something has changed since the last call, or `false` when the store is closed.
    pub async fn changed(&mut self) -> bool {
        self.receiver.changed().await.is_ok()
    }
}

/// All watched prefixes of one store.
#[derive(Clone, Default)]
pub(super) struct Watches(Arc<Mutex<HashMap<Vec<u8>, watch::Sender<u64>>>>);

impl Watches {
    /// Begins to watch a prefix.
    pub(super) fn watch(&self, prefix: &[u8]) -> Watch {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, sender| !sender.is_closed());
        let sender = watched.entry(prefix.to_vec()).or_insert_with(|| watch::Sender::new(0));
        Watch { receiver: sender.subscribe() }
    }

    /// Wakes those who watch a prefix of one of these keys.
    pub(super) fn notify<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.is_empty() {
            return;
        }
        for key in keys {
            for length in 0..=key.len() {
                if let Some(sender) = watched.get(&key[..length]) {
                    sender.send_modify(|count| *count += 1);
                }
            }
        }
    }

    /// Ends every watch.
    pub(super) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
