//! Tables that change places, and statements on whole schemas, while rows of other tables go on: what is known
//! of a table is its name, and these change it or take it away.

use dm_core::sink::MemorySink;
use dm_core::state::Tracker as Tracked;
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::{delete, insert, update};
use dm_core::{Result, TableName, Value};

use crate::beside::{
    KINDS, Story, before, ids, killed_after, killed_before, killed_everywhere, only_first,
    refused_late,
};
use crate::script::{int, name, put, text};

fn far(table: &str) -> TableName {
    TableName::new("far", table)
}

fn put_far(source: &ScriptedSource, table: &str, row: Vec<Value<'static>>) -> Result<()> {
    source.commit(vec![(far(table), vec![insert(row)])])
}

/// Another table, of another shape, and another schema.
fn before_names(source: &ScriptedSource) -> Result<()> {
    before(source)?;
    source.ddl("db", "CREATE TABLE q (id int primary key, v varchar(20), code int)")?;
    put(source, "q", vec![int(1), text("copied"), int(1)])?;
    source.ddl("", "CREATE DATABASE far")?;
    source.ddl("far", "CREATE TABLE f (id int primary key, v varchar(20))")?;
    put_far(source, "f", vec![int(1), text("copied")])
}

/// Two tables change places. Rows of both wait under each of the names, whatever shape they have.
fn places_change(source: &ScriptedSource) -> Result<()> {
    put(source, "t", vec![int(2), text("before")])?;
    put(source, "n", vec![int(0)])?;
    source.ddl("db", "RENAME TABLE t TO x, q TO t, x TO q")?;
    put(source, "n", vec![int(1)])?;
    put(source, "b", vec![int(1), int(10)])?;
    put(source, "t", vec![int(30), text("behind"), int(3)])?;
    put(source, "q", vec![int(30), text("behind")])?;
    source.commit(vec![
        (name("b"), vec![update(vec![int(1), int(10)], vec![int(1), int(11)])]),
        (name("q"), vec![update(vec![int(30), text("behind")], vec![int(31), text("moved")])]),
    ])?;
    put(source, "b", vec![int(3), int(10)])?;
    source.commit(vec![(
        name("t"),
        vec![delete(vec![int(1), text("copied"), int(1)]), insert(vec![int(2), text("b"), int(2)])],
    )])?;
    source.commit(vec![(name("q"), vec![delete(vec![int(2), text("before")])])])?;
    put(source, "n", vec![int(2)])?;
    put(source, "u", vec![int(5), text("u")])?;
    put(source, "n", vec![int(2)])?;
    // The next ones wait, and rows of their tables.
    source.ddl("db", "RENAME TABLE u TO w, t TO u")?;
    put(source, "w", vec![int(7), text("w")])?;
    put(source, "u", vec![int(40), text("late"), int(4)])?;
    put(source, "n", vec![int(3)])
}

fn places_have_not_changed(target: &MemorySink) {
    only_first(target);
    assert_eq!(ids(target, &name("q")), [1], "rows of the other table wait");
    let rows = target.rows(&name("b")).unwrap_or_default();
    assert!(rows.iter().all(|row| row[1].to_string() == "10"), "{rows:?}");
}

const PLACES: Story = Story {
    before: before_names,
    after: places_change,
    ahead: 5,
    waits: places_have_not_changed,
    behind: |target| {
        let rows = [ids(target, &name("t")), ids(target, &name("q"))];
        rows.iter().flatten().any(|id| *id > 2)
    },
    // Under its last name at the latest.
    knows: |tracked| {
        let has_code = |t: &str| {
            let table = tracked.tables.iter().find(|known| known.name == name(t));
            table.is_some_and(|known| known.schema.column("code").is_some())
        };
        has_code("t") || has_code("u")
    },
    text: "TO `db`.`x`",
    ..KINDS
};

#[test]
fn rows_go_on_while_tables_change_places() {
    killed_everywhere(&PLACES, true, &[killed_after]);
}

#[test]
fn rows_go_on_while_tables_change_places_by_file_positions() {
    killed_everywhere(&PLACES, false, &[killed_before]);
}

#[test]
fn a_rename_that_is_refused_late_is_replaced() {
    refused_late(&PLACES, "RENAME TABLE db.t TO db.y, db.q TO db.t; RENAME TABLE db.y TO db.q");
}

/// A schema goes, and comes again with another table of the same name.
fn schema_goes(source: &ScriptedSource) -> Result<()> {
    put_far(source, "f", vec![int(2), text("before")])?;
    put(source, "n", vec![int(0)])?;
    source.ddl("", "DROP DATABASE far")?;
    put(source, "n", vec![int(1)])?;
    put(source, "u", vec![int(5), text("u")])?;
    put(source, "n", vec![int(2)])?;
    source.ddl("", "CREATE DATABASE far")?;
    source.ddl("far", "CREATE TABLE f (id int primary key, code int)")?;
    put_far(source, "f", vec![int(5), int(50)])?;
    put(source, "n", vec![int(3)])
}

fn far_is_as_it_was(target: &MemorySink) {
    assert_eq!(ids(target, &far("f")), [1, 2]);
}

fn far_has_more(target: &MemorySink) -> bool {
    ids(target, &far("f")).iter().any(|id| *id > 2)
}

const GOES: Story = Story {
    before: before_names,
    after: schema_goes,
    ahead: 4,
    waits: far_is_as_it_was,
    behind: far_has_more,
    knows: |tracked: &Tracked| {
        let table = tracked.tables.iter().find(|t| t.name == far("f"));
        table.is_none_or(|t| t.schema.column("v").is_none())
    },
    text: "DROP DATABASE",
    ..KINDS
};

#[test]
fn rows_go_on_while_a_schema_is_dropped() {
    killed_everywhere(&GOES, true, &[killed_after]);
}

/// A schema changes: rows of its tables wait, those of tables that nobody has met before as well.
fn schema_changes(source: &ScriptedSource) -> Result<()> {
    put_far(source, "f", vec![int(2), text("before")])?;
    put(source, "n", vec![int(0)])?;
    source.ddl("", "ALTER DATABASE far CHARACTER SET latin1")?;
    put(source, "n", vec![int(1)])?;
    put_far(source, "f", vec![int(5), text("behind")])?;
    source.commit(vec![
        (name("u"), vec![insert(vec![int(5), text("u")])]),
        (far("f"), vec![delete(vec![int(1), text("copied")])]),
    ])?;
    source.commit(vec![(name("u"), vec![delete(vec![int(5), text("u")])])])?;
    put(source, "n", vec![int(2)])?;
    source.ddl("far", "CREATE TABLE g (id int primary key, v varchar(20))")?;
    put_far(source, "g", vec![int(6), text("late")])?;
    put(source, "n", vec![int(3)])
}

const CHANGES: Story = Story {
    after: schema_changes,
    knows: |tracked: &Tracked| {
        tracked.schemas.iter().any(|s| s.name == "far" && s.charset == "latin1")
    },
    text: "ALTER DATABASE",
    ..GOES
};

#[test]
fn rows_go_on_while_a_schema_changes() {
    killed_everywhere(&CHANGES, false, &[killed_before]);
}
