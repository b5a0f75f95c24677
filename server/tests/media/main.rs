//! Media through real sockets: str0m clients, one or two SFUs, a QUIC relay between them. Every frame is sealed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // Tests may panic.

mod dependencies;
mod device;
mod peers;
mod sfu;
mod tcp;
mod temporal;
mod wire;
