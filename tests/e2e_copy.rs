//! The quick ways of a copy leave what the slow ones leave: rows by LOAD DATA LOCAL, keys that are made
//! after the rows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::time::Duration;

use mysql::prelude::Queryable;
use support::compare::{Target, assert_databases_equal};
use support::dm::{Dm, Task};
use support::random::Random;
use support::server::{Address, Flavor, Server};
use support::{env_number, serial, wait, workspace};

const DB: &str = "c";

/// A table of as many rows as make it worth while to put keys off, one with few, and one that
/// others point to.
const MANY: &str = "CREATE DATABASE c DEFAULT CHARSET utf8mb4; USE c;
    CREATE TABLE digits (d INT PRIMARY KEY);
    INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
    CREATE TABLE big (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(60), c DATETIME(3), d DECIMAL(9,2),
      e VARBINARY(20), u CHAR(20) NOT NULL, KEY a (a), UNIQUE KEY u (u), KEY bc (b(7),c), KEY d (d,a));
    INSERT INTO big (a,b,c,d,e,u) SELECT n * 7919 % 10007, CONCAT('it''s \\t ', n % 991, '\\n', CHAR(92)),
      '2020-01-01' + INTERVAL n SECOND, n / 7, UNHEX(HEX(n * 257)), n FROM (SELECT x.d + 10 * y.d + 100 * z.d +
      1000 * v.d + 10000 * w.d n FROM digits x, digits y, digits z, digits v, digits w WHERE w.d < 3) numbers;
    CREATE TABLE parent (id INT PRIMARY KEY, k INT NOT NULL, t INT, KEY k (k), KEY t (t));
    INSERT INTO parent SELECT id, id, id % 7 FROM big WHERE id <= 12000;
    CREATE TABLE child (id INT PRIMARY KEY, k INT, KEY k (k), CONSTRAINT fk FOREIGN KEY (k) REFERENCES parent (id));
    INSERT INTO child SELECT id, id FROM parent;
    ANALYZE TABLE big, parent, child";

/// The keys of all tables, in order, as the server has them.
fn keys(server: &Address) -> Vec<String> {
    server.rows(
        "SELECT CONCAT_WS(' ', table_name, index_name, non_unique, seq_in_index, column_name, sub_part, collation) \
         FROM information_schema.statistics WHERE table_schema = 'c' ORDER BY table_name, index_name, seq_in_index",
    )
}

/// How many tables the target lacks keys of.
fn put_off(to: &Server) -> u64 {
    let count = to.try_conn().and_then(|mut conn| {
        conn.query_first::<u64, _>("SELECT COUNT(*) FROM dm_meta.dm_late_key")
    });
    count.ok().flatten().unwrap_or(0)
}

fn stage(flavor: Flavor) -> Option<(&'static Server, &'static Server)> {
    Server::pair(flavor)
}

fn set_up(from: &Server, to: &Server) -> Dm {
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    task.instance = "    mydumper-config-name: small\n";
    task.more = "mydumpers:\n  small: {rows: 2000, threads: 2}\n";
    Dm::set_up(&task)
}

/// Killed at any moment between the making of the tables and the last key.
fn keys_are_there_after_kills(flavor: Flavor) {
    let _one = serial();
    let Some((from, to)) = stage(flavor) else { return };
    if to.is_tidb() {
        return;
    }
    from.run("", MANY);
    let mut random = Random::new(Random::seed());
    let mut seen = false;
    for _ in 0..env_number("DM_TEST_KILLS", 8).div_ceil(4) {
        to.clear();
        let dm = set_up(from, to);
        for _ in 0..3 {
            let mut process = dm.start(&[]);
            let met = wait::poll(Duration::from_secs(30), || {
                process.must_run();
                let caught_up = || dm.path().join("state").exists() && keys(to) == keys(from);
                (put_off(to) > 0 || caught_up()).then_some(())
            });
            assert!(met.is_some(), "the keys of the large table were never put off");
            seen |= put_off(to) > 0;
            wait::pass(Duration::from_millis(random.below(600)));
            process.kill();
        }
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
        assert_eq!(keys(from), keys(to));
        assert_eq!(put_off(to), 0);
    }
    assert!(seen, "no run was killed while a table lacked keys");
}

