//! One session at this server: its devices' connections, its relay links, and the table between them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    time::{Duration, Instant},
};

use conclave_core::{
    identity::address::{DeviceUri, Domain},
    ids::LeafIndex,
    limits::RTP_PAYLOAD_BYTES,
    media::{
        Codec, KeyId, Layer,
        payload::{Part, part},
        router::{ClientId, LinkId, Origin, Router, Target, TrackId},
    },
    time::Time,
};
use conclave_proto::client::v1::{Slot as SlotMessage, SlotTable, signals_response::Signal};
use str0m::{Event, IceConnectionState, Output, rtp::RtpPacket};

use super::{
    SessionKey,
    client::{Client, Found, Sending},
    counters::Counters,
    demux::Path,
    link::SessionLink,
    outbox::Outbox,
    packet::Packet,
    slot::Slot,
};

/// How often a session looks after what waits.
const TICK: Duration = Duration::from_millis(250);
/// A session without connections here needs no looking after.
const IDLE: Duration = Duration::from_hours(1);
/// Least time between two requests for a key frame of one layer.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(300);
/// A layer without packets for this long is not chosen.
const LAYER_SILENCE: Duration = Duration::from_secs(2);
/// Least time between two changes of who is heard.
const VOICE_INTERVAL: Duration = Duration::from_millis(500);
/// Sound below this level, in decibels, is nobody speaking.
const VOICE_LEVEL: i8 = -50;

/// Where things go while a session works.
pub(super) struct Work<'a> {
    pub(super) now: Instant,
    pub(super) out: &'a mut Outbox,
    pub(super) counters: &'a Counters,
}

/// One session at this server.
pub(super) struct Session {
    pub(super) key: SessionKey,
    pub(super) router: Router,
    pub(super) clients: HashMap<ClientId, Client>,
    pub(super) roster: HashMap<DeviceUri, LeafIndex>,
    pub(super) links: BTreeMap<LinkId, SessionLink>,
    /// Clients that ended since somebody asked.
    pub(super) gone: Vec<ClientId>,
    pub(super) next_tick: Instant,
    listed: Vec<ClientId>,
    asked: HashMap<(TrackId, Layer), Instant>,
    voice_changed: Instant,
    /// The beginning of the time that the table knows.
    began: Instant,
    pub(super) measured: Instant,
}

impl Session {
    /// Empty.
    pub(super) fn new(key: SessionKey, now: Instant) -> Self {
        Self {
            key,
            router: Router::new(),
            clients: HashMap::new(),
            roster: HashMap::new(),
            links: BTreeMap::new(),
            gone: Vec::new(),
            next_tick: now,
            listed: Vec::new(),
            asked: HashMap::new(),
            voice_changed: now,
            began: now,
            measured: now,
        }
    }

