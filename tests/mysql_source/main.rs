//! The MySQL source against real servers.
//!
//! `DM_TEST_MYSQL` and `DM_TEST_MARIADB` name them (`mysql://user:password@host:port`); a server
//! that is not named is skipped, and the test says so. Each test works in schemas of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test

mod copy;
mod server;
mod snapshot;
mod stream;
