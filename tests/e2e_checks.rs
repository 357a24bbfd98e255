//! Prechecks on real servers: each is seen to find what is wrong and to be silent when it is put
//! right; users with no more rights than the manual says can run every mode.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

#[path = "checks/items.rs"]
mod items;
#[path = "checks/server.rs"]
mod server;
#[path = "checks/stage.rs"]
mod stage;
#[path = "checks/tables.rs"]
mod tables;
