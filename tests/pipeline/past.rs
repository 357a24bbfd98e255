//! What tables looked like at places that were passed: killed at every call, the state file tells each of them as
//! the source had it there, and what it does not know it does not tell.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dm_core::event::{LaneId, SourceId};
use dm_core::operate::StructureCommand;
use dm_core::position::Position;
use dm_core::sink::{MemorySink, Sink};
use dm_core::source::Source;
use dm_core::state::StateReader;
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Outcome, Result, Until};

use crate::crash::{every, keep_state, started_again};
use crate::script::{int, migration, name, plan, put, text};

const TABLES: [&str; 5] = ["t", "u", "v", "w", "x"];

/// A place, and the columns of each table there; none where there is no such table.
struct Stage {
    at: Position,
    columns: Vec<Option<String>>,
}

fn stage(source: &ScriptedSource) -> Stage {
    let columns = |table: &&str| {
        let info = source.describe(&name(table)).unwrap()?;
        Some(info.schema.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(" "))
    };
    Stage { at: source.end_position().unwrap(), columns: TABLES.iter().map(columns).collect() }
}

fn before(source: &ScriptedSource) -> Result<()> {
    source.ddl("", "CREATE DATABASE db")?;
    for table in ["t", "u", "x"] {
        source.ddl("db", &format!("CREATE TABLE {table} (id int primary key, v varchar(20))"))?;
        put(source, table, vec![int(1), text("copied")])?;
    }
    Ok(())
}

/// Statements of all kinds with rows in between, two runs' worth of them.
fn after(source: &ScriptedSource, run: usize) -> Result<Vec<Stage>> {
    let first = [
        "ALTER TABLE t ADD COLUMN a int",
        "CREATE TABLE v (id int primary key, z int)",
        // Nothing changes.
        "ALTER TABLE t COMMENT = ''",
        "RENAME TABLE t TO w, u TO t, w TO u",
        // A filter keeps it from the target.
        "ALTER TABLE v ADD COLUMN kept_away int",
        "CREATE TABLE _u_gho LIKE u",
        "ALTER TABLE _u_gho ADD COLUMN g int NOT NULL DEFAULT 7",
        "RENAME TABLE u TO _u_del, _u_gho TO u",
    ];
    let second =
        ["DROP TABLE v", "CREATE TABLE v (id int primary key, y int)", "RENAME TABLE v TO w"];
    let statements: &[&str] = if run == 0 { &first } else { &second };
    let mut stages = vec![stage(source)];
    for (n, sql) in (100 * (run as i64 + 1)..).zip(statements) {
        source.ddl("db", sql)?;
        stages.push(stage(source));
        put(source, "x", vec![int(n), text("between")])?;
        stages.push(stage(source));
    }
    Ok(stages)
}

fn run(source: &ScriptedSource, sink: Arc<dyn Sink>, dir: &Path) -> Result<Outcome> {
    let more = "filters: {away: {schema-pattern: db, table-pattern: v, sql-pattern: ['kept_away'], action: Ignore}}\n";
    let mut plan = plan("all", &["s"], "syncer: {worker-count: 2}\nfilter-rules: [away]", more);
    plan.sources[0].sync.checkpoint_interval = Duration::ZERO;
    plan.sources[0].resume.backoff_min = Duration::from_millis(10);
    migration(plan, Arc::new(source.clone()), sink, dir).until(Until::CaughtUp).build().run()
}

/// Every place that the state file has passed is told right; how many.
fn told(dir: &Path, stages: &[Stage]) -> usize {
    let reader = StateReader::open(dir, "t").unwrap();
    let history = reader.schema_history(&LaneId::main(&SourceId::new("s")), None).unwrap();
    let upto = history.upto.clone().unwrap();
    let passed = |stage: &&Stage| stage.at.compare(&upto).is_some_and(std::cmp::Ordering::is_le);
    let mut told = 0;
    for stage in stages {
        let by_file = Position::at(stage.at.binlog.clone().unwrap());
        for at in [&stage.at, &by_file] {
            for (table, columns) in TABLES.iter().zip(&stage.columns) {
                let stood = history.schema(&name(table), at);
                if !passed(&stage) {
                    assert_eq!(stood.unwrap_err().code().number, 44_021, "{table} at {at}");
                    continue;
                }
                let names = stood.unwrap().tracked.map(|tracked| {
                    let names = tracked.schema.columns.iter().map(|c| c.name.as_str());
                    names.collect::<Vec<_>>().join(" ")
                });
                assert_eq!(&names, columns, "{table} at {at}");
            }
        }
        told += usize::from(passed(&stage));
    }
    told
}

