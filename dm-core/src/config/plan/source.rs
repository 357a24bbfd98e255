//! A source: where it is, from which point it is followed, what of it is migrated.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dm_filter::{BlockAllowList, Chain, EventFilter, ExpressionFilter};
use dm_router::TableRouter;

use super::{ConnPlan, DumpPlan, LoadPlan, SyncPlan};

/// One entry of `mysql-instances`, together with the source that it names.
#[derive(Clone)]
#[non_exhaustive]
pub struct SourcePlan {
    /// `source-id`.
    pub source_id: String,
    /// `enable` of the source: when false, its part of the task does not run.
    pub enabled: bool,
    /// Where it is.
    pub kind: SourceKind,
    /// `meta`: where the binlog begins in the incremental modes.
    pub meta: Option<StartPoint>,
    /// Whether names in rules compare with regard to case: task or source says so.
    pub case_sensitive: bool,
    /// What of it is migrated: the three that follow as one.
    pub filter: Arc<Chain>,
    /// Which schemas and tables take part.
    pub block_allow: Arc<BlockAllowList>,
    /// Which kinds of events pass, the source's own filters behind the task's.
    pub events: Arc<EventFilter>,
    /// Which rows are left out while following.
    pub expressions: Arc<ExpressionFilter>,
    /// Where its tables go.
    pub router: Arc<TableRouter>,
    /// How it is read.
    pub dump: DumpPlan,
    /// How the copy is written.
    pub load: LoadPlan,
    /// How the binlog is applied.
    pub sync: SyncPlan,
    /// `checker`: how a failed task is tried again.
    pub resume: ResumePlan,
}

/// Where a source is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SourceKind {
    /// A server.
    Mysql(Box<MysqlSourcePlan>),
    /// `recorded` (ours): files that were taken from a server.
    Recorded(RecordedPlan),
}

/// A server to copy from and to follow.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MysqlSourcePlan {
    /// `from`.
    pub conn: ConnPlan,
    /// `flavor`; `None` is told from the server's version.
    pub flavor: Option<Flavor>,
    /// `server-id`: the id that we register with at the server; `None` chooses one.
    pub server_id: Option<u32>,
    /// `enable-gtid`: positions are GTID sets rather than file and offset.
    pub enable_gtid: bool,
    /// A dump directory that replaces the copy; the binlog begins at its metadata.
    pub dump_dir: Option<PathBuf>,
    /// Relay log.
    pub relay: RelayPlan,
}

/// Files that were taken from a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedPlan {
    /// `dump-dir`: a directory in the layout of Dumpling or mydumper.
    pub dump_dir: Option<PathBuf>,
    /// `binlog-files` or `binlog-dir`.
    pub binlog: Option<BinlogFiles>,
    /// `flavor`; `None` is told from the files.
    pub flavor: Option<Flavor>,
    /// `enable-gtid`, as for a server.
    pub enable_gtid: bool,
}

/// Which binlog files to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BinlogFiles {
    /// These, in this order.
    Files(Vec<PathBuf>),
    /// Those of a directory whose name ends in a sequence number, in the order of numbers.
    Dir(PathBuf),
}

/// `flavor`: whose binlog it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MySQL and its relatives (Percona Server, Aurora, ...).
    Mysql,
    /// MariaDB.
    Mariadb,
}

impl Flavor {
    /// The word in a source file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
        }
    }
}

/// `meta`: the point where following the binlog begins. At least one of the two is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartPoint {
    /// `binlog-name` and `binlog-pos`; a position below 4 was raised to 4.
    pub binlog: Option<(String, u64)>,
    /// `binlog-gtid`, as written.
    pub gtid: Option<String>,
}

/// Relay log settings of a source.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelayPlan {
    /// `enable-relay`.
    pub enabled: bool,
    /// `relay-dir`, below the state directory unless it is absolute; absent or DM's default,
    /// `relay-dir/<source-id>`.
    pub dir: Option<PathBuf>,
    /// `relay-binlog-name`: the first file to fetch.
    pub binlog_name: Option<String>,
    /// `relay-binlog-gtid`: the set to begin after.
    pub binlog_gtid: Option<String>,
    /// `purge`.
    pub purge: PurgePlan,
}

/// `purge`: when relay log files are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgePlan {
    /// `interval` between two looks.
    pub interval: Duration,
    /// `expires`: files older than this are removed; `None` keeps them.
    pub expires: Option<Duration>,
    /// `remain-space`: files are removed while fewer bytes are free; `None` keeps them.
    pub remain_space: Option<u64>,
}

/// `checker`: how a task that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumePlan {
    /// `check-enable`.
    pub enabled: bool,
    /// First wait; doubled each time.
    pub backoff_min: Duration,
    /// `backoff-max`: longest wait.
    pub backoff_max: Duration,
    /// `backoff-rollback`: after this long without trouble the wait is halved.
    pub backoff_rollback: Duration,
}

impl std::fmt::Debug for SourcePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourcePlan")
            .field("source_id", &self.source_id)
            .field("enabled", &self.enabled)
            .field("kind", &self.kind)
            .field("meta", &self.meta)
            .field("case_sensitive", &self.case_sensitive)
            .field("dump", &self.dump)
            .field("load", &self.load)
            .field("sync", &self.sync)
            .field("resume", &self.resume)
            .finish_non_exhaustive()
    }
}
