//! Dishonest devices and servers, partitions and crashes, against the whole federation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

use std::{collections::BTreeMap, time::Duration};

use conclave_core::{
    device::{
        command::{Command, Door},
        event::Over,
    },
    group::{Identity, Suite},
    identity::{address::UserKind, certificate::Chain, signed::Label},
    ids::SessionNumber,
    meeting::log::{Entry, Kind},
};
use conclave_proto::types::v1::{self as types, ErrorReason};
use conclave_testkit::{
    client::ClientId,
    forge::{Act, wrong_confirmation_tag},
    home_server::{HandedIn, rogue::Rogue},
    intruder::Intruder,
    invariants::{Spoken, check_agreement, check_chat},
    people::{Organisation, START},
    scenario::{DOMAINS, Scenario},
};
use prost::{Message as _, bytes::Bytes};

const FIRST: SessionNumber = SessionNumber(1);

/// Alice at the hub and Bob at a follower, inside.
fn two_inside() -> (Scenario, ClientId, ClientId) {
    let scenario = Scenario::two_inside(Suite::Classical);
    let (alice, bob) = (scenario.people[0], scenario.people[1]);
    (scenario, alice, bob)
}

fn entries(scenario: &Scenario) -> Vec<Entry> {
    let hosted = &scenario.federation.server(DOMAINS[0]).disk().hosted[&scenario.meeting.id];
    hosted.sessions.values().flat_map(|session| session.log.entries()).collect()
}

fn submission(signed: types::Signed) -> HandedIn {
    HandedIn::Submission(signed, Bytes::new())
}

