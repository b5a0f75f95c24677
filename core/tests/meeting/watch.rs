//! What a home server tells its own devices, with a real room behind it.

use std::{collections::BTreeMap, time::Duration};

use conclave_core::{
    ids::{KeyPackageRef, Sequence, SessionNumber},
    limits,
    meeting::{
        log::Kind,
        room::Room,
        watch::{ABSENCE, House, NotHere, Note, Opened, Order, Presence, Tidings, Told, UNSEEN, What},
    },
};
use conclave_proto::{
    client::v1::{RefusedAttempt, StandingState},
    types::v1 as wire,
};
use prost::Message;

use crate::world::{ALICE, BOB, MALLORY, World};

/// A house, and how many of the world's effects it has taken in.
struct Watched {
    house: House<u8>,
    taken: usize,
}

impl Watched {
    /// Whom it would take out now.
    fn lost(&mut self, room: &Room, at: Duration) -> Vec<Presence> {
        self.house.missing(room, at).lost
    }

    /// The house of south, where Bob and Mallory live.
    fn south(world: &World) -> Self {
        Self { house: House::new(world.south.domain().clone()), taken: world.effects.len() }
    }

    /// What the newest entries mean.
    fn take(&mut self, world: &World) -> Vec<Told<u8>> {
        let effects = &world.effects[self.taken..];
        self.taken = world.effects.len();
        let mut told = self.house.before_visible(effects);
        told.extend(self.house.after_visible(world.room(), effects, world.now));
        told
    }

    fn open(&mut self, world: &World, key: u8, order: Order) -> Result<Opened<u8>, NotHere> {
        self.house.open(world.room(), key, order, world.now, at(world))
    }
}

fn at(world: &World) -> Duration {
    Duration::from_millis(world.now.as_ms())
}

fn order(world: &World, who: usize, next_sequence: u64) -> Order {
    let key_package_ref =
        world.devices[who].joiner.as_ref().map(conclave_core::group::Joiner::key_package_ref);
    let key_package_ref = key_package_ref.filter(|_| next_sequence == 0);
    Order { device: world.devices[who].uri(), session: world.session(), next_sequence, key_package_ref }
}

fn state(told: &Told<u8>) -> Option<StandingState> {
    match &told.note.what {
        What::Item(Tidings::Standing(state, _)) | What::Last(Some(Tidings::Standing(state, _))) => {
            Some(*state)
        }
        What::Item(Tidings::Entered { .. }) => Some(StandingState::Entered),
        _ => None,
    }
}

fn states(told: &[Told<u8>]) -> Vec<StandingState> {
    told.iter().filter_map(state).collect()
}

#[test]
fn whoever_waits_hears_how_its_join_stands_and_enters_with_its_own_commit() {
    let mut world = World::running();
    let link = world.link_evidence(MALLORY);
    let mut watched = Watched::south(&world);
    // The stream is there before its Join is.
    assert_eq!(watched.open(&world, 1, order(&world, MALLORY, 0)).unwrap().told, []);
    world.join(MALLORY, link).unwrap();
    let told = watched.take(&world);
    assert_eq!(states(&told), [StandingState::Logged]);
    let ask = world.asks.last().unwrap().clone();
    let bob = order(&world, BOB, 1);
    let opened = watched.open(&world, 2, bob.clone()).unwrap();
    let entered = world.room().entered_at(&bob.device).unwrap();
    assert_eq!(opened.cursor, Some(entered.0 + 1), "nothing from before it entered");
    // The ask is told now, and to whoever comes later, until it is answered.
    let told = watched.house.ask(world.room(), &bob.device, ask.1.clone());
    let asked = Note { after: world.room().tip().sequence.0, what: What::Item(Tidings::Asked(ask.1)) };
    assert_eq!(told, [Told { stream: 2, note: asked.clone() }]);
    let again = watched.open(&world, 3, bob.clone()).unwrap();
    assert_eq!((again.replaced, again.told), (vec![2], vec![Told { stream: 3, note: asked }]));
    world.answer();
    let told = watched.take(&world);
    let commit = world.room().entered_at(&world.devices[MALLORY].uri()).unwrap();
    let [entered, follow] = told.as_slice() else { panic!("{told:?}") };
    let What::Item(Tidings::Entered { commit: by, open, policy_chain }) = &entered.note.what else {
        panic!("{entered:?}")
    };
    assert_eq!((entered.stream, *by, open.as_slice()), (1, commit, [].as_slice()));
    assert_eq!(policy_chain, &world.room().policy_chain().signed());
    assert_eq!(follow.note.what, What::Enter(commit.0 + 1));
    assert_eq!(watched.open(&world, 4, bob).unwrap().told, [], "it was answered");
}

