//! Progress of the full copy.
//!
//! A chunk is written to the target together with its mark, then noted here; between the two the
//! process may die. A restart therefore asks the sink for the chunks it has
//! ([`crate::sink::Sink::loaded_chunks`]) and notes those before it reads what is still open.
//! Chunks of an earlier generation of a table count for nothing.

use std::collections::HashMap;
use std::sync::Arc;

use dm_filter::TableName;
use rusqlite::{Connection, Row, Transaction};

use super::StateStore;
use super::copy_model::{
    ChunkDone, ChunkState, Contained, CopyBegin, CopyState, CopyTable, CopyTotals,
};
use super::db::{
    Inner, find_lane, int, lane_id, misuse, now, optional, position, position_or_none, structure,
    to_json, uint,
};
use crate::error::Result;
use crate::event::{LaneId, SourceId};
use crate::position::Position;
use crate::schema::{Chunk, SchemaCopy, TableCopy, TableInfo};

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

    /// Starts a table of the copy anew, as its next generation, with a structure and a snapshot
    /// of its own; forgets its chunks. Returns the new generation. The caller has emptied the
    /// table at the target, or does so before it writes the first chunk of the new generation.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` for a table that the copy does not have.
    pub fn restart_table(
        &self,
        lane: &LaneId,
        table: &TableCopy,
        position: &Position,
        contained_upto: Option<&Position>,
    ) -> Result<u32> {
        self.db.write(|tx| {
            let lane = lane_id(tx, lane)?;
            let upto = contained_upto.map(Position::to_text);
            restart(tx, lane, table, &position.to_text(), upto.as_deref())
        })
    }

    /// The same for tables that belong together: all of them, or none. Tables that the copy did not have
    /// when it began are added; of a table without columns nothing is to be copied. Returns their
    /// generations.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` when the lane has no copy.
    pub fn restart_tables(
        &self,
        lane: &LaneId,
        tables: &[TableCopy],
        position: &Position,
        contained_upto: Option<&Position>,
    ) -> Result<Vec<u32>> {
        self.db.write(|tx| {
            let lane = copy_id(tx, lane)?;
            let (from, upto) = (position.to_text(), contained_upto.map(Position::to_text));
            let again = |table: &TableCopy| {
                let generation = if is_in_copy(tx, lane, &table.info.name)? {
                    restart(tx, lane, table, &from, upto.as_deref())?
                } else {
                    insert_table(tx, lane, next_place(tx, lane)?, table, &from, upto.as_deref())?;
                    1
                };
                if table.info.schema.columns.is_empty() {
                    let (id, _) = table_id(tx, lane, &table.info.name, "generation")?;
                    tx.execute("UPDATE copy_table SET planned = 1 WHERE id = ?1", [id])?;
                }
                Ok(generation)
            };
            tables.iter().map(again).collect()
        })
    }

    /// Notes that the rest of some tables is read from a later snapshot: their rows may contain
    /// changes up to `contained_upto`, or up to the end of the copy when that is `None`.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` for a table that the copy does not have.
    pub fn widen_tables(
        &self,
        lane: &LaneId,
        tables: &[TableName],
        contained_upto: Option<&Position>,
    ) -> Result<()> {
        self.db.write(|tx| {
            let lane = lane_id(tx, lane)?;
            let upto = contained_upto.map(Position::to_text);
            for name in tables {
                let (id, _) = table_id(tx, lane, name, "generation")?;
                tx.prepare_cached("UPDATE copy_table SET contained_upto = ?2 WHERE id = ?1")?
                    .execute((id, &upto))?;
            }
            Ok(())
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

/// The lane's number, where it has a copy.
fn copy_id(conn: &Transaction<'_>, lane: &LaneId) -> Inner<i64> {
    let id = lane_id(conn, lane)?;
    match optional::<i64>(conn, "SELECT 1 FROM copy WHERE lane = ?1", [id])? {
        Some(_) => Ok(id),
        None => Err(misuse(format!("there is no copy {lane}"))),
    }
}

fn is_in_copy(conn: &Connection, lane: i64, name: &TableName) -> Inner<bool> {
    let found = conn
        .prepare_cached("SELECT 1 FROM copy_table WHERE lane = ?1 AND schema = ?2 AND name = ?3")?
        .exists((lane, &name.schema, &name.table))?;
    Ok(found)
}

fn restart(
    tx: &Transaction<'_>,
    lane: i64,
    table: &TableCopy,
    from: &str,
    upto: Option<&str>,
) -> Inner<u32> {
    let (id, _) = table_id(tx, lane, &table.info.name, "generation")?;
    tx.execute("DELETE FROM chunk WHERE copy_table = ?1", [id])?;
    let generation = tx.query_row(
        "UPDATE copy_table SET create_sql = ?2, structure = ?3, rows = ?4, bytes = ?5,
             position = ?6, contained_upto = ?7, generation = generation + 1, planned = 0,
             chunks = 0, chunks_done = 0, rows_done = 0, bytes_done = 0
         WHERE id = ?1 RETURNING generation",
        (
            id,
            &*table.info.create_sql,
            to_json(&*table.info.schema)?,
            int(table.rows),
            int(table.bytes),
            from,
            upto,
        ),
        |row| row.get(0),
    )?;
    // A copy that is open again has no end yet.
    tx.execute("UPDATE copy SET finished = NULL WHERE lane = ?1", [lane])?;
    Ok(generation)
}

/// The place behind all tables of a copy.
fn next_place(tx: &Transaction<'_>, lane: i64) -> Inner<u64> {
    let next: i64 = tx.query_row(
        "SELECT coalesce(max(ord), -1) + 1 FROM copy_table WHERE lane = ?1",
        [lane],
        |row| row.get(0),
    )?;
    Ok(uint(next))
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

pub(super) fn copy(conn: &Connection, lane: &LaneId) -> Inner<Option<CopyState>> {
    let Some(id) = find_lane(conn, lane)? else { return Ok(None) };
    let mut statement = conn.prepare_cached(
        "SELECT position, contained_upto, means, started, finished FROM copy WHERE lane = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(CopyState {
        position: position(&row.get::<_, String>(0)?)?,
        contained_upto: position_or_none(row.get(1)?)?,
        means: row.get(2)?,
        started: row.get(3)?,
        finished: row.get(4)?,
        schemas: schemas(conn, id)?,
        tables: tables(conn, id)?,
    }))
}

pub(super) fn totals(conn: &Connection, lane: &LaneId) -> Inner<Option<CopyTotals>> {
    let Some(id) = find_lane(conn, lane)? else { return Ok(None) };
    if optional::<i64>(conn, "SELECT 1 FROM copy WHERE lane = ?1", [id])?.is_none() {
        return Ok(None);
    }
    let sql = "SELECT count(*), coalesce(sum(planned AND chunks = chunks_done), 0),
                   coalesce(sum(rows), 0), coalesce(sum(bytes), 0),
                   coalesce(sum(rows_done), 0), coalesce(sum(bytes_done), 0)
               FROM copy_table WHERE lane = ?1";
    let all: [i64; 6] = conn.query_row(sql, [id], |row| {
        Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?])
    })?;
    let [tables, tables_done, rows, bytes, rows_done, bytes_done] = all.map(uint);
    Ok(Some(CopyTotals { tables, tables_done, rows, bytes, rows_done, bytes_done }))
}

