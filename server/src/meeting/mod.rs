//! Meetings as they run: the log on the disk, the streams that read it, and the task that drives each machine of `core`.

pub mod context;
pub mod follower;
pub mod house;
pub mod hub;
pub mod journal;
pub mod mirrors;
mod order;
pub mod registry;
pub mod rows;
pub mod watcher;
