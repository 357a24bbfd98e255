//! Events for programs: one JSON object a line, on standard output.
//!
//! Every object has `event` and `time` (seconds since the epoch). The events: `start` once, then
//! `warning` for each doubt about the configuration, `status` once a second and for each source,
//! and at last `done` or `error`. They are described in `docs/cli.md`.

use std::time::{SystemTime, UNIX_EPOCH};

use dm_core::config::{TaskPlan, Warning};
use dm_core::{Error, Outcome, SourceStatus};
use serde_json::{Map, Value, json};

use crate::out;

/// Prints events, or nothing when they were not asked for.
#[derive(Clone, Copy)]
pub struct Events {
    wanted: bool,
}

impl Events {
    /// Events if `wanted`.
    pub fn new(wanted: bool) -> Self {
        Self { wanted }
    }

    /// The task begins.
    pub fn start(self, plan: &TaskPlan) {
        let sources: Vec<&str> = plan.sources.iter().map(|s| s.source_id.as_str()).collect();
        self.emit(
            "start",
            json!({"task": plan.name, "mode": plan.mode.as_str(), "sources": sources}),
        );
    }

    /// A doubt about the configuration.
    pub fn warning(self, warning: &Warning) {
        self.emit("warning", json!({"message": warning.to_string()}));
    }

    /// How a source stands.
    pub fn status(source: &SourceStatus) {
        print("status", source.to_json());
    }

    /// The run ended well.
    pub fn done(self, outcome: Outcome) {
        let word = if outcome == Outcome::Stopped { "stopped" } else { "finished" };
        self.emit("done", json!({"outcome": word}));
    }

    /// The run failed. The keys are those of DM's process errors.
    pub fn error(self, error: &Error) {
        self.emit(
            "error",
            json!({
                "ErrCode": error.code().number,
                "ErrClass": error.code().class.as_str(),
                "ErrScope": error.error_scope().as_str(),
                "ErrLevel": error.code().level.as_str(),
                "Message": error.message(),
                "RawCause": error.raw_cause().unwrap_or_default(),
                "Workaround": error.advice(),
            }),
        );
    }

    fn emit(self, event: &str, body: Value) {
        if self.wanted {
            print(event, body);
        }
    }
}

fn print(event: &str, body: Value) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
    let mut object = Map::new();
    object.insert("event".to_owned(), event.into());
    object.insert("time".to_owned(), ((now * 1000.0).round() / 1000.0).into());
    if let Value::Object(body) = body {
        object.extend(body);
    }
    // Nobody reads any more: the migration goes on all the same.
    let _ = out::say(&Value::Object(object).to_string());
}
