//! What row changes mean to tables in memory.

use std::collections::BTreeMap;

use dm_filter::{Columns, Row, RowOp, TableName};

use super::cell::{of_cell, of_text, of_value};
use super::table::{Image, Table, Undo, refused};
use crate::error::Result;
use crate::event::{ApplyMode, CopyBlock, RowBlock};
use crate::schema::TableSchema;
use crate::sink::{ApplyStats, LoadStats, LoadTarget, OnDuplicate, RowCounts};

pub(super) type Tables = BTreeMap<TableName, Table>;

/// A transaction on tables: what it did, so that it can be taken back.
#[derive(Debug, Default)]
pub(super) struct Journal {
    changes: Vec<(TableName, Vec<Undo>)>,
}

impl Journal {
    pub fn roll_back(self, tables: &mut Tables) {
        for (name, changes) in self.changes.into_iter().rev() {
            if let Some(table) = tables.get_mut(&name) {
                changes.into_iter().rev().for_each(|change| table.undo(change));
            }
        }
    }
}

pub(super) fn table_mut<'a>(tables: &'a mut Tables, name: &TableName) -> Result<&'a mut Table> {
    tables.get_mut(name).ok_or_else(|| {
        refused(1146, format!("Table '{}.{}' doesn't exist", name.schema, name.table))
    })
}

/// Where the columns of a change are in the table.
fn column_map<'a>(
    schema: &TableSchema,
    names: impl Iterator<Item = &'a str>,
) -> Result<Vec<usize>> {
    names
        .map(|name| match schema.column(name) {
            Some((index, _)) => Ok(index),
            None => Err(refused(1054, format!("Unknown column '{name}' in 'field list'"))),
        })
        .collect()
}

fn image(schema: &TableSchema, map: &[usize], columns: &Columns, row: &Row<'_>) -> Image {
    let mut image: Image = vec![None; schema.columns.len()];
    for (i, &at) in map.iter().enumerate() {
        let (Some(slot), Some(column)) = (image.get_mut(at), schema.columns.get(at)) else {
            continue;
        };
        *slot = row.get(i).map(|value| of_value(value, columns.get(i), column));
    }
    image
}

/// Applies a block; what it did goes into the journal, also when it fails in its middle.
pub(super) fn apply(
    tables: &mut Tables,
    block: &RowBlock,
    journal: &mut Journal,
    stats: &mut ApplyStats,
) -> Result<()> {
    let plan = &block.plan;
    let table = table_mut(tables, &plan.target)?;
    table.sources.insert(plan.source.source.clone());
    let schema = std::sync::Arc::clone(&table.schema);
    let map = column_map(&schema, plan.columns.iter().map(|c| c.name.as_str()))?;
    let image = |row: &Row<'_>| image(&schema, &map, &plan.columns, row);
    let mut undo = Vec::new();
    let mut missing = 0;
    let mut counts = RowCounts::default();
    let done = block.each(&mut |op| {
        let found = match op {
            RowOp::Insert { after } => {
                insert(table, image(&after), block.mode, &mut undo, &mut counts)
            }
            RowOp::Update { before, after } => {
                let (before, after) = (image(&before), image(&after));
                update(table, &before, after, block.mode, &mut undo, &mut counts)
            }
            RowOp::Delete { before } => Ok(delete(table, &image(&before), &mut undo, &mut counts)),
        }?;
        missing += u64::from(!found && block.mode == ApplyMode::Exact);
        Ok(())
    });
    journal.changes.push((plan.target.clone(), undo));
    stats.did(&plan.target, counts);
    if missing > 0 {
        stats.add_missing(&plan.target, missing);
    }
    done
}

/// These three say whether the row was there that the change needs.
fn insert(
    table: &mut Table,
    image: Image,
    mode: ApplyMode,
    undo: &mut Vec<Undo>,
    counts: &mut RowCounts,
) -> Result<bool> {
    counts.inserted += 1;
    match mode {
        ApplyMode::Exact => table.insert(image, undo)?,
        ApplyMode::Idempotent => upsert(table, image, None, undo)?,
    }
    Ok(true)
}

