//! A target whose user may write the tables and nothing else: no marks, so at least once. Tables with a key are
//! equal all the same; what would not be is refused.
//!
//! `DM_TEST_KILLS` is the number of kills (6), `DM_TEST_SEED` repeats their moments and the load.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use mysql::prelude::Queryable;
use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Process, Task};
use support::random::Random;
use support::server::{Address, Flavor, Server, external_target};
use support::workload::{Load, run_big_transaction};
use support::{env_number, leave_out, serial};

const DB: &str = "w";
/// Small chunks, so that a kill falls between many of them.
const CHUNKS: &str = "mydumpers:\n  small: {rows: 200, threads: 2}\n";
const SMALL: &str = "    mydumper-config-name: small\n";
/// The rows of `loose` get a key that the load does not see.
const KEY_FOR_LOOSE: &str =
    "ALTER TABLE loose ADD COLUMN rid BIGINT NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY";

/// A user that may do everything in the migrated schema and nothing beside it.
fn poor(to: &Server) -> Address {
    to.run(
        "",
        &format!(
            "DROP DATABASE IF EXISTS dm_meta; DROP USER IF EXISTS poor; \
             CREATE USER poor IDENTIFIED BY 's3cret'; GRANT ALL ON {DB}.* TO poor"
        ),
    );
    Address { user: "poor".to_owned(), password: "s3cret".to_owned(), ..to.address.clone() }
}

fn killed_without_marks(flavor: Flavor, gtid: bool) {
    if external_target().is_some() {
        return leave_out("at least once", "makes a user at the target");
    }
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(DB, flavor) else { return };
    let address = poor(to);
    from.run(DB, KEY_FOR_LOOSE);
    run_big_transaction(from, DB, 3_000);
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(&address), &[DB]);
    (task.instance, task.more, task.gtid) = (SMALL, CHUNKS, gtid);
    let dm = Dm::set_up(&task);
    let mut random = Random::new(seed);
    let load = Load::start(from, DB, seed, 4, 300);
    for round in 0..env_number("DM_TEST_KILLS", 6) {
        load.kill_meanwhile(dm.start(&[]), &mut random, 450);
        // No ALTER TABLE falls into the copy of its table here: that is tested elsewhere.
        from.run(
            DB,
            &format!(
                "CREATE TABLE t{round} (id INT PRIMARY KEY, v INT); INSERT INTO t{round} VALUES (1, 1); \
                 ALTER TABLE t{round} ADD COLUMN c INT NOT NULL DEFAULT 3; INSERT INTO t{round} VALUES (2, 2, 2); \
                 TRUNCATE TABLE t{round}; INSERT INTO t{round} VALUES (3, 3, 3); \
                 RENAME TABLE t{round} TO u{round}; UPDATE u{round} SET c = 4"
            ),
        );
    }
    load.finish();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
    assert!(!to.databases().contains(&"dm_meta".to_owned()));
    let state = dm.state().display().to_string();
    let status = dm.other(&["query-status", "test", "--state-dir", &state]).expect_success();
    assert!(status.stdout.contains("at least once"), "{}", status.stdout);
}

#[test]
fn killed_without_marks_mysql() {
    killed_without_marks(Flavor::Mysql, true);
}

#[test]
fn killed_without_marks_mariadb() {
    killed_without_marks(Flavor::Mariadb, false);
}

/// Said before anything is written, with what helps; a word in the task file takes the risk.
#[test]
fn a_table_without_a_key_is_refused_unless_that_is_allowed() {
    if external_target().is_some() {
        return leave_out("at least once", "makes a user at the target");
    }
    let _one = serial();
    let Some((from, to)) = Server::pair(Flavor::Mysql) else { return };
    let address = poor(to);
    from.run(
        "",
        &format!(
            "CREATE DATABASE {DB}; CREATE TABLE {DB}.keyed (id INT PRIMARY KEY); \
             CREATE TABLE {DB}.loose (v INT); INSERT INTO {DB}.keyed VALUES (1), (2); \
             INSERT INTO {DB}.loose VALUES (7), (7), (8)"
        ),
    );
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(&address), &[DB]);
    let dm = Dm::set_up(&task);
    let advice = ["GRANT CREATE", "`dm_meta`", "at-least-once: allow", "`loose`"];
    let checked = dm.other(&["check-task", "task.yaml", "--source", "source-1.yaml"]);
    assert!(!checked.status.success(), "{}", checked.stdout);
    for text in ["may not keep marks", "at least"].iter().chain(&advice[..3]) {
        let said = format!("{}{}", checked.stdout, checked.stderr);
        assert!(said.contains(text), "{text:?} is lacking: {said}");
    }
    dm.catch_up().expect_failure(&advice[..3]);
    assert!(!to.databases().contains(&DB.to_owned()), "nothing was to be written");
    // Not only the checks know.
    task.more = "ignore-checking-items: [all]\n";
    Dm::set_up(&task).catch_up().expect_code(36_209);
    (task.more, task.instance) =
        ("syncers:\n  risky: {at-least-once: allow}\n", "    syncer-config-name: risky\n");
    to.run("", &format!("DROP DATABASE IF EXISTS {DB}"));
    let dm = Dm::set_up(&task);
    dm.catch_up().expect_success();
    from.run(DB, "DELETE FROM loose WHERE v = 7 LIMIT 1; INSERT INTO keyed VALUES (3)");
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

/// A killed process's last packet is waited for by its lock, which takes no right.
#[test]
fn what_a_killed_process_sent_last_does_not_win_without_marks() {
    if external_target().is_some() {
        return leave_out("at least once", "makes a user at the target");
    }
    let _one = serial();
    let Some((from, to)) = Server::pair(Flavor::Mysql) else { return };
    let address = poor(to);
    from.run(
        "",
        &format!(
            "CREATE DATABASE {DB}; CREATE TABLE {DB}.t (id INT PRIMARY KEY, v INT); \
             INSERT INTO {DB}.t VALUES (1, 0), (2, 0)"
        ),
    );
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(&address), &[DB]));
    dm.catch_up().expect_success();
    let mut holder = to.conn();
    holder.query_drop("BEGIN").unwrap();
    holder.query_drop(format!("SELECT * FROM {DB}.t WHERE id = 1 FOR UPDATE")).unwrap();
    let mut process = dm.start(&[]);
    from.run(DB, "UPDATE t SET v = 5 WHERE id = 1");
    let waits = "info LIKE '%UPDATE `w`.`t`%' OR info LIKE '%INTO `w`.`t`%'";
    process.until_seen_at(to, waits);
    process.kill();
    from.run(DB, "UPDATE t SET v = 6 WHERE id = 1");
    let mut next: Process = dm.start(&["--until", "caught-up"]);
    next.until_seen_at(to, support::dm::WAITS_FOR_FENCE);
    holder.query_drop("ROLLBACK").unwrap();
    next.wait(DEADLINE).expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}
