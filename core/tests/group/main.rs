//! Groups with real MLS, in both cipher suites, as members and servers see them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

mod evolution;
mod hostile;
mod refusals;
mod room;
mod void;