    /// A packet for a client; whether it was its own. str0m keeps one arrived packet at a time: it is polled before the next.
    pub(super) fn receive(
        &mut self,
        work: &mut Work<'_>,
        id: ClientId,
        (path, at): (Path, SocketAddr),
        bytes: &[u8],
    ) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return false };
        let taken = client.receive(work.now, path, at, bytes);
        if taken {
            self.drain(work, id);
        }
        taken
    }

    /// A client's connection begins.
    pub(super) fn connect(&mut self, work: &mut Work<'_>, client: Client) {
        let id = client.id;
        let before = self.clients.values().find(|old| old.device == client.device).map(|old| old.id);
        if let Some(old) = before {
            self.end(work, old, "the device opened another connection");
        }
        let slots: Vec<_> = client.slots.iter().map(|slot| slot.medium).collect();
        self.router.connect(id, client.device.clone(), &slots);
        if !client.slots.iter().all(Slot::takes_parts) {
            self.router.take_whole(id);
        }
        self.clients.insert(id, client);
        self.republish(work, id);
    }

    /// A client changed what it publishes.
    pub(super) fn republish(&mut self, work: &mut Work<'_>, id: ClientId) {
        if let Some(client) = self.clients.get_mut(&id) {
            let tracks: Vec<_> = client.published.iter().map(|published| published.track).collect();
            self.router.publish(Origin::Client(id), &client.device, &tracks);
            list(&mut self.listed, client);
        }
        self.settle(work);
    }

    /// Who is in the session now; the connections of all others end at once (spec: MED-13).
    pub(super) fn set_roster(&mut self, work: &mut Work<'_>, roster: HashMap<DeviceUri, LeafIndex>) {
        self.roster = roster;
        let mut removed = Vec::new();
        for client in self.clients.values_mut() {
            match self.roster.get(&client.device) {
                Some(leaf) => client.leaf = *leaf,
                None => removed.push(client.id),
            }
        }
        for id in removed {
            self.end(work, id, "removed from the session");
        }
        for link in self.links.keys().copied().collect::<Vec<_>>() {
            self.reannounced(link);
        }
        self.settle(work);
    }

    /// Ends a device's connection at once.
    pub(super) fn cut(&mut self, work: &mut Work<'_>, device: &DeviceUri) {
        self.roster.remove(device);
        let ids: Vec<_> =
            self.clients.values().filter(|client| client.device == *device).map(|client| client.id).collect();
        for id in ids {
            self.end(work, id, "removed from the session");
        }
        for link in self.links.keys().copied().collect::<Vec<_>>() {
            self.reannounced(link);
        }
        self.settle(work);
    }

    /// Ends a client's connection.
    pub(super) fn end(&mut self, work: &mut Work<'_>, id: ClientId, reason: &str) {
        let Some(mut client) = self.clients.remove(&id) else { return };
        client.end(reason);
        for _ in 0..8 {
            match client.poll() {
                Some(Output::Transmit(transmit)) => work.out.push(transmit),
                Some(Output::Event(_)) => {}
                Some(Output::Timeout(_)) | None => break,
            }
        }
        if client.is_broken() {
            work.counters.panics.more();
        }
        self.router.disconnect(id);
        self.gone.push(id);
        self.settle(work);
    }

    /// Does all that is due: clients whose time has come, key frames asked for in vain, layers that fell silent.
    pub(super) fn tick(&mut self, work: &mut Work<'_>) {
        for client in self.clients.values_mut() {
            if client.deadline <= work.now {
                client.unsent = true;
                list(&mut self.listed, client);
            }
        }
        if self.next_tick <= work.now {
            self.next_tick = work.now + TICK;
            self.silence_layers(work.now);
            self.measure(work.now);
            self.settle(work);
            self.ask_again(work.now);
        }
        self.flush(work);
    }

    /// When it wants to be called again.
    pub(super) fn deadline(&self) -> Instant {
        let client = self.clients.values().map(|client| client.deadline).min();
        client.map_or(self.next_tick + IDLE, |first| first.min(self.next_tick))
    }

    /// Polls every client that something happened to.
    pub(super) fn flush(&mut self, work: &mut Work<'_>) {
        while let Some(id) = self.listed.pop() {
            self.drain(work, id);
        }
    }

    fn drain(&mut self, work: &mut Work<'_>, id: ClientId) {
        for _ in 0..4 {
            let Some(client) = self.clients.get_mut(&id) else { return };
            client.listed = false;
            if client.unsent {
                client.tick(work.now);
            }
            loop {
                let Some(client) = self.clients.get_mut(&id) else { return };
                match client.poll() {
                    Some(Output::Transmit(transmit)) => {
                        work.out.push(transmit);
                    }
                    Some(Output::Event(event)) => self.event(work, id, event),
                    Some(Output::Timeout(deadline)) => {
                        client.deadline = deadline;
                        if deadline > work.now {
                            return;
                        }
                        client.unsent = true;
                        break;
                    }
                    None => return self.end(work, id, "the connection is over"),
                }
            }
        }
    }

    fn event(&mut self, work: &mut Work<'_>, id: ClientId, event: Event) {
        match event {
            Event::RtpPacket(packet) => self.take_from_client(work, id, packet),
            Event::Connected => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.connected = true;
                }
                self.ask_again(work.now);
            }
            Event::KeyframeRequest(request) => {
                let Some(client) = self.clients.get(&id) else { return };
                let slot = client.slots.iter().find(|slot| slot.mid == request.mid);
                if let Some((track, layer)) = slot.and_then(Slot::wanted) {
                    self.ask(work.now, track, layer);
                }
            }
            Event::PeerStats(stats) => {
                let Some(client) = self.clients.get_mut(&id) else { return };
                let passed = work.now.saturating_duration_since(self.began);
                if self.router.report(Time::default() + passed, id, client.report(&stats)) {
                    self.settle(work);
                }
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => {
                self.end(work, id, "the connection was lost");
            }
            _ => {}
        }
    }

    /// An RTP packet of one of this server's devices.
    fn take_from_client(&mut self, work: &mut Work<'_>, id: ClientId, packet: RtpPacket) {
        work.counters.rtp_in.more();
        let Some(client) = self.clients.get_mut(&id) else { return };
        let leaf = client.leaf;
        let router = &self.router;
        let ssrc = packet.header.ssrc;
        let mut packet = Packet::from(packet);
        let found = client.source(ssrc, work.now, &mut packet, |device, track| {
            router.find(Origin::Client(id), device, track.number)
        });
        let Some(Found { place: source, is_new, lacks_key_frame }) = found else { return };
        let fits = (1..=RTP_PAYLOAD_BYTES).contains(&packet.payload.len()); // MED-30
        if !fits {
            return;
        }
        #[cfg(feature = "wiretap")]
        super::wiretap::rtp(&packet.payload);
        let expected = (leaf, source.number, source.layer);
        if !is_bound(source.codec, &packet.payload, expected) {
            work.counters.dropped_key_id.more();
            return;
        }
        if is_new {
            client.came(ssrc);
            self.router.set_alive(source.track, source.layer, true);
            self.settle(work);
        }
        if lacks_key_frame {
            self.ask(work.now, source.track, source.layer);
        }
        self.forward(work, source.track, source.layer, source.codec, &packet);
    }

    /// A datagram of another server.
    pub(super) fn take_from_link(
        &mut self,
        work: &mut Work<'_>,
        link: LinkId,
        datagram: super::relay::Datagram,
    ) {
        let Some(session_link) = self.links.get_mut(&link) else { return };
        let Some(remote) = session_link.remotes.get_mut(&datagram.stream) else {
            return work.counters.relay_dropped.more();
        };
        let (track, layer, codec) = (remote.track, remote.layer, remote.codec);
        let expected = (remote.leaf, remote.number, layer);
        let Some(mut packet) = remote.incoming.take(datagram) else { return };
        let lacks_key_frame = remote.meaning.read(work.now, &mut packet);
        remote.tally.add(packet.described, packet.payload.len());
        if !is_bound(codec, &packet.payload, expected) {
            return work.counters.dropped_key_id.more();
        }
        if lacks_key_frame {
            self.ask(work.now, track, layer);
        }
        self.forward(work, track, layer, codec, &packet);
    }

    /// Puts a packet where the table says; nothing is allocated here for slots.
    fn forward(&mut self, work: &mut Work<'_>, track: TrackId, layer: Layer, codec: Codec, packet: &Packet) {
        let mut arrived = Vec::new();
        for target in self.router.targets(track, layer) {
            match *target {
                Target::Slot(id, slot) => {
                    let Some(client) = self.clients.get_mut(&id) else { continue };
                    let sending = client.send(slot, work.now, (track, layer, codec), packet);
                    if sending != Sending::Not {
                        work.counters.rtp_out.more();
                        list(&mut self.listed, client);
                    }
                    if sending == Sending::Began {
                        arrived.push((id, slot));
                    }
                }
                Target::Link(id) => {
                    if let Some(link) = self.links.get(&id)
                        && let Some(number) = link.number_of(track, layer)
                    {
                        let sent = link.handle.send(number, packet);
                        let counter =
                            if sent { &work.counters.relay_out } else { &work.counters.relay_dropped };
                        counter.more();
                    }
                }
            }
        }
        for (id, slot) in arrived {
            self.router.arrived(id, slot);
        }
        if codec == Codec::Opus {
            self.listen(work, track, packet);
        }
    }

    /// Notes who speaks.
    fn listen(&mut self, work: &mut Work<'_>, track: TrackId, packet: &Packet) {
        let speaks = packet.level.is_some_and(|(level, voice)| voice || level > VOICE_LEVEL);
        if speaks && work.now.saturating_duration_since(self.voice_changed) >= VOICE_INTERVAL {
            self.voice_changed = work.now;
            self.router.heard(track);
            self.settle(work);
        }
    }

    /// Carries out what the table decided: slots are refilled, devices told, links asked.
    pub(super) fn settle(&mut self, work: &mut Work<'_>) {
        let mut changed = BTreeSet::new();
        while let Some(change) = self.router.poll() {
            let Some(client) = self.clients.get_mut(&change.client) else { continue };
            if let Some(slot) = client.slots.get_mut(change.slot) {
                slot.fill(change.filling);
            }
            changed.insert(change.client);
        }
        for link in self.links.values_mut() {
            link.announce(self.key, self.router.own_tracks());
        }
        let needed: Vec<_> = self.links.keys().map(|link| (*link, self.router.needed_of(*link))).collect();
        for (id, needed) in needed {
            if let Some(link) = self.links.get_mut(&id) {
                link.subscribe(self.key, &needed);
            }
        }
        for id in changed {
            self.tell(id);
        }
        if !self.clients.is_empty() {
            self.ask_again(work.now);
        }
    }

    /// Tells a device what its slots carry.
    fn tell(&self, id: ClientId) {
        let Some(client) = self.clients.get(&id) else { return };
        let slots = client.slots.iter().filter_map(|slot| {
            let routed = self.router.track(slot.filling?.track)?;
            Some(SlotMessage {
                mid: slot.mid.to_string(),
                device: routed.device.to_string(),
                track: routed.track.number.0,
                paused: slot.wanted().is_none(),
            })
        });
        client.signal(Signal::Slots(SlotTable { slots: slots.collect() }));
    }

    /// Asks for every key frame that a slot waits for.
    fn ask_again(&mut self, now: Instant) {
        let waiting: BTreeSet<_> = self
            .clients
            .values()
            .filter(|client| client.connected)
            .flat_map(|client| &client.slots)
            .filter_map(Slot::waits_for_key_frame)
            .collect();
        for (track, layer) in waiting {
            self.ask(now, track, layer);
        }
    }

    /// Asks a publisher for a key frame, not too often.
    pub(super) fn ask(&mut self, now: Instant, track: TrackId, layer: Layer) {
        let Some(routed) = self.router.track(track) else { return };
        if routed.track.codec == Codec::Opus {
            return;
        }
        let last = self.asked.insert((track, layer), now);
        if let Some(last) = last
            && now.saturating_duration_since(last) < KEY_FRAME_INTERVAL
        {
            self.asked.insert((track, layer), last);
            return;
        }
        match routed.origin {
            Origin::Client(id) => {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.request_key_frame(routed.track, layer);
                    client.unsent = true;
                    list(&mut self.listed, client);
                }
            }
            Origin::Link(id) => {
                if let Some(link) = self.links.get(&id) {
                    link.request_key_frame(track, layer);
                }
            }
        }
    }

    /// Layers that fell silent are no longer chosen.
    fn silence_layers(&mut self, now: Instant) {
        let Some(since) = now.checked_sub(LAYER_SILENCE) else { return };
        for client in self.clients.values_mut() {
            for (track, layer) in client.fall_silent(since) {
                self.router.set_alive(track, layer, false);
            }
        }
        self.asked.retain(|_, at| now.saturating_duration_since(*at) < LAYER_SILENCE);
    }

    /// The organisations whose devices are here.
    pub(super) fn domains(&self) -> BTreeSet<&Domain> {
        self.roster.keys().map(DeviceUri::domain).collect()
    }
}

/// Whether a payload that begins a frame names its sender's leaf, track and layer (spec: MED-11).
fn is_bound(
    codec: Codec,
    payload: &[u8],
    (leaf, track, layer): (LeafIndex, conclave_core::ids::TrackNumber, Layer),
) -> bool {
    match part(codec, payload) {
        Some(Part::Later) => true,
        Some(Part::Start(frame)) => KeyId::peek(codec, frame)
            .is_some_and(|id| id.leaf == leaf && id.track == track && id.layer == layer),
        None => false,
    }
}

/// Puts a client among those that must be polled.
fn list(listed: &mut Vec<ClientId>, client: &mut Client) {
    if !client.listed {
        client.listed = true;
        listed.push(client.id);
    }
}
