//! A simulated federation.

pub mod forge;
pub mod people;
