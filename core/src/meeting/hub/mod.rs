//! The machine of the server that orders a meeting.
//!
//! It decides what enters the log and whom to ask for a commit; it stores and sends nothing itself. No input lets another domain
//! end the meeting or take out anybody but its own users (spec: MTG-30).

mod committer;
mod io;
mod judgement;
mod queue;
mod rates;
mod refusals;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use conclave_proto::types::v1 as wire;
use prost::{Message, bytes::Bytes};

pub use self::io::{Ask, Input, Output, Receipt, SessionView, Ticket};
use self::{
    committer::Outstanding,
    judgement::Rejections,
    queue::{Queue, Queued},
    rates::Rates,
    refusals::Refusals,
};
use super::{
    Error,
    aside::Aside,
    attendance::Attendance,
    log::{Entry, Head, Header, Kind, ServerSigner},
    policy::{self, PolicyChain},
    record::Record,
    room::{self, Room},
    submission::{self, Confirm, Submission},
    trust::Trust,
};
use crate::{
    identity::{address::Domain, pins::Pins, signed::Label},
    ids::{LeafIndex, Sequence, SessionNumber, SubmissionId},
    limits,
    time::Time,
};

/// Orders one meeting.
#[derive(Debug)]
pub struct Hub {
    record: Arc<Record>,
    /// The policy after changes since the last session; none: the last session's, or the record's.
    changed: Option<PolicyChain>,
    room: Option<Room>,
    signer: ServerSigner,
    queue: Queue,
    rejections: BTreeMap<Sequence, Rejections>,
    outstanding: Option<Outstanding>,
    last_committer: Option<LeafIndex>,
    /// The other domains whose servers mirror the session now.
    followers: BTreeSet<Domain>,
    rates: Rates,
    refusals: Refusals,
    /// Whether something happened after which somebody else may have to be asked.
    stirred: bool,
}

/// What the hub's driver stored of a meeting.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// The last session: its number, the chain of its [`Output::SessionOpened`], and every entry.
    pub session: Option<(SessionNumber, Vec<wire::DeviceSigned>, Vec<Entry>)>,
    /// The statements of every [`Output::PolicyStored`] since.
    pub changes: Vec<wire::DeviceSigned>,
}

impl Hub {
    /// A new meeting; the caller has verified the record and that it names this domain.
    pub fn new(record: Record, signer: ServerSigner) -> Self {
        Self {
            record: Arc::new(record),
            changed: None,
            room: None,
            signer,
            queue: Queue::default(),
            rejections: BTreeMap::new(),
            outstanding: None,
            last_committer: None,
            followers: BTreeSet::new(),
            rates: Rates::default(),
            refusals: Refusals::default(),
            stirred: true,
        }
    }

    /// As it was when its last output was stored. Give it a [`Input::Tick`] next: it asks again for what was not answered.
    pub fn restore(stored: Stored, signer: ServerSigner, now: Time) -> Result<Self, Error> {
        let mut hub = Self::new(stored.record, signer);
        if let Some((session, statements, entries)) = stored.session {
            let chain = PolicyChain::verify(&hub.record, &statements, Trust::Stored, now)?;
            let mut room = Room::new(hub.record.clone(), chain, session);
            room.replay(&entries)?;
            hub.room = Some(room);
        }
        for signed in &stored.changes {
            let mut chain = hub.policy_chain().clone();
            chain.push(chain.check_next(signed, Trust::Stored)?);
            hub.changed = Some(chain);
        }
        Ok(hub)
    }

    /// Takes one input in. On [`Error::UnknownDomain`] look the domain up and give the same input again.
    pub fn handle(&mut self, now: Time, pins: &Pins, input: Input) -> Result<(), Error> {
        let handled = match input {
            Input::Submit { ticket, from, submission, attachment } => {
                self.submit(now, pins, ticket, &from, &submission, attachment)
            }
            Input::Withdraw { ticket, from, withdraw } => self.withdraw(now, pins, ticket, &from, &withdraw),
            Input::Attend { ticket, from, attendance } => self.attend(now, pins, ticket, &from, attendance),
            Input::ChangePolicy { ticket, from, statement } => {
                self.change_policy(now, pins, ticket, &from, &statement)
            }
            Input::Followers(followers) => {
                self.stirred |= self.followers != followers;
                self.followers = followers;
                Ok(())
            }
            Input::Tick => {
                self.stirred = true;
                self.tell_refusals(now);
                self.void_rejected(now)
            }
        };
        if std::mem::take(&mut self.stirred) {
            self.ask_somebody(now);
        }
        handled
    }

    /// The next thing to do, oldest first.
    pub fn poll(&mut self) -> Option<Output> {
        self.queue.pop(&self.signer)
    }

