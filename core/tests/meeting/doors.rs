//! Who gets in and who does not: evidence, lobby, bans, floods, replays.

use std::time::Duration;

use conclave_core::{
    group::{CommitPlan, Identity, Joiner},
    identity::{
        address::{UserAddress, UserKind},
        keys::SigningKey,
    },
    ids::Sequence,
    limits,
    meeting::{
        Error,
        admission::{self, Refused, sign_link},
        commit_rules::Annotations,
        doors::DoorError,
        log::{Kind, group_id},
        room::{self, Effect, Standing},
        submission,
    },
};
use conclave_proto::types::v1::{self as wire, ErrorReason};
use prost::{Message, bytes::Bytes};

use crate::world::{ALICE, BOB, MALLORY, SUITE, World};

/// Refused, and the room is what it was.
fn refused(world: &mut World, who: usize, evidence: Option<wire::evidence::Evidence>) -> Error {
    let before = world.hub.room().map(|room| (room.tip(), room.doors().joins().count()));
    let error = world.join(who, evidence).unwrap_err();
    assert_eq!(world.hub.room().map(|room| (room.tip(), room.doors().joins().count())), before);
    error
}

fn admit(world: &mut World, by: usize, who: usize, admitted: bool) -> Result<(), Error> {
    let joiner = world.devices[who].joiner.as_ref().unwrap();
    let admit = wire::Admit {
        key_package_ref: Bytes::copy_from_slice(joiner.key_package_ref().as_bytes()),
        device: world.devices[who].uri().to_string(),
        admitted,
        expires_ms: (world.now + Duration::from_mins(1)).as_ms(),
    };
    world.submit(by, Kind::Admit, admit.encode_to_vec()).map(|_| ())
}

#[test]
fn mtg_12_nobody_enters_without_evidence() {
    let mut world = World::running();
    assert_eq!(refused(&mut world, MALLORY, None), Error::Admission(Refused::NoEvidence));
    world.renew_joiner(MALLORY);
    let wrong = sign_link(&world.view(MALLORY), &SigningKey::from_seed(&[66; 32]));
    assert_eq!(refused(&mut world, MALLORY, Some(wrong)), Error::Admission(Refused::Link));
    assert_eq!(
        world.refusals,
        [(world.south.domain().clone(), 1)],
        "members hear of it, and not at every knock"
    );
    world.pass(limits::REFUSED_NOTICE);
    assert_eq!(world.refusals.len(), 2);
    let told = Error::Admission(Refused::NoEvidence).reason();
    assert_eq!(told, ErrorReason::NoAdmission);
}

#[test]
fn mtg_14_a_token_is_for_one_address_and_can_be_withdrawn() {
    let mut world = World::running();
    let token = world.token(ALICE, BOB);
    let stolen = |token: wire::DeviceSigned| Some(wire::evidence::Evidence::Token(token));
    let error = refused(&mut world, MALLORY, stolen(token));
    assert_eq!(error, Error::Admission(Refused::Token("it is for another address")));
    let own = world.token(MALLORY, MALLORY);
    let error = refused(&mut world, MALLORY, stolen(own));
    assert_eq!(error, Error::Admission(Refused::Token("its issuer may not invite")));
    let token = world.token(ALICE, MALLORY);
    let mut forged = token.clone();
    forged.signed.as_mut().unwrap().signature = vec![0; 64].into();
    let error = refused(&mut world, MALLORY, stolen(forged));
    assert!(matches!(error, Error::Admission(Refused::Issuer(_))), "{error}");
    world.pass(Duration::from_secs(1));
    let now = world.now;
    world.change_by_commit(ALICE, ALICE, vec![], |rules| rules.tokens_not_before = now).unwrap();
    let error = refused(&mut world, MALLORY, stolen(token));
    assert_eq!(error, Error::Admission(Refused::Token("it has been withdrawn")));
    let token = world.token(ALICE, MALLORY);
    world.enter(MALLORY, stolen(token));
    world.assert_agreement();
}

