//! What is published: tracks, their kinds, codecs and layers.

use conclave_proto::types::v1 as wire;

use crate::{ids::TrackNumber, time::Time};

/// A track as it travelled is not of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The kind is not known here.
    #[error("unknown kind of track")]
    Kind,
    /// The codec is not known here.
    #[error("unknown codec")]
    Codec,
    /// Sound needs Opus, pictures need VP8.
    #[error("the codec does not fit the kind of track")]
    Mismatch,
    /// A track has one to three layers, sound one.
    #[error("a track has one to three layers, sound one")]
    Layers,
}

/// What a track carries; the numbers stand in the authenticated data of its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A microphone.
    Audio = 1,
    /// A camera.
    Video = 2,
    /// A screen.
    Screen = 3,
    /// The sound of a screen.
    ScreenAudio = 4,
}

/// How a track is coded; the numbers stand in the authenticated data of its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Codec {
    /// RFC 6716.
    Opus = 1,
    /// RFC 6386.
    Vp8 = 2,
}

/// What a place in a connection can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Medium {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// A simulcast layer, 0 (smallest) to 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layer(u8);

impl Layer {
    /// The only layer of a track without simulcast.
    pub const BASE: Self = Self(0);

    /// Two bits.
    pub const fn new(layer: u8) -> Option<Self> {
        if layer < 4 { Some(Self(layer)) } else { None }
    }

    /// Its two low bits.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self((bits & 3) as u8)
    }

    /// As a number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// A temporal layer, 0 to 3: who gets the lower ones gets every frame that those need, only fewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Temporal(u8);

impl Temporal {
    /// How many there are at most.
    pub const COUNT: usize = 4;
    /// The frames that no one can do without.
    pub const BASE: Self = Self(0);
    /// Every frame.
    pub const ALL: Self = Self(3);

    /// This one, or the highest.
    pub const fn at_most(number: u8) -> Self {
        if number < Self::ALL.0 { Self(number) } else { Self::ALL }
    }

    /// All of them, the lowest first.
    pub fn each() -> impl DoubleEndedIterator<Item = Self> {
        (0..=Self::ALL.0).map(Self)
    }

    /// As a number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl Kind {
    /// The medium that carries it.
    pub const fn medium(self) -> Medium {
        match self {
            Self::Audio | Self::ScreenAudio => Medium::Audio,
            Self::Video | Self::Screen => Medium::Video,
        }
    }
}

impl Codec {
    /// The medium that it codes.
    pub const fn medium(self) -> Medium {
        match self {
            Self::Opus => Medium::Audio,
            Self::Vp8 => Medium::Video,
        }
    }

    /// The kinds of track that it can carry, the likeliest first.
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Opus => &[Kind::Audio, Kind::ScreenAudio],
            Self::Vp8 => &[Kind::Video, Kind::Screen],
        }
    }
}

/// One published stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Track {
    /// Fresh in the session for each start of the track.
    pub number: TrackNumber,
    /// What it carries.
    pub kind: Kind,
    /// How it is coded.
    pub codec: Codec,
    /// How many layers it has, 1 to 3.
    pub layers: u8,
}

/// The first of sixteen numbers for the tracks of a device that starts sending now (spec: MED-03): the time in seconds, so
/// that they are fresh in the session, whatever came before.
pub fn first_number(now: Time) -> TrackNumber {
    let seconds = (now.as_ms() / 1000) & 0x0fff_ffff;
    TrackNumber(u32::try_from(seconds).unwrap_or(0) << 4)
}

/// One layer of a track, as frames are sealed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackLayer {
    /// The track's number.
    pub number: TrackNumber,
    /// What it carries.
    pub kind: Kind,
    /// How it is coded.
    pub codec: Codec,
    /// Which layer.
    pub layer: Layer,
}

impl Track {
    /// One of its layers.
    pub fn layer(&self, layer: Layer) -> Option<TrackLayer> {
        (layer.number() < self.layers).then_some(TrackLayer {
            number: self.number,
            kind: self.kind,
            codec: self.codec,
            layer,
        })
    }
}

impl TryFrom<&wire::Track> for Track {
    type Error = Error;

    /// Checks the form (spec: MED-03).
    fn try_from(track: &wire::Track) -> Result<Self, Error> {
        let kind = match wire::TrackKind::try_from(track.kind) {
            Ok(wire::TrackKind::Audio) => Kind::Audio,
            Ok(wire::TrackKind::Video) => Kind::Video,
            Ok(wire::TrackKind::Screen) => Kind::Screen,
            Ok(wire::TrackKind::ScreenAudio) => Kind::ScreenAudio,
            Ok(wire::TrackKind::Unspecified) | Err(_) => return Err(Error::Kind),
        };
        let codec = match wire::Codec::try_from(track.codec) {
            Ok(wire::Codec::Opus) => Codec::Opus,
            Ok(wire::Codec::Vp8) => Codec::Vp8,
            Ok(wire::Codec::Unspecified) | Err(_) => return Err(Error::Codec),
        };
        if kind.medium() != codec.medium() {
            return Err(Error::Mismatch);
        }
        let most = if kind.medium() == Medium::Audio { 1 } else { 3 };
        let layers =
            u8::try_from(track.layers).ok().filter(|n| (1..=most).contains(n)).ok_or(Error::Layers)?;
        Ok(Self { number: TrackNumber(track.number), kind, codec, layers })
    }
}

impl From<&Track> for wire::Track {
    fn from(track: &Track) -> Self {
        let kind = match track.kind {
            Kind::Audio => wire::TrackKind::Audio,
            Kind::Video => wire::TrackKind::Video,
            Kind::Screen => wire::TrackKind::Screen,
            Kind::ScreenAudio => wire::TrackKind::ScreenAudio,
        };
        let codec = match track.codec {
            Codec::Opus => wire::Codec::Opus,
            Codec::Vp8 => wire::Codec::Vp8,
        };
        Self {
            number: track.number.0,
            kind: kind.into(),
            codec: codec.into(),
            layers: u32::from(track.layers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn med_03_a_track_fits_its_codec_and_has_one_to_three_layers() {
        let good = Track { number: TrackNumber(7), kind: Kind::Screen, codec: Codec::Vp8, layers: 3 };
        assert_eq!(Track::try_from(&wire::Track::from(&good)), Ok(good));
        let audio = wire::Track { number: 1, kind: 1, codec: 1, layers: 1 };
        assert!(Track::try_from(&audio).is_ok());
        assert_eq!(Track::try_from(&wire::Track { layers: 2, ..audio }), Err(Error::Layers));
        assert_eq!(Track::try_from(&wire::Track { layers: 0, ..audio }), Err(Error::Layers));
        assert_eq!(Track::try_from(&wire::Track { codec: 2, ..audio }), Err(Error::Mismatch));
        assert_eq!(Track::try_from(&wire::Track { codec: 9, ..audio }), Err(Error::Codec));
        let screen_sound = wire::Track { kind: 4, ..audio };
        let sound = Track::try_from(&screen_sound).map(|track| (wire::Track::from(&track), track.kind));
        assert_eq!(sound, Ok((screen_sound, Kind::ScreenAudio)));
        assert_eq!(Track::try_from(&wire::Track { layers: 2, ..screen_sound }), Err(Error::Layers));
        assert_eq!(Track::try_from(&wire::Track { codec: 2, ..screen_sound }), Err(Error::Mismatch));
        assert_eq!(Track::try_from(&wire::Track { kind: 0, ..audio }), Err(Error::Kind));
    }
}
