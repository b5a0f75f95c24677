//! A device whose clock is wrong says so (spec, chapter 14.1).
#![allow(clippy::unwrap_used, clippy::expect_used)] // Tests may panic.

use std::time::Duration;

use conclave_core::{
    device::{Error, problem::Problem},
    identity::address::Domain,
};
use conclave_testkit::{federation::Federation, link::Conditions};

#[test]
fn dev_27_a_sign_in_with_a_wrong_clock_fails_and_says_why() {
    let mut federation = Federation::new(1, Conditions::GOOD, &["north.example"]);
    let north = Domain::parse("north.example").unwrap();
    let id = federation.new_device("north.example");
    let sign_in = federation.account("alice", "north.example");
    for behind in [Duration::from_hours(1), Duration::from_hours(24 * 3_650)] {
        federation.client_mut(id).behind = behind;
        let refused = federation.ask(id, sign_in.clone()).expect_err("nothing is valid yet");
        assert_eq!(refused, Error::WrongClock(north.clone()), "{behind:?}");
        assert_eq!(refused.problem(), Problem::WrongClock { domain: north.clone() });
    }
    // Once it is right, everything goes on.
    federation.client_mut(id).behind = Duration::ZERO;
    federation.ask(id, sign_in).expect("signed in");
}
