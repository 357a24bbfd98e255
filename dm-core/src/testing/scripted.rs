//! A source that a test writes by hand: a small server in memory.
//!
//! Transactions and statements are carried out on tables of its own and written to a log of
//! events at the same time, so snapshots and the stream agree as they do at a real server, and the
//! rows at the end ([`ScriptedSource::dump`]) are what a migration must have produced.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_filter::{ColumnInfo, Columns, RowOp, TableName};

use super::build;
use super::scripted_snapshot::ScriptedSnapshot;
use crate::binlog::QueryEvent;
use crate::error::{Error, Result, Scope, codes};
use crate::event::{ApplyMode, LaneId, RowBlock, SourceId, SourceTable, TablePlan};
use crate::position::{BinlogFile, BinlogPos, Flavor, Gtid, GtidSet, Position, Sid};
use crate::schema::TableSchema;
use crate::sink::{Cell, MemorySink, Sink, Slot};
use crate::source::{
    Body, EventStream, Polled, RowsBody, Snapshot, Source, SourceEvent, SourceInfo, TableChoice,
    TableInfo,
};

/// Changes of one table within a scripted transaction.
pub type TableRows = (TableName, Vec<RowOp<'static>>);

/// Bytes that a scripted event takes in its file.
const EVENT_BYTES: u64 = 100;
/// Where the first event of a file stands: behind the magic number.
const FILE_START: u64 = 4;
const UUID: [u8; 16] = *b"scripted-source!";

struct Entry {
    event: SourceEvent,
    /// The group that it belongs to; `None` for events between groups.
    gtid: Option<Gtid>,
    /// A stream may start here.
    boundary: bool,
}

struct Script {
    log: Vec<Entry>,
    end: BinlogPos,
    executed: Option<GtidSet>,
    transactions: u64,
    clock: u32,
    finished: bool,
    /// XA transactions that wait for their decision.
    prepared: BTreeMap<String, Vec<RowBlock>>,
}

struct Shared {
    id: SourceId,
    tables: MemorySink,
    script: Mutex<Script>,
    grown: Condvar,
    cuts: AtomicU64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A source that says what a test tells it to. Clones share one script.
#[derive(Clone)]
pub struct ScriptedSource {
    shared: Arc<Shared>,
}

impl ScriptedSource {
    /// A source with an empty binlog and positions by file and offset.
    pub fn new(id: &str) -> Self {
        Self::build(id, None)
    }

    /// A source whose transactions carry GTIDs.
    pub fn with_gtids(id: &str) -> Self {
        Self::build(id, Some(GtidSet::empty(Flavor::MySql)))
    }

    fn build(id: &str, executed: Option<GtidSet>) -> Self {
        let script = Script {
            log: Vec::new(),
            end: BinlogPos::new(BinlogFile::new("scripted-bin", 1, 6), FILE_START),
            executed,
            transactions: 0,
            clock: 1_600_000_000,
            finished: false,
            prepared: BTreeMap::new(),
        };
        Self {
            shared: Arc::new(Shared {
                id: SourceId::new(id),
                tables: MemorySink::new(),
                script: Mutex::new(script),
                grown: Condvar::new(),
                cuts: AtomicU64::new(0),
            }),
        }
    }

    /// Its name.
    pub fn id(&self) -> &SourceId {
        &self.shared.id
    }

    /// Runs a statement and logs it, as one group.
    ///
    /// # Errors
    ///
    /// What a server would answer; nothing is logged then.
    pub fn ddl(&self, schema: &str, sql: &str) -> Result<()> {
        let mut script = self.shared.lock();
        self.shared.tables.run(schema, [sql])?;
        script.group(vec![Body::Query(Box::new(query(schema, sql)))]);
        self.shared.grown.notify_all();
        Ok(())
    }

    /// Commits a transaction and logs it: BEGIN, a rows event for each table's changes, XID.
    ///
    /// # Errors
    ///
    /// What a server would answer, also for a changed row that is not there; nothing is done then.
    pub fn commit(&self, changes: Vec<TableRows>) -> Result<()> {
        let mut script = self.shared.lock();
        let mut bodies = vec![Body::Query(Box::new(query("", "BEGIN")))];
        let blocks = self.blocks(changes, &mut bodies)?;
        bodies.push(Body::Xid);
        self.apply(script.transactions + 1, blocks)?;
        script.group(bodies);
        self.shared.grown.notify_all();
        Ok(())
    }

    /// Prepares an XA transaction and logs that as MySQL does: nothing is to be seen of its rows
    /// until [`ScriptedSource::xa_commit`]. The xid in the log's form, `X'01',X'',1`.
    ///
    /// # Errors
    ///
    /// When a table does not exist; nothing is logged then.
    pub fn xa_prepare(&self, xid: &str, changes: Vec<TableRows>) -> Result<()> {
        let mut script = self.shared.lock();
        let mut bodies = vec![Body::Query(Box::new(query("", &format!("XA START {xid}"))))];
        let blocks = self.blocks(changes, &mut bodies)?;
        bodies.push(Body::Query(Box::new(query("", &format!("XA END {xid}")))));
        bodies.push(Body::XaPrepare { xid: xid.to_owned(), one_phase: false });
        script.prepared.insert(xid.to_owned(), blocks);
        script.group(bodies);
        self.shared.grown.notify_all();
        Ok(())
    }

    /// Commits a prepared transaction and logs its decision.
    ///
    /// # Errors
    ///
    /// As [`ScriptedSource::commit`].
    pub fn xa_commit(&self, xid: &str) -> Result<()> {
        let mut script = self.shared.lock();
        let blocks = script.prepared.remove(xid).unwrap_or_default();
        self.apply(script.transactions + 1, blocks)?;
        script.group(vec![Body::Query(Box::new(query("", &format!("XA COMMIT {xid}"))))]);
        self.shared.grown.notify_all();
        Ok(())
    }

    /// Drops a prepared transaction and logs its decision.
    pub fn xa_rollback(&self, xid: &str) {
        let mut script = self.shared.lock();
        script.prepared.remove(xid);
        script.group(vec![Body::Query(Box::new(query("", &format!("XA ROLLBACK {xid}"))))]);
        self.shared.grown.notify_all();
    }

    /// Changes in the form that is applied; their events go behind `bodies`.
    fn blocks(&self, changes: Vec<TableRows>, bodies: &mut Vec<Body>) -> Result<Vec<RowBlock>> {
        let mut blocks = Vec::new();
        for (table, rows) in changes {
            let columns = self.columns(&table)?;
            blocks.push(self.block(&table, &columns, rows.clone()));
            bodies.push(Body::Rows(RowsBody::Owned { table, columns, rows: rows.into() }));
        }
        Ok(blocks)
    }

    /// Logs events that change nothing here, as they are: for what a test wants to hear about
    /// (incidents, statements, XA). They form one group.
    pub fn log(&self, bodies: Vec<Body>) {
        self.shared.lock().group(bodies);
        self.shared.grown.notify_all();
    }

    /// Goes on in the next binlog file.
    pub fn rotate(&self) {
        let mut script = self.shared.lock();
        let start = script.end.clone();
        let next = BinlogPos::new(start.file.next(), FILE_START);
        script.push(Body::Rotate, None, true);
        script.end = next;
        self.shared.grown.notify_all();
    }

    /// Says that nothing more will come: streams end instead of idling.
    pub fn finish(&self) {
        self.shared.lock().finished = true;
        self.shared.grown.notify_all();
    }

    /// Cuts all open streams: their next poll fails as transient.
    pub fn cut_streams(&self) {
        self.shared.cuts.fetch_add(1, Ordering::SeqCst);
        self.shared.grown.notify_all();
    }

    /// All tables with their rows now.
    pub fn dump(&self) -> BTreeMap<TableName, Vec<Vec<Cell>>> {
        self.shared.tables.dump()
    }

    fn columns(&self, table: &TableName) -> Result<Columns> {
        let schema = self.schema(table)?;
        let info = |c: &crate::schema::Column| ColumnInfo {
            name: c.name.clone(),
            collation: c.ty.collation.clone(),
            labels: c.ty.labels.clone().into(),
            unsigned: c.ty.unsigned,
        };
        Ok(Columns::new(schema.columns.iter().map(info).collect()))
    }

    fn schema(&self, table: &TableName) -> Result<Arc<TableSchema>> {
        self.shared.tables.describe(table)?.ok_or_else(|| {
            Error::new(&codes::DB_QUERY, format!("table {table} does not exist"))
                .scope(Scope::Upstream)
                .server_number(1146)
        })
    }

    fn block(&self, table: &TableName, columns: &Columns, rows: Vec<RowOp<'static>>) -> RowBlock {
        let plan = TablePlan {
            source: SourceTable { source: self.shared.id.clone(), table: table.clone() },
            target: table.clone(),
            columns: columns.clone(),
            pick: None,
            extra: Vec::new(),
            version: 1,
        };
        build::block(&Arc::new(plan), ApplyMode::Exact, rows)
    }

    fn apply(&self, ordinal: u64, blocks: Vec<RowBlock>) -> Result<()> {
        let lane = LaneId::main(&self.shared.id);
        let slot = Slot { task: "script".to_owned(), lane: lane.clone(), worker: 0, epoch: 1 };
        let mut writer = self.shared.tables.writer(&slot, &AtomicBool::new(false))?;
        // In parts, so that a missing row is known before anything is done.
        let stats = writer.apply_part(&blocks)?;
        if let Some((table, n)) = stats.missing.first() {
            let text = format!("the script changes {n} rows of {table} that are not there");
            return Err(Error::new(&codes::DB_EXECUTE, text).scope(Scope::Upstream));
        }
        writer.commit_part(&build::mark(&lane, 1, 0, ordinal, &[]))
    }
}

fn query(schema: &str, sql: &str) -> QueryEvent<'static> {
    QueryEvent { thread_id: 1, ..QueryEvent::of(schema.to_owned(), sql.as_bytes().to_vec()) }
}

impl Script {
    fn position(&self) -> Position {
        Position { binlog: Some(self.end.clone()), gtid: self.executed.clone() }
    }

    fn push(&mut self, body: Body, gtid: Option<Gtid>, boundary: bool) {
        let start = self.end.clone();
        let end = BinlogPos::new(start.file.clone(), start.offset + EVENT_BYTES);
        self.end = end.clone();
        use Body as B;
        let ends = matches!(body, B::Xid | B::Query(_) | B::UnfinishedAlter | B::XaPrepare { .. });
        let print =
            ends.then(|| ((u128::from(self.clock) << 64) | u128::from(end.offset)).to_le_bytes());
        let event = SourceEvent { start, end, at: self.clock, body, print };
        self.log.push(Entry { event, gtid, boundary });
    }

    /// Logs a group behind its GTID event, which also an anonymous one has.
    fn group(&mut self, bodies: Vec<Body>) {
        self.transactions += 1;
        self.clock += 1;
        let gtid = self
            .executed
            .is_some()
            .then(|| Gtid::MySql { sid: Sid::untagged(UUID), gno: self.transactions });
        let first =
            Body::Gtid { gtid: gtid.clone(), standalone: false, prepared: false, length: None };
        self.push(first, gtid.clone(), true);
        for body in bodies {
            self.push(body, gtid.clone(), false);
        }
        if let (Some(executed), Some(gtid)) = (&mut self.executed, &gtid) {
            // Both are of one flavor, so this cannot fail.
            let _same_flavor = executed.add(gtid);
        }
    }

    /// Index of the first event behind a position.
    fn find(&self, from: &Position) -> Result<usize> {
        if let (Some(wanted), Some(executed)) = (&from.gtid, &self.executed)
            && !wanted.is_empty()
        {
            if wanted.is_subset(executed) {
                // What the set holds is passed over one by one.
                return Ok(0);
            }
            let text = format!("the source does not have all of {wanted}");
            return Err(Error::new(&codes::SOURCE_GTID_MISSING, text));
        }
        let Some(wanted) = &from.binlog else { return Ok(0) };
        let starts = |entry: &Entry| entry.boundary && entry.event.start == *wanted;
        if let Some(index) = self.log.iter().position(starts) {
            return Ok(index);
        }
        if *wanted == self.end {
            return Ok(self.log.len());
        }
        let text = format!("no event of the source starts at {wanted}");
        Err(Error::new(&codes::SOURCE_POSITION_BEYOND, text))
    }
}

impl Source for ScriptedSource {
    fn info(&self) -> Result<SourceInfo> {
        Ok(SourceInfo {
            id: self.shared.id.clone(),
            flavor: Flavor::MySql,
            version: "8.4.0-scripted".to_owned(),
            server: Sid::untagged(UUID).to_string(),
            lower_case_table_names: 0,
            sql_mode: String::new(),
            charset: "utf8mb4".to_owned(),
            collation: "utf8mb4_0900_ai_ci".to_owned(),
            explicit_defaults_for_timestamp: None,
            row_format: None,
            charset_collations: None,
        })
    }

    fn end_position(&self) -> Result<Position> {
        Ok(self.shared.lock().position())
    }

    fn snapshot(&self, choose: &TableChoice, _stop: &AtomicBool) -> Result<Box<dyn Snapshot>> {
        // Under the script's lock: position and rows are of one instant.
        let script = self.shared.lock();
        let mut tables = Vec::new();
        for (name, rows) in self.shared.tables.dump() {
            if choose(&name) {
                let schema = self.schema(&name)?;
                let create_sql = self.shared.tables.show_create(&name)?.unwrap_or_default().into();
                tables.push((TableInfo { name, create_sql, schema }, rows));
            }
        }
        Ok(Box::new(ScriptedSnapshot::new(script.position(), tables)))
    }

    fn describe(&self, table: &TableName) -> Result<Option<TableInfo>> {
        let Some(schema) = self.shared.tables.describe(table)? else { return Ok(None) };
        let create_sql = self.shared.tables.show_create(table)?.unwrap_or_default().into();
        Ok(Some(TableInfo { name: table.clone(), create_sql, schema }))
    }

    fn tables(&self, choose: &TableChoice) -> Result<Vec<TableName>> {
        Ok(self.shared.tables.tables().into_iter().filter(|name| choose(name)).collect())
    }

    fn open(&self, from: &Position) -> Result<Box<dyn EventStream>> {
        let next = self.shared.lock().find(from)?;
        let skip = from.gtid.clone().filter(|_| self.shared.lock().executed.is_some());
        let cuts = self.shared.cuts.load(Ordering::SeqCst);
        Ok(Box::new(ScriptedStream { shared: Arc::clone(&self.shared), next, skip, cuts }))
    }
}

struct ScriptedStream {
    shared: Arc<Shared>,
    next: usize,
    /// Groups that the reader has already.
    skip: Option<GtidSet>,
    cuts: u64,
}

impl ScriptedStream {
    fn next_event(&mut self, script: &Script) -> Option<SourceEvent> {
        while let Some(entry) = script.log.get(self.next) {
            self.next += 1;
            let had = match (&self.skip, &entry.gtid) {
                (Some(set), Some(gtid)) => set.contains(gtid),
                _ => false,
            };
            if !had {
                return Some(entry.event.clone());
            }
        }
        None
    }
}

impl EventStream for ScriptedStream {
    fn poll(&mut self, patience: Duration) -> Result<Polled> {
        let shared = Arc::clone(&self.shared);
        let mut script = shared.lock();
        for wait in [true, false] {
            if shared.cuts.load(Ordering::SeqCst) != self.cuts {
                let text = "the stream of the scripted source was cut";
                return Err(Error::new(&codes::DB_DRIVER, text).scope(Scope::Upstream).transient());
            }
            if let Some(event) = self.next_event(&script) {
                return Ok(Polled::Event(Box::new(event)));
            }
            if script.finished {
                return Ok(Polled::End);
            }
            if wait {
                script = shared
                    .grown
                    .wait_timeout(script, patience)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        }
        Ok(Polled::Idle)
    }
}
