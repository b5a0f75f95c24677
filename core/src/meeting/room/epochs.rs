//! Epochs that nobody but their committer has been seen in yet, and the way back from them.

use std::collections::BTreeSet;

use conclave_proto::types::v1 as wire;
use prost::Message;

use super::{Error, Room, Roster};
use crate::{
    group::tracker,
    identity::{address::DeviceUri, signed::Label},
    ids::{Epoch, KeyPackageRef, Sequence},
    limits,
    meeting::{
        Error as MeetingError,
        log::Kind,
        policy::PolicyChain,
        submission::{self, Confirm, Submission},
        trust::Trust,
    },
};

/// A commit whose epoch is not confirmed.
#[derive(Clone, Debug)]
pub(super) struct Unconfirmed {
    pub(super) commit: Sequence,
    pub(super) epoch: Epoch,
    pub(super) committer: DeviceUri,
    pub(super) confirmation_tag: Vec<u8>,
    pub(super) added: Vec<KeyPackageRef>,
    pub(super) before: Before,
}

/// The state that a Void goes back to.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub(super) tracker: tracker::Snapshot,
    pub(super) roster: Roster,
    pub(super) chain: PolicyChain,
}

/// A verified Void.
#[derive(Clone, Debug)]
pub(super) struct CheckedVoid {
    pub(super) commit: Sequence,
    pub(super) standing: Epoch,
    pub(super) barred: DeviceUri,
}

impl Room {
    pub(super) fn unconfirmed(&self, commit: Sequence) -> Option<&Unconfirmed> {
        self.unconfirmed.iter().find(|waiting| waiting.commit == commit)
    }

    /// Whether a member's word on an epoch counts: it was in that epoch, did not make it, and is not the one who left (spec: LOG-11).
    pub(super) fn check_judgement(
        &self,
        submission: &Submission,
        signed: &wire::Signed,
        trust: Trust<'_>,
    ) -> Result<Confirm, MeetingError> {
        let member = self.author(submission, signed, trust)?;
        let confirm = Confirm::read(submission, self.group)?;
        let waiting = self.unconfirmed(confirm.commit).ok_or(Error::NothingToJudge)?;
        if waiting.epoch != confirm.epoch
            || waiting.committer == member.device
            || member.entered > waiting.commit
            || (confirm.accepted && confirm.confirmation_tag != waiting.confirmation_tag)
        {
            return Err(Error::NothingToJudge.into());
        }
        Ok(confirm)
    }

    /// Reads a member's rejection of an epoch; the hub keeps it for a Void.
    pub fn check_rejection(
        &self,
        signed: &wire::Signed,
        trust: Trust<'_>,
    ) -> Result<(DeviceUri, Confirm), MeetingError> {
        let submission = Submission::read(signed)?;
        if submission.kind != Kind::Confirm {
            return Err(submission::Error::Kind.into());
        }
        submission.check_place(self.record.id(), self.session)?;
        let confirm = self.check_judgement(&submission, signed, trust)?;
        Ok((submission.device, confirm))
    }

    /// A Void goes back before a commit that at least one member of its epoch rejected and nobody confirmed (spec: LOG-12).
    pub(super) fn check_void(&self, content: &[u8], trust: Trust<'_>) -> Result<CheckedVoid, MeetingError> {
        let void = wire::Void::decode(content).map_err(|_| Error::Void("it cannot be decoded"))?;
        let commit = Sequence(void.commit_sequence);
        let waiting = self.unconfirmed(commit).ok_or(Error::Void("no such commit waits"))?;
        let standing = waiting.before.tracker.epoch();
        if standing.0 != void.standing_epoch {
            return Err(Error::Void("another epoch stands").into());
        }
        if waiting.committer.to_string() != void.barred_device {
            return Err(Error::Void("another device made the commit").into());
        }
        if void.rejections.is_empty() || void.rejections.len() > limits::REJECTIONS {
            return Err(Error::Void("it needs rejections, but not too many").into());
        }
        let mut devices = BTreeSet::new();
        for signed in &void.rejections {
            let (device, confirm) = self.check_rejection(signed, trust)?;
            if confirm.accepted || confirm.commit != commit || !devices.insert(device) {
                return Err(Error::Void("a rejection is of another commit, or shown twice").into());
            }
        }
        Ok(CheckedVoid { commit, standing, barred: waiting.committer.clone() })
    }

    /// Whether a present member signed a submission.
    pub fn check_author(
        &self,
        submission: &Submission,
        signed: &wire::Signed,
        trust: Trust<'_>,
    ) -> Result<(), MeetingError> {
        self.author(submission, signed, trust).map(|_| ())
    }

    /// The author of a submission, its signature verified.
    pub(super) fn author(
        &self,
        submission: &Submission,
        signed: &wire::Signed,
        trust: Trust<'_>,
    ) -> Result<&super::Member, MeetingError> {
        let member = self.roster.of(&submission.device).ok_or(Error::NotMember)?;
        trust
            .check_signature(Label::Submission, signed, &member.key)
            .map_err(submission::Error::Signature)?;
        if self.has_left(member) { Err(Error::NotMember.into()) } else { Ok(member) }
    }
}
