//! What every source must do.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use dm_filter::TableName;

use super::check::{Check, conclude, ensure, ensure_eq};
use crate::event::CellRef;
use crate::position::{BinlogPos, Position};
use crate::source::{
    Body, ChunkReader, EventStream, Polled, Snapshot, Source, SourceEvent, TableCopy,
};

/// How long an event may take that is known to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs all checks on a source.
///
/// `source` holds exactly the tables of `rows` (as far as `choose` names them: the tables of these
/// names), with that many rows, and nobody writes to it meanwhile. Behind `start` its binlog has at
/// least two groups (transactions or statements), and it can be read again from there.
///
/// # Panics
///
/// When a check fails; the message names all that failed and what they expected.
pub fn source_conformance(source: &dyn Source, rows: &BTreeMap<TableName, u64>, start: &Position) {
    let results = vec![
        ("tables are listed and described", tables(source, rows)),
        ("chunks of any size are the table", chunks(source, rows)),
        ("only chosen tables are in a snapshot", choice(source, rows)),
        ("readers of one snapshot agree", readers(source, rows)),
        ("the stream starts where the snapshot ends", joined(source)),
        ("the stream can be opened again at the end of each group", reopened(source, start)),
        ("events stand in order", ordered(source, start)),
        ("several streams are open at a time", parallel(source, start)),
    ];
    conclude("source conformance", results);
}

fn tables(source: &dyn Source, rows: &BTreeMap<TableName, u64>) -> Check {
    let wanted = rows.clone();
    let mut names = source.tables(&move |name| wanted.contains_key(name))?;
    names.sort();
    ensure_eq!(names, rows.keys().cloned().collect::<Vec<_>>(), "tables");
    let nowhere = TableName::new("dm_check_nowhere", "nowhere");
    ensure!(source.describe(&nowhere)?.is_none(), "a table that is not there is described");
    let snapshot = snapshot(source, rows)?;
    for table in snapshot.tables() {
        let told = source.describe(&table.info.name)?.ok_or("a table is not described")?;
        ensure_eq!(told, table.info, "structure of {}", table.info.name);
        ensure!(!told.schema.columns.is_empty(), "{} has no columns", told.name);
        let schema = &told.name.schema;
        let known = snapshot.schemas().iter().any(|s| s.name == *schema);
        ensure!(known, "schema {schema} is not told");
    }
    ensure!(!source.info()?.server.is_empty(), "the server has no identity");
    Ok(())
}

fn snapshot(source: &dyn Source, rows: &BTreeMap<TableName, u64>) -> Check<Box<dyn Snapshot>> {
    let names = rows.clone();
    Ok(source.snapshot(&move |name| names.contains_key(name), &AtomicBool::new(false))?)
}

type Printed = Vec<String>;

fn read(
    reader: &mut dyn ChunkReader,
    snapshot: &dyn Snapshot,
    table: &TableCopy,
    size: u64,
    block_bytes: usize,
) -> Check<Printed> {
    let mut rows = Vec::new();
    for chunk in snapshot.plan(&table.info.name, size)? {
        reader.read(table, &chunk, block_bytes, &mut |block| {
            for row in 0..block.rows() {
                let mut line = String::new();
                for (column, cell) in block.row(row) {
                    line.push_str(&format!("{}={:?} ", column.name, printed(cell)));
                }
                rows.push(line);
            }
            Ok(())
        })?;
    }
    rows.sort();
    Ok(rows)
}

fn printed(cell: CellRef<'_>) -> String {
    match cell {
        CellRef::Null => "NULL".to_owned(),
        CellRef::Value(bytes) => bytes.escape_ascii().to_string(),
        CellRef::Sql(sql) => format!("({sql})"),
    }
}

fn chunks(source: &dyn Source, rows: &BTreeMap<TableName, u64>) -> Check {
    let snapshot = snapshot(source, rows)?;
    let mut reader = snapshot.reader()?;
    for table in snapshot.tables() {
        let name = &table.info.name;
        let mut whole: Option<Printed> = None;
        for (size, block_bytes) in [(1_000_000, 1 << 20), (1, 1), (3, 50), (100, 1 << 20)] {
            let plan = snapshot.plan(name, size)?;
            ensure!(!plan.is_empty(), "{name} has no chunk");
            let ids: Vec<u32> = plan.iter().map(|c| c.id).collect();
            ensure!(ids.iter().zip(0..).all(|(id, n)| *id == n), "{name} has chunks {ids:?}");
            let read = read(&mut *reader, &*snapshot, table, size, block_bytes)?;
            let expected = rows.get(name).copied().unwrap_or_default();
            ensure_eq!(read.len() as u64, expected, "rows of {name} in chunks of {size}");
            match &whole {
                Some(whole) => ensure_eq!(&read, whole, "{name} in chunks of {size}"),
                None => whole = Some(read),
            }
        }
    }
    ensure_eq!(snapshot.tables().len(), rows.len(), "tables of the snapshot");
    Ok(())
}

