//! The relay log on real servers: files equal to the server's, readable by its own tool, whatever is
//! killed; the source becomes its replica; tasks that need what the source has purged.
//!
//! `DM_TEST_RELAY_KILLS` is the number of kills (3; 20 for a thorough run of everything), `DM_TEST_SEED` repeats the moments
//! and the load. `DM_TEST_RELAY_LATENCY` is a number of rows whose way is measured with a relay log and without,
//! and printed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

#[allow(dead_code)] // a part of it is used here
#[path = "operate/place.rs"]
mod place;
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable as _;

use place::{Place, wait_rows};
use support::authority::Authority;
use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Task, source_yaml};
use support::proxy::Proxy;
use support::random::Random;
use support::replica::{end_replication, follows, replica_of};
use support::samples::assert_like;
use support::server::{Address, Flavor, Server, tool_of};
use support::workload::{Load, run_big_transaction};
use support::{env_number, http, leave_out, serial, wait};

const DB: &str = "w";

/// A task whose source has a relay log.
fn relayed(task: &Task<'_>, more: &str) -> Dm {
    let mut dm = Dm::new();
    dm.write("task.yaml", &task.yaml());
    let text = source_yaml(1, task.sources[0], task.gtid);
    dm.add_source("source-1.yaml", &format!("{text}enable-relay: true\n{more}"));
    dm
}

fn relay_dir(dm: &Dm) -> PathBuf {
    dm.state().join("relay-dir/source-1")
}

/// The parts that the index names.
fn parts(dm: &Dm) -> Vec<PathBuf> {
    let index =
        std::fs::read_to_string(relay_dir(dm).join("server-uuid.index")).unwrap_or_default();
    index.lines().map(|line| relay_dir(dm).join(line)).collect()
}

/// The binlog files of a directory.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(dir) else { return BTreeMap::new() };
    let all = entries.map(|e| e.unwrap().path());
    all.filter_map(|path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let numbered = name.starts_with("binlog.0") && !name.ends_with(".idx");
        numbered.then(|| (name, std::fs::read(&path).unwrap()))
    })
    .collect()
}

/// Where the format description of a file has the mark that the server still writes it.
const IN_USE: usize = 4 + 17;
/// MariaDB's event that says which file the oldest transaction that is not on the disk begins in.
const BINLOG_CHECKPOINT: u8 = 161;

/// The events of a file.
fn events(file: &[u8]) -> Vec<&[u8]> {
    since_events(&file[4..]).collect()
}

/// The events of a part of a file that begins and ends with one.
fn since_events(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let size = rest.get(9..13)?;
        let size = u32::from_le_bytes(size.try_into().unwrap()) as usize;
        let (event, behind) = rest.split_at_checked(size).expect("the file ends with an event");
        rest = behind;
        Some(event)
    })
}

/// Every file of the last part is the server's file, up to its end.
fn assert_equal_files(dm: &Dm, server: &Server) {
    let saved = tempfile::tempdir().unwrap();
    server.save_binlogs(saved.path());
    let theirs = files(saved.path());
    let ours = files(parts(dm).last().expect("a part"));
    assert!(!ours.is_empty());
    let last = ours.keys().last().unwrap().clone();
    assert_eq!(Some(&last), theirs.keys().last(), "the newest file is here");
    for (name, ours) in &ours {
        // The server may have purged it meanwhile.
        let Some(theirs) = theirs.get(name) else { continue };
        let mut theirs = theirs.clone();
        theirs[IN_USE] &= !1;
        // MariaDB notes behind the last transaction, whenever it likes, what older files it needs.
        let since = theirs.get(ours.len()..).unwrap_or_default();
        let since: Vec<u8> = since_events(since).map(|event| event[4]).collect();
        let noted = *name == last && since.iter().all(|kind| *kind == BINLOG_CHECKPOINT);
        assert!(since.is_empty() || noted, "{name} lacks events of the types {since:?}");
        assert!(ours.len() <= theirs.len(), "{name}: {} > {}", ours.len(), theirs.len());
        for (ours, theirs) in events(ours).iter().zip(events(&theirs)) {
            assert!(*ours == theirs, "{name}: {ours:02x?} is not {theirs:02x?}");
        }
    }
}

/// The server's own tool reads the files, checksums included.
fn assert_readable(dm: &Dm, flavor: Flavor) {
    let name = if flavor.is_mysql() { "mysqlbinlog" } else { "mariadb-binlog" };
    let tool = tool_of(flavor, name).expect("the servers are installed");
    for part in parts(dm) {
        for file in files(&part).keys() {
            let output = Command::new(&tool)
                .args(["--no-defaults", "--verify-binlog-checksum"])
                .arg(part.join(file))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name} on {file}: {said}");
            assert!(!said.contains("ERROR"), "{name} on {file}: {said}");
            assert!(!output.stdout.is_empty());
        }
    }
}

