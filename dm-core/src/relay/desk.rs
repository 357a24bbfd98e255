//! What commands and the process that pulls say to each other, by small files.
//!
//! In the relay log's directory:
//! - `relay.wanted`: what is wanted, written by commands. Without it the source file decides.
//! - `relay.lock`: a kernel lock, held by the process that pulls, gone with it.
//! - `relay.source`: whose relay log it is.
//!
//! In the state directory, where there is room when the relay log's disk is full:
//! - `<source>.relay`: where the relay log lies.
//! - `<source>.relay-status`: how it stands, written by the process that pulls.
//!
//! They are replaced as a whole, so a reader never sees half of one.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::layout::{RelayDir, failed};
use super::meters::RelayMeters;
use crate::error::{Error, Result, codes};
use crate::state::{self, Stage, StoredError};

const WANTED: &str = "relay.wanted";
const SOURCE: &str = "relay.source";
const LOCK: &str = "relay.lock";
const PURGE_LOCK: &str = "purge.lock";

/// What is wanted of a relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// `Running`, `Paused` or `Stopped`.
    pub stage: Stage,
    /// Grows with every command: a relay that waits to try again tries at once.
    #[serde(default)]
    pub serial: u64,
}

/// How a relay stands, in the words of DM's `relayStatus`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct RelayStatus {
    /// The source that it belongs to.
    pub source: String,
    /// Where the server's binlog ends, `(file, offset)`.
    pub master_binlog: String,
    /// The same as a GTID set; empty when the server has none.
    pub master_binlog_gtid: String,
    /// The sub-directory that is written.
    pub relay_sub_dir: String,
    /// Up to where it is written.
    pub relay_binlog: String,
    /// The same as a GTID set.
    pub relay_binlog_gtid: String,
    /// Everything that the server had when it was asked last is here.
    pub relay_catch_up_master: bool,
    /// `Running`, `Paused` or `Stopped`.
    pub stage: String,
    /// What it stopped at.
    pub error: Option<StoredError>,
    /// The error passes by itself, and is tried again.
    pub resumable: bool,
    /// What the last purge did.
    pub purged: String,
    /// What its process has measured.
    pub meters: RelayMeters,
}

impl RelayDir {
    /// What commands want of the relay; `None` when no command ever said anything.
    ///
    /// # Errors
    ///
    /// 30003 when the file cannot be read or makes no sense.
    pub fn wanted(&self) -> Result<Option<Wanted>> {
        read(&self.file(WANTED))
    }

    /// Notes what is wanted.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written.
    pub fn want(&self, stage: Stage) -> Result<()> {
        self.create()?;
        let serial = self.wanted()?.map_or(0, |wanted| wanted.serial) + 1;
        write(&self.file(WANTED), &Wanted { stage, serial })
    }

    /// How the relay stood when its process wrote it last.
    ///
    /// # Errors
    ///
    /// 30003 when the file cannot be read or makes no sense.
    pub fn status(&self) -> Result<Option<RelayStatus>> {
        read(self.status_file())
    }

    pub(super) fn set_status(&self, status: &RelayStatus) -> Result<()> {
        write(self.status_file(), status)
    }

    /// Makes the directory the one of a source.
    ///
    /// # Errors
    ///
    /// 30901 when it is another source's.
    pub(super) fn claim(&self, source: &str) -> Result<()> {
        let path = self.file(SOURCE);
        match fs::read_to_string(&path) {
            Ok(owner) if owner.trim_end() == source => return Ok(()),
            Ok(owner) => {
                let owner = owner.trim_end();
                let text =
                    format!("the relay log {} is one of source {owner}", self.path().display());
                return Err(Error::new(&codes::RELAY_WRITE, text)
                    .workaround("Give each source a `relay-dir` of its own, or none."));
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(failed(&path, "cannot read", e)),
        }
        state::replace(&path, format!("{source}\n").as_bytes())
            .map_err(|e| failed(&path, "cannot write", e))
    }

    /// The process that pulls; `None` when none does.
    ///
    /// # Errors
    ///
    /// When the lock cannot be asked.
    pub fn puller(&self) -> Result<Option<String>> {
        let path = self.file(LOCK);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(&path, "cannot open", e)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let mut who = String::new();
                let _ = io::Read::by_ref(&mut file).take(64).read_to_string(&mut who);
                Ok(Some(who.trim().to_owned()))
            }
            Err(TryLockError::Error(e)) => Err(failed(&path, "cannot ask the lock of", e)),
        }
    }

    /// Becomes the one that pulls; `None` while another one does.
    pub(super) fn lock(&self) -> Result<Option<Lock>> {
        self.create()?;
        Lock::take(&self.file(LOCK))
    }

    /// Becomes the one that removes files.
    ///
    /// # Errors
    ///
    /// 30035 while another one does.
    pub(super) fn purge_lock(&self) -> Result<Lock> {
        Lock::take(&self.file(PURGE_LOCK))?.ok_or_else(|| {
            let text = format!("files of {} are being removed", self.path().display());
            Error::new(&codes::RELAY_PURGING, text)
        })
    }
}

