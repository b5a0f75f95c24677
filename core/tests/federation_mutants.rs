//! Each invariant of the simulated federation can fail: with something wrong on purpose, its check says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

use std::time::Duration;

use conclave_core::{
    device::command::{Command, Door},
    group::Suite,
    ids::SessionNumber,
    meeting::log::Kind,
};
use conclave_testkit::{
    home_server::mutant::Mutant,
    invariants::{LogCheck, Spoken, Violation, check_agreement, check_chat, check_home},
    scenario::{DOMAINS, Scenario},
};

/// Alice at the hub and Bob at a follower, inside.
fn two_inside() -> Scenario {
    let mut scenario = Scenario::new(400, Suite::Classical);
    let (alice, bob) = (scenario.people[0], scenario.people[1]);
    let meeting = scenario.meeting.clone();
    scenario.federation.ask(alice, Command::Join(Door::Address(meeting.clone()))).unwrap();
    scenario.federation.ask(alice, Command::Lobby { meeting, on: false }).unwrap();
    scenario.federation.ask(bob, Command::Join(Door::Link(scenario.link.clone()))).unwrap();
    scenario.run_for(Duration::from_secs(5)).unwrap();
    scenario.check_end().unwrap();
    scenario
}

fn chat(scenario: &mut Scenario, text: &str) -> Result<(), Violation> {
    let command = Command::Chat { meeting: scenario.meeting.clone(), text: text.into() };
    scenario.federation.command(scenario.people[0], command);
    scenario.run_for(Duration::from_secs(5))
}

#[test]
fn a_hub_that_forgets_its_last_entry_is_noticed() {
    let mut scenario = two_inside();
    chat(&mut scenario, "alice 1").unwrap();
    scenario.federation.server_mut(DOMAINS[0]).corrupt(Mutant::ForgetsLastEntry);
    scenario.federation.crash_server(DOMAINS[0], Duration::from_secs(1));
    let noticed = scenario.run_for(Duration::from_secs(10)).unwrap_err();
    assert!(matches!(noticed, Violation::LogChanged(..)), "{noticed}");
}

#[test]
fn a_server_that_acknowledges_what_it_does_not_log_is_noticed() {
    let mut scenario = two_inside();
    scenario.federation.server_mut(DOMAINS[0]).corrupt(Mutant::AcknowledgesTooSoon);
    let noticed = chat(&mut scenario, "alice 1").unwrap_err();
    assert!(matches!(noticed, Violation::Forgotten(..)), "{noticed}");
}

#[test]
fn a_hub_that_forks_its_log_is_noticed_and_its_follower_stops() {
    let mut scenario = two_inside();
    scenario.federation.server_mut(DOMAINS[0]).corrupt(Mutant::ForksLog);
    let noticed = chat(&mut scenario, "alice 1").unwrap_err();
    assert!(matches!(noticed, Violation::NoPrefix(..)), "{noticed}");
    // Also without anybody from outside: the follower itself complains at the next entry.
    let command = Command::Chat { meeting: scenario.meeting.clone(), text: "alice 2".into() };
    scenario.federation.command(scenario.people[0], command);
    scenario.federation.run_for(Duration::from_secs(5));
    let complaints = scenario.federation.server(DOMAINS[1]).complaints();
    assert!(complaints.iter().any(|complaint| complaint.contains("two histories")), "{complaints:?}");
}

#[test]
fn an_add_without_its_join_and_a_second_commit_are_noticed() {
    let scenario = two_inside();
    let hosted = &scenario.federation.server(DOMAINS[0]).disk().hosted[&scenario.meeting.id];
    let entries = hosted.sessions[&SessionNumber(1)].log.entries();
    let joins: Vec<_> = entries.iter().filter(|entry| entry.header().kind == Kind::Join).collect();
    let last_join = joins.last().unwrap().sequence();
    let check = |entries: &mut dyn Iterator<Item = &conclave_core::meeting::log::Entry>| {
        let mut check = LogCheck::new(hosted.record.suite());
        for entry in entries {
            check.entry(entry)?;
        }
        Ok(())
    };
    assert_eq!(check(&mut entries.iter()), Ok(()));
    let without = check(&mut entries.iter().filter(|entry| entry.sequence() != last_join));
    assert!(matches!(without, Err(Violation::GhostAdd(..))), "{without:?}");
    let commit = entries.iter().rfind(|entry| entry.header().kind == Kind::Commit).unwrap();
    let twice = check(&mut entries.iter().chain([commit]));
    assert!(matches!(twice, Err(Violation::TwoCommits(_))), "{twice:?}");
}

