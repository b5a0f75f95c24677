//! Bytes that are too many, broken, or used before: a typed error, and nothing changes.

use conclave_core::{
    group::{CommitPlan, Error, Joiner, Member, Suite, Tracker, decode::private_header, key_package},
    limits,
};
use conclave_testkit::people::START;
use proptest::prelude::*;

use crate::room::{GROUP, POLICY, Room, SUITES, joiner, north};

#[test]
fn c4_the_same_key_package_or_welcome_is_not_used_twice() {
    for suite in SUITES {
        let mut room = Room::with(suite, &["bob"]);
        let mut carol = joiner(room.north.device("carol", 1), suite, 80);
        let adds = vec![carol.key_package().to_vec()];
        let plan = CommitPlan { adds: adds.clone(), ..CommitPlan::default() };
        let twice = CommitPlan { adds: [adds.clone(), adds].concat(), ..CommitPlan::default() };
        let both = room.members[0].commit(twice).unwrap();
        assert_eq!(both.contents.adds.len(), 1, "two equal Adds are one");
        room.members[0].drop_own().unwrap();
        let draft = room.commit(0, plan.clone());
        let (welcome, tree) = (draft.welcome.unwrap(), room.tracker.tree().unwrap());
        room.members.push(carol.enter(&welcome, &tree).unwrap());
        assert_eq!(carol.enter(&welcome, &tree).unwrap_err(), Error::Used);
        assert!(room.members[0].commit(plan.clone()).is_err(), "carol is in");
        let leaf = room.leaf("carol", 1);
        room.commit(0, CommitPlan { removes: vec![leaf], ..CommitPlan::default() });
        let again = room.commit(0, plan);
        let tree = room.tracker.tree().unwrap();
        assert_eq!(carol.enter(&again.welcome.unwrap(), &tree).unwrap_err(), Error::Used);
    }
}

#[test]
fn grp_10_a_welcome_needs_its_own_tree_group_and_key_package() {
    for suite in SUITES {
        let mut room = Room::with(suite, &["bob"]);
        let old_tree = room.tracker.tree().unwrap();
        let mut carol = joiner(room.north.device("carol", 1), suite, 81);
        let mut dave = joiner(room.north.device("dave", 1), suite, 82);
        let elsewhere = conclave_core::ids::GroupId::from_bytes([8; 32]);
        let mut stray =
            Joiner::new(room.north.device("carol", 1), suite, elsewhere, START, [81; 32]).unwrap();
        let adds = vec![carol.key_package().to_vec()];
        let draft = room.commit(0, CommitPlan { adds, ..CommitPlan::default() });
        let (welcome, tree) = (draft.welcome.unwrap(), room.tracker.tree().unwrap());
        assert!(matches!(carol.enter(&welcome, &old_tree), Err(Error::Mls { .. })), "the tree before");
        assert!(matches!(carol.enter(&welcome, b""), Err(Error::Malformed(_))));
        assert!(matches!(dave.enter(&welcome, &tree), Err(Error::Mls { .. })), "for somebody else");
        if stray.key_package() == carol.key_package() {
            assert_eq!(stray.enter(&welcome, &tree).unwrap_err(), Error::WrongGroup);
        }
        let member = carol.enter(&welcome, &tree).unwrap();
        room.members.push(member);
        room.assert_one_view();
        room.talk(2);
    }
}

