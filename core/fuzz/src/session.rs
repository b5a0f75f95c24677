//! A running session: a hub and a member who signs anything, a follower and a hub that signs anything.

use std::{cell::LazyCell, sync::Arc};

use conclave_core::{
    group::{CommitPlan, Identity, Joiner, Member, Suite},
    identity::pins::Pins,
    ids::{GroupId, Sequence, SessionNumber, SubmissionId},
    meeting::{
        commit_rules::Annotations,
        follower::{self, Follower},
        hub::{self, Hub, Stored, Ticket},
        log::{Entry, Head, Kind, ServerSigner, group_id},
        policy::PolicyChain,
        record::Record,
        submission::Submission,
    },
};
use conclave_proto::{client::v1::LogBatch, types::v1 as wire};
use conclave_testkit::people::{Organisation, START};
use prost::{Message, bytes::Bytes};
use sha2::{Digest, Sha256};

use crate::{
    Target, Verdict,
    identity::{descriptor, server_key},
    meeting::record,
};

/// The targets of this module.
pub const TARGETS: &[Target] = &[
    Target { name: "submissions", run: submissions, honest: honest_submissions, authentic: false },
    Target { name: "batches", run: batches, honest: honest_batches, authentic: false },
];

const SESSION: SessionNumber = SessionNumber(1);
/// With so many entries the follower begins; the others come as batches.
const KNOWN: usize = 1;

/// Alice founded the session and let bob in; everything is in the log.
struct World {
    pins: Pins,
    record: Record,
    entries: Vec<Entry>,
    bob: Identity,
    /// What bob may send next.
    next: Vec<Vec<u8>>,
}

thread_local! {
    static WORLD: LazyCell<World> = const { LazyCell::new(World::new) };
}

/// A hub in the making.
struct Making<'a> {
    hub: Hub,
    pins: &'a Pins,
    entries: Vec<Entry>,
    number: u8,
}

impl Making<'_> {
    fn submission(&mut self, kind: Kind, author: &Identity, content: Vec<u8>) -> Submission {
        self.number += 1;
        Submission {
            meeting: self.hub.record().id(),
            session: SESSION,
            id: SubmissionId::from_bytes([self.number; 16]),
            kind,
            device: author.chain().claimed_uri().clone(),
            time: START,
            content: content.into(),
        }
    }

    /// Submits and gives the place in the log.
    fn submit(&mut self, kind: Kind, author: &Identity, content: Vec<u8>, attachment: Vec<u8>) -> Sequence {
        let signed = self.submission(kind, author, content).sign(author);
        hand_in(&mut self.hub, self.pins, signed, attachment.into()).expect("an honest submission");
        while let Some(output) = self.hub.poll() {
            if let hub::Output::Append { entries, .. } = output {
                self.entries.extend(entries);
            }
        }
        self.entries.last().expect("an entry").sequence()
    }

    fn join(&mut self, author: &Identity, group: GroupId, seed: u8) -> (Joiner, Sequence) {
        let joiner =
            Joiner::new(author.clone(), Suite::Classical, group, START, [seed; 32]).expect("a Joiner");
        let join = wire::Join {
            key_package: Bytes::copy_from_slice(joiner.key_package()),
            evidence: None,
            expires_ms: START.as_ms() + 100_000,
        };
        let sequence = self.submit(Kind::Join, author, join.encode_to_vec(), Vec::new());
        (joiner, sequence)
    }
}

fn hand_in(
    hub: &mut Hub,
    pins: &Pins,
    submission: wire::Signed,
    attachment: Bytes,
) -> Result<(), conclave_core::meeting::Error> {
    let from = hub.record().hub().clone();
    hub.handle(START, pins, hub::Input::Submit { ticket: Ticket(1), from, submission, attachment })
}

fn commit(change: wire::commit::Change, welcome: Option<&[u8]>) -> Vec<u8> {
    let welcome_hash = welcome.map(|welcome| Sha256::digest(welcome).to_vec()).unwrap_or_default().into();
    wire::Commit { welcome_hash, change: Some(change) }.encode_to_vec()
}

fn signer() -> ServerSigner {
    let domain = Organisation::new("north.example").domain().clone();
    ServerSigner { domain, key_id: "k1".into(), key: server_key() }
}

