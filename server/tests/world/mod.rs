//! Two organisations with a server and a person each, and what tests wait for in their meetings.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)] // Tests may panic, each uses its part.

use conclave_core::{
    device::{
        command::{Command, Door, MeetingAddress, NewMeeting},
        event::{CallEvent, Done, Event, Invited, Over, Roster},
    },
    group::Suite,
};
use conclave_server::server::Running;

use crate::{
    organisation::{Authorities, Organisation},
    person::Person,
};

pub struct World {
    pub authorities: Authorities,
    pub north: Organisation,
    pub south: Organisation,
    pub north_runs: Running,
    pub south_runs: Running,
    pub alice: Person,
    pub bob: Person,
}

impl World {
    pub async fn new() -> Self {
        let _already = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let authorities = Authorities::new();
        let mut north = Organisation::new("north", 10, &authorities).await;
        let mut south = Organisation::new("south", 20, &authorities).await;
        let (north_runs, south_runs) = (north.start(&authorities).await, south.start(&authorities).await);
        let alice = Person::new(&north, &north_runs, "alice").await;
        let bob = Person::new(&south, &south_runs, "bob").await;
        Self { authorities, north, south, north_runs, south_runs, alice, bob }
    }

    pub async fn restart_north(mut self) -> Self {
        self.north_runs.stop().await;
        self.north_runs = self.north.start(&self.authorities).await;
        self
    }

    pub async fn restart_south(mut self) -> Self {
        self.south_runs.stop().await;
        self.south_runs = self.south.start(&self.authorities).await;
        self
    }

    pub async fn stop(self) {
        self.north_runs.stop().await;
        self.south_runs.stop().await;
    }

    /// Alice makes a meeting and invites bob, who gets the invitation over both servers.
    pub async fn invited(&mut self, lobby: bool) -> (MeetingAddress, Invited) {
        let new = NewMeeting {
            title: "Plans".to_owned(),
            starts_ms: 0,
            length_s: 0,
            lobby,
            link: true,
            guests: false,
            open_domains: vec![],
            suite: Suite::Classical,
        };
        let Done::Created { meeting, .. } = self.alice.run(Command::CreateMeeting(new)).await else {
            panic!("no meeting")
        };
        let addresses = vec![self.bob.address.clone()];
        let invite = Command::Invite { meeting: meeting.clone(), addresses };
        let Done::Invited { devices: 1, .. } = self.alice.run(invite).await else {
            panic!("bob has no device")
        };
        self.bob.ask(Command::Receive { follow: true });
        let invitation = self.bob.until(|event| match event {
            Event::Invited(invited) => Some(invited.clone()),
            _ => None,
        });
        (meeting, invitation.await)
    }

    /// Both are in the room.
    pub async fn met(&mut self) -> MeetingAddress {
        let (meeting, invitation) = self.invited(false).await;
        self.alice.run(Command::Join(Door::Address(meeting.clone()))).await;
        self.bob.run(Command::Join(Door::Link(invitation.link))).await;
        let here = self.alice.until_call(roster_of(2)).await;
        let there = self.bob.until_call(roster_of(2)).await;
        assert_eq!(here.verification_code, there.verification_code);
        meeting
    }
}

pub fn roster_of(count: usize) -> impl FnMut(&CallEvent) -> Option<Roster> {
    move |event| match event {
        CallEvent::Roster(roster) if roster.members.len() == count => Some(roster.clone()),
        CallEvent::Over(over) => panic!("{over:?}"),
        _ => None,
    }
}

pub fn over(event: &CallEvent) -> Option<Over> {
    match event {
        CallEvent::Over(over) => Some(over.clone()),
        _ => None,
    }
}

pub fn say(meeting: &MeetingAddress, text: &str) -> Command {
    Command::Chat { meeting: meeting.clone(), text: text.to_owned() }
}

/// Everything said up to `last`, in the order in which the device tells it.
pub async fn heard(person: &mut Person, last: &str) -> Vec<String> {
    let mut all = Vec::new();
    person
        .until_call(|event| {
            let CallEvent::Chat { text, .. } = event else { return None };
            all.push(text.clone());
            (text == last).then_some(())
        })
        .await;
    all
}
