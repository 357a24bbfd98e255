//! The sink for targets that speak MySQL's protocol: MySQL, MariaDB, TiDB.
//!
//! Guarantee: every chunk and every batch is in the target exactly once, or not at all, also when
//! this process, its connection or the server dies at any moment. Obstacle: a killed client's last
//! packet goes on running on the server, and the state file commits apart from the target.
//! Method: each target transaction carries its mark (`marks`), whoever takes a slot over first
//! shuts out who had it before (`fence`), then asks the marks. Where the user may not keep marks, the sink
//! says that it is at-least-once (`unmarked`).

mod ddl_session;
mod fence;
mod group;
mod infile;
mod late_keys;
mod load;
mod many;
mod marks;
mod once;
mod plan;
mod plans;
mod session;
mod shared;
mod tidb;
mod unmarked;
mod writer;

pub(super) use ddl_session::sql_mode;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock};

use dm_filter::TableName;

use self::fence::Fence;
use self::marks::Marks;
use self::shared::{Shared, lock};
use self::writer::MysqlWriter;
use super::{Clauses, DdlOutcome, Guarantees, Recovered, Sink, Slot, TargetDdl, Writer};
use crate::config::ConnPlan;
use crate::error::Result;
use crate::event::{ChunkMark, LaneId};
use crate::mysql::is_access_denied;
use crate::position::Flavor;
use crate::schema::TableSchema;
use crate::sql::quote_table;

/// How the sink works.
#[derive(Clone, Debug)]
pub(crate) struct MysqlSinkOptions {
    /// Schema of the mark tables.
    pub meta_schema: String,
    /// Text of one statement, roughly.
    pub statement_bytes: usize,
    /// Stop when an update or delete finds no row.
    pub stop_on_missing: bool,
    /// `at-least-once: allow`: nothing need keep earlier writers out where there are neither marks nor
    /// named locks.
    pub may_repeat: bool,
}

/// The sink for MySQL, MariaDB and TiDB.
pub struct MysqlSink {
    shared: Arc<Shared>,
}

impl MysqlSink {
    /// A sink for a server, for services that build their own pipelines. Marks are kept in
    /// `meta_schema`, which is created when it is not there. Nothing is connected yet.
    pub fn connect(target: ConnPlan, meta_schema: &str) -> Self {
        let options = MysqlSinkOptions {
            meta_schema: meta_schema.to_owned(),
            statement_bytes: 1 << 20,
            stop_on_missing: false,
            may_repeat: false,
        };
        Self::new(target, &options)
    }

    /// A sink for the server that `target` names. Nothing is connected yet.
    pub(crate) fn new(target: ConnPlan, options: &MysqlSinkOptions) -> Self {
        Self {
            shared: Arc::new(Shared {
                target,
                marks: Marks::new(&options.meta_schema),
                marked: AtomicBool::new(true),
                may_repeat: options.may_repeat,
                statement_bytes: options.statement_bytes,
                stop_on_missing: options.stop_on_missing,
                asking: Mutex::new(None),
                making: Mutex::default(),
                structures: Mutex::new(HashMap::new()),
                structure: AtomicU64::new(1),
                plans: Mutex::default(),
                writers: Mutex::default(),
                version: OnceLock::new(),
                no_files: AtomicBool::new(false),
                fence: OnceLock::new(),
            }),
        }
    }

    /// Shuts earlier writers out by the marks and not by named locks, as is done by itself at a
    /// TiDB before 6.2: for a target behind a proxy that hands connections around, or a cluster
    /// whose servers do not share their locks.
    #[must_use]
    pub fn fenced_by_marks(self) -> Self {
        // Nothing has asked for it yet.
        let _ = self.shared.fence.set(Fence::Marks);
        self
    }
}

impl Sink for MysqlSink {
    fn guarantees(&self) -> Guarantees {
        self.shared.guarantees()
    }

    fn prepare(&self, task: &str, identity: &str) -> Result<()> {
        if !self.shared.marked() {
            return Ok(());
        }
        let marks = &self.shared.marks;
        let made = self.shared.ask(|session| {
            let lacking = if marks.exist(session)? { Vec::new() } else { marks.create() };
            for sql in lacking {
                session.exec(&sql).map_err(|e| {
                    let head: String = sql.chars().take(80).collect();
                    e.context(format!(
                        "making the place for the task's marks at the target: {head}"
                    ))
                })?;
            }
            marks.claim(session, task, identity)
        });
        match made {
            Err(error) if is_access_denied(&error) => self.shared.do_without_marks(&error),
            other => other,
        }
    }

    fn describe(&self, table: &TableName) -> Result<Option<Arc<TableSchema>>> {
        self.shared.describe(table)
    }

    fn show_create(&self, table: &TableName) -> Result<Option<String>> {
        self.shared.show_create(table)
    }

    fn adapt(&self, mut ddl: TargetDdl) -> Result<TargetDdl> {
        use crate::ddl::{Flavor as Dialect, SqlMode, translate};
        let mode = SqlMode::from_names(ddl.sql_mode.as_deref().unwrap_or_default());
        let from = ddl.from.map(|flavor| match flavor {
            Flavor::MariaDb => Dialect::MariaDb,
            Flavor::MySql => Dialect::MySql,
        });
        let sql = translate(&ddl.sql, mode, from, self.shared.version()?)?.into_owned();
        ddl.sql = sql;
        Ok(ddl)
    }

    fn family(&self) -> Result<Option<crate::ddl::Flavor>> {
        Ok(Some(self.shared.version()?.flavor))
    }

    fn clauses(&self) -> Result<Clauses> {
        self.shared.version().map(tidb::clauses)
    }

