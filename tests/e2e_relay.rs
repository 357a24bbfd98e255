//! The relay log on real servers: files equal to the server's, readable by its own tool, whatever is
//! killed; the source becomes its replica; tasks that need what the source has purged.
//!
//! `DM_TEST_RELAY_KILLS` is the number of kills (4; 20 for a thorough run), `DM_TEST_SEED` repeats the moments
//! and the load.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Process, Task, source_yaml};
use support::proxy::Proxy;
use support::random::Random;
use support::server::{Address, Flavor, Server, tool_of};
use support::workload::{Load, big_transaction, run_big_transaction};
use support::{env_number, serial, wait};

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
        name.starts_with("binlog.0").then(|| (name, std::fs::read(&path).unwrap()))
    })
    .collect()
}

/// Where the format description of a file has the mark that the server still writes it.
const IN_USE: usize = 4 + 17;
/// The type of the event that stands for one that was left out.
const IGNORABLE: u8 = 28;
const ANNOTATE: u8 = 160;

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
        let theirs = &theirs[name];
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let mut theirs = theirs.clone();
        theirs[IN_USE] &= !1;
        let at = ours.iter().zip(&theirs).position(|(a, b)| a != b);
        assert_eq!(at, None, "{name} differs");
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
    // What clients of this kind cannot ask for is left out of MariaDB's stream.
    let _plain =
        (!flavor.is_mysql()).then(|| from.with_globals(&[("binlog_annotate_row_events", "OFF")]));
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    task.gtid = gtid;
    let dm = relayed(&task, "");
    dm.catch_up().expect_success();
    let load = Load::start(from, DB, seed, 2, 300);
    let mut process = dm.start(&[]);
    for round in 0..3 {
        load.advance(40);
        flush(from);
        run_big_transaction(from, DB, 3_000);
        if round == 1 {
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
fn files_are_the_servers_mysql_by_gtid() {
    files_are_the_servers(Flavor::Mysql, true);
}

#[test]
fn files_are_the_servers_mariadb() {
    files_are_the_servers(Flavor::Mariadb, true);
}
