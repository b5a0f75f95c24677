//! What every store must do, run against each implementation.

use std::{path::Path, sync::Arc, time::Duration};

use conclave_server::store::{
    Batch, Error, Range, Shared,
    envelope::DataKey,
    memory::{self, Disk},
    sled,
};

const KEY: [u8; 32] = [7; 32];

/// Something that stores can be opened on, again and again.
trait Medium {
    fn open(&self, key: [u8; 32]) -> Result<Shared, Error>;
}

impl Medium for Disk {
    fn open(&self, key: [u8; 32]) -> Result<Shared, Error> {
        memory::open(self, &DataKey::from_bytes(key))
    }
}

impl Medium for &Path {
    fn open(&self, key: [u8; 32]) -> Result<Shared, Error> {
        sled::open(self, &DataKey::from_bytes(key))
    }
}

macro_rules! conformance {
    ($($test:ident)*) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(super::Disk::new()).await;
            })*
        }
        mod in_sled {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                super::$test(folder.path()).await;
            })*
        }
    };
}

conformance! {
    reads_what_was_written
    scans_in_order_within_bounds
    a_batch_happens_wholly_or_not_at_all
    conditions_see_the_batches_before_them
    one_of_many_wins
    what_was_written_is_there_after_reopening
    another_key_is_refused
    watchers_are_woken_after_the_write
    a_closed_store_refuses_writes
    an_export_is_of_one_moment
}

async fn reads_what_was_written(medium: impl Medium) {
    let store = medium.open(KEY).unwrap();
    assert_eq!(store.get(b"a").await, Ok(None));
    store.apply(Batch::new().put("a", "1").put("b", vec![0; 300_000]).put("a", "2")).await.unwrap();
    assert_eq!(store.get(b"a").await, Ok(Some(b"2".to_vec())));
    assert_eq!(store.get(b"b").await, Ok(Some(vec![0; 300_000])));
    store.apply(Batch::new().delete("a").delete("never")).await.unwrap();
    assert_eq!(store.get(b"a").await, Ok(None));
    store.apply(Batch::new().put("empty", "")).await.unwrap();
    assert_eq!(store.get(b"empty").await, Ok(Some(Vec::new())));
}

async fn scans_in_order_within_bounds(medium: impl Medium) {
    let store = medium.open(KEY).unwrap();
    let batch =
        ["b1", "a", "b", "c", "b\u{ff}", "b2"].iter().fold(Batch::new(), |batch, key| batch.put(*key, *key));
    store.apply(batch).await.unwrap();
    let keys = async |range: Range, limit| -> Vec<String> {
        let found = store.scan(range, limit).await.unwrap();
        found.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect()
    };
    assert_eq!(keys(Range::all(), 100).await, ["a", "b", "b1", "b2", "b\u{ff}", "c"]);
    assert_eq!(keys(Range::prefix("b"), 100).await, ["b", "b1", "b2", "b\u{ff}"]);
    assert_eq!(keys(Range::prefix("b"), 2).await, ["b", "b1"]);
    assert_eq!(keys(Range::prefix("b").backward(), 2).await, ["b\u{ff}", "b2"]);
    assert_eq!(keys(Range::prefix("b").after("b1"), 100).await, ["b2", "b\u{ff}"]);
    assert_eq!(keys(Range::prefix("b").starting_at("b1").before("b2"), 100).await, ["b1"]);
    assert!(keys(Range::prefix("b").starting_at("d"), 100).await.is_empty());
    assert!(keys(Range::prefix("b"), 0).await.is_empty());
}

async fn a_batch_happens_wholly_or_not_at_all(medium: impl Medium) {
    let store = medium.open(KEY).unwrap();
    store.apply(Batch::new().create("a", "1")).await.unwrap();
    let refused = [
        Batch::new().put("b", "1").create("a", "2"),
        Batch::new().put("b", "1").expect_value("a", "2"),
        Batch::new().put("b", "1").expect_value("c", ""),
        Batch::new().put("b", "1").expect("a", None),
    ];
    for batch in refused {
        assert_eq!(store.apply(batch).await, Err(Error::Changed));
        assert_eq!(store.get(b"b").await, Ok(None));
    }
    let held = Batch::new().expect_value("a", "1").expect_absent("b").put("b", "1").delete("a");
    store.apply(held).await.unwrap();
    assert_eq!(store.get(b"a").await, Ok(None));
}

