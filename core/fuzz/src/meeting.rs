//! Entries of the log and policies.

use conclave_core::{
    identity::address::UserAddress,
    meeting::{
        log::Entry,
        policy::{Policy, Rules},
    },
};
use conclave_proto::types::v1::{self as wire, EntryKind};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::{Target, Verdict};

/// The targets of this module.
pub const TARGETS: &[Target] = &[
    Target { name: "entries", run: entries, honest: honest_entries, authentic: false },
    Target { name: "policies", run: policies, honest: honest_policies, authentic: false },
];

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
