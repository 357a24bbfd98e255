//! Targets that know which statements have run: the checkpoint behind a statement waits for rows, and
//! a process that is killed in between leaves several statements to be judged.

use std::path::Path;
use std::sync::Arc;

use dm_core::event::{LaneId, SourceId};
use dm_core::sink::script::ScriptSink;
use dm_core::sink::{MemorySink, Sink};
use dm_core::state::StateReader;
use dm_core::testing::build::{insert, update};
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Outcome, Result, Until};

use crate::crash::every;
use crate::script::{int, migration, name, plan, put, text};

const INSTANCE: &str =
    "meta: {binlog-name: scripted-bin.000001, binlog-pos: 4}\nsyncer: {batch: 1}";
const SWAP_COLUMNS: &str = "ALTER TABLE a RENAME COLUMN x TO y, RENAME COLUMN y TO x";
const SWAP_TABLES: &str = "RENAME TABLE a TO t, b TO a, t TO b";

/// Statements behind each other, of which some would undo what they did if they came twice.
fn history(gtids: bool) -> Result<ScriptedSource> {
    let source = if gtids { ScriptedSource::with_gtids("s") } else { ScriptedSource::new("s") };
    let row = |id, x: &str, y: &str| insert([int(id), text(x), text(y)]);
    source.ddl("", "CREATE DATABASE db")?;
    for table in ["a", "b"] {
        source.ddl("db", &format!("CREATE TABLE {table} (id int primary key, x text, y text)"))?;
    }
    source.commit(vec![
        (name("a"), vec![row(1, "x1", "y1")]),
        (name("b"), vec![row(2, "x2", "y2")]),
    ])?;
    source.ddl("db", SWAP_COLUMNS)?;
    source.ddl("db", SWAP_TABLES)?;
    source.ddl("db", SWAP_COLUMNS)?;
    source.commit(vec![(name("a"), vec![row(3, "y3", "x3")])])?;
    source.ddl("db", SWAP_TABLES)?;
    source.ddl("db", "CREATE TABLE c (id int primary key, x text, y text)")?;
    source.ddl("db", "TRUNCATE TABLE c")?;
    let (old, new) = ([int(1), text("x1"), text("y1")], [int(1), text("new"), text("y1")]);
    source
        .commit(vec![(name("c"), vec![row(4, "x4", "y4")]), (name("a"), vec![update(old, new)])])?;
    source.ddl("db", SWAP_COLUMNS)?;
    source.ddl("db", "ALTER TABLE c DROP COLUMN y")?;
    source.finish();
    Ok(source)
}

/// Runs until it is through; how many calls the first attempt made. `open` gives the target of an
/// attempt.
fn run(source: &ScriptedSource, dir: &Path, fault: Fault, open: &dyn Fn() -> Arc<dyn Sink>) -> u64 {
    let mut calls = 0;
    let mut last = None;
    for fault in [fault, Fault::None, Fault::None] {
        let sink = Arc::new(FaultSink::new(open(), fault));
        let as_sink: Arc<dyn Sink> = sink.clone();
        let plan = plan("incremental", &["s"], INSTANCE, "");
        let ended = migration(plan, Arc::new(source.clone()), as_sink, dir).build().run();
        calls = calls.max(sink.calls());
        if ended.is_ok() {
            assert_eq!(ended.ok(), Some(Outcome::Finished));
            return calls;
        }
        last = Some(ended);
    }
    panic!("{fault:?}: {last:?}");
}

fn in_memory(gtids: bool, fault: Fault) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let source = history(gtids).unwrap();
    let target = MemorySink::remembering();
    let calls = run(&source, dir.path(), fault, &|| Arc::new(target.clone()));
    assert_eq!(target.dump(), source.dump(), "{fault:?}");
    calls
}

/// The statements of a script, without the lines that tell how it came about.
fn as_script(fault: Fault) -> (u64, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let source = history(false).unwrap();
    let file = dir.path().join("out.sql");
    let open = || -> Arc<dyn Sink> { Arc::new(ScriptSink::file(&file).unwrap()) };
    let calls = run(&source, dir.path(), fault, &open);
    let text = std::fs::read_to_string(&file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("--")).map(str::to_owned);
    (calls, lines.collect())
}

/// Before every call, or after it.
fn fault(at: u64) -> Fault {
    let when = if at.is_multiple_of(2) { When::Before } else { When::After };
    Fault::Die { at: at.div_ceil(2), when }
}

#[test]
fn each_runs_once_whatever_call_is_the_last() {
    let calls = in_memory(true, Fault::None);
    assert!(calls > 20, "{calls} calls");
    every(2 * calls, |at| in_memory(at % 4 < 2, fault(at)) > 0);
}

#[test]
fn a_script_is_the_same_whatever_call_is_the_last() {
    let (calls, want) = as_script(Fault::None);
    let swaps = want.iter().filter(|line| line.contains("RENAME COLUMN")).count();
    assert_eq!(swaps, 3, "{want:#?}");
    every(2 * calls, |at| {
        assert_eq!(as_script(fault(at)).1, want, "{:?}", fault(at));
        true
    });
}

/// Statements whose checkpoint is one: a table that came and went before it is not tracked behind it, and its
/// name is free.
#[test]
fn a_table_that_came_and_went_between_two_checkpoints_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (ScriptedSource::new("s"), MemorySink::remembering());
    let follow = || {
        let plan = plan("incremental", &["s"], INSTANCE, "");
        let (source, sink) = (Arc::new(source.clone()), Arc::new(target.clone()));
        let run = migration(plan, source, sink, dir.path()).until(Until::CaughtUp).build().run();
        assert_eq!(run.unwrap(), Outcome::Finished);
    };
    for sql in [
        "CREATE DATABASE db",
        "CREATE TABLE db.a (id int primary key)",
        "CREATE TABLE db.b (v text)",
        "DROP TABLE db.b",
    ] {
        source.ddl("", sql).unwrap();
    }
    follow();
    let reader = StateReader::open(dir.path(), "t").unwrap();
    let tracked = reader.tracker(&LaneId::main(&SourceId::new("s"))).unwrap().tables;
    assert_eq!(tracked.iter().map(|t| &t.name).collect::<Vec<_>>(), [&name("a")]);
    source.ddl("db", "RENAME TABLE a TO b").unwrap();
    put(&source, "b", vec![int(1)]).unwrap();
    follow();
    assert_eq!(target.dump(), source.dump());
}
