//! What was learned of servers and tables before any check judges it.
//!
//! Checks are pure: they see these facts and the plan, never a connection. What could not be
//! learned is said as such, so that no check takes "not allowed to look" for "all is well".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dm_filter::TableName;
use dm_router::Target;

use super::grants::Grants;
use crate::config::{SourcePlan, TaskPlan};
use crate::error::Error;
use crate::mysql::ServerVersion;
use crate::schema::{TableInfo, TableSchema};

/// Everything that checks look at.
pub(crate) struct Facts<'a> {
    pub plan: &'a TaskPlan,
    pub sources: Vec<SourceFacts<'a>>,
    pub target: TargetFacts,
    /// Why the state directory cannot be used; `None` when it can, or was not asked about.
    pub state_dir: Option<Error>,
}

/// A source.
pub(crate) struct SourceFacts<'a> {
    pub id: String,
    pub plan: &'a SourcePlan,
    /// Nothing was copied or followed yet.
    pub fresh: bool,
    /// `None` for sources that are no server.
    pub server: Option<SourceServer>,
    /// Online schema changes that are under way: ghost table and real table.
    pub changes: Vec<(TableName, TableName)>,
    /// The tables that take part, as far as the user sees them.
    pub tables: Vec<TableFacts>,
}

/// What a source's server tells beyond what every server tells.
pub(crate) struct SourceServer {
    /// Hours that RDS or Aurora keeps binlog files, if it is one; `Some(None)`: not at all.
    pub rds_retention: Option<Option<f64>>,
    pub about: ServerFacts,
    pub status: BinlogStatus,
    /// Whether it receives changes from another server; `None` when the user may not ask.
    pub is_replica: Option<bool>,
    /// Prepared transactions; `None` when the user may not ask.
    pub prepared: Option<Vec<String>>,
    /// Why the stream cannot begin at `meta`, if it cannot.
    pub start: Option<Error>,
    /// Sequences whose names take part.
    pub sequences: Vec<TableName>,
}

/// What SHOW BINARY LOG STATUS answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BinlogStatus {
    /// The user may not ask.
    Denied,
    /// There is no binlog.
    Off,
    /// `Binlog_Do_DB` and `Binlog_Ignore_DB`.
    On { only: Vec<String>, without: Vec<String> },
}

/// What every server tells.
#[derive(Clone, Debug)]
pub(crate) struct ServerFacts {
    pub address: String,
    /// The account, quoted for GRANT.
    pub account: String,
    pub version: ServerVersion,
    /// Global variables, names in lower case.
    pub variables: BTreeMap<String, String>,
    /// `None` where there are no grants (`--skip-grant-tables`).
    pub grants: Option<Grants>,
    /// Connections that are open now.
    pub connected: u64,
}

impl ServerFacts {
    /// A global variable; `None` when the server does not have it.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A variable as a switch.
    pub fn is_on(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|v| v == "1" || v.eq_ignore_ascii_case("on"))
    }

    /// A variable as a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.variable(name)?.parse().ok()
    }

    /// The server in words: `MySQL 9.7.0`.
    pub fn product(&self) -> String {
        use crate::mysql::ServerKind as K;
        let name = match self.version.kind {
            K::MySql => "MySQL",
            K::MariaDb => "MariaDB",
            K::TiDb => "TiDB",
        };
        let (major, minor, patch) = self.version.number;
        format!("{name} {major}.{minor}.{patch}")
    }
}

/// A table of a source.
pub(crate) struct TableFacts {
    pub name: TableName,
    /// Its structure, or why it cannot be had; `None` when it was not asked for.
    pub info: Option<Result<TableInfo, Error>>,
    /// Estimated bytes.
    pub bytes: u64,
    /// Where it goes, or why that is not clear.
    pub target: Result<Target, String>,
    /// Why the target cannot have such a table.
    pub refused: Option<Error>,
}

impl TableFacts {
    pub fn schema(&self) -> Option<&TableSchema> {
        match &self.info {
            Some(Ok(info)) => Some(&info.schema),
            _ => None,
        }
    }

    pub fn target_name(&self) -> Option<TableName> {
        let target = self.target.as_ref().ok()?;
        Some(TableName::new(target.schema.as_str(), target.table.as_str()))
    }
}

/// The target.
#[derive(Default)]
pub(crate) struct TargetFacts {
    /// `None` for targets that are no server.
    pub server: Option<ServerFacts>,
    /// Target tables that are there already.
    pub tables: BTreeMap<TableName, TargetTable>,
    /// What is wrong with named locks; `None` when they work.
    pub locks: Option<String>,
    /// The target is a TiDB that has no named locks: the marks keep earlier writers out.
    pub fenced_by_marks: bool,
    /// The tables of marks that are there, as far as the user sees them.
    pub mark_tables: Vec<String>,
    /// Schemas in which the user may see triggers.
    pub sees_triggers: BTreeSet<String>,
}

/// A table at the target.
#[derive(Default)]
pub(crate) struct TargetTable {
    pub schema: Option<Arc<TableSchema>>,
    pub triggers: Vec<String>,
    /// Whether it holds rows; `None` when it was not asked.
    pub has_rows: Option<bool>,
}

impl Facts<'_> {
    /// Source tables by where they go, those without a clear target left out.
    pub fn by_target(&self) -> BTreeMap<TableName, Vec<(&SourceFacts<'_>, &TableFacts)>> {
        let mut all: BTreeMap<TableName, Vec<_>> = BTreeMap::new();
        for source in &self.sources {
            for table in &source.tables {
                if let Some(target) = table.target_name() {
                    all.entry(target).or_default().push((source, table));
                }
            }
        }
        all
    }
}
