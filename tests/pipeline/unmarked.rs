//! Targets that take no marks: at least once, and what is refused there.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dm_core::config::TaskPlan;
use dm_core::error::codes;
use dm_core::position::Position;
use dm_core::sink::{MemorySink, Sink};
use dm_core::source::{EventStream, Snapshot, Source, SourceInfo, TableChoice, TableInfo};
use dm_core::testing::build::{delete, insert, update};
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Outcome, Result, TableName};

use crate::crash::{every, keep_state};
use crate::script::{Live, after, before, during, int, migration, name, plan, text};

/// What has no key, or changes places with its like, is left out.
const KEYED: &str = "ignore-tables: [{db-name: db, tbl-name: bare}, {db-name: db, tbl-name: east}, \
     {db-name: db, tbl-name: west}, {db-name: db, tbl-name: x}]";

fn of_list(workers: usize, list: &str, more: &str) -> TaskPlan {
    let batch = if workers == 1 { 100 } else { 2 };
    let instance = format!(
        "mydumper: {{threads: 1, rows: 3}}\nsyncer: {{worker-count: {workers}, batch: {batch}{more}}}\n\
         block-allow-list: l"
    );
    let lists = format!("block-allow-list: {{l: {{{list}}}}}\n");
    let mut plan = plan("all", &["s"], &instance, &lists);
    plan.limits.max_memory = 8 << 10;
    plan
}

/// Dies, or is cut off, at a call; goes on with what was left until it ends. What came of it, with the
/// number of calls and whether the fault came to pass.
fn round(
    source: &Arc<Live>,
    target: &MemorySink,
    plan: impl Fn() -> TaskPlan,
    fault: Fault,
) -> (Result<Outcome>, u64, bool) {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let hook = {
        let (from, to) = (first.clone(), second.clone());
        move || keep_state(&from, &to)
    };
    let faulty = Arc::new(FaultSink::with_hook(Arc::new(target.clone()), fault, hook));
    let run = |sink: Arc<dyn Sink>, state: &Path| {
        migration(plan(), source.clone(), sink, state).build().run()
    };
    let mut result = run(faulty.clone(), &first);
    let dead = matches!(fault, Fault::Die { .. }) && faulty.has_failed();
    let state = if dead { &second } else { &first };
    for _ in 0..3 {
        if result.as_ref().is_ok_and(|_| !dead) || result.as_ref().is_err_and(is_unknown) {
            break;
        }
        target.break_connections();
        result = run(Arc::new(target.clone()), state);
        if result.is_ok() {
            break;
        }
    }
    (result, faulty.calls(), faulty.has_failed())
}

fn is_unknown(error: &dm_core::Error) -> bool {
    error.code() == &codes::SYNC_DDL_UNKNOWN
}

fn live(gtids: bool) -> Arc<Live> {
    let script = if gtids { ScriptedSource::with_gtids("s") } else { ScriptedSource::new("s") };
    before(&script).unwrap();
    Arc::new(Live::new(script, during, after))
}

/// At every `step`th call.
fn every_call(step: u64, workers: usize, gtids: bool, fault: impl Fn(u64) -> Fault + Sync) {
    let one = |fault: Fault| {
        let (source, target) = (live(gtids), MemorySink::without_marks());
        let (result, calls, failed) =
            round(&source, &target, || of_list(workers, KEYED, ""), fault);
        assert_eq!(result.as_ref().ok(), Some(&Outcome::Finished), "{fault:?}: {result:?}");
        let (have, mut want) = (target.dump(), source.script.dump());
        want.retain(|table, _| !["bare", "east", "west"].contains(&table.table.as_str()));
        assert!(want.len() >= 4, "{:?}", want.keys());
        assert_eq!(have, want, "{fault:?}");
        (calls, failed)
    };
    let (calls, _) = one(Fault::None);
    assert!(calls > 40, "the script is meant to have many steps, and has {calls}");
    let failed = every((calls + 8) / step, |k| one(fault(k * step)).1);
    // Workers that are late put more into one call.
    assert!(failed as u64 >= calls / step / 2, "{failed} faults for {calls} calls");
}

#[test]
fn killed_before_every_call_without_marks() {
    every_call(3, 3, true, |at| Fault::Die { at, when: When::Before });
}

