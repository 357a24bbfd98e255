//! XA transactions that are prepared while much else goes on, killed or cut off at every call: a restart that
//! begins between a prepared transaction and its commit must know of both.

use std::sync::Arc;

use dm_core::config::TaskPlan;
use dm_core::sink::{MemorySink, Sink};
use dm_core::testing::build::{delete, insert};
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Outcome, Result, RowOp, TableName, Value};

use crate::crash::{every, keep_state, started_again};
use crate::script::{Live, int, migration, name, plan, put, text};

const LIST: &str = "block-allow-list: {these: {do-dbs: [db]}}\n";

fn small(workers: usize) -> TaskPlan {
    let instance = format!(
        "block-allow-list: these\nmydumper: {{threads: 1, rows: 3}}\nsyncer: {{worker-count: {workers}, batch: 2}}"
    );
    let mut plan = plan("all", &["s"], &instance, LIST);
    plan.limits.max_memory = 8 << 10;
    plan
}

fn pair(a: i64, b: &str) -> Vec<Value<'static>> {
    vec![int(a), text(b)]
}

fn tables(source: &ScriptedSource) -> Result<()> {
    for schema in ["db", "elsewhere"] {
        source.ddl("", &format!("CREATE DATABASE {schema}"))?;
        source.ddl(schema, "CREATE TABLE keyed (id int primary key, v varchar(20))")?;
    }
    source.ddl("db", "CREATE TABLE bare (a int, b varchar(20))")?;
    put(source, "keyed", pair(1, "copied"))
}

fn nothing(_: &ScriptedSource) -> Result<()> {
    Ok(())
}

fn rows_one_by_one(source: &ScriptedSource, from: i64) -> Result<()> {
    (from..from + 6).try_for_each(|id| put(source, "keyed", pair(id, "one")))
}

/// The commit leaves no mark at the target: nothing of it is carried.
fn of_tables_that_are_not_carried(source: &ScriptedSource) -> Result<()> {
    let elsewhere = |id| vec![(TableName::new("elsewhere", "keyed"), vec![insert(pair(id, "x"))])];
    source.xa_prepare("X'01',X'',1", elsewhere(1))?;
    rows_one_by_one(source, 10)?;
    source.xa_commit("X'01',X'',1")?;
    rows_one_by_one(source, 20)?;
    // Among others that hold the low-water mark, decided in another order.
    source.xa_prepare("X'02',X'',1", vec![(name("bare"), vec![insert(pair(2, "two"))])])?;
    source.xa_prepare("X'03',X'',1", elsewhere(3))?;
    rows_one_by_one(source, 30)?;
    source.xa_prepare("X'04',X'',1", vec![(name("bare"), vec![insert(pair(4, "four"))])])?;
    source.xa_commit("X'03',X'',1")?;
    rows_one_by_one(source, 40)?;
    source.xa_commit("X'02',X'',1")?;
    rows_one_by_one(source, 50)?;
    source.xa_commit("X'04',X'',1")?;
    rows_one_by_one(source, 60)
}

/// While one is prepared, several are committed that are too large to be held.
fn behind_it_large_ones(source: &ScriptedSource) -> Result<()> {
    let many = |from: i64| -> Vec<RowOp<'static>> {
        (from..from + 60).map(|i| insert(pair(i, &"x".repeat(18)))).collect()
    };
    source.xa_prepare("X'01',X'',1", vec![(name("keyed"), vec![insert(pair(2, "xa"))])])?;
    for from in [1000, 2000, 3000] {
        source.commit(vec![(name("bare"), many(from))])?;
        rows_one_by_one(source, from)?;
    }
    source.xa_commit("X'01',X'',1")?;
    source.commit(vec![(name("keyed"), vec![delete(pair(2, "xa"))])])?;
    source.commit(vec![(name("bare"), many(4000))])
}

/// Runs to the end with a fault; how many calls were made, and whether the fault came to pass.
fn round(
    what: fn(&ScriptedSource) -> Result<()>,
    workers: usize,
    gtids: bool,
    fault: Fault,
) -> (u64, bool) {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let script = if gtids { ScriptedSource::with_gtids("s") } else { ScriptedSource::new("s") };
    tables(&script).unwrap();
    let source = Arc::new(Live::new(script, nothing, what));
    let target = MemorySink::new();
    let hook = {
        let (from, to) = (first.clone(), second.clone());
        move || keep_state(&from, &to)
    };
    let faulty = Arc::new(FaultSink::with_hook(Arc::new(target.clone()), fault, hook));
    let as_sink: Arc<dyn Sink> = faulty.clone();
    let result = migration(small(workers), source.clone(), as_sink, &first).build().run();
    let died = matches!(fault, Fault::Die { .. }) && faulty.has_failed();
    let state = if died { &second } else { &first };
    let result = started_again(result, &target, || {
        migration(small(workers), source.clone(), Arc::new(target.clone()), state).build().run()
    });
    assert_eq!(result.as_ref().ok(), Some(&Outcome::Finished), "{fault:?}: {result:?}");
    let (have, want) = (target.dump(), source.script.dump());
    for (table, rows) in want.iter().filter(|(table, _)| table.schema == "db") {
        let found = have.get(table);
        let count = found.map(Vec::len);
        assert!(found == Some(rows), "{fault:?}: {table}: {count:?} rows for {}", rows.len());
    }
    (faulty.calls(), faulty.has_failed())
}

fn at_every_call(what: fn(&ScriptedSource) -> Result<()>, workers: usize, gtids: bool, when: When) {
    let (calls, _) = round(what, workers, gtids, Fault::None);
    let failed = every(calls, |at| round(what, workers, gtids, Fault::Die { at, when }).1) as u64;
    // Not every run merges what it reads in the same way.
    assert!(calls > 20 && failed >= calls - 12, "{failed} faults for {calls} calls");
}

#[test]
fn a_commit_of_which_nothing_is_carried_is_no_riddle_by_position() {
    at_every_call(of_tables_that_are_not_carried, 1, false, When::Before);
}

#[test]
fn a_commit_of_which_nothing_is_carried_is_no_riddle_by_gtid() {
    at_every_call(of_tables_that_are_not_carried, 2, true, When::After);
}

#[test]
fn large_transactions_behind_a_prepared_one_come_once_by_position() {
    at_every_call(behind_it_large_ones, 1, false, When::After);
}

#[test]
fn large_transactions_behind_a_prepared_one_come_once_by_gtid() {
    at_every_call(behind_it_large_ones, 2, true, When::Before);
}