fn round(gtids: bool, fault: Fault) -> (u64, bool) {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let source = if gtids { ScriptedSource::with_gtids("s") } else { ScriptedSource::new("s") };
    before(&source).unwrap();
    let target = MemorySink::new();
    let as_it_is = || -> Arc<dyn Sink> { Arc::new(target.clone()) };
    assert_eq!(run(&source, as_it_is(), &first).unwrap(), Outcome::Finished);
    let mut stages = after(&source, 0).unwrap();
    let stages_then: Arc<Vec<Stage>> = Arc::new(std::mem::take(&mut stages));
    let broken: Arc<Mutex<Option<String>>> = Arc::default();
    let hook = {
        let (from, to): (PathBuf, PathBuf) = (first.clone(), second.clone());
        let (stages, broken) = (Arc::clone(&stages_then), Arc::clone(&broken));
        move || {
            keep_state(&from, &to);
            let held = std::panic::catch_unwind(|| told(&to, &stages));
            if let Err(panic) = held {
                *broken.lock().unwrap() = panic.downcast_ref::<String>().cloned();
            }
        }
    };
    let faulty = Arc::new(FaultSink::with_hook(as_it_is(), fault, hook));
    let result = run(&source, faulty.clone(), &first);
    assert_eq!(*broken.lock().unwrap(), None, "{fault:?}");
    let died = matches!(fault, Fault::Die { .. }) && faulty.has_failed();
    let state = if died { &second } else { &first };
    let result = started_again(result, &target, || run(&source, as_it_is(), state));
    assert_eq!(result.as_ref().ok(), Some(&Outcome::Finished), "{fault:?}: {result:?}");
    assert_eq!(told(state, &stages_then), stages_then.len(), "{fault:?}");
    // What was kept before the next run is still known behind it.
    let more = after(&source, 1).unwrap();
    assert_eq!(run(&source, as_it_is(), state).unwrap(), Outcome::Finished);
    assert_eq!(told(state, &stages_then) + told(state, &more), stages_then.len() + more.len());
    (faulty.calls(), faulty.has_failed())
}

#[test]
fn every_place_is_told_whatever_was_killed() {
    let (calls, _) = round(true, Fault::None);
    let failed = every(calls, |at| round(true, Fault::Die { at, when: When::After }).1);
    assert!(calls > 5 && failed as u64 >= calls - 4, "{failed} faults for {calls} calls");
}

#[test]
fn every_place_is_told_where_there_are_no_gtids() {
    round(false, Fault::None);
}

/// What was there before the copy is not known: the copy is where the history begins.
#[test]
fn nothing_is_told_of_the_time_before_the_copy() {
    let dir = tempfile::tempdir().unwrap();
    let source = ScriptedSource::new("s");
    source.ddl("", "CREATE DATABASE db").unwrap();
    source.ddl("db", "CREATE TABLE t (id int primary key)").unwrap();
    let early = stage(&source).at.binlog.unwrap().to_colon_text();
    source.ddl("db", "ALTER TABLE t ADD COLUMN v int").unwrap();
    let copied = stage(&source).at.binlog.unwrap().to_colon_text();
    run(&source, Arc::new(MemorySink::new()), dir.path()).unwrap();
    let ask = |at: &str| {
        let at = Some(at.to_owned());
        let command = StructureCommand { sources: Vec::new(), table: name("t"), at };
        command.get(dir.path(), "t", &|_| Ok(None)).unwrap().remove(0).result
    };
    assert_eq!(ask(&early).unwrap_err().code().number, 44_021);
    assert!(ask(&copied).unwrap().contains("`v` int"));
}
