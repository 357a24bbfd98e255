//! Replays a binlog file in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use dm_filter::{Columns, Row, RowOp, Value};

use super::sql;
use crate::binlog::*;
use crate::event::{RawCell, RawRow};
use crate::position::Flavor;
use crate::schema::TableSchema;
use crate::sql::push_value;

/// A table as the file leaves it.
pub(super) struct Table {
    pub(super) columns: Arc<Columns>,
    pub(super) schema: TableSchema,
    pub(super) rows: Vec<Row<'static>>,
    pub(super) hidden: Option<HiddenKind>,
}

/// What came of a file.
#[derive(Default)]
pub(super) struct Replay {
    pub(super) tables: HashMap<String, Table>,
    /// How many events of each type there were, those inside of compressed transactions too.
    pub(super) types: BTreeMap<EventType, usize>,
    pub(super) events: Vec<String>,
    prepared: HashMap<String, Vec<(String, RowOp<'static>)>>,
    pending: Vec<(String, RowOp<'static>)>,
    plans: HashMap<String, (Arc<TableMap>, Arc<DecodePlan>)>,
    /// Decodes by what the binlog says alone.
    without_schema: bool,
    /// System-versioned tables, and the column with a row's end where it is not hidden.
    versioned: HashMap<String, Option<String>>,
    /// A table, and a column that its tracked structure lacks.
    hide: Option<(String, String)>,
}

/// Replays a case. `without_schema`: the structures of the statements are not used for decoding.
pub(super) fn replay(name: &str, without_schema: bool) -> Replay {
    run(name, Replay { without_schema, ..Replay::default() })
}

fn run(name: &str, mut replay: Replay) -> Replay {
    let bytes = super::read(name, "binlog.000001");
    let flavor = if name.starts_with("mariadb") { Flavor::MariaDb } else { Flavor::MySql };
    let mut decoder = Decoder::new(flavor);
    let mut reader = FileReader::open(&bytes[..]).unwrap().unwrap();
    let mut offset = 4;
    loop {
        match reader.next_event().unwrap() {
            Framed::End => break,
            Framed::Torn { good } => panic!("{name} is torn after {good}"),
            Framed::Event { header, bytes, start } => {
                assert_eq!(start, offset);
                let end = start + bytes.len() as u64;
                offset = header.end_offset(offset).unwrap_or(end);
                assert_eq!(offset, end);
                let event = decoder.decode(bytes).unwrap();
                *replay.types.entry(header.event_type).or_default() += 1;
                replay.event(event.body, &mut decoder);
            }
        }
        assert_eq!(reader.offset(), offset);
    }
    assert!(replay.pending.is_empty(), "{name} ends within a transaction");
    replay
}

/// What is told from the images without values is what the values say.
fn images_say_the_same(rows: &RowsEvent<'_>, plan: &DecodePlan) {
    let decoded: Vec<RowOp<'_>> = rows.rows(plan).unwrap().map(|op| op.unwrap()).collect();
    if let Some(count) = rows.count(plan).unwrap() {
        assert_eq!(count, decoded.len());
    }
    let check = |image: &dyn RawRow, row: &Row<'_>| {
        assert_eq!(image.width(), row.len());
        for i in 0..row.len() {
            let (mut text, mut expected) = (String::new(), String::new());
            if let Some(value) = row.get(i) {
                push_value(&mut expected, value, plan.columns().get(i));
            }
            image.push_sql(&mut text, i, plan.columns().get(i)).unwrap();
            assert_eq!(text, expected, "column {i} of {}", rows.table.table);
            assert_eq!(image.cell(i) == RawCell::Absent, row.get(i).is_none());
            assert_eq!(image.is_json(i).unwrap(), matches!(row.get(i), Some(Value::Json(_))));
        }
    };
    let mut ops = decoded.iter();
    let told = rows.each_raw(plan, &mut |op| {
        let decoded = ops.next().unwrap();
        assert_eq!(op.kind, decoded.kind());
        match decoded {
            RowOp::Insert { after } => check(op.first, after),
            RowOp::Delete { before } => check(op.first, before),
            RowOp::Update { before, after } => {
                check(op.first, before);
                check(op.second, after);
                for i in 0..after.len() {
                    if op.first.cell(i) == op.second.cell(i) {
                        assert_eq!(before.get(i), after.get(i));
                    }
                }
            }
        }
        Ok(())
    });
    match told.unwrap() {
        true => assert!(ops.next().is_none()),
        false => assert!(!plan.is_plain() || rows.partial_json),
    }
}

impl Replay {
    fn event(&mut self, body: EventBody<'_>, decoder: &mut Decoder) {
        match body {
            EventBody::Query(query) => self.query(&query),
            EventBody::Rows(rows) => self.rows(rows),
            EventBody::Xid(_) => self.commit(),
            EventBody::XaPrepare(prepare) => {
                let changes = std::mem::take(&mut self.pending);
                match prepare.one_phase {
                    true => self.apply(changes),
                    false => drop(self.prepared.insert(prepare.xid.to_string(), changes)),
                }
            }
            EventBody::TransactionPayload(payload) => {
                let payload = payload.into_owned();
                let mut inner = payload.events().unwrap();
                while let Some(event) = inner.next_event(decoder).unwrap() {
                    *self.types.entry(event.header.event_type).or_default() += 1;
                    // Rows own their data; the inner event borrows from the reader.
                    match event.body {
                        EventBody::Rows(rows) => self.rows(rows),
                        EventBody::Query(query) => self.query(&query),
                        EventBody::Xid(_) => self.commit(),
                        EventBody::TableMap(_) => {}
                        other => panic!("{other:?} within a payload"),
                    }
                }
            }
            other => self.events.push(format!("{other:?}")),
        }
    }

