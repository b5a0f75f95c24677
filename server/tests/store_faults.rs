//! What stores must survive: death at any moment, flipped bits, cut files.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use conclave_server::store::{
    Batch, Error, Range,
    envelope::DataKey,
    memory::{self, Disk},
    sled,
};

const FOLDER: &str = "CONCLAVE_TEST_STORE";
const KILLS: usize = 30;

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

fn key() -> DataKey {
    DataKey::from_bytes([7; 32])
}

/// Numbers that are the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// A value that shows by itself whether it is whole; some are large enough to lie in files of their own.
fn value_of(name: &str) -> Vec<u8> {
    let number = name.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let length = if number.is_multiple_of(50) { 150_000 } else { 20 + number % 400 };
    name.bytes().cycle().take(length).collect()
}

/// Not a test: what is killed. Eight tasks write, and say what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by f1_every_acknowledged_record_survives_kill_9"]
async fn f1_writer() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let store = sled::open(Path::new(&folder), &key()).unwrap();
    let run = store.scan(Range::prefix("run"), usize::MAX).await.unwrap().len();
    store.apply(Batch::new().put(format!("run{run}"), "")).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for number in 0.. {
                    let (first, second) =
                        (format!("a{run}.{task}.{number}"), format!("b{run}.{task}.{number}"));
                    let batch = Batch::new()
                        .create(first.as_str(), value_of(&first))
                        .put(second.as_str(), value_of(&second))
                        .put(format!("last{task}"), number.to_string());
                    store.apply(batch).await.unwrap();
                    // One write call, so that a killed process leaves no half line.
                    std::io::stdout().lock().write_all(format!("ack {first} {second}\n").as_bytes()).unwrap();
                }
            })
        })
        .collect();
    futures::future::join_all(tasks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_every_acknowledged_record_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(1);
    let mut acknowledged = Vec::new();
    for round in 0..KILLS {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "f1_writer", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let (mut seen, enough) = (0, 1 + dice.roll(300));
        while seen < enough {
            let line = lines.next().expect("the writer goes on until it is killed").unwrap();
            seen += usize::from(take(&line, &mut acknowledged));
        }
        // SIGKILL at whatever the writer is doing now.
        writer.kill().unwrap();
        writer.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            take(&line, &mut acknowledged);
        }
        let store = sled::open(folder.path(), &key()).unwrap();
        for name in &acknowledged {
            let found = store.get(name.as_bytes()).await.unwrap();
            assert_eq!(found, Some(value_of(name)), "round {round}: {name} was acknowledged");
        }
        store.close().await;
    }
    assert!(acknowledged.len() > KILLS * 10, "only {} records were acknowledged", acknowledged.len());
}

/// The test harness may print before a line, never into it.
fn take(line: &str, acknowledged: &mut Vec<String>) -> bool {
    let Some((_, names)) = line.split_once("ack ") else { return false };
    acknowledged.extend(names.split(' ').map(str::to_owned));
    true
}

async fn filled(folder: &Path) -> Records {
    let mut records = BTreeMap::new();
    for round in 0..6 {
        let store = sled::open(folder, &key()).unwrap();
        for number in 0..100 {
            let name = format!("{}.{}", number % 37, round * number);
            records.insert(name.clone().into_bytes(), value_of(&name));
            store.apply(Batch::new().put(name.as_str(), value_of(&name))).await.unwrap();
        }
        store.close().await;
    }
    records
}

/// A store on damaged files must be refused as damaged, or hold everything.
async fn judge(folder: &Path, records: &Records, what: &str) -> bool {
    match sled::open(folder, &key()) {
        Err(Error::Damaged(_)) => true,
        Err(other) => panic!("{what}: {other}"),
        Ok(store) => {
            let found: BTreeMap<_, _> =
                store.scan(Range::all(), usize::MAX).await.unwrap().into_iter().collect();
            assert!(&found == records, "{what}: {} records of {}", found.len(), records.len());
            store.close().await;
            false
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else if entry.metadata().unwrap().len() > 0 {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copied(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f4_a_flipped_bit_is_refused_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let records = filled(&whole).await;
    let mut dice = Dice(4);
    let mut refused = 0;
    for round in 0..60 {
        let copy = folder.path().join(format!("copy{round}"));
        copied(&whole, &copy);
        let damaged = files(&copy);
        let file = &damaged[round % damaged.len()];
        let mut bytes = fs::read(file).unwrap();
        // The used part of the engine's file is its beginning.
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
        let (place, bit) = (dice.roll(used), dice.roll(8));
        bytes[place] ^= 1 << bit;
        fs::write(file, bytes).unwrap();
        refused += usize::from(
            judge(&copy, &records, &format!("bit {bit} of byte {place} of {}", file.display())).await,
        );
        fs::remove_dir_all(&copy).unwrap();
    }
    assert!(refused > 10, "only {refused} of 60 flips were noticed: the test hits nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn f4_a_cut_or_missing_file_is_refused_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let records = filled(&whole).await;
    let mut dice = Dice(5);
    let mut refused = 0;
    for round in 0..30 {
        let copy = folder.path().join(format!("copy{round}"));
        copied(&whole, &copy);
        let damaged = files(&copy);
        let file = &damaged[round % damaged.len()];
        let bytes = fs::read(file).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
        let kept = dice.roll(used);
        if round.is_multiple_of(5) {
            fs::remove_file(file).unwrap();
        } else {
            fs::write(file, &bytes[..kept]).unwrap();
        }
        refused += usize::from(judge(&copy, &records, &format!("{} cut at {kept}", file.display())).await);
        fs::remove_dir_all(&copy).unwrap();
    }
    assert!(refused > 10, "only {refused} of 30 cuts were noticed");
}

#[tokio::test]
async fn f4_a_record_that_is_lost_rolled_back_or_moved_is_noticed() {
    let disk = Disk::new();
    let store = memory::open(&disk, &key()).unwrap();
    store.apply(Batch::new().put("a", "1").put("b", "2")).await.unwrap();
    let mut older = None;
    disk.tamper(|records| older = records.get(&b"a"[..]).cloned());
    store.apply(Batch::new().put("a", "3")).await.unwrap();
    store.close().await;
    let older = older.unwrap();
    let refused = |change: &dyn Fn(&mut Records)| {
        let mut before = BTreeMap::new();
        disk.tamper(|records| {
            before = records.clone();
            change(records);
        });
        let outcome = memory::open(&disk, &key()).err();
        disk.tamper(|records| *records = before);
        assert!(matches!(outcome, Some(Error::Damaged(_))), "{outcome:?}");
    };
    refused(&|records| drop(records.remove(&b"b"[..])));
    refused(&|records| drop(records.insert(b"a".to_vec(), older.clone())));
    refused(&|records| {
        let value = records[&b"a"[..]].clone();
        records.insert(b"b".to_vec(), value);
    });
    refused(&|records| drop(records.remove(&b"\0state"[..])));
    refused(&BTreeMap::clear);
    assert!(memory::open(&disk, &key()).is_ok());
}

#[tokio::test]
async fn two_processes_cannot_have_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = sled::open(folder.path(), &key()).unwrap();
    assert_eq!(sled::open(folder.path(), &key()).err(), Some(Error::InUse));
    store.close().await;
}
