//! Pictures that cannot be shown for want of their first key frame, and when to ask for one.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use conclave_core::{identity::address::DeviceUri, ids::TrackNumber};

/// How long to wait for a key frame before asking again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is known of the start of each track of pictures.
#[derive(Debug, Default)]
pub struct Starts(HashMap<(DeviceUri, TrackNumber), Start>);

#[derive(Debug)]
enum Start {
    /// When a key frame was asked for.
    Asked(Instant),
    /// A decoder can start.
    Started,
}

impl Starts {
    /// A frame of a track came; says whether to ask for a key frame now.
    pub fn took(&mut self, track: (&DeviceUri, TrackNumber), key: bool, now: Instant) -> bool {
        let track = (track.0.clone(), track.1);
        if key {
            self.0.insert(track, Start::Started);
            return false;
        }
        match self.0.get(&track) {
            Some(Start::Started) => false,
            Some(Start::Asked(at)) if now < *at + AGAIN => false,
            Some(Start::Asked(_)) | None => {
                self.0.insert(track, Start::Asked(now));
                true
            }
        }
    }

    /// A new connection: each stream starts anew.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_late_asks_once_a_second_until_a_key_frame_comes() {
        let device = DeviceUri::parse("conclave://south.example/u/bob/d/0102030405060708").unwrap();
        let (mut starts, start) = (Starts::default(), Instant::now());
        let mut took = |track: u32, key: bool, ms: u64| {
            starts.took((&device, TrackNumber(track)), key, start + Duration::from_millis(ms))
        };
        assert_eq!(
            [0, 100, 999, 1_000, 1_500, 2_100].map(|ms| took(1, false, ms)),
            [true, false, false, true, false, true]
        );
        assert!(took(2, false, 2_200), "each track for itself");
        assert!(!took(1, true, 2_300));
        assert!(!took(1, false, 9_000));
        assert!(took(2, false, 9_000));
    }
}
