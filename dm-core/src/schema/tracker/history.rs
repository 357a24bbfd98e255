//! What a source's tables looked like at places that a checkpoint has passed.
//!
//! Guarantee: for every place from the beginning of the history to the checkpoint, a table's structure is told as
//! the tracker had it there, or it is told that this is not known; it is never guessed. Obstacles: a source may
//! have many tables and run for years, what has changed is not to be kept for ever; and places have two names, a
//! file with an offset, which means something on one server only, and a set of GTIDs, which has an order only where
//! all of it was met in one order. Method: a table that never changes has one structure, the one that is tracked,
//! and nothing is kept of it here. When a statement changes one, its structure of before is kept with the place
//! behind the statement, up to which it stood ([`Older`]). The structure at a place is the oldest one whose end the
//! place has not passed, else the tracked one. What was dropped to make room leaves a word in its place
//! ([`OlderIs::Forgotten`]), or moves the beginning of all ([`HistoryStart`]).
//!
//! Which of two places is first, within one server's files, the offsets tell; a structure that ended on another
//! server ended before the history's beginning on this one. By GTID a structure has ended where its statement is in
//! the set. A set that has a later statement and lacks an earlier one of the same table is no place in the
//! order in which this source was read, and is refused.
//!
//! Places behind the checkpoint are a [`super::Timeline`]'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use dm_filter::TableName;
use serde::{Deserialize, Serialize};

use super::Tracked;
use crate::error::{Error, Result, codes};
use crate::position::Position;

/// A place in what was read of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The server that the position's file and offset belong to; empty when that is not known.
    pub server: String,
    /// File and offset; of GTIDs those that must have been met for the place to be passed.
    pub position: Position,
}

/// Where a history begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryStart {
    /// The first place that is known. The file is one of the server that is read now.
    pub place: Place,
    /// Names of tables are the same in upper and lower case.
    pub folded: bool,
}

/// What was tracked of a table up to a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OlderIs {
    /// This structure.
    Tracked(Tracked),
    /// None: there was no such table, or nothing had asked for it.
    Untracked,
    /// It is not kept any more.
    Forgotten,
}

/// A structure that a table has had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    /// The table, as the tracker tells names apart: in lower case where the source does not.
    pub table: TableName,
    /// What it was.
    pub was: OlderIs,
    /// Up to here: from this place on it was another.
    pub until: Arc<Place>,
}

/// What a table looked like at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stood<'a> {
    /// The structure; `None` when none was tracked: there was no such table, or nothing had asked for it.
    pub tracked: Option<&'a Tracked>,
    /// Up to here; `None` when it stands at the checkpoint.
    pub until: Option<&'a Place>,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SchemaHistory {
    /// Where it begins; `None` when nothing is known but what is tracked.
    pub start: Option<HistoryStart>,
    /// The checkpoint.
    pub upto: Option<Position>,
    /// What has been, in the order in which it ended.
    pub older: Vec<Older>,
    /// What is tracked at the checkpoint, by name as it was met last.
    pub now: BTreeMap<TableName, Tracked>,
}

impl SchemaHistory {
    /// What a table looked like at a place: before whatever begins there, a statement as well as rows. A position
    /// with GTIDs is taken by these.
    ///
    /// # Errors
    ///
    /// 44021 when that is not known: before the beginning, behind the checkpoint, or a position that cannot be
    /// compared with these.
    pub fn schema(&self, table: &TableName, at: &Position) -> Result<Stood<'_>> {
        let (Some(start), Some(upto)) = (&self.start, &self.upto) else {
            return Err(unknown("nothing is kept of this source yet"));
        };
        match reached(at, upto) {
            Some(true) => {}
            Some(false) => {
                let (at, upto) = (words(at), words(upto));
                return Err(unknown(format!("{at} is not read yet: the checkpoint is at {upto}")));
            }
            None => return Err(incomparable(at, upto)),
        }
        let here = &start.place.server;
        match passed(&start.place, at, here) {
            Some(true) => {}
            Some(false) => return Err(before(table, at, &start.place)),
            None => return Err(incomparable(at, &start.place.position)),
        }
        let key = fold(table, start.folded);
        let mut stood: Option<&Older> = None;
        for older in self.older.iter().filter(|older| older.table == key) {
            match (passed(&older.until, at, here), stood) {
                (None, _) => return Err(incomparable(at, &older.until.position)),
                (Some(true), None) | (Some(false), Some(_)) => {}
                (Some(false), None) => stood = Some(older),
                (Some(true), Some(first)) => return Err(out_of_order(at, first, older)),
            }
        }
        let Some(older) = stood else {
            return Ok(Stood { tracked: self.tracked(table, start.folded), until: None });
        };
        let until = Some(&*older.until);
        match &older.was {
            OlderIs::Tracked(tracked) => Ok(Stood { tracked: Some(tracked), until }),
            OlderIs::Untracked => Ok(Stood { tracked: None, until }),
            OlderIs::Forgotten => Err(before(table, at, &older.until)),
        }
    }

    fn tracked(&self, table: &TableName, folded: bool) -> Option<&Tracked> {
        let exact = self.now.get(table);
        if exact.is_some() || !folded {
            return exact;
        }
        let key = fold(table, folded);
        self.now.iter().find(|(name, _)| fold(name, folded) == key).map(|(_, tracked)| tracked)
    }
}

