//! A simulated federation.