/// Bob's server comes back after others entered and the policy changed: he hears how it was when he entered.
#[test]
fn dev_03_who_hears_late_of_its_entry_hears_what_was_so_then() {
    let mut world = World::new();
    world.enter(ALICE, None);
    let version = world.room().policy_chain().version();
    for who in [BOB, MALLORY] {
        let link = world.link_evidence(who);
        world.join(who, link).unwrap();
    }
    let mallorys = world.room().doors().joins().nth(1).unwrap().0;
    for _ in 0..2 {
        let (_, mut ask) = world.asks.pop().unwrap();
        world.asks.clear();
        ask.joins.truncate(1);
        world.answer_one(ALICE, &ask).unwrap();
    }
    world.change_by_commit(ALICE, ALICE, Vec::new(), |rules| rules.locked = true).unwrap();
    let mut watched = Watched::south(&world);
    let opened = watched.open(&world, 1, order(&world, BOB, 0)).unwrap();
    let What::Item(Tidings::Entered { commit, open, policy_chain }) = &opened.told[0].note.what else {
        panic!("{opened:?}")
    };
    assert_eq!(open.as_slice(), [mallorys], "it is answered since, by a commit that he has yet to take in");
    assert!(*commit > mallorys);
    let chain = world.room().policy_chain();
    assert_eq!(policy_chain, &chain.at_version(version).signed());
    assert_ne!(policy_chain, &chain.signed());
}

#[test]
fn whoever_is_out_before_it_hears_that_it_is_in_is_told_so() {
    let mut world = World::running();
    let link = world.link_evidence(MALLORY);
    world.join(MALLORY, link).unwrap();
    let mut watched = Watched::south(&world);
    watched.open(&world, 1, order(&world, MALLORY, 0)).unwrap();
    world.answer();
    let (leaf, address) = (world.leaf(MALLORY), world.devices[MALLORY].uri().user().clone());
    world
        .change_by_commit(ALICE, ALICE, vec![leaf], |rules| {
            rules.banned.insert(address);
            rules.link_key = None;
        })
        .unwrap();
    let told = watched.take(&world);
    assert_eq!(states(&told), [StandingState::Removed]);
    assert!(matches!(told[0].note.what, What::Last(_)));
}

#[test]
fn a_removed_device_hears_nothing_after_the_entry_that_removes_it() {
    let mut world = World::running();
    let mut watched = Watched::south(&world);
    watched.open(&world, 1, order(&world, BOB, 1)).unwrap();
    let (leaf, address) = (world.leaf(BOB), world.devices[BOB].uri().user().clone());
    let removal = world.change_by_commit(ALICE, ALICE, vec![leaf], |rules| {
        rules.banned.insert(address);
        rules.link_key = None;
    });
    let sequence = removal.unwrap().sequence;
    let effects = &world.effects[watched.taken..];
    let before = watched.house.before_visible(effects);
    let removed = What::Last(Some(Tidings::Standing(StandingState::Removed, Sequence(0))));
    assert_eq!(before, [Told { stream: 1, note: Note { after: sequence.0, what: removed } }]);
    assert_eq!(watched.house.after_visible(world.room(), effects, world.now), []);
    let attempt = RefusedAttempt::default();
    assert_eq!(watched.house.refused_attempt(world.room(), &attempt), []);
    assert_eq!(
        watched.open(&world, 2, Order { key_package_ref: None, ..order(&world, BOB, 1) }),
        Err(NotHere)
    );
}

#[test]
fn a_stranger_is_told_nothing_and_an_unseen_join_is_waited_for_a_while() {
    let mut world = World::running();
    let mut watched = Watched::south(&world);
    let stranger = Order { key_package_ref: None, ..order(&world, MALLORY, 0) };
    assert_eq!(watched.open(&world, 1, stranger.clone()), Err(NotHere));
    assert_eq!(watched.open(&world, 1, Order { next_sequence: 3, ..stranger.clone() }), Err(NotHere));
    let unseen = Order { key_package_ref: Some(KeyPackageRef::from_bytes([7; 32])), ..stranger.clone() };
    assert_eq!(watched.open(&world, 1, unseen).unwrap().told, []);
    let session = SessionNumber(world.session().0 + 1);
    let elsewhere = watched.open(&world, 2, Order { session, ..order(&world, BOB, 1) }).unwrap();
    assert_eq!(states(&elsewhere.told), [StandingState::Lapsed]);
    let start = at(&world);
    assert_eq!(watched.house.give_up(start + UNSEEN), []);
    let told = watched.house.give_up(start + UNSEEN + Duration::from_millis(1));
    assert_eq!((states(&told), told[0].stream), (vec![StandingState::Lapsed], 1));
    world.pass(Duration::from_secs(1));
    assert!(watched.take(&world).is_empty() && watched.house.is_idle());
}

