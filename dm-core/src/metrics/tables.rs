//! The metrics of a source's part of a task.

use std::sync::atomic::{AtomicU64, Ordering};

use dm_filter::TableName;

use super::{Samples, WORKER, file_number, metrics, progress};
use crate::migration::{SourceStatus, Unit};
use crate::pipeline::{EventKind, QUEUES, queue_name};
use crate::position::Position;
use crate::sink::RowCounts;
use crate::state::Stage;

metrics! {
    /// Every metric of a source's part of a task, in the order in which they are printed.
    METRICS of SourceStatus;
    Gauge "dm_worker_task_state" ["worker"] false
        "Stage: 1 New, 2 Running, 3 Paused, 4 Stopped, 5 Finished, 6 Pausing, 7 Resuming, 8 Stopping.":
        |s, out| out.number(&[WORKER], stage(s.stage));
    Gauge "dm_loader_progress" [] false
        "Share of the copy that is done, from 0 to 1, by estimated bytes.":
        |s, out| out.number(&[], progress(s));
    Gauge "dm_loader_table_gauge" [] false "Tables to copy.":
        |s, out| out.number(&[], s.copy.tables as f64);
    Gauge "dm_loader_data_size_gauge" [] false "Estimated bytes to copy.":
        |s, out| out.number(&[], s.copy.bytes_estimated as f64);
    Gauge "dm_loader_remaining_time" ["worker"] false
        "Seconds that the copy will still take, at the pace so far; absent while nothing is known.":
        |s, out| if let Some(seconds) = copy_remains(s) {
            out.number(&[WORKER], seconds);
        };
    Histogram "dm_loader_txn_duration_time" ["worker"] false
        "Seconds for one transaction of the copy: a chunk with its mark.":
        |s, out| out.spread(&[WORKER], s.meters.load_txn.spread());
    Counter "dm_loader_finished_rows_total" [] true "Rows copied.":
        |s, out| out.number(&[], s.copy.rows as f64);
    Counter "dm_loader_finished_bytes_total" [] true "Bytes copied.":
        |s, out| out.number(&[], s.copy.bytes as f64);
    Counter "dm_loader_exit_with_error_count" ["resumable_err"] false
        "Errors that ended an attempt to copy; those that are tried again by themselves are resumable.":
        |s, out| errors(s, Unit::Load, out);
    Histogram "dm_syncer_read_binlog_duration" [] false
        "Seconds until the next event was there; one that waits already takes none.":
        |s, out| out.spread(&[], s.meters.read.spread());
    Histogram "dm_syncer_binlog_event_size" ["worker"] false "Length of an event, bytes.":
        |s, out| out.spread(&[WORKER], s.meters.event_bytes.spread());
    Histogram "dm_syncer_binlog_event_row" ["worker"] false
        "Carried rows in an event with rows.":
        |s, out| out.spread(&[WORKER], s.meters.event_rows.spread());
    Histogram "dm_syncer_binlog_transform_cost" ["stage", "worker"] false
        "Seconds for an event: filter (nothing of it is carried), gen rows, gen query (statements, with their run), DDL exec (the run alone).":
        |s, out| {
            let m = &s.meters;
            for (stage, histogram) in [
                ("filter", m.skipped.of(EventKind::Rows)),
                ("gen rows", m.dispatched.of(EventKind::Rows)),
                ("gen query", m.dispatched.of(EventKind::Query)),
                ("DDL exec", &m.ddl),
            ] {
                out.spread(&[stage, WORKER], histogram.spread());
            }
        };
    Histogram "dm_syncer_dispatch_binlog_duration" ["type"] false
        "Seconds for an event that is carried, waits for room included.":
        |s, out| for kind in EventKind::ALL {
            out.spread(&[kind.as_str()], s.meters.dispatched.of(kind).spread());
        };
    Histogram "dm_syncer_skip_binlog_duration" ["type"] false
        "Seconds for an event of which nothing is carried.":
        |s, out| out.spread(&["rows"], s.meters.skipped.of(EventKind::Rows).spread());
    Histogram "dm_syncer_conflict_detect_duration" [] false
        "Seconds to find out which transactions one depends on.":
        |s, out| out.spread(&[], s.meters.conflict.spread());
    Histogram "dm_syncer_add_job_duration" ["type", "queueNo"] false
        "Seconds until a transaction was in its worker's queue.":
        |s, out| queues(&s.meters.handed_out, &["dml"], out);
    Counter "dm_syncer_added_jobs_total"
        ["type", "queueNo", "worker", "target_schema", "target_table"] false
        "Row changes (dml) handed to workers, by queue (q_0 to q_7), and statements (ddl), which go through none. No tables: rows are read where they are written.":
        |s, out| added(s, out);
    Counter "dm_syncer_finished_jobs_total"
        ["type", "queueNo", "worker", "target_schema", "target_table"] false
        "Row changes applied, by kind, queue and target table (the first 256; further ones under no name), and statements. Without a queue: statements, and transactions that are too large to be held.":
        |s, out| finished(s, out);
    Gauge "dm_syncer_ideal_qps" ["worker"] false
        "Row changes a second that all workers could apply if they never waited for work.":
        |s, out| out.number(&[WORKER], s.meters.ideal_rows_per_second());
    Gauge "dm_syncer_queue_size" ["queue_id"] false "Transactions under way.":
        |s, out| out.number(&["0"], s.txns_under_way as f64);
    Gauge "dm_syncer_binlog_file" ["node"] false
        "Number of the binlog file up to which everything is in the target (syncer), and of the one where the source ends (master).":
        |s, out| places(s, |file, _| file_number(file), out);
    Gauge "dm_syncer_binlog_pos" ["node"] false
        "Offset in that file, bytes.":
        |s, out| places(s, |_, offset| offset as f64, out);
    Histogram "dm_syncer_txn_duration_time" ["worker"] false
        "Seconds for one transaction at the target, with its commit and repetitions.":
        |s, out| out.spread(&[WORKER], s.meters.txn.spread());
    Histogram "dm_syncer_stmt_duration_time" ["type"] false
        "Seconds for a statement at the target: ddl; or rows, whose statements, mark and commit go together.":
        |s, out| for (kind, histogram) in [("rows", &s.meters.txn), ("ddl", &s.meters.ddl)] {
            out.spread(&[kind], histogram.spread());
        };
    Histogram "dm_syncer_query_duration_time" ["worker"] false
        "Seconds for a question to the target about a table.":
        |s, out| out.spread(&[WORKER], s.meters.query.spread());
    Histogram "dm_syncer_replication_transaction_batch" ["worker", "queueNo", "type"] false
        "Row changes (rows) and transactions of the source (transactions) in one transaction at the target.":
        |s, out| for (kind, all) in [
            ("rows", &s.meters.batch_rows),
            ("transactions", &s.meters.batch_txns),
        ] {
            for (queue, spread) in used(all) {
                out.spread(&[WORKER, &queue, kind], spread);
            }
        };
    Histogram "dm_syncer_flush_checkpoints_time_interval" ["worker"] false
        "Seconds between two checkpoints.":
        |s, out| out.spread(&[WORKER], s.meters.checkpoint.spread());
    Gauge "dm_syncer_replication_lag_gauge" ["worker"] false
        "Seconds that the target is behind the source.":
        |s, out| out.number(&[WORKER], s.lag_seconds as f64);
    Histogram "dm_syncer_replication_lag" ["worker"] false
        "The same, at each checkpoint.":
        |s, out| out.spread(&[WORKER], s.meters.lag.spread());
    Gauge "dm_syncer_remaining_time" ["worker"] false
        "Seconds until the target has caught up, at the pace of the last seconds; absent while it falls back.":
        |s, out| if let Some(seconds) = s.remaining_seconds.filter(|_| s.unit == Unit::Sync) {
            out.number(&[WORKER], seconds as f64);
        };
    Gauge "dm_syncer_shard_lock_resolving" [] false
        "1 while a statement of merged tables waits for the others; there are no such waits here.":
        |_, out| out.number(&[], 0.0);
    Counter "dm_syncer_finished_transaction_total" ["worker"] false "Source transactions applied.":
        |s, out| out.number(&[WORKER], s.stream.txns as f64);
    Counter "dm_syncer_events_total" [] true "Binlog events read.":
        |s, out| out.number(&[], s.stream.events as f64);
    Counter "dm_syncer_filtered_rows_total" [] true "Row changes that filters left out.":
        |s, out| out.number(&[], s.stream.filtered as f64);
    Counter "dm_syncer_missing_rows_total" [] true
        "Rows to update or delete that the target did not have.":
        |s, out| out.number(&[], s.stream.missing.iter().map(|(_, n)| *n).sum::<u64>() as f64);
    Gauge "dm_syncer_bytes_under_way" [] true "Bytes of rows under way.":
        |s, out| out.number(&[], s.bytes_under_way as f64);
    Counter "dm_syncer_exit_with_error_count" ["resumable_err"] false
        "Errors that ended an attempt to follow; those that are tried again by themselves are resumable.":
        |s, out| errors(s, Unit::Sync, out);
}

