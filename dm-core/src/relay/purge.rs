//! Removing files that no task needs any more.
//!
//! Guarantee: a file is removed only when every task that the state directory knows for this source stands
//! behind it, and never the newest file. Obstacle: a task that was never asked, or whose state cannot be read,
//! may need anything. Method: the bound is computed anew for each purge, from all state files, running or not;
//! when no task is known, or one cannot be read, or its place is not found, nothing is removed. One
//! purge at a time, by a kernel lock. Positions in state files only move forward (or back by hand, for a
//! stopped task, as far as the binlog goes), so a bound stays right while files are removed.
//!
//! Files are removed oldest first: a crash in between leaves a relay log that begins later.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::RelayConfig;
use super::layout::{RelayDir, SubDir};
use super::locate::{Located, locate};
use super::needs;
use crate::error::{Error, Result, codes};
use crate::position::BinlogFile;

/// A file of a relay log, in the order of age.
#[derive(Clone, Debug)]
struct Old {
    sub: SubDir,
    file: BinlogFile,
    path: PathBuf,
}

impl Old {
    fn key(&self) -> (u32, u64) {
        (self.sub.number, self.file.seq())
    }
}

/// Removes files by the rules of the source file: what is older than `expires`, and, while fewer bytes than
/// `remain-space` are free, everything that no task needs. What was done, in words; empty for nothing.
///
/// # Errors
///
/// 30035, 30038 and 30041; when the directory or a state file cannot be read.
pub(super) fn by_rules(config: &RelayConfig, dir: &RelayDir) -> Result<String> {
    let plan = &config.plan.purge;
    if plan.expires.is_none() && plan.remain_space.is_none() {
        return Ok(String::new());
    }
    let short = match (plan.remain_space, free_bytes(dir.path())) {
        (Some(wanted), Some(free)) => free < wanted,
        _ => false,
    };
    if !short && plan.expires.is_none() {
        return Ok(String::new());
    }
    let _lock = dir.purge_lock()?;
    let old = removable(config, dir)?;
    let chosen: Vec<Old> = match (short, plan.expires) {
        (true, _) => old,
        (false, Some(age)) => old.into_iter().take_while(|f| is_older(&f.path, age)).collect(),
        (false, None) => Vec::new(),
    };
    remove(dir, &chosen)
}

/// Removes the files before one of a part (of the newest one when none is named), as far as no task
/// needs them. What was done, in words.
///
/// # Errors
///
/// 30037 when the relay log has no such file; as a purge by rules does.
pub fn before(config: &RelayConfig, file: &str, sub_dir: Option<&str>) -> Result<String> {
    let dir = super::begin::directory(config);
    let subs = dir.subdirs()?;
    let sub = match sub_dir {
        Some(name) => subs.iter().find(|sub| sub.to_string() == name),
        None => subs.last(),
    };
    let unknown = |what: String| {
        Error::new(&codes::RELAY_PURGE_FORBIDDEN, what).workaround(
            "Name a file that is there; `relaySubDir` and `relayBinlog` of `dm query-status -s SOURCE` say \
             where the newest is. Nothing was removed.",
        )
    };
    let Some(sub) = sub else {
        let log = dir.path().display();
        return Err(unknown(match sub_dir {
            Some(name) => format!("the relay log {log} has no sub-directory {name}"),
            None => format!("the relay log {log} has no files yet"),
        }));
    };
    let name: BinlogFile = file.parse()?;
    if !dir.files(sub)?.iter().any(|(known, _)| *known == name) {
        return Err(unknown(format!("{} has no file {file}", dir.sub(sub).display())));
    }
    let _lock = dir.purge_lock()?;
    let old = removable(config, &dir)?;
    let bound = (sub.number, name.seq());
    let (chosen, kept): (Vec<_>, Vec<_>) = old.into_iter().partition(|f| f.key() < bound);
    let more = all(&dir)?.iter().filter(|f| f.key() < bound).count() - chosen.len();
    drop(kept);
    let said = remove(&dir, &chosen)?;
    Ok(match more {
        0 => said,
        more => format!("{said}; {more} more are still needed by tasks"),
    })
}

/// All files, oldest first.
fn all(dir: &RelayDir) -> Result<Vec<Old>> {
    let mut all = Vec::new();
    for sub in dir.subdirs()? {
        for (file, path) in dir.files(&sub)? {
            all.push(Old { sub: sub.clone(), file, path });
        }
    }
    Ok(all)
}

/// The files that no task needs, oldest first.
fn removable(config: &RelayConfig, dir: &RelayDir) -> Result<Vec<Old>> {
    let unknown = |what: String| Error::new(&codes::RELAY_PURGE_NO_ACTIVE, what);
    let needs = match &config.state_dir {
        Some(state_dir) => needs::of_source(state_dir, &config.source)?,
        None => Vec::new(),
    };
    if needs.is_empty() {
        return Err(unknown(format!("no task of source {} has a position yet", config.source)));
    }
    let mut files = all(dir)?;
    // The newest is being written.
    let Some(newest) = files.pop() else { return Ok(files) };
    let mut bound = newest.key();
    for need in &needs {
        let place = locate(dir, &need.position, config.use_gtid, None)?;
        match place {
            Located::At(place) => bound = bound.min((place.sub.number, place.file.seq())),
            // It has got further than the relay log.
            Located::Behind => {}
            // It reads from the server itself what the relay log does not have, and may need all of it.
            Located::Before | Located::Nothing => {
                return Err(unknown(format!(
                    "where task {:?} stands is not in the relay log",
                    need.task
                )));
            }
        }
    }
    files.retain(|file| file.key() < bound);
    Ok(files)
}

/// Removes files and the parts that are empty then.
fn remove(dir: &RelayDir, files: &[Old]) -> Result<String> {
    for old in files {
        std::fs::remove_file(&old.path).map_err(|e| {
            let text = format!("{} cannot be removed", old.path.display());
            Error::new(&codes::RELAY_REMOVE, text).cause(e)
        })?;
    }
    if let Some(first) = all(dir)?.first() {
        dir.forget_before(first.sub.number)?;
    }
    Ok(match files {
        [] => String::new(),
        [one] => format!("removed {} of {}", one.file, one.sub),
        [first, .., last] => format!(
            "removed {} files, {} of {} to {} of {}",
            files.len(),
            first.file,
            first.sub,
            last.file,
            last.sub
        ),
    })
}

fn is_older(path: &Path, age: Duration) -> bool {
    let written = std::fs::metadata(path).and_then(|meta| meta.modified());
    written.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|span| span > age))
}

/// Bytes that may still be written below a directory; `None` where the system does not tell.
pub(super) fn free_bytes(dir: &Path) -> Option<u64> {
    space(dir).map(|(_, free)| free)
}

/// Bytes that the file system of a directory has, and that may still be written below it; `None` where
/// the system does not tell.
#[cfg(unix)]
pub(super) fn space(dir: &Path) -> Option<(u64, u64)> {
    let told = rustix::fs::statvfs(dir).ok()?;
    let bytes = |blocks: u64| blocks.checked_mul(told.f_frsize);
    Some((bytes(told.f_blocks)?, bytes(told.f_bavail)?))
}

/// Nobody tells.
#[cfg(not(unix))]
pub(super) fn space(_dir: &Path) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
#[path = "tests/purge.rs"]
mod tests;
