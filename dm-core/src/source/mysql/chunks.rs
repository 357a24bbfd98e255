//! Cutting a table in chunks.
//!
//! Borders are hints: the ranges between them hold every row whatever the borders are (see
//! [`super::key`]), so they may come from estimates and from another moment than the rows.

use std::collections::VecDeque;

use super::key::{Border, ChunkKey};
use crate::error::Result;
use crate::mysql::{Connection, named_cell, opt_cell};
use crate::source::{Chunk, TableCopy};
use crate::sql::quote_table;

/// More borders than this are never looked for; a table of 10^10 rows has fewer.
const MAX_BORDERS: usize = 200_000;

/// The chunks of a table, each of about `rows` rows.
pub(super) fn plan(conn: &mut Connection, table: &TableCopy, rows: u64) -> Result<Vec<Chunk>> {
    let rows = rows.max(1);
    let key = ChunkKey::choose(&table.info.schema);
    let (ranges, whole) = match &key {
        None => (vec![String::new()], true),
        Some(key) => {
            let counted = match key.is_integer() {
                true => integer_borders(conn, table, key, rows)?,
                false => None,
            };
            let borders = match counted {
                Some(borders) => borders,
                None => probed_borders(conn, table, key, rows, "")?,
            };
            let whole = borders.is_empty();
            (key.ranges(&borders), whole)
        }
    };
    let estimate = if whole { table.rows } else { rows };
    let number = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
    Ok(ranges
        .into_iter()
        .enumerate()
        .map(|(i, range)| Chunk { id: number(i), range, rows: estimate })
        .collect())
}

/// Pieces of a chunk, each of about as many rows; the chunk itself when its rows have one key value.
pub(super) fn cut(
    conn: &mut Connection,
    table: &TableCopy,
    chunk: &Chunk,
    pieces: u32,
) -> Result<Vec<Chunk>> {
    let Some(key) = ChunkKey::choose(&table.info.schema) else { return Ok(vec![chunk.clone()]) };
    let filter = match chunk.range.as_str() {
        "" => String::new(),
        range => format!(" WHERE {range}"),
    };
    let count =
        conn.scalar(&format!("SELECT COUNT(*) FROM {}{filter}", quote_table(&table.info.name)))?;
    let count: u64 = count.and_then(|text| text.parse().ok()).unwrap_or(0);
    let rows = count.div_ceil(u64::from(pieces.max(1))).max(1);
    let borders = probed_borders(conn, table, &key, rows, &chunk.range)?;
    let ranges = key.ranges(&borders);
    Ok(ranges
        .into_iter()
        .zip(0..)
        .map(|(range, id)| Chunk { id, range: both(&chunk.range, &range), rows })
        .collect())
}

/// Both of two conditions, of which each may be empty.
fn both(left: &str, right: &str) -> String {
    match (left, right) {
        ("", one) | (one, "") => one.to_owned(),
        _ => format!("({left}) AND ({right})"),
    }
}

/// Borders at equal distances where the numbers are dense, by the server's row estimates where
/// they are not; `None` when its estimates are of no use.
fn integer_borders(
    conn: &mut Connection,
    table: &TableCopy,
    key: &ChunkKey,
    rows: u64,
) -> Result<Option<Vec<Border>>> {
    let from = quote_table(&table.info.name);
    let column = key.order();
    let row = conn.row(&format!("SELECT MIN({column}), MAX({column}) FROM {from}"))?;
    let number = |i| opt_cell(&row, i).and_then(|t| t.parse::<i128>().ok());
    let (Some(low), Some(high)) = (number(0), number(1)) else { return Ok(Some(Vec::new())) };
    let span = high - low + 1;
    let wanted = i128::from(rows);
    if span <= wanted {
        return Ok(Some(Vec::new()));
    }
    let known = i128::from(table.rows.max(1));
    let borders = if span <= known.saturating_mul(2) {
        even_borders(low, high, (wanted * span / known).max(1))
    } else {
        let all = estimated_rows(conn, table, key, low, high + 1)?;
        let useless = all.saturating_mul(4) < known
            || (all <= wanted && probe(conn, table, key, "", rows.saturating_mul(2))?.is_some());
        if useless {
            return Ok(None);
        }
        let estimate = |low, high| estimated_rows(conn, table, key, low, high);
        estimated_borders(low, high, wanted, estimate)?
    };
    Ok(Some(borders.into_iter().map(|b| vec![b.to_string()]).collect()))
}

