//! All meetings that run here: found by id, started when they are needed, and again after a restart.

use std::{collections::HashMap, sync::Arc};

use conclave_core::{
    identity::address::{DeviceUri, Domain, UserAddress},
    ids::{MeetingId, SessionNumber},
    meeting::{
        Error,
        policy::{Policy, PolicyChain},
        record::Record,
        trust::Trust,
    },
};
use conclave_proto::{
    federation::v1::{LookUpMeetingRequest, LookUpMeetingResponse},
    types::v1::{DeviceSigned, ErrorReason, Look, WithdrawBasis},
};
use prost::Message;
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::{
    context::Context,
    follower,
    hub::{self, refusal},
    rows,
};
use crate::{
    clock,
    federation::wary,
    refusal::Refusal,
    store::{self, Batch, schema},
};

/// Largest look-up, bytes: a whole history of policies.
const LOOK_UP_BYTES: usize = 4 * 1_024 * 1_024;
/// Asks a hub for a meeting.
const LOOK_UP: &str = "/conclave.federation.v1.MeetingService/LookUpMeeting";
/// Most meetings in a user's list.
const LISTED: usize = 500;

/// All meetings that run here.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    context: Context,
    hubs: Mutex<HashMap<MeetingId, hub::Handle>>,
    followed: Mutex<HashMap<(MeetingId, SessionNumber), follower::Handle>>,
}

impl Registry {
    /// Takes up what was running when the server stopped (F7).
    pub async fn open(context: Context) -> store::Result<Self> {
        let registry = Self(Arc::new(Inner { context, hubs: Mutex::default(), followed: Mutex::default() }));
        for (meeting, session) in rows::running(&*registry.0.context.store).await? {
            let resumed = match rows::record(&*registry.0.context.store, &meeting).await? {
                Some(record) if record.hub() == registry.own() => registry.hub(&meeting).await.map(|_| ()),
                Some(_) => registry.followed(&meeting, session).await.map(|_| ()),
                None => Ok(()),
            };
            if let Err(refusal) = resumed {
                warn!(%meeting, %refusal, "a running session could not be taken up again");
            }
        }
        Ok(registry)
    }

    /// This server's domain.
    pub fn own(&self) -> &Domain {
        self.0.context.own()
    }

    /// What the meetings share.
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// A meeting that this server orders (C14: the answer to an unknown and to a wrong id is the same).
    pub async fn hub(&self, meeting: &MeetingId) -> Result<hub::Handle, Refusal> {
        let mut hubs = self.0.hubs.lock().await;
        if let Some(handle) = hubs.get(meeting).filter(|handle| !handle.is_closed()) {
            return Ok(handle.clone());
        }
        let handle = hub::start(&self.0.context, *meeting).await?.ok_or(Refusal::NOT_FOUND)?;
        hubs.insert(*meeting, handle.clone());
        Ok(handle)
    }

    /// A session elsewhere that this server follows already.
    pub async fn followed(
        &self,
        meeting: &MeetingId,
        session: SessionNumber,
    ) -> Result<follower::Handle, Refusal> {
        let mut followed = self.0.followed.lock().await;
        followed.retain(|_, handle| !handle.is_closed());
        if let Some(handle) = followed.get(&(*meeting, session)) {
            return Ok(handle.clone());
        }
        let handle = follower::start(&self.0.context, *meeting, session).await?.ok_or(Refusal::NOT_FOUND)?;
        followed.insert((*meeting, session), handle.clone());
        Ok(handle)
    }

    /// Notes that a session elsewhere is to be followed, before a device's Join for it is handed in: no crash in between leaves a
    /// device in the room after whom nobody looks. The hub serves the session once the Join is in the log.
    pub async fn expect(
        &self,
        hub: &Domain,
        meeting: &MeetingId,
        session: SessionNumber,
    ) -> Result<(), Refusal> {
        let key = schema::meeting_session(meeting, session);
        let row: Option<rows::SessionRow> = schema::read(&*self.0.context.store, &key).await?;
        // One that was followed to its last own device, and no further, is opened again.
        if row.is_some_and(|row| !row.over) {
            return Ok(());
        }
        match self.note(hub, meeting, session).await {
            // Another session runs by now: then the hub refuses the Join itself.
            Err(refusal) if refusal == Refusal::NOT_FOUND => Ok(()),
            noted => noted,
        }
    }

