//! The HTTP interface of a task in the background: what cannot be served is told by the command itself, and
//! what is served is served again when the task goes on in another process.

use std::net::TcpListener;

use crate::place::{DB, Place, servers, wait_rows};
use crate::support::dm::Outcome;
use crate::support::server::free_port;
use crate::support::{http, serial};

/// Where a command says that the task answers.
fn told(outcome: &Outcome) -> Option<String> {
    http::told_in(&outcome.stderr)
}

fn metrics_are_at(site: &str) {
    let metrics = http::get(site, "/metrics");
    assert!(metrics.contains("dm_worker_task_state{task=\"test\",source_id=\"source-1\""));
    let status: serde_json::Value = serde_json::from_str(&http::get(site, "/status")).unwrap();
    assert_eq!(status["task"], "test");
}

/// Nothing begins where the interface that is asked for cannot be had.
fn wrong_addresses_are_told(place: &Place) {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let held_at = held.local_addr().unwrap().to_string();
    for (args, why) in [
        (&["--http", "0.0.0.0:0"][..], "--http-cert"),
        (&["--http", &held_at], "cannot listen"),
        (&["--http", "127.0.0.1:0", "--http-token-file", "nowhere"], "nowhere"),
    ] {
        let said = place.refused(&[&["start-task", "task.yaml"], args].concat());
        assert!(said.contains(why), "{args:?}: {said}");
        assert_eq!(place.owner("test"), None, "{args:?}");
    }
    let list = place.json(&["query-status"]);
    assert_eq!(list["tasks"], serde_json::json!([]), "nothing has begun");
}

/// Starts the task where nobody listens at this moment.
fn start_at_a_port(place: &Place) -> String {
    for _ in 0..5 {
        let address = format!("127.0.0.1:{}", free_port());
        let outcome = place.dm(&["start-task", "task.yaml", "--http", &address]);
        if outcome.status.success() {
            assert_eq!(told(&outcome), Some(address.clone()), "{}", outcome.stderr);
            return address;
        }
        assert!(outcome.stdout.contains("cannot listen"), "{}", outcome.stdout);
    }
    panic!("every port is taken");
}

#[test]
fn a_task_in_the_background_answers_over_http() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    wrong_addresses_are_told(&place);
    let address = start_at_a_port(&place);
    wait_rows(to, "t", 2);
    metrics_are_at(&address);
    // A process has it from its start on.
    let resumed = place.json(&["resume-task", "test", "--http", "127.0.0.1:0"]);
    let said = resumed["sources"][0]["msg"].as_str().unwrap_or_default();
    assert!(said.contains("--http is ignored"), "{resumed:#}");
    let all = place.dm(&["resume-task", "-s", "source-1", "--http", "127.0.0.1:0"]);
    all.expect_failure(&["name the task"]);

    // The next process serves the same, whoever it was that ended the one before.
    place.kill_owner("test");
    let resumed = place.dm(&["resume-task", "test"]).expect_success();
    assert_eq!(told(&resumed), Some(address.clone()), "{}", resumed.stderr);
    metrics_are_at(&address);
    place.kill_owner("test");
    // Of this test, or of somebody else who was quicker.
    let _held = TcpListener::bind(&address);
    let asked = place.refused(&["resume-task", "test", "--http", &address]);
    assert!(asked.contains("cannot listen"), "{asked}");
    assert_eq!(place.owner("test"), None);
    // What nobody has asked for now keeps no rows from arriving.
    let resumed = place.dm(&["resume-task", "test"]).expect_success();
    let without = "warning: the task goes on without its HTTP interface: --http";
    assert!(resumed.stderr.contains(without), "{}", resumed.stderr);
    assert!(place.log().contains("goes on without its HTTP interface"), "{}", place.log());
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    wait_rows(to, "t", 3);
    place.kill_owner("test");
    let resumed = place.dm(&["resume-task", "test", "--http", "127.0.0.1:0"]).expect_success();
    metrics_are_at(&told(&resumed).expect("another address"));

    place.json(&["stop-task", "test"]);
    let started = place.dm(&["start-task", "task.yaml"]).expect_success();
    assert_eq!(told(&started), None, "without --http nothing is served");
    place.json(&["stop-task", "test"]);
}