#[test]
fn killed_after_every_call_without_marks() {
    every_call(1, 1, false, |at| Fault::Die { at, when: When::After });
}

#[test]
fn cut_off_after_every_call_without_marks() {
    every_call(3, 3, false, |at| Fault::Cut { at, when: When::After });
}

fn nothing(_: &ScriptedSource) -> Result<()> {
    Ok(())
}

fn swap(source: &ScriptedSource) -> Result<()> {
    let three = |id: i64, a: &str| vec![int(id), text(a), text("b")];
    source.commit(vec![(name("east"), vec![update(three(1, "ea"), three(1, "EA"))])])?;
    source.ddl("db", "RENAME TABLE east TO x, west TO east, x TO west")?;
    source.commit(vec![(name("west"), vec![delete(three(1, "EA"))])])
}

/// Tables of equal structure that change places: whether the statement ran, nothing tells. The task
/// stops with the structures where that matters, and is right everywhere else.
#[test]
fn a_swap_whose_outcome_nothing_tells_stops_the_task() {
    let list = "do-tables: [{db-name: db, tbl-name: east}, {db-name: db, tbl-name: west}, \
                {db-name: db, tbl-name: x}]";
    let one = |fault: Fault| {
        let script = ScriptedSource::new("s");
        before(&script).unwrap();
        let source = Arc::new(Live::new(script, nothing, swap));
        let target = MemorySink::without_marks();
        let (result, calls, failed) = round(&source, &target, || of_list(1, list, ""), fault);
        match &result {
            Ok(_) => {
                let mut want = source.script.dump();
                want.retain(|t, _| ["east", "west"].contains(&t.table.as_str()));
                assert_eq!(target.dump(), want, "{fault:?}");
            }
            Err(error) => {
                assert!(is_unknown(error), "{fault:?}: {error:?}");
                let shown = error.to_string();
                for word in ["before", "after", "now"] {
                    assert!(shown.contains(word), "{shown}");
                }
            }
        }
        (calls, failed, result.is_err())
    };
    let (calls, _, _) = one(Fault::None);
    let stops = [When::Before, When::After]
        .map(|when| (1..=calls).filter(|&at| one(Fault::Die { at, when }).2).count());
    // The target in memory keeps a table's text: where the swap has run, that tells.
    assert_eq!(stops, [1, 0], "of {calls}");
}

fn bare(source: &ScriptedSource) -> Result<()> {
    source.commit(vec![(name("bare"), vec![insert(vec![int(5), text("five")])])])
}

fn bare_born(source: &ScriptedSource) -> Result<()> {
    source.ddl("db", "CREATE TABLE born (a int, b varchar(20))")?;
    source.commit(vec![(name("born"), vec![insert(vec![int(5), text("five")])])])
}