    fn await_ddl(&self, ddl: &TargetDdl, stop: &AtomicBool) -> Result<()> {
        if self.shared.version()?.flavor != crate::ddl::Flavor::TiDb {
            // The fence of the lane is held until the statement has ended.
            return Ok(());
        }
        match tidb::await_ddl(&mut self.shared.row_session()?, ddl, stop) {
            // Its marker tells whether it has run. If it still does, it is refused when it comes again: the
            // marker has another name by then.
            Err(error) if self.runs_once(ddl) && tidb::may_not_ask(&error) => {
                log::warn!("{error}");
                Ok(())
            }
            other => other,
        }
    }

    fn tables(&self) -> Result<Option<HashSet<TableName>>> {
        let sql = "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES";
        let rows = self.shared.ask(|session| session.rows(sql))?;
        let name = |row: Vec<Option<String>>| match row.as_slice() {
            [Some(schema), Some(table)] => Some(TableName::new(schema.as_str(), table.as_str())),
            _ => None,
        };
        Ok(Some(rows.into_iter().filter_map(name).collect()))
    }

    fn execute_ddl(&self, ddl: &TargetDdl) -> Result<DdlOutcome> {
        if ddl.lane.is_none() && ddl.is_plain() {
            return self.shared.make(ddl);
        }
        let mut session = self.shared.row_session()?;
        let result = self.shared.run_fenced(&mut session, ddl);
        // Also after an error: a lost connection does not tell whether it ran.
        self.shared.forget_structures();
        result.map(|()| DdlOutcome::Done)
    }

    fn recover(&self, task: &str, lane: &LaneId, stop: &AtomicBool) -> Result<Recovered> {
        let marks = &self.shared.marks;
        self.shared.made();
        let mut session = self.shared.row_session()?;
        if !self.shared.marked() {
            self.shared.shut_out_by_locks(&mut session, task, lane, stop)?;
            return Ok(Recovered::default());
        }
        self.shared.shut_out(&mut session, task, lane, stop)?;
        marks.recover(&mut session, task, lane)
    }

    fn loaded_chunks(&self, task: &str, lane: &LaneId) -> Result<Vec<ChunkMark>> {
        if !self.shared.marked() {
            return Ok(Vec::new());
        }
        self.shared.ask(|session| self.shared.marks.chunks(session, task, lane))
    }

    fn forget_task(&self, task: &str, lanes: &[LaneId]) -> Result<()> {
        let shared = &self.shared;
        if !shared.marked() || shared.ask(|session| shared.marks.are_none(session))? {
            return Ok(());
        }
        for lane in lanes {
            self.shared.make_whole(task, lane)?;
        }
        let marks = &self.shared.marks;
        self.shared.ask(|session| {
            lanes.iter().try_for_each(|lane| once::forget(session, marks, task, lane))?;
            marks.forget_task(session, task, lanes)
        })
    }

    fn forget(&self, task: &str, lane: &LaneId, epoch: u64, chunks: bool) -> Result<()> {
        if !self.shared.marked() {
            return Ok(());
        }
        if chunks {
            self.shared.make_whole(task, lane)?;
        }
        self.shared.ask(|session| self.shared.marks.forget(session, task, lane, epoch, chunks))
    }

    fn empty_table(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        let shared = &self.shared;
        let mut statements = vec![format!("DELETE FROM {}", quote_table(table))];
        if shared.marked() {
            statements.push(shared.marks.forget_target(task, lane, table));
        }
        let text = format!("BEGIN;{};COMMIT", statements.join(";"));
        shared.ask(|session| match session.run(&text) {
            Ok(_) => Ok(()),
            Err((_, error)) => {
                // The connection is used again; a broken one is rolled back by the server.
                let _ = session.exec("ROLLBACK");
                Err(error)
            }
        })
    }

    fn put_off_keys(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        let version = self.shared.version()?;
        if !self.shared.marked() || version.flavor == crate::ddl::Flavor::TiDb {
            // A TiDB fills a key that comes later row by row, in the background.
            return Ok(());
        }
        late_keys::put_off(&self.shared, task, lane, table)
    }

    fn tables_without_keys(&self, task: &str, lane: &LaneId) -> Result<Vec<TableName>> {
        if !self.shared.marked() {
            return Ok(Vec::new());
        }
        late_keys::tables(&self.shared, task, lane)
    }

    fn add_keys(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        late_keys::add(&self.shared, task, lane, table)
    }

    fn interrupt(&self, task: &str, lane: &LaneId) {
        let open: Vec<u64> = lock(&self.shared.writers)
            .iter()
            .filter(|(t, l, _)| t == task && l == lane)
            .map(|(_, _, id)| *id)
            .collect();
        let Ok(mut session) = self.shared.row_session() else { return };
        for id in open {
            // It may have ended meanwhile.
            let _ = session.exec(&format!("KILL {id}"));
        }
    }

    fn runs_once(&self, ddl: &TargetDdl) -> bool {
        self.shared.marked() && ddl.once.is_some() && ddl.lane.is_some()
    }

    fn writer(&self, slot: &Slot, stop: &AtomicBool) -> Result<Box<dyn Writer>> {
        let mut session = self.shared.row_session()?;
        let owner = match self.shared.marked() {
            true => self.shared.take_slot(&mut session, slot, stop)?,
            false => self.shared.lock_slot(&mut session, slot, stop).map(|()| None)?,
        };
        lock(&self.shared.writers).push((slot.task.clone(), slot.lane.clone(), session.id()));
        Ok(Box::new(MysqlWriter::new(session, Arc::clone(&self.shared), slot.clone(), owner)))
    }
}
