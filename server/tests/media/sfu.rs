//! What arrives, and what does not.

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use conclave_core::{
    identity::address::DeviceUri,
    ids::{LeafIndex, MeetingId, SessionNumber},
};
use conclave_proto::client::v1::signals_response::Signal;
use conclave_server::media::{Media, SessionKey};

use crate::{
    device::{Device, Diary},
    peers::{Directory, alone, federated},
};

pub(crate) const ALICE: &str = "conclave://north.example/u/alice/d/000000000000000a";
pub(crate) const BOB: &str = "conclave://south.example/u/bob/d/000000000000000b";
pub(crate) const BERT: &str = "conclave://north.example/u/bert/d/000000000000000b";

pub(crate) fn key() -> SessionKey {
    SessionKey { meeting: MeetingId::from_bytes([3; 32]), session: SessionNumber(1) }
}

pub(crate) fn uri(text: &str) -> DeviceUri {
    DeviceUri::parse(text).unwrap()
}

pub(crate) fn roster(devices: &[&str]) -> Vec<(LeafIndex, DeviceUri)> {
    (0..).map(LeafIndex).zip(devices.iter().map(|device| uri(device))).collect()
}

pub(crate) fn set(media: &Media, roster: &[(LeafIndex, DeviceUri)]) {
    media.set_roster(key(), roster.iter().map(|(leaf, device)| (device.clone(), *leaf)));
}

/// Waits until something holds, for at most twenty seconds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn assert_nearly_all(what: &str, (shown, sent): (usize, usize)) {
    assert!(sent >= 50, "{what}: only {sent} frames could have been seen");
    assert!(shown * 100 >= sent * 95, "{what}: {shown} of {sent} frames arrived");
}

