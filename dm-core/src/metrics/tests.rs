//! Names, types, labels and values of metrics; the page about them.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::relay::RelayStatus;
use crate::state::Stage;

fn status() -> TaskStatus {
    let mut source = SourceStatus::new("a\"b");
    source.stage = Stage::Running;
    source.unit = Unit::Sync;
    let (orders, seven) = (
        dm_filter::TableName::new("shop", "orders"),
        crate::sink::RowCounts { inserted: 7, ..Default::default() },
    );
    source.meters.finished.add(Some(10), &[(orders, seven)]);
    source.meters.add(Some(10), 9);
    source.lag_seconds = 3;
    source.position = crate::position::Position::at("mysql-bin.000012:345".parse().unwrap());
    source.sync_errors.resumable = 2;
    source.remaining_seconds = Some(5);
    source.copy.seconds = 1.0;
    source.meters.lag.took(std::time::Duration::from_secs(3), 1);
    TaskStatus { task: "shop".to_owned(), sources: vec![source] }
}

fn beside() -> Beside {
    let relay = RelayStatus {
        source: "a\"b".to_owned(),
        master_binlog: "(mysql-bin.000013, 500)".to_owned(),
        relay_binlog: "(mysql-bin.000012, 400)".to_owned(),
        relay_sub_dir: "3e11fa47-71ca-11e1-9e33-c80aa9429562.000002".to_owned(),
        ..RelayStatus::default()
    };
    let relays = vec![RelayTold { status: relay, space: Some((1000, 10)) }];
    Beside { relays, cpu: Some(12.5) }
}

#[test]
fn values_stand_under_dms_names() {
    let text = render(&status(), &beside());
    for line in [
        "# TYPE dm_syncer_replication_lag_gauge gauge",
        "dm_syncer_replication_lag_gauge{task=\"shop\",source_id=\"a\\\"b\",worker=\"dm\"} 3",
        "dm_worker_task_state{task=\"shop\",source_id=\"a\\\"b\",worker=\"dm\"} 2",
        "dm_syncer_binlog_file{task=\"shop\",source_id=\"a\\\"b\",node=\"syncer\"} 12",
        "dm_syncer_binlog_pos{task=\"shop\",source_id=\"a\\\"b\",node=\"syncer\"} 345",
        "dm_syncer_finished_jobs_total{task=\"shop\",source_id=\"a\\\"b\",type=\"insert\",queueNo=\"q_2\",\
         worker=\"dm\",target_schema=\"shop\",target_table=\"orders\"} 7",
        "dm_syncer_added_jobs_total{task=\"shop\",source_id=\"a\\\"b\",type=\"dml\",queueNo=\"q_2\",\
         worker=\"dm\",target_schema=\"\",target_table=\"\"} 9",
        "dm_syncer_exit_with_error_count{task=\"shop\",source_id=\"a\\\"b\",resumable_err=\"true\"} 2",
        "dm_loader_progress{task=\"shop\",source_id=\"a\\\"b\"} 1",
        "# TYPE dm_syncer_replication_lag histogram",
        "dm_syncer_replication_lag_bucket{task=\"shop\",source_id=\"a\\\"b\",worker=\"dm\",le=\"2.62144\"} 0",
        "dm_syncer_replication_lag_bucket{task=\"shop\",source_id=\"a\\\"b\",worker=\"dm\",le=\"5.24288\"} 1",
        "dm_syncer_replication_lag_bucket{task=\"shop\",source_id=\"a\\\"b\",worker=\"dm\",le=\"+Inf\"} 1",
        "dm_syncer_replication_lag_sum{task=\"shop\",source_id=\"a\\\"b\",worker=\"dm\"} 3",
        "dm_syncer_replication_lag_count{task=\"shop\",source_id=\"a\\\"b\",worker=\"dm\"} 1",
        "dm_relay_binlog_file{source_id=\"a\\\"b\",node=\"relay\"} 12",
        "dm_relay_binlog_file{source_id=\"a\\\"b\",node=\"master\"} 13",
        "dm_relay_sub_dir_index{source_id=\"a\\\"b\",node=\"relay\",uuid=\"3e11fa47-71ca-11e1-9e33-c80aa9429562\"} 2",
        "dm_relay_space{source_id=\"a\\\"b\",type=\"available\"} 10",
        "dm_worker_cpu_usage 12.50",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\nis not in\n{text}");
    }
}

/// Name, type, and labels beside those that say whose it is, of every metric that is rendered.
fn here() -> Vec<(&'static str, &'static str, BTreeSet<&'static str>, bool)> {
    fn one<T>(m: &Metric<T>) -> (&'static str, &'static str, BTreeSet<&'static str>, bool) {
        assert!(m.help.ends_with('.'), "{}", m.name);
        (m.name, m.kind.as_str(), m.labels.iter().copied().collect(), m.ours)
    }
    let cpu = ("dm_worker_cpu_usage", "gauge", BTreeSet::new(), false);
    METRICS.iter().map(one).chain(RELAY_METRICS.iter().map(one)).chain([cpu]).collect()
}

