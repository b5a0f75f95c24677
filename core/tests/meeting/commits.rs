//! What commits may not do, and what takes people out.

use std::time::Duration;

use conclave_core::{
    group::{CommitPlan, Joiner},
    ids::Sequence,
    meeting::{
        Error,
        commit_rules::{self, Annotations},
        hub::Input,
        log::{Kind, group_id},
        room::{self, Effect},
    },
};
use conclave_proto::types::v1::{self as wire, ErrorReason};
use conclave_testkit::forge;
use prost::{Message, bytes::Bytes};

use crate::world::{ALICE, BOB, MALLORY, SUITE, World};

/// Refused as a forbidden commit, and the room is what it was.
fn forbidden(world: &mut World, who: usize, plan: CommitPlan, annotations: &Annotations) -> Error {
    let before = (world.room().tip(), world.room().epoch());
    let error = world.commit(who, plan, annotations).unwrap_err();
    assert_eq!((world.room().tip(), world.room().epoch()), before);
    assert_eq!(error.reason(), ErrorReason::ForbiddenCommit, "{error}");
    error
}

#[test]
fn mtg_24_c7_a_ghost_is_refused() {
    let mut world = World::running();
    // bob adds a second device of alice that never asked to enter.
    let group = group_id(&world.record().id(), world.session());
    let ghost = Joiner::new(world.north.device("alice", 66), SUITE, group, world.now, [99; 32]).unwrap();
    let adds = vec![ghost.key_package().to_vec()];
    let plan = CommitPlan { adds: adds.clone(), ..CommitPlan::default() };
    forbidden(&mut world, BOB, plan.clone(), &Annotations::default());
    // It names a Join that there is not, or one that was answered.
    let joins = world.entries.iter().filter(|entry| entry.header().kind == Kind::Join);
    let answered = joins.last().unwrap().sequence();
    for join in [answered, Sequence(9_999)] {
        let named =
            Annotations { adds: vec![(join, ghost.key_package_ref(), None)], ..Annotations::default() };
        let error = forbidden(&mut world, BOB, plan.clone(), &named);
        let none = commit_rules::Error::Add("there is no such Join, or it was answered");
        assert_eq!(error, Error::Commit(none));
    }
    // It names a Join of somebody else.
    let link = world.link_evidence(MALLORY);
    let join = world.join(MALLORY, link).unwrap().sequence;
    let named = Annotations { adds: vec![(join, ghost.key_package_ref(), None)], ..Annotations::default() };
    let error = forbidden(&mut world, BOB, plan, &named);
    assert_eq!(error, Error::Commit(commit_rules::Error::Add("its KeyPackage is not the Join's")));
    // With a Join of its own it gets in, and everybody is told.
    let device = world.add_device(world.north.device("alice", 66));
    world.enter(device, None);
    let uri = world.devices[device].uri();
    let entered = |effect: &Effect| matches!(effect, Effect::MemberEntered { device, .. } if *device == uri);
    assert!(world.follower_effects.iter().any(entered));
}

#[test]
fn mtg_24_a_join_is_answered_once_in_time_and_not_while_it_waits() {
    let mut world = World::running();
    world.change_by_commit(ALICE, ALICE, vec![], |rules| rules.lobby = true).unwrap();
    let link = world.link_evidence(MALLORY);
    let join = world.join(MALLORY, link).unwrap().sequence;
    let joiner = world.devices[MALLORY].joiner.as_ref().unwrap();
    let plan = CommitPlan { adds: vec![joiner.key_package().to_vec()], ..CommitPlan::default() };
    let named = Annotations { adds: vec![(join, joiner.key_package_ref(), None)], ..Annotations::default() };
    let error = forbidden(&mut world, ALICE, plan.clone(), &named);
    assert_eq!(error, Error::Commit(commit_rules::Error::Add("a host must let the device in first")));
    world.change_by_commit(ALICE, ALICE, vec![], |rules| rules.lobby = false).unwrap();
    world.now = world.now + Duration::from_secs(121);
    let error = forbidden(&mut world, ALICE, plan, &named);
    assert_eq!(error, Error::Commit(commit_rules::Error::Add("the Join has expired")));
}

