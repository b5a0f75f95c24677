//! A log that was tampered with, forked or cut, and kinds that are not known yet.

use std::time::Duration;

use conclave_core::{
    ids::Sequence,
    limits,
    meeting::{
        Error,
        aside::Aside,
        commit_rules::Annotations,
        follower::{Follower, Input, Output},
        hub,
        log::{self, Entry, Head, Kind},
        policy::PolicyChain,
        room,
    },
};
use conclave_proto::types::v1::{self as wire, ErrorReason};
use prost::{Message, bytes::Bytes};
use sha2::{Digest, Sha256};

use crate::world::{ALICE, BOB, World, signer};

fn follower(world: &World) -> Follower {
    let chain = PolicyChain::start(world.record());
    Follower::new(world.record().clone(), chain, world.session(), signer(&world.south))
}

fn give(world: &World, follower: &mut Follower, entries: &[Entry]) -> Result<(), Error> {
    let wire: Vec<_> = entries.iter().map(Entry::to_wire).collect();
    let head = world.hub.sign_head(entries.last().unwrap());
    follower.handle(world.now, &world.pins, &Input::Entries { entries: wire, head })
}

/// The same entry with another header, as a hub could write it.
fn rewritten(entry: &Entry, change: impl FnOnce(&mut wire::EntryHeader)) -> Entry {
    let mut wire = entry.to_wire();
    let mut header = wire::EntryHeader::decode(wire.header.clone()).unwrap();
    change(&mut header);
    wire.header = header.encode_to_vec().into();
    Entry::parse(&wire).unwrap()
}

#[test]
fn log_04_entries_in_pieces_twice_and_with_gaps() {
    let mut world = World::running();
    world.say(ALICE, b"hello").unwrap();
    let mut follower = follower(&world);
    let entries = world.entries.clone();
    give(&world, &mut follower, &entries[..2]).unwrap();
    assert_eq!(follower.next_sequence(), Sequence(3));
    let gap = give(&world, &mut follower, &entries[3..]).unwrap_err();
    assert_eq!(gap, Error::Log(log::Error::Gap { due: Sequence(3), got: Sequence(4) }));
    assert!(!follower.has_stopped(), "a gap is asked for again");
    give(&world, &mut follower, &entries).unwrap();
    give(&world, &mut follower, &entries[1..]).unwrap();
    assert_eq!(follower.room().tip(), world.room().tip());
    let mut taken = Vec::new();
    while let Some(output) = follower.poll() {
        if let Output::Append { entries, .. } = output {
            taken.extend(entries);
        }
    }
    assert_eq!(taken, entries, "each once");
}

#[test]
fn log_03_a_content_is_the_one_that_its_header_names() {
    let world = World::running();
    let mut wire = world.entries[0].to_wire();
    let mut content = wire.content.to_vec();
    content[10] ^= 1;
    wire.content = content.into();
    assert_eq!(Entry::parse(&wire).unwrap_err(), log::Error::ContentHash(Sequence(1)));
}

#[test]
fn log_02_a_changed_header_breaks_the_chain() {
    let world = World::running();
    let entries = world.entries.clone();
    let mut follower = follower(&world);
    let mut forged = entries.clone();
    forged[1] = rewritten(&entries[1], |header| header.time_ms += 1);
    let error = give(&world, &mut follower, &forged).unwrap_err();
    assert_eq!(error, Error::Log(log::Error::BrokenChain(Sequence(3))));
    assert_eq!(error.reason(), ErrorReason::LogBroken);
    assert!(follower.has_stopped());
    let after = give(&world, &mut follower, &entries).unwrap_err();
    assert_eq!(after, Error::Room(room::Error::HubMisbehaved));
}

