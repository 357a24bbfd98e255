//! What the tests' sources do, and how migrations are made of them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dm_core::config::{SourceText, TaskPlan};
use dm_core::operate::{HandleError, Operation, all_went_well};
use dm_core::position::{BinlogPos, Position};
use dm_core::sink::Sink;
use dm_core::source::{EventStream, Snapshot, Source, SourceInfo, TableChoice, TableInfo};
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::{delete, insert, update};
use dm_core::{Migration, MigrationBuilder, Result, RowOp, TableName, Value};

/// A task file with these sources; `more` is appended to it.
pub fn plan(mode: &str, sources: &[&str], instance: &str, more: &str) -> TaskPlan {
    let mut task = format!(
        "name: t\ntask-mode: {mode}\ntarget-database: {{sqlite: unused.db}}\nmysql-instances:\n"
    );
    for source in sources {
        task.push_str(&format!("- source-id: {source}\n"));
        instance.lines().for_each(|line| task.push_str(&format!("  {line}\n")));
    }
    task.push_str(more);
    let files: Vec<String> = sources
        .iter()
        .map(|s| {
            format!(
                "source-id: {s}\nfrom: {{host: h, user: u}}\nchecker: {{check-enable: false}}\n"
            )
        })
        .collect();
    let texts: Vec<SourceText<'_>> =
        files.iter().map(|text| SourceText { name: "source.yaml", text }).collect();
    let task = SourceText { name: "task.yaml", text: &task };
    TaskPlan::from_yaml(&task, &texts, &|_| None).unwrap_or_else(|e| panic!("{e}")).0
}

/// A migration of one scripted source.
pub fn migration(
    plan: TaskPlan,
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    dir: &Path,
) -> MigrationBuilder {
    Migration::builder(plan).source("s", source).sink(sink).state_dir(dir)
}

pub fn name(table: &str) -> TableName {
    TableName::new("db", table)
}

pub fn int(v: i64) -> Value<'static> {
    Value::Int(v)
}

pub fn text(v: impl Into<String>) -> Value<'static> {
    Value::Text(v.into().into())
}

/// One row.
pub fn put(source: &ScriptedSource, table: &str, row: Vec<Value<'static>>) -> Result<()> {
    source.commit(vec![(name(table), vec![insert(row)])])
}

/// An operator's word about the statement that the task has stopped at, or about a place.
pub fn say(dir: &Path, position: Option<BinlogPos>, operation: Operation) {
    let command = HandleError { sources: Vec::new(), position, operation };
    let answers = command.run(dir, "t").unwrap();
    assert!(all_went_well(&answers), "{answers:?}");
}

/// Where the source's next group begins.
pub fn end(source: &ScriptedSource) -> BinlogPos {
    source.end_position().unwrap().binlog.unwrap()
}

fn pair(a: i64, b: &str) -> Vec<Value<'static>> {
    vec![int(a), text(b)]
}

fn coded(id: i64, code: i64, v: &str) -> Vec<Value<'static>> {
    vec![int(id), int(code), text(v)]
}

/// Tables with a key, without one and with two, and rows to copy.
pub fn before(source: &ScriptedSource) -> Result<()> {
    source.ddl("", "CREATE DATABASE db")?;
    source.ddl("db", "CREATE TABLE keyed (id int primary key, v varchar(20))")?;
    source.ddl("db", "CREATE TABLE bare (a int, b varchar(20))")?;
    source.ddl(
        "db",
        "CREATE TABLE twice (id int primary key, code int, v varchar(20), unique key c (code))",
    )?;
    source.ddl("db", "CREATE TABLE idle (id int primary key, v varchar(20))")?;
    source.ddl("db", "CREATE TABLE corner (id int primary key, code int, unique key c (code))")?;
    source.ddl("db", "CREATE TABLE east (id int primary key, a varchar(20), b varchar(20))")?;
    source.ddl("db", "CREATE TABLE west (id int primary key, a varchar(20), b varchar(20))")?;
    let three = |i: i64, a: &str, b: &str| insert(vec![int(i), text(a), text(b)]);
    source.commit(vec![
        (name("corner"), vec![insert(vec![int(1), int(1)]), insert(vec![int(3), int(3)])]),
        (name("east"), vec![three(1, "ea", "eb")]),
        (name("west"), vec![three(1, "wa", "wb"), three(2, "wa", "wb")]),
    ])?;
    let rows = |n: i64| (1..=n).map(|i| insert(pair(i, "copied"))).collect::<Vec<RowOp<'static>>>();
    source.commit(vec![(name("keyed"), rows(9)), (name("idle"), rows(4))])?;
    let twins = (0..6).map(|i| insert(pair(i / 2, "twin"))).collect();
    let codes = (1..=4).map(|i| insert(coded(i, i, "copied"))).collect();
    source.commit(vec![(name("bare"), twins), (name("twice"), codes)])
}

