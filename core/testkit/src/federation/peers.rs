//! Between home servers.

use conclave_core::identity::address::Domain;

use super::{Federation, Happening, Lane, TIMEOUT};
use crate::{
    home_server::peer,
    link::{End, Fate},
};

impl Federation {
    pub(super) fn heard(&mut self, from: Domain, to: Domain, message: peer::Message) {
        if self.servers[&to].is_down() {
            match message {
                peer::Message::Request { id, .. } => self.unanswered(from, to, id),
                peer::Message::Follow { stream, .. } => {
                    self.mirrors.remove(&(from.clone(), stream));
                    let message = peer::Message::MirrorEnded { stream, broken: true };
                    self.after(TIMEOUT, Happening::Peer { from: to, to: from, message });
                }
                _ => {}
            }
            return;
        }
        if let peer::Message::Response { id, .. } = &message
            && self.requests.remove(&(to.clone(), *id)).is_none()
        {
            return;
        }
        let now = self.now;
        self.at_server(&to, |server| server.hear(now, &from, message));
    }

    /// A message from server to server.
    pub(super) fn send(&mut self, from: Domain, to: Domain, message: peer::Message) {
        if let Some((follower, stream)) = mirror_of(&from, &to, &message) {
            return self.send_on_mirror(from, to, (follower, stream), message);
        }
        let (here, there) = (End::Server(from.clone()), End::Server(to.clone()));
        let fate = if self.servers.contains_key(&to) { self.link.fate(&here, &there) } else { Fate::Lost };
        if let peer::Message::Request { id, .. } = &message {
            self.requests.insert((from.clone(), *id), to.clone());
        }
        match (fate, &message) {
            (Fate::Lost, peer::Message::Request { id, .. }) => self.unanswered(from, to, *id),
            (Fate::Lost, peer::Message::Response { id, .. }) => self.unanswered(to, from, *id),
            (Fate::Lost, _) => {}
            (Fate::Comes(delay), _) => self.after(delay, Happening::Peer { from, to, message }),
            (Fate::Twice(first, second), _) => {
                let again = message.clone();
                self.after(first, Happening::Peer { from: from.clone(), to: to.clone(), message });
                self.after(second, Happening::Peer { from, to, message: again });
            }
        }
    }

    /// A message on a mirror stream: in order, or the stream breaks.
    pub(super) fn send_on_mirror(
        &mut self,
        from: Domain,
        to: Domain,
        key: (Domain, u64),
        message: peer::Message,
    ) {
        let hub = if key.0 == from { to.clone() } else { from.clone() };
        if matches!(message, peer::Message::Follow { .. }) {
            self.mirrors.insert(key.clone(), hub.clone());
        }
        if !self.mirrors.contains_key(&key) {
            return; // It is broken already.
        }
        match self.link.fate(&End::Server(from.clone()), &End::Server(to.clone())) {
            Fate::Lost => {
                self.mirrors.remove(&key);
                self.break_mirror(key, hub);
            }
            Fate::Comes(delay) | Fate::Twice(delay, _) => {
                let lane = Lane::Mirror(from.clone(), to.clone(), key.1);
                self.in_order(lane, delay, Happening::Peer { from, to, message });
            }
        }
    }

    /// Both ends of a mirror stream learn that it is broken.
    pub(super) fn break_mirror(&mut self, (follower, stream): (Domain, u64), hub: Domain) {
        for (from, to) in [(hub.clone(), follower.clone()), (follower, hub)] {
            let message = peer::Message::MirrorEnded { stream, broken: true };
            self.after(TIMEOUT, Happening::Peer { from, to, message });
        }
    }
}

/// Which follower's stream a message is of.
pub(super) fn mirror_of(from: &Domain, to: &Domain, message: &peer::Message) -> Option<(Domain, u64)> {
    match message {
        peer::Message::Follow { stream, .. } | peer::Message::Acknowledge { stream, .. } => {
            Some((from.clone(), *stream))
        }
        peer::Message::Mirror { stream, .. } | peer::Message::MirrorEnded { stream, .. } => {
            Some((to.clone(), *stream))
        }
        peer::Message::Request { .. } | peer::Message::Response { .. } => None,
    }
}
