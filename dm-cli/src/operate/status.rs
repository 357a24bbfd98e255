//! How tasks stand, out of their state files: in DM's form and in words.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use dm_core::error::codes;
use dm_core::event::LaneId;
use dm_core::state::{
    IDEMPOTENT_SECOND, Skipped, SourceRow, Stage, StateReader, StateStore, StoredError, TaskRow,
    log_file,
};
use serde_json::{Map, Value, json};

use super::answers::{WORKER, answer};
use super::relay::View;
use crate::files::Failure;

/// A task as its state file tells it.
pub struct Task {
    pub row: TaskRow,
    /// The process that runs it.
    pub owner: Option<String>,
    pub parts: Vec<Part>,
}

/// One source's part of a task.
pub struct Part {
    pub source: String,
    pub stage: &'static str,
    pub unit: String,
    /// What it stopped at.
    pub error: Option<StoredError>,
    /// When it goes on by itself after that, in seconds since the epoch.
    pub next_attempt: Option<u64>,
    /// A person paused it.
    pub canceled: bool,
    /// The document that the running task wrote last.
    pub status: Value,
    /// `stop-task` was the last word.
    pub removed: bool,
    pub safe_mode: Value,
    /// The source's relay log, when it has one.
    pub relay: Option<View>,
    /// Statements that were not carried, by kind, with where the last of each begins.
    pub skipped: Vec<Skipped>,
    /// Tables that have not joined yet.
    pub adding: Vec<String>,
}

impl Task {
    /// Reads a task.
    pub fn read(dir: &Path, name: &str) -> Result<Self, Failure> {
        let reader = StateReader::open(dir, name)?;
        // Asked before the stages: a process that ends meanwhile has written its last stages then.
        let owner = StateStore::owner(dir, name)?;
        let row = reader.task()?;
        let mut parts = Vec::new();
        for source in reader.sources()? {
            let safe_mode = safe_mode(&reader, &source)?;
            let skipped = reader.skipped(&LaneId::main(&source.source))?;
            let adding = reader.additions(&source.source)?;
            let adding = adding.into_iter().map(|a| a.table.to_string()).collect();
            let relay = View::read(dir, source.source.as_str());
            let part = part(dir, name, owner.is_some(), source);
            parts.push(Part { safe_mode, skipped, relay, adding, ..part });
        }
        Ok(Self { row, owner, parts })
    }

    /// Leaves only the parts of these sources; all of them when none is named.
    pub fn keep(&mut self, sources: &[String]) {
        self.parts.retain(|part| sources.is_empty() || sources.contains(&part.source));
    }

    /// True when every part was stopped by `stop-task`: DM does not know such a task any more.
    pub fn is_removed(&self) -> bool {
        !self.parts.is_empty() && self.parts.iter().all(|p| p.removed)
    }

    /// The status of the task by DM's rules.
    pub fn status(&self) -> String {
        let mut status = String::new();
        for part in &self.parts {
            if status.starts_with("Error") {
                break;
            }
            if part.stage == "Paused" && part.error.is_some() {
                "Error - Some error occurred in subtask".clone_into(&mut status);
            } else if let Some(word) = part.relay_trouble() {
                status = format!("Error - Relay status is {word}");
            } else if status == "Paused" {
            } else if status.is_empty() || part.stage == "Paused" {
                part.stage.clone_into(&mut status);
            } else if status != part.stage {
                "Running".clone_into(&mut status);
            }
        }
        if status.starts_with("Error") {
            let name = &self.row.name;
            status.push_str(&format!(". Please run `query-status {name}` to get more details."));
        }
        status
    }
}

impl Part {
    /// DM's word for where the binlog is read.
    fn reads(&self) -> &'static str {
        if self.relay.is_some() { "local" } else { "remote" }
    }

    /// The statement that the target works on, when it takes long.
    fn waits_for(&self) -> Option<&str> {
        self.status.pointer("/sync/waitingFor")?.as_str()
    }

    /// DM's word for a relay log that does not run while the binlog is followed.
    fn relay_trouble(&self) -> Option<&str> {
        let follows = self.unit == "Sync" && self.stage == "Running";
        self.relay.as_ref().filter(|_| follows).and_then(View::trouble)
    }
}