/// What happens while the copy runs: rows only, in all tables but `idle`.
pub fn during(source: &ScriptedSource) -> Result<()> {
    source.commit(vec![(
        name("keyed"),
        vec![
            update(pair(1, "copied"), pair(1, "new")),
            update(pair(2, "copied"), pair(20, "moved")),
            delete(pair(3, "copied")),
        ],
    )])?;
    source.commit(vec![(name("bare"), vec![insert(pair(1, "twin")), delete(pair(0, "twin"))])])?;
    // Two rows exchange their unique codes by way of a third.
    source.commit(vec![(
        name("twice"),
        vec![
            update(coded(1, 1, "copied"), coded(1, 100, "copied")),
            update(coded(2, 2, "copied"), coded(2, 1, "copied")),
            update(coded(1, 100, "copied"), coded(1, 2, "copied")),
        ],
    )])?;
    source.commit(vec![(name("keyed"), vec![insert(pair(3, "again")), insert(pair(50, "late"))])])
}

/// What happens while the binlog is followed: rows of all kinds, statements, a large transaction.
pub fn after(source: &ScriptedSource) -> Result<()> {
    for i in 0..4 {
        source.commit(vec![
            (
                name("keyed"),
                vec![
                    insert(pair(60 + i, "streamed")),
                    update(pair(4 + i, "copied"), pair(4 + i, "streamed")),
                ],
            ),
            (name("bare"), vec![insert(pair(7, "same")), insert(pair(7, "same"))]),
        ])?;
    }
    source.commit(vec![(
        name("bare"),
        vec![delete(pair(7, "same")), update(pair(7, "same"), pair(8, "one"))],
    )])?;
    source.rotate();
    // The code of a deleted row goes to a new one, in the next transaction.
    source.commit(vec![(name("twice"), vec![delete(coded(3, 3, "copied"))])])?;
    source.commit(vec![(name("twice"), vec![insert(coded(30, 3, "heir"))])])?;
    source
        .commit(vec![(name("twice"), vec![update(coded(30, 3, "heir"), coded(31, 3, "heir"))])])?;
    decided_later(source)?;
    unique_corner(source)?;
    change_places(source)?;
    source.ddl("db", "ALTER TABLE keyed ADD COLUMN w int NOT NULL DEFAULT 7")?;
    source.commit(vec![(name("keyed"), vec![insert(vec![int(70), text("wide"), int(1)])])])?;
    // Larger than what the plan allows to hold: applied in parts, while it is read.
    let many = |from: i64| -> Vec<RowOp<'static>> {
        (from..from + 60).map(|i| insert(pair(i, &"x".repeat(18)))).collect()
    };
    source.commit(vec![
        (name("bare"), many(1000)),
        (name("keyed"), vec![delete(vec![int(60), text("streamed"), int(7)])]),
        (name("bare"), many(2000)),
    ])?;
    source.ddl("db", "CREATE TABLE born (id int primary key, v varchar(20))")?;
    source.commit(vec![(name("born"), vec![insert(pair(1, "a")), insert(pair(2, "b"))])])?;
    source.ddl("db", "RENAME TABLE born TO grown")?;
    source.commit(vec![(name("grown"), vec![insert(pair(3, "c"))])])?;
    source.ddl("db", "TRUNCATE TABLE idle")?;
    source.commit(vec![(name("idle"), vec![insert(pair(1, "anew"))])])?;
    source.ddl("db", "DROP TABLE grown")?;
    online_change(source)?;
    source.commit(vec![(name("keyed"), vec![delete(vec![int(70), text("wide"), int(1)])])])
}

/// A unique value is handed from row to row, in one transaction and in several: no single place is
/// right for what the first row becomes in the end.
fn unique_corner(source: &ScriptedSource) -> Result<()> {
    let row = |id: i64, code: i64| vec![int(id), int(code)];
    let round = |new: i64, spare: i64, from: [i64; 2]| -> Vec<RowOp<'static>> {
        let [first, third] = from;
        vec![
            update(row(1, first), row(1, spare)),
            insert(row(new, first)),
            update(row(3, third), row(3, spare + 1)),
            update(row(1, spare), row(1, third)),
        ]
    };
    source.commit(vec![(name("corner"), round(2, 100, [1, 3]))])?;
    for op in round(4, 200, [3, 101]) {
        source.commit(vec![(name("corner"), vec![op])])?;
    }
    Ok(())
}

