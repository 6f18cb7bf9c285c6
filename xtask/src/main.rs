//! Starts cargo.
fn main() {}
