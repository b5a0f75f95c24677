//! Invitations over days: sealing keys that stay good, and a stream that comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

use std::time::Duration;

use conclave_core::{
    device::{
        command::{Command, MeetingAddress, NewMeeting},
        event::Done,
    },
    group::Suite,
    identity::address::UserAddress,
    limits,
};
use conclave_proto::types::v1 as types;
use conclave_testkit::{client::ClientId, federation::Federation, link::Conditions};
use prost::Message as _;

const NORTH: &str = "north.example";
const SOUTH: &str = "south.example";
const DAY: Duration = Duration::from_hours(24);

fn federation() -> (Federation, ClientId) {
    let mut federation = Federation::new(5, Conditions::GOOD, &[NORTH, SOUTH]);
    let alice = federation.sign_in("alice", NORTH);
    (federation, alice)
}

fn meeting(federation: &mut Federation, alice: ClientId) -> MeetingAddress {
    let new = NewMeeting {
        title: "Harvest".into(),
        starts_ms: 0,
        length_s: 0,
        lobby: true,
        link: true,
        guests: false,
        open_domains: Vec::new(),
        suite: Suite::Classical,
    };
    let created = federation.ask(alice, Command::CreateMeeting(new)).unwrap();
    let Done::Created { meeting, .. } = created else { panic!("{created:?}") };
    meeting
}

fn invite(federation: &mut Federation, alice: ClientId, names: &[&str]) -> (usize, Vec<UserAddress>) {
    let meeting = meeting(federation, alice);
    let addresses = names.iter().map(|name| UserAddress::parse(&format!("{name}@{SOUTH}")).unwrap());
    let addresses = addresses.collect();
    let invited = federation.ask(alice, Command::Invite { meeting, addresses }).unwrap();
    let Done::Invited { devices, unreachable } = invited else { panic!("{invited:?}") };
    (devices, unreachable)
}

/// The public keys and their ends of use, as the server in the south has them.
fn published(federation: &Federation) -> Vec<types::SealingKey> {
    let keys = federation.server(SOUTH).disk().sealing_keys.values();
    keys.map(|key| {
        let payload = key.signed.clone().unwrap().payload;
        types::SealingKey::decode(payload).unwrap()
    })
    .collect()
}

#[test]
fn idn_33_a_device_in_use_can_be_invited_for_good_and_its_key_changes_every_week() {
    let (mut federation, alice) = federation();
    let bob = federation.sign_in("bob", SOUTH);
    let mut keys = vec![published(&federation)[0].public_key.clone()];
    for days in 1..=30 {
        federation.run_for(DAY);
        let key = published(&federation)[0].clone();
        let left = key.not_after_ms - federation.now().as_ms();
        assert!(left >= DAY.as_millis().try_into().unwrap(), "day {days}: {left} ms");
        if keys.last() != Some(&key.public_key) {
            keys.push(key.public_key);
        }
        assert_eq!(invite(&mut federation, alice, &["bob"]), (1, Vec::new()), "day {days}");
        federation.run_for(Duration::from_secs(5));
        federation.ask(bob, Command::Receive { follow: false }).unwrap();
        assert_eq!(federation.client(bob).invited.len(), days);
    }
    assert_eq!(keys.len(), 5, "four weeks are over");
}

#[test]
fn idn_33_what_could_not_be_published_is_published_later() {
    let (mut federation, alice) = federation();
    let bob = federation.sign_in("bob", SOUTH);
    federation.run_for(3 * DAY);
    federation.crash_server(SOUTH, 5 * DAY);
    federation.run_for(5 * DAY + limits::RENEWAL_RETRY * 2);
    federation.crash_client(bob);
    federation.run_for(Duration::from_mins(1));
    assert_eq!(invite(&mut federation, alice, &["bob"]), (1, Vec::new()));
}

#[test]
fn idn_33_a_device_that_was_not_used_for_long_keeps_nobody_else_from_being_invited() {
    let (mut federation, alice) = federation();
    let bob = federation.sign_in("bob", SOUTH);
    for unused in ["bob", "carol"] {
        let device = federation.sign_in(unused, SOUTH);
        federation.cut_client(device);
    }
    federation.run_for(9 * DAY);
    let (devices, unreachable) = invite(&mut federation, alice, &["carol", "bob"]);
    let unreachable: Vec<_> = unreachable.iter().map(ToString::to_string).collect();
    assert_eq!((devices, unreachable), (1, vec!["carol@south.example".to_owned()]));
    federation.run_for(Duration::from_secs(5));
    federation.ask(bob, Command::Receive { follow: false }).unwrap();
    assert_eq!(federation.client(bob).invited.len(), 1);
}

#[test]
fn dev_28_a_device_that_listens_hears_of_invitations_after_its_server_was_gone() {
    let (mut federation, alice) = federation();
    let bob = federation.sign_in("bob", SOUTH);
    let listening = federation.command(bob, Command::Receive { follow: true });
    federation.run_for(Duration::from_secs(5));
    for gone in [Duration::from_secs(1), Duration::from_mins(30)] {
        let before = federation.client(bob).invited.len();
        federation.crash_server(SOUTH, gone);
        federation.run_for(gone + Duration::from_mins(2));
        assert_eq!(invite(&mut federation, alice, &["bob"]), (1, Vec::new()));
        federation.run_for(Duration::from_secs(10));
        assert_eq!(federation.client(bob).invited.len(), before + 1, "{gone:?}");
    }
    assert!(federation.result(bob, listening).is_none(), "it listens still");
}
