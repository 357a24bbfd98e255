//! Every command against a task in every stage: one table. A row is a command, a column is a stage,
//! and a field says whether it is carried out, or with which words it is refused. Commands that change
//! the stage stand in `commands.rs`, one after the other.

use crate::place::{DB, PATIENCE, Place, fill, servers, wait_rows};
use crate::support::dm::Process;
use crate::support::server::Server;
use crate::support::{serial, wait};

/// What a stage answers; the stages in the order of [`STAGES`]. `""` is carried out.
type Row = (&'static [&'static str], [&'static str; 7]);

const STAGES: [&str; 7] =
    ["unknown", "running", "paused", "error", "finished", "killed", "stopped"];

const UNKNOWN: &str = "[code=46018";
const OWNED: &str = "[code=24103";
const NOT_PAUSED: &str = "[code=40051";
const PART_OF_IT: &str = "is part of the task already";
const NO_STREAM: &str = "[code=40056";
const NO_PART: &str = "[code=46034";
const NO_LOCK: &str = "there is no DDL lock";
const FOREIGN: &str = "[code=66010";

/// Commands that leave the stage as it is.
const TABLE: &[Row] = &[
    (&["query-status", "test"], [UNKNOWN, "", "", "", "", "", ""]),
    (&["query-status", "test", "--more"], [UNKNOWN, "", "", "", "", "", ""]),
    (&["history", "test"], [UNKNOWN, "", "", "", "", "", ""]),
    (&["get-config", "task", "test"], [UNKNOWN, "", "", "", "", "", ""]),
    (&["config", "task", "test"], [UNKNOWN, "", "", "", "", "", ""]),
    (&["checkpoint", "show", "test"], [UNKNOWN, "", "", "", "", "", ""]),
    (&["show-ddl-locks", "test"], ["", "", "", "", "", "", ""]),
    (&["check-task", "task.yaml"], ["", "", "", "", "", "", ""]),
    (&["explain", "task.yaml"], ["", "", "", "", "", "", ""]),
    (&["watch", "test"], [UNKNOWN, "", "", "", "", "", ""]),
    (&["config", "export"], ["", "", "", "", "", "", ""]),
    (&["unlock-ddl-lock", "x"], [NO_LOCK, NO_LOCK, NO_LOCK, NO_LOCK, NO_LOCK, NO_LOCK, NO_LOCK]),
    (
        &["import-dm-checkpoint", "task.yaml"],
        [FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN],
    ),
    (&["validate", "task.yaml"], ["", "", "", "", "", "", ""]),
    (&["binlog", "list", "test"], [UNKNOWN, "", "", "", "", "", ""]),
    (
        &["handle-error", "test", "skip", "-b", "binlog.999999:4"],
        [UNKNOWN, "", "", "", NO_STREAM, "", ""],
    ),
    (
        &["handle-error", "test", "revert", "-b", "binlog.999999:4"],
        [UNKNOWN, "", "", "", NO_STREAM, "", ""],
    ),
    (
        &["operate-schema", "get", "test", "-d", "op", "-t", "t"],
        [UNKNOWN, "", "", "", "[code=44005", "", ""],
    ),
    (
        &["operate-schema", "set", "test", "t.sql", "-d", "op", "-t", "t"],
        [UNKNOWN, NOT_PAUSED, "", "", NO_STREAM, "", ""],
    ),
    (
        &["binlog-schema", "update", "test", "op", "t", "t.sql"],
        [UNKNOWN, NOT_PAUSED, "", "", NO_STREAM, "", ""],
    ),
    (
        &["operate-schema", "remove", "test", "-d", "op", "-t", "nobody"],
        [UNKNOWN, NOT_PAUSED, "", "", "", "", ""],
    ),
    (
        &["add-table", "test", "--table", "op.t"],
        [UNKNOWN, PART_OF_IT, PART_OF_IT, PART_OF_IT, "does not follow", PART_OF_IT, PART_OF_IT],
    ),
    (
        &["add-table", "test", "--table", "op.t", "--cancel"],
        [
            UNKNOWN,
            "is not being added",
            "is not being added",
            "is not being added",
            "is not being added",
            "is not being added",
            "is not being added",
        ],
    ),
    (
        &["pause-task", "test", "-s", "nobody"],
        ["does not exist", NO_PART, NO_PART, NO_PART, NO_PART, NO_PART, NO_PART],
    ),
    (
        &["resume-task", "test", "-s", "nobody"],
        ["does not exist", NO_PART, NO_PART, NO_PART, NO_PART, NO_PART, NO_PART],
    ),
    (
        &["stop-task", "test", "-s", "nobody"],
        ["does not exist", NO_PART, NO_PART, NO_PART, NO_PART, NO_PART, NO_PART],
    ),
    (
        &["start-task", "task.yaml", "-s", "nobody"],
        [NO_PART, NO_PART, NO_PART, NO_PART, NO_PART, NO_PART, NO_PART],
    ),
    (&["operate-source", "show"], ["", "", "", "", "", "", ""]),
    (
        &["operate-source", "update", "source-1.yaml"],
        ["", "[code=46025", "[code=46025", "[code=46025", "", "", ""],
    ),
    // The last: it moves the position where it is carried out.
    (
        &["checkpoint", "set", "test", "-s", "source-1", "binlog.000001:4"],
        [UNKNOWN, OWNED, OWNED, OWNED, "", "", ""],
    ),
];

/// A task `test` in a stage.
fn bring_to(stage: &str, from: &Server, to: &Server) -> Place {
    let place = Place::empty(&[from], to, if stage == "finished" { "full" } else { "all" });
    place.json(&["operate-source", "create", "source-1.yaml"]);
    place.dm.write("t.sql", "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))");
    if stage == "unknown" {
        return place;
    }
    place.json(&["start-task", "task.yaml"]);
    if stage == "finished" {
        place.wait_stage("source-1", "Finished");
        wait::until("its process has ended", PATIENCE, || place.owner("test").is_none());
        return place;
    }
    place.wait_sync("source-1");
    match stage {
        "paused" => drop(place.json(&["pause-task", "test"])),
        "error" => {
            to.run(DB, "INSERT INTO t VALUES (3, 'foreign')");
            from.run(DB, "INSERT INTO t VALUES (3, 'three')");
            place.wait_stage("source-1", "Paused");
        }
        "killed" => place.kill_owner("test"),
        "stopped" => drop(place.json(&["stop-task", "test"])),
        _ => {}
    }
    place
}

#[test]
fn every_command_in_every_stage() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let mut wrong = Vec::new();
    for (at, stage) in STAGES.iter().enumerate() {
        from.clear();
        to.clear();
        fill(from, "t");
        let place = bring_to(stage, from, to);
        let before = (*stage != "unknown").then(|| place.stage("source-1"));
        for (args, expected) in TABLE {
            let outcome = place.dm(args);
            let said = format!("{}{}", outcome.stdout, outcome.stderr);
            let fits = match expected[at] {
                "" => outcome.status.success(),
                words => outcome.status.code() == Some(1) && said.contains(words),
            };
            if !fits || said.contains("panicked") {
                let code = outcome.status.code();
                wrong.push(format!("{stage}: {args:?} {code:?}, not {:?}: {said}", expected[at]));
            }
        }
        let after = (*stage != "unknown").then(|| place.stage("source-1"));
        assert_eq!(before, after, "nothing of this changes the stage");
        if place.owner("test").is_some() {
            place.json(&["stop-task", "test"]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A structure is given to a paused task, as DM demands it, and the task reads its rows by it.
#[test]
fn a_paused_task_takes_a_structure() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    place.start(to);
    place.json(&["pause-task", "test"]);
    let args = ["operate-schema", "set", "test", "t.sql", "-d", DB, "-t", "t"];
    place.dm.write("t.sql", "CREATE TABLE t (id INT PRIMARY KEY)");
    place.json(&args);
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    // The row has a column that the given structure lacks, which is met before or behind the answer.
    place.answer(&["resume-task", "test"]);
    let status = place.wait_stage("source-1", "Paused");
    assert_eq!(status["result"]["errors"][0]["ErrCode"], 36027, "{status:#}");
    assert_eq!(status["nextAttempt"], "", "{status:#}");
    place.dm.write("t.sql", "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))");
    place.json(&args);
    place.json(&["resume-task", "test"]);
    wait_rows(to, "t", 3);
    // By the task's name alone: it knows its servers.
    place.json(&["pause-task", "test"]);
    for side in ["--from-source", "--from-target"] {
        place.json(&["binlog-schema", "update", "test", DB, "t", side]);
    }
    // Of a table that is not tracked the target's is shown, as in DM.
    place.json(&["operate-schema", "remove", "test", "-d", DB, "-t", "t"]);
    let shown = place.json(&["operate-schema", "get", "test", "-d", DB, "-t", "t"]);
    assert_eq!(shown["sources"][0]["assumed"], true, "{shown:#}");
    assert!(shown["sources"][0]["msg"].as_str().unwrap().contains("`v` varchar(20)"), "{shown:#}");
    place.json(&["stop-task", "test"]);
}

/// Whoever comes first, every command is answered, and the last word holds.
#[test]
fn commands_at_once_are_all_answered() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    // Two starts: one of them starts it.
    let start = || Process::spawn(place.command(&["start-task", "task.yaml"]));
    let both = [start(), start()].map(|p| p.wait(PATIENCE).stdout);
    assert!(both.iter().any(|said| said.contains("\"result\": true")), "{both:?}");
    wait_rows(to, "t", 2);
    place.wait_sync("source-1");
    let verbs = ["pause-task", "resume-task", "query-status", "pause-task", "resume-task"];
    let all: Vec<Process> =
        verbs.iter().map(|verb| Process::spawn(place.command(&[verb, "test"]))).collect();
    for (verb, process) in verbs.iter().zip(all) {
        let outcome = process.wait(PATIENCE);
        let json: serde_json::Value = serde_json::from_str(&outcome.stdout)
            .unwrap_or_else(|e| panic!("{verb}: {e}: {}{}", outcome.stdout, outcome.stderr));
        assert!(json["result"].is_boolean(), "{verb}: {json:#}");
    }
    place.json(&["resume-task", "test"]);
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    wait_rows(to, "t", 3);
    let stops = [(); 2].map(|()| Process::spawn(place.command(&["stop-task", "test"])));
    for stop in stops {
        stop.wait(PATIENCE).expect_success();
    }
    assert_eq!((place.owner("test"), place.stage("source-1")), (None, "Stopped".to_owned()));
}

/// A command whose sender was killed is carried out all the same, or not at all.
#[test]
fn a_dead_senders_command_is_answered() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::new(&[from], to);
    let mut start = Process::spawn(place.command(&["start-task", "task.yaml"]));
    wait::until("the task has a process", PATIENCE, || {
        !start.is_running() || place.owner("test").is_some()
    });
    start.kill();
    wait_rows(to, "t", 2);
    place.wait_sync("source-1");
    let mailbox = dm_core::state::Mailbox::open(&place.dm.state(), "test").unwrap();
    let id = mailbox.post("pause-task", &serde_json::json!({})).unwrap();
    place.wait_stage("source-1", "Paused");
    let letter =
        wait::poll(PATIENCE, || mailbox.command(id).unwrap().filter(|l| l.state.is_final()));
    assert_eq!(letter.unwrap().state, dm_core::state::CommandState::Done);
    // A word that this version does not know, and one in another form.
    for (verb, args) in
        [("fly", serde_json::json!({})), ("pause-task", serde_json::json!({"sources": 7}))]
    {
        let id = mailbox.post(verb, &args).unwrap();
        let letter =
            wait::poll(PATIENCE, || mailbox.command(id).unwrap().filter(|l| l.state.is_final()));
        assert_eq!(letter.unwrap().state, dm_core::state::CommandState::Failed, "{verb}");
    }
    place.json(&["stop-task", "test"]);
}

/// A copy whose target swallows packets is paused in time, and goes on where it stood.
#[test]
fn a_copy_into_a_black_hole_is_paused() {
    use crate::support::compare::{Target, assert_databases_equal};
    use crate::support::proxy::Proxy;
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let rows: Vec<String> = (3..3_000).map(|i| format!("({i}, 'row {i}')")).collect();
    from.run(DB, &format!("INSERT INTO t VALUES {}", rows.join(",")));
    let proxy = Proxy::start(&to.address.host, to.address.port);
    let place = crate::faults::place(&from.address, &crate::faults::through(&proxy, to));
    proxy.throttle(20_000);
    let starting = Process::spawn(place.command(&["start-task", "task.yaml"]));
    // The copy has begun to write.
    wait::until("the first rows are on their way", PATIENCE, || {
        to.databases().iter().any(|db| db == DB) && proxy.passed() > 40_000
    });
    proxy.black_hole(true);
    let paused = place.answer(&["pause-task", "test"]);
    assert_eq!(paused["result"], true, "{paused:#}");
    assert_eq!(place.stage("source-1"), "Paused");
    drop(starting);
    proxy.black_hole(false);
    proxy.throttle(0);
    place.json(&["resume-task", "test"]);
    wait_rows(to, "t", 2_999);
    assert_databases_equal(from, Target::Server(to), &[DB]);
    place.json(&["stop-task", "test"]);
}

/// How long `query-status` takes while the task works as fast as it can: printed, and not judged, because
/// the machine that runs the tests has other work.
#[test]
fn the_status_is_told_at_full_speed() {
    use crate::support::server::Flavor;
    use crate::support::workload::Load;
    use std::time::Instant;
    let _one = serial();
    let Some((from, to, seed)) = Load::stage("w", Flavor::Mysql) else { return };
    let sources = [&from.address];
    let target = crate::support::compare::Target::Server(&to.address);
    let place = Place::of(&crate::support::dm::Task::new("all", &sources, target, &["w"]));
    place.json(&["operate-source", "create", "source-1.yaml"]);
    place.json(&["start-task", "task.yaml"]);
    place.wait_sync("source-1");
    let load = Load::start(from, "w", seed, 2, 100_000);
    load.advance(50);
    let mut times: Vec<u128> = (0..20)
        .map(|_| {
            let began = Instant::now();
            place.json(&["query-status", "test"]);
            began.elapsed().as_millis()
        })
        .collect();
    times.sort_unstable();
    println!("query-status: {} ms, at most {} ms", times[10], times[19]);
    load.finish();
    place.json(&["stop-task", "test"]);
}
