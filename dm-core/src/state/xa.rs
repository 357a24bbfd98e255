//! Prepared XA transactions, kept until the binlog says what became of them.
//!
//! Guarantee: a prepared transaction that a checkpoint has passed can be applied from here, whole,
//! although the binlog files of its rows may be gone. Method: its rows lie in parts, by the number
//! of the group that prepared it; the row that says "prepared" is written in the same commit as the
//! checkpoint. Parts of a large one are written before that, while it is read: without the
//! row they are what a crash left over, and the next run removes them.

use std::collections::BTreeSet;

use dm_filter::TableName;
use rusqlite::{Connection, Transaction};

use super::StateStore;
use super::db::{Inner, find_lane, from_json, int, lane_id, optional, to_json, uint};
use super::stream_model::{LaneChanges, PreparedXa, XaPart};
use crate::error::Result;
use crate::event::LaneId;

impl StateStore {
    /// Writes a part of a transaction that is still being read. Part 0 replaces whatever there
    /// was of this group.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn spool_xa(&self, lane: &LaneId, part: &XaPart) -> Result<()> {
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            insert(tx, id, part)
        })
    }

    /// Writes the memory of another part of the program at once ([`LaneChanges::notes`] does with
    /// the next checkpoint).
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn set_note(&self, lane: &LaneId, key: &str, value: &[u8]) -> Result<()> {
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            let sql = "INSERT OR REPLACE INTO note (lane, key, value) VALUES (?1, ?2, ?3)";
            tx.execute(sql, (id, key, value))?;
            Ok(())
        })
    }
}

/// The note of a lane that says which server its position was taken from.
pub const SERVER_NOTE: &str = "server";

fn insert(tx: &Transaction<'_>, lane: i64, part: &XaPart) -> Inner<()> {
    if part.part == 0 {
        tx.prepare_cached("DELETE FROM xa_part WHERE lane = ?1 AND ordinal = ?2")?
            .execute((lane, int(part.ordinal)))?;
    }
    tx.prepare_cached(
        "INSERT OR REPLACE INTO xa_part (lane, ordinal, part, tables, rows)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((lane, int(part.ordinal), part.part, to_json(&part.tables)?, &part.rows))?;
    Ok(())
}

pub(super) fn save(tx: &Transaction<'_>, lane: i64, changes: &LaneChanges) -> Inner<()> {
    for xid in &changes.removed_xa {
        tx.prepare_cached(
            "DELETE FROM xa_part WHERE lane = ?1
             AND ordinal = (SELECT ordinal FROM xa WHERE lane = ?1 AND xid = ?2)",
        )?
        .execute((lane, xid))?;
        tx.prepare_cached("DELETE FROM xa WHERE lane = ?1 AND xid = ?2")?.execute((lane, xid))?;
    }
    for (prepared, last) in &changes.xa {
        insert(tx, lane, last)?;
        tx.prepare_cached("INSERT OR REPLACE INTO xa (lane, xid, ordinal) VALUES (?1, ?2, ?3)")?
            .execute((lane, &prepared.xid, int(prepared.ordinal)))?;
    }
    Ok(())
}

/// Removes parts of transactions that were never seen prepared.
pub(super) fn tidy(tx: &Transaction<'_>, lane: i64) -> Inner<()> {
    tx.execute(
        "DELETE FROM xa_part WHERE lane = ?1
         AND ordinal NOT IN (SELECT ordinal FROM xa WHERE lane = ?1)",
        [lane],
    )?;
    Ok(())
}

pub(super) fn prepared(conn: &Connection, lane: &LaneId) -> Inner<Vec<PreparedXa>> {
    let Some(id) = find_lane(conn, lane)? else { return Ok(Vec::new()) };
    let mut statement =
        conn.prepare_cached("SELECT xid, ordinal FROM xa WHERE lane = ?1 ORDER BY xid")?;
    let rows = statement.query_map([id], |row| Ok((row.get(0)?, uint(row.get(1)?))))?;
    let rows = rows.collect::<rusqlite::Result<Vec<(String, u64)>>>()?;
    rows.into_iter().map(|(xid, ordinal)| one(conn, id, xid, ordinal)).collect()
}

fn one(conn: &Connection, lane: i64, xid: String, ordinal: u64) -> Inner<PreparedXa> {
    let mut statement =
        conn.prepare_cached("SELECT tables FROM xa_part WHERE lane = ?1 AND ordinal = ?2")?;
    let rows = statement.query_map((lane, int(ordinal)), |row| row.get::<_, String>(0))?;
    let (mut parts, mut tables) = (0, BTreeSet::new());
    for text in rows {
        tables.extend(from_json::<BTreeSet<TableName>>("list of tables", &text?)?);
        parts += 1;
    }
    Ok(PreparedXa { xid, ordinal, parts, tables })
}

pub(super) fn part(
    conn: &Connection,
    lane: &LaneId,
    ordinal: u64,
    part: u32,
) -> Inner<Option<Vec<u8>>> {
    let Some(id) = find_lane(conn, lane)? else { return Ok(None) };
    let sql = "SELECT rows FROM xa_part WHERE lane = ?1 AND ordinal = ?2 AND part = ?3";
    optional(conn, sql, (id, int(ordinal), part))
}
