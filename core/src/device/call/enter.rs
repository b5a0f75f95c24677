//! Entering: look the meeting up, check what it claims, ask, and open the Welcome, or found the group.

use conclave_proto::{client::v1 as api, types::v1 as types};
use prost::Message;
use prost::bytes::{Bytes, BytesMut};

use super::{
    Asking, Call, Fetching, Inside, KNOCK_AGAIN, Known, Stage, id_bytes,
    submit::{Draft, Purpose},
    view::MemberView,
};
use crate::{
    device::{
        Device, Error,
        command::{Door, MeetingAddress, RequestId},
        event::{CallEvent, Done, Over, Standing},
        io::ApiError,
        outbox::{Pending, Stream},
        path,
    },
    group::{Identity, Joiner, Member},
    ids::{KeyPackageRef, SessionNumber},
    limits,
    meeting::{
        admission::{self, JoinView},
        log,
        log::{Entry, Tip},
        policy::PolicyChain,
        record::Record,
        trust::Trust,
    },
    time::Time,
};

impl Device {
    pub(in crate::device) fn join(&mut self, request: RequestId, door: &Door) -> Result<(), Error> {
        self.account.as_ref().ok_or(Error::NotSignedIn)?;
        let (meeting, secret) = match door {
            Door::Link(link) => {
                (MeetingAddress { id: link.meeting, hub: link.hub.clone() }, link.secret.clone())
            }
            Door::Address(meeting) => (meeting.clone(), None),
        };
        if self.calls.contains_key(&meeting) {
            return Err(Error::AlreadyInMeeting);
        }
        let mut call = Call::new(request);
        let kept = self.meetings.get(&meeting);
        call.token = kept.and_then(|kept| kept.token.clone());
        call.link_secret = secret.or_else(|| kept.and_then(super::super::stored::Meeting::secret));
        self.calls.insert(meeting.clone(), call);
        self.look_up(&meeting);
        Ok(())
    }

    pub(super) fn look_up(&mut self, meeting: &MeetingAddress) {
        self.look_up_meeting(meeting, Pending::LookUpMeeting { meeting: meeting.clone() });
    }