#[test]
fn mtg_15_a_link_signature_is_good_for_one_join() {
    let mut world = World::running();
    let for_bob = world.link_evidence(BOB);
    world.renew_joiner(MALLORY);
    assert_eq!(refused(&mut world, MALLORY, for_bob), Error::Admission(Refused::Link));
    let link = world.link_evidence(MALLORY);
    world.enter(MALLORY, link);
}

#[test]
fn c4_a_key_package_is_shown_once() {
    let mut world = World::running();
    let link = world.link_evidence(MALLORY);
    world.join(MALLORY, link.clone()).unwrap();
    let error = refused(&mut world, MALLORY, link);
    assert_eq!(error, Error::Door(DoorError::Replayed));
    assert_eq!(error.reason(), ErrorReason::Replayed);
}

#[test]
fn mtg_19_another_device_cannot_show_somebodys_join() {
    let mut world = World::running();
    let link = world.link_evidence(MALLORY);
    let content = world.join_content(MALLORY, link);
    let link = world.link_evidence(BOB);
    let bobs = world.join_content(BOB, link);
    // bob's Join handed in by mallory, under her name and under his.
    let error = world.submit(MALLORY, Kind::Join, bobs.clone()).unwrap_err();
    assert!(matches!(error, Error::Submission(submission::Error::Malformed(_))), "{error}");
    let forged = world.submission(BOB, Kind::Join, bobs).sign(&world.devices[MALLORY].identity);
    let from = world.south.domain().clone();
    let error = world.hand_in(&from, forged, vec![]).unwrap_err();
    assert_eq!(error.reason(), ErrorReason::BadSignature);
    world.submit(MALLORY, Kind::Join, content).unwrap();
}

#[test]
fn mtg_18_a_join_has_good_certificates_and_ends_soon() {
    let mut world = World::running();
    // Certificates that ran out.
    let old = world.south.device("old", 7);
    world.now = world.now + Duration::from_hours(8 * 24);
    let old = world.add_device(old);
    let link = world.link_evidence(old);
    assert_eq!(refused(&mut world, old, link).reason(), ErrorReason::BadCertificate);
    // A domain that nobody knows yet: the driver looks it up and asks again.
    let stranger = conclave_testkit::people::Organisation::new("west.example");
    let who = world.add_device(stranger.certify(UserKind::User, "eve", 1, world.now));
    let link = world.link_evidence(who);
    assert_eq!(refused(&mut world, who, link), Error::UnknownDomain(stranger.domain().clone()));
    // A Join that would be good for an hour.
    let fresh = world.south.certify(UserKind::User, "carol", 1, world.now);
    let who = world.add_device(fresh);
    world.renew_joiner(who);
    let mut view = world.view(who);
    view.expires = world.now + Duration::from_hours(1);
    let content = wire::Join {
        key_package: world.devices[who].joiner.as_ref().unwrap().key_package().to_vec().into(),
        evidence: Some(wire::Evidence { evidence: Some(sign_link(&view, &world.secret.link_key())) }),
        expires_ms: view.expires.as_ms(),
    };
    let error = world.submit(who, Kind::Join, content.encode_to_vec()).unwrap_err();
    assert_eq!(error, Error::Submission(submission::Error::Time));
}

#[test]
fn mtg_21_in_the_lobby_only_a_host_lets_in() {
    let mut world = World::running();
    world.change_by_commit(ALICE, ALICE, vec![], |rules| rules.lobby = true).unwrap();
    let link = world.link_evidence(MALLORY);
    world.join(MALLORY, link).unwrap();
    assert!(matches!(world.standing(MALLORY), Standing::Waiting(_)));
    assert!(matches!(world.effects.last(), Some(Effect::Waiting { .. })));
    assert!(world.asks.is_empty(), "nobody is asked to add who waits");
    assert_eq!(admit(&mut world, BOB, MALLORY, true), Err(Error::Room(room::Error::NotEntitled)));
    admit(&mut world, ALICE, MALLORY, true).unwrap();
    assert!(matches!(world.standing(MALLORY), Standing::Logged(_)));
    world.answer();
    assert!(matches!(world.standing(MALLORY), Standing::Entered(_)));
    // Whoever holds a token for the address does not wait.
    let carol = world.add_device(world.south.device("carol", 1));
    let token = world.token_evidence(ALICE, carol);
    world.enter(carol, token);
    // And who is denied is out.
    let dave = world.add_device(world.south.device("dave", 1));
    let link = world.link_evidence(dave);
    world.join(dave, link).unwrap();
    admit(&mut world, ALICE, dave, false).unwrap();
    assert_eq!(world.standing(dave), Standing::Denied);
    assert_eq!(admit(&mut world, ALICE, dave, true), Err(Error::Door(DoorError::NoSuchJoin)));
    world.assert_agreement();
}

