//! What happens to the rows of each source table: decided once per version of the table.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dm_filter::{Change, Columns, Filter, Interest, RowOp, TableName, Value, Verdict};
use dm_router::{ColumnChoice, Target};

use super::create::Creator;
use crate::binlog::{DecodePlan, RowsEvent, SystemVersioning, TableMap};
use crate::error::{Error, Result, codes};
use crate::event::{ApplyMode, EncodedRows, RawOp, RowBlock, RowData, SourceTable, TablePlan};
use crate::schema::{Pool, TableSchema};
use crate::sink::Sink;
use crate::sink::keys::{Hashed, KeyHash, KeyPlan, KeyShape};

/// Distinguishes all table versions of all sources in this process.
static VERSION: AtomicU64 = AtomicU64::new(1);

/// Rows with what is needed to decode them.
#[derive(Debug)]
struct BinlogRows {
    event: RowsEvent<'static>,
    decode: Arc<DecodePlan>,
}

impl EncodedRows for BinlogRows {
    fn each(&self, f: &mut dyn FnMut(RowOp<'_>) -> Result<()>) -> Result<()> {
        for op in self.event.rows(&self.decode)? {
            f(op?)?;
        }
        Ok(())
    }

    fn each_raw(&self, f: &mut dyn FnMut(RawOp<'_>) -> Result<()>) -> Result<bool> {
        self.event.each_raw(&self.decode, f)
    }

    fn bytes(&self) -> usize {
        self.event.byte_len()
    }
}

impl BinlogRows {
    /// How many rows there are, without decoding them where that can be left out.
    fn count(&self) -> Result<usize> {
        let at_table =
            |e: Error| e.context(format!("a row of {} in a binlog event", self.event.table.table));
        match self.event.count(&self.decode).map_err(at_table)? {
            Some(rows) => Ok(rows),
            None => {
                let mut rows = 0;
                self.each(&mut |_| {
                    rows += 1;
                    Ok(())
                })?;
                Ok(rows)
            }
        }
    }

    /// As `each`, without the values of `passed` columns.
    fn each_key(&self, passed: &[bool], f: &mut dyn FnMut(RowOp<'_>) -> Result<()>) -> Result<()> {
        for op in self.event.rows_with(&self.decode, passed)? {
            f(op?)?;
        }
        Ok(())
    }
}

/// One version of a table. There may be 20,000 tables: what tables with the same columns have in common is in
/// their [`Shape`].
struct Version {
    /// Version of the tracked structure that it was made for.
    tracked: u64,
    shape: Arc<Shape>,
    plan: Arc<TablePlan>,
    /// `None` where nobody asks which keys are touched.
    keys: Option<KeyPlan>,
}

/// How rows are read, whatever table they are of.
#[derive(PartialEq, Eq, Hash)]
struct Shape {
    decode: Option<Arc<DecodePlan>>,
    columns: Arc<Columns>,
    /// The columns as the target is told them.
    carried: Columns,
    /// Columns that no key is made of, where rows come out as they stand in the binlog: what they
    /// hold is decoded by the worker alone.
    passed: Option<Vec<bool>>,
}

/// What versions share.
#[derive(Default)]
struct Parts {
    shapes: Pool<Shape>,
    keys: Pool<KeyShape>,
}

struct Entry {
    interest: Interest,
    version: Option<Version>,
}

/// A block ready for the sink, and the keys that it touches.
pub(crate) struct Planned {
    pub block: RowBlock,
    pub rows: usize,
    /// Rows that a filter dropped.
    pub dropped: usize,
}

/// The tables of one source, as met in its stream.
pub(crate) struct Tables {
    creator: Creator,
    sink: Arc<dyn Sink>,
    keyed: bool,
    entries: HashMap<TableName, Entry, BuildHasherDefault<Hashed>>,
    parts: Parts,
}

/// Rows as they arrive, before planning.
pub(crate) enum Arrived {
    Binlog(RowsEvent<'static>),
    Owned { columns: Columns, rows: Arc<[RowOp<'static>]> },
}

impl Tables {
    /// The tables of a stream. `keyed`: the keys that rows touch are wanted, which one worker alone
    /// does not need.
    pub fn new(creator: Creator, sink: Arc<dyn Sink>, keyed: bool) -> Self {
        Self { creator, sink, keyed, entries: HashMap::default(), parts: Parts::default() }
    }

    /// Forgets everything about all tables: some structure has changed.
    pub fn forget(&mut self) {
        self.entries.clear();
    }

    /// True when rows of a table are carried at all.
    ///
    /// # Errors
    ///
    /// When several routes claim the table.
    pub fn is_carried(&mut self, table: &TableName) -> Result<bool> {
        if let Some(entry) = self.entries.get(table) {
            return Ok(entry.interest != Interest::Skip);
        }
        let interest = self.creator.interest(table);
        let carried = interest != Interest::Skip;
        if carried {
            self.creator.target(table)?;
        }
        self.entries.insert(table.clone(), Entry { interest, version: None });
        Ok(carried)
    }

    /// Where a carried table goes.
    pub fn target(&self, table: &TableName) -> Option<TableName> {
        let entry = self.entries.get(table).filter(|entry| entry.interest != Interest::Skip)?;
        if let Some(version) = &entry.version {
            return Some(version.plan.target.clone());
        }
        // One claim alone was made when it was asked whether the table is carried.
        self.creator.place(table).ok()
    }

    /// Plans rows of a carried table, appends the keys they touch. `schema` is the structure that
    /// the table had when the rows were written, `tracked` its version.
    ///
    /// # Errors
    ///
    /// Rows that do not fit the structure, a missing target table, a filter's refusal.
    pub fn plan(
        &mut self,
        table: &TableName,
        arrived: Arrived,
        schema: Option<(&TableSchema, u64)>,
        mode: ApplyMode,
        keys: &mut Vec<KeyHash>,
    ) -> Result<Planned> {
        let Some(entry) = self.entries.get_mut(table) else {
            return Err(Error::new(
                &codes::SYNC_TABLE_NAME,
                format!("rows of {table} came unasked"),
            ));
        };
        let tracked = schema.map_or(0, |(_, v)| v);
        let fits = entry.version.as_ref().is_some_and(|v| {
            v.tracked == tracked
                && match (&arrived, &v.shape.decode) {
                    (Arrived::Binlog(e), Some(decode)) => decode.fits(&e.table),
                    (Arrived::Owned { columns, .. }, None) => *columns == *v.shape.columns,
                    _ => false,
                }
        });
        if !fits {
            let place = Place { creator: &self.creator, sink: &*self.sink, keyed: self.keyed };
            let version = Version::new(&place, &mut self.parts, table, &arrived, schema)?;
            entry.version = Some(version);
        }
        let Some(version) = &entry.version else {
            return Err(Error::new(&codes::SYNC_TABLE_NAME, format!("{table} has no plan")));
        };
        let ask = entry.interest == Interest::Rows;
        version.block(&self.creator, table, arrived, ask, mode, keys)
    }
}

/// Where versions are made.
struct Place<'a> {
    creator: &'a Creator,
    sink: &'a dyn Sink,
    keyed: bool,
}

impl Version {
    fn new(
        place: &Place<'_>,
        parts: &mut Parts,
        table: &TableName,
        arrived: &Arrived,
        schema: Option<(&TableSchema, u64)>,
    ) -> Result<Self> {
        let target = place.creator.target(table)?;
        let name = TableName::new(target.schema.as_str(), target.table.as_str());
        let at_target = place.sink.describe(&name)?.ok_or_else(|| {
            Error::new(
                &codes::SYNC_NO_TARGET_TABLE,
                format!("source table {table} goes to target table {name}, which does not exist"),
            )
        })?;
        let structure = schema.map(|(s, _)| s);
        let (decode, columns) = match arrived {
            Arrived::Binlog(event) => {
                let decode = Arc::new(compile(&event.table, structure)?);
                let columns = Arc::clone(decode.columns());
                (Some(decode), columns)
            }
            Arrived::Owned { columns, .. } => (None, Arc::new(columns.clone())),
        };
        let pick = pick(&columns, &target.columns);
        let carried = carried(&columns, pick.as_deref(), &target);
        let keys = KeyPlan::new(&name.to_string(), &at_target, structure, &carried);
        let plain = decode.as_ref().is_some_and(|d| pick.is_none() && d.is_plain());
        let passed = plain.then(|| passed(&columns, &keys));
        let shape = parts.shapes.share(Arc::new(Shape { decode, columns, carried, passed }));
        let plan = TablePlan {
            source: SourceTable { source: place.creator.source.clone(), table: table.clone() },
            target: name,
            columns: shape.carried.clone(),
            pick,
            extra: target.extra.iter().map(|e| Value::Text(e.value.clone().into())).collect(),
            version: VERSION.fetch_add(1, Ordering::Relaxed),
        };
        // Without keys rows are counted, and nothing of them is decoded for that where it can be left out.
        let keys = place.keyed.then(|| keys.shared(&mut parts.keys));
        let tracked = schema.map_or(0, |(_, v)| v);
        Ok(Self { tracked, shape, plan: Arc::new(plan), keys })
    }

    fn block(
        &self,
        creator: &Creator,
        table: &TableName,
        arrived: Arrived,
        ask: bool,
        mode: ApplyMode,
        keys: &mut Vec<KeyHash>,
    ) -> Result<Planned> {
        let mut encoded = None;
        let mut data = match (arrived, &self.shape.decode) {
            (Arrived::Binlog(event), Some(decode)) => {
                let rows = Arc::new(BinlogRows { event, decode: Arc::clone(decode) });
                RowData::Encoded(Arc::clone(encoded.insert(rows)) as Arc<dyn EncodedRows>)
            }
            (Arrived::Owned { rows, .. }, _) => RowData::Owned(rows),
            (Arrived::Binlog(_), None) => {
                return Err(Error::new(&codes::SYNC_TABLE_NAME, format!("{table} has no decoder")));
            }
        };
        let mut dropped = 0;
        if ask {
            let (kept, lost) = self.judge(creator, table, &data)?;
            dropped = lost;
            if let Some(kept) = kept {
                data = RowData::Owned(kept);
                encoded = None;
            }
        }
        let block =
            RowBlock { plan: Arc::clone(&self.plan), data, mode, no_foreign_key_checks: false };
        let Some(plan) = &self.keys else {
            let rows = match (&encoded, &block.data) {
                (Some(encoded), _) => encoded.count()?,
                (None, RowData::Owned(rows)) => rows.len(),
                (None, RowData::Encoded(rows)) => {
                    let mut count = 0;
                    rows.each(&mut |_| {
                        count += 1;
                        Ok(())
                    })?;
                    count
                }
            };
            return Ok(Planned { block, rows, dropped });
        };
        let mut rows = 0;
        let mut note = |op: RowOp<'_>| {
            rows += 1;
            plan.hashes(&op, keys);
            Ok(())
        };
        match (encoded, &self.shape.passed) {
            (Some(rows), Some(passed)) => {
                rows.each_key(passed, &mut |op| note(self.plan.carry_op(op)))?;
            }
            _ => block.each(&mut note)?,
        }
        Ok(Planned { block, rows, dropped })
    }

    /// The rows that filters keep; `None` when all are kept.
    fn judge(
        &self,
        creator: &Creator,
        table: &TableName,
        data: &RowData,
    ) -> Result<(Option<Arc<[RowOp<'static>]>>, usize)> {
        let mut kept = Vec::new();
        let mut dropped = 0;
        let mut one = |op: RowOp<'_>| {
            let change = Change::row(table, &self.shape.columns, op);
            match creator.filter.decide(&change) {
                Verdict::Keep => {
                    if let Change::Row(row) = change {
                        kept.push(row.op.into_owned());
                    }
                }
                Verdict::Drop | Verdict::Exclude => dropped += 1,
                Verdict::Refuse(refusal) => {
                    return Err(Error::new(&codes::SYNC_EVENT_FILTER, refusal.to_string()));
                }
            }
            Ok(())
        };
        match data {
            RowData::Encoded(rows) => rows.each(&mut one)?,
            RowData::Owned(rows) => rows.iter().try_for_each(|op| one(op.clone()))?,
        }
        Ok(if dropped == 0 { (None, 0) } else { (Some(kept.into()), dropped) })
    }
}

/// System-versioned tables of MariaDB log their history, too: what comes out is the present rows.
fn compile(map: &TableMap, structure: Option<&TableSchema>) -> Result<DecodePlan> {
    let Some(schema) = structure.filter(|s| s.system_versioned) else {
        return DecodePlan::compile(map, structure);
    };
    let own = schema.periods.iter().find(|(name, _, _)| name.eq_ignore_ascii_case("SYSTEM_TIME"));
    let period = match own {
        Some((_, _, end)) => SystemVersioning::EndColumn(end),
        None => SystemVersioning::Hidden,
    };
    DecodePlan::compile_versioned(map, schema, period)
}

/// The columns that the target is told: the carried ones, then those that the route adds.
fn carried(columns: &Columns, pick: Option<&[usize]>, target: &Target) -> Columns {
    if pick.is_none() && target.extra.is_empty() {
        return columns.clone();
    }
    let mut carried: Vec<_> = match pick {
        Some(pick) => pick.iter().filter_map(|&i| columns.get(i)).cloned().collect(),
        None => columns.iter().cloned().collect(),
    };
    carried.extend(target.extra.iter().map(|e| dm_filter::ColumnInfo::named(&e.name)));
    Columns::new(carried)
}

/// Which columns no key is made of.
fn passed(columns: &Columns, keys: &KeyPlan) -> Vec<bool> {
    let mut passed = vec![true; columns.len()];
    keys.columns().for_each(|i| {
        // Beyond them are the added columns.
        if let Some(passed) = passed.get_mut(i) {
            *passed = false;
        }
    });
    passed
}

fn pick(columns: &Columns, choice: &ColumnChoice) -> Option<Vec<usize>> {
    let listed = |names: &[String], name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    let keep = |name: &str| match choice {
        ColumnChoice::All => true,
        ColumnChoice::Include(names) => listed(names, name),
        ColumnChoice::Exclude(names) => !listed(names, name),
    };
    if *choice == ColumnChoice::All {
        return None;
    }
    Some(columns.iter().enumerate().filter(|(_, c)| keep(&c.name)).map(|(i, _)| i).collect())
}
