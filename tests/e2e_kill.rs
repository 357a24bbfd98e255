//! Crashes and broken networks: killed at random moments and restarted at once, cut off from source
//! or target, target stopped. Afterwards both sides are equal and no row came twice.
//!
//! `DM_TEST_KILLS` is the number of rounds (8; 100 for a thorough run), `DM_TEST_STOP_SECONDS` how
//! long the target is stopped (5; 60), `DM_TEST_SEED` repeats the moments and the load.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::time::Duration;

use mysql::prelude::Queryable;
use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Process, Task, WAITS_FOR_FENCE};
use support::proxy::Proxy;
use support::random::Random;
use support::server::{Address, Flavor, Server, external_target};
use support::workload::{Load, big_transaction, run_big_transaction};
use support::{env_number, leave_out, serial, wait};

const DB: &str = "w";
/// Small chunks, so that a kill falls between many of them.
const CHUNKS: &str = "mydumpers:\n  small: {rows: 500, threads: 2}\n";
const SMALL: &str = "    mydumper-config-name: small\n";

fn task<'a>(sources: &'a [&'a Address], to: &'a Address) -> Task<'a> {
    let mut task = Task::new("all", sources, Target::Server(to), &[DB]);
    (task.instance, task.more) = (SMALL, CHUNKS);
    task
}

