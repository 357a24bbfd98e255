//! An operator's words about single statements, killed at every call; statements that cannot be read.

use std::path::Path;
use std::sync::Arc;

use dm_core::binlog::QueryEvent;
use dm_core::event::{LaneId, SourceId};
use dm_core::operate::Operation;
use dm_core::sink::{MemorySink, Sink};
use dm_core::source::Body;
use dm_core::state::StateReader;
use dm_core::testing::build::insert;
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Outcome, Result, TableName, Until};

use crate::crash::{every, keep_state, started_again};
use crate::script::{end, int, migration, name, plan, say, text};

fn run(source: &ScriptedSource, sink: &Arc<dyn Sink>, dir: &Path, more: &str) -> Result<Outcome> {
    let plan = plan("all", &["s"], "syncer: {worker-count: 2}", more);
    let migration = migration(plan, Arc::new(source.clone()), Arc::clone(sink), dir);
    migration.until(Until::CaughtUp).build().run()
}

/// A source and a target that has caught up with it.
fn copied(gtids: bool, dir: &Path) -> (ScriptedSource, MemorySink, Arc<dyn Sink>) {
    let source = if gtids { ScriptedSource::with_gtids("s") } else { ScriptedSource::new("s") };
    source.ddl("", "CREATE DATABASE db").unwrap();
    source.ddl("db", "CREATE TABLE keyed (id int primary key, v varchar(20))").unwrap();
    source.commit(vec![(name("keyed"), vec![insert(vec![int(1), text("a")])])]).unwrap();
    let target = MemorySink::new();
    let sink: Arc<dyn Sink> = Arc::new(target.clone());
    assert_eq!(run(&source, &sink, dir, "").unwrap(), Outcome::Finished);
    (source, target, sink)
}

fn text_of(list: &[&str]) -> String {
    list.join(";\n")
}

/// Runs the words of this test with a fault; how many calls were made, and whether the fault came to pass.
fn round(gtids: bool, fault: Fault) -> (u64, bool) {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let (source, target, _) = copied(gtids, &first);
    let row = |id: i64| insert(vec![int(id), text("b"), int(7), int(id)]);
    say(
        &first,
        Some(end(&source)),
        Operation::Replace(text_of(&[
            "ALTER TABLE db.keyed ADD COLUMN w int NOT NULL DEFAULT 7",
            "CREATE TABLE db.made (id int primary key)",
            "RENAME TABLE db.made TO db.kept",
            "ALTER TABLE db.keyed ADD COLUMN x int",
        ])),
    );
    source
        .ddl("db", "ALTER TABLE keyed ADD COLUMN w int NOT NULL DEFAULT 7, ADD COLUMN x int")
        .unwrap();
    source.commit(vec![(name("keyed"), vec![row(2)])]).unwrap();
    say(
        &first,
        Some(end(&source)),
        Operation::Inject(text_of(&[
            "CREATE TABLE db.early (id int primary key)",
            "ALTER TABLE db.early ADD COLUMN y int",
        ])),
    );
    source.ddl("db", "CREATE TABLE born (id int primary key)").unwrap();
    say(&first, Some(end(&source)), Operation::Skip);
    source.ddl("db", "CREATE TABLE unwanted (id int primary key)").unwrap();
    source
        .commit(vec![(name("born"), vec![insert(vec![int(9)])]), (name("keyed"), vec![row(3)])])
        .unwrap();

    let hook = {
        let (from, to) = (first.clone(), second.clone());
        move || keep_state(&from, &to)
    };
    let faulty = Arc::new(FaultSink::with_hook(Arc::new(target.clone()), fault, hook));
    let as_sink: Arc<dyn Sink> = faulty.clone();
    let result = run(&source, &as_sink, &first, "");
    let died = matches!(fault, Fault::Die { .. }) && faulty.has_failed();
    let state = if died { &second } else { &first };
    let sink: Arc<dyn Sink> = Arc::new(target.clone());
    let result = started_again(result, &target, || run(&source, &sink, state, ""));
    assert_eq!(result.as_ref().ok(), Some(&Outcome::Finished), "{fault:?}: {result:?}");
    let (have, want) = (target.dump(), source.dump());
    for table in ["keyed", "born"] {
        assert_eq!(have.get(&name(table)), want.get(&name(table)), "{fault:?}: {table}");
    }
    let tables: Vec<&str> = have.keys().map(|t: &TableName| t.table.as_str()).collect();
    assert_eq!(tables, ["born", "early", "kept", "keyed"], "{fault:?}");
    (faulty.calls(), faulty.has_failed())
}

