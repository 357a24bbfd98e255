//! Tables that join a task after its copy.
//!
//! A table that is asked for gets a number, and with it lanes of its own for its copy and its stream
//! ([`Addition`]); numbers are never used again, so that no mark of an earlier addition can be taken
//! for one of a later. While a table is on the list the main lane passes over it. That it has joined
//! is one transaction ([`StateStore::join_addition`]): its structure and what its rows contain are the
//! main lane's from then on, and the list and the lanes know nothing of it any more. A process that
//! dies before that finds the table on the list and goes on with its lanes; one that dies after it
//! finds a table like any other.

use std::collections::BTreeMap;

use dm_filter::TableName;
use rusqlite::{Connection, Transaction};
use serde::{Deserialize, Serialize};

use super::db::{Inner, from_json, lane_id, misuse, optional, to_json};
use super::{StateReader, StateStore, older, stream};
use crate::error::Result;
use crate::event::{LaneId, SourceId};
use crate::position::Position;

/// The note of a main lane that holds the list.
const NOTE: &str = "additions";

/// A table that is being added to a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addition {
    /// Its number among all that were ever added to the source's part of the task.
    pub number: u64,
    /// The table, as named at the source.
    pub table: TableName,
}

impl Addition {
    /// The lane of the table's copy.
    pub fn copy_lane(&self, source: &SourceId) -> LaneId {
        LaneId { source: source.clone(), name: format!("add-copy-{}", self.number).into() }
    }

    /// The lane in which the table's changes are followed until it joins the main one.
    pub fn stream_lane(&self, source: &SourceId) -> LaneId {
        LaneId { source: source.clone(), name: format!("add-{}", self.number).into() }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    /// The number that the latest one got.
    last: u64,
    open: Vec<Addition>,
}

impl StateReader {
    /// The tables that are being added to a source's part of the task, in the order of their turns.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn additions(&self, source: &SourceId) -> Result<Vec<Addition>> {
        self.db.read(|conn| Ok(list(conn, source)?.open))
    }
}

impl StateStore {
    /// Asks for tables to be added; those that are on the list already stay where they are.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn request_additions(&self, requests: &BTreeMap<SourceId, Vec<TableName>>) -> Result<()> {
        self.db.write(|tx| {
            for (source, tables) in requests {
                let mut list = list(tx, source)?;
                for table in tables {
                    if list.open.iter().any(|a| a.table == *table) {
                        continue;
                    }
                    list.last += 1;
                    list.open.push(Addition { number: list.last, table: table.clone() });
                }
                keep(tx, source, &list)?;
            }
            Ok(())
        })
    }

    /// Takes a table off the list, and forgets how far it had come; false when it is not there.
    ///
    /// # Errors
    ///
    /// As all writes.
    pub fn cancel_addition(&self, source: &SourceId, table: &TableName) -> Result<bool> {
        self.db.write(|tx| {
            let mut list = list(tx, source)?;
            let Some(at) = list.open.iter().position(|a| a.table == *table) else {
                return Ok(false);
            };
            let addition = list.open.remove(at);
            drop_lanes(tx, source, &addition)?;
            keep(tx, source, &list)?;
            Ok(true)
        })
    }

    /// An added table becomes one of the main lane: its rows contain everything up to `upto` and
    /// nothing beyond, and its structure is the one that its own lane has followed up to there.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` for one that is not on the list; else as all writes.
    pub fn join_addition(
        &self,
        source: &SourceId,
        addition: &Addition,
        upto: &Position,
    ) -> Result<()> {
        self.db.write(|tx| {
            let mut list = list(tx, source)?;
            let Some(at) = list.open.iter().position(|a| a == addition) else {
                return Err(misuse(format!("{} is not being added", addition.table)));
            };
            list.open.remove(at);
            let (main, own) = (LaneId::main(source), addition.stream_lane(source));
            let (id, own) = (lane_id(tx, &main)?, lane_id(tx, &own)?);
            let table = &addition.table;
            let sql = "SELECT coalesce(max(version), 0) + 1 FROM tracked_table WHERE lane = ?1";
            let version: i64 = optional(tx, sql, [id])?.unwrap_or(1);
            tx.execute(
                "INSERT OR REPLACE INTO tracked_table
                     (lane, schema, name, structure, version, assumed, since)
                 SELECT ?1, schema, name, structure, ?3, assumed, since FROM tracked_table
                 WHERE lane = ?2 AND schema = ?4 AND name = ?5",
                (id, own, version, &table.schema, &table.table),
            )?;
            tx.execute(
                "INSERT OR IGNORE INTO tracked_schema (lane, name, charset, collation)
                 SELECT ?1, name, charset, collation FROM tracked_schema WHERE lane = ?2 AND name = ?3",
                (id, own, &table.schema),
            )?;
            older::joined(tx, id, table, upto)?;
            let upto = upto.to_text();
            tx.execute(
                "INSERT OR REPLACE INTO contained (source, schema, name, from_pos, upto)
                 VALUES (?1, ?2, ?3, ?4, ?4)",
                (source.as_str(), &table.schema, &table.table, &upto),
            )?;
            drop_lanes(tx, source, addition)?;
            keep(tx, source, &list)
        })
    }
}

