//! A consistent view over several connections, and the binlog position that belongs to it.
//!
//! Guarantee: every change before the position is in the rows, no change behind `contained_upto`
//! is. Where both are the same, rows and stream meet exactly.
//!
//! Obstacles. N connections see one instant only if nothing commits between the first and the
//! last of them. A transaction is in the binlog before other sessions see it, with semi-synchronous
//! replication by seconds: a position read without care is ahead of the rows, and what lies between
//! would be in neither. Structures are not part of a snapshot: they are compared before and after.
//!
//! Means, in the order in which `auto` tries them:
//! 1. FLUSH TABLES WITH READ LOCK: nothing commits while connections and position are taken.
//!    The lock is asked for with a short timeout, because everybody waits behind it.
//! 2. MariaDB tells the position of each consistent snapshot by itself.
//! 3. LOCK TABLES ... READ on the tables to copy waits for their committers.
//! 4. `performance_schema.log_status`: waits for commits, so what it names is visible.
//! 5. `gtid_executed`: grows only when a transaction is visible. It has no file and offset.
//! 6. The end of the binlog, and then waiting longer than any commit may hang in between.
//!
//! 4 to 6 are taken before the connections, so rows may hold more than the position says; the end
//! of the binlog is asked afterwards for `contained_upto`, with what is visible and does not count
//! as executed yet.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dm_filter::TableName;

use super::read::{Reader, ReaderPool};
use super::{ReadOptions, SnapshotOptions, chunks, describe, position};
use crate::config::{ConnPlan, Consistency};
use crate::error::{Error, Result, codes};
use crate::mysql::{Connection, Purpose, cell, is_access_denied, is_lock_timeout, numbers};
use crate::position::{GtidSet, Position};
use crate::schema::differences;
use crate::source::{Chunk, ChunkReader, SchemaInfo, Snapshot, TableChoice, TableCopy, TableInfo};
use crate::sql::quote_table;

/// How often a lock is asked for, and how long each time.
const LOCK_ATTEMPTS: u32 = 3;
const LOCK_SECONDS: u32 = 5;
/// How often everything is tried again when structures changed meanwhile.
const ROUNDS: u32 = 5;
/// Up to this many structures are read while the global lock is held; more would hold it too long.
const STRUCTURES_UNDER_LOCK: usize = 2_000;

/// Position, view, and how they were tied together.
struct Tied {
    position: Position,
    upto: Option<Position>,
    means: &'static str,
}

/// Opens a snapshot.
pub(super) fn open(
    plan: &ConnPlan,
    options: &SnapshotOptions,
    choose: &TableChoice,
    stop: &AtomicBool,
) -> Result<MySqlSnapshot> {
    for _ in 0..ROUNDS {
        let mut opening = Opening::new(plan, options, choose, stop)?;
        let tied = opening.tie()?;
        if let Some(tables) = opening.settle()? {
            return MySqlSnapshot::new(opening, tied, tables);
        }
        log::info!("{}: structures changed while the snapshot was opened: again", plan.address());
    }
    Err(Error::new(
        &codes::SOURCE_LOCK,
        "the structures of tables keep changing while a consistent snapshot is opened",
    )
    .transient())
}

/// A snapshot in the making.
struct Opening<'a> {
    plan: &'a ConnPlan,
    options: &'a SnapshotOptions,
    choose: &'a TableChoice,
    stop: &'a AtomicBool,
    control: Connection,
    readers: Vec<Connection>,
    before: Vec<TableInfo>,
    /// The structures of exactly the snapshot's instant, when they were read under a lock.
    exact: Option<Vec<TableInfo>>,
}

impl<'a> Opening<'a> {
    fn new(
        plan: &'a ConnPlan,
        options: &'a SnapshotOptions,
        choose: &'a TableChoice,
        stop: &'a AtomicBool,
    ) -> Result<Self> {
        let mut control = Connection::open(plan, Purpose::Control)?;
        // One more is for rows with long values.
        let readers = (0..=options.threads.max(1))
            .map(|_| Connection::open(plan, Purpose::Reader))
            .collect::<Result<Vec<_>>>()?;
        let names = describe::tables(&mut control, choose)?;
        let before = describe::all(&mut control, plan, &names)?;
        Ok(Self { plan, options, choose, stop, control, readers, before, exact: None })
    }

