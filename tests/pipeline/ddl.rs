//! Statements of several steps, killed at every call: those of an online schema change with rules about
//! them, renames of other tables in the same statement, statements that a target takes in pieces only,
//! statements that an operator wants before rows; and one that a filter keeps from the target.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dm_core::event::{LaneId, SourceId};
use dm_core::operate::{HandleError, Operation};
use dm_core::sink::{Cell, MemorySink, Sink};
use dm_core::state::StateReader;
use dm_core::testing::build::insert;
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Outcome, Result, TableName, Until, Value};

use crate::around::Around;
use crate::crash::{every, keep_state, started_again};
use crate::picky::Picky;
use crate::script::{end, int, migration, name, plan, put, say, text};

/// What a test is about: the source's part, and what the target is.
struct Story {
    /// Of the instance in the task file.
    instance: &'static str,
    /// Of the task file.
    more: &'static str,
    /// Written before the copy.
    before: fn(&ScriptedSource) -> Result<()>,
    /// Written to the binlog, with an operator's words in between.
    after: fn(&ScriptedSource, &Path) -> Result<()>,
    /// The target's tables, and its structures beside.
    sink: fn(&MemorySink) -> Arc<dyn Sink>,
    /// The state is saved behind every event.
    often: bool,
    /// What must hold of the state file and the target whenever the process dies.
    invariant: fn(&Path, &MemorySink),
    /// What must hold at the end.
    end: fn(&ScriptedSource, &MemorySink),
}

fn run(story: &Story, source: &ScriptedSource, sink: Arc<dyn Sink>, dir: &Path) -> Result<Outcome> {
    let mut plan = plan("all", &["s"], story.instance, story.more);
    if story.often {
        // Every chance to save something too early is taken.
        plan.sources[0].sync.checkpoint_interval = Duration::ZERO;
    }
    plan.sources[0].resume.backoff_min = Duration::from_millis(10);
    migration(plan, Arc::new(source.clone()), sink, dir).until(Until::CaughtUp).build().run()
}

fn round(story: &Story, fault: Fault) -> (u64, bool) {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let source = ScriptedSource::new("s");
    source.ddl("", "CREATE DATABASE db").unwrap();
    (story.before)(&source).unwrap();
    let target = MemorySink::new();
    let copied = run(story, &source, (story.sink)(&target), &first);
    assert_eq!(copied.unwrap(), Outcome::Finished);
    (story.after)(&source, &first).unwrap();

    let broken: Arc<Mutex<Option<String>>> = Arc::default();
    let hook = {
        let (from, to, told): (PathBuf, PathBuf, _) =
            (first.clone(), second.clone(), target.clone());
        let (invariant, broken) = (story.invariant, Arc::clone(&broken));
        move || {
            keep_state(&from, &to);
            let held = std::panic::catch_unwind(|| invariant(&to, &told));
            if let Err(panic) = held {
                let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                *broken.lock().unwrap() = Some(text);
            }
        }
    };
    let faulty = Arc::new(FaultSink::with_hook((story.sink)(&target), fault, hook));
    let result = run(story, &source, faulty.clone(), &first);
    assert_eq!(*broken.lock().unwrap(), None, "{fault:?}");
    let died = matches!(fault, Fault::Die { .. }) && faulty.has_failed();
    let state = if died { &second } else { &first };
    let result =
        started_again(result, &target, || run(story, &source, (story.sink)(&target), state));
    assert_eq!(result.as_ref().ok(), Some(&Outcome::Finished), "{fault:?}: {result:?}");
    (story.end)(&source, &target);
    (faulty.calls(), faulty.has_failed())
}

fn every_call(story: &Story, fault: impl Fn(u64) -> Fault + Sync) {
    let (calls, _) = round(story, Fault::None);
    let failed = every(calls, |k| round(story, fault(k)).1);
    assert!(calls > 5 && failed as u64 >= calls - 4, "{failed} faults for {calls} calls");
}

fn killed_everywhere(story: &Story) {
    every_call(story, |at| Fault::Die { at, when: When::Before });
    every_call(story, |at| Fault::Die { at, when: When::After });
    every_call(story, |at| Fault::Cut { at, when: When::After });
}