fn flush(server: &Server) {
    server.run("", "FLUSH BINARY LOGS");
}

/// Copy, stream, files that rotate, large transactions, a restart; then the files are compared.
fn files_are_the_servers(flavor: Flavor, gtid: bool) {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(DB, flavor) else { return };
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    task.gtid = gtid;
    let dm = relayed(&task, "");
    dm.catch_up().expect_success();
    let load = Load::start(from, DB, seed, 2, 300);
    let mut process = dm.start(&[]);
    for round in 0..2 {
        load.advance(30);
        flush(from);
        run_big_transaction(from, DB, 3_000);
        if round == 0 {
            process.must_run();
            process.kill();
            process = dm.start(&[]);
        }
    }
    load.finish();
    process.must_run();
    process.interrupt();
    process.wait(DEADLINE).expect_success();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
    assert_equal_files(&dm, from);
    assert!(files(&parts(&dm)[0]).len() >= 3, "it rotated");
    assert_readable(&dm, flavor);
    let meta = std::fs::read_to_string(parts(&dm)[0].join("relay.meta")).unwrap();
    let last = format!("binlog-name = \"{}\"", from.position().file);
    assert!(meta.contains(&last) && meta.contains("binlog-gtid = \""), "{meta}");
}

#[test]
fn files_are_the_servers_mysql() {
    files_are_the_servers(Flavor::Mysql, false);
}

#[test]
fn files_are_the_servers_mariadb() {
    files_are_the_servers(Flavor::Mariadb, true);
}

/// Over TLS the server sends what it sends without: on MariaDB also the events that hold statements' texts.
fn files_are_the_servers_over_tls(flavor: Flavor) {
    let _one = serial();
    let Some(authority) = Authority::new() else { return };
    authority.sign("server", 30);
    let options = authority.server_options("server");
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let name = format!("relay-tls-{}", flavor.word());
    let Some(from) = Server::start(&name, flavor, &options) else { return };
    let Some(to) = Server::target(flavor) else { return };
    to.clear();
    from.run(
        "",
        "CREATE USER tls@'%' IDENTIFIED BY 'secret' REQUIRE SSL; GRANT ALL ON *.* TO tls@'%'; \
         CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY, v VARCHAR(20))",
    );
    let sources = [&from.address];
    let task = Task::new("all", &sources, Target::Server(to), &[DB]);
    let mut dm = Dm::new();
    dm.write("task.yaml", &task.yaml());
    let login = format!(
        "{{host: 127.0.0.1, port: {}, user: tls, password: secret, security: {{ssl-ca: {}}}}}",
        from.address.port,
        authority.path("ca.pem")
    );
    dm.add_source(
        "source-1.yaml",
        &format!("source-id: source-1\nenable-relay: true\nfrom: {login}\n"),
    );
    dm.catch_up().expect_success();
    from.run(DB, "INSERT INTO t VALUES (1, 'one'), (2, 'two'); UPDATE t SET v = 'three'");
    flush(&from);
    run_big_rows(&from);
    dm.catch_up().expect_success();
    assert_databases_equal(&from, Target::Server(to), &[DB]);
    assert_equal_files(&dm, &from);
    if !flavor.is_mysql() {
        let part = parts(&dm).pop().expect("a part");
        let types: Vec<u8> = files(&part).values().flat_map(|f| events(f)).map(|e| e[4]).collect();
        assert!(types.contains(&ANNOTATE_ROWS), "{types:?}");
    }
    from.wipe();
}

/// MariaDB's event with the text of the statement that wrote the rows behind it.
const ANNOTATE_ROWS: u8 = 160;

fn run_big_rows(server: &Server) {
    let values: Vec<String> = (10..3_000).map(|n| format!("({n}, 'row {n}')")).collect();
    server.run(DB, &format!("INSERT INTO t VALUES {}", values.join(",")));
}

#[test]
fn files_are_the_servers_over_tls_mysql() {
    files_are_the_servers_over_tls(Flavor::Mysql);
}

#[test]
fn files_are_the_servers_over_tls_mariadb() {
    files_are_the_servers_over_tls(Flavor::Mariadb);
}

