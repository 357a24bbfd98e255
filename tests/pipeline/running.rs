//! Watching and stopping a migration that runs in a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use dm_core::sink::MemorySink;
use dm_core::source::Source;
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::insert;
use dm_core::{Outcome, Unit, Waited};

use crate::script::{before, int, migration, name, plan, text};

/// Long enough for any machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

struct Setup {
    source: ScriptedSource,
    sink: MemorySink,
    dir: tempfile::TempDir,
}

impl Setup {
    fn new() -> Self {
        let source = ScriptedSource::new("s");
        before(&source).unwrap();
        Self { source, sink: MemorySink::new(), dir: tempfile::tempdir().unwrap() }
    }

    fn migration(&self) -> dm_core::Migration {
        let sink = Arc::new(self.sink.clone());
        migration(plan("all", &["s"], "", ""), Arc::new(self.source.clone()), sink, self.dir.path())
            .build()
    }
}

#[test]
fn a_service_waits_for_a_position_and_stops() {
    let setup = Setup::new();
    let running = setup.migration().spawn().unwrap();
    let control = running.control();
    let copied = setup.source.end_position().unwrap();
    assert_eq!(control.wait_for("s", &copied, PATIENCE), Waited::Reached);
    setup.source.commit(vec![(name("idle"), vec![insert([int(9), text("new")])])]).unwrap();
    let written = setup.source.end_position().unwrap();
    assert_eq!(control.wait_for("s", &written, PATIENCE), Waited::Reached);
    assert_eq!(setup.sink.dump(), setup.source.dump());
    let status = control.status();
    assert_eq!((status.task.as_str(), status.sources[0].unit), ("t", Unit::Sync));
    assert!(!running.is_finished());
    assert_eq!(running.stop().unwrap(), Outcome::Stopped);
    // Nothing more will arrive.
    setup.source.commit(vec![(name("idle"), vec![insert([int(10), text("late")])])]).unwrap();
    let late = setup.source.end_position().unwrap();
    assert_eq!(control.wait_for("s", &late, PATIENCE), Waited::Ended);
    assert_eq!(control.wait_for("nobody", &late, PATIENCE), Waited::Ended);
}

#[test]
fn patience_may_run_out() {
    let setup = Setup::new();
    let end = setup.source.end_position().unwrap();
    // It has not begun yet, so it is waited for.
    let migration = setup.migration();
    assert_eq!(migration.control().wait_for("s", &end, Duration::ZERO), Waited::TimedOut);
}

#[test]
fn a_stop_before_the_start_holds() {
    let setup = Setup::new();
    let migration = setup.migration();
    migration.control().stop();
    assert_eq!(migration.run().unwrap(), Outcome::Stopped);
    // It held for that run only.
    setup.source.finish();
    assert_eq!(migration.run().unwrap(), Outcome::Finished);
    assert_eq!(setup.sink.dump(), setup.source.dump());
}

#[test]
fn dropping_asks_to_stop() {
    let setup = Setup::new();
    let running = setup.migration().spawn().unwrap();
    let control = running.control();
    drop(running);
    let never = "scripted-bin.999999:4".parse().map(dm_core::position::Position::at).unwrap();
    assert_eq!(control.wait_for("s", &never, PATIENCE), Waited::Ended);
}

#[test]
fn rows_are_limited() {
    let setup = Setup::new();
    setup.source.finish();
    let mut limited = plan("all", &["s"], "", "");
    limited.limits.max_rows_per_second = Some(50);
    let sink = Arc::new(setup.sink.clone());
    let began = std::time::Instant::now();
    migration(limited, Arc::new(setup.source.clone()), sink, setup.dir.path())
        .build()
        .run()
        .unwrap();
    // 23 rows at 50 in a second, of which 10 may have been saved up.
    assert!(began.elapsed() > Duration::from_millis(250), "{:?}", began.elapsed());
    assert_eq!(setup.sink.dump(), setup.source.dump());
}
