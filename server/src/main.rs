//! The home server of one organisation.
fn main() {}
