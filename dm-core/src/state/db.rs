//! One SQLite connection: opening, transactions, errors.
//!
//! Waiting is bounded: SQLite waits for a lock of another process [`BUSY`] long, then the caller
//! gets `STATE_BUSY`, marked transient. Transactions that write begin IMMEDIATE, so that they
//! wait at their start and not in their middle, where SQLite could not wait at all.

mod claim;
mod values;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

pub(super) use self::claim::Form;
pub(super) use self::values::{
    bad, find_lane, from_json, int, lane_id, misuse, now, optional, position, position_or_none,
    structure, to_json, uint,
};
use crate::error::{Code, Error, Result, codes};

/// How long to wait for another process.
const BUSY: Duration = Duration::from_secs(5);

/// What goes wrong inside of a transaction: SQLite, or what we found in it.
#[derive(Debug)]
pub(super) enum Fail {
    Sql(rusqlite::Error),
    Own(Error),
}

impl Fail {
    fn is_full(&self) -> bool {
        matches!(self, Self::Sql(e) if e.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }
}

/// Results inside of transactions.
pub(super) type Inner<T> = std::result::Result<T, Fail>;

impl From<rusqlite::Error> for Fail {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sql(e)
    }
}

impl From<Error> for Fail {
    fn from(e: Error) -> Self {
        Self::Own(e)
    }
}

/// Must a commit survive a crash of the machine?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// Yes: it is on disk when the call returns.
    Full,
    /// No: it is only shown to people. A crash of the process alone loses nothing either.
    Lazy,
}

#[derive(Debug)]
struct Guarded {
    conn: Connection,
    durability: Durability,
    /// `PRAGMA data_version` at the last look into the mailbox; `None` before the first and after
    /// a letter of our own, which the pragma does not show.
    seen: Option<i64>,
}

#[derive(Debug)]
pub(super) struct Db {
    guarded: Mutex<Guarded>,
    path: Option<PathBuf>,
}

