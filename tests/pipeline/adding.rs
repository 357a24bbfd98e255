//! Tables that join a task later, with the process killed at its calls to the target meanwhile.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dm_core::config::TaskPlan;
use dm_core::error::codes;
use dm_core::event::SourceId;
use dm_core::migration::{Command, Verb};
use dm_core::position::Position;
use dm_core::sink::{MemorySink, Sink};
use dm_core::source::Source;
use dm_core::state::{StateReader, StateStore};
use dm_core::testing::build::{delete, insert, update};
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Outcome, Result, TableName, Until, Waited};

use crate::crash::{every, keep_state};
use crate::script::{Live, before, during, int, migration, name, plan, text};

/// What the task begins with: not the table without a key, and not one of those with one.
fn part(workers: usize) -> TaskPlan {
    of_lists(
        workers,
        "ignore-tables: [{db-name: db, tbl-name: bare}, {db-name: db, tbl-name: twice}]",
    )
}

fn whole(workers: usize) -> TaskPlan {
    of_lists(workers, "do-dbs: [db]")
}

fn of_lists(workers: usize, list: &str) -> TaskPlan {
    let instance = format!(
        "block-allow-list: l\nmydumper: {{threads: 1, rows: 3}}\nsyncer: {{worker-count: {workers}, batch: 2}}"
    );
    plan("all", &["s"], &instance, &format!("block-allow-list: {{l: {{{list}}}}}\n"))
}

/// What happens between the copies and the join: transactions over old and new tables, statements on
/// both.
fn later(source: &ScriptedSource) -> Result<()> {
    let pair = |a: i64, b: &str| vec![int(a), text(b)];
    let keyed = |v: i64| (name("keyed"), vec![insert(pair(v, "later"))]);
    for i in 0..3 {
        let twins = [insert(pair(7, "twin")), insert(pair(7, "twin")), delete(pair(1, "twin"))];
        source.commit(vec![
            keyed(100 + i),
            (name("bare"), twins[..if i == 0 { 3 } else { 2 }].to_vec()),
        ])?;
    }
    source.ddl("db", "ALTER TABLE bare ADD COLUMN c int NOT NULL DEFAULT 5")?;
    source.ddl("db", "ALTER TABLE keyed ADD COLUMN w int NOT NULL DEFAULT 7")?;
    let wide = |a: i64, b: &str, c: i64| vec![int(a), text(b), int(c)];
    source.commit(vec![
        (name("bare"), vec![update(wide(7, "twin", 5), wide(8, "one", 6))]),
        (name("keyed"), vec![delete(wide(100, "later", 7))]),
    ])?;
    source.rotate();
    source.ddl("db", "TRUNCATE TABLE idle")?;
    let coded = |id: i64, code: i64| vec![int(id), int(code), text("later")];
    source.commit(vec![(name("twice"), vec![insert(coded(40, 40)), insert(coded(41, 41))])])?;
    source.ddl("db", "CREATE TABLE born LIKE idle")?;
    source.commit(vec![(name("twice"), vec![update(coded(40, 40), coded(40, 42))])])
}

fn nothing(_: &ScriptedSource) -> Result<()> {
    Ok(())
}

fn ask(dir: &Path, tables: &[&str]) {
    let tables = tables.iter().map(|t| name(t)).collect();
    let store = StateStore::open(dir, "t").unwrap();
    store.request_additions(&BTreeMap::from([(SourceId::new("s"), tables)])).unwrap();
}

fn adding(dir: &Path) -> Vec<TableName> {
    let open = StateReader::open(dir, "t").unwrap().additions(&SourceId::new("s")).unwrap();
    open.into_iter().map(|a| a.table).collect()
}

/// Runs with a part of the tables, adds the others with a fault on the way, and goes on to the end; how
/// many calls were made, and whether the fault came to pass.
fn round(workers: usize, gtids: bool, fault: Fault) -> (u64, bool) {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let script = if gtids { ScriptedSource::with_gtids("s") } else { ScriptedSource::new("s") };
    before(&script).unwrap();
    let source = Arc::new(Live::new(script, nothing, during));
    let target = MemorySink::new();
    let as_sink: Arc<dyn Sink> = Arc::new(target.clone());
    migration(part(workers), source.clone(), as_sink, &first).build().run().unwrap();
    assert_eq!(target.dump().len(), source.script.dump().len() - 2);
    ask(&first, &["bare", "twice"]);
    // What happened before the request is in the snapshots, what happens from here on beside them.
    let source = Arc::new(Live::new(source.script.clone(), later, nothing));
    let (from, to) = (first.clone(), second.clone());
    let hook = move || keep_state(&from, &to);
    let faulty = Arc::new(FaultSink::with_hook(Arc::new(target.clone()), fault, hook));
    let as_sink: Arc<dyn Sink> = faulty.clone();
    let mut result = migration(whole(workers), source.clone(), as_sink, &first).build().run();
    let died = matches!(fault, Fault::Die { .. }) && faulty.has_failed();
    let state = if died { &second } else { &first };
    for _ in 0..3 {
        if result.is_ok() && !died {
            break;
        }
        target.break_connections();
        let as_sink: Arc<dyn Sink> = Arc::new(target.clone());
        result = migration(whole(workers), source.clone(), as_sink, state).build().run();
        if result.is_ok() {
            break;
        }
    }
    assert_eq!(result.as_ref().ok(), Some(&Outcome::Finished), "{fault:?}: {result:?}");
    assert_eq!(adding(state), [], "{fault:?}");
    let (have, want) = (target.dump(), source.script.dump());
    for (table, rows) in &want {
        assert_eq!(have.get(table), Some(rows), "{fault:?}: {table}");
    }
    assert_eq!(have.len(), want.len(), "{fault:?}: tables {:?}", have.keys());
    (faulty.calls(), faulty.has_failed())
}

