//! One task for each session elsewhere in which own devices take part: it drives the follower machine of `core`.
//!
//! It mirrors the hub's log to the disk, serves it to the own devices and tells the hub what is durable. When the store fails, or
//! the hub breaks the rules, the streams end.

use std::{sync::Arc, time::Duration};

use conclave_core::{
    identity::address::{DeviceUri, Domain},
    ids::{Epoch, LeafIndex, MeetingId, Sequence, SessionNumber},
    limits,
    meeting::{
        Error,
        aside::Aside,
        follower::{Follower, Input, Output},
        hub::Ask,
        log,
        room::{Effect, Room},
    },
};
use conclave_proto::{
    client::v1::RefusedAttempt,
    federation::v1::{
        MirrorAsk, MirrorResponse, SubmitRequest, meeting_service_client::MeetingServiceClient,
        mirror_response::Item, submit_request,
    },
    types::v1::{ErrorReason, ServerSigned, WithdrawBasis},
};
use prost::Message;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at, sleep, timeout},
};
use tracing::{debug, error, info, warn};

use super::{
    context::{Context, Out},
    house::{House, WatchOrder},
    hub::{Reply, answer},
    journal, rows,
};
use crate::{
    clock,
    refusal::Refusal,
    store::{self, Batch, schema},
};

/// Orders that may wait for one session.
const ORDERS: usize = 256;
/// Mirror items that may wait for one session.
const ITEMS: usize = 64;
/// How often the task looks after those who went away.
const LOOK: Duration = Duration::from_secs(1);
/// How long the hub may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the rest of the server wants of a followed session.
#[derive(Debug)]
pub enum Order {
    /// An own device follows the session.
    Watch(WatchOrder),
    /// The ratchet tree that a joiner needs.
    Tree {
        /// Who asks.
        device: DeviceUri,
        /// Which epoch.
        epoch: Epoch,
        /// Its bytes.
        reply: Reply<Arc<[u8]>>,
    },
    /// The leaf of an own device, if it is a member.
    Leaf(DeviceUri, Reply<LeafIndex>),
    /// How many devices are in the room, and whether the meeting is over for good.
    Summary(Reply<(u32, bool)>),
    /// The own devices that are in the room or ask to enter it.
    OwnDevices(Reply<Vec<DeviceUri>>),
    /// An own user or device is taken out, if it is in.
    Evict(String, WithdrawBasis),
}

/// The way to a followed session's task.
#[derive(Clone, Debug)]
pub struct Handle {
    orders: mpsc::Sender<Order>,
    /// Which session it is.
    pub session: SessionNumber,
}

impl Handle {
    /// Hands in an order and waits for its answer.
    pub async fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, Refusal> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.tell(order(reply)).await?;
        answer.await.map_err(|_| Refusal::UNAVAILABLE)?
    }

    /// Hands in an order.
    pub async fn tell(&self, order: Order) -> Result<(), Refusal> {
        self.orders.send(order).await.map_err(|_| Refusal::UNAVAILABLE)
    }

    /// Whether the task has ended.
    pub fn is_closed(&self) -> bool {
        self.orders.is_closed()
    }
}

struct Task {
    context: Context,
    hub: Domain,
    meeting: MeetingId,
    session: SessionNumber,
    follower: Follower,
    house: House,
    orders: mpsc::Receiver<Order>,
    items: mpsc::Receiver<MirrorResponse>,
    sink: mpsc::Sender<MirrorResponse>,
}

