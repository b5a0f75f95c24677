//! Two servers find, pin and greet each other over real sockets, and keep out who is not who it says.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)] // Tests may panic.

mod organisation;

use conclave_core::identity::pins::Pins;
use conclave_proto::{
    federation::v1::{HelloRequest, LookUpUserRequest, directory_service_client::DirectoryServiceClient},
    types::v1::ErrorReason,
};
use conclave_server::{
    federation::{
        book::{self, Decision, Openness},
        dial::Reach,
        discovery::Discovery,
        peers::{Error, Peers},
        tls::Identity,
    },
    refusal::Refusal,
};
use organisation::{Authorities, Organisation};

async fn two() -> (Authorities, Organisation, Organisation) {
    let authorities = Authorities::new();
    let north = Organisation::new("north", 10, &authorities).await;
    let south = Organisation::new("south", 20, &authorities).await;
    (authorities, north, south)
}

fn look_up(from: &Organisation, of: &Organisation) -> LookUpUserRequest {
    LookUpUserRequest {
        address: format!("bob@{}", of.domain),
        on_behalf_of: format!("alice@{}", from.domain),
    }
}

#[tokio::test]
async fn fed_03_two_servers_find_each_other_and_speak_for_themselves_only() {
    let (authorities, mut north, mut south) = two().await;
    let (north_runs, south_runs) = (north.start(&authorities).await, south.start(&authorities).await);
    let channel = north_runs.peers.channel(&south.domain).await.unwrap();
    let mut client = DirectoryServiceClient::new(channel);
    assert!(client.look_up_user(look_up(&north, &south)).await.unwrap().into_inner().sealing_keys.is_empty());
    let other = LookUpUserRequest { on_behalf_of: "eve@east.example".into(), ..look_up(&north, &south) };
    let refused = Refusal::of_status(&client.look_up_user(other).await.unwrap_err());
    assert_eq!(refused, Refusal::WRONG_DOMAIN);
    // The callee has pinned the caller by its own discovery, not by what it was told.
    let pinned = south_runs.peers.pins().pin(&north.domain).unwrap().signed().clone();
    assert_eq!(pinned, north.descriptor);
    north_runs.stop().await;
    south_runs.stop().await;
}

#[tokio::test]
async fn fed_03_an_unknown_key_can_only_greet_and_greeting_in_anothers_name_does_not_help() {
    let (authorities, mut north, mut south) = two().await;
    let (_north_runs, south_runs) = (north.start(&authorities).await, south.start(&authorities).await);
    // Mallory knows all that is public of north, but has a key of her own.
    let mallory = Identity::generate(north.domain.as_str()).unwrap();
    let own = north.descriptor.clone();
    let store = north.store();
    let mut known = Pins::default();
    known.restore(south.descriptor.clone()).unwrap();
    let book = book::Book::open(store, Openness::Open, own.clone()).await.unwrap();
    book.accept(&south.descriptor, &south.domain, conclave_server::clock::now()).await.unwrap();
    let discovery = Discovery::new(&authorities.files(), Reach::Anywhere).unwrap();
    let thief = Peers::new(north.domain.clone(), own.clone(), mallory, discovery, book);
    let refused = thief.channel(&south.domain).await.unwrap_err();
    assert_eq!(refused.refusal().reason, ErrorReason::PeerNotAllowed, "{refused}");
    assert!(south_runs.peers.pins().pin(&north.domain).is_some(), "south asked north itself");
    assert!(south_runs.peers.book().owner_of(&thief.identity().spki()).is_none());
}

#[tokio::test]
async fn n1_a_valid_certificate_with_another_key_stops_federation() {
    let (authorities, mut north, mut south) = two().await;
    let north_runs = north.start(&authorities).await;
    // Somebody answers in south's place with a certificate that any authority may have issued for its name.
    let described = south.descriptor.clone();
    south.identity = Identity::generate(south.domain.as_str()).unwrap();
    south.descriptor = described;
    let _impostor = south.start(&authorities).await;
    let refused = north_runs.peers.channel(&south.domain).await.unwrap_err();
    assert!(matches!(refused, Error::PinMismatch(_)), "{refused}");
    assert_eq!(refused.refusal().reason, ErrorReason::PinMismatch);
}

#[tokio::test]
async fn fed_06_r20_a_withdrawn_key_is_refused_and_a_rotated_one_is_found() {
    let (authorities, mut north, mut south) = two().await;
    let (north_runs, south_runs) = (north.start(&authorities).await, south.start(&authorities).await);
    north_runs.peers.channel(&south.domain).await.unwrap();
    let old = north.identity.clone();
    // South rotates its key; its new descriptor pins the new one only.
    south_runs.stop().await;
    south.identity = Identity::generate(south.domain.as_str()).unwrap();
    south.descriptor = south.describe(2, |_| {});
    let south_runs = south.start(&authorities).await;
    north_runs.peers.broken(&south.domain).await;
    // What was fetched a moment ago is not fetched again at once: until then the pins stand.
    let refused = north_runs.peers.channel(&south.domain).await.unwrap_err();
    assert!(matches!(refused, Error::PinMismatch(_)), "{refused}");
    let now = conclave_server::clock::now();
    north_runs.peers.book().accept(&south.descriptor, &south.domain, now).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await; // The pause after a failure.
    north_runs.peers.channel(&south.domain).await.unwrap();
    // North withdraws its key: south, told so, refuses the old one.
    north.identity = Identity::generate(north.domain.as_str()).unwrap();
    let renewed = north.describe(2, |_| {});
    south_runs.peers.book().accept(&renewed, &north.domain, now).await.unwrap();
    assert!(south_runs.peers.domain_of(&old.spki()).is_err());
    assert_eq!(south_runs.peers.domain_of(&north.identity.spki()), Ok(north.domain.clone()));
}

