//! Prometheus metrics of a task, with DM's names, types and labels, so that DM's dashboards work.
//!
//! Rendered from a [`TaskStatus`] when they are asked for: nothing is counted twice, and the pipeline
//! pays nothing for them. A metric that DM has and this table lacks is one of DM's cluster, or one
//! that nothing here corresponds to. `worker` is always `dm`: there is one process.

use std::fmt::Write as _;

use crate::migration::{SourceStatus, TaskStatus, Unit};
use crate::position::BinlogFile;
use crate::state::Stage;

/// What a metric is to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows while the process lives.
    Counter,
}

impl Kind {
    /// Prometheus' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// A metric.
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is to Prometheus.
    pub kind: Kind,
    /// Labels beside `task` and `source_id`, which every metric has.
    pub labels: &'static [&'static str],
    /// What it says, with its unit.
    pub help: &'static str,
    /// True for metrics that DM does not have.
    pub ours: bool,
    samples: fn(&SourceStatus, &mut Samples),
}

/// Values with the labels that set them apart.
type Samples = Vec<(Vec<&'static str>, f64)>;

/// DM's name for the place where a unit runs; here there is only one.
const WORKER: &str = "dm";

macro_rules! metrics {
    ($($kind:ident $name:literal [$($label:literal),*] $ours:literal $help:literal: $samples:expr;)+) => {
        /// Every metric, in the order in which they are printed.
        pub static METRICS: &[Metric] = &[$(Metric {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
            ours: $ours,
            samples: $samples,
        }),+];
    };
}

metrics! {
    Gauge "dm_worker_task_state" ["worker"] false
        "Stage: 1 New, 2 Running, 3 Paused, 4 Stopped, 5 Finished, 6 Pausing, 7 Resuming, 8 Stopping.":
        |s, out| out.push((vec![WORKER], stage(s.stage)));
    Gauge "dm_loader_progress" [] false
        "Share of the copy that is done, from 0 to 1, by estimated bytes.":
        |s, out| out.push((vec![], progress(s)));
    Gauge "dm_loader_table_gauge" [] false "Tables to copy.":
        |s, out| out.push((vec![], s.copy.tables as f64));
    Gauge "dm_loader_data_size_gauge" [] false "Estimated bytes to copy.":
        |s, out| out.push((vec![], s.copy.bytes_estimated as f64));
    Counter "dm_loader_finished_rows_total" [] true "Rows copied.":
        |s, out| out.push((vec![], s.copy.rows as f64));
    Counter "dm_loader_finished_bytes_total" [] true "Bytes copied.":
        |s, out| out.push((vec![], s.copy.bytes as f64));
    Counter "dm_loader_exit_with_error_count" ["resumable_err"] false
        "Errors that ended an attempt to copy; those that are tried again by themselves are resumable.":
        |s, out| errors(s, Unit::Load, out);
    Gauge "dm_syncer_replication_lag_gauge" ["worker"] false
        "Seconds that the target is behind the source.":
        |s, out| out.push((vec![WORKER], s.lag_seconds as f64));
    Gauge "dm_syncer_binlog_file" ["node"] false
        "Number of the binlog file up to which everything is in the target.":
        |s, out| if let Some(pos) = &s.position.binlog {
            out.push((vec!["syncer"], file_number(&pos.file)));
        };
    Gauge "dm_syncer_binlog_pos" ["node"] false
        "Offset in that file, bytes.":
        |s, out| if let Some(pos) = &s.position.binlog {
            out.push((vec!["syncer"], pos.offset as f64));
        };
    Counter "dm_syncer_finished_jobs_total"
        ["type", "queueNo", "worker", "target_schema", "target_table"] false
        "Row changes and statements applied, by kind; over all tables and workers together.":
        |s, out| for (kind, n) in [
            ("insert", s.stream.inserted),
            ("update", s.stream.updated),
            ("delete", s.stream.deleted),
            ("ddl", s.stream.ddls),
        ] {
            out.push((vec![kind, "", WORKER, "", ""], n as f64));
        };
    Counter "dm_syncer_finished_transaction_total" ["worker"] false "Source transactions applied.":
        |s, out| out.push((vec![WORKER], s.stream.txns as f64));
    Counter "dm_syncer_events_total" [] true "Binlog events read.":
        |s, out| out.push((vec![], s.stream.events as f64));
    Counter "dm_syncer_filtered_rows_total" [] true "Row changes that filters left out.":
        |s, out| out.push((vec![], s.stream.filtered as f64));
    Counter "dm_syncer_missing_rows_total" [] true
        "Rows to update or delete that the target did not have.":
        |s, out| out.push((vec![], s.stream.missing.iter().map(|(_, n)| *n).sum::<u64>() as f64));
    Gauge "dm_syncer_queue_size" ["queue_id"] false "Transactions under way.":
        |s, out| out.push((vec!["0"], s.txns_under_way as f64));
    Gauge "dm_syncer_bytes_under_way" [] true "Bytes of rows under way.":
        |s, out| out.push((vec![], s.bytes_under_way as f64));
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

/// The share of a source's copy that is done, from 0 to 1.
pub fn progress(s: &SourceStatus) -> f64 {
    if s.unit == Unit::Sync || (s.copy.tables > 0 && s.copy.tables_done == s.copy.tables) {
        return 1.0;
    }
    // Estimates may be too low; only the end is 1.
    let share = |done: u64, all: u64| (all > 0).then(|| (done as f64 / all as f64).min(0.99));
    share(s.copy.bytes, s.copy.bytes_estimated)
        .or_else(|| share(s.copy.rows, s.copy.rows_estimated))
        .unwrap_or(0.0)
}

fn file_number(file: &BinlogFile) -> f64 {
    let name = file.to_string();
    name.rsplit_once('.').and_then(|(_, n)| n.parse().ok()).unwrap_or(0.0)
}

fn errors(s: &SourceStatus, unit: Unit, out: &mut Samples) {
    let counts = if unit == Unit::Sync { s.sync_errors } else { s.load_errors };
    out.push((vec!["true"], counts.resumable as f64));
    out.push((vec!["false"], counts.fatal as f64));
}

/// The text that Prometheus reads (exposition format 0.0.4).
pub fn render(status: &TaskStatus) -> String {
    let mut text = String::new();
    for metric in METRICS {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "# HELP {} {}", metric.name, metric.help);
        let _ = writeln!(text, "# TYPE {} {}", metric.name, metric.kind.as_str());
        for source in &status.sources {
            let mut samples = Samples::new();
            (metric.samples)(source, &mut samples);
            for (values, value) in samples {
                let task = label(&status.task);
                let id = label(&source.source);
                let _ = write!(text, "{}{{task=\"{task}\",source_id=\"{id}\"", metric.name);
                for (name, value) in metric.labels.iter().zip(values) {
                    let _ = write!(text, ",{name}=\"{}\"", label(value));
                }
                let _ = writeln!(text, "}} {value}");
            }
        }
    }
    text
}

/// A label's value, escaped.
fn label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn status() -> TaskStatus {
        let mut source = SourceStatus::new("a\"b");
        source.stage = Stage::Running;
        source.unit = Unit::Sync;
        source.stream.inserted = 7;
        source.lag_seconds = 3;
        source.position = crate::position::Position::at("mysql-bin.000012:345".parse().unwrap());
        source.sync_errors.resumable = 2;
        TaskStatus { task: "shop".to_owned(), sources: vec![source] }
    }

    #[test]
    fn values_stand_under_dms_names() {
        let text = render(&status());
        for line in [
            "# TYPE dm_syncer_replication_lag_gauge gauge",
            "dm_syncer_replication_lag_gauge{task=\"shop\",source_id=\"a\\\"b\",worker=\"dm\"} 3",
            "dm_worker_task_state{task=\"shop\",source_id=\"a\\\"b\",worker=\"dm\"} 2",
            "dm_syncer_binlog_file{task=\"shop\",source_id=\"a\\\"b\",node=\"syncer\"} 12",
            "dm_syncer_binlog_pos{task=\"shop\",source_id=\"a\\\"b\",node=\"syncer\"} 345",
            "dm_syncer_finished_jobs_total{task=\"shop\",source_id=\"a\\\"b\",type=\"insert\",queueNo=\"\",\
             worker=\"dm\",target_schema=\"\",target_table=\"\"} 7",
            "dm_syncer_exit_with_error_count{task=\"shop\",source_id=\"a\\\"b\",resumable_err=\"true\"} 2",
            "dm_loader_progress{task=\"shop\",source_id=\"a\\\"b\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn every_sample_has_every_label_and_form() {
        let text = render(&status());
        for metric in METRICS {
            assert!(metric.help.ends_with('.'), "{}", metric.name);
            let total = metric.name.ends_with("_total") || metric.name.ends_with("_count");
            assert_eq!(total, metric.kind == Kind::Counter, "{}", metric.name);
            let samples = text.lines().filter(|l| l.starts_with(&format!("{}{{", metric.name)));
            let mut found = 0;
            for line in samples {
                found += 1;
                assert_eq!(line.matches("=\"").count(), 2 + metric.labels.len(), "{line}");
                assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
            }
            assert!(found > 0, "{} has no sample", metric.name);
        }
    }

    #[test]
    fn docs_are_rendered_from_the_table() {
        let mut text = String::from(
            "# Metrics\n\n`dm run ... --http 127.0.0.1:8262` serves them at `/metrics`, for Prometheus. \
             Names, types and labels are DM's; those marked *dm* are further ones. Every metric has the \
             labels `task` and `source_id`. [alerts.yaml](monitoring/alerts.yaml) holds alert rules, \
             [dashboard.json](monitoring/dashboard.json) a dashboard for Grafana. This page is rendered \
             from the table of metrics.\n\n| metric | type | further labels | says | |\n|---|---|---|---|---|\n",
        );
        for m in METRICS {
            let labels: Vec<String> = m.labels.iter().map(|l| format!("`{l}`")).collect();
            let ours = if m.ours { "dm" } else { "" };
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {ours} |",
                m.name,
                m.kind.as_str(),
                labels.join(", "),
                m.help
            );
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
        crate::testing_docs::compare(&path, &text);
    }

    #[test]
    fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring");
        for file in ["alerts.yaml", "dashboard.json"] {
            let text = std::fs::read_to_string(dir.join(file)).unwrap();
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let asked: Vec<&str> = words
                .filter(|w| {
                    ["dm_syncer_", "dm_loader_", "dm_worker_"].iter().any(|p| w.starts_with(p))
                })
                .collect();
            assert!(asked.len() > 3, "{file}");
            for word in asked {
                assert!(METRICS.iter().any(|m| m.name == word), "{file} asks for {word}");
            }
        }
        let dashboard = std::fs::read_to_string(dir.join("dashboard.json")).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&dashboard).is_ok());
    }
}
