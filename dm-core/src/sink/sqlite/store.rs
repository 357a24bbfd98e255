//! The file: opening it, transactions, errors.
//!
//! Journal: WAL. Whoever reads the copy while it is being written neither waits nor makes the
//! writer wait, and a commit costs one sync of the file. `synchronous=FULL`: a commit that was
//! reported survives a power failure. Less would do for the file alone (it would fall back to an
//! older consistent state), but the state of the task lies in another file and may not be ahead
//! of the target. The WAL is merged into the file when the last connection closes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, ffi};

use crate::error::{Error, Result, codes};

use super::gate::{Gate, Turn};

/// What the file's header says: "DM" and the version of our tables.
const APPLICATION_ID: i32 = 0x444d_5351;
const FORMAT: i64 = 1;

/// How long one try for the file's lock takes, before `stop` is looked at again.
const TRY: Duration = Duration::from_millis(100);

/// Compiled statements that are kept.
const STATEMENTS: usize = 512;

/// An open file with the connection that writes and the one that reads.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    gate: Arc<Gate>,
    write: Mutex<Connection>,
    read: Mutex<Connection>,
    patience: Duration,
}

impl Store {
    /// Opens or creates the file. `patience` is how long to wait for another writer.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or belongs to another program.
    pub fn open(path: &Path, patience: Duration) -> Result<Self> {
        let write = connect(path)?;
        claim(&write, path, patience)?;
        write
            .execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
            .map_err(|e| opening(path, &e))?;
        let read = connect(path)?;
        Ok(Self {
            path: path.to_owned(),
            gate: Gate::new(patience),
            write: Mutex::new(write),
            read: Mutex::new(read),
            patience,
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the turn to write.
    ///
    /// # Errors
    ///
    /// As [`Gate::enter`].
    pub fn turn(&self, stop: Option<&AtomicBool>) -> Result<Turn> {
        self.gate.enter(stop)
    }

    /// The connection that writes; use it only while holding the turn.
    pub fn writing(&self) -> MutexGuard<'_, Connection> {
        // A thread that panicked left at worst an open transaction, which its writer's drop
        // rolled back.
        self.write.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is committed.
    ///
    /// # Errors
    ///
    /// What `f` fails with.
    pub fn read<T>(&self, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        f(&read)
    }

    /// Runs `f` in a transaction of its own.
    ///
    /// # Errors
    ///
    /// What `f` fails with: then nothing of it is in the file.
    pub fn transaction<T>(
        &self,
        stop: Option<&AtomicBool>,
        f: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        let _turn = self.turn(stop)?;
        let conn = self.writing();
        self.begin(&conn, stop)?;
        match f(&conn).and_then(|out| commit(&conn).map(|()| out)) {
            Ok(out) => Ok(out),
            Err(error) => {
                rollback(&conn);
                Err(error)
            }
        }
    }

    /// Begins a transaction with the file's write lock; the turn must be held.
    ///
    /// # Errors
    ///
    /// Transient when another process keeps the lock for too long or `stop` became true.
    pub fn begin(&self, conn: &Connection, stop: Option<&AtomicBool>) -> Result<()> {
        // Left over by a thread that panicked inside of a transaction.
        if !conn.is_autocommit() {
            rollback(conn);
        }
        let start = Instant::now();
        loop {
            match conn.execute_batch("BEGIN IMMEDIATE") {
                Ok(()) => return Ok(()),
                Err(e) if is_busy(&e) => {
                    let stopped = stop.is_some_and(|s| s.load(Ordering::Relaxed));
                    if stopped {
                        return Err(Error::new(
                            &codes::STOPPED,
                            "stopped while waiting for the file",
                        ));
                    }
                    if start.elapsed() >= self.patience {
                        return Err(failed("could not begin to write", &e));
                    }
                }
                Err(e) => return Err(failed("could not begin to write", &e)),
            }
        }
    }
}

/// Commits.
///
/// # Errors
///
/// When the file cannot be written; the transaction is then rolled back.
pub fn commit(conn: &Connection) -> Result<()> {
    conn.execute_batch("COMMIT").map_err(|e| failed("could not commit", &e))
}

/// Rolls back if a transaction is open. A failure has no consequence: the transaction then ends
/// with the connection, or `begin` tries again.
pub fn rollback(conn: &Connection) {
    if !conn.is_autocommit()
        && let Err(e) = conn.execute_batch("ROLLBACK")
    {
        log::warn!("rollback of the SQLite target failed: {e}");
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let conn = Connection::open(path).map_err(|e| opening(path, &e))?;
    conn.busy_timeout(TRY).map_err(|e| opening(path, &e))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Building a table anew must not rewrite views and triggers that name it, and rows come
    // checked: foreign keys that somebody adds to the file are his own affair.
    conn.execute_batch("PRAGMA legacy_alter_table=ON; PRAGMA foreign_keys=OFF;")
        .map_err(|e| opening(path, &e))?;
    Ok(conn)
}

/// Makes an empty file ours, and refuses one that is somebody else's.
fn claim(conn: &Connection, path: &Path, patience: Duration) -> Result<()> {
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        conn.query_row(&format!("PRAGMA {pragma}"), [], |r| r.get(0))
    };
    let start = Instant::now();
    loop {
        let ids = number("application_id").and_then(|id| Ok((id, number("user_version")?)));
        match ids {
            Ok((id, version)) if id == i64::from(APPLICATION_ID) => {
                if version == FORMAT {
                    return Ok(());
                }
                return Err(Error::new(
                    &codes::TARGET_OPEN,
                    format!("{} has format {version}; this version reads {FORMAT}", path.display()),
                ));
            }
            Ok(_) => {}
            Err(e) if is_busy(&e) && start.elapsed() < patience => continue,
            Err(e) => return Err(opening(path, &e)),
        }
        let tables =
            conn.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get::<_, i64>(0));
        if tables.map_err(|e| opening(path, &e))? > 0 {
            return Err(Error::new(
                &codes::TARGET_OPEN,
                format!("{} is a database of another program", path.display()),
            ));
        }
        let made = conn.execute_batch(&format!(
            "BEGIN IMMEDIATE; PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={FORMAT};
             {}; COMMIT;",
            super::catalog::TABLES
        ));
        match made {
            Ok(()) => return Ok(()),
            // Another process makes it at this moment: look again.
            Err(e) if start.elapsed() < patience => {
                rollback(conn);
                if !is_busy(&e) && e.sqlite_error_code() != Some(ErrorCode::Unknown) {
                    return Err(opening(path, &e));
                }
            }
            Err(e) => return Err(opening(path, &e)),
        }
    }
}

fn opening(path: &Path, e: &rusqlite::Error) -> Error {
    Error::new(&codes::TARGET_OPEN, format!("{} could not be opened", path.display())).cause(e)
}

fn is_busy(e: &rusqlite::Error) -> bool {
    matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// An error of SQLite with its code; what another writer or a full disk causes is transient.
pub fn failed(what: &str, e: &rusqlite::Error) -> Error {
    let (code, transient) = match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (&codes::TARGET_BUSY, true),
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen,
        ) => (&codes::DB_EXECUTE, true),
        Some(ErrorCode::ConstraintViolation) => (&codes::TARGET_ROW, false),
        _ => (&codes::DB_EXECUTE, false),
    };
    let error = Error::new(code, what).scope(crate::error::Scope::Downstream).cause(e);
    let error = match server_number(e) {
        Some(number) => error.server_number(number),
        None => error,
    };
    if transient { error.transient() } else { error }
}

/// MySQL's number of the same failure, so that callers decide alike for all targets.
fn server_number(e: &rusqlite::Error) -> Option<u16> {
    match e {
        e if is_duplicate(e) => Some(1062),
        rusqlite::Error::SqliteFailure(f, _)
            if f.extended_code == ffi::SQLITE_CONSTRAINT_NOTNULL =>
        {
            Some(1048)
        }
        _ => None,
    }
}

/// True when a unique key stood against a row.
pub fn is_duplicate(e: &rusqlite::Error) -> bool {
    matches!(
        e,
        rusqlite::Error::SqliteFailure(f, _) if matches!(
            f.extended_code,
            ffi::SQLITE_CONSTRAINT_UNIQUE
                | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | ffi::SQLITE_CONSTRAINT_ROWID
        )
    )
}
