//! What runs: the home server of one organisation.
//!
//! Imports go one way: `{federation, media, store} ← meeting ← rpc`; only `server`, which builds every part, imports `rpc`.

pub mod account;
pub mod audit;
pub mod clock;
pub mod config;
pub mod eviction;
pub mod federation;
pub mod keyring;
pub mod media;
pub mod meeting;
pub mod operator;
pub mod port;
pub mod random;
pub mod refusal;
pub mod rpc;
pub mod secret_file;
pub mod server;
pub mod store;
pub mod web;
#[cfg(feature = "wiretap")]
pub mod wiretap;