/// What the HTTP interface tells of a relay log: DM's fields, and metrics.
#[test]
fn the_relay_log_is_told_over_http() {
    let _one = serial();
    let Some((from, to)) = place::servers() else { return };
    let sources = [&from.address];
    let task = Task::new("all", &sources, Target::Server(to), &[place::DB]);
    let dm = relayed(&task, "");
    let mut run = dm.start(&["--http", "127.0.0.1:0"]);
    let site = http::place_of(&run);
    wait_rows(to, "t", 2);
    from.run(place::DB, "INSERT INTO t VALUES (3, 'three')");
    wait_rows(to, "t", 3);
    let told = wait::poll(DEADLINE, || {
        run.must_run();
        let told = http::get(&site, "/api/v1/sources/source-1/status");
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        (told["data"][0]["relay_status"]["relay_catch_up_master"] == true).then_some(told)
    });
    assert_like("35-openapi-source-status.json", &told.expect("the relay log catches up"));
    let sources = http::get(&site, "/api/v1/sources?with_status=true");
    let sources: serde_json::Value = serde_json::from_str(&sources).unwrap();
    assert_like("35-openapi-sources.json", &sources);
    let source = &sources["data"][0];
    assert_eq!(source["status_list"][0]["relay_status"]["stage"], "Running", "{sources:#}");
    assert_eq!(source["relay_config"]["enable_relay"], true, "{sources:#}");
    let file = from.position().file;
    let number: u64 = file.rsplit('.').next().unwrap().parse().unwrap();
    let metrics = http::get(&site, "/metrics");
    for line in [
        format!("dm_relay_binlog_file{{source_id=\"source-1\",node=\"relay\"}} {number}"),
        format!("dm_relay_binlog_file{{source_id=\"source-1\",node=\"master\"}} {number}"),
        "dm_relay_data_corruption{source_id=\"source-1\"} 0".to_owned(),
        "dm_relay_exit_with_error_count{source_id=\"source-1\",resumable_err=\"false\"} 0"
            .to_owned(),
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}\nis not in\n{metrics}");
    }
    // What was done is counted.
    for counted in [
        "dm_relay_write_size_count{source_id=\"source-1\"}",
        "dm_syncer_txn_duration_time_count{task=\"test\",source_id=\"source-1\",worker=\"dm\"}",
        "dm_syncer_binlog_event_size_count{task=\"test\",source_id=\"source-1\",worker=\"dm\"}",
        "dm_loader_txn_duration_time_count{task=\"test\",source_id=\"source-1\",worker=\"dm\"}",
    ] {
        let line =
            metrics.lines().find_map(|l| l.strip_prefix(counted)?.trim().parse::<u64>().ok());
        assert!(line.is_some_and(|n| n > 0), "{counted}\nin\n{metrics}");
    }
    run.interrupt();
    run.wait(DEADLINE).expect_success();
}

/// True for what takes longer than a short run may; says so when it is left out.
fn thorough(what: &str) -> bool {
    let thorough = env_number("DM_TEST_RELAY_KILLS", 0) >= 20;
    if !thorough {
        leave_out(what, "only with DM_TEST_RELAY_KILLS=20");
    }
    thorough
}

/// Its groups know where they end, and nothing in between where it stands.
#[test]
fn files_are_the_servers_mariadb_of_today() {
    if thorough("a newer MariaDB") {
        files_are_the_servers(Flavor::MariadbNew, true);
    }
}

/// Killed at random moments while it pulls and files are removed, on one state from the first kill to the last.
fn killed_while_pulling(flavor: Flavor) {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(DB, flavor) else { return };
    let sources = [&from.address];
    let task = Task::new("all", &sources, Target::Server(to), &[DB]);
    let dm = relayed(&task, "purge: {interval: 1, remain-space: 900000000}\n");
    dm.catch_up().expect_success();
    let mut random = Random::new(seed);
    let load = Load::start(from, DB, seed, 3, 400);
    for round in 0..env_number("DM_TEST_RELAY_KILLS", 3) {
        let mut process = dm.start(&[]);
        match round % 3 {
            0 => flush(from),
            1 => run_big_transaction(from, DB, 4_000),
            _ => {}
        }
        wait::pass(Duration::from_millis(200 + random.below(1_500)));
        if round % 2 == 1 {
            let newest = files(parts(&dm).last().expect("a part")).pop_last().expect("a file").0;
            let state = dm.state().display().to_string();
            let args = ["purge-relay", "-s", "source-1", "-f", &newest, "--state-dir", &state];
            // Refused when the task purges at this moment: then the files go as well.
            let _ = dm.other(&args);
        }
        process.must_run();
        process.kill();
    }
    load.finish();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
    assert_equal_files(&dm, from);
    assert_readable(&dm, flavor);
}

#[test]
fn killed_while_pulling_mysql() {
    killed_while_pulling(Flavor::Mysql);
}