    pub(in crate::device) fn look_up_refused(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        error: ApiError,
    ) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        if error.reason == types::ErrorReason::Unavailable {
            call.back_off(now);
        } else {
            self.call_failed(meeting, Error::Api(error));
        }
    }

    /// The record and the policies came: check them, then ask to enter (spec: DEV-02).
    pub(in crate::device) fn meeting_found(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        body: &Bytes,
    ) -> Result<(), Error> {
        if !matches!(self.calls.get(meeting).map(|call| &call.stage), Some(Stage::LookingUp)) {
            return Ok(());
        }
        let answer = api::LookUpMeetingResponse::decode(body.clone())?;
        let record =
            Record::open(answer.record.as_ref().ok_or(Error::Malformed)?, Trust::Verify(&self.pins))?;
        if record.id() != meeting.id || *record.hub() != meeting.hub {
            return Err(Error::HomeServer("it gave another meeting's record"));
        }
        let chain = PolicyChain::verify(&record, &answer.policy_chain, Trust::Verify(&self.pins), now)?;
        // The hub signs the log: its descriptor is needed before the first entry comes.
        self.pins.current(&meeting.hub, now)?;
        let known = Known { record, chain, session: SessionNumber(answer.session) };
        self.ask(now, meeting, known)
    }

    /// Hands in a Join with a fresh KeyPackage and follows how it stands.
    fn ask(&mut self, now: Time, meeting: &MeetingAddress, known: Known) -> Result<(), Error> {
        let identity = self.mls_identity()?;
        let seed = self.random();
        let group_id = log::group_id(&meeting.id, known.session);
        let joiner = Joiner::new(identity, known.record.suite(), group_id, now, seed)?;
        let expires = now + limits::JOIN_LIFETIME;
        let join = types::Join {
            key_package: Bytes::copy_from_slice(joiner.key_package()),
            evidence: Some(self.evidence(meeting, &known, joiner.key_package_ref(), now)?),
            expires_ms: expires.as_ms(),
        };
        let (session, key_package_ref) = (known.session, joiner.key_package_ref());
        let asking = Asking { known, joiner: Some(joiner), key_package_ref, founding: None, expires };
        let call = self.calls.get_mut(meeting).ok_or(Error::NotInMeeting)?;
        call.stage = Stage::Asking(Box::new(asking));
        let draft = Draft {
            purpose: Purpose::Join,
            kind: types::EntryKind::Join,
            content: join.encode_to_vec().into(),
            attachment: Bytes::new(),
        };
        self.submit(now, meeting, session, draft)?;
        Ok(())
    }

    fn evidence(
        &self,
        meeting: &MeetingAddress,
        known: &Known,
        key_package: KeyPackageRef,
        now: Time,
    ) -> Result<types::Evidence, Error> {
        use types::evidence::Evidence;
        let account = self.account.as_ref().ok_or(Error::NotSignedIn)?;
        let call = self.calls.get(meeting).ok_or(Error::NotInMeeting)?;
        let link = || {
            let secret = self.secret_in_force(meeting, known.chain.tip().rules().link_key.as_ref())?;
            let join = JoinView {
                meeting: meeting.id,
                session: known.session,
                device: account.uri.clone(),
                key_package_ref: key_package,
                expires: now + limits::JOIN_LIFETIME,
                evidence: None,
                jurisdiction: None,
            };
            Some(admission::sign_link(&join, &secret.link_key()))
        };
        let token = call.token.clone().filter(|token| admission::may_stand(known.chain.tip(), token, now));
        let evidence = token.map(Evidence::Token).or_else(link);
        Ok(types::Evidence { evidence })
    }

    pub(in crate::device) fn mls_identity(&self) -> Result<Identity, Error> {
        let account = self.account.as_ref().ok_or(Error::NotSignedIn)?;
        Ok(Identity::new(account.key.clone(), account.chain.clone())?)
    }

    /// The Join is in the log: follow how it stands.
    pub(super) fn join_logged(&mut self, meeting: &MeetingAddress) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        let Stage::Asking(asking) = &call.stage else { return };
        let message = api::WatchRequest {
            meeting_id: id_bytes(meeting.id.as_bytes()),
            hub: meeting.hub.to_string(),
            session: asking.known.session.0,
            next_sequence: 0,
            key_package_ref: id_bytes(asking.key_package_ref.as_bytes()),
        };
        if call.watch.is_none() {
            call.watch =
                Some(self.out.open(path::WATCH, &message, Stream::Watch { meeting: meeting.clone() }));
        }
    }

    pub(super) fn join_refused(&mut self, now: Time, meeting: &MeetingAddress, error: ApiError) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        if error.reason != types::ErrorReason::Waiting {
            return self.call_failed(meeting, Error::Api(error));
        }
        // No host is there, so there is no lobby to wait in yet (spec: MTG-20): wait out here.
        call.stage = Stage::LookingUp;
        call.retry = Some(now + KNOCK_AGAIN);
        if !std::mem::replace(&mut call.waits_outside, true) {
            self.tell(meeting, CallEvent::Standing(Standing::Waiting));
        }
    }

    /// How the own Join stands.
    pub(super) fn standing(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        standing: &api::Standing,
    ) -> Result<(), Error> {
        use api::StandingState as State;
        match State::try_from(standing.state).unwrap_or(State::Unspecified) {
            State::Logged => self.tell(meeting, CallEvent::Standing(Standing::Asked)),
            State::Waiting => self.tell(meeting, CallEvent::Standing(Standing::Waiting)),
            State::Entered => self.entered(now, meeting, standing)?,
            State::Denied => self.over(meeting, Over::Denied),
            State::Removed => self.over(meeting, Over::Removed),
            State::Lapsed => self.ask_again(meeting),
            State::Found => self.found(now, meeting)?,
            State::Unspecified => {}
        }
        Ok(())
    }

    /// The Join ended unanswered, or the session is over: start anew.
    pub(super) fn ask_again(&mut self, meeting: &MeetingAddress) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        if let Some(watch) = call.watch.take() {
            self.out.close(watch);
        }
        call.inbox.clear();
        call.unsent.clear();
        call.stage = Stage::LookingUp;
        self.look_up(meeting);
    }

    /// No session runs: found the group.
    fn found(&mut self, now: Time, meeting: &MeetingAddress) -> Result<(), Error> {
        let identity = self.mls_identity()?;
        let seed = self.random();
        let Some(Stage::Asking(asking)) = self.calls.get_mut(meeting).map(|call| &mut call.stage) else {
            return Ok(());
        };
        if asking.founding.is_some() {
            return Ok(());
        }
        let (known, session) = (&asking.known, asking.known.session);
        let group_id = log::group_id(&meeting.id, session);
        let policy = known.chain.tip().bytes();
        let (member, info) = Member::found(identity, known.record.suite(), group_id, policy, now, seed)?;
        let commit = types::Commit {
            change: Some(types::commit::Change::Founding(info.into())),
            welcome_hash: Bytes::new(),
        };
        let draft = Draft {
            purpose: Purpose::Commit,
            kind: types::EntryKind::Commit,
            content: commit.encode_to_vec().into(),
            attachment: Bytes::new(),
        };
        let id = self.submit(now, meeting, session, draft)?;
        if let Some(Stage::Asking(asking)) = self.calls.get_mut(meeting).map(|call| &mut call.stage) {
            asking.founding = Some((id, member));
        }
        Ok(())
    }

    /// The device is in: as the founder at once, else with the Welcome and the tree.
    fn entered(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        standing: &api::Standing,
    ) -> Result<(), Error> {
        let entry = Entry::parse(standing.entry.as_ref().ok_or(Error::Malformed)?)?;
        self.check_domains(now, meeting, standing)?;
        let Some(Stage::Asking(asking)) = self.calls.get_mut(meeting).map(|call| &mut call.stage) else {
            return Ok(());
        };
        let founded = asking.founding.take_if(|(id, _)| *id == entry.header().submission);
        if let Some((_, member)) = founded {
            return self.inside(now, meeting, member, standing);
        }
        let call = self.calls.get_mut(meeting).ok_or(Error::NotInMeeting)?;
        let stage = std::mem::replace(&mut call.stage, Stage::Over);
        let Stage::Asking(mut asking) = stage else { return Err(Error::NotInMeeting) };
        let joiner = asking.joiner.take().ok_or(Error::HomeServer("it let the device in twice"))?;
        let session = asking.known.session;
        call.stage = Stage::Fetching(Box::new(Fetching {
            known: asking.known,
            joiner,
            entered: standing.clone(),
            tree: BytesMut::new(),
            complete: false,
            member: None,
        }));
        let message = api::FetchTreeRequest {
            meeting_id: id_bytes(meeting.id.as_bytes()),
            hub: meeting.hub.to_string(),
            session: session.0,
            epoch: entry.header().epoch.0.saturating_add(1),
        };
        self.out.open(path::FETCH_TREE, &message, Stream::Tree { meeting: meeting.clone() });
        Ok(())
    }

    /// Whether every descriptor is here that entering needs, before anything changes.
    fn check_domains(
        &self,
        now: Time,
        meeting: &MeetingAddress,
        standing: &api::Standing,
    ) -> Result<(), Error> {
        let Some(Stage::Asking(asking)) = self.calls.get(meeting).map(|call| &call.stage) else {
            return Ok(());
        };
        let trust = Trust::Verify(&self.pins);
        let chain = PolicyChain::verify(&asking.known.record, &standing.policy_chain, trust, now)?;
        let mut view = MemberView::new(chain, &[]);
        for entry in standing.open_entries.iter().filter_map(|entry| Entry::parse(entry).ok()) {
            if let Err(Error::UnknownDomain(domain)) = view.note(&asking.known, &entry, &self.pins, true) {
                return Err(Error::UnknownDomain(domain));
            }
        }
        Ok(())
    }

    pub(in crate::device) fn tree_piece(&mut self, meeting: &MeetingAddress, message: &Bytes) {
        let Some(Stage::Fetching(fetching)) = self.calls.get_mut(meeting).map(|call| &mut call.stage) else {
            return;
        };
        let piece = api::FetchTreeResponse::decode(message.clone()).unwrap_or_default();
        if fetching.tree.len() + piece.chunk.len() <= limits::TREE_BYTES {
            fetching.tree.extend_from_slice(&piece.chunk);
        }
    }

    pub(in crate::device) fn tree_ended(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        error: Option<&ApiError>,
    ) {
        let Some(call) = self.calls.get_mut(meeting) else { return };
        let Stage::Fetching(fetching) = &mut call.stage else { return };
        if error.is_none() {
            fetching.complete = true;
        } else {
            // The Welcome is still good, but its epoch's tree may be gone by now: ask anew.
            call.back_off(now);
        }
    }

    /// With the tree there, opens the Welcome and verifies everybody (spec: DEV-04).
    pub(super) fn open_welcome(&mut self, now: Time, meeting: &MeetingAddress) -> Result<(), Error> {
        let Some(Stage::Fetching(fetching)) = self.calls.get_mut(meeting).map(|call| &mut call.stage) else {
            return Ok(());
        };
        if !fetching.complete {
            return Ok(());
        }
        if fetching.member.is_none() {
            let welcome = &fetching.entered.entry.as_ref().ok_or(Error::Malformed)?.attachment;
            let member = fetching.joiner.enter(welcome, &fetching.tree)?;
            let checked = fetching.check_entry(&member);
            fetching.member = Some(member);
            if let Err(error) = checked {
                self.reject_entry(now, meeting);
                return Err(error);
            }
        }
        let Some(Stage::Fetching(fetching)) = self.calls.get_mut(meeting).map(|call| &mut call.stage) else {
            return Ok(());
        };
        for leaf in fetching.member.iter().flat_map(Member::roster) {
            // Later expiry removes nobody: only who certified each member counts here.
            self.pins.verify_device_ignoring_time(&leaf.chain)?;
        }
        let (Some(member), standing) = (fetching.member.take(), fetching.entered.clone()) else {
            return Ok(());
        };
        self.inside(now, meeting, member, &standing)
    }

    /// The device is a member: everybody in the room is verified, and the policy is the one that the chain leads to.
    fn inside(
        &mut self,
        now: Time,
        meeting: &MeetingAddress,
        member: Member,
        standing: &api::Standing,
    ) -> Result<(), Error> {
        let entry = Entry::parse(standing.entry.as_ref().ok_or(Error::Malformed)?)?;
        let trust = Trust::Verify(&self.pins);
        let call = self.calls.get_mut(meeting).ok_or(Error::NotInMeeting)?;
        let known = match std::mem::replace(&mut call.stage, Stage::Over) {
            Stage::Asking(asking) => asking.known,
            Stage::Fetching(fetching) => fetching.known,
            other => {
                call.stage = other;
                return Ok(());
            }
        };
        let chain = PolicyChain::verify(&known.record, &standing.policy_chain, trust, now)?;
        if chain.tip().bytes() != member.policy()? {
            return Err(Error::HomeServer("the group's policy is not the one that its hosts signed"));
        }
        let mut view = MemberView::new(chain, member.roster());
        let mut effects = Vec::new();
        for entry in &standing.open_entries {
            match Entry::parse(entry)
                .map_err(Error::from)
                .and_then(|entry| view.note(&known, &entry, &self.pins, true))
            {
                Ok(noted) => effects.extend(noted),
                Err(error) => tracing::debug!(%error, "an entry from before is of no use"),
            }
        }
        let mut inside = Inside::new(known, member, view, Tip::of(&entry));
        if let Ok((_, submission)) = super::view::read(&entry)
            && let Some(committer) = inside.leaf_of(&submission.device)
            && inside.member.roster().len() > 1
        {
            inside.judge_aloud(now, entry.sequence(), committer)?;
        }
        let (session, suite) = (inside.known.session, inside.member.suite());
        let request = call.request.take();
        call.stage = Stage::Inside(Box::new(inside));
        if let Some(request) = request {
            self.done(request, Ok(Done::Plain));
        }
        self.keep_entered(meeting);
        self.tell(meeting, CallEvent::Entered { session, suite });
        self.tell_policy(meeting);
        for effect in effects {
            self.tell_effect(meeting, effect);
        }
        self.tell_group(now, meeting, Vec::new());
        // The stream may have broken while the tree was fetched.
        self.watch_again(meeting);
        Ok(())
    }
}
