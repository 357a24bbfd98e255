//! Tests over dump directories and binlog files, whole and broken.

mod binlog;
mod dump;

use std::path::{Path, PathBuf};

/// A path among the fixtures.
fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path)
}
