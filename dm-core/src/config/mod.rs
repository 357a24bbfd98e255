//! Configuration: from DM's task and source files to a plan.
//!
//! Two layers. What was *typed* is read first, completely and strictly, with every mistake noted
//! at its line. What it *means* comes second: a [`TaskPlan`], built once, from which everything
//! else is built. Nothing here reads a file, the environment, or a clock.

mod plan;
mod problem;
mod secret;
mod select;
mod yaml;

pub use plan::{
    BinlogFiles, CollationMode, CommitOrder, ConnPlan, Consistency, DumpPlan, Flavor,
    IgnoredChecks, Limits, LoadPlan, MissingRow, MysqlSourcePlan, OnDuplicate, OnlineDdlRules,
    OnlineDdlTable, Pem, PurgePlan, RecordedPlan, RelayPlan, ResumePlan, ScriptTarget, ShardMode,
    SourceKind, SourcePlan, StartPoint, SyncPlan, TargetPlan, TaskMode, TaskPlan, TlsPlan,
};
pub use problem::{Problem, Problems, SourceText, Span, Warning};
pub use secret::Secret;
pub use select::TableSelector;
