//! `dm operate-schema get --at`: what a table looked like at a position of its source's binlog.

use dm_filter::TableName;

use super::structure::one_line;
use super::{Answer, Known, parse_place};
use crate::error::{Error, Result, codes};
use crate::event::LaneId;
use crate::position::{GtidSet, Position};
use crate::schema::{Place, create_table};
use crate::state::StateReader;

/// What a source's table looked like at `at`.
///
/// # Errors
///
/// When the state cannot be read. What cannot be told is the answer's error: 44021 where it is not known, 44005
/// where no structure was tracked, 36223 for what is no position.
pub(super) fn get(
    reader: &StateReader,
    known: &Known,
    table: &TableName,
    at: &str,
) -> Result<Answer> {
    let history = reader.schema_history(&LaneId::main(&known.source), Some(table))?;
    let at = match position(at, history.upto.as_ref()) {
        Ok(at) => at,
        Err(error) => return Ok(Answer::new(&known.source, Err(error))),
    };
    let stood = match history.schema(table, &at) {
        Ok(stood) => stood,
        Err(error) => return Ok(Answer::new(&known.source, Err(error))),
    };
    let Some(tracked) = stood.tracked else {
        let text = format!(
            "source {} did not track {table} there: there was no such table, or nothing had asked for it",
            known.source
        );
        let error = Error::new(&codes::SCHEMA_MISSING, text)
            .workaround("Without --at the command tells since where it is tracked.");
        return Ok(Answer::new(&known.source, Err(error)));
    };
    Ok(Answer {
        assumed: tracked.assumed,
        since: tracked.since.as_ref().map(ToString::to_string),
        until: stood.until.and_then(place),
        ..Answer::new(&known.source, Ok(one_line(&create_table(table, &tracked.schema))))
    })
}

/// A place as commands take it.
fn place(place: &Place) -> Option<String> {
    place.position.binlog.as_ref().map(|at| at.to_colon_text())
}

