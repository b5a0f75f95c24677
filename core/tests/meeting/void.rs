//! Epochs that turn out bad: confirmed, rejected, void.

use std::time::Duration;

use conclave_core::{
    group::CommitPlan,
    ids::{Epoch, Sequence},
    meeting::{
        Error,
        commit_rules::{self, Annotations},
        log::Kind,
        room::{self, Effect, Standing},
    },
};
use conclave_testkit::forge;

use crate::world::{ALICE, BOB, MALLORY, World};

/// Three are in, and every epoch so far is confirmed.
fn three() -> World {
    let mut world = World::running();
    let link = world.link_evidence(MALLORY);
    world.enter(MALLORY, link);
    let commit = world.room().member(&world.devices[MALLORY].uri()).unwrap().entered;
    world.judge(MALLORY, commit, Epoch(2), true).unwrap();
    assert_eq!(world.room().confirmed_epoch(), Epoch(2));
    world
}

/// Mallory commits what servers take for good and members cannot enter.
fn strand(world: &mut World, plan: CommitPlan) -> Sequence {
    let draft = world.draft(MALLORY, plan, &Annotations::default());
    let content = World::commit_content(forge::wrong_confirmation_tag(&draft.handshake), None);
    world.submit(MALLORY, Kind::Commit, content).unwrap().sequence
}

#[test]
fn log_11_an_epoch_is_confirmed_by_another_member_and_once() {
    let mut world = World::running();
    let commit = world.room().member(&world.devices[BOB].uri()).unwrap().entered;
    assert_eq!(world.room().confirmed_epoch(), Epoch(0));
    assert_eq!(
        world.judge(ALICE, commit, Epoch(1), true).unwrap_err(),
        Error::Room(room::Error::NothingToJudge),
        "nobody confirms the own commit"
    );
    world.judge(BOB, commit, Epoch(1), true).unwrap();
    assert_eq!(world.room().confirmed_epoch(), Epoch(1));
    assert!(world.effects.contains(&Effect::EpochConfirmed { epoch: Epoch(1) }));
    let length = world.entries.len();
    world.judge(BOB, commit, Epoch(1), true).unwrap();
    assert_eq!(world.entries.len(), length, "once is enough");
}

#[test]
fn log_12_a_rejected_epoch_is_void_and_its_committer_barred() {
    let mut world = three();
    let before = world.devices[BOB].member.as_ref().unwrap().epoch_authenticator();
    let commit = strand(&mut world, CommitPlan { self_update: true, ..CommitPlan::default() });
    assert_eq!(world.room().epoch(), Epoch(3), "servers cannot see it");
    assert_eq!(world.devices[BOB].member.as_ref().unwrap().epoch(), Epoch(2), "members can");
    world.judge(BOB, commit, Epoch(3), false).unwrap();
    world.tick();
    assert_eq!(world.room().epoch(), Epoch(3), "somebody may confirm it yet");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.room().epoch(), Epoch(2));
    assert_eq!(world.entries.last().unwrap().header().kind, Kind::Void);
    world.devices[MALLORY].member.as_mut().unwrap().drop_own().unwrap();
    assert_eq!(world.devices[ALICE].member.as_ref().unwrap().epoch_authenticator(), before);
    // She may talk, not commit.
    let plan = CommitPlan { self_update: true, ..CommitPlan::default() };
    let error = world.commit(MALLORY, plan.clone(), &Annotations::default()).unwrap_err();
    assert_eq!(error, Error::Commit(commit_rules::Error::Barred));
    world.commit(BOB, plan, &Annotations::default()).unwrap();
    assert_eq!(world.devices[ALICE].member.as_ref().unwrap().epoch(), Epoch(3));
    let (hub, follower) = (world.room(), world.follower.as_ref().unwrap().room());
    assert_eq!((hub.tip(), hub.epoch()), (follower.tip(), follower.epoch()));
    assert_eq!(world.effects, world.follower_effects);
}

#[test]
fn log_12_a_confirmed_epoch_is_not_void_and_one_liar_voids_nothing() {
    let mut world = three();
    let plan = CommitPlan { self_update: true, ..CommitPlan::default() };
    let commit = world.commit(ALICE, plan, &Annotations::default()).unwrap().sequence;
    world.judge(MALLORY, commit, Epoch(3), false).unwrap();
    world.judge(BOB, commit, Epoch(3), true).unwrap();
    world.pass(Duration::from_secs(10));
    assert_eq!(world.room().epoch(), Epoch(3));
    assert!(world.entries.iter().all(|entry| entry.header().kind != Kind::Void));
    world.assert_agreement();
}

