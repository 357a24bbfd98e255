//! What a start says: of the checks, of servers that are away, and of what it cannot begin; and what a task that
//! did not begin looks like afterwards.

use crate::faults::{place, through};
use crate::place::{DB, PATIENCE, Place, servers, wait_rows};
use crate::support::compare::{Target, assert_databases_equal};
use crate::support::proxy::Proxy;
use crate::support::{serial, wait};

/// A task that has begun is started while its target is away: that is said at once, by the start and by whoever
/// asks, and the task goes on by itself when the target is back.
#[test]
fn a_target_that_is_away_at_a_start_is_told() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let proxy = Proxy::start(&to.address.host, to.address.port);
    let place = place(&from.address, &through(&proxy, to));
    place.start(to);
    wait::until("it has caught up", PATIENCE, || {
        place.status("source-1")["sync"]["synced"] == true
    });
    place.json(&["stop-task", "test"]);
    assert_eq!(place.status("source-1")["sync"]["synced"], false, "nobody looks any more");
    proxy.refuse(true);
    let said = place.refused(&["start-task", "task.yaml"]);
    assert!(said.contains("[code=10001") && said.contains("scope=downstream"), "{said}");
    assert!(said.contains("tried again by itself"), "{said}");
    let status = place.status("source-1");
    assert_eq!(status["stage"], "Paused", "{status:#}");
    assert_eq!(status["result"]["errors"][0]["ErrCode"], 10001, "{status:#}");
    assert!(place.owner("test").is_some(), "it is tried again");
    let said = place.refused(&["resume-task", "test"]);
    assert!(said.contains("[code=10001"), "{said}");
    let short = place.json(&["query-status"]);
    assert!(short["tasks"][0]["taskStatus"].as_str().unwrap().starts_with("Error - Some"));
    // Paused and stopped meanwhile, then started once more.
    place.json(&["pause-task", "test"]);
    place.json(&["stop-task", "test"]);
    wait::until("its process has ended", PATIENCE, || place.owner("test").is_none());
    assert_eq!(place.stage("source-1"), "Stopped");
    place.refused(&["start-task", "task.yaml"]);
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    proxy.refuse(false);
    wait_rows(to, "t", 3);
    let status = place.wait_stage("source-1", "Running");
    assert_eq!(status["result"], serde_json::Value::Null);
    assert_databases_equal(from, Target::Server(to), &[DB]);
    let history = place.dm(&["history", "test"]).expect_success().stdout;
    for line in
        ["start-task: done", "start-task: failed", "resume-task: failed", "pause-task: done"]
    {
        assert!(history.contains(line), "{line}: {history}");
    }
    place.json(&["stop-task", "test"]);
}

/// What cannot begin says why, at the start and afterwards, and can be forgotten although its target is gone.
#[test]
fn what_cannot_begin_says_why() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    let good = std::fs::read_to_string(place.path().join("task.yaml")).unwrap();
    let bad = good.replace(&format!("port: {}", to.address.port), "port: 1");
    place.dm.write("task.yaml", &bad);
    let refused = place.refused(&["start-task", "task.yaml"]);
    assert!(refused.contains("[code=10001"), "{refused}");
    wait::until("its process has ended", PATIENCE, || place.owner("test").is_none());
    let status = place.status("source-1");
    assert_eq!(status["result"]["errors"][0]["ErrCode"], 10001, "{status:#}");
    place.dm(&["reset", "test", "--yes"]).expect_failure(&["[code=10001", "--keep-marks"]);
    place.dm(&["reset", "test", "--yes", "--keep-marks"]).expect_success();
    assert_eq!(place.json(&["query-status"])["tasks"], serde_json::json!([]));
    // One that has begun: its error stands where "Stopped" stood.
    place.dm.write("task.yaml", &good);
    place.start(to);
    place.json(&["stop-task", "test"]);
    let password = format!("password: \"{}\"", to.address.password);
    let (before, after) = good.split_once(&password).expect("the target's password");
    place.dm.write("task.yaml", &format!("{before}password: \"wrong\"{after}"));
    place.refused(&["start-task", "task.yaml"]);
    wait::until("its process has ended", PATIENCE, || place.owner("test").is_none());
    let status = place.status("source-1");
    assert_eq!(status["stage"], "Paused", "{status:#}");
    let cause = status["result"]["errors"][0]["RawCause"].as_str().unwrap_or_default();
    assert!(cause.contains("1045"), "{status:#}");
    place.dm.write("task.yaml", &good);
    place.json(&["start-task", "task.yaml"]);
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    wait_rows(to, "t", 3);
    place.json(&["stop-task", "test"]);
}

/// dmctl's scripts read JSON from check-task, too; what it warns of, start-task says as well. What was commanded
/// without a process is in the history.
#[test]
fn a_start_tells_what_the_checks_warn_of() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    from.run(DB, "CREATE TABLE bare (v INT)");
    let mut place = Place::new(&[from], to);
    let words = place.dm(&["check-task", "task.yaml"]).expect_success();
    assert!(words.stdout.contains("1 with warnings"), "{}", words.stdout);
    place.call_as("dmctl");
    let checked = place.json(&["check-task", "task.yaml"]);
    let said = checked["msg"].as_str().unwrap();
    assert!(said.starts_with("check pass with warnings: {") && said.contains("`bare`"), "{said}");
    assert_eq!(place.json(&["check-source", "source-1.yaml"])["sources"][0]["source"], "source-1");
    let outcome = place.dm(&["start-task", "task.yaml"]).expect_success();
    let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(json["checkResult"], checked["msg"], "{json:#}");
    let warned = "warning: source source-1: primary_key";
    assert!(outcome.stderr.contains(warned), "{}", outcome.stderr);
    wait_rows(to, "t", 2);
    place.wait_sync("source-1");
    let refused = place.refused(&["handle-error", "test", "replace", "no statement"]);
    assert!(refused.contains("[code=36067"), "{refused}");
    place.json(&["handle-error", "test", "skip", "-b", "binlog.999999:4"]);
    place.kill_owner("test");
    place.json(&["pause-task", "task.yaml"]);
    let at = from.position();
    let at = format!("{}:{}", at.file, at.pos);
    place.dm(&["checkpoint", "set", "task.yaml", "-s", "source-1", &at]).expect_success();
    let history = place.dm(&["history", "task.yaml"]).expect_success().stdout;
    for line in [
        "start-task: done",
        "handle-error skip -b binlog.999999:4 -s source-1: done",
        "pause-task: done",
        &format!("checkpoint set {at} -s source-1: done"),
    ] {
        assert!(history.contains(line), "{line}: {history}");
    }
    place.json(&["stop-task", "test"]);
    // Once more into the same directory, as a script that runs every night does.
    for _ in 0..2 {
        place.dm(&["config", "export"]).expect_success();
    }
    place.dm(&["purge-relay", "-s", "source-1", "-f", "x.000001"]).expect_failure(&["start-relay"]);
}