fn schemas(conn: &Connection, lane: i64) -> Inner<Vec<SchemaCopy>> {
    let mut statement = conn.prepare_cached(
        "SELECT name, charset, collation FROM copy_schema WHERE lane = ?1 ORDER BY ord",
    )?;
    let rows = statement.query_map([lane], |row| {
        Ok(SchemaCopy { name: row.get(0)?, charset: row.get(1)?, collation: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn tables(conn: &Connection, lane: i64) -> Inner<Vec<CopyTable>> {
    let mut statement = conn.prepare_cached(
        "SELECT schema, name, create_sql, structure, rows, bytes, generation, position,
             contained_upto, planned, chunks, chunks_done, rows_done, bytes_done
         FROM copy_table WHERE lane = ?1 ORDER BY ord",
    )?;
    let mut rows = statement.query([lane])?;
    let mut tables = Vec::new();
    while let Some(row) = rows.next()? {
        tables.push(table(row)?);
    }
    Ok(tables)
}

fn table(row: &Row<'_>) -> Inner<CopyTable> {
    let info = TableInfo {
        name: TableName::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?),
        create_sql: row.get::<_, String>(2)?.into(),
        schema: structure(&row.get::<_, String>(3)?)?,
    };
    Ok(CopyTable {
        copy: TableCopy { info, rows: uint(row.get(4)?), bytes: uint(row.get(5)?) },
        generation: row.get(6)?,
        position: position(&row.get::<_, String>(7)?)?,
        contained_upto: position_or_none(row.get(8)?)?,
        planned: row.get(9)?,
        chunks: uint(row.get(10)?),
        chunks_done: uint(row.get(11)?),
        rows_done: uint(row.get(12)?),
        bytes_done: uint(row.get(13)?),
    })
}

pub(super) fn chunks(conn: &Connection, lane: &LaneId, name: &TableName) -> Inner<Vec<ChunkState>> {
    let Some(lane) = find_lane(conn, lane)? else { return Ok(Vec::new()) };
    let (table, _) = table_id(conn, lane, name, "generation")?;
    let mut statement = conn.prepare_cached(
        "SELECT id, range, rows, done FROM chunk WHERE copy_table = ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([table], |row| {
        let chunk = Chunk { id: row.get(0)?, range: row.get(1)?, rows: uint(row.get(2)?) };
        Ok(ChunkState { chunk, done: row.get(3)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn contained(conn: &Connection, source: &SourceId) -> Inner<Vec<Contained>> {
    let mut statement = conn
        .prepare_cached("SELECT schema, name, from_pos, upto FROM contained WHERE source = ?1")?;
    let mut rows = statement.query([source.as_str()])?;
    let mut all = Vec::new();
    // Of thousands of tables nearly all have the same two.
    let mut known: HashMap<String, Arc<Position>> = HashMap::new();
    let mut shared = |text: String| -> Inner<Arc<Position>> {
        if let Some(position) = known.get(&text) {
            return Ok(Arc::clone(position));
        }
        let position = Arc::new(position(&text)?);
        known.insert(text, Arc::clone(&position));
        Ok(position)
    };
    while let Some(row) = rows.next()? {
        all.push(Contained {
            table: TableName::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?),
            from: shared(row.get(2)?)?,
            upto: shared(row.get(3)?)?,
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of the copy without columns, or with one.
    fn table(name: &str, columns: bool) -> TableCopy {
        let mut table = TableCopy::nothing(TableName::new("db", name));
        if columns {
            let int = crate::schema::ColumnType::new(crate::ddl::TypeKind::Int);
            let columns = vec![crate::schema::Column::new("a", int)].into();
            table.info.schema =
                Arc::new(crate::schema::TableSchema { columns, ..Default::default() });
        }
        table
    }

    fn at(offset: u64) -> Position {
        Position::at(crate::position::BinlogPos::new("b.000001".parse().unwrap(), offset))
    }

    #[test]
    fn tables_that_belong_together_are_begun_anew_together() {
        let store = StateStore::in_memory("t").unwrap();
        let lane = LaneId::copy(&SourceId::new("s"));
        let gone = [table("old", false), table("new", true)];
        let refused = store.restart_tables(&lane, &gone, &at(9), None);
        assert!(refused.is_err(), "there is no copy yet");

        let begin = CopyBegin {
            position: &at(4),
            contained_upto: Some(&at(4)),
            means: "test",
            schemas: &[],
            tables: &[table("old", true), table("other", true)],
        };
        store.begin_copy(&lane, &begin).unwrap();
        let generations = store.restart_tables(&lane, &gone, &at(9), Some(&at(9))).unwrap();
        assert_eq!(generations, [2, 1], "one that is known, and one that is new");
        let copy = store.reader().copy(&lane).unwrap().unwrap();
        let told = |name: &str| {
            let table = copy.tables.iter().find(|t| t.copy.info.name.table == name).unwrap();
            (table.position.clone(), table.is_finished())
        };
        assert_eq!(told("old"), (at(9), true), "of nothing nothing is to be copied");
        assert_eq!(told("new"), (at(9), false));
        assert_eq!(told("other"), (at(4), false));
    }
}
