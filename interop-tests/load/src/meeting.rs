//! A meeting of two organisations with one device of each in it, ready for messages.

use std::collections::VecDeque;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use conclave_core::{
    group::{CommitPlan, Joiner, Member, Suite},
    ids::{KeyPackageRef, MeetingId, Sequence, SessionNumber, SubmissionId},
    limits,
    meeting::{
        commit_rules::Annotations,
        log::{self, Entry, Kind},
        policy::Rules,
        record::{NewRecord, Record},
        submission::Submission,
    },
};
use conclave_proto::{client::v1 as api, types::v1 as types};
use futures::StreamExt;
use prost::Message;
use sha2::Digest;

use crate::person::{Items, Person, now, random};

const WATCH: &str = "/conclave.client.v1.MeetingService/Watch";
const SUBMIT: &str = "/conclave.client.v1.MeetingService/Submit";

/// What comes on a Watch stream.
pub(crate) type Watch = Items<api::WatchResponse>;

/// Where a session is.
#[derive(Clone)]
pub(crate) struct Place {
    meeting: MeetingId,
    hub: String,
    session: SessionNumber,
}

/// A device in a session.
pub(crate) struct Seat {
    pub(crate) place: Place,
    pub(crate) member: Member,
    pub(crate) watch: Watch,
    /// Messages that came and are not read yet.
    pub(crate) waiting: VecDeque<Entry>,
}

/// A device that has asked to enter.
struct Asking {
    joiner: Joiner,
    watch: Watch,
}

/// Creates a meeting at alice's server, lets her found it and adds bob.
pub(crate) async fn open(alice: &Person, bob: &Person) -> Result<(Seat, Seat)> {
    let place = create(alice, bob).await?;
    let mut first = ask(alice, &place).await?;
    until(&mut first.watch, api::StandingState::Found).await?;
    let policy = policy_of(alice, &place).await?;
    let group = log::group_id(&place.meeting, place.session);
    let (mut hers, info) =
        Member::found(alice.identity.clone(), Suite::Hybrid, group, &policy, now(), random())?;
    let founding = types::Commit {
        change: Some(types::commit::Change::Founding(info.into())),
        welcome_hash: Bytes::new(),
    };
    submit(alice, &place, Kind::Commit, &founding, Bytes::new()).await?;
    until(&mut first.watch, api::StandingState::Entered).await?;

    let mut second = ask(bob, &place).await?;
    let (join, reference) = next_join(&mut first.watch).await?;
    add(alice, &place, &mut hers, &second.joiner, join, reference).await?;
    let entered = until(&mut second.watch, api::StandingState::Entered).await?;
    hers.merge_own()?;
    let mut his = enter(bob, &place, &mut second.joiner, &entered).await?;
    confirm(bob, &place, &mut his, &entered).await?;
    Ok((
        Seat { place: place.clone(), member: hers, watch: first.watch, waiting: VecDeque::new() },
        Seat { place, member: his, watch: second.watch, waiting: VecDeque::new() },
    ))
}

async fn create(alice: &Person, bob: &Person) -> Result<Place> {
    let mut rules = Rules::for_creator(alice.uri().user().clone());
    rules.open_domains.insert(bob.uri().domain().clone());
    let new = NewRecord {
        hub: alice.uri().domain().clone(),
        suite: Suite::Hybrid,
        rules,
        details: None,
        nonce: random(),
        created: now(),
    };
    let record = Record::create(new, &alice.identity)?;
    let request = api::CreateMeetingRequest { record: Some(record.signed().clone()) };
    let _: api::CreateMeetingResponse =
        alice.call("/conclave.client.v1.MeetingService/CreateMeeting", &request).await?;
    Ok(Place { meeting: record.id(), hub: record.hub().to_string(), session: SessionNumber(1) })
}

async fn policy_of(person: &Person, place: &Place) -> Result<Vec<u8>> {
    let request = api::LookUpMeetingRequest { meeting_id: id(place), hub: place.hub.clone(), look: None };
    let answer: api::LookUpMeetingResponse =
        person.call("/conclave.client.v1.MeetingService/LookUpMeeting", &request).await?;
    let record = answer.record.and_then(|record| record.signed).context("no record")?;
    Ok(types::MeetingRecord::decode(record.payload)?.initial_policy.to_vec())
}

async fn ask(person: &Person, place: &Place) -> Result<Asking> {
    let group = log::group_id(&place.meeting, place.session);
    let joiner = Joiner::new(person.identity.clone(), Suite::Hybrid, group, now(), random())?;
    let join = types::Join {
        key_package: Bytes::copy_from_slice(joiner.key_package()),
        evidence: None,
        expires_ms: (now() + limits::JOIN_LIFETIME).as_ms(),
    };
    submit(person, place, Kind::Join, &join, Bytes::new()).await?;
    let request = api::WatchRequest {
        meeting_id: id(place),
        hub: place.hub.clone(),
        session: place.session.0,
        next_sequence: 0,
        key_package_ref: Bytes::copy_from_slice(joiner.key_package_ref().as_bytes()),
    };
    let watch = person.open(WATCH, &request).await?;
    Ok(Asking { joiner, watch })
}