/// A table without a key is refused, whether it is copied or made later, unless that is allowed.
#[test]
fn tables_without_a_key_are_refused_without_marks() {
    type Story = (&'static str, fn(&ScriptedSource) -> Result<()>);
    for (table, later) in [("bare", bare as fn(&_) -> _), ("born", bare_born)] as [Story; 2] {
        let list = format!(
            "do-tables: [{{db-name: db, tbl-name: keyed}}, {{db-name: db, tbl-name: {table}}}]"
        );
        for allowed in [false, true] {
            let more = if allowed { ", at-least-once: allow" } else { "" };
            let script = ScriptedSource::new("s");
            before(&script).unwrap();
            let source = Arc::new(Live::new(script, nothing, later));
            let target = MemorySink::without_marks();
            let (result, ..) = round(&source, &target, || of_list(1, &list, more), Fault::None);
            if allowed {
                assert_eq!(result.unwrap(), Outcome::Finished);
                assert_eq!(target.dump()[&name(table)], source.script.dump()[&name(table)]);
                continue;
            }
            let error = result.unwrap_err();
            assert_eq!(error.code(), &codes::AT_LEAST_ONCE, "{error:?}");
            assert!(error.to_string().contains("at-least-once: allow"), "{error}");
            assert!(error.to_string().contains(table), "{error}");
            assert_eq!(target.count(&name(table)), 0);
        }
    }
}

/// The right to keep marks is given between two runs, or taken.
#[test]
fn marks_may_begin_later_and_may_not_end() {
    let dir = tempfile::tempdir().unwrap();
    let source = live(true);
    let target = MemorySink::without_marks();
    let fault = Fault::Die { at: 60, when: When::After };
    let first = dir.path().join("first");
    let faulty = Arc::new(FaultSink::new(Arc::new(target.clone()), fault));
    let run = |sink: Arc<dyn Sink>| {
        migration(of_list(2, KEYED, ""), source.clone(), sink, &first).build().run()
    };
    run(faulty.clone()).unwrap_err();
    assert!(faulty.has_failed());
    target.break_connections();
    target.take_marks(true);
    assert_eq!(run(Arc::new(target.clone())).unwrap(), Outcome::Finished);
    let want = source.script.dump();
    for (table, rows) in target.dump() {
        assert_eq!(want.get(&table), Some(&rows), "{table}");
    }
    target.take_marks(false);
    let error = run(Arc::new(target.clone())).unwrap_err();
    assert_eq!(error.code(), &codes::MARKS_LOST, "{error:?}");
}

/// The same source, answering as another server.
struct Elsewhere(ScriptedSource, fn(&ScriptedSource) -> Result<()>, AtomicBool);

impl Source for Elsewhere {
    fn info(&self) -> Result<SourceInfo> {
        let mut info = self.0.info()?;
        info.server = "elsewhere".to_owned();
        Ok(info)
    }
    fn end_position(&self) -> Result<Position> {
        self.0.end_position()
    }
    fn snapshot(&self, choose: &TableChoice, stop: &AtomicBool) -> Result<Box<dyn Snapshot>> {
        self.0.snapshot(choose, stop)
    }
    fn describe(&self, table: &TableName) -> Result<Option<TableInfo>> {
        self.0.describe(table)
    }
    fn tables(&self, choose: &TableChoice) -> Result<Vec<TableName>> {
        self.0.tables(choose)
    }
    fn open(&self, from: &Position) -> Result<Box<dyn EventStream>> {
        if !self.2.swap(true, std::sync::atomic::Ordering::SeqCst) {
            (self.1)(&self.0)?;
        }
        self.0.finish();
        self.0.open(from)
    }
}

fn last(source: &ScriptedSource) -> Result<()> {
    source.commit(vec![(name("keyed"), vec![insert(vec![int(77), text("late")])])])
}

fn first_rows(source: &ScriptedSource) -> Result<()> {
    source.ddl("", "CREATE DATABASE db")?;
    source.ddl("db", "CREATE TABLE keyed (id int primary key, v varchar(20))")?;
    source.commit(vec![(name("keyed"), vec![insert(vec![int(1), text("a")])])])
}

/// The task dies with a transaction in that a replica does not have yet. The task goes on at the replica,
/// which gets it afterwards: behind the end that the replica had when the run began.
#[test]
fn a_replica_that_brings_late_what_has_arrived_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let (now, frozen) = (dir.path().join("now"), dir.path().join("frozen"));
    let target = MemorySink::without_marks();
    let old = ScriptedSource::with_gtids("s");
    first_rows(&old).unwrap();
    let run = |source: Arc<dyn Source>, state: &Path| {
        let plan = of_list(1, "do-dbs: [db]", "");
        migration(plan, source, Arc::new(target.clone()), state)
            .until(dm_core::Until::CaughtUp)
            .build()
            .run()
    };
    run(Arc::new(old.clone()), &now).unwrap();
    keep_state(&now, &frozen);
    last(&old).unwrap();
    run(Arc::new(old.clone()), &now).unwrap();
    assert_eq!(target.count(&name("keyed")), 2);
    // The state of before, as if nothing had been saved since.
    let new = ScriptedSource::with_gtids("s");
    first_rows(&new).unwrap();
    let elsewhere = Arc::new(Elsewhere(new.clone(), last, AtomicBool::new(false)));
    let plan = of_list(1, "do-dbs: [db]", "");
    let sink: Arc<dyn Sink> = Arc::new(target.clone());
    let outcome = migration(plan, elsewhere, sink, &frozen).build().run();
    assert_eq!(outcome.unwrap(), Outcome::Finished);
    assert_eq!(target.dump(), new.dump());
}