/// The copy and the first part of the stream, again and again on an empty target.
fn killed_while_copying(flavor: Flavor) {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(DB, flavor) else { return };
    from.run(DB, &big_transaction(20_000));
    from.run(DB, "INSERT INTO loose SELECT id % 9, 'copied', NULL FROM acct");
    let mut random = Random::new(seed);
    for _ in 0..env_number("DM_TEST_KILLS", 8).div_ceil(4) {
        to.clear();
        let sources = [&from.address];
        let dm = Dm::set_up(&task(&sources, to));
        let load = Load::start(from, DB, seed, 2, 150);
        for _ in 0..4 {
            load.kill_meanwhile(dm.start(&[]), &mut random, 135);
        }
        load.finish();
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

#[test]
fn killed_while_copying_mysql() {
    killed_while_copying(Flavor::Mysql);
}

#[test]
fn killed_while_copying_mariadb() {
    killed_while_copying(Flavor::Mariadb);
}

/// The stream, on one state from the first kill to the last.
fn killed_while_streaming(flavor: Flavor, gtid: bool) {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(DB, flavor) else { return };
    let sources = [&from.address];
    let mut plan = task(&sources, to);
    plan.gtid = gtid;
    let dm = Dm::set_up(&plan);
    dm.catch_up().expect_success();
    let mut random = Random::new(seed);
    let load = Load::start(from, DB, seed, 4, 500);
    for round in 0..env_number("DM_TEST_KILLS", 8) {
        if round % 4 == 3 {
            run_big_transaction(from, DB, 5_000);
        }
        load.kill_meanwhile(dm.start(&[]), &mut random, 750);
    }
    load.finish();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

#[test]
fn killed_while_streaming_mysql_by_position() {
    killed_while_streaming(Flavor::Mysql, false);
}

#[test]
fn killed_while_streaming_mysql_by_gtid() {
    killed_while_streaming(Flavor::Mysql, true);
}

#[test]
fn killed_while_streaming_mariadb_by_gtid() {
    killed_while_streaming(Flavor::Mariadb, true);
}

#[test]
fn killed_while_writing_sqlite() {
    let _one = serial();
    let Some((from, _, seed)) = Load::stage(DB, Flavor::Mysql) else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("copy.db");
    let sources = [&from.address];
    let mut plan = Task::new("all", &sources, Target::Sqlite(&file), &[DB]);
    (plan.instance, plan.more) = (SMALL, CHUNKS);
    let dm = Dm::set_up(&plan);
    let mut random = Random::new(seed);
    let load = Load::start(from, DB, seed, 2, 200);
    for _ in 0..env_number("DM_TEST_KILLS", 8) {
        load.kill_meanwhile(dm.start(&[]), &mut random, 180);
    }
    load.finish();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Sqlite(&file), &[DB]);
}

/// A killed client's last packet goes on running at the target: the next process must not be
/// overtaken by it.
#[test]
fn what_a_killed_process_left_running_does_not_win() {
    if external_target().is_some() {
        return leave_out("the killed process's last packet", "asks the server who waits");
    }
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, _)) = Load::stage(DB, flavor) else { return };
        from.run(DB, "CREATE TABLE r (id INT PRIMARY KEY, v INT); INSERT INTO r VALUES (1, 0)");
        let sources = [&from.address];
        let dm = Dm::set_up(&task(&sources, to));
        dm.catch_up().expect_success();
        let mut holder = to.conn();
        holder.query_drop("BEGIN").unwrap();
        holder.query_drop("SELECT * FROM w.r WHERE id = 1 FOR UPDATE").unwrap();
        let mut first = dm.start(&[]);
        from.run(DB, "BEGIN; UPDATE r SET v = 5 WHERE id = 1; INSERT INTO loose VALUES (5, 'five', NULL); COMMIT");
        first.until_seen_at(to, "command = 'Query' AND info LIKE 'UPDATE `w`.`r` %'");
        first.kill();
        let mut second = dm.start(&[]);
        from.run(DB, "BEGIN; UPDATE r SET v = 6 WHERE id = 1; INSERT INTO loose VALUES (6, 'six', NULL); COMMIT");
        second.until_seen_at(to, WAITS_FOR_FENCE);
        holder.query_drop("ROLLBACK").unwrap();
        wait::until("the last value arrives", DEADLINE, || {
            second.must_run();
            to.value::<i32>("SELECT v FROM w.r") == 6
        });
        second.must_run();
        second.kill();
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// Transactions of the load behind proxies: what breaks stays broken for a number of them.
const PER_SECOND: u64 = 300;

/// A load through two proxies; `breaking` breaks them while `dm` runs, which must not end by itself.
fn through_proxies(breaking: impl Fn(&Proxy, &Proxy, &Server, &Load)) {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(DB, Flavor::Mysql) else { return };
    let (near, far) = (Proxy::start(&from.host, from.port), Proxy::start(&to.host, to.port));
    let near_address = Address { port: near.port, ..from.address.clone() };
    let far_address = Address { port: far.port, ..to.address.clone() };
    let sources = [&near_address];
    let dm = Dm::set_up(&task(&sources, &far_address));
    let load = Load::start(from, DB, seed, 3, PER_SECOND);
    let mut process = dm.start(&[]);
    arrives(&mut process, from, to, 1);
    breaking(&near, &far, to, &load);
    process.must_run();
    arrives(&mut process, from, to, 2);
    process.must_run();
    load.finish();
    process.kill();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

/// Writes a mark at the source and waits until the running `dm` has carried it over.
fn arrives(process: &mut Process, from: &Server, to: &Server, mark: u32) {
    from.run(DB, &format!("INSERT INTO loose VALUES (9000 + {mark}, 'mark', NULL)"));
    let there = format!("SELECT COUNT(*) FROM w.loose WHERE a = 9000 + {mark}");
    wait::until("the mark arrives", DEADLINE, || {
        process.must_run();
        let Ok(mut conn) = to.try_conn() else { return false };
        matches!(conn.query_first::<u64, _>(&there), Ok(Some(1)))
    });
}

#[test]
fn connections_are_cut_again_and_again() {
    through_proxies(|near, far, _, load| {
        for round in 0..6 {
            load.advance(45 + 20 * round);
            if round % 2 == 0 { near.cut() } else { far.cut() }
        }
    });
}

#[test]
fn source_and_target_cannot_be_reached_for_a_while() {
    through_proxies(|near, far, _, load| {
        for proxy in [near, far] {
            proxy.refuse(true);
            proxy.cut();
            load.advance(2 * PER_SECOND);
            proxy.refuse(false);
        }
    });
}

#[test]
fn packets_are_swallowed_for_a_while() {
    through_proxies(|near, far, _, load| {
        for proxy in [near, far] {
            proxy.black_hole(true);
            load.advance(3 * PER_SECOND);
            proxy.black_hole(false);
            // What a router forgets: the old connections are dead.
            proxy.cut();
        }
    });
}

#[test]
fn a_slow_line_only_takes_longer() {
    through_proxies(|near, far, _, load| {
        near.delay(Duration::from_millis(30));
        far.throttle(200_000);
        load.advance(3 * PER_SECOND);
        near.delay(Duration::ZERO);
        far.throttle(0);
    });
}

#[test]
fn the_target_is_stopped_and_comes_back() {
    if external_target().is_some() {
        return leave_out("a stopped target", "the external target is not ours to stop");
    }
    through_proxies(|_, _, to, load| {
        to.stop();
        load.advance(env_number("DM_TEST_STOP_SECONDS", 5) * PER_SECOND);
        to.restart();
        to.kill();
        to.restart();
    });
}

#[test]
fn the_target_freezes_and_thaws() {
    if external_target().is_some() {
        return leave_out("a frozen target", "the external target is not ours to stop");
    }
    through_proxies(|_, _, to, load| {
        to.freeze();
        load.advance(3 * PER_SECOND);
        to.thaw();
    });
}

/// Prepared transactions belong to nobody until they are decided: not to the target, not to the
/// low-water mark's other side. The process dies in between, twice.
#[test]
fn prepared_transactions_survive_kills_until_they_are_decided() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, _)) = Load::stage(DB, flavor) else { return };
        let sources = [&from.address];
        let dm = Dm::set_up(&task(&sources, to));
        dm.catch_up().expect_success();
        let prepare = |xid: &str, id: u32| {
            let mut conn = from.conn();
            for statement in [
                "USE w".to_owned(),
                format!("XA START '{xid}'"),
                format!("INSERT INTO pair VALUES ({id}, 'xa', 1, 'prepared')"),
                format!("INSERT INTO loose VALUES ({id}, 'xa', NULL)"),
                format!("XA END '{xid}'"),
                format!("XA PREPARE '{xid}'"),
            ] {
                conn.query_drop(statement).unwrap();
            }
            conn
        };
        let mut first = prepare("one", 7_000_001);
        let mut second = prepare("two", 7_000_002);
        for mark in 1..=2 {
            let mut process = dm.start(&[]);
            arrives(&mut process, from, to, mark);
            process.kill();
        }
        // What is not decided is not waited for.
        dm.catch_up().expect_success();
        assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM w.loose WHERE b = 'xa'"), 0);
        first.query_drop("XA COMMIT 'one'").unwrap();
        second.query_drop("XA ROLLBACK 'two'").unwrap();
        let mut process = dm.start(&[]);
        arrives(&mut process, from, to, 3);
        process.kill();
        dm.catch_up().expect_success();
        assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM w.loose WHERE b = 'xa'"), 1);
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}
