//! From a plan to its sources, its sink, and their settings.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dm_filter::Interest;

use crate::config::{
    self, CommitOrder, MissingRow, OnDuplicate as PlannedDuplicate, ScriptTarget, SourceKind,
    SourcePlan, TargetPlan, TaskPlan,
};
use crate::error::Result;
use crate::pipeline::{BatchLimit, CopySettings, Creator, StreamSettings};
use crate::position::Flavor;
use crate::relay::{RelayConfig, RelaySource};
use crate::sink::script::ScriptSink;
use crate::sink::sqlite::SqliteSink;
use crate::sink::{Guarantees, MysqlSink, MysqlSinkOptions, OnDuplicate, Sink};
use crate::source::mysql::{MySqlSource, ReadOptions, SnapshotOptions, StreamOptions};
use crate::source::recorded::{DumpedSource, RecordedOptions, RecordedSource};
use crate::source::{RowChoice, Source};

/// A statement of rows is meant to be about this long: long enough that the server's work per
/// statement does not count, short enough to keep the next one in flight.
const STATEMENT_BYTES: usize = 1 << 20;
/// Blocks of the copy between reader and writer.
const BLOCK_BYTES: usize = 1 << 20;
/// A target transaction of the stream takes no more than this.
const BATCH_BYTES: usize = 1 << 20;
/// A source transaction beyond this is applied while it is read: then only one such is in memory,
/// with its text and the client's copies of it about ten times its size.
const LARGE_BYTES: usize = 4 << 20;
/// The state file is written at most this often while rows flow.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// Settings of a source's copy and stream.
pub(super) struct Settings {
    pub copy: CopySettings,
    pub stream: StreamSettings,
}

/// The sink that a plan names.
pub(super) fn sink(plan: &TaskPlan) -> Result<Arc<dyn Sink>> {
    match &plan.target {
        TargetPlan::Mysql(conn) => {
            let statement_bytes = plan
                .sources
                .iter()
                .map(|s| usize::try_from(s.dump.statement_bytes).unwrap_or(STATEMENT_BYTES))
                .min()
                .unwrap_or(STATEMENT_BYTES)
                .clamp(1, STATEMENT_BYTES);
            let stop = plan.sources.iter().any(|s| s.sync.missing_row == MissingRow::Stop);
            let options = MysqlSinkOptions {
                meta_schema: plan.meta_schema.clone(),
                statement_bytes,
                stop_on_missing: stop,
                may_repeat: plan.sources.iter().all(|s| s.sync.allow_at_least_once),
            };
            Ok(Arc::new(MysqlSink::new((**conn).clone(), &options)))
        }
        TargetPlan::Sqlite(path) => Ok(Arc::new(SqliteSink::open(path)?)),
        TargetPlan::Script(ScriptTarget::File(path)) => Ok(Arc::new(ScriptSink::file(path)?)),
        TargetPlan::Script(ScriptTarget::Stdout) => {
            Ok(Arc::new(ScriptSink::stream(Box::new(std::io::stdout()))?))
        }
    }
}

/// The source that a plan names.
pub(super) fn source(
    plan: &TaskPlan,
    source: &SourcePlan,
    creator: &Creator,
) -> Result<Arc<dyn Source>> {
    match &source.kind {
        SourceKind::Mysql(server) => {
            let script = matches!(plan.target, TargetPlan::Script(_));
            let mysql_target = script || matches!(plan.target, TargetPlan::Mysql(_));
            let snapshot = SnapshotOptions {
                consistency: source.dump.consistency,
                threads: source.dump.threads,
                condition: source.dump.where_clause.clone(),
                use_gtid: server.enable_gtid,
                position_needed: plan.mode.syncs(),
                // What the target computes itself is left out where the rows are written: a
                // target column that is a plain one needs the value.
                read: ReadOptions { generated: !script, expressions: mysql_target },
            };
            let stream = StreamOptions {
                use_gtid: server.enable_gtid,
                // The relay log registers with it: two of one id would end each other.
                server_id: server.server_id.filter(|_| !server.relay.enabled),
                wanted: Some(wanted(creator)),
            };
            let id = creator.source.clone();
            let live = Arc::new(MySqlSource::new(id, server.conn.clone(), snapshot, stream));
            Ok(match &server.dump_dir {
                Some(dir) if plan.mode.copies() => {
                    Arc::new(DumpedSource::new(dir.clone(), plan.mode.syncs(), live))
                }
                _ => live,
            })
        }
        SourceKind::Recorded(files) => {
            let options = RecordedOptions {
                dump_dir: files.dump_dir.clone(),
                binlog: files.binlog.clone(),
                flavor: files.flavor.map(|flavor| match flavor {
                    config::Flavor::Mysql => Flavor::MySql,
                    config::Flavor::Mariadb => Flavor::MariaDb,
                }),
                use_gtid: files.enable_gtid,
                follow: plan.mode.syncs(),
                wanted: Some(wanted(creator)),
            };
            Ok(Arc::new(RecordedSource::new(creator.source.clone(), options)))
        }
    }
}

