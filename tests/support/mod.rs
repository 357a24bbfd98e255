//! What the integration tests share: real servers, a comparer, a write load, a TCP proxy, a stub of
//! TiDB, the `dm` process and the runner of case directories.
//!
//! Where a new test goes: a behaviour that one task file and some SQL can show is a directory in
//! `tests/cases` (no Rust); a test that needs timing, faults or many rounds is a function in one of
//! the `e2e_*.rs` files; the parts of this module are tested by `tests/harness.rs`.

// Every test binary compiles this module and uses a part of it.
#![allow(dead_code)]

pub mod authority;
pub mod cases;
pub mod compare;
pub mod dm;
pub mod http;
pub mod proxy;
pub mod random;
pub mod refuser;
pub mod replica;
pub mod samples;
pub mod server;
pub mod shapes;
pub mod sql;
pub mod statements;
pub mod tidb;
pub mod wait;
pub mod workload;

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let crate_dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().map_or(crate_dir.clone(), PathBuf::from)
}

/// True in CI, where a test that cannot run is a failure.
pub fn in_ci() -> bool {
    matches!(std::env::var("CI").as_deref(), Ok("true" | "1"))
}

/// Says on the real standard error (libtest swallows `eprintln!` of tests that pass) that a test
/// did not run, and fails in CI.
pub fn skip(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {what}: {why}");
    assert!(!in_ci(), "{what} was skipped in CI: {why}");
}

/// Says that a test does not run with the external target, and why. No failure, also in CI.
pub fn leave_out(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "  left out: {what}: {why}");
}

/// One end-to-end test at a time: the servers of a binary are shared, and two cores are few.
pub fn serial() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number from the environment, or the default.
pub fn env_number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => default,
    }
}
