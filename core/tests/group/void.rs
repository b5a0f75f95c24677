//! Going back to the last confirmed epoch.

use conclave_core::group::{CommitPlan, Error, Member};

use crate::room::{Room, SUITES};

#[test]
fn grp_12_members_and_servers_go_back_and_on_again() {
    for suite in SUITES {
        let mut room = Room::with(suite, &["bob", "carol"]);
        room.talk(0);
        let members: Vec<_> = room.members.iter().map(Member::snapshot).collect();
        let (server, before) = (room.tracker.snapshot(), room.tracker.tree().unwrap());
        let key = room.members[0].frame_base_key().unwrap();

        // Two epochs that turn out void; bob is removed in the first.
        let bob = room.leaf("bob", 1);
        let mut removed = room.members.remove(1);
        let first = room.commit(0, CommitPlan { removes: vec![bob], ..CommitPlan::default() });
        let (staged, _) = removed.stage(&first.handshake).unwrap();
        removed.merge(staged).unwrap();
        room.admit(vec![room.north.device("dave", 1)]);
        let lost = room.members[0].seal(b"lost").unwrap();
        room.members.pop();

        room.members.insert(1, removed);
        room.tracker.restore(&server).unwrap();
        for (member, snapshot) in room.members.iter_mut().zip(&members) {
            member.restore(snapshot).unwrap();
        }
        room.assert_one_view();
        assert_eq!(room.tracker.tree().unwrap(), before);
        assert_eq!(room.members[0].frame_base_key().unwrap(), key);
        assert!(room.members[1].open(&lost).is_err(), "messages of void epochs stay closed");
        assert!(room.tracker.stage(&first.handshake).is_ok(), "the epoch is the same as before");

        (0..3).for_each(|by| room.talk(by));
        room.commit(2, CommitPlan::default());
        (0..3).for_each(|by| room.talk(by));
        assert_ne!(room.members[0].frame_base_key().unwrap(), key);
    }
}

#[test]
fn grp_12_no_key_is_used_twice_after_going_back() {
    let mut room = Room::with(SUITES[0], &["bob"]);
    let snapshot = room.members[0].snapshot();
    room.talk(0);
    assert_eq!(room.members[0].restore(&snapshot), Err(Error::Stale));
    room.talk(0);
    let snapshot = room.members[0].snapshot();
    room.commit(1, CommitPlan::default());
    room.talk(0);
    room.members[0].restore(&snapshot).unwrap();
    assert_eq!(room.members[0].epoch().0 + 1, room.tracker.epoch().0);
}

#[test]
fn going_back_drops_the_pending_commit() {
    let mut room = Room::with(SUITES[0], &["bob"]);
    let draft = room.members[0].commit(CommitPlan::default()).unwrap();
    let snapshot = room.members[0].snapshot();
    room.commit(1, CommitPlan::default());
    room.members[0].restore(&snapshot).unwrap();
    assert!(!room.members[0].has_pending());
    assert!(room.members[0].stage(&draft.handshake).is_err());
}
