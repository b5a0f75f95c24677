//! What stays of a person on a device: nothing after signing out; invitations and good links until then.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

use std::time::Duration;

use conclave_core::{
    device::{
        Error,
        command::{Command, Door, MeetingAddress, NewMeeting},
        event::{Done, Meeting, Over},
    },
    group::Suite,
    limits,
    meeting::link::Link,
};
use conclave_testkit::{client::ClientId, federation::Federation, link::Conditions};

const NORTH: &str = "north.example";
const SOUTH: &str = "south.example";
const SESSION: Duration = Duration::from_hours(30 * 24);
const SIGN_OUT: Command = Command::SignOut { device: None, everywhere: false };

struct Stage {
    federation: Federation,
    alice: ClientId,
    bob: ClientId,
    meeting: MeetingAddress,
    link: Link,
}

impl Stage {
    /// Alice in the north with a meeting, and Bob in the south.
    fn new() -> Self {
        Self::planned(0)
    }

    fn planned(starts_ms: u64) -> Self {
        let mut federation = Federation::new(11, Conditions::GOOD, &[NORTH, SOUTH]);
        let alice = federation.sign_in("alice", NORTH);
        let bob = federation.sign_in("bob", SOUTH);
        let new = NewMeeting {
            title: "Harvest".into(),
            starts_ms,
            length_s: 3_600,
            lobby: false,
            link: true,
            guests: false,
            open_domains: Vec::new(),
            suite: Suite::Classical,
        };
        let created = federation.ask(alice, Command::CreateMeeting(new)).unwrap();
        let Done::Created { meeting, link: Some(link) } = created else { panic!("{created:?}") };
        Self { federation, alice, bob, meeting, link }
    }

    fn join(&mut self, who: ClientId, door: Door) {
        self.federation.ask(who, Command::Join(door)).unwrap();
        self.federation.run_for(Duration::from_secs(5));
    }

    fn invite_bob(&mut self) {
        let addresses = vec![self.federation.uri(self.bob).user().clone()];
        self.federation
            .ask(self.alice, Command::Invite { meeting: self.meeting.clone(), addresses })
            .unwrap();
        self.federation.run_for(Duration::from_secs(5));
        self.federation.ask(self.bob, Command::Receive { follow: false }).unwrap();
    }

    fn meetings(&mut self, who: ClientId) -> Vec<Meeting> {
        let listed = self.federation.ask(who, Command::ListMeetings).unwrap();
        let Done::Meetings(meetings) = listed else { panic!("{listed:?}") };
        meetings
    }

    fn sign_in(&mut self, who: ClientId, user: &str, domain: &str) {
        let sign_in = self.federation.account(user, domain);
        self.federation.ask(who, sign_in).unwrap();
    }

    /// What the profile holds.
    fn kept(&self, who: ClientId) -> Vec<&str> {
        self.federation.client(who).profile().keys().map(String::as_str).collect()
    }

    /// The server forgets every session of this device.
    fn forgotten(&mut self, who: ClientId) {
        let uri = self.federation.uri(who);
        self.federation.server_mut(NORTH).disk_mut().devices.retain(|_, device| device.uri != uri);
    }
}

#[test]
fn dev_29_after_signing_out_nothing_of_the_person_is_left() {
    let mut stage = Stage::new();
    let (alice, meeting) = (stage.alice, stage.meeting.clone());
    let listening = stage.federation.command(alice, Command::Receive { follow: true });
    stage.join(alice, Door::Address(meeting.clone()));
    assert_eq!(stage.kept(alice).len(), 4, "{:?}", stage.kept(alice));
    let done = stage.federation.ask(alice, SIGN_OUT).unwrap();
    assert!(matches!(done, Done::SignedOut(1)), "{done:?}");
    assert_eq!(stage.kept(alice), ["pins"]);
    assert_eq!(stage.federation.diary(alice, &meeting).over, Some(Over::Left));
    assert!(matches!(stage.federation.result(alice, listening), Some(Ok(Done::Plain))));
    stage.sign_in(alice, "carol", NORTH);
    assert!(stage.meetings(alice).is_empty());
    let link = Command::LinkFor { meeting, address: stage.federation.uri(stage.bob).user().clone() };
    assert_eq!(stage.federation.ask(alice, link).unwrap_err(), Error::NoLink);
}

#[test]
fn dev_29_a_device_whose_session_was_ended_elsewhere_forgets_all_when_it_hears_of_it() {
    let mut stage = Stage::new();
    let (alice, meeting) = (stage.alice, stage.meeting.clone());
    stage.join(alice, Door::Address(meeting.clone()));
    let other = stage.federation.sign_in("alice", NORTH);
    let device = Some(stage.federation.uri(alice));
    stage.federation.ask(other, Command::SignOut { device, everywhere: false }).unwrap();
    assert_eq!(stage.federation.ask(alice, Command::ListMeetings).unwrap_err().to_string(), {
        let own = Command::ListMeetings;
        stage.federation.ask(alice, own).unwrap_err().to_string()
    });
    assert_eq!(stage.federation.client(alice).signed_out, 1);
    assert_eq!(stage.kept(alice), ["pins"]);
    assert_eq!(stage.federation.diary(alice, &meeting).over, Some(Over::Refused(Error::NotSignedIn)));
    // And the one that is still signed in is.
    assert!(stage.federation.client(other).uri().is_some());
    stage.meetings(other);
}

