//! A simulated federation.

pub mod client;
pub mod federation;
pub mod forge;
pub mod home_server;
pub mod intruder;
pub mod invariants;
pub mod link;
pub mod people;
pub mod scenario;