    /// Follows a session elsewhere from now on.
    pub async fn follow(
        &self,
        hub: &Domain,
        meeting: &MeetingId,
        session: SessionNumber,
    ) -> Result<follower::Handle, Refusal> {
        let running = self.0.followed.lock().await.get(&(*meeting, session)).cloned();
        if let Some(handle) = running.filter(|handle| !handle.is_closed()) {
            return Ok(handle);
        }
        let store = &self.0.context.store;
        let key = schema::meeting_session(meeting, session);
        let row: Option<rows::SessionRow> = schema::read(&**store, &key).await?;
        let open = row.is_some_and(|row| !row.over);
        // Noted before it began, it may have begun under other policies.
        if !open || store.scan(schema::log(meeting, session).range(), 1).await?.is_empty() {
            self.note(hub, meeting, session).await?;
        }
        self.followed(meeting, session).await
    }

    /// Stores what following needs.
    async fn note(&self, hub: &Domain, meeting: &MeetingId, session: SessionNumber) -> Result<(), Refusal> {
        let found = self.look_up_elsewhere(hub, meeting, None).await?;
        let (record, chain) = self.verify(hub, meeting, &found).await?;
        if found.session != session.0 {
            return Err(Refusal::NOT_FOUND);
        }
        let chain = chain.at_version(found.session_policy_version);
        let row = rows::opened(chain.signed(), clock::now());
        let batch = Batch::new().put(schema::meeting(meeting), record.signed().encode_to_vec());
        Ok(self.0.context.store.apply(rows::put_session(batch, meeting, session, &row)).await?)
    }

    /// The policy in force of a meeting that is ordered here, or that somebody here has been in.
    pub async fn policy(&self, hub: &Domain, meeting: &MeetingId) -> Result<Arc<Policy>, Refusal> {
        let found = if hub == self.own() {
            let found = self.hub(meeting).await?.ask(|reply| hub::Order::LookUp(None, reply)).await?;
            LookUpMeetingResponse {
                record: found.record,
                policy_chain: found.policy_chain,
                session: found.session,
                running: found.running,
                session_policy_version: found.session_policy_version,
                inside: None,
            }
        } else if self.is_at(hub, meeting).await? {
            self.look_up_elsewhere(hub, meeting, None).await?
        } else {
            // Whoever asks may be a stranger: no server is looked for in their name.
            return Err(Refusal::NOT_FOUND);
        };
        let (_, chain) = self.verify(hub, meeting, &found).await?;
        Ok(Arc::clone(chain.tip()))
    }

    /// Whether a meeting that is known here is ordered by this hub.
    pub async fn is_at(&self, hub: &Domain, meeting: &MeetingId) -> Result<bool, Refusal> {
        let record = rows::record(&*self.0.context.store, meeting).await?;
        Ok(record.is_some_and(|record| record.hub() == hub))
    }

    /// What another hub holds of a meeting; not verified.
    pub async fn look_up_elsewhere(
        &self,
        hub: &Domain,
        meeting: &MeetingId,
        look: Option<Look>,
    ) -> Result<LookUpMeetingResponse, Refusal> {
        let channel = self.0.context.peers.channel(hub).await?;
        let request = LookUpMeetingRequest { meeting_id: meeting.as_bytes().to_vec().into(), look };
        wary::call(channel, LOOK_UP, request, wary::LOOK_UP_MEETING_RESPONSE, LOOK_UP_BYTES).await
    }

    /// Whether what a hub says of a meeting is what its id stands for, and its policies follow from each other.
    async fn verify(
        &self,
        hub: &Domain,
        meeting: &MeetingId,
        found: &LookUpMeetingResponse,
    ) -> Result<(Record, PolicyChain), Refusal> {
        let signed = found.record.as_ref().ok_or(Refusal::MALFORMED)?;
        let record = self.verified(|trust| Record::open(signed, trust)).await?;
        if record.id() != *meeting || record.hub() != hub {
            return Err(Refusal::NOT_FOUND);
        }
        let statements = &found.policy_chain;
        let chain =
            self.verified(|trust| PolicyChain::verify(&record, statements, trust, clock::now())).await?;
        Ok((record, chain))
    }

