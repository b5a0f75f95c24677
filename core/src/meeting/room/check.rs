//! Whether an entry may be the next: by header, by kind, by state.

use std::collections::BTreeSet;

use conclave_proto::types::v1 as wire;
use prost::{Message, bytes::Bytes};
use sha2::{Digest, Sha256};

use super::{Error, Room, epochs::CheckedVoid};
use crate::{
    group::{CommitContents, Tracker, decode, tracker::StagedPublic},
    identity::{
        address::{DeviceUri, Domain},
        keys::PublicKey,
        signed::Label,
    },
    ids::{Epoch, LeafIndex, Sequence, SubmissionId},
    limits,
    meeting::{
        Error as MeetingError, commit_rules,
        commit_rules::Permitted,
        doors::{Departure, DoorError, OpenJoin, read_join},
        log::{Entry, Header, Kind, Tip},
        submission::{self, Admit, Submission, read_leave},
        trust::Trust,
        withdrawal::Withdrawal,
    },
    time::Time,
};

/// An entry that may be applied to the room that checked it.
#[derive(Debug)]
pub struct Checked {
    pub(super) before: Tip,
    pub(super) tip: Tip,
    pub(super) submission: Option<(SubmissionId, Domain)>,
    pub(super) change: Change,
}

/// What an entry does.
#[derive(Debug)]
pub(super) enum Change {
    Join(Box<OpenJoin>),
    Admit { of: Sequence, admit: Admit },
    Found { tracker: Box<Tracker>, join: Sequence },
    Commit(Box<CheckedCommit>),
    Confirm { commit: Sequence },
    Void(CheckedVoid),
    Depart(Departure),
    Nothing,
}

#[derive(Debug)]
pub(super) struct CheckedCommit {
    pub(super) staged: StagedPublic,
    pub(super) contents: CommitContents,
    pub(super) permitted: Permitted,
}

impl Room {
    /// Decides whether `entry` may come next (spec: LOG-04, LOG-08). Nothing changes.
    pub fn check_next(&self, entry: &Entry, trust: Trust<'_>) -> Result<Checked, MeetingError> {
        self.tip.check_next(entry)?;
        let header = entry.header();
        self.check_header(header)?;
        let (submission, change) = match header.kind {
            Kind::Unknown(_) => (None, Change::Nothing), // LOG-05
            Kind::Void => (None, Change::Void(self.check_hub_void(entry, trust)?)),
            Kind::Withdraw => self.check_withdraw(entry, trust)?,
            _ => self.check_submission(entry, trust)?,
        };
        Ok(Checked { before: self.tip, tip: Tip::of(entry), submission, change })
    }

    fn check_header(&self, header: &Header) -> Result<(), Error> {
        let wrong = [
            (header.meeting == self.record.id(), "meeting"),
            (header.session == self.session, "session"),
            (header.term == self.term, "term"),
            (header.group == self.group, "group"),
            (header.epoch == self.epoch(), "epoch"),
        ]
        .into_iter()
        .find_map(|(ok, what)| (!ok).then_some(what));
        if let Some(what) = wrong {
            return Err(Error::Header(what));
        }
        let after_end = matches!(header.kind, Kind::Confirm | Kind::Void | Kind::Leave | Kind::Withdraw);
        if self.is_over() && !(after_end && self.present().next().is_some()) {
            return Err(Error::Over);
        }
        Ok(())
    }

    fn check_hub_void(&self, entry: &Entry, trust: Trust<'_>) -> Result<CheckedVoid, MeetingError> {
        if entry.header().author != *self.record.hub() {
            return Err(Error::Header("author").into());
        }
        self.check_void(entry.content(), trust)
    }

    fn check_fresh(&self, header: &Header, id: SubmissionId, author: &Domain) -> Result<(), MeetingError> {
        if header.submission != id {
            return Err(Error::Header("submission id").into());
        }
        if header.author != *author {
            return Err(Error::Header("author").into());
        }
        if self.submissions.find(&id).is_some() {
            return Err(submission::Error::IdInUse.into()); // LOG-09
        }
        Ok(())
    }

