//! A domain says whether its own device can be reached: to whom it is told, and what nobody passes on.

use conclave_core::{
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
