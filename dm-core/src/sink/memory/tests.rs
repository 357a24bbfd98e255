use dm_filter::Value;
use proptest::prelude::*;

use super::*;
use crate::event::{ApplyMode, SourceId};
use crate::testing::build;

fn name() -> TableName {
    TableName::new("db", "t")
}

fn sink(create: &str) -> MemorySink {
    let sink = MemorySink::new();
    sink.run("db", ["CREATE DATABASE db", create]).unwrap();
    sink
}

fn texts(sink: &MemorySink) -> Vec<String> {
    let rows = sink.rows(&name()).unwrap();
    rows.iter().map(|r| r.iter().map(Cell::to_string).collect::<Vec<_>>().join("|")).collect()
}

fn lane(source: &str) -> LaneId {
    LaneId::main(&SourceId::new(source))
}

fn apply(
    sink: &MemorySink,
    source: &str,
    columns: &[&str],
    mode: ApplyMode,
    ops: Vec<dm_filter::RowOp<'static>>,
) -> Result<crate::sink::ApplyStats> {
    let lane = lane(source);
    let slot = Slot { task: "t".into(), lane: lane.clone(), worker: 0, epoch: 1 };
    let mut writer = sink.writer(&slot, &AtomicBool::new(false))?;
    let plan = build::plan(&lane.source, &name(), &name(), columns);
    let batch = build::batch(&lane, vec![build::txn(1, vec![build::block(&plan, mode, ops)])]);
    writer.apply(&batch, &build::mark(&lane, 1, 0, 0, &[1]))
}

#[test]
fn absent_columns_get_their_defaults() {
    let sink = sink(
        "CREATE TABLE t (id int auto_increment primary key, a int not null default 5, \
         b varchar(9) default 'it''s', c int, d datetime default current_timestamp)",
    );
    let rows = vec![build::insert([Value::Int(1)]), build::insert([Value::Int(2)])];
    apply(&sink, "s", &["c"], ApplyMode::Exact, rows).unwrap();
    let rows = texts(&sink);
    assert!(rows[0].starts_with("1|5|it's|1|("), "{rows:?}");
    assert!(rows[1].starts_with("2|5|it's|2|("), "{rows:?}");
    let null = vec![build::insert([Value::Null])];
    let error = apply(&sink, "s", &["a"], ApplyMode::Exact, null).unwrap_err();
    assert_eq!(error.server_error(), Some(1048));
    let unknown = vec![build::insert([Value::Null])];
    let error = apply(&sink, "s", &["zz"], ApplyMode::Exact, unknown).unwrap_err();
    assert_eq!(error.server_error(), Some(1054));
}

#[test]
fn rows_follow_their_columns_through_statements() {
    let sink = sink("CREATE TABLE t (id int primary key, a int, b int)");
    let rows = vec![build::insert([Value::Int(1), Value::Int(2), Value::Int(3)])];
    apply(&sink, "s", &["id", "a", "b"], ApplyMode::Exact, rows).unwrap();
    sink.run(
        "db",
        [
            "ALTER TABLE t RENAME COLUMN a TO b2, ADD COLUMN c int NOT NULL DEFAULT 9 FIRST",
            "ALTER TABLE t CHANGE b a int, DROP COLUMN c",
            "CREATE UNIQUE INDEX u ON t (a)",
            "ALTER TABLE t ADD COLUMN d varchar(3) DEFAULT 'x' AFTER id",
            "RENAME TABLE t TO t2, t2 TO t3",
            "ALTER TABLE t3 RENAME TO t",
        ],
    )
    .unwrap();
    assert_eq!(texts(&sink), ["1|x|2|3"]);
    let schema = sink.describe(&name()).unwrap().unwrap();
    let columns: Vec<_> = schema.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(columns, ["id", "d", "b2", "a"]);
    let taken = vec![build::insert([Value::Int(2), Value::Int(3)])];
    let error = apply(&sink, "s", &["id", "a"], ApplyMode::Exact, taken).unwrap_err();
    assert_eq!(error.server_error(), Some(1062));
    sink.run("db", ["TRUNCATE TABLE t"]).unwrap();
    assert_eq!(sink.count(&name()), 0);
    for (sql, number) in [
        ("CREATE TABLE t (a int)", 1050),
        ("DROP TABLE t9", 1051),
        ("TRUNCATE t9", 1146),
        ("CREATE DATABASE db", 1007),
        ("DROP DATABASE db9", 1008),
        ("CREATE TABLE db9.t (a int)", 1049),
    ] {
        assert_eq!(sink.run("db", [sql]).unwrap_err().server_error(), Some(number), "{sql}");
    }
    sink.run("db", ["DROP TABLE IF EXISTS t9", "CREATE TABLE IF NOT EXISTS t (a int)"]).unwrap();
    sink.run("db", ["DROP DATABASE db"]).unwrap();
    assert_eq!(sink.tables(), []);
}

#[test]
fn another_sources_row_never_gives_way() {
    let sink = sink("CREATE TABLE t (id int primary key, u int unique)");
    let row = |id, u| build::insert([Value::Int(id), Value::Int(u)]);
    apply(&sink, "s1", &["id", "u"], ApplyMode::Idempotent, vec![row(1, 10)]).unwrap();
    apply(&sink, "s1", &["id", "u"], ApplyMode::Idempotent, vec![row(2, 10)]).unwrap();
    assert_eq!(texts(&sink), ["2|10"]);
    let error = apply(&sink, "s2", &["id", "u"], ApplyMode::Idempotent, vec![row(3, 10)]);
    assert_eq!(error.unwrap_err().server_error(), Some(1062));
    assert_eq!(texts(&sink), ["2|10"]);
}

proptest! {
    #![proptest_config(crate::testing::model::few(64))]

    /// A history of valid changes, applied exactly, then again from any place in idempotent mode:
    /// the same rows, as long as it is applied to its end.
    #[test]
    fn a_replay_converges(
        steps in prop::collection::vec((0i64..5, 0i64..4, 0u8..3), 1..25),
        from in 0usize..25,
    ) {
        let target = sink("CREATE TABLE t (id int primary key, u int unique)");
        let row = |id: i64, u: i64| [Value::Int(id), Value::Int(u)];
        let mut model: BTreeMap<i64, i64> = BTreeMap::new();
        let mut history = Vec::new();
        for (id, u, what) in steps {
            let free = model.values().all(|v| *v != u);
            match (model.get(&id).copied(), what) {
                (None, _) if free => {
                    history.push(build::insert(row(id, u)));
                    model.insert(id, u);
                }
                (Some(old), 0) => {
                    history.push(build::delete(row(id, old)));
                    model.remove(&id);
                }
                (Some(old), 1) if free => {
                    history.push(build::update(row(id, old), row(id, u)));
                    model.insert(id, u);
                }
                (Some(old), _) if !model.contains_key(&u) => {
                    // The row gets another key.
                    history.push(build::update(row(id, old), row(u, old)));
                    model.remove(&id);
                    model.insert(u, old);
                }
                _ => {}
            }
        }
        let columns = ["id", "u"];
        apply(&target, "s", &columns, ApplyMode::Exact, history.clone()).unwrap();
        let expected: Vec<String> = model.iter().map(|(id, u)| format!("{id}|{u}")).collect();
        prop_assert_eq!(texts(&target), expected.clone());
        let rest = history.split_off(from.min(history.len()));
        apply(&target, "s", &columns, ApplyMode::Idempotent, rest).unwrap();
        prop_assert_eq!(texts(&target), expected);
    }
}
