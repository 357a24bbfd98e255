//! A statement that the target takes its time for: rows of other tables go on, its own and all that
//! depends on them wait, whatever dies meanwhile.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dm_core::config::TaskPlan;
use dm_core::event::{LaneId, SourceId};
use dm_core::operate::Operation;
use dm_core::sink::{Clauses, MemorySink, Sink};
use dm_core::state::{StateReader, Tracker as Tracked};
use dm_core::testing::build::{delete, insert, update};
use dm_core::testing::{Fault, FaultSink, ScriptedSource, When};
use dm_core::{Control, Outcome, Result, TableName, Until, Value};

use crate::around::Around;
use crate::crash::{every, keep_state};
use crate::held::Gate;
use crate::script::{int, migration, name, plan, put, say, text};

/// Long enough for any machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(2);

/// What stands in the binlog behind the statement, and what of it does not wait.
pub struct Story {
    /// What is copied.
    pub before: fn(&ScriptedSource) -> Result<()>,
    /// What comes then: the statement, what stands before it and what behind.
    pub after: fn(&ScriptedSource) -> Result<()>,
    /// The rows of table `n` that come without waiting.
    pub ahead: usize,
    /// What the target must look like until then.
    pub waits: fn(&MemorySink),
    /// True when rows are in the target that belong behind the statement.
    pub behind: fn(&MemorySink) -> bool,
    /// True when what the statement changes is tracked.
    pub knows: fn(&Tracked) -> bool,
    /// A part of its text at the target that no other statement has.
    pub text: &'static str,
    /// Bytes under way.
    pub memory: u64,
    /// More of the task file.
    pub more: &'static str,
    /// The target refuses several changes at once, and says this of itself.
    pub picky: Option<Clauses>,
}

fn task(story: &Story) -> TaskPlan {
    let mut plan = plan("all", &["s"], "syncer: {worker-count: 3, batch: 2}", story.more);
    // Every chance to save something too early is taken.
    plan.sources[0].sync.checkpoint_interval = Duration::ZERO;
    plan.sources[0].resume.backoff_min = Duration::from_millis(10);
    plan.limits.max_memory = story.memory;
    plan
}

/// The first columns of a table's rows at the target.
pub fn ids(target: &MemorySink, table: &TableName) -> Vec<i64> {
    let rows = target.rows(table).unwrap_or_default();
    rows.iter().map(|row| row[0].to_string().parse().unwrap_or(0)).collect()
}

pub fn before(source: &ScriptedSource) -> Result<()> {
    source.ddl("", "CREATE DATABASE db")?;
    for table in ["t", "u"] {
        source.ddl("db", &format!("CREATE TABLE {table} (id int primary key, v varchar(20))"))?;
        put(source, table, vec![int(1), text("copied")])?;
    }
    source.ddl("db", "CREATE TABLE n (a int)")?;
    source.ddl("db", "CREATE TABLE b (id int primary key, code int, unique key c (code))")
}

fn begins(source: &ScriptedSource) -> Result<()> {
    put(source, "t", vec![int(2), text("before")])?;
    put(source, "n", vec![int(0)])?;
    source.ddl("db", "ALTER TABLE t ADD COLUMN w int NOT NULL DEFAULT 7")
}

pub fn wide(id: i64, v: &str) -> Vec<Value<'static>> {
    vec![int(id), text(v), int(8)]
}

/// Rows of the table, of others, of both, and of such that share a transaction with one that waits.
fn rows_of_all_kinds(source: &ScriptedSource) -> Result<()> {
    begins(source)?;
    put(source, "n", vec![int(1)])?;
    put(source, "b", vec![int(1), int(10)])?;
    put(source, "t", wide(3, "behind"))?;
    put(source, "n", vec![int(1)])?;
    // From here on `b` waits as well, and the code of a row that has waited moves on.
    source.commit(vec![
        (name("b"), vec![update(vec![int(1), int(10)], vec![int(1), int(11)])]),
        (name("t"), vec![update(wide(3, "behind"), wide(30, "moved"))]),
        (name("b"), vec![insert(vec![int(2), int(20)])]),
    ])?;
    put(source, "b", vec![int(3), int(10)])?;
    for _ in 0..3 {
        put(source, "n", vec![int(2)])?;
    }
    source.commit(vec![(name("b"), vec![delete(vec![int(2), int(20)])])])?;
    source.commit(vec![(name("u"), vec![insert(vec![int(5), text("u")])])])?;
    source.commit(vec![(
        name("u"),
        vec![update(vec![int(5), text("u")], vec![int(6), text("moved")])],
    )])?;
    put(source, "n", vec![int(3)])?;
    // The next one waits, and rows of its table.
    source.ddl("db", "ALTER TABLE u ADD COLUMN x int")?;
    put(source, "u", vec![int(7), text("u"), int(9)])?;
    put(source, "t", wide(4, "late"))?;
    put(source, "n", vec![int(4)])
}