fn update(
    table: &mut Table,
    before: &Image,
    after: Image,
    mode: ApplyMode,
    undo: &mut Vec<Undo>,
    counts: &mut RowCounts,
) -> Result<bool> {
    let found = table.find(before);
    match (found, mode) {
        (Some(id), ApplyMode::Exact) => table.update(id, after, undo)?,
        (None, ApplyMode::Exact) => return Ok(false),
        (found, ApplyMode::Idempotent) => upsert(table, after, found, undo)?,
    }
    counts.updated += 1;
    Ok(found.is_some())
}

fn delete(table: &mut Table, before: &Image, undo: &mut Vec<Undo>, counts: &mut RowCounts) -> bool {
    let Some(id) = table.find(before) else { return false };
    table.remove(id, undo);
    counts.deleted += 1;
    true
}

/// Makes a row what the image says, whether the change has been applied before or not. `before`
/// is the row as it was named before the change, if that is there.
///
/// A row that stands in the way by a unique key is a later state's row, which the stream brings
/// again; it gives way, but only when the table has one source: another source's row would never
/// be brought again.
fn upsert(
    table: &mut Table,
    image: Image,
    before: Option<u64>,
    undo: &mut Vec<Undo>,
) -> Result<()> {
    let partial = image.iter().any(Option::is_none);
    // After the change the row may be there under its new name, and a stale one under the old.
    let after = if table.has_identity() { table.find(&image).filter(|_| !partial) } else { before };
    let base = after.or(before);
    let row = match base {
        Some(id) => table.changed(id, image)?,
        None => table.complete(image)?,
    };
    if let (Some(old), Some(new)) = (before, after)
        && old != new
    {
        table.remove(old, undo);
    }
    for (id, key) in owned(table.conflicts(&row, base)) {
        if table.sources.len() > 1 {
            return Err(refused(1062, format!("Duplicate entry for key '{key}'")));
        }
        table.remove(id, undo);
    }
    let image = row.into_iter().map(Some).collect();
    match base {
        Some(id) => table.update(id, image, undo),
        None => table.insert(image, undo),
    }
}

fn owned(conflicts: Vec<(u64, &str)>) -> Vec<(u64, String)> {
    conflicts.into_iter().map(|(id, key)| (id, key.to_owned())).collect()
}

/// The rows of a copied block as images.
pub(super) fn images(
    schema: &TableSchema,
    block: &CopyBlock,
    extra: &[(String, String)],
) -> Result<Vec<Image>> {
    let copied = column_map(schema, block.columns().iter().map(|c| c.name.as_str()))?;
    let added = column_map(schema, extra.iter().map(|(name, _)| name.as_str()))?;
    let mut images = Vec::with_capacity(block.rows());
    for row in 0..block.rows() {
        let mut image: Image = vec![None; schema.columns.len()];
        let mut set = |at: usize, cell| {
            if let Some(slot) = image.get_mut(at) {
                *slot = Some(cell);
            }
        };
        for ((copy, cell), &at) in block.row(row).zip(&copied) {
            if let Some(column) = schema.columns.get(at) {
                set(at, of_cell(cell, &copy.kind, column));
            }
        }
        for ((_, text), &at) in extra.iter().zip(&added) {
            if let Some(column) = schema.columns.get(at) {
                set(at, of_text(text.clone(), column));
            }
        }
        images.push(image);
    }
    Ok(images)
}

/// Writes copied rows.
pub(super) fn load(
    tables: &mut Tables,
    target: &LoadTarget,
    rows: Vec<Image>,
    journal: &mut Journal,
) -> Result<LoadStats> {
    let table = table_mut(tables, &target.table)?;
    let mut undo = Vec::new();
    let mut stats = LoadStats::default();
    let write = || -> Result<()> {
        for image in rows {
            let row = table.complete(image)?;
            let there = table.conflicts(&row, None).into_iter().map(|(id, _)| id);
            let there: Vec<u64> = there.collect();
            stats.duplicates += u64::from(!there.is_empty());
            match target.on_duplicate {
                OnDuplicate::Ignore if !there.is_empty() => continue,
                OnDuplicate::Replace => there.iter().for_each(|id| table.remove(*id, &mut undo)),
                OnDuplicate::Ignore | OnDuplicate::Error => {}
            }
            table.insert(row.into_iter().map(Some).collect(), &mut undo)?;
            stats.rows += 1;
        }
        Ok(())
    };
    let done = write();
    journal.changes.push((target.table.clone(), undo));
    done.map(|()| stats)
}
