//! What is decided: who somebody is, what a meeting allows, what the group becomes, how a frame is sealed.
//!
//! No socket, disk, clock or task: time and randomness are given, results are polled. Server, command line, browser and
//! simulation drive the same machines. Imports go one way: `identity ← group ← meeting`, `identity ← media`, all `← device`.

#[cfg(feature = "canary")]
pub mod canary;
pub mod device;
pub mod group;
pub mod identity;
pub mod ids;
pub mod limits;
pub mod machine;
pub mod media;
pub mod meeting;
pub mod time;
