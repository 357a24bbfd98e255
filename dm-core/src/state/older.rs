//! What tables looked like before: the [`SchemaHistory`] of a lane, kept with its checkpoints.
//!
//! Guarantee: what a checkpoint's history tells of a place is so, whatever died in between. Method: the structure
//! that a statement changed is written in the same commit as the checkpoint behind the statement, with the new one.
//! A restart that meets a statement again has not kept it yet.
//!
//! It is bounded: the newest [`PER_TABLE`] structures of a table and the newest [`IN_ALL`] of a lane. Older ones are
//! dropped with the checkpoint that adds new ones. What is dropped of one table leaves a row that says so; what is
//! dropped of all moves the beginning of the history. Tables that never change take no room.
//!
//! A position that an operator gives begins a new history: what was tracked was followed to another place. A
//! structure that an operator gives holds from where its lane stands, what was tracked up to there. A table that
//! joins a lane is known in it from there on.

use std::collections::BTreeSet;
use std::sync::Arc;

use dm_filter::TableName;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::db::{
    Inner, find_lane, from_json, int, optional, position, position_or_none, to_json, uint,
};
use super::stream_model::LaneChanges;
use super::{StateReader, stream};
use crate::error::Result;
use crate::event::LaneId;
use crate::position::Position;
use crate::schema::{HistoryStart, Older, OlderIs, Place, SchemaHistory, Tracked, fold};

/// So many structures that a table has had are kept.
pub const PER_TABLE: usize = 32;
/// So many of all tables of a lane.
pub const IN_ALL: usize = 2_000;

impl StateReader {
    /// What a lane's tables looked like up to its checkpoint: all of them, or one.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn schema_history(
        &self,
        lane: &LaneId,
        table: Option<&TableName>,
    ) -> Result<SchemaHistory> {
        self.db.read(|conn| history(conn, lane, table))
    }

    /// Where the history of a lane's structures begins.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn history_start(&self, lane: &LaneId) -> Result<Option<HistoryStart>> {
        self.db.read(|conn| find_lane(conn, lane)?.map_or(Ok(None), |lane| start(conn, lane)))
    }
}

/// Writes what a checkpoint adds, and makes room.
pub(super) fn save(tx: &Transaction<'_>, lane: i64, changes: &LaneChanges) -> Inner<()> {
    if let Some(start) = &changes.history_start {
        set_start(tx, lane, start)?;
    }
    if let Some((server, at, folded)) = &changes.history_server {
        let mut known = start(tx, lane)?.unwrap_or_default();
        known.place.server.clone_from(server);
        known.place.position.binlog = Some(at.clone());
        known.folded = *folded;
        set_start(tx, lane, &known)?;
    }
    // A statement on a schema may change more tables than are kept.
    let beyond = changes.older.len().saturating_sub(IN_ALL);
    for older in changes.older.iter().skip(beyond) {
        insert(tx, lane, older)?;
    }
    let kept = changes.older.get(beyond..).unwrap_or_default();
    let tables: BTreeSet<&TableName> = kept.iter().map(|older| &older.table).collect();
    for table in tables {
        make_room(tx, lane, table)?;
    }
    match beyond.checked_sub(1).and_then(|last| changes.older.get(last)) {
        Some(last) => begin_at(tx, lane, &last.until)?,
        None if kept.is_empty() => return Ok(()),
        None => {}
    }
    make_room_in_all(tx, lane)
}

