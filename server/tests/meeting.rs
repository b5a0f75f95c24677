//! Meetings across two real servers with real devices: create, invite, join, chat, go, come back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // Tests may panic.

mod organisation;
mod person;
mod world;

use conclave_core::{
    device::{
        command::{Command, Door},
        event::{CallEvent, Done, Event, Looked, Over, Standing},
    },
    identity::address::DeviceUri,
    meeting::log::{Entry, Kind},
};
use conclave_server::{account::devices, meeting::journal::Stored, store::schema};
use person::Person;
use world::{World, heard, over, roster_of, say};

/// With the last device of an organisation its server follows no more; with the next one it follows again.
#[tokio::test]
async fn log_13_the_last_of_an_organisation_leaves_and_comes_back() {
    let mut world = World::new().await;
    let (meeting, invitation) = world.invited(false).await;
    world.alice.run(Command::Join(Door::Address(meeting.clone()))).await;
    for round in ["one", "two", "three"] {
        world.bob.run(Command::Join(Door::Link(invitation.link.clone()))).await;
        world.alice.until_call(roster_of(2)).await;
        world.bob.until_call(roster_of(2)).await;
        world.alice.run(say(&meeting, round)).await;
        assert_eq!(heard(&mut world.bob, round).await, [round], "nothing from before he came");
        world.bob.run(Command::Leave(meeting.clone())).await;
        world.bob.until_call(over).await;
        world.alice.until_call(roster_of(1)).await;
    }
    world.stop().await;
}

#[tokio::test]
async fn two_organisations_create_invite_join_chat_and_leave() {
    let mut world = World::new().await;
    let meeting = world.met().await;
    world.alice.run(say(&meeting, "hello south")).await;
    assert_eq!(heard(&mut world.bob, "hello south").await, ["hello south"]);
    world.bob.run(say(&meeting, "hello north")).await;
    assert_eq!(heard(&mut world.alice, "hello north").await, ["hello south", "hello north"]);
    world.bob.run(Command::Leave(meeting.clone())).await;
    world.alice.until_call(roster_of(1)).await;
    world.stop().await;
}

/// Both ways over two servers, and nothing of it on either disk but the finished lines.
#[tokio::test]
async fn log_19_dev_17_text_is_there_as_it_is_typed_and_only_finished_lines_are_stored() {
    let mut world = World::new().await;
    let meeting = world.met().await;
    let type_in =
        |text: &str, done| Command::Type { meeting: meeting.clone(), line: 1, text: text.to_owned(), done };
    let messages = async |world: &World| {
        let mut all = Vec::new();
        for store in [world.north_runs.store(), world.south_runs.store()] {
            let range = schema::Key::area(schema::Area::Log).range();
            let rows = schema::list::<Stored>(&*store, range, usize::MAX).await.unwrap();
            let entries = rows.into_iter().filter_map(|(_, row)| Entry::parse(&row.entry?).ok());
            all.push(entries.filter(|entry| !is_of_the_group(entry.header().kind)).count());
        }
        all
    };
    world.alice.run(type_in("he", false)).await;
    assert_eq!(typed(&mut world.bob).await, ("he".to_owned(), false));
    world.bob.run(type_in("hello back", false)).await;
    assert_eq!(typed(&mut world.alice).await, ("hello back".to_owned(), false));
    assert_eq!(messages(&world).await, [0, 0]);
    world.alice.run(type_in("hello", true)).await;
    assert_eq!(typed(&mut world.bob).await, ("hello".to_owned(), true));
    assert_eq!(messages(&world).await, [1, 1]);
    world.stop().await;
}

/// However much is said meanwhile: her typing keeps his server busy more often than it looks after those who are gone.
#[tokio::test]
async fn fed_15_who_vanishes_is_told_away_while_others_type() {
    let mut world = World::new().await;
    let meeting = world.met().await;
    world.bob.crash();
    let mut pace = tokio::time::interval(conclave_core::limits::TYPING_INTERVAL);
    let is_away =
        |event: &Event| matches!(event, Event::Call { event: CallEvent::Away { away: true, .. }, .. });
    let told = async {
        for typed in 1_u64.. {
            pace.tick().await;
            let text = format!("so {typed}");
            world.alice.ask(Command::Type { meeting: meeting.clone(), line: 1, text, done: false });
            if world.alice.told().iter().any(is_away) {
                return;
            }
        }
    };
    tokio::time::timeout(person::SOON, told).await.expect("nobody says that he is away");
    world.stop().await;
}

fn is_of_the_group(kind: Kind) -> bool {
    matches!(kind, Kind::Join | Kind::Commit | Kind::Confirm)
}

async fn typed(person: &mut Person) -> (String, bool) {
    let line = person.until_call(|event| match event {
        CallEvent::Typing { text, done, .. } => Some((text.clone(), *done)),
        _ => None,
    });
    line.await
}

