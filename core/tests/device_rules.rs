//! What a device does by itself, whatever its server and the other members do (spec, chapter 14).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use conclave_core::{
    device::{
        command::{Command, Door, NewMeeting},
        event::{Done, Over, Verification},
    },
    group::{Suite, key_package},
    identity::address::{DeviceUri, UserKind},
    ids::SessionNumber,
    meeting::log::{Entry, Kind},
};
use conclave_proto::{client::v1 as api, types::v1 as types};
use conclave_testkit::{
    client::ClientId,
    forge::{Act, wrong_confirmation_tag},
    home_server::{HandedIn, rogue::Rogue},
    intruder::Intruder,
    people::{Organisation, START},
    scenario::{DOMAINS, Scenario},
};
use prost::{Message as _, bytes::Bytes};

const FIRST: SessionNumber = SessionNumber(1);

/// What a lying server does to the answer to a look-up, and to the policies that come with an entry.
type Change = Box<dyn Fn(&mut api::LookUpMeetingResponse, &mut Vec<types::DeviceSigned>)>;

fn two_inside() -> (Scenario, ClientId, ClientId) {
    let scenario = Scenario::two_inside(Suite::Classical);
    let (alice, bob) = (scenario.people[0], scenario.people[1]);
    (scenario, alice, bob)
}

fn settle(scenario: &mut Scenario) {
    scenario.federation.run_for(Duration::from_secs(5));
}

/// Eve of west is a member with a dishonest program.
fn with_eve(scenario: &mut Scenario) -> Intruder {
    let mut eve = Intruder::new(Organisation::new(DOMAINS[2]).device("eve", 9), Suite::Classical);
    let link = scenario.link.clone();
    eve.enter(&mut scenario.federation, &link, FIRST);
    settle(scenario);
    eve
}

fn submission(entry: &Entry) -> types::Submission {
    let signed = types::Signed::decode(entry.content().clone()).unwrap();
    types::Submission::decode(signed.payload).unwrap()
}

/// Everybody who confirmed each commit, by its place in the log.
fn confirmations(scenario: &Scenario) -> BTreeMap<u64, Vec<String>> {
    let mut all: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for entry in scenario.log().iter().filter(|entry| entry.header().kind == Kind::Confirm) {
        let submission = submission(entry);
        let confirm = types::Confirm::decode(submission.content).unwrap();
        all.entry(confirm.commit_sequence).or_default().push(submission.device);
    }
    all
}

#[test]
fn dev_01_nothing_of_a_session_is_kept_and_a_restarted_device_enters_anew() {
    let (mut scenario, alice, bob) = two_inside();
    let (carol, meeting) = (scenario.people[2], scenario.meeting.clone());
    let kept = scenario.federation.client(bob).profile().clone();
    scenario.enter(carol);
    for text in ["bob 1", "bob 2"] {
        let chat = Command::Chat { meeting: meeting.clone(), text: text.into() };
        scenario.federation.ask(bob, chat).unwrap();
    }
    scenario.federation.ask(carol, Command::Leave(meeting.clone())).unwrap();
    settle(&mut scenario);
    assert!(scenario.federation.diary(bob, &meeting).keys.len() >= 3, "epochs have passed");
    assert_eq!(*scenario.federation.client(bob).profile(), kept);
    let before = scenario.federation.diary(alice, &meeting).epoch();
    scenario.federation.crash_client(bob);
    settle(&mut scenario);
    assert!(!scenario.federation.client(bob).diaries.contains_key(&meeting), "it knows of no session");
    scenario.enter(bob);
    assert!(scenario.federation.diary(bob, &meeting).entered_in > before, "in a new epoch");
    let both = [alice, bob].map(|who| scenario.federation.uri(who));
    for who in [alice, bob] {
        let roster = scenario.federation.diary(who, &meeting).roster.clone().unwrap();
        assert_eq!(roster.members.len(), 2, "its old leaf is gone");
        assert!(roster.members.iter().all(|member| both.contains(&member.device)));
    }
}

