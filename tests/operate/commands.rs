//! Every command against a task in every stage: the right answer or a clear refusal, never a hang.

use std::time::{Duration, Instant};

use crate::place::{DB, PATIENCE, Place, fill, servers, wait_rows};
use crate::support::dm::Process;
use crate::support::server::{Flavor, Server};
use crate::support::{serial, wait};

#[test]
fn an_unknown_task_is_told() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    for verb in ["pause-task", "resume-task", "stop-task", "query-status"] {
        let said = place.refused(&[verb, "nobody"]);
        assert!(said.contains("nobody") && said.contains("does not exist"), "{verb}: {said}");
    }
    let list = place.json(&["query-status"]);
    assert_eq!(list["tasks"], serde_json::json!([]));
    for verb in ["history", "reset", "watch"] {
        place.dm(&[verb, "nobody"]).expect_failure(&["[code=46018"]);
    }
    assert!(place.refused(&["pause-task", "-s", "source-1"]).contains("no task has a part"));
}

#[test]
fn the_life_of_a_task() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    let started = place.json(&["start-task", "task.yaml"]);
    assert_eq!(started["sources"][0]["source"], "source-1");
    wait_rows(to, "t", 2);
    place.wait_sync("source-1");
    // Running.
    assert!(place.refused(&["start-task", "task.yaml"]).contains("[code=46014"));
    assert_eq!(place.json(&["resume-task", "test"])["op"], "Resume");
    place.dm(&["reset", "test", "--yes"]).expect_code(24103);
    place.dm(&["checkpoint", "set", "test", "-s", "source-1", "x.000001:4"]).expect_code(24103);
    assert!(place.refused(&["operate-source", "stop", "source-1"]).contains("46010"));
    assert!(place.refused(&["operate-source", "update", "source-1.yaml"]).contains("46025"));
    // Paused by its user, by name or by file.
    assert_eq!(place.json(&["pause-task", "task.yaml"])["op"], "Pause");
    let status = place.status("source-1");
    assert_eq!((&status["stage"], &status["unit"]), (&"Paused".into(), &"Sync".into()));
    assert_eq!(
        status["result"],
        serde_json::json!({"isCanceled": true, "errors": [], "detail": null})
    );
    place.json(&["pause-task", "test"]);
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    assert!(place.refused(&["start-task", "task.yaml"]).contains("[code=46014"));
    let short = place.json(&["query-status"]);
    assert_eq!(short["tasks"][0]["taskStatus"], "Paused");
    // And on.
    place.json(&["resume-task", "test", "-s", "source-1"]);
    wait_rows(to, "t", 3);
    assert_eq!(place.stage("source-1"), "Running");
    // Stopped: DM does not list it any more, and it goes on where it stood.
    assert_eq!(place.json(&["stop-task", "test"])["op"], "Stop");
    assert_eq!(place.owner("test"), None);
    assert_eq!(place.json(&["query-status"])["tasks"], serde_json::json!([]));
    assert_eq!(place.stage("source-1"), "Stopped");
    for verb in ["pause-task", "resume-task"] {
        assert!(place.refused(&[verb, "test"]).contains("it is stopped"), "{verb}");
    }
    place.json(&["stop-task", "test"]);
    from.run(DB, "INSERT INTO t VALUES (4, 'four')");
    place.json(&["start-task", "task.yaml"]);
    wait_rows(to, "t", 4);
    let history = place.dm(&["history", "test"]).expect_success().stdout;
    for word in ["pause-task", "resume-task -s source-1", "stop-task", "start-task"] {
        assert!(history.contains(word), "{history}");
    }
    place.json(&["stop-task", "test"]);
    // What decides where the marks are cannot change; which rows are taken can.
    let good = std::fs::read_to_string(place.path().join("task.yaml")).unwrap();
    place.dm.write("task.yaml", &format!("{good}meta-schema: elsewhere\n"));
    let said = place.refused(&["start-task", "task.yaml"]);
    assert!(said.contains("[code=40081") && said.contains("meta-schema"), "{said}");
    place
        .dm
        .write("task.yaml", &good.replace(&format!("[\"{DB}\"]"), &format!("[\"{DB}\", \"x\"]")));
    let outcome = place.dm(&["start-task", "task.yaml"]).expect_success();
    assert!(outcome.stderr.contains("follows the old rules"), "{}", outcome.stderr);
    place.json(&["stop-task", "test"]);
}