    /// When to come back with a [`Input::Tick`].
    pub fn deadline(&self) -> Option<Time> {
        [self.ask_deadline(), self.judgement_deadline(), self.refusals_deadline()].into_iter().flatten().min()
    }

    /// The meeting's record.
    pub const fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// Every policy so far.
    pub fn policy_chain(&self) -> PolicyChain {
        match (&self.changed, &self.room) {
            (Some(chain), _) => chain.clone(),
            (None, Some(room)) => room.policy_chain().clone(),
            (None, None) => PolicyChain::start(&self.record),
        }
    }

    /// The last session, running or over.
    pub const fn room(&self) -> Option<&Room> {
        self.room.as_ref()
    }

    /// The session that runs or would be next.
    pub fn session(&self, now: Time) -> SessionView {
        match self.room.as_ref().filter(|room| !room.is_over() && !room.is_abandoned(now)) {
            Some(room) => SessionView {
                number: room.session(),
                running: room.is_founded(),
                policy_version: room.start_version(),
            },
            None => SessionView {
                number: self.next_number(),
                running: false,
                policy_version: self.policy_chain().version(),
            },
        }
    }

    /// A head over any entry of this meeting's log, for a batch that ends with it.
    pub fn sign_head(&self, last: &Entry) -> wire::ServerSigned {
        Head::of(last).sign(&self.signer)
    }

    fn next_number(&self) -> SessionNumber {
        SessionNumber(self.room.as_ref().map_or(1, |room| room.session().0.saturating_add(1)))
    }

    fn submit(
        &mut self,
        now: Time,
        pins: &Pins,
        ticket: Ticket,
        from: &Domain,
        signed: &wire::Signed,
        attachment: Bytes,
    ) -> Result<(), Error> {
        let submission = Submission::read(signed)?;
        if submission.device.domain() != from {
            return Err(submission::Error::WrongDomain.into()); // MTG-17
        }
        if self.answer_again(ticket, submission.session, &submission.id, from)? {
            return Ok(()); // LOG-09
        }
        submission.check_time(now)?; // MTG-16
        // Who is not in the room has no budget of their own to spend; the room refuses them before anything costly.
        let counted = submission.kind == Kind::Join
            || self.room.as_ref().is_some_and(|room| room.member(&submission.device).is_some());
        if counted && !self.rates.take(&submission.device, submission.kind, signed.payload.len(), now) {
            return Err(room::Error::RateLimited.into()); // LOG-14
        }
        match submission.kind {
            Kind::Join => self.join(now, pins, ticket, &submission, signed).inspect_err(|error| {
                tracing::debug!(%error, "a Join was refused");
            }),
            Kind::Passing => self.pass(now, pins, ticket, signed),
            Kind::Confirm if self.judge(now, pins, ticket, &submission, signed)? => Ok(()),
            _ => {
                self.room_for(&submission)?;
                self.log_submission(now, pins, ticket, &submission, signed, attachment)
            }
        }
        .inspect_err(|error| {
            if submission.kind == Kind::Join {
                self.refused_join(from, error, now);
            }
        })
    }

    /// Something is said in passing: told to those who listen now, and not kept (spec: LOG-19).
    fn pass(&mut self, now: Time, pins: &Pins, ticket: Ticket, signed: &wire::Signed) -> Result<(), Error> {
        let room = self.room.as_ref().ok_or(room::Error::NotRunning)?;
        room.check_passing(signed, Trust::Verify(pins))?;
        let (session, aside) = (room.session(), Aside::Passing(signed.clone()));
        self.queue.push(Queued::Ready(Box::new(Output::Aside { session, aside })));
        self.reply(ticket, Receipt { sequence: Sequence(0), time: now });
        Ok(())
    }

    /// A domain says whether its own device can be reached: told to those who listen now, and not kept (spec: LOG-20).
    fn attend(
        &mut self,
        now: Time,
        pins: &Pins,
        ticket: Ticket,
        from: &Domain,
        signed: wire::ServerSigned,
    ) -> Result<(), Error> {
        if signed.domain != from.as_str() {
            return Err(submission::Error::WrongDomain.into());
        }
        self.count_word(from, now)?;
        let room = self.takes_part(from, now)?;
        // What is claimed costs nothing to look at; only what may be so is verified.
        let claimed = Attendance::claimed_device(&signed).ok_or(submission::Error::Malformed("device"))?;
        if claimed.domain() != from {
            return Err(submission::Error::WrongDomain.into());
        }
        room.member(&claimed).ok_or(room::Error::NotMember)?;
        let said = room.check_attendance(&signed, Trust::Verify(pins), now)?;
        let length = signed.signed.as_ref().map_or(0, |signed| signed.payload.len());
        if !self.rates.take(&said.device, Kind::Passing, length, now) {
            return Err(room::Error::RateLimited.into()); // LOG-14
        }
        let (session, aside) = (said.session, Aside::Attendance(signed));
        self.queue.push(Queued::Ready(Box::new(Output::Aside { session, aside })));
        self.reply(ticket, Receipt { sequence: Sequence(0), time: now });
        Ok(())
    }