#[test]
fn log_07_only_the_hubs_head_over_the_last_entry_counts() {
    let world = World::running();
    let wire: Vec<_> = world.entries.iter().map(Entry::to_wire).collect();
    let try_head = |head: wire::ServerSigned| {
        let input = Input::Entries { entries: wire.clone(), head };
        follower(&world).handle(world.now, &world.pins, &input)
    };
    let last = world.entries.last().unwrap();
    let earlier = world.hub.sign_head(&world.entries[0]);
    assert_eq!(try_head(earlier), Err(Error::Log(log::Error::Head)));
    let by_south = Head::of(last).sign(&signer(&world.south));
    assert_eq!(try_head(by_south.clone()).unwrap_err().reason(), ErrorReason::WrongDomain);
    let lying = wire::ServerSigned { domain: "north.example".into(), ..by_south };
    assert_eq!(try_head(lying).unwrap_err().reason(), ErrorReason::BadSignature);
    try_head(world.hub.sign_head(last)).unwrap();
}

#[test]
fn log_17_two_histories_are_evidence() {
    let mut world = World::running();
    let mut here = follower(&world);
    let common = world.entries.clone();
    give(&world, &mut here, &common).unwrap();
    while here.poll().is_some() {}
    world.say(ALICE, b"to the one").unwrap();
    give(&world, &mut here, &world.entries[common.len()..]).unwrap();
    while here.poll().is_some() {}
    let other = rewritten(world.entries.last().unwrap(), |header| header.time_ms += 1);
    let error = give(&world, &mut here, &[other]).unwrap_err();
    assert_eq!(error, Error::Log(log::Error::Fork(world.room().tip().sequence)));
    assert!(here.has_stopped());
    let Some(Output::Evidence { known, other }) = here.poll() else { panic!("no evidence") };
    let head = |signed: &wire::ServerSigned| {
        wire::Head::decode(signed.signed.as_ref().unwrap().payload.clone()).unwrap()
    };
    assert_eq!(head(&known).sequence, head(&other).sequence);
    assert_ne!(head(&known).entry_hash, head(&other).entry_hash);
}

#[test]
fn log_08_a_hub_cannot_write_what_nobody_signed() {
    let world = World::running();
    let entries = world.entries.clone();
    // The epoch, the author, a session that is not this one.
    let cases: [fn(&mut wire::EntryHeader); 4] = [
        |header| header.epoch = 9,
        |header| header.author_domain = "west.example".into(),
        |header| header.session = 2,
        |header| header.kind = wire::EntryKind::Leave.into(),
    ];
    for change in cases {
        let mut follower = follower(&world);
        give(&world, &mut follower, &entries[..1]).unwrap();
        let bad = rewritten(&entries[1], change);
        give(&world, &mut follower, &[bad]).unwrap_err();
        assert!(follower.has_stopped());
        assert_eq!(follower.next_sequence(), Sequence(2));
    }
}

#[test]
fn log_05_unknown_kinds_are_carried_and_hashed_and_do_nothing() {
    let world = World::running();
    let mut follower = follower(&world);
    give(&world, &mut follower, &world.entries).unwrap();
    while follower.poll().is_some() {}
    let (tip, epoch) = (follower.room().tip(), follower.room().epoch());
    for (place, kind) in [9, 14, 99].into_iter().enumerate() {
        let content = Bytes::from_static(b"from the future");
        let header = wire::EntryHeader {
            sequence: tip.sequence.0 + 1 + place as u64,
            previous_hash: Bytes::copy_from_slice(follower.room().tip().hash.as_bytes()),
            kind,
            epoch: epoch.0,
            submission_id: vec![0xE0 + u8::try_from(place).unwrap(); 16].into(),
            content_hash: Sha256::digest(&content).to_vec().into(),
            ..wire::EntryHeader::decode(world.entries.last().unwrap().to_wire().header).unwrap()
        };
        let entry = wire::Entry { header: header.encode_to_vec().into(), content, attachment: Bytes::new() };
        let entry = Entry::parse(&entry).unwrap();
        assert_eq!(entry.header().kind, Kind::Unknown(kind));
        give(&world, &mut follower, &[entry]).unwrap();
        let Some(Output::Append { effects, entries, .. }) = follower.poll() else { panic!("carried") };
        assert_eq!((effects.len(), entries.len()), (0, 1));
        while follower.poll().is_some() {}
    }
    assert_eq!(follower.room().epoch(), epoch);
    assert_eq!(follower.next_sequence().0, tip.sequence.0 + 4);
}

