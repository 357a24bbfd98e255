//! Tasks in the background whose servers go away, and a task in the foreground that takes commands.

use std::time::Instant;

use serde_json::json;

use crate::place::{DB, PATIENCE, Place, servers, wait_rows};
use crate::support::compare::{Target, assert_databases_equal};
use crate::support::dm::Task;
use crate::support::proxy::Proxy;
use crate::support::server::{Address, Server};
use crate::support::{serial, wait};

pub fn through(proxy: &Proxy, server: &Server) -> Address {
    Address { host: "127.0.0.1".to_owned(), port: proxy.port, ..server.address.clone() }
}

pub fn place(from: &Address, to: &Address) -> Place {
    let sources = [from];
    let place = Place::of(&Task::new("all", &sources, Target::Server(to), &[DB]));
    place.json(&["operate-source", "create", "source-1.yaml"]);
    place
}

/// A target that is gone for a while pauses the task with the error; it goes on by itself.
#[test]
fn what_passes_by_itself_is_waited_for() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let proxy = Proxy::start(&to.address.host, to.address.port);
    let place = place(&from.address, &through(&proxy, to));
    place.start(to);
    proxy.refuse(true);
    proxy.cut();
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    let status = place.wait_stage("source-1", "Paused");
    assert_eq!(status["result"]["isCanceled"], false);
    let error = &status["result"]["errors"][0];
    assert!(error["ErrScope"] == "downstream", "{error:#}");
    assert!(!error["Workaround"].as_str().unwrap().is_empty(), "{error:#}");
    assert_ne!(status["nextAttempt"], "", "{status:#}");
    // A resume while it is still gone says why it cannot go on; it goes on waiting.
    let said = place.refused(&["resume-task", "test"]);
    assert!(said.contains("[code="), "{said}");
    proxy.refuse(false);
    wait_rows(to, "t", 3);
    place.wait_stage("source-1", "Running");
    assert_databases_equal(from, Target::Server(to), &[DB]);
    place.json(&["stop-task", "test"]);
}

/// Packets to the target vanish: every command is answered all the same, and nothing is lost.
#[test]
fn a_target_that_swallows_packets_holds_up_no_command() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let proxy = Proxy::start(&to.address.host, to.address.port);
    let place = place(&from.address, &through(&proxy, to));
    place.start(to);
    proxy.black_hole(true);
    from.run(DB, "INSERT INTO t VALUES (3, 'three'), (4, 'four')");
    let began = Instant::now();
    place.json(&["query-status", "test"]);
    let pause = place.answer(&["pause-task", "test"]);
    assert_eq!(pause["sources"][0]["source"], "source-1", "{pause:#}");
    place.json(&["query-status"]);
    assert!(began.elapsed() < wait::promised(PATIENCE / 2), "{:?}", began.elapsed());
    place.wait_stage("source-1", "Paused");
    proxy.black_hole(false);
    place.json(&["resume-task", "test"]);
    wait_rows(to, "t", 4);
    assert_databases_equal(from, Target::Server(to), &[DB]);
    place.json(&["stop-task", "test"]);
}

/// The source is gone at the start: nothing begins, and the answer says why.
#[test]
fn a_source_that_is_gone_is_told_at_once() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let proxy = Proxy::start(&from.address.host, from.address.port);
    let place = place(&through(&proxy, from), &to.address);
    proxy.refuse(true);
    let said = place.refused(&["start-task", "task.yaml"]);
    assert!(said.contains("[code=10001") && said.contains("source-1"), "{said}");
    assert_eq!(place.owner("test"), None);
    proxy.refuse(false);
    place.json(&["start-task", "task.yaml"]);
    wait_rows(to, "t", 2);
    place.json(&["stop-task", "test"]);
}

/// Ctrl-C while a run waits for a server that is away: it was stopped, and did not fail.
#[test]
fn a_run_that_waits_is_stopped_and_has_not_failed() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let proxy = Proxy::start(&to.address.host, to.address.port);
    let place = place(&from.address, &through(&proxy, to));
    let process = place.dm.start(&[]);
    wait_rows(to, "t", 2);
    place.wait_sync("source-1");
    proxy.refuse(true);
    proxy.cut();
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    let status = place.wait_stage("source-1", "Paused");
    assert_eq!(status["result"]["errors"].as_array().map(Vec::len), Some(1), "{status:#}");
    process.interrupt();
    let ended = process.wait(PATIENCE).expect_success();
    assert!(ended.stderr.contains("stopped; the same command goes on"), "{}", ended.stderr);
    let status = place.status("source-1");
    assert_eq!((&status["stage"], &status["result"]["errors"]), (&"Stopped".into(), &json!([])));
    proxy.refuse(false);
    place.json(&["resume-task", "test"]);
    wait_rows(to, "t", 3);
    place.json(&["stop-task", "test"]);
}

#[test]
fn a_run_in_the_foreground_takes_commands() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = place(&from.address, &to.address);
    let mut process = place.dm.start(&[]);
    wait_rows(to, "t", 2);
    place.wait_stage("source-1", "Running");
    place.json(&["pause-task", "test"]);
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    assert!(process.is_running());
    place.json(&["resume-task", "test"]);
    wait_rows(to, "t", 3);
    // Ctrl-C ends the process; the task is known as stopped, and resume-task goes on with it.
    process.interrupt();
    process.wait(PATIENCE).expect_success();
    assert_eq!(place.stage("source-1"), "Stopped");
    from.run(DB, "INSERT INTO t VALUES (4, 'four')");
    place.json(&["resume-task", "test"]);
    wait_rows(to, "t", 4);
    place.json(&["stop-task", "test"]);
    wait::until("its process has ended", PATIENCE, || place.owner("test").is_none());
}