fn list(conn: &Connection, source: &SourceId) -> Inner<List> {
    match stream::note(conn, &LaneId::main(source), NOTE)? {
        Some(bytes) => from_json("list of tables to be added", &String::from_utf8_lossy(&bytes)),
        None => Ok(List::default()),
    }
}

fn keep(tx: &Transaction<'_>, source: &SourceId, list: &List) -> Inner<()> {
    let id = lane_id(tx, &LaneId::main(source))?;
    let sql = "INSERT OR REPLACE INTO note (lane, key, value) VALUES (?1, ?2, ?3)";
    tx.execute(sql, (id, NOTE, to_json(list)?.into_bytes()))?;
    Ok(())
}

fn drop_lanes(tx: &Transaction<'_>, source: &SourceId, addition: &Addition) -> Inner<()> {
    for lane in [addition.copy_lane(source), addition.stream_lane(source)] {
        let sql = "DELETE FROM lane WHERE source = ?1 AND name = ?2";
        tx.execute(sql, (source.as_str(), &*lane.name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schema::{OlderIs, TableSchema};
    use crate::state::{Checkpoint, LaneChanges, TrackedTable};

    fn name(table: &str) -> TableName {
        TableName::new("s", table)
    }

    fn ask(store: &StateStore, source: &SourceId, tables: &[&str]) {
        let tables = tables.iter().map(|t| name(t)).collect();
        store.request_additions(&BTreeMap::from([(source.clone(), tables)])).unwrap();
    }

    #[test]
    fn numbers_are_never_used_again() {
        let store = StateStore::in_memory("t").unwrap();
        let source = SourceId::new("a");
        let numbers = || {
            let open = store.reader().additions(&source).unwrap();
            open.into_iter().map(|a| (a.number, a.table.table)).collect::<Vec<_>>()
        };
        assert!(numbers().is_empty());
        ask(&store, &source, &["x", "y", "x"]);
        assert_eq!(numbers(), [(1, "x".to_owned()), (2, "y".to_owned())]);
        assert!(store.cancel_addition(&source, &name("y")).unwrap());
        assert!(!store.cancel_addition(&source, &name("y")).unwrap());
        ask(&store, &source, &["y"]);
        assert_eq!(numbers(), [(1, "x".to_owned()), (3, "y".to_owned())]);
        assert!(store.reader().additions(&SourceId::new("b")).unwrap().is_empty());
    }

    #[test]
    fn a_table_joins_as_a_whole() {
        let store = StateStore::in_memory("t").unwrap();
        let source = SourceId::new("a");
        ask(&store, &source, &["x"]);
        let addition = store.reader().additions(&source).unwrap().remove(0);
        let lane = addition.stream_lane(&source);
        let epoch = store.begin_run(&lane, 0).unwrap().epoch;
        let table = TrackedTable {
            name: name("x"),
            schema: Arc::new(TableSchema::default()),
            version: 4,
            assumed: false,
            since: Some("b.000002:4".into()),
        };
        let upto = Position::at("b.000002:77".parse().unwrap());
        let checkpoint = Checkpoint { ordinal: 9, position: upto.clone(), epoch, event_at: 0 };
        let changes = LaneChanges { tables: vec![table], ..LaneChanges::default() };
        store.save_checkpoint(&lane, &checkpoint, &changes).unwrap();
        store.join_addition(&source, &addition, &upto).unwrap();
        let reader = store.reader();
        assert!(reader.additions(&source).unwrap().is_empty());
        assert_eq!(reader.lane(&lane).unwrap(), None);
        let tracked = reader.tracker(&LaneId::main(&source)).unwrap().tables;
        assert_eq!((tracked.len(), &tracked[0].name), (1, &name("x")));
        assert_eq!(tracked[0].since.as_deref(), Some("b.000002:4"));
        let older = reader.schema_history(&LaneId::main(&source), None).unwrap().older;
        assert_eq!((&older[0].was, &older[0].until.position), (&OlderIs::Forgotten, &upto));
        let contained = reader.contained(&source).unwrap();
        assert_eq!((&*contained[0].from, &*contained[0].upto), (&upto, &upto));
        assert!(store.join_addition(&source, &addition, &upto).is_err(), "only once");
    }
}
