//! Sealing own frames.

use std::{collections::BTreeMap, fmt};

use crate::{
    ids::TrackNumber,
    limits,
    media::{
        clear_bytes,
        frame::{
            cipher::Cipher,
            header::Header,
            keys::{EpochKeys, write_aad},
        },
        kid::KeyId,
        track::{Layer, TrackLayer},
    },
    time::Time,
};

/// A frame was not sealed; it must not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There are no keys yet, or no more.
    #[error("no keys: this device is in no epoch")]
    NoKeys,
    /// The frame is shorter than its codec's clear bytes.
    #[error("the frame is shorter than its codec allows")]
    TooShort,
    /// The own leaf does not fit a key id, or the counter is used up.
    #[error("the key id or the counter is used up")]
    Exhausted,
}

/// What one layer of a track has sent.
#[derive(Default)]
struct Sending {
    /// The next counter: it goes on across epochs, so that no key ever sees one twice, not even one that is entered again.
    counter: u64,
    /// The current epoch's.
    cipher: Option<(KeyId, Cipher)>,
}

/// Seals the frames of one device in one session. Lives as long as the device's stay; is never stored.
#[derive(Default)]
pub struct Sealer {
    current: Option<EpochKeys>,
    next: Option<(EpochKeys, Time)>,
    sending: BTreeMap<(TrackNumber, Layer), Sending>,
    aad: Vec<u8>,
}

impl Sealer {
    /// Refuses to seal until it has keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new epoch began. Without `at_once` the old key stays in use for up to a second, so that slower members lose nothing;
    /// after a removal it must be `at_once` (spec: MED-05).
    pub fn enter(&mut self, keys: EpochKeys, now: Time, at_once: bool) {
        if at_once || self.current.is_none() {
            self.switch(keys);
        } else {
            let at = self.next.take().map_or(now + limits::KEY_OVERLAP, |(_, at)| at);
            self.next = Some((keys, at));
        }
    }

    /// Forgets all keys: the device left, or was removed.
    pub fn forget(&mut self) {
        self.current = None;
        self.next = None;
        for sending in self.sending.values_mut() {
            sending.cipher = None;
        }
    }

    /// Seals one coded frame into `out`, which is emptied first.
    pub fn seal(
        &mut self,
        now: Time,
        track: TrackLayer,
        frame: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        out.clear();
        if self.next.as_ref().is_some_and(|(_, at)| now >= *at)
            && let Some((keys, _)) = self.next.take()
        {
            self.switch(keys);
        }
        let keys = self.current.as_ref().ok_or(SealError::NoKeys)?;
        let kid =
            KeyId::new(track.number, track.layer, keys.own_leaf, keys.epoch).ok_or(SealError::Exhausted)?;
        let clear = clear_bytes::length(track.codec, frame).ok_or(SealError::TooShort)?;
        let (clear, text) = frame.split_at_checked(clear).ok_or(SealError::TooShort)?;

        let sending = self.sending.entry((track.number, track.layer)).or_default();
        let (_, cipher) = match &mut sending.cipher {
            Some(known) if known.0 == kid => known,
            slot => slot.insert((kid, keys.cipher(kid).ok_or(SealError::Exhausted)?)),
        };
        let counter = sending.counter;
        sending.counter = counter.checked_add(1).ok_or(SealError::Exhausted)?; // MED-06

        let header = Header { kid: kid.encode(), ctr: counter };
        write_aad(&mut self.aad, header, track, clear);
        out.extend_from_slice(clear);
        header.write(out);
        let from = out.len();
        out.extend_from_slice(text);
        if cipher.seal(counter, &self.aad, out, from).is_none() {
            out.clear(); // No plaintext may be left in what is sent.
            return Err(SealError::Exhausted);
        }
        Ok(())
    }

    fn switch(&mut self, keys: EpochKeys) {
        self.current = Some(keys);
        self.next = None;
        for sending in self.sending.values_mut() {
            sending.cipher = None;
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("current", &self.current).finish_non_exhaustive()
    }
}
