//! Three organisations, six devices, a network that loses and servers that crash: the same invariants hold for every seed.
//!
//! One seed alone: `CONCLAVE_SEED=17 cargo test -p conclave-core --test federation_seeds -- --nocapture`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

use std::thread;

use conclave_core::group::Suite;
use conclave_testkit::scenario::Scenario;

const SEEDS: u64 = 100;
const ACTIONS: u32 = 60;

/// What a run did, so that an idle one is noticed.
#[derive(Clone, Copy, Default)]
struct Tally {
    entries: u64,
    opened: u64,
    chats: u64,
    intrusions: u64,
}

fn run(seed: u64) -> Result<Tally, String> {
    let suite = if seed.is_multiple_of(10) { Suite::Hybrid } else { Suite::Classical };
    let mut scenario = Scenario::new(seed, suite);
    // Now and then with somebody who has no business there; what is refused must leave no trace.
    if seed % 5 == 2 {
        scenario.let_in_an_intruder(suite);
    }
    scenario.run(ACTIONS).map_err(|violation| {
        let history = scenario.history.join("\n  ");
        let states = scenario.people.iter().map(|who| {
            let client = scenario.federation.client(*who);
            let diary = client.diaries.get(&scenario.meeting);
            format!(
                "{:?} {:?} epoch {:?} over {:?} standing {:?} alarms {:?}",
                client.uri().map(|uri| uri.user().to_string()),
                client.life(),
                diary.and_then(conclave_testkit::client::Diary::epoch),
                diary.and_then(|diary| diary.over.clone()),
                diary.and_then(|diary| diary.standing),
                diary.map(|diary| diary.alarms.clone()),
            )
        });
        let states = states.collect::<Vec<_>>().join("\n  ");
        let complaints: Vec<_> = scenario
            .federation
            .servers()
            .flat_map(conclave_testkit::home_server::HomeServer::complaints)
            .collect();
        format!(
            "seed {seed}: {violation}\n  {history}\n  {states}\n  {complaints:?}\nagain: CONCLAVE_SEED={seed}"
        )
    })?;
    let diaries = scenario.people.iter().filter_map(|who| {
        let client = scenario.federation.client(*who);
        Some(client.diaries.get(&scenario.meeting)?.chats.len() as u64)
    });
    let chats = diaries.sum();
    let (entries, opened) = (scenario.watchman.entries, scenario.watchman.opened);
    Ok(Tally { entries, opened, chats, intrusions: scenario.intrusions })
}

#[test]
fn invariants_hold_for_every_seed() {
    if let Ok(seed) = std::env::var("CONCLAVE_SEED") {
        run(seed.parse().unwrap()).unwrap_or_else(|failure| panic!("{failure}"));
        return;
    }
    let threads =
        (0..2).map(|start| thread::spawn(move || (start..SEEDS).step_by(2).map(run).collect::<Vec<_>>()));
    let threads: Vec<_> = threads.collect();
    let runs = threads.into_iter().flat_map(|thread| thread.join().expect("a thread"));
    let (mut total, mut failures) = (Tally::default(), Vec::new());
    for run in runs {
        match run {
            Ok(tally) => {
                total.entries += tally.entries;
                total.opened += tally.opened;
                total.chats += tally.chats;
                total.intrusions += tally.intrusions;
            }
            Err(failure) => failures.push(failure),
        }
    }
    let Tally { entries, opened, chats, intrusions } = total;
    println!("{entries} entries, {opened} frames opened, {chats} messages, {intrusions} intrusions refused");
    let names: Vec<_> = failures.iter().filter_map(|failure| failure.lines().next()).collect();
    assert!(failures.is_empty(), "{}\n\nthe first:\n{}", names.join("\n"), failures[0]);
    assert!(entries > SEEDS * 20 && opened > SEEDS * 10 && chats > SEEDS && intrusions > SEEDS, "idle runs");
}