    /// The session, if a domain has anybody in it or at its door; for others it is as if there were none.
    fn takes_part(&self, from: &Domain, now: Time) -> Result<&Room, Error> {
        let room = self.room.as_ref().ok_or(room::Error::NotRunning)?;
        if room.may_follow(from, now) { Ok(room) } else { Err(room::Error::NotRunning.into()) }
    }

    /// To be asked before a signature is verified.
    fn count_word(&mut self, from: &Domain, now: Time) -> Result<(), Error> {
        if self.rates.take_word(from, now) { Ok(()) } else { Err(room::Error::RateLimited.into()) } // LOG-14
    }

    /// The same submission again gives the same answer and changes nothing (spec: LOG-09).
    fn answer_again(
        &mut self,
        ticket: Ticket,
        session: SessionNumber,
        id: &SubmissionId,
        from: &Domain,
    ) -> Result<bool, Error> {
        let Some(room) = self.room.as_ref().filter(|room| room.session() == session) else {
            return Ok(false);
        };
        let Some((author, sequence, time)) = room.find_submission(id) else { return Ok(false) };
        if author != from {
            return Err(submission::Error::IdInUse.into());
        }
        self.reply(ticket, Receipt { sequence, time });
        Ok(true)
    }

    fn room_for(&self, submission: &Submission) -> Result<&Room, Error> {
        let room = self.room.as_ref().ok_or(room::Error::NotRunning)?;
        submission.check_place(self.record.id(), room.session())?;
        Ok(room)
    }

    /// A Join goes into the session that runs, or opens the next one (spec: LOG-16).
    fn join(
        &mut self,
        now: Time,
        pins: &Pins,
        ticket: Ticket,
        submission: &Submission,
        signed: &wire::Signed,
    ) -> Result<(), Error> {
        let current = self.room.as_ref().is_some_and(|room| !room.is_over() && !room.is_abandoned(now));
        if current {
            self.room_for(submission)?;
            return self.log_submission(now, pins, ticket, submission, signed, Bytes::new());
        }
        submission.check_place(self.record.id(), self.next_number())?;
        let chain = self.policy_chain();
        let statements = chain.signed();
        let room = Room::new(self.record.clone(), chain, submission.session);
        // Only a Join that may enter opens a session, so a refused one leaves no trace.
        let entry = new_entry(
            &room,
            Kind::Join,
            submission.id,
            from_of(submission),
            (content(signed), Bytes::new()),
            now,
        );
        room.check_next(&entry, Trust::Verify(pins))?;
        self.queue.push(Queued::Ready(Box::new(Output::SessionOpened {
            session: submission.session,
            policy_chain: statements,
        })));
        self.room = Some(room);
        self.changed = None;
        self.rejections.clear();
        self.outstanding = None;
        self.last_committer = None;
        self.followers.clear();
        self.log_submission(now, pins, ticket, submission, signed, Bytes::new())
    }

    /// A rejection is kept; a confirmation of what is confirmed already is answered. False: it goes into the log.
    fn judge(
        &mut self,
        now: Time,
        pins: &Pins,
        ticket: Ticket,
        submission: &Submission,
        signed: &wire::Signed,
    ) -> Result<bool, Error> {
        let room = self.room_for(submission)?;
        let confirm = Confirm::read(submission, room.group())?;
        let receipt = Receipt { sequence: confirm.commit, time: room.tip().time };
        if confirm.accepted && !room.is_unconfirmed(confirm.commit) && confirm.epoch <= room.confirmed_epoch()
        {
            // Nobody else learns from the answer that the session runs.
            room.check_author(submission, signed, Trust::Verify(pins))?;
            self.reply(ticket, receipt);
            return Ok(true);
        }
        if confirm.accepted {
            return Ok(false);
        }
        let (device, confirm) = room.check_rejection(signed, Trust::Verify(pins))?;
        self.reject(confirm.commit, device, signed.clone(), now);
        self.reply(ticket, receipt);
        Ok(true)
    }

    fn log_submission(
        &mut self,
        now: Time,
        pins: &Pins,
        ticket: Ticket,
        submission: &Submission,
        signed: &wire::Signed,
        attachment: Bytes,
    ) -> Result<(), Error> {
        let (content, author) = (content(signed), from_of(submission));
        let trust = Trust::Verify(pins);
        let receipt = self.write(submission.kind, submission.id, author, content, attachment, trust, now)?;
        if submission.kind == Kind::Commit {
            let leaf = self.room.as_ref().and_then(|room| room.member(&submission.device));
            self.committed(leaf.map(|member| member.leaf));
        }
        self.reply(ticket, receipt);
        Ok(())
    }

