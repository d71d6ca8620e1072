//! The `sluis` program.

fn main() {}
