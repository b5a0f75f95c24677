//! A narrow path gets the lower temporal layers alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use conclave_core::media::Temporal;
use conclave_proto::client::v1::PublishedTrack;
use conclave_server::media::UpdateRequest;

use crate::{
    device::{Device, Diary, Seen, video},
    peers::{Directory, alone, federated},
    sfu::{ALICE, BERT, BOB, finish, key, roster, set, until},
};

/// Bits a second: too few for 50 frames a second of 1,000 bytes.
const NARROW: u64 = 200_000;

/// The frames of the longest run in which only these temporal layers were seen.
fn longest(seen: &[Seen], most: Temporal) -> &[Seen] {
    let runs = seen.split(|one| one.temporal > most);
    runs.max_by_key(|run| run.len()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn med_27_a_narrow_path_behind_a_relay_gets_fewer_frames_without_a_gap() {
    let directory = Directory::default();
    let (north, south) = (federated("north.example", &directory), federated("south.example", &directory));
    let roster = roster(&[ALICE, BOB]);
    set(&north.media, &roster);
    set(&south.media, &roster);
    let stop = Arc::new(AtomicBool::new(false));
    let mut alice = Device::new(ALICE, 0);
    (alice.is_described, alice.video_bytes) = (true, 1_000);
    let mut bob = Device::new(BOB, 1);
    (bob.is_described, bob.publishes) = (true, Vec::new());
    let capacity = bob.wire.capacity();
    let (_, alice) = alice.join(&north.media, key(), &roster, stop.clone()).await;
    let (_, bob) = bob.join(&south.media, key(), &roster, stop.clone()).await;
    until("traffic", || south.media.stats().rtp_out > 200).await;
    capacity.store(NARROW, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(8)).await;
    stop.store(true, Ordering::Relaxed);
    let (_, bob) = (finish(alice), finish(bob));

    assert!(bob.seen.iter().take(50).any(|one| one.temporal > Temporal::at_most(1)), "at first all came");
    // On a machine that is slow itself the path carries every other frame, else one in four.
    let steady = |most: u8| {
        let run = longest(&bob.seen, Temporal::at_most(most));
        // The first may still follow frames that were lost.
        (run.get(5..).unwrap_or_default(), if most == 0 { 4 } else { 2 })
    };
    let (steady, apart) =
        [steady(0), steady(1)].into_iter().find(|(run, _)| run.len() > 12).unwrap_or_default();
    assert!(!steady.is_empty(), "fewer frames for a second");
    // A full path loses a packet now and then; a frame left out with a hole would show at each frame.
    let holes = steady.iter().filter(|one| !one.is_contiguous).count();
    assert!(holes * 10 < steady.len(), "{holes} gaps in the sequence numbers of {}", steady.len());
    let ahead = |pair: &[Seen]| pair[1].number.wrapping_sub(pair[0].number);
    let missing = steady.windows(2).filter(|pair| ![apart, 4].contains(&ahead(pair))).count();
    assert!(missing * 10 < steady.len(), "{missing} frames of {} are missing", steady.len());
    assert_eq!(bob.not_opened, 0);
}

/// How many frames of the picture came, and how many of them with their descriptors.
fn described(diary: &Diary) -> (usize, usize) {
    (diary.shown_in_order.iter().filter(|(_, track, _)| track.0 == 2).count(), diary.seen.len())
}

/// Her voice ends while her picture goes on; nothing makes her send a key frame, and what her descriptors mean stays known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn med_26_another_track_ends_and_the_descriptors_of_a_picture_are_read_on() {
    let home = alone(1);
    let roster = roster(&[ALICE, BERT]);
    set(&home.media, &roster);
    let stop = Arc::new(AtomicBool::new(false));
    let (mut alice, mut bert) = (Device::new(ALICE, 0), Device::new(BERT, 1));
    (alice.is_described, bert.is_described, bert.publishes) = (true, true, Vec::new());
    let device = alice.uri.clone();
    let (opened, alice) = alice.join(&home.media, key(), &roster, stop.clone()).await;
    let (_, bert) = bert.join(&home.media, key(), &roster, stop.clone()).await;
    until("traffic", || home.media.stats().rtp_out > 400).await;
    let sections = opened.answer.lines().filter_map(|line| line.strip_prefix("a=mid:"));
    let mid = sections.collect::<Vec<_>>()[1].trim().to_owned();
    let tracks = vec![PublishedTrack { mid, track: Some((&video(2)).into()) }];
    let update = UpdateRequest {
        connection: opened.connection,
        device,
        tracks,
        wishes: Vec::new(),
        sound_only: false,
    };
    home.media.update(update).await.unwrap();
    let before = home.media.stats().rtp_out;
    until("more of the picture", || home.media.stats().rtp_out > before + 600).await;
    stop.store(true, Ordering::Relaxed);
    let (_, bert) = (finish(alice), finish(bert));
    let (shown, seen) = described(&bert);
    assert!(shown > 100, "{shown} frames");
    assert_eq!(seen, shown, "not one frame lost its descriptor");
}

/// A picture that rests and goes on without a key frame is what it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn med_26_a_picture_that_rested_is_read_on() {
    let home = alone(1);
    let roster = roster(&[ALICE, BERT]);
    set(&home.media, &roster);
    let stop = Arc::new(AtomicBool::new(false));
    let (mut alice, mut bert) = (Device::new(ALICE, 0), Device::new(BERT, 1));
    (alice.is_described, alice.publishes, alice.rests_after) = (true, vec![video(2)], Some(60));
    (bert.is_described, bert.publishes) = (true, Vec::new());
    let (_, bert) = bert.join(&home.media, key(), &roster, stop.clone()).await;
    let (_, alice) = alice.join(&home.media, key(), &roster, stop.clone()).await;
    until("traffic after the rest", || home.media.stats().rtp_out > 600).await;
    stop.store(true, Ordering::Relaxed);
    let (_, bert) = (finish(alice), finish(bert));
    let (shown, seen) = described(&bert);
    assert!(shown > 50, "{shown} frames");
    assert_eq!(seen, shown, "not one frame lost its descriptor");
}
