//! Rejected epochs: how long the hub waits for somebody to confirm, and how it goes back.

use std::collections::BTreeMap;

use conclave_proto::types::v1 as wire;
use prost::{Message, bytes::Bytes};

use super::{Error, Hub};
use crate::{
    identity::address::DeviceUri,
    ids::{Sequence, SubmissionId},
    limits,
    meeting::{log::Kind, trust::Trust},
    time::Time,
};

/// Who could not enter the epoch of one commit.
#[derive(Debug)]
pub(super) struct Rejections {
    until: Time,
    by: BTreeMap<DeviceUri, wire::Signed>,
}

impl Hub {
    /// Keeps a verified rejection until somebody confirms the epoch or the time is over (spec: LOG-12).
    pub(super) fn reject(&mut self, commit: Sequence, device: DeviceUri, signed: wire::Signed, now: Time) {
        let until = now + limits::REJECTION_WAIT;
        let rejections =
            self.rejections.entry(commit).or_insert_with(|| Rejections { until, by: BTreeMap::new() });
        if rejections.by.len() < limits::REJECTIONS {
            rejections.by.insert(device, signed);
        }
    }

    /// Goes back before the first commit that stayed rejected.
    pub(super) fn void_rejected(&mut self, now: Time) -> Result<(), Error> {
        let Some(room) = &self.room else { return Ok(()) };
        let empty = room.present().next().is_none();
        self.rejections.retain(|commit, _| !empty && room.is_unconfirmed(*commit));
        let due = self.rejections.iter().find(|(_, rejections)| rejections.until <= now);
        let Some((&commit, _)) = due else { return Ok(()) };
        let Some(rejections) = self.rejections.remove(&commit) else { return Ok(()) };
        let Some((standing_epoch, barred)) = room.before(commit) else { return Ok(()) };
        let void = wire::Void {
            commit_sequence: commit.0,
            standing_epoch: standing_epoch.0,
            rejections: rejections.by.into_values().collect(),
            barred_device: barred.to_string(),
        };
        let hub = self.signer.domain.clone();
        // The hub checked each rejection when it came, so it trusts itself here.
        self.write(
            Kind::Void,
            SubmissionId::from_bytes([0; 16]),
            hub,
            void.encode_to_vec().into(),
            Bytes::new(),
            Trust::Stored,
            now,
        )?;
        self.outstanding = None;
        Ok(())
    }

    pub(super) fn judgement_deadline(&self) -> Option<Time> {
        self.rejections.values().map(|rejections| rejections.until).min()
    }
}
