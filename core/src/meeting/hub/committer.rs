//! Whom the hub asks to commit or to found, and when it asks somebody else.

use super::{Ask, Hub, Output, queue::Queued};
use crate::{
    identity::address::DeviceUri,
    ids::{Epoch, LeafIndex, Sequence},
    limits,
    meeting::room::Room,
    time::Time,
};

/// The question that waits for its answer.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    device: DeviceUri,
    /// The founder's Join, or the committer's leaf: where the rotation goes on.
    place: u64,
    epoch: Epoch,
    found: bool,
    until: Time,
}

impl Hub {
    /// Asks somebody, if there is something to commit and nobody is at it (spec: LOG-15).
    pub(super) fn ask_somebody(&mut self, now: Time) {
        let Some(room) = self.room.as_ref().filter(|room| !room.is_over()) else {
            self.outstanding = None;
            return;
        };
        let asked =
            if room.is_founded() { self.ask_to_commit(room, now) } else { self.ask_to_found(room, now) };
        match asked {
            Next::Keep => {}
            Next::Nobody => self.outstanding = None,
            Next::Ask(outstanding, ask) => {
                let session = room.session();
                let device = outstanding.device.clone();
                self.outstanding = Some(outstanding);
                self.queue.push(Queued::Ready(Box::new(Output::Ask { session, device, ask })));
            }
        }
    }

    fn ask_to_found(&self, room: &Room, now: Time) -> Next {
        let joins = room.doors().joins();
        let open = joins.filter(|(_, join)| join.may_enter(now) && self.reaches(join.device()));
        let open: Vec<_> = open.map(|(sequence, join)| (sequence.0, join.device().clone())).collect();
        let last = self.outstanding.as_ref().filter(|last| last.found);
        if last.is_some_and(|last| now < last.until && open.iter().any(|(_, device)| *device == last.device))
        {
            return Next::Keep;
        }
        let Some((place, device)) = after(&open, last.map(|last| last.place)) else { return Next::Nobody };
        let ask = Ask { epoch: Epoch(0), joins: Vec::new(), removes: Vec::new(), found: true };
        let until = now + limits::FOUND_WAIT;
        Next::Ask(Outstanding { device, place, epoch: Epoch(0), found: true, until }, ask)
    }

    fn ask_to_commit(&self, room: &Room, now: Time) -> Next {
        let removes = room.removes_to_commit();
        let joins = room.doors().joins();
        let joins = joins.filter(|(_, join)| join.may_enter(now) && self.reaches(join.device()));
        let joins: Vec<_> = joins.map(|(sequence, _)| sequence).take(limits::JOINS_PER_COMMIT).collect();
        if removes.is_empty() && joins.is_empty() {
            return Next::Nobody;
        }
        let able = room.present().filter(|member| {
            let joins_anew = room.doors().joins().any(|(_, join)| *join.device() == member.device);
            !joins_anew && !room.doors().is_barred(&member.device) && self.reaches(&member.device)
        });
        let able: Vec<_> = able.map(|member| (u64::from(member.leaf.0), member.device.clone())).collect();
        let last = self.outstanding.as_ref().filter(|last| !last.found);
        let still_able = last.is_some_and(|last| able.iter().any(|(_, device)| *device == last.device));
        let epoch = room.epoch();
        let same_question = last.is_some_and(|last| last.epoch == epoch);
        if same_question && still_able && last.is_some_and(|last| now < last.until) {
            return Next::Keep;
        }
        // Who answered is asked again; who did not is passed over.
        let from = match last {
            Some(last) if still_able && !same_question => last.place.checked_sub(1),
            Some(last) => Some(last.place),
            None => self.last_committer.map(|leaf| u64::from(leaf.0)),
        };
        let Some((place, device)) = after(&able, from) else { return Next::Nobody };
        let until = now + limits::COMMIT_WAIT;
        let ask = Ask { epoch, joins, removes, found: false };
        Next::Ask(Outstanding { device, place, epoch, found: false, until }, ask)
    }

    /// Whether the device's own server follows: only then can it be asked, and taken out again should it vanish (spec: LOG-21).
    fn reaches(&self, device: &DeviceUri) -> bool {
        *device.domain() == self.signer.domain || self.followers.contains(device.domain())
    }

    pub(super) fn ask_deadline(&self) -> Option<Time> {
        self.outstanding.as_ref().map(|last| last.until)
    }

    /// An answered question leaves room for the next one; the rotation stays where it is.
    pub(super) fn committed(&mut self, leaf: Option<LeafIndex>) {
        self.last_committer = leaf.or(self.last_committer);
    }
}

enum Next {
    Keep,
    Nobody,
    Ask(Outstanding, Ask),
}

/// The first one behind `place`, or the first of all.
fn after(all: &[(u64, DeviceUri)], place: Option<u64>) -> Option<(u64, DeviceUri)> {
    let behind = place.and_then(|place| all.iter().find(|(this, _)| *this > place));
    behind.or_else(|| all.first()).cloned()
}

impl Ask {
    /// Every entry that it names.
    pub fn sequences(&self) -> impl Iterator<Item = Sequence> {
        self.removes.iter().chain(&self.joins).copied()
    }
}
