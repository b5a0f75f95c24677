//! Strangers, hostile servers and slow readers at the doors of real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // Tests may panic.

mod organisation;
mod person;
mod world;

use std::time::Duration;

use conclave_core::{
    device::{
        command::{Command, MeetingAddress},
        event::CallEvent,
    },
    identity::address::{DeviceUri, Domain, UserAddress},
    limits,
};
use conclave_proto::{
    client::v1::{
        FetchTreeRequest, LookUpMeetingRequest, ReceiveRequest, SendInvitationsRequest, WatchRequest,
        WatchResponse, invitation_service_client::InvitationServiceClient,
        meeting_service_client::MeetingServiceClient, receive_response, watch_response,
    },
    federation::v1::{
        self as federation, DeliverRequest, Follow, MirrorRequest, MirrorResponse, mirror_request,
        mirror_response, mirror_service_client::MirrorServiceClient,
    },
    types::v1::{ErrorReason, SealedInvitation},
};
use conclave_server::{
    clock, federation::dial::Reach, federation::discovery, random, refusal::Refusal, server::Running,
};
use organisation::{Authorities, Organisation};
use person::{Person, SOON};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tonic::{Code, Status};
use world::{World, heard, say};

/// A third organisation that one of the two knows already.
async fn third(world: &World, knows: &Running) -> (Organisation, Running) {
    let mut west = Organisation::new("west", 30, &world.authorities).await;
    let runs = west.start(&world.authorities).await;
    knows.peers.book().accept(&west.descriptor, &west.domain, clock::now()).await.unwrap();
    (west, runs)
}

/// A 256-bit id that nobody ever gave away.
fn never() -> bytes::Bytes {
    random::bytes::<32>().to_vec().into()
}

fn id(meeting: &MeetingAddress) -> bytes::Bytes {
    meeting.id.as_bytes().to_vec().into()
}

