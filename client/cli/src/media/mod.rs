//! Audio and video of the terminal client: frames from files, over WebRTC, into files.
//!
//! Nothing here encodes or decodes pictures or sound, and nothing here decides who may send or be heard.

pub mod connection;
pub mod early;
pub mod frame_log;
pub mod ivf;
pub mod ogg;
pub mod pace;
#[cfg(test)]
mod probe;
pub mod record;
pub mod rtp;
pub mod signalling;
pub mod starts;
#[cfg(test)]
mod test_sfu;
pub mod worker;

use bytes::Bytes;

/// What a stream carries, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Opus.
    Audio,
    /// VP8.
    Video,
}

impl Kind {
    /// RTP clock rate, ticks per second.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Audio => 48_000,
            Self::Video => 90_000,
        }
    }
}

/// One encoded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The codec's bytes.
    pub payload: Bytes,
    /// When it is due, in RTP ticks from the clip's start.
    pub ticks: u64,
    /// Whether a decoder can start here.
    pub key: bool,
}

/// A file's frames, to be sent at their own pace, again and again.
#[derive(Clone, Debug)]
pub struct Clip {
    /// What it carries.
    pub kind: Kind,
    /// In order; never empty.
    pub frames: Vec<Frame>,
    /// Its length in RTP ticks: where the second round starts.
    pub length: u64,
}

/// A media file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read or written.
    #[error("cannot read or write the file: {0}")]
    Io(#[from] std::io::Error),
    /// The file is too large to be sent.
    #[error("the file is larger than {} MiB", LARGEST_FILE >> 20)]
    TooLarge,
    /// The file is not of its form.
    #[error("the file is not usable: {0}")]
    Malformed(&'static str),
}

/// The largest file that is read; it is held in memory.
pub const LARGEST_FILE: u64 = 256 << 20;

fn read_file(path: &std::path::Path) -> Result<Vec<u8>, FileError> {
    if std::fs::metadata(path)?.len() > LARGEST_FILE {
        return Err(FileError::TooLarge);
    }
    Ok(std::fs::read(path)?)
}