/// Starts the task of a session from what is on the disk; its record and session row are there already.
pub async fn start(
    context: &Context,
    meeting: MeetingId,
    session: SessionNumber,
) -> store::Result<Option<Handle>> {
    let Some(record) = rows::record(&*context.store, &meeting).await? else { return Ok(None) };
    let row: Option<rows::SessionRow> =
        schema::read(&*context.store, &schema::meeting_session(&meeting, session)).await?;
    let Some(row) = row.filter(|row| !row.over) else { return Ok(None) };
    let (journal, entries, last) = rows::journal(Arc::clone(&context.store), meeting, session).await?;
    let folded = rows::chain(&record, &row.policy_chain).and_then(|chain| {
        let head = last.and_then(|stored| stored.head);
        let (hub, record) = (record.hub().clone(), Arc::new(record));
        let signer = context.signer.clone();
        Follower::restore(record, chain, session, signer, &entries, head).map(|follower| (hub, follower))
    });
    let (hub, follower) = folded.map_err(|error| {
        error!(%error, %meeting, "a stored session does not fold");
        store::Error::Damaged("a stored session".to_owned())
    })?;
    let (sender, orders) = mpsc::channel(ORDERS);
    let (sink, items) = mpsc::channel(ITEMS);
    let house = House::new(context.own().clone(), journal, context.tasks.clone());
    context.set_roster(follower.room());
    let context = context.clone();
    let tasks = context.tasks.clone();
    let task = Task { context, hub, meeting, session, follower, house, orders, items, sink };
    task.follow();
    tasks.spawn(task.run());
    Ok(Some(Handle { orders: sender, session }))
}

/// Whether a task goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Go {
    On,
    Over,
}

impl Task {
    fn follow(&self) {
        let durable = self.house.journal().tip();
        self.context.mirrors.follow(&self.hub, self.meeting, self.session, durable, self.sink.clone());
    }

    async fn run(mut self) {
        let shutdown = self.context.shutdown.clone();
        // It ticks whatever else there is to do.
        let mut looks = interval_at(Instant::now() + LOOK, LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let worked = tokio::select! {
                () = shutdown.cancelled() => return,
                item = self.items.recv() => match item {
                    Some(item) => self.mirrored(item).await,
                    None => Ok(Go::Over),
                },
                order = self.orders.recv() => match order {
                    Some(order) => self.take(order).await,
                    None => Ok(Go::Over),
                },
                _ = looks.tick() => self.look().await,
            };
            match worked {
                Ok(Go::On) => {}
                Ok(Go::Over) => break,
                Err(error) => {
                    error!(meeting = %self.meeting, %error, "a followed session stops until its next call: the store fails");
                    break;
                }
            }
        }
        self.context.mirrors.unfollow(&self.hub, self.meeting, self.session);
        let _ended = self.house.end_all(self.follower.room()).await;
    }

    async fn look(&mut self) -> store::Result<Go> {
        let missing = self.house.missing(self.follower.room()).await?;
        for (presence, away) in missing.attendance {
            let said = self.context.attendance(self.meeting, self.session, presence, away);
            self.house.aside(self.follower.room(), &Aside::Attendance(said.clone())).await?;
            self.hand_in(submit_request::Item::Attendance(said));
        }
        for presence in missing.lost {
            debug!(meeting = %self.meeting, "a member without a stream is taken out");
            self.evict(&Out::Lost(presence));
        }
        Ok(Go::On)
    }

    async fn take(&mut self, order: Order) -> store::Result<Go> {
        match order {
            Order::Watch(order) => self.house.watch(self.follower.room(), order, clock::now()).await?,
            Order::Tree { device, epoch, reply } => answer(reply, tree(self.follower.room(), &device, epoch)),
            Order::Leaf(device, reply) => answer(reply, leaf(self.follower.room(), &device)),
            Order::Summary(reply) => {
                let room = self.follower.room();
                let present = u32::try_from(room.present().count()).unwrap_or(u32::MAX);
                answer(reply, Ok((present, room.policy().rules().ended)));
            }
            Order::OwnDevices(reply) => {
                answer(reply, Ok(self.context.own_devices(self.follower.room())));
            }
            Order::Evict(subject, basis) => {
                let going = self.context.cut(self.follower.room(), &subject);
                for device in &going {
                    self.house.cut(device).await?;
                }
                if !going.is_empty() {
                    self.evict(&Out::Subject(subject, basis));
                }
            }
        }
        Ok(Go::On)
    }