/// A position as people write it: `file:offset`, or GTIDs where the source is followed by these.
fn position(text: &str, upto: Option<&Position>) -> Result<Position> {
    let by_file = match parse_place(text) {
        Ok(at) => return Ok(Position::at(at)),
        Err(error) => error,
    };
    let Some(flavor) = upto.and_then(|upto| upto.gtid.as_ref()).map(GtidSet::flavor) else {
        return Err(by_file);
    };
    GtidSet::parse(flavor, text).map(Position::of_gtid).map_err(|_| {
        let text =
            format!("{text:?} is neither a position file:offset nor a set of {flavor} GTIDs");
        Error::new(&codes::OPERATOR_PLACE, text)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{NewStructure, StructureCommand, structure_of, write_structures};
    use super::*;
    use crate::ddl::{ParseContext, parse};
    use crate::event::SourceId;
    use crate::position::Flavor;
    use crate::schema::{HistoryStart, Stands, Timeline};
    use crate::state::{
        Checkpoint, LaneChanges, OLDER_IN_ALL, OLDER_PER_TABLE, StateStore, TrackedTable,
    };

    fn name() -> TableName {
        TableName::new("d", "t")
    }

    fn gtids(text: &str) -> Option<GtidSet> {
        GtidSet::parse(Flavor::MariaDb, text).ok()
    }

    fn at(offset: u64, gtid: &str) -> Position {
        let binlog = format!("bin.000001:{offset}").parse().ok();
        Position { binlog, gtid: gtids(gtid) }
    }

    /// A lane that has met these statements, each with a checkpoint of its own: number n ends at 10 n.
    struct Lane {
        store: StateStore,
        lane: LaneId,
        timeline: Timeline,
        epoch: u64,
        last: u64,
    }

    impl Lane {
        fn new(dir: &std::path::Path) -> Self {
            let store = StateStore::open(dir, "t").unwrap();
            let lane = LaneId::main(&SourceId::new("s"));
            let epoch = store.begin_run(&lane, 0).unwrap().epoch;
            let place = Place { server: "a".into(), position: at(4, "0-1-1") };
            let changes = LaneChanges {
                history_start: Some(HistoryStart { place, folded: false }),
                ..LaneChanges::default()
            };
            let lane = Self { store, lane, timeline: Timeline::default(), epoch, last: 0 };
            lane.save(4, "0-1-1", &changes);
            lane
        }

        fn save(&self, offset: u64, gtid: &str, changes: &LaneChanges) {
            let position = at(offset, gtid);
            let checkpoint =
                Checkpoint { ordinal: self.last, position, epoch: self.epoch, event_at: 0 };
            self.store.save_checkpoint(&self.lane, &checkpoint, changes).unwrap();
        }

        fn run(&mut self, sql: &str) {
            self.last += 1;
            let (n, gtid) = (self.last, format!("0-1-{}", self.last + 1));
            let until = Place { server: "a".into(), position: at(n * 10, &gtid) };
            let stands =
                Stands { since: Some(format!("s{n}").into()), until: Some(Arc::new(until)) };
            let statement = parse(sql, &ParseContext::in_schema("d")).unwrap();
            self.timeline.apply(&statement, n, stands).unwrap();
            let settled = self.timeline.take_upto(n);
            let tables = settled.tables.into_iter().map(|(name, tracked)| TrackedTable {
                name,
                schema: tracked.schema,
                version: tracked.version,
                assumed: tracked.assumed,
                since: tracked.since,
            });
            let changes = LaneChanges {
                removed_tables: settled.removed_tables,
                tables: tables.collect(),
                older: settled.older,
                ..LaneChanges::default()
            };
            self.save(n * 10, &gtid, &changes);
        }
    }

    fn told(dir: &std::path::Path, at: &str) -> Answer {
        let command =
            StructureCommand { sources: Vec::new(), table: name(), at: Some(at.to_owned()) };
        command.get(dir, "t", &|_| panic!("the target is not asked")).unwrap().remove(0)
    }

    fn number(answer: &Answer) -> u32 {
        answer.result.as_ref().unwrap_err().code().number
    }

    #[test]
    fn a_table_is_told_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let mut lane = Lane::new(dir);
        lane.run("CREATE TABLE t (a INT)");
        lane.run("ALTER TABLE t ADD b INT");
        lane.run("CREATE TABLE u (z INT)");
        let text = |place: &str| told(dir, place).result.unwrap();
        assert!(!text("bin.000001:10").contains("`b`") && text("bin.000001:20").contains("`b`"));
        assert!(!text("0-1-2").contains("`b`") && text("0-1-3").contains("`b`"));
        let first = told(dir, "bin.000001:19");
        assert_eq!(
            (first.since.as_deref(), first.until.as_deref()),
            (Some("s1"), Some("bin.000001:20"))
        );
        assert_eq!(told(dir, "bin.000001:20").until, None);
        assert_eq!(number(&told(dir, "bin.000001:9")), 44_005);
        assert_eq!(number(&told(dir, "bin.000001:3")), 44_021, "before the beginning");
        assert_eq!(number(&told(dir, "bin.000001:31")), 44_021, "not read yet");
        assert_eq!(number(&told(dir, "nonsense")), 36_223);

        // What an operator gives holds from where the lane stands.
        lane.run("CREATE TABLE v (z INT)");
        let command = StructureCommand { sources: Vec::new(), table: name(), at: None };
        let c = structure_of("CREATE TABLE t (c INT)", &name(), &[]).unwrap();
        let give = |given: Vec<_>| write_structures(&lane.store, &given);
        let new = |_: &str, _: &[_]| Ok(NewStructure { schema: Arc::clone(&c), assumed: false });
        command.set(dir, "t", &new, &give).unwrap();
        assert!(text("bin.000001:39").contains("`b`") && text("bin.000001:40").contains("`c`"));
        lane.run("CREATE TABLE w (z INT)");
        command.remove(dir, "t", &|given| write_structures(&lane.store, &given)).unwrap();
        assert!(text("0-1-5").contains("`c`"));
        assert_eq!(number(&told(dir, "0-1-6")), 44_005);

        // A position of an operator's begins anew.
        lane.store.move_checkpoint(&lane.lane, &at(15, "0-1-2")).unwrap();
        assert_eq!(number(&told(dir, "bin.000001:10")), 44_021);
        let u = StructureCommand { table: TableName::new("d", "u"), ..command };
        let u = StructureCommand { at: Some("bin.000001:15".into()), ..u };
        let tracked = u.get(dir, "t", &|_| Ok(None)).unwrap().remove(0);
        assert!(tracked.assumed && tracked.result.is_ok());
    }

    #[test]
    fn the_newest_are_kept_and_the_others_are_told_to_be_gone() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let mut lane = Lane::new(dir);
        lane.run("CREATE TABLE t (a INT)");
        lane.run("CREATE TABLE u (a INT)");
        let many = OLDER_PER_TABLE as u64 + 3;
        for n in 0..many {
            lane.run(&format!("ALTER TABLE t ADD c{n} INT"));
        }
        // Statement n of the lane has ended at 10 n, and column c(n) is of statement n + 3.
        let known = |place: u64| told(dir, &format!("bin.000001:{place}")).result;
        let first = lane.last + 1 - OLDER_PER_TABLE as u64;
        for statement in 1..lane.last {
            let has = known(statement * 10 + 5);
            match statement + 1 < first {
                true => assert_eq!(has.unwrap_err().code().number, 44_021, "{statement}"),
                false => {
                    let (mine, next) = (statement - 3, statement - 2);
                    let has = has.unwrap();
                    assert!(has.contains(&format!("`c{mine}`")), "{statement}: {has}");
                    assert!(!has.contains(&format!("`c{next}`")), "{statement}: {has}");
                }
            }
        }
        let history = lane.store.reader().schema_history(&lane.lane, None).unwrap();
        assert_eq!(
            history.older.len(),
            OLDER_PER_TABLE + 2,
            "one says that there were more, one is of u"
        );

        // As many as are kept in all, of other tables: then it begins behind what is gone.
        let until =
            |n: usize| Place { server: "a".into(), position: at(10_000 + n as u64, "0-1-900") };
        let older = |n: usize| crate::schema::Older {
            table: TableName::new("x", format!("t{n}")),
            was: crate::schema::OlderIs::Untracked,
            until: Arc::new(until(n)),
        };
        let changes = |range: std::ops::Range<usize>| LaneChanges {
            older: range.map(older).collect(),
            ..LaneChanges::default()
        };
        lane.save(30_000, "0-1-900", &changes(0..OLDER_IN_ALL - 1));
        let start = |lane: &Lane| lane.store.reader().history_start(&lane.lane).unwrap().unwrap();
        let begins = start(&lane).place.position.binlog.unwrap().offset;
        assert_eq!(begins, (lane.last - 1) * 10, "all but the last statement's are gone");
        lane.save(30_000, "0-1-900", &changes(OLDER_IN_ALL..2 * OLDER_IN_ALL + 7));
        let history = lane.store.reader().schema_history(&lane.lane, None).unwrap();
        assert_eq!(history.older.len(), OLDER_IN_ALL);
        let begins = start(&lane).place.position;
        assert_eq!(begins.binlog.unwrap().offset, 10_000 + OLDER_IN_ALL as u64 + 6);
        assert!(known(29_999).is_ok(), "what has not changed since is as it is tracked");
    }
}