/// A fault at every third call, beginning with the one that is given.
fn every_third(first: u64, workers: usize, gtids: bool, fault: impl Fn(u64) -> Fault + Sync) {
    let (calls, _) = round(workers, gtids, Fault::None);
    assert!(calls > 40, "the script is meant to have many steps, and has {calls}");
    let failed = every(calls / 3, |k| round(workers, gtids, fault(first + 3 * (k - 1))).1);
    // The lanes do not always make the same calls.
    assert!(failed as u64 >= calls / 6, "{failed} faults for {calls} calls");
}

#[test]
fn killed_before_calls_while_tables_are_added() {
    every_third(1, 1, false, |at| Fault::Die { at, when: When::Before });
}

#[test]
fn killed_after_calls_while_tables_are_added() {
    every_third(2, 2, true, |at| Fault::Die { at, when: When::After });
}

#[test]
fn cut_off_at_calls_while_tables_are_added() {
    every_third(3, 2, false, |at| Fault::Cut { at, when: When::After });
}

/// The command to a running task, and what it refuses.
#[test]
fn a_running_task_takes_a_table_in_and_takes_one_back() {
    const PATIENCE: Duration = Duration::from_secs(60);
    let dir = tempfile::tempdir().unwrap();
    let source = ScriptedSource::new("s");
    before(&source).unwrap();
    let target = MemorySink::new();
    let build = |plan| {
        let sink: Arc<dyn Sink> = Arc::new(target.clone());
        migration(plan, Arc::new(source.clone()), sink, dir.path())
    };
    build(part(1)).until(Until::CaughtUp).build().run().unwrap();
    let state = || StateReader::open(dir.path(), "t").unwrap();
    let bare = [name("bare")];
    let refused = |plan, tables: &[TableName]| {
        let error = build(plan).build().can_add(&[], tables, &state()).unwrap_err();
        assert_eq!(error.code(), &codes::ADD_TABLE, "{error}");
        error.to_string()
    };
    assert!(refused(part(1), &bare).contains("rules"), "the lists keep it out");
    assert!(refused(whole(1), &[name("keyed")]).contains("already"));
    assert!(refused(whole(1), &[name("nowhere")]).contains("no table"));
    let with_bare = || of_lists(1, "ignore-tables: [{db-name: db, tbl-name: twice}]");
    let found = build(with_bare()).build().can_add(&[], &bare, &state()).unwrap();
    let running = build(with_bare()).stays(true).build().spawn().unwrap();
    let control = running.control();
    assert!(control.wait_begun(PATIENCE).unwrap().is_ok());
    let add = Command::to_all(Verb::Add(found.tables));
    let reply = control.command(&add, PATIENCE);
    assert!(reply.is_ok(), "{reply:?}");
    later(&source).unwrap();
    // Where it stands says nothing of a table that has not joined: a far place lets time pass.
    let far = Position::at("scripted-bin.999999:4".parse().unwrap());
    let joined = (0..6_000).any(|_| {
        adding(dir.path()).is_empty()
            || control.wait_for("s", &far, Duration::from_millis(10)) != Waited::TimedOut
    });
    assert!(joined, "{:?}: {:?}", adding(dir.path()), control.status());
    source
        .commit(vec![(name("bare"), vec![insert(vec![int(9), text("joined"), int(1)])])])
        .unwrap();
    let end = source.end_position().unwrap();
    assert_eq!(control.wait_for("s", &end, PATIENCE), Waited::Reached);
    assert_eq!(target.dump().get(&name("bare")), source.dump().get(&name("bare")));
    // One that is paused notes it, and takes it back.
    assert!(control.command(&Command::to_all(Verb::Pause), PATIENCE).is_ok());
    let twice = BTreeMap::from([("s".to_owned(), vec![name("twice")])]);
    assert!(control.command(&Command::to_all(Verb::Add(twice)), PATIENCE).is_ok());
    assert_eq!(adding(dir.path()), [name("twice")]);
    let cancel = Command::to_all(Verb::CancelAdd(name("twice")));
    assert!(control.command(&cancel, PATIENCE).is_ok());
    assert!(!control.command(&cancel, PATIENCE).is_ok(), "there is nothing more to take back");
    assert_eq!(adding(dir.path()), []);
    running.stop().unwrap();
}