/// A name as the tracker tells names apart.
pub(crate) fn fold(table: &TableName, folded: bool) -> TableName {
    match folded {
        true => TableName::new(table.schema.to_lowercase(), table.table.to_lowercase()),
        false => table.clone(),
    }
}

/// True when a place is not behind the checkpoint; `None` when the two do not compare.
fn reached(at: &Position, upto: &Position) -> Option<bool> {
    match (&at.gtid, &upto.gtid) {
        (Some(at), Some(upto)) => (at.flavor() == upto.flavor()).then(|| at.is_subset(upto)),
        (Some(_), None) => None,
        (None, _) => Some(at.compare_binlog(upto)?.is_le()),
    }
}

/// True when `at` lies at `until` or behind it; `None` when the two do not compare. `here` is the server that
/// files belong to in the question.
fn passed(until: &Place, at: &Position, here: &str) -> Option<bool> {
    match (&at.gtid, &until.position.gtid) {
        (Some(at), Some(until)) => (at.flavor() == until.flavor()).then(|| until.is_subset(at)),
        (Some(_), None) => None,
        // It ended before this server was read, so before the beginning.
        (None, _) if !here.is_empty() && until.server != here => Some(true),
        (None, _) => Some(at.compare_binlog(&until.position)?.is_ge()),
    }
}

/// A position as commands take it.
fn words(position: &Position) -> String {
    match (&position.binlog, &position.gtid) {
        (Some(at), None) => at.to_colon_text(),
        (Some(at), Some(gtid)) => format!("{} (GTID {gtid})", at.to_colon_text()),
        (None, Some(gtid)) => format!("[{gtid}]"),
        (None, None) => "no position".to_owned(),
    }
}

fn unknown(what: impl Into<String>) -> Error {
    Error::new(&codes::SCHEMA_NOT_THEN, what.into())
}

fn before(table: &TableName, at: &Position, first: &Place) -> Error {
    unknown(format!(
        "what {table} looked like at {} is not known: what is kept of it begins at {}",
        words(at),
        words(&first.position)
    ))
}

fn incomparable(at: &Position, known: &Position) -> Error {
    unknown(format!("{} cannot be compared with {}", words(at), words(known)))
}

