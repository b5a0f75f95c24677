//! Conclave in a terminal: sockets, files and screens around the device machine of `conclave-core`, which decides everything.
//!
//! A library beside the binary, so that tests and other test clients can use the parts.

pub mod api;
pub mod clock;
pub mod media;
#[cfg(test)]
mod testing;