fn as_it_is(target: &MemorySink) -> Arc<dyn Sink> {
    Arc::new(target.clone())
}

fn whatever(_: &Path, _: &MemorySink) {}

fn rows(target: &MemorySink, table: &str) -> Vec<String> {
    let rows = target.rows(&name(table)).unwrap_or_default();
    rows.iter().map(|r| r.iter().map(Cell::to_string).collect::<Vec<_>>().join(" ")).collect()
}

fn columns(target: &MemorySink, table: &str) -> Vec<String> {
    let schema = target.describe(&name(table)).unwrap();
    schema.map(|s| s.columns.iter().map(|c| c.name.clone()).collect()).unwrap_or_default()
}

fn tables(target: &MemorySink) -> Vec<String> {
    target.dump().into_keys().map(|t: TableName| t.table).collect()
}

/// One rename ends two online schema changes, and renames other tables before, between and behind them;
/// rules replace, leave out and point at some of the statements that then run.
#[test]
fn a_rename_with_everything_in_it() {
    killed_everywhere(&Story {
        instance: "syncer: {worker-count: 2}",
        more: "ddl-rules:\n\
               - match: 'TABLE (\\S+) ADD COLUMN (\\w+) int UNIQUE'\n  action: replace\n  \
               sql: 'ALTER TABLE $1 ADD COLUMN $2 int; ALTER TABLE $1 ADD UNIQUE KEY $2 ($2)'\n\
               - {match: 'ADD KEY unwanted', action: skip}\n\
               - {match: 'TO `db`.`c2`', action: warn}\n",
        before: |source| {
            for table in ["t", "u", "a", "c"] {
                source.ddl(
                    "db",
                    &format!("CREATE TABLE {table} (id int primary key, v varchar(20))"),
                )?;
                put(source, table, vec![int(1), text(table)])?;
            }
            Ok(())
        },
        after: |source, _| {
            source.ddl("db", "CREATE TABLE _t_gho LIKE t")?;
            source.ddl("db", "ALTER TABLE _t_gho ADD COLUMN w int NOT NULL DEFAULT 7")?;
            source.ddl("db", "ALTER TABLE _t_gho ADD COLUMN x int UNIQUE")?;
            source.ddl("db", "ALTER TABLE _t_gho ADD KEY unwanted (v)")?;
            source.ddl("db", "ALTER TABLE _t_gho ADD COLUMN y int")?;
            source.ddl("db", "CREATE TABLE _u_new LIKE u")?;
            source.ddl("db", "ALTER TABLE _u_new ADD COLUMN z int UNIQUE")?;
            put(source, "_t_gho", vec![int(1), text("t"), int(7), Value::Null, Value::Null])?;
            put(source, "_u_new", vec![int(1), text("u"), Value::Null])?;
            put(source, "a", vec![int(2), text("before")])?;
            source.ddl(
                "db",
                "RENAME TABLE a TO b, t TO _t_del, _t_gho TO t, c TO c2, u TO _u_old, _u_new TO u, c2 TO a",
            )?;
            put(source, "t", vec![int(2), text("new"), int(8), int(9), int(10)])?;
            put(source, "u", vec![int(2), text("new"), int(3)])?;
            put(source, "a", vec![int(3), text("was c")])?;
            put(source, "b", vec![int(3), text("was a")])
        },
        sink: as_it_is,
        often: false,
        invariant: whatever,
        end: |source, target| {
            assert_eq!(tables(target), ["a", "b", "t", "u"]);
            let (have, want) = (target.dump(), source.dump());
            for table in ["a", "b", "t", "u"] {
                assert_eq!(have.get(&name(table)), want.get(&name(table)), "{table}");
            }
            let keys = |table: &str| target.describe(&name(table)).unwrap().unwrap().keys.len();
            assert_eq!((keys("t"), keys("u")), (2, 2), "the primary and the unique one");
        },
    });
}

fn altered(source: &ScriptedSource, _: &Path) -> Result<()> {
    put(source, "t", vec![int(2), text("b"), int(20)])?;
    source.ddl(
        "db",
        "ALTER TABLE t ADD COLUMN (w int NOT NULL DEFAULT 7, x int), DROP COLUMN k, ADD KEY w (w), ALGORITHM=INPLACE",
    )?;
    put(source, "t", vec![int(3), text("c"), int(8), int(9)])?;
    // Its key goes with it.
    source.ddl("db", "ALTER TABLE t DROP COLUMN w")?;
    put(source, "t", vec![int(4), text("d"), int(10)])
}