/// DM's metrics: name, type, labels, and why there is none here.
fn of_dm() -> Vec<[String; 4]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/metrics/dm.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|l| !l.starts_with('#'));
    let fields = |line: &str| -> Vec<String> { line.split('\t').map(str::to_owned).collect() };
    lines.map(|l| fields(l).try_into().unwrap_or_else(|_| panic!("four fields: {l}"))).collect()
}

#[test]
fn names_types_and_labels_are_dms() {
    let (here, of_dm) = (here(), of_dm());
    for [name, kind, labels, absent] in &of_dm {
        let found = here.iter().find(|(n, ..)| n == name);
        let Some((_, found_kind, found_labels, ours)) = found else {
            assert!(!absent.is_empty(), "{name} is missing");
            continue;
        };
        assert!(absent.is_empty() && !ours, "{name} is there");
        assert_eq!(found_kind, kind, "{name}");
        let whose = ["task", "source_id"];
        let labels: BTreeSet<&str> =
            labels.split_whitespace().filter(|l| !whose.contains(l)).collect();
        assert_eq!(*found_labels, labels, "{name}");
    }
    for (name, .., ours) in here {
        assert!(ours || of_dm.iter().any(|[n, ..]| n == name), "{name} is none of DM's");
    }
}

#[test]
fn every_metric_has_samples_with_every_label() {
    let text = render(&status(), &beside());
    for (name, kind, labels, _) in here() {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
        let (count, more) = match kind {
            "histogram" => (format!("{name}_bucket{{"), 1),
            _ => (format!("{name}{{"), 0),
        };
        let whose = if name.starts_with("dm_relay_") { 1 } else { 2 };
        let mut found = 0;
        for line in text.lines().filter(|l| l.starts_with(&count)) {
            found += 1;
            assert_eq!(line.matches("=\"").count(), whose + labels.len() + more, "{line}");
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
        }
        let without = ["dm_worker_cpu_usage"].contains(&name);
        assert!(found > 0 || without, "{name} has no sample");
    }
}

#[test]
fn docs_are_rendered_from_the_table() {
    let mut text = String::from(
        "# Metrics\n\n`--http 127.0.0.1:8262` of `dm run` and `dm start-task` serves them at `/metrics`, for Prometheus. \
         Names, types and labels are DM's; those marked *dm* are further ones. Every metric has the \
         labels `task` and `source_id`, those of relay logs `source_id`, also where DM has none: one process \
         may carry several sources. What happens for every event is measured for the first 512 of a stream, then \
         for one of 16, which counts as 16. [alerts.yaml](monitoring/alerts.yaml) holds alert rules, \
         [dashboard.json](monitoring/dashboard.json) a dashboard for Grafana. This page is rendered \
         from the tables of metrics.\n\n| metric | type | further labels | says | |\n|---|---|---|---|---|\n",
    );
    fn row<T>(m: &Metric<T>) -> String {
        let labels: Vec<String> = m.labels.iter().map(|l| format!("`{l}`")).collect();
        let ours = if m.ours { "dm" } else { "" };
        let kind = m.kind.as_str();
        format!("| `{}` | {kind} | {} | {} | {ours} |\n", m.name, labels.join(", "), m.help)
    }
    text.extend(METRICS.iter().map(row));
    text.extend(RELAY_METRICS.iter().map(row));
    text += &format!("| `dm_worker_cpu_usage` | gauge |  | {CPU_HELP} |  |\n");
    text += "\n## DM's that are not here\n\n| metric | why |\n|---|---|\n";
    for [name, _, _, absent] in of_dm().iter().filter(|[.., absent]| !absent.is_empty()) {
        let _ = writeln!(text, "| `{name}` | {absent} |");
    }
    text += "| `lightning_*`, `dumpling_*` | Metrics of programs that are not used. |\n";
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
                ["dm_syncer_", "dm_loader_", "dm_worker_", "dm_relay_"]
                    .iter()
                    .any(|p| w.starts_with(p))
            })
            .collect();
        assert!(asked.len() > 3, "{file}");
        for word in asked {
            // A histogram is asked for by its parts.
            let parts = ["_bucket", "_sum", "_count"];
            let whole = parts.iter().find_map(|part| word.strip_suffix(part));
            let known = here().iter().any(|(name, kind, ..)| {
                *name == word || (*kind == "histogram" && whole == Some(name))
            });
            assert!(known, "{file} asks for {word}");
        }
    }
    let dashboard = std::fs::read_to_string(dir.join("dashboard.json")).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&dashboard).is_ok());
}

/// Of DM's alert rules those that concern one process have their names here, too.
#[test]
fn dms_alerts_are_there() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring/alerts.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    for name in [
        "DM_task_state",
        "DM_sync_process_exists_with_error",
        "DM_load_process_exists_with_error",
        "DM_relay_process_exits_with_error",
        "DM_remain_storage_of_relay_log",
        "DM_relay_log_data_corruption",
        "DM_fail_to_read_binlog_from_master",
        "DM_fail_to_write_relay_log",
        "DM_binlog_file_gap_between_master_relay",
        "DM_binlog_file_gap_between_master_syncer",
        "DM_binlog_file_gap_between_relay_syncer",
    ] {
        assert!(text.contains(&format!("- alert: {name}\n")), "{name}");
    }
}