fn part(dir: &Path, task: &str, owned: bool, source: SourceRow) -> Part {
    let status = source.status.unwrap_or(Value::Null);
    let unit = status.get("unit").and_then(Value::as_str).unwrap_or("Check").to_owned();
    let removed = source.desired == Some(Stage::Stopped);
    let actual = source.actual.unwrap_or(Stage::New);
    let mut error = source.error;
    let stage = match (owned, actual, source.desired) {
        (true, Stage::Running, Some(Stage::Paused)) => "Pausing",
        (true, Stage::Running, Some(Stage::Stopped)) => "Stopping",
        (_, _, Some(Stage::Stopped)) => "Stopped",
        (false, Stage::Running, _) => {
            // The process died without saying so.
            error = Some(gone(dir, task));
            "Paused"
        }
        (_, stage, _) => stage.as_str(),
    };
    let canceled = stage == "Paused" && source.desired == Some(Stage::Paused) && error.is_none();
    let waits = owned && stage == "Paused" && error.is_some();
    let next_attempt = status.get("nextAttempt").and_then(Value::as_u64).filter(|_| waits);
    let source = source.source.as_str().to_owned();
    let (safe_mode, relay) = (Value::Null, None);
    let (skipped, adding) = (Vec::new(), Vec::new());
    Part {
        source,
        stage,
        unit,
        error,
        next_attempt,
        canceled,
        status,
        removed,
        safe_mode,
        relay,
        skipped,
        adding,
    }
}

fn gone(dir: &Path, task: &str) -> StoredError {
    let text = format!(
        "the process that ran task {task:?} ended without saying so; its log, if it ran in the \
         background, is {}",
        log_file(dir, task).display()
    );
    StoredError::of(&dm_core::Error::new(&codes::OWNER_GONE, text))
}

/// Whether changes are applied so that applying them twice does no harm, why, and until when.
fn safe_mode(reader: &StateReader, source: &SourceRow) -> Result<Value, Failure> {
    let main = LaneId::main(&source.source);
    let lane = reader.lane(&main)?;
    let second = match lane {
        Some(_) => reader.note(&main, IDEMPOTENT_SECOND)?,
        None => None,
    };
    let configured = source.status.as_ref().and_then(|s| s.get("safeMode")) == Some(&true.into());
    if configured {
        return Ok(json!({"on": true, "reason": "safe-mode of the task file", "until": ""}));
    }
    if let Some(until) = lane.and_then(|l| l.idempotent_until) {
        let guarantee = source.status.as_ref().and_then(|s| s.get("guarantee"));
        let reason = match guarantee.and_then(Value::as_str) {
            Some("at least once") => "started anew, and the target takes no marks",
            _ => "resumed after an error, or moved back",
        };
        return Ok(json!({"on": true, "reason": reason, "until": until.to_string()}));
    }
    if let Some(second) = second {
        let written = String::from_utf8_lossy(&second).parse().map(crate::time::text);
        let until = written.map(|time| format!("{time} UTC")).unwrap_or_default();
        return Ok(json!({"on": true, "reason": "asked for at a resume", "until": until}));
    }
    Ok(json!({"on": false, "reason": "", "until": ""}))
}

/// DM's error object.
pub fn process_error(error: &StoredError) -> Value {
    json!({
        "ErrCode": error.code,
        "ErrClass": error.class,
        "ErrScope": error.scope,
        "ErrLevel": error.level,
        "Message": error.message,
        "RawCause": error.raw_cause,
        "Workaround": error.workaround,
    })
}

/// DM's `ProcessResult`: null while all is well.
fn process_result(part: &Part) -> Value {
    let errors: Vec<Value> = part.error.iter().map(process_error).collect();
    match part.stage {
        "Paused" | "Finished" | "Stopped" => {
            json!({"isCanceled": part.canceled, "errors": errors, "detail": null})
        }
        _ => Value::Null,
    }
}

/// The `subTaskStatus` of one part.
fn subtask(task: &str, part: &Part) -> Value {
    let mut map = Map::new();
    map.insert("name".to_owned(), task.into());
    map.insert("stage".to_owned(), part.stage.into());
    map.insert("unit".to_owned(), part.unit.as_str().into());
    map.insert("result".to_owned(), process_result(part));
    map.insert("unresolvedDDLLockID".to_owned(), "".into());
    match part.unit.as_str() {
        "Load" => map.insert("load".to_owned(), load(&part.status)),
        "Sync" => map.insert("sync".to_owned(), sync(part)),
        _ => map.insert("msg".to_owned(), "".into()),
    };
    // There is no continuous validation.
    map.insert("validation".to_owned(), Value::Null);
    map.insert("safeMode".to_owned(), part.safe_mode.clone());
    let one = |s: &Skipped| json!({"kind": s.kind, "count": s.count, "last": s.last});
    map.insert("skipped".to_owned(), part.skipped.iter().map(one).collect());
    let next = part.next_attempt.map(crate::time::text).unwrap_or_default();
    map.insert("nextAttempt".to_owned(), next.into());
    let slow = part.status.get("slowStage").and_then(Value::as_str).unwrap_or_default();
    map.insert("slowStage".to_owned(), slow.into());
    map.insert("guarantee".to_owned(), text(&part.status, "guarantee").into());
    map.insert("adding".to_owned(), part.adding.as_slice().into());
    Value::Object(map)
}

