//! A consistent view over several connections, and the binlog position that belongs to it.
//!
//! Guarantee: every change before the position is in the rows, no change behind `contained_upto`
//! is. Where both are the same, rows and stream meet exactly.
//!
//! Obstacles. N connections see one instant only if nothing commits between the first and the
//! last of them. A transaction is in the binlog before other sessions see it, with semi-synchronous
//! replication by seconds: a position read without care is ahead of the rows, and what lies between
//! would be in neither. Structures are not part of a snapshot: they are compared before and after.
//! The means against the other two stand in `tie`.

mod tie;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use dm_filter::TableName;

use super::read::{Reader, ReaderPool};
use super::{ReadOptions, SnapshotOptions, chunks, describe};
use crate::config::ConnPlan;
use crate::error::{Error, Result, codes};
use crate::mysql::{Connection, Purpose};
use crate::position::Position;
use crate::schema::differences;
use crate::source::{Chunk, ChunkReader, SchemaInfo, Snapshot, TableChoice, TableCopy, TableInfo};

/// How often everything is tried again when structures changed meanwhile.
const ROUNDS: u32 = 5;

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
