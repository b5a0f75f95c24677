//! Opening the frames of others.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use crate::{
    identity::address::DeviceUri,
    ids::{Epoch, LeafIndex},
    limits,
    media::{
        clear_bytes,
        frame::{
            cipher::{Cipher, TAG_BYTES},
            header::Header,
            keys::{EpochKeys, write_aad},
            past::{Past, Windows},
            window::Window,
        },
        kid::{self, KeyId},
        track::{Codec, Kind, TrackLayer},
    },
    time::Time,
};

/// A frame was not opened; it must not be shown or heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not of the form of a sealed frame.
    #[error("this is not a sealed frame")]
    Malformed,
    /// Sealed in an epoch that this device is not in: not yet, or no longer.
    #[error("sealed in an epoch that this device is not in")]
    WrongEpoch,
    /// The key id names no member, or this device itself.
    #[error("the key id names nobody else in this epoch")]
    UnknownSender,
    /// The sender has been removed since.
    #[error("the sender has been removed")]
    RemovedSender,
    /// This counter was seen before, or is too old to tell.
    #[error("this frame came before")]
    Replayed,
    /// The tag does not verify: wrong key, altered, or sealed for another track, kind, codec or layer.
    #[error("the frame is not authentic")]
    NotAuthentic,
    /// More tracks than anybody needs.
    #[error("too many tracks in one epoch")]
    TooManyTracks,
}

/// An opened frame and what its key and tag prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The sender's leaf.
    pub leaf: LeafIndex,
    /// The sender.
    pub device: Arc<DeviceUri>,
    /// The epoch.
    pub epoch: Epoch,
    /// Track, kind, codec and layer.
    pub track: TrackLayer,
    /// Its place in the sender's sequence.
    pub counter: u64,
    /// The coded frame, clear bytes included.
    pub frame: Vec<u8>,
}

/// One key id of one epoch.
struct Stream {
    cipher: Cipher,
    kind: Kind,
    codec: Codec,
    window: Window,
}

/// One epoch whose frames are opened.
struct Known {
    keys: EpochKeys,
    /// When a later epoch began.
    left: Option<Time>,
    removed: BTreeSet<LeafIndex>,
    streams: HashMap<u64, Stream>,
    /// What was seen before its keys were forgotten, if it is entered again.
    seen: Windows,
}

/// Opens the frames that one device receives in one session.
#[derive(Default)]
pub struct Opener {
    /// The current epoch first.
    known: Vec<Known>,
    past: Past,
    aad: Vec<u8>,
}

impl Opener {
    /// Opens nothing until it has keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new epoch began; `removed` are the leaves whose frames of earlier epochs are refused from now on (spec: MED-08).
    pub fn enter(&mut self, keys: EpochKeys, now: Time, removed: &[LeafIndex]) {
        self.drop_expired(now);
        for known in &mut self.known {
            known.removed.extend(removed);
            known.left.get_or_insert(now);
        }
        // After a void epoch the one before it is entered again: what was seen in it stays seen, and everybody in it is in it.
        let again = self.known.iter().position(|known| known.keys.is_same(&keys));
        let (streams, seen) = match again.map(|at| self.known.remove(at)) {
            Some(known) => (known.streams, known.seen),
            None => (HashMap::new(), self.past.take(&keys.mark())),
        };
        self.known.insert(0, Known { keys, left: None, removed: BTreeSet::new(), streams, seen });
    }

    /// Forgets all keys: the device left, or was removed.
    pub fn forget(&mut self) {
        self.known.clear();
        self.past.clear();
    }

    /// Opens one frame that came coded by `codec`. Its kind is the one whose metadata authenticates (spec: MED-09).
    pub fn open(&mut self, now: Time, codec: Codec, sealed: &[u8]) -> Result<Opened, OpenError> {
        self.drop_expired(now);
        let sealed = Sealed::parse(codec, sealed)?;
        let mut error = OpenError::WrongEpoch;
        for known in self.known.iter_mut().filter(|known| kid::low(known.keys.epoch) == sealed.id.epoch) {
            match known.open(&sealed, &mut self.aad) {
                Ok(opened) => return Ok(opened),
                Err(refused) => error = refused,
            }
        }
        Err(error)
    }

