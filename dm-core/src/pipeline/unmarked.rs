//! Targets that cannot take marks: at least once.
//!
//! Guarantee: in a table whose key names every row, no row is lost and none is doubled, whatever dies
//! when. Obstacle: nothing at the target tells what has arrived, and what commits there is known to the
//! state file only later, so a start repeats what was done since the last checkpoint. Method: what
//! may be a repetition is applied so that it does no harm (`ApplyMode::Idempotent`, a copied row
//! replaces its like), up to where the source ends when a run begins: nothing behind that can have been
//! handed out before (`stream::unmarked`). Statements have checkpoints right before and right behind
//! them, so that rows are not repeated over another structure, and their outcome is told by the
//! structures alone. A writer whose outcome is open is not asked but given up with its run.
//!
//! What does not hold: rows of a table without such a key may be doubled, rows of a merged table may give way to
//! older ones of another source, another task's or state file's writers are not noticed. Such tables are refused unless
//! `at-least-once: allow` is set.

use dm_filter::TableName;

use super::create::Creator;
use crate::error::{Error, Result, codes};
use crate::schema::{KeyPart, TableSchema};
use crate::sink::Sink;

/// The note of a lane that has written to its target without marks: the server that it read then, or
/// [`ALWAYS`].
pub(crate) const WITHOUT_MARKS: &str = "without-marks";
/// In place of a server: it has been more than one.
pub(crate) const ALWAYS: &str = "*";

/// True when some key of whole NOT NULL columns names every row.
pub(crate) fn names_rows(schema: &TableSchema) -> bool {
    let whole = |part: &KeyPart| match part {
        KeyPart::Column { name, prefix: None, .. } => {
            schema.column(name).is_some_and(|(_, column)| !column.nullable)
        }
        _ => false,
    };
    schema.unique_keys().any(|key| !key.parts.is_empty() && key.parts.iter().all(whole))
}

/// Why a table is not safe without marks, in words; `None` when it is.
pub(crate) fn unsafe_without_marks(schema: &TableSchema, merged: bool) -> Option<&'static str> {
    match (merged, names_rows(schema)) {
        (true, _) => {
            Some("several source tables go there, and a repeated change may undo another's")
        }
        (false, false) => Some("no key names its rows, and a repeated change doubles them"),
        (false, true) => None,
    }
}

/// Refuses a source table whose rows would not be safe. `guess` is its structure where the target has no
/// such table yet.
///
/// # Errors
///
/// `AT_LEAST_ONCE` for such a table, and when the target cannot be asked.
pub(crate) fn check(
    sink: &dyn Sink,
    creator: &Creator,
    table: &TableName,
    guess: &TableSchema,
) -> Result {
    let name = creator.place(table)?;
    let there = sink.describe(&name)?;
    let schema = there.as_deref().unwrap_or(guess);
    match unsafe_without_marks(schema, creator.is_merged(table)) {
        None => Ok(()),
        Some(why) => Err(refused(table, &name, why)),
    }
}

/// The error of a table that is not safe.
pub(crate) fn refused(table: &TableName, target: &TableName, why: &str) -> Error {
    Error::new(
        &codes::AT_LEAST_ONCE,
        format!("rows of {table} go to target table {target}, where no marks can be kept: {why}"),
    )
}

/// The error of a lane that has written marks and cannot any more.
pub(crate) fn marks_lost(lane: &impl std::fmt::Display) -> Error {
    Error::new(
        &codes::MARKS_LOST,
        format!("lane {lane} has kept marks at the target, which now takes none of this user"),
    )
}