/// What is no row of another table waits.
fn what_waits(source: &ScriptedSource) -> Result<()> {
    begins(source)?;
    put(source, "n", vec![int(1)])?;
    source.xa_prepare("X'01',X'',1", vec![(name("t"), vec![insert(wide(5, "prepared"))])])?;
    put(source, "n", vec![int(2)])?;
    source.xa_commit("X'01',X'',1")?;
    source.ddl("db", "DROP TABLE b")?;
    put(source, "t", wide(6, "late"))
}

/// More than may be set aside, and more than may be held.
fn more_than_fits(source: &ScriptedSource) -> Result<()> {
    begins(source)?;
    put(source, "n", vec![int(1)])?;
    for id in 10..40 {
        put(source, "t", wide(id, "many"))?;
        put(source, "b", vec![int(id), int(id)])?;
    }
    let many = |from: i64| (from..from + 80).map(|i| insert(vec![int(i)])).collect::<Vec<_>>();
    source.commit(vec![(name("n"), many(1_000)), (name("t"), vec![insert(wide(9, "with it"))])])?;
    source.commit(vec![(name("n"), many(2_000)), (name("n"), many(3_000))])?;
    put(source, "n", vec![int(4)])
}

/// Rows of table `t` wait.
pub fn only_first(target: &MemorySink) {
    assert_eq!(ids(target, &name("t")), [1, 2], "rows of the table wait");
    assert!(target.count(&name("u")) <= 2);
}

/// Those of table `b` do, too, from one on.
fn first_and_code(target: &MemorySink) {
    only_first(target);
    let rows = target.rows(&name("b")).unwrap_or_default();
    let codes: Vec<String> = rows.iter().map(|row| row[1].to_string()).collect();
    assert!(codes.is_empty() || codes == ["10"], "{codes:?}");
}

fn has_more(target: &MemorySink) -> bool {
    ids(target, &name("t")).iter().any(|id| *id > 2)
}

fn has_w(tracked: &Tracked) -> bool {
    let table = tracked.tables.iter().find(|t| t.name == name("t"));
    table.is_some_and(|t| t.schema.column("w").is_some())
}

pub const KINDS: Story = Story {
    before,
    after: rows_of_all_kinds,
    ahead: 8,
    waits: first_and_code,
    behind: has_more,
    knows: has_w,
    text: "w int NOT NULL",
    memory: 1 << 20,
    more: "",
    picky: None,
};
const WAITS: Story = Story { after: what_waits, ahead: 2, waits: only_first, ..KINDS };
const MUCH: Story =
    Story { after: more_than_fits, ahead: 2, waits: only_first, memory: 8 << 10, ..KINDS };

fn run(story: &Story, source: &ScriptedSource, sink: Arc<dyn Sink>, dir: &Path) -> Result<Outcome> {
    migration(task(story), Arc::new(source.clone()), sink, dir).until(Until::CaughtUp).build().run()
}

fn wait_for(what: &dyn Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

struct OpenOnDrop<'g>(&'g Gate);

impl Drop for OpenOnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

pub struct Stage {
    pub source: ScriptedSource,
    pub target: MemorySink,
    gate: Arc<Gate>,
}

impl Stage {
    /// Everything is copied, the rest is in the binlog, and the gate is closed.
    pub fn new(story: &Story, gtids: bool, dir: &Path) -> Self {
        let source = if gtids { ScriptedSource::with_gtids("s") } else { ScriptedSource::new("s") };
        (story.before)(&source).unwrap();
        let stage = Self { source, target: MemorySink::new(), gate: Arc::default() };
        stage.gate.be_picky(story.picky);
        assert_eq!(run(story, &stage.source, stage.sink(), dir).unwrap(), Outcome::Finished);
        (story.after)(&stage.source).unwrap();
        stage.gate.set(true);
        stage
    }

    /// The same, and all that does not wait is in. A stop has left the statement to the target.
    fn left_alone(story: &Story, dir: &Path, look: impl Fn(&Control)) -> Self {
        let stage = Self::new(story, true, dir);
        let source = Arc::new(stage.source.clone());
        let running = migration(task(story), source, stage.sink(), dir).build().spawn().unwrap();
        wait_for(&|| {
            assert!(!running.is_finished());
            stage.rows("n") == story.ahead
        });
        look(&running.control());
        assert_eq!(running.stop().unwrap(), Outcome::Stopped);
        assert!(stage.gate.is_held(), "it was not killed");
        stage
    }

