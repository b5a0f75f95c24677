//! People without an account: they come by a link, are marked as guests for everyone, and can do nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // Tests may panic.

mod organisation;
mod person;

use conclave_core::{
    device::{
        Error,
        command::{Command, Door, MeetingAddress, NewMeeting},
        event::{CallEvent, Done, Roster},
    },
    group::Suite,
    identity::{address::UserKind, keys::SigningKey, possession},
    meeting::{
        guest,
        link::{Link, LinkSecret},
        policy::Role,
    },
};
use conclave_proto::{
    client::v1::{
        LookUpMeetingRequest, SignInGuestRequest, account_service_client::AccountServiceClient,
        meeting_service_client::MeetingServiceClient,
    },
    types::v1::ErrorReason,
};
use conclave_server::server::Running;
use organisation::{Authorities, Organisation};
use person::Person;

struct World {
    north: Organisation,
    south: Organisation,
    runs: [Running; 2],
    alice: Person,
    bob: Person,
}

impl World {
    async fn new() -> Self {
        let authorities = Authorities::new();
        let mut north = Organisation::new("north", 10, &authorities).await;
        let mut south = Organisation::new("south", 20, &authorities).await;
        let runs = [north.start(&authorities).await, south.start(&authorities).await];
        let alice = Person::new(&north, &runs[0], "alice").await;
        let bob = Person::new(&south, &runs[1], "bob").await;
        Self { north, south, runs, alice, bob }
    }

    async fn meeting(&mut self, guests: bool) -> (MeetingAddress, Link) {
        let new = NewMeeting {
            title: "Open day".to_owned(),
            starts_ms: 0,
            length_s: 0,
            lobby: false,
            link: true,
            guests,
            open_domains: vec![],
            suite: Suite::Classical,
        };
        match self.alice.run(Command::CreateMeeting(new)).await {
            Done::Created { meeting, link: Some(link) } => (meeting, link),
            other => panic!("{other:?}"),
        }
    }

    async fn stop(self) {
        for runs in self.runs {
            runs.stop().await;
        }
    }
}

fn roster_of(count: usize) -> impl FnMut(&CallEvent) -> Option<Roster> {
    move |event| match event {
        CallEvent::Roster(roster) if roster.members.len() == count => Some(roster.clone()),
        CallEvent::Over(over) => panic!("{over:?}"),
        _ => None,
    }
}

fn said(text: &'static str) -> impl FnMut(&CallEvent) -> Option<()> {
    move |event| matches!(event, CallEvent::Chat { text: said, .. } if said == text).then_some(())
}

fn come(link: &Link, name: &str) -> Command {
    Command::SignInGuest { link: link.clone(), name: name.to_owned() }
}

/// What a device asks that checks nothing.
fn asks(link: &Link, name: &str, organisation: &Organisation) -> SignInGuestRequest {
    let key = SigningKey::from_seed(&[9; 32]);
    let device = guest::device_of(&key.public(), &organisation.domain).unwrap();
    let proof = guest::prove(link.secret.as_ref().unwrap(), &link.meeting, &device);
    SignInGuestRequest {
        display_name: name.to_owned(),
        device_key: key.public().as_bytes().to_vec().into(),
        possession: possession::prove(device.user(), &key).to_vec().into(),
        meeting_id: link.meeting.as_bytes().to_vec().into(),
        hub: link.hub.to_string(),
        link_signature: proof.to_vec().into(),
    }
}

fn refused(result: Result<Done, Error>) -> ErrorReason {
    match result {
        Err(Error::Api(error)) => error.reason,
        other => panic!("not refused: {other:?}"),
    }
}

fn at(link: &Link, organisation: &Organisation) -> Link {
    Link { server: Some(organisation.domain.clone()), ..link.clone() }
}

#[tokio::test]
async fn idn_31_idn_32_a_guest_comes_by_a_link_is_marked_and_talks() {
    let mut world = World::new().await;
    let (meeting, link) = world.meeting(true).await;
    world.alice.run(Command::Join(Door::Address(meeting.clone()))).await;
    world.alice.until_call(roster_of(1)).await;

    let mut visitor = Person::visitor(&world.north);
    let Done::SignedIn(device) = visitor.run(come(&link, "Vera (press)")).await else {
        panic!("not signed in")
    };
    assert_eq!(device.user().kind(), UserKind::Guest);
    visitor.run(Command::Join(Door::Link(link))).await;
    for roster in [world.alice.until_call(roster_of(2)).await, visitor.until_call(roster_of(2)).await] {
        let member = roster.members.iter().find(|member| member.device == device).unwrap();
        assert_eq!((member.display_name.as_str(), member.role), ("Vera (press)", Role::Guest));
    }
    visitor.run(Command::Chat { meeting: meeting.clone(), text: "hello".to_owned() }).await;
    world.alice.until_call(said("hello")).await;
    world.alice.run(Command::Chat { meeting, text: "welcome".to_owned() }).await;
    visitor.until_call(said("welcome")).await;
    world.stop().await;
}

