//! The chain of policies: who may change what, and what a joiner verifies.

use conclave_core::{
    identity::{address::UserAddress, pins::Pins},
    meeting::{
        Error, Trust,
        hub::Input,
        policy::{self, Policy, PolicyChain, Rules, change::check_change, sign_change},
        record,
        record::Record,
    },
    time::Time,
};
use conclave_proto::types::v1::{self as wire, ErrorReason, Right};
use sha2::{Digest, Sha256};

use crate::world::{ALICE, BOB, World};

fn user(text: &str) -> UserAddress {
    UserAddress::parse(text).unwrap()
}

fn rules() -> Rules {
    let mut rules = Rules::for_creator(user("alice@north.example"));
    rules.co_hosts.insert(user("carol@north.example"));
    rules
}

fn change(signer: &str, change: impl FnOnce(&mut Rules)) -> Result<(), policy::Error> {
    let old = Policy::first(rules()).unwrap();
    let mut new = old.rules().clone();
    change(&mut new);
    let new = old.next(&new)?;
    check_change(&old, &new, &user(signer))
}

/// A change, and whether a co-host may make it.
type Case = (fn(&mut Rules), bool);

#[test]
fn mtg_09_each_change_takes_its_right() {
    let (host, co_host, other) = ("alice@north.example", "carol@north.example", "bob@south.example");
    let changes: [Case; 8] = [
        (|rules| rules.locked = true, true),
        (|rules| rules.lobby = true, true),
        (|rules| _ = rules.banned.insert(user("mallory@south.example")), true),
        (|rules| _ = rules.hosts.insert(user("bob@south.example")), false),
        (|rules| _ = rules.participant_rights.insert(Right::Remove), false),
        (|rules| rules.ended = true, false),
        (|rules| rules.recording_allowed = true, false),
        (|rules| rules.tokens_not_before = Time::from_ms(1), false),
    ];
    for (place, (make, co_host_may)) in changes.into_iter().enumerate() {
        assert_eq!(change(host, make), Ok(()), "{place}");
        assert_eq!(change(co_host, make).is_ok(), co_host_may, "{place}");
        assert!(change(other, make).is_err(), "{place}");
    }
    // Whoever bans may take the link away with it, and only with it.
    let ban = |rules: &mut Rules| {
        rules.banned.insert(user("mallory@south.example"));
        rules.tokens_not_before = Time::from_ms(1);
    };
    assert_eq!(change(co_host, ban), Ok(()));
}

#[test]
fn mtg_07_no_policy_is_without_host_or_contradicts_itself() {
    let host = "alice@north.example";
    assert_eq!(change(host, |rules| rules.hosts.clear()), Err(policy::Error::NoHost));
    let guest = |rules: &mut Rules| _ = rules.hosts.insert(user("guest/7f@south.example"));
    assert_eq!(change(host, guest), Err(policy::Error::GuestHost));
    let ban = |rules: &mut Rules| _ = rules.banned.insert(user("carol@north.example"));
    assert_eq!(change(host, ban), Err(policy::Error::BannedHost));
    let many =
        |rules: &mut Rules| rules.banned.extend((0..501).map(|n| user(&format!("m{n}@south.example"))));
    assert_eq!(change(host, many), Err(policy::Error::TooLarge("bans")));
}

#[test]
fn mtg_10_an_ended_meeting_stays_ended() {
    let mut ended = rules();
    ended.ended = true;
    let old = Policy::first(ended.clone()).unwrap();
    ended.ended = false;
    let new = old.next(&ended).unwrap();
    assert_eq!(check_change(&old, &new, &user("alice@north.example")), Err(policy::Error::Ended));
}

#[test]
fn mtg_08_guests_can_talk_at_most() {
    let mut rules = rules();
    rules.participant_rights.insert(Right::Remove);
    let policy = Policy::first(rules).unwrap();
    let guest = user("guest/7f@south.example");
    assert!(policy.allows(&guest, Right::Chat) && !policy.allows(&guest, Right::Remove));
    assert!(policy.allows(&user("bob@south.example"), Right::Remove));
}

#[test]
fn mtg_05_a_policy_keeps_its_bytes() {
    let policy = Policy::first(rules()).unwrap();
    let mut bytes = policy.bytes().to_vec();
    // A field of a later version: number 200, value 1.
    bytes.extend([0xC0, 0x0C, 0x01]);
    let newer = Policy::parse(bytes.clone().into()).unwrap();
    assert_eq!(newer.bytes(), bytes.as_slice());
    assert_eq!(newer.rules(), policy.rules());
    assert_ne!(newer.hash(), policy.hash());
}

