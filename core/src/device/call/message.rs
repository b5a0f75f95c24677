//! Chat and signals on their way out: one at a time, in order, sealed at the last moment, sent again if a fork lost them.

use std::collections::VecDeque;

use conclave_proto::types::v1 as types;

use crate::{
    device::command::RequestId,
    ids::{Epoch, Sequence, SubmissionId},
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
    flying: Option<(SubmissionId, Said)>,
    /// In the log, in an epoch that may yet be void.
    landed: Vec<(Sequence, Epoch, Said)>,
}

impl Outgoing {
    pub(super) fn say(&mut self, said: Said) {
        self.queue.push_back(said);
    }

    /// The next one to seal, if none is on its way.
    pub(super) fn next(&mut self) -> Option<Said> {
        if self.flying.is_some() { None } else { self.queue.pop_front() }
    }

    pub(super) fn flies(&mut self, submission: SubmissionId, said: Said) {
        self.flying = Some((submission, said));
    }

    /// It is in the log.
    pub(super) fn landed(
        &mut self,
        submission: SubmissionId,
        sequence: Sequence,
        epoch: Epoch,
    ) -> Option<Said> {
        let (_, said) = self.flying.take_if(|(id, _)| *id == submission)?;
        self.landed.push((sequence, epoch, said.clone()));
        Some(said)
    }

    /// It was refused.
    pub(super) fn refused(&mut self, submission: SubmissionId) -> Option<Said> {
        self.flying.take_if(|(id, _)| *id == submission).map(|(_, said)| said)
    }

    /// It must be sealed anew, before all others.
    pub(super) fn again(&mut self, said: Said) {
        self.queue.push_front(said);
    }

    /// What was said in epochs up to this one cannot be lost any more.
    pub(super) fn confirmed(&mut self, epoch: Epoch) {
        self.landed.retain(|(_, said_in, _)| *said_in > epoch);
    }

    /// What was said after the void commit is said again.
    pub(super) fn voided(&mut self, standing: Epoch) {
        let lost = self.landed.iter().filter(|(_, epoch, _)| *epoch > standing);
        let lost: Vec<Said> =
            lost.map(|(_, _, said)| Said { request: None, message: said.message.clone() }).collect();
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
        outgoing.flies(id, first);
        assert!(outgoing.next().is_none());
        assert!(outgoing.landed(id, Sequence(5), Epoch(3)).is_some());
        outgoing.voided(Epoch(2));
        assert_eq!(outgoing.next().unwrap().message, said(1).message);
        assert_eq!(outgoing.next().unwrap().message, said(2).message);
    }
}