    pub fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(Around { tables: self.target.clone(), between: Arc::clone(&self.gate) })
    }

    fn rows(&self, table: &str) -> usize {
        self.target.rows(&name(table)).unwrap_or_default().len()
    }

    /// Runs on a thread of its own until what does not wait is in, looks at the rest, lets the statement
    /// end.
    pub fn run_through(
        &self,
        story: &Story,
        sink: Arc<dyn Sink>,
        dir: &Path,
        died: impl Fn() -> bool,
    ) -> Result<Outcome> {
        let (tell, told) = channel();
        std::thread::scope(|scope| {
            // Also when a look fails: the scope waits for its thread.
            let opened = OpenOnDrop(&self.gate);
            scope.spawn(|| {
                let _ = tell.send(run(story, &self.source, sink, dir));
            });
            let began = Instant::now();
            let ended = loop {
                match told.recv_timeout(LOOK) {
                    Ok(result) => break Some(result),
                    Err(RecvTimeoutError::Disconnected) => panic!("the run panicked"),
                    Err(RecvTimeoutError::Timeout) => {}
                }
                if died() || (self.gate.is_held() && self.rows("n") == story.ahead) {
                    break None;
                }
                assert!(began.elapsed() < PATIENCE, "{} rows went on", self.rows("n"));
            };
            if self.gate.is_held() {
                (story.waits)(&self.target);
                assert!(self.rows("n") <= story.ahead);
            }
            drop(opened);
            ended.unwrap_or_else(|| told.recv().unwrap())
        })
    }
}

/// What a killed process leaves: no structure is ahead of its position, no row ahead of its structure.
/// `behind` was asked before the state was kept: other workers write on meanwhile.
fn invariant(story: &Story, dir: &Path, behind: bool) {
    let reader = StateReader::open(dir, "t").unwrap();
    let lane = LaneId::main(&SourceId::new("s"));
    let knows = (story.knows)(&reader.tracker(&lane).unwrap());
    let pending = reader.pending_ddl(&lane).unwrap();
    assert!(!knows || pending.iter().all(|p| !p.ddl.sql.contains(story.text)));
    assert!(knows || !behind, "rows behind the statement are in, and its structure is not saved");
}

fn round(story: &'static Story, gtids: bool, fault: Fault) -> (u64, bool) {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let stage = Stage::new(story, gtids, &first);
    let broken: Arc<Mutex<Option<String>>> = Arc::default();
    let hook = {
        let (from, to): (PathBuf, PathBuf) = (first.clone(), second.clone());
        let (target, broken) = (stage.target.clone(), Arc::clone(&broken));
        move || {
            let behind = (story.behind)(&target);
            keep_state(&from, &to);
            if let Err(panic) = std::panic::catch_unwind(|| invariant(story, &to, behind)) {
                let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                *broken.lock().unwrap() = Some(text);
            }
        }
    };
    let faulty = Arc::new(FaultSink::with_hook(stage.sink(), fault, hook));
    let died = || faulty.has_failed();
    let mut result = stage.run_through(story, faulty.clone(), &first, died);
    assert_eq!(*broken.lock().unwrap(), None, "{fault:?}");
    assert!(faulty.has_failed() || result.is_ok(), "nothing has failed: {result:?}");
    let dead = matches!(fault, Fault::Die { .. }) && faulty.has_failed();
    let state = if dead { &second } else { &first };
    for _ in 0..3 {
        if result.is_ok() {
            break;
        }
        stage.target.break_connections();
        result = run(story, &stage.source, stage.sink(), state);
    }
    assert_eq!(result.as_ref().ok(), Some(&Outcome::Finished), "{fault:?}: {result:?}");
    let (have, want) = (stage.target.dump(), stage.source.dump());
    for (table, rows) in &want {
        assert_eq!(have.get(table), Some(rows), "{fault:?}: {table}");
    }
    (faulty.calls(), faulty.has_failed())
}

pub fn killed_everywhere(story: &'static Story, gtids: bool, faults: &[fn(u64) -> Fault]) {
    let (calls, _) = round(story, gtids, Fault::None);
    for fault in faults {
        let failed = every(calls, |k| round(story, gtids, fault(k)).1);
        // How many transactions a batch takes is chance.
        assert!(calls > 10 && failed as u64 * 3 >= calls * 2, "{failed} faults for {calls} calls");
    }
}