    /// Verifies under the pins; domains that are missing there are looked up.
    pub async fn verified<T>(&self, verify: impl Fn(Trust<'_>) -> Result<T, Error>) -> Result<T, Refusal> {
        for _ in 0..8 {
            let pins = self.0.context.peers.pins();
            match verify(Trust::Verify(&pins)) {
                Err(Error::UnknownDomain(domain)) => self.0.context.peers.learn_more(&domain).await?,
                Err(error) => return Err(refusal(&error)),
                Ok(verified) => return Ok(verified),
            }
        }
        Err(Refusal::UNAVAILABLE)
    }

    /// Stores a new meeting of an own user; durable on return. Storing it twice has no effect.
    pub async fn create(&self, signed: &DeviceSigned, creator: &UserAddress) -> Result<MeetingId, Refusal> {
        let record = self.verified(|trust| Record::open(signed, trust)).await?;
        if record.hub() != self.own() || record.creator() != creator {
            return Err(ErrorReason::NotEntitled.into());
        }
        let age = clock::now().since(record.created()).max(record.created().since(clock::now()));
        if age > conclave_core::limits::CLOCK_SKEW {
            return Err(ErrorReason::Expired.into());
        }
        let meeting = record.id();
        let batch = Batch::new().put(schema::meeting(&meeting), signed.encode_to_vec());
        self.0.context.store.apply(listed(batch, creator, &meeting)).await?;
        info!(%meeting, "a meeting was made");
        Ok(meeting)
    }

    /// Puts a meeting into a user's list.
    pub async fn list_for(&self, user: &UserAddress, meeting: &MeetingId) -> Result<(), Refusal> {
        let key = schema::user_meeting(&schema::user_name(user), meeting);
        if self.0.context.store.get(key.as_bytes()).await?.is_none() {
            self.0.context.store.apply(listed(Batch::new(), user, meeting)).await?;
        }
        Ok(())
    }

    /// A user's meetings, newest first.
    pub async fn list(&self, user: &UserAddress) -> Result<Vec<Record>, Refusal> {
        let range = schema::user_meetings(&schema::user_name(user)).range();
        let mut rows = schema::list::<rows::UserMeetingRow>(&*self.0.context.store, range, LISTED).await?;
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.since_ms));
        let mut records = Vec::new();
        for (key, _) in rows {
            let id = key.last_chunk::<32>().map(|id| MeetingId::from_bytes(*id));
            if let Some(id) = id {
                records.extend(rows::record(&*self.0.context.store, &id).await?);
            }
        }
        Ok(records)
    }

    /// How many devices are in the room now, and whether the meeting is over for good, as far as is known here.
    pub async fn summary(&self, record: &Record) -> (u32, bool) {
        let meeting = record.id();
        let known = if record.hub() == self.own() {
            match self.hub(&meeting).await {
                Ok(handle) => handle.ask(hub::Order::Summary).await,
                Err(refusal) => Err(refusal),
            }
        } else {
            let handle = self
                .0
                .followed
                .lock()
                .await
                .iter()
                .find(|((id, _), _)| *id == meeting)
                .map(|(_, h)| h.clone());
            match handle {
                Some(handle) => handle.ask(follower::Order::Summary).await,
                None => Ok((0, false)),
            }
        };
        known.unwrap_or_default()
    }

    /// The own devices that are in any session, or ask to enter one.
    pub async fn own_devices(&self) -> Vec<DeviceUri> {
        let mut all = Vec::new();
        for handle in self.all_hubs().await {
            all.extend(handle.ask(hub::Order::OwnDevices).await.unwrap_or_default());
        }
        for handle in self.all_followed().await {
            all.extend(handle.ask(follower::Order::OwnDevices).await.unwrap_or_default());
        }
        all
    }

    /// Takes an own user or device out of every session.
    pub async fn evict(&self, subject: &str, basis: WithdrawBasis) {
        for handle in self.all_hubs().await {
            let _ended = handle.tell(hub::Order::Evict(subject.to_owned(), basis)).await;
        }
        for handle in self.all_followed().await {
            let _ended = handle.tell(follower::Order::Evict(subject.to_owned(), basis)).await;
        }
    }

    async fn all_hubs(&self) -> Vec<hub::Handle> {
        self.0.hubs.lock().await.values().cloned().collect()
    }

    async fn all_followed(&self) -> Vec<follower::Handle> {
        self.0.followed.lock().await.values().cloned().collect()
    }
}

fn listed(batch: Batch, user: &UserAddress, meeting: &MeetingId) -> Batch {
    let row = rows::UserMeetingRow { since_ms: clock::now().as_ms() };
    batch.put(schema::user_meeting(&schema::user_name(user), meeting), row.encode_to_vec())
}
