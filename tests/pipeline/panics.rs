//! Faults of our own: a thread that dies in the middle of its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dm_core::error::codes;
use dm_core::sink::{MemorySink, Sink};
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Outcome, Result};

use crate::crash::every;
use crate::script::{Live, after, before, during, migration, plan};

/// Whichever thread makes the k-th call panics in it: the run ends, with an error that says so, and the
/// next one goes on. Nobody waits for a thread that is gone.
#[test]
fn a_thread_that_panics_at_any_call_ends_the_run() {
    let seen = AtomicU64::new(0);
    let round = |fault: Fault| {
        let dir = tempfile::tempdir().unwrap();
        let script = ScriptedSource::new("s");
        before(&script).unwrap();
        let source = Arc::new(Live::new(script, during, after));
        let target = MemorySink::new();
        let hook = || std::panic::resume_unwind(Box::new("a fault of the test"));
        let faulty = Arc::new(FaultSink::with_hook(Arc::new(target.clone()), fault, hook));
        let run = |sink: Arc<dyn Sink>| -> Result<Outcome> {
            let instance = "mydumper: {threads: 2, rows: 3}\nsyncer: {worker-count: 2, batch: 2}";
            let mut plan = plan("all", &["s"], instance, "");
            plan.limits.max_memory = 8 << 10;
            migration(plan, source.clone(), sink, dir.path()).build().run()
        };
        let first = run(faulty.clone());
        // A statement that is not known to have run is looked at again by itself.
        if let Err(error) = first {
            assert_eq!(error.code(), &codes::SYNC_PANIC, "{fault:?}: {error}");
            seen.fetch_add(1, Ordering::SeqCst);
            target.break_connections();
            assert_eq!(run(Arc::new(target.clone())).unwrap(), Outcome::Finished, "{fault:?}");
        }
        assert_eq!(target.dump(), source.script.dump(), "{fault:?}");
        faulty.calls()
    };
    let calls = round(Fault::None);
    every(calls / 4, |k| {
        round(Fault::Cut { at: 4 * k, when: When::Before });
        true
    });
    assert!(seen.load(Ordering::SeqCst) > 20);
}
