//! A domain says whether its own device can be reached: to whom it is told, and what nobody passes on.

use conclave_core::{
    identity::signed::{self, Label},
    ids::{Sequence, SessionNumber},
    limits,
    meeting::{
        Error,
        aside::Aside,
        attendance::Attendance,
        hub::{Input, Receipt},
        room, submission,
        watch::{House, Order},
    },
    time::Time,
};
use conclave_proto::types::v1::{ErrorReason, ServerSigned};
use conclave_testkit::people::Organisation;

use crate::world::{ALICE, BOB, World, signer};

fn said(world: &World, who: usize) -> Attendance {
    let device = world.devices[who].uri();
    let entered = world.room().member(&device).unwrap().entered;
    Attendance {
        meeting: world.record().id(),
        session: world.session(),
        device,
        entered,
        away: true,
        time: world.now,
    }
}

fn hand_in(world: &mut World, from: &Organisation, attendance: ServerSigned) -> Result<Receipt, Error> {
    let ticket = world.ticket();
    let input = Input::Attend { ticket, from: from.domain().clone(), attendance };
    let handled = world.hub.handle(world.now, &world.pins, input);
    world.carry();
    handled.map(|()| world.replies[&ticket])
}

#[test]
fn log_20_a_domain_speaks_for_its_own_present_devices_and_nothing_is_logged() {
    let mut world = World::running();
    let logged = world.entries.len();
    let (north, south) = (Organisation::new("north.example"), Organisation::new("south.example"));
    let bob = said(&world, BOB);
    let good = bob.sign(&signer(&south));
    assert_eq!(hand_in(&mut world, &south, good.clone()).unwrap().sequence, Sequence(0));
    assert_eq!(world.asides, [Aside::Attendance(good.clone())]);
    assert_eq!(world.entries.len(), logged);
    // North says it of bob, in its own name, in south's, or hands in what south said.
    let foreign = bob.sign(&signer(&north));
    assert_eq!(
        hand_in(&mut world, &north, foreign.clone()).unwrap_err(),
        Error::Submission(submission::Error::WrongDomain)
    );
    let forged = ServerSigned { domain: "south.example".into(), ..foreign.clone() };
    assert_eq!(hand_in(&mut world, &south, forged.clone()).unwrap_err().reason(), ErrorReason::BadSignature);
    assert_eq!(hand_in(&mut world, &north, good.clone()).unwrap_err().reason(), ErrorReason::WrongDomain);
    let other_session = Attendance { session: SessionNumber(9), ..bob.clone() }.sign(&signer(&south));
    let other_presence = Attendance { entered: Sequence(99), ..bob.clone() }.sign(&signer(&south));
    let earlier =
        Attendance { time: Time::from_ms(world.now.as_ms() - 600_001), ..bob }.sign(&signer(&south));
    assert!(hand_in(&mut world, &south, other_session.clone()).is_err());
    let error = hand_in(&mut world, &south, other_presence.clone()).unwrap_err();
    assert_eq!(error, Error::Room(room::Error::NotMember));
    assert_eq!(hand_in(&mut world, &south, earlier.clone()).unwrap_err(), submission::Error::Time.into());
    // A follower passes on what the hub should have, and nothing else.
    let follower = world.follower.as_ref().unwrap();
    let check = |signed| follower.check_aside(world.now, &world.pins, &Aside::Attendance(signed));
    check(good.clone()).unwrap();
    for bad in [foreign, forged, other_session, other_presence, earlier] {
        assert!(check(bad).is_err());
    }
    let storm = (0..100).filter(|_| hand_in(&mut world, &south, good.clone()).is_ok()).count();
    assert!(storm < usize::try_from(limits::PASSING_BURST).unwrap(), "{storm}");
    world.leave(BOB);
    assert_eq!(hand_in(&mut world, &south, good).unwrap_err(), Error::Room(room::Error::NotMember));
}

/// What one domain says goes to all: it is small.
#[test]
fn log_20_a_large_word_goes_nowhere() {
    let mut world = World::running();
    let south = Organisation::new("south.example");
    let bob = said(&world, BOB);
    let mut payload = bob.sign(&signer(&south)).signed.unwrap().payload.to_vec();
    // A field that nobody knows.
    payload.extend([0xfa, 0x7f, 0x80, 0x20].into_iter().chain([7; 4_096]));
    let signed = signed::sign(Label::Attendance, payload, &signer(&south).key);
    let large = ServerSigned { signed: Some(signed), ..bob.sign(&signer(&south)) };
    assert_eq!(hand_in(&mut world, &south, large.clone()).unwrap_err(), submission::Error::TooLarge.into());
    let follower = world.follower.as_ref().unwrap();
    let checked = follower.check_aside(world.now, &world.pins, &Aside::Attendance(large));
    assert_eq!(checked.unwrap_err(), submission::Error::TooLarge.into());
}

/// Whose devices are not there has nothing to say, whatever it signed; that is answered like a meeting that is not there.
#[test]
fn log_14_a_domain_without_devices_is_refused_before_its_signature_is_looked_at() {
    let mut world = World::running();
    let (south, west) = (Organisation::new("south.example"), Organisation::new("west.example"));
    let unsigned = |domain: &str, mut signed: ServerSigned| {
        domain.clone_into(&mut signed.domain);
        signed.signed.as_mut().unwrap().signature = vec![0; 64].into();
        signed
    };
    let bob = said(&world, BOB).sign(&signer(&south));
    let error = hand_in(&mut world, &west, unsigned("west.example", bob.clone())).unwrap_err();
    assert_eq!(error.reason(), ErrorReason::NotFound);
    let carol = said(&world, BOB);
    let carol = Attendance { device: south.device("carol", 9).chain().claimed_uri().clone(), ..carol }
        .sign(&signer(&south));
    let error = hand_in(&mut world, &south, unsigned("south.example", carol)).unwrap_err();
    assert_eq!(error, Error::Room(room::Error::NotMember));
    // Those who are there may not keep the hub verifying either.
    let forged = unsigned("south.example", bob);
    let verified = (0..2 * limits::WORD_BURST).filter(|_| {
        hand_in(&mut world, &south, forged.clone()).unwrap_err().reason() == ErrorReason::BadSignature
    });
    let verified = verified.count();
    assert!(verified < usize::try_from(limits::WORD_BURST).unwrap(), "{verified}");
}

#[test]
fn log_20_the_device_itself_is_not_told_that_it_is_away() {
    let world = World::running();
    let south = Organisation::new("south.example");
    let mut house = House::new(south.domain().clone());
    let order = Order {
        device: world.devices[BOB].uri(),
        session: world.session(),
        next_sequence: 1,
        key_package_ref: None,
    };
    house.open(world.room(), 1, order, world.now, std::time::Duration::ZERO).unwrap();
    let north = Organisation::new("north.example");
    let alice = Aside::Attendance(said(&world, ALICE).sign(&signer(&north)));
    assert_eq!(house.aside(world.room(), &alice).len(), 1);
    let own = Aside::Attendance(said(&world, BOB).sign(&signer(&south)));
    assert_eq!(house.aside(world.room(), &own), []);
}
