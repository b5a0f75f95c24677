//! What honest people do: found, join, talk, leave, come back.

use std::time::Duration;

use conclave_core::{
    ids::{Epoch, SessionNumber},
    meeting::room::{Effect, Standing},
};

use crate::world::{ALICE, BOB, MALLORY, World};

#[test]
fn log_08_two_organisations_meet_talk_and_agree() {
    let mut world = World::running();
    world.assert_agreement();
    assert_eq!(world.room().epoch(), Epoch(1));
    world.say(ALICE, b"hello").unwrap();
    world.say(BOB, b"hello yourself").unwrap();
    assert_eq!(world.devices[BOB].heard, [b"hello"]);
    assert_eq!(world.devices[ALICE].heard, [b"hello yourself"]);
    world.assert_agreement();
    let entered: Vec<_> =
        world.effects.iter().filter(|effect| matches!(effect, Effect::MemberEntered { .. })).collect();
    assert_eq!(entered.len(), 2);
}

#[test]
fn log_16_a_session_ends_when_nobody_is_present_and_the_next_is_another() {
    let mut world = World::running();
    world.leave(ALICE);
    world.answer();
    assert_eq!(world.room().present().count(), 1, "bob committed alice's leaving");
    assert_eq!(world.room().members().count(), 1);
    world.leave(BOB);
    assert!(world.room().is_over());
    assert_eq!(world.effects.last(), Some(&Effect::SessionOver));
    assert_eq!(world.session(), SessionNumber(2));
    for device in &mut world.devices {
        device.member = None;
        device.at = conclave_core::ids::Sequence(0);
    }
    let link = world.link_evidence(BOB);
    world.effects.clear();
    world.follower_effects.clear();
    world.enter(BOB, link);
    assert_eq!(world.room().session(), SessionNumber(2));
    world.assert_agreement();
}

#[test]
fn log_15_many_joins_are_one_commit_and_another_member_is_asked_after_a_while() {
    let mut world = World::running();
    let link = world.link_evidence(MALLORY);
    world.join(MALLORY, link).unwrap();
    let carol = world.add_device(world.north.device("carol", 1));
    let link = world.link_evidence(carol);
    world.join(carol, link).unwrap();
    let (first, _) = world.asks.pop().unwrap();
    world.pass(Duration::from_secs(4));
    let (second, ask) = world.asks.pop().unwrap();
    assert_ne!(first, second, "who does not answer is passed over");
    assert_eq!(ask.joins.len(), 2);
    let who = world.place_of(&second);
    world.answer_one(who, &ask).unwrap();
    assert_eq!(world.room().epoch(), Epoch(2));
    assert_eq!(world.room().members().count(), 4);
    world.assert_agreement();
}

#[test]
fn log_21_nobody_enters_or_is_asked_whose_server_does_not_follow() {
    let mut world = World::running();
    world.follows(false);
    let link = world.link_evidence(MALLORY);
    world.join(MALLORY, link).unwrap();
    world.pass(Duration::from_secs(4));
    assert_eq!(world.asks, [], "there is nobody to add");
    let carol = world.add_device(world.north.device("carol", 1));
    let link = world.link_evidence(carol);
    world.join(carol, link).unwrap();
    world.pass(Duration::from_secs(4));
    assert!(world.asks.len() > 1);
    let alice = world.devices[ALICE].uri();
    assert!(
        world.asks.iter().all(|(device, ask)| *device == alice && ask.joins.len() == 1),
        "{:?}",
        world.asks
    );
    world.follows(true);
    world.carry();
    world.pass(Duration::from_secs(4));
    assert_eq!(world.asks.last().unwrap().1.joins.len(), 2);
    // A session that is not founded yet waits for the founder's server as well.
    let mut world = World::new();
    world.follows(false);
    let link = world.link_evidence(BOB);
    world.join(BOB, link).unwrap();
    assert_eq!(world.asks.len(), 1, "its server follows now");
    assert!(world.asks[0].1.found);
}

#[test]
fn mtg_25_a_device_that_lost_its_state_takes_its_own_place_again() {
    let mut world = World::running();
    let old = world.leaf(BOB);
    world.devices[BOB].member = None;
    let link = world.link_evidence(BOB);
    world.enter(BOB, link);
    assert_eq!(world.room().members().count(), 2);
    assert!(
        world.effects.iter().any(
            |effect| matches!(effect, Effect::MemberRemoved { leaf, had_left: false, .. } if *leaf == old)
        )
    );
    world.say(ALICE, b"again").unwrap();
    assert_eq!(world.devices[BOB].heard.last().unwrap(), b"again");
    world.assert_agreement();
}

#[test]
fn the_founder_that_does_not_found_is_passed_over() {
    let mut world = World::new();
    world.join(ALICE, None).unwrap();
    assert!(matches!(world.standing(ALICE), Standing::Found(_)));
    let link = world.link_evidence(BOB);
    world.join(BOB, link).unwrap();
    assert!(matches!(world.standing(BOB), Standing::Logged(_)));
    world.asks.clear();
    world.pass(Duration::from_secs(11));
    let (asked, ask) = world.asks.pop().unwrap();
    assert_eq!((asked, ask.found), (world.devices[BOB].uri(), true));
    world.answer_one(BOB, &ask).unwrap();
    world.answer();
    assert!(world.devices[ALICE].member.is_some(), "bob added alice");
    world.assert_agreement();
}