pub(crate) fn finish(worker: std::thread::JoinHandle<Diary>) -> Diary {
    worker.join().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_media_arrives_through_one_sfu() {
    let home = alone(1);
    let roster = roster(&[ALICE, BERT]);
    set(&home.media, &roster);
    let stop = Arc::new(AtomicBool::new(false));
    let (_, alice) = Device::new(ALICE, 0).join(&home.media, key(), &roster, stop.clone()).await;
    until("alice alone", || home.media.stats().rtp_in > 50).await;
    let (opened, bert) = Device::new(BERT, 1).join(&home.media, key(), &roster, stop.clone()).await;
    let signals = home.media.signals(opened.connection, uri(BERT)).await.unwrap();
    until("traffic", || home.media.stats().rtp_out > 1_200).await;
    let Signal::Slots(slots) = signals.borrow().clone() else { panic!("the connection ended") };
    stop.store(true, Ordering::Relaxed);
    let (alice, bert) = (finish(alice), finish(bert));

    assert_nearly_all("alice's voice", bert.shown_of(&uri(ALICE), 1, &alice));
    assert_nearly_all("alice's camera", bert.shown_of(&uri(ALICE), 2, &alice));
    assert_nearly_all("bert's voice", alice.shown_of(&uri(BERT), 1, &bert));
    assert_nearly_all("bert's camera", alice.shown_of(&uri(BERT), 2, &bert));
    assert_eq!((alice.not_opened, bert.not_opened), (0, 0));
    assert!(alice.key_frames_asked > 0, "a slot that starts asks for a key frame");
    let named: Vec<_> = slots.slots.iter().map(|slot| (slot.device.as_str(), slot.track)).collect();
    assert_eq!(named, [(ALICE, 1), (ALICE, 2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn med_20_sealed_media_arrives_through_two_sfus_and_the_relay() {
    let directory = Directory::default();
    let (north, south) = (federated("north.example", &directory), federated("south.example", &directory));
    let roster = roster(&[ALICE, BOB]);
    set(&north.media, &roster);
    set(&south.media, &roster);
    let stop = Arc::new(AtomicBool::new(false));
    let (_, alice) = Device::new(ALICE, 0).join(&north.media, key(), &roster, stop.clone()).await;
    until("alice alone", || north.media.stats().rtp_in > 50).await;
    assert_eq!(north.media.stats().relay_out, 0, "nobody watches there");
    let (_, bob) = Device::new(BOB, 1).join(&south.media, key(), &roster, stop.clone()).await;
    let enough = || north.media.stats().rtp_out > 600 && south.media.stats().rtp_out > 600;
    until("traffic", enough).await;
    stop.store(true, Ordering::Relaxed);
    let (alice, bob) = (finish(alice), finish(bob));

    assert_nearly_all("alice's voice", bob.shown_of(&uri(ALICE), 1, &alice));
    assert_nearly_all("alice's camera", bob.shown_of(&uri(ALICE), 2, &alice));
    assert_nearly_all("bob's voice", alice.shown_of(&uri(BOB), 1, &bob));
    assert_nearly_all("bob's camera", alice.shown_of(&uri(BOB), 2, &bob));
    assert_eq!((alice.not_opened, bob.not_opened), (0, 0));
    assert!(alice.key_frames_asked > 0, "the request crosses the relay");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn med_11_c11_frames_under_anothers_key_id_are_dropped() {
    let home = alone(1);
    let roster = roster(&[ALICE, BERT, BOB]);
    set(&home.media, &roster);
    let stop = Arc::new(AtomicBool::new(false));
    let mut forger = Device::new(ALICE, 0);
    forger.claims = LeafIndex(2); // Bob's.
    let (_, alice) = forger.join(&home.media, key(), &roster, stop.clone()).await;
    let (_, bert) = Device::new(BERT, 1).join(&home.media, key(), &roster, stop.clone()).await;
    until("forged frames", || home.media.stats().dropped_key_id > 50).await;
    stop.store(true, Ordering::Relaxed);
    let (alice, bert) = (finish(alice), finish(bert));
    assert!(bert.shown.is_empty(), "a forged frame was shown");
    assert_eq!(bert.not_opened, 0, "a forged frame came through");
    assert!(!alice.shown.is_empty(), "the forger still sees others");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn med_13_c16_a_removed_device_is_cut_at_once() {
    let home = alone(1);
    let everybody = roster(&[ALICE, BERT]);
    set(&home.media, &everybody);
    let stop = Arc::new(AtomicBool::new(false));
    let (_, alice) = Device::new(ALICE, 0).join(&home.media, key(), &everybody, stop.clone()).await;
    let (opened, bert) = Device::new(BERT, 1).join(&home.media, key(), &everybody, stop.clone()).await;
    let mut signals = home.media.signals(opened.connection, uri(BERT)).await.unwrap();
    until("traffic", || home.media.stats().rtp_out > 300).await;

    let removed_at = Instant::now();
    set(&home.media, &everybody[..1]);
    let ended = signals.wait_for(|signal| matches!(signal, Signal::Ended(_)));
    tokio::time::timeout(Duration::from_secs(1), ended).await.unwrap().unwrap();
    let bert = finish(bert);
    assert!(bert.is_over, "the peer connection was closed");
    assert!(removed_at.elapsed() < Duration::from_secs(1));
    let after = home.media.stats().rtp_out;
    let before = home.media.stats().packets_in;
    until("more of alice", || home.media.stats().packets_in > before + 50).await;
    assert_eq!(home.media.stats().rtp_out, after, "nothing is sent to anybody any more");
    assert!(home.media.signals(opened.connection, uri(BERT)).await.is_err());
    stop.store(true, Ordering::Relaxed);
    finish(alice);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n8_strangers_cost_nothing_and_get_no_answer() {
    let home = alone(1);
    let roster = roster(&[ALICE, BERT]);
    set(&home.media, &roster);
    let stop = Arc::new(AtomicBool::new(false));
    let (_, alice) = Device::new(ALICE, 0).join(&home.media, key(), &roster, stop.clone()).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = home.media.local_addresses()[0];
    for kind in [0x00, 0x16, 0x80, 0xff] {
        for _ in 0..25 {
            stranger.send_to(&[kind; 200], target).unwrap();
        }
    }
    until("the flood", || home.media.stats().dropped_unknown >= 100).await;
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.recv(&mut [0; 10]).is_err(), "an answer to a stranger");
    stop.store(true, Ordering::Relaxed);
    finish(alice);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_devices_connection_is_not_found() {
    let home = alone(1);
    let roster = roster(&[ALICE, BERT]);
    set(&home.media, &roster);
    let stop = Arc::new(AtomicBool::new(false));
    let (opened, alice) = Device::new(ALICE, 0).join(&home.media, key(), &roster, stop.clone()).await;
    until("a connection", || home.media.stats().rtp_in > 0).await;
    assert!(home.media.signals(opened.connection, uri(BERT)).await.is_err());
    home.media.close(opened.connection, uri(BERT));
    assert!(home.media.signals(opened.connection, uri(ALICE)).await.is_ok());
    home.media.close(opened.connection, uri(ALICE));
    assert!(finish(alice).is_over);
    assert!(home.media.signals(opened.connection, uri(ALICE)).await.is_err());
    stop.store(true, Ordering::Relaxed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_a_restarted_server_is_dialled_again() {
    let directory = Directory::default();
    let north = federated("north.example", &directory);
    let roster = roster(&[ALICE, BOB]);
    set(&north.media, &roster);
    let stop = Arc::new(AtomicBool::new(false));
    let (_, alice) = Device::new(ALICE, 0).join(&north.media, key(), &roster, stop.clone()).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let south = federated("south.example", &directory);
        set(&south.media, &roster);
        let stop_bob = Arc::new(AtomicBool::new(false));
        let (_, bob) = Device::new(BOB, 1).join(&south.media, key(), &roster, stop_bob.clone()).await;
        until("media from north", || south.media.stats().rtp_out > 400).await;
        stop_bob.store(true, Ordering::Relaxed);
        seen.push(finish(bob));
    }
    stop.store(true, Ordering::Relaxed);
    let alice = finish(alice);
    for bob in seen {
        assert_nearly_all("alice's camera", bob.shown_in_time(&uri(ALICE), 2, &alice));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_frames_cross_the_relay() {
    // One frame in many packets: what crosses the relay is close to the largest that a path takes.
    let directory = Directory::default();
    let (north, south) = (federated("north.example", &directory), federated("south.example", &directory));
    let roster = roster(&[ALICE, BOB]);
    set(&north.media, &roster);
    set(&south.media, &roster);
    let stop = Arc::new(AtomicBool::new(false));
    let mut large = Device::new(ALICE, 0);
    large.video_bytes = 40_000;
    let (_, alice) = large.join(&north.media, key(), &roster, stop.clone()).await;
    let (_, bob) = Device::new(BOB, 1).join(&south.media, key(), &roster, stop.clone()).await;
    until("traffic", || south.media.stats().rtp_out > 4_000).await;
    stop.store(true, Ordering::Relaxed);
    let (alice, bob) = (finish(alice), finish(bob));
    assert_nearly_all("alice's camera", bob.shown_of(&uri(ALICE), 2, &alice));
    assert_eq!(bob.not_opened, 0);
}