/// All that a caller sees of a refusal.
fn seen(status: &Status) -> (Code, String, Vec<u8>) {
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

#[tokio::test]
async fn c14_what_exists_and_is_not_yours_looks_like_what_never_was() {
    let mut world = World::new().await;
    let meeting = world.met().await;
    let eve = Person::new(&world.south, &world.south_runs, "eve").await;
    let frank = Person::new(&world.north, &world.north_runs, "frank").await;
    let hub = meeting.hub.to_string();
    let watch = |meeting_id: bytes::Bytes| WatchRequest {
        meeting_id,
        hub: hub.clone(),
        session: 1,
        next_sequence: 1,
        ..WatchRequest::default()
    };
    let tree =
        |meeting_id: bytes::Bytes| FetchTreeRequest { meeting_id, hub: hub.clone(), session: 1, epoch: 1 };
    // Eve's server follows the meeting for bob, frank's is its hub; neither tells.
    for stranger in [&eve, &frank] {
        let mut calls = MeetingServiceClient::new(stranger.channel.clone());
        let mut answers = Vec::new();
        for meeting in [never(), id(&meeting)] {
            let watched = calls.watch(stranger.request(watch(meeting.clone()))).await.unwrap_err();
            let fetched = calls.fetch_tree(stranger.request(tree(meeting))).await.unwrap_err();
            answers.push([seen(&watched), seen(&fetched)]);
        }
        assert_eq!(answers[0], answers[1], "{}", stranger.address);
        assert_eq!(answers[0][0].0, Code::NotFound);
    }
    world.stop().await;
}

#[tokio::test]
async fn fed_11_c14_whoever_guesses_is_throttled_and_learns_nothing_from_it() {
    let mut world = World::new().await;
    let (meeting, _) = world.invited(false).await;
    let look_up = |meeting_id: bytes::Bytes| LookUpMeetingRequest {
        meeting_id,
        hub: meeting.hub.to_string(),
        look: None,
    };
    let mut calls = MeetingServiceClient::new(world.bob.channel.clone());
    let mut guesses = 0;
    let refused = loop {
        let refused = calls.look_up_meeting(world.bob.request(look_up(never()))).await.unwrap_err();
        if refused.code() != Code::NotFound {
            break refused;
        }
        guesses += 1;
        assert!(guesses < limits::USER_MISS_BURST + 5, "nobody stops him");
    };
    assert_eq!(Refusal::of_status(&refused).reason, ErrorReason::RateLimited);
    // A right guess is answered as a wrong one.
    let hit = calls.look_up_meeting(world.bob.request(look_up(id(&meeting)))).await.unwrap_err();
    assert_eq!(Refusal::of_status(&hit).reason, ErrorReason::RateLimited);
    // Others are not slowed by it, on either server.
    let eve = Person::new(&world.south, &world.south_runs, "eve").await;
    assert!(calls.look_up_meeting(eve.request(look_up(id(&meeting)))).await.is_ok());
    world.stop().await;
}

#[tokio::test]
async fn fed_11_c14_a_server_that_guesses_is_throttled_on_calls_and_streams_alike() {
    let mut world = World::new().await;
    let meeting = world.met().await;
    let (_west, west_runs) = third(&world, &world.north_runs).await;
    let channel = west_runs.peers.channel(&world.north.domain).await.unwrap();
    let mut mirror = MirrorServiceClient::new(channel.clone());
    let (follow, follows) = tokio::sync::mpsc::channel(8);
    let outgoing = tokio_stream::wrappers::ReceiverStream::new(follows);
    let mut answers = mirror.mirror(outgoing).await.unwrap().into_inner();
    let mut ask = async |meeting_id: bytes::Bytes| {
        let item = Some(mirror_request::Item::Follow(Follow { meeting_id, session: 1, next_sequence: 1 }));
        follow.send(MirrorRequest { item }).await.unwrap();
        let MirrorResponse { item, .. } = answers.message().await.unwrap().unwrap();
        let Some(mirror_response::Item::Refusal(refusal)) = item else { panic!("{item:?}") };
        refusal.reason
    };
    assert_eq!(ask(never()).await, ask(id(&meeting)).await, "west has nobody in it");
    let mut guesses = 2;
    while ask(never()).await == "ERROR_REASON_NOT_FOUND" {
        guesses += 1;
        assert!(guesses < limits::PEER_MISS_BURST + 20, "nobody stops it");
    }
    let mut calls = federation::meeting_service_client::MeetingServiceClient::new(channel);
    let request = federation::LookUpMeetingRequest { meeting_id: id(&meeting), look: None };
    let hit = calls.look_up_meeting(request).await.unwrap_err();
    assert_eq!(Refusal::of_status(&hit).reason, ErrorReason::RateLimited);
    // South goes on.
    world.bob.run(say(&meeting, "still here")).await;
    heard(&mut world.alice, "still here").await;
    west_runs.stop().await;
    world.stop().await;
}

/// A device may name any host as a hub; it does not make its server try them all.
#[tokio::test]
async fn fed_08_a_user_names_only_so_many_hosts_that_nobody_knows() {
    let world = World::new().await;
    let mut calls = MeetingServiceClient::new(world.bob.channel.clone());
    let mut tried = 0;
    let refused = loop {
        let request =
            LookUpMeetingRequest { meeting_id: never(), hub: format!("h{tried}.localhost:1"), look: None };
        let refused = calls.look_up_meeting(world.bob.request(request)).await.unwrap_err();
        let refused = Refusal::of_status(&refused);
        if refused.reason == ErrorReason::RateLimited {
            break refused;
        }
        assert_eq!(refused.reason, ErrorReason::Unavailable);
        tried += 1;
        assert!(tried < 400, "nobody stops him");
    };
    assert!(!refused.retry_after.is_zero());
    world.stop().await;
}

#[tokio::test]
async fn fed_04_r14_a_redirect_is_not_followed() {
    let authorities = Authorities::new();
    let south = Organisation::new("south", 20, &authorities).await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location =
        format!("https://127.0.0.1:{}{}", elsewhere.local_addr().unwrap().port(), discovery::WELL_KNOWN);
    let (domain, acceptor) = (south.domain.clone(), south.acceptor(&[b"http/1.1"]));
    let (public, _) = south.take_listeners();
    let answering = tokio::spawn(async move {
        let (stream, _) = public.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let moved = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(moved.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let discovery = discovery::Discovery::new(&authorities.files(), Reach::Anywhere).unwrap();
    let refused = discovery.fetch(&domain).await.unwrap_err();
    assert!(matches!(refused, discovery::Error::Status(status) if status.as_u16() == 302), "{refused}");
    answering.await.unwrap();
    let called = futures::FutureExt::now_or_never(elsewhere.accept());
    assert!(called.is_none(), "nobody came to where the redirect points");
}

fn invitation(from: &UserAddress, to: &DeviceUri) -> SealedInvitation {
    SealedInvitation {
        invitation_id: random::bytes::<16>().to_vec().into(),
        sender: from.to_string(),
        recipient: to.to_string(),
        encapsulated_key: vec![1; 32].into(),
        ciphertext: vec![2; 64].into(),
        expires_ms: (clock::now() + Duration::from_hours(1)).as_ms(),
    }
}

fn device_of(user: &str, domain: &Domain) -> DeviceUri {
    DeviceUri::new(UserAddress::parse(&format!("{user}@{domain}")).unwrap(), [9; 8])
}

#[tokio::test]
async fn fed_08_r18_invitations_have_a_budget_for_each_server_and_each_target() {
    let world = World::new().await;
    let carol = Person::new(&world.south, &world.south_runs, "carol").await;
    let channel = world.north_runs.peers.channel(&world.south.domain).await.unwrap();
    let mut north = federation::invitation_service_client::InvitationServiceClient::new(channel);
    let (mallory, bob) = (world.alice.address.clone(), world.bob.device().clone());
    let flood = |to: &DeviceUri| DeliverRequest { invitations: vec![invitation(&mallory, to); 1] };
    let mut bounced = 0;
    for _ in 0..limits::TARGET_INVITATION_BURST + 10 {
        bounced += north.deliver(flood(&bob)).await.unwrap().into_inner().bounces.len();
    }
    assert!((8..=10).contains(&bounced), "{bounced} of 10 too many");
    assert!(north.deliver(flood(carol.device())).await.unwrap().into_inner().bounces.is_empty());
    // To people who are not there, until the server's own budget is used up.
    let nobody = device_of("nobody", &world.south.domain);
    let lot = DeliverRequest { invitations: vec![invitation(&mallory, &nobody); 64] };
    let mut lots = 0;
    let refused = loop {
        match north.deliver(lot.clone()).await {
            Ok(_) => lots += 1,
            Err(status) => break Refusal::of_status(&status),
        }
        assert!(lots * 64 < 2 * limits::PEER_INVITATION_BURST, "nobody stops it");
    };
    assert_eq!(refused.reason, ErrorReason::RateLimited);
    assert!(!refused.retry_after.is_zero());
    // Another server's are taken as before.
    let (west, west_runs) = third(&world, &world.south_runs).await;
    let channel = west_runs.peers.channel(&world.south.domain).await.unwrap();
    let mut calls = federation::invitation_service_client::InvitationServiceClient::new(channel);
    let friend = UserAddress::parse(&format!("dora@{}", west.domain)).unwrap();
    let friendly = DeliverRequest { invitations: vec![invitation(&friend, &bob)] };
    assert!(calls.deliver(friendly).await.unwrap().into_inner().bounces.is_empty());
    west_runs.stop().await;
    world.stop().await;
}

#[tokio::test]
async fn fed_10_r1_a_server_brings_invitations_of_its_own_users_to_ours_and_no_others() {
    let world = World::new().await;
    let channel = world.north_runs.peers.channel(&world.south.domain).await.unwrap();
    let mut north = federation::invitation_service_client::InvitationServiceClient::new(channel);
    let (alice, bob) = (world.alice.address.clone(), world.bob.device().clone());
    let elsewhere = Domain::parse("east.example").unwrap();
    let forged = UserAddress::parse(&format!("eve@{elsewhere}")).unwrap();
    for wrong in [invitation(&forged, &bob), invitation(&alice, &device_of("bob", &elsewhere))] {
        let refused = north.deliver(DeliverRequest { invitations: vec![wrong] }).await.unwrap_err();
        assert_eq!(Refusal::of_status(&refused), Refusal::WRONG_DOMAIN);
    }
    let right = DeliverRequest { invitations: vec![invitation(&alice, &bob)] };
    assert!(north.deliver(right).await.unwrap().into_inner().bounces.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn fed_09_f6_a_dead_peer_delays_nobody_else() {
    let world = World::new().await;
    // It takes connections and never says a word.
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let domain = Domain::parse(&format!("dead.localhost:{}", dead.local_addr().unwrap().port())).unwrap();
    let mut calls = InvitationServiceClient::new(world.alice.channel.clone());
    let mut send = async |to: &DeviceUri| {
        let invitations = vec![invitation(&world.alice.address, to)];
        calls.send_invitations(world.alice.request(SendInvitationsRequest { invitations })).await.unwrap();
    };
    send(&device_of("zoe", &domain)).await;
    let (held, _) = timeout(SOON, dead.accept()).await.expect("north tries the dead one").unwrap();
    // While that attempt hangs, bob's comes through.
    send(world.bob.device()).await;
    let mut calls = InvitationServiceClient::new(world.bob.channel.clone());
    let request = world.bob.request(ReceiveRequest { only_waiting: false });
    let mut items = calls.receive(request).await.unwrap().into_inner();
    let item = timeout(SOON, items.message()).await.expect("it does not wait for the dead one");
    assert!(matches!(item.unwrap().unwrap().item, Some(receive_response::Item::Invitation(_))));
    let still = held.try_read(&mut [0; 4096]);
    assert!(matches!(still, Ok(1..)) || still.is_err(), "north still waits for the dead one: {still:?}");
    drop(held);
    world.stop().await;
}

/// The entries of what a Watch stream gives, until it ends.
async fn read_out(items: &mut tonic::Streaming<WatchResponse>, until: u64) -> Vec<u64> {
    let mut sequences = Vec::new();
    while sequences.last().is_none_or(|last| *last < until) {
        let Ok(Ok(Some(item))) = timeout(SOON, items.message()).await else { break };
        let Some(watch_response::Item::Batch(batch)) = item.item else { continue };
        for entry in batch.entries {
            let header = conclave_core::meeting::log::Entry::parse(&entry).unwrap();
            sequences.push(header.sequence().0);
        }
    }
    sequences
}

#[tokio::test]
async fn r13_a_slow_reader_is_cut_off_and_comes_back_by_its_cursor() {
    let mut world = World::new().await;
    let meeting = world.met().await;
    // Bob's device is its own again, with a connection that takes little at a time.
    world.bob.freeze();
    let narrow = person::narrow_channel(&world.south);
    let mut calls = MeetingServiceClient::new(narrow);
    let watch = |next_sequence| {
        let hub = meeting.hub.to_string();
        let request = WatchRequest {
            meeting_id: id(&meeting),
            hub,
            session: 1,
            next_sequence,
            ..WatchRequest::default()
        };
        world.bob.request(request)
    };
    let mut items = calls.watch(watch(1)).await.unwrap().into_inner();
    // He reads nothing while alice says three megabytes, which reach her own log at her own pace.
    let long = "x".repeat(limits::CHAT_CHARACTERS);
    for _ in 0..400 {
        let text = long.clone();
        world.alice.run(Command::Chat { meeting: meeting.clone(), text }).await;
    }
    world.alice.run(say(&meeting, "the end")).await;
    let end = world.alice.until_call(|event| match event {
        CallEvent::Chat { text, sequence, .. } if text == "the end" => Some(sequence.0),
        _ => None,
    });
    let tip = end.await;
    // The server gives up on this stream; what was under way comes, and no more.
    let waited = Instant::now();
    tokio::time::sleep(limits::SLOW_READER + Duration::from_secs(2)).await; // Longer than the server's patience.
    let first = read_out(&mut items, tip).await;
    let cut = *first.last().expect("something was under way");
    assert!(cut < tip, "the stream was not cut: {cut} of {tip} after {:?}", waited.elapsed());
    let bytes = first.len() * limits::CHAT_CHARACTERS;
    assert!(bytes < 2 * 1024 * 1024, "{bytes} bytes were kept for a reader that reads nothing");
    // By its cursor it gets the rest, without a gap and nothing twice.
    let mut items = calls.watch(watch(cut + 1)).await.unwrap().into_inner();
    let rest = read_out(&mut items, tip).await;
    let all: Vec<u64> = first.into_iter().chain(rest).collect();
    let whole: Vec<u64> = (all[0]..=tip).collect();
    assert_eq!(all, whole);
    world.stop().await;
}

/// A TLS server would answer with an alert.
#[tokio::test]
async fn med_18_what_is_not_tls_on_the_public_port_is_media_and_a_stranger_gets_no_answer() {
    let world = World::new().await;
    let mut request = vec![0, 32, 0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    request.extend([7; 12]);
    request.extend(b"\0\x06\0\x07abc:def\0");
    let mut stream = TcpStream::connect(("127.0.0.1", world.north.domain.port())).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _end = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("it stays open");
    assert_eq!(answer, b"");
    Person::new(&world.north, &world.north_runs, "zoe").await;
    world.stop().await;
}
