//! Where the log goes and how it looks. No server is needed: the tasks follow recorded files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use serde_json::Value;
use support::dm::{Dm, Outcome};

/// Runs the quick start's task with more arguments.
fn run(more: &[&str]) -> (Dm, Outcome) {
    let dm = Dm::quickstart();
    let outcome = dm.run(&[&["--until", "caught-up"], more].concat());
    (dm, outcome)
}

fn lines(dm: &Dm, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(dm.path().join(file)).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_is_slow_is_logged_once_with_its_position() {
    let (dm, outcome) = run(&["--slow-ms", "0", "--log-file", "dm.log"]);
    outcome.expect_success();
    let slow: Vec<String> =
        lines(&dm, "dm.log").into_iter().filter(|l| l.contains("slow at the target")).collect();
    let batch = slow.iter().find(|l| l.contains("row change(s) of")).expect("a transaction");
    let (_, end) = batch.rsplit_once(", up to ").expect("a position");
    assert!(end.contains(".0000"), "{batch}");
    assert!(slow.iter().any(|l| l.contains("ALTER TABLE")), "{slow:?}");
    let mut once = slow.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), slow.len());
    // Without the argument nothing is slow.
    let (dm, outcome) = run(&["--log-file", "dm.log"]);
    outcome.expect_success();
    assert!(!lines(&dm, "dm.log").iter().any(|l| l.contains("slow at the target")));
}

#[test]
fn json_has_one_object_in_a_line() {
    let (dm, outcome) = run(&["--slow-ms", "0", "--log-file", "dm.log", "--log-format", "json"]);
    outcome.expect_success();
    let lines = lines(&dm, "dm.log");
    assert!(!lines.is_empty());
    let mut of_sources = 0;
    for line in lines {
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for key in ["level", "time", "message", "component", "task"] {
            assert!(line[key].is_string(), "{key}: {line}");
        }
        // What a thread of a source says names the source, whatever the message says.
        let message = line["message"].as_str().unwrap();
        if message.contains("slow at the target") || message.starts_with("source ") {
            of_sources += 1;
            let source = line["source"].as_str().unwrap_or_else(|| panic!("no source: {line}"));
            assert!(!source.is_empty(), "{line}");
        }
    }
    assert!(of_sources > 2, "{of_sources}");
}

#[test]
fn errors_are_in_the_log_and_on_the_terminal() {
    let dm = Dm::new();
    let args = ["run", "none.yaml", "--log-file", "dm.log", "--log-format", "json"];
    dm.other(&args).expect_failure(&["none.yaml"]);
    let last: Value = serde_json::from_str(&lines(&dm, "dm.log")[0]).unwrap();
    assert_eq!(last["level"], "ERROR");
    assert!(last["message"].as_str().unwrap().contains("none.yaml"));
    dm.other(&["run", "none.yaml", "--log-file", "no/such/dir/dm.log"])
        .expect_failure(&["--log-file no/such/dir/dm.log"]);
}

#[test]
fn full_logs_are_put_aside() {
    let (dm, outcome) = run(&[
        "--slow-ms",
        "0",
        "--log-file",
        "dm.log",
        "--log-max-size",
        "500",
        "--log-max-backups",
        "2",
    ]);
    outcome.expect_success();
    for file in ["dm.log", "dm.log.1", "dm.log.2"] {
        let size = std::fs::metadata(dm.path().join(file)).unwrap().len();
        assert!((1..=500).contains(&size), "{file}: {size}");
    }
    assert!(!dm.path().join("dm.log.3").exists());
}