#[test]
fn dev_02_a_device_enters_only_by_the_true_record_and_policies() {
    let (mut scenario, alice, _) = two_inside();
    let (carol, meeting) = (scenario.people[2], scenario.meeting.clone());
    let new = NewMeeting {
        title: "Another".into(),
        starts_ms: 0,
        length_s: 0,
        lobby: false,
        link: true,
        guests: true,
        open_domains: Vec::new(),
        suite: Suite::Classical,
    };
    let Done::Created { meeting: other, .. } =
        scenario.federation.ask(alice, Command::CreateMeeting(new)).unwrap()
    else {
        panic!("a meeting")
    };
    let hosted = &scenario.federation.server(DOMAINS[0]).disk().hosted;
    let record = hosted[&other.id].record.signed().clone();
    let lies: [Change; 3] = [
        Box::new(move |meeting, _| meeting.record = Some(record.clone())),
        Box::new(|meeting, _| {
            let signed = meeting.policy_chain.last_mut().unwrap().signed.as_mut().unwrap();
            let mut signature = signed.signature.to_vec();
            signature[3] ^= 1;
            signed.signature = signature.into();
        }),
        // Nobody is told that the rules have changed since.
        Box::new(|_, chain| drop(chain.pop())),
    ];
    for (number, change) in lies.into_iter().enumerate() {
        scenario.federation.server_lies(DOMAINS[1], move |path, body| {
            let (mut meeting, mut chain) = (api::LookUpMeetingResponse::default(), Vec::new());
            if path.ends_with("/LookUpMeeting") {
                meeting = api::LookUpMeetingResponse::decode(body).unwrap();
                change(&mut meeting, &mut chain);
                return meeting.encode_to_vec().into();
            }
            if path.ends_with("/Watch") {
                let mut item = api::WatchResponse::decode(body.clone()).unwrap();
                if let Some(api::watch_response::Item::Standing(standing)) = &mut item.item
                    && standing.state() == api::StandingState::Entered
                {
                    meeting.policy_chain.push(standing.policy_chain[0].clone());
                    meeting.record = None;
                    change(&mut meeting, &mut standing.policy_chain);
                }
                return item.encode_to_vec().into();
            }
            body
        });
        let entered = scenario.federation.ask(carol, Command::Join(Door::Link(scenario.link.clone())));
        assert!(entered.is_err(), "lie {number}: {entered:?}");
        let diary = scenario.federation.diary(carol, &meeting);
        assert!(diary.roster.is_none() && diary.keys.is_empty(), "lie {number}: {:?}", diary.roster);
        scenario.federation.nobody_lies();
        scenario.federation.run_for(Duration::from_mins(1));
    }
    scenario.enter(carol);
    assert!(scenario.federation.diary(carol, &meeting).is_inside());
}

#[test]
fn dev_04_a_device_enters_only_a_group_whose_members_its_pins_certify() {
    let (mut scenario, _, _) = two_inside();
    let (carol, dave, meeting) = (scenario.people[2], scenario.people[3], scenario.meeting.clone());
    scenario.enter(dave);
    let answer = |organisation: &Organisation| -> Bytes {
        let descriptor = Some(organisation.descriptor());
        api::LookUpServerResponse { descriptor }.encode_to_vec().into()
    };
    let (honest, impostor) =
        (answer(&Organisation::new(DOMAINS[2])), answer(&Organisation::impostor(DOMAINS[2])));
    scenario.federation.server_lies(
        DOMAINS[1],
        move |_, body| {
            if body == honest { impostor.clone() } else { body }
        },
    );
    let entered = scenario.federation.ask(carol, Command::Join(Door::Link(scenario.link.clone())));
    assert!(entered.is_err(), "{entered:?}");
    assert!(scenario.federation.diary(carol, &meeting).keys.is_empty());
}

#[test]
fn dev_04_a_certificate_that_ran_out_removes_nobody_and_is_shown() {
    let (mut scenario, alice, _) = two_inside();
    let (carol, meeting) = (scenario.people[2], scenario.meeting.clone());
    let nearly_over = START - Duration::from_hours(6 * 24 + 23);
    let old = Organisation::new(DOMAINS[2]).certify(UserKind::User, "eve", 9, nearly_over);
    let mut eve = Intruder::new(old, Suite::Classical);
    let link = scenario.link.clone();
    eve.enter(&mut scenario.federation, &link, FIRST);
    settle(&mut scenario);
    let shown = |scenario: &Scenario, who| {
        let roster = scenario.federation.diary(who, &meeting).roster.clone().unwrap();
        roster.members.into_iter().find(|member| member.device == *eve.uri()).unwrap().verification
    };
    assert_eq!(shown(&scenario, alice), Verification::Certified);
    scenario.federation.run_for(Duration::from_hours(2));
    scenario.enter(carol);
    assert_eq!(shown(&scenario, alice), Verification::Expired);
    assert_eq!(shown(&scenario, carol), Verification::Expired);
}