    fn withdraw(
        &mut self,
        now: Time,
        pins: &Pins,
        ticket: Ticket,
        from: &Domain,
        signed: &wire::ServerSigned,
    ) -> Result<(), Error> {
        if signed.domain != from.as_str() {
            return Err(submission::Error::WrongDomain.into());
        }
        if signed.encoded_len() > limits::SMALL_ENTRY_BYTES {
            return Err(submission::Error::TooLarge.into());
        }
        self.count_word(from, now)?;
        let claimed = signed.signed.as_ref().map(|signed| signed.payload.clone()).unwrap_or_default();
        let claimed =
            wire::Withdraw::decode(claimed).map_err(|_| submission::Error::Malformed("withdraw"))?;
        let id =
            SubmissionId::parse(&claimed.submission_id).map_err(|_| submission::Error::Malformed("id"))?;
        if self.answer_again(ticket, SessionNumber(claimed.session), &id, from)? {
            return Ok(());
        }
        self.takes_part(from, now)?;
        let _: wire::Withdraw = Trust::Verify(pins).open_server(Label::Withdraw, signed, from, now)?;
        let content = signed.encode_to_vec().into();
        let trust = Trust::Verify(pins);
        let receipt = self.write(Kind::Withdraw, id, from.clone(), content, Bytes::new(), trust, now)?;
        self.reply(ticket, receipt);
        Ok(())
    }

    /// Outside a session; within one, the policy changes by a commit (spec: MTG-32).
    fn change_policy(
        &mut self,
        now: Time,
        pins: &Pins,
        ticket: Ticket,
        from: &Domain,
        signed: &wire::DeviceSigned,
    ) -> Result<(), Error> {
        if self.room.as_ref().is_some_and(|room| !room.is_over() && !room.is_abandoned(now)) {
            return Err(room::Error::Running.into());
        }
        self.count_word(from, now)?;
        let mut chain = self.policy_chain();
        let statement = chain.check_next(signed, Trust::Verify(pins))?;
        if statement.signer().domain() != from {
            return Err(submission::Error::WrongDomain.into());
        }
        let apart = now.since(statement.time()).max(statement.time().since(now));
        if apart > limits::CLOCK_SKEW {
            return Err(policy::Error::Misplaced("time").into());
        }
        chain.push(statement);
        let version = chain.version();
        self.changed = Some(chain);
        let stored = Output::PolicyStored { version, statement: signed.clone() };
        self.queue.push(Queued::Ready(Box::new(stored)));
        self.reply(ticket, Receipt { sequence: Sequence(0), time: now });
        Ok(())
    }

    /// Checks and applies one entry, and queues it for the store.
    #[allow(clippy::too_many_arguments)] // Each is one field of the entry.
    fn write(
        &mut self,
        kind: Kind,
        id: SubmissionId,
        author: Domain,
        content: Bytes,
        attachment: Bytes,
        trust: Trust<'_>,
        now: Time,
    ) -> Result<Receipt, Error> {
        let room = self.room.as_mut().ok_or(room::Error::NotRunning)?;
        if content.len() > kind.largest_content() || attachment.len() > limits::WELCOME_BYTES {
            return Err(submission::Error::TooLarge.into());
        }
        let entry = new_entry(room, kind, id, author, (content, attachment), now);
        let checked = room.check_next(&entry, trust)?;
        let effects = room.apply(checked)?;
        self.stirred |= kind != Kind::Message;
        let receipt = Receipt { sequence: entry.sequence(), time: entry.header().time };
        self.queue.append(room.session(), entry, effects);
        Ok(receipt)
    }

    fn reply(&mut self, ticket: Ticket, receipt: Receipt) {
        self.queue.push(Queued::Ready(Box::new(Output::Reply { ticket, receipt })));
    }
}

fn content(signed: &wire::Signed) -> Bytes {
    signed.encode_to_vec().into()
}

fn from_of(submission: &Submission) -> Domain {
    submission.device.domain().clone()
}

fn new_entry(
    room: &Room,
    kind: Kind,
    submission: SubmissionId,
    author: Domain,
    (content, attachment): (Bytes, Bytes),
    now: Time,
) -> Entry {
    let tip = room.tip();
    let header = Header {
        meeting: room.record().id(),
        session: room.session(),
        term: room.term().clone(),
        sequence: tip.next_sequence(),
        group: room.group(),
        epoch: room.epoch(),
        previous_hash: tip.hash,
        time: now.max(tip.time),
        kind,
        submission,
        author,
        content_hash: [0; 32],
    };
    Entry::write(header, content, attachment)
}