#[test]
fn log_05_devices_cannot_submit_unknown_kinds_or_hub_kinds() {
    let mut world = World::running();
    for kind in [Kind::Unknown(9), Kind::Void, Kind::Withdraw] {
        let error = world.submit(ALICE, kind, vec![1]).unwrap_err();
        assert_eq!(error.reason(), ErrorReason::Malformed);
    }
}

#[test]
fn log_10_messages_are_for_this_epoch_or_the_last() {
    let mut world = World::running();
    let early = world.devices[BOB].member.as_mut().unwrap().seal(b"early").unwrap();
    for _ in 0..2 {
        let plan = conclave_core::group::CommitPlan { self_update: true, ..Default::default() };
        world.commit(ALICE, plan, &Annotations::default()).unwrap();
        world.pass(Duration::from_secs(1));
    }
    let error = world.submit(BOB, Kind::Message, early).unwrap_err();
    assert_eq!(error, Error::Room(room::Error::WrongEpoch));
    assert!(world.submit(BOB, Kind::Message, vec![0; 100]).is_err());
}

#[test]
fn log_19_what_is_said_in_passing_goes_to_who_listens_and_into_no_log() {
    let mut world = World::running();
    let logged = world.entries.len();
    let sealed = world.devices[BOB].member.as_mut().unwrap().seal(b"typing").unwrap();
    let signed = world.signed(BOB, Kind::Passing, sealed);
    let (south, north) =
        (world.devices[BOB].uri().domain().clone(), world.devices[ALICE].uri().domain().clone());
    assert_eq!(world.hand_in(&south, signed.clone(), vec![]).unwrap().sequence, Sequence(0));
    assert_eq!(world.asides, [Aside::Passing(signed.clone())]);
    assert_eq!(world.entries.len(), logged);
    let taken = |world: &World, aside: Aside| {
        world.follower.as_ref().unwrap().check_aside(world.now, &world.pins, &aside)
    };
    taken(&world, world.asides[0].clone()).unwrap();
    // By another domain, changed on its way, too large, of an epoch long gone, or too fast.
    assert!(world.hand_in(&north, signed.clone(), vec![]).is_err());
    let mut changed = signed.clone();
    changed.signature = vec![7; 64].into();
    assert!(world.hand_in(&south, changed.clone(), vec![]).is_err());
    assert!(taken(&world, Aside::Passing(changed)).is_err());
    let message = world.signed(BOB, Kind::Message, b"for the log".to_vec());
    assert!(taken(&world, Aside::Passing(message)).is_err());
    let large = world.submit(BOB, Kind::Passing, vec![0; limits::PASSING_BYTES]).unwrap_err();
    assert_eq!(large.reason(), ErrorReason::TooLarge);
    assert!(world.submit(BOB, Kind::Passing, vec![0; 100]).is_err());
    let storm = (0..100).filter(|_| world.hand_in(&south, signed.clone(), vec![]).is_ok()).count();
    assert!(storm < usize::try_from(limits::PASSING_BURST).unwrap(), "{storm}");
    world.say(BOB, b"messages have a budget of their own").unwrap();
    // A hub that writes it down is refused by whoever mirrors the log.
    let last = world.entries.last().unwrap().clone();
    let content = Bytes::from(signed.encode_to_vec());
    let header = wire::EntryHeader {
        kind: Kind::Passing.number(),
        submission_id: wire::Submission::decode(signed.payload).unwrap().submission_id,
        content_hash: Sha256::digest(&content).to_vec().into(),
        ..wire::EntryHeader::decode(last.to_wire().header).unwrap()
    };
    let entry = wire::Entry { header: header.encode_to_vec().into(), content, attachment: Bytes::new() };
    let mut mirror = follower(&world);
    let before = world.entries[..world.entries.len() - 1].to_vec();
    give(&world, &mut mirror, &before).unwrap();
    let error = give(&world, &mut mirror, &[Entry::parse(&entry).unwrap()]).unwrap_err();
    assert_eq!(error.reason(), ErrorReason::Malformed);
}