#[test]
fn dev_05_a_joiner_refuses_a_commit_that_leads_elsewhere_than_its_welcome() {
    let (mut scenario, alice, _) = two_inside();
    let (carol, meeting) = (scenario.people[2], scenario.meeting.clone());
    let mut eve = with_eve(&mut scenario);
    scenario.federation.command(carol, Command::Join(Door::Link(scenario.link.clone())));
    let carols = scenario.federation.uri(carol);
    let her_join = |scenario: &Scenario| {
        let log = scenario.log();
        let joins = log.into_iter().filter(|entry| entry.header().kind == Kind::Join);
        joins.rev().find(|entry| submission(entry).device == carols.to_string())
    };
    let join = loop {
        let end = scenario.federation.now() + Duration::from_secs(1);
        assert!(scenario.federation.step(end), "she asks");
        if let Some(join) = her_join(&scenario) {
            break join;
        }
    };
    // Before anybody else answers it.
    let key_package = types::Join::decode(submission(&join).content).unwrap().key_package.to_vec();
    let known = key_package::check(Suite::Classical, &key_package).unwrap().key_package_ref;
    let basis = types::AddBasis {
        join_sequence: join.sequence().0,
        key_package_ref: known.as_bytes().to_vec().into(),
        ..types::AddBasis::default()
    };
    let annotations = types::CommitAnnotations { adds: vec![basis], ..types::CommitAnnotations::default() };
    let (now, acts) = (scenario.federation.now(), vec![Act::Add(key_package)]);
    let (signed, welcome) = eve.annotated(&meeting, FIRST, now, acts, &annotations, wrong_confirmation_tag);
    let handed_in = HandedIn::Submission(signed, welcome);
    scenario.federation.hand_in(DOMAINS[2], &meeting, handed_in).expect("servers cannot see it");
    scenario.federation.run_for(Duration::from_secs(10));
    let diary = scenario.federation.diary(carol, &meeting);
    assert!(diary.keys.is_empty() && diary.roster.is_none(), "she never was in");
    assert!(
        matches!(&diary.over, Some(Over::Refused(why)) if why.to_string().contains("same epoch")),
        "{:?}",
        diary.over
    );
    let log = scenario.log();
    let void = log.iter().find(|entry| entry.header().kind == Kind::Void).expect("it is taken back");
    let void = types::Void::decode(void.content().clone()).unwrap();
    let by = void.rejections.iter().map(|signed| types::Submission::decode(signed.payload.clone()).unwrap());
    let by: Vec<_> = by.map(|submission| submission.device).collect();
    assert!(by.contains(&carols.to_string()), "{by:?}");
    assert_eq!(scenario.federation.diary(alice, &meeting).voided, [eve.uri().clone()]);
}

#[test]
fn dev_06_a_device_refuses_what_its_hub_should_have_refused() {
    let (mut scenario, alice, bob) = two_inside();
    let meeting = scenario.meeting.clone();
    let mut eve = with_eve(&mut scenario);
    let before = scenario.federation.diary(alice, &meeting).roster.clone().unwrap();
    let bobs = scenario.federation.uri(bob);
    let leaf = before.members.iter().find(|member| member.device == bobs).unwrap().leaf;
    let now = scenario.federation.now();
    let (signed, welcome) = eve.commit(&meeting, FIRST, now, vec![Act::Remove(leaf)], <[u8]>::to_vec);
    let honest = HandedIn::Submission(signed.clone(), welcome);
    let refused = scenario.federation.hand_in(DOMAINS[2], &meeting, honest);
    assert_eq!(refused, Err(types::ErrorReason::ForbiddenCommit), "an honest hub refuses it");
    scenario.federation.show_rogue(&meeting, Rogue::submission(&signed, Bytes::new()));
    scenario.federation.run_for(Duration::from_secs(1));
    let diary = scenario.federation.diary(alice, &meeting);
    assert_eq!(diary.epoch(), Some(before.epoch), "nothing is merged");
    assert!(diary.devices().contains(&bobs));
    assert!(diary.alarms.iter().any(|alarm| alarm.contains("eve@west.example")), "{:?}", diary.alarms);
    // Nobody takes it back and the hub hears no rejection: she cannot stay.
    scenario.federation.run_for(Duration::from_secs(10));
    let over = scenario.federation.diary(alice, &meeting).over.clone();
    assert!(over == Some(Over::Refused(conclave_core::device::Error::OthersWentOn)), "{over:?}");
}

