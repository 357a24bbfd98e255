//! Chunks of the copy, inside of an open transaction.

use rusqlite::{CachedStatement, Connection, params_from_iter};

use crate::error::{Error, Result, codes};
use crate::event::CopyBlock;
use crate::sink::{LoadStats, LoadTarget, OnDuplicate};

use super::cell::{Cell, of_copy, of_extra};
use super::compile::Compiled;
use super::store::{failed, is_duplicate};

/// The names of the columns that rows of a block become.
pub fn column_names<'a>(target: &'a LoadTarget, block: &'a CopyBlock) -> Vec<&'a str> {
    let carried = block.columns().iter().map(|c| c.name.as_str());
    carried.chain(target.extra.iter().map(|(name, _)| name.as_str())).collect()
}

/// Writes a block's rows.
///
/// # Errors
///
/// When a row does not fit the table or its key is there already and duplicates are errors.
pub fn load_block(
    conn: &Connection,
    table: &Compiled,
    target: &LoadTarget,
    block: &CopyBlock,
    stats: &mut LoadStats,
) -> Result<()> {
    let fail =
        |e: rusqlite::Error| failed(&format!("a copied row of {} was refused", table.name), &e);
    let all: Vec<usize> = (0..table.places.len()).collect();
    let sql = match target.on_duplicate {
        OnDuplicate::Ignore => table.insert_or_nothing(&all),
        OnDuplicate::Error | OnDuplicate::Replace => table.insert_all.clone(),
    };
    let mut insert = conn.prepare_cached(&sql).map_err(fail)?;
    for row in 0..block.rows() {
        let cells = cells(table, target, block, row)?;
        match insert.execute(params_from_iter(&cells)) {
            Ok(0) => stats.duplicates += 1,
            Ok(_) => stats.rows += 1,
            Err(e) if is_duplicate(&e) && target.on_duplicate == OnDuplicate::Replace => {
                stats.duplicates += replace(conn, table, &mut insert, &cells).map_err(fail)?;
                stats.rows += 1;
            }
            Err(e) if is_duplicate(&e) => {
                return Err(fail(e).workaround(
                    "The row is there already: empty the target table, or set `on-duplicate-logical` \
                     to `replace` or `ignore` in the loaders section.",
                ));
            }
            Err(e) => return Err(fail(e)),
        }
    }
    stats.bytes += block.bytes() as u64;
    Ok(())
}

/// Removes the rows that hold a unique key of the new one, then inserts it; how many were removed.
fn replace(
    conn: &Connection,
    table: &Compiled,
    insert: &mut CachedStatement<'_>,
    cells: &[Cell<'_>],
) -> rusqlite::Result<u64> {
    let mut removed = 0;
    for key in &table.uniques {
        let values: Vec<&Cell<'_>> = key.iter().filter_map(|&i| cells.get(i)).collect();
        removed +=
            conn.prepare_cached(&table.evict(key, &[]))?.execute(params_from_iter(values))?;
    }
    insert.execute(params_from_iter(cells))?;
    Ok(removed as u64)
}

fn cells<'b>(
    table: &Compiled,
    target: &'b LoadTarget,
    block: &'b CopyBlock,
    row: usize,
) -> Result<Vec<Cell<'b>>> {
    let mut out = Vec::with_capacity(table.places.len());
    let mut places = table.places.iter().enumerate();
    let mut next = || {
        places.next().ok_or_else(|| {
            Error::new(
                &codes::TARGET_ROW,
                format!("a block for {} changed its columns", table.name),
            )
        })
    };
    for (i, (column, cell)) in block.row(row).enumerate() {
        let (at, place) = next()?;
        let cell = of_copy(&column.kind, cell, block.sql_text(row, i), place);
        out.push(cell.map_err(|why| table.misfit(at, why))?);
    }
    for (_, value) in &target.extra {
        let (at, place) = next()?;
        out.push(of_extra(value, place).map_err(|why| table.misfit(at, why))?);
    }
    Ok(out)
}
