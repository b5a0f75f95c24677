//! A simulated federation.

// Its home servers answer calls as gRPC handlers do: requests by value, a Result always; and `sealer` stands beside `sealed`.
#![allow(
    clippy::needless_pass_by_value,
    clippy::similar_names,
    clippy::unnecessary_wraps,
    clippy::wrong_self_convention
)]

pub mod client;
pub mod federation;
pub mod forge;
pub mod home_server;
pub mod intruder;
pub mod invariants;
pub mod link;
pub mod people;
pub mod scenario;
