//! A narrow path gets the lower temporal layers alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use conclave_core::media::Temporal;

use crate::{
    device::{Device, Seen},
    peers::{Directory, federated},
    sfu::{ALICE, BOB, finish, key, roster, set, until},
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