#[test]
fn dev_07_a_rejection_reaches_a_hub_that_forgot_it() {
    let (mut scenario, alice, bob) = two_inside();
    let meeting = scenario.meeting.clone();
    let mut eve = with_eve(&mut scenario);
    let now = scenario.federation.now();
    let (signed, welcome) = eve.commit(&meeting, FIRST, now, Vec::new(), wrong_confirmation_tag);
    scenario.federation.hand_in(DOMAINS[2], &meeting, HandedIn::Submission(signed, welcome)).unwrap();
    // The rejections are in the hub's memory alone when it dies.
    scenario.run_for(Duration::from_secs(1)).unwrap();
    assert!(!scenario.federation.diary(alice, &meeting).alarms.is_empty());
    scenario.federation.crash_server(DOMAINS[0], Duration::from_secs(1));
    scenario.run_for(Duration::from_secs(20)).unwrap();
    for who in [alice, bob] {
        let diary = scenario.federation.diary(who, &meeting);
        assert_eq!(diary.voided, [eve.uri().clone()]);
        assert!(diary.is_inside());
    }
}

#[test]
fn dev_08_a_message_that_stands_in_the_log_twice_is_told_once() {
    let (mut scenario, alice, bob) = two_inside();
    let meeting = scenario.meeting.clone();
    let mut eve = with_eve(&mut scenario);
    let now = scenario.federation.now();
    for text in ["eve 1", "eve 1", "eve again"] {
        let message = types::Message {
            message_id: vec![7; 16].into(),
            time_ms: now.as_ms(),
            body: Some(types::message::Body::Chat(text.into())),
        };
        let sealed = eve.forger.say(&message.encode_to_vec());
        let signed = eve.sign_bytes(&meeting, FIRST, now, types::EntryKind::Message, sealed.into());
        let handed_in = HandedIn::Submission(signed, Bytes::new());
        scenario.federation.hand_in(DOMAINS[2], &meeting, handed_in).unwrap();
    }
    scenario.run_for(Duration::from_secs(5)).unwrap();
    let messages = scenario.log().iter().filter(|entry| entry.header().kind == Kind::Message).count();
    assert_eq!(messages, 3);
    for who in [alice, bob] {
        assert_eq!(scenario.federation.diary(who, &meeting).texts(), ["eve 1"]);
    }
}

