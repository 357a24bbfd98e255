//! A source that took back what was read from it: restored from a copy, or reset and written anew,
//! until it looks as if nothing had been.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use support::compare::{Target, assert_databases_equal};
use support::dm::{Dm, Task};
use support::serial;
use support::server::{Flavor, Server};

const DB: &str = "w";

/// A source from the start of its binlog, and a task that follows it.
fn set_up(flavor: Flavor, gtid: bool) -> Option<(&'static Server, &'static Server, Dm)> {
    let (from, to) = (Server::shared(flavor, "nsrc")?, Server::target(flavor)?);
    from.clear();
    to.clear();
    from.reset_binlog();
    from.run("", &format!("CREATE DATABASE {DB}; CREATE TABLE {DB}.t (id INT PRIMARY KEY, v INT)"));
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    task.gtid = gtid;
    let dm = Dm::set_up(&task);
    dm.catch_up().expect_success();
    write(from, 1..=10, 0);
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
    Some((from, to, dm))
}

fn write(from: &Server, ids: std::ops::RangeInclusive<i32>, v: i32) {
    let script: String = ids.map(|id| format!("REPLACE INTO t VALUES ({id}, {v});")).collect();
    from.run(DB, &script);
}

/// Neither crashes and restarts of the source, nor other files, nor a change of how it writes them
/// raise a false alarm. Then its binlog is gone, and another one of the same form has taken its
/// place and gone on: also all numbers of transactions are there again.
fn written_anew(flavor: Flavor, gtid: bool) {
    let _one = serial();
    let Some((from, to, dm)) = set_up(flavor, gtid) else { return };
    {
        let none = from.value::<String>("SELECT @@GLOBAL.binlog_checksum") == "NONE";
        let other = if none { "CRC32" } else { "NONE" };
        let _changed = from.with_globals(&[("binlog_checksum", other)]);
        write(from, 1..=3, 3);
        dm.catch_up().expect_success();
    }
    from.run(DB, "ALTER TABLE t ADD COLUMN w INT DEFAULT 7");
    dm.catch_up().expect_success();
    from.kill();
    from.restart();
    dm.catch_up().expect_success();
    from.run(DB, "DELETE FROM t; ALTER TABLE t DROP COLUMN w");
    from.reset_binlog();
    dm.catch_up().expect_failure(&["[code=6100", "Workaround:"]);
    again(from, to, &dm);
}

/// The source is written from the start, as it was before, and further.
fn again(from: &Server, to: &Server, dm: &Dm) {
    let (file, pos) = stands(dm);
    from.run("", &format!("DROP DATABASE {DB}; CREATE DATABASE {DB}"));
    from.run(DB, "CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    while from.position().file < file {
        from.run("", "FLUSH BINARY LOGS");
    }
    write(from, 11..=60, 1);
    let now = from.position();
    assert!(now.file == file && now.pos > pos, "{file}:{pos} {now:?}");
    let said = dm.catch_up().expect_code(61_011);
    assert!(said.stderr.contains(&file), "{}", said.stderr);
    assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM w.t"), 10, "nothing was applied");
    // It stays so, however often it is started.
    dm.catch_up().expect_code(61_011);
}

/// File and offset at which the task stands.
fn stands(dm: &Dm) -> (String, u64) {
    let state = rusqlite::Connection::open(dm.state().join("test.db")).unwrap();
    let text: String =
        state.query_row("SELECT position FROM lane WHERE name = 'main'", [], |r| r.get(0)).unwrap();
    let (file, pos) = text.split(';').next().unwrap().split_once(':').unwrap();
    (file.to_owned(), pos.parse().unwrap())
}

#[test]
fn a_binlog_written_anew_mysql() {
    written_anew(Flavor::Mysql, false);
}

#[test]
fn a_binlog_written_anew_mysql_by_gtid() {
    written_anew(Flavor::Mysql, true);
}

#[test]
fn a_binlog_written_anew_mariadb() {
    written_anew(Flavor::Mariadb, false);
}

#[test]
fn a_binlog_written_anew_mariadb_by_gtid() {
    written_anew(Flavor::Mariadb, true);
}

#[test]
fn a_binlog_written_anew_mariadb_new() {
    written_anew(Flavor::MariadbNew, false);
}

/// A reset by somebody who knows what he does: the server is told what it has executed. By GTID
/// that is the same history, though the file is another one of the same name.
fn reset_with_its_history(flavor: Flavor) {
    let _one = serial();
    let Some((from, to, dm)) = set_up(flavor, true) else { return };
    let before = from.position();
    let state = if flavor.is_mysql() {
        format!("SET GLOBAL gtid_purged = '{}'", before.gtid)
    } else {
        let state = from.value::<String>("SELECT @@GLOBAL.gtid_binlog_state");
        format!("SET GLOBAL gtid_binlog_state = '{state}'")
    };
    from.reset_binlog();
    from.run("", &state);
    write(from, 5..=40, 2);
    assert_eq!(from.position().file, before.file);
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

#[test]
fn a_reset_that_keeps_the_history_mysql() {
    reset_with_its_history(Flavor::Mysql);
}

#[test]
fn a_reset_that_keeps_the_history_mariadb() {
    reset_with_its_history(Flavor::Mariadb);
}
