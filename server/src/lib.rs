//! What runs: the home server of one organisation.
//!
//! Imports go one way: `{federation, media, store} ← meeting ← rpc`; only `server`, which builds every part, imports `rpc`.

pub mod federation;
pub mod refusal;
pub mod rpc;
pub mod store;
#[cfg(feature = "wiretap")]
pub mod wiretap;
