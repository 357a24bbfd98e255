//! What all writers of a sink share: the target, the connection for questions, the structures that
//! are known, and the statements that change them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use dm_filter::TableName;

use super::fence::Fence;
use super::marks::Marks;
use super::session::{self, Session};
use super::{late_keys, once, plans};
use crate::config::ConnPlan;
use crate::error::{Error, Result};
use crate::event::LaneId;
use crate::mysql::{Connection, Purpose, ServerVersion};
use crate::schema::TableSchema;
use crate::sink::{DdlOutcome, TargetDdl};

/// What all writers of a sink share.
pub(super) struct Shared {
    pub target: ConnPlan,
    pub marks: Marks,
    /// Whether marks are written: until the server refuses that.
    pub marked: AtomicBool,
    pub may_repeat: bool,
    pub statement_bytes: usize,
    pub stop_on_missing: bool,
    /// For questions: structures, marks. Never writes rows.
    pub asking: Mutex<Option<Session>>,
    /// Connections that have made tables of the copy and may make more.
    pub making: Mutex<Vec<Session>>,
    pub structures: Mutex<HashMap<TableName, Option<Arc<TableSchema>>>>,
    pub structure: AtomicU64,
    /// How rows are written, for all writers.
    pub plans: Mutex<plans::Plans>,
    /// The writers that are open: task, lane, connection.
    pub writers: Mutex<Vec<(String, LaneId, u64)>>,
    /// What the server is, as of the first connection.
    pub version: OnceLock<crate::ddl::ServerVersion>,
    /// The server does not take rows by LOAD DATA LOCAL.
    pub no_files: AtomicBool,
    /// How earlier writers are shut out, once it is known.
    pub fence: OnceLock<Fence>,
}

impl Shared {
    /// Grows with every statement that may have changed a structure.
    pub fn structure(&self) -> u64 {
        self.structure.load(Ordering::Acquire)
    }

    /// A connection that writes rows.
    pub fn row_session(&self) -> Result<Session> {
        let conn = Connection::open(&self.target, Purpose::Target)?;
        self.version.get_or_init(|| dialect(conn.version()));
        let mut session = Session::new(conn.into_raw());
        match session.exec(&session::row_session()) {
            // 1193: unknown system variable; MySQL before 5.7.20 and MariaDB before 11.1.
            Err(e) if e.server_error() == Some(1193) => {
                session.exec(&session::row_session_old())?;
            }
            other => {
                other?;
            }
        }
        if self.version.get().is_some_and(|v| v.flavor == crate::ddl::Flavor::TiDb) {
            for sql in session::tidb_session(&self.target.session) {
                match session.exec(sql) {
                    // A version that does not have the variable yet.
                    Err(e) if e.server_error() == Some(1193) => {}
                    other => {
                        other?;
                    }
                }
            }
        }
        Ok(session)
    }

    /// What server it is.
    pub fn version(&self) -> Result<crate::ddl::ServerVersion> {
        if let Some(version) = self.version.get() {
            return Ok(*version);
        }
        self.ask(|_| Ok(()))?;
        Ok(self.version.get().copied().unwrap_or_default())
    }

    /// Asks on the connection for questions; a broken one is replaced once.
    pub fn ask<T>(&self, mut f: impl FnMut(&mut Session) -> Result<T>) -> Result<T> {
        let mut asking = lock(&self.asking);
        if let Some(session) = asking.as_mut() {
            match f(session) {
                Err(e) if e.is_transient() => *asking = None,
                other => return other,
            }
        }
        let mut session = self.row_session()?;
        let answer = f(&mut session);
        *asking = Some(session);
        answer
    }

    pub fn show_create(&self, table: &TableName) -> Result<Option<String>> {
        self.ask(|session| match session.show_create(table) {
            Ok(text) => Ok(text),
            // No such database, no such table.
            Err(e) if matches!(e.server_error(), Some(1049 | 1146)) => Ok(None),
            Err(e) => Err(e),
        })
    }

