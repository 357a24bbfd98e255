//! Values on their way into the tables and out of them: numbers, positions, documents, the numbers of lanes.
use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension as _, Transaction};

use super::{Fail, Inner};
use crate::error::{Error, codes};
use crate::position::Position;
use crate::schema::TableSchema;
/// Seconds since the epoch, for people only.
pub(in crate::state) fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// A count as SQLite keeps it; counts above 2^63 do not happen, saturation keeps order anyway.
pub(in crate::state) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The way back of [`int`].
pub(in crate::state) fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A stored text that must mean something.
pub(in crate::state) fn bad(what: &str, cause: impl std::fmt::Display) -> Fail {
    Fail::Own(Error::new(&codes::STATE_VALUE, format!("the state holds a bad {what}")).cause(cause))
}

pub(in crate::state) fn position(text: &str) -> Inner<Position> {
    Position::from_text(text).map_err(|e| bad("position", e))
}

pub(in crate::state) fn position_or_none(text: Option<String>) -> Inner<Option<Position>> {
    text.as_deref().map(position).transpose()
}

pub(in crate::state) fn from_json<T: serde::de::DeserializeOwned>(
    what: &str,
    text: &str,
) -> Inner<T> {
    serde_json::from_str(text).map_err(|e| bad(what, e))
}

/// A table's structure, held once with all that are equal.
pub(in crate::state) fn structure(text: &str) -> Inner<Arc<TableSchema>> {
    Ok(from_json::<TableSchema>("table structure", text)?.shared())
}

pub(in crate::state) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Inner<String> {
    serde_json::to_string(value).map_err(|e| bad("value to write", e))
}

/// The one value of a query, if it has a row.
pub(in crate::state) fn optional<T: FromSql>(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Inner<Option<T>> {
    Ok(conn.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?)
}

/// A call that does not fit what is stored: a defect of the caller.
pub(in crate::state) fn misuse(what: impl Into<String>) -> Fail {
    Fail::Own(Error::new(&codes::STATE_MISUSE, what))
}

/// The number of a lane in the state file, given at its first use.
pub(in crate::state) fn lane_id(tx: &Transaction<'_>, lane: &crate::event::LaneId) -> Inner<i64> {
    if let Some(id) = find_lane(tx, lane)? {
        return Ok(id);
    }
    tx.execute(
        "INSERT INTO lane (source, name) VALUES (?1, ?2)",
        (lane.source.as_str(), &*lane.name),
    )?;
    Ok(tx.last_insert_rowid())
}

pub(in crate::state) fn find_lane(
    conn: &Connection,
    lane: &crate::event::LaneId,
) -> Inner<Option<i64>> {
    optional(
        conn,
        "SELECT id FROM lane WHERE source = ?1 AND name = ?2",
        (lane.source.as_str(), &*lane.name),
    )
}
