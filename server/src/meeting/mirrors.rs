//! The other servers that mirror a session: one stream for each.

use conclave_core::{identity::address::Domain, meeting::watch::Note};
use conclave_proto::federation::v1::MirrorResponse;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Another server that mirrors the session.
pub(super) struct Mirror {
    pub(super) domain: Domain,
    pub(super) notes: mpsc::Sender<Note<MirrorResponse>>,
    /// Ends its stream at once; one that is only let go of ends when it has read all.
    stop: CancellationToken,
}

/// Every server that mirrors the session.
#[derive(Default)]
pub(super) struct Mirrors(Vec<Mirror>);

impl Mirrors {
    /// A server follows; what it asked for before is of no use to it. Its stream must end when the token is cancelled.
    pub(super) fn follow(
        &mut self,
        domain: Domain,
        notes: mpsc::Sender<Note<MirrorResponse>>,
    ) -> CancellationToken {
        self.forget(&domain);
        let stop = CancellationToken::new();
        self.0.push(Mirror { domain, notes, stop: stop.clone() });
        stop
    }

    /// A server follows no longer.
    pub(super) fn forget(&mut self, domain: &Domain) {
        for mirror in self.0.extract_if(.., |mirror| mirror.domain == *domain) {
            mirror.stop.cancel();
        }
    }

    /// Forgets those whose streams have ended.
    pub(super) fn sweep(&mut self) {
        self.0.retain(|mirror| !mirror.notes.is_closed());
    }

    /// The session is over: each reads to the end by itself.
    pub(super) fn let_go(&mut self) {
        self.0.clear();
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Mirror> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    #[test]
    fn r13_whoever_follows_anew_has_one_stream() {
        let (mut mirrors, domain) = (Mirrors::default(), |name| Domain::parse(name).unwrap());
        let (south, west) = (domain("south.example"), domain("west.example"));
        let (notes, _inbox) = mpsc::channel(1);
        let others = mirrors.follow(west.clone(), notes.clone());
        let all: Vec<_> = (0..50).map(|_| mirrors.follow(south.clone(), notes.clone())).collect();
        assert_eq!(all.iter().filter(|stop| !stop.is_cancelled()).count(), 1);
        assert!(!others.is_cancelled() && !all.last().unwrap().is_cancelled());
        assert_eq!(mirrors.iter().count(), 2);
        mirrors.forget(&south);
        assert!(all.iter().all(CancellationToken::is_cancelled));
        mirrors.let_go();
        assert!(!others.is_cancelled(), "what is left to say is still said");
    }
}