#[tokio::test]
async fn fed_06_a_descriptor_is_fetched_again_when_half_of_its_validity_is_over() {
    let (authorities, mut north, mut south) = two().await;
    let now = conclave_server::clock::now();
    let day = std::time::Duration::from_hours(24);
    let aged = |serial, age| {
        south.describe(serial, |descriptor| {
            descriptor.not_before = now - day * age;
            descriptor.not_after = now + day * (30 - age);
        })
    };
    let (young, old, newest) = (aged(1, 14), aged(2, 16), aged(3, 0));
    south.descriptor = newest;
    let (north_runs, south_runs) = (north.start(&authorities).await, south.start(&authorities).await);
    let serial = async |known: &conclave_proto::types::v1::SignedDescriptor| {
        north_runs.peers.book().accept(known, &south.domain, now).await.unwrap();
        north_runs.peers.discover(&south.domain).await.unwrap();
        north_runs.peers.pins().current(&south.domain, now).unwrap().serial
    };
    assert_eq!(serial(&young).await, 1, "it is good for a while yet");
    assert_eq!(serial(&old).await, 3);
    north_runs.stop().await;
    south_runs.stop().await;
}

#[tokio::test]
async fn fed_06_a_descriptor_that_lacks_a_key_is_fetched_again_while_it_is_good() {
    let (authorities, mut north, mut south) = two().await;
    let known = south.describe(1, |_| {});
    south.descriptor = south.describe(2, |_| {});
    let (north_runs, south_runs) = (north.start(&authorities).await, south.start(&authorities).await);
    let now = conclave_server::clock::now();
    north_runs.peers.book().accept(&known, &south.domain, now).await.unwrap();
    let serial = || north_runs.peers.pins().current(&south.domain, now).unwrap().serial;
    north_runs.peers.discover(&south.domain).await.unwrap();
    assert_eq!(serial(), 1, "nobody missed anything");
    north_runs.peers.learn_more(&south.domain).await.unwrap();
    assert_eq!(serial(), 2);
    // Not again at once, whoever misses what: nobody answers there any more, and it is not noticed.
    south_runs.stop().await;
    north_runs.peers.learn_more(&south.domain).await.unwrap();
    north_runs.stop().await;
}

#[tokio::test]
async fn r20_a_stale_descriptor_is_no_ground_to_connect() {
    let (authorities, mut north, south) = two().await;
    let (north_runs, south) = (north.start(&authorities).await, south.unreachable());
    let now = conclave_server::clock::now();
    let hour = std::time::Duration::from_hours(1);
    let stale = south.describe(1, |descriptor| {
        descriptor.not_before = now - hour * 3;
        descriptor.not_after = now - hour;
    });
    assert!(north_runs.peers.book().accept(&stale, &south.domain, now).await.is_err());
    // South is not reachable for a fresh one.
    assert!(matches!(
        north_runs.peers.channel(&south.domain).await,
        Err(Error::Discovery { .. } | Error::Unreachable { .. })
    ));
}

#[tokio::test]
async fn fed_05_r14_a_server_that_may_only_dial_public_addresses_does_not_find_loopback_ones() {
    let (authorities, mut north, mut south) = two().await;
    north.reach = Reach::Public;
    let (north_runs, _south_runs) = (north.start(&authorities).await, south.start(&authorities).await);
    let refused = north_runs.peers.channel(&south.domain).await.unwrap_err();
    assert!(refused.to_string().contains("private address"), "{refused}");
    // Nor does it dial the endpoints of a descriptor that it knows already.
    let now = conclave_server::clock::now();
    north_runs.peers.book().accept(&south.descriptor, &south.domain, now).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await; // The pause after a failure.
    let refused = north_runs.peers.channel(&south.domain).await.unwrap_err();
    assert!(refused.to_string().contains("private address"), "{refused}");
}

#[tokio::test]
async fn fed_03_the_operator_approves_and_blocks() {
    let (authorities, mut north, mut south) = two().await;
    south.openness = Openness::Approved;
    let (north_runs, south_runs) = (north.start(&authorities).await, south.start(&authorities).await);
    let refused = north_runs.peers.channel(&south.domain).await.unwrap_err();
    assert_eq!(refused.refusal().reason, ErrorReason::PeerNotAllowed, "{refused}");
    let store = south_runs.store();
    let waiting = book::list(&*store).await.unwrap();
    assert_eq!(waiting.len(), 1, "the operator sees who asked");
    book::decide(&*store, &north.domain, Decision::Approved).await.unwrap();
    south_runs.peers.book().reload(None).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await; // The pause after a failure.
    let channel = north_runs.peers.channel(&south.domain).await.unwrap();
    book::decide(&*store, &north.domain, Decision::Blocked).await.unwrap();
    south_runs.peers.book().reload(None).await.unwrap();
    let hello = HelloRequest { descriptor: Some(north.descriptor.clone()) };
    let mut client = DirectoryServiceClient::new(channel);
    assert!(
        client.look_up_user(look_up(&north, &south)).await.is_err(),
        "also on a connection that was open"
    );
    assert!(client.hello(hello).await.is_err());
}
