//! Two workers, a real gRPC server with a real WebRTC SFU between them, real files at both ends.

use std::{collections::HashMap, path::Path};

use conclave_core::ids::Epoch;

use super::*;
use crate::{
    media::{ivf, ogg, probe, test_sfu},
    testing::Tls,
};

struct Party {
    orders: mpsc::UnboundedSender<Order>,
    reports: mpsc::UnboundedReceiver<Report>,
    folder: tempfile::TempDir,
}

fn device(name: &str) -> DeviceUri {
    DeviceUri::parse(&format!("conclave://north.example/u/{name}/d/1a2b3c4d5e6f7a8b")).unwrap()
}

fn keys(epoch: u64, secret: u8, leaf: u32) -> EpochKeys {
    let roster = [(LeafIndex(0), device("alice")), (LeafIndex(1), device("bob"))];
    EpochKeys::new(Epoch(epoch), [secret; 16], LeafIndex(leaf), roster)
}

impl Party {
    fn start(tls: &Tls, name: &str, speech: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sound = ogg::read(&probe::clip(speech)).unwrap();
        let pictures = ivf::read(&probe::clip("moving.ivf")).unwrap();
        let tracks = [sound, pictures].into_iter().zip(16..);
        let plan = Plan {
            session: Session { meeting_id: vec![7; 32].into(), hub: "north.example".to_owned(), number: 1 },
            device: device(name),
            tracks: tracks.map(|(clip, n)| (track_of(&clip, TrackNumber(n)), clip)).collect(),
            slots: Slots { audio: 4, video: 4 },
            record: Some(folder.path().join("recordings")),
            frame_log: Some(folder.path().join("frames.jsonl")),
        };
        let (orders, reports) = start(Api::new(&tls.address()).unwrap(), plan).unwrap();
        Self { orders, reports, folder }
    }

    fn enter(&self, keys: EpochKeys) {
        self.orders.send(Order::Keys { keys, at_once: false, removed: Vec::new() }).unwrap();
    }

    async fn until(&mut self, wanted: impl Fn(&Report) -> bool) -> Report {
        let wait = async {
            loop {
                let report = self.reports.recv().await.unwrap();
                if wanted(&report) {
                    return report;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the report never came")
    }

    async fn first_frames(&mut self) {
        for kind in [Kind::Audio, Kind::Video] {
            let _ = kind;
            self.until(|report| matches!(report, Report::FirstFrame { .. })).await;
        }
    }

    async fn stop(&mut self) -> Statistics {
        self.orders.send(Order::Stop).unwrap();
        match self.until(|report| matches!(report, Report::Finished(_))).await {
            Report::Finished(statistics) => statistics,
            other => panic!("{other:?}"),
        }
    }

    fn lines(&self, direction: &str) -> Vec<serde_json::Value> {
        read_lines(&self.folder.path().join("frames.jsonl"))
            .into_iter()
            .filter(|l| l["dir"] == direction)
            .collect()
    }
}

fn read_lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every frame received was sent, and of those sent between the first and the last received at least 95 in 100 arrived.
fn assert_arrived(from: &Party, to: &Party, name: &str) {
    for kind in ["audio", "video"] {
        let of_kind = |lines: Vec<serde_json::Value>| {
            lines.into_iter().filter(|l| l["kind"] == kind).collect::<Vec<_>>()
        };
        let (sent, received) = (of_kind(from.lines("sent")), of_kind(to.lines("received")));
        let mut known: HashMap<String, usize> = HashMap::new();
        for line in &sent {
            *known.entry(line["sha256"].to_string()).or_default() += 1;
        }
        assert!(received.iter().all(|line| known.contains_key(&line["sha256"].to_string())));
        let uri = device(name).to_string();
        assert!(received.iter().all(|line| line["device"] == uri.as_str()));
        let time = |line: &serde_json::Value| line["t_ms"].as_f64().unwrap();
        let (first, last) = (time(&received[0]), time(received.last().unwrap()));
        let due = sent.iter().filter(|line| (first..=last).contains(&time(line))).count();
        assert!(received.len() * 100 >= due * 95, "{kind}: {} of {due}", received.len());
        assert!(due > if kind == "audio" { 100 } else { 30 }, "{kind}: {due}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_and_pictures_arrive_whole_and_named_across_a_change_of_epoch() {
    let tls = Tls::new();
    let _sfu = test_sfu::serve(&tls).await;
    let mut alice = Party::start(&tls, "alice", "speech.ogg");
    let mut bob = Party::start(&tls, "bob", "speech-b.ogg");
    alice.enter(keys(1, 1, 0));
    bob.enter(keys(1, 1, 1));
    alice.first_frames().await;
    bob.first_frames().await;
    tokio::time::sleep(Duration::from_secs(1)).await; // Media takes time; what it brought is measured below.
    alice.enter(keys(2, 2, 0));
    tokio::time::sleep(Duration::from_millis(600)).await; // Bob's keys are late; alice's frames wait for them.
    bob.enter(keys(2, 2, 1));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (at_alice, at_bob) = (alice.stop().await, bob.stop().await);
    assert_arrived(&alice, &bob, "alice");
    assert_arrived(&bob, &alice, "bob");
    assert_eq!((at_alice.frames_refused, at_bob.frames_refused), (0, 0));
    assert_eq!((at_alice.recordings.len(), at_bob.recordings.len()), (2, 2));
    for file in at_alice.recordings.iter().chain(&at_bob.recordings) {
        let (_, seconds) = probe::decode(file);
        assert!(seconds > 2.5, "{}: {seconds}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_comes_back_when_the_server_does() {
    let tls = Tls::new();
    let sfu = test_sfu::serve(&tls).await;
    let mut alice = Party::start(&tls, "alice", "speech.ogg");
    let mut bob = Party::start(&tls, "bob", "speech-b.ogg");
    alice.enter(keys(1, 1, 0));
    bob.enter(keys(1, 1, 1));
    alice.first_frames().await;
    bob.first_frames().await;
    drop(sfu);
    alice.until(|report| matches!(report, Report::Connected(Err(_)))).await;
    bob.until(|report| matches!(report, Report::Connected(Err(_)))).await;
    let before = bob.lines("received").len();
    let _sfu = test_sfu::serve(&tls).await;
    let back = Instant::now();
    let resumed = async {
        while bob.lines("received").len() <= before + 20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), resumed).await.expect("media did not resume within 5 s");
    tracing::info!(after = ?back.elapsed(), "resumed");
    assert!(bob.stop().await.connections >= 2);
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_keys_nothing_is_sent_and_strangers_frames_are_refused() {
    let tls = Tls::new();
    let _sfu = test_sfu::serve(&tls).await;
    let mut alice = Party::start(&tls, "alice", "speech.ogg");
    let mut mallory = Party::start(&tls, "bob", "speech-b.ogg");
    alice.enter(keys(1, 1, 0));
    mallory.enter(keys(1, 99, 1));
    alice.until(|report| matches!(report, Report::Connected(Ok(())))).await;
    mallory.until(|report| matches!(report, Report::Connected(Ok(())))).await;
    let mut silent = Party::start(&tls, "alice", "speech.ogg");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(silent.stop().await, Statistics::default());
    let (alice, mallory) = (alice.stop().await, mallory.stop().await);
    assert!(alice.frames_sent > 50 && mallory.frames_sent > 50);
    assert_eq!((alice.frames_received, mallory.frames_received), (0, 0));
    assert!(alice.frames_refused > 20 && mallory.frames_refused > 20, "{alice:?} {mallory:?}");
}
