//! Maps the tables of a migration's sources to tables of its target.

mod config;
mod router;

pub use config::{
    ColumnsRule, ExtractSchema, ExtractSource, ExtractTable, RouteLint, RouteLintKind, RouteRule,
    RouteRuleError,
};
pub use router::{ColumnChoice, ExtraColumn, RouteError, Router, Target, Unrouted};