    fn tie(&mut self) -> Result<Tied> {
        match self.options.consistency {
            Consistency::Auto => self.tie_by_the_best(),
            Consistency::Flush => self.by_flush(),
            Consistency::Lock => self.by_table_locks(),
            // Neither takes a lock that the application notices.
            Consistency::Snapshot | Consistency::None => match self.by_own_snapshot()? {
                Some(tied) => Ok(tied),
                None => self.without_locks(),
            },
        }
    }

    fn tie_by_the_best(&mut self) -> Result<Tied> {
        match self.by_flush() {
            Err(e) if may_fall_back(&e) => {
                log::warn!("{}: no global read lock: {}", self.plan.address(), e.message());
            }
            done => return done,
        }
        if let Some(tied) = self.by_own_snapshot()? {
            return Ok(tied);
        }
        match self.by_table_locks() {
            Err(e) if may_fall_back(&e) => {
                log::warn!("{}: no table locks: {}", self.plan.address(), e.message());
            }
            done => return done,
        }
        self.without_locks()
    }

    /// Connections and position while nobody can commit.
    fn by_flush(&mut self) -> Result<Tied> {
        self.lock("FLUSH TABLES WITH READ LOCK")?;
        let done = self.under_flush();
        self.control.run("UNLOCK TABLES")?;
        let position = done?;
        Ok(Tied { upto: Some(position.clone()), position, means: "flush tables with read lock" })
    }

    fn under_flush(&mut self) -> Result<Position> {
        self.start_all()?;
        let position = self.end()?;
        if self.before.len() <= STRUCTURES_UNDER_LOCK {
            let names = describe::tables(&mut self.control, self.choose)?;
            self.exact = Some(describe::all(&mut self.control, self.plan, &names)?);
        }
        Ok(position)
    }

    /// Connections and position while nobody can write to the chosen tables.
    fn by_table_locks(&mut self) -> Result<Tied> {
        let list: Vec<String> =
            self.before.iter().map(|t| format!("{} READ", quote_table(&t.name))).collect();
        if !list.is_empty() {
            self.lock(&format!("LOCK TABLES {}", list.join(", ")))?;
        }
        let done = match self.start_all() {
            Ok(()) => self.end(),
            Err(e) => Err(e),
        };
        self.control.run("UNLOCK TABLES")?;
        let position = done?;
        Ok(Tied { upto: Some(position.clone()), position, means: "lock tables read" })
    }

