//! Writing a chunk of the copy: its mark first, then its rows, in one transaction.
//!
//! The mark's key is unique, so a zombie and its successor that load the same chunk exclude each
//! other: the second waits for the first to commit and then fails on the mark, which tells that
//! the chunk is there.

use std::sync::Arc;

use super::session::{LOOSE_SQL_MODE, ROW_SQL_MODE};
use super::writer::MysqlWriter;
use crate::error::{Error, Result, codes};
use crate::event::{CellRef, ChunkMark, CopyBlock};
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
    if shared.marked {
        writer.session.exec(&shared.marks.write_chunk(&writer.slot.task, mark, &target.table))?;
    }
    let mut statement = Insert::new(target, shared.statement_bytes);
    while let Some(block) = rows.next_block()? {
        stats.bytes += block.bytes() as u64;
        for row in 0..block.rows() {
            let loose = statement.row(&block, row);
            if statement.is_full() || loose {
                flush(writer, &mut statement, target, &mut stats, loose)?;
            }
        }
    }
    flush(writer, &mut statement, target, &mut stats, false)?;
    writer.session.exec("COMMIT")?;
    Ok(stats)
}

fn flush(
    writer: &mut MysqlWriter,
    statement: &mut Insert,
    target: &LoadTarget,
    stats: &mut LoadStats,
    loose: bool,
) -> Result {
    let (sql, rows) = statement.take();
    if rows == 0 {
        return Ok(());
    }
    if loose {
        writer.session.exec(&format!("SET SESSION sql_mode='{LOOSE_SQL_MODE}'"))?;
    }
    let affected = writer
        .session
        .exec(&sql)
        .map_err(|e| e.context(format!("copying into {} at the target", target.table)))?;
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

/// An INSERT that grows row by row.
struct Insert {
    verb: &'static str,
    table: String,
    extra_names: String,
    extra_values: String,
    text: String,
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
        Self { verb, table, extra_names, extra_values, text: String::new(), rows: 0, max }
    }

    /// Appends a row; true when it holds a value that a strict session refuses.
    fn row(&mut self, block: &CopyBlock, row: usize) -> bool {
        if self.rows == 0 {
            self.head(block);
        } else {
            self.text.push(',');
        }
        let mut loose = false;
        self.text.push('(');
        for (i, (column, cell)) in block.row(row).enumerate() {
            if i > 0 {
                self.text.push(',');
            }
            loose |= matches!(cell, CellRef::Sql("0"));
            push_cell(&mut self.text, &column.kind, cell);
        }
        self.text.push_str(&self.extra_values);
        self.text.push(')');
        self.rows += 1;
        loose
    }

    fn head(&mut self, block: &CopyBlock) {
        self.text.push_str(self.verb);
        self.text.push_str(&self.table);
        self.text.push_str(" (");
        for (i, column) in block.columns().iter().enumerate() {
            if i > 0 {
                self.text.push(',');
            }
            push_ident(&mut self.text, &column.name);
        }
        self.text.push_str(&self.extra_names);
        self.text.push_str(") VALUES ");
    }

    fn is_full(&self) -> bool {
        self.text.len() >= self.max
    }

    fn take(&mut self) -> (String, u64) {
        (std::mem::take(&mut self.text), std::mem::take(&mut self.rows))
    }
}