    /// A domain takes out its own user or device, and nobody else's (spec: MTG-30).
    fn check_withdraw(
        &self,
        entry: &Entry,
        trust: Trust<'_>,
    ) -> Result<(Option<(SubmissionId, Domain)>, Change), MeetingError> {
        let header = entry.header();
        let signed = wire::ServerSigned::decode(entry.content().clone())
            .map_err(|_| submission::Error::Malformed("encoding"))?;
        let withdraw: wire::Withdraw =
            trust.open_server(Label::Withdraw, &signed, &header.author, header.time)?;
        let read = Withdrawal::read(&withdraw)?;
        self.check_fresh(header, read.id, &header.author)?;
        if withdraw.meeting_id != self.record.id().as_bytes()[..] {
            return Err(submission::Error::Elsewhere("meeting").into());
        }
        if withdraw.session != self.session.0 {
            return Err(submission::Error::Elsewhere("session").into());
        }
        check_near(Time::from_ms(withdraw.time_ms), header.time)?;
        if *read.subject.domain() != header.author {
            return Err(submission::Error::WrongDomain.into());
        }
        let present = self.present().map(|member| (&member.device, member.entered));
        let departure = read.departure(present, self.doors.asking());
        if departure.devices.is_empty() {
            return Err(Error::NotMember.into());
        }
        Ok((Some((read.id, header.author.clone())), Change::Depart(departure)))
    }

    fn check_submission(
        &self,
        entry: &Entry,
        trust: Trust<'_>,
    ) -> Result<(Option<(SubmissionId, Domain)>, Change), MeetingError> {
        let header = entry.header();
        let signed = wire::Signed::decode(entry.content().clone())
            .map_err(|_| submission::Error::Malformed("encoding"))?;
        let submission = Submission::read(&signed)?;
        if submission.kind != header.kind {
            return Err(Error::Header("kind").into());
        }
        self.check_fresh(header, submission.id, submission.device.domain())?;
        submission.check_place(self.record.id(), self.session)?;
        submission.check_time(header.time)?;
        let change = match submission.kind {
            Kind::Join => self.check_join(&submission, &signed, trust, header.time)?,
            Kind::Commit => {
                self.check_commit(&submission, &signed, entry.attachment(), trust, header.time)?
            }
            Kind::Admit => self.check_admit(&submission, &signed, trust, header.time)?,
            Kind::Confirm => {
                let confirm = self.check_judgement(&submission, &signed, trust)?;
                // Rejections are shown in a Void, never logged by themselves.
                let commit = confirm.accepted.then_some(confirm.commit).ok_or(Error::NothingToJudge)?;
                Change::Confirm { commit }
            }
            Kind::Leave => self.check_leave(&submission, &signed, trust)?,
            Kind::Message => {
                self.author(&submission, &signed, trust)?;
                self.check_message(&submission.content)?;
                Change::Nothing
            }
            Kind::Void | Kind::Withdraw | Kind::Passing | Kind::Unknown(_) => {
                return Err(submission::Error::Kind.into()); // LOG-19
            }
        };
        Ok((Some((submission.id, submission.device.domain().clone())), change))
    }

    fn check_join(
        &self,
        submission: &Submission,
        signed: &wire::Signed,
        trust: Trust<'_>,
        now: Time,
    ) -> Result<Change, MeetingError> {
        let is_member = |device: &DeviceUri, key: &PublicKey| self.roster.has(device, key);
        let join = read_join(&self.record, submission, signed, self.policy(), is_member, trust, now)?;
        if !self.is_founded() && join.waits(now) {
            return Err(DoorError::NobodyHere.into());
        }
        self.doors.check_join(&join, now)?;
        Ok(Change::Join(Box::new(join)))
    }

    fn check_admit(
        &self,
        submission: &Submission,
        signed: &wire::Signed,
        trust: Trust<'_>,
        now: Time,
    ) -> Result<Change, MeetingError> {
        let member = self.author(submission, signed, trust)?;
        if !self.policy().allows(member.device.user(), wire::Right::Admit) {
            return Err(Error::NotEntitled.into());
        }
        let admit = Admit::read(submission)?;
        Ok(Change::Admit { of: self.doors.check_admit(&admit, now)?, admit })
    }

    fn check_leave(
        &self,
        submission: &Submission,
        signed: &wire::Signed,
        trust: Trust<'_>,
    ) -> Result<Change, MeetingError> {
        let member = self.author(submission, signed, trust)?;
        let leaf: LeafIndex = read_leave(submission)?;
        if leaf == member.leaf {
            let devices = BTreeSet::from([member.device.clone()]);
            Ok(Change::Depart(Departure { devices, joins_lapse: true }))
        } else {
            Err(submission::Error::Malformed("leaf").into())
        }
    }

