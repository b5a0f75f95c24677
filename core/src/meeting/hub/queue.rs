//! Outputs on their way, with entries that follow one another merged under one head.

use std::collections::VecDeque;

use super::Output;
use crate::{
    ids::SessionNumber,
    limits,
    meeting::{
        log::{Entry, Head, ServerSigner},
        room::Effect,
    },
};

/// One output, or entries that still grow.
#[derive(Debug)]
pub(super) enum Queued {
    Ready(Box<Output>),
    Entries { session: SessionNumber, entries: Vec<Entry>, bytes: usize, effects: Vec<Effect> },
}

/// In order.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Queued>);

impl Queue {
    pub(super) fn push(&mut self, queued: Queued) {
        self.0.push_back(queued);
    }

    /// Puts an entry to the last entries that are still here, unless the store must see something else in between.
    pub(super) fn append(&mut self, session: SessionNumber, entry: Entry, new_effects: Vec<Effect>) {
        let length = entry.content().len() + entry.attachment().len();
        for queued in self.0.iter_mut().rev() {
            match queued {
                Queued::Entries { session: same, entries, bytes, effects }
                    if *same == session
                        && entries.len() < limits::ENTRIES_PER_BATCH
                        && *bytes + length <= limits::BATCH_BYTES =>
                {
                    *bytes += length;
                    entries.push(entry);
                    effects.extend(new_effects);
                    return;
                }
                Queued::Ready(output) if may_be_passed(output) => {}
                _ => break,
            }
        }
        let entries = vec![entry];
        self.0.push_back(Queued::Entries { session, entries, bytes: length, effects: new_effects });
    }

    pub(super) fn pop(&mut self, signer: &ServerSigner) -> Option<Output> {
        match self.0.pop_front()? {
            Queued::Ready(output) => Some(*output),
            Queued::Entries { session, entries, effects, .. } => {
                let head = Head::of(entries.last()?).sign(signer);
                Some(Output::Append { session, entries, head, effects })
            }
        }
    }
}

/// Nothing that is to be stored.
const fn may_be_passed(output: &Output) -> bool {
    matches!(
        output,
        Output::Reply { .. } | Output::Ask { .. } | Output::RefusedAttempt { .. } | Output::Aside { .. }
    )
}
