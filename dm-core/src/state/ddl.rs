//! Statements under way at the target.
//!
//! A statement commits at the target on its own, apart from marks and checkpoint. So before it
//! runs, the target's text of each table it touches is written down; when the process dies, the
//! next start compares: as before means it did not run, as expected afterwards means it did,
//! anything else is the operator's to decide. The record goes with the checkpoint behind the
//! statement ([`super::LaneChanges::finished_ddl`]).

use dm_filter::TableName;
use rusqlite::Connection;

use super::StateStore;
use super::db::{
    Durability, Inner, bad, find_lane, from_json, int, lane_id, now, position, to_json, uint,
};
use crate::error::Result;
use crate::event::LaneId;
use crate::position::{Flavor, Gtid, Position};

/// A statement that is about to run.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDdl {
    /// Its number in the lane.
    pub ordinal: u64,
    /// Its group's GTID, when it has one: after a failover it may have another number.
    pub gtid: Option<Gtid>,
    /// The position behind it.
    pub position: Position,
    /// Its text for the target.
    pub sql: String,
    /// The target tables that it touches, with the target's text of each before it runs; `None`
    /// for a table that does not exist.
    pub before: Vec<(TableName, Option<String>)>,
}

/// A statement of which it is not known whether it ran.
#[derive(Clone, Debug, PartialEq)]
pub struct DdlRecord {
    /// Its id in the state.
    pub id: i64,
    /// What was written down before it ran.
    pub ddl: NewDdl,
    /// When that was, seconds since the epoch.
    pub started: i64,
}

impl StateStore {
    /// Writes a statement down before it runs at the target; on disk when it returns, unless the target
    /// itself tells what has run: then it need only outlive the process.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn begin_ddl(&self, lane: &LaneId, ddl: &NewDdl, told_by_target: bool) -> Result<i64> {
        // JSON has no pairs with an optional end in an order that people read; a list has.
        let before: Vec<(&str, &str, Option<&str>)> = ddl
            .before
            .iter()
            .map(|(t, text)| (t.schema.as_str(), t.table.as_str(), text.as_deref()))
            .collect();
        let durability = if told_by_target { Durability::Lazy } else { Durability::Full };
        self.db.write_with(durability, |tx| {
            let lane = lane_id(tx, lane)?;
            tx.execute(
                "INSERT INTO ddl (lane, ordinal, position, sql, before, started, gtid)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (
                    lane,
                    int(ddl.ordinal),
                    ddl.position.to_text(),
                    &ddl.sql,
                    to_json(&before)?,
                    now(),
                    ddl.gtid.as_ref().map(Gtid::to_string),
                ),
            )?;
            Ok(tx.last_insert_rowid())
        })
    }

    /// Forgets a statement without a checkpoint: it did not run.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn remove_ddl(&self, id: i64) -> Result<()> {
        self.db.write(|tx| {
            tx.execute("DELETE FROM ddl WHERE id = ?1", [id])?;
            Ok(())
        })
    }
}

fn gtid(text: &str) -> Inner<Gtid> {
    // The two forms have nothing in common.
    let either = Gtid::parse(Flavor::MySql, text).or_else(|_| Gtid::parse(Flavor::MariaDb, text));
    either.map_err(|e| bad("GTID", e))
}

pub(super) fn pending(conn: &Connection, lane: &LaneId) -> Inner<Vec<DdlRecord>> {
    let Some(id) = find_lane(conn, lane)? else { return Ok(Vec::new()) };
    let mut statement = conn.prepare_cached(
        "SELECT id, ordinal, position, sql, before, started, gtid FROM ddl WHERE lane = ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([id])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let before: Vec<(String, String, Option<String>)> =
            from_json("list of tables", &row.get::<_, String>(4)?)?;
        let ddl = NewDdl {
            ordinal: uint(row.get(1)?),
            gtid: row.get::<_, Option<String>>(6)?.map(|text| gtid(&text)).transpose()?,
            position: position(&row.get::<_, String>(2)?)?,
            sql: row.get(3)?,
            before: before.into_iter().map(|(s, t, text)| (TableName::new(s, t), text)).collect(),
        };
        all.push(DdlRecord { id: row.get(0)?, ddl, started: row.get(5)? });
    }
    Ok(all)
}
