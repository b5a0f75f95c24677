//! Entries of the log, policies, links, and what insiders sign: records and changes of policy.

use std::cell::LazyCell;

use conclave_core::{
    group::{Identity, Suite},
    identity::{
        address::{Domain, UserAddress},
        pins::Pins,
        signed::{self, Label},
    },
    ids::MeetingId,
    meeting::{
        Trust,
        link::{Link, LinkSecret},
        log::Entry,
        policy::{Policy, PolicyChain, Rules, sign_change},
        record::{NewRecord, Record},
    },
};
use conclave_proto::types::v1::{self as wire, EntryKind};
use conclave_testkit::people::{Organisation, START};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::{Target, Verdict, identity::descriptor};

/// The targets of this module.
pub const TARGETS: &[Target] = &[
    Target { name: "entries", run: entries, honest: honest_entries, authentic: false },
    Target { name: "policies", run: policies, honest: honest_policies, authentic: false },
    Target { name: "links", run: links, honest: honest_links, authentic: false },
    Target { name: "records", run: records, honest: honest_records, authentic: false },
    Target { name: "policy_changes", run: policy_changes, honest: honest_policy_changes, authentic: false },
];

/// Alice, who signs whatever she is given, and what others know of her organisation.
struct World {
    alice: Identity,
    pins: Pins,
    record: Record,
}

thread_local! {
    static WORLD: LazyCell<World> = const { LazyCell::new(World::new) };
}

impl World {
    fn new() -> Self {
        let organisation = Organisation::new("north.example");
        let alice = organisation.device("alice", 1);
        let mut pins = Pins::default();
        pins.accept(&descriptor(&organisation), START).expect("an honest descriptor is accepted");
        let record = record(&alice, organisation.domain().clone());
        Self { alice, pins, record }
    }

    /// Signed by alice's device, whatever it is.
    fn sign(&self, label: Label, payload: &[u8]) -> wire::DeviceSigned {
        wire::DeviceSigned {
            signed: Some(signed::sign(label, payload.to_vec(), self.alice.key())),
            certificate_chain: self.alice.chain().certificates().to_vec(),
        }
    }
}

/// A meeting of this creator into which everybody of `open` may come.
pub(crate) fn record(creator: &Identity, open: Domain) -> Record {
    let mut rules = Rules::for_creator(creator.chain().claimed_uri().user().clone());
    rules.open_domains.insert(open.clone());
    let details = wire::MeetingDetails { title: "Plans".into(), starts_ms: 1, length_s: 60 };
    let new = NewRecord {
        hub: open,
        suite: Suite::Classical,
        rules,
        details: Some((details, &LinkSecret::from_bytes([8; 32]))),
        nonce: [9; 32],
        created: START,
    };
    Record::create(new, creator).expect("an honest record")
}

fn entries(input: &[u8]) -> Verdict {
    let entry = Entry::from_bytes(input.to_vec().into());
    if let Ok(entry) = &entry {
        let again = Entry::from_bytes(entry.to_bytes().into());
        assert_eq!(again.as_ref(), Ok(entry), "an entry does not come back");
    }
    Verdict::of(&entry)
}

fn honest_entries() -> Vec<Vec<u8>> {
    let entry = |sequence, kind: EntryKind, content: Vec<u8>| {
        let header = wire::EntryHeader {
            version: 1,
            meeting_id: vec![1; 32].into(),
            session: 1,
            term: Some(wire::Term { counter: 1, domain: "north.example".into() }),
            sequence,
            group_id: vec![2; 32].into(),
            epoch: 4,
            previous_hash: vec![if sequence == 1 { 0 } else { 3 }; 32].into(),
            time_ms: 1_795_132_800_000,
            kind: kind.into(),
            submission_id: vec![4; 16].into(),
            author_domain: "north.example".into(),
            content_hash: Sha256::digest(&content).to_vec().into(),
        };
        let header = header.encode_to_vec().into();
        wire::Entry { header, content: content.into(), ..wire::Entry::default() }.encode_to_vec()
    };
    vec![
        entry(1, EntryKind::Join, vec![5; 90]),
        entry(2, EntryKind::Message, vec![6; 300]),
        entry(3, EntryKind::Leave, vec![7; 20]),
    ]
}

fn policies(input: &[u8]) -> Verdict {
    let policy = Policy::parse(input.to_vec().into());
    if let Ok(policy) = &policy {
        assert_eq!(policy.bytes().as_ref(), input, "a policy was encoded again");
        let _ = policy.next(policy.rules()).is_ok();
    }
    Verdict::of(&policy)
}

fn honest_policies() -> Vec<Vec<u8>> {
    let alice = UserAddress::parse("alice@north.example").expect("a user address");
    let first = Policy::first(Rules::for_creator(alice)).expect("a creator's policy");
    let mut rules = first.rules().clone();
    rules.banned.insert(UserAddress::parse("guest/m@south.example").expect("a user address"));
    rules.lobby = true;
    let second = first.next(&rules).expect("a changed policy");
    [first, second].map(|policy| policy.bytes().to_vec()).to_vec()
}

fn links(input: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(input) else { return Verdict::Refused };
    let link = Link::parse(text);
    if let Ok(link) = &link {
        assert!(
            Link::parse(&link.to_string()).is_ok_and(|again| again == *link),
            "a link does not come back"
        );
    }
    Verdict::of(&link)
}

fn honest_links() -> Vec<Vec<u8>> {
    let link = Link {
        server: Domain::parse("north.localhost:7443").ok(),
        meeting: MeetingId::from_bytes([9; 32]),
        hub: Domain::parse("south.example").expect("a domain"),
        secret: Some(LinkSecret::from_bytes([5; 32])),
    };
    let address = Link { server: None, secret: None, ..link.clone() };
    [link, address].map(|link| link.to_string().into_bytes()).to_vec()
}

/// A record's payload, signed by an insider.
fn records(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        let record = Record::open(&world.sign(Label::Record, input), Trust::Verify(&world.pins));
        if let Ok(record) = &record {
            let _ = record.details(&LinkSecret::from_bytes([8; 32])).is_ok();
        }
        Verdict::of(&record)
    })
}

fn payload(signed: &wire::DeviceSigned) -> Vec<u8> {
    signed.signed.as_ref().map(|signed| signed.payload.to_vec()).unwrap_or_default()
}

fn honest_records() -> Vec<Vec<u8>> {
    WORLD.with(|world| vec![payload(world.record.signed())])
}

/// A change's payload, signed by an insider.
fn policy_changes(input: &[u8]) -> Verdict {
    WORLD.with(|world| {
        let chain = PolicyChain::start(&world.record);
        Verdict::of(&chain.check_next(&world.sign(Label::Policy, input), Trust::Verify(&world.pins)))
    })
}

fn honest_policy_changes() -> Vec<Vec<u8>> {
    WORLD.with(|world| {
        let first = world.record.policy();
        let mut rules = first.rules().clone();
        rules.locked = true;
        let next = first.next(&rules).expect("a changed policy");
        vec![payload(&sign_change(world.record.id(), &next, &world.alice, START))]
    })
}
