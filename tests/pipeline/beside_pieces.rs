//! A statement of several changes at a target that may refuse it as a whole: rows of other tables go on beside it,
//! and when the refusal comes late it runs in pieces, whatever dies meanwhile.

use dm_core::Result;
use dm_core::sink::Clauses;
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::{insert, update};

use crate::beside::{
    KINDS, Story, killed_after, killed_before, killed_everywhere, refused_late, wide,
};
use crate::script::{int, name, put, text};

fn several_changes(source: &ScriptedSource, alter: &str) -> Result<()> {
    put(source, "t", vec![int(2), text("before")])?;
    put(source, "n", vec![int(0)])?;
    source.ddl("db", alter)?;
    put(source, "n", vec![int(1)])?;
    put(source, "b", vec![int(1), int(10)])?;
    put(source, "t", wide(3, "behind"))?;
    source.commit(vec![
        (name("b"), vec![update(vec![int(1), int(10)], vec![int(1), int(11)])]),
        (name("t"), vec![update(wide(3, "behind"), wide(30, "moved"))]),
    ])?;
    put(source, "b", vec![int(3), int(10)])?;
    source.commit(vec![(name("u"), vec![insert(vec![int(5), text("u")])])])?;
    put(source, "n", vec![int(2)])?;
    // It waits, and rows of its table.
    source.ddl("db", "ALTER TABLE u ADD COLUMN x int")?;
    put(source, "t", wide(4, "late"))?;
    put(source, "n", vec![int(3)])
}

const PIECES: Story = Story {
    after: |source| {
        several_changes(source, "ALTER TABLE t ADD COLUMN w int NOT NULL DEFAULT 7, ADD KEY w (w)")
    },
    ahead: 4,
    picky: Some(Clauses::MostlyTogether),
    ..KINDS
};

#[test]
fn pieces_run_when_the_whole_is_refused_late() {
    killed_everywhere(&PIECES, true, &[killed_after]);
    killed_everywhere(&PIECES, false, &[killed_before]);
}

/// The target says beforehand that it takes one change at a time: each piece may take long.
const ONE_BY_ONE: Story = Story { picky: Some(Clauses::OneByOne), ..PIECES };

#[test]
fn rows_go_on_beside_each_piece() {
    killed_everywhere(&ONE_BY_ONE, true, &[killed_after]);
}

/// A refusal of another kind, or of what cannot be taken apart, stops the task at the statement.
#[test]
fn what_cannot_be_taken_apart_stops_the_task_at_its_place() {
    refused_late(&PIECES, "ALTER TABLE db.t ADD COLUMN w int NOT NULL DEFAULT 7");
}