/// A server whose binlog is read from its relay log, when that is wanted.
pub(super) fn relayed(
    source: Arc<dyn Source>,
    plan: &SourcePlan,
    creator: &Creator,
    state_dir: Option<&Path>,
) -> Arc<dyn Source> {
    match relay_config(plan, state_dir) {
        Some(config) => Arc::new(RelaySource::new(source, config, Some(wanted(creator)))),
        None => source,
    }
}

/// What the relay log of a source needs to know; `None` for files. `state_dir` is where the tasks of the
/// source are known.
pub fn relay_config(plan: &SourcePlan, state_dir: Option<&Path>) -> Option<RelayConfig> {
    let SourceKind::Mysql(server) = &plan.kind else { return None };
    Some(RelayConfig {
        source: plan.source_id.clone(),
        conn: server.conn.clone(),
        server_id: server.server_id.filter(|_| server.relay.enabled),
        use_gtid: server.enable_gtid,
        plan: server.relay.clone(),
        state_dir: state_dir.map(Path::to_owned),
    })
}

/// Rows of other tables are dropped while they are read.
pub(super) fn wanted(creator: &Creator) -> RowChoice {
    let creator = creator.clone();
    Arc::new(move |table| creator.interest(table) != Interest::Skip)
}

/// The settings of a source's copy and stream.
pub(super) fn settings(plan: &TaskPlan, source: &SourcePlan, sink: &Guarantees) -> Settings {
    let sources = plan.sources.len().max(1);
    let max_memory = usize::try_from(plan.limits.max_memory).unwrap_or(usize::MAX);
    // Each source has its share; what does not fit into it goes to the target while it is read.
    let share = (max_memory / sources).max(1);
    let on_duplicate = match source.load.on_duplicate {
        PlannedDuplicate::Replace => OnDuplicate::Replace,
        PlannedDuplicate::Error => OnDuplicate::Error,
        PlannedDuplicate::Ignore => OnDuplicate::Ignore,
    };
    // What is printed is no table that could get a row twice.
    let printed = matches!(plan.target, TargetPlan::Script(ScriptTarget::Stdout));
    let may_repeat = source.sync.allow_at_least_once || printed;
    let limit = BatchLimit { rows: source.sync.batch, bytes: BATCH_BYTES };
    Settings {
        copy: CopySettings {
            threads: source.dump.threads,
            chunk_rows: source.dump.chunk_rows,
            chunk_bytes: source.dump.chunk_bytes.min(32 << 20),
            block_bytes: BLOCK_BYTES,
            on_duplicate,
            may_repeat,
        },
        stream: StreamSettings {
            // One writer commits in the order that it is given, which is the source's.
            workers: match source.sync.commit_order {
                CommitOrder::Source => 1,
                CommitOrder::Key if sink.one_writer => 1,
                CommitOrder::Key => source.sync.workers,
            },
            limit,
            queue: source.sync.queue_size.min(limit.store()).max(1),
            max_bytes: share,
            large_bytes: LARGE_BYTES.min(share / 2),
            checkpoint_interval: source.sync.checkpoint_interval.min(CHECKPOINT_INTERVAL),
            in_order: source.sync.commit_order == CommitOrder::Source,
            safe_mode: source.sync.safe_mode,
            may_repeat,
        },
    }
}
