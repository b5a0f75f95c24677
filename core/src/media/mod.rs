//! Sealing and opening media frames, and deciding where packets go.
//!
//! Neither knows RTP sessions, sockets or MLS: keys, rosters and times are given.

pub mod clear_bytes;
pub mod descriptor;
pub mod frame;
pub mod kid;
pub mod payload;

pub mod router;
pub mod track;

pub use frame::{EpochKeys, Opened, Opener, Sealer};
pub use kid::KeyId;
pub use track::{Codec, Kind, Layer, Medium, Temporal, Track, TrackLayer};
