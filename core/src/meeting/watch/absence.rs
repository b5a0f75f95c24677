//! Own devices that are in the room and have no stream: since when, what the others know of it, and whose time is up.

use std::{collections::BTreeMap, time::Duration};

use crate::{identity::address::DeviceUri, ids::Sequence, limits};

/// How long a member may be without a stream before its server takes it out.
pub const ABSENCE: Duration = Duration::from_secs(30);
/// How long a member that asks to enter anew may stay what it was: by then somebody should have replaced it.
const REPLACED: Duration = Duration::from_secs(5);

/// A device that is in, and the commit by which it entered.
pub type Presence = (DeviceUri, Sequence);

/// What is to be done about devices without a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// To be taken out: they had no stream for too long (spec: FED-13).
    pub lost: Vec<Presence>,
    /// What the members are to be told: that one is away, or back (spec: FED-15).
    pub attendance: Vec<(Presence, bool)>,
}

#[derive(Debug)]
struct Absent {
    since: Duration,
    /// From when its patience counts: since then, or since it was last to be taken out.
    counted: Duration,
    /// When the members were told last.
    told: Option<Duration>,
}

/// Presences without a stream.
#[derive(Debug, Default)]
pub(super) struct Absences(BTreeMap<Presence, Absent>);

impl Absences {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// `present`: every own presence, with what it has of a stream.
    pub(super) fn look(&mut self, present: &BTreeMap<Presence, Stream>, at: Duration) -> Missing {
        let mut missing = Missing::default();
        let back = self.0.extract_if(.., |presence, _| {
            present.get(presence).is_none_or(|stream| *stream == Stream::Member)
        });
        for (presence, absent) in back {
            if absent.told.is_some() && present.contains_key(&presence) {
                missing.attendance.push((presence, false));
            }
        }
        for (presence, stream) in present {
            let patience = match stream {
                Stream::Member => continue,
                Stream::Anew => REPLACED,
                Stream::None => ABSENCE,
            };
            let absent = self.0.entry(presence.clone());
            let absent = absent.or_insert(Absent { since: at, counted: at, told: None });
            if at >= absent.counted + patience {
                absent.counted = at; // Tried again if it does not come into the log.
                missing.lost.push(presence.clone());
            }
            let due = absent.told.map_or(absent.since + limits::AWAY_AFTER, |told| told + limits::AWAY_AGAIN);
            if at >= due {
                absent.told = Some(at);
                missing.attendance.push((presence.clone(), true));
            }
        }
        missing
    }
}

/// What a present device has of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Its own as a member.
    Member,
    /// One by which it asks to enter anew.
    Anew,
    /// None at all.
    None,
}
