//! Writing a chunk of the copy: its mark first, then its rows, in one transaction.
//!
//! The mark's key is unique, so a zombie and its successor that load the same chunk exclude each
//! other: the second waits for the first to commit and then fails on the mark, which tells that
//! the chunk is there.

use std::sync::Arc;

use super::infile::{Layout, Sent};
use super::plan::{Bound, LONG};
use super::session::{LOOSE_SQL_MODE, ROW_SQL_MODE};
use super::writer::MysqlWriter;
use crate::error::{Error, Result, codes};
use crate::event::{CellKind, CellRef, ChunkMark, CopyBlock, CopyColumn};
use crate::schema::{TableSchema, TypeKind};
use crate::sink::{BlockStream, LoadStats, LoadTarget, OnDuplicate};
use crate::sql::{push_cell, push_ident, push_string, push_table};

/// Loads a chunk.
///
/// # Errors
///
/// What the target answers; nothing of the chunk is committed then.
pub(super) fn load(
    writer: &mut MysqlWriter,
    target: &LoadTarget,
    rows: &mut dyn BlockStream,
    mark: &ChunkMark,
) -> Result<LoadStats> {
    let shared = Arc::clone(&writer.shared);
    let mut stats = LoadStats::default();
    writer.session.exec("BEGIN")?;
    if shared.marked() {
        writer.session.exec(&shared.marks.write_chunk(&writer.slot.task, mark, &target.table))?;
        writer.keep_slot()?;
    }
    let mut statement = Insert::new(target, shared.statement_bytes);
    let mut layout = None;
    while let Some(block) = rows.next_block()? {
        if statement.places.is_none() {
            let table = shared.describe(&target.table)?;
            statement.places = Some(places(&block, table.as_deref()));
            layout = table
                .filter(|_| shared.loads_files())
                .and_then(|table| Layout::new(target, block.columns(), &table));
        }
        stats.bytes += block.bytes() as u64;
        let rest = by_file(writer, &mut layout, target, &block, &mut stats)?;
        insert(writer, &mut statement, target, block, rest, &mut stats)?;
    }
    flush(writer, &mut statement, target, &mut stats, false)?;
    writer.session.exec("COMMIT")?;
    Ok(stats)
}

/// Sends what a file can say of a block; the numbers of the rows that remain.
fn by_file(
    writer: &mut MysqlWriter,
    layout: &mut Option<Layout>,
    target: &LoadTarget,
    block: &CopyBlock,
    stats: &mut LoadStats,
) -> Result<Vec<usize>> {
    let sent = match layout {
        Some(layout) => layout
            .send(&mut writer.session, block)
            .map_err(|e| e.context(format!("copying into {} at the target", target.table)))?,
        None => Sent::None,
    };
    match sent {
        Sent::Some { rows, affected, rest } => {
            stats.rows += rows;
            stats.duplicates += affected.saturating_sub(rows);
            return Ok(rest);
        }
        Sent::None if layout.is_some() => {
            log::debug!("rows of {} are inserted: as a file they gave warnings", target.table);
        }
        Sent::None => {}
        Sent::NotAllowed(error) => writer.shared.no_files(&error),
    }
    *layout = None;
    Ok((0..block.rows()).collect())
}

/// Inserts rows of a block.
fn insert(
    writer: &mut MysqlWriter,
    statement: &mut Insert,
    target: &LoadTarget,
    block: CopyBlock,
    rows: Vec<usize>,
    stats: &mut LoadStats,
) -> Result {
    let (mut loose, mut alone) = (false, false);
    let last = rows.last().copied();
    for row in rows {
        loose = needs_loose(&block, row);
        alone = loose || is_long(&block, row);
        if alone {
            // The rows before it keep their strict session, and their text.
            flush(writer, statement, target, stats, false)?;
        }
        statement.row(&block, row);
        if Some(row) != last && (statement.is_full() || alone) {
            flush(writer, statement, target, stats, loose)?;
        }
    }
    // Its last row may be large: not held while its text is sent.
    drop(block);
    if statement.is_full() || alone {
        flush(writer, statement, target, stats, loose)?;
    }
    Ok(())
}

fn flush(
    writer: &mut MysqlWriter,
    statement: &mut Insert,
    target: &LoadTarget,
    stats: &mut LoadStats,
    loose: bool,
) -> Result {
    let (sql, values, rows) = statement.take();
    if rows == 0 {
        return Ok(());
    }
    let bytes = values.iter().map(Vec::len).sum::<usize>() + sql.len();
    stats.largest = stats.largest.max(bytes as u64);
    if loose {
        writer.session.exec(&format!("SET SESSION sql_mode='{LOOSE_SQL_MODE}'"))?;
    }
    let done = match values.is_empty() {
        true => writer.session.exec(&sql),
        false => writer.session.exec_bound(&sql, values).map(|reported| reported.rows),
    };
    let affected =
        done.map_err(|e| e.context(format!("copying into {} at the target", target.table)))?;
    if loose {
        writer.session.exec(&format!("SET SESSION sql_mode='{ROW_SQL_MODE}'"))?;
    }
    match target.on_duplicate {
        OnDuplicate::Error if affected != rows => {
            return Err(Error::new(
                &codes::LOAD_COUNT,
                format!("{rows} rows were sent to {}, {affected} arrived", target.table),
            ));
        }
        OnDuplicate::Error => {}
        // REPLACE counts a replaced row twice, IGNORE counts an ignored row not at all.
        OnDuplicate::Replace => stats.duplicates += affected.saturating_sub(rows),
        OnDuplicate::Ignore => stats.duplicates += rows.saturating_sub(affected),
    }
    stats.rows += rows;
    Ok(())
}