fn flip(mut bytes: Vec<u8>) -> Vec<u8> {
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

#[test]
fn c1_a_thousand_forged_joins_are_refused_before_they_are_logged() {
    let (mut scenario, alice, _) = two_inside();
    let (south, west) = (Organisation::new(DOMAINS[1]), Organisation::new(DOMAINS[2]));
    let link = scenario.link.clone();
    let mallory = |identity: Identity| Intruder::new(identity, Suite::Classical);
    let mut good = mallory(south.device("mallory", 9));
    let mut expired =
        mallory(south.certify(UserKind::User, "mallory", 10, START - Duration::from_hours(9 * 24)));
    let mut foreign = mallory(west.device("mallory", 11));
    // Certified by another organisation's CA than its name says.
    let chain = south.chain(UserKind::User, "mallory", 12, &good.identity.key().public(), START);
    let other = west.chain(UserKind::User, "mallory", 12, &good.identity.key().public(), START);
    let mixed = [chain.certificates()[0].clone(), other.certificates()[1].clone()];
    let mixed = Chain::parse(&mixed).unwrap();
    let mut mixed = mallory(Identity::new(good.identity.key().clone(), mixed).unwrap());
    let before = entries(&scenario).len();
    let mut reasons: BTreeMap<(u32, String), u32> = BTreeMap::new();
    for round in 0..1_000_u32 {
        let now = scenario.federation.now();
        let signed = match round % 5 {
            0 => {
                let package = flip(good.forger.key_package(None));
                good.join(&link, FIRST, now, package)
            }
            1 => {
                let package = expired.forger.key_package(None);
                expired.join(&link, FIRST, now, package)
            }
            2 => {
                let package = foreign.forger.key_package(None);
                foreign.join(&link, FIRST, now, package)
            }
            3 => {
                let package = mixed.forger.key_package(None);
                mixed.join(&link, FIRST, now, package)
            }
            _ => {
                let package = good.forger.key_package(None);
                let mut signed = good.join(&link, FIRST, now, package);
                signed.signature = flip(signed.signature.to_vec()).into();
                signed
            }
        };
        let refused =
            scenario.federation.hand_in(DOMAINS[1], &scenario.meeting, submission(signed)).unwrap_err();
        *reasons.entry((round % 5, format!("{refused:?}"))).or_default() += 1;
        scenario.federation.run_for(Duration::from_millis(70));
    }
    scenario.federation.run_for(Duration::from_secs(15));
    assert_eq!(reasons.values().sum::<u32>(), 1_000);
    assert_eq!(reasons.len(), 5, "one reason each: {reasons:?}");
    let reason = |kind| reasons.keys().find(|(this, _)| *this == kind).map(|(_, reason)| reason.as_str());
    assert_eq!(reason(1), Some("BadCertificate"));
    assert_eq!(reason(2), Some("WrongDomain"));
    assert_eq!(reason(3), Some("BadCertificate"));
    assert_eq!(reason(4), Some("BadSignature"));
    let joins = entries(&scenario).into_iter().skip(before).filter(|entry| entry.header().kind == Kind::Join);
    assert_eq!(joins.count(), 0);
    // All but those that did not even come from their own domain are told to the members.
    assert_eq!(scenario.federation.diary(alice, &scenario.meeting).refused_attempts, 800);
    // The same device's good Join is let in: it was the forgery that was refused.
    let package = good.forger.key_package(None);
    let join = good.join(&link, FIRST, scenario.federation.now(), package);
    assert!(scenario.federation.hand_in(DOMAINS[1], &scenario.meeting, submission(join)).is_ok());
}

#[test]
fn r1_r2_a_server_speaks_only_for_its_own_users() {
    let (mut scenario, alice, bob) = two_inside();
    let (north, south) = (Organisation::new(DOMAINS[0]), Organisation::new(DOMAINS[1]));
    let mut mallory = Intruder::new(north.device("mallory", 9), Suite::Classical);
    let package = mallory.forger.key_package(None);
    let join = mallory.join(&scenario.link, FIRST, scenario.federation.now(), package);
    let meeting = scenario.meeting.clone();
    let handed_in = scenario.federation.hand_in(DOMAINS[1], &meeting, submission(join));
    assert_eq!(handed_in, Err(ErrorReason::WrongDomain));
    let withdraw = |scenario: &Scenario, subject: ClientId, signer: &Organisation| {
        let withdraw = types::Withdraw {
            meeting_id: meeting.id.as_bytes().to_vec().into(),
            session: 1,
            subject: scenario.federation.uri(subject).to_string(),
            basis: types::WithdrawBasis::AccountDisabled.into(),
            time_ms: scenario.federation.now().as_ms(),
            submission_id: vec![9; 16].into(),
            entered_sequence: 0,
        };
        HandedIn::Withdraw(signer.server_signer().sign(Label::Withdraw, &withdraw))
    };
    let before = entries(&scenario).len();
    let theirs = withdraw(&scenario, alice, &south);
    assert!(scenario.federation.hand_in(DOMAINS[1], &meeting, theirs).is_err());
    let forged = withdraw(&scenario, alice, &north);
    assert_eq!(scenario.federation.hand_in(DOMAINS[1], &meeting, forged), Err(ErrorReason::WrongDomain));
    assert_eq!(entries(&scenario).len(), before);
    // Its own user it may take out.
    let own = withdraw(&scenario, bob, &south);
    assert!(scenario.federation.hand_in(DOMAINS[1], &meeting, own).is_ok());
    scenario.run_for(Duration::from_secs(5)).unwrap();
    assert_eq!(scenario.federation.diary(alice, &meeting).devices().len(), 1);
}

#[test]
fn r3_a_replayed_submission_has_no_effect() {
    let (mut scenario, _, bob) = two_inside();
    let meeting = scenario.meeting.clone();
    let text = "bob 1".to_owned();
    scenario.federation.ask(bob, Command::Chat { meeting: meeting.clone(), text }).unwrap();
    scenario.run_for(Duration::from_secs(2)).unwrap();
    let log = entries(&scenario);
    let by_bob = log.iter().filter(|entry| entry.header().author.as_str() == DOMAINS[1]);
    let by_bob: Vec<_> =
        by_bob.filter(|entry| matches!(entry.header().kind, Kind::Join | Kind::Message)).collect();
    assert!(by_bob.len() >= 2);
    for entry in &by_bob {
        let signed = types::Signed::decode(entry.content().clone()).unwrap();
        let again = scenario.federation.hand_in(DOMAINS[1], &meeting, submission(signed));
        assert_eq!(again, Ok(entry.sequence().0), "the same answer");
    }
    assert_eq!(entries(&scenario).len(), log.len());
    // A day later, in the next session, they are nothing at all.
    let first_two: Vec<_> = scenario.people.iter().take(2).copied().collect();
    for who in first_two {
        scenario.federation.ask(who, Command::Leave(meeting.clone())).unwrap();
        scenario.run_for(Duration::from_secs(5)).unwrap();
    }
    scenario.run_for(Duration::from_hours(24)).unwrap();
    scenario.federation.ask(scenario.people[0], Command::Join(Door::Address(meeting.clone()))).unwrap();
    let before = entries(&scenario).len();
    for entry in by_bob {
        let signed = types::Signed::decode(entry.content().clone()).unwrap();
        assert!(scenario.federation.hand_in(DOMAINS[1], &meeting, submission(signed)).is_err());
    }
    assert_eq!(entries(&scenario).len(), before);
}

#[test]
fn c7_a_device_refuses_a_ghost_that_its_server_lets_through_and_says_so() {
    let (mut scenario, alice, _) = two_inside();
    let north = Organisation::new(DOMAINS[0]);
    let meeting = scenario.meeting.clone();
    let mut eve = Intruder::new(north.device("eve", 9), Suite::Classical);
    let link = scenario.link.clone();
    eve.enter(&mut scenario.federation, &link, FIRST);
    scenario.run_for(Duration::from_secs(5)).unwrap();
    // A second device of a user who is in the room, without a Join.
    let ghost = Intruder::new(north.device("alice", 66), Suite::Classical);
    let acts = vec![Act::Add(ghost.forger.key_package(None))];
    let now = scenario.federation.now();
    let (signed, welcome) = eve.commit(&meeting, FIRST, now, acts, <[u8]>::to_vec);
    let honest = HandedIn::Submission(signed.clone(), welcome);
    assert_eq!(
        scenario.federation.hand_in(DOMAINS[0], &meeting, honest),
        Err(ErrorReason::ForbiddenCommit),
        "an honest hub refuses it"
    );
    let before = scenario.federation.diary(alice, &meeting).devices();
    let epoch = scenario.federation.diary(alice, &meeting).epoch();
    scenario.federation.show_rogue(&meeting, Rogue::submission(&signed, Bytes::new()));
    scenario.federation.run_for(Duration::from_secs(1));
    let diary = scenario.federation.diary(alice, &meeting);
    assert_eq!((diary.devices(), diary.epoch()), (before, epoch), "no ghost, no new keys");
    assert!(diary.alarms.iter().any(|alarm| alarm.contains("eve@north.example")), "{:?}", diary.alarms);
}

#[test]
fn a_commit_that_members_cannot_follow_is_void_and_its_author_is_barred() {
    let (mut scenario, alice, bob) = two_inside();
    let meeting = scenario.meeting.clone();
    let mut eve = Intruder::new(Organisation::new(DOMAINS[2]).device("eve", 9), Suite::Classical);
    let link = scenario.link.clone();
    eve.enter(&mut scenario.federation, &link, FIRST);
    scenario.run_for(Duration::from_secs(5)).unwrap();
    let epoch = scenario.federation.diary(alice, &meeting).epoch();
    let now = scenario.federation.now();
    let (signed, welcome) = eve.commit(&meeting, FIRST, now, Vec::new(), wrong_confirmation_tag);
    let handed_in = HandedIn::Submission(signed, welcome);
    scenario.federation.hand_in(DOMAINS[2], &meeting, handed_in).expect("servers cannot see it");
    scenario.run_for(Duration::from_secs(10)).unwrap();
    for who in [alice, bob] {
        let diary = scenario.federation.diary(who, &meeting);
        assert_eq!(diary.voided, [eve.uri().clone()]);
        assert!(diary.is_inside() && !diary.alarms.is_empty());
    }
    let (signed, welcome) =
        eve.commit(&meeting, FIRST, scenario.federation.now(), Vec::new(), wrong_confirmation_tag);
    let again = scenario.federation.hand_in(DOMAINS[2], &meeting, HandedIn::Submission(signed, welcome));
    assert!(again.is_err(), "barred");
    // Life goes on from the last good epoch.
    scenario.federation.ask(scenario.people[2], Command::Join(Door::Link(link))).unwrap();
    scenario.run_for(Duration::from_secs(5)).unwrap();
    assert!(scenario.federation.diary(alice, &meeting).epoch() > epoch);
    let codes = [alice, bob, scenario.people[2]].map(|who| {
        scenario.federation.diary(who, &meeting).roster.as_ref().unwrap().verification_code.clone()
    });
    assert!(codes[0] == codes[1] && codes[1] == codes[2]);
}

#[test]
fn f5_after_ten_minutes_apart_everything_comes_in_order_and_once() {
    let (mut scenario, alice, bob) = two_inside();
    let meeting = scenario.meeting.clone();
    let session = scenario.federation.diary(alice, &meeting).session;
    let epoch = scenario.federation.diary(alice, &meeting).epoch();
    scenario.federation.cut_servers(DOMAINS[0], DOMAINS[1]);
    let mut spoken = Vec::new();
    for number in 1..=10 {
        for (author, name) in [(alice, "alice"), (bob, "bob")] {
            let text = format!("{name} {number}");
            let said = Command::Chat { meeting: meeting.clone(), text: text.clone() };
            scenario.federation.command(author, said);
            let acknowledged = true;
            spoken.push(Spoken { author, meeting: meeting.clone(), session, text, epoch, acknowledged });
        }
        scenario.run_for(Duration::from_mins(1)).unwrap();
    }
    assert!(scenario.federation.diary(alice, &meeting).texts().iter().all(|text| !text.starts_with("bob")));
    scenario.heal();
    scenario.run_for(Duration::from_mins(1)).unwrap();
    assert_eq!(check_chat(&scenario.federation, &spoken), Ok(()));
    assert_eq!(check_agreement(&scenario.federation, &meeting), Ok(()));
}

#[test]
fn f7_a_hub_that_dies_in_the_middle_of_a_commit_comes_back_with_one_history() {
    for steps in 0..10 {
        let (mut scenario, alice, _) = two_inside();
        let meeting = scenario.meeting.clone();
        scenario.federation.server_mut(DOMAINS[0]).light_fuse(steps);
        let carol = scenario.people[2];
        scenario.federation.command(carol, Command::Join(Door::Link(scenario.link.clone())));
        scenario.run_for(Duration::from_mins(2)).unwrap();
        assert_eq!(check_agreement(&scenario.federation, &meeting), Ok(()), "after {steps} steps");
        let inside = scenario.federation.diary(alice, &meeting).devices();
        assert!(inside.contains(&scenario.federation.uri(carol)), "after {steps} steps: {inside:?}");
        assert_ne!(scenario.federation.diary(carol, &meeting).over, Some(Over::Removed));
    }
}
