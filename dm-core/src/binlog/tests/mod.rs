//! Tests over real binlog files, over broken ones, and over events made by hand.

mod broken;
mod by_hand;
mod files;
mod replay;
mod sql;
mod texts;

use std::path::PathBuf;

/// The directory of a recorded case.
fn case(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/binlogs").join(name)
}

fn read(name: &str, file: &str) -> Vec<u8> {
    let path = case(name).join(file);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
