//! Each invariant of the simulated federation can fail: with something wrong on purpose, its check says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

use std::time::Duration;

use conclave_core::{
    device::command::{Command, Door},
    group::Suite,
    ids::SessionNumber,
    meeting::log::Kind,
};
use conclave_proto::{
    client::v1::SendInvitationsRequest,
    types::v1::{EntryKind, Leave},
};
use conclave_testkit::{
    client::Quirk,
    forge::Act,
    home_server::{mutant::Mutant, rogue::Rogue},
    intruder::Intruder,
    invariants::{Spoken, Violation, check_agreement, check_chat, check_home},
    people::Organisation,
    scenario::{DOMAINS, Scenario},
};
use prost::{Message as _, bytes::Bytes};

const FIRST: SessionNumber = SessionNumber(1);

/// Alice at the hub and Bob at a follower, inside.
fn two_inside() -> Scenario {
    Scenario::two_inside(Suite::Classical)
}

/// Eve of west is a member with a dishonest program.
fn with_eve(scenario: &mut Scenario) -> Intruder {
    let mut eve = Intruder::new(Organisation::new(DOMAINS[2]).device("eve", 9), Suite::Classical);
    let link = scenario.link.clone();
    eve.enter(&mut scenario.federation, &link, FIRST);
    scenario.run_for(Duration::from_secs(5)).unwrap();
    eve
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
fn a_hub_that_writes_a_ghost_into_its_log_is_noticed() {
    let mut scenario = two_inside();
    let (meeting, mut eve) = (scenario.meeting.clone(), with_eve(&mut scenario));
    let ghost = Intruder::new(Organisation::new(DOMAINS[0]).device("alice", 66), Suite::Classical);
    let (now, acts) = (scenario.federation.now(), vec![Act::Add(ghost.forger.key_package(None))]);
    let (signed, welcome) = eve.commit(&meeting, FIRST, now, acts, <[u8]>::to_vec);
    scenario.federation.write_rogue(&meeting, Rogue::submission(&signed, welcome));
    let noticed = scenario.run_for(Duration::from_secs(5)).unwrap_err();
    assert!(matches!(noticed, Violation::GhostAdd(..)), "{noticed}");
}

#[test]
fn a_hub_that_takes_a_second_commit_for_an_epoch_is_noticed() {
    let mut scenario = two_inside();
    let meeting = scenario.meeting.clone();
    let last = scenario.log().into_iter().rfind(|entry| entry.header().kind == Kind::Commit).unwrap();
    let rogue = Rogue {
        kind: EntryKind::Commit,
        content: last.content().clone(),
        attachment: last.attachment().clone(),
    };
    // For the epoch that stands: the epoch in which the commit was made is over.
    scenario.federation.write_rogue(&meeting, rogue.clone());
    scenario.federation.write_rogue(&meeting, rogue);
    let noticed = scenario.run_for(Duration::from_secs(5)).unwrap_err();
    assert!(matches!(noticed, Violation::TwoCommits(_) | Violation::GhostAdd(..)), "{noticed}");
    // Two commits that are good each alone: two members who answer at once, and a hub that takes both.
    let mut scenario = two_inside();
    let mut eve = with_eve(&mut scenario);
    let now = scenario.federation.now();
    for _ in 0..2 {
        let (signed, welcome) = eve.commit(&meeting, FIRST, now, Vec::new(), <[u8]>::to_vec);
        scenario.federation.write_rogue(&meeting, Rogue::submission(&signed, welcome));
    }
    let noticed = scenario.run_for(Duration::from_secs(5)).unwrap_err();
    assert!(matches!(noticed, Violation::TwoCommits(_)), "{noticed}");
}

#[test]
fn a_member_that_passes_its_keys_to_a_removed_device_is_noticed() {
    let mut scenario = two_inside();
    let (alice, bob, carol) = (scenario.people[0], scenario.people[1], scenario.people[2]);
    let meeting = scenario.meeting.clone();
    scenario.federation.client_mut(carol).quirk = Some(Quirk::PassesKeysTo(bob));
    scenario.enter(carol);
    let address = scenario.federation.uri(bob).user().clone();
    scenario.federation.command(alice, Command::Remove { meeting, address });
    let noticed = scenario.run_for(Duration::from_secs(5)).unwrap_err();
    assert!(matches!(noticed, Violation::Eavesdropper(..)), "{noticed}");
}

#[test]
fn a_device_that_loses_repeats_or_reorders_chat_is_noticed() {
    let quirks = [
        None,
        Some(Quirk::LosesOne { lost: false }),
        Some(Quirk::TellsTwice),
        Some(Quirk::HoldsOneBack(None)),
    ];
    for quirk in quirks {
        let mut scenario = two_inside();
        let (alice, bob) = (scenario.people[0], scenario.people[1]);
        let meeting = scenario.meeting.clone();
        scenario.federation.client_mut(bob).quirk.clone_from(&quirk);
        let diary = scenario.federation.diary(alice, &meeting);
        let (session, epoch) = (diary.session, diary.epoch());
        chat(&mut scenario, "alice 1").unwrap();
        chat(&mut scenario, "alice 2").unwrap();
        let spoken = [1, 2].map(|number| Spoken {
            author: alice,
            meeting: meeting.clone(),
            session,
            text: format!("alice {number}"),
            epoch,
            acknowledged: true,
        });
        let noticed = check_chat(&scenario.federation, &spoken);
        match quirk {
            None => assert_eq!(noticed, Ok(())),
            Some(_) => assert!(matches!(noticed, Err(Violation::Chat(..))), "{quirk:?}: {noticed:?}"),
        }
    }
}

#[test]
fn a_server_that_withholds_the_log_from_a_member_is_noticed() {
    let mut scenario = two_inside();
    let (alice, carol) = (scenario.people[0], scenario.people[5]);
    scenario.federation.server_lies(
        DOMAINS[1],
        |path, body| {
            if path.ends_with("/Watch") { Bytes::new() } else { body }
        },
    );
    scenario.federation.ask(carol, Command::Join(Door::Link(scenario.link.clone()))).unwrap();
    scenario.run_for(Duration::from_secs(5)).unwrap();
    let meeting = scenario.meeting.clone();
    assert_eq!(scenario.federation.diary(alice, &meeting).devices().len(), 3);
    let noticed = check_agreement(&scenario.federation, &meeting).unwrap_err();
    assert!(matches!(noticed, Violation::Disagreement(_)), "{noticed}");
}

#[test]
fn an_intruder_whose_submission_a_hub_writes_is_noticed() {
    let mut scenario = two_inside();
    let meeting = scenario.meeting.clone();
    let mut mallory = Intruder::new(Organisation::new(DOMAINS[2]).device("mallory", 77), Suite::Classical);
    scenario.let_in_an_intruder(Suite::Classical);
    let leave = Leave { leaf_index: 0 };
    let signed = mallory.sign(&meeting, FIRST, scenario.federation.now(), EntryKind::Leave, &leave);
    scenario.federation.write_rogue(&meeting, Rogue::submission(&signed, Bytes::new()));
    let noticed = scenario.run_for(Duration::from_secs(5)).unwrap_err();
    assert!(matches!(noticed, Violation::Intruded(..)), "{noticed}");
}

#[test]
fn a_server_that_keeps_what_others_tell_of_their_users_is_noticed() {
    let mut scenario = two_inside();
    let (alice, bob) = (scenario.people[0], scenario.people[1]);
    scenario.federation.server_mut(DOMAINS[0]).corrupt(Mutant::KeepsForeignUsers);
    let addresses = vec![scenario.federation.uri(bob).user().clone()];
    let invite = Command::Invite { meeting: scenario.meeting.clone(), addresses };
    scenario.federation.ask(alice, invite).unwrap();
    let noticed = check_home(&scenario.federation).unwrap_err();
    assert!(matches!(noticed, Violation::Leak(..)), "{noticed}");
}

#[test]
fn a_device_that_does_not_seal_its_invitation_is_noticed() {
    for seals in [true, false] {
        let mut scenario = two_inside();
        let (alice, bob) = (scenario.people[0], scenario.people[1]);
        let secret = Bytes::copy_from_slice(scenario.link.secret.as_ref().unwrap().as_bytes());
        scenario.federation.device_lies(alice, move |path, body| {
            if seals || !path.ends_with("/SendInvitations") {
                return body;
            }
            let mut request = SendInvitationsRequest::decode(body).unwrap();
            for invitation in &mut request.invitations {
                invitation.ciphertext = secret.clone();
            }
            request.encode_to_vec().into()
        });
        let addresses = vec![scenario.federation.uri(bob).user().clone()];
        let invite = Command::Invite { meeting: scenario.meeting.clone(), addresses };
        scenario.federation.ask(alice, invite).unwrap();
        scenario.run_for(Duration::from_secs(5)).unwrap();
        let noticed = check_home(&scenario.federation);
        assert_eq!(noticed.is_ok(), seals, "{noticed:?}");
    }
}