    fn query(&mut self, query: &QueryEvent<'_>) {
        let text = query.text().unwrap().trim().to_owned();
        self.events.push(text.clone());
        // The server appends a comment to some statements.
        let text = text.split(" /*").next().unwrap_or_default().to_owned();
        if query.is("COMMIT") {
            return self.commit();
        }
        if let Some(xid) = text.strip_prefix("XA COMMIT ") {
            let changes = self.prepared.remove(xid).unwrap();
            return self.apply(changes);
        }
        if let Some(xid) = text.strip_prefix("XA ROLLBACK ") {
            assert!(self.prepared.remove(xid).is_some());
            return;
        }
        if let Some(table) = text.strip_prefix("TRUNCATE TABLE ") {
            self.tables.get_mut(table).unwrap().rows.clear();
        }
        if let Some((name, mut schema)) = sql::create_table(&query.text().unwrap()) {
            if let Some((_, column)) = self.hide.as_ref().filter(|(table, _)| *table == name) {
                schema.columns.retain(|c| c.name != *column);
                schema.keys.clear();
            }
            let text = query.text().unwrap();
            if text.contains("WITH SYSTEM VERSIONING") {
                let period = text.split_once("PERIOD FOR SYSTEM_TIME(s,e)").map(|_| "e".to_owned());
                self.versioned.insert(name.clone(), period);
            }
            let (columns, rows) = (Arc::default(), Vec::new());
            self.tables.insert(name, Table { columns, schema, rows, hidden: None });
        }
        let alters = text.strip_prefix("ALTER TABLE ").and_then(|t| t.split(' ').next());
        if let Some(table) = alters.and_then(|name| self.tables.get_mut(name)) {
            let (_, column, at) = sql::add_column(&text, &table.schema).unwrap();
            table.schema.columns.insert(at, column);
            for row in &mut table.rows {
                let mut cells = row.cells().to_vec();
                cells.insert(at, Some(Value::Null));
                *row = Row::partial(cells);
            }
        }
    }

    fn rows(&mut self, rows: RowsEvent<'_>) {
        // As a worker would: later, apart from the decoder.
        let rows = rows.into_owned();
        let name = rows.table.table.table.clone();
        if !self.tables.contains_key(&name) && !rows.table.has_names() {
            // A sequence.
            return;
        }
        let plan = self.plan(&name, &rows.table);
        if let Some(table) = self.tables.get_mut(&name) {
            table.columns = Arc::clone(plan.columns());
            table.hidden = plan.hidden().first().map(|h| h.kind);
        }
        images_say_the_same(&rows, &plan);
        let decoded = rows.rows(&plan).unwrap();
        self.pending.extend(decoded.map(|op| (name.clone(), op.unwrap().into_owned())));
    }

    fn plan(&mut self, name: &str, map: &Arc<TableMap>) -> Arc<DecodePlan> {
        if let Some((known, plan)) = self.plans.get(name)
            && Arc::ptr_eq(known, map)
        {
            return Arc::clone(plan);
        }
        let schema = self.tables.get(name).map(|t| &t.schema).filter(|_| !self.without_schema);
        let period = schema.and_then(|s| self.versioned.get(name).map(|p| (s, p.as_deref())));
        let plan = Arc::new(match period {
            None => DecodePlan::compile(map, schema).unwrap(),
            Some((schema, end)) => {
                let period = end.map_or(SystemVersioning::Hidden, SystemVersioning::EndColumn);
                DecodePlan::compile_versioned(map, schema, period).unwrap()
            }
        });
        self.plans.insert(name.to_owned(), (Arc::clone(map), Arc::clone(&plan)));
        plan
    }

    fn commit(&mut self) {
        let changes = std::mem::take(&mut self.pending);
        self.apply(changes);
    }

    fn apply(&mut self, changes: Vec<(String, RowOp<'static>)>) {
        for (name, op) in changes {
            let rows = &mut self.tables.get_mut(&name).unwrap().rows;
            match op {
                RowOp::Insert { after } => rows.push(after),
                RowOp::Delete { before } => drop(rows.remove(find(rows, &before))),
                RowOp::Update { before, after } => {
                    assert!(after.is_full() || !before.is_full());
                    let at = find(rows, &before);
                    let cells = rows[at].cells().iter().zip(after.cells());
                    let cells = cells.map(|(old, new)| new.clone().or_else(|| old.clone()));
                    rows[at] = Row::partial(cells.collect());
                }
            }
        }
    }
}

/// The first row whose cells are those that the image carries.
fn find(rows: &[Row<'static>], image: &Row<'_>) -> usize {
    let same = |row: &Row<'_>| {
        let mut cells = row.cells().iter().zip(image.cells());
        cells.all(|(cell, wanted)| wanted.is_none() || cell == wanted || is_null(cell, wanted))
    };
    rows.iter().position(same).unwrap_or_else(|| panic!("no row {image:?}"))
}

/// With minimal images an inserted row lacks the columns that took their default, which is NULL
/// for all columns of the cases.
fn is_null(cell: &Option<Value<'_>>, wanted: &Option<Value<'_>>) -> bool {
    cell.is_none() && wanted.as_ref().is_some_and(Value::is_null)
}

/// As [`replay`], with a column of a table unknown to the tracked structure.
pub(super) fn replay_hiding(name: &str, table: &str, column: &str) -> Replay {
    let hide = Some((table.to_owned(), column.to_owned()));
    run(name, Replay { hide, ..Replay::default() })
}
