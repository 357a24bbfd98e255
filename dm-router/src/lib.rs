//! Maps the tables of a migration's sources to tables of its target.
//!
//! [`TableRouter`] is compiled from the routes of a task ([`RouteRule`]); [`Unrouted`] leaves every
//! name as it is; anything else implements [`Router`]. [`survey()`] looks at where all tables go
//! before anything is copied: ambiguous routes, targets that differ only in case, tables that come
//! together, and tables that were probably meant to be routed. Names are matched by
//! [`NamePattern`]s.

mod config;
mod extract;
mod pattern;
mod router;
mod survey;
mod table;

pub use config::{
    ColumnsRule, ExtractSchema, ExtractSource, ExtractTable, RouteLint, RouteLintKind, RouteRule,
    RouteRuleError,
};
pub use pattern::{NamePattern, PairPattern, PatternDoubt, PatternError, PatternIndex};
pub use router::{ColumnChoice, ExtraColumn, RouteError, Router, Target, Unrouted};
pub use survey::{CaseCollision, LeftOut, Likeness, Merge, SourceName, Survey, TargetName, survey};
pub use table::{TableRouter, lint_routes};
