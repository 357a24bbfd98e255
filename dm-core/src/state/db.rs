//! One SQLite connection: opening, checking whose file it is, transactions, errors.
//!
//! Waiting is bounded: SQLite waits for a lock of another process [`BUSY`] long, then the caller
//! gets `STATE_BUSY`, marked transient. Transactions that write begin IMMEDIATE, so that they
//! wait at their start and not in their middle, where SQLite could not wait at all.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rusqlite::types::FromSql;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior,
};

use super::tables::{CREATE, MIGRATIONS, VERSION};
use crate::error::{Code, Error, Result, codes};
use crate::position::Position;
use crate::schema::TableSchema;

/// `dmst` in ASCII: what the header of our files says (SQLite's `application_id`).
const APPLICATION: i32 = 0x646d_7374;

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

/// What another process than the owner finds in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The state of a task, as this version writes it.
    Complete,
    /// That of an earlier version.
    Older,
    /// Nothing yet: it is being made, or whoever made it was killed.
    Empty,
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

    /// Opens a file for another process than the owner, and tells whether it is complete.
    ///
    /// Not as read-only in SQLite's sense: when the owner was killed, the first to open the file
    /// has to bring it in order from its -wal file.
    pub(super) fn open_existing(path: &Path) -> Result<(Self, Form)> {
        let db = Self::open_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let form = match db.read(|conn| Ok(header(conn)?))? {
            (APPLICATION, VERSION) => Form::Complete,
            (APPLICATION, version) if version > VERSION => return Err(db.newer(version)),
            (APPLICATION, _) => Form::Older,
            (0, 0) if db.read(is_empty)? => Form::Empty,
            _ => return Err(db.other_program()),
        };
        Ok((db, form))
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

    /// Makes the file a state file of this task or checks that it is one; returns its identity.
    pub(super) fn create(&self, task: &str) -> Result<String> {
        let (application, version) = self.read(|conn| Ok(header(conn)?))?;
        match (application, version) {
            (0, 0) if self.read(is_empty)? => {}
            (APPLICATION, 1..=VERSION) => self.check()?,
            (APPLICATION, version) => return Err(self.newer(version)),
            _ => return Err(self.other_program()),
        }
        self.set_journal()?;
        self.write(|tx| {
            if version == 0 {
                tx.execute_batch(CREATE)?;
                tx.pragma_update(None, "application_id", APPLICATION)?;
                tx.execute(
                    "INSERT INTO task (id, name, identity, created, updated)
                     VALUES (1, ?1, lower(hex(randomblob(16))), ?2, ?2)",
                    (task, now()),
                )?;
            } else {
                for step in MIGRATIONS.iter().skip(usize::try_from(version - 1).unwrap_or(0)) {
                    tx.execute_batch(step)?;
                }
            }
            tx.pragma_update(None, "user_version", VERSION)?;
            Ok(())
        })?;
        let (name, identity): (String, String) = self.read(|conn| {
            Ok(conn
                .query_row("SELECT name, identity FROM task", [], |r| Ok((r.get(0)?, r.get(1)?)))?)
        })?;
        if name != task {
            return Err(self.foreign(&format!("it belongs to the task {name:?}")));
        }
        Ok(identity)
    }

    fn check(&self) -> Result<()> {
        let verdict: String =
            self.read(|conn| Ok(conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?))?;
        if verdict == "ok" {
            return Ok(());
        }
        Err(self.wrong(&codes::STATE_CORRUPT, "it is damaged").cause(verdict))
    }

    fn set_journal(&self) -> Result<()> {
        if self.path.is_none() {
            return Ok(());
        }
        let guarded = self.lock();
        let set = || -> rusqlite::Result<String> {
            let mode =
                guarded
                    .conn
                    .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
            guarded.conn.pragma_update(None, "synchronous", "FULL")?;
            // Keeps the -wal file from staying large after a reader had held it up.
            guarded.conn.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |row| {
                row.get::<_, i64>(0)
            })?;
            Ok(mode)
        };
        let mode = set().map_err(|e| named(self.path(), Fail::Sql(e)))?;
        if mode.eq_ignore_ascii_case("wal") {
            return Ok(());
        }
        Err(self.wrong(&codes::STATE_DIR, "its file system does not allow SQLite's WAL mode"))
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

    fn wrong(&self, code: &'static Code, what: &str) -> Error {
        Error::new(code, format!("state file {}: {what}", shown(self.path())))
    }

    fn foreign(&self, what: &str) -> Error {
        self.wrong(&codes::STATE_FOREIGN, what)
    }

    fn other_program(&self) -> Error {
        self.foreign("it is a SQLite file of another program")
    }

    /// Nobody but the owner may make it complete, and the owner does not.
    pub(super) fn incomplete(&self, form: Form) -> Error {
        let (what, advice) = match form {
            Form::Older => (
                "its task runs with an older version of this program",
                "Ask with that version, or end the task's process and start it with this one.",
            ),
            _ => ("it is being made", "Try again in a moment."),
        };
        self.wrong(&codes::STATE_BUSY, what).workaround(advice)
    }

    fn newer(&self, version: i32) -> Error {
        let what = format!("it has version {version}, this program knows versions up to {VERSION}");
        self.wrong(&codes::STATE_NEWER, &what)
    }
}