#[test]
fn mtg_20_nobody_waits_in_an_empty_room() {
    let mut world = World::with(|rules| rules.lobby = true);
    let link = world.link_evidence(BOB);
    let error = refused(&mut world, BOB, link);
    assert_eq!(error, Error::Door(DoorError::NobodyHere));
    assert!(world.hub.room().is_none(), "a refused Join opens no session");
    world.enter(ALICE, None);
    let link = world.link_evidence(BOB);
    world.join(BOB, link).unwrap();
    assert!(matches!(world.standing(BOB), Standing::Waiting(_)));
}

#[test]
fn c15_a_flooded_lobby_is_capped_and_can_be_locked() {
    let mut world = World::running();
    world.change_by_commit(ALICE, ALICE, vec![], |rules| rules.lobby = true).unwrap();
    let group = group_id(&world.record().id(), world.session());
    let mut last = None;
    for number in 0..=limits::WAITING {
        let name = format!("m{number}");
        let who = world.add_device(world.south.device(&name, 1));
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&(1_000_000 + number as u64).to_be_bytes());
        let identity = world.devices[who].identity.clone();
        world.devices[who].joiner = Some(Joiner::new(identity, SUITE, group, world.now, seed).unwrap());
        let evidence = Some(sign_link(&world.view(who), &world.secret.link_key()));
        let content = world.join_content(who, evidence);
        let mut submission = world.submission(who, Kind::Join, content);
        submission.id = conclave_core::ids::SubmissionId::from_bytes(seed[..16].try_into().unwrap());
        let signed = submission.sign(&world.devices[who].identity);
        let from = world.south.domain().clone();
        last = Some(world.hand_in(&from, signed, vec![]));
    }
    assert_eq!(last.unwrap().unwrap_err().reason(), ErrorReason::Full);
    assert_eq!(world.room().doors().joins().count(), limits::WAITING);
    // A host comes in past them, and locks.
    let second = world.add_device(world.north.device("alice", 2));
    world.enter(second, None);
    world.change_by_commit(ALICE, ALICE, vec![], |rules| rules.locked = true).unwrap();
    assert_eq!(world.room().doors().joins().count(), 0, "a lock clears the lobby");
    let link = world.link_evidence(MALLORY);
    assert_eq!(refused(&mut world, MALLORY, link), Error::Admission(Refused::Locked));
    world.assert_agreement();
}

#[test]
fn c16_the_removed_come_back_by_no_token_link_device_or_name() {
    let mut world = World::running();
    let token = world.token(ALICE, BOB);
    let second = world.add_device(world.south.device("bob", 2));
    let link = world.link_evidence(second);
    world.enter(second, link);
    let bob = world.devices[BOB].uri().user().clone();
    let ban = |rules: &mut conclave_core::meeting::policy::Rules| {
        rules.banned.insert(bob.clone());
        rules.link_key = None;
    };
    let leaves = vec![world.leaf(BOB), world.leaf(second)];
    // One of two devices is not enough, and the link must go.
    let error = world.change_by_commit(ALICE, ALICE, leaves[..1].to_vec(), ban).unwrap_err();
    assert_eq!(error.reason(), ErrorReason::ForbiddenCommit);
    let keeps_link = |rules: &mut conclave_core::meeting::policy::Rules| {
        rules.banned.insert(bob.clone());
    };
    let error = world.change_by_commit(ALICE, ALICE, leaves.clone(), keeps_link).unwrap_err();
    assert_eq!(error.reason(), ErrorReason::ForbiddenCommit);
    world.change_by_commit(ALICE, ALICE, leaves, ban).unwrap();
    assert_eq!(world.standing(BOB), Standing::Removed);
    assert_eq!(world.room().members().count(), 1);
    let stolen = Some(wire::evidence::Evidence::Token(token));
    for who in [BOB, second] {
        assert_eq!(refused(&mut world, who, stolen.clone()), Error::Admission(Refused::Banned));
        let link = world.link_evidence(who);
        assert_eq!(refused(&mut world, who, link), Error::Admission(Refused::Banned));
    }
    let guest = world.add_device(world.south.guest("bob", 3));
    let link = world.link_evidence(guest);
    assert_eq!(refused(&mut world, guest, link), Error::Admission(Refused::Link), "the old link is dead");
    world.assert_agreement();
}