#[test]
fn killed_while_pulling_mariadb() {
    if thorough("kills on MariaDB") {
        killed_while_pulling(Flavor::Mariadb);
    }
}

/// Under load the source becomes its replica: the relay log goes on in a part of its own.
fn switched_to_a_replica(flavor: Flavor) {
    let _one = serial();
    let (Some(from), Some(to)) = (Server::shared(flavor, "src"), Server::target(flavor)) else {
        return;
    };
    from.clear();
    to.clear();
    from.reset_binlog();
    let Some(replica) = replica_of(from, "rtwin", &[]) else { return };
    Load::prepare(from, DB, 5);
    let near = Proxy::start(&from.host, from.port);
    let address = Address { port: near.port, ..from.address.clone() };
    let sources = [&address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    task.gtid = true;
    let dm = relayed(&task, "");
    dm.catch_up().expect_success();
    let load = Load::start(from, DB, 5, 2, 200);
    let mut process = dm.start(&[]);
    load.advance(150);
    load.finish();
    // A replica that lacks what was fetched could not take over.
    follows(from, replica);
    near.redirect(&replica.host, replica.port);
    near.cut();
    end_replication(replica);
    let load = Load::start(replica, DB, 6, 2, 200);
    load.advance(150);
    load.finish();
    wait::until("the relay log goes on with the replica", DEADLINE, || {
        process.must_run();
        parts(&dm).len() == 2
    });
    replica.run(DB, "INSERT INTO loose VALUES (9001, 'mark', NULL)");
    wait::until("what the replica wrote arrives", DEADLINE, || {
        process.must_run();
        to.value::<u64>("SELECT COUNT(*) FROM w.loose WHERE a = 9001") == 1
    });
    process.interrupt();
    process.wait(DEADLINE).expect_success();
    dm.catch_up().expect_success();
    assert_databases_equal(replica, Target::Server(to), &[DB]);
    assert_equal_files(&dm, replica);
    assert_readable(&dm, flavor);
    // The old one, which lacks what was written since, is refused with the three sets.
    near.redirect(&from.host, from.port);
    near.cut();
    let refused = dm.start(&[]).wait(DEADLINE).expect_code(61_002);
    assert!(refused.stderr.contains("executed there"), "{}", refused.stderr);
}

#[test]
fn switched_to_a_replica_mysql() {
    if thorough("a switch on MySQL") {
        switched_to_a_replica(Flavor::Mysql);
    }
}

#[test]
fn switched_to_a_replica_mariadb() {
    switched_to_a_replica(Flavor::Mariadb);
}

/// What the source has purged while the task was stopped comes out of the relay log; the commands, with
/// the fields of DM's answers.
#[test]
fn the_source_may_forget_what_the_relay_log_keeps() {
    let _one = serial();
    let Some((from, to)) = place::servers() else { return };
    let place = Place::new(&[from], to);
    let query = |place: &Place| {
        let json = place.json(&["query-status", "-s", "source-1"]);
        json["sources"][0]["sourceStatus"]["relayStatus"].clone()
    };
    assert!(place.refused(&["pause-relay", "-s", "source-1"]).contains("no relay log"));
    assert!(place.refused(&["start-relay", "-s", "nobody"]).contains("nobody"));
    assert!(query(&place).is_null());
    place.json(&["start-task", "task.yaml"]);
    wait_rows(to, "t", 2);
    place.wait_sync("source-1");
    assert_eq!(place.status("source-1")["sync"]["binlogType"], "remote");
    place.json(&["stop-task", "test"]);

    let started = place.json(&["start-relay", "-s", "source-1", "worker1"]);
    assert_eq!(
        (&started["op"], &started["sources"][0]["source"]),
        (&"StartRelayV2".into(), &"source-1".into())
    );
    for round in 0..3 {
        from.run(place::DB, &format!("INSERT INTO t VALUES ({}, 'kept')", 10 + round));
        flush(from);
    }
    let end = from.position();
    // What is told may be of before; and of the last transactions it is told when the server falls silent.
    wait::until("the relay has caught up", DEADLINE, || {
        let told = query(&place);
        let gtid = told["relayBinlogGtid"].as_str().unwrap_or_default();
        told["relayCatchUpMaster"] == true
            && told["relayBinlog"] == format!("({}, {})", end.file, end.pos)
            && told["masterBinlogGtid"] == gtid
            && gtid == end.gtid
    });
    let last = end.file;
    from.run("", &format!("PURGE BINARY LOGS TO '{last}'"));
    let status = query(&place);
    assert_eq!(status["stage"], "Running", "{status:#}");
    assert!(status["result"].is_null(), "{status:#}");
    for field in
        ["masterBinlog", "relayBinlog", "relaySubDir", "masterBinlogGtid", "relayBinlogGtid"]
    {
        assert!(status[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {status:#}");
    }
    place.json(&["start-task", "task.yaml"]);
    wait_rows(to, "t", 5);
    assert_eq!(place.status("source-1")["sync"]["binlogType"], "local");
    // The process that pulls is killed: the one of the task takes over.
    let relay = dm_core::relay::find(&place.dm.state(), "source-1").unwrap().expect("it is known");
    let puller = relay.puller().unwrap().expect("a process pulls");
    let pid = puller.strip_prefix("pid ").expect("its number").to_owned();
    assert_ne!(Some(pid.as_str()), place.owner("test").map(|pid| pid.to_string()).as_deref());
    let killed = Command::new("kill").args(["-KILL", &pid]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    from.run(place::DB, "INSERT INTO t VALUES (19, 'taken over')");
    wait_rows(to, "t", 6);

    let paused = place.json(&["pause-relay", "-s", "source-1"]);
    assert_eq!(paused["op"], "PauseRelay");
    assert_eq!(query(&place)["stage"], "Paused");
    let tasks = place.json(&["query-status"]);
    let said = tasks["tasks"][0]["taskStatus"].as_str().unwrap_or_default().to_owned();
    assert!(said.starts_with("Error - Relay status is Paused"), "{said}");
    from.run(place::DB, "INSERT INTO t VALUES (20, 'later')");
    assert_eq!(place.json(&["resume-relay", "-s", "source-1"])["op"], "ResumeRelay");
    wait_rows(to, "t", 7);

    assert!(
        place.refused(&["purge-relay", "-s", "source-1", "-f", "binlog.999999"]).contains("999999")
    );
    wait::until("all before the newest file is removed", DEADLINE, || {
        let _ = place.dm(&["purge-relay", "-s", "source-1", "-f", &last]);
        files(parts(&place.dm).last().unwrap()).keys().next() == Some(&last)
    });
    assert_eq!(place.json(&["stop-relay", "-s", "source-1"])["op"], "StopRelayV2");
    assert!(query(&place).is_null());
    assert!(place.refused(&["resume-relay", "-s", "source-1"]).contains("start-relay"));
    from.run(place::DB, "INSERT INTO t VALUES (21, 'not kept')");
    wait_rows(to, "t", 8);
    place.json(&["stop-task", "test"]);
}

/// How long single rows take from the commit at the source to the target.
fn latencies(dm: &Dm, from: &Server, to: &Server, rows: u64) -> Vec<Duration> {
    let mut process = dm.start(&[]);
    let (mut writer, mut reader) = (from.conn(), to.conn());
    let mut arrives = |row: u64| {
        writer.query_drop(format!("INSERT INTO {DB}.loose VALUES ({row}, 'mark', NULL)")).unwrap();
        let began = Instant::now();
        let asked = format!("SELECT COUNT(*) FROM {DB}.loose WHERE a = {row}");
        while reader.query_first::<u64, _>(&asked).unwrap() != Some(1) {
            process.must_run();
            assert!(began.elapsed() < DEADLINE, "row {row} does not arrive");
        }
        began.elapsed()
    };
    let first = 1_000_000 + u64::from(std::process::id());
    arrives(first);
    let mut all: Vec<Duration> = (1..=rows)
        .map(|n| {
            wait::pass(Duration::from_millis(n % 17));
            arrives(first + n * 10)
        })
        .collect();
    all.sort();
    from.run(DB, "DELETE FROM loose WHERE a >= 1000000");
    process.interrupt();
    process.wait(DEADLINE).expect_success();
    all
}

#[test]
fn the_way_through_the_relay_log_is_measured() {
    let rows = env_number("DM_TEST_RELAY_LATENCY", 0);
    if rows == 0 {
        return leave_out("latency", "only with DM_TEST_RELAY_LATENCY");
    }
    let _one = serial();
    let Some((from, to, _)) = Load::stage(DB, Flavor::Mysql) else { return };
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    for name in ["plain", "relayed", "plain2", "relayed2"] {
        to.clear();
        task.name = name;
        let dm = if name.starts_with("plain") { Dm::set_up(&task) } else { relayed(&task, "") };
        dm.catch_up().expect_success();
        let all = latencies(&dm, from, to, rows);
        let at = |share: usize| all[(all.len() * share / 100).min(all.len() - 1)];
        println!("{name}: median {:?}, p99 {:?}, most {:?}", at(50), at(99), at(100));
    }
}