    pub fn describe(&self, table: &TableName) -> Result<Option<Arc<TableSchema>>> {
        if let Some(known) = lock(&self.structures).get(table) {
            return Ok(known.clone());
        }
        let before = self.structure();
        let schema = match self.show_create(table)? {
            Some(text) => {
                let mode = crate::ddl::SqlMode::default();
                Some(crate::schema::parse_create_table(&text, mode)?.shared())
            }
            None => None,
        };
        let mut structures = lock(&self.structures);
        // A statement that ran meanwhile may have made the answer old.
        if before == self.structure() && schema.is_some() {
            structures.insert(table.clone(), schema.clone());
        }
        Ok(schema)
    }

    /// True while the server may take rows by LOAD DATA LOCAL. A TiDB is not asked: it writes them
    /// as it writes those of an INSERT.
    pub fn loads_files(&self) -> bool {
        !self.no_files.load(Ordering::Relaxed)
            && self.version.get().is_some_and(|v| v.flavor != crate::ddl::Flavor::TiDb)
    }

    /// The server does not allow LOAD DATA LOCAL.
    pub fn no_files(&self, error: &Error) {
        if !self.no_files.swap(true, Ordering::Relaxed) {
            let number = error.server_error().unwrap_or_default();
            log::info!(
                "rows are copied by INSERT, as the target does not allow LOAD DATA LOCAL (error {number}); with \
                 `local_infile` on at the target a copy takes less of its time"
            );
        }
    }

    /// Runs a statement behind the fence of its lane, and once where that matters.
    pub fn run_fenced(&self, session: &mut Session, ddl: &TargetDdl) -> Result {
        let Some((task, lane)) = &ddl.lane else {
            return self.run_ddl(session, ddl, &ddl.sql);
        };
        if self.marked() || self.fence()? == Fence::Locks {
            self.take_statements(session, task, lane)?;
        }
        let Some(number) = ddl.once.filter(|_| self.marked()) else {
            return self.run_ddl(session, ddl, &ddl.sql);
        };
        match once::prepare(session, &self.marks, task, lane, number, &ddl.sql)? {
            Some(sql) => self.run_ddl(session, ddl, &sql),
            None => Ok(()),
        }
    }

    /// Makes a schema or table of the copy. It may be made again at any time, and nothing but the
    /// sql_mode belongs to its session: the connection serves for the next one.
    pub fn make(&self, ddl: &TargetDdl) -> Result<DdlOutcome> {
        let free = lock(&self.making).pop();
        let mut session = match free {
            Some(session) => session,
            None => self.row_session()?,
        };
        let made = self.run_ddl(&mut session, ddl, &ddl.sql);
        let mut structures = lock(&self.structures);
        ddl.tables.iter().for_each(|table| drop(structures.remove(table)));
        self.structure.fetch_add(1, Ordering::AcqRel);
        drop(structures);
        made?;
        lock(&self.making).push(session);
        Ok(DdlOutcome::Done)
    }

    /// The connections of [`Shared::make`] are not needed any more.
    pub fn made(&self) {
        lock(&self.making).clear();
    }

    /// Gives the tables of a lane that will not be gone on with their keys back.
    pub fn make_whole(self: &Arc<Self>, task: &str, lane: &LaneId) -> Result {
        for table in late_keys::tables(self, task, lane)? {
            late_keys::add(self, task, lane, &table)?;
        }
        Ok(())
    }

    pub fn forget_structures(&self) {
        let mut structures = lock(&self.structures);
        structures.clear();
        self.structure.fetch_add(1, Ordering::AcqRel);
    }
}

/// The version as the reader of statements knows it.
fn dialect(version: &ServerVersion) -> crate::ddl::ServerVersion {
    let mut dialect = crate::ddl::ServerVersion::parse(&version.text);
    if version.is_mariadb() {
        // Some builds say so in the comment only.
        dialect.flavor = crate::ddl::Flavor::MariaDb;
    }
    dialect
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the mutexes guard is a cache and a connection: both are valid whoever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