fn picky(old: bool) -> Story {
    Story {
        instance: "syncer: {worker-count: 2}",
        more: "",
        before: |source| {
            source.ddl(
                "db",
                "CREATE TABLE t (id int primary key, v varchar(20), k int, unique key k (k))",
            )?;
            put(source, "t", vec![int(1), text("a"), int(10)])
        },
        after: altered,
        sink: match old {
            true => {
                |tables| Arc::new(Around { tables: tables.clone(), between: Picky { old: true } })
            }
            false => {
                |tables| Arc::new(Around { tables: tables.clone(), between: Picky { old: false } })
            }
        },
        often: false,
        invariant: whatever,
        end: |source, target| {
            assert_eq!(columns(target, "t"), ["id", "v", "x"]);
            assert_eq!(target.dump(), source.dump());
        },
    }
}

#[test]
fn a_statement_that_is_refused_as_a_whole_runs_in_pieces() {
    killed_everywhere(&picky(false));
}

#[test]
fn a_statement_runs_in_pieces_where_one_change_at_a_time_is_taken() {
    killed_everywhere(&picky(true));
}

/// Columns that change places cannot be taken apart: the target's refusal stands.
#[test]
fn what_cannot_be_taken_apart_stops_the_task() {
    let dir = tempfile::tempdir().unwrap();
    let story = Story {
        after: |source, _| {
            source.ddl("db", "ALTER TABLE t RENAME COLUMN v TO k, RENAME COLUMN k TO v")
        },
        ..picky(false)
    };
    let source = ScriptedSource::new("s");
    source.ddl("", "CREATE DATABASE db").unwrap();
    (story.before)(&source).unwrap();
    let target = MemorySink::new();
    run(&story, &source, (story.sink)(&target), dir.path()).unwrap();
    (story.after)(&source, dir.path()).unwrap();
    let error = run(&story, &source, (story.sink)(&target), dir.path()).unwrap_err();
    assert_eq!(error.server_error(), Some(8200), "{error}");
    assert_eq!(columns(&target, "t"), ["id", "v", "k"]);
    let swap = "ALTER TABLE db.t RENAME COLUMN v TO x; ALTER TABLE db.t RENAME COLUMN k TO v; \
                ALTER TABLE db.t RENAME COLUMN x TO k";
    say(dir.path(), None, Operation::Replace(swap.to_owned()));
    run(&story, &source, (story.sink)(&target), dir.path()).unwrap();
    assert_eq!(columns(&target, "t"), ["id", "k", "v"]);
}

/// Where the statement ends that a filter keeps from the target, counted in transactions of the target.
fn filtered_is_tracked_with_its_position(dir: &Path, target: &MemorySink) {
    let reader = StateReader::open(dir, "t").unwrap();
    let lane = LaneId::main(&SourceId::new("s"));
    let tracked = reader.tracker(&lane).unwrap().tables;
    let Some(tracked) = tracked.iter().find(|t| t.name == name("t")) else { return };
    let knows = tracked.schema.columns.iter().all(|c| c.name != "v");
    let before = rows(target, "t").iter().any(|row| row.starts_with("2 "));
    let behind = rows(target, "t").iter().any(|row| row.starts_with("3 "));
    assert!(before || !knows, "the structure is saved ahead of rows that were read in the old one");
    assert!(knows || !behind, "rows of the new structure are in, and the saved one is the old one");
}

