//! Black-box checks.
fn main() {}