fn out_of_order(at: &Position, lacks: &Older, has: &Older) -> Error {
    unknown(format!(
        "{} is no place in the order in which this source was read: it has {}, and lacks {} before it",
        words(at),
        words(&has.until.position),
        words(&lacks.until.position)
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::timeline::tests::{read, statement};
    use super::super::{Stands, Timeline, Tracker};
    use super::*;
    use crate::position::{Flavor, Gtid, GtidSet};
    use crate::schema::Defaults;

    const SERVER: &str = "00000000-0000-0000-0000-000000000001";

    fn place(offset: u64) -> Position {
        Position::at(format!("bin.000001:{offset}").parse().unwrap())
    }

    fn gtids(upto: u64) -> GtidSet {
        let text = if upto == 0 { String::new() } else { format!("{SERVER}:1-{upto}") };
        GtidSet::parse(Flavor::MySql, &text).unwrap()
    }

    fn one(number: u64) -> GtidSet {
        let mut set = GtidSet::empty(Flavor::MySql);
        set.add(&Gtid::parse(Flavor::MySql, &format!("{SERVER}:{number}")).unwrap()).unwrap();
        set
    }

    fn until(server: &str, offset: u64, gtid: Option<GtidSet>) -> Arc<Place> {
        let position = Position { gtid, ..place(offset) };
        Arc::new(Place { server: server.to_owned(), position })
    }

    fn started(server: &str, offset: u64, gtid: Option<GtidSet>) -> Option<HistoryStart> {
        Some(HistoryStart { place: (*until(server, offset, gtid)).clone(), folded: false })
    }

    /// The statement of group `n` stands from 10 n to 10 n + 5 and has number n.
    fn stands(n: u64) -> Stands {
        Stands { since: None, until: Some(until("s", n * 10 + 5, Some(one(n)))) }
    }

    fn keep(history: &mut SchemaHistory, timeline: &mut Timeline, low: u64) {
        let settled = timeline.take_upto(low);
        settled.removed_tables.iter().for_each(|name| drop(history.now.remove(name)));
        for schema in &settled.removed_schemas {
            history.now.retain(|name, _| name.schema != *schema);
        }
        history.now.extend(settled.tables);
        history.older.extend(settled.older);
        history.upto = Some(Position { gtid: Some(gtids(low)), ..place(low * 10 + 9) });
    }

    fn name(table: &str) -> TableName {
        TableName::new("d", table)
    }

    fn of(statements: &[&str]) -> SchemaHistory {
        let mut timeline = Timeline::default();
        let mut history =
            SchemaHistory { start: started("s", 4, Some(gtids(0))), ..SchemaHistory::default() };
        for (n, sql) in (1..).zip(statements) {
            timeline.apply(&read(sql), n, stands(n)).unwrap();
        }
        keep(&mut history, &mut timeline, statements.len() as u64);
        history
    }

    fn columns(history: &SchemaHistory, table: &str, at: &Position) -> Result<String> {
        let stood = history.schema(&name(table), at)?;
        let Some(tracked) = stood.tracked else { return Ok("none".into()) };
        Ok(tracked.schema.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_statement_is_before_itself_and_not_behind() {
        let history = of(&[
            "CREATE TABLE t (a INT)",
            "ALTER TABLE t ADD b INT",
            "ALTER TABLE t FORCE",
            "RENAME TABLE t TO u",
        ]);
        assert_eq!(
            history.older.len(),
            4,
            "what changes nothing keeps nothing: {:?}",
            history.older
        );
        let told = |table: &str, offset| columns(&history, table, &place(offset)).unwrap();
        let t = [4, 10, 14, 15, 20, 24, 25, 36, 44, 45].map(|offset| told("t", offset));
        assert_eq!(t, ["none", "none", "none", "a", "a", "a", "a b", "a b", "a b", "none"]);
        assert_eq!((told("u", 44), told("u", 45)), ("none".into(), "a b".into()));
        let by_gtid = |n| columns(&history, "t", &Position::of_gtid(gtids(n))).unwrap();
        assert_eq!([0, 1, 2, 3, 4].map(by_gtid), ["none", "a", "a b", "a b", "none"]);
        let stood = history.schema(&name("t"), &place(30)).unwrap();
        assert_eq!(stood.until.map(|p| &p.position), Some(&history.older[2].until.position));
    }

    #[test]
    fn what_is_not_known_is_said() {
        let mut history = of(&["CREATE TABLE t (a INT)", "ALTER TABLE t ADD b INT"]);
        let why = |history: &SchemaHistory, at: &Position| {
            let error = history.schema(&name("t"), at).unwrap_err();
            assert_eq!(error.code().number, 44_021);
            error.message().to_owned()
        };
        assert!(why(&history, &place(3)).contains("what is kept of it begins at"));
        assert!(why(&history, &place(30)).contains("is not read yet"));
        assert!(why(&history, &Position::of_gtid(gtids(3))).contains("is not read yet"));
        let other = Position::at("other.000001:9".parse().unwrap());
        assert!(why(&history, &other).contains("cannot be compared"));
        let domain = GtidSet::parse(Flavor::MariaDb, "0-1-1").unwrap();
        assert!(why(&history, &Position::of_gtid(domain)).contains("cannot be compared"));
        assert!(why(&history, &Position::of_gtid(one(2))).contains("is no place in the order"));
        history.older[0].was = OlderIs::Forgotten;
        assert!(
            why(&history, &place(14)).contains("bin.000001:15"),
            "{}",
            why(&history, &place(14))
        );
        assert_eq!(columns(&history, "t", &place(15)).unwrap(), "a");
        assert!(why(&SchemaHistory::default(), &place(9)).contains("nothing is kept"));
        // Without GTIDs none can be asked for, without a file no offset.
        history.upto.as_mut().unwrap().gtid = None;
        assert!(why(&history, &Position::of_gtid(gtids(1))).contains("cannot be compared"));
        let mut history = of(&["CREATE TABLE t (a INT)"]);
        history.start.as_mut().unwrap().place.position.binlog = None;
        assert!(why(&history, &place(9)).contains("cannot be compared"));
        assert_eq!(columns(&history, "t", &Position::of_gtid(gtids(1))).unwrap(), "a");
    }

    #[test]
    fn offsets_are_of_the_server_that_is_read_now() {
        let mut history = of(&["CREATE TABLE t (a INT)", "ALTER TABLE t ADD b INT"]);
        // Another server is read since 12 in its own files, and it has changed the table at 20.
        history.start = started("z", 12, Some(gtids(0)));
        history.older[1].until = until("z", 25, Some(one(2)));
        assert!(columns(&history, "t", &place(11)).is_err());
        let told = [12, 13, 20, 25].map(|offset| columns(&history, "t", &place(offset)).unwrap());
        assert_eq!(told, ["a", "a", "a", "a b"]);
        assert_eq!(columns(&history, "t", &Position::of_gtid(gtids(0))).unwrap(), "none");
    }

    #[test]
    fn names_are_told_apart_as_the_source_does() {
        let folding = Defaults { lower_case_table_names: 1, ..Defaults::default() };
        let mut timeline = Timeline::new(Tracker::new(folding));
        let mut history =
            SchemaHistory { start: started("s", 4, None), ..SchemaHistory::default() };
        history.start.as_mut().unwrap().folded = true;
        for (n, sql) in [(1, "CREATE TABLE t (a INT)"), (2, "ALTER TABLE T ADD b INT")] {
            timeline.apply(&read(sql), n, stands(n)).unwrap();
        }
        keep(&mut history, &mut timeline, 2);
        for table in ["t", "T"] {
            assert_eq!(columns(&history, table, &place(20)).unwrap(), "a");
            assert_eq!(columns(&history, table, &place(25)).unwrap(), "a b");
        }
        history.start.as_mut().unwrap().folded = false;
        assert_eq!(columns(&history, "t", &place(25)).unwrap(), "none", "these are two tables");
    }

    proptest! {
        /// Whatever statements there were and whenever it was saved: every place has the structures of a tracker
        /// that has met all before it and nothing behind it, by file as by GTID.
        #[test]
        fn every_place_is_told_as_a_tracker_had_it(
            lower in 0..2u8,
            statements in proptest::collection::vec((statement(), proptest::bool::ANY), 1..25),
        ) {
            let defaults = Defaults { lower_case_table_names: lower, ..Defaults::default() };
            let mut timeline = Timeline::new(Tracker::new(defaults));
            let mut history = SchemaHistory { start: started("s", 4, Some(gtids(0))), ..SchemaHistory::default() };
            history.start.as_mut().unwrap().folded = lower == 1;
            let mut stood = vec![timeline.newest().clone()];
            for (n, (sql, save)) in (1..).zip(&statements) {
                let _ = timeline.apply(&read(sql), n, stands(n));
                stood.push(timeline.newest().clone());
                if *save {
                    keep(&mut history, &mut timeline, n);
                }
            }
            let last = statements.len() as u64;
            keep(&mut history, &mut timeline, last);
            let tables = ["t", "u", "v", "T", "tmp"].map(name).into_iter()
                .chain(["t", "w"].map(|t| TableName::new("e", t)));
            for table in tables {
                for (n, then) in (0..).zip(&stood) {
                    let wanted = then.table(&table);
                    // Before the statement, inside of it, and behind it.
                    let mut places = vec![place(n * 10 + 5), Position::of_gtid(gtids(n))];
                    if n < last {
                        places.extend([place(n * 10 + 10), place(n * 10 + 14)]);
                    }
                    for at in places {
                        let told = history.schema(&table, &at).unwrap().tracked;
                        prop_assert_eq!(told.map(|t| &t.schema), wanted, "{} at {}", table, at);
                    }
                }
            }
        }
    }
}
