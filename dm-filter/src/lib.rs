//! Decides which changes of a MySQL-compatible source a migration carries.
//!
//! This crate owns the words that it judges ([`Change`], [`Row`], [`Value`], [`TableName`]) and
//! the [`Filter`] trait. It knows no positions, connections or SQL statements, so a filter and its
//! test need nothing else.

mod binlog_event;
mod change;
mod config;
mod filter;
mod value;

pub use binlog_event::{EventSelector, EventType, UnknownEvent};
pub use change::{
    Change, ColumnInfo, Columns, DdlChange, Row, RowChange, RowKind, RowOp, TableName,
};
pub use config::{
    BlockAllowRules, EventRule, ExpressionRule, Lint, LintKind, RuleError, RuleErrorKind,
    TablePattern,
};
pub use filter::{Chain, Filter, FromFn, Interest, Refusal, Verdict, from_fn};
pub use value::{Date, DateTime, Encoded, Json, JsonTyped, Time, Timestamp, Value};
