//! What honest members do: found, join, talk, remove, change the policy, replace a leaf, renew a certificate.

use conclave_core::{
    group::{CommitPlan, Error, decode::private_header},
    identity::address::UserKind,
    ids::Epoch,
    limits,
};
use conclave_testkit::people::START;

use crate::room::{GROUP, POLICY, Room, SUITES, joiner};

#[test]
fn grp_10_two_join_by_one_commit_and_everybody_talks() {
    for suite in SUITES {
        let mut room = Room::with(suite, &["bob", "carol"]);
        assert_eq!(room.tracker.epoch(), Epoch(1));
        assert_eq!(room.tracker.roster().len(), 3);
        (0..3).for_each(|by| room.talk(by));
        room.admit(vec![room.north.device("dave", 1)]);
        room.talk(3);
    }
}

#[test]
fn grp_13_a_removed_member_opens_nothing_that_comes_after() {
    for suite in SUITES {
        let mut room = Room::with(suite, &["bob", "carol"]);
        let mut bob = room.members.remove(1);
        let leaf = bob.own_leaf();
        let draft = room.commit(0, CommitPlan { removes: vec![leaf], ..CommitPlan::default() });
        assert!(draft.contents.path.is_some(), "a Remove renews the committer's path");
        assert_eq!((draft.contents.removes.as_slice(), draft.welcome), (&[leaf][..], None));
        let after = room.members[0].seal(b"without bob").unwrap();
        assert!(bob.open(&after).is_err(), "before bob has seen that he is out");
        let (staged, contents) = bob.stage(&draft.handshake).unwrap();
        assert_eq!(contents, draft.contents, "the removed member sees the same");
        bob.merge(staged).unwrap();
        assert!(!bob.is_active());
        assert_eq!(bob.open(&after), Err(Error::Removed));
        assert_eq!(bob.seal(b"still here"), Err(Error::Removed));
        assert_eq!(bob.frame_base_key(), Err(Error::Removed));
        assert_eq!(bob.stage(&draft.handshake).unwrap_err(), Error::Removed);
        assert_eq!(bob.commit(CommitPlan::default()), Err(Error::Removed));
        room.talk(1);
    }
}

#[test]
fn grp_03_the_policy_changes_by_a_commit_and_stays_otherwise() {
    for suite in SUITES {
        let mut room = Room::with(suite, &["bob"]);
        assert_eq!(room.tracker.policy().unwrap(), POLICY);
        let plan = CommitPlan {
            policy: Some(b"the second policy".to_vec()),
            annotations: b"why".to_vec(),
            ..CommitPlan::default()
        };
        let draft = room.commit(1, plan);
        assert_eq!(draft.contents.policy.as_deref(), Some(&b"the second policy"[..]));
        assert_eq!(draft.contents.annotations, b"why");
        assert!(draft.contents.path.is_some());
        room.commit(0, CommitPlan::default());
        assert_eq!(room.tracker.policy().unwrap(), b"the second policy");
        room.admit(vec![room.north.device("carol", 1)]);
        assert_eq!(room.members[2].policy().unwrap(), b"the second policy");
        let too_large = CommitPlan { policy: Some(vec![0; 32 * 1024 + 1]), ..CommitPlan::default() };
        assert!(matches!(room.members[0].commit(too_large), Err(Error::TooLarge { what: "policy", .. })));
        room.talk(0);
    }
}

#[test]
fn grp_07_a_device_that_comes_back_replaces_its_leaf_in_one_commit() {
    for suite in SUITES {
        let mut room = Room::with(suite, &["bob", "carol"]);
        let (old, seed) = (room.leaf("bob", 1), room.seed());
        let mut again = joiner(room.north.device("bob", 1), suite, seed);
        let adds = vec![again.key_package().to_vec()];
        let alone = CommitPlan { adds: adds.clone(), ..CommitPlan::default() };
        assert!(room.members[0].commit(alone).is_err(), "bob would be in twice");
        room.members.remove(1);
        let plan = CommitPlan { adds, removes: vec![old], ..CommitPlan::default() };
        let draft = room.commit(0, plan);
        assert_eq!((draft.contents.adds.len(), draft.contents.removes.as_slice()), (1, &[old][..]));
        assert_eq!(draft.contents.adds[0].key_package_ref, again.key_package_ref());
        let tree = room.tracker.tree().unwrap();
        let bob = again.enter(&draft.welcome.unwrap(), &tree).unwrap();
        room.members.push(bob);
        room.assert_one_view();
        (0..3).for_each(|by| room.talk(by));
    }
}

