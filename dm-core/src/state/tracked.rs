//! Structures that an operator gives to a task that does not run.

use dm_filter::TableName;
use rusqlite::Transaction;

use super::db::{Inner, int, lane_id, optional, position_or_none, to_json};
use super::stream_model::TrackedTable;
use super::{StateStore, older};
use crate::error::Result;
use crate::event::LaneId;

impl StateStore {
    /// Gives tables of lanes a structure, in place of what was tracked. The version is chosen anew, and it holds
    /// from where its lane stands.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn set_tracked(&self, tables: &[(LaneId, TrackedTable)]) -> Result<()> {
        self.db.write(|tx| {
            for (lane, table) in tables {
                let lane = lane_id(tx, lane)?;
                older::replaced(tx, lane, &table.name)?;
                let sql = "SELECT coalesce(max(version), 0) FROM tracked_table WHERE lane = ?1";
                let version: i64 = optional(tx, sql, [lane])?.unwrap_or(0);
                let since = stands(tx, lane)?;
                tx.execute(
                    "INSERT OR REPLACE INTO tracked_table
                         (lane, schema, name, structure, version, assumed, since)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    (
                        lane,
                        &table.name.schema,
                        &table.name.table,
                        to_json(&*table.schema)?,
                        version.max(int(table.version)).saturating_add(1),
                        table.assumed,
                        since,
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

/// Where a lane stands, for people.
fn stands(tx: &Transaction<'_>, lane: i64) -> Inner<Option<String>> {
    let sql = "SELECT position FROM lane WHERE id = ?1";
    let position = position_or_none(optional::<Option<String>>(tx, sql, [lane])?.flatten())?;
    Ok(position.and_then(|p| p.binlog).map(|at| at.to_colon_text()))
}

fn remove(tx: &Transaction<'_>, lane: &LaneId, table: &TableName) -> Inner<bool> {
    let lane = lane_id(tx, lane)?;
    older::replaced(tx, lane, table)?;
    let sql = "DELETE FROM tracked_table WHERE lane = ?1 AND schema = ?2 AND name = ?3";
    Ok(tx.execute(sql, (lane, &table.schema, &table.table))? > 0)
}
