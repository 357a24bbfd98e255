//! The MySQL source against real servers.
//!
//! They are started by the harness; `DM_TEST_MYSQL` and `DM_TEST_MARIADB` name others instead
//! (`mysql://user:password@host:port`). Each test works in schemas of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test

mod copy;
mod server;
mod snapshot;
mod stream;
#[path = "../support/mod.rs"]
mod support;
