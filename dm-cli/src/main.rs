//! The `dm` command.

fn main() {}