    fn drop_expired(&mut self, now: Time) {
        let is_over =
            |known: &mut Known| known.left.is_some_and(|left| now.since(left) > limits::OLD_EPOCH_GRACE);
        // The current epoch is the first: the oldest are kept first.
        let over: Vec<_> = self.known.extract_if(.., is_over).collect();
        for known in over.into_iter().rev() {
            self.past.keep(known.keys.mark(), known.windows());
        }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.iter().map(|known| &known.keys)).finish()
    }
}

/// A sealed frame in its parts.
struct Sealed<'a> {
    codec: Codec,
    clear: &'a [u8],
    header: Header,
    id: KeyId,
    text: &'a [u8],
    tag: &'a [u8; TAG_BYTES],
}

impl<'a> Sealed<'a> {
    fn parse(codec: Codec, bytes: &'a [u8]) -> Result<Self, OpenError> {
        let parts = || {
            let (clear, rest) = bytes.split_at_checked(clear_bytes::length(codec, bytes)?)?;
            let (header, length) = Header::parse(rest)?;
            let (text, tag) = rest.get(length..)?.split_last_chunk()?;
            Some(Self { codec, clear, header, id: KeyId::decode(header.kid)?, text, tag })
        };
        parts().ok_or(OpenError::Malformed)
    }

    fn track(&self, kind: Kind) -> TrackLayer {
        TrackLayer { number: self.id.track, kind, codec: self.codec, layer: self.id.layer }
    }
}

impl Known {
    /// What was seen in it, now and before.
    fn windows(self) -> Windows {
        let mut windows = self.seen;
        windows.extend(self.streams.into_iter().map(|(kid, stream)| (kid, stream.window)));
        windows
    }

    fn open(&mut self, sealed: &Sealed<'_>, aad: &mut Vec<u8>) -> Result<Opened, OpenError> {
        let leaf = sealed.id.leaf;
        if leaf == self.keys.own_leaf {
            return Err(OpenError::UnknownSender);
        }
        let device = self.keys.roster.get(&leaf).ok_or(OpenError::UnknownSender)?.clone();
        if self.removed.contains(&leaf) {
            return Err(OpenError::RemovedSender);
        }
        let (kind, frame) = match self.streams.get_mut(&sealed.header.kid) {
            Some(stream) => stream.open(sealed, aad)?,
            None => self.open_first(sealed, aad)?,
        };
        Ok(Opened {
            leaf,
            device,
            epoch: self.keys.epoch,
            track: sealed.track(kind),
            counter: sealed.header.ctr,
            frame,
        })
    }

    /// The first frame under a key id; the id is remembered only if the frame is authentic.
    fn open_first(&mut self, sealed: &Sealed<'_>, aad: &mut Vec<u8>) -> Result<(Kind, Vec<u8>), OpenError> {
        if self.streams.len() >= limits::KEY_IDS {
            return Err(OpenError::TooManyTracks);
        }
        let window = self.seen.get(&sealed.header.kid).cloned().unwrap_or_default();
        if !window.is_fresh(sealed.header.ctr) {
            return Err(OpenError::Replayed);
        }
        let mut cipher = self.keys.cipher(sealed.id).ok_or(OpenError::Malformed)?;
        for &kind in sealed.codec.kinds() {
            let mut stream = Stream { cipher, kind, codec: sealed.codec, window: window.clone() };
            if let Ok(opened) = stream.open(sealed, aad) {
                self.streams.insert(sealed.header.kid, stream);
                return Ok(opened);
            }
            cipher = stream.cipher;
        }
        Err(OpenError::NotAuthentic)
    }
}

impl Stream {
    fn open(&mut self, sealed: &Sealed<'_>, aad: &mut Vec<u8>) -> Result<(Kind, Vec<u8>), OpenError> {
        if !self.window.is_fresh(sealed.header.ctr) {
            return Err(OpenError::Replayed);
        }
        if self.codec != sealed.codec {
            return Err(OpenError::NotAuthentic);
        }
        write_aad(aad, sealed.header, sealed.track(self.kind), sealed.clear);
        let mut frame = Vec::with_capacity(sealed.clear.len() + sealed.text.len());
        frame.extend_from_slice(sealed.clear);
        frame.extend_from_slice(sealed.text);
        let text = frame.get_mut(sealed.clear.len()..).ok_or(OpenError::Malformed)?;
        if !self.cipher.open(sealed.header.ctr, aad, text, sealed.tag) {
            return Err(OpenError::NotAuthentic);
        }
        self.window.mark(sealed.header.ctr);
        Ok((self.kind, frame))
    }
}
