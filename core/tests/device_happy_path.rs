//! Two organisations, and everything that people do in a meeting, with the real machines of devices, hubs and followers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.
#![allow(clippy::needless_pass_by_value, clippy::items_after_statements)] // Scenarios read better so.

use std::time::Duration;

use conclave_core::{
    device::{
        command::{Command, Door, MeetingAddress, NewMeeting},
        event::{Done, Over},
    },
    group::Suite,
    ids::{SessionNumber, TrackNumber},
    media::track::{Codec, Kind, Layer, TrackLayer},
    meeting::link::Link,
};
use conclave_testkit::{client::ClientId, federation::Federation, link::Conditions};

const NORTH: &str = "north.example";
const SOUTH: &str = "south.example";

fn new_meeting(lobby: bool, link: bool) -> Command {
    Command::CreateMeeting(NewMeeting {
        title: "Harvest".into(),
        starts_ms: 0,
        length_s: 0,
        lobby,
        link,
        guests: false,
        open_domains: Vec::new(),
        suite: Suite::Classical,
    })
}

struct Stage {
    federation: Federation,
    alice: ClientId,
    bob: ClientId,
    meeting: MeetingAddress,
    link: Option<Link>,
}

/// Alice at the hub, Bob at the follower, and a meeting of Alice's.
fn stage(lobby: bool) -> Stage {
    let mut federation = Federation::new(7, Conditions::GOOD, &[NORTH, SOUTH]);
    let alice = federation.sign_in("alice", NORTH);
    let bob = federation.sign_in("bob", SOUTH);
    let created = federation.ask(alice, new_meeting(lobby, true)).unwrap();
    let Done::Created { meeting, link } = created else { panic!("{created:?}") };
    Stage { federation, alice, bob, meeting, link }
}

impl Stage {
    fn by_address(&self) -> Door {
        Door::Address(self.meeting.clone())
    }

    fn by_link(&self) -> Door {
        Door::Link(self.link.clone().unwrap())
    }

    fn join(&mut self, who: ClientId, door: Door) {
        let joined = self.federation.ask(who, Command::Join(door));
        assert!(joined.is_ok(), "{joined:?}");
    }

    fn do_it(&mut self, who: ClientId, command: Command) {
        let done = self.federation.ask(who, command.clone());
        assert!(done.is_ok(), "{command:?}: {done:?}");
    }

    fn settle(&mut self) {
        self.federation.run_for(Duration::from_secs(5));
    }

    fn address(&self, who: ClientId) -> conclave_core::identity::address::UserAddress {
        self.federation.uri(who).user().clone()
    }

    /// All of them see the same room.
    fn agree(&self, inside: &[ClientId]) {
        let first = self.federation.diary(inside[0], &self.meeting).roster.clone().unwrap();
        let uris: Vec<_> = inside.iter().map(|who| self.federation.uri(*who)).collect();
        for who in inside {
            let diary = self.federation.diary(*who, &self.meeting);
            assert!(diary.alarms.is_empty(), "{:?}", diary.alarms);
            let roster = diary.roster.as_ref().unwrap();
            assert_eq!(roster.epoch, first.epoch);
            assert_eq!(roster.verification_code, first.verification_code);
            assert_eq!(diary.devices(), uris.iter().cloned().collect());
        }
    }

    /// One frame from one to the other.
    fn frame(&mut self, from: ClientId, to: ClientId, number: u32) -> bool {
        let now = self.federation.now();
        let track = TrackLayer {
            number: TrackNumber(number),
            kind: Kind::Audio,
            codec: Codec::Opus,
            layer: Layer::BASE,
        };
        let mut sealed = Vec::new();
        let meeting = &self.meeting;
        let sender = self.federation.client_mut(from).diaries.get_mut(meeting).unwrap();
        sender.sealer.seal(now, track, b"a word", &mut sealed).unwrap();
        let sender = self.federation.uri(from);
        let receiver = self.federation.client_mut(to).diaries.get_mut(meeting).unwrap();
        let opened = receiver.opener.open(now, Codec::Opus, &sealed);
        opened.is_ok_and(|opened| opened.frame == b"a word" && *opened.device == sender)
    }

