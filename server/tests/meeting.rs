//! Meetings across two real servers with real devices: create, invite, join, chat, go, come back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // Tests may panic.

mod organisation;
mod person;

use conclave_core::{
    device::{
        command::{Command, Door, MeetingAddress, NewMeeting},
        event::{CallEvent, Done, Event, Invited, Over, Roster},
    },
    group::Suite,
};
use conclave_server::server::Running;
use organisation::{Authorities, Organisation};
use person::Person;

struct World {
    authorities: Authorities,
    north: Organisation,
    south: Organisation,
    north_runs: Running,
    south_runs: Running,
    alice: Person,
    bob: Person,
}

async fn world() -> World {
    let _already = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
    let authorities = Authorities::new();
    let mut north = Organisation::new("north", 10, &authorities).await;
    let mut south = Organisation::new("south", 20, &authorities).await;
    let (north_runs, south_runs) = (north.start(&authorities).await, south.start(&authorities).await);
    let alice = Person::new(&north, &north_runs.store(), "alice").await;
    let bob = Person::new(&south, &south_runs.store(), "bob").await;
    World { authorities, north, south, north_runs, south_runs, alice, bob }
}

fn plain_meeting() -> NewMeeting {
    NewMeeting {
        title: "Plans".to_owned(),
        starts_ms: 0,
        lobby: false,
        link: true,
        guests: false,
        open_domains: vec![],
        suite: Suite::Classical,
    }
}

/// Alice makes a meeting and invites bob, who gets the invitation over both servers.
async fn invited(world: &mut World) -> (MeetingAddress, Invited) {
    let Done::Created { meeting, .. } = world.alice.run(Command::CreateMeeting(plain_meeting())).await else {
        panic!("no meeting")
    };
    let bob = conclave_core::identity::address::UserAddress::parse(&format!("bob@{}", world.south.domain));
    let invite = Command::Invite { meeting: meeting.clone(), addresses: vec![bob.unwrap()] };
    let Done::Invited { devices: 1, .. } = world.alice.run(invite).await else { panic!("bob has no device") };
    world.bob.run(Command::Receive { follow: true }).await;
    let invitation = world
        .bob
        .until(|event| match event {
            Event::Invited(invited) => Some(invited.clone()),
            _ => None,
        })
        .await;
    (meeting, invitation)
}

fn roster_of(count: usize) -> impl FnMut(&CallEvent) -> Option<Roster> {
    move |event| match event {
        CallEvent::Roster(roster) if roster.members.len() == count => Some(roster.clone()),
        CallEvent::Over(over) => panic!("{over:?}"),
        _ => None,
    }
}

fn chat(text: &'static str) -> impl FnMut(&CallEvent) -> Option<()> {
    move |event| match event {
        CallEvent::Chat { text: said, .. } => {
            assert_eq!(said, text);
            Some(())
        }
        _ => None,
    }
}

/// Both are in the room.
async fn met(world: &mut World) -> MeetingAddress {
    let (meeting, invitation) = invited(world).await;
    world.alice.run(Command::Join(Door::Address(meeting.clone()))).await;
    world.alice.until_call(roster_of(1)).await;
    world.bob.run(Command::Join(Door::Link(invitation.link))).await;
    let (here, there) =
        tokio::join!(world.alice.until_call(roster_of(2)), world.bob.until_call(roster_of(2)));
    assert_eq!(here.verification_code, there.verification_code);
    meeting
}

#[tokio::test]
async fn two_organisations_create_invite_join_and_chat() {
    let mut world = world().await;
    let meeting = met(&mut world).await;
    let say = |text: &str| Command::Chat { meeting: meeting.clone(), text: text.to_owned() };
    world.alice.run(say("hello south")).await;
    world.bob.until_call(chat("hello south")).await;
    world.bob.run(say("hello north")).await;
    world.alice.until_call(chat("hello north")).await;
    world.bob.run(Command::Leave(meeting.clone())).await;
    world.alice.until_call(roster_of(1)).await;
    world.north_runs.stop().await;
    world.south_runs.stop().await;
}

#[tokio::test]
async fn a_removed_person_gets_no_more_of_the_log() {
    let mut world = world().await;
    let meeting = met(&mut world).await;
    let address =
        conclave_core::identity::address::UserAddress::parse(&format!("bob@{}", world.south.domain));
    world.alice.run(Command::Remove { meeting: meeting.clone(), address: address.unwrap() }).await;
    let over = world.bob.until_call(|event| match event {
        CallEvent::Over(over) => Some(over.clone()),
        _ => None,
    });
    assert_eq!(over.await, Over::Removed);
    world.alice.until_call(roster_of(1)).await;
}

#[tokio::test]
async fn f7_both_servers_are_stopped_and_started_and_the_talk_goes_on() {
    let mut world = world().await;
    let meeting = met(&mut world).await;
    let say = |text: &str| Command::Chat { meeting: meeting.clone(), text: text.to_owned() };
    world.alice.run(say("one")).await;
    world.bob.until_call(chat("one")).await;
    world.south_runs.stop().await;
    world.south_runs = world.south.start(&world.authorities).await;
    world.alice.run(say("two")).await;
    world.bob.until_call(chat("two")).await;
    world.north_runs.stop().await;
    world.north_runs = world.north.start(&world.authorities).await;
    world.alice.run(say("three")).await;
    world.bob.until_call(chat("three")).await;
    world.bob.run(say("four")).await;
    world.alice.until_call(chat("four")).await;
}