async fn conditions_see_the_batches_before_them(medium: impl Medium) {
    let store = medium.open(KEY).unwrap();
    // Handed over together, so that many share a group: each is based on the one before.
    let steps: Vec<_> = (0..200_u32)
        .map(|step| {
            let batch = match step {
                0 => Batch::new().expect_absent("n"),
                _ => Batch::new().expect_value("n", (step - 1).to_string()),
            };
            store.apply(batch.put("n", step.to_string()))
        })
        .collect();
    for outcome in futures::future::join_all(steps).await {
        outcome.unwrap();
    }
    assert_eq!(store.get(b"n").await, Ok(Some(b"199".to_vec())));
}

async fn one_of_many_wins(medium: impl Medium) {
    let store = medium.open(KEY).unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.apply(Batch::new().create("seat", task.to_string())).await })
        })
        .collect();
    let mut won = Vec::new();
    for (task, outcome) in tasks.into_iter().enumerate() {
        match outcome.await.unwrap() {
            Ok(()) => won.push(task.to_string()),
            Err(error) => assert_eq!(error, Error::Changed),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(store.get(b"seat").await, Ok(Some(won[0].clone().into_bytes())));
}

async fn what_was_written_is_there_after_reopening(medium: impl Medium) {
    for round in 0..4_u32 {
        let store = medium.open(KEY).unwrap();
        assert_eq!(store.scan(Range::prefix("r"), 10).await.unwrap().len(), usize::try_from(round).unwrap());
        let key = format!("r{round}");
        store
            .apply(Batch::new().put(key, "x").put("overwritten", round.to_string()).delete("old"))
            .await
            .unwrap();
        store.apply(Batch::new().put("old", "y")).await.unwrap();
        store.close().await;
    }
}

async fn another_key_is_refused(medium: impl Medium) {
    let store = medium.open(KEY).unwrap();
    store.apply(Batch::new().put("a", "1")).await.unwrap();
    store.close().await;
    drop(store);
    assert_eq!(medium.open([8; 32]).err(), Some(Error::WrongKey));
    assert!(medium.open(KEY).is_ok());
}

async fn watchers_are_woken_after_the_write(medium: impl Medium) {
    let store = medium.open(KEY).unwrap();
    let (mut own, mut all, mut other) = (store.watch(b"log/1/"), store.watch(b""), store.watch(b"log/2/"));
    store.apply(Batch::new().put("log/1/7", "entry")).await.unwrap();
    assert!(own.changed().await && all.changed().await);
    assert_eq!(store.get(b"log/1/7").await, Ok(Some(b"entry".to_vec())));
    let refused = store.apply(Batch::new().create("log/1/7", "").put("log/2/1", "")).await;
    assert_eq!(refused, Err(Error::Changed));
    let nothing = tokio::time::timeout(Duration::from_millis(50), other.changed()).await;
    assert!(nothing.is_err(), "a refused batch and another prefix woke a watcher");
    store.close().await;
    assert!(!other.changed().await);
}

async fn a_closed_store_refuses_writes(medium: impl Medium) {
    let store = medium.open(KEY).unwrap();
    let last = store.apply(Batch::new().put("a", "1"));
    last.await.unwrap();
    store.close().await;
    assert_eq!(store.apply(Batch::new().put("b", "1")).await, Err(Error::Closed));
    assert_eq!(store.get(b"a").await, Ok(Some(b"1".to_vec())));
}

async fn an_export_is_of_one_moment(medium: impl Medium) {
    let store = medium.open(KEY).unwrap();
    // Left and right change together; an export must never see them differ.
    let batch = |n: u32| {
        (0..2000).fold(Batch::new(), |batch, i| {
            if i == 0 {
                batch.put("left", n.to_string()).put("right", n.to_string())
            } else {
                batch.put(format!("m{i}"), "x")
            }
        })
    };
    store.apply(batch(0)).await.unwrap();
    let writer = Arc::clone(&store);
    let writing = tokio::spawn(async move {
        for n in 1..40 {
            writer.apply(batch(n)).await.unwrap();
        }
    });
    for _ in 0..10 {
        let (sender, seen) = std::sync::mpsc::channel();
        let visit = Box::new(move |total, key: &[u8], value: &[u8]| {
            assert_eq!(total, 2001);
            sender.send((key.to_vec(), value.to_vec())).map_err(std::io::Error::other)
        });
        store.export(visit).await.unwrap();
        let records: std::collections::BTreeMap<_, _> = seen.into_iter().collect();
        assert_eq!(records.len(), 2001);
        assert_eq!(records[&b"left"[..]], records[&b"right"[..]]);
    }
    writing.await.unwrap();
}