/// DM's number of a stage.
fn stage(stage: Stage) -> f64 {
    match stage {
        Stage::New => 1.0,
        Stage::Running => 2.0,
        Stage::Paused => 3.0,
        Stage::Stopped => 4.0,
        Stage::Finished => 5.0,
        #[allow(unreachable_patterns)] // stages are added
        _ => 0.0,
    }
}

/// Seconds that a copy will still take.
fn copy_remains(s: &SourceStatus) -> Option<f64> {
    let done = progress(s);
    // What earlier runs wrote took no time of this one.
    let before = s.copy.bytes_before as f64 / (s.copy.bytes_estimated as f64).max(1.0);
    let now = done - before;
    (now > 0.0).then(|| s.copy.seconds * (1.0 - done) / now)
}

fn errors(s: &SourceStatus, unit: Unit, out: &mut Samples) {
    let counts = if unit == Unit::Sync { s.sync_errors } else { s.load_errors };
    out.number(&["true"], counts.resumable as f64);
    out.number(&["false"], counts.fatal as f64);
}

/// A number of the place that is in the target, and of the place where the source ends.
fn places(s: &SourceStatus, number: impl Fn(&str, u64) -> f64, out: &mut Samples) {
    let mut place = |node: &str, position: &Position| {
        if let Some(pos) = &position.binlog {
            out.number(&[node], number(&pos.file.to_string(), pos.offset));
        }
    };
    place("syncer", &s.position);
    place("master", &s.source_end);
}