    fn lock(&mut self, statement: &str) -> Result {
        self.control.try_set("lock_wait_timeout", &LOCK_SECONDS.to_string())?;
        let mut attempt = 1;
        loop {
            self.check_stop()?;
            match self.control.run(statement) {
                Err(e) if is_lock_timeout(&e) && attempt < LOCK_ATTEMPTS => attempt += 1,
                Err(e) => return Err(not_locked(&e, statement, attempt)),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// MariaDB: every snapshot knows its own position.
    fn by_own_snapshot(&mut self) -> Result<Option<Tied>> {
        if !self.control.version().is_mariadb() {
            return Ok(None);
        }
        let mut seen: Vec<Position> = Vec::new();
        for _ in 0..ROUNDS {
            self.check_stop()?;
            self.start_all()?;
            seen.clear();
            for i in 0..self.readers.len() {
                match self.snapshot_position(i)? {
                    Some(position) => seen.push(position),
                    None => return Ok(None),
                }
            }
            if seen.windows(2).all(|pair| pair.first() == pair.last()) {
                break;
            }
        }
        let order =
            |a: &Position, b: &Position| a.compare_binlog(b).unwrap_or(std::cmp::Ordering::Equal);
        let first = seen.iter().min_by(|a, b| order(a, b)).cloned();
        let last = seen.iter().max_by(|a, b| order(a, b)).cloned();
        Ok(first.map(|position| Tied { position, upto: last, means: "binlog_snapshot_position" }))
    }

    fn snapshot_position(&mut self, reader: usize) -> Result<Option<Position>> {
        let Some(conn) = self.readers.get_mut(reader) else { return Ok(None) };
        let rows = conn.rows("SHOW STATUS LIKE 'binlog\\_snapshot\\_%'")?;
        let value = |name: &str| {
            let row = rows.iter().find(|row| cell(row, 0).eq_ignore_ascii_case(name))?;
            Some(cell(row, 1)).filter(|v| !v.is_empty())
        };
        let (Some(file), Some(offset)) =
            (value("binlog_snapshot_file"), value("binlog_snapshot_position"))
        else {
            return Ok(None);
        };
        let pos = position::binlog_pos(&file, &offset)?;
        position::at(&mut self.control, pos, "").map(Some)
    }

    /// A position that is visible, then the connections.
    fn without_locks(&mut self) -> Result<Tied> {
        let mut tied = None;
        for _ in 0..ROUNDS {
            self.check_stop()?;
            let Some(first) = position::log_status(&mut self.control)? else { break };
            self.start_all()?;
            let last = match position::log_status(&mut self.control)? {
                Some(last) => last,
                None => self.upto()?,
            };
            // Both wait for commits, so equal ends mean that nothing came between: then rows without
            // a key can be followed, too.
            let exact = first == last;
            let means = "performance_schema.log_status";
            tied = Some(Tied { position: first, upto: Some(last), means });
            if exact {
                break;
            }
        }
        if let Some(tied) = tied {
            return Ok(tied);
        }
        let gtids = self.options.use_gtid
            && !self.control.version().is_mariadb()
            && position::gtids_on(&mut self.control)?;
        if !gtids {
            return self.by_waiting();
        }
        let executed: GtidSet = position::executed(&mut self.control)?;
        self.start_all()?;
        let upto = Some(self.upto()?);
        Ok(Tied { position: Position::of_gtid(executed), upto, means: "gtid_executed" })
    }

    /// The end of the binlog; the connections when all of it must have become visible.
    fn by_waiting(&mut self) -> Result<Tied> {
        let position = self.end()?;
        let patience = self.commit_patience()?;
        log::info!("{}: waiting {patience:?} until all commits are visible", self.plan.address());
        let until = Instant::now() + patience;
        while Instant::now() < until {
            self.check_stop()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        self.start_all()?;
        let upto = Some(self.upto()?);
        Ok(Tied { position, upto, means: "none (waited for commits)" })
    }

    /// How long a transaction may be in the binlog and not visible.
    fn commit_patience(&mut self) -> Result<Duration> {
        let mut patience = Duration::from_secs(2);
        for side in ["master", "source"] {
            let enabled = self.control.global(&format!("rpl_semi_sync_{side}_enabled"))?;
            if !enabled.is_some_and(|v| v == "1" || v.eq_ignore_ascii_case("on")) {
                continue;
            }
            let timeout = self.control.global(&format!("rpl_semi_sync_{side}_timeout"))?;
            let millis = timeout.and_then(|t| t.parse().ok()).unwrap_or(10_000);
            patience = patience.max(Duration::from_millis(millis) + Duration::from_secs(1));
        }
        Ok(patience)
    }

    /// The end of the binlog.
    fn end(&mut self) -> Result<Position> {
        let end = position::end(&mut self.control);
        self.if_needed(end)
    }

    /// What no row of the views lies behind, asked when all of them are open.
    fn upto(&mut self) -> Result<Position> {
        let end = position::end_of_visible(&mut self.control);
        self.if_needed(end)
    }

    fn if_needed(&self, position: Result<Position>) -> Result<Position> {
        match position {
            Err(e) if !self.options.position_needed && position::is_untold(&e) => {
                Ok(Position::default())
            }
            other => other,
        }
    }

    fn start_all(&mut self) -> Result {
        for conn in &mut self.readers {
            conn.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")?;
        }
        Ok(())
    }

    fn check_stop(&self) -> Result {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::new(&codes::STOPPED, "the task was asked to stop"));
        }
        Ok(())
    }

    /// The structures of the snapshot's instant; `None` when they cannot be told for sure.
    fn settle(&mut self) -> Result<Option<Vec<TableInfo>>> {
        if let Some(exact) = self.exact.take() {
            return Ok(Some(exact));
        }
        let names = describe::tables(&mut self.control, self.choose)?;
        let after = describe::all(&mut self.control, self.plan, &names)?;
        let before = std::mem::take(&mut self.before);
        Ok(same_structures(&before, &after).then_some(after))
    }
}

/// Compares texts without the counter that every insert moves.
fn same_structures(a: &[TableInfo], b: &[TableInfo]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| {
            a.name == b.name
                && (a.create_sql == b.create_sql || differences(&a.schema, &b.schema).is_empty())
        })
}

fn may_fall_back(error: &Error) -> bool {
    is_access_denied(error)
        || is_lock_timeout(error)
        || error.server_error() == Some(numbers::NO_SUCH_TABLE)
}

fn not_locked(error: &Error, statement: &str, attempts: u32) -> Error {
    let head: String = statement.chars().take(60).collect();
    let global = statement.starts_with("FLUSH");
    let mut out = Error::new(
        if global { &codes::DUMP_GLOBAL_LOCK } else { &codes::SOURCE_LOCK },
        format!(
            "`{head}` failed after {attempts} attempts of {LOCK_SECONDS} s: {}",
            error.message()
        ),
    );
    if let Some(number) = error.server_error() {
        out = out.server_number(number);
    }
    if let Some(cause) = error.raw_cause() {
        out = out.cause(cause);
    }
    let lasting = is_access_denied(error);
    if lasting { out } else { out.transient() }
}

/// An open snapshot.
pub(super) struct MySqlSnapshot {
    tied: Tied,
    schemas: Vec<SchemaInfo>,
    tables: Vec<TableCopy>,
    /// Where each table stands in `tables`.
    places: HashMap<TableName, usize>,
    pool: Arc<ReaderPool>,
    plan: ConnPlan,
    planners: Mutex<Vec<Connection>>,
    condition: Arc<str>,
    read: ReadOptions,
}

impl MySqlSnapshot {
    fn new(opening: Opening<'_>, tied: Tied, infos: Vec<TableInfo>) -> Result<Self> {
        let Opening { plan, options, choose, mut control, readers, .. } = opening;
        let names: Vec<TableName> = infos.iter().map(|t| t.name.clone()).collect();
        let sizes = describe::sizes(&mut control, &names)?;
        let schemas = describe::schemas(&mut control, &names, choose)?;
        let mut tables: Vec<TableCopy> = infos
            .into_iter()
            .map(|info| {
                let (rows, bytes) = sizes.get(&info.name).copied().unwrap_or_default();
                TableCopy { info, rows, bytes }
            })
            .collect();
        tables.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.info.name.cmp(&b.info.name)));
        Ok(Self {
            tied,
            schemas,
            places: tables.iter().enumerate().map(|(i, t)| (t.info.name.clone(), i)).collect(),
            tables,
            pool: Arc::new(ReaderPool::new(plan.clone(), readers)),
            plan: plan.clone(),
            planners: Mutex::new(vec![control]),
            condition: options.condition.as_deref().unwrap_or_default().into(),
            read: options.read,
        })
    }
}

