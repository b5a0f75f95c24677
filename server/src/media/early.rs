//! Lists of other servers for sessions in which they do not take part yet: the log that says so may come later than the list.

use std::collections::{HashMap, VecDeque};

use conclave_core::media::router::LinkId;
use conclave_proto::relay::v1::AnnouncedTrack;

use super::SessionKey;

/// Most lists kept of one link; an older one makes room.
const OF_ONE_LINK: usize = 8;

/// Lists that came early, the oldest of each link first.
#[derive(Debug, Default)]
pub(super) struct Early(HashMap<LinkId, VecDeque<(SessionKey, Vec<AnnouncedTrack>)>>);

impl Early {
    /// Keeps a link's list of a session in place of its earlier one.
    pub(super) fn keep(&mut self, link: LinkId, key: SessionKey, tracks: Vec<AnnouncedTrack>) {
        self.take(link, key);
        if tracks.is_empty() {
            return;
        }
        let lists = self.0.entry(link).or_default();
        if lists.len() == OF_ONE_LINK {
            lists.pop_front();
        }
        lists.push_back((key, tracks));
    }

    /// Gives a link's list of a session out.
    pub(super) fn take(&mut self, link: LinkId, key: SessionKey) -> Vec<AnnouncedTrack> {
        let Some(lists) = self.0.get_mut(&link) else { return Vec::new() };
        let at = lists.iter().position(|(of, _)| *of == key);
        let found = at.and_then(|at| lists.remove(at));
        if lists.is_empty() {
            self.0.remove(&link);
        }
        found.map_or_else(Vec::new, |(_, tracks)| tracks)
    }

    /// Forgets a link.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.0.remove(&link);
    }
}

#[cfg(test)]
mod tests {
    use conclave_core::ids::{MeetingId, SessionNumber};

    use super::*;

    fn session(number: u64) -> SessionKey {
        SessionKey { meeting: MeetingId::from_bytes([1; 32]), session: SessionNumber(number) }
    }

    fn list(length: usize) -> Vec<AnnouncedTrack> {
        vec![AnnouncedTrack::default(); length]
    }

    #[test]
    fn a_link_pushes_out_its_own_lists_and_no_others() {
        let (mut early, honest, other) = (Early::default(), LinkId(1), LinkId(2));
        early.keep(honest, session(1), list(1));
        for number in 0..1_000 {
            early.keep(other, session(number), list(2));
        }
        assert_eq!(early.take(honest, session(1)).len(), 1);
        let left = (0..1_000).filter(|number| !early.take(other, session(*number)).is_empty()).count();
        assert_eq!(left, OF_ONE_LINK);
        assert!(early.0.is_empty());
        early.keep(honest, session(1), list(1));
        early.keep(honest, session(1), list(0));
        assert!(early.0.is_empty(), "it stopped all of it");
    }
}