#[tokio::test]
async fn idn_31_a_guest_of_a_follower_meets_those_of_the_hub() {
    let mut world = World::new().await;
    let (meeting, link) = world.meeting(true).await;
    let souths = at(&link, &world.south);
    let mut visitor = Person::visitor(&world.south);
    let early = visitor.try_run(come(&souths, "Vera")).await;
    assert_eq!(refused(early), ErrorReason::NotFound, "nobody of south has been in it: it is not looked for");
    world.alice.run(Command::Join(Door::Address(meeting))).await;
    world.bob.run(Command::Join(Door::Link(link))).await;
    world.bob.until_call(roster_of(2)).await;
    visitor.run(come(&souths, "Vera")).await;
    visitor.run(Command::Join(Door::Link(souths))).await;
    let roster = world.alice.until_call(roster_of(3)).await;
    let guests = roster.members.iter().filter(|member| member.role == Role::Guest);
    let homes: Vec<_> = guests.map(|guest| guest.device.domain().clone()).collect();
    assert_eq!(homes, [world.south.domain.clone()]);
    world.stop().await;
}

#[tokio::test]
async fn idn_31_without_the_link_or_the_hosts_will_nobody_becomes_a_guest() {
    let mut world = World::new().await;
    let (meeting, link) = world.meeting(true).await;
    let (_, closed) = world.meeting(false).await;
    let forged = Link { secret: Some(LinkSecret::from_bytes([7; 32])), ..link.clone() };
    let unknown = Link { meeting: conclave_core::ids::MeetingId::from_bytes([8; 32]), ..link.clone() };
    let mut visitor = Person::visitor(&world.north);
    assert_eq!(refused(visitor.try_run(come(&forged, "Vera")).await), ErrorReason::NotFound);
    assert_eq!(refused(visitor.try_run(come(&unknown, "Vera")).await), ErrorReason::NotFound);
    assert_eq!(refused(visitor.try_run(come(&closed, "Vera")).await), ErrorReason::NoAdmission);
    // Neither the visitor's device lets such a name out, nor the server in.
    let turned = visitor.try_run(come(&link, "\u{202e}areV")).await;
    assert!(matches!(turned, Err(Error::Certificate(_))), "{turned:?}");
    let channel = person::channel(&world.north);
    let answer =
        AccountServiceClient::new(channel).sign_in_guest(asks(&link, "\u{202e}areV", &world.north)).await;
    assert_eq!(answer.unwrap_err().code(), tonic::Code::InvalidArgument);
    world.alice.run(Command::End(meeting)).await;
    assert_eq!(refused(visitor.try_run(come(&link, "Vera")).await), ErrorReason::Ended);
    world.stop().await;
}

#[tokio::test]
async fn idn_32_a_guests_session_is_good_for_its_meeting_alone() {
    let mut world = World::new().await;
    let (_, link) = world.meeting(true).await;
    let (other, other_link) = world.meeting(true).await;
    let mut visitor = Person::visitor(&world.north);
    visitor.run(come(&link, "Vera")).await;
    assert_eq!(refused(visitor.try_run(Command::ListMeetings).await), ErrorReason::NotEntitled);
    assert_eq!(refused(visitor.try_run(Command::ListDevices).await), ErrorReason::NotEntitled);
    let receive = Command::Receive { follow: false };
    assert_eq!(refused(visitor.try_run(receive).await), ErrorReason::NotEntitled);
    // Nor does she have the server ask another hub, in the name of her meeting.
    let request = LookUpMeetingRequest {
        meeting_id: link.meeting.as_bytes().to_vec().into(),
        hub: world.south.domain.to_string(),
        look: None,
    };
    let mut calls = MeetingServiceClient::new(visitor.channel.clone());
    let elsewhere = calls.look_up_meeting(visitor.request(request)).await.unwrap_err();
    assert_eq!(elsewhere.code(), tonic::Code::NotFound);
    assert!(world.runs[0].peers.pins().pin(&world.south.domain).is_none(), "it was not even looked for");
    world.alice.run(Command::Join(Door::Address(other))).await;
    assert_eq!(refused(visitor.try_run(Command::Join(Door::Link(other_link))).await), ErrorReason::NotFound);
    world.stop().await;
}
