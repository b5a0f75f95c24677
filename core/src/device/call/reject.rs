//! Refusing a commit aloud, until it is taken back or confirmed all the same.

use conclave_proto::types::v1 as types;
use prost::{Message as _, bytes::Bytes};

use super::{
    Call, Fetching, Inside, Stage,
    submit::{Draft, Purpose},
};
use crate::{
    device::{Device, Error, command::MeetingAddress, event::Over},
    group::Member,
    identity::address::DeviceUri,
    ids::{Epoch, Sequence, SessionNumber},
    limits,
    meeting::{
        log::Entry,
        submission::{Confirm, Submission},
    },
    time::Time,
};

/// Refusals of one rejection after which the others have gone on: the Void would have come by then.
const REFUSALS: u8 = 2;

/// The commit that this member waits to see taken back.
pub(in crate::device) struct Rejected {
    commit: Sequence,
    epoch: Epoch,
    committer: DeviceUri,
    refusals: u8,
}

impl Rejected {
    /// Whether somebody's word makes the rejected commit stand for good: it is on this epoch or one that followed, of which this
    /// member knows only that there cannot be many.
    pub(super) fn stands_by(&self, author: &DeviceUri, confirm: &Confirm) -> bool {
        let later = confirm.commit > self.commit;
        let near = confirm.epoch.0.saturating_sub(self.epoch.0) <= limits::UNCONFIRMED_COMMITS as u64;
        let first = confirm.commit == self.commit && confirm.epoch == self.epoch && *author != self.committer;
        first || (later && near && confirm.epoch > self.epoch)
    }

    /// Who made the commit, if it is this one.
    pub(super) fn committer(&self, commit: Sequence) -> Option<&DeviceUri> {
        (self.commit == commit).then_some(&self.committer)
    }

    /// Whether a Void from this commit on takes the rejected one back.
    pub(super) fn falls_with(&self, first: Sequence) -> bool {
        first <= self.commit
    }
}

impl Inside {
    /// Says at once that a commit cannot be followed, and waits for the hub to take it back (spec: DEV-06).
    pub(super) fn reject(&mut self, now: Time, entry: &Entry, submission: &Submission) {
        tracing::warn!(by = %submission.device.domain(), "rejecting a commit");
        let confirm = rejection(&self.member, entry);
        self.rejected = Some(Rejected {
            commit: entry.sequence(),
            epoch: Epoch(confirm.epoch),
            committer: submission.device.clone(),
            refusals: 0,
        });
        self.unconfirmed.plan(now, 0, confirm);
    }
}

impl Fetching {
    /// Whether the commit in the log is the one whose Welcome this device opened (spec: DEV-05).
    pub(super) fn check_entry(&self, member: &Member) -> Result<(), Error> {
        let entry = self.entered.entry.as_ref().ok_or(Error::Malformed)?;
        let (_, submission) = super::view::read(&Entry::parse(entry)?)?;
        match types::Commit::decode(submission.content)?.change {
            Some(types::commit::Change::Handshake(handshake)) => Ok(member.check_started_by(&handshake)?),
            _ => Err(Error::HomeServer("a founding commit adds nobody")),
        }
    }
}

impl Device {
    /// A joiner says that the commit by which it entered leads elsewhere; it does not enter, so it says so once.
    pub(super) fn reject_entry(&mut self, now: Time, meeting: &MeetingAddress) {
        let Some(Stage::Fetching(fetching)) = self.calls.get(meeting).map(|call| &call.stage) else { return };
        let entry = fetching.entered.entry.as_ref().and_then(|entry| Entry::parse(entry).ok());
        let (Some(member), Some(entry)) = (&fetching.member, entry) else { return };
        let (session, confirm) = (fetching.known.session, rejection(member, &entry));
        self.say_word(now, meeting, session, &confirm);
    }

    /// Hands in a word on an epoch; a rejection not while an earlier one of the same commit is on its way.
    pub(super) fn say_word(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        session: SessionNumber,
        confirm: &types::Confirm,
    ) {
        let commit = Sequence(confirm.commit_sequence);
        let purpose = if confirm.accepted { Purpose::Confirm } else { Purpose::Reject(commit) };
        if !confirm.accepted && self.calls.get(meeting).is_some_and(|call| call.is_rejecting(commit)) {
            return;
        }
        let draft = Draft {
            purpose,
            kind: types::EntryKind::Confirm,
            content: confirm.encode_to_vec().into(),
            attachment: Bytes::new(),
        };
        if let Err(error) = self.submit(now, meeting, session, draft) {
            tracing::debug!(%error, "a word on an epoch could not be said");
        }
    }

    /// The hub does not want the rejection: the commit is taken back already, or stands for good.
    pub(super) fn rejection_refused(&mut self, meeting: &MeetingAddress, commit: Sequence) {
        let Some(inside) = self.calls.get_mut(meeting).and_then(Call::inside) else { return };
        let Some(rejected) = inside.rejected.as_mut().filter(|rejected| rejected.commit == commit) else {
            return;
        };
        rejected.refusals += 1;
        if rejected.refusals >= REFUSALS {
            self.others_went_on(meeting);
        }
    }

    /// The rejected commit stands for good, so this device cannot stay.
    pub(super) fn others_went_on(&mut self, meeting: &MeetingAddress) {
        self.over(meeting, Over::Refused(Error::OthersWentOn));
    }

    pub(super) fn has_rejected(&mut self, meeting: &MeetingAddress) -> bool {
        self.calls.get_mut(meeting).and_then(Call::inside).is_some_and(|inside| inside.rejected.is_some())
    }
}

fn rejection(member: &Member, entry: &Entry) -> types::Confirm {
    types::Confirm {
        group_id: member.group_id().map(|id| super::id_bytes(id.as_bytes())).unwrap_or_default(),
        epoch: entry.header().epoch.0.saturating_add(1),
        accepted: false,
        confirmation_tag: Bytes::new(),
        commit_sequence: entry.sequence().0,
    }
}