    fn both_inside() -> Self {
        let mut stage = stage(false);
        let (alice, bob) = (stage.alice, stage.bob);
        stage.join(alice, stage.by_address());
        stage.join(bob, stage.by_link());
        stage.settle();
        stage.agree(&[alice, bob]);
        stage
    }
}

#[test]
fn an_invited_person_of_another_organisation_enters_and_both_agree() {
    let mut stage = stage(false);
    let (alice, bob) = (stage.alice, stage.bob);
    stage.join(alice, stage.by_address());
    let invite = Command::Invite { meeting: stage.meeting.clone(), addresses: vec![stage.address(bob)] };
    let invited = stage.federation.ask(alice, invite).unwrap();
    assert!(
        matches!(invited, Done::Invited { devices: 1, ref unreachable } if unreachable.is_empty()),
        "{invited:?}"
    );
    stage.settle();
    stage.do_it(bob, Command::Receive { follow: false });
    let invited = stage.federation.client(bob).invited[0].clone();
    assert_eq!(invited.title, "Harvest");
    assert_eq!(invited.meeting, stage.meeting);
    stage.join(bob, stage.by_address());
    stage.settle();
    stage.agree(&[alice, bob]);
    assert!(stage.frame(alice, bob, 1));
    assert!(stage.frame(bob, alice, 2));
}

#[test]
fn dev_08_chat_comes_once_and_in_order() {
    let mut stage = Stage::both_inside();
    let (alice, bob) = (stage.alice, stage.bob);
    for n in 0..5 {
        for who in [alice, bob] {
            let text = format!("{} {n}", stage.address(who).name());
            stage.federation.command(who, Command::Chat { meeting: stage.meeting.clone(), text });
        }
    }
    stage.settle();
    for (who, other) in [(alice, bob), (bob, alice)] {
        let name = stage.address(other).name().to_owned();
        let texts = stage.federation.diary(who, &stage.meeting).texts();
        let from_other: Vec<_> = texts.into_iter().filter(|text| text.starts_with(&name)).collect();
        assert_eq!(from_other, (0..5).map(|n| format!("{name} {n}")).collect::<Vec<_>>());
    }
}

#[test]
fn a_host_admits_or_denies_who_waits() {
    let mut stage = stage(true);
    let (alice, bob) = (stage.alice, stage.bob);
    let carol = stage.federation.sign_in("carol", SOUTH);
    stage.join(alice, stage.by_address());
    for who in [bob, carol] {
        stage.federation.command(who, Command::Join(stage.by_link()));
    }
    stage.settle();
    assert!(!stage.federation.diary(bob, &stage.meeting).is_inside());
    let waiting = stage.federation.diary(alice, &stage.meeting).waiting.clone();
    let (bob_uri, carol_uri) = (stage.federation.uri(bob), stage.federation.uri(carol));
    assert_eq!(waiting, [bob_uri.clone(), carol_uri.clone()].into());
    let meeting = stage.meeting.clone();
    stage.do_it(alice, Command::Admit { meeting: meeting.clone(), device: bob_uri, admitted: true });
    stage.do_it(alice, Command::Admit { meeting: meeting.clone(), device: carol_uri, admitted: false });
    stage.settle();
    stage.agree(&[alice, bob]);
    assert_eq!(stage.federation.diary(carol, &meeting).over, Some(Over::Denied));
    assert!(stage.federation.diary(alice, &meeting).waiting.is_empty());
}

#[test]
fn a_link_for_somebody_leads_to_their_own_server() {
    let mut stage = stage(false);
    let (alice, bob) = (stage.alice, stage.bob);
    let (meeting, address) = (stage.meeting.clone(), stage.address(bob));
    let done = stage.federation.ask(alice, Command::LinkFor { meeting: meeting.clone(), address }).unwrap();
    let Done::Link(link) = done else { panic!("{done:?}") };
    assert!(link.to_string().starts_with("https://south.example/m/"), "{link}");
    stage.join(alice, stage.by_address());
    stage.join(bob, Door::Link(link));
    stage.settle();
    stage.agree(&[alice, bob]);
    // Bob knows the link now, and passes it on.
    let address = stage.address(alice);
    assert!(stage.federation.ask(bob, Command::LinkFor { meeting, address }).is_ok());
}

