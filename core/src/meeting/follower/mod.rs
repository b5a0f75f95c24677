//! The machine of a server that mirrors one session of another's meeting.
//!
//! It takes nothing from the hub that it has not checked itself, and stops where the hub breaks the rules.

mod io;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use conclave_proto::types::v1 as wire;

pub use self::io::{Input, Output};
use super::{
    Error,
    aside::Aside,
    log::{self, Entry, Head, ServerSigner, sign_acknowledgement},
    policy::PolicyChain,
    record::Record,
    room::{self, Effect, Room},
    trust::Trust,
};
use crate::{
    identity::{pins::Pins, signed::Label},
    ids::{EntryHash, Sequence, SessionNumber},
    limits,
    time::Time,
};

/// Mirrors one session.
#[derive(Debug)]
pub struct Follower {
    room: Room,
    signer: ServerSigner,
    /// Applied, but not yet covered by a head that was given out.
    entries: Vec<Entry>,
    effects: Vec<Effect>,
    queue: VecDeque<Output>,
    /// Hashes of the last entries, by which an overlap is compared.
    recent: BTreeMap<Sequence, EntryHash>,
    last_head: Option<wire::ServerSigned>,
    stopped: bool,
}

impl Follower {
    /// From the first entry on. `chain` is the policy with which the session began: the chain of the hub's look-up, cut to the
    /// version that it names; the founding proves it.
    pub fn new(
        record: Arc<Record>,
        chain: PolicyChain,
        session: SessionNumber,
        signer: ServerSigner,
    ) -> Self {
        Self {
            room: Room::new(record, chain, session),
            signer,
            entries: Vec::new(),
            effects: Vec::new(),
            queue: VecDeque::new(),
            recent: BTreeMap::new(),
            last_head: None,
            stopped: false,
        }
    }

    /// As it was when these entries were stored.
    pub fn restore(
        record: Arc<Record>,
        chain: PolicyChain,
        session: SessionNumber,
        signer: ServerSigner,
        entries: &[Entry],
        last_head: Option<wire::ServerSigned>,
    ) -> Result<Self, Error> {
        let mut follower = Self::new(record, chain, session, signer);
        follower.room.replay(entries)?;
        for entry in entries.iter().rev().take(limits::ENTRIES_PER_BATCH) {
            follower.recent.insert(entry.sequence(), entry.hash());
        }
        follower.last_head = last_head;
        Ok(follower)
    }

    /// The session as far as it is mirrored.
    pub const fn room(&self) -> &Room {
        &self.room
    }

    /// The first entry wanted from the hub.
    pub fn next_sequence(&self) -> Sequence {
        self.room.tip().next_sequence()
    }

    /// Whether the hub broke the rules, so that nothing more is taken from it.
    pub const fn has_stopped(&self) -> bool {
        self.stopped
    }

    /// Takes one input in. On [`Error::UnknownDomain`] look the domain up and give the same input again: what was taken already is
    /// skipped. On a gap ask the hub again from [`next_sequence`](Self::next_sequence). After any other error of the log or its
    /// entries, nothing more is taken.
    pub fn handle(&mut self, now: Time, pins: &Pins, input: &Input) -> Result<(), Error> {
        if self.stopped {
            return Err(room::Error::HubMisbehaved.into());
        }
        let Input::Entries { entries, head } = input;
        let taken = self.take(now, pins, entries, head);
        if let Err(error) = &taken {
            let later = matches!(error, Error::UnknownDomain(_) | Error::Log(log::Error::Gap { .. }));
            self.stopped = !later;
        }
        taken
    }

    /// Whether what the hub tells beside the log may be told to the own devices (spec: LOG-19, LOG-20).
    pub fn check_aside(&self, now: Time, pins: &Pins, aside: &Aside) -> Result<(), Error> {
        match aside {
            Aside::Passing(signed) => self.room.check_passing(signed, Trust::Verify(pins)),
            Aside::Attendance(signed) => {
                self.room.check_attendance(signed, Trust::Verify(pins), now).map(|_| ())
            }
        }
    }

    /// The next thing to do, oldest first.
    pub fn poll(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    fn take(
        &mut self,
        now: Time,
        pins: &Pins,
        entries: &[wire::Entry],
        signed_head: &wire::ServerSigned,
    ) -> Result<(), Error> {
        if entries.len() > limits::ENTRIES_PER_BATCH {
            return Err(log::Error::TooLarge.into());
        }
        let entries = entries.iter().map(Entry::parse).collect::<Result<Vec<_>, _>>()?;
        let hub = self.room.record().hub().clone();
        let head: wire::Head = Trust::Verify(pins).open_server(Label::Head, signed_head, &hub, now)?;
        let head = Head::from_wire(&head)?;
        let last = entries.last().ok_or(log::Error::Head)?;
        head.check_covers(last)?;
        check_contiguous(&entries)?;
        for entry in entries {
            self.take_entry(now, pins, entry, signed_head)?;
        }
        if self.entries.is_empty() {
            return Ok(());
        }
        self.last_head = Some(signed_head.clone());
        let acknowledgement = sign_acknowledgement(&head, &self.signer);
        self.queue.push_back(Output::Append {
            entries: std::mem::take(&mut self.entries),
            head: signed_head.clone(),
            effects: std::mem::take(&mut self.effects),
        });
        self.queue.push_back(Output::Acknowledge(acknowledgement));
        Ok(())
    }

    fn take_entry(
        &mut self,
        now: Time,
        pins: &Pins,
        entry: Entry,
        signed_head: &wire::ServerSigned,
    ) -> Result<(), Error> {
        let (sequence, tip) = (entry.sequence(), self.room.tip());
        let continues = entry.header().previous_hash == tip.hash;
        let same = if sequence <= tip.sequence {
            self.recent.get(&sequence).is_none_or(|known| *known == entry.hash())
        } else {
            sequence != tip.next_sequence() || continues
        };
        if !same {
            return Err(self.fork(sequence, signed_head)); // LOG-17
        }
        if sequence <= tip.sequence {
            return Ok(());
        }
        if entry.header().time > now + limits::CLOCK_SKEW {
            return Err(log::Error::Time(sequence).into());
        }
        let checked = self.room.check_next(&entry, Trust::Verify(pins))?;
        self.effects.extend(self.room.apply(checked)?);
        self.recent.insert(sequence, entry.hash());
        if self.recent.len() > limits::ENTRIES_PER_BATCH {
            self.recent.pop_first();
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Two histories, both signed: the proof is given out before everything stops (spec: LOG-17).
    fn fork(&mut self, sequence: Sequence, other: &wire::ServerSigned) -> Error {
        if let Some(known) = self.last_head.clone() {
            self.queue.push_back(Output::Evidence { known, other: other.clone() });
        }
        log::Error::Fork(sequence).into()
    }
}

/// Each entry continues the one before it in the batch, so the head over the last covers all.
fn check_contiguous(entries: &[Entry]) -> Result<(), log::Error> {
    for (before, after) in entries.iter().zip(entries.iter().skip(1)) {
        log::Tip::of(before).check_next(after)?;
    }
    Ok(())
}
