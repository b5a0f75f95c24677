//! Servers that die and come back from what they stored.

use std::time::Duration;

use conclave_core::{
    ids::Epoch,
    meeting::{follower::Follower, log::Kind, policy::PolicyChain, room::Standing},
};

use crate::world::{ALICE, BOB, MALLORY, World, signer};

#[test]
fn f7_a_hub_that_dies_in_mid_commit_makes_no_second_epoch() {
    let mut world = World::running();
    let link = world.link_evidence(MALLORY);
    world.join(MALLORY, link).unwrap();
    let (asked, ask) = world.asks.pop().unwrap();
    let who = world.place_of(&asked);
    let (plan, annotations) = world.plan_of(&ask);
    let draft = world.draft(who, plan, &annotations);
    let content = World::commit_content(draft.handshake, draft.welcome.as_ref());
    let signed = world.signed(who, Kind::Commit, content);
    let welcome = draft.welcome.unwrap();
    let from = asked.domain().clone();
    // It dies before the commit is stored: the device hands it in again.
    world.restart_hub();
    let receipt = world.hand_in(&from, signed.clone(), welcome.clone()).unwrap();
    assert_eq!(world.room().epoch(), Epoch(2));
    // It dies after, but before the answer: the same answer, and nothing else.
    world.restart_hub();
    assert_eq!(world.hand_in(&from, signed, welcome).unwrap(), receipt);
    assert_eq!(world.room().epoch(), Epoch(2));
    let commits = world.entries.iter().filter(|entry| entry.header().kind == Kind::Commit);
    assert_eq!(commits.count(), 3, "founding, bob, mallory");
    assert!(matches!(world.standing(MALLORY), Standing::Entered(_)));
    world.assert_agreement();
    world.say(MALLORY, b"here").unwrap();
    assert_eq!(world.devices[ALICE].heard, [b"here"]);
}

#[test]
fn log_09_a_restored_hub_asks_again_and_remembers_what_it_took() {
    let mut world = World::running();
    let sealed = world.devices[BOB].member.as_mut().unwrap().seal(b"once").unwrap();
    let signed = world.signed(BOB, Kind::Message, sealed);
    let from = world.south.domain().clone();
    let receipt = world.hand_in(&from, signed.clone(), vec![]).unwrap();
    let link = world.link_evidence(MALLORY);
    world.join(MALLORY, link).unwrap();
    world.restart_hub();
    assert_eq!(world.hand_in(&from, signed, vec![]).unwrap(), receipt);
    assert_eq!(world.asks.len(), 1, "the Join still waits for its commit");
    world.answer();
    assert!(world.devices[MALLORY].member.is_some());
    world.assert_agreement();
}

#[test]
fn a_restored_follower_goes_on_where_it_was() {
    let mut world = World::running();
    let chain = PolicyChain::start(world.record());
    let restored = Follower::restore(
        world.record().clone(),
        chain,
        world.session(),
        signer(&world.south),
        &world.mirrored,
        None,
    );
    world.follower = Some(restored.unwrap());
    world.pass(Duration::from_secs(1));
    world.say(ALICE, b"after").unwrap();
    let link = world.link_evidence(MALLORY);
    world.enter(MALLORY, link);
    world.assert_agreement();
}