/// Alice's own commit is taken back while Bob is away: she goes back, and says again what was lost with it.
#[test]
fn dev_12_whoever_merged_a_void_commit_goes_back_and_loses_no_word() {
    let (mut scenario, alice, bob) = two_inside();
    let meeting = scenario.meeting.clone();
    let mut eve = with_eve(&mut scenario);
    let epoch = scenario.federation.diary(alice, &meeting).epoch().unwrap();
    scenario.federation.cut_client(bob);
    scenario.federation.command(alice, Command::Lock { meeting: meeting.clone(), locked: true });
    scenario.run_for(Duration::from_millis(300)).unwrap();
    assert!(scenario.federation.diary(alice, &meeting).epoch() > Some(epoch));
    let chat = Command::Chat { meeting: meeting.clone(), text: "alice 1".into() };
    scenario.federation.ask(alice, chat).unwrap();
    let commit = scenario.log().into_iter().rfind(|entry| entry.header().kind == Kind::Commit).unwrap();
    let confirm = types::Confirm {
        group_id: commit.header().group.as_bytes().to_vec().into(),
        epoch: epoch.0 + 1,
        accepted: false,
        confirmation_tag: Bytes::new(),
        commit_sequence: commit.sequence().0,
    };
    let now = scenario.federation.now();
    let signed = eve.sign(&meeting, FIRST, now, types::EntryKind::Confirm, &confirm);
    let rejection = HandedIn::Submission(signed, Bytes::new());
    scenario.federation.hand_in(DOMAINS[2], &meeting, rejection).unwrap();
    scenario.run_for(Duration::from_secs(3)).unwrap();
    scenario.heal();
    scenario.run_for(Duration::from_secs(10)).unwrap();
    let name = scenario.federation.uri(alice);
    let codes = [alice, bob].map(|who| {
        let diary = scenario.federation.diary(who, &meeting);
        assert_eq!(diary.voided, std::slice::from_ref(&name));
        assert_eq!(diary.epoch(), Some(epoch));
        assert!(!diary.policy.as_ref().unwrap().rules().locked);
        diary.roster.as_ref().unwrap().verification_code.clone()
    });
    assert_eq!(codes[0], codes[1]);
    let messages = scenario.log().iter().filter(|entry| entry.header().kind == Kind::Message).count();
    assert_eq!(messages, 2, "said again where everybody can read it");
    assert_eq!(scenario.federation.diary(bob, &meeting).texts(), ["alice 1"], "twice in the log, told once");
    let chat = Command::Chat { meeting: meeting.clone(), text: "bob 1".into() };
    scenario.federation.ask(bob, chat).unwrap();
    scenario.run_for(Duration::from_secs(2)).unwrap();
    assert!(scenario.federation.diary(alice, &meeting).texts().contains(&"bob 1"));
}

#[test]
fn dev_10_the_nearest_member_after_the_committer_speaks_and_the_next_one_if_it_does_not() {
    let (mut scenario, alice, bob) = two_inside();
    let (carol, dave, meeting) = (scenario.people[2], scenario.people[3], scenario.meeting.clone());
    scenario.enter(carol);
    scenario.enter(dave);
    let commit = |scenario: &mut Scenario, locked| {
        let before = scenario.log().len() as u64;
        scenario.federation.ask(alice, Command::Lock { meeting: meeting.clone(), locked }).unwrap();
        settle(scenario);
        let log = scenario.log();
        let commit =
            log.iter().find(|entry| entry.sequence().0 > before && entry.header().kind == Kind::Commit);
        confirmations(scenario).remove(&commit.unwrap().sequence().0).unwrap()
    };
    let name = |scenario: &Scenario, who| scenario.federation.uri(who).to_string();
    assert_eq!(commit(&mut scenario, true), [name(&scenario, bob)], "one word is enough");
    scenario.federation.cut_client(bob);
    assert_eq!(commit(&mut scenario, false), [name(&scenario, carol)]);
}

#[test]
fn dev_11_every_device_in_the_group_is_shown() {
    let (mut scenario, alice, bob) = two_inside();
    let meeting = scenario.meeting.clone();
    // With a Join of her own, a second device of Alice's may enter; nobody overlooks it.
    let second = scenario.federation.sign_in("alice", DOMAINS[0]);
    scenario.federation.ask(second, Command::Join(Door::Address(meeting.clone()))).unwrap();
    settle(&mut scenario);
    let expected: Vec<DeviceUri> = [alice, bob, second].map(|who| scenario.federation.uri(who)).into();
    let room = scenario.federation.server(DOMAINS[0]).hub(&meeting.id).unwrap().room().unwrap();
    assert_eq!(room.members().count(), 3);
    for who in [alice, bob, second] {
        let roster = scenario.federation.diary(who, &meeting).roster.clone().unwrap();
        let shown: Vec<_> = roster.members.iter().map(|member| member.device.clone()).collect();
        assert_eq!(shown, expected);
        let own: Vec<_> = roster.members.iter().filter(|member| member.is_self).collect();
        assert_eq!((own.len(), &own[0].device), (1, &scenario.federation.uri(who)));
        let keys = scenario.federation.diary(who, &meeting).keys.last().unwrap();
        let held: Vec<_> = keys.roster().map(|(_, device)| device.clone()).collect();
        assert_eq!(held, expected, "and nobody else holds keys");
    }
}