    /// Asks the hub to log that an own device is taken out; if that fails, the next look tries again.
    fn evict(&self, out: &Out) {
        let withdraw = self.context.withdraw(self.meeting, self.session, out);
        self.hand_in(submit_request::Item::Withdraw(withdraw));
    }

    /// Gives the hub a word of this server's own.
    fn hand_in(&self, item: submit_request::Item) {
        let (peers, hub, meeting) = (self.context.peers.clone(), self.hub.clone(), self.meeting);
        self.context.tasks.spawn(async move {
            let meeting_id = meeting.as_bytes().to_vec().into();
            let request = SubmitRequest { meeting_id, item: Some(item), attachment: bytes::Bytes::new() };
            let handed_in = timeout(PATIENCE, async {
                let channel = peers.channel(&hub).await?;
                MeetingServiceClient::new(channel)
                    .max_decoding_message_size(limits::CONTROL_MESSAGE_BYTES)
                    .submit(request)
                    .await
                    .map_err(|status| Refusal::of_status(&status))
            });
            match handed_in.await {
                Ok(Ok(_)) => {}
                Ok(Err(refusal)) => {
                    info!(peer = %hub, %meeting, %refusal, "the hub refuses a word on an own device");
                }
                Err(_) => info!(peer = %hub, %meeting, "the hub takes too long with a word on an own device"),
            }
        });
    }

    async fn mirrored(&mut self, item: MirrorResponse) -> store::Result<Go> {
        match item.item {
            Some(Item::Batch(batch)) => {
                let Some(head) = batch.head else { return Ok(Go::On) };
                self.entries(Input::Entries { entries: batch.entries, head }).await
            }
            Some(Item::Ask(ask)) => {
                if let Some((device, ask)) =
                    read_ask(&ask).filter(|(device, _)| device.domain() == self.context.own())
                {
                    self.house.ask(self.follower.room(), &device, ask).await?;
                }
                Ok(Go::On)
            }
            Some(Item::Passing(signed)) => self.aside(&Aside::Passing(signed)).await,
            Some(Item::Attendance(signed)) => self.aside(&Aside::Attendance(signed)).await,
            Some(Item::RefusedAttempt(attempt)) => {
                let attempt =
                    RefusedAttempt { domain: attempt.domain, times: attempt.times, time_ms: attempt.time_ms };
                if Domain::parse(&attempt.domain).is_ok() {
                    self.house.refused_attempt(self.follower.room(), &attempt).await?;
                }
                Ok(Go::On)
            }
            Some(Item::Refusal(_)) => {
                info!(peer = %self.hub, meeting = %self.meeting, "the hub does not serve a session any more");
                self.close().await?;
                Ok(Go::Over)
            }
            None => Ok(Go::On),
        }
    }

    async fn aside(&mut self, aside: &Aside) -> store::Result<Go> {
        match self.follower.check_aside(clock::now(), &self.context.peers.pins(), aside) {
            Ok(()) => self.house.aside(self.follower.room(), aside).await?,
            Err(error) => debug!(peer = %self.hub, %error, "what the hub told beside the log is dropped"),
        }
        Ok(Go::On)
    }

    async fn entries(&mut self, input: Input) -> store::Result<Go> {
        let mut looked_up: Option<Domain> = None;
        loop {
            let taken = self.follower.handle(clock::now(), &self.context.peers.pins(), &input);
            let go = self.flush().await?;
            match taken {
                Ok(()) => return Ok(go),
                Err(Error::UnknownDomain(domain)) if looked_up.as_ref() != Some(&domain) => {
                    if let Err(error) = self.context.peers.learn_more(&domain).await {
                        warn!(peer = %domain, %error, "a domain in a followed session is not found");
                    }
                    looked_up = Some(domain);
                }
                Err(Error::UnknownDomain(_)) => {
                    // Not found now; the hub is asked for the same again, later.
                    sleep(LOOK).await;
                    self.follow();
                    return Ok(go);
                }
                Err(Error::Log(log::Error::Gap { .. })) => {
                    self.follow();
                    return Ok(go);
                }
                Err(error) => {
                    warn!(peer = %self.hub, meeting = %self.meeting, %error, "the hub broke the rules; its log is taken no further");
                    return Ok(Go::Over);
                }
            }
        }
    }

