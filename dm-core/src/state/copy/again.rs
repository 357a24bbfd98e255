//! Tables that begin anew while their copy is under way, or read on from a later snapshot.
//!
//! Each becomes its next generation: chunks of the one before, which may still arrive, count for nothing.
use dm_filter::TableName;
use rusqlite::{Connection, Transaction};

use super::{insert_table, table_id};
use crate::error::Result;
use crate::event::LaneId;
use crate::position::Position;
use crate::schema::TableCopy;
use crate::state::StateStore;
use crate::state::db::{Inner, int, lane_id, misuse, optional, to_json, uint};

impl StateStore {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::SourceId;
    use crate::state::CopyBegin;

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