/// The server's estimate of the rows from `low` to before `high`.
fn estimated_rows(
    conn: &mut Connection,
    table: &TableCopy,
    key: &ChunkKey,
    low: i128,
    high: i128,
) -> Result<i128> {
    let row = conn.row(&format!(
        "EXPLAIN FORMAT=TRADITIONAL SELECT {column} FROM {} {} WHERE {column} BETWEEN {low} AND {}",
        quote_table(&table.info.name),
        key.soft_hint(),
        high - 1,
        column = key.order(),
    ))?;
    Ok(named_cell(&row, "rows").and_then(|t| t.parse().ok()).unwrap_or(0))
}

fn even_borders(low: i128, high: i128, step: i128) -> Vec<i128> {
    let mut borders = Vec::new();
    let mut at = low + step;
    while at <= high && borders.len() < MAX_BORDERS {
        borders.push(at);
        at += step;
    }
    borders
}

/// Halves ranges until each is estimated to hold no more than wanted, then joins neighbours that
/// are small together.
fn estimated_borders(
    low: i128,
    high: i128,
    wanted: i128,
    mut estimate: impl FnMut(i128, i128) -> Result<i128>,
) -> Result<Vec<i128>> {
    let mut open = VecDeque::from([(low, high + 1)]);
    let mut pieces = Vec::new();
    while let Some((from, to)) = open.pop_front() {
        let rows = estimate(from, to)?;
        if rows > wanted && to - from > wanted && pieces.len() + open.len() < MAX_BORDERS {
            let middle = from + (to - from) / 2;
            open.push_front((middle, to));
            open.push_front((from, middle));
        } else {
            pieces.push((from, rows));
        }
    }
    let mut borders = Vec::new();
    let mut filled = 0;
    for (from, rows) in pieces {
        if filled > 0 && filled + rows > wanted {
            borders.push(from);
            filled = 0;
        }
        filled += rows;
    }
    Ok(borders)
}

/// Borders by walking the key, `rows` entries at a time, among the rows within a condition.
fn probed_borders(
    conn: &mut Connection,
    table: &TableCopy,
    key: &ChunkKey,
    rows: u64,
    within: &str,
) -> Result<Vec<Border>> {
    let mut borders: Vec<Border> = Vec::new();
    while borders.len() < MAX_BORDERS {
        let last = borders.last();
        let condition = last.map_or_else(|| key.present(), |b| key.from(b));
        let condition = both(within, &condition);
        let mut next = probe(conn, table, key, &condition, rows)?;
        if next.is_some() && next.as_ref() == last {
            // More than `rows` rows share this border: go on behind all of them.
            let condition = last.map(|b| key.behind(b)).unwrap_or_default();
            let condition = both(within, &condition);
            next = probe(conn, table, key, &condition, 0)?;
        }
        match next {
            Some(border) => borders.push(border),
            None => break,
        }
    }
    Ok(borders)
}

fn probe(
    conn: &mut Connection,
    table: &TableCopy,
    key: &ChunkKey,
    condition: &str,
    offset: u64,
) -> Result<Option<Border>> {
    let filter = if condition.is_empty() { String::new() } else { format!("WHERE {condition} ") };
    let fetched = if condition.is_empty() { key.fetch() } else { key.fetch_within() };
    let sql = format!(
        "SELECT {fetched} FROM {} {} {filter}ORDER BY {} LIMIT 1 OFFSET {offset}",
        quote_table(&table.info.name),
        key.hint(),
        key.order(),
    );
    let rows = conn.rows(&sql)?;
    Ok(rows.first().and_then(|row| {
        let values: Vec<_> = (0..row.len()).map(|i| opt_cell(row, i)).collect();
        key.border(&values)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Counts rows as a server with exact estimates would.
    fn count(ids: &[i128], from: i128, to: i128) -> i128 {
        ids.iter().filter(|id| (from..to).contains(*id)).count() as i128
    }

    proptest! {
        #[test]
        fn estimated_pieces_are_small_where_they_can_be(
            mut ids in prop::collection::vec(any::<i64>(), 1..300), wanted in 1_i128..50
        ) {
            let mut ids: Vec<i128> = ids.drain(..).map(i128::from).collect();
            ids.sort_unstable();
            ids.dedup();
            let (low, high) = (ids[0], ids[ids.len() - 1]);
            let borders =
                estimated_borders(low, high, wanted, |a, b| Ok(count(&ids, a, b))).unwrap();
            prop_assert!(borders.is_sorted());
            let mut from = low;
            for to in borders.iter().copied().chain([high + 1]) {
                prop_assert!(count(&ids, from, to) <= wanted);
                from = to;
            }
        }
    }

    #[test]
    fn even_steps() {
        assert_eq!(even_borders(1, 10, 4), [5, 9]);
        assert_eq!(even_borders(1, 4, 4), Vec::<i128>::new());
    }
}