fn number(document: &Value, key: &str) -> u64 {
    document.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn text(document: &Value, key: &str) -> String {
    document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// DM's `LoadStatus`; 64-bit numbers are texts in its JSON.
fn load(status: &Value) -> Value {
    let load = status.get("load").unwrap_or(&Value::Null);
    let (done, total) = (number(load, "finishedBytes"), number(load, "estimatedBytes"));
    let (rows, all) = (number(load, "finishedRows"), number(load, "estimatedRows"));
    json!({
        "finishedBytes": done.to_string(),
        // An estimate may be too low.
        "totalBytes": total.max(done).to_string(),
        "progress": percent(rows.max(1), all.max(rows).max(1), rows == 0),
        "metaBinlog": text(load, "metaBinlog"),
        "metaBinlogGTID": text(load, "metaBinlogGtid"),
        "bps": number(status, "bytesPerSecond").to_string(),
        "finishedRows": rows.to_string(),
        "estimateTotalRows": all.to_string(),
        "completedTables": number(load, "tablesDone").to_string(),
        "totalTables": number(load, "tables").to_string(),
    })
}

fn percent(done: u64, all: u64, none: bool) -> String {
    let share = if none { 0.0 } else { done as f64 * 100.0 / all as f64 };
    format!("{share:.2} %")
}

/// DM's `SyncStatus`. What does not run is not said to have caught up: where the source is by now, nobody knows.
fn sync(part: &Part) -> Value {
    let (status, reads) = (&part.status, part.reads());
    let part_of = |unit: &str| status.get(unit).unwrap_or(&Value::Null);
    let (sync, load) = (part_of("sync"), part_of("load"));
    let rows = ["inserted", "updated", "deleted"].iter().map(|key| number(sync, key)).sum::<u64>();
    let (total, recent) = (number(status, "meanRowsPerSecond"), number(status, "rowsPerSecond"));
    let (here, end) = (text(sync, "syncerBinlog"), text(sync, "masterBinlog"));
    let (here_gtid, end_gtid) = (text(sync, "syncerBinlogGtid"), text(sync, "masterBinlogGtid"));
    let synced = matches!(part.stage, "Running" | "Finished")
        // Where the source ended is some seconds old: it has this statement behind it.
        && part.waits_for().is_none()
        && ((!end_gtid.is_empty() && here_gtid == end_gtid)
            || (end_gtid.is_empty() && !end.is_empty() && here == end));
    json!({
        "totalEvents": rows.to_string(),
        "totalTps": total.to_string(),
        "recentTps": recent.to_string(),
        "masterBinlog": end,
        "masterBinlogGtid": end_gtid,
        "syncerBinlog": here,
        "syncerBinlogGtid": here_gtid,
        "blockingDDLs": part.waits_for().into_iter().collect::<Vec<_>>(),
        "unresolvedGroups": [],
        "synced": synced,
        "binlogType": reads,
        "secondsBehindMaster": number(sync, "secondsBehindMaster").to_string(),
        "blockDDLOwner": "",
        "conflictMsg": "",
        "totalRows": rows.to_string(),
        "totalRps": total.to_string(),
        "recentRps": recent.to_string(),
        "ioTotalBytes": number(sync, "readBytes").to_string(),
        "dumpIOTotalBytes": number(load, "finishedBytes").to_string(),
    })
}

/// DM's `QueryStatusListResponse`: the parts of tasks, by source.
pub fn long(dir: &Path, tasks: &[Task], sources: &[String], registered: &[String]) -> Value {
    let mut by_source: Vec<(String, Vec<Value>)> = Vec::new();
    let wanted = |source: &str| sources.is_empty() || sources.iter().any(|s| s == source);
    for task in tasks {
        for part in task.parts.iter().filter(|p| wanted(&p.source)) {
            let status = subtask(&task.row.name, part);
            match by_source.iter_mut().find(|(source, _)| *source == part.source) {
                Some((_, all)) => all.push(status),
                None => by_source.push((part.source.clone(), vec![status])),
            }
        }
    }
    for source in registered.iter().filter(|s| wanted(s)) {
        if !by_source.iter().any(|(known, _)| known == source) {
            by_source.push((source.clone(), Vec::new()));
        }
    }
    by_source.sort_by(|a, b| a.0.cmp(&b.0));
    let all: Vec<Value> = by_source
        .into_iter()
        .map(|(source, subtasks)| {
            let relay = View::read(dir, &source).map_or(Value::Null, |relay| relay.json());
            let status = json!({
                "source": source, "worker": WORKER, "result": null, "relayStatus": relay,
            });
            answer(true, "", json!({"sourceStatus": status, "subTaskStatus": subtasks}))
        })
        .collect();
    answer(true, "", json!({"sources": all}))
}

/// The short form: tasks with their status and sources; a task that cannot be read says why.
pub fn short(tasks: &[(String, Result<Task, Failure>)]) -> Value {
    let tasks: Vec<Value> = tasks
        .iter()
        .map(|(name, task)| match task {
            Ok(task) => json!({
                "taskName": name,
                "taskStatus": task.status(),
                "sources": task.parts.iter().map(|p| p.source.as_str()).collect::<Vec<_>>(),
            }),
            Err(failure) => json!({
                "taskName": name,
                "taskStatus": format!("Error - {failure}"),
                "sources": [],
            }),
        })
        .collect();
    answer(true, "", json!({"tasks": tasks}))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn task(parts: &[(&'static str, bool)]) -> Task {
        let part = |(stage, failed): &(&'static str, bool)| Part {
            source: "s".to_owned(),
            stage,
            unit: "Sync".to_owned(),
            error: failed.then(StoredError::default),
            next_attempt: None,
            canceled: false,
            status: Value::Null,
            removed: false,
            safe_mode: Value::Null,
            adding: Vec::new(),
            relay: None,
            skipped: Vec::new(),
        };
        let row = TaskRow {
            name: "t".to_owned(),
            identity: String::new(),
            config: String::new(),
            desired: Stage::Running,
            actual: Stage::Running,
            created: 0,
            started: None,
            updated: 0,
        };
        Task { row, owner: None, parts: parts.iter().map(part).collect() }
    }

    #[test]
    fn the_status_of_a_task_follows_dms_table() {
        let error = "Error - Some error occurred in subtask. Please run `query-status t` to get \
                     more details.";
        for (parts, expected) in [
            (&[("Running", false)][..], "Running"),
            (&[("Running", false), ("Paused", false)], "Paused"),
            (&[("Paused", false), ("Running", false)], "Paused"),
            (&[("Finished", false), ("Running", false)], "Running"),
            (&[("Finished", false), ("Finished", false)], "Finished"),
            (&[("Finished", false), ("Stopped", false)], "Running"),
            (&[("Paused", false), ("Paused", true)], error),
            (&[("Paused", true), ("Running", false)], error),
            (&[("Running", true)], "Running"),
            (&[], ""),
        ] {
            assert_eq!(task(parts).status(), expected, "{parts:?}");
        }
    }

    #[test]
    fn whether_it_goes_on_by_itself_is_told() {
        let mut task = task(&[("Paused", true)]);
        assert!(!words(&task).contains("by itself"), "no process is there to do so");
        task.owner = Some("pid 1".to_owned());
        assert!(words(&task).contains("not try again by itself: `dm resume-task t`"));
        assert_eq!(subtask("t", &task.parts[0])["nextAttempt"], "");
        task.parts[0].next_attempt = Some(1_700_000_000);
        assert!(words(&task).contains("tries again by itself in 1 s"), "it is due");
        assert_eq!(subtask("t", &task.parts[0])["nextAttempt"], "2023-11-14 22:13:20");
    }

    /// The end of the source is some seconds old when the target works on what is behind it.
    #[test]
    fn a_statement_that_takes_long_is_told() {
        let mut task = task(&[("Running", false)]);
        let part = &mut task.parts[0];
        let place = "(bin.000001, 4711)";
        let at = |waits: Value| {
            let sync = json!({"syncerBinlog": place, "masterBinlog": place, "waitingFor": waits});
            json!({"sync": sync, "slowStage": "source"})
        };
        part.status = at(Value::Null);
        assert_eq!(sync(part)["synced"], true);
        part.status = at("ALTER TABLE t ADD c INT".into());
        assert_eq!(sync(part)["synced"], false);
        assert_eq!(sync(part)["blockingDDLs"], json!(["ALTER TABLE t ADD c INT"]));
        let at = "bin.000001:4".parse().unwrap();
        part.skipped.push(Skipped::one("skipped by the operator", &at));
        let words = words(&task);
        assert!(words.contains("the target works on: ALTER TABLE t"), "{words}");
        assert!(!words.contains("slowed by"), "{words}");
        assert!(words.contains("1 x skipped by the operator, the last at bin.000001:4"), "{words}");
    }
}