    async fn flush(&mut self) -> store::Result<Go> {
        let mut go = Go::On;
        while let Some(output) = self.follower.poll() {
            match output {
                Output::Append { entries, head, effects } => {
                    let room = self.follower.room();
                    self.house.before_visible(&effects).await?;
                    let last = entries.len().saturating_sub(1);
                    let stored = entries.iter().enumerate().map(|(at, entry)| journal::Stored {
                        entry: Some(entry.to_wire()),
                        head: (at == last).then(|| head.clone()),
                    });
                    let mut also = Batch::new();
                    if effects.contains(&Effect::SessionOver) {
                        also = rows::close(&*self.context.store, also, &self.meeting, self.session).await?;
                        go = Go::Over;
                    }
                    self.house.journal().append(stored.collect(), also).await?;
                    self.house.after_visible(room, &effects, clock::now()).await?;
                    self.context.tell_media(room, &effects);
                }
                Output::Acknowledge(acknowledgement) => {
                    self.context.mirrors.acknowledge(&self.hub, acknowledgement);
                }
                Output::Evidence { known, other } => self.keep_evidence(&known, &other).await?,
            }
        }
        Ok(go)
    }

    /// Two heads signed for one place: they prove to anybody that the hub told two stories (spec: LOG-17).
    async fn keep_evidence(&self, known: &ServerSigned, other: &ServerSigned) -> store::Result<()> {
        error!(peer = %self.hub, meeting = %self.meeting, "the hub signed two histories; both heads are kept");
        let key = || schema::kv("evidence").bytes(self.meeting.as_bytes()).number(self.session.0);
        let batch = Batch::new()
            .put(key().name("known"), known.encode_to_vec())
            .put(key().name("other"), other.encode_to_vec());
        self.context.store.apply(batch).await
    }

    /// It is not followed any more, also after a restart.
    async fn close(&self) -> store::Result<()> {
        let batch = rows::close(&*self.context.store, Batch::new(), &self.meeting, self.session).await?;
        if batch.is_empty() { Ok(()) } else { self.context.store.apply(batch).await }
    }
}

fn tree(room: &Room, device: &DeviceUri, epoch: Epoch) -> Result<Arc<[u8]>, Refusal> {
    room.member(device).ok_or(Refusal::NOT_FOUND)?;
    room.tree_at(epoch).cloned().ok_or(ErrorReason::WrongEpoch.into())
}

fn leaf(room: &Room, device: &DeviceUri) -> Result<LeafIndex, Refusal> {
    let member = room.member(device).filter(|member| !room.has_left(member));
    member.map(|member| member.leaf).ok_or(Refusal::NOT_FOUND)
}

fn read_ask(ask: &MirrorAsk) -> Option<(DeviceUri, Ask)> {
    let sequences = |list: &[u64]| list.iter().map(|sequence| Sequence(*sequence)).collect();
    let most = limits::JOINS_PER_COMMIT.max(limits::MEMBERS);
    if ask.join_sequences.len() > most || ask.remove_sequences.len() > most {
        return None;
    }
    let device = DeviceUri::parse(&ask.device).ok()?;
    let (joins, removes) = (sequences(&ask.join_sequences), sequences(&ask.remove_sequences));
    Some((device, Ask { epoch: Epoch(ask.epoch), joins, removes, found: ask.found }))
}