    /// Whether something may be told in passing: by a member, for this group and about this epoch (spec: LOG-19).
    pub fn check_passing(&self, signed: &wire::Signed, trust: Trust<'_>) -> Result<(), MeetingError> {
        let submission = Submission::read(signed)?;
        if submission.kind != Kind::Passing {
            return Err(submission::Error::Kind.into());
        }
        submission.check_place(self.record.id(), self.session)?;
        if self.is_over() {
            return Err(Error::Over.into());
        }
        self.author(&submission, signed, trust)?;
        self.check_message(&submission.content)
    }

    /// Servers see of a message only that it is one for this group and about this epoch (spec: LOG-10).
    fn check_message(&self, message: &Bytes) -> Result<(), MeetingError> {
        let head = decode::private_header(message)?;
        let now = self.epoch();
        let near = head.epoch == now || Epoch(head.epoch.0.saturating_add(1)) == now;
        if head.group_id == self.group && near { Ok(()) } else { Err(Error::WrongEpoch.into()) }
    }

    fn check_commit(
        &self,
        submission: &Submission,
        signed: &wire::Signed,
        welcome: &Bytes,
        trust: Trust<'_>,
        now: Time,
    ) -> Result<Change, MeetingError> {
        let commit: wire::Commit = submission.decode()?;
        let change = commit.change.ok_or(submission::Error::Malformed("commit"))?;
        match (&self.tracker, change) {
            (None, wire::commit::Change::Founding(info)) => {
                if !commit.welcome_hash.is_empty() || !welcome.is_empty() {
                    return Err(Error::Welcome.into());
                }
                self.check_founding(submission, signed, &info, trust, now)
            }
            (None, wire::commit::Change::Handshake(_)) => Err(Error::NotRunning.into()),
            (Some(_), wire::commit::Change::Founding(_)) => Err(Error::AlreadyFounded.into()),
            (Some(tracker), wire::commit::Change::Handshake(handshake)) => {
                let member = self.author(submission, signed, trust)?;
                if self.unconfirmed.len() >= limits::UNCONFIRMED_COMMITS {
                    return Err(Error::TooDeep.into()); // LOG-18
                }
                let (staged, contents) = tracker.stage(&handshake)?;
                if contents.committer != member.leaf {
                    return Err(commit_rules::Error::NotMember.into());
                }
                check_welcome(!contents.adds.is_empty(), &commit.welcome_hash, welcome)?;
                let permitted = commit_rules::check(self, &contents, trust, now)?;
                Ok(Change::Commit(Box::new(CheckedCommit { staged, contents, permitted })))
            }
        }
    }

    /// The founder's Join may enter, and its group is new, its own, and under the policy in force (spec: MTG-31).
    fn check_founding(
        &self,
        submission: &Submission,
        signed: &wire::Signed,
        info: &[u8],
        trust: Trust<'_>,
        now: Time,
    ) -> Result<Change, MeetingError> {
        let open = self.doors.joins().find(|(_, join)| *join.device() == submission.device);
        let (sequence, join) = open.ok_or(Error::Founding("its founder has no open Join"))?;
        trust.check_signature(Label::Submission, signed, &join.key).map_err(submission::Error::Signature)?;
        if !join.may_enter(now) {
            return Err(Error::Founding("its founder may not enter").into());
        }
        let tracker = Tracker::found(info)?;
        let [leaf] = tracker.roster() else {
            return Err(Error::Founding("the founder must be alone").into());
        };
        let wrong = [
            (tracker.group_id() == self.group, "it is another session's group"),
            (tracker.suite() == self.record.suite(), "it has another cipher suite"),
            (tracker.policy()? == self.policy().bytes().as_ref(), "it has another policy"),
            (*leaf.device() == submission.device, "the leaf is another device's"),
            (leaf.signature_key == join.key, "the leaf has another key"),
        ]
        .into_iter()
        .find_map(|(ok, what)| (!ok).then_some(what));
        if let Some(what) = wrong {
            return Err(Error::Founding(what).into());
        }
        if leaf.chain != join.chain {
            trust.check_device(&leaf.chain, now)?;
        }
        Ok(Change::Found { tracker: Box::new(tracker), join: sequence })
    }
}

/// The Welcome is there if somebody is added, and is the one that the commit names.
fn check_welcome(adds: bool, hash: &[u8], welcome: &[u8]) -> Result<(), Error> {
    let right =
        if adds { Sha256::digest(welcome).as_slice() == hash } else { hash.is_empty() && welcome.is_empty() };
    if right { Ok(()) } else { Err(Error::Welcome) }
}

fn check_near(time: Time, now: Time) -> Result<(), submission::Error> {
    let apart = now.since(time).max(time.since(now));
    if apart > limits::CLOCK_SKEW { Err(submission::Error::Time) } else { Ok(()) }
}