#[test]
fn keys_are_there_after_kills_on_mysql() {
    keys_are_there_after_kills(Flavor::Mysql);
}

#[test]
fn keys_are_there_after_kills_on_mariadb() {
    keys_are_there_after_kills(Flavor::Mariadb);
}

/// Half way the task is begun anew, and its old tables stay: they get their keys all the same.
#[test]
fn a_task_that_is_forgotten_leaves_whole_tables() {
    let _one = serial();
    let Some((from, to)) = stage(Flavor::Mysql) else { return };
    if to.is_tidb() {
        return;
    }
    from.run("", MANY);
    let dm = set_up(from, to);
    let mut process = dm.start(&["--max-rows-per-second", "2000"]);
    let met = wait::poll(Duration::from_secs(60), || {
        process.must_run();
        (put_off(to) > 0).then_some(())
    });
    assert!(met.is_some(), "the keys of the large table were never put off");
    process.kill();
    // Other tables may not have been made yet.
    let of_big = |server: &Address| -> Vec<String> {
        keys(server).into_iter().filter(|key| key.starts_with("big ")).collect()
    };
    let reset = dm.other(&["reset", "test", "--yes", "--state-dir", "state"]);
    reset.expect_success();
    assert_eq!(of_big(from), of_big(to));
    assert_eq!(put_off(to), 0);
    dm.catch_up().expect_success();
    assert_eq!(keys(from), keys(to));
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

/// Statistics that say that a table is empty: the server must not read all of it for each chunk.
#[test]
fn old_statistics_do_not_make_a_copy_slow() {
    let _one = serial();
    let Some((from, to)) = stage(Flavor::Mysql) else { return };
    from.run("", MANY);
    from.run(
        DB,
        "CREATE TABLE outdated (id INT PRIMARY KEY, k INT NOT NULL, t VARCHAR(20)) STATS_PERSISTENT=1 \
         STATS_AUTO_RECALC=0; ANALYZE TABLE outdated; INSERT INTO outdated SELECT id, id, 'x' FROM big; \
         FLUSH TABLES outdated",
    );
    let known: u64 = from.value(
        "SELECT n_rows FROM mysql.innodb_table_stats WHERE database_name = 'c' AND table_name = 'outdated'",
    );
    assert_eq!(known, 0, "the statistics are old");
    from.run("", "TRUNCATE performance_schema.events_statements_summary_by_digest");
    set_up(from, to).catch_up().expect_success();
    let examined: u64 = from.value(
        "SELECT CAST(SUM(SUM_ROWS_EXAMINED) AS UNSIGNED) FROM performance_schema.events_statements_summary_by_digest \
         WHERE DIGEST_TEXT LIKE 'SELECT %`outdated`%'",
    );
    // Once for the borders and once for the rows, and some at the beginning for the size of a chunk.
    assert!((30_000..90_000).contains(&examined), "{examined} rows were read for 30,000");
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

fn files_loaded(to: &Server) -> u64 {
    let (_, count): (String, u64) =
        to.rows("SHOW GLOBAL STATUS LIKE 'Com_load'").into_iter().next().expect("a counter");
    count
}

/// With and without LOAD DATA LOCAL every type arrives as it is.
fn files_and_statements(flavor: Flavor) {
    let _one = serial();
    let Some((from, to)) = stage(flavor) else { return };
    if to.is_tidb() {
        return;
    }
    from.run("", MANY);
    let types = std::fs::read_to_string(workspace().join("tests/sql/types.sql")).unwrap();
    from.run(DB, &types.replace("/*EXTRA*/", ""));
    // More rows than a statement is worth a file for, of the texts that a file has to escape.
    from.run(
        DB,
        "CREATE TABLE odd (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT, b BLOB, e ENUM('','a','N'), s SET('x','y')); \
         INSERT INTO odd (t,b,e,s) SELECT ELT(1 + d.d, '', NULL, '\\\\N', 'N', '\\\\', '\\t', '\\n', 'a\\0b', \
         '\\\\.', 'é€😀'), ELT(1 + f.d, '', NULL, X'FF00', X'5C4E', X'09', X'0A', X'0D0A', X'27', X'22', X'80'), \
         1 + d.d % 3, f.d % 4 FROM digits d, digits f, digits g",
    );
    for on in ["ON", "OFF"] {
        let _set = to.with_globals(&[("local_infile", on)]);
        to.clear();
        let before = files_loaded(to);
        set_up(from, to).catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
        if on == "ON" {
            assert!(files_loaded(to) > before + 3, "no file was loaded");
        }
    }
}

#[test]
fn files_and_statements_leave_the_same_on_mysql() {
    files_and_statements(Flavor::Mysql);
}

#[test]
fn files_and_statements_leave_the_same_on_mariadb() {
    files_and_statements(Flavor::Mariadb);
}

/// What a strict INSERT refuses is refused, with the same words, and nothing of it stays: a LOAD DATA
/// LOCAL by itself would cut it to fit and go on.
fn refused_alike(flavor: Flavor) {
    let _one = serial();
    let Some((from, to)) = stage(flavor) else { return };
    if to.is_tidb() {
        return;
    }
    from.run(
        "",
        "CREATE DATABASE c DEFAULT CHARSET utf8mb4; USE c; \
         CREATE TABLE digits (d INT PRIMARY KEY); INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9); \
         CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), n INT, f DATE); \
         INSERT INTO t SELECT a.d + 10 * b.d + 100 * c.d, 'short', 1, '2020-02-28' FROM digits a, digits b, digits c; \
         UPDATE t SET v = 'longer than nine', n = 300, f = '2020-02-29' WHERE id = 777; \
         UPDATE t SET n = NULL WHERE id = 778; DROP TABLE digits",
    );
    for (target, number) in [
        ("v VARCHAR(9), n INT, f DATE", 1406),
        ("v VARCHAR(20), n TINYINT, f DATE", 1264),
        ("v VARCHAR(20), n INT NOT NULL, f DATE", 1048),
        ("v ENUM('short'), n INT, f DATE", 1265),
        ("v VARCHAR(20), n INT, f DATE, UNIQUE KEY v (v(2),n,f)", 1062),
        (
            "v VARCHAR(20), n INT, f DATE, CONSTRAINT c CHECK (id <> 777)",
            if flavor.is_mysql() { 3819 } else { 4025 },
        ),
    ] {
        for (on, mode) in [("ON", "error"), ("OFF", "error"), ("ON", "replace")] {
            if (number, mode) == (1062, "replace") {
                continue;
            }
            let _set = to.with_globals(&[("local_infile", on)]);
            to.clear();
            to.run("", &format!("CREATE DATABASE c; CREATE TABLE c.t (id INT PRIMARY KEY, {target}) CHARSET utf8mb4"));
            let sources = [&from.address];
            let mut task = Task::new("full", &sources, Target::Server(to), &[DB]);
            task.instance = "    loader-config-name: strict\n";
            let loaders = format!("loaders:\n  strict: {{on-duplicate-logical: {mode}}}\n");
            task.more = &loaders;
            let outcome = Dm::set_up(&task).run(&["--until", "caught-up"]);
            outcome.expect_failure(&[&format!("Error {number} "), "c`.`t"]);
            assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM c.t"), 0, "{target} {on}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_alike_on_mysql() {
    refused_alike(Flavor::Mysql);
}

#[test]
fn what_does_not_fit_is_refused_alike_on_mariadb() {
    refused_alike(Flavor::Mariadb);
}
