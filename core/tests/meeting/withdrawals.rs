//! A domain takes out its own: whom, how much of it, and nobody else.

use conclave_core::{
    ids::Sequence,
    meeting::{
        Error,
        hub::{Input, Receipt},
        room::{self, Standing},
        submission,
    },
};
use conclave_proto::types::v1::{self as wire, ErrorReason};
use conclave_testkit::people::Organisation;
use prost::bytes::Bytes;

use crate::world::{ALICE, BOB, World, signer};

/// Subject, basis, and the presence.
type Out = (String, wire::WithdrawBasis, Sequence);

fn user(address: &str) -> Out {
    (address.to_owned(), wire::WithdrawBasis::AccountDisabled, Sequence(0))
}

/// The connection of a presence is lost.
fn lost(world: &World, who: usize) -> Out {
    let device = world.devices[who].uri();
    let entered = world.room().member(&device).unwrap().entered;
    (device.to_string(), wire::WithdrawBasis::ConnectionLost, entered)
}

fn withdraw(world: &World, by: &Organisation, (subject, basis, entered): &Out, id: u8) -> wire::ServerSigned {
    let withdraw = wire::Withdraw {
        meeting_id: Bytes::copy_from_slice(world.record().id().as_bytes()),
        session: world.session().0,
        subject: subject.clone(),
        basis: (*basis).into(),
        time_ms: world.now.as_ms(),
        submission_id: vec![id; 16].into(),
        entered_sequence: entered.0,
    };
    signer(by).sign(conclave_core::identity::signed::Label::Withdraw, &withdraw)
}

fn hand_in(world: &mut World, from: &Organisation, withdraw: wire::ServerSigned) -> Result<Receipt, Error> {
    let ticket = world.ticket();
    let input = Input::Withdraw { ticket, from: from.domain().clone(), withdraw };
    let handled = world.hub.handle(world.now, &world.pins, input);
    world.carry();
    handled.map(|()| world.replies[&ticket])
}

#[test]
fn mtg_30_r2_a_domain_takes_out_its_own_users_and_nobody_else() {
    let mut world = World::running();
    let second = world.add_device(world.south.device("bob", 2));
    let link = world.link_evidence(second);
    world.enter(second, link);
    let (north, south) = (Organisation::new("north.example"), Organisation::new("south.example"));
    // South would take alice out, in its own name or in north's.
    let wanted = withdraw(&world, &south, &user("alice@north.example"), 1);
    let error = hand_in(&mut world, &south, wanted.clone()).unwrap_err();
    assert_eq!(error, Error::Submission(submission::Error::WrongDomain));
    assert_eq!(hand_in(&mut world, &north, wanted).unwrap_err().reason(), ErrorReason::WrongDomain);
    let mut forged = withdraw(&world, &south, &user("alice@north.example"), 2);
    forged.domain = "north.example".into();
    assert_eq!(hand_in(&mut world, &north, forged).unwrap_err().reason(), ErrorReason::BadSignature);
    assert_eq!(world.room().present().count(), 3);
    // It takes bob out with all his devices; again, and nothing more happens.
    let own = withdraw(&world, &south, &user("bob@south.example"), 3);
    let receipt = hand_in(&mut world, &south, own.clone()).unwrap();
    assert_eq!(world.room().present().count(), 1);
    assert_eq!(hand_in(&mut world, &south, own).unwrap(), receipt);
    world.answer();
    assert_eq!(world.room().members().count(), 1);
    world.assert_agreement();
}

/// A device that lost its connection is back with a fresh Join before its server takes out what it was.
#[test]
fn mtg_33_what_a_device_asked_for_since_its_connection_was_lost_stays() {
    let mut world = World::running();
    let south = Organisation::new("south.example");
    let old = lost(&world, BOB);
    world.devices[BOB].member = None;
    let link = world.link_evidence(BOB);
    let Ok(asked) = world.join(BOB, link) else { panic!("bob may ask again") };
    let withdrawn = withdraw(&world, &south, &old, 1);
    hand_in(&mut world, &south, withdrawn).unwrap();
    assert_eq!(world.room().present().count(), 1, "what he was is gone");
    assert_eq!(world.standing(BOB), Standing::Logged(asked.sequence), "what he asks is not");
    world.answer();
    assert!(world.devices[BOB].member.is_some(), "he is in again");
    assert_eq!((world.room().members().count(), world.room().present().count()), (2, 2));
    // The same word comes late, under another id: it is about a presence that is over.
    let late = withdraw(&world, &south, &old, 2);
    assert_eq!(hand_in(&mut world, &south, late), Err(Error::Room(room::Error::NotMember)));
    assert_eq!(world.room().present().count(), 2);
    // An account that is disabled loses its Join too.
    let link = world.link_evidence(BOB);
    world.join(BOB, link).unwrap();
    let disabled = withdraw(&world, &south, &user("bob@south.example"), 3);
    hand_in(&mut world, &south, disabled).unwrap();
    assert_eq!(world.standing(BOB), Standing::Lapsed);
    // What the hub asked for before names the Join that is gone; it asks anew.
    world.asks.clear();
    world.pass(conclave_core::limits::COMMIT_WAIT);
    world.answer();
    assert_eq!(world.room().members().count(), 1);
    world.assert_agreement();
}

/// Nobody is left who could answer a Join of a session that is over: the device is told, and asks in the next one.
#[test]
fn mtg_33_the_last_one_to_be_lost_ends_the_session_and_comes_back_in_the_next() {
    let mut world = World::new();
    world.enter(ALICE, None);
    let north = Organisation::new("north.example");
    let (old, first) = (lost(&world, ALICE), world.session());
    world.devices[ALICE].member = None;
    world.join(ALICE, None).unwrap();
    let withdrawn = withdraw(&world, &north, &old, 1);
    hand_in(&mut world, &north, withdrawn).unwrap();
    assert!(world.room().is_over());
    assert_eq!(world.standing(ALICE), Standing::Lapsed);
    assert_eq!(world.session().0, first.0 + 1);
    world.asks.clear();
    world.enter(ALICE, None);
    world.assert_agreement();
}
