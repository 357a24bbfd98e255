//! Several statements at one place, of which some take their time: those that a rule or an operator gives,
//! those at the rename of an online schema change. Rows of other tables go on beside them.

use dm_core::operate::Operation;
use dm_core::sink::MemorySink;
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::{insert, update};
use dm_core::{Outcome, Result};

use crate::beside::{KINDS, Stage, Story, ids, killed_after, killed_everywhere, wide};
use crate::script::{end, int, name, put, say, text};

/// Two statements run in place of the source's; the first one is quick.
const GIVEN: Story = Story {
    text: "w bigint",
    more: "ddl-rules:\n- match: 'ADD COLUMN w'\n  action: replace\n  \
           sql: \"ALTER TABLE db.u COMMENT 'seen'; ALTER TABLE db.t ADD COLUMN w bigint NOT NULL DEFAULT 7\"\n",
    ..KINDS
};

#[test]
fn rows_go_on_beside_what_a_rule_gives() {
    killed_everywhere(&GIVEN, false, &[killed_after]);
}

/// The slow ones stand before others.
const SLOW_FIRST: Story = Story {
    more: "ddl-rules:\n- match: 'ADD COLUMN w'\n  action: replace\n  \
           sql: \"ALTER TABLE db.t ADD COLUMN w bigint NOT NULL DEFAULT 7; ALTER TABLE db.u COMMENT 'seen'; \
           ALTER TABLE db.t COMMENT 'done'\"\n",
    ..GIVEN
};

#[test]
fn what_a_rule_gives_waits_for_what_stands_before_it() {
    killed_everywhere(&SLOW_FIRST, true, &[killed_after]);
}

/// The rename gives another table another name at once, then the table its new shape in two steps, with a rule's
/// warning.
fn ghost_takes_its_place(source: &ScriptedSource) -> Result<()> {
    put(source, "t", vec![int(2), text("before")])?;
    put(source, "n", vec![int(0)])?;
    source.ddl("db", "CREATE TABLE _t_gho LIKE t")?;
    source.ddl("db", "ALTER TABLE _t_gho ADD COLUMN w int NOT NULL DEFAULT 7")?;
    source.ddl("db", "ALTER TABLE _t_gho ADD KEY v (v)")?;
    for (id, v) in [(1, "copied"), (2, "before")] {
        put(source, "_t_gho", vec![int(id), text(v), int(7)])?;
    }
    source.ddl("db", "RENAME TABLE u TO u2, t TO _t_del, _t_gho TO t")?;
    put(source, "n", vec![int(1)])?;
    put(source, "b", vec![int(1), int(10)])?;
    put(source, "t", wide(3, "behind"))?;
    put(source, "u2", vec![int(5), text("u2")])?;
    put(source, "n", vec![int(1)])?;
    source.commit(vec![
        (name("b"), vec![update(vec![int(1), int(10)], vec![int(1), int(11)])]),
        (name("t"), vec![update(wide(3, "behind"), wide(30, "moved"))]),
    ])?;
    put(source, "b", vec![int(3), int(10)])?;
    put(source, "n", vec![int(2)])?;
    // It waits; others do not.
    source.ddl("db", "DROP TABLE _t_del")?;
    put(source, "t", wide(4, "late"))?;
    put(source, "n", vec![int(3)])
}

fn t_is_as_it_was(target: &MemorySink) {
    assert_eq!(ids(target, &name("t")), [1, 2], "rows of the table wait");
    assert!(target.rows(&name("u")).is_none(), "what stands before it has run");
    let rows = target.rows(&name("b")).unwrap_or_default();
    assert!(rows.iter().all(|row| row[1].to_string() == "10"), "{rows:?}");
}

const GHOST: Story = Story {
    after: ghost_takes_its_place,
    ahead: 5,
    waits: t_is_as_it_was,
    more: "ddl-rules: [{match: 'ADD COLUMN w', action: warn}]\n",
    ..KINDS
};

#[test]
fn rows_go_on_beside_the_end_of_an_online_schema_change() {
    killed_everywhere(&GHOST, true, &[killed_after]);
}

/// Nothing is in the binlog but what a test puts there.
const EMPTY: Story = Story { after: |_| Ok(()), ahead: 2, ..KINDS };

#[test]
fn rows_go_on_beside_what_an_operator_gives() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::new(&EMPTY, true, dir.path());
    let source = &stage.source;
    put(source, "n", vec![int(1)]).unwrap();
    put(source, "t", vec![int(2), text("before")]).unwrap();
    let place = end(source);
    source.ddl("db", "ALTER TABLE t ADD COLUMN w int NOT NULL DEFAULT 7").unwrap();
    put(source, "t", wide(3, "behind")).unwrap();
    put(source, "n", vec![int(2)]).unwrap();
    let list = "ALTER TABLE db.u COMMENT 'first'; ALTER TABLE db.t COMMENT 'second'; \
                ALTER TABLE db.t ADD COLUMN w bigint NOT NULL DEFAULT 7";
    say(dir.path(), Some(place), Operation::Replace(list.to_owned()));
    let ran = stage.run_through(&EMPTY, stage.sink(), dir.path(), || false);
    assert_eq!(ran.unwrap(), Outcome::Finished);
    assert_eq!(stage.target.dump(), stage.source.dump());
}

/// What is to run before rows runs behind all transactions before them, those that wait included: it empties the
/// table of their rows.
#[test]
fn what_an_operator_gives_before_rows_waits() {
    let dir = tempfile::tempdir().unwrap();
    let nothing_yet = |target: &MemorySink| assert_eq!(ids(target, &name("t")), [1]);
    let story = Story { waits: nothing_yet, ..EMPTY };
    let stage = Stage::new(&story, true, dir.path());
    let source = &stage.source;
    source.ddl("db", "ALTER TABLE t ADD COLUMN w int NOT NULL DEFAULT 7").unwrap();
    put(source, "n", vec![int(1)]).unwrap();
    put(source, "t", wide(3, "behind")).unwrap();
    put(source, "n", vec![int(2)]).unwrap();
    let place = end(source);
    source
        .commit(vec![
            (name("n"), vec![insert(vec![int(3)])]),
            (name("t"), vec![insert(wide(4, "behind"))]),
        ])
        .unwrap();
    say(dir.path(), Some(place), Operation::Inject("TRUNCATE TABLE db.t".to_owned()));
    let ran = stage.run_through(&story, stage.sink(), dir.path(), || false);
    assert_eq!(ran.unwrap(), Outcome::Finished);
    assert_eq!(ids(&stage.target, &name("t")), [4]);
    assert_eq!(stage.target.rows(&name("n")).unwrap().len(), 3);
}