/// Reads on until the own Join stands so.
async fn until(watch: &mut Watch, wanted: api::StandingState) -> Result<api::Standing> {
    while let Some(item) = watch.next().await {
        if let Some(api::watch_response::Item::Standing(standing)) = item?.item
            && standing.state() == wanted
        {
            return Ok(standing);
        }
    }
    bail!("the stream ended before {}", wanted.as_str_name())
}

/// Reads on until somebody's Join stands in the log.
async fn next_join(watch: &mut Watch) -> Result<(Sequence, KeyPackageRef)> {
    while let Some(item) = watch.next().await {
        let Some(api::watch_response::Item::Batch(batch)) = item?.item else { continue };
        for entry in &batch.entries {
            let entry = Entry::parse(entry)?;
            if entry.header().kind == Kind::Join {
                let signed = types::Signed::decode(entry.content().clone())?;
                let join = types::Join::decode(Submission::read(&signed)?.content)?;
                let summary = conclave_core::group::key_package::check(Suite::Hybrid, &join.key_package)?;
                return Ok((entry.sequence(), summary.key_package_ref));
            }
        }
    }
    bail!("the stream ended before anybody asked to enter")
}

async fn add(
    alice: &Person,
    place: &Place,
    member: &mut Member,
    joiner: &Joiner,
    join: Sequence,
    reference: KeyPackageRef,
) -> Result<()> {
    ensure!(reference == joiner.key_package_ref(), "somebody else asked");
    let annotations = Annotations { adds: vec![(join, reference, None)], ..Annotations::default() };
    let draft = member.commit(CommitPlan {
        adds: vec![joiner.key_package().to_vec()],
        annotations: annotations.encode(),
        ..CommitPlan::default()
    })?;
    let welcome = Bytes::from(draft.welcome.context("no Welcome")?);
    let commit = types::Commit {
        change: Some(types::commit::Change::Handshake(draft.handshake.into())),
        welcome_hash: Bytes::copy_from_slice(&sha2::Sha256::digest(&welcome)),
    };
    submit(alice, place, Kind::Commit, &commit, welcome).await?;
    Ok(())
}

async fn enter(bob: &Person, place: &Place, joiner: &mut Joiner, entered: &api::Standing) -> Result<Member> {
    let entry = entered.entry.as_ref().context("no entry")?;
    let epoch = Entry::parse(entry)?.header().epoch.0 + 1;
    let request = api::FetchTreeRequest {
        meeting_id: id(place),
        hub: place.hub.clone(),
        session: place.session.0,
        epoch,
    };
    let mut pieces =
        bob.open::<api::FetchTreeResponse>("/conclave.client.v1.MeetingService/FetchTree", &request).await?;
    let mut tree = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        tree.extend_from_slice(&piece?.chunk);
    }
    Ok(joiner.enter(&entry.attachment, &tree)?)
}

async fn confirm(bob: &Person, place: &Place, member: &mut Member, entered: &api::Standing) -> Result<()> {
    let commit = Entry::parse(entered.entry.as_ref().context("no entry")?)?.sequence();
    let confirm = types::Confirm {
        group_id: Bytes::copy_from_slice(member.group_id()?.as_bytes()),
        epoch: member.epoch().0,
        accepted: true,
        confirmation_tag: member.confirmation_tag()?.into(),
        commit_sequence: commit.0,
    };
    submit(bob, place, Kind::Confirm, &confirm, Bytes::new()).await?;
    Ok(())
}

/// Hands something in and waits until it is in the log.
pub(crate) async fn submit(
    person: &Person,
    place: &Place,
    kind: Kind,
    content: &impl Message,
    attachment: Bytes,
) -> Result<api::SubmitResponse> {
    submit_bytes(person, place, kind, content.encode_to_vec().into(), attachment).await
}

/// The same for content that is encoded already.
pub(crate) async fn submit_bytes(
    person: &Person,
    place: &Place,
    kind: Kind,
    content: Bytes,
    attachment: Bytes,
) -> Result<api::SubmitResponse> {
    let submission = Submission {
        meeting: place.meeting,
        session: place.session,
        id: SubmissionId::from_bytes(random()),
        kind,
        device: person.uri().clone(),
        time: now(),
        content,
    };
    let request = api::SubmitRequest {
        meeting_id: id(place),
        hub: place.hub.clone(),
        submission: Some(submission.sign(&person.identity)),
        attachment,
    };
    person.call(SUBMIT, &request).await
}

fn id(place: &Place) -> Bytes {
    Bytes::copy_from_slice(place.meeting.as_bytes())
}