fn choice(source: &dyn Source, rows: &BTreeMap<TableName, u64>) -> Check {
    let Some((only, count)) = rows.first_key_value() else { return Ok(()) };
    let one = BTreeMap::from([(only.clone(), *count)]);
    let snapshot = snapshot(source, &one)?;
    let names: Vec<_> = snapshot.tables().iter().map(|t| &t.info.name).collect();
    ensure_eq!(names, [only], "tables of a snapshot of one");
    Ok(())
}

fn readers(source: &dyn Source, rows: &BTreeMap<TableName, u64>) -> Check {
    let snapshot = snapshot(source, rows)?;
    let mut first = snapshot.reader()?;
    let mut second = snapshot.reader()?;
    for table in snapshot.tables() {
        let a = read(&mut *first, &*snapshot, table, 2, 1 << 20)?;
        let b = read(&mut *second, &*snapshot, table, 5, 1 << 20)?;
        ensure_eq!(a, b, "{} by two readers", table.info.name);
    }
    Ok(())
}

/// Nobody writes, so the stream behind a snapshot has nothing to say.
fn joined(source: &dyn Source) -> Check {
    let snapshot = source.snapshot(&|_| true, &AtomicBool::new(false))?;
    let mut stream = source.open(snapshot.position())?;
    match next(&mut *stream, Duration::from_millis(1))? {
        None => {}
        Some(event) => {
            return Err(format!("{:?} behind the end", event.body).into());
        }
    }
    let mut stream = source.open(&source.end_position()?)?;
    let silent = next(&mut *stream, Duration::from_millis(1))?.is_none();
    ensure!(silent, "events behind the end position");
    Ok(())
}

/// The next event that changes something; `None` when there is none in time.
fn next(stream: &mut dyn EventStream, patience: Duration) -> Check<Option<SourceEvent>> {
    let until = Instant::now() + patience;
    loop {
        match stream.poll(until.saturating_duration_since(Instant::now()))? {
            Polled::Event(event) if matches!(event.body, Body::Heartbeat | Body::Rotate) => {}
            Polled::Event(event) => return Ok(Some(*event)),
            Polled::End => return Ok(None),
            Polled::Idle if Instant::now() >= until => return Ok(None),
            Polled::Idle => {}
        }
    }
}

/// The end of the log, as a reader finds it: the last position by file and offset.
fn until_end(source: &dyn Source, from: &Position) -> Check<Vec<SourceEvent>> {
    let end = source.end_position()?.binlog.ok_or("no end position by file and offset")?;
    let mut stream = source.open(from)?;
    let mut events = Vec::new();
    loop {
        let event = next(&mut *stream, PATIENCE)?.ok_or("the stream ends before its end")?;
        let last = is_at(&event.end, &end);
        events.push(event);
        if last {
            return Ok(events);
        }
    }
}

/// True at the end, also when it is the start of a file that has nothing in it yet.
fn is_at(position: &BinlogPos, end: &BinlogPos) -> bool {
    position == end || position.file == end.file && position.offset >= end.offset
}

/// Indexes behind the groups: each group begins with its GTID event.
fn group_starts(events: &[SourceEvent]) -> Vec<usize> {
    let begins =
        |(i, event): (usize, &SourceEvent)| matches!(event.body, Body::Gtid { .. }).then_some(i);
    events.iter().enumerate().filter_map(begins).collect()
}

fn reopened(source: &dyn Source, start: &Position) -> Check {
    let events = until_end(source, start)?;
    let starts = group_starts(&events);
    ensure!(starts.len() >= 2, "{} groups behind the start", starts.len());
    for (n, &at) in starts.iter().enumerate().skip(1) {
        let Some(first) = events.get(at) else { continue };
        // Behind the group before.
        let position = Position::at(first.start.clone());
        let again = until_end(source, &position)?;
        let rest = events.get(at..).unwrap_or_default();
        ensure_eq!(again.len(), rest.len(), "events behind group {n}");
        for (a, b) in again.iter().zip(rest) {
            ensure_eq!((&a.start, &a.end), (&b.start, &b.end), "an event behind group {n}");
            let (a, b) = (format!("{:?}", a.body), format!("{:?}", b.body));
            ensure_eq!(a, b, "an event behind group {n}");
        }
    }
    Ok(())
}

fn ordered(source: &dyn Source, start: &Position) -> Check {
    let events = until_end(source, start)?;
    for pair in events.windows(2) {
        let [a, b] = pair else { continue };
        let runs = a.start.partial_cmp(&a.end).is_some_and(Ordering::is_le);
        ensure!(runs, "event ends before it starts: {a:?}");
        let follows = a.end.partial_cmp(&b.end).is_some_and(Ordering::is_le);
        ensure!(follows, "{} follows {}", b.end, a.end);
    }
    Ok(())
}

fn parallel(source: &dyn Source, start: &Position) -> Check {
    let expected = until_end(source, start)?;
    let mut streams = [source.open(start)?, source.open(start)?];
    for event in &expected {
        for stream in &mut streams {
            let got = next(&mut **stream, PATIENCE)?.ok_or("the stream ends before its end")?;
            ensure_eq!(got.end, event.end, "an event of two streams");
        }
    }
    Ok(())
}