#[test]
fn a_removed_device_that_gets_new_keys_is_noticed() {
    let mut scenario = two_inside();
    let (alice, bob, carol) = (scenario.people[0], scenario.people[1], scenario.people[2]);
    let meeting = scenario.meeting.clone();
    scenario.federation.ask(carol, Command::Join(Door::Link(scenario.link.clone()))).unwrap();
    let address = scenario.federation.uri(bob).user().clone();
    scenario.federation.ask(alice, Command::Remove { meeting: meeting.clone(), address }).unwrap();
    scenario.run_for(Duration::from_secs(5)).unwrap();
    let keys = scenario.federation.diary(carol, &meeting).keys.last().unwrap().clone();
    let (now, uri) = (scenario.federation.now(), scenario.federation.uri(bob));
    let noticed = scenario.watchman.obtains(now, uri, &meeting, keys).unwrap_err();
    assert!(matches!(noticed, Violation::Eavesdropper(..)), "{noticed}");
}

#[test]
fn chat_that_is_missing_twice_or_out_of_order_is_noticed() {
    let mut scenario = two_inside();
    let (alice, bob) = (scenario.people[0], scenario.people[1]);
    let meeting = scenario.meeting.clone();
    let epoch = scenario.federation.diary(alice, &meeting).epoch();
    chat(&mut scenario, "alice 1").unwrap();
    chat(&mut scenario, "alice 2").unwrap();
    let session = scenario.federation.diary(alice, &meeting).session;
    let spoken = |number| Spoken {
        author: alice,
        meeting: meeting.clone(),
        session,
        text: format!("alice {number}"),
        epoch,
        acknowledged: true,
    };
    let spoken = [spoken(1), spoken(2)];
    assert_eq!(check_chat(&scenario.federation, &spoken), Ok(()));
    let good = scenario.federation.diary(bob, &meeting).chats.clone();
    let wrong = [
        vec![good[0].clone()],
        vec![good[0].clone(), good[0].clone(), good[1].clone()],
        vec![good[1].clone(), good[0].clone()],
    ];
    for chats in wrong {
        scenario.federation.client_mut(bob).diaries.get_mut(&meeting).unwrap().chats = chats;
        let noticed = check_chat(&scenario.federation, &spoken).unwrap_err();
        assert!(matches!(noticed, Violation::Chat(..)), "{noticed}");
    }
}

#[test]
fn members_that_do_not_agree_are_noticed() {
    let mut scenario = two_inside();
    let (bob, meeting) = (scenario.people[1], scenario.meeting.clone());
    let diary = scenario.federation.client_mut(bob).diaries.get_mut(&meeting).unwrap();
    diary.roster.as_mut().unwrap().verification_code = "00000 00000".into();
    let noticed = check_agreement(&scenario.federation, &meeting).unwrap_err();
    assert!(matches!(noticed, Violation::Disagreement(_)), "{noticed}");
}

#[test]
fn a_server_with_others_user_data_or_a_secret_is_noticed() {
    let mut scenario = two_inside();
    assert_eq!(check_home(&scenario.federation), Ok(()));
    let uri = scenario.federation.uri(scenario.people[0]);
    let key = scenario.federation.server(DOMAINS[0]).disk().sealing_keys[&uri].clone();
    scenario.federation.server_mut(DOMAINS[1]).disk_mut().sealing_keys.insert(uri.clone(), key);
    assert!(matches!(check_home(&scenario.federation), Err(Violation::Leak(..))));
    scenario.federation.server_mut(DOMAINS[1]).disk_mut().sealing_keys.remove(&uri);
    assert_eq!(check_home(&scenario.federation), Ok(()));
    let secret = scenario.link.secret.as_ref().unwrap().as_bytes().to_vec();
    let leaky = conclave_proto::types::v1::SealedInvitation {
        ciphertext: secret.into(),
        ..conclave_proto::types::v1::SealedInvitation::default()
    };
    scenario.federation.server_mut(DOMAINS[0]).disk_mut().outbox.push(leaky);
    assert!(matches!(check_home(&scenario.federation), Err(Violation::Leak(..))));
}
