//! Decides which changes of a MySQL-compatible source a migration carries.
//!
//! This crate owns the words that it judges ([`Change`], [`Row`], [`Value`], [`TableName`]) and
//! the [`Filter`] trait. It knows no positions, connections or SQL statements, so a filter and its
//! test need nothing else; [`testing`] shows one.
//!
//! | filter | judges | rules |
//! |---|---|---|
//! | [`BlockAllowList`] | schemas and tables | [`BlockAllowRules`] |
//! | [`EventFilter`] | kinds of statements and row changes | [`EventRule`] |
//! | [`ExpressionFilter`] | rows, by an SQL expression | [`ExpressionRule`] |
//! | [`from_fn`], or a type of your own | anything | |
//!
//! Rules are read with serde from the YAML of a task, checked by `validate`, looked at for doubtful
//! places by `lint`, and compiled into filters. A [`Chain`] makes one filter of several.

mod binlog_event;
mod block_allow;
mod change;
mod config;
mod expression;
mod filter;
mod pattern;
#[cfg(test)]
mod pattern_tests;
pub mod testing;
mod value;

pub use binlog_event::{
    EventAction, EventFilter, EventSelector, EventType, Judgement, Trigger, UnknownEvent,
};
pub use block_allow::{BlockAllowList, BlockAllowReason, SYSTEM_SCHEMAS, is_system_schema};
pub use change::{
    Change, ColumnInfo, Columns, DdlChange, Row, RowChange, RowKind, RowOp, TableName,
};
pub use config::{
    BlockAllowRules, EventRule, ExpressionRule, Lint, LintKind, RuleError, RuleErrorKind,
    TablePattern,
};
pub use expression::{CompiledExpr, EvalError, ExprError, ExpressionFilter, UnknownZone, Zone};
pub use filter::{Chain, Filter, FromFn, Interest, Refusal, Verdict, from_fn};
pub use pattern::{NamePattern, PairPattern, PatternDoubt, PatternError, PatternIndex};
pub use value::{Date, DateTime, Encoded, Json, JsonTyped, Time, Timestamp, Value};
