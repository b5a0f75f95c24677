//! What a media thread does when it is asked: connections open, change and end, rosters and links come and go.

use std::{
    collections::{BTreeSet, HashMap},
    time::Instant,
};

use conclave_core::{
    identity::address::DeviceUri,
    ids::{LeafIndex, MeetingId, SessionNumber, TrackNumber},
    limits,
    media::{
        Track,
        router::{ClientId, LinkId, Wish},
    },
};
use conclave_proto::{
    client::v1::{PublishedTrack, Wish as WishMessage},
    relay::v1::{AnnouncedTrack, relay_message::Message},
};

use str0m::net::Protocol;

use super::{
    ConnectionId, OpenRequest, SessionKey, UpdateRequest,
    client::{Client, Published},
    error::Error,
    offer,
    relay::LinkHandle,
    session::{Session, Work},
    worker::Worker,
};

impl Worker {
    /// Answers an offer.
    pub(super) fn open(&mut self, request: OpenRequest) -> Result<(String, ConnectionId), Error> {
        let OpenRequest { key, device, leaf, offer, tracks } = request;
        let published = published(&tracks)?;
        let now = Instant::now();
        let mut answered = offer::answer(&offer, &self.addresses, &self.certificate, now)?;
        let answer = std::mem::take(&mut answered.answer);
        let name = std::mem::take(&mut answered.name);
        self.last_client += 1;
        let id = ClientId(self.last_client);
        let connection = (self.new_connection)();
        let mut client = Client::new(id, device.clone(), leaf, answered);
        client.publish(published)?;
        let session = self.sessions.entry(key).or_insert_with(|| Session::new(key, now));
        session.roster.insert(device, leaf);
        self.demux.add(name, (key, id));
        self.connections.insert(connection, (key, id));
        self.with_session(key, |session, work| session.connect(work, client));
        self.join_links(key);
        Ok((answer, connection))
    }