#[test]
fn a_killed_process_is_told_and_the_task_goes_on() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    place.json(&["start-task", "task.yaml"]);
    wait_rows(to, "t", 2);
    place.kill_owner("test");
    let status = place.status("source-1");
    assert_eq!(status["stage"], "Paused");
    assert_eq!(status["result"]["errors"][0]["ErrCode"], 66002);
    let short = place.json(&["query-status"]);
    let word = short["tasks"][0]["taskStatus"].as_str().unwrap();
    assert!(word.starts_with("Error - Some error occurred in subtask"), "{word}");
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    place.json(&["resume-task", "test"]);
    wait_rows(to, "t", 3);
    // A command that its reader does not live to answer, and one whose sender is gone.
    place.kill_owner("test");
    let mailbox = dm_core::state::Mailbox::open(&place.dm.state(), "test").unwrap();
    mailbox.post("stop-task", &serde_json::json!({})).unwrap();
    from.run(DB, "INSERT INTO t VALUES (4, 'four')");
    place.json(&["start-task", "task.yaml"]);
    wait_rows(to, "t", 4);
    assert_eq!(place.stage("source-1"), "Running");
    // Killed, then paused, then resumed: what is wanted is noted although nobody runs it.
    place.kill_owner("test");
    place.json(&["pause-task", "test"]);
    assert_eq!(place.status("source-1")["result"]["isCanceled"], true);
    place.json(&["resume-task", "test"]);
    assert_eq!(place.stage("source-1"), "Running");
    place.kill_owner("test");
    place.json(&["stop-task", "test"]);
    assert_eq!(place.stage("source-1"), "Stopped");
}

#[test]
fn one_source_of_two_is_paused_stopped_and_started() {
    let _one = serial();
    let Some((first, to)) = servers() else { return };
    let Some(second) = Server::shared(Flavor::Mariadb, "src") else { return };
    second.clear();
    fill(second, "u");
    let place = Place::new(&[first, second], to);
    let started = place.json(&["start-task", "task.yaml", "-s", "source-1"]);
    assert_eq!(started["sources"].as_array().map(Vec::len), Some(1));
    wait_rows(to, "t", 2);
    place.json(&["start-task", "task.yaml", "-s", "source-2"]);
    wait_rows(to, "u", 2);
    place.json(&["pause-task", "test", "-s", "source-2"]);
    assert_eq!(
        (place.stage("source-1"), place.stage("source-2")),
        ("Running".into(), "Paused".into())
    );
    first.run(DB, "INSERT INTO t VALUES (3, 'three')");
    second.run(DB, "INSERT INTO u VALUES (3, 'three')");
    wait_rows(to, "t", 3);
    // A process that is started anew leaves paused what was paused.
    place.kill_owner("test");
    place.json(&["resume-task", "test", "-s", "source-1"]);
    assert_eq!(
        (place.stage("source-1"), place.stage("source-2")),
        ("Running".into(), "Paused".into())
    );
    place.json(&["resume-task", "-s", "source-2"]);
    wait_rows(to, "u", 3);
    place.json(&["stop-task", "test", "-s", "source-1"]);
    assert_eq!(place.stage("source-1"), "Stopped");
    second.run(DB, "INSERT INTO u VALUES (4, 'four')");
    wait_rows(to, "u", 4);
    place.json(&["start-task", "task.yaml", "-s", "source-1"]);
    assert!(place.refused(&["stop-task", "test", "-s", "source-9"]).contains("source-9"));
    place.json(&["stop-task", "task.yaml"]);
}