#[test]
fn c10_oversize_trees_and_group_infos_are_refused_before_they_are_decoded() {
    let suite = Suite::Classical;
    let mut room = Room::with(suite, &["bob"]);
    let mut carol = joiner(room.north.device("carol", 1), suite, 83);
    let adds = vec![carol.key_package().to_vec()];
    let draft = room.commit(0, CommitPlan { adds, ..CommitPlan::default() });
    let welcome = draft.welcome.unwrap();

    let too_long = vec![0; limits::TREE_BYTES + 1];
    assert!(matches!(carol.enter(&welcome, &too_long), Err(Error::TooLarge { what: "ratchet tree", .. })));
    let blank = tree_of(&vec![0; 8_000_000]);
    let nodes = Error::TooMany { what: "nodes", count: 8_000_000, limit: limits::TREE_NODES };
    assert_eq!(carol.enter(&welcome, &blank).unwrap_err(), nodes);
    let crowd: Vec<u8> = (0..1_001).flat_map(|_| [&empty_leaf()[..], &[0]].concat()).collect();
    let members = Error::TooMany { what: "members", count: 1_001, limit: limits::MEMBERS };
    assert_eq!(carol.enter(&welcome, &tree_of(&crowd)).unwrap_err(), members);

    let huge = vec![0; limits::GROUP_INFO_BYTES + 1];
    assert!(matches!(Tracker::found(&huge), Err(Error::TooLarge { what: "GroupInfo", .. })));
    let huge = vec![0; limits::HANDSHAKE_BYTES + 1];
    assert!(matches!(room.tracker.stage(&huge), Err(Error::TooLarge { what: "commit", .. })));
    assert!(matches!(room.members[0].stage(&huge), Err(Error::TooLarge { what: "commit", .. })));

    let tree = room.tracker.tree().unwrap();
    assert!(carol.enter(&welcome, &tree).is_ok());
}

#[test]
fn grp_08_every_kind_has_its_size() {
    let huge = vec![0; limits::KEY_PACKAGE_BYTES + 1];
    let answer = key_package::check(Suite::Classical, &huge);
    assert!(matches!(answer, Err(Error::TooLarge { what: "KeyPackage", .. })));
    let huge = vec![0; limits::PRIVATE_MESSAGE_BYTES + 1];
    assert!(matches!(private_header(&huge), Err(Error::TooLarge { what: "private message", .. })));
    let mut carol = joiner(north().device("carol", 1), Suite::Classical, 84);
    let huge = vec![0; limits::WELCOME_BYTES + 1];
    assert!(matches!(carol.enter(&huge, b""), Err(Error::TooLarge { what: "Welcome", .. })));
}

#[test]
fn grp_09_one_commit_answers_at_most_so_many_joins() {
    let mut room = Room::found(Suite::Classical);
    let adds = |from: u8, to: u8| {
        let devices = (from..to).map(|n| joiner(north().device("many", n), Suite::Classical, 100 + n));
        let adds = devices.map(|joiner| joiner.key_package().to_vec()).collect();
        CommitPlan { adds, ..CommitPlan::default() }
    };
    let refused = Error::TooMany { what: "Adds", count: 33, limit: limits::JOINS_PER_COMMIT };
    assert_eq!(room.members[0].commit(adds(0, 33)), Err(refused));
    assert!(!room.members[0].has_pending());
    assert_eq!(room.commit(0, adds(0, 32)).contents.adds.len(), 32);
}

/// A session as large as it may get, in the suite with the larger messages, stays below the limits of size.
#[test]
fn the_largest_session_fits_its_limits() {
    let mut room = Room::found(Suite::Hybrid);
    let (mut largest_commit, mut largest_welcome) = (0, 0);
    let mut number = 0_u32;
    while room.tracker.roster().len() < limits::MEMBERS {
        let room_left = limits::MEMBERS - room.tracker.roster().len();
        let adds = (0..room_left.min(limits::JOINS_PER_COMMIT)).map(|_| {
            number += 1;
            let mut seed = [9; 32];
            seed[..4].copy_from_slice(&number.to_be_bytes());
            let device = north().device(&format!("user{number}"), 1);
            Joiner::new(device, Suite::Hybrid, GROUP, START, seed).unwrap().key_package().to_vec()
        });
        let plan = CommitPlan { adds: adds.collect(), self_update: true, ..CommitPlan::default() };
        let draft = room.commit(0, plan);
        largest_commit = largest_commit.max(draft.handshake.len());
        largest_welcome = largest_welcome.max(draft.welcome.map_or(0, |welcome| welcome.len()));
    }
    let tree = room.tracker.tree().unwrap().len();
    assert!(largest_commit * 5 / 4 < limits::HANDSHAKE_BYTES, "{largest_commit}");
    assert!(largest_welcome * 5 / 4 < limits::WELCOME_BYTES, "{largest_welcome}");
    assert!(tree * 5 / 4 < limits::TREE_BYTES, "{tree}");
}