/// Who could ask to enter is told how many are inside and of which organisations; whoever could not is told nothing of it.
#[tokio::test]
async fn mtg_34_a_look_from_outside_tells_organisations_to_those_who_could_enter() {
    let mut world = World::new().await;
    let (meeting, invitation) = world.invited(true).await;
    let mut eve = Person::new(&world.south, &world.south_runs, "eve").await;
    let by_link = Door::Link(invitation.link.clone());
    let nobody = look(&mut eve, by_link.clone()).await;
    assert_eq!((nobody.present, nobody.running, nobody.title.as_deref()), (None, false, Some("Plans")));
    world.alice.run(Command::Join(Door::Address(meeting.clone()))).await;
    world.bob.run(Command::Join(by_link.clone())).await;
    world.alice.until_call(roster_of(2)).await;
    let own = [&world.north.domain, &world.south.domain];
    // By the link she would wait; bob has a token, and alice is at the hub.
    for (person, door) in [
        (&mut eve, by_link.clone()),
        (&mut world.bob, Door::Address(meeting.clone())),
        (&mut world.alice, Door::Address(meeting.clone())),
    ] {
        let seen = look(person, door).await;
        let domains: Vec<_> = seen.organisations.iter().map(|(domain, _)| domain).collect();
        assert_eq!((seen.present, domains), (Some(2), own.to_vec()), "{}", person.address);
        assert!(
            seen.organisations.iter().all(|(_, law)| law.as_ref().is_some_and(|law| law.len() == 2)),
            "{:?}",
            seen.organisations
        );
    }
    let without = look(&mut eve, Door::Address(meeting.clone())).await;
    let domains: Vec<_> = without.organisations.iter().map(|(domain, _)| domain.clone()).collect();
    assert_eq!((without.present, without.running, domains), (None, true, vec![world.north.domain.clone()]));
    world.alice.run(Command::Remove { meeting, address: world.bob.address.clone() }).await;
    world.alice.until_call(roster_of(1)).await;
    assert_eq!(look(&mut world.bob, by_link).await.present, None, "a ban outranks all evidence");
    world.stop().await;
}

