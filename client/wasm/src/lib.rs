//! Core for browsers: bindings over the device machine and the frame sealer, no logic of its own.
//!
//! ```text
//!   page ── command, answer, item ──▶ Client ── drain ──▶ effects: call, open, close, store, event
//!   frame worker ── frame ──▶ Frames ── sealed or opened frame ──▶ frame worker
//! ```
//!
//! TypeScript carries effects out. It sees neither a protobuf nor a key: what is stored and what goes to the frame worker is
//! sealed in here by WebCrypto keys that cannot be extracted, and of which the page holds handles.

mod client;
mod command;
mod effect;
mod frames;
mod media;
mod time;
mod vault;
mod view;

pub use client::{Client, domain_of, first_track_number, meeting_address};
pub use frames::Frames;
pub use media::{
    media_answer, media_close_request, media_connection, media_open_request, media_signal,
    media_signals_request, media_update_request,
};
