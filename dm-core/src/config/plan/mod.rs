//! What a task will do: the resolved, compiled, immutable plan.
//!
//! A [`TaskPlan`] is built once, by [`TaskPlan::from_yaml`] or [`TaskPlan::from_raw`], and never
//! changes while the task runs: every default is filled in, every name of a rule is looked up,
//! every pattern is compiled. The pipeline only executes it. Its `Debug` output holds no secret.

mod conn;
mod ddl_rules;
mod source;
mod stages;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use regex::Regex;

pub use conn::{ConnPlan, Pem, TlsPlan};
pub use ddl_rules::{DdlRule, DdlRuleAction, DdlRules};
pub use source::{
    BinlogFiles, Flavor, MysqlSourcePlan, PurgePlan, RecordedPlan, RelayPlan, ResumePlan,
    SourceKind, SourcePlan, StartPoint,
};
pub use stages::{CommitOrder, Consistency, DumpPlan, LoadPlan, MissingRow, OnDuplicate, SyncPlan};

/// A task, resolved. See the module documentation.
#[derive(Debug)]
#[non_exhaustive]
pub struct TaskPlan {
    /// `name`: part of the names of everything that the task stores.
    pub name: String,
    /// `task-mode`.
    pub mode: TaskMode,
    /// `meta-schema`: the target schema that holds what the task must keep at the target.
    pub meta_schema: String,
    /// `timezone`: an IANA name or `+HH:MM`; `None` takes the target's offset.
    pub timezone: Option<String>,
    /// `case-sensitive`: whether the names in rules compare with regard to case. A source may
    /// turn it on for itself, see [`SourcePlan::case_sensitive`].
    pub case_sensitive: bool,
    /// `collation_compatible`.
    pub collation: CollationMode,
    /// `shard-mode`.
    pub shard_mode: ShardMode,
    /// `online-ddl` with its rules; `None` when turned off.
    pub online_ddl: Option<OnlineDdlRules>,
    /// `ddl-rules` (ours).
    pub ddl_rules: Arc<DdlRules>,
    /// `ignore-checking-items`.
    pub ignored_checks: IgnoredChecks,
    /// `clean-dump-file`: whether files that the task made while copying are removed after use.
    pub clean_dump_file: bool,
    /// `experimental.async-checkpoint-flush`.
    pub async_checkpoint_flush: bool,
    /// Where the changes go.
    pub target: TargetPlan,
    /// Where they come from, in the order of `mysql-instances`.
    pub sources: Vec<SourcePlan>,
    /// What the task may use of this host and of the servers.
    pub limits: Limits,
}

/// `task-mode`: which parts of a migration run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskMode {
    /// `all`: a full copy, then the binlog from the copy's position.
    All,
    /// `full`: a full copy only.
    Full,
    /// `incremental`: the binlog only.
    Incremental,
    /// `load`: an existing dump directory only.
    Load,
    /// `load&sync`: an existing dump directory, then the binlog from its position.
    LoadAndSync,
}

impl TaskMode {
    /// The word in a task file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Full => "full",
            Self::Incremental => "incremental",
            Self::Load => "load",
            Self::LoadAndSync => "load&sync",
        }
    }

    /// True when existing rows are copied, from a server or from a dump directory.
    pub fn copies(self) -> bool {
        self != Self::Incremental
    }

    /// True when the copy reads the source's tables (and not a dump directory made before).
    pub fn dumps(self) -> bool {
        matches!(self, Self::All | Self::Full)
    }

    /// True when the binlog is followed.
    pub fn syncs(self) -> bool {
        matches!(self, Self::All | Self::Incremental | Self::LoadAndSync)
    }
}

impl fmt::Display for TaskMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `collation_compatible`: what becomes of collations that the target lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CollationMode {
    /// `loose`: statements are passed on as they are.
    #[default]
    Loose,
    /// `strict`: the source's default collation is written out where a statement names none.
    Strict,
}

/// `shard-mode`: how DDLs of tables that are merged into one are coordinated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ShardMode {
    /// Not at all.
    #[default]
    None,
    /// `pessimistic`: a DDL runs when every table of the group has met it.
    Pessimistic,
    /// `optimistic`: a DDL runs at once as far as all structures of the group stay joinable.
    Optimistic {
        /// `strict-optimistic-shard-mode`: conflicts stop the task rather than being deferred.
        strict: bool,
    },
}

/// The names that online schema change tools give their tables.
#[derive(Clone, Debug)]
pub struct OnlineDdlRules {
    /// `shadow-table-rules`, tested in order; the capture group is the real table's name.
    pub shadow: Vec<Regex>,
    /// `trash-table-rules`, tested in order after the shadow rules.
    pub trash: Vec<Regex>,
}

/// What a table is to an online schema change tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnlineDdlTable<'a> {
    /// An ordinary table.
    Real,
    /// The new structure of the named table, being filled.
    Shadow(&'a str),
    /// The named table's old structure, or a helper of the tool.
    Trash(&'a str),
}

impl OnlineDdlRules {
    /// What a table is by its name.
    pub fn kind<'a>(&self, table: &'a str) -> OnlineDdlTable<'a> {
        if let Some(real) = first_capture(&self.shadow, table) {
            return OnlineDdlTable::Shadow(real);
        }
        match first_capture(&self.trash, table) {
            Some(real) => OnlineDdlTable::Trash(real),
            None => OnlineDdlTable::Real,
        }
    }
}

fn first_capture<'a>(rules: &[Regex], table: &'a str) -> Option<&'a str> {
    rules.iter().find_map(|r| Some(r.captures(table)?.get(1)?.as_str()))
}

/// `ignore-checking-items`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoredChecks {
    /// `all` stood in the list.
    pub all: bool,
    /// The items, by the names that reports use.
    pub items: BTreeSet<&'static str>,
}

impl IgnoredChecks {
    /// True when a check is not to be made.
    pub fn contains(&self, item: &str) -> bool {
        self.all || self.items.contains(item)
    }
}

/// Where the changes go.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TargetPlan {
    /// A server that speaks MySQL's protocol: MySQL, MariaDB, TiDB.
    Mysql(Box<ConnPlan>),
    /// `sqlite` (ours): an SQLite file.
    Sqlite(PathBuf),
    /// `script` (ours): statements as text.
    Script(ScriptTarget),
}

/// Where a script of statements is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptTarget {
    /// `-`: standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// What a task may use (ours).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `max-rows-per-second` written to the target, over all sources; `None` is unlimited.
    pub max_rows_per_second: Option<u64>,
    /// `max-bytes-per-second` written to the target, over all sources; `None` is unlimited.
    pub max_bytes_per_second: Option<u64>,
    /// `max-memory`: bytes that rows under way may occupy, over all sources.
    pub max_memory: u64,
    /// `slow-ms`: what takes this many milliseconds at the target is logged; `None` is nothing.
    pub slow_ms: Option<u64>,
}
