//! Checkpoints of the stream, with everything that must not drift apart from them.
//!
//! A checkpoint says that everything up to its ordinal is at the target. What the reader knows at
//! that place (structures, prepared transactions, online schema changes) is saved in the same
//! transaction: a reader that starts there knows what the first one knew there. A checkpoint never
//! goes back, and only the latest run of a lane may save: a thread that outlived its run is told
//! so instead of overwriting its successor.

use dm_filter::TableName;
use rusqlite::{Connection, Row, Transaction};

use super::db::{
    Inner, bad, find_lane, int, lane_id, misuse, now, optional, position, position_or_none,
    structure, to_json, uint,
};
use super::stream_model::{
    Checkpoint, LANE_START, LAST_GROUP, LaneChanges, LaneState, MOVE_GAP, OnlineDdl, STOPPED_AT,
    Skipped, TrackedTable, Tracker,
};
use super::{StateStore, older, xa};
use crate::error::{Error, Result, codes};
use crate::event::{LaneId, SourceId};
use crate::position::Position;
use crate::schema::SchemaCopy;

impl StateStore {
    /// Begins a run of a lane: hands out the next epoch and tells where the lane stands.
    ///
    /// `epoch_floor` is the highest epoch of the lane's marks ([`crate::sink::Recovered::epoch`]),
    /// 0 without marks: a state file restored from a backup is behind them.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn begin_run(&self, lane: &LaneId, epoch_floor: u64) -> Result<LaneState> {
        self.db.reserve()?;
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            tx.execute(
                "UPDATE lane SET epoch = max(epoch, ?2) + 1 WHERE id = ?1",
                (id, int(epoch_floor)),
            )?;
            xa::tidy(tx, id)?;
            state(tx, lane)?.ok_or_else(|| misuse(format!("lane {lane} is gone")))
        })
    }

    /// Saves where a lane stands and what changed since the last time, as a whole. On disk when
    /// it returns.
    ///
    /// # Errors
    ///
    /// `CHECKPOINT_OLDER` when the ordinal lies before the saved one or the epoch is not the
    /// lane's latest; nothing is saved then. Else as all writes.
    pub fn save_checkpoint(
        &self,
        lane: &LaneId,
        checkpoint: &Checkpoint,
        changes: &LaneChanges,
    ) -> Result<()> {
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            let saved = tx
                .prepare_cached(
                    "UPDATE lane SET ordinal = ?2, position = ?3, saved_epoch = ?4, event_at = ?5,
                         saved_at = ?6,
                         high_water = CASE WHEN ?7 THEN NULL ELSE high_water END,
                         idempotent_until = CASE WHEN ?8 THEN NULL ELSE idempotent_until END
                     WHERE id = ?1 AND epoch = ?4 AND coalesce(ordinal, 0) <= ?2",
                )?
                .execute((
                    id,
                    int(checkpoint.ordinal),
                    checkpoint.position.to_text(),
                    int(checkpoint.epoch),
                    checkpoint.event_at,
                    now(),
                    changes.high_water_passed,
                    changes.idempotent_passed,
                ))?;
            if saved == 0 {
                let text = format!(
                    "lane {lane}: checkpoint {} of run {} is not after the saved one",
                    checkpoint.ordinal, checkpoint.epoch
                );
                return Err(Error::new(&codes::CHECKPOINT_BACKWARDS, text).into());
            }
            save_tracker(tx, id, changes)?;
            older::save(tx, id, changes)?;
            save_rest(tx, lane, id, changes)
        })
    }

    /// Writes down, before a replay without marks, the source's own end: whatever was applied
    /// before lies up to there. A replay that is interrupted must not shrink it, so an earlier one
    /// that is not yet passed stays when it is known to be the later one.
    ///
    /// Returns the one that holds.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn raise_high_water(&self, lane: &LaneId, end: &Position) -> Result<Position> {
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            let sql = "SELECT high_water FROM lane WHERE id = ?1";
            let old = position_or_none(optional::<Option<String>>(tx, sql, [id])?.flatten())?;
            if let Some(old) = old
                && old.compare(end) == Some(std::cmp::Ordering::Greater)
            {
                return Ok(old);
            }
            tx.execute("UPDATE lane SET high_water = ?2 WHERE id = ?1", (id, end.to_text()))?;
            Ok(end.clone())
        })
    }

    /// Moves a lane of a stopped task to another position, by the operator's word.
    ///
    /// The ordinals jump by [`MOVE_GAP`], so that all marks of before lie below the new checkpoint
    /// and cannot be taken for marks of the transactions that are read from there. Unless the new
    /// position is known to be a later one, the old one is kept as [`LaneState::idempotent_until`].
    /// The tracked structures become assumed ones, as they were followed to another place, their history
    /// begins anew, and statements and online schema changes that were under way are forgotten.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn move_checkpoint(&self, lane: &LaneId, to: &Position) -> Result<LaneState> {
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            let before = state(tx, lane)?.ok_or_else(|| misuse(format!("lane {lane} is gone")))?;
            let ordinal = before.checkpoint.as_ref().map_or(0, |c| c.ordinal);
            let until = until_after_move(&before, to);
            tx.execute(
                "UPDATE lane SET ordinal = ?2, position = ?3, idempotent_until = ?4, saved_at = ?5,
                     saved_epoch = epoch, event_at = 0 WHERE id = ?1",
                (
                    id,
                    int(ordinal.saturating_add(MOVE_GAP)),
                    to.to_text(),
                    until.map(Position::to_text),
                    now(),
                ),
            )?;
            tx.execute("UPDATE tracked_table SET assumed = 1, since = NULL WHERE lane = ?1", [id])?;
            older::begin_anew(tx, id, to)?;
            tx.execute("DELETE FROM ddl WHERE lane = ?1", [id])?;
            tx.execute("DELETE FROM online_ddl WHERE lane = ?1", [id])?;
            tx.execute(
                "INSERT OR REPLACE INTO note (lane, key, value) VALUES (?1, ?2, ?3)",
                (id, LANE_START, to.to_text().into_bytes()),
            )?;
            // The operator says that it holds on the server that is there now.
            let note = "DELETE FROM note WHERE lane = ?1 AND key = ?2";
            tx.execute(note, (id, super::SERVER_NOTE))?;
            tx.execute(note, (id, LAST_GROUP))?;
            tx.execute(note, (id, STOPPED_AT))?;
            state(tx, lane)?.ok_or_else(|| misuse(format!("lane {lane} is gone")))
        })
    }

    /// Has everything up to a position applied idempotently, unless that holds for a later one
    /// already; returns the position that holds.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn raise_idempotent(&self, lane: &LaneId, until: &Position) -> Result<Position> {
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            let sql = "SELECT idempotent_until FROM lane WHERE id = ?1";
            let old = position_or_none(optional::<Option<String>>(tx, sql, [id])?.flatten())?;
            if let Some(old) = old
                && old.compare(until) == Some(std::cmp::Ordering::Greater)
            {
                return Ok(old);
            }
            tx.execute(
                "UPDATE lane SET idempotent_until = ?2 WHERE id = ?1",
                (id, until.to_text()),
            )?;
            Ok(until.clone())
        })
    }

    /// Has everything that the source wrote up to a second (since the epoch) applied idempotently.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn set_idempotent_second(&self, lane: &LaneId, second: u32) -> Result<()> {
        self.db.write(|tx| {
            let id = lane_id(tx, lane)?;
            tx.execute(
                "INSERT OR REPLACE INTO note (lane, key, value) VALUES (?1, ?2, ?3)",
                (id, IDEMPOTENT_SECOND, second.to_string().into_bytes()),
            )?;
            Ok(())
        })
    }

    /// Forgets a lane with all that belongs to it: it has joined another one.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn drop_lane(&self, lane: &LaneId) -> Result<()> {
        self.db.write(|tx| {
            let sql = "DELETE FROM lane WHERE source = ?1 AND name = ?2";
            tx.execute(sql, (lane.source.as_str(), &*lane.name))?;
            Ok(())
        })
    }
}

