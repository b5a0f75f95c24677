//! What a stream is told, and the message that says it.

use std::collections::BTreeMap;

use conclave_proto::{
    client::v1::{
        CommitAsk, LogBatch, Notice, RefusedAttempt, Standing, StandingState, notice, watch_response::Item,
    },
    types::v1::{DeviceSigned, Entry, ServerSigned},
};
use prost::bytes::Bytes;

use crate::{
    ids::Sequence,
    meeting::{aside::Aside, hub::Ask},
};

/// What a stream is told beside the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Tidings {
    /// How the device's Join stands.
    Standing(StandingState, Sequence),
    /// The device is in.
    Entered {
        /// The commit that added it, which it gets with the Welcome.
        commit: Sequence,
        /// Earlier entries that a later commit may still answer.
        open: Vec<Sequence>,
        /// Every change of the policy so far.
        policy_chain: Vec<DeviceSigned>,
    },
    /// The hub asks this device to commit, or to found the session.
    Asked(Ask),
    /// Somebody was refused at the door.
    RefusedAttempt(RefusedAttempt),
    /// Something that is not in the log.
    Aside(Aside),
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// Welcome included.
    pub entry: Entry,
    /// The hub's head, if a batch ended with it.
    pub head: Option<ServerSigned>,
}

impl Tidings {
    /// The entries that its message carries.
    pub fn entries(&self) -> Vec<Sequence> {
        match self {
            Self::Entered { commit, open, .. } => [&[*commit], open.as_slice()].concat(),
            Self::Asked(ask) if !ask.found => [ask.joins.as_slice(), &ask.removes].concat(),
            Self::Standing(..) | Self::Asked(_) | Self::RefusedAttempt(_) | Self::Aside(_) => Vec::new(),
        }
    }

    /// Its message; `None` if the entry is not there without which it says nothing.
    pub fn item(self, entries: &BTreeMap<Sequence, Logged>) -> Option<Item> {
        let plain = |sequences: &[Sequence]| {
            let there = sequences.iter().filter_map(|sequence| entries.get(sequence));
            there.map(|logged| without_welcome(logged.entry.clone())).collect()
        };
        Some(match self {
            Self::Standing(state, sequence) => Item::Standing(standing(state, sequence)),
            Self::Entered { commit, open, policy_chain } => {
                // Of all that is handed to devices, this alone holds a Welcome: its own.
                let commit = entries.get(&commit)?.clone();
                Item::Standing(Standing {
                    entry: Some(commit.entry),
                    head: commit.head,
                    policy_chain,
                    open_entries: plain(&open),
                    ..standing(StandingState::Entered, Sequence(0))
                })
            }
            Self::Asked(ask) if ask.found => {
                let join = ask.joins.first().copied().unwrap_or(Sequence(0));
                Item::Standing(standing(StandingState::Found, join))
            }
            Self::Asked(ask) => Item::Ask(CommitAsk {
                epoch: ask.epoch.0,
                join_sequences: numbers(&ask.joins),
                remove_sequences: numbers(&ask.removes),
                entries: plain(&[ask.joins.as_slice(), &ask.removes].concat()),
            }),
            Self::RefusedAttempt(attempt) => {
                Item::Notice(Notice { notice: Some(notice::Notice::RefusedAttempt(attempt)) })
            }
            Self::Aside(aside) => Item::Notice(aside.notice()),
        })
    }
}

/// A stretch of the log, as members get it.
pub fn batch(entries: impl IntoIterator<Item = Entry>, head: Option<ServerSigned>) -> Item {
    Item::Batch(LogBatch { entries: entries.into_iter().map(without_welcome).collect(), head })
}

fn without_welcome(entry: Entry) -> Entry {
    Entry { attachment: Bytes::new(), ..entry }
}

fn standing(state: StandingState, join: Sequence) -> Standing {
    Standing { state: state.into(), join_sequence: join.0, ..Standing::default() }
}

fn numbers(sequences: &[Sequence]) -> Vec<u64> {
    sequences.iter().map(|sequence| sequence.0).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)] // Tests may panic.

    use super::*;
    use crate::ids::Epoch;

    fn entries() -> BTreeMap<Sequence, Logged> {
        let logged = |sequence: u64| {
            let header = vec![u8::try_from(sequence).unwrap()].into();
            let entry = Entry { header, attachment: Bytes::from_static(b"welcome"), ..Entry::default() };
            (Sequence(sequence), Logged { entry, head: Some(ServerSigned::default()) })
        };
        (1..=5).map(logged).collect()
    }

    #[test]
    fn only_the_own_welcome_is_handed_to_a_device() {
        let tidings =
            Tidings::Entered { commit: Sequence(5), open: vec![Sequence(2)], policy_chain: Vec::new() };
        assert_eq!(tidings.entries(), [Sequence(5), Sequence(2)]);
        let Some(Item::Standing(standing)) = tidings.item(&entries()) else { panic!("a Standing") };
        assert_eq!(standing.state(), StandingState::Entered);
        assert_eq!(standing.entry.unwrap().attachment, "welcome");
        assert!(standing.head.is_some());
        assert_eq!(standing.open_entries.len(), 1);
        assert!(standing.open_entries.iter().all(|entry| entry.attachment.is_empty()));
        let stored = entries().into_values().map(|logged| logged.entry);
        let Item::Batch(batch) = batch(stored, None) else { panic!("a batch") };
        assert!(batch.entries.len() == 5 && batch.entries.iter().all(|entry| entry.attachment.is_empty()));
    }

    #[test]
    fn without_its_commit_nobody_is_told_to_be_in() {
        let tidings = Tidings::Entered { commit: Sequence(9), open: Vec::new(), policy_chain: Vec::new() };
        assert_eq!(tidings.item(&entries()), None);
    }

    #[test]
    fn an_ask_carries_what_it_asks_to_answer() {
        let ask = Ask {
            epoch: Epoch(3),
            joins: vec![Sequence(4)],
            removes: vec![Sequence(2), Sequence(9)],
            found: false,
        };
        let Some(Item::Ask(asked)) = Tidings::Asked(ask.clone()).item(&entries()) else { panic!("an ask") };
        assert_eq!((asked.epoch, asked.join_sequences, asked.remove_sequences), (3, vec![4], vec![2, 9]));
        let headers: Vec<_> = asked.entries.iter().map(|entry| entry.header.to_vec()).collect();
        assert_eq!(headers, [[4], [2]]);
        let found = Tidings::Asked(Ask { found: true, ..ask });
        assert_eq!(found.entries(), []);
        let Some(Item::Standing(standing)) = found.item(&entries()) else { panic!("a Standing") };
        assert_eq!((standing.state(), standing.join_sequence), (StandingState::Found, 4));
    }
}