#[test]
fn mtg_26_nobody_is_removed_without_a_reason() {
    let mut world = World::running();
    let link = world.link_evidence(MALLORY);
    world.enter(MALLORY, link);
    let leaf = world.leaf(BOB);
    let plan = CommitPlan { removes: vec![leaf], ..CommitPlan::default() };
    for (who, sequence) in [(ALICE, None), (MALLORY, None), (MALLORY, Some(1)), (MALLORY, Some(2))] {
        let removes = sequence.map(|sequence| (leaf, Sequence(sequence))).into_iter().collect();
        let error =
            forbidden(&mut world, who, plan.clone(), &Annotations { removes, ..Annotations::default() });
        assert_eq!(error, Error::Commit(commit_rules::Error::Remove(leaf)));
    }
    // A participant's statement bans nobody.
    let bob = world.devices[BOB].uri().user().clone();
    let ban = |rules: &mut conclave_core::meeting::policy::Rules| {
        rules.banned.insert(bob.clone());
        rules.link_key = None;
    };
    let error = world.change_by_commit(MALLORY, MALLORY, vec![leaf], ban).unwrap_err();
    assert_eq!(error.reason(), ErrorReason::NotEntitled);
    // A host's does, and anybody may commit it.
    world.change_by_commit(MALLORY, ALICE, vec![leaf], ban).unwrap();
    assert!(world.devices[BOB].member.is_none());
    world.assert_agreement();
}

#[test]
fn mtg_26_ones_own_other_device_may_be_removed() {
    let mut world = World::running();
    let second = world.add_device(world.south.device("bob", 2));
    let link = world.link_evidence(second);
    world.enter(second, link);
    let plan = CommitPlan { removes: vec![world.leaf(BOB)], ..CommitPlan::default() };
    world.commit(second, plan, &Annotations::default()).unwrap();
    assert!(world.devices[BOB].member.is_none());
    world.assert_agreement();
}

#[test]
fn mtg_23_only_members_that_stay_commit() {
    let mut world = World::running();
    world.leave(BOB);
    world.asks.clear();
    let plan = CommitPlan { self_update: true, ..CommitPlan::default() };
    let error = world.commit(BOB, plan, &Annotations::default()).unwrap_err();
    assert_eq!(error, Error::Room(room::Error::NotMember));
    assert_eq!(world.say(BOB, b"still here?").unwrap_err(), Error::Room(room::Error::NotMember));
    world.tick();
    world.pass(Duration::from_secs(4));
    world.answer();
    assert_eq!(world.room().members().count(), 1);
}

#[test]
fn c5_an_external_commit_is_refused() {
    let mut world = World::running();
    let mut outsider = forge::Forger::new(world.south.device("eve", 1), SUITE);
    let policy = world.room().policy().bytes().clone();
    let info = outsider.found(world.room().group(), forge::good_context(&policy), true);
    let external = outsider.external_commit(&info, &world.devices[BOB].identity);
    let content = World::commit_content(external, None);
    let error = world.submit(BOB, Kind::Commit, content).unwrap_err();
    assert_eq!(error.reason(), ErrorReason::ForbiddenCommit, "{error}");
}

#[test]
fn mtg_31_a_session_is_founded_under_its_policy_by_who_may_enter() {
    let mut world = World::new();
    world.join(ALICE, None).unwrap();
    let group = group_id(&world.record().id(), world.session());
    let found = |world: &mut World, who: usize, group, policy: &[u8]| {
        let (seed, identity) = (world.fresh(), world.devices[who].identity.clone());
        let (_, info) =
            conclave_core::group::Member::found(identity, SUITE, group, policy, world.now, seed).unwrap();
        let commit = wire::Commit {
            change: Some(wire::commit::Change::Founding(info.into())),
            welcome_hash: Bytes::new(),
        };
        world.submit(who, Kind::Commit, commit.encode_to_vec()).unwrap_err()
    };
    let policy = world.record().policy().bytes().clone();
    let error = found(&mut world, BOB, group, &policy);
    assert_eq!(error, Error::Room(room::Error::Founding("its founder has no open Join")));
    let mut other = world.record().policy().rules().clone();
    other.hosts.insert(world.devices[BOB].uri().user().clone());
    let other = conclave_core::meeting::policy::Policy::first(other).unwrap();
    let error = found(&mut world, ALICE, group, other.bytes());
    assert_eq!(error, Error::Room(room::Error::Founding("it has another policy")));
    let elsewhere = conclave_core::ids::GroupId::from_bytes([1; 32]);
    let error = found(&mut world, ALICE, elsewhere, &policy);
    assert_eq!(error, Error::Room(room::Error::Founding("it is another session's group")));
    world.found(ALICE).unwrap();
    let error = found(&mut world, ALICE, group, &policy);
    assert_eq!(error, Error::Room(room::Error::AlreadyFounded));
}

