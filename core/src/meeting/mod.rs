//! A meeting: what it is, who may enter it, what a commit may do, and the log in which servers agree on all that.

pub mod admission;
pub mod aside;
pub mod attendance;
pub mod commit_rules;
pub mod doors;
mod error;
pub mod follower;
pub mod guest;
pub mod hub;
pub mod link;
pub mod log;
pub mod look;
pub mod policy;
pub mod record;
pub mod room;
pub mod submission;
pub mod trust;
pub mod watch;
pub mod withdrawal;

pub use self::{error::Error, trust::Trust};