/// What was handed out, by queue.
fn added(s: &SourceStatus, out: &mut Samples) {
    let mut one = |kind: &str, queue: Option<usize>, n: &AtomicU64| {
        let n = n.load(Ordering::Relaxed);
        // The first one also when nothing was done yet, as in `used`.
        if n > 0 || queue == Some(0) || kind == "ddl" {
            out.number(&[kind, &queue_name(queue), WORKER, "", ""], n as f64);
        }
    };
    for (n, rows) in s.meters.added.iter().enumerate() {
        one("dml", (n < QUEUES).then_some(n), rows);
    }
    one("ddl", None, &s.meters.added_ddls);
}

/// What is in the target, by target table and queue.
fn finished(s: &SourceStatus, out: &mut Samples) {
    let mut all = s.meters.finished.all();
    if all.is_empty() {
        all.push((TableName::new("", ""), Some(0), RowCounts::default()));
    }
    for (table, queue, counts) in all {
        for (kind, n) in
            [("insert", counts.inserted), ("update", counts.updated), ("delete", counts.deleted)]
        {
            let labels = [kind, &queue_name(queue), WORKER, &table.schema, &table.table];
            out.number(&labels, n as f64);
        }
    }
    out.number(&["ddl", "", WORKER, "", ""], s.stream.ddls as f64);
}

/// The queues that were used, by DM's names.
fn used(
    all: &[crate::meter::Histogram; QUEUES],
) -> impl Iterator<Item = (String, crate::meter::Spread)> {
    let spreads = all.iter().map(crate::meter::Histogram::spread).enumerate();
    // The first one also when nothing was done yet: a metric that is not there looks like a mistake.
    spreads.filter(|(n, s)| *n == 0 || s.count() > 0).map(|(n, s)| (queue_name(Some(n)), s))
}

fn queues(all: &[crate::meter::Histogram; QUEUES], before: &[&str], out: &mut Samples) {
    for (queue, spread) in used(all) {
        out.spread(&[before, &[queue.as_str()]].concat(), spread);
    }
}
