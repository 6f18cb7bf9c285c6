//! The optical command.
fn main() {}
