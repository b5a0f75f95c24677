//! Conclave in a terminal: sockets, files and screens around the device machine of `conclave-core`, which decides everything.
//!
//! A library beside the binary, so that tests and other test clients can use the parts.

pub mod api;
pub mod args;
pub mod call;
#[cfg(feature = "canary")]
pub mod canary;
pub mod clock;
pub mod commands;
pub mod driver;
pub mod media;
pub mod present;
pub mod profile;
pub mod screen;
pub mod terminal;
#[cfg(test)]
mod testing;