fn insert(tx: &Transaction<'_>, lane: i64, older: &Older) -> Inner<()> {
    let tracked = match &older.was {
        OlderIs::Tracked(tracked) => Some(tracked),
        OlderIs::Untracked | OlderIs::Forgotten => None,
    };
    tx.prepare_cached(
        "INSERT INTO older_table
             (lane, schema, name, structure, forgotten, assumed, since, server, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((
        lane,
        &older.table.schema,
        &older.table.table,
        tracked.map(|t| to_json(&*t.schema)).transpose()?,
        older.was == OlderIs::Forgotten,
        tracked.is_some_and(|t| t.assumed),
        tracked.and_then(|t| t.since.as_deref()),
        &older.until.server,
        older.until.position.to_text(),
    ))?;
    Ok(())
}

/// The newest structures of a table stay, and in front of them one row that says that there were more.
fn make_room(tx: &Transaction<'_>, lane: i64, table: &TableName) -> Inner<()> {
    let last = optional::<i64>(
        tx,
        "SELECT id FROM older_table WHERE lane = ?1 AND schema = ?2 AND name = ?3
         ORDER BY id DESC LIMIT 1 OFFSET ?4",
        (lane, &table.schema, &table.table, int(PER_TABLE as u64)),
    )?;
    let Some(last) = last else { return Ok(()) };
    tx.prepare_cached(
        "DELETE FROM older_table WHERE lane = ?1 AND schema = ?2 AND name = ?3 AND id < ?4",
    )?
    .execute((lane, &table.schema, &table.table, last))?;
    tx.prepare_cached(
        "UPDATE older_table SET structure = NULL, forgotten = 1, since = NULL WHERE id = ?1",
    )?
    .execute([last])?;
    Ok(())
}

fn make_room_in_all(tx: &Transaction<'_>, lane: i64) -> Inner<()> {
    let found = tx
        .prepare_cached(
            "SELECT id, server, until FROM older_table WHERE lane = ?1
             ORDER BY id DESC LIMIT 1 OFFSET ?2",
        )?
        .query_row((lane, int(IN_ALL as u64)), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })
        .optional()?;
    let Some((last, server, until)) = found else { return Ok(()) };
    begin_at(tx, lane, &Place { server, position: position(&until)? })?;
    tx.prepare_cached("DELETE FROM older_table WHERE lane = ?1 AND id <= ?2")?
        .execute((lane, last))?;
    Ok(())
}

/// The history begins later: what ended up to a place is dropped.
fn begin_at(tx: &Transaction<'_>, lane: i64, place: &Place) -> Inner<()> {
    let Some(mut known) = start(tx, lane)? else { return Ok(()) };
    let now = &mut known.place;
    if place.position.gtid.is_some() {
        now.position.gtid.clone_from(&place.position.gtid);
    }
    // In the files of a server that is not read any more it begins before those of the one that is.
    let later = match (&now.position.binlog, &place.position.binlog) {
        (Some(now), Some(at)) => at > now,
        _ => false,
    };
    if later && (place.server == now.server || now.server.is_empty()) {
        now.position.binlog.clone_from(&place.position.binlog);
    }
    set_start(tx, lane, &known)
}

fn set_start(tx: &Transaction<'_>, lane: i64, start: &HistoryStart) -> Inner<()> {
    let HistoryStart { place, folded } = start;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO history_start (lane, server, position, folded)
         VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((lane, &place.server, place.position.to_text(), folded))?;
    Ok(())
}

fn start(conn: &Connection, lane: i64) -> Inner<Option<HistoryStart>> {
    let sql = "SELECT server, position, folded FROM history_start WHERE lane = ?1";
    let found = conn
        .prepare_cached(sql)?
        .query_row([lane], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?))
        })
        .optional()?;
    let Some((server, text, folded)) = found else { return Ok(None) };
    Ok(Some(HistoryStart { place: Place { server, position: position(&text)? }, folded }))
}

/// An operator has moved the lane: the history begins anew.
pub(super) fn begin_anew(tx: &Transaction<'_>, lane: i64, at: &Position) -> Inner<()> {
    tx.execute("DELETE FROM older_table WHERE lane = ?1", [lane])?;
    let folded = start(tx, lane)?.is_some_and(|start| start.folded);
    let place = Place { server: String::new(), position: at.clone() };
    set_start(tx, lane, &HistoryStart { place, folded })
}