#[test]
fn mtg_13_bans_outrank_open_doors_and_roles_outrank_locks() {
    let mut world = World::with(|rules| {
        rules.open_domains.insert(conclave_core::identity::address::Domain::parse("south.example").unwrap());
        rules.banned.insert(UserAddress::parse("mallory@south.example").unwrap());
        rules.locked = false;
    });
    world.enter(ALICE, None);
    world.enter(BOB, None);
    assert_eq!(refused(&mut world, MALLORY, None), Error::Admission(Refused::Banned));
    let guest = world.add_device(world.south.guest("7f3a", 1));
    assert_eq!(refused(&mut world, guest, None), Error::Admission(Refused::NoEvidence), "open to users only");
    world.change_by_commit(ALICE, ALICE, vec![], |rules| rules.locked = true).unwrap();
    let carol = world.add_device(world.south.device("carol", 1));
    assert_eq!(refused(&mut world, carol, None), Error::Admission(Refused::Locked));
    let second = world.add_device(world.north.device("alice", 2));
    world.enter(second, None);
}

#[test]
fn mtg_35_a_lock_keeps_nobody_out_who_is_in_and_nobody_else_in() {
    let mut world = World::running();
    world.change_by_commit(ALICE, ALICE, vec![], |rules| rules.locked = true).unwrap();
    // The same device by name, with a key that its home server has made up.
    let key = SigningKey::from_seed(&[9; 32]);
    let chain = world.south.chain(UserKind::User, "bob", 1, &key.public(), world.now);
    let double = world.add_device(Identity::new(key, chain).unwrap());
    assert_eq!(world.devices[double].uri(), world.devices[BOB].uri());
    let link = world.link_evidence(double);
    assert_eq!(refused(&mut world, double, link), Error::Admission(Refused::Locked));
    world.devices.pop();
    // He lost his state, and takes his place again; the link must still be good.
    world.devices[BOB].member = None;
    assert_eq!(refused(&mut world, BOB, None), Error::Admission(Refused::NoEvidence));
    let link = world.link_evidence(BOB);
    world.enter(BOB, link);
    assert_eq!(world.room().members().count(), 2);
    world.assert_agreement();
    // He says that he goes, and asks again; with his leaf goes the reason to let him in.
    let leaf = world.leaf(BOB);
    let left = world.leave(BOB);
    let link = world.link_evidence(BOB);
    world.join(BOB, link).unwrap();
    world.asks.clear();
    let plan = CommitPlan { removes: vec![leaf], ..CommitPlan::default() };
    let annotations = Annotations { removes: vec![(leaf, left.sequence)], ..Annotations::default() };
    world.commit(ALICE, plan, &annotations).unwrap();
    assert_eq!(world.standing(BOB), Standing::Lapsed);
    let link = world.link_evidence(BOB);
    assert_eq!(refused(&mut world, BOB, link), Error::Admission(Refused::Locked));
    world.assert_agreement();
}

#[test]
fn mtg_22_a_change_of_policy_judges_open_joins_again() {
    let mut world = World::running();
    let link = world.link_evidence(MALLORY);
    world.join(MALLORY, link).unwrap();
    world.asks.clear();
    world
        .change_by_commit(ALICE, ALICE, vec![], |rules| {
            rules.link_key = Some(SigningKey::from_seed(&[1; 32]).public());
        })
        .unwrap();
    assert_eq!(world.standing(MALLORY), Standing::Lapsed);
    assert_eq!(world.room().doors().joins().count(), 0);
    let admission = admission::Admission { by: admission::By::Role, must_wait: false };
    let second = world.add_device(world.north.device("alice", 2));
    world.join(second, None).unwrap();
    let (sequence, join) = world.room().doors().joins().next().unwrap();
    assert_eq!(join.admission, admission);
    assert!(sequence > Sequence(1));
    world.assert_agreement();
}

