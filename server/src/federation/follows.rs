//! What is followed at one hub, and where its items go: each session at its own pace (spec: FED-12).
//!
//! A session that does not take its items is let go of, and followed again from its durable tip once it has taken what it has.

use std::collections::HashMap;

use conclave_core::ids::{MeetingId, SessionNumber};
use conclave_proto::federation::v1::{
    Follow, MirrorResponse, Unfollow, mirror_request, mirror_response::Item,
};
use tokio::sync::{mpsc::error::TrySendError, watch};

use super::mirror::Sink;

/// One session of a hub.
pub(super) type Session = (MeetingId, SessionNumber);

#[derive(Debug)]
struct Followed {
    durable: watch::Receiver<u64>,
    sink: Sink,
    /// It did not take an item: until it is followed again nothing of it is handed on.
    is_behind: bool,
}

/// The sessions that are followed at one hub.
#[derive(Debug, Default)]
pub(super) struct Follows(HashMap<Session, Followed>);

impl Follows {
    /// Whether nothing is followed.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many are followed.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A session is followed; what the hub must hear of it.
    pub(super) fn add(
        &mut self,
        session: Session,
        durable: watch::Receiver<u64>,
        sink: Sink,
    ) -> mirror_request::Item {
        let item = follow(session, &durable);
        self.0.insert(session, Followed { durable, sink, is_behind: false });
        item
    }

    /// A session is followed no longer.
    pub(super) fn remove(&mut self, session: Session) -> Option<mirror_request::Item> {
        self.0.remove(&session).map(|_| unfollow(session))
    }

    /// Everything again, for a hub that knows of nothing.
    pub(super) fn again(&mut self) -> Vec<mirror_request::Item> {
        let all = self.0.iter_mut().map(|(session, followed)| {
            followed.is_behind = false;
            follow(*session, &followed.durable)
        });
        all.collect()
    }

    /// Gives an item to its session; what the hub must hear if that does not take it.
    pub(super) fn hand_on(&mut self, session: Session, item: MirrorResponse) -> Option<mirror_request::Item> {
        let followed = self.0.get_mut(&session).filter(|followed| !followed.is_behind)?;
        let in_passing = matches!(
            item.item,
            Some(Item::Passing(_) | Item::Attendance(_) | Item::RefusedAttempt(_)) | None
        );
        match followed.sink.try_send(item) {
            Ok(()) => None,
            Err(TrySendError::Closed(_)) => self.remove(session),
            // What is told in passing may be missed.
            Err(TrySendError::Full(_)) if in_passing => None,
            Err(TrySendError::Full(_)) => {
                followed.is_behind = true;
                Some(unfollow(session))
            }
        }
    }

    /// Whether a session waits to be followed again.
    pub(super) fn is_any_behind(&self) -> bool {
        self.0.values().any(|followed| followed.is_behind)
    }

    /// Follows again those that have taken what they had.
    pub(super) fn catch_up(&mut self) -> Vec<mirror_request::Item> {
        let ready = self.0.iter_mut().filter(|(_, followed)| {
            followed.is_behind && followed.sink.capacity() == followed.sink.max_capacity()
        });
        let again = ready.map(|(session, followed)| {
            followed.is_behind = false;
            follow(*session, &followed.durable)
        });
        again.collect()
    }
}

fn follow((meeting, session): Session, durable: &watch::Receiver<u64>) -> mirror_request::Item {
    let (meeting_id, next_sequence) = (meeting.as_bytes().to_vec().into(), *durable.borrow() + 1);
    mirror_request::Item::Follow(Follow { meeting_id, session: session.0, next_sequence })
}

fn unfollow((meeting, session): Session) -> mirror_request::Item {
    let meeting_id = meeting.as_bytes().to_vec().into();
    mirror_request::Item::Unfollow(Unfollow { meeting_id, session: session.0 })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use conclave_proto::{federation::v1::MirrorBatch, types::v1::Signed};
    use tokio::sync::mpsc;

    use super::*;

    fn session(number: u64) -> Session {
        (MeetingId::from_bytes([1; 32]), SessionNumber(number))
    }

    fn item(item: Item) -> MirrorResponse {
        MirrorResponse { item: Some(item), ..MirrorResponse::default() }
    }

    fn batch() -> MirrorResponse {
        item(Item::Batch(MirrorBatch::default()))
    }

    #[test]
    fn fed_12_a_session_that_is_stuck_delays_no_other_and_is_followed_again_from_its_tip() {
        let mut follows = Follows::default();
        let (tip, durable) = watch::channel(3);
        let ((stuck, mut items), (other, mut others)) = (mpsc::channel(2), mpsc::channel(100));
        follows.add(session(1), durable.clone(), stuck);
        follows.add(session(2), durable, other);
        let said: Vec<_> = (0..5)
            .flat_map(|_| [follows.hand_on(session(1), batch()), follows.hand_on(session(2), batch())])
            .flatten()
            .collect();
        assert_eq!(said, [unfollow(session(1))], "once, with the first item that it does not take");
        assert_eq!(std::iter::from_fn(|| others.try_recv().ok()).count(), 5);
        assert!(follows.is_any_behind() && follows.catch_up().is_empty(), "it still has some");
        assert_eq!(std::iter::from_fn(|| items.try_recv().ok()).count(), 2);
        tip.send_replace(7);
        let mirror_request::Item::Follow(again) = follows.catch_up().remove(0) else { unreachable!() };
        assert_eq!((again.session, again.next_sequence), (1, 8));
        assert!(!follows.is_any_behind());
        assert_eq!(follows.hand_on(session(1), batch()), None);
        assert!(items.try_recv().is_ok());
    }

    #[test]
    fn what_is_told_in_passing_is_missed_and_the_log_is_not() {
        let mut follows = Follows::default();
        let (sink, mut items) = mpsc::channel(1);
        follows.add(session(1), watch::channel(0).1, sink);
        let typed = || item(Item::Passing(Signed::default()));
        assert_eq!(
            (follows.hand_on(session(1), batch()), follows.hand_on(session(1), typed())),
            (None, None)
        );
        assert!(!follows.is_any_behind());
        items.try_recv().unwrap();
        assert!(items.try_recv().is_err());
        drop(items);
        assert_eq!(
            follows.hand_on(session(1), batch()),
            Some(unfollow(session(1))),
            "nobody listens any more"
        );
        assert!(follows.is_empty());
    }
}
