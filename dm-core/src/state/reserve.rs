//! A file that takes room so that there is some when the disk is full.
//!
//! Guarantee: when the disk that holds the state is full, a task can still write down why it
//! stands, and take commands. Obstacle: both are writes to the state file. Method: beside it lies
//! a file of 1 MiB that nobody reads. The first write that finds the disk full fails, and removes
//! it; what is written next (the error, the stage, answers to commands) fits into its room. The
//! next attempt puts it back before anything else, and does not begin while there is no room for it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::dir::private;
use crate::error::{Error, Result, codes};

/// Enough for hundreds of small commits in the -wal file.
const BYTES: usize = 1 << 20;

/// The file that belongs to a state file.
pub(super) fn file(state: &Path) -> PathBuf {
    let mut name = state.to_owned().into_os_string();
    name.push("-reserve");
    name.into()
}

/// Takes the room, unless it is taken.
///
/// # Errors
///
/// `STATE_IO` when there is none.
pub(super) fn take(state: &Path) -> Result<()> {
    let path = file(state);
    if fs::metadata(&path).is_ok_and(|meta| meta.len() == BYTES as u64) {
        return Ok(());
    }
    let written = private(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .and_then(|mut file| file.write_all(&vec![0; BYTES]));
    written.map_err(|e| {
        // What there was of room is still needed.
        let _ = fs::remove_file(&path);
        let what = match e.kind() {
            io::ErrorKind::StorageFull => "the disk is full",
            _ => "no room can be set aside beside it",
        };
        Error::new(&codes::STATE_IO, format!("state file {}: {what}", state.display())).cause(e)
    })
}

/// Gives the room back, for what has to be written now.
pub(super) fn give(state: &Path) {
    if fs::remove_file(file(state)).is_ok() {
        log::warn!("the disk that holds {} is full", state.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_taken_once_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("t.db");
        let size = || fs::metadata(file(&state)).map(|meta| meta.len()).ok();
        take(&state).unwrap();
        take(&state).unwrap();
        assert_eq!(size(), Some(BYTES as u64));
        // One that was cut short is no reserve.
        fs::write(file(&state), b"x").unwrap();
        take(&state).unwrap();
        assert_eq!(size(), Some(BYTES as u64));
        give(&state);
        give(&state);
        assert_eq!(size(), None);
    }

    #[test]
    fn no_room_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("gone").join("t.db");
        assert_eq!(take(&nowhere).unwrap_err().code(), &codes::STATE_IO);
    }
}