/// A kernel lock; it ends with its value, or with the process.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    fn take(path: &Path) -> Result<Option<Self>> {
        let mut file = state::private(true)
            .create(true)
            .open(path)
            .map_err(|e| failed(path, "cannot open", e))?;
        match file.try_lock() {
            Ok(()) => {
                let written =
                    file.set_len(0).and_then(|()| writeln!(file, "pid {}", std::process::id()));
                written.map_err(|e| failed(path, "cannot write", e))?;
                Ok(Some(Self { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(failed(path, "cannot lock", e)),
        }
    }
}

/// Where the state directory keeps how a source's relay log stands.
pub(super) fn status_path(state_dir: &Path, source: &str) -> PathBuf {
    state_dir.join(format!("{}.relay-status", state::file_stem(source)))
}

/// Where the state directory keeps the place of a source's relay log, for commands.
fn pointer(state_dir: &Path, source: &str) -> PathBuf {
    state_dir.join(format!("{}.relay", state::file_stem(source)))
}

/// Notes in a state directory where a source's relay log lies.
pub(super) fn remember(state_dir: &Path, source: &str, dir: &RelayDir) -> Result<()> {
    let path = pointer(state_dir, source);
    let place = std::path::absolute(dir.path()).unwrap_or_else(|_| dir.path().to_owned());
    if fs::read_to_string(&path).is_ok_and(|known| Path::new(known.trim_end()) == place) {
        return Ok(());
    }
    let text = format!("{}\n", place.display());
    state::replace(&path, text.as_bytes()).map_err(|e| failed(&path, "cannot write", e))
}

/// The relay log that a source has in a state directory; `None` when it never had one.
///
/// # Errors
///
/// When the state directory cannot be read.
pub fn find(state_dir: &Path, source: &str) -> Result<Option<RelayDir>> {
    let path = pointer(state_dir, source);
    match fs::read_to_string(&path) {
        Ok(place) => {
            let dir = RelayDir::new(place.trim_end());
            Ok(Some(dir.status_at(status_path(state_dir, source))))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(&path, "cannot read", e)),
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unread(path, &e)),
    };
    serde_json::from_str(&text).map(Some).map_err(|e| unread(path, &e))
}

fn unread(path: &Path, cause: &dyn std::fmt::Display) -> Error {
    Error::new(&codes::RELAY_META_LOAD, format!("{} cannot be read", path.display())).cause(cause)
}

fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| unread(path, &e))?;
    state::replace(path, text.as_bytes()).map_err(|e| failed(path, "cannot write", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_pulls_and_others_see_who() {
        let temp = tempfile::tempdir().unwrap();
        let dir = RelayDir::new(temp.path());
        assert_eq!(dir.puller().unwrap(), None);
        let lock = dir.lock().unwrap();
        assert!(lock.is_some() && dir.lock().unwrap().is_none());
        assert_eq!(dir.puller().unwrap(), Some(format!("pid {}", std::process::id())));
        drop(lock);
        assert_eq!(dir.puller().unwrap(), None);
        dir.claim("a").unwrap();
        dir.claim("a").unwrap();
        assert!(dir.claim("b").unwrap_err().message().contains("source a"));
        let _purges = dir.purge_lock().unwrap();
        assert_eq!(dir.purge_lock().unwrap_err().code(), &codes::RELAY_PURGING);
    }

    #[test]
    fn wishes_and_status_are_kept() {
        let temp = tempfile::tempdir().unwrap();
        let dir = RelayDir::new(temp.path().join("relay"));
        assert_eq!((dir.wanted().unwrap(), dir.status().unwrap()), (None, None));
        dir.want(Stage::Paused).unwrap();
        dir.want(Stage::Running).unwrap();
        assert_eq!(dir.wanted().unwrap(), Some(Wanted { stage: Stage::Running, serial: 2 }));
        let status = RelayStatus { stage: "Running".into(), ..RelayStatus::default() };
        dir.set_status(&status).unwrap();
        assert_eq!(dir.status().unwrap(), Some(status));
        fs::write(dir.status_file(), "{").unwrap();
        assert_eq!(dir.status().unwrap_err().code(), &codes::RELAY_META_LOAD);
        assert!(find(temp.path(), "a/b").unwrap().is_none());
        remember(temp.path(), "a/b", &dir).unwrap();
        assert_eq!(find(temp.path(), "a/b").unwrap().unwrap().path(), dir.path());
    }
}