#[test]
fn mtg_06_a_new_meeting_lets_everybody_talk_and_only_its_creator_lead() {
    let policy = Policy::first(Rules::for_creator(user("alice@north.example"))).unwrap();
    let bob = user("bob@south.example");
    assert!(policy.allows(&bob, Right::SendVideo) && !policy.allows(&bob, Right::Lock));
    assert!(policy.allows(&user("alice@north.example"), Right::End));
}

fn change_outside(world: &mut World, who: usize, change: impl FnOnce(&mut Rules)) -> Result<(), Error> {
    let policy = world.next_policy(change);
    let statement = sign_change(world.record().id(), &policy, &world.devices[who].identity, world.now);
    let from = world.devices[who].uri().domain().clone();
    let ticket = world.ticket();
    let input = Input::ChangePolicy { ticket, from, statement };
    let handled = world.hub.handle(world.now, &world.pins, input);
    world.carry();
    handled
}

#[test]
fn mtg_32_between_sessions_the_policy_changes_by_statement() {
    let mut world = World::new();
    change_outside(&mut world, ALICE, |rules| rules.recording_allowed = true).unwrap();
    let error = change_outside(&mut world, BOB, |rules| rules.locked = true).unwrap_err();
    assert_eq!(error.reason(), ErrorReason::NotEntitled);
    world.enter(ALICE, None);
    assert_eq!(world.room().policy().version(), 1);
    assert_eq!(world.hub.session(world.now).policy_version, 1);
    world.change_by_commit(ALICE, ALICE, vec![], |rules| rules.lobby = true).unwrap();
    assert_eq!(world.hub.session(world.now).policy_version, 1, "it began with that");
    world.leave(ALICE);
    change_outside(&mut world, ALICE, |rules| rules.lobby = false).unwrap();
    world.restart_hub();
    assert_eq!(world.hub.policy_chain().version(), 3);
    let chain = world.hub.policy_chain();
    let verified =
        PolicyChain::verify(world.record(), &chain.signed(), Trust::Verify(&world.pins), world.now).unwrap();
    assert_eq!(verified.tip(), chain.tip());
}

#[test]
fn mtg_11_a_chain_with_a_gap_a_swap_or_a_forgery_is_refused() {
    let mut world = World::new();
    for locked in [true, false, true] {
        change_outside(&mut world, ALICE, |rules| rules.locked = locked).unwrap();
    }
    let good = world.hub.policy_chain().signed();
    let verify = |world: &World, statements: &[wire::DeviceSigned]| {
        PolicyChain::verify(world.record(), statements, Trust::Verify(&world.pins), world.now)
    };
    verify(&world, &good).unwrap();
    let [first, second, third] = [&good[0], &good[1], &good[2]].map(Clone::clone);
    for bad in [vec![second.clone()], vec![first.clone(), third.clone()], vec![second, first.clone(), third]]
    {
        let error = verify(&world, &bad).unwrap_err();
        assert_eq!(error, Error::Policy(policy::Error::Discontinuous));
    }
    let mut forged = first.clone();
    let envelope = forged.signed.as_mut().unwrap();
    let mut payload = envelope.payload.to_vec();
    *payload.last_mut().unwrap() ^= 1;
    envelope.payload = payload.into();
    assert_eq!(verify(&world, &[forged]).unwrap_err().reason(), ErrorReason::BadSignature);
    // bob signs it himself; or for another meeting.
    let policy = Policy::parse(
        <wire::PolicyStatement as prost::Message>::decode(first.signed.unwrap().payload).unwrap().policy,
    )
    .unwrap();
    let by_bob = sign_change(world.record().id(), &policy, &world.devices[BOB].identity, world.now);
    assert_eq!(verify(&world, &[by_bob]).unwrap_err().reason(), ErrorReason::NotEntitled);
    let elsewhere = conclave_core::ids::MeetingId::from_bytes([1; 32]);
    let elsewhere = sign_change(elsewhere, &policy, &world.devices[ALICE].identity, world.now);
    assert_eq!(verify(&world, &[elsewhere]).unwrap_err(), Error::Policy(policy::Error::Misplaced("meeting")));
}

