//! The word for a task, and what is told of a part that stopped or waits.

use serde_json::json;

use super::dm_form::{subtask, sync};
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
