//! Meetings as they run: the log on the disk, the streams that read it, and the task that drives each machine of `core`.

pub mod journal;
pub mod watcher;