#[test]
fn log_12_who_came_by_a_void_commit_is_out_and_who_was_removed_is_back() {
    let mut world = three();
    // bob's honest removal of his other device would be lost with it; here mallory removes her own.
    let second = world.add_device(world.south.device("mallory", 2));
    let link = world.link_evidence(second);
    world.enter(second, link);
    let entered = world.room().member(&world.devices[second].uri()).unwrap().entered;
    world.judge(second, entered, Epoch(3), true).unwrap();
    let leaf = world.leaf(second);
    let commit = strand(&mut world, CommitPlan { removes: vec![leaf], ..CommitPlan::default() });
    assert_eq!(world.room().members().count(), 3);
    world.judge(BOB, commit, Epoch(4), false).unwrap();
    world.pass(Duration::from_secs(2));
    assert_eq!(world.room().members().count(), 4);
    assert!(matches!(world.standing(second), Standing::Entered(sequence) if sequence == entered));
    assert_eq!(world.effects, world.follower_effects);
}

#[test]
fn log_12_a_join_answered_by_a_void_commit_has_lapsed() {
    let mut world = three();
    let carol = world.add_device(world.south.device("carol", 1));
    let link = world.link_evidence(carol);
    world.join(carol, link).unwrap();
    let (_, ask) = world.asks.pop().unwrap();
    let (plan, annotations) = world.plan_of(&ask);
    let draft = world.draft(MALLORY, plan, &annotations);
    let forged = forge::wrong_confirmation_tag(&draft.handshake);
    let content = World::commit_content(forged, draft.welcome.as_ref());
    let signed = world.signed(MALLORY, Kind::Commit, content);
    let from = world.south.domain().clone();
    let commit = world.hand_in(&from, signed, draft.welcome.unwrap()).unwrap().sequence;
    assert!(matches!(world.standing(carol), Standing::Entered(_)));
    // The Welcome was good, so carol is in an epoch of her own; her tag is not the commit's, and confirms nothing.
    let error = world.judge(carol, commit, Epoch(3), true).unwrap_err();
    assert_eq!(error, Error::Room(room::Error::NothingToJudge));
    world.judge(ALICE, commit, Epoch(3), false).unwrap();
    world.pass(Duration::from_secs(2));
    assert_eq!(world.standing(carol), Standing::Lapsed);
}

#[test]
fn log_11_what_somebody_committed_stands_once_nobody_else_is_there() {
    let mut world = World::running();
    let plan = CommitPlan { self_update: true, ..CommitPlan::default() };
    for _ in 0..7 {
        world.commit(ALICE, plan.clone(), &Annotations::default()).unwrap();
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(
        world.commit(ALICE, plan.clone(), &Annotations::default()).unwrap_err(),
        room::Error::TooDeep.into()
    );
    world.leave(BOB);
    assert_eq!(world.room().confirmed_epoch(), world.room().epoch());
    assert_eq!(world.room().members().count(), 2, "bob is in the tree still");
    world.commit(ALICE, plan, &Annotations::default()).unwrap();
    assert_eq!(world.room().confirmed_epoch(), world.room().epoch());
    world.assert_agreement();
}

#[test]
fn log_18_no_more_than_eight_epochs_wait() {
    let mut world = World::running();
    let plan = CommitPlan { self_update: true, ..CommitPlan::default() };
    for _ in 0..7 {
        world.commit(ALICE, plan.clone(), &Annotations::default()).unwrap();
        world.pass(Duration::from_secs(1));
    }
    let error = world.commit(ALICE, plan.clone(), &Annotations::default()).unwrap_err();
    assert_eq!(error, Error::Room(room::Error::TooDeep));
    let last = world.entries.last().unwrap().sequence();
    world.judge(BOB, last, world.room().epoch(), true).unwrap();
    assert_eq!(
        world.room().confirmed_epoch(),
        world.room().epoch(),
        "with the last all before are confirmed"
    );
    world.commit(ALICE, plan, &Annotations::default()).unwrap();
}
