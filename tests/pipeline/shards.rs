//! Shards that are merged into one table, of which one stands further back than the other.

use std::path::Path;
use std::sync::Arc;

use dm_core::sink::{Cell, MemorySink, Sink};
use dm_core::testing::build::{delete, insert, update};
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Migration, Outcome, Result, RowOp, TableName, Until};

use crate::crash::{every, keep_state};
use crate::script::{int, plan, text};

const ROUTES: &str = "
routes:
  merge: {schema-pattern: 'shop_*', table-pattern: t, target-schema: shop, target-table: t}
";

fn row(id: i64, v: &str) -> Vec<dm_core::Value<'static>> {
    vec![int(id), text(v)]
}

/// A source `a` or `b` with one row of its own.
fn shard(id: &str, first: i64) -> ScriptedSource {
    let source = ScriptedSource::new(id);
    let schema = format!("shop_{id}");
    source.ddl("", &format!("CREATE DATABASE {schema}")).unwrap();
    source.ddl(&schema, "CREATE TABLE t (id int primary key, v varchar(9))").unwrap();
    change(&source, insert(row(first, id)));
    source
}

fn change(source: &ScriptedSource, op: RowOp<'static>) {
    let table = TableName::new(format!("shop_{}", source.id()), "t");
    source.commit(vec![(table, vec![op])]).unwrap();
}

fn run(shards: [&ScriptedSource; 2], sink: Arc<dyn Sink>, state: &Path) -> Result<Outcome> {
    let instance = "route-rules: [merge]\nsyncer: {worker-count: 2, batch: 1}";
    let mut builder = Migration::builder(plan("all", &["a", "b"], instance, ROUTES));
    for shard in shards {
        builder = builder.source(shard.id().as_str(), Arc::new(shard.clone()));
    }
    builder.sink(sink).state_dir(state).until(Until::CaughtUp).build().run()
}

fn rows(sink: &MemorySink) -> Vec<String> {
    let rows = sink.rows(&TableName::new("shop", "t")).unwrap_or_default();
    rows.iter().map(|r| r.iter().map(Cell::to_string).collect::<Vec<_>>().join(" ")).collect()
}

/// A row moves from one shard to the other while the state of the first cannot be written. After a
/// kill its INSERT and DELETE must not take away what the other shard has inserted since.
#[test]
fn a_row_that_moved_to_another_shard_stays() {
    let (a, b) = (shard("a", 1), shard("b", 100));
    let sink = MemorySink::new();
    let dir = tempfile::tempdir().unwrap();
    let (now, frozen) = (dir.path().join("now"), dir.path().join("frozen"));
    let go = |state: &Path| run([&a, &b], Arc::new(sink.clone()), state).unwrap();
    go(&now);
    keep_state(&now, &frozen);
    change(&a, insert(row(5, "a")));
    go(&now);
    change(&a, delete(row(5, "a")));
    go(&now);
    change(&b, insert(row(5, "b")));
    go(&now);
    assert_eq!(rows(&sink), ["1 a", "100 b", "5 b"]);
    sink.break_connections();
    go(&frozen);
    assert_eq!(rows(&sink), ["1 a", "100 b", "5 b"]);
    // The other shard goes on from there as if nothing had been.
    change(&b, update(row(5, "b"), row(6, "b")));
    go(&frozen);
    change(&a, insert(row(5, "a2")));
    go(&frozen);
    assert_eq!(rows(&sink), ["1 a", "100 b", "5 a2", "6 b"]);
}

/// Only the position of the first shard is of before, as if it alone had not been saved.
#[test]
fn one_shards_position_stays_behind_and_the_row_stays() {
    let (a, b) = (shard("a", 1), shard("b", 100));
    let sink = MemorySink::new();
    let dir = tempfile::tempdir().unwrap();
    let (now, frozen) = (dir.path().join("now"), dir.path().join("frozen"));
    let go = || run([&a, &b], Arc::new(sink.clone()), &now).unwrap();
    go();
    keep_state(&now, &frozen);
    change(&a, insert(row(5, "a")));
    go();
    change(&a, delete(row(5, "a")));
    go();
    change(&b, insert(row(5, "b")));
    go();
    sink.break_connections();
    let state = rusqlite::Connection::open(now.join("t.db")).unwrap();
    let before = frozen.join("t.db").display().to_string();
    state.execute("ATTACH ?1 AS before", [before]).unwrap();
    let moved = state
        .execute(
            "UPDATE main.lane SET (ordinal, position) = (SELECT b.ordinal, b.position FROM before.lane b \
             WHERE b.id = main.lane.id) WHERE source = 'a' AND ordinal IS NOT NULL",
            [],
        )
        .unwrap();
    assert!(moved > 0);
    drop(state);
    go();
    assert_eq!(rows(&sink), ["1 a", "100 b", "5 b"]);
}

/// Without marks such a row would be lost: merged tables are refused then, and nothing is written.
#[test]
fn merged_tables_are_refused_without_marks() {
    let (a, b) = (shard("a", 1), shard("b", 100));
    let sink = MemorySink::without_marks();
    let dir = tempfile::tempdir().unwrap();
    let error = run([&a, &b], Arc::new(sink.clone()), dir.path()).unwrap_err();
    assert_eq!(error.code(), &dm_core::error::codes::AT_LEAST_ONCE, "{error}");
    assert!(rows(&sink).is_empty());
    let instance = "route-rules: [merge]\nsyncer: {at-least-once: allow}";
    let mut builder = Migration::builder(plan("all", &["a", "b"], instance, ROUTES));
    for shard in [&a, &b] {
        builder = builder.source(shard.id().as_str(), Arc::new(shard.clone()));
    }
    let builder = builder.sink(Arc::new(sink.clone())).state_dir(dir.path());
    let outcome = builder.until(Until::CaughtUp).build().run();
    assert_eq!(outcome.unwrap(), Outcome::Finished);
    assert_eq!(rows(&sink), ["1 a", "100 b"]);
}

/// The same move, and the process dies at each of its calls to the target.
#[test]
fn a_row_that_moves_to_another_shard_survives_a_kill_at_every_call() {
    let round = |fault: Fault| {
        let (a, b) = (shard("a", 1), shard("b", 100));
        let sink = MemorySink::new();
        let dir = tempfile::tempdir().unwrap();
        let faulty = Arc::new(FaultSink::new(Arc::new(sink.clone()), fault));
        // Each step waits for the one before it, as the application does.
        let steps: [&dyn Fn(); 4] = [
            &|| (),
            &|| change(&a, insert(row(5, "a"))),
            &|| change(&a, delete(row(5, "a"))),
            &|| change(&b, insert(row(5, "b"))),
        ];
        for step in steps {
            step();
            let mut sinks = vec![faulty.clone() as Arc<dyn Sink>, Arc::new(sink.clone())];
            if faulty.has_failed() {
                sinks.remove(0);
            }
            let done = sinks.into_iter().any(|each| {
                sink.break_connections();
                run([&a, &b], each, dir.path()).is_ok()
            });
            assert!(done, "{fault:?}");
        }
        assert_eq!(rows(&sink), ["1 a", "100 b", "5 b"], "{fault:?}");
        (faulty.calls(), faulty.has_failed())
    };
    let (calls, _) = round(Fault::None);
    let failed = every(calls, |at| {
        let when = if at % 2 == 0 { When::Before } else { When::After };
        round(Fault::Die { at, when }).1
    });
    assert!(failed as u64 >= calls - 6, "{failed} faults for {calls} calls");
}