#[test]
fn mtg_17_r1_a_submission_comes_from_its_authors_own_domain() {
    let mut world = World::running();
    let link = world.link_evidence(MALLORY);
    let content = world.join_content(MALLORY, link);
    let signed = world.signed(MALLORY, Kind::Join, content);
    let foreign = world.north.domain().clone();
    let error = world.hand_in(&foreign, signed.clone(), vec![]).unwrap_err();
    assert_eq!(error, Error::Submission(submission::Error::WrongDomain));
    assert_eq!(error.reason(), ErrorReason::WrongDomain);
    let own = world.south.domain().clone();
    world.hand_in(&own, signed, vec![]).unwrap();
}

#[test]
fn mtg_16_r3_the_same_submission_has_one_effect_and_yesterdays_none() {
    let mut world = World::running();
    let sealed = world.devices[BOB].member.as_mut().unwrap().seal(b"once").unwrap();
    let signed = world.signed(BOB, Kind::Message, sealed);
    let from = world.south.domain().clone();
    let first = world.hand_in(&from, signed.clone(), vec![]).unwrap();
    let length = world.entries.len();
    assert_eq!(world.hand_in(&from, signed.clone(), vec![]).unwrap(), first);
    assert_eq!(world.entries.len(), length);
    assert_eq!(world.devices[ALICE].heard, [b"once"]);
    // Long after, the id is forgotten, and the time speaks against it.
    world.now = world.now + Duration::from_hours(24);
    for text in [b"a", b"b"] {
        world.say(ALICE, text).unwrap();
    }
    let error = world.hand_in(&from, signed, vec![]).unwrap_err();
    assert_eq!(error, Error::Submission(submission::Error::Time));
    world.assert_agreement();
}

/// Who enters must know what a later commit may answer, and the policies of that moment, however late it asks for them.
#[test]
fn what_was_open_when_somebody_entered_is_kept() {
    let mut world = World::new();
    world.enter(ALICE, None);
    let link = world.link_evidence(BOB);
    world.join(BOB, link).unwrap();
    let ask = world.asks.pop().unwrap().1;
    let link = world.link_evidence(MALLORY);
    let waiting = world.join(MALLORY, link).unwrap().sequence;
    world.asks.clear();
    world.answer_one(ALICE, &ask).unwrap();
    world.answer();
    world.change_by_commit(ALICE, ALICE, vec![], |rules| rules.lobby = true).unwrap();
    let bob = world.room().member(&world.devices[BOB].uri()).unwrap();
    assert!(world.room().doors().joins().next().is_none(), "mallory's Join is answered by now");
    assert_eq!((&*bob.at_entry.open, bob.at_entry.policy_version), (&[waiting][..], 0));
    assert_eq!(world.room().policy_chain().version(), 1);
}

#[test]
fn a_stranger_who_confirms_what_is_confirmed_learns_nothing() {
    let mut world = World::running();
    let confirmed = world.entries.iter().rfind(|entry| entry.header().kind == Kind::Commit).unwrap().clone();
    let member = world.devices[BOB].member.as_ref().unwrap();
    let confirm = wire::Confirm {
        group_id: world.room().group().as_bytes().to_vec().into(),
        epoch: confirmed.header().epoch.0 + 1,
        accepted: true,
        confirmation_tag: member.confirmation_tag().unwrap().into(),
        commit_sequence: confirmed.sequence().0,
    };
    for _ in 0..2 {
        assert!(world.submit(BOB, Kind::Confirm, confirm.encode_to_vec()).is_ok(), "a member is answered");
    }
    assert!(!world.room().is_unconfirmed(confirmed.sequence()));
    let before = world.entries.len();
    let error = world.submit(MALLORY, Kind::Confirm, confirm.encode_to_vec()).unwrap_err();
    assert!(matches!(error, Error::Room(room::Error::NotMember)), "{error}");
    assert_eq!(world.entries.len(), before);
}
