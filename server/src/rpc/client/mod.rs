//! What this organisation's devices may ask: one file for each service, and the one place that tells who they are.

pub mod account;
pub mod directory;
pub mod gate;
pub mod invitation;
pub mod look_ups;
pub mod media;
pub mod meeting;
