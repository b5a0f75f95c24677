//! Conclave in a terminal.
fn main() {}