#[test]
fn dev_25_whom_a_host_let_in_does_not_wait_again() {
    let mut stage = stage(true);
    let (alice, bob) = (stage.alice, stage.bob);
    let carol = stage.federation.sign_in("carol", SOUTH);
    stage.join(alice, stage.by_address());
    let meeting = stage.meeting.clone();
    stage.federation.command(bob, Command::Join(stage.by_link()));
    stage.settle();
    let device = stage.federation.uri(bob);
    stage.do_it(alice, Command::Admit { meeting: meeting.clone(), device, admitted: true });
    stage.settle();
    stage.agree(&[alice, bob]);
    // The page is loaded anew.
    stage.federation.crash_client(bob);
    stage.join(bob, stage.by_link());
    stage.settle();
    stage.agree(&[alice, bob]);
    // Nobody else comes in by that, and not even he once he is sent out.
    stage.federation.command(carol, Command::Join(stage.by_link()));
    stage.settle();
    assert!(!stage.federation.diary(carol, &meeting).is_inside());
    let address = stage.address(bob);
    stage.do_it(alice, Command::Remove { meeting: meeting.clone(), address });
    stage.settle();
    assert!(stage.federation.ask(bob, Command::Join(stage.by_address())).is_err());
}

#[test]
fn a_host_who_comes_later_sees_who_waits() {
    let mut stage = stage(true);
    let (alice, bob) = (stage.alice, stage.bob);
    stage.federation.command(bob, Command::Join(stage.by_link()));
    stage.settle();
    stage.join(alice, stage.by_address());
    stage.settle();
    let bob_uri = stage.federation.uri(bob);
    assert_eq!(stage.federation.diary(bob, &stage.meeting).over, None);
    assert_eq!(stage.federation.diary(alice, &stage.meeting).session, Some(SessionNumber(1)));
    assert!(stage.federation.diary(alice, &stage.meeting).waiting.contains(&bob_uri));
    let meeting = stage.meeting.clone();
    stage.do_it(alice, Command::Admit { meeting, device: bob_uri, admitted: true });
    stage.settle();
    stage.agree(&[alice, bob]);
}

#[test]
fn c16_a_removed_person_gets_no_new_keys_and_comes_back_by_nothing() {
    let mut stage = stage(false);
    let (alice, bob) = (stage.alice, stage.bob);
    let carol = stage.federation.sign_in("carol", NORTH);
    stage.join(alice, stage.by_address());
    let addresses = vec![stage.address(bob)];
    stage.do_it(alice, Command::Invite { meeting: stage.meeting.clone(), addresses });
    stage.settle();
    stage.do_it(bob, Command::Receive { follow: false });
    stage.join(bob, stage.by_address());
    stage.join(carol, stage.by_link());
    stage.settle();
    stage.agree(&[alice, bob, carol]);
    let meeting = stage.meeting.clone();
    let before = stage.federation.diary(bob, &meeting).epoch();
    stage.do_it(alice, Command::Remove { meeting: meeting.clone(), address: stage.address(bob) });
    stage.settle();
    stage.agree(&[alice, carol]);
    assert_eq!(stage.federation.diary(bob, &meeting).over, Some(Over::Removed));
    assert_eq!(
        stage.federation.diary(bob, &meeting).keys.last().map(conclave_core::media::EpochKeys::epoch),
        before
    );
    assert!(stage.federation.diary(alice, &meeting).epoch() > before);
    assert!(stage.frame(alice, carol, 1));
    assert!(!stage.frame(alice, bob, 2));
    // By the token, by the link, and with a second device by either.
    let second = stage.federation.sign_in("bob", SOUTH);
    for who in [bob, second] {
        for door in [stage.by_address(), stage.by_link()] {
            let refused = stage.federation.ask(who, Command::Join(door)).unwrap_err();
            let reason = refused.reason();
            use conclave_proto::types::v1::ErrorReason as R;
            assert!(matches!(reason, R::Banned | R::NoAdmission), "{reason:?}");
        }
    }
    stage.settle();
    stage.agree(&[alice, carol]);
    assert!(stage.federation.diary(alice, &meeting).refused_attempts > 0);
}