/// `optional<Node> tree<V>` around nodes that are encoded already.
fn tree_of(nodes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(nodes.len()).unwrap() | 0x8000_0000;
    [&length.to_be_bytes()[..], nodes].concat()
}

/// A present leaf whose every vector is empty.
fn empty_leaf() -> Vec<u8> {
    let mut leaf = vec![1, 1, 0, 0, 0, 2];
    leaf.extend([0; 6]);
    leaf.push(2);
    leaf.extend([0, 0]);
    leaf
}

struct Samples {
    key_package: Vec<u8>,
    group_info: Vec<u8>,
    handshake: Vec<u8>,
    welcome: Vec<u8>,
    tree: Vec<u8>,
    message: Vec<u8>,
}

fn samples(suite: Suite) -> (Room, Samples) {
    let mut room = Room::with(suite, &["bob"]);
    let (_, group_info) =
        Member::found(north().device("x", 1), suite, GROUP, POLICY, START, [3; 32]).unwrap();
    let key_package = joiner(room.north.device("carol", 1), suite, 85).key_package().to_vec();
    let plan = CommitPlan { adds: vec![key_package.clone()], self_update: true, ..CommitPlan::default() };
    let draft = room.members[0].commit(plan).unwrap();
    room.members[0].drop_own().unwrap();
    let message = room.members[0].seal(b"hello").unwrap();
    let (welcome, handshake, tree) = (draft.welcome.unwrap(), draft.handshake, room.tracker.tree().unwrap());
    (room, Samples { key_package, group_info, handshake, welcome, tree, message })
}

/// Hands bytes to everything that reads bytes; at most one of them may like the original, none a changed one.
fn feed(room: &mut Room, bytes: &[u8]) -> bool {
    let suite = room.suite;
    let mut carol = joiner(room.north.device("carol", 1), suite, 85);
    let tree = room.tracker.tree().unwrap();
    let liked = [
        key_package::check(suite, bytes).is_ok(),
        Tracker::found(bytes).is_ok(),
        room.members[1].stage(bytes).is_ok(),
        room.members[1].open(bytes).is_ok(),
        carol.enter(bytes, &tree).is_ok(),
    ];
    let _ = (room.tracker.stage(bytes), private_header(bytes), carol.enter(bytes, bytes));
    liked.contains(&true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn c2_random_bytes_are_only_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), hybrid: bool) {
        let (mut room, _) = samples(if hybrid { Suite::Hybrid } else { Suite::Classical });
        prop_assert!(!feed(&mut room, &bytes));
        // The same with the start of a real message of each kind.
        for kind in 1..=5 {
            prop_assert!(!feed(&mut room, &[&[0, 1, 0, kind][..], &bytes].concat()));
        }
        room.assert_one_view();
        room.talk(0);
    }

    #[test]
    fn c2_changed_messages_are_only_refused(
        which in 0_usize..6,
        at in any::<prop::sample::Index>(),
        change in 1_u8..,
    ) {
        let (mut room, samples) = samples(Suite::Classical);
        let mut bytes = match which {
            0 => samples.key_package,
            1 => samples.group_info,
            2 => samples.handshake,
            3 => samples.welcome,
            4 => samples.tree,
            _ => samples.message,
        };
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(!feed(&mut room, &bytes));
        bytes.truncate(at);
        prop_assert!(!feed(&mut room, &bytes));
        room.assert_one_view();
    }
}