#[test]
fn grp_06_renewed_certificates_enter_by_the_path_of_a_commit() {
    for suite in SUITES {
        let mut room = Room::with(suite, &["bob"]);
        let bob = room.north.device("bob", 1);
        let later = START + std::time::Duration::from_hours(4 * 24);
        let renewed = room.north.chain(UserKind::User, "bob", 1, &bob.key().public(), later);
        assert_ne!(renewed, *bob.chain());
        let plan = CommitPlan { renewal: Some(renewed.clone()), ..CommitPlan::default() };
        let draft = room.commit(1, plan);
        assert_eq!(draft.contents.path.unwrap().chain, renewed);
        assert_eq!(room.tracker.member(room.leaf("bob", 1)).unwrap().chain, renewed);
        let other = room.north.device("carol", 1).chain().clone();
        let plan = CommitPlan { renewal: Some(other), ..CommitPlan::default() };
        assert_eq!(room.members[1].commit(plan), Err(Error::Leaf("the certificate is for another key")));
        room.talk(1);
    }
}

#[test]
fn grp_04_commits_travel_in_the_clear_and_messages_do_not() {
    for suite in SUITES {
        let mut room = Room::with(suite, &["bob"]);
        let sealed = room.members[0].seal(b"nobody reads this on the way").unwrap();
        let header = private_header(&sealed).unwrap();
        assert_eq!((header.group_id, header.epoch), (GROUP, room.tracker.epoch()));
        assert!(!sealed.windows(6).any(|window| window == b"nobody"));
        let draft =
            room.commit(0, CommitPlan { annotations: b"in the clear".to_vec(), ..CommitPlan::default() });
        assert!(draft.handshake.windows(12).any(|window| window == b"in the clear"));
        assert!(private_header(&draft.handshake).is_err());
        assert!(room.tracker.stage(&sealed).is_err());
        let lengths: Vec<_> = [1, 40].map(|n| room.members[0].seal(&vec![0; n]).unwrap().len()).to_vec();
        assert_eq!(lengths[0], lengths[1], "lengths are padded");
    }
}

#[test]
fn messages_of_the_last_epochs_still_open() {
    let mut room = Room::with(SUITES[0], &["bob"]);
    let late = room.members[0].seal(b"late").unwrap();
    (0..5).for_each(|_| drop(room.commit(1, CommitPlan::default())));
    assert!(room.members[1].open(&late).is_ok());
    let too_late = room.members[0].seal(b"too late").unwrap();
    (0..6).for_each(|_| drop(room.commit(1, CommitPlan::default())));
    assert!(room.members[1].open(&too_late).is_err());
    let twice = room.members[0].seal(b"twice").unwrap();
    assert!(room.members[1].open(&twice).is_ok());
    assert!(room.members[1].open(&twice).is_err(), "a replay");
}

#[test]
fn a_pending_commit_gives_way_to_anothers() {
    let mut room = Room::with(SUITES[0], &["bob"]);
    let mine = room.members[0].commit(CommitPlan::default()).unwrap();
    assert_eq!(room.members[0].commit(CommitPlan::default()), Err(Error::Pending));
    room.commit(1, CommitPlan::default());
    assert!(!room.members[0].has_pending());
    assert!(matches!(room.tracker.stage(&mine.handshake), Err(Error::WrongEpoch { .. })));
    assert!(matches!(room.members[0].stage(&mine.handshake), Err(Error::WrongEpoch { .. })));
    let dropped = room.members[0].commit(CommitPlan::default()).unwrap();
    room.members[0].drop_own().unwrap();
    assert!(room.members[0].stage(&dropped.handshake).is_err(), "its secrets are gone");
    room.commit(0, CommitPlan::default());
    room.talk(0);
}

#[test]
fn what_was_staged_on_another_state_is_not_merged() {
    let mut room = Room::with(SUITES[0], &["bob"]);
    let first = room.members[0].commit(CommitPlan::default()).unwrap();
    let (stale_server, _) = room.tracker.stage(&first.handshake).unwrap();
    let (stale_member, _) = room.members[1].stage(&first.handshake).unwrap();
    let (stale_own, _) = room.members[0].stage(&first.handshake).unwrap();
    room.members[0].drop_own().unwrap();
    let second = room.members[0].commit(CommitPlan::default()).unwrap();
    assert_eq!(room.members[0].merge(stale_own), Err(Error::Stale));
    room.members[0].drop_own().unwrap();
    drop(second);
    room.commit(1, CommitPlan::default());
    assert_eq!(room.tracker.merge(stale_server), Err(Error::Stale));
    assert_eq!(room.members[1].merge(stale_member), Err(Error::Stale));
    room.assert_one_view();
}

#[test]
fn grp_14_a_late_message_opens_once() {
    let mut room = Room::with(SUITES[0], &["bob"]);
    let mut sealed: Vec<_> = (0..=limits::MESSAGES_OUT_OF_ORDER)
        .map(|number| room.members[0].seal(&number.to_be_bytes()).unwrap())
        .collect();
    let last = sealed.pop().unwrap();
    let bob = &mut room.members[1];
    bob.open(&last).unwrap();
    assert!(bob.open(&sealed[0]).is_err(), "one that comes later than that does not open");
    for late in &sealed[1..] {
        bob.open(late).unwrap();
        assert!(bob.open(late).is_err(), "not a second time");
    }
}