#[test]
fn a_locked_meeting_takes_nobody_until_it_is_opened() {
    let mut stage = stage(false);
    let (alice, bob) = (stage.alice, stage.bob);
    stage.join(alice, stage.by_address());
    let meeting = stage.meeting.clone();
    stage.do_it(alice, Command::Lock { meeting: meeting.clone(), locked: true });
    let refused = stage.federation.ask(bob, Command::Join(stage.by_link())).unwrap_err();
    assert_eq!(refused.reason(), conclave_proto::types::v1::ErrorReason::Locked);
    stage.do_it(alice, Command::Lock { meeting, locked: false });
    stage.join(bob, stage.by_link());
    stage.settle();
    stage.agree(&[alice, bob]);
}

#[test]
fn mtg_35_a_device_that_starts_anew_comes_back_into_a_locked_meeting() {
    let mut stage = Stage::both_inside();
    let (alice, bob) = (stage.alice, stage.bob);
    let meeting = stage.meeting.clone();
    let carol = stage.federation.sign_in("carol", SOUTH);
    stage.do_it(alice, Command::Lock { meeting: meeting.clone(), locked: true });
    for _ in 0..2 {
        stage.federation.crash_client(bob);
        stage.join(bob, stage.by_link());
        stage.settle();
        stage.agree(&[alice, bob]);
        assert!(stage.frame(alice, bob, 5));
    }
    let refused = stage.federation.ask(carol, Command::Join(stage.by_link())).unwrap_err();
    assert_eq!(refused.reason(), conclave_proto::types::v1::ErrorReason::Locked);
    // Once he counts as gone, he is new as anybody else.
    stage.federation.crash_client(bob);
    stage.federation.run_for(Duration::from_mins(1));
    stage.agree(&[alice]);
    let refused = stage.federation.ask(bob, Command::Join(stage.by_link())).unwrap_err();
    assert_eq!(refused.reason(), conclave_proto::types::v1::ErrorReason::Locked);
}

#[test]
fn a_leave_is_answered_by_a_remove_and_all_may_meet_again() {
    let mut stage = Stage::both_inside();
    let (alice, bob) = (stage.alice, stage.bob);
    let meeting = stage.meeting.clone();
    stage.do_it(bob, Command::Leave(meeting.clone()));
    stage.settle();
    assert_eq!(stage.federation.diary(bob, &meeting).over, Some(Over::Left));
    stage.agree(&[alice]);
    // Back in the same session.
    stage.join(bob, stage.by_link());
    stage.settle();
    stage.agree(&[alice, bob]);
    assert_eq!(stage.federation.diary(bob, &meeting).session, Some(SessionNumber(1)));
    // All go; the next one founds session 2.
    stage.do_it(alice, Command::Leave(meeting.clone()));
    stage.settle();
    stage.agree(&[bob]);
    stage.do_it(bob, Command::Leave(meeting.clone()));
    stage.settle();
    stage.join(bob, stage.by_link());
    stage.join(alice, stage.by_address());
    stage.settle();
    stage.agree(&[alice, bob]);
    assert_eq!(stage.federation.diary(alice, &meeting).session, Some(SessionNumber(2)));
    assert!(stage.frame(bob, alice, 3));
}

#[test]
fn an_ended_meeting_is_over_for_all_and_for_good() {
    let mut stage = Stage::both_inside();
    let (alice, bob) = (stage.alice, stage.bob);
    let meeting = stage.meeting.clone();
    stage.do_it(alice, Command::End(meeting.clone()));
    stage.settle();
    for who in [alice, bob] {
        assert_eq!(stage.federation.diary(who, &meeting).over, Some(Over::Ended));
        let refused = stage.federation.ask(who, Command::Join(stage.by_link())).unwrap_err();
        assert_eq!(refused.reason(), conclave_proto::types::v1::ErrorReason::Ended);
    }
}
