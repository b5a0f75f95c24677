//! The calls that devices and other servers make: who may make them, and the way back for errors.
//!
//! Nothing is decided here about meetings; that is `meeting`'s and `core`'s.

pub mod budget;
pub mod caller;
pub mod client;
pub mod federation;
pub mod grpc_web;
pub mod listener;
pub mod router;
pub mod status;
pub mod unary;