/// The note of [`StateStore::set_idempotent_second`]: the second in digits. The stream removes it
/// when it has passed.
pub const IDEMPOTENT_SECOND: &str = "idempotent-second";

/// The position up to which a moved lane may meet what it has applied before.
fn until_after_move<'a>(before: &'a LaneState, to: &Position) -> Option<&'a Position> {
    use std::cmp::Ordering::{Equal, Greater};
    let pending = before.idempotent_until.as_ref();
    let Some(from) = before.checkpoint.as_ref().map(|c| &c.position) else { return pending };
    if let Some(pending) = pending
        && pending.compare(from) == Some(Greater)
    {
        return Some(pending);
    }
    match to.compare(from) {
        Some(Greater | Equal) => None,
        _ => Some(from),
    }
}

fn save_tracker(tx: &Transaction<'_>, lane: i64, changes: &LaneChanges) -> Inner<()> {
    for name in &changes.removed_tables {
        tx.prepare_cached(
            "DELETE FROM tracked_table WHERE lane = ?1 AND schema = ?2 AND name = ?3",
        )?
        .execute((lane, &name.schema, &name.table))?;
    }
    for name in &changes.removed_schemas {
        tx.prepare_cached("DELETE FROM tracked_schema WHERE lane = ?1 AND name = ?2")?
            .execute((lane, name))?;
        tx.prepare_cached("DELETE FROM tracked_table WHERE lane = ?1 AND schema = ?2")?
            .execute((lane, name))?;
    }
    for schema in &changes.schemas {
        tx.prepare_cached(
            "INSERT OR REPLACE INTO tracked_schema (lane, name, charset, collation)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((lane, &schema.name, &schema.charset, &schema.collation))?;
    }
    for table in &changes.tables {
        tx.prepare_cached(
            "INSERT OR REPLACE INTO tracked_table
                 (lane, schema, name, structure, version, assumed, since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            lane,
            &table.name.schema,
            &table.name.table,
            to_json(&*table.schema)?,
            int(table.version),
            table.assumed,
            table.since.as_deref(),
        ))?;
    }
    Ok(())
}

fn save_rest(tx: &Transaction<'_>, lane: &LaneId, id: i64, changes: &LaneChanges) -> Inner<()> {
    for ddl in &changes.finished_ddl {
        tx.prepare_cached("DELETE FROM ddl WHERE lane = ?1 AND id = ?2")?.execute((id, ddl))?;
    }
    for name in &changes.removed_online_ddl {
        tx.prepare_cached("DELETE FROM online_ddl WHERE lane = ?1 AND schema = ?2 AND name = ?3")?
            .execute((id, &name.schema, &name.table))?;
    }
    for ddl in &changes.online_ddl {
        tx.prepare_cached(
            "INSERT OR REPLACE INTO online_ddl (lane, schema, name, record)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((id, &ddl.table.schema, &ddl.table.table, &ddl.record))?;
    }
    xa::save(tx, id, changes)?;
    for skipped in &changes.skipped {
        tx.prepare_cached(
            "INSERT INTO skipped (lane, kind, count, last) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (lane, kind) DO UPDATE SET count = count + excluded.count,
                 last = excluded.last",
        )?
        .execute((id, &skipped.kind, int(skipped.count), &skipped.last))?;
    }
    for name in &changes.passed {
        tx.prepare_cached("DELETE FROM contained WHERE source = ?1 AND schema = ?2 AND name = ?3")?
            .execute((lane.source.as_str(), &name.schema, &name.table))?;
    }
    for (key, value) in &changes.notes {
        match value {
            Some(value) => tx
                .prepare_cached(
                    "INSERT OR REPLACE INTO note (lane, key, value) VALUES (?1, ?2, ?3)",
                )?
                .execute((id, key, value))?,
            None => tx
                .prepare_cached("DELETE FROM note WHERE lane = ?1 AND key = ?2")?
                .execute((id, key))?,
        };
    }
    Ok(())
}

const LANE: &str = "SELECT source, name, epoch, ordinal, position, saved_epoch, event_at,
    high_water, idempotent_until, saved_at FROM lane";

fn lane_state(row: &Row<'_>) -> Inner<LaneState> {
    let name: String = row.get(1)?;
    let lane = LaneId { source: SourceId::new(row.get::<_, String>(0)?), name: name.into() };
    let checkpoint = match row.get::<_, Option<i64>>(3)? {
        None => None,
        Some(ordinal) => Some(Checkpoint {
            ordinal: uint(ordinal),
            position: position(&row.get::<_, String>(4)?)?,
            epoch: uint(row.get(5)?),
            event_at: row.get(6)?,
        }),
    };
    Ok(LaneState {
        lane,
        checkpoint,
        epoch: uint(row.get(2)?),
        high_water: position_or_none(row.get(7)?)?,
        idempotent_until: position_or_none(row.get(8)?)?,
        saved_at: row.get(9)?,
    })
}

pub(super) fn state(conn: &Connection, lane: &LaneId) -> Inner<Option<LaneState>> {
    let sql = format!("{LANE} WHERE source = ?1 AND name = ?2");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query((lane.source.as_str(), &*lane.name))?;
    rows.next()?.map(lane_state).transpose()
}

pub(super) fn lanes(conn: &Connection) -> Inner<Vec<LaneState>> {
    let mut statement = conn.prepare_cached(&format!("{LANE} ORDER BY source, name"))?;
    let mut rows = statement.query([])?;
    let mut lanes = Vec::new();
    while let Some(row) = rows.next()? {
        lanes.push(lane_state(row)?);
    }
    Ok(lanes)
}

pub(super) fn tracker(conn: &Connection, lane: &LaneId) -> Inner<Tracker> {
    let Some(id) = find_lane(conn, lane)? else { return Ok(Tracker::default()) };
    let mut statement =
        conn.prepare_cached("SELECT name, charset, collation FROM tracked_schema WHERE lane = ?1")?;
    let schemas = statement.query_map([id], |row| {
        Ok(SchemaCopy { name: row.get(0)?, charset: row.get(1)?, collation: row.get(2)? })
    })?;
    let schemas = schemas.collect::<rusqlite::Result<_>>()?;
    let mut statement = conn.prepare_cached(
        "SELECT schema, name, structure, version, assumed, since FROM tracked_table
         WHERE lane = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let mut tables = Vec::new();
    while let Some(row) = rows.next()? {
        tables.push(TrackedTable {
            name: TableName::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?),
            schema: structure(&row.get::<_, String>(2)?)?,
            version: uint(row.get(3)?),
            assumed: row.get(4)?,
            since: row.get::<_, Option<String>>(5)?.map(Into::into),
        });
    }
    Ok(Tracker { schemas, tables })
}

pub(super) fn tracked_names(conn: &Connection, lane: &LaneId) -> Inner<Vec<TableName>> {
    let Some(id) = find_lane(conn, lane)? else { return Ok(Vec::new()) };
    let mut statement =
        conn.prepare_cached("SELECT schema, name FROM tracked_table WHERE lane = ?1")?;
    let named = |row: &rusqlite::Row<'_>| {
        Ok(TableName::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    };
    let names = statement.query_map([id], named)?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn online_ddl(conn: &Connection, lane: &LaneId) -> Inner<Vec<OnlineDdl>> {
    let Some(id) = find_lane(conn, lane)? else { return Ok(Vec::new()) };
    let mut statement =
        conn.prepare_cached("SELECT schema, name, record FROM online_ddl WHERE lane = ?1")?;
    let rows = statement.query_map([id], |row| {
        let table = TableName::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?);
        Ok(OnlineDdl { table, record: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn note(conn: &Connection, lane: &LaneId, key: &str) -> Inner<Option<Vec<u8>>> {
    let Some(id) = find_lane(conn, lane)? else { return Ok(None) };
    optional(conn, "SELECT value FROM note WHERE lane = ?1 AND key = ?2", (id, key))
}

pub(super) fn skipped(conn: &Connection, lane: &LaneId) -> Inner<Vec<Skipped>> {
    let Some(id) = find_lane(conn, lane)? else { return Ok(Vec::new()) };
    let mut statement =
        conn.prepare_cached("SELECT kind, count, last FROM skipped WHERE lane = ?1 ORDER BY kind")?;
    let rows = statement.query_map([id], |row| {
        Ok(Skipped { kind: row.get(0)?, count: uint(row.get(1)?), last: row.get(2)? })
    })?;
    rows.map(|row| row.map_err(|e| bad("count", e))).collect()
}