impl Db {
    /// Opens a file for writing, empty or one of ours.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::open_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    fn open_flags(path: &Path, flags: OpenFlags) -> Result<Self> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)
            .map_err(|e| named(Some(path), Fail::Sql(e)))?;
        Self::with(conn, Some(path.to_owned()))
    }

    pub(super) fn in_memory() -> Result<Self> {
        let conn = Connection::open_in_memory().map_err(|e| named(None, Fail::Sql(e)))?;
        Self::with(conn, None)
    }

    fn with(conn: Connection, path: Option<PathBuf>) -> Result<Self> {
        let set = || -> rusqlite::Result<()> {
            conn.busy_timeout(BUSY)?;
            conn.set_prepared_statement_cache_capacity(64);
            conn.pragma_update(None, "foreign_keys", true)?;
            conn.pragma_update(None, "temp_store", "MEMORY")
        };
        set().map_err(|e| named(path.as_deref(), Fail::Sql(e)))?;
        let guarded = Guarded { conn, durability: Durability::Full, seen: None };
        Ok(Self { guarded: Mutex::new(guarded), path })
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    // A thread that panicked inside of a transaction has rolled it back by dropping it: the
    // connection is as good as before.
    fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f` on one consistent view.
    pub(super) fn read<T>(&self, f: impl FnOnce(&Connection) -> Inner<T>) -> Result<T> {
        let mut guarded = self.lock();
        let run = |conn: &mut Connection| -> Inner<T> {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Deferred)?;
            f(&tx)
        };
        run(&mut guarded.conn).map_err(|e| named(self.path(), e))
    }

    /// Runs `f` as one transaction: all of it or, on an error, nothing.
    pub(super) fn write<T>(&self, f: impl FnOnce(&Transaction<'_>) -> Inner<T>) -> Result<T> {
        self.write_with(Durability::Full, f)
    }

    pub(super) fn write_with<T>(
        &self,
        durability: Durability,
        f: impl FnOnce(&Transaction<'_>) -> Inner<T>,
    ) -> Result<T> {
        let mut guarded = self.lock();
        let guarded = &mut *guarded;
        let run = |guarded: &mut Guarded| -> Inner<T> {
            if guarded.durability != durability {
                let word = if durability == Durability::Full { "FULL" } else { "NORMAL" };
                guarded.conn.pragma_update(None, "synchronous", word)?;
                guarded.durability = durability;
            }
            let tx = guarded.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = f(&tx)?;
            tx.commit()?;
            Ok(value)
        };
        run(guarded).map_err(|e| {
            if let (true, Some(path)) = (e.is_full(), self.path()) {
                super::reserve::give(path);
            }
            named(self.path(), e)
        })
    }

    /// Sets room aside for when the disk is full; there must be some.
    pub(super) fn reserve(&self) -> Result<()> {
        self.path().map_or(Ok(()), super::reserve::take)
    }

    /// True when another connection, or a letter of our own, may have changed something since the
    /// last call.
    ///
    /// `data_version` changes only for commits of other connections, so our own checkpoints
    /// do not wake the reader of the mailbox.
    pub(super) fn changed(&self) -> Result<bool> {
        let version = self.version()?;
        Ok(self.lock().seen.replace(version) != Some(version))
    }

    /// A number that changes with every commit of another connection.
    pub(super) fn version(&self) -> Result<i64> {
        let guarded = self.lock();
        guarded
            .conn
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|e| named(self.path(), Fail::Sql(e)))
    }

    /// Makes the next [`Db::changed`] say yes.
    pub(super) fn touch(&self) {
        self.lock().seen = None;
    }

    pub(super) fn task_name(&self) -> Result<String> {
        self.read(|conn| Ok(conn.query_row("SELECT name FROM task", [], |row| row.get(0))?))
    }

    #[cfg(test)]
    pub(super) fn set_patience(&self, patience: Duration) -> rusqlite::Result<()> {
        self.lock().conn.busy_timeout(patience)
    }

    #[cfg(test)]
    pub(super) fn synchronous(&self) -> rusqlite::Result<i64> {
        self.lock().conn.pragma_query_value(None, "synchronous", |row| row.get(0))
    }
}

fn shown(path: Option<&Path>) -> String {
    path.map_or_else(|| "in memory".to_owned(), |p| p.display().to_string())
}

/// Translates once, by SQLite's result codes; the file's name goes into the message.
fn named(path: Option<&Path>, fail: Fail) -> Error {
    let error = match fail {
        Fail::Own(error) => return error,
        Fail::Sql(error) => error,
    };
    let (code, what): (&'static Code, _) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (&codes::STATE_BUSY, "another process holds it locked")
        }
        Some(ErrorCode::DatabaseCorrupt) => (&codes::STATE_CORRUPT, "it is damaged"),
        Some(ErrorCode::NotADatabase) => (&codes::STATE_FOREIGN, "it is no SQLite file"),
        Some(ErrorCode::DiskFull) => (&codes::STATE_IO, "the disk is full"),
        Some(ErrorCode::ReadOnly) => (&codes::STATE_IO, "it is read-only"),
        Some(_) => (&codes::STATE_IO, "it cannot be read or written"),
        // Not from SQLite but from reading a column: a type that we never store.
        None => (&codes::STATE_VALUE, "it holds an unexpected value"),
    };
    let busy = code == &codes::STATE_BUSY;
    let error = Error::new(code, format!("state file {}: {what}", shown(path))).cause(error);
    if busy { error.transient() } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateStore;

    #[test]
    fn a_file_that_may_not_be_written_is_told_as_such() {
        let db = Db::in_memory().unwrap();
        db.create("t").unwrap();
        db.lock().conn.pragma_update(None, "query_only", true).unwrap();
        let error = db.write(|tx| Ok(tx.execute("DELETE FROM note", [])?)).unwrap_err();
        assert_eq!(error.code(), &codes::STATE_IO);
        assert!(error.message().contains("it is read-only"), "{error}");
        assert!(!error.is_transient());
        assert_eq!(db.task_name().unwrap(), "t");
    }

    #[test]
    fn somebody_elses_lock_is_told_and_worth_another_try() {
        let dir = tempfile::tempdir().unwrap();
        let store = StateStore::open(dir.path(), "t").unwrap();
        store.db.set_patience(std::time::Duration::from_millis(1)).unwrap();
        let mut shell = rusqlite::Connection::open(store.path().unwrap()).unwrap();
        let tx = shell.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
        let error = store.set_started(Some("x")).unwrap_err();
        assert_eq!(error.code(), &codes::STATE_BUSY);
        assert!(error.is_transient());
        // Reading goes on.
        assert_eq!(store.reader().task().unwrap().config, "");
        tx.commit().unwrap();
        store.set_started(Some("x")).unwrap();
        assert_eq!(store.reader().task().unwrap().config, "x");
    }
}