#[test]
fn a_duplicate_key_pauses_its_source_alone_and_a_resume_gets_over_it() {
    let _one = serial();
    let Some((first, to)) = servers() else { return };
    let Some(second) = Server::shared(Flavor::Mariadb, "src") else { return };
    second.clear();
    fill(second, "u");
    let place = Place::new(&[first, second], to);
    place.start(to);
    wait_rows(to, "u", 2);
    to.run(DB, "INSERT INTO t VALUES (3, 'foreign')");
    first.run(DB, "INSERT INTO t VALUES (3, 'three'), (4, 'four')");
    let status = place.wait_stage("source-1", "Paused");
    let error = &status["result"]["errors"][0];
    assert_eq!(status["result"]["isCanceled"], false);
    assert!(error["RawCause"].as_str().unwrap().contains("1062"), "{error:#}");
    second.run(DB, "INSERT INTO u VALUES (3, 'three')");
    wait_rows(to, "u", 3);
    // Exactly as before it stops at the same place, sooner or later than the answer.
    place.answer(&["resume-task", "test", "-s", "source-1", "--no-safe-mode"]);
    place.wait_stage("source-1", "Paused");
    let resumed = place.json(&["resume-task", "test", "-s", "source-1"]);
    let said = resumed["sources"][0]["msg"].as_str().unwrap();
    assert!(said.contains("duplicate key") && said.contains("idempotently"), "{said}");
    wait_rows(to, "t", 4);
    let value: String = to.value(&format!("SELECT v FROM {DB}.t WHERE id = 3"));
    assert_eq!(value, "three");
    // Past that point it is exact again.
    first.run(DB, "INSERT INTO t VALUES (5, 'five')");
    wait_rows(to, "t", 5);
    wait::until("safe mode is over", PATIENCE, || {
        place.status("source-1")["safeMode"]["on"] == false
    });
    place.json(&["stop-task", "test"]);
}

#[test]
fn safe_mode_may_be_asked_for() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    place.start(to);
    place.json(&["pause-task", "test"]);
    let resumed = place.json(&["resume-task", "test", "--safe-mode", "1h"]);
    assert!(resumed["sources"][0]["msg"].as_str().unwrap().contains("3600 s"), "{resumed:#}");
    let told = wait::poll(PATIENCE, || {
        let told = place.status("source-1")["safeMode"].clone();
        (told["on"] == true).then_some(told)
    });
    let told = told.expect("safe mode is told");
    assert_eq!(told["reason"], "asked for at a resume", "{told:#}");
    assert!(told["until"].as_str().is_some_and(|until| until.starts_with("20")), "{told:#}");
    to.run(DB, "INSERT INTO t VALUES (3, 'foreign')");
    from.run(DB, "INSERT INTO t VALUES (3, 'three'), (4, 'four')");
    wait_rows(to, "t", 4);
    let value: String = to.value(&format!("SELECT v FROM {DB}.t WHERE id = 3"));
    assert_eq!(value, "three");
    place.dm(&["resume-task", "test", "--safe-mode", "soon"]).expect_failure(&["soon"]);
    // Up to a place in the binlog, here the end of what is being written while it is paused.
    place.json(&["pause-task", "test"]);
    to.run(DB, "INSERT INTO t VALUES (5, 'foreign')");
    from.run(DB, "INSERT INTO t VALUES (5, 'five'), (6, 'six')");
    let end = from.position();
    let upto = format!("{}:{}", end.file, end.pos);
    let resumed = place.json(&["resume-task", "test", "--safe-mode", &upto]);
    let said = resumed["sources"][0]["msg"].as_str().unwrap();
    assert!(said.contains(&end.file) && said.contains("idempotently"), "{said}");
    wait_rows(to, "t", 6);
    let value: String = to.value(&format!("SELECT v FROM {DB}.t WHERE id = 5"));
    assert_eq!(value, "five");
    place.json(&["stop-task", "test"]);
}

