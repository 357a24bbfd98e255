//! How tasks stand, out of their state files. It is told in DM's form (`dm_form`) and in words
//! (`words`).

mod dm_form;
mod words;

use std::path::Path;

use dm_core::error::codes;
use dm_core::event::LaneId;
use dm_core::state::{
    IDEMPOTENT_SECOND, Skipped, SourceRow, Stage, StateReader, StateStore, StoredError, TaskRow,
    log_file,
};
use serde_json::{Value, json};

pub use self::dm_form::{long, process_error, short};
pub use self::words::words;
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

#[cfg(test)]
mod tests;