pub fn killed_before(at: u64) -> Fault {
    Fault::Die { at, when: When::Before }
}

pub fn killed_after(at: u64) -> Fault {
    Fault::Die { at, when: When::After }
}

fn cut_off(at: u64) -> Fault {
    Fault::Cut { at, when: When::After }
}

#[test]
fn rows_of_other_tables_go_on() {
    killed_everywhere(&KINDS, true, &[killed_after, cut_off]);
}

#[test]
fn what_is_no_row_of_another_table_waits() {
    killed_everywhere(&WAITS, false, &[killed_before]);
}

#[test]
fn no_more_is_set_aside_than_fits() {
    for gtids in [false, true] {
        round(&MUCH, gtids, Fault::None);
    }
    every(12, |at| round(&MUCH, true, killed_after(4 * at)).1);
}

/// A stop leaves the statement to the target; the next start waits for it and does not run it again.
#[test]
fn a_stop_does_not_wait_for_the_statement() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::left_alone(&KINDS, dir.path(), |control| {
        let shown = control.status().sources[0].waiting_for.clone().unwrap_or_default();
        assert!(shown.contains("ADD COLUMN w"), "{shown:?}");
    });
    assert_eq!(stage.rows("t"), 2);
    let again = stage.run_through(&KINDS, stage.sink(), dir.path(), || true);
    assert_eq!(again.unwrap(), Outcome::Finished);
    assert_eq!(stage.target.dump(), stage.source.dump());
}

/// Nobody looks when the statement ends, it has not run, and somebody has changed the table by hand: neither
/// as before nor as after. A person sees the three structures and decides.
#[test]
fn an_outcome_that_nobody_can_tell_is_shown_with_three_structures() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::left_alone(&KINDS, dir.path(), |_| ());
    stage.target.run("db", ["ALTER TABLE t ADD COLUMN mine int"]).unwrap();
    stage.gate.refuse(true);
    stage.gate.set(false);
    wait_for(&|| !stage.gate.is_held());
    stage.gate.refuse(false);
    let error = run(&KINDS, &stage.source, stage.sink(), dir.path()).unwrap_err();
    assert_eq!(error.code().number, 36_208, "{error}");
    let text = error.to_string();
    let (_, shown) = text.split_once("`db`.`t` before: CREATE TABLE `db`.`t`").unwrap();
    let (before, shown) = shown.split_once("; after it: CREATE TABLE `db`.`t`").unwrap();
    let (after, now) = shown.split_once("; now: CREATE TABLE `db`.`t`").unwrap();
    assert!(!before.contains("`w`") && !before.contains("`mine`"), "{text}");
    assert!(after.contains("`w`") && !after.contains("`mine`"), "{text}");
    assert!(now.contains("`mine`"), "{text}");
    assert!(error.advice().contains("dm handle-error t -s s skip"), "{}", error.advice());
    // By hand it is made what it is behind the statement.
    let by_hand = "ALTER TABLE t DROP COLUMN mine, ADD COLUMN w int NOT NULL DEFAULT 7";
    stage.target.run("db", [by_hand]).unwrap();
    say(dir.path(), None, Operation::Skip);
    assert_eq!(run(&KINDS, &stage.source, stage.sink(), dir.path()).unwrap(), Outcome::Finished);
    assert_eq!(stage.target.dump(), stage.source.dump());
}

/// The statement is refused in the end: the task stops at it, as at one that nothing went on beside, and an
/// operator's word helps. What went on is not done again.
pub fn refused_late(story: &'static Story, instead: &str) {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::new(story, false, dir.path());
    stage.gate.refuse(true);
    let error = stage.run_through(story, stage.sink(), dir.path(), || false).unwrap_err();
    assert_eq!(error.server_error(), Some(1071), "{error}");
    assert!(error.statement_place().is_some() && error.rows_place().is_none(), "{error}");
    assert!(error.advice().contains("dm handle-error t -s s skip"), "{}", error.advice());
    (story.waits)(&stage.target);
    assert_eq!(stage.rows("n"), story.ahead);
    stage.gate.refuse(false);
    say(dir.path(), None, Operation::Replace(instead.to_owned()));
    assert_eq!(run(story, &stage.source, stage.sink(), dir.path()).unwrap(), Outcome::Finished);
    assert_eq!(stage.target.dump(), stage.source.dump());
}

#[test]
fn a_statement_that_is_refused_late_is_replaced() {
    refused_late(&KINDS, "ALTER TABLE db.t ADD COLUMN w bigint NOT NULL DEFAULT 7");
}