    /// Takes note of what a device sends and wants.
    pub(super) fn update(&mut self, request: UpdateRequest) -> Result<(), Error> {
        let UpdateRequest { connection, device, tracks, wishes, sound_only } = request;
        if wishes.len() > limits::WISHES {
            return Err(Error::TooLarge);
        }
        let published = published(&tracks)?;
        let (key, id) = self.place(connection, &device)?;
        let update = |session: &mut Session, work: &mut Work<'_>| {
            let client = session.clients.get_mut(&id).ok_or(Error::NoConnection)?;
            if client.published != published {
                client.publish(published)?;
                session.republish(work, id);
            }
            session.router.wish(id, wishes.iter().filter_map(wish).collect(), sound_only);
            session.settle(work);
            Ok(())
        };
        self.with_session(key, update).unwrap_or(Err(Error::NoConnection))
    }

    /// Where a device's connection is; another device's is not found.
    pub(super) fn place(
        &self,
        connection: ConnectionId,
        device: &DeviceUri,
    ) -> Result<(SessionKey, ClientId), Error> {
        let (key, id) = *self.connections.get(&connection).ok_or(Error::NoConnection)?;
        let client = self.sessions.get(&key).and_then(|session| session.clients.get(&id));
        match client {
            Some(client) if client.device == *device => Ok((key, id)),
            _ => Err(Error::NoConnection),
        }
    }

    /// Who is in a session.
    pub(super) fn set_roster(&mut self, key: SessionKey, roster: HashMap<DeviceUri, LeafIndex>) {
        if roster.is_empty() && !self.sessions.contains_key(&key) {
            return;
        }
        self.sessions.entry(key).or_insert_with(|| Session::new(key, Instant::now()));
        self.with_session(key, |session, work| session.set_roster(work, roster));
        self.join_links(key);
    }

    /// A relay link is there: the sessions of its organisation use it.
    pub(super) fn link_up(&mut self, handle: LinkHandle) {
        self.links.insert(handle.id, handle);
        for key in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.join_links(key);
        }
    }

    /// A relay link is gone.
    pub(super) fn link_down(&mut self, link: LinkId) {
        self.links.remove(&link);
        self.streams.retain(|(of, _), _| *of != link);
        self.early.forget(link);
        for key in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.with_session(key, |session, work| session.link_down(work, link));
            self.learn_streams(key);
        }
    }

    /// Gives a session the links of its organisations, and takes those of others from it.
    fn join_links(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(&key) else { return };
        let domains = session.domains();
        let (wanted, unwanted): (Vec<_>, Vec<_>) =
            self.links.values().partition(|link| domains.contains(&link.domain));
        let add: Vec<_> =
            wanted.into_iter().filter(|link| !session.links.contains_key(&link.id)).cloned().collect();
        let remove: Vec<_> =
            unwanted.into_iter().map(|link| link.id).filter(|id| session.links.contains_key(id)).collect();
        for handle in add {
            let heard = self.early.take(handle.id, key);
            self.with_session(key, |session, work| session.link_up(work, handle, heard));
        }
        for link in remove {
            self.with_session(key, |session, work| session.link_down(work, link));
        }
        self.learn_streams(key);
    }

    /// What another server said.
    pub(super) fn relay_message(&mut self, link: LinkId, message: Message) {
        match message {
            Message::Announce(announce) => {
                let Some(key) = key(&announce.meeting_id, announce.session) else { return };
                self.announced(link, key, announce.tracks);
            }
            Message::Subscribe(subscribe) => {
                let Some(key) = key(&subscribe.meeting_id, subscribe.session) else { return };
                self.with_session(key, |session, _| session.subscribed(link, &subscribe.stream_ids));
            }
            Message::LayerRates(rates) => {
                let Some(key) = key(&rates.meeting_id, rates.session) else { return };
                self.with_session(key, |session, work| session.rated(work, link, &rates.rates));
            }
            Message::KeyFrameRequest(request) => {
                for key in self.sessions.keys().copied().collect::<Vec<_>>() {
                    self.with_session(key, |session, work| {
                        session.key_frame_wanted(work.now, link, request.stream_id);
                    });
                }
            }
            Message::Hello(_) | Message::Report(_) | Message::HeadExchange(_) => {}
        }
    }

    fn announced(&mut self, link: LinkId, key: SessionKey, tracks: Vec<AnnouncedTrack>) {
        let known = self.sessions.get(&key).is_some_and(|session| session.links.contains_key(&link));
        if known {
            self.with_session(key, |session, work| session.announced(work, link, tracks));
            self.learn_streams(key);
        } else if self.links.contains_key(&link) {
            // The log that makes its organisation part of the session has not come here yet.
            self.early.keep(link, key, tracks);
        }
    }

    /// Which session the datagrams of other servers belong to.
    fn learn_streams(&mut self, key: SessionKey) {
        self.streams.retain(|_, of| *of != key);
        if let Some(session) = self.sessions.get(&key) {
            for (id, link) in &session.links {
                self.streams.extend(link.remotes.keys().map(|stream| ((*id, *stream), key)));
            }
        }
    }

    /// Forgets clients that ended, and sessions without anybody.
    pub(super) fn clean_up(&mut self) {
        let mut empty = Vec::new();
        for (key, session) in &mut self.sessions {
            for client in session.gone.drain(..) {
                for path in self.demux.remove((*key, client)) {
                    if path.proto == Protocol::Tcp {
                        self.tcp.remove(&path.remote);
                    }
                }
                self.connections.retain(|_, place| *place != (*key, client));
            }
            if session.roster.is_empty() && session.clients.is_empty() {
                empty.push(*key);
            }
        }
        for key in empty {
            if let Some(session) = self.sessions.remove(&key) {
                for mut link in session.links.into_values() {
                    link.release();
                }
            }
            self.streams.retain(|_, of| *of != key);
        }
    }
}

/// Reads what a device says that it sends.
fn published(tracks: &[PublishedTrack]) -> Result<Vec<Published>, Error> {
    if tracks.len() > limits::TRACKS_PER_DEVICE {
        return Err(Error::TooLarge);
    }
    let numbers: BTreeSet<_> = tracks.iter().filter_map(|t| t.track.as_ref()).map(|t| t.number).collect();
    if numbers.len() != tracks.len() {
        return Err(Error::Track);
    }
    tracks
        .iter()
        .map(|published| {
            let track = published.track.as_ref().ok_or(Error::Track)?;
            let track = Track::try_from(track).map_err(|_| Error::Track)?;
            Ok(Published { mid: published.mid.as_str().into(), track })
        })
        .collect()
}

/// Reads a wish; one of nobody is left out.
fn wish(wish: &WishMessage) -> Option<Wish> {
    let device = DeviceUri::parse(&wish.device).ok()?;
    Some(Wish { device, track: TrackNumber(wish.track), height: wish.height })
}

/// The session that a relay message names.
pub(super) fn key(meeting: &[u8], session: u64) -> Option<SessionKey> {
    Some(SessionKey { meeting: MeetingId::parse(meeting).ok()?, session: SessionNumber(session) })
}