/// Tables of equal structure, and columns of one type, that change places: running the statement
/// twice is no error and is wrong.
fn change_places(source: &ScriptedSource) -> Result<()> {
    source.ddl("db", "RENAME TABLE east TO x, west TO east, x TO west")?;
    let row = |id: i64, a: &str, b: &str| vec![int(id), text(a), text(b)];
    source.commit(vec![(name("east"), vec![delete(row(2, "wa", "wb"))])])?;
    source.ddl("db", "ALTER TABLE east RENAME COLUMN a TO b, RENAME COLUMN b TO a")?;
    source.commit(vec![(name("east"), vec![insert(row(3, "b", "a"))])])
}

/// Prepared transactions, of which one is committed behind others and one is dropped.
fn decided_later(source: &ScriptedSource) -> Result<()> {
    source.xa_prepare(
        "X'01',X'',1",
        vec![
            (name("keyed"), vec![insert(pair(90, "prepared")), delete(pair(9, "copied"))]),
            (name("bare"), vec![insert(pair(9, "prepared")), insert(pair(9, "prepared"))]),
            (name("twice"), vec![update(coded(4, 4, "copied"), coded(4, 44, "copied"))]),
        ],
    )?;
    source.xa_prepare(
        "X'02',X'62',1",
        vec![(name("bare"), vec![insert(pair(404, "never")), delete(pair(8, "one"))])],
    )?;
    source.commit(vec![(name("keyed"), vec![insert(pair(91, "between"))])])?;
    source.rotate();
    source.xa_commit("X'01',X'',1")?;
    source.commit(vec![
        (name("bare"), vec![delete(pair(9, "prepared"))]),
        (name("twice"), vec![update(coded(4, 44, "copied"), coded(4, 4, "copied"))]),
    ])?;
    source.xa_rollback("X'02',X'62',1");
    Ok(())
}

/// An online schema change as gh-ost makes it, with two statements that must run once each.
fn online_change(source: &ScriptedSource) -> Result<()> {
    let wide = |id: i64, code: i64, v: &str| vec![int(id), int(code), text(v), int(1)];
    source.ddl("db", "CREATE TABLE _twice_gho LIKE twice")?;
    source.ddl("db", "ALTER TABLE _twice_gho ADD COLUMN extra int NOT NULL DEFAULT 1")?;
    source.ddl("db", "ALTER TABLE _twice_gho RENAME COLUMN v TO note")?;
    let filled = [(1, 2, "copied"), (2, 1, "copied"), (4, 4, "copied"), (31, 3, "heir")];
    let rows = filled.map(|(id, code, v)| insert(wide(id, code, v))).to_vec();
    source.commit(vec![(name("_twice_gho"), rows)])?;
    source.rotate();
    source.commit(vec![
        (name("twice"), vec![update(coded(4, 4, "copied"), coded(4, 5, "moved"))]),
        (name("_twice_gho"), vec![update(wide(4, 4, "copied"), wide(4, 5, "moved"))]),
    ])?;
    source.ddl("db", "RENAME TABLE twice TO _twice_del, _twice_gho TO twice")?;
    source.commit(vec![(name("twice"), vec![insert(wide(6, 6, "after"))])])?;
    source.ddl("db", "DROP TABLE _twice_del")
}

/// A source that lives while it is migrated: part of its script happens behind the first
/// snapshot, the rest when the stream is opened for the first time.
pub struct Live {
    pub script: ScriptedSource,
    behind_snapshot: Once,
    behind_open: Once,
}

type Step = fn(&ScriptedSource) -> Result<()>;

struct Once(Step, AtomicBool);

impl Once {
    fn play(&self, source: &ScriptedSource) -> Result<()> {
        if self.1.swap(true, std::sync::atomic::Ordering::SeqCst) {
            Ok(())
        } else {
            (self.0)(source)
        }
    }
}

impl Live {
    pub fn new(script: ScriptedSource, behind_snapshot: Step, behind_open: Step) -> Self {
        let once = |step| Once(step, AtomicBool::new(false));
        Self { script, behind_snapshot: once(behind_snapshot), behind_open: once(behind_open) }
    }
}

impl Source for Live {
    fn info(&self) -> Result<SourceInfo> {
        self.script.info()
    }
    fn end_position(&self) -> Result<Position> {
        self.script.end_position()
    }
    fn snapshot(&self, choose: &TableChoice, stop: &AtomicBool) -> Result<Box<dyn Snapshot>> {
        let snapshot = self.script.snapshot(choose, stop)?;
        self.behind_snapshot.play(&self.script)?;
        Ok(snapshot)
    }
    fn describe(&self, table: &TableName) -> Result<Option<TableInfo>> {
        self.script.describe(table)
    }
    fn tables(&self, choose: &TableChoice) -> Result<Vec<TableName>> {
        self.script.tables(choose)
    }
    fn open(&self, from: &Position) -> Result<Box<dyn EventStream>> {
        self.behind_open.play(&self.script)?;
        self.script.finish();
        self.script.open(from)
    }
}
