//! The MySQL source against real servers.
//!
//! `DM_TEST_MYSQL` and `DM_TEST_MARIADB` name them (`mysql://user:password@host:port`); a server
//! that is not named is skipped, and the test says so. Each test works in schemas of its own.

mod copy;
mod server;
mod snapshot;
mod stream;