fn header(conn: &Connection) -> rusqlite::Result<(i32, i32)> {
    let application = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((application, version))
}

fn is_empty(conn: &Connection) -> Inner<bool> {
    Ok(conn.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?)
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

/// Seconds since the epoch, for people only.
pub(super) fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// A count as SQLite keeps it; counts above 2^63 do not happen, saturation keeps order anyway.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The way back of [`int`].
pub(super) fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A stored text that must mean something.
pub(super) fn bad(what: &str, cause: impl std::fmt::Display) -> Fail {
    Fail::Own(Error::new(&codes::STATE_VALUE, format!("the state holds a bad {what}")).cause(cause))
}

pub(super) fn position(text: &str) -> Inner<Position> {
    Position::from_text(text).map_err(|e| bad("position", e))
}

pub(super) fn position_or_none(text: Option<String>) -> Inner<Option<Position>> {
    text.as_deref().map(position).transpose()
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Inner<T> {
    serde_json::from_str(text).map_err(|e| bad(what, e))
}

/// A table's structure, held once with all that are equal.
pub(super) fn structure(text: &str) -> Inner<Arc<TableSchema>> {
    Ok(from_json::<TableSchema>("table structure", text)?.shared())
}

pub(super) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Inner<String> {
    serde_json::to_string(value).map_err(|e| bad("value to write", e))
}

/// The one value of a query, if it has a row.
pub(super) fn optional<T: FromSql>(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Inner<Option<T>> {
    Ok(conn.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?)
}

/// A call that does not fit what is stored: a defect of the caller.
pub(super) fn misuse(what: impl Into<String>) -> Fail {
    Fail::Own(Error::new(&codes::STATE_MISUSE, what))
}

/// The number of a lane in the state file, given at its first use.
pub(super) fn lane_id(tx: &Transaction<'_>, lane: &crate::event::LaneId) -> Inner<i64> {
    if let Some(id) = find_lane(tx, lane)? {
        return Ok(id);
    }
    tx.execute(
        "INSERT INTO lane (source, name) VALUES (?1, ?2)",
        (lane.source.as_str(), &*lane.name),
    )?;
    Ok(tx.last_insert_rowid())
}

pub(super) fn find_lane(conn: &Connection, lane: &crate::event::LaneId) -> Inner<Option<i64>> {
    optional(
        conn,
        "SELECT id FROM lane WHERE source = ?1 AND name = ?2",
        (lane.source.as_str(), &*lane.name),
    )
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
