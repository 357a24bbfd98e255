//! Failovers to a server that lacks what has arrived from the one before it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use dm_core::error::codes;
use dm_core::event::{LaneId, SourceId};
use dm_core::position::Position;
use dm_core::sink::{MemorySink, Sink};
use dm_core::source::{EventStream, Snapshot, Source, SourceInfo, TableChoice, TableInfo};
use dm_core::state::StateReader;
use dm_core::testing::build::insert;
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Outcome, Result, TableName, Until};

use crate::crash::keep_state;
use crate::script::{int, migration, name, plan, text};

/// A server with the beginning of the history that all of them share.
fn server() -> ScriptedSource {
    let source = ScriptedSource::with_gtids("s");
    source.ddl("", "CREATE DATABASE db").unwrap();
    for table in ["first", "later"] {
        source.ddl("db", &format!("CREATE TABLE {table} (id int primary key, v text)")).unwrap();
        put(&source, table, 1..=9);
    }
    source
}

fn put(source: &ScriptedSource, table: &str, ids: std::ops::RangeInclusive<i64>) {
    let rows = ids.map(|id| insert(vec![int(id), text("v")])).collect();
    source.commit(vec![(name(table), rows)]).unwrap();
}

/// A transaction that not every server has.
fn late(source: &ScriptedSource) {
    put(source, "later", 100..=100);
}

fn has_late(target: &MemorySink) -> bool {
    target.count(&name("later")) == 10
}

/// The history as a server of this name tells it. `at_asking` is called at each question for its end.
struct Told {
    script: ScriptedSource,
    server: Option<&'static str>,
    asked: AtomicU32,
    at_asking: fn(&ScriptedSource, u32),
}

fn told(script: &ScriptedSource, server: Option<&'static str>) -> Arc<Told> {
    let script = script.clone();
    Arc::new(Told { script, server, asked: AtomicU32::new(0), at_asking: |_, _| {} })
}

impl Source for Told {
    fn info(&self) -> Result<SourceInfo> {
        let mut info = self.script.info()?;
        if let Some(server) = self.server {
            info.server = server.to_owned();
        }
        Ok(info)
    }
    fn end_position(&self) -> Result<Position> {
        (self.at_asking)(&self.script, self.asked.fetch_add(1, Ordering::SeqCst));
        self.script.end_position()
    }
    fn snapshot(&self, choose: &TableChoice, stop: &AtomicBool) -> Result<Box<dyn Snapshot>> {
        self.script.snapshot(choose, stop)
    }
    fn describe(&self, table: &TableName) -> Result<Option<TableInfo>> {
        self.script.describe(table)
    }
    fn tables(&self, choose: &TableChoice) -> Result<Vec<TableName>> {
        self.script.tables(choose)
    }
    fn open(&self, from: &Position) -> Result<Box<dyn EventStream>> {
        self.script.open(from)
    }
}

fn run(source: Arc<dyn Source>, sink: Arc<dyn Sink>, state: &Path) -> Result<Outcome> {
    let instance = "mydumper: {threads: 1, rows: 3}\nsyncer: {worker-count: 2}";
    let plan = plan("all", &["s"], instance, "");
    migration(plan, source, sink, state).until(Until::CaughtUp).build().run()
}

/// Where the copy stands: not begun, under way, finished.
fn copied(state: &Path) -> Option<bool> {
    let copy = LaneId::copy(&SourceId::new("s"));
    let copy = StateReader::open(state, "t").ok()?.copy(&copy).ok()??;
    Some(copy.finished.is_some())
}

/// Dies at a call, in a directory of its own that begins as a copy of another.
fn die(source: Arc<dyn Source>, target: &MemorySink, from: &Path, to: &Path, at: u64) -> bool {
    keep_state(from, to);
    let fault = Fault::Die { at, when: When::After };
    let faulty = Arc::new(FaultSink::new(Arc::new(target.clone()), fault));
    let _dead = run(source, faulty.clone(), to);
    target.break_connections();
    faulty.has_failed()
}

/// A copy that was resumed has rows of a later view in some tables. A replica that lacks what that view
/// held is not followed, whether the copy is finished or not, and nothing is written; once it has all, the
/// task goes on.
#[test]
fn a_replica_behind_a_copied_table_is_not_followed() {
    let mut behind = 0;
    for at in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        let (old, new) = (server(), server());
        let target = MemorySink::new();
        // Until a chunk of the first table is in.
        assert!(die(Arc::new(old.clone()), &target, &place("none"), &place("one"), 14));
        assert_eq!(copied(&place("one")), Some(false));
        late(&old);
        let failed = die(Arc::new(old.clone()), &target, &place("one"), &place("two"), at);
        if !failed {
            break;
        }
        if !has_late(&target) {
            continue;
        }
        behind += u32::from(copied(&place("two")) == Some(true));
        let before = target.dump();
        let sink = || -> Arc<dyn Sink> { Arc::new(target.clone()) };
        let error = run(told(&new, Some("other")), sink(), &place("two")).unwrap_err();
        assert_eq!(error.code(), &codes::SOURCE_GTID_MISSING, "call {at}: {error}");
        assert_eq!(target.dump(), before, "call {at}");
        late(&new);
        put(&new, "first", 200..=202);
        let outcome = run(told(&new, Some("other")), sink(), &place("two"));
        assert_eq!(outcome.unwrap(), Outcome::Finished, "call {at}");
        assert_eq!(target.dump(), new.dump(), "call {at}");
    }
    assert!(behind > 0, "no process died behind the copy");
}

/// The marks know of a transaction behind the low-water mark. A replica without it is not followed; the
/// same server, which may still be waiting for a word before it has executed what it has sent, is waited for.
#[test]
fn a_replica_behind_the_marks_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (now, frozen) = (dir.path().join("now"), dir.path().join("frozen"));
    let (old, new) = (server(), server());
    let target = MemorySink::new();
    let sink = || -> Arc<dyn Sink> { Arc::new(target.clone()) };
    put(&old, "first", 50..=51);
    put(&new, "first", 50..=51);
    run(Arc::new(old.clone()), sink(), &now).unwrap();
    // One more, so that what was read last is known.
    put(&old, "first", 52..=53);
    put(&new, "first", 52..=53);
    run(Arc::new(old.clone()), sink(), &now).unwrap();
    keep_state(&now, &frozen);
    late(&old);
    run(Arc::new(old.clone()), sink(), &now).unwrap();
    assert!(has_late(&target));
    // The state of before: its low-water mark is one that the replica has.
    target.break_connections();
    let error = run(told(&new, Some("other")), sink(), &frozen).unwrap_err();
    assert_eq!(error.code(), &codes::SOURCE_GTID_MISSING, "{error}");
    let slow = Told {
        script: new.clone(),
        server: None,
        asked: AtomicU32::new(0),
        at_asking: |script, asked| {
            if asked == 3 {
                late(script);
            }
        },
    };
    assert_eq!(run(Arc::new(slow), sink(), &frozen).unwrap(), Outcome::Finished);
    assert_eq!(target.dump(), new.dump());
}
