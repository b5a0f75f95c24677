//! Chat and signals on their way out: one at a time, in order, sealed at the last moment, sent again if a fork lost them.

use std::collections::{BTreeMap, VecDeque};

use conclave_proto::types::v1 as types;

use crate::{
    device::command::RequestId,
    ids::{Epoch, SubmissionId},
};

/// A message of this device that is not in the log for good.
#[derive(Clone)]
pub(in crate::device) struct Said {
    pub(super) request: Option<RequestId>,
    pub(super) message: types::Message,
}

/// The messages of this device that are not in the log for good.
#[derive(Default)]
pub(in crate::device) struct Outgoing {
    /// Not sealed yet, oldest first.
    queue: VecDeque<Said>,
    /// Sealed and handed in, not answered.
    flying: Option<(SubmissionId, Epoch, Said)>,
    /// Handed in, and not seen in the log yet: MLS does not let authors open their own messages.
    unseen: BTreeMap<SubmissionId, types::Message>,
    /// In the log, in an epoch that may yet be void.
    landed: Vec<(Epoch, Said)>,
}

impl Outgoing {
    pub(super) fn say(&mut self, said: Said) {
        self.queue.push_back(said);
    }

    /// The next one to seal, if none is on its way.
    pub(super) fn next(&mut self) -> Option<Said> {
        if self.flying.is_some() { None } else { self.queue.pop_front() }
    }

    /// It was sealed in this epoch and handed in.
    pub(super) fn flies(&mut self, submission: SubmissionId, epoch: Epoch, said: Said) {
        self.unseen.insert(submission, said.message.clone());
        self.flying = Some((submission, epoch, said));
    }

    /// It is in the log; kept while its epoch may yet be void.
    pub(super) fn landed(
        &mut self,
        submission: SubmissionId,
        may_be_void: impl FnOnce(Epoch) -> bool,
    ) -> Option<Said> {
        let (_, epoch, said) = self.flying.take_if(|(id, ..)| *id == submission)?;
        if may_be_void(epoch) {
            self.landed.push((epoch, said.clone()));
        }
        Some(said)
    }

    /// The own message that stands in the log.
    pub(super) fn seen(&mut self, submission: SubmissionId) -> Option<types::Message> {
        self.unseen.remove(&submission)
    }

    /// It was refused.
    pub(super) fn refused(&mut self, submission: SubmissionId) -> Option<Said> {
        self.unseen.remove(&submission);
        self.flying.take_if(|(id, ..)| *id == submission).map(|(.., said)| said)
    }

    /// It must be sealed anew, before all others.
    pub(super) fn again(&mut self, said: Said) {
        self.queue.push_front(said);
    }

    /// What was said in epochs up to this one cannot be lost any more.
    pub(super) fn confirmed(&mut self, epoch: Epoch) {
        self.landed.retain(|(said_in, _)| *said_in > epoch);
    }

    /// What was said after the void commit is said again.
    pub(super) fn voided(&mut self, standing: Epoch) {
        let lost = self.landed.iter().filter(|(epoch, _)| *epoch > standing);
        let lost: Vec<Said> =
            lost.map(|(_, said)| Said { request: None, message: said.message.clone() }).collect();
        self.landed.clear();
        for said in lost.into_iter().rev() {
            self.queue.push_front(said);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.

    use super::*;

    fn said(id: u8) -> Said {
        let message = types::Message { message_id: vec![id; 16].into(), ..types::Message::default() };
        Said { request: None, message }
    }

    #[test]
    fn messages_fly_one_at_a_time_and_come_back_when_their_epoch_is_void() {
        let mut outgoing = Outgoing::default();
        outgoing.say(said(1));
        outgoing.say(said(2));
        let first = outgoing.next().unwrap();
        let id = SubmissionId::from_bytes([1; 16]);
        outgoing.flies(id, Epoch(3), first);
        assert!(outgoing.next().is_none());
        assert!(outgoing.landed(id, |epoch| epoch == Epoch(3)).is_some());
        outgoing.voided(Epoch(2));
        assert_eq!(outgoing.next().unwrap().message, said(1).message);
        assert_eq!(outgoing.next().unwrap().message, said(2).message);
    }
}
