//! Maps the tables of a migration's sources to tables of its target.

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