#[test]
fn dev_12_nothing_is_taken_back_without_a_members_signed_rejection() {
    for forged in [false, true] {
        let (mut scenario, alice, bob) = two_inside();
        let (carol, meeting) = (scenario.people[2], scenario.meeting.clone());
        scenario.enter(carol);
        let log = scenario.log();
        let commit = log.iter().rfind(|entry| entry.header().kind == Kind::Commit).unwrap();
        let confirm = types::Confirm {
            group_id: Bytes::new(),
            epoch: commit.header().epoch.0 + 1,
            accepted: false,
            confirmation_tag: Bytes::new(),
            commit_sequence: commit.sequence().0,
        };
        // Signed by somebody who is no member.
        let mut mallory = Intruder::new(Organisation::new(DOMAINS[0]).device("mallory", 9), Suite::Classical);
        let now = scenario.federation.now();
        let rejection = mallory.sign(&meeting, FIRST, now, types::EntryKind::Confirm, &confirm);
        let void = types::Void {
            commit_sequence: commit.sequence().0,
            standing_epoch: commit.header().epoch.0,
            rejections: if forged { vec![rejection] } else { Vec::new() },
            barred_device: scenario.federation.uri(bob).to_string(),
        };
        let rogue = Rogue {
            kind: types::EntryKind::Void,
            content: void.encode_to_vec().into(),
            attachment: Bytes::new(),
        };
        scenario.federation.show_rogue(&meeting, rogue);
        scenario.federation.run_for(Duration::from_secs(1));
        let diary = scenario.federation.diary(alice, &meeting);
        assert!(diary.voided.is_empty());
        assert!(
            matches!(&diary.over, Some(Over::Refused(why)) if why.to_string().contains("no member had rejected")),
            "{:?}",
            diary.over
        );
    }
}

/// A bad home server and a member who helps it: what they show of a commit of alice's that nobody has confirmed.
fn shown_of_a_commit(show: impl FnOnce(&mut Scenario, &mut Intruder, &Entry) -> Rogue) -> Option<Over> {
    let (mut scenario, alice, bob) = two_inside();
    let meeting = scenario.meeting.clone();
    let mut eve = with_eve(&mut scenario);
    scenario.federation.cut_client(bob);
    scenario.federation.command(alice, Command::Lock { meeting: meeting.clone(), locked: true });
    scenario.run_for(Duration::from_millis(300)).unwrap();
    let commit = scenario.log().into_iter().rfind(|entry| entry.header().kind == Kind::Commit).unwrap();
    let rogue = show(&mut scenario, &mut eve, &commit);
    scenario.federation.show_rogue(&meeting, rogue);
    scenario.federation.run_for(Duration::from_millis(300));
    scenario.federation.diary(alice, &meeting).over.clone()
}

fn word_on(commit: &Entry, accepted: bool) -> types::Confirm {
    types::Confirm {
        group_id: commit.header().group.as_bytes().to_vec().into(),
        epoch: commit.header().epoch.0 + 1,
        accepted,
        confirmation_tag: Bytes::new(),
        commit_sequence: commit.sequence().0,
    }
}

#[test]
fn log_11_a_device_believes_no_confirmation_that_servers_should_have_refused() {
    let all: [fn(&mut types::Confirm); 2] = [|_| {}, |confirm| confirm.epoch = u64::MAX];
    for bend in all {
        let over = shown_of_a_commit(|scenario, eve, commit| {
            let mut confirm = word_on(commit, true);
            bend(&mut confirm);
            let (meeting, now) = (scenario.meeting.clone(), scenario.federation.now());
            let signed = eve.sign(&meeting, FIRST, now, types::EntryKind::Confirm, &confirm);
            Rogue {
                kind: types::EntryKind::Confirm,
                content: signed.encode_to_vec().into(),
                attachment: Bytes::new(),
            }
        });
        assert!(
            matches!(&over, Some(Over::Refused(why)) if why.to_string().contains("confirmed an epoch who may not")),
            "{over:?}"
        );
    }
}

