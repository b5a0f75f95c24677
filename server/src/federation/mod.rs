//! Other organisations' servers: who they are, how they are found, and the connections to them.
//!
//! It knows nothing of meetings or of what is asked over the connections.

pub mod book;
pub mod dial;
pub mod discovery;
mod follows;
pub mod inbox;
pub mod mirror;
pub mod outbox;
pub mod peers;
pub mod relay;
pub mod tls;
pub mod wary;