#[test]
fn log_06_each_kind_has_its_largest_size() {
    let mut world = World::running();
    for kind in
        [Kind::Join, Kind::Admit, Kind::Commit, Kind::Confirm, Kind::Leave, Kind::Message, Kind::Passing]
    {
        let error = world.submit(BOB, kind, vec![0; kind.largest_content() + 1]).unwrap_err();
        assert_eq!(error.reason(), ErrorReason::TooLarge, "{kind:?}");
    }
    let mut wire = world.entries[0].to_wire();
    wire.content = vec![0; Kind::Join.largest_content() + 1].into();
    assert_eq!(Entry::parse(&wire).unwrap_err(), log::Error::TooLarge);
}

#[test]
fn log_13_only_domains_with_somebody_there_may_follow() {
    let mut world = World::new();
    world.enter(ALICE, None);
    let (north, south) = (world.north.domain().clone(), world.south.domain().clone());
    let may = |world: &World, domain| world.room().may_follow(domain, world.now);
    assert!(may(&world, &north) && !may(&world, &south));
    let link = world.link_evidence(BOB);
    world.join(BOB, link).unwrap();
    assert!(may(&world, &south), "bob asks to enter");
    world.now = world.now + Duration::from_secs(121);
    assert!(!may(&world, &south), "bob's Join has run out");
    let link = world.link_evidence(BOB);
    world.asks.clear();
    world.join(BOB, link).unwrap();
    world.answer();
    world.leave(BOB);
    assert!(may(&world, &south), "until the commit that removes him");
    world.answer();
    assert!(!may(&world, &south));
}

#[test]
fn log_01_entries_of_one_group_that_follow_one_another_share_a_head() {
    let mut world = World::running();
    assert_eq!(
        world.room().group(),
        log::group_id(&world.record().id(), world.session()),
        "the group follows from meeting and session"
    );
    for text in 0..10_u8 {
        let sealed = world.devices[BOB].member.as_mut().unwrap().seal(&[text]).unwrap();
        let submission = world.signed(BOB, Kind::Message, sealed);
        let ticket = world.ticket();
        let input = hub::Input::Submit {
            ticket,
            from: world.south.domain().clone(),
            submission,
            attachment: Bytes::new(),
        };
        world.hub.handle(world.now, &world.pins, input).unwrap();
    }
    let mut outputs = Vec::new();
    while let Some(output) = world.hub.poll() {
        outputs.push(output);
    }
    assert!(matches!(&outputs[0], hub::Output::Append { entries, .. } if entries.len() == 10));
    assert_eq!(outputs.len(), 11, "one batch, then ten replies");
}

/// A follower takes items of a few megabytes: what one member says at once must come in several.
#[test]
fn log_07_what_is_written_together_is_no_larger_than_a_batch() {
    let mut world = World::running();
    let from = world.devices[ALICE].uri().domain().clone();
    for number in 0..40 {
        let text = vec![number; 60_000];
        let sealed = world.devices[ALICE].member.as_mut().unwrap().seal(&text).unwrap();
        let (submission, ticket) = (world.signed(ALICE, Kind::Message, sealed), world.ticket());
        let input = hub::Input::Submit { ticket, from: from.clone(), submission, attachment: Bytes::new() };
        world.hub.handle(world.now, &world.pins, input).unwrap();
    }
    let batches: Vec<_> = std::iter::from_fn(|| world.hub.poll())
        .filter_map(|output| match output {
            hub::Output::Append { entries, .. } => Some(entries),
            _ => None,
        })
        .collect();
    assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 40);
    assert_eq!(batches.len(), 3, "as few as can be");
    for entries in batches {
        let bytes: usize = entries.iter().map(|entry| entry.content().len()).sum();
        assert!(bytes <= limits::BATCH_BYTES, "{bytes}");
    }
}
