//! The log of one session as it lies on the disk, for many readers and one writer.
//!
//! It neither makes nor judges entries. What a reader sees is durable.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
};

use conclave_core::{
    ids::{MeetingId, Sequence, SessionNumber},
    limits,
};
use conclave_proto::types::v1 as wire;
use prost::Message;
use tokio::sync::watch;

use crate::store::{self, Batch, schema};

/// Entries kept in memory for those who follow closely; others read the disk.
const RECENT: usize = 1_024;
/// Bytes after which a stretch ends with the next head.
const STRETCH_BYTES: usize = 512 * 1_024;
/// Entries read from the disk before anything is known of their sizes.
const FIRST_SCAN: usize = 8;
/// Bytes of entries kept in memory; the newest entry stays whatever its size.
const RECENT_BYTES: usize = 4 * 1_024 * 1_024;

/// One entry, and the hub's head if a batch ended with it.
#[derive(Clone, PartialEq, Message)]
pub struct Stored {
    /// The entry, Welcome included.
    #[prost(message, optional, tag = "1")]
    pub entry: Option<wire::Entry>,
    /// The head that the hub signed for exactly this entry.
    #[prost(message, optional, tag = "2")]
    pub head: Option<wire::ServerSigned>,
}

/// Entries in order, the last one with its head.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    /// The entries.
    pub entries: Vec<wire::Entry>,
    /// The head of the last of them.
    pub head: Option<wire::ServerSigned>,
}

#[derive(Default)]
struct Recent {
    entries: VecDeque<(u64, Stored)>,
    bytes: usize,
}

/// The log of one session.
pub struct Journal {
    store: store::Shared,
    meeting: MeetingId,
    session: SessionNumber,
    recent: RwLock<Recent>,
    tip: watch::Sender<u64>,
}

impl Journal {
    /// Reads what is there; `replay` gets every entry in order.
    pub async fn open(
        store: store::Shared,
        meeting: MeetingId,
        session: SessionNumber,
        mut replay: impl FnMut(Stored),
    ) -> store::Result<Self> {
        let journal = Self { store, meeting, session, recent: RwLock::default(), tip: watch::Sender::new(0) };
        let mut next = 1;
        loop {
            let page = journal.page(next, limits::ENTRIES_PER_BATCH).await?;
            let Some((last, _)) = page.last() else { break };
            next = last + 1;
            journal.remember(&page);
            for (_, stored) in page {
                replay(stored);
            }
        }
        journal.tip.send_replace(next - 1);
        Ok(journal)
    }

    /// Which session it is.
    pub const fn session(&self) -> SessionNumber {
        self.session
    }

    /// The last durable sequence, now and as it grows.
    pub fn tip(&self) -> watch::Receiver<u64> {
        self.tip.subscribe()
    }

    /// Adds entries that continue the log, with whatever else must be written in the same moment; durable on return.
    pub async fn append(&self, entries: Vec<Stored>, also: Batch) -> store::Result<()> {
        let first = *self.tip.borrow() + 1;
        let numbered: Vec<_> = (first..).zip(entries).collect();
        let batch = numbered.iter().fold(also, |batch, (sequence, stored)| {
            let key = schema::log_entry(&self.meeting, self.session, Sequence(*sequence));
            batch.create(key, stored.encode_to_vec())
        });
        self.store.apply(batch).await?;
        self.remember(&numbered);
        if let Some((last, _)) = numbered.last() {
            self.tip.send_replace(*last);
        }
        Ok(())
    }

    /// The entries from `from` on and not after `limit`, at most a batch, ending with one that has a head; empty if there is none.
    pub async fn read(&self, from: u64, limit: Option<u64>) -> store::Result<Stretch> {
        let page = match self.recall(from) {
            Some(page) => page,
            None => self.page(from, limits::ENTRIES_PER_BATCH).await?,
        };
        let mut stretch = Stretch::default();
        let (mut pending, mut bytes) = (Vec::new(), 0);
        for (sequence, stored) in page {
            if limit.is_some_and(|limit| sequence > limit) {
                break;
            }
            bytes += stored.encoded_len();
            pending.extend(stored.entry);
            if stored.head.is_some() {
                stretch.entries.append(&mut pending);
                stretch.head = stored.head;
                if bytes > STRETCH_BYTES {
                    break;
                }
            }
        }
        Ok(stretch)
    }

    /// One entry.
    pub async fn entry(&self, sequence: u64) -> store::Result<Option<Stored>> {
        let page = match self.recall(sequence) {
            Some(page) => page,
            None => self.page(sequence, 1).await?,
        };
        Ok(page.into_iter().next().filter(|(found, _)| *found == sequence).map(|(_, stored)| stored))
    }