#[test]
fn r11_a_commit_with_a_mountain_of_empty_annotations_is_refused_before_it_is_decoded() {
    let mut world = World::running();
    let empty = (conclave_core::ids::LeafIndex(0), Sequence(0));
    let annotations = Annotations { removes: vec![empty; 70_000], ..Annotations::default() };
    let error = forbidden(&mut world, BOB, CommitPlan::default(), &annotations);
    assert!(error.to_string().contains("too large"), "{error}");
}

#[test]
fn r2_no_domain_ends_a_meeting_or_changes_its_policy() {
    let mut world = World::running();
    let policy = world.next_policy(|rules| rules.ended = true);
    let bob = &world.devices[BOB].identity;
    let statement = conclave_core::meeting::policy::sign_change(world.record().id(), &policy, bob, world.now);
    let ticket = world.ticket();
    let from = world.south.domain().clone();
    let input = Input::ChangePolicy { ticket, from, statement };
    let error = world.hub.handle(world.now, &world.pins, input).unwrap_err();
    assert_eq!(error, Error::Room(room::Error::Running));
    let error = world.change_by_commit(BOB, BOB, vec![], |rules| rules.ended = true).unwrap_err();
    assert_eq!(error.reason(), ErrorReason::NotEntitled);
    world.change_by_commit(ALICE, ALICE, vec![], |rules| rules.ended = true).unwrap();
    assert!(world.room().is_over());
    let link = world.link_evidence(MALLORY);
    assert_eq!(world.join(MALLORY, link).unwrap_err().reason(), ErrorReason::Ended);
}

#[test]
fn log_14_c9_a_commit_storm_is_cut_and_others_commit() {
    let mut world = World::running();
    let plan = CommitPlan { self_update: true, ..CommitPlan::default() };
    let mut landed = 0;
    for _ in 0..30 {
        match world.commit(BOB, plan.clone(), &Annotations::default()) {
            Ok(receipt) => {
                landed += 1;
                let epoch = world.room().epoch();
                world.judge(ALICE, receipt.sequence, epoch, true).unwrap();
            }
            Err(error) => assert_eq!(error.reason(), ErrorReason::RateLimited),
        }
    }
    assert!(landed <= 10, "{landed}");
    world.commit(ALICE, plan, &Annotations::default()).unwrap();
    world.assert_agreement();
}

#[test]
fn mtg_27_a_leaf_keeps_its_key_and_renews_its_certificate() {
    let mut world = World::running();
    world.pass(Duration::from_hours(24));
    let user = conclave_core::identity::address::UserKind::User;
    let key = world.devices[BOB].identity.key().public();
    let renewed = world.south.chain(user, "bob", 1, &key, world.now);
    let plan = CommitPlan { renewal: Some(renewed.clone()), self_update: true, ..CommitPlan::default() };
    world.commit(BOB, plan, &Annotations::default()).unwrap();
    assert_eq!(world.room().member(&world.devices[BOB].uri()).unwrap().chain, renewed);
    // A certificate that ran out does not get into the tree.
    let stale = world.south.chain(user, "bob", 1, &key, world.now - Duration::from_hours(10 * 24));
    let plan = CommitPlan { renewal: Some(stale), self_update: true, ..CommitPlan::default() };
    let error = world.commit(BOB, plan, &Annotations::default()).unwrap_err();
    assert_eq!(error.reason(), ErrorReason::BadCertificate);
    world.assert_agreement();
}

#[test]
fn log_14_strangers_use_up_nobodys_budget() {
    let mut world = World::running();
    for number in 0..1_100_u32 {
        let stranger = world.south.device(&format!("nobody{number}"), 1);
        let mut submission = world.submission(BOB, Kind::Message, vec![1; 8]);
        submission.device = stranger.chain().claimed_uri().clone();
        submission.id =
            conclave_core::ids::SubmissionId::from_bytes([u8::try_from(number % 251).unwrap(); 16]);
        let signed = wire::Signed { signature: vec![0; 64].into(), ..submission.sign(&stranger) };
        let from = world.south.domain().clone();
        let error = world.hand_in(&from, signed, vec![]).unwrap_err();
        assert_eq!(error, Error::Room(room::Error::NotMember));
    }
    world.say(ALICE, b"not slowed").unwrap();
    assert_eq!(world.devices[BOB].heard, [b"not slowed"]);
}