impl World {
    fn new() -> Self {
        let organisation = Organisation::new("north.example");
        let mut pins = Pins::default();
        pins.accept(&descriptor(&organisation), START).expect("an honest descriptor is accepted");
        let (alice, bob) = (organisation.device("alice", 1), organisation.device("bob", 2));
        let record = record(&alice, organisation.domain().clone());
        let group = group_id(&record.id(), SESSION);
        let hub = Hub::new(record.clone(), signer());
        let mut making = Making { hub, pins: &pins, entries: Vec::new(), number: 0 };

        making.join(&alice, group, 1);
        let policy = record.policy().bytes();
        let (mut founder, info) =
            Member::found(alice.clone(), Suite::Classical, group, policy, START, [3; 32]).expect("a group");
        let founding = commit(wire::commit::Change::Founding(info.into()), None);
        making.submit(Kind::Commit, &alice, founding, Vec::new());
        let (mut joiner, join) = making.join(&bob, group, 2);
        let annotations =
            Annotations { adds: vec![(join, joiner.key_package_ref(), None)], ..Annotations::default() };
        let adds = vec![joiner.key_package().to_vec()];
        let plan = CommitPlan { adds, annotations: annotations.encode(), ..CommitPlan::default() };
        let draft = founder.commit(plan).expect("a commit");
        let welcome = draft.welcome.expect("a Welcome");
        let adding = commit(wire::commit::Change::Handshake(draft.handshake.into()), Some(&welcome));
        let added = making.submit(Kind::Commit, &alice, adding, welcome.clone());
        founder.merge_own().expect("a merge");
        let mut member = joiner.enter(&welcome, &founder.tree().expect("a tree")).expect("bob enters");

        let confirm = wire::Confirm {
            group_id: Bytes::copy_from_slice(group.as_bytes()),
            epoch: 1,
            accepted: true,
            confirmation_tag: member.confirmation_tag().expect("a tag").into(),
            commit_sequence: added.0,
        };
        let message = member.seal(b"hello").expect("a message");
        let leave = wire::Leave { leaf_index: member.own_leaf().0 };
        let update = member
            .commit(CommitPlan { annotations: Annotations::default().encode(), ..CommitPlan::default() });
        let update = wire::commit::Change::Handshake(update.expect("a commit").handshake.into());
        let next = [
            (Kind::Confirm, confirm.encode_to_vec()),
            (Kind::Message, message),
            (Kind::Leave, leave.encode_to_vec()),
            (Kind::Commit, commit(update, None)),
        ];
        let next =
            next.map(|(kind, content)| making.submission(kind, &bob, content).sign(&bob).payload.to_vec());
        let entries = making.entries;
        Self { record, entries, bob, next: next.to_vec(), pins }
    }
}

/// A submission's payload, signed by a member; a refused one changes nothing.
fn submissions(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        let session = Some((SESSION, Vec::new(), world.entries.clone()));
        let stored = Stored { record: world.record.clone(), session, changes: Vec::new() };
        let mut hub = Hub::restore(stored, signer(), START).expect("a stored session");
        let label = conclave_core::identity::signed::Label::Submission;
        let signed = conclave_core::identity::signed::sign(label, input.to_vec(), world.bob.key());
        let handled = hand_in(&mut hub, &world.pins, signed, Bytes::new());
        let mut appended = false;
        while let Some(output) = hub.poll() {
            appended |= matches!(output, hub::Output::Append { .. } | hub::Output::PolicyStored { .. });
        }
        assert!(handled.is_ok() || !appended, "a refused submission changed something");
        Verdict::of(&handled)
    })
}

fn honest_submissions() -> Vec<Vec<u8>> {
    WORLD.with(|world| world.next.clone())
}

/// Entries whose hashes and head a hostile hub makes fit.
fn batches(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        let Ok(batch) = LogBatch::decode(input) else { return Verdict::Refused };
        let known = world.entries.get(..KNOWN).unwrap_or_default();
        let mut previous = known.last().map(|entry| entry.hash().as_bytes().to_vec()).unwrap_or_default();
        let mut entries = batch.entries;
        let mut last = None;
        for entry in &mut entries {
            let Ok(mut header) = wire::EntryHeader::decode(entry.header.clone()) else { break };
            header.content_hash = Sha256::digest(&entry.content).to_vec().into();
            header.previous_hash = previous.into();
            entry.header = header.encode_to_vec().into();
            last = Entry::parse(entry).ok();
            previous = last.as_ref().map(|entry| entry.hash().as_bytes().to_vec()).unwrap_or_default();
        }
        let Some(last) = last else { return Verdict::Refused };
        let (record, head) = (Arc::new(world.record.clone()), Head::of(&last).sign(&signer()));
        let chain = PolicyChain::start(&record);
        let mut follower =
            Follower::restore(record, chain, SESSION, signer(), known, None).expect("a stored session");
        let handled = follower.handle(START, &world.pins, &follower::Input::Entries { entries, head });
        while follower.poll().is_some() {}
        Verdict::of(&handled)
    })
}

fn honest_batches() -> Vec<Vec<u8>> {
    WORLD.with(|world| {
        let rest = world.entries.get(KNOWN..).unwrap_or_default();
        let entries: Vec<_> = rest.iter().map(Entry::to_wire).collect();
        vec![LogBatch { entries, head: None }.encode_to_vec()]
    })
}