#[test]
fn mtg_28_a_commit_changes_the_policy_to_what_its_statement_says() {
    let mut world = World::running();
    let signed = world.next_policy(|rules| rules.lobby = true);
    let other = world.next_policy(|rules| rules.locked = true);
    let statement = sign_change(world.record().id(), &signed, &world.devices[ALICE].identity, world.now);
    let annotations = conclave_core::meeting::commit_rules::Annotations {
        policy: Some(statement),
        ..conclave_core::meeting::commit_rules::Annotations::default()
    };
    for policy in [Some(other.bytes().to_vec()), None] {
        let plan = conclave_core::group::CommitPlan { policy, ..conclave_core::group::CommitPlan::default() };
        let error = world.commit(BOB, plan, &annotations).unwrap_err();
        assert_eq!(error.reason(), ErrorReason::ForbiddenCommit);
    }
    let plan = conclave_core::group::CommitPlan {
        policy: Some(signed.bytes().to_vec()),
        ..conclave_core::group::CommitPlan::default()
    };
    let bare = conclave_core::meeting::commit_rules::Annotations::default();
    assert_eq!(world.commit(BOB, plan.clone(), &bare).unwrap_err().reason(), ErrorReason::ForbiddenCommit);
    world.commit(BOB, plan, &annotations).unwrap();
    assert!(world.room().policy().rules().lobby);
    world.assert_agreement();
}

#[test]
fn mtg_29_banning_somebody_takes_all_their_devices_and_the_link_out() {
    let mut world = World::running();
    let bob = world.devices[BOB].uri().user().clone();
    let leaf = world.leaf(BOB);
    let ban = |rules: &mut Rules| _ = rules.banned.insert(bob.clone());
    let error = world.change_by_commit(ALICE, ALICE, vec![], ban).unwrap_err();
    assert_eq!(error.to_string(), "a commit that bans somebody must remove all of their devices");
    let error = world.change_by_commit(ALICE, ALICE, vec![leaf], ban).unwrap_err();
    assert_eq!(
        error.to_string(),
        "banning somebody who can come back by the link must change or disable the link"
    );
}

/// An invitation carries the link: whoever came by its token could come back as a guest.
#[test]
fn mtg_29_where_guests_come_by_link_every_ban_takes_it_out() {
    let mut world = World::running();
    let absent = UserAddress::parse("zoe@south.example").unwrap();
    let ban = |rules: &mut Rules| _ = rules.banned.insert(absent.clone());
    let error = world.change_by_commit(ALICE, ALICE, vec![], ban).unwrap_err();
    assert_eq!(
        error.to_string(),
        "banning somebody who can come back by the link must change or disable the link"
    );
    let ban_without_guests = |rules: &mut Rules| {
        rules.banned.insert(absent.clone());
        rules.guests_allowed = false;
    };
    world.change_by_commit(ALICE, ALICE, vec![], ban_without_guests).unwrap();
}

#[test]
fn mtg_01_a_record_names_its_meeting() {
    let world = World::new();
    let signed = world.record().signed().clone();
    let opened = Record::open(&signed, Trust::Verify(&world.pins)).unwrap();
    assert_eq!(&opened, world.record().as_ref());
    let payload = signed.signed.unwrap().payload;
    assert_eq!(opened.id().as_bytes()[..], Sha256::digest(&payload)[..]);
}

#[test]
fn mtg_02_a_record_is_signed_by_its_creator() {
    let world = World::new();
    let trust = Trust::Verify(&world.pins);
    let signed = world.record().signed().clone();
    let unknown = Record::open(&signed, Trust::Verify(&Pins::default())).unwrap_err();
    assert_eq!(unknown, Error::UnknownDomain(world.north.domain().clone()));
    let mut by_bob = signed.clone();
    by_bob.certificate_chain = world.devices[BOB].identity.chain().certificates().to_vec();
    assert_eq!(Record::open(&by_bob, trust).unwrap_err().reason(), ErrorReason::BadSignature);
    let payload = signed.signed.unwrap().payload;
    let claimed = conclave_core::identity::signed::sign(
        conclave_core::identity::signed::Label::Record,
        payload,
        world.devices[BOB].identity.key(),
    );
    by_bob.signed = Some(claimed);
    assert_eq!(Record::open(&by_bob, trust).unwrap_err(), Error::Record(record::Error::NotCreator));
}

#[test]
fn mtg_04_only_the_link_opens_title_and_time() {
    let world = World::new();
    assert_eq!(world.record().details(&world.secret).unwrap().unwrap().title, "Budget");
    let other = conclave_core::meeting::link::LinkSecret::from_bytes([1; 32]);
    assert_eq!(world.record().details(&other), Err(record::Error::Sealed));
    let payload = &world.record().signed().signed.as_ref().unwrap().payload;
    assert!(!payload.windows(6).any(|bytes| bytes == b"Budget"));
}
