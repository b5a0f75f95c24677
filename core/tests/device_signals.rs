//! Hands, reactions, typed text and requests to be silent, between real device machines (spec, chapter 14.5).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

use std::time::Duration;

use conclave_core::{
    device::{
        Error,
        command::{Command, MeetingAddress},
    },
    group::Suite,
    identity::address::DeviceUri,
    ids::SessionNumber,
    meeting::{log::Kind, policy::Role},
};
use conclave_proto::types::v1::{self as types, message::Body};
use conclave_testkit::{
    client::ClientId,
    home_server::HandedIn,
    intruder::Intruder,
    people::Organisation,
    scenario::{DOMAINS, Scenario},
};
use prost::{Message as _, bytes::Bytes};

const FIRST: SessionNumber = SessionNumber(1);

struct Stage {
    scenario: Scenario,
    alice: ClientId,
    bob: ClientId,
    meeting: MeetingAddress,
}

/// Alice, a host, and Bob, a participant of another organisation.
fn stage() -> Stage {
    let scenario = Scenario::two_inside(Suite::Classical);
    let (alice, bob, meeting) = (scenario.people[0], scenario.people[1], scenario.meeting.clone());
    Stage { scenario, alice, bob, meeting }
}

impl Stage {
    fn ask(&mut self, who: ClientId, command: Command) -> Result<(), Error> {
        let done = self.scenario.federation.ask(who, command).map(|_| ());
        self.scenario.federation.run_for(Duration::from_secs(3));
        done
    }

    fn raise(&mut self, who: ClientId, raised: bool) {
        let meeting = self.meeting.clone();
        self.ask(who, Command::RaiseHand { meeting, raised }).unwrap();
    }

    fn lower(&mut self, by: ClientId, whose: ClientId) -> Result<(), Error> {
        let (meeting, device) = (self.meeting.clone(), self.uri(whose));
        self.ask(by, Command::LowerHand { meeting, device })
    }

    fn mute(&mut self, by: ClientId, whom: ClientId) -> Result<(), Error> {
        let (meeting, device) = (self.meeting.clone(), self.uri(whom));
        self.ask(by, Command::AskMute { meeting, device })
    }

    fn uri(&self, who: ClientId) -> DeviceUri {
        self.scenario.federation.uri(who)
    }

    /// The hands that somebody sees, the first one first.
    fn hands(&self, who: ClientId) -> Vec<DeviceUri> {
        let diary = self.scenario.federation.diary(who, &self.meeting);
        diary.hands.values().cloned().collect()
    }

    fn muted_by(&self, who: ClientId) -> Vec<DeviceUri> {
        self.scenario.federation.diary(who, &self.meeting).muted_by.clone()
    }

    /// A member says this with a program that asks nobody whether it may.
    fn say_anyhow(&mut self, eve: &mut Intruder, number: u8, body: Body) {
        let now = self.scenario.federation.now();
        let message_id = vec![number; 16].into();
        let message = types::Message { message_id, time_ms: now.as_ms(), body: Some(body) };
        let sealed = eve.forger.say(&message.encode_to_vec());
        let signed = eve.sign_bytes(&self.meeting, FIRST, now, types::EntryKind::Message, sealed.into());
        let handed_in = HandedIn::Submission(signed, Bytes::new());
        self.scenario.federation.hand_in(DOMAINS[2], &self.meeting, handed_in).unwrap();
        self.scenario.federation.run_for(Duration::from_secs(3));
    }

    /// The same, in passing.
    fn pass_anyhow(&mut self, eve: &mut Intruder, number: u8, body: Body) -> Result<(), types::ErrorReason> {
        let now = self.scenario.federation.now();
        let message_id = vec![number; 16].into();
        let message = types::Message { message_id, time_ms: now.as_ms(), body: Some(body) };
        let sealed = eve.forger.say(&message.encode_to_vec());
        let signed = eve.sign_bytes(&self.meeting, FIRST, now, types::EntryKind::Passing, sealed.into());
        let handed_in = HandedIn::Submission(signed, Bytes::new());
        let answer = self.scenario.federation.hand_in(DOMAINS[2], &self.meeting, handed_in);
        self.scenario.federation.run_for(Duration::from_secs(3));
        answer.map(|_| ())
    }

