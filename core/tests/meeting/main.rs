//! Meetings with real identities and groups: a hub, a follower, and devices of two organisations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

mod acts;
mod attendance;
mod carry;
mod commits;
mod doors;
mod log;
mod path;
mod policy;
mod restart;
mod vectors;
mod void;
mod watch;
mod withdrawals;
mod world;
