//! Statements behind one that takes its time: each waits for those before it, rows of its tables wait for it, and all
//! other rows go on.

use dm_core::binlog::QueryEvent;
use dm_core::sink::MemorySink;
use dm_core::source::{Body, RowsBody};
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::{delete, insert, update};
use dm_core::{Columns, Result, RowOp, TableName, Value};

use crate::beside::{
    KINDS, Story, before, ids, killed_after, killed_before, killed_everywhere, only_first, wide,
};
use crate::script::{int, name, put, text};

fn before_all(source: &ScriptedSource) -> Result<()> {
    before(source)?;
    source.ddl("db", "CREATE TABLE k (id int primary key)")
}

fn query(text: &'static str) -> Body {
    Body::Query(Box::new(QueryEvent::of("db", text.as_bytes())))
}

fn rows<const N: usize>(table: &str, columns: [&str; N], op: RowOp<'static>) -> Body {
    let columns = Columns::named(columns);
    Body::Rows(RowsBody::Owned { table: name(table), columns, rows: vec![op].into() })
}

/// A transaction that takes rows back which wait, behind such that do not, and one that undoes the rest of it.
fn taken_back(source: &ScriptedSource) {
    let t = |id| rows("t", ["id", "v", "w"], insert(wide(id, "taken back")));
    let k = |op: fn(Vec<Value<'static>>) -> RowOp<'static>| rows("k", ["id"], op(vec![int(1)]));
    source.log(vec![
        query("BEGIN"),
        k(insert),
        query("SAVEPOINT a"),
        t(50),
        query("SAVEPOINT b"),
        t(51),
        query("ROLLBACK TO b"),
        t(52),
        query("ROLLBACK TO a"),
        Body::Xid,
    ]);
    source.log(vec![query("BEGIN"), k(delete), Body::Xid]);
}

fn one_behind_another(source: &ScriptedSource) -> Result<()> {
    put(source, "t", vec![int(2), text("before")])?;
    put(source, "n", vec![int(0)])?;
    source.ddl("db", "ALTER TABLE t ADD COLUMN w int NOT NULL DEFAULT 7")?;
    put(source, "n", vec![int(1)])?;
    put(source, "b", vec![int(1), int(10)])?;
    put(source, "t", wide(3, "behind"))?;
    taken_back(source);
    source.ddl("db", "ALTER TABLE b ADD COLUMN x int NOT NULL DEFAULT 5")?;
    put(source, "n", vec![int(2)])?;
    put(source, "b", vec![int(2), int(20), int(6)])?;
    source.commit(vec![
        (name("b"), vec![update(vec![int(1), int(10), int(5)], vec![int(1), int(11), int(5)])]),
        (name("t"), vec![update(wide(3, "behind"), wide(30, "moved"))]),
    ])?;
    // Nothing of it is carried.
    source.log(vec![query("CREATE VIEW v AS SELECT 1")]);
    source.ddl("db", "CREATE TABLE c (id int primary key)")?;
    put(source, "c", vec![int(1)])?;
    // Two run in its place.
    source.ddl("db", "ALTER TABLE u ADD COLUMN z int")?;
    put(source, "u", vec![int(5), text("u"), int(9)])?;
    put(source, "n", vec![int(3)])?;
    source.ddl("db", "ALTER TABLE t DROP COLUMN v")?;
    put(source, "t", vec![int(4), int(8)])?;
    source.ddl("db", "DROP TABLE k")?;
    source.ddl("db", "RENAME TABLE c TO k, b TO c")?;
    source.commit(vec![
        (name("c"), vec![insert(vec![int(9), int(90), int(9)])]),
        (name("k"), vec![insert(vec![int(9)])]),
    ])?;
    put(source, "n", vec![int(4)])
}

fn all_wait(target: &MemorySink) {
    only_first(target);
    assert_eq!(ids(target, &name("u")), [1]);
    assert!(target.rows(&name("c")).is_none(), "its turn has not come");
    let rows = target.rows(&name("b")).unwrap_or_default();
    assert!(rows.iter().all(|row| row.len() == 2 && row[1].to_string() == "10"), "{rows:?}");
}

const SEVERAL: Story = Story {
    before: before_all,
    after: one_behind_another,
    ahead: 5,
    waits: all_wait,
    more: "ddl-rules:\n- match: 'ADD COLUMN z'\n  action: replace\n  \
           sql: \"ALTER TABLE db.u COMMENT 'seen'; ALTER TABLE db.u ADD COLUMN z int\"\n",
    ..KINDS
};

#[test]
fn statements_wait_for_those_before_them() {
    killed_everywhere(&SEVERAL, true, &[killed_after]);
}

#[test]
fn statements_wait_for_those_before_them_by_file_positions() {
    killed_everywhere(&SEVERAL, false, &[killed_before]);
}

/// A transaction goes back to savepoints when so much of it was set aside that the statement had to end in the
/// middle of it; what is left of it removes a row and brings it back.
fn goes_back_late(source: &ScriptedSource) -> Result<()> {
    put(source, "t", vec![int(2), text("before")])?;
    put(source, "n", vec![int(0)])?;
    source.ddl("db", "ALTER TABLE t ADD COLUMN w int NOT NULL DEFAULT 7")?;
    put(source, "n", vec![int(1)])?;
    put(source, "t", wide(50, "comes back"))?;
    for id in 1_000..1_100 {
        put(source, "t", wide(id, "fills it"))?;
    }
    let t = |op| rows("t", ["id", "v", "w"], op);
    let mut bodies = vec![query("BEGIN"), rows("k", ["id"], insert(vec![int(1)]))];
    bodies.extend([query("SAVEPOINT a"), t(delete(wide(50, "comes back"))), query("SAVEPOINT b")]);
    bodies.extend((51..86).map(|id| t(insert(wide(id, "taken back")))));
    bodies.extend([query("ROLLBACK TO b"), t(insert(wide(50, "comes back"))), Body::Xid]);
    source.log(bodies);
    source.log(vec![query("BEGIN"), rows("k", ["id"], delete(vec![int(1)])), Body::Xid]);
    put(source, "n", vec![int(2)])
}

const LATE: Story = Story {
    before: before_all,
    after: goes_back_late,
    ahead: 2,
    waits: only_first,
    memory: 64 << 10,
    ..KINDS
};

#[test]
fn a_transaction_goes_back_to_a_savepoint_behind_a_bound() {
    killed_everywhere(&LATE, true, &[killed_after]);
}

/// More rows than are held, in several events.
fn many() -> Vec<(TableName, Vec<RowOp<'static>>)> {
    let part = |_| (name("n"), (0..200).map(|_| insert(vec![int(7)])).collect());
    (0..15).map(part).collect()
}

/// A transaction of other tables is written while it is read; so is one that has such rows first, up to the row
/// that waits: there the reader stays, and what was set aside before it is handed out first.
fn large_ones(source: &ScriptedSource) -> Result<()> {
    put(source, "t", vec![int(2), text("before")])?;
    put(source, "n", vec![int(0)])?;
    source.ddl("db", "ALTER TABLE t ADD COLUMN w int NOT NULL DEFAULT 7")?;
    let long = |id| insert(vec![int(id), text("long".repeat(300))]);
    source.commit(vec![
        (name("t"), vec![insert(wide(3, "behind"))]),
        (name("long"), (1..100).map(long).collect()),
    ])?;
    source.commit(many())?;
    put(source, "n", vec![int(1)])?;
    let waits = (name("t"), vec![update(wide(3, "behind"), wide(30, "moved"))]);
    source.commit(many().into_iter().chain([waits]).chain(many()).collect())?;
    put(source, "t", wide(4, "late"))?;
    put(source, "n", vec![int(2)])
}

const LARGE: Story = Story {
    before: |source| {
        before(source)?;
        source.ddl("db", "CREATE TABLE long (id int primary key, v text)")
    },
    after: large_ones,
    ahead: 3_002,
    waits: only_first,
    memory: 64 << 10,
    ..KINDS
};

#[test]
fn a_transaction_that_is_too_large_to_be_held_goes_on() {
    killed_everywhere(&LARGE, true, &[killed_after]);
    killed_everywhere(&LARGE, false, &[killed_before]);
}