    fn with_eve(&mut self) -> Intruder {
        let mut eve = Intruder::new(Organisation::new(DOMAINS[2]).device("eve", 9), Suite::Classical);
        let link = self.scenario.link.clone();
        eve.enter(&mut self.scenario.federation, &link, FIRST);
        self.scenario.federation.run_for(Duration::from_secs(5));
        eve
    }
}

#[test]
fn dev_15_hands_stand_in_the_order_in_which_they_went_up_for_newcomers_too() {
    let mut stage = stage();
    let (alice, bob, carol) = (stage.alice, stage.bob, stage.scenario.people[2]);
    let (alices, bobs) = (stage.uri(alice), stage.uri(bob));
    stage.raise(bob, true);
    stage.raise(alice, true);
    stage.raise(bob, true); // Once more changes nothing.
    stage.scenario.enter(carol);
    for who in [alice, bob, carol] {
        assert_eq!(stage.hands(who), [bobs.clone(), alices.clone()], "{who:?}");
    }
    stage.raise(bob, false);
    stage.raise(bob, true);
    for who in [alice, bob, carol] {
        assert_eq!(stage.hands(who), [alices.clone(), bobs.clone()], "at the end of the line: {who:?}");
    }
}

#[test]
fn dev_15_a_host_takes_a_hand_down_and_whoever_leaves_takes_it_along() {
    let mut stage = stage();
    let (alice, bob, carol) = (stage.alice, stage.bob, stage.scenario.people[2]);
    stage.scenario.enter(carol);
    stage.raise(bob, true);
    stage.raise(carol, true);
    let carols = stage.uri(carol);
    stage.lower(alice, bob).unwrap();
    for who in [alice, bob, carol] {
        assert_eq!(stage.hands(who), std::slice::from_ref(&carols), "{who:?}");
    }
    let meeting = stage.meeting.clone();
    stage.ask(carol, Command::Leave(meeting)).unwrap();
    stage.scenario.federation.run_for(Duration::from_secs(5));
    for who in [alice, bob] {
        assert!(stage.hands(who).is_empty(), "{who:?}");
    }
}

/// What a device tells for newcomers, late or wrongly, moves nobody's hand at those who were there.
#[test]
fn dev_15_nobody_gets_to_the_head_of_the_line_by_saying_so() {
    let mut stage = stage();
    let (alice, bob) = (stage.alice, stage.bob);
    let mut eve = stage.with_eve();
    stage.raise(bob, true);
    let bobs = stage.uri(bob);
    let tip = stage.scenario.log().len() as u64;
    for (number, claimed) in [(1, 1), (2, tip), (3, u64::MAX)] {
        let hand = types::Hand { raised: true, raised_sequence: claimed, ..types::Hand::default() };
        stage.say_anyhow(&mut eve, number, Body::Hand(hand));
        // Alice came before eve: the first entry says that it went up before either of them was there.
        let first = stage.hands(alice);
        assert_eq!(first[0], bobs, "claims {claimed}");
    }
}

/// The word for newcomers may come after somebody took the hand down.
#[test]
fn dev_15_a_hand_that_came_down_stays_down_for_newcomers_too() {
    let mut stage = stage();
    let (alice, carol) = (stage.alice, stage.scenario.people[2]);
    let mut eve = stage.with_eve();
    let up = types::Hand { raised: true, ..types::Hand::default() };
    stage.say_anyhow(&mut eve, 1, Body::Hand(up));
    let at = stage.scenario.log().len() as u64;
    assert_eq!(stage.hands(alice), std::slice::from_ref(eve.uri()));
    stage.scenario.enter(carol);
    eve.forger.follow(&last_commit(&stage.scenario));
    let (meeting, device) = (stage.meeting.clone(), eve.uri().clone());
    stage.ask(alice, Command::LowerHand { meeting, device }).unwrap();
    let again = types::Hand { raised: true, raised_sequence: at, ..types::Hand::default() };
    stage.say_anyhow(&mut eve, 2, Body::Hand(again.clone()));
    for who in [alice, carol] {
        assert!(stage.hands(who).is_empty(), "{who:?}");
    }
    // It can go up anew, and then newcomers are told.
    stage.say_anyhow(&mut eve, 3, Body::Hand(types::Hand { raised_sequence: 0, ..again }));
    for who in [alice, carol] {
        assert_eq!(stage.hands(who), std::slice::from_ref(eve.uri()), "{who:?}");
    }
}