#[test]
fn dev_29_signing_out_works_where_the_server_knows_of_no_session() {
    let mut stage = Stage::new();
    let alice = stage.alice;
    stage.forgotten(alice);
    let done = stage.federation.ask(alice, SIGN_OUT).unwrap();
    assert!(matches!(done, Done::SignedOut(0)), "{done:?}");
    assert_eq!(stage.kept(alice), ["pins"]);
    assert_eq!(stage.federation.client(alice).signed_out, 0);
}

#[test]
fn dev_29_after_a_session_that_ran_out_its_user_finds_the_meetings_again_and_nobody_else_does() {
    let mut stage = Stage::new();
    let alice = stage.alice;
    stage.federation.run_for(SESSION + Duration::from_secs(1));
    stage.forgotten(alice);
    stage.federation.ask(alice, Command::ListMeetings).unwrap_err();
    assert_eq!(stage.federation.client(alice).signed_out, 1);
    stage.federation.crash_client(alice);
    stage.sign_in(alice, "alice", NORTH);
    assert_eq!(stage.meetings(alice)[0].title.as_deref(), Some("Harvest"));
    stage.federation.run_for(SESSION + Duration::from_secs(1));
    stage.forgotten(alice);
    stage.federation.ask(alice, Command::ListMeetings).unwrap_err();
    stage.sign_in(alice, "carol", NORTH);
    assert_eq!(stage.kept(alice), ["account", "pins", "sealing"]);
}

#[test]
fn dev_30_an_invitation_is_listed_until_it_is_answered() {
    let mut stage = Stage::new();
    let (bob, meeting) = (stage.bob, stage.meeting.clone());
    assert!(stage.meetings(bob).is_empty());
    stage.invite_bob();
    for dismissed in [false, true] {
        stage.federation.crash_client(bob);
        let listed = stage.meetings(bob).remove(0);
        assert_eq!((&listed.address, listed.title.as_deref()), (&meeting, Some("Harvest")));
        let invited = listed.invited.unwrap();
        assert_eq!((invited.by.to_string().as_str(), invited.dismissed), ("alice@north.example", dismissed));
        stage.federation.ask(bob, Command::Dismiss(meeting.clone())).unwrap();
    }
    let alice = stage.alice;
    stage.join(alice, Door::Address(meeting.clone()));
    stage.join(bob, Door::Address(meeting));
    // From here on it is for the server to list it.
    assert!(stage.meetings(bob).is_empty());
}

#[test]
fn dev_30_an_invitation_is_listed_until_its_time_is_over() {
    let mut stage = Stage::new();
    stage.invite_bob();
    let bob = stage.bob;
    stage.federation.run_for(limits::INVITATION_LIFETIME.saturating_sub(Duration::from_mins(1)));
    assert_eq!(stage.meetings(bob).len(), 1);
    stage.federation.run_for(Duration::from_mins(2));
    assert!(stage.meetings(bob).is_empty());
    // What is planned stays until its end.
    let starts = stage.federation.now() + Duration::from_hours(20 * 24);
    let mut stage = Stage::planned(starts.as_ms());
    stage.invite_bob();
    let left = starts.since(stage.federation.now());
    stage.federation.run_for(left + Duration::from_mins(59));
    assert_eq!(stage.meetings(bob)[0].starts_ms, starts.as_ms());
    stage.federation.run_for(Duration::from_mins(2));
    assert!(stage.meetings(bob).is_empty());
}

#[test]
fn dev_31_after_a_removal_a_host_who_comes_again_by_the_old_link_still_has_the_new_one() {
    let mut stage = Stage::new();
    let (alice, bob, old) = (stage.alice, stage.bob, stage.link.clone());
    let meeting = stage.meeting.clone();
    let carol = stage.federation.sign_in("carol", NORTH);
    for who in [alice, bob, carol] {
        stage.join(who, Door::Link(old.clone()));
        let told = stage.federation.diary(who, &meeting).link.clone().unwrap();
        assert_eq!(told.secret.unwrap().as_bytes(), old.secret.as_ref().unwrap().as_bytes());
    }
    let address = stage.federation.uri(carol).user().clone();
    stage.federation.ask(alice, Command::Remove { meeting: meeting.clone(), address }).unwrap();
    stage.federation.run_for(Duration::from_secs(5));
    let new = stage.federation.diary(alice, &meeting).link.clone().unwrap();
    assert_ne!(new.secret.as_ref().unwrap().as_bytes(), old.secret.as_ref().unwrap().as_bytes());
    assert!(stage.federation.diary(bob, &meeting).link.is_none(), "his link is worth nothing now");
    assert!(stage.meetings(bob).iter().all(|meeting| meeting.link.is_none()));
    // The page of the host is loaded anew, with the old link as its address.
    stage.federation.crash_client(alice);
    stage.join(alice, Door::Link(old.clone()));
    let again = stage.federation.diary(alice, &meeting).link.clone().unwrap();
    assert_eq!(again.to_string(), new.to_string());
    assert_eq!(stage.meetings(alice)[0].link.as_ref().unwrap().to_string(), new.to_string());
    let dave = stage.federation.sign_in("dave", SOUTH);
    stage.federation.ask(dave, Command::Join(Door::Link(old))).unwrap_err();
    stage.join(dave, Door::Link(again));
    assert!(stage.federation.diary(dave, &meeting).is_inside());
}
