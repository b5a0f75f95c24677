//! One task for each meeting that this server orders: it drives the hub machine of `core` and does what the machine says.
//!
//! Inputs that wait together are handled together, so that their entries share one head and one sync. Nothing leaves before it is
//! on the disk. When the store fails the task ends, and the next call starts it again from what is on the disk.

use std::{collections::HashMap, sync::Arc, time::Duration};

use conclave_core::{
    identity::address::{DeviceUri, Domain},
    ids::{Epoch, LeafIndex, MeetingId, SessionNumber},
    meeting::{
        Error,
        aside::Aside,
        hub::{Ask, Hub, Input, Output, Receipt, Stored, Ticket},
        log::{Entry, Kind, ServerSigner},
        look,
        room::{Effect, Room},
        submission::Submission,
        watch::{Note, Presence, What},
    },
};
use conclave_proto::{
    client::v1::{LookUpMeetingResponse, RefusedAttempt},
    federation::v1::{
        MirrorAsk, MirrorBatch, MirrorRefusal, MirrorRefusedAttempt, MirrorResponse, mirror_response::Item,
    },
    types::v1::{DeviceSigned, ErrorReason, Look, ServerSigned, Signed},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tracing::{debug, error, warn};

use super::{
    context::{Context, Out},
    house::{House, WatchOrder},
    journal::{self, Stretch},
    mirrors::Mirrors,
    rows,
    watcher::{NOTES, Outlet, Watcher, tell_in_passing},
};
use crate::{
    clock,
    refusal::Refusal,
    store::{self, Batch, schema},
};

pub use super::order::{Handle, Order, Reply, answer};

/// Orders that may wait for one meeting.
const ORDERS: usize = 1_024;
/// Most orders handled before their entries are written.
const TOGETHER: usize = 128;
/// How often the task looks after those who went away.
const LOOK: Duration = Duration::from_secs(1);

struct Task {
    context: Context,
    meeting: MeetingId,
    hub: Hub,
    house: Option<House>,
    mirrors: Mirrors,
    replies: HashMap<Ticket, Reply<Receipt>>,
    tickets: u64,
    orders: mpsc::Receiver<Order>,
    /// For orders that come again after a domain was looked up.
    again: mpsc::WeakSender<Order>,
    looked_up: HashMap<Domain, Instant>,
}

/// Starts the task of a meeting from what is on the disk; `None` if there is no such meeting.
pub async fn start(context: &Context, meeting: MeetingId) -> store::Result<Option<Handle>> {
    let Some(record) = rows::record(&*context.store, &meeting).await? else { return Ok(None) };
    if record.hub() != context.own() {
        return Ok(None);
    }
    let now = clock::now();
    let mut journal = None;
    let session = match rows::last_session(&*context.store, &meeting).await? {
        Some((number, row)) => {
            let (opened, entries, _) = rows::journal(Arc::clone(&context.store), meeting, number).await?;
            journal = Some(opened);
            Some((number, row.policy_chain, entries))
        }
        None => None,
    };
    let changes =
        schema::list::<DeviceSigned>(&*context.store, schema::policies(&meeting).range(), usize::MAX).await?;
    let changes = changes.into_iter().map(|(_, statement)| statement).collect();
    let signer: ServerSigner = context.signer.clone();
    let hub = Hub::restore(Stored { record, session, changes }, signer, now).map_err(|error| {
        error!(%error, %meeting, "a stored meeting does not fold");
        store::Error::Damaged("a stored meeting".to_owned())
    })?;
    let (sender, orders) = mpsc::channel(ORDERS);
    let house = journal.map(|journal| House::new(context.own().clone(), journal, context.tasks.clone()));
    let task = Task {
        context: context.clone(),
        meeting,
        hub,
        house,
        mirrors: Mirrors::default(),
        replies: HashMap::new(),
        tickets: 0,
        orders,
        again: sender.downgrade(),
        looked_up: HashMap::new(),
    };
    if let Some(room) = task.hub.room() {
        context.set_roster(room);
    }
    context.tasks.spawn(task.run());
    Ok(Some(Handle(sender)))
}

impl Task {
    async fn run(mut self) {
        // A restored machine asks again for what was not answered.
        if self.round(Vec::new()).await.is_err() {
            return;
        }
        let shutdown = self.context.shutdown.clone();
        loop {
            let wake = self.wake();
            let order = tokio::select! {
                () = shutdown.cancelled() => break,
                order = self.orders.recv() => match order {
                    Some(order) => Some(order),
                    None => break,
                },
                () = sleep_until(wake) => None,
            };
            let mut orders: Vec<_> = order.into_iter().collect();
            while orders.len() < TOGETHER
                && let Ok(order) = self.orders.try_recv()
            {
                orders.push(order);
            }
            if let Err(error) = self.round(orders).await {
                error!(meeting = %self.meeting, %error, "a meeting stops until its next call: the store fails");
                break;
            }
        }
        if let (Some(house), Some(room)) = (&mut self.house, self.hub.room())
            && !shutdown.is_cancelled()
        {
            let _ended = house.end_all(room).await;
        }
    }

    /// When the task must look after something by itself.
    fn wake(&self) -> Instant {
        let now = clock::now();
        let machine = self.hub.deadline().map(|deadline| Instant::now() + deadline.since(now));
        let idle =
            self.hub.room().is_none_or(Room::is_over) && self.house.as_ref().is_none_or(House::is_idle);
        let look = Instant::now() + if idle { LOOK * 3_600 } else { LOOK };
        machine.map_or(look, |machine| machine.min(look))
    }

    async fn round(&mut self, orders: Vec<Order>) -> store::Result<()> {
        for order in orders {
            self.take(order).await?;
        }
        self.tick().await?;
        self.flush().await
    }

    async fn tick(&mut self) -> store::Result<()> {
        let pins = self.context.peers.pins();
        self.mirrors.sweep();
        let followers = self.mirrors.iter().map(|mirror| mirror.domain.clone()).collect();
        for input in [Input::Followers(followers), Input::Tick] {
            if let Err(error) = self.hub.handle(clock::now(), &pins, input) {
                warn!(meeting = %self.meeting, %error, "the hub machine refuses a tick");
            }
        }
        let (Some(house), Some(room)) = (&mut self.house, self.hub.room()) else { return Ok(()) };
        let session = room.session();
        let missing = house.missing(room).await?;
        for (presence, away) in missing.attendance {
            self.attend(session, presence, away);
        }
        for presence in missing.lost {
            debug!(meeting = %self.meeting, "a member without a stream is taken out");
            self.evict(session, &Out::Lost(presence));
        }
        Ok(())
    }

    fn attend(&mut self, session: SessionNumber, presence: Presence, away: bool) {
        let attendance = self.context.attendance(self.meeting, session, presence, away);
        let ticket = self.ticket();
        let input = Input::Attend { ticket, from: self.context.own().clone(), attendance };
        if let Err(error) = self.hub.handle(clock::now(), &self.context.peers.pins(), input) {
            debug!(meeting = %self.meeting, %error, "nobody is told who cannot be reached");
        }
    }

    fn evict(&mut self, session: SessionNumber, out: &Out) {
        let withdraw = self.context.withdraw(self.meeting, session, out);
        let ticket = self.ticket();
        let input = Input::Withdraw { ticket, from: self.context.own().clone(), withdraw };
        if let Err(error) = self.hub.handle(clock::now(), &self.context.peers.pins(), input) {
            warn!(meeting = %self.meeting, %error, "an own device cannot be taken out");
        }
    }

    async fn take(&mut self, order: Order) -> store::Result<()> {
        match order {
            Order::LookUp(look, reply) => answer(reply, Ok(self.look_up(look.as_ref()))),
            Order::Summary(reply) => answer(reply, Ok(self.summary())),
            Order::Submit { from, submission, attachment, reply } => {
                self.submit(from, submission, attachment, reply).await?;
            }
            Order::Withdraw { from, withdraw, reply } => {
                let ticket = self.ticket();
                let input = Input::Withdraw { ticket, from: from.clone(), withdraw: withdraw.clone() };
                self.give(ticket, input, reply, |reply| Order::Withdraw { from, withdraw, reply });
            }
            Order::Attend { from, attendance, reply } => {
                let ticket = self.ticket();
                let input = Input::Attend { ticket, from: from.clone(), attendance: attendance.clone() };
                self.give(ticket, input, reply, |reply| Order::Attend { from, attendance, reply });
            }
            Order::ChangePolicy { from, statement, reply } => {
                let ticket = self.ticket();
                let input = Input::ChangePolicy { ticket, from: from.clone(), statement: statement.clone() };
                self.give(ticket, input, reply, |reply| Order::ChangePolicy { from, statement, reply });
            }
            Order::Watch(order) => {
                self.flush().await?;
                self.watch(order).await?;
            }
            Order::Tree { device, session, epoch, reply } => {
                answer(reply, self.tree(&device, session, epoch));
            }
            Order::Leaf(device, session, reply) => answer(reply, self.leaf(&device, session)),
            Order::OwnDevices(reply) => {
                let room = self.hub.room().filter(|room| !room.is_over());
                answer(reply, Ok(room.map(|room| self.context.own_devices(room)).unwrap_or_default()));
            }
            Order::Follow { domain, session, next_sequence, outlet, reply } => {
                self.flush().await?;
                answer(reply, self.follow(domain, session, next_sequence, outlet));
            }
            Order::Unfollow(domain, session) => {
                if self.room_of(session).is_ok() {
                    self.mirrors.forget(&domain);
                }
            }
            Order::Evict(subject, basis) => {
                let (Some(house), Some(room)) = (&mut self.house, self.hub.room()) else { return Ok(()) };
                let (session, going) = (room.session(), self.context.cut(room, &subject));
                for device in &going {
                    house.cut(device).await?;
                }
                if !going.is_empty() {
                    self.evict(session, &Out::Subject(subject, basis));
                }
            }
        }
        Ok(())
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    async fn submit(
        &mut self,
        from: Domain,
        submission: Signed,
        attachment: bytes::Bytes,
        reply: Reply<Receipt>,
    ) -> store::Result<()> {
        // A commit is a batch of its own: who enters by it gets a head over exactly that entry.
        let alone = Submission::read(&submission).is_ok_and(|submission| submission.kind == Kind::Commit);
        if alone {
            self.flush().await?;
        }
        let ticket = self.ticket();
        let input = Input::Submit {
            ticket,
            from: from.clone(),
            submission: submission.clone(),
            attachment: attachment.clone(),
        };
        self.give(ticket, input, reply, |reply| Order::Submit { from, submission, attachment, reply });
        if alone { self.flush().await } else { Ok(()) }
    }

    /// Gives an input to the machine; if a domain must be looked up first, the order comes again after that.
    fn give(
        &mut self,
        ticket: Ticket,
        input: Input,
        reply: Reply<Receipt>,
        again: impl FnOnce(Reply<Receipt>) -> Order,
    ) {
        match self.hub.handle(clock::now(), &self.context.peers.pins(), input) {
            Ok(()) => {
                self.replies.insert(ticket, reply);
            }
            Err(Error::UnknownDomain(domain)) if self.may_look_up(&domain) => {
                let (peers, order, sender) = (self.context.peers.clone(), again(reply), self.again.clone());
                self.context.tasks.spawn(async move {
                    if let Err(error) = peers.learn_more(&domain).await {
                        debug!(peer = %domain, %error, "a domain that a meeting needs is not found");
                    }
                    if let Some(sender) = sender.upgrade() {
                        let _ended = sender.send(order).await;
                    }
                });
            }
            Err(error) => {
                debug!(meeting = %self.meeting, %error, "an input is refused");
                answer(reply, Err(refusal(&error)));
            }
        }
    }

    /// Not again within a few seconds: what could not be found then is not there now.
    fn may_look_up(&mut self, domain: &Domain) -> bool {
        let now = Instant::now();
        self.looked_up.retain(|_, last| now.duration_since(*last) < Duration::from_secs(5));
        self.looked_up.insert(domain.clone(), now).is_none()
    }

    fn look_up(&self, look: Option<&Look>) -> LookUpMeetingResponse {
        let now = clock::now();
        let view = self.hub.session(now);
        LookUpMeetingResponse {
            record: Some(self.hub.record().signed().clone()),
            policy_chain: self.hub.policy_chain().signed(),
            session: view.number.0,
            running: view.running,
            session_policy_version: view.policy_version,
            inside: look.and_then(|look| look::inside(&self.hub, look, &self.context.peers.pins(), now)),
        }
    }

    fn summary(&self) -> (u32, bool) {
        let present = self.hub.room().filter(|room| !room.is_over()).map_or(0, |room| room.present().count());
        (u32::try_from(present).unwrap_or(u32::MAX), self.hub.policy_chain().tip().rules().ended)
    }

    async fn watch(&mut self, order: WatchOrder) -> store::Result<()> {
        if let (Some(house), Some(room)) = (&mut self.house, self.hub.room()) {
            house.watch(room, order, clock::now()).await
        } else {
            answer(order.reply, Err(Refusal::NOT_FOUND));
            Ok(())
        }
    }

    fn room_of(&self, session: SessionNumber) -> Result<&Room, Refusal> {
        self.hub.room().filter(|room| room.session() == session).ok_or(Refusal::NOT_FOUND)
    }

    fn tree(&self, device: &DeviceUri, session: SessionNumber, epoch: Epoch) -> Result<Arc<[u8]>, Refusal> {
        let room = self.room_of(session)?;
        room.member(device).ok_or(Refusal::NOT_FOUND)?;
        room.tree_at(epoch).cloned().ok_or(ErrorReason::WrongEpoch.into())
    }

    fn leaf(&self, device: &DeviceUri, session: SessionNumber) -> Result<LeafIndex, Refusal> {
        let room = self.room_of(session)?;
        let member = room.member(device).filter(|member| !room.has_left(member));
        member.map(|member| member.leaf).ok_or(Refusal::NOT_FOUND)
    }

    fn follow(
        &mut self,
        domain: Domain,
        session: SessionNumber,
        next_sequence: u64,
        outlet: Outlet<MirrorResponse>,
    ) -> Result<(), Refusal> {
        let room = self.room_of(session)?;
        let house = self.house.as_ref().ok_or(Refusal::NOT_FOUND)?;
        if !room.may_follow(&domain, clock::now()) {
            return Err(Refusal::NOT_FOUND); // LOG-13
        }
        let journal: journal::Shared = house.journal().clone();
        let meeting = self.meeting;
        let wrap = move |stretch: Stretch| {
            let batch = MirrorBatch { entries: stretch.entries, head: stretch.head };
            mirrored(meeting, session, Item::Batch(batch))
        };
        let (notes, inbox) = mpsc::channel(NOTES);
        let watcher = Watcher::new(journal, Some(next_sequence.max(1)), inbox, outlet, wrap);
        let stop = self.mirrors.follow(domain, notes);
        self.context.tasks.spawn(stop.run_until_cancelled_owned(watcher.run()));
        Ok(())
    }

    /// Does what the machine says, in order.
    async fn flush(&mut self) -> store::Result<()> {
        while let Some(output) = self.hub.poll() {
            match output {
                Output::SessionOpened { session, policy_chain } => self.open(session, policy_chain).await?,
                Output::Append { session, entries, head, effects } => {
                    self.append(session, entries, head, &effects).await?;
                }
                Output::PolicyStored { version, statement } => {
                    use prost::Message;
                    let key = schema::policy(&self.meeting, version);
                    self.context.store.apply(Batch::new().put(key, statement.encode_to_vec())).await?;
                }
                Output::Reply { ticket, receipt } => {
                    if let Some(reply) = self.replies.remove(&ticket) {
                        answer(reply, Ok(receipt));
                    }
                }
                Output::Ask { session, device, ask } => self.ask(session, &device, ask).await?,
                Output::Aside { session, aside } => self.aside(session, &aside).await?,
                Output::RefusedAttempt { session, domain, times } => {
                    self.refused_attempt(session, &domain, times).await?;
                }
            }
        }
        Ok(())
    }

    /// A new session takes the place of the last one.
    async fn open(&mut self, session: SessionNumber, policy_chain: Vec<DeviceSigned>) -> store::Result<()> {
        let store = Arc::clone(&self.context.store);
        let row = rows::opened(policy_chain, clock::now());
        let mut batch = rows::put_session(Batch::new(), &self.meeting, session, &row);
        let changes = store.scan(schema::policies(&self.meeting).range(), usize::MAX).await?;
        batch = changes.into_iter().fold(batch, |batch, (key, _)| batch.delete(key));
        if let Some((last, row)) = rows::last_session(&*store, &self.meeting).await?
            && last != session
        {
            batch = rows::put_session(batch, &self.meeting, last, &rows::SessionRow { over: true, ..row });
        }
        store.apply(batch).await?;
        let (journal, _, _) = rows::journal(store, self.meeting, session).await?;
        self.mirrors.let_go();
        self.house = Some(House::new(self.context.own().clone(), journal, self.context.tasks.clone()));
        Ok(())
    }

    async fn append(
        &mut self,
        session: SessionNumber,
        entries: Vec<Entry>,
        head: ServerSigned,
        effects: &[Effect],
    ) -> store::Result<()> {
        let (Some(house), Some(room)) = (&mut self.house, self.hub.room()) else { return Ok(()) };
        house.before_visible(effects).await?;
        let now = clock::now();
        let tip = room.tip().sequence.0;
        for mirror in self.mirrors.iter().filter(|mirror| !room.may_follow(&mirror.domain, now)) {
            // LOG-13; told, so that the follower asks anew when one of its devices comes back.
            let reason = ErrorReason::NotFound.as_str_name().to_owned();
            let item = mirrored(self.meeting, session, Item::Refusal(MirrorRefusal { reason }));
            let _gone = mirror.notes.try_send(Note { after: tip, what: What::Last(Some(item)) });
        }
        let last = entries.len().saturating_sub(1);
        let stored = entries.iter().enumerate().map(|(at, entry)| journal::Stored {
            entry: Some(entry.to_wire()),
            head: (at == last).then(|| head.clone()),
        });
        let mut also = Batch::new();
        if effects.contains(&Effect::SessionOver) {
            also = rows::close(&*self.context.store, also, &self.meeting, session).await?;
        }
        house.journal().append(stored.collect(), also).await?;
        house.after_visible(room, effects, now).await?;
        self.context.tell_media(room, effects);
        Ok(())
    }

    async fn ask(&mut self, session: SessionNumber, device: &DeviceUri, ask: Ask) -> store::Result<()> {
        let (Some(house), Some(room)) = (&mut self.house, self.hub.room()) else { return Ok(()) };
        if device.domain() == self.context.own() {
            return house.ask(room, device, ask).await;
        }
        let item = Item::Ask(MirrorAsk {
            device: device.to_string(),
            epoch: ask.epoch.0,
            join_sequences: ask.joins.iter().map(|sequence| sequence.0).collect(),
            remove_sequences: ask.removes.iter().map(|sequence| sequence.0).collect(),
            found: ask.found,
        });
        let after = room.tip().sequence.0;
        for mirror in self.mirrors.iter().filter(|mirror| mirror.domain == *device.domain()) {
            let what = What::Item(mirrored(self.meeting, session, item.clone()));
            let _gone = mirror.notes.try_send(Note { after, what });
        }
        Ok(())
    }

    async fn aside(&mut self, session: SessionNumber, aside: &Aside) -> store::Result<()> {
        let (Some(house), Some(room)) = (&mut self.house, self.hub.room()) else { return Ok(()) };
        house.aside(room, aside).await?;
        let after = room.tip().sequence.0;
        for mirror in self.mirrors.iter() {
            let item = match aside {
                Aside::Passing(signed) => Item::Passing(signed.clone()),
                Aside::Attendance(signed) => Item::Attendance(signed.clone()),
            };
            tell_in_passing(&mirror.notes, after, mirrored(self.meeting, session, item));
        }
        Ok(())
    }

    async fn refused_attempt(
        &mut self,
        session: SessionNumber,
        domain: &Domain,
        times: u32,
    ) -> store::Result<()> {
        let (Some(house), Some(room)) = (&mut self.house, self.hub.room()) else { return Ok(()) };
        let attempt = RefusedAttempt { domain: domain.to_string(), times, time_ms: clock::now().as_ms() };
        house.refused_attempt(room, &attempt).await?;
        let item = MirrorRefusedAttempt { domain: attempt.domain, times, time_ms: attempt.time_ms };
        for mirror in self.mirrors.iter() {
            let what = What::Item(mirrored(self.meeting, session, Item::RefusedAttempt(item.clone())));
            let _gone = mirror.notes.try_send(Note { after: 0, what });
        }
        Ok(())
    }
}

/// An item of a mirror stream.
pub fn mirrored(meeting: MeetingId, session: SessionNumber, item: Item) -> MirrorResponse {
    MirrorResponse { meeting_id: meeting.as_bytes().to_vec().into(), session: session.0, item: Some(item) }
}

/// What a device or server is told of a machine's refusal.
pub fn refusal(error: &Error) -> Refusal {
    match error.reason() {
        ErrorReason::RateLimited => Refusal::retry(ErrorReason::RateLimited, Duration::from_secs(1)),
        reason => reason.into(),
    }
}
