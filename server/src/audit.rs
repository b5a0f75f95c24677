//! The audit log: what the operator did, append-only, each record holding the hash of the one before.
//!
//! It lies in the store, and a line of each record in a text file besides. Who can write both can rewrite both: keep
//! copies of the last hash elsewhere to notice that.

use std::{fmt::Write as _, fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use conclave_core::time::Time;
use data_encoding::HEXLOWER;
use prost::Message;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::store::{
    self, Batch, Store,
    schema::{self, Area, Key},
};

const LABEL: &[u8] = b"conclave/v1/audit\0";

/// One act, as it is stored.
#[derive(Clone, PartialEq, Message)]
struct Stored {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(uint64, tag = "2")]
    time_ms: u64,
    #[prost(string, tag = "3")]
    who: String,
    #[prost(string, tag = "4")]
    act: String,
    #[prost(string, tag = "5")]
    subject: String,
    #[prost(bytes = "vec", tag = "6")]
    previous: Vec<u8>,
}

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub number: u64,
    /// When, Unix milliseconds.
    pub time_ms: u64,
    /// Who, as the operating system knows them.
    pub who: String,
    /// What was done.
    pub act: String,
    /// To what.
    pub subject: String,
    /// SHA-256 of the record, the hash before it included.
    pub hash: String,
    /// Whether it continues the record before it.
    pub continues: bool,
}

/// Writes an act down, in the store and then in the text file.
pub async fn record(
    store: &dyn Store,
    file: &Path,
    who: &str,
    act: &str,
    subject: &str,
    now: Time,
) -> store::Result<()> {
    loop {
        let last = store.scan(Key::area(Area::Audit).range().backward(), 1).await?;
        let (number, previous) =
            last.first().map_or((1, Vec::new()), |(key, value)| (schema::number_of(key) + 1, hash(value)));
        let entry = Stored {
            number,
            time_ms: now.as_ms(),
            who: who.to_owned(),
            act: act.to_owned(),
            subject: subject.to_owned(),
            previous,
        };
        let bytes = entry.encode_to_vec();
        match store.apply(Batch::new().create(schema::audit(number), bytes.clone())).await {
            Err(store::Error::Changed) => {}
            Err(error) => return Err(error),
            Ok(()) => {
                let line =
                    format!("{number}\t{}\t{who}\t{act}\t{subject}\t{}\n", now.as_ms(), hex(&hash(&bytes)));
                let written = OpenOptions::new().append(true).create(true).mode(0o600).open(file);
                return written
                    .and_then(|mut file| file.write_all(line.as_bytes()).and_then(|()| file.sync_data()))
                    .map_err(|error| store::Error::Unavailable(format!("the audit file: {error}")));
            }
        }
    }
}

/// The last acts, oldest first.
pub async fn last(store: &dyn Store, count: usize) -> store::Result<Vec<Entry>> {
    let range = Key::area(Area::Audit).range().backward();
    // One more than asked, to check the first one shown against it.
    let mut records = store.scan(range, count.saturating_add(1)).await?;
    records.reverse();
    let first_known = records.len() > count;
    let mut before = None;
    let mut entries = Vec::new();
    for (key, value) in &records {
        let stored = Stored::decode(&**value)
            .map_err(|_| store::Error::Damaged("a record of the audit log has a wrong form".to_owned()))?;
        let continues = match &before {
            Some(previous) => stored.previous == *previous,
            None => first_known || stored.previous.is_empty(),
        };
        let numbered = stored.number == schema::number_of(key);
        let Stored { number, time_ms, who, act, subject, .. } = stored;
        before = Some(hash(value));
        let hash = hex(&hash(value));
        entries.push(Entry { number, time_ms, who, act, subject, hash, continues: continues && numbered });
    }
    Ok(entries.split_off(usize::from(first_known)))
}

fn hash(record: &[u8]) -> Vec<u8> {
    Sha256::new().chain_update(LABEL).chain_update(record).finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Unix milliseconds as a date and time of UTC, for people.
pub fn utc(ms: u64) -> String {
    let (days, seconds) = (ms / 86_400_000, ms / 1000 % 86_400);
    // Civil date from days, after Howard Hinnant's algorithm, for days since 0000-03-01.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let mut text = String::new();
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let _infallible = write!(text, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{envelope::DataKey, memory};

    #[tokio::test]
    async fn a_changed_record_breaks_the_chain() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.log");
        let store = memory::open(&memory::Disk::new(), &DataKey::generate()).unwrap();
        for subject in ["alice", "bob", "carol"] {
            record(&*store, &file, "uid 0", "user add", subject, Time::from_ms(1)).await.unwrap();
        }
        let entries = last(&*store, 10).await.unwrap();
        assert!(entries.iter().all(|entry| entry.continues), "{entries:?}");
        assert_eq!(last(&*store, 2).await.unwrap(), entries[1..]);
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 3);

        let key = schema::audit(2);
        let mut forged = Stored::decode(&*store.get(key.as_bytes()).await.unwrap().unwrap()).unwrap();
        forged.subject = "mallory".to_owned();
        store.apply(Batch::new().put(key, forged.encode_to_vec())).await.unwrap();
        let continues: Vec<_> =
            last(&*store, 10).await.unwrap().iter().map(|entry| entry.continues).collect();
        assert_eq!(continues, [true, true, false]);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_795_305_661_000), "2026-11-22 00:01:01 UTC");
    }
}