#[test]
fn a_lobby_is_told_and_a_denial_ends_the_stream() {
    let mut world = World::with(|rules| rules.lobby = true);
    world.enter(ALICE, None);
    let link = world.link_evidence(BOB);
    world.join(BOB, link).unwrap();
    let mut watched = Watched::south(&world);
    let opened = watched.open(&world, 1, order(&world, BOB, 0)).unwrap();
    assert_eq!(states(&opened.told), [StandingState::Waiting]);
    assert!(watched.house.refused_attempt(world.room(), &RefusedAttempt::default()).is_empty(), "no member");
    let admit = wire::Admit {
        key_package_ref: order(&world, BOB, 0).key_package_ref.unwrap().as_bytes().to_vec().into(),
        device: world.devices[BOB].uri().to_string(),
        admitted: false,
        expires_ms: (world.now + limits::JOIN_LIFETIME).as_ms(),
    };
    world.submit(ALICE, Kind::Admit, admit.encode_to_vec()).unwrap();
    let told = watched.take(&world);
    assert!(matches!(told[0].note.what, What::Last(Some(Tidings::Standing(StandingState::Denied, _)))));
    assert_eq!(told.len(), 1);
}

#[test]
fn fed_13_a_member_without_a_stream_is_missed_in_time_and_an_ended_session_misses_nobody() {
    let mut world = World::running();
    let mut watched = Watched::south(&world);
    let (room, start) = (world.room(), at(&world));
    assert_eq!(watched.lost(room, start), []);
    assert_eq!(watched.lost(room, start + Duration::from_secs(29)), []);
    let bob = world.devices[BOB].uri();
    let bob = (bob.clone(), world.room().member(&bob).unwrap().entered);
    assert_eq!(watched.lost(room, start + ABSENCE), std::slice::from_ref(&bob), "of its own users alone");
    assert_eq!(watched.lost(room, start + ABSENCE), [], "once at a time");
    watched.open(&world, 1, order(&world, BOB, 1)).unwrap();
    assert_eq!(watched.lost(world.room(), start + ABSENCE * 3), []);
    watched.house.close(1);
    // It asks to enter anew: somebody should replace it soon.
    let anew = Order { key_package_ref: Some(KeyPackageRef::from_bytes([7; 32])), ..order(&world, BOB, 0) };
    watched.open(&world, 2, anew).unwrap();
    let later = start + ABSENCE * 4;
    assert_eq!(watched.lost(world.room(), later), []);
    assert_eq!(watched.lost(world.room(), later + Duration::from_secs(5)), [bob]);
    world.change_by_commit(ALICE, ALICE, Vec::new(), |rules| rules.ended = true).unwrap();
    let told = watched.take(&world);
    let last: BTreeMap<_, _> = told.iter().map(|told| (told.stream, &told.note.what)).collect();
    assert!(matches!(last[&2], What::Last(_)), "{told:?}");
    assert_eq!(watched.lost(world.room(), later + ABSENCE * 9), []);
    assert!(watched.house.is_idle());
}

#[test]
fn fed_15_the_members_are_told_who_is_away_again_and_again_and_once_who_is_back() {
    let mut world = World::running();
    let mut watched = Watched::south(&world);
    let bob = (world.devices[BOB].uri(), world.room().member(&world.devices[BOB].uri()).unwrap().entered);
    let start = at(&world);
    let told = |watched: &mut Watched, world: &World, after: Duration| {
        watched.house.missing(world.room(), start + after).attendance
    };
    let second = Duration::from_secs(1);
    assert_eq!(told(&mut watched, &world, Duration::ZERO), []);
    assert_eq!(told(&mut watched, &world, second * 2), [], "a page that is loaded anew");
    assert_eq!(told(&mut watched, &world, limits::AWAY_AFTER), [(bob.clone(), true)]);
    assert_eq!(told(&mut watched, &world, limits::AWAY_AFTER + second), []);
    let again = limits::AWAY_AFTER + limits::AWAY_AGAIN;
    assert_eq!(told(&mut watched, &world, again), [(bob.clone(), true)]);
    watched.open(&world, 1, order(&world, BOB, 1)).unwrap();
    assert_eq!(told(&mut watched, &world, again + second), [(bob.clone(), false)]);
    assert_eq!(told(&mut watched, &world, again + second * 2), []);
    // Back before anybody was told: nobody is.
    watched.house.close(1);
    assert_eq!(told(&mut watched, &world, again + second * 3), []);
    watched.open(&world, 2, order(&world, BOB, 1)).unwrap();
    assert_eq!(told(&mut watched, &world, again + second * 4), []);
    // Away and then out: there is nobody to be back.
    watched.house.close(2);
    assert_eq!(told(&mut watched, &world, again + second * 5), []);
    assert_eq!(told(&mut watched, &world, again + second * 9), [(bob, true)]);
    world.leave(BOB);
    assert_eq!(told(&mut watched, &world, again + second * 20), []);
    assert!(watched.house.is_idle());
}
