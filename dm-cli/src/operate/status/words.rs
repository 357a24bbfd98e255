//! How a task stands in words.

use std::time::{SystemTime, UNIX_EPOCH};

use super::super::relay::View;
use super::dm_form::{load, number, sync, text};
use super::{Part, Task};

/// A task in words, a few lines for each source.
pub fn words(task: &Task) -> String {
    let owner = task.owner.as_deref().map_or("no process runs it", |owner| owner);
    let mut lines = vec![format!("task {}: {} ({owner})", task.row.name, task.status())];
    for part in &task.parts {
        lines.push(format!("  source {}: {}, {}", part.source, part.stage, part.unit));
        lines.extend(unit_words(part));
        if part.safe_mode.get("on") == Some(&true.into()) {
            lines.push(format!(
                "    applied idempotently: {} {}",
                text(&part.safe_mode, "reason"),
                text(&part.safe_mode, "until")
            ));
        }
        if text(&part.status, "guarantee") == "at least once" {
            lines.push(
                "    at least once: the target takes no marks (see docs/reliability.md)".to_owned(),
            );
        }
        for table in &part.adding {
            lines.push(format!("    being added: {table}"));
        }
        for kind in &part.skipped {
            lines.push(format!("    {} x {}, the last at {}", kind.count, kind.kind, kind.last));
        }
        lines.extend(part.relay.as_ref().map(View::words));
        let slow = text(&part.status, "slowStage");
        if part.stage == "Running" {
            match part.waits_for() {
                Some(sql) => lines.push(format!("    the target works on: {sql}")),
                None if slow.is_empty() => {}
                None => lines.push(format!("    slowed by the {slow}")),
            }
        }
        if let Some(error) = &part.error {
            lines.push(format!("    error {}: {}", error.code, error.message));
            if !error.raw_cause.is_empty() {
                lines.push(format!("    because: {}", error.raw_cause));
            }
            if !error.workaround.is_empty() {
                lines.push(format!("    what to do: {}", error.workaround));
            }
            if task.owner.is_some() {
                lines.push(attempt_words(&task.row.name, part.next_attempt));
            }
        }
    }
    lines.join("\n")
}

/// Whether anything happens by itself after an error.
fn attempt_words(task: &str, next: Option<u64>) -> String {
    let Some(next) = next else {
        return format!(
            "    it does not try again by itself: `dm resume-task {task}` when that is done"
        );
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!("    it tries again by itself in {} s", next.saturating_sub(now).max(1))
}

fn unit_words(part: &Part) -> Option<String> {
    let status = &part.status;
    match part.unit.as_str() {
        "Load" => {
            let load = load(status);
            Some(format!(
                "    copy: {} of about {} rows ({}), {} rows/s",
                text(&load, "finishedRows"),
                text(&load, "estimateTotalRows"),
                text(&load, "progress"),
                number(status, "rowsPerSecond"),
            ))
        }
        "Sync" => {
            let sync = sync(part);
            let word = if sync.get("synced") == Some(&true.into()) { ", caught up" } else { "" };
            let mut here = text(&sync, "syncerBinlog");
            if here.is_empty() {
                here = text(&sync, "syncerBinlogGtid");
            }
            let rows = text(&sync, "totalRows");
            if part.stage != "Running" {
                return Some(format!("    stands at {here}, {rows} rows"));
            }
            Some(format!(
                "    at {here}, {} s behind{word}, {rows} rows, {} rows/s",
                text(&sync, "secondsBehindMaster"),
                number(status, "rowsPerSecond"),
            ))
        }
        _ => None,
    }
}
