//! One hub's log as it must be: it only grows, has one commit in an epoch, and adds only who asked.
//!
//! It reads commits by itself, byte by byte, so that it does not share the eyes of the code that it checks.

use std::collections::BTreeMap;

use conclave_core::{
    group::{Suite, key_package},
    identity::address::{DeviceUri, Domain},
    ids::EntryHash,
    meeting::log::{Entry, Kind},
};
use conclave_proto::types::v1 as types;
use prost::Message;

use super::Violation;
use crate::home_server::disk::Log;

/// What was seen of one log.
pub struct LogCheck {
    suite: Suite,
    hashes: Vec<EntryHash>,
    epoch: Option<u64>,
    /// Joins by sequence: the KeyPackageRef, and the commit that answered it.
    joins: BTreeMap<u64, (Vec<u8>, Option<u64>)>,
}

impl LogCheck {
    /// Before the first entry.
    pub const fn new(suite: Suite) -> Self {
        Self { suite, hashes: Vec::new(), epoch: None, joins: BTreeMap::new() }
    }

    /// The hash of the entry with this sequence.
    pub fn hash(&self, sequence: u64) -> Option<EntryHash> {
        self.hashes.get(usize::try_from(sequence.checked_sub(1)?).ok()?).copied()
    }

    /// Takes in what is new; says how much.
    pub fn take(&mut self, hub: &Domain, log: &Log) -> Result<u64, Violation> {
        let known = self.hashes.len();
        let last = known.checked_sub(1).map(|last| log.0.get(last).map(|stored| stored.entry.hash()));
        if last.is_some_and(|last| last != self.hashes.last().copied()) {
            return Err(Violation::LogChanged(hub.clone(), format!("the last of {known}")));
        }
        for stored in log.0.iter().skip(known) {
            self.entry(&stored.entry)?;
            self.hashes.push(stored.entry.hash());
        }
        Ok((log.0.len() - known) as u64)
    }

    /// One entry more.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), Violation> {
        let sequence = entry.sequence().0;
        match entry.header().kind {
            Kind::Join => self.join(entry),
            Kind::Commit => self.commit(entry)?,
            Kind::Void => {
                let void = types::Void::decode(entry.content().clone()).expect("a Void");
                self.epoch = Some(void.standing_epoch);
                for (_, answered) in self.joins.values_mut() {
                    answered.take_if(|at| *at >= void.commit_sequence);
                }
            }
            _ => {}
        }
        let _ = sequence;
        Ok(())
    }

    fn join(&mut self, entry: &Entry) {
        let join = types::Join::decode(submission(entry).content).expect("a Join");
        let summary = key_package::check(self.suite, &join.key_package).expect("a KeyPackage");
        self.joins.insert(entry.sequence().0, (summary.key_package_ref.as_bytes().to_vec(), None));
    }

    fn commit(&mut self, entry: &Entry) -> Result<(), Violation> {
        let commit = types::Commit::decode(submission(entry).content).expect("a Commit");
        let before = entry.header().epoch.0;
        let Some(types::commit::Change::Handshake(handshake)) = commit.change else {
            if self.epoch.replace(0).is_some() {
                return Err(Violation::TwoCommits(0));
            }
            return Ok(());
        };
        if self.epoch != Some(before) {
            return Err(Violation::TwoCommits(before));
        }
        self.epoch = Some(before + 1);
        let ghost = |why| Violation::GhostAdd(entry.sequence().0, why);
        let annotations = authenticated_data(&handshake).ok_or_else(|| ghost("no annotations"))?;
        let annotations =
            types::CommitAnnotations::decode(annotations).map_err(|_| ghost("no annotations"))?;
        let mut named = Vec::new();
        for add in annotations.adds {
            let join = self.joins.get_mut(&add.join_sequence).ok_or_else(|| ghost("no such Join"))?;
            if join.0 != add.key_package_ref {
                return Err(ghost("another KeyPackage"));
            }
            if join.1.replace(entry.sequence().0).is_some() {
                return Err(ghost("the Join was answered before"));
            }
            named.push(join.0.clone());
        }
        let mut added = welcomed(entry.attachment()).ok_or_else(|| ghost("no Welcome"))?;
        named.sort();
        added.sort();
        if named == added { Ok(()) } else { Err(ghost("the Welcome is for others")) }
    }
}

/// The device that signed an entry, if a device did.
pub(super) fn author(entry: &Entry) -> Option<DeviceUri> {
    let signed = types::Signed::decode(entry.content().clone()).ok()?;
    DeviceUri::parse(&types::Submission::decode(signed.payload).ok()?.device).ok()
}

fn submission(entry: &Entry) -> types::Submission {
    let signed = types::Signed::decode(entry.content().clone()).expect("a Signed");
    types::Submission::decode(signed.payload).expect("a Submission")
}

/// Cuts a vector with its variable-size length (RFC 9420 §2.1.2) off the front.
fn vector<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let first = *bytes.first()?;
    let size = 1 << (first >> 6);
    let (length, rest) = bytes.split_at_checked(size)?;
    let length = length.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
    let length = length & !(0b11 << (8 * size - 2));
    let (vector, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(vector)
}

/// What a PublicMessage of a member authenticates (RFC 9420 §6).
fn authenticated_data(handshake: &[u8]) -> Option<&[u8]> {
    let mut rest = handshake.get(4..)?;
    vector(&mut rest)?; // The group.
    rest = rest.get(8 + 1 + 4..)?; // The epoch, and the sender: a member with its leaf.
    vector(&mut rest)
}

/// For whom a Welcome is: the KeyPackageRefs (RFC 9420 §12.4.3.1).
fn welcomed(welcome: &[u8]) -> Option<Vec<Vec<u8>>> {
    if welcome.is_empty() {
        return Some(Vec::new());
    }
    let mut rest = welcome.get(4 + 2..)?;
    let mut secrets = vector(&mut rest)?;
    let mut refs = Vec::new();
    while !secrets.is_empty() {
        refs.push(vector(&mut secrets)?.to_vec());
        vector(&mut secrets)?;
        vector(&mut secrets)?;
    }
    Some(refs)
}
