//! What other servers may ask: one file for each service.

pub mod directory;
pub mod invitation;
pub mod meeting;
pub mod mirror;