#[test]
fn log_12_a_device_bars_only_who_made_the_commit() {
    let over = shown_of_a_commit(|scenario, eve, commit| {
        let (meeting, now) = (scenario.meeting.clone(), scenario.federation.now());
        let rejection = eve.sign(&meeting, FIRST, now, types::EntryKind::Confirm, &word_on(commit, false));
        let void = types::Void {
            commit_sequence: commit.sequence().0,
            standing_epoch: commit.header().epoch.0,
            rejections: vec![rejection],
            barred_device: scenario.federation.uri(scenario.people[1]).to_string(),
        };
        let (kind, content) = (types::EntryKind::Void, void.encode_to_vec().into());
        Rogue { kind, content, attachment: Bytes::new() }
    });
    assert!(
        matches!(&over, Some(Over::Refused(why)) if why.to_string().contains("bars another device")),
        "{over:?}"
    );
}

#[test]
fn dev_13_what_the_server_did_not_hear_is_said_again_under_the_same_id() {
    let (mut scenario, _, bob) = two_inside();
    let meeting = scenario.meeting.clone();
    let heard: Rc<RefCell<(Vec<Bytes>, Vec<u64>)>> = Rc::default();
    let spy = heard.clone();
    scenario.federation.device_lies(bob, move |path, body| {
        let (submitted, watched) = &mut *spy.borrow_mut();
        if path.ends_with("/Submit") {
            let request = api::SubmitRequest::decode(body.clone()).unwrap();
            let payload = request.submission.unwrap().payload;
            submitted.push(types::Submission::decode(payload).unwrap().submission_id);
        } else if path.ends_with("/Watch") {
            watched.push(api::WatchRequest::decode(body.clone()).unwrap().next_sequence);
        }
        body
    });
    let tip = scenario.log().len() as u64;
    scenario.federation.cut_client(bob);
    let chat = Command::Chat { meeting: meeting.clone(), text: "bob 1".into() };
    let request = scenario.federation.command(bob, chat);
    scenario.federation.run_for(Duration::from_secs(20));
    let (submitted, watched) = heard.borrow().clone();
    // 0.7 s until it knows that one is lost, then 0.2 s, doubling up to 2 s.
    assert!((8..=12).contains(&submitted.len()), "{} times", submitted.len());
    assert!(submitted.iter().all(|id| *id == submitted[0]));
    assert!(watched.len() > 3 && watched.iter().all(|next| *next == tip + 1), "{watched:?} after {tip}");
    scenario.heal();
    scenario.run_for(Duration::from_secs(10)).unwrap();
    assert!(scenario.federation.result(bob, request).is_some_and(Result::is_ok));
    let messages = scenario.log().iter().filter(|entry| entry.header().kind == Kind::Message).count();
    assert_eq!(messages, 1);
}

/// The tree is there and a descriptor is not when the connection breaks.
#[test]
fn dev_13_a_connection_that_breaks_while_entering_does_not_keep_the_device_out() {
    let (mut scenario, alice, _) = two_inside();
    let (carol, dave, meeting) = (scenario.people[2], scenario.people[3], scenario.meeting.clone());
    scenario.enter(dave);
    let asks: Rc<RefCell<(bool, bool)>> = Rc::default();
    let spy = asks.clone();
    scenario.federation.device_lies(carol, move |path, body| {
        let (fetches, looks_up) = &mut *spy.borrow_mut();
        *fetches |= path.ends_with("/FetchTree");
        *looks_up |= *fetches && path.ends_with("/LookUpServer");
        body
    });
    let request = scenario.federation.command(carol, Command::Join(Door::Link(scenario.link.clone())));
    while !asks.borrow().1 {
        let end = scenario.federation.now() + Duration::from_secs(1);
        assert!(scenario.federation.step(end), "she gets that far");
    }
    scenario.federation.cut_client(carol);
    scenario.federation.crash_server(DOMAINS[1], Duration::from_millis(500));
    scenario.federation.run_for(Duration::from_secs(1));
    assert!(scenario.federation.result(carol, request).is_none(), "not in, and not given up");
    scenario.heal();
    scenario.run_for(Duration::from_secs(20)).unwrap();
    assert!(scenario.federation.diary(carol, &meeting).is_inside());
    // She follows the log from there.
    let chat = Command::Chat { meeting: meeting.clone(), text: "alice 1".into() };
    scenario.federation.ask(alice, chat).unwrap();
    scenario.run_for(Duration::from_secs(5)).unwrap();
    assert_eq!(scenario.federation.diary(carol, &meeting).texts(), ["alice 1"]);
}
