//! Configuration: from DM's task and source files to a plan.
//!
//! Two layers. What was *typed* is read first, completely and strictly, with every mistake noted
//! at its line. What it *means* comes second: a [`TaskPlan`], built once, from which everything
//! else is built. Nothing here looks at the environment or a clock, and the only file that is read is a
//! `password-file`; both are asked for through [`Lookup`].

mod conceal;
mod context;
mod crypt;
mod defaults;
mod dm_worker;
mod extra_args;
#[cfg(test)]
mod fixture_tests;
mod keys;
mod plan;
mod problem;
mod raw;
mod resolve;
mod scalar;
mod secret;
mod select;
mod yaml;

pub use conceal::conceal;
pub use crypt::{SecretKey, decrypt, encrypt};
pub use dm_worker::{WorkerSource, from_inventory, from_worker_toml};
pub use keys::{reference, sample_source, sample_task};

pub use plan::{
    BinlogFiles, CollationMode, CommitOrder, ConnPlan, Consistency, DdlRule, DdlRuleAction,
    DdlRules, DumpPlan, Flavor, IgnoredChecks, Limits, LoadPlan, MissingRow, MysqlSourcePlan,
    OnDuplicate, OnlineDdlRules, OnlineDdlTable, Pem, PurgePlan, RecordedPlan, RelayPlan,
    ResumePlan, ScriptTarget, ShardMode, SourceKind, SourcePlan, StartPoint, SyncPlan, TargetPlan,
    TaskMode, TaskPlan, TlsPlan,
};
pub use problem::{Problem, Problems, SourceText, Span, Warning};
pub use raw::{
    RawChecker, RawDdlRule, RawDump, RawInstance, RawLoad, RawMeta, RawPassword, RawPurge,
    RawRecorded, RawSecurity, RawServer, RawSource, RawSync, RawTarget, RawTask, RawValidator,
};
pub use resolve::Lookup;
pub use secret::Secret;
pub use select::TableSelector;