    /// So many entries at most, and no more than are needed for a stretch: they may be large.
    async fn page(&self, from: u64, limit: usize) -> store::Result<Vec<(u64, Stored)>> {
        let (mut page, mut bytes, mut wanted): (Vec<(u64, Stored)>, _, _) = (Vec::new(), 0, FIRST_SCAN);
        while page.len() < limit {
            let next = page.last().map_or(from, |(last, _)| last + 1);
            let found = self.scan(next, wanted.min(limit - page.len())).await?;
            let is_all = found.len() < wanted;
            bytes += found.iter().map(|(_, stored)| stored.encoded_len()).sum::<usize>();
            page.extend(found);
            let is_enough = bytes > STRETCH_BYTES && page.iter().any(|(_, stored)| stored.head.is_some());
            if is_all || is_enough {
                break;
            }
            wanted *= 2;
        }
        Ok(page)
    }

    async fn scan(&self, from: u64, limit: usize) -> store::Result<Vec<(u64, Stored)>> {
        let all = schema::log(&self.meeting, self.session).range();
        let start = schema::log_entry(&self.meeting, self.session, Sequence(from));
        let found = schema::list(&*self.store, all.starting_at(start), limit).await?;
        Ok(found.into_iter().map(|(key, stored)| (schema::number_of(&key), stored)).collect())
    }

    fn remember(&self, entries: &[(u64, Stored)]) {
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        for (sequence, stored) in entries {
            recent.bytes += stored.encoded_len();
            recent.entries.push_back((*sequence, stored.clone()));
        }
        while recent.entries.len() > RECENT || (recent.bytes > RECENT_BYTES && recent.entries.len() > 1) {
            let gone = recent.entries.pop_front().map_or(0, |(_, stored)| stored.encoded_len());
            recent.bytes -= gone;
        }
    }

    /// What memory holds from `from` on; `None` if that is too long ago.
    fn recall(&self, from: u64) -> Option<Vec<(u64, Stored)>> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        let (oldest, _) = recent.entries.front()?;
        let skip = usize::try_from(from.checked_sub(*oldest)?).ok()?;
        Some(recent.entries.iter().skip(skip).take(limits::ENTRIES_PER_BATCH).cloned().collect())
    }
}

/// Shared by the meeting that writes and the streams that read.
pub type Shared = Arc<Journal>;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;
    use crate::store::{envelope::DataKey, memory};

    /// A log with a head after each entry, read anew from its store: nothing of it is in memory.
    async fn reopened(lengths: &[usize]) -> Journal {
        let store = memory::open(&memory::Disk::new(), &DataKey::from_bytes([1; 32])).unwrap();
        let (meeting, session) = (MeetingId::from_bytes([1; 32]), SessionNumber(1));
        let journal = Journal::open(Arc::clone(&store), meeting, session, |_| ()).await.unwrap();
        for length in lengths {
            let entry = wire::Entry { content: vec![7; *length].into(), ..wire::Entry::default() };
            let stored = Stored { entry: Some(entry), head: Some(wire::ServerSigned::default()) };
            journal.append(vec![stored], Batch::new()).await.unwrap();
        }
        let (recent, tip) = (RwLock::default(), watch::Sender::new(0));
        Journal { store, meeting, session, recent, tip }
    }

    #[tokio::test]
    async fn r13_a_page_of_large_entries_is_short_and_one_of_small_ones_long() {
        let large = reopened(&[limits::MESSAGE_BYTES; 256]).await;
        let page = large.page(1, limits::ENTRIES_PER_BATCH).await.unwrap();
        let bytes: usize = page.iter().map(|(_, stored)| stored.encoded_len()).sum();
        assert!((STRETCH_BYTES..4 * STRETCH_BYTES).contains(&bytes), "{bytes} bytes");
        let (mut next, mut read) = (1, 0);
        while let stretch = large.read(next, None).await.unwrap()
            && !stretch.entries.is_empty()
        {
            read += stretch.entries.len();
            next += stretch.entries.len() as u64;
        }
        assert_eq!(read, 256, "all of it, in pieces");
        let small = reopened(&[100; 300]).await;
        let all = small.page(1, limits::ENTRIES_PER_BATCH).await.unwrap();
        let numbers: Vec<_> = all.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=256).collect::<Vec<_>>());
        assert_eq!(small.page(290, 256).await.unwrap().len(), 11);
    }
}
