//! A meeting: what it is, who may enter it, what a commit may do, and the log in which servers agree on all that.

pub mod follower;
pub mod hub;
pub mod log;
pub mod policy;
pub mod room;