/// What is tracked of a table is about to be another, from where the lane stands.
pub(super) fn replaced(tx: &Transaction<'_>, lane: i64, table: &TableName) -> Inner<()> {
    let tracked = tracked(tx, lane, Some(table))?.pop().map(|(_, tracked)| tracked);
    let was = tracked.map_or(OlderIs::Untracked, OlderIs::Tracked);
    ended_at_checkpoint(tx, lane, table, was)
}

/// A table has joined the lane: of before nothing is known.
pub(super) fn joined(
    tx: &Transaction<'_>,
    lane: i64,
    table: &TableName,
    upto: &Position,
) -> Inner<()> {
    let server = start(tx, lane)?.map(|start| start.place.server).unwrap_or_default();
    let until = Place { server, position: upto.clone() };
    ended(tx, lane, table, OlderIs::Forgotten, until)
}

fn ended_at_checkpoint(
    tx: &Transaction<'_>,
    lane: i64,
    table: &TableName,
    was: OlderIs,
) -> Inner<()> {
    let sql = "SELECT position FROM lane WHERE id = ?1";
    let stands = position_or_none(optional::<Option<String>>(tx, sql, [lane])?.flatten())?;
    let (Some(position), Some(start)) = (stands, start(tx, lane)?) else { return Ok(()) };
    ended(tx, lane, table, was, Place { server: start.place.server, position })
}

fn ended(
    tx: &Transaction<'_>,
    lane: i64,
    table: &TableName,
    was: OlderIs,
    until: Place,
) -> Inner<()> {
    let folded = start(tx, lane)?.is_some_and(|start| start.folded);
    let older = Older { table: fold(table, folded), was, until: Arc::new(until) };
    insert(tx, lane, &older)?;
    make_room(tx, lane, &older.table)?;
    make_room_in_all(tx, lane)
}

