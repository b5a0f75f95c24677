//! What breaks: devices and servers that crash, and networks that are cut.

use std::time::Duration;

use conclave_core::identity::address::Domain;

use super::{Federation, Happening, TIMEOUT, unavailable};
use crate::{client::ClientId, home_server::peer, link::End};

impl Federation {
    /// A device crashes and starts again with its profile.
    pub fn crash_client(&mut self, id: ClientId) {
        self.clients[id.0].crash();
        let home = self.clients[id.0].home().clone();
        self.calls.retain(|key| key.client != id);
        for stream in self.streams.extract_if(.., |stream| stream.client == id).collect::<Vec<_>>() {
            self.servers.get_mut(&home).expect("a home server").close(stream);
        }
    }

    /// A server crashes and comes back after some time.
    pub fn crash_server(&mut self, domain: &str, back_after: Duration) {
        self.server_mut(domain).crash();
        let domain = Domain::parse(domain).expect("a domain");
        self.crashed(&domain, back_after);
    }

    /// Everybody who waits for a crashed server learns that it is gone.
    pub(super) fn crashed(&mut self, domain: &Domain, back_after: Duration) {
        let calls: Vec<_> =
            self.calls.iter().filter(|key| self.clients[key.client.0].home() == domain).copied().collect();
        for key in calls {
            self.after(TIMEOUT, Happening::Answer { key, result: Err(unavailable()) });
        }
        let homes: Vec<_> =
            self.streams.iter().filter(|key| self.clients[key.client.0].home() == domain).copied().collect();
        for stream in homes {
            self.after(TIMEOUT, Happening::End { stream, error: Some(unavailable()) });
        }
        let asked =
            self.requests.iter().filter(|(_, to)| *to == domain).map(|((from, id), _)| (from.clone(), *id));
        for (from, id) in asked.collect::<Vec<_>>() {
            self.unanswered(from, domain.clone(), id);
        }
        self.requests.retain(|(from, _), _| from != domain);
        let broken = self.mirrors.extract_if(.., |(follower, _), hub| follower == domain || hub == domain);
        for (key, hub) in broken.collect::<Vec<_>>() {
            self.break_mirror(key, hub);
        }
        self.after(back_after, Happening::Restart(domain.clone()));
    }

    /// Cuts two servers from each other: what is open between them breaks.
    pub fn cut_servers(&mut self, one: &str, other: &str) {
        let (one, other) = (Domain::parse(one).expect("a domain"), Domain::parse(other).expect("a domain"));
        self.link.cut(End::Server(one.clone()), End::Server(other.clone()));
        let between = |a: &Domain, b: &Domain| (*a == one && *b == other) || (*a == other && *b == one);
        let broken = self.mirrors.extract_if(.., |(follower, _), hub| between(follower, hub));
        for (key, hub) in broken.collect::<Vec<_>>() {
            self.break_mirror(key, hub);
        }
    }

    /// Cuts a device from its home server.
    pub fn cut_client(&mut self, id: ClientId) {
        let home = self.clients[id.0].home().clone();
        self.link.cut(End::Client(id.0), End::Server(home.clone()));
        for stream in self.streams.iter().filter(|stream| stream.client == id).copied().collect::<Vec<_>>() {
            self.break_stream(stream);
        }
    }

    pub(super) fn unanswered(&mut self, from: Domain, to: Domain, id: u64) {
        let message = peer::Message::Response { id, result: Err(unavailable()) };
        self.after(TIMEOUT, Happening::Peer { from: to, to: from, message });
    }

    pub(super) fn restarts(&self, domain: &Domain) -> bool {
        self.queue.values().any(|happening| matches!(happening, Happening::Restart(this) if this == domain))
    }
}