fn every_call(gtids: bool, fault: impl Fn(u64) -> Fault + Sync) {
    let (calls, _) = round(gtids, Fault::None);
    assert!(calls > 15, "the script is meant to have many steps, and has {calls}");
    let failed = every(calls, |k| round(gtids, fault(k)).1);
    assert!(failed as u64 >= calls - 4, "{failed} faults for {calls} calls");
}

#[test]
fn killed_before_every_call() {
    every_call(false, |at| Fault::Die { at, when: When::Before });
}

#[test]
fn killed_after_every_call() {
    every_call(true, |at| Fault::Die { at, when: When::After });
}

#[test]
fn cut_off_after_every_call() {
    every_call(false, |at| Fault::Cut { at, when: When::After });
}

fn query(sql: &str) -> Body {
    failed(sql, 0)
}

/// A statement that is logged with the error that its source answered.
fn failed(sql: &str, error_code: u16) -> Body {
    let query = QueryEvent::of("db", sql.as_bytes().to_vec());
    Body::Query(Box::new(QueryEvent { error_code, ..query }))
}

#[test]
fn a_statement_that_cannot_be_read_is_left_out_or_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target, sink) = copied(false, dir.path());
    source.log(vec![query("FROBNICATE TABLE keyed")]);
    source.log(vec![query("ALTER TABLE keyed FROBNICATE")]);
    source.commit(vec![(name("keyed"), vec![insert(vec![int(2), text("b")])])]).unwrap();
    let failed = |what: &str| {
        let error = run(&source, &sink, dir.path(), "").unwrap_err();
        assert_eq!(error.code().number, 36_067, "{error}");
        assert_eq!(error.statement(), Some(what));
        assert!(error.location().is_some(), "{error:?}");
        assert!(error.advice().contains("`dm handle-error t -s s skip`"), "{error}");
    };
    failed("FROBNICATE TABLE keyed");
    say(dir.path(), None, Operation::Skip);
    failed("ALTER TABLE keyed FROBNICATE");
    say(dir.path(), None, Operation::Replace("CREATE TABLE db.instead (id int)".to_owned()));
    assert_eq!(run(&source, &sink, dir.path(), "").unwrap(), Outcome::Finished);
    assert_eq!(target.dump().get(&name("keyed")), source.dump().get(&name("keyed")));
    assert!(target.dump().contains_key(&name("instead")));
}

/// MariaDB: of a CREATE OR REPLACE TABLE that failed the old table is gone, and the new one was not made.
#[test]
fn what_a_failed_statement_has_done_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target, sink) = copied(false, dir.path());
    source.log(vec![failed("CREATE OR REPLACE TABLE keyed (a INT, FULLTEXT (a))", 1283)]);
    assert_eq!(run(&source, &sink, dir.path(), "").unwrap(), Outcome::Finished);
    assert!(!target.dump().contains_key(&name("keyed")), "{:?}", target.dump().keys());
}