/// Two tasks of a source in one state directory: each has its process, and a command that names the source
/// is one to both.
#[test]
fn several_tasks_in_one_state_directory() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    from.run("", "CREATE DATABASE beside; CREATE TABLE beside.u (id INT PRIMARY KEY)");
    let text = std::fs::read_to_string(place.path().join("task.yaml")).unwrap();
    let other =
        text.replace("name: test", "name: other").replace(&format!("\"{DB}\""), "\"beside\"");
    place.dm.write("other.yaml", &other);
    place.json(&["start-task", "task.yaml"]);
    place.json(&["start-task", "other.yaml"]);
    wait_rows(to, "t", 2);
    place.wait_sync("source-1");
    assert_ne!(place.owner("test"), place.owner("other"));
    let list = place.json(&["query-status"]);
    let names: Vec<&str> = list["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["taskName"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["other", "test"]);
    let stages = || {
        ["other", "test"].map(|task| {
            let json = place.json(&["query-status", task]);
            json["sources"][0]["subTaskStatus"][0]["stage"].as_str().unwrap().to_owned()
        })
    };
    for (verb, stage) in
        [("pause-task", "Paused"), ("resume-task", "Running"), ("stop-task", "Stopped")]
    {
        let answer = place.json(&[verb, "-s", "source-1"]);
        let said: Vec<&str> = answer["sources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|source| source["msg"].as_str().unwrap())
            .collect();
        assert!(said[0].starts_with("task other") && said[1].starts_with("task test"), "{said:?}");
        assert_eq!(stages(), [stage, stage], "{verb}");
    }
    assert_eq!((place.owner("test"), place.owner("other")), (None, None));
}

#[test]
fn a_finished_task_says_so() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::empty(&[from], to, "full");
    let args = ["start-task", "task.yaml", "--source-file", "source-1.yaml"];
    place.json(&args);
    let status = place.wait_stage("source-1", "Finished");
    assert_eq!(status["load"]["progress"], "100.00 %");
    wait::until("its process has ended", PATIENCE, || place.owner("test").is_none());
    assert_eq!(place.json(&["query-status"])["tasks"][0]["taskStatus"], "Finished");
    for verb in ["pause-task", "resume-task"] {
        assert!(place.refused(&[verb, "test"]).contains("finished"), "{verb}");
    }
    assert!(place.refused(&args).contains("finished"));
    place.json(&["stop-task", "test"]);
    // Started again it has nothing to do; anew it wants its target empty.
    place.json(&args);
    place.wait_stage("source-1", "Finished");
    place.json(&["stop-task", "test"]);
    to.run("", &format!("DROP DATABASE {DB}"));
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    place.json(&[&args[..], &["--remove-meta"]].concat());
    place.wait_stage("source-1", "Finished");
    wait_rows(to, "t", 3);
    place.json(&["stop-task", "test"]);
    place.dm(&["reset", "test"]).expect_failure(&["--yes"]);
    let told = place.dm(&["reset", "test", "--yes"]).expect_success();
    assert!(told.stderr.contains("dm_meta") && told.stderr.contains("rows at the target stay"));
    assert!(place.refused(&["query-status", "test"]).contains("does not exist"));
    let marks: u64 = to.value("SELECT COUNT(*) FROM dm_meta.dm_task WHERE task = 'test'");
    assert_eq!(marks, 0);
}

/// A lock at the target holds the task up; commands are answered all the same.
#[test]
fn commands_are_answered_while_the_target_is_locked() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    place.start(to);
    let mut lock = to.conn();
    crate::support::sql::run(&mut lock, &format!("LOCK TABLES {DB}.t WRITE"));
    from.run(DB, "INSERT INTO t VALUES (3, 'three'); ALTER TABLE t ADD COLUMN w INT");
    let began = Instant::now();
    place.json(&["query-status", "test"]);
    place.json(&["pause-task", "test"]);
    assert!(began.elapsed() < wait::promised(Duration::from_secs(20)), "{:?}", began.elapsed());
    assert_eq!(place.stage("source-1"), "Paused");
    place.json(&["resume-task", "test"]);
    // Two at once: both are answered, and one of them holds.
    let spawn = |verb: &str| Process::spawn(place.command(&[verb, "test"]));
    let both = [spawn("pause-task"), spawn("resume-task")];
    both.into_iter().for_each(|process| drop(process.wait(PATIENCE)));
    drop(lock);
    place.json(&["resume-task", "test"]);
    wait_rows(to, "t", 3);
    place.json(&["stop-task", "test"]);
}