#[test]
fn a_statement_that_a_filter_drops_is_tracked_at_its_place() {
    killed_everywhere(&Story {
        instance: "syncer: {worker-count: 2}\nfilter-rules: [keep]",
        more: "filters: {keep: {schema-pattern: db, table-pattern: t, sql-pattern: ['DROP COLUMN'], action: Ignore}}\n",
        before: |source| {
            source.ddl("db", "CREATE TABLE t (id int primary key, v varchar(20), w int)")?;
            put(source, "t", vec![int(1), text("a"), int(1)])
        },
        after: |source, _| {
            put(source, "t", vec![int(2), text("b"), int(2)])?;
            source.ddl("db", "ALTER TABLE t DROP COLUMN v")?;
            for id in 3..6 {
                put(source, "t", vec![int(id), int(id)])?;
            }
            Ok(())
        },
        sink: as_it_is,
        often: true,
        invariant: filtered_is_tracked_with_its_position,
        end: |_, target| {
            assert_eq!(columns(target, "t"), ["id", "v", "w"]);
            assert_eq!(rows(target, "t"), ["1 a 1", "2 b 2", "3 NULL 3", "4 NULL 4", "5 NULL 5"]);
        },
    });
}

/// The target lacks a table, then a column; both are made right before the rows that need them.
#[test]
fn statements_run_before_rows() {
    killed_everywhere(&Story {
        instance: "syncer: {worker-count: 2}",
        more: "ddl-rules: [{match: 'late', action: skip}]\n",
        before: |source| {
            source.ddl("db", "CREATE TABLE t (id int primary key, v varchar(20))")?;
            put(source, "t", vec![int(1), text("a")])
        },
        after: |source, dir| {
            source.ddl("db", "CREATE TABLE late (id int primary key)")?;
            put(source, "t", vec![int(2), text("b")])?;
            let make =
                "CREATE TABLE db.late (id int primary key); ALTER TABLE db.late ADD KEY k (id)";
            // The place of the transaction's first event.
            say(dir, Some(end(source)), Operation::Inject(make.to_owned()));
            source.commit(vec![
                (name("t"), vec![insert(vec![int(3), text("c")])]),
                (name("late"), vec![insert(vec![int(1)])]),
            ])?;
            source.ddl("db", "ALTER TABLE t ADD COLUMN late int")?;
            put(source, "late", vec![int(2)])?;
            // Behind the GTID event and BEGIN: the place of the rows.
            let mut place = end(source);
            place.offset += 200;
            let add = "ALTER TABLE db.t ADD COLUMN late int";
            say(dir, Some(place), Operation::Inject(add.to_owned()));
            put(source, "t", vec![int(4), text("d"), int(4)])
        },
        sink: as_it_is,
        often: false,
        invariant: whatever,
        end: |source, target| assert_eq!(target.dump(), source.dump()),
    });
}

#[test]
fn rows_that_stopped_the_task_are_preceded_by_a_statement() {
    let dir = tempfile::tempdir().unwrap();
    let story = Story {
        more: "ddl-rules: [{match: 'ADD COLUMN', action: skip}]\n",
        after: |source, _| {
            source.ddl("db", "ALTER TABLE t ADD COLUMN x int")?;
            put(source, "t", vec![int(2), text("b"), int(2), int(3)])
        },
        ..picky(false)
    };
    let source = ScriptedSource::new("s");
    source.ddl("", "CREATE DATABASE db").unwrap();
    (story.before)(&source).unwrap();
    let target = MemorySink::new();
    run(&story, &source, as_it_is(&target), dir.path()).unwrap();
    (story.after)(&source, dir.path()).unwrap();
    let error = run(&story, &source, as_it_is(&target), dir.path()).unwrap_err();
    assert!(error.rows_place().is_some() && error.statement_place().is_none(), "{error}");
    let command = |operation| HandleError { sources: Vec::new(), position: None, operation };
    let skip = command(Operation::Skip).run(dir.path(), "t").unwrap();
    assert_eq!(skip[0].result.as_ref().unwrap_err().code().number, 36_221, "rows are not skipped");
    say(dir.path(), None, Operation::Inject("ALTER TABLE db.t ADD COLUMN y int".to_owned()));
    run(&story, &source, as_it_is(&target), dir.path()).unwrap_err();
    assert_eq!(columns(&target, "t"), ["id", "v", "k", "y"], "it ran, and was not the one needed");
    // Another word about the same place.
    say(dir.path(), None, Operation::Inject("ALTER TABLE db.t ADD COLUMN x int".to_owned()));
    run(&story, &source, as_it_is(&target), dir.path()).unwrap();
    assert_eq!(rows(&target, "t"), ["1 a 10 NULL NULL", "2 b 2 NULL 3"]);
}
