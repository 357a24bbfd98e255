//! How long the source keeps its binlog, against the time that the copy takes.

use crate::check::facts::{Facts, ServerFacts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

/// Bytes a second that a copy reaches on ordinary machines; slower is unusual.
const COPY_SPEED: f64 = 10_000_000.0;
/// Less than this leaves no room for an interruption.
const LEAST_SECONDS: f64 = 3_600.0;

pub(super) const CHECK: Check = Check {
    name: "binlog_retention",
    reported: "binlog retention check",
    when: When::CopyAndStream,
    again: false,
    alone: false,
    worst: Severity::Warning,
    looks_at: "how long the source keeps its binlog files: at least an hour, and twice the estimated time of the copy (10 MB/s, or `max-bytes-per-second`)",
    repair: "SET GLOBAL binlog_expire_logs_seconds (or expire_logs_days; at RDS and Aurora CALL mysql.rds_set_configuration) to more, until the copy is done",
    ours: true,
    look: Look::Source(look),
};

/// Seconds that files are kept; `None` for ever.
fn kept(server: &ServerFacts) -> Option<f64> {
    let automatic = server.variable("binlog_expire_logs_auto_purge");
    if automatic.is_some() && !server.is_on("binlog_expire_logs_auto_purge") {
        return None;
    }
    let seconds = server.number("binlog_expire_logs_seconds").filter(|s| *s > 0.0);
    let days = server.number("expire_logs_days").filter(|d| *d > 0.0).map(|d| d * 86_400.0);
    seconds.or(days)
}

fn look(facts: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = source.server.as_ref().map(|s| &s.about) else { return Vec::new() };
    let hours = source.server.as_ref().and_then(|s| s.rds_retention);
    let kept = match hours {
        Some(hours) => hours.unwrap_or(0.0) * 3_600.0,
        None => match kept(server) {
            Some(kept) => kept,
            None => return Vec::new(),
        },
    };
    let bytes: u64 = source.tables.iter().map(|t| t.bytes).sum();
    let limit = facts.plan.limits.max_bytes_per_second.map_or(COPY_SPEED, |l| l as f64);
    let copy = bytes as f64 / limit.clamp(1.0, COPY_SPEED);
    let need = (2.0 * copy).max(LEAST_SECONDS);
    if kept >= need {
        return Vec::new();
    }
    let seconds = (need * 2.0).max(86_400.0);
    let set = if hours.is_some() {
        let hours = (seconds / 3_600.0).ceil();
        format!("CALL mysql.rds_set_configuration('binlog retention hours', {hours:.0})")
    } else if server.variable("binlog_expire_logs_seconds").is_some() {
        format!("SET GLOBAL binlog_expire_logs_seconds = {seconds:.0}")
    } else {
        format!("SET GLOBAL expire_logs_days = {:.0}", (seconds / 86_400.0).ceil())
    };
    vec![Finding::warning(
        format!(
            "{} removes binlog files after {kept:.0} s; the copy of {:.1} MB takes about {copy:.0} s",
            server.address,
            bytes as f64 / 1e6
        ),
        format!("files kept for {need:.0} s"),
        format!("{set} until the copy is done"),
    )]
}
