//! Structures that an operator gives to a task that does not run.

use dm_filter::TableName;
use rusqlite::Transaction;

use super::StateStore;
use super::db::{Inner, int, lane_id, optional, to_json};
use super::stream_model::TrackedTable;
use crate::error::Result;
use crate::event::LaneId;

impl StateStore {
    /// Gives tables of lanes a structure, in place of what was tracked. The version is chosen anew.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn set_tracked(&self, tables: &[(LaneId, TrackedTable)]) -> Result<()> {
        self.db.write(|tx| {
            for (lane, table) in tables {
                let lane = lane_id(tx, lane)?;
                let sql = "SELECT coalesce(max(version), 0) FROM tracked_table WHERE lane = ?1";
                let version: i64 = optional(tx, sql, [lane])?.unwrap_or(0);
                tx.execute(
                    "INSERT OR REPLACE INTO tracked_table (lane, schema, name, structure, version, assumed)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    (
                        lane,
                        &table.name.schema,
                        &table.name.table,
                        to_json(&*table.schema)?,
                        version.max(int(table.version)).saturating_add(1),
                        table.assumed,
                    ),
                )?;
            }
            Ok(())
        })
    }

    /// Forgets a table's structure in these lanes; for each whether it had one.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn remove_tracked(&self, lanes: &[LaneId], table: &TableName) -> Result<Vec<bool>> {
        self.db.write(|tx| lanes.iter().map(|lane| remove(tx, lane, table)).collect())
    }
}

fn remove(tx: &Transaction<'_>, lane: &LaneId, table: &TableName) -> Inner<bool> {
    let lane = lane_id(tx, lane)?;
    let sql = "DELETE FROM tracked_table WHERE lane = ?1 AND schema = ?2 AND name = ?3";
    Ok(tx.execute(sql, (lane, &table.schema, &table.table))? > 0)
}
