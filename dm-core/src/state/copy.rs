//! Progress of the full copy.
//!
//! A chunk is written to the target together with its mark, then noted here; between the two the
//! process may die. A restart therefore asks the sink for the chunks it has
//! ([`crate::sink::Sink::loaded_chunks`]) and notes those before it reads what is still open.
//! Chunks of an earlier generation of a table count for nothing.

mod again;
mod read;

use dm_filter::TableName;
use rusqlite::{Connection, Transaction};

pub(super) use self::read::{chunks, contained, copy, totals};
use super::StateStore;
use super::copy_model::{ChunkDone, CopyBegin};
use super::db::{Inner, int, lane_id, misuse, now, optional, to_json};
use crate::error::Result;
use crate::event::LaneId;
use crate::position::Position;
use crate::schema::{Chunk, TableCopy};

impl StateStore {
    /// Writes down a copy before its first row is read: position, schemas, tables of generation 1.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` when the lane has a copy already; else as all writes.
    pub fn begin_copy(&self, lane: &LaneId, copy: &CopyBegin<'_>) -> Result<()> {
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            if optional::<i64>(tx, "SELECT 1 FROM copy WHERE lane = ?1", [id])?.is_some() {
                return Err(misuse(format!("the copy {lane} has begun already")));
            }
            let upto = copy.contained_upto.map(Position::to_text);
            tx.execute(
                "INSERT INTO copy (lane, position, contained_upto, means, started)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                (id, copy.position.to_text(), &upto, copy.means, now()),
            )?;
            for (ord, schema) in copy.schemas.iter().enumerate() {
                tx.prepare_cached(
                    "INSERT INTO copy_schema (lane, ord, name, charset, collation)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute((
                    id,
                    int(ord as u64),
                    &schema.name,
                    &schema.charset,
                    &schema.collation,
                ))?;
            }
            let from = copy.position.to_text();
            for (ord, table) in copy.tables.iter().enumerate() {
                insert_table(tx, id, ord as u64, table, &from, upto.as_deref())?;
            }
            Ok(())
        })
    }

    /// Writes down the chunks of tables, all in one transaction: give many small tables at once.
    /// A table of no chunks is finished. Planning a table again replaces a plan of which nothing
    /// is done.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` for a table that the copy does not have, or of which chunks are done.
    pub fn plan_chunks(&self, lane: &LaneId, plans: &[(TableName, Vec<Chunk>)]) -> Result<()> {
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            for (name, chunks) in plans {
                let (table, done) = table_id(tx, id, name, "chunks_done")?;
                if done > 0 {
                    return Err(misuse(format!("chunks of {name} are done already")));
                }
                tx.prepare_cached("DELETE FROM chunk WHERE copy_table = ?1")?.execute([table])?;
                let mut insert = tx.prepare_cached(
                    "INSERT INTO chunk (copy_table, id, range, rows) VALUES (?1, ?2, ?3, ?4)",
                )?;
                for chunk in chunks {
                    insert.execute((table, chunk.id, &chunk.range, int(chunk.rows)))?;
                }
                tx.prepare_cached("UPDATE copy_table SET planned = 1, chunks = ?2 WHERE id = ?1")?
                    .execute((table, int(chunks.len() as u64)))?;
            }
            Ok(())
        })
    }

    /// Notes chunks that have arrived at the target, all in one transaction. Chunks that are noted
    /// already and those of another generation change nothing. Returns the tables that these
    /// chunks finished.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` for a table that the copy does not have.
    pub fn chunks_done(&self, lane: &LaneId, done: &[ChunkDone]) -> Result<Vec<TableName>> {
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            let mut finished = Vec::new();
            for chunk in done {
                let (table, generation) = table_id(tx, id, &chunk.table, "generation")?;
                if generation != i64::from(chunk.generation) {
                    continue;
                }
                let changed = tx
                    .prepare_cached(
                        "UPDATE chunk SET done = 1 WHERE copy_table = ?1 AND id = ?2 AND done = 0",
                    )?
                    .execute((table, chunk.chunk))?;
                if changed == 0 {
                    continue;
                }
                let whole: bool = tx
                    .prepare_cached(
                        "UPDATE copy_table SET chunks_done = chunks_done + 1,
                             rows_done = rows_done + ?2, bytes_done = bytes_done + ?3
                         WHERE id = ?1 RETURNING planned AND chunks = chunks_done",
                    )?
                    .query_row((table, int(chunk.rows), int(chunk.bytes)), |row| row.get(0))?;
                if whole {
                    finished.push(chunk.table.clone());
                }
            }
            Ok(finished)
        })
    }

    /// Puts pieces in the place of a chunk that is not done, under numbers that the table has not
    /// had; the pieces with these.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` for a chunk that the table does not have, or that is done.
    pub fn replace_chunk(
        &self,
        lane: &LaneId,
        name: &TableName,
        chunk: u32,
        pieces: &[Chunk],
    ) -> Result<Vec<Chunk>> {
        self.db.write(|tx| {
            let lane = lane_id(tx, lane)?;
            let (table, _) = table_id(tx, lane, name, "generation")?;
            let last: u32 = tx.query_row(
                "SELECT coalesce(max(id), 0) FROM chunk WHERE copy_table = ?1",
                [table],
                |row| row.get(0),
            )?;
            let gone = tx.execute(
                "DELETE FROM chunk WHERE copy_table = ?1 AND id = ?2 AND done = 0",
                (table, chunk),
            )?;
            if gone == 0 {
                return Err(misuse(format!("{name} has no open chunk {chunk}")));
            }
            let mut numbered = Vec::with_capacity(pieces.len());
            for (piece, id) in pieces.iter().zip(last.saturating_add(1)..) {
                tx.execute(
                    "INSERT INTO chunk (copy_table, id, range, rows) VALUES (?1, ?2, ?3, ?4)",
                    (table, id, &piece.range, int(piece.rows)),
                )?;
                numbered.push(Chunk { id, ..piece.clone() });
            }
            tx.execute(
                "UPDATE copy_table SET chunks = chunks + ?2 WHERE id = ?1",
                (table, int(numbered.len() as u64) - 1),
            )?;
            Ok(numbered)
        })
    }

    /// Ends a copy: `contained_upto` holds for all tables for which nothing earlier is known, and
    /// what each table contains is kept for the stream until it has passed
    /// ([`super::LaneChanges::passed`]). The single chunks are forgotten.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` when a table is not finished or the lane has no copy.
    pub fn finish_copy(&self, lane: &LaneId, contained_upto: &Position) -> Result<()> {
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            let open = "SELECT schema || '.' || name FROM copy_table
                        WHERE lane = ?1 AND (NOT planned OR chunks > chunks_done) LIMIT 1";
            if let Some(table) = optional::<String>(tx, open, [id])? {
                return Err(misuse(format!("table {table} of the copy {lane} is not finished")));
            }
            let upto = contained_upto.to_text();
            let ended = tx.execute(
                "UPDATE copy SET finished = ?2, contained_upto = coalesce(contained_upto, ?3)
                 WHERE lane = ?1",
                (id, now(), &upto),
            )?;
            if ended == 0 {
                return Err(misuse(format!("there is no copy {lane}")));
            }
            tx.execute(
                "UPDATE copy_table SET contained_upto = ?2
                 WHERE lane = ?1 AND contained_upto IS NULL",
                (id, &upto),
            )?;
            tx.execute(
                "INSERT OR REPLACE INTO contained (source, schema, name, from_pos, upto)
                 SELECT ?2, schema, name, position, contained_upto FROM copy_table
                 WHERE lane = ?1",
                (id, lane.source.as_str()),
            )?;
            tx.execute(
                "DELETE FROM chunk
                 WHERE copy_table IN (SELECT id FROM copy_table WHERE lane = ?1)",
                [id],
            )?;
            Ok(())
        })
    }
}

fn insert_table(
    tx: &Transaction<'_>,
    lane: i64,
    ord: u64,
    table: &TableCopy,
    from: &str,
    upto: Option<&str>,
) -> Inner<()> {
    let info = &table.info;
    tx.prepare_cached(
        "INSERT INTO copy_table
             (lane, ord, schema, name, create_sql, structure, rows, bytes, position, contained_upto)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute((
        lane,
        int(ord),
        &info.name.schema,
        &info.name.table,
        &*info.create_sql,
        to_json(&*info.schema)?,
        int(table.rows),
        int(table.bytes),
        from,
        upto,
    ))?;
    Ok(())
}

/// A table of a copy, and one of its numbers (`column` is a word of this file).
fn table_id(conn: &Connection, lane: i64, name: &TableName, column: &str) -> Inner<(i64, i64)> {
    let sql = format!(
        "SELECT id, {column} FROM copy_table WHERE lane = ?1 AND schema = ?2 AND name = ?3"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query((lane, &name.schema, &name.table))?;
    match rows.next()? {
        Some(row) => Ok((row.get(0)?, row.get(1)?)),
        None => Err(misuse(format!("the copy has no table {name}"))),
    }
}