fn history(conn: &Connection, lane: &LaneId, table: Option<&TableName>) -> Inner<SchemaHistory> {
    let Some(id) = find_lane(conn, lane)? else { return Ok(SchemaHistory::default()) };
    let start = start(conn, id)?;
    let folded = start.as_ref().is_some_and(|start| start.folded);
    let one = table.map(|table| fold(table, folded));
    let sql = format!(
        "SELECT structure, assumed, since, schema, name, forgotten, server, until FROM older_table
         WHERE lane = ?1 {} ORDER BY id",
        if one.is_some() { "AND schema = ?2 AND name = ?3" } else { "" }
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = match &one {
        Some(table) => statement.query((id, &table.schema, &table.table))?,
        None => statement.query([id])?,
    };
    let mut older = Vec::new();
    while let Some(row) = rows.next()? {
        let was = match (row.get::<_, bool>(5)?, row.get::<_, Option<String>>(0)?) {
            (true, _) => OlderIs::Forgotten,
            (false, None) => OlderIs::Untracked,
            (false, Some(json)) => OlderIs::Tracked(structure(row, &json, 0)?),
        };
        let position = position(&row.get::<_, String>(7)?)?;
        older.push(Older {
            table: TableName::new(row.get::<_, String>(3)?, row.get::<_, String>(4)?),
            was,
            until: Arc::new(Place { server: row.get(6)?, position }),
        });
    }
    let upto = stream::state(conn, lane)?.and_then(|lane| lane.checkpoint).map(|c| c.position);
    // The tracked name may be written otherwise.
    let tracked = tracked(conn, id, table.filter(|_| !folded))?.into_iter();
    let now = tracked.filter(|(name, _)| one.as_ref().is_none_or(|one| fold(name, folded) == *one));
    Ok(SchemaHistory { start, upto, older, now: now.collect() })
}

/// The tracked structures, or that of one table.
fn tracked(
    conn: &Connection,
    lane: i64,
    table: Option<&TableName>,
) -> Inner<Vec<(TableName, Tracked)>> {
    let sql = format!(
        "SELECT structure, assumed, since, schema, name, version FROM tracked_table
         WHERE lane = ?1 {}",
        if table.is_some() { "AND schema = ?2 AND name = ?3" } else { "" }
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = match table {
        Some(table) => statement.query((lane, &table.schema, &table.table))?,
        None => statement.query([lane])?,
    };
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name = TableName::new(row.get::<_, String>(3)?, row.get::<_, String>(4)?);
        let version = uint(row.get(5)?);
        found.push((name, structure(row, &row.get::<_, String>(0)?, version)?));
    }
    Ok(found)
}

fn structure(row: &Row<'_>, json: &str, version: u64) -> Inner<Tracked> {
    Ok(Tracked {
        schema: Arc::new(from_json("table structure", json)?),
        version,
        assumed: row.get(1)?,
        since: row.get::<_, Option<String>>(2)?.map(Into::into),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Checkpoint, StateStore, TrackedTable};
    use super::*;
    use crate::error::codes;
    use crate::event::SourceId;
    use crate::schema::TableSchema;

    fn at(offset: u64) -> Position {
        Position::at(format!("bin.000001:{offset}").parse().unwrap())
    }

    fn save(store: &StateStore, ordinal: u64, changes: &LaneChanges) {
        let lane = LaneId::main(&SourceId::new("s"));
        let epoch = store.begin_run(&lane, 0).unwrap().epoch;
        let position = at(ordinal * 10);
        let checkpoint = Checkpoint { ordinal, position, epoch, event_at: 0 };
        store.save_checkpoint(&lane, &checkpoint, changes).unwrap();
    }

    /// The history of a file that was made before there was one begins where its lanes stand, and by file where the
    /// server's name is learned.
    #[test]
    fn a_file_of_before_begins_where_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        let store = StateStore::open(dir.path(), "t").unwrap();
        let name = TableName::new("d", "t");
        let tracked = |names: &[&str]| Tracked {
            schema: Arc::new(TableSchema { comment: names.join(" "), ..TableSchema::default() }),
            version: 0,
            assumed: false,
            since: None,
        };
        let new = |names: &[&str]| TrackedTable {
            name: name.clone(),
            schema: tracked(names).schema,
            version: 0,
            assumed: false,
            since: None,
        };
        let first = LaneChanges { tables: vec![new(&["a"])], ..LaneChanges::default() };
        save(&store, 5, &first);
        let path = store.path().unwrap();
        drop(store);
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch(
                "DROP TABLE older_table; DROP TABLE history_start; PRAGMA user_version = 5",
            )
            .unwrap();
        let store = StateStore::open(dir.path(), "t").unwrap();
        let lane = LaneId::main(&SourceId::new("s"));
        let stood = |offset| {
            let history = store.reader().schema_history(&lane, Some(&name)).unwrap();
            let stood = history.schema(&name, &at(offset))?;
            Ok::<_, crate::error::Error>(stood.tracked.unwrap().schema.comment.clone())
        };
        assert_eq!(stood(50).unwrap(), "a");
        assert_eq!(stood(49).unwrap_err().code(), &codes::SCHEMA_NOT_THEN);
        let until = Arc::new(Place { server: "z".into(), position: at(70) });
        let older = Older { table: name.clone(), was: OlderIs::Tracked(tracked(&["a"])), until };
        let second = LaneChanges {
            tables: vec![new(&["a", "b"])],
            older: vec![older.clone()],
            ..LaneChanges::default()
        };
        save(&store, 7, &second);
        assert_eq!([50, 69, 70].map(|offset| stood(offset).unwrap()), ["a", "a", "a b"]);
        let known = LaneChanges {
            history_server: Some(("z".into(), at(60).binlog.unwrap(), true)),
            ..LaneChanges::default()
        };
        save(&store, 8, &known);
        assert!(stood(59).is_err());
        assert_eq!([60, 69, 70].map(|offset| stood(offset).unwrap()), ["a", "a", "a b"]);
        assert!(store.reader().history_start(&lane).unwrap().unwrap().folded);
        store.drop_lane(&lane).unwrap();
        assert_eq!(store.reader().schema_history(&lane, None).unwrap(), SchemaHistory::default());
    }
}