/// True for a row that holds an ENUM's error value, which strict sessions refuse.
fn needs_loose(block: &CopyBlock, row: usize) -> bool {
    block.row(row).any(|(_, cell)| matches!(cell, CellRef::Sql("0")))
}

/// True for a row with a long value: it is a statement of its own.
fn is_long(block: &CopyBlock, row: usize) -> bool {
    block.row(row).any(|(_, cell)| matches!(cell, CellRef::Value(bytes) if bytes.len() >= LONG))
}

/// What becomes of a column of the blocks at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The target computes the value itself and takes none.
    Computed,
    /// The value as text: the target keeps JSON in a column of text, where an expression that
    /// builds a document has no meaning.
    PlainText,
    /// The value, as exactly as it came; the column's type, when it is known.
    Exact(Option<TypeKind>),
}

fn places(block: &CopyBlock, table: Option<&TableSchema>) -> Vec<Place> {
    let place = |column: &CopyColumn| {
        let Some((_, at_target)) = table.and_then(|t| t.column(&column.name)) else {
            return Place::Exact(None);
        };
        if at_target.generated.is_some() {
            Place::Computed
        } else if column.kind == CellKind::Json && at_target.ty.kind != TypeKind::Json {
            Place::PlainText
        } else {
            Place::Exact(Some(at_target.ty.kind))
        }
    };
    block.columns().iter().map(place).collect()
}

/// An INSERT that grows row by row.
struct Insert {
    /// By column of the blocks; set with the first block.
    places: Option<Vec<Place>>,
    verb: &'static str,
    table: String,
    extra_names: String,
    extra_values: String,
    text: String,
    bound: Bound,
    rows: u64,
    max: usize,
}

impl Insert {
    fn new(target: &LoadTarget, max: usize) -> Self {
        let mut table = String::new();
        push_table(&mut table, &target.table);
        let (mut extra_names, mut extra_values) = (String::new(), String::new());
        for (name, value) in &target.extra {
            extra_names.push(',');
            push_ident(&mut extra_names, name);
            extra_values.push(',');
            push_string(&mut extra_values, value);
        }
        let verb = match target.on_duplicate {
            OnDuplicate::Error => "INSERT INTO ",
            OnDuplicate::Replace => "REPLACE INTO ",
            OnDuplicate::Ignore => "INSERT IGNORE INTO ",
        };
        Self {
            places: None,
            verb,
            table,
            extra_names,
            extra_values,
            text: String::new(),
            bound: Bound::long(),
            rows: 0,
            max,
        }
    }

    /// Appends a row.
    fn row(&mut self, block: &CopyBlock, row: usize) {
        if self.rows == 0 {
            self.head(block);
        } else {
            self.text.push(',');
        }
        self.text.push('(');
        let mut first = true;
        for (i, (column, cell)) in block.row(row).enumerate() {
            let place = self.place(i);
            if place == Place::Computed {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.text.push(',');
            }
            if let Place::Exact(Some(kind)) = place
                && self.bound.take_cell(&mut self.text, &column.kind, cell, kind)
            {
                continue;
            }
            let text = block.sql_text(row, i).filter(|_| place == Place::PlainText);
            push_cell(&mut self.text, &column.kind, text.map_or(cell, CellRef::Value));
        }
        self.text.push_str(&self.extra_values);
        self.text.push(')');
        self.rows += 1;
    }

    fn head(&mut self, block: &CopyBlock) {
        self.text.push_str(self.verb);
        self.text.push_str(&self.table);
        self.text.push_str(" (");
        let mut first = true;
        for (i, column) in block.columns().iter().enumerate() {
            if self.place(i) == Place::Computed {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.text.push(',');
            }
            push_ident(&mut self.text, &column.name);
        }
        self.text.push_str(&self.extra_names);
        self.text.push_str(") VALUES ");
    }

    fn place(&self, column: usize) -> Place {
        let place = self.places.as_ref().and_then(|places| places.get(column));
        place.copied().unwrap_or(Place::Exact(None))
    }

    fn is_full(&self) -> bool {
        self.text.len() >= self.max
    }

    fn take(&mut self) -> (String, Vec<Vec<u8>>, u64) {
        let values = std::mem::take(&mut self.bound.values);
        (std::mem::take(&mut self.text), values, std::mem::take(&mut self.rows))
    }
}