#[test]
fn a_newer_state_file_is_refused_and_the_others_are_shown() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    place.json(&["start-task", "task.yaml"]);
    place.json(&["stop-task", "test"]);
    let newer = place.dm.state().join("newer.db");
    std::fs::copy(place.dm.state().join("test.db"), &newer).unwrap();
    rusqlite::Connection::open(&newer).unwrap().execute_batch("PRAGMA user_version = 999").unwrap();
    for verb in ["query-status", "pause-task", "resume-task", "stop-task"] {
        assert!(place.refused(&[verb, "newer"]).contains("24106"), "{verb}");
    }
    let before = std::fs::read(&newer).unwrap();
    for args in [
        &["history", "newer"][..],
        &["reset", "newer", "--yes"],
        &["checkpoint", "show", "newer"],
        &["checkpoint", "set", "newer", "-s", "source-1", "binlog.000001:4"],
        &["handle-error", "newer", "skip", "-b", "binlog.000001:4"],
        &["operate-schema", "get", "newer", "-d", DB, "-t", "t"],
        &["operate-schema", "remove", "newer", "-d", DB, "-t", "t"],
        &["add-table", "newer", "--table", "op.t"],
    ] {
        let outcome = place.dm(args);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(outcome.status.code() == Some(1) && said.contains("24106"), "{args:?}: {said}");
    }
    assert!(std::fs::read(&newer).unwrap() == before, "nobody wrote into it");
    let list = place.json(&["query-status"]);
    let word = list["tasks"][0]["taskStatus"].as_str().unwrap();
    assert!(list["tasks"][0]["taskName"] == "newer" && word.contains("24106"), "{list:#}");
}

#[test]
fn a_task_that_cannot_run_is_not_started() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    let good = std::fs::read_to_string(place.path().join("task.yaml")).unwrap();
    place.dm.write("task.yaml", &good.replace("source-1", "source-7"));
    let said = place.refused(&["start-task", "task.yaml"]);
    assert!(said.contains("source-7"), "{said}");
    place.dm.write(
        "task.yaml",
        &good
            .replace("host: \"127.0.0.1\"", "host: \"127.0.0.2\"")
            .replace(&format!("port: {}", to.address.port), "port: 1"),
    );
    let said = place.refused(&["start-task", "task.yaml"]);
    assert!(said.contains("[code=10001"), "{said}");
    assert_eq!(place.owner("test"), None);
    place.dm.write("task.yaml", &good);
    place.json(&["start-task", "task.yaml"]);
    wait_rows(to, "t", 2);
    place.json(&["stop-task", "test"]);
}

/// Commands that only a cluster has say what replaces them, in DM's form and for people.
#[test]
fn what_only_a_cluster_has_is_told() {
    let place = Place::nothing();
    for (args, instead) in [
        (&["list-member"][..], "dm query-status"),
        (&["offline-member", "--worker", "--name", "w1"], "dm stop-task"),
        (&["transfer-source", "s", "w2"], "copy the state directory"),
        (&["operate-leader", "evict"], "no leader"),
        (&["refresh-worker-tasks"], "dm query-status"),
        (&["migrate-relay", "s", "mysql-bin.000001", "4"], "dm operate-source update"),
        (&["unlock-ddl-lock", "test-`a`.`b`"], "no DDL lock"),
        (&["shard-ddl-lock", "unlock", "test-`a`.`b`"], "no DDL lock"),
        (&["config", "master", "m1"], "no masters"),
        (&["get-config", "worker", "w1"], "no masters"),
        (&["config", "task-template", "t"], "no task templates"),
        (&["validation", "status", "test"], "no continuous validation"),
        (&["update-task", "task.yaml"], "dm resume-task task.yaml"),
        (&["query-error", "test"], "dm query-status"),
        (&["sql-skip", "--worker=127.0.0.1:8262", "test"], "dm binlog skip"),
        (&["break-ddl-lock", "--worker=127.0.0.1:8262", "test"], "no DDL lock"),
    ] {
        let refused = place.refused(args);
        assert!(refused.contains(instead), "{args:?}: {refused}");
        let told = place.dm(args).expect_failure(&[instead]);
        assert!(told.stderr.starts_with(args[0]) || args[1] == "unlock", "{}", told.stderr);
        assert!(refused.contains("[code="), "{args:?}: {refused}");
    }
    // The keys are those of DM's answer to the same command.
    let members: serde_json::Value =
        serde_json::from_str(&place.dm(&["list-member"]).stdout).unwrap();
    assert_eq!(members["members"], serde_json::json!([]));
    let lock = place.dm(&["unlock-ddl-lock", "x"]).stdout;
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    assert_eq!(lock.as_object().map(serde_json::Map::len), Some(2), "{lock:#}");
}