impl MySqlSnapshot {
    /// Asks the server about a table, on a connection that many may use one after the other.
    fn planning(
        &self,
        table: &TableName,
        ask: impl FnOnce(&mut Connection, &TableCopy) -> Result<Vec<Chunk>>,
    ) -> Result<Vec<Chunk>> {
        let place = self.places.get(table).copied();
        let copy = place.and_then(|place| self.tables.get(place)).ok_or_else(|| {
            Error::new(&codes::DB_QUERY, format!("{table} is not part of the snapshot"))
        })?;
        let free = self.planners.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut conn = match free {
            Some(conn) => conn,
            None => Connection::open(&self.plan, Purpose::Control)?,
        };
        let chunks = ask(&mut conn, copy)?;
        // Only connections whose last statement went well are used again.
        self.planners.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        Ok(chunks)
    }
}

impl Snapshot for MySqlSnapshot {
    fn position(&self) -> &Position {
        &self.tied.position
    }

    fn contained_upto(&self) -> Option<&Position> {
        self.tied.upto.as_ref()
    }

    fn means(&self) -> &str {
        self.tied.means
    }

    fn is_live(&self) -> bool {
        true
    }

    fn schemas(&self) -> &[SchemaInfo] {
        &self.schemas
    }

    fn tables(&self) -> &[TableCopy] {
        &self.tables
    }

    fn plan(&self, table: &TableName, rows: u64) -> Result<Vec<Chunk>> {
        self.planning(table, |conn, copy| chunks::plan(conn, copy, rows))
    }

    fn cut(&self, table: &TableName, chunk: &Chunk, pieces: u32) -> Result<Vec<Chunk>> {
        self.planning(table, |conn, copy| chunks::cut(conn, copy, chunk, pieces))
    }

    fn reader(&self) -> Result<Box<dyn ChunkReader>> {
        let reader = Reader::new(Arc::clone(&self.pool), Arc::clone(&self.condition), self.read)?;
        Ok(Box::new(reader))
    }
}
