//! What other servers may ask: one file for each service.

pub mod directory;
pub mod invitation;