async fn look(person: &mut Person, door: Door) -> Looked {
    match person.run(Command::Look(door)).await {
        Done::Looked(looked) => *looked,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn hands_and_requests_to_be_silent_cross_servers() {
    let mut world = World::new().await;
    let meeting = world.met().await;
    world.bob.run(Command::RaiseHand { meeting: meeting.clone(), raised: true }).await;
    let (device, raised) = hand(&mut world.alice).await;
    assert!(raised && *device.user() == world.bob.address);
    world.alice.run(Command::LowerHand { meeting: meeting.clone(), device: device.clone() }).await;
    let mut seen = [hand(&mut world.bob).await, hand(&mut world.bob).await];
    seen.sort_by_key(|(_, raised)| !raised);
    assert_eq!(seen, [(device.clone(), true), (device.clone(), false)]);
    world.alice.run(Command::AskMute { meeting, device }).await;
    let muted = world.bob.until_call(|event| match event {
        CallEvent::MutedBy(by) => Some(by.user().clone()),
        _ => None,
    });
    assert_eq!(muted.await, world.alice.address);
    world.stop().await;
}

async fn hand(person: &mut Person) -> (DeviceUri, bool) {
    let hand = person.until_call(|event| match event {
        CallEvent::Hand { device, raised } => Some((device.clone(), raised.is_some())),
        _ => None,
    });
    hand.await
}

#[tokio::test]
async fn a_removed_person_gets_no_more_of_the_log() {
    let mut world = World::new().await;
    let meeting = world.met().await;
    let address = world.bob.address.clone();
    world.alice.run(Command::Remove { meeting: meeting.clone(), address }).await;
    assert_eq!(world.bob.until_call(over).await, Over::Removed);
    world.alice.until_call(roster_of(1)).await;
    // What is said afterwards is in alice's log and not told to bob, who may not come back either.
    world.alice.run(say(&meeting, "alone now")).await;
    heard(&mut world.alice, "alone now").await;
    world.bob.try_run(Command::Join(Door::Address(meeting))).await.unwrap_err();
    let told = world.bob.told();
    let chats =
        told.iter().filter(|event| matches!(event, Event::Call { event: CallEvent::Chat { .. }, .. }));
    assert_eq!(chats.count(), 0);
    world.stop().await;
}

#[tokio::test]
async fn fed_12_f7_both_servers_are_stopped_and_started_and_the_talk_goes_on() {
    let mut world = World::new().await;
    let meeting = world.met().await;
    world.alice.run(say(&meeting, "one")).await;
    world = world.restart_south().await;
    world.alice.run(say(&meeting, "two")).await;
    world = world.restart_north().await;
    world.alice.run(say(&meeting, "three")).await;
    world.bob.run(say(&meeting, "four")).await;
    for person in [&mut world.alice, &mut world.bob] {
        assert_eq!(heard(person, "four").await, ["one", "two", "three", "four"], "{}", person.address);
    }
    world.stop().await;
}

/// The first sitting is over when the second runs; what a follower says of the one must not touch the other.
#[tokio::test]
async fn f7_a_second_sitting_goes_on_after_a_restart() {
    let mut world = World::new().await;
    let meeting = world.met().await;
    world.bob.run(Command::Leave(meeting.clone())).await;
    assert_eq!(world.bob.until_call(over).await, Over::Left);
    world.alice.run(Command::Leave(meeting.clone())).await;
    assert_eq!(world.alice.until_call(over).await, Over::Left);
    world.alice.run(Command::Join(Door::Address(meeting.clone()))).await;
    world.bob.run(Command::Join(Door::Address(meeting.clone()))).await;
    world.bob.until_call(roster_of(2)).await;
    world = world.restart_south().await;
    world.bob.run(say(&meeting, "one")).await;
    world.alice.run(say(&meeting, "two")).await;
    assert_eq!(heard(&mut world.bob, "two").await, ["one", "two"]);
    world.stop().await;
}

#[tokio::test]
async fn who_waits_in_the_lobby_learns_nothing_but_that_until_a_host_opens() {
    let mut world = World::new().await;
    let (meeting, invitation) = world.invited(true).await;
    world.alice.run(Command::Join(Door::Address(meeting.clone()))).await;
    world.alice.run(say(&meeting, "before")).await;
    // Eve has the link and no token: with the lobby on she waits.
    let mut eve = Person::new(&world.south, &world.south_runs, "eve").await;
    let join = eve.ask(Command::Join(Door::Link(invitation.link)));
    eve.until_call(|event| matches!(event, CallEvent::Standing(Standing::Waiting)).then_some(())).await;
    let waits: DeviceUri = world
        .alice
        .until_call(|event| match event {
            CallEvent::Waiting(device) => Some(device.clone()),
            _ => None,
        })
        .await;
    assert_eq!(*waits.user(), eve.address);
    world.alice.run(say(&meeting, "while she waits")).await;
    heard(&mut world.alice, "while she waits").await;
    let told: Vec<_> = eve.told().into_iter().filter(|event| !is_standing(event)).collect();
    assert!(told.is_empty(), "{told:?}");
    world.alice.run(Command::Admit { meeting: meeting.clone(), device: waits, admitted: true }).await;
    eve.answer(join).await.unwrap();
    eve.until_call(roster_of(2)).await;
    world.alice.run(say(&meeting, "after")).await;
    assert_eq!(heard(&mut eve, "after").await, ["after"]);
    world.stop().await;
}

fn is_standing(event: &Event) -> bool {
    matches!(event, Event::Call { event: CallEvent::Standing(_), .. })
}

/// What an operator does to an account or its sessions takes its devices out of the meetings that run.
async fn an_operator_takes_bob_out(change: impl AsyncFnOnce(&World)) {
    let mut world = World::new().await;
    let meeting = world.met().await;
    change(&world).await;
    world.alice.until_call(roster_of(1)).await;
    assert!(matches!(world.bob.until_call(over).await, Over::Refused(_) | Over::Removed));
    world.alice.run(say(&meeting, "alone now")).await;
    heard(&mut world.alice, "alone now").await;
    assert!(!world.bob.told().iter().any(is_chat));
    world.stop().await;
}

fn is_chat(event: &Event) -> bool {
    matches!(event, Event::Call { event: CallEvent::Chat { .. }, .. })
}

#[tokio::test]
async fn fed_14_a_disabled_account_is_taken_out_of_its_meetings() {
    an_operator_takes_bob_out(async |world| {
        let accounts = world.south.accounts(&world.south_runs);
        accounts.set_disabled("bob", true).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn fed_14_a_session_that_an_operator_ends_is_taken_out_of_its_meetings() {
    an_operator_takes_bob_out(async |world| {
        // As a new password does it: the account stays, its devices are signed out.
        let ended = devices::sign_out_everywhere(&*world.south_runs.store(), &world.bob.address).await;
        assert_eq!(ended, Ok(1));
    })
    .await;
}

#[tokio::test]
async fn fed_14_what_an_operator_ended_while_the_server_was_down_counts_when_it_is_up() {
    let mut world = World::new().await;
    world.met().await;
    world.south_runs.stop().await;
    let ended = devices::sign_out_everywhere(&*world.south.store(), &world.bob.address).await;
    assert_eq!(ended, Ok(1));
    world.south_runs = world.south.start(&world.authorities).await;
    world.alice.until_call(roster_of(1)).await;
    world.stop().await;
}

/// Nobody can let her in again: what she was is lost, the session over, and she founds the next one.
#[tokio::test]
async fn mtg_33_who_crashes_alone_in_a_room_comes_back() {
    let mut world = World::new().await;
    let (meeting, _) = world.invited(false).await;
    world.alice.run(Command::Join(Door::Address(meeting.clone()))).await;
    world.alice.crash();
    world.alice.run(Command::Join(Door::Address(meeting.clone()))).await;
    world.alice.until_call(roster_of(1)).await;
    world.alice.run(say(&meeting, "again")).await;
    assert_eq!(heard(&mut world.alice, "again").await, ["again"]);
    world.stop().await;
}
