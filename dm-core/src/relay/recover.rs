//! The end of a relay log's last file after its writer ended, in whatever way.
//!
//! Guarantee: what is kept are whole groups, each event of which has the right length and checksum.
//! Obstacle: a killed process leaves half an event or half a transaction, a crash of the machine may leave
//! anything behind the last `fsync`. Method: the file is read from its start; at the first thing that makes
//! no sense it is cut off behind the last group that ended before. What was cut is fetched again from the
//! server, so nothing is lost by it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::group::{Groups, Step};
use super::layout::failed;
use crate::binlog::{Decoder, FileReader, Framed};
use crate::error::Result;
use crate::position::{Flavor, GtidSet};
use crate::state;

/// What is in a file.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    /// Offset behind the last whole group; less than 4 when not even the first bytes are right.
    pub whole: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// What was done before the file, and by its whole groups.
    pub done: GtidSet,
}

/// Reads a file up to the last whole group.
pub(super) fn look(path: &Path, flavor: Flavor) -> Result<Found> {
    let file = File::open(path).map_err(|e| failed(path, "cannot read", e))?;
    let bytes = file.metadata().map_err(|e| failed(path, "cannot read", e))?.len();
    let mut found = Found { whole: 0, bytes, done: GtidSet::empty(flavor) };
    let Ok(Some(mut reader)) = FileReader::open(BufReader::with_capacity(1 << 18, file)) else {
        return Ok(found);
    };
    found.whole = reader.offset();
    let (mut decoder, mut groups) = (Decoder::for_stream(flavor), Groups::default());
    while let Ok(Framed::Event { bytes, start, .. }) = reader.next_event() {
        let step = match groups.event(&mut decoder, bytes) {
            Ok(step) => step,
            Err(error) => {
                log::warn!("{}: {error}", path.display());
                break;
            }
        };
        let end = start + bytes.len() as u64;
        match step {
            Step::Inside => {}
            Step::Whole(gtid) => {
                gtid.map_or(Ok(()), |gtid| found.done.add(&gtid))?;
                found.whole = end;
            }
            Step::Follows(gtid) => {
                gtid.map_or(Ok(()), |gtid| found.done.add(&gtid))?;
                found.whole = start;
            }
            Step::Before(set) => {
                found.done.union(&set)?;
                found.whole = end;
            }
        }
    }
    Ok(found)
}

/// Cuts a file off behind its last whole group.
pub(super) fn cut(path: &Path, flavor: Flavor) -> Result<Found> {
    let found = look(path, flavor)?;
    if found.bytes > found.whole {
        let file = state::private(true).open(path).map_err(|e| failed(path, "cannot open", e))?;
        let done = file.set_len(found.whole).and_then(|()| file.sync_all());
        done.map_err(|e| failed(path, "cannot cut off", e))?;
        log::warn!(
            "{} ended in the middle of a transaction: {} bytes behind offset {} were cut off, and are \
             fetched again",
            path.display(),
            found.bytes - found.whole,
            found.whole
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::writer::tests::{FILES, recorded};
    use super::*;

    #[test]
    fn every_cut_keeps_whole_groups_only() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("binlog.000001");
        for (place, name, flavor) in FILES {
            let all = recorded(place, name);
            fs::write(&path, &all).unwrap();
            let full = look(&path, *flavor).unwrap();
            assert_eq!(full.whole, all.len() as u64, "{name} ends with a whole group");
            let mut last = full.whole;
            // Coarse steps, and fine ones at the end and at the start.
            let fine = (all.len().saturating_sub(60)..all.len()).chain(0..30);
            for at in fine.chain((0..all.len()).step_by(all.len() / 20)) {
                fs::write(&path, &all[..at]).unwrap();
                let found = cut(&path, *flavor).unwrap();
                assert!(found.whole <= at as u64);
                assert_eq!(fs::metadata(&path).unwrap().len(), found.whole);
                assert!(found.done.is_subset(&full.done), "{name} at {at}");
                last = last.min(found.whole);
                // What is left is whole: nothing more is cut off.
                assert_eq!(look(&path, *flavor).unwrap().whole, found.whole);
            }
            assert!(last <= 4);
        }
    }

    #[test]
    fn damage_cuts_before_it() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("binlog.000001");
        for (place, name, flavor) in FILES {
            let all = recorded(place, name);
            for at in (200..all.len()).step_by(all.len() / 20) {
                let mut bad = all.clone();
                bad[at] ^= 0x55;
                fs::write(&path, &bad).unwrap();
                let found = cut(&path, *flavor).unwrap();
                assert!(found.whole <= at as u64, "{name} at {at}: {}", found.whole);
            }
        }
    }
}
