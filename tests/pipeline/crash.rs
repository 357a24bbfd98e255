//! A migration killed, or cut off from its target, at every call that it makes there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dm_core::config::TaskPlan;
use dm_core::sink::{MemorySink, Sink};
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Outcome, Result};

use crate::script::{Live, after, before, during, migration, plan};

/// Few rows per chunk, little memory, so that a small script has chunks and a large transaction.
fn small(workers: usize) -> TaskPlan {
    // One worker takes all that waits at a time.
    let batch = if workers == 1 { 100 } else { 2 };
    let instance = format!(
        "mydumper: {{threads: 1, rows: 3}}\nsyncer: {{worker-count: {workers}, batch: {batch}, compact: true, multiple-rows: true}}"
    );
    let mut plan = plan("all", &["s"], &instance, "");
    plan.limits.max_memory = 8 << 10;
    plan
}

fn live(gtids: bool) -> Arc<Live> {
    let script = if gtids { ScriptedSource::with_gtids("s") } else { ScriptedSource::new("s") };
    before(&script).unwrap();
    Arc::new(Live::new(script, during, after))
}

/// What the state directory holds at this moment, as a killed process leaves it.
pub fn keep_state(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let _unborn = std::fs::copy(from.join("t.db"), to.join("t.db"));
    let _none = std::fs::copy(from.join("t.db-wal"), to.join("t.db-wal"));
}

/// Starts again what failed, as often as somebody would who sees it fail; the last result.
pub fn started_again(
    first: Result<Outcome>,
    target: &MemorySink,
    mut again: impl FnMut() -> Result<Outcome>,
) -> Result<Outcome> {
    (0..3).fold(first, |result, _| match result {
        Ok(outcome) => Ok(outcome),
        Err(_) => {
            target.break_connections();
            again()
        }
    })
}

/// Runs to the end with a fault; how many calls were made, and whether the fault came to pass.
fn round(workers: usize, gtids: bool, fault: Fault) -> (u64, bool) {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let source = live(gtids);
    let target = MemorySink::new();
    let hook = {
        let (from, to): (PathBuf, PathBuf) = (first.clone(), second.clone());
        move || keep_state(&from, &to)
    };
    let faulty = Arc::new(FaultSink::with_hook(Arc::new(target.clone()), fault, hook));
    let as_sink: Arc<dyn Sink> = faulty.clone();
    let result = migration(small(workers), source.clone(), as_sink, &first).build().run();
    let mut state = &first;
    if matches!(fault, Fault::Die { .. }) && faulty.has_failed() {
        assert!(result.is_err(), "{fault:?}: a dead process has no success");
        state = &second;
    }
    let result = started_again(result, &target, || {
        migration(small(workers), source.clone(), Arc::new(target.clone()), state).build().run()
    });
    assert_eq!(result.as_ref().ok(), Some(&Outcome::Finished), "{fault:?}: {result:?}");
    let (have, want) = (target.dump(), source.script.dump());
    for (table, rows) in &want {
        assert_eq!(have.get(table), Some(rows), "{fault:?}: {table}");
    }
    assert_eq!(have.len(), want.len(), "{fault:?}: tables {:?}", have.keys());
    (faulty.calls(), faulty.has_failed())
}

/// Every k up to `last`, spread over a few threads: the rounds know nothing of each other, and much of
/// their time is waiting between two attempts. How many of them were true.
pub fn every(last: u64, round: impl Fn(u64) -> bool + Sync) -> usize {
    const THREADS: u64 = 6;
    std::thread::scope(|scope| {
        let round = &round;
        let threads: Vec<_> = (0..THREADS)
            .map(|first| {
                scope.spawn(move || {
                    let mine = (1 + first..=last).step_by(THREADS as usize);
                    mine.filter(|k| round(*k)).count()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum::<usize>()
    })
}

fn every_call(workers: usize, gtids: bool, fault: impl Fn(u64) -> Fault + Sync) {
    let (calls, _) = round(workers, gtids, Fault::None);
    // Workers do not always make the same calls: a few more, so that the last is met as well.
    let last = calls + 8;
    assert!(calls > 40, "the script is meant to have many steps, and has {calls}");
    let failed = every(last, |k| round(workers, gtids, fault(k)).1);
    assert!(failed as u64 >= calls - 8, "{failed} faults for {calls} calls");
}

#[test]
fn killed_before_every_call() {
    every_call(1, false, |at| Fault::Die { at, when: When::Before });
}

#[test]
fn killed_after_every_call() {
    every_call(3, true, |at| Fault::Die { at, when: When::After });
}

#[test]
fn cut_off_before_every_call() {
    every_call(3, true, |at| Fault::Cut { at, when: When::Before });
}

#[test]
fn cut_off_after_every_call() {
    every_call(1, false, |at| Fault::Cut { at, when: When::After });
}
