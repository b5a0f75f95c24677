//! Meetings seen from outside, and links to pass on (spec, chapters 6.3 and 14.2).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

use std::time::Duration;

use conclave_core::{
    device::{
        command::{Command, Door, MeetingAddress, NewMeeting},
        event::{Done, Looked},
    },
    group::Suite,
    identity::address::{Domain, UserAddress},
    meeting::link::Link,
};
use conclave_proto::{client::v1 as api, types::v1 as types};
use conclave_testkit::{
    client::ClientId,
    scenario::{DOMAINS, Scenario},
};
use prost::Message as _;

fn look(scenario: &mut Scenario, who: ClientId, door: Door) -> Looked {
    let done = scenario.federation.ask(who, Command::Look(door)).expect("a look");
    let Done::Looked(looked) = done else { panic!("{done:?}") };
    *looked
}

fn link_for(scenario: &mut Scenario, who: ClientId, meeting: &MeetingAddress, whom: &str) -> Link {
    let (meeting, address) = (meeting.clone(), UserAddress::parse(whom).unwrap());
    let done = scenario.federation.ask(who, Command::LinkFor { meeting, address }).expect("a link");
    let Done::Link(link) = done else { panic!("{done:?}") };
    link
}

#[test]
fn dev_18_a_look_shows_what_record_and_policies_prove() {
    let mut scenario = Scenario::two_inside(Suite::Classical);
    let (alice, carol, meeting) = (scenario.people[0], scenario.people[2], scenario.meeting.clone());
    let by_link = Door::Link(scenario.link.clone());
    let seen = look(&mut scenario, carol, by_link.clone());
    let host = scenario.federation.uri(alice).user().clone();
    assert_eq!(
        (seen.title.as_deref(), &seen.creator, &seen.hosts),
        (Some("Harvest"), &host, &vec![host.clone()])
    );
    assert_eq!((seen.suite, seen.running, seen.locked, seen.ended), (Suite::Classical, true, false, false));
    assert_eq!(seen.organisations[0].0, meeting.hub);
    scenario.federation.ask(alice, Command::Lock { meeting: meeting.clone(), locked: true }).unwrap();
    // Without the secret there is no title, and the rules in force are shown, not the first ones.
    let seen = look(&mut scenario, carol, Door::Address(meeting.clone()));
    assert_eq!((seen.title, seen.locked), (None, true));
    // A server that shows another policy or another meeting's record is not believed.
    let hosted = &scenario.federation.server(DOMAINS[0]).disk().hosted;
    let record = hosted[&meeting.id].record.signed().clone();
    scenario.federation.server_lies(DOMAINS[1], move |path, body| {
        let Ok(mut answer) = api::LookUpMeetingResponse::decode(body.clone()) else { return body };
        if !path.ends_with("/LookUpMeeting") || answer.record.is_none() {
            return body;
        }
        let mut lie = record.clone();
        let signed = lie.signed.as_mut().unwrap();
        let mut record = types::MeetingRecord::decode(signed.payload.clone()).unwrap();
        record.hub = DOMAINS[1].into();
        signed.payload = record.encode_to_vec().into();
        answer.record = Some(lie);
        answer.encode_to_vec().into()
    });
    let request = scenario.federation.command(carol, Command::Look(by_link));
    scenario.federation.run_for(Duration::from_secs(5));
    assert!(matches!(scenario.federation.result(carol, request), Some(Err(_))));
}

#[test]
fn dev_18_a_look_names_an_organisation_that_cannot_be_looked_up() {
    let mut scenario = Scenario::two_inside(Suite::Classical);
    let (carol, meeting) = (scenario.people[2], scenario.meeting.clone());
    scenario.federation.server_lies(DOMAINS[1], move |path, body| {
        let Ok(mut answer) = api::LookUpMeetingResponse::decode(body.clone()) else { return body };
        if !path.ends_with("/LookUpMeeting") || answer.record.is_none() {
            return body;
        }
        let domains = [DOMAINS[0], DOMAINS[1], "nowhere.example"].map(String::from).to_vec();
        answer.inside = Some(types::Inside { present: 3, domains });
        answer.encode_to_vec().into()
    });
    let by_link = Door::Link(scenario.link.clone());
    let seen = look(&mut scenario, carol, by_link);
    let nowhere = (Domain::parse("nowhere.example").unwrap(), None);
    assert_eq!(seen.organisations.last(), Some(&nowhere));
    let known: Vec<_> = seen.organisations.iter().filter(|(_, law)| law.is_some()).collect();
    assert_eq!(known.iter().map(|(domain, _)| domain.as_str()).collect::<Vec<_>>(), DOMAINS[..2]);
    assert_eq!((known[0].0.clone(), seen.present), (meeting.hub, Some(3)));
}

#[test]
fn dev_19_a_link_leads_to_the_own_server_and_holds_the_secret_where_the_link_admits() {
    let mut scenario = Scenario::two_inside(Suite::Classical);
    let (alice, bob, meeting) = (scenario.people[0], scenario.people[1], scenario.meeting.clone());
    let link = link_for(&mut scenario, alice, &meeting, "dave@west.example");
    assert_eq!(link.to_string(), {
        let own = scenario.link.to_string();
        own.replace("https://north.example/", "https://west.example/")
    });
    // Bob came by the link; a ban changes it, and his is worth nothing then.
    let carol = scenario.people[2];
    scenario.enter(carol);
    assert!(link_for(&mut scenario, bob, &meeting, "dave@west.example").secret.is_some());
    let address = scenario.federation.uri(carol).user().clone();
    scenario.federation.ask(alice, Command::Remove { meeting: meeting.clone(), address }).unwrap();
    scenario.federation.run_for(Duration::from_secs(5));
    assert!(link_for(&mut scenario, bob, &meeting, "dave@west.example").secret.is_none());
    assert!(link_for(&mut scenario, alice, &meeting, "dave@west.example").secret.is_some());
    // Where no link admits, none is handed out.
    let new = NewMeeting {
        title: "No link".into(),
        starts_ms: 1_000,
        length_s: 1_800,
        lobby: false,
        link: false,
        guests: false,
        open_domains: Vec::new(),
        suite: Suite::Classical,
    };
    let Done::Created { meeting, .. } = scenario.federation.ask(alice, Command::CreateMeeting(new)).unwrap()
    else {
        panic!("a meeting")
    };
    assert!(link_for(&mut scenario, alice, &meeting, "dave@west.example").secret.is_none());
    let seen = look(&mut scenario, alice, Door::Address(meeting));
    assert_eq!((seen.starts_ms, seen.length_s), (1_000, 1_800));
}