/// The event filter is asked first, by the text alone.
#[test]
fn a_filter_speaks_of_statements_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target, sink) = copied(false, dir.path());
    source.log(vec![query("FROBNICATE TABLE keyed")]);
    source.commit(vec![(name("keyed"), vec![insert(vec![int(2), text("b")])])]).unwrap();
    let more = "filters: {odd: {schema-pattern: '*', sql-pattern: ['^FROB'], action: Ignore}}\n\
                ddl-rules:\n- {match: '^FROB', action: replace, sql: 'CREATE TABLE never (id int)'}\n";
    let plan = plan("all", &["s"], "syncer: {worker-count: 2}\nfilter-rules: [odd]", more);
    let migration = migration(plan, Arc::new(source.clone()), sink, dir.path());
    assert_eq!(migration.until(Until::CaughtUp).build().run().unwrap(), Outcome::Finished);
    assert_eq!(target.dump(), source.dump());
    let lane = LaneId::main(&SourceId::new("s"));
    let skipped = StateReader::open(dir.path(), "t").unwrap().skipped(&lane).unwrap();
    let counted: Vec<_> = skipped.iter().map(|s| (s.kind.as_str(), s.count)).collect();
    assert_eq!(counted, [("unreadable", 1)]);
    assert!(skipped[0].last.contains(':'), "{}", skipped[0].last);
}

#[test]
fn a_rule_speaks_of_statements_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target, sink) = copied(false, dir.path());
    source.log(vec![query("FROBNICATE TABLE keyed")]);
    source.log(vec![query("frobnicate\ntwice")]);
    let rules = "ddl-rules:\n- {match: 'frobnicate.(\\w+)$', action: replace, sql: 'CREATE TABLE made_$1 (id int)'}\n\
                 - {match: '^FROB', action: skip}\n";
    assert_eq!(run(&source, &sink, dir.path(), rules).unwrap(), Outcome::Finished);
    assert!(target.dump().contains_key(&name("made_twice")));
    assert_eq!(target.dump().len(), 2);
}

/// Words about the rename of an online schema change: whatever runs at the target, the source's table has become
/// what its ghost was.
#[test]
fn what_an_operator_says_of_a_ghost_leaves_the_sources_structure() {
    let replaced = Operation::Replace("ALTER TABLE db.keyed ADD COLUMN w int".to_owned());
    for (operation, at_target) in [(replaced, 3), (Operation::Skip, 2)] {
        let dir = tempfile::tempdir().unwrap();
        let (source, target, sink) = copied(false, dir.path());
        source.ddl("db", "CREATE TABLE _keyed_gho LIKE keyed").unwrap();
        source.ddl("db", "ALTER TABLE _keyed_gho ADD COLUMN w int AFTER id").unwrap();
        assert_eq!(run(&source, &sink, dir.path(), "").unwrap(), Outcome::Finished);
        say(dir.path(), Some(end(&source)), operation.clone());
        source.ddl("db", "RENAME TABLE keyed TO _keyed_del, _keyed_gho TO keyed").unwrap();
        source.ddl("db", "DROP TABLE _keyed_del").unwrap();
        assert_eq!(run(&source, &sink, dir.path(), "").unwrap(), Outcome::Finished);
        let lane = LaneId::main(&SourceId::new("s"));
        let reader = StateReader::open(dir.path(), "t").unwrap();
        let tables = reader.tracker(&lane).unwrap().tables;
        let keyed = tables.iter().find(|t| t.name == name("keyed")).expect("it is tracked");
        let columns: Vec<&str> = keyed.schema.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!((columns, keyed.assumed), (vec!["id", "w", "v"], false), "{operation:?}");
        assert_eq!(reader.online_ddl(&lane).unwrap(), [], "it is over");
        let there = target.describe(&name("keyed")).unwrap().unwrap();
        assert_eq!(there.columns.len(), at_target, "{operation:?}");
    }
}

/// Only the groups tell what it is.
#[test]
fn a_rule_gives_no_change_of_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target, sink) = copied(false, dir.path());
    source.log(vec![query("FROBNICATE delete")]);
    let rules =
        "ddl-rules:\n- {match: 'frobnicate (\\w+)$', action: replace, sql: '$1 FROM db.keyed'}\n";
    let error = run(&source, &sink, dir.path(), rules).unwrap_err();
    assert_eq!(error.code().number, 36_064, "{error}");
    assert_eq!(target.count(&name("keyed")), 1);
}