fn last_commit(scenario: &Scenario) -> Vec<u8> {
    let commit = scenario.log().into_iter().rfind(|entry| entry.header().kind == Kind::Commit).unwrap();
    let signed = types::Signed::decode(commit.content().clone()).unwrap();
    let submission = types::Submission::decode(signed.payload).unwrap();
    match types::Commit::decode(submission.content).unwrap().change {
        Some(types::commit::Change::Handshake(handshake)) => handshake.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn dev_14_every_receiver_asks_whether_the_author_may() {
    let mut stage = stage();
    let (alice, bob) = (stage.alice, stage.bob);
    let mut eve = stage.with_eve();
    stage.raise(alice, true);
    let alices = stage.uri(alice);
    // An honest program does not even try.
    assert!(matches!(stage.lower(bob, alice), Err(Error::NotEntitled)));
    assert!(matches!(stage.mute(bob, alice), Err(Error::NotEntitled)));
    let lower = types::Hand { device: alices.to_string(), ..types::Hand::default() };
    stage.say_anyhow(&mut eve, 1, Body::Hand(lower));
    let mute = types::MuteRequest { device: alices.to_string() };
    stage.say_anyhow(&mut eve, 2, Body::MuteRequest(mute));
    let raise = types::Hand { raised: true, device: stage.uri(bob).to_string(), ..types::Hand::default() };
    stage.say_anyhow(&mut eve, 3, Body::Hand(raise));
    for who in [alice, bob] {
        assert_eq!(stage.hands(who), std::slice::from_ref(&alices), "{who:?}");
        assert!(stage.muted_by(who).is_empty(), "{who:?}");
    }
}

#[test]
fn dev_16_a_co_host_asks_one_device_to_be_silent_and_it_alone_is_told() {
    let mut stage = stage();
    let (alice, bob, carol) = (stage.alice, stage.bob, stage.scenario.people[2]);
    stage.scenario.enter(carol);
    assert!(matches!(stage.mute(carol, bob), Err(Error::NotEntitled)));
    let (meeting, address) = (stage.meeting.clone(), stage.uri(carol).user().clone());
    stage
        .ask(alice, Command::SetCoHost { meeting: meeting.clone(), address: address.clone(), on: true })
        .unwrap();
    for who in [alice, bob, carol] {
        let diary = stage.scenario.federation.diary(who, &meeting);
        let member = diary.roster.as_ref().unwrap().members.iter().find(|it| *it.device.user() == address);
        assert_eq!(member.unwrap().role, Role::CoHost);
        assert!(diary.policy.as_ref().unwrap().rules().co_hosts.contains(&address));
    }
    stage.mute(carol, bob).unwrap();
    assert_eq!(stage.muted_by(bob), [stage.uri(carol)]);
    assert!(stage.muted_by(alice).is_empty() && stage.muted_by(carol).is_empty());
    stage.ask(alice, Command::SetCoHost { meeting, address, on: false }).unwrap();
    assert!(matches!(stage.mute(carol, bob), Err(Error::NotEntitled)));
}

#[test]
fn reactions_are_told_once_and_unknown_ones_not_at_all() {
    let mut stage = stage();
    let (alice, bob) = (stage.alice, stage.bob);
    let meeting = stage.meeting.clone();
    stage.ask(bob, Command::React { meeting, reaction: types::Reaction::Applause }).unwrap();
    let mut eve = stage.with_eve();
    stage.say_anyhow(&mut eve, 1, Body::Reaction(77));
    stage.say_anyhow(&mut eve, 2, Body::Reaction(types::Reaction::Heart.into()));
    let told = [(stage.uri(bob), types::Reaction::Applause), (eve.uri().clone(), types::Reaction::Heart)];
    for who in [alice, bob] {
        assert_eq!(stage.scenario.federation.diary(who, &stage.meeting).reactions, told, "{who:?}");
    }
}

#[test]
fn newcomers_learn_what_was_published_before_they_came() {
    let mut stage = stage();
    let (alice, bob, carol) = (stage.alice, stage.bob, stage.scenario.people[2]);
    let track =
        |number, kind: types::TrackKind| types::Track { number, kind: kind.into(), codec: 1, layers: 1 };
    let (meeting, audio) = (stage.meeting.clone(), vec![track(1, types::TrackKind::Audio)]);
    stage.ask(bob, Command::Publish { meeting: meeting.clone(), tracks: audio }).unwrap();
    stage.scenario.enter(carol);
    let bobs = stage.uri(bob);
    for who in [alice, carol] {
        assert_eq!(stage.scenario.federation.diary(who, &meeting).tracks[&bobs], [1], "{who:?}");
    }
}

/// What somebody sees of a line, in order.
fn typed(stage: &Stage, who: ClientId) -> Vec<(u64, String, bool)> {
    let diary = stage.scenario.federation.diary(who, &stage.meeting);
    diary.typed.iter().map(|(_, line, text, done)| (*line, text.clone(), *done)).collect()
}

fn type_in(stage: &mut Stage, who: ClientId, line: u64, text: &str, done: bool) {
    let (meeting, text) = (stage.meeting.clone(), text.to_owned());
    stage.scenario.federation.command(who, Command::Type { meeting, line, text, done });
}

#[test]
fn dev_17_a_line_is_told_as_it_is_typed_and_only_its_end_is_logged() {
    let mut stage = stage();
    let (alice, bob) = (stage.alice, stage.bob);
    let carol = stage.scenario.people[2];
    stage.scenario.enter(carol);
    let before = stage.scenario.log().len();
    let text = "a line, typed";
    // Twenty keys a second.
    for end in 1..=text.len() {
        type_in(&mut stage, bob, 7, &text[..end], false);
        stage.scenario.federation.run_for(Duration::from_millis(50));
    }
    stage.scenario.federation.run_for(Duration::from_secs(1));
    for who in [alice, carol] {
        let seen = typed(&stage, who);
        // 0.65 s of typing, and one word each 0.25 s.
        assert!((3..=5).contains(&seen.len()), "{seen:?}");
        assert!(seen.iter().all(|(line, so_far, done)| *line == 7 && text.starts_with(so_far) && !done));
        assert_eq!(seen.last().unwrap().1, text, "nothing stays untold");
    }
    assert!(typed(&stage, bob).is_empty(), "who types knows it");
    assert_eq!(stage.scenario.log().len(), before, "nothing is logged");
    type_in(&mut stage, bob, 7, "a line, typed.", true);
    stage.scenario.federation.run_for(Duration::from_secs(1));
    assert_eq!(stage.scenario.log().len(), before + 1);
    for who in [alice, bob, carol] {
        let end = (7, "a line, typed.".to_owned(), true);
        assert_eq!(typed(&stage, who).last(), Some(&end), "{who:?}");
    }
    let meeting = stage.meeting.clone();
    let long = Command::Type { meeting, line: 8, text: "x".repeat(501), done: false };
    assert!(matches!(stage.ask(bob, long), Err(Error::TooLong(500))));
}

/// What the network or the pace of a device lost is told again; what was said before the end of a line does not come after it.
#[test]
fn dev_17_what_was_lost_is_told_again_and_nothing_follows_the_end_of_a_line() {
    let mut stage = stage();
    let (alice, bob) = (stage.alice, stage.bob);
    stage.scenario.federation.cut_client(bob);
    type_in(&mut stage, bob, 1, "while cut off", false);
    stage.scenario.federation.run_for(Duration::from_secs(5));
    assert!(typed(&stage, alice).is_empty());
    stage.scenario.heal();
    stage.scenario.federation.run_for(Duration::from_secs(10));
    assert_eq!(typed(&stage, alice), [(1, "while cut off".to_owned(), false)]);
    let mut eve = stage.with_eve();
    let seen = typed(&stage, alice).len();
    let line = |line, text: &str, done| Body::Line(types::TextLine { line, text: text.into(), done });
    stage.say_anyhow(&mut eve, 1, line(3, "finished", true));
    stage.pass_anyhow(&mut eve, 2, line(3, "finis", false)).unwrap();
    stage.pass_anyhow(&mut eve, 3, line(2, "an older one", false)).unwrap();
    stage.pass_anyhow(&mut eve, 4, line(4, "the next one", false)).unwrap();
    let seen = typed(&stage, alice).split_off(seen);
    assert_eq!(seen, [(3, "finished".to_owned(), true), (4, "the next one".to_owned(), false)]);
}

#[test]
fn log_19_nothing_but_a_line_being_typed_is_told_in_passing_and_none_is_logged() {
    let mut stage = stage();
    let (alice, bob) = (stage.alice, stage.bob);
    let mut eve = stage.with_eve();
    let line = |done| Body::Line(types::TextLine { line: 1, text: "x".into(), done });
    let lower = types::Hand { raised: true, ..types::Hand::default() };
    for (number, body) in [(1, Body::Chat("psst".into())), (2, Body::Hand(lower)), (3, line(true))] {
        stage.pass_anyhow(&mut eve, number, body).unwrap();
    }
    stage.say_anyhow(&mut eve, 4, line(false));
    for who in [alice, bob] {
        let diary = stage.scenario.federation.diary(who, &stage.meeting);
        assert!(diary.texts().is_empty() && diary.hands.is_empty() && diary.typed.is_empty(), "{who:?}");
    }
    // Who is no member says nothing.
    let mallory = Organisation::new(DOMAINS[2]).device("mallory", 8);
    let mut mallory = Intruder::new(mallory, Suite::Classical);
    mallory.forger = eve.forger;
    let refused = stage.pass_anyhow(&mut mallory, 5, line(false));
    assert_eq!(refused, Err(types::ErrorReason::NotEntitled));
}

/// The same on the hub's server and on a follower's; a device that comes back within its time is there again, and one that does
/// not goes.
#[test]
fn dev_26_a_device_whose_stream_dropped_is_away_for_the_others_until_it_is_back_or_gone() {
    let mut stage = stage();
    let (alice, bob) = (stage.alice, stage.bob);
    let carol = stage.scenario.people[2];
    stage.scenario.enter(carol);
    let away =
        |stage: &Stage, who: ClientId| stage.scenario.federation.diary(who, &stage.meeting).away.clone();
    for lost in [bob, alice] {
        let others: Vec<_> = [alice, bob, carol].into_iter().filter(|who| *who != lost).collect();
        let uri = stage.uri(lost);
        stage.scenario.federation.cut_client(lost);
        stage.scenario.federation.run_for(Duration::from_secs(8));
        for who in &others {
            assert_eq!(
                away(&stage, *who).into_iter().collect::<Vec<_>>(),
                std::slice::from_ref(&uri),
                "{who:?}"
            );
        }
        stage.scenario.federation.run_for(Duration::from_secs(14));
        assert!(others.iter().all(|who| away(&stage, *who).len() == 1), "it is said again and again");
        stage.scenario.heal();
        stage.scenario.federation.run_for(Duration::from_secs(4));
        assert!([alice, bob, carol].iter().all(|who| away(&stage, *who).is_empty()));
    }
    stage.scenario.federation.cut_client(bob);
    stage.scenario.federation.run_for(Duration::from_secs(40));
    let roster = |who| stage.scenario.federation.diary(who, &stage.meeting).roster.clone().unwrap();
    assert!([alice, carol].iter().all(|who| away(&stage, *who).is_empty()), "who is out is not away");
    assert!([alice, carol].iter().all(|who| roster(*who).members.len() == 2));
}
