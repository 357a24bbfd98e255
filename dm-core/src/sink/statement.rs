//! Statements for the target: what belongs to one besides its text, and what becomes of it.

use dm_filter::TableName;

use crate::event::LaneId;
use crate::position::Flavor;

/// A statement for the target, names already routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetDdl {
    /// The text to run.
    pub sql: String,
    /// The default schema to run it under; empty for none.
    pub schema: String,
    /// Target tables that it touches; empty `table` for a schema.
    pub tables: Vec<TableName>,
    /// The task and lane that it belongs to: [`Sink::recover`](super::Sink::recover) of the lane
    /// waits until it has ended. `None` for a statement that may be run again at any time.
    pub lane: Option<(String, LaneId)>,
    /// The statement's number in its lane, where running it twice would undo it or the sink marks
    /// every statement ([`Sink::runs_once`](super::Sink::runs_once),
    /// [`Guarantees::transactional_ddl`](super::Guarantees::transactional_ddl)).
    pub once: Option<u64>,
    /// When the statement ran at the source, seconds since the epoch; 0 when not known.
    pub at: u32,
    /// The fraction of that second, where the source told it.
    pub microseconds: u32,
    /// sql_mode of the source's session, as text; `None` to use the session's own.
    pub sql_mode: Option<String>,
    /// time_zone of the source's session.
    pub time_zone: Option<String>,
    /// How far that was from UTC when the statement ran, in seconds, where it is the source's own (`SYSTEM`), which
    /// need not be the target's.
    pub system_offset: Option<i32>,
    /// Server collation of the source's session, for CREATE DATABASE without a charset.
    pub collation_server: Option<String>,
    /// default_collation_for_utf8mb4 of the source's session.
    pub utf8mb4_collation: Option<String>,
    /// explicit_defaults_for_timestamp of the source's session: without it TIMESTAMP columns are NOT NULL and have
    /// defaults of their own.
    pub explicit_defaults_for_timestamp: Option<bool>,
    /// The family of the server that wrote the statement; `None` for a structure as it was printed.
    pub from: Option<Flavor>,
}

impl TargetDdl {
    /// A statement that touches these tables, with nothing else said about it.
    pub fn new(sql: impl Into<String>, tables: Vec<TableName>) -> Self {
        Self {
            sql: sql.into(),
            schema: String::new(),
            tables,
            lane: None,
            once: None,
            at: 0,
            microseconds: 0,
            sql_mode: None,
            time_zone: None,
            system_offset: None,
            collation_server: None,
            utf8mb4_collation: None,
            explicit_defaults_for_timestamp: None,
            from: None,
        }
    }

    /// True when nothing but the sql_mode of a session belongs to the statement.
    pub fn is_plain(&self) -> bool {
        self.schema.is_empty()
            && self.at == 0
            && self.time_zone.is_none()
            && self.collation_server.is_none()
            && self.utf8mb4_collation.is_none()
            && self.explicit_defaults_for_timestamp.is_none()
    }
}

/// What became of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DdlOutcome {
    /// It ran.
    Done,
    /// The target cannot or need not run it, for this reason (a SQLite target and an index hint).
    Skipped(String),
}

/// How a target takes an ALTER TABLE of several clauses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clauses {
    /// As one statement.
    #[default]
    Together,
    /// As one statement; one that it refuses with error 8200 may be tried in pieces.
    MostlyTogether,
    /// One statement for each.
    OneByOne,
}
