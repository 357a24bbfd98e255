//! System-versioned tables of MariaDB.
//!
//! Such a table keeps its past in itself: each row has a start and an end, and the present rows
//! are those whose end is the end of time. The binlog shows the machinery, not the change: an
//! UPDATE comes as an update and an insert of the row as it was, a DELETE as an update that sets
//! the row's end. Applied as they stand, inserts of the past would meet the present row's key,
//! and nothing would ever be deleted. So the end of both images decides what really happened;
//! rows of the past are left out, for a target that keeps versions makes its own.
//!
//! Tables that count in transaction numbers instead of times never come as rows: the server logs
//! their changes as statements, whatever its binlog format.

use dm_filter::{Row, RowOp, Value};

/// How a table's system versioning shows in its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemVersioning<'a> {
    /// `WITH SYSTEM VERSIONING` alone: start and end are two columns behind all others, which
    /// the structure does not have.
    Hidden,
    /// `PERIOD FOR SYSTEM_TIME`: the name of the column with the end.
    EndColumn(&'a str),
}

/// An image with what it says of its row's end.
#[derive(Debug)]
pub(super) struct Image<'a> {
    pub(super) row: Row<'a>,
    /// Whether the row is a present one; `None` when the image does not carry the end.
    pub(super) present: Option<bool>,
}

/// True for the end of time: the last TIMESTAMP that the server knows (signed, or unsigned since
/// 11.5).
pub(super) fn is_end_of_time(value: &Value<'_>) -> bool {
    match value {
        Value::Timestamp(end) => {
            end.micro == 999_999
                && (end.seconds == i64::from(i32::MAX) || end.seconds == i64::from(u32::MAX))
        }
        _ => false,
    }
}

/// What an insert or a delete does to the present; `None` for nothing.
pub(super) fn single<'a>(image: Image<'a>, op: fn(Row<'a>) -> RowOp<'a>) -> Option<RowOp<'a>> {
    image.present.unwrap_or(true).then(|| op(image.row))
}

/// What an update does to the present.
pub(super) fn update<'a>(before: Image<'a>, after: Image<'a>) -> Option<RowOp<'a>> {
    let was = before.present.unwrap_or(true);
    // A partial image leaves out what did not change.
    match (was, after.present.unwrap_or(was)) {
        (true, true) => Some(RowOp::Update { before: before.row, after: after.row }),
        (true, false) => Some(RowOp::Delete { before: before.row }),
        (false, true) => Some(RowOp::Insert { after: after.row }),
        (false, false) => None,
    }
}
