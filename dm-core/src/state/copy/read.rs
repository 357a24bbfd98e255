//! What is known of a copy: where it stands, its tables and chunks, and what its rows contain.
use std::collections::HashMap;
use std::sync::Arc;

use dm_filter::TableName;
use rusqlite::{Connection, Row};

use super::table_id;
use crate::event::{LaneId, SourceId};
use crate::position::Position;
use crate::schema::{Chunk, SchemaCopy, TableCopy, TableInfo};
use crate::state::copy_model::{ChunkState, Contained, CopyState, CopyTable, CopyTotals};
use crate::state::db::{Inner, find_lane, optional, position, position_or_none, structure, uint};
pub(in crate::state) fn copy(conn: &Connection, lane: &LaneId) -> Inner<Option<CopyState>> {
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

pub(in crate::state) fn totals(conn: &Connection, lane: &LaneId) -> Inner<Option<CopyTotals>> {
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

pub(in crate::state) fn chunks(
    conn: &Connection,
    lane: &LaneId,
    name: &TableName,
) -> Inner<Vec<ChunkState>> {
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

pub(in crate::state) fn contained(conn: &Connection, source: &SourceId) -> Inner<Vec<Contained>> {
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
