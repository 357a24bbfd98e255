//! Failovers to servers that wrote the same transactions in another order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use mysql::prelude::Queryable;
use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Task, WAITS_FOR_TABLE};
use support::proxy::Proxy;
use support::server::{Address, Flavor, Server};
use support::{serial, wait};

const DB: &str = "w";
/// Changes of which the first one touches a row that nobody else does; the others depend on each other.
const CHANGES: u32 = 5;
/// In which the second server has them.
const ORDER: [u32; 5] = [2, 3, 4, 5, 1];

/// Two servers that hold the same transactions, committed in another order. MySQL numbers all of them
/// together, MariaDB those of each domain; the order within one is the same everywhere.
fn twin_sources(flavor: Flavor, first_change: &str) -> Option<(&'static Server, &'static Server)> {
    let first = Server::shared(flavor, "nsrc")?;
    let second = Server::shared(flavor, "ntwin")?;
    for server in [first, second] {
        server.clear();
        server.reset_binlog();
        let mut conn = server.conn();
        let setup = [
            format!("CREATE DATABASE {DB}"),
            format!("CREATE TABLE {DB}.t (id INT PRIMARY KEY, v INT)"),
            format!("CREATE TABLE {DB}.loose (v INT)"),
            format!("INSERT INTO {DB}.t VALUES (1, 0), (2, 0)"),
            format!("CREATE TABLE {DB}.p (id INT PRIMARY KEY, v INT)"),
            format!("CREATE TABLE {DB}.q LIKE {DB}.p"),
            format!("INSERT INTO {DB}.p VALUES (1, 1)"),
            format!("INSERT INTO {DB}.q VALUES (2, 2)"),
        ];
        for (number, statement) in setup.iter().enumerate() {
            with_gtid(&mut conn, flavor, 0, 900 + number as u32, &[statement.as_str()]);
        }
        // The first server gets them when the test says so.
        if std::ptr::eq(server, second) {
            ORDER.iter().for_each(|&n| numbered_change(&mut conn, flavor, n, first_change));
        }
    }
    Some((first, second))
}

fn numbered_change(conn: &mut mysql::Conn, flavor: Flavor, n: u32, first_change: &str) {
    let update = |id: u32| format!("UPDATE {DB}.t SET v = v + 1 WHERE id = {id}");
    let insert = format!("INSERT INTO {DB}.loose VALUES ({n}), ({n})");
    match n {
        1 => with_gtid(conn, flavor, 1, n, &[first_change]),
        _ => with_gtid(conn, flavor, 2, n, &[&update(2), &insert]),
    }
}

fn with_gtid(
    conn: &mut mysql::Conn,
    flavor: Flavor,
    domain: u32,
    number: u32,
    statements: &[&str],
) {
    let mysql = flavor.is_mysql();
    if mysql {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        conn.query_drop(format!("SET SESSION gtid_next = '{uuid}:{number}'")).unwrap();
    } else {
        // By itself: the number is judged by the domain so far.
        conn.query_drop(format!("SET SESSION gtid_domain_id = {domain}, server_id = 77")).unwrap();
        conn.query_drop(format!("SET SESSION gtid_seq_no = {number}")).unwrap();
    }
    if statements.len() > 1 {
        conn.query_drop("BEGIN").unwrap();
    }
    statements.iter().for_each(|s| conn.query_drop(s).unwrap());
    if statements.len() > 1 {
        conn.query_drop("COMMIT").unwrap();
    }
    if mysql {
        conn.query_drop("SET SESSION gtid_next = 'AUTOMATIC'").unwrap();
    }
}

/// Ends the session that a killed process left waiting for the lock.
fn end_waiting(to: &Server) {
    const WAITING: &str =
        "SELECT id FROM information_schema.processlist WHERE info LIKE 'UPDATE `w`.`t` %'";
    wait::until("the waiting session is gone", DEADLINE, || {
        let waiting = to.rows::<u64>(WAITING);
        let mut conn = to.conn();
        for id in &waiting {
            // It may end by itself in this moment.
            let _ = conn.query_drop(format!("KILL {id}"));
        }
        waiting.is_empty()
    });
    assert_eq!(to.value::<u32>(&format!("SELECT v FROM {DB}.t WHERE id = 1")), 0);
}

/// A task that has copied the first server, and what its connection to that goes through.
fn copied(first: &Server, to: &Server) -> (Dm, Proxy) {
    to.clear();
    let near = Proxy::start(&first.host, first.port);
    let address = Address { port: near.port, ..first.address.clone() };
    let sources = [&address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    (task.gtid, task.instance, task.more) =
        (true, "    syncer-config-name: one\n", "syncers:\n  one: {worker-count: 4, batch: 1}\n");
    let dm = Dm::set_up(&task);
    dm.catch_up().expect_success();
    (dm, near)
}

/// The process dies when later transactions are in and an earlier one is not, and goes on from a
/// replica that committed them in another order.
fn another_order(flavor: Flavor) {
    let _one = serial();
    let update = format!("UPDATE {DB}.t SET v = v + 1 WHERE id = 1");
    let Some((first, second)) = twin_sources(flavor, &update) else { return };
    let Some(to) = Server::target(flavor) else { return };
    let (dm, near) = copied(first, to);
    // Row 1 is locked: the first transaction waits, the others pass it.
    let mut holder = to.conn();
    holder.query_drop("BEGIN").unwrap();
    holder.query_drop(format!("SELECT * FROM {DB}.t WHERE id = 1 FOR UPDATE")).unwrap();
    let mut conn = first.conn();
    let mut process = dm.start(&[]);
    numbered_change(&mut conn, flavor, 1, &update);
    // A worker that has waited for a while is handed nothing more. Whole seconds are shown, and the first
    // may have begun just before.
    process.until_seen_at(to, "time >= 2 AND info LIKE 'UPDATE `w`.`t` %'");
    (2..=CHANGES).for_each(|n| numbered_change(&mut conn, flavor, n, &update));
    wait::until("the later ones are in", DEADLINE, || {
        process.must_run();
        to.value::<u32>(&format!("SELECT v FROM {DB}.t WHERE id = 2")) == CHANGES - 1
    });
    process.kill();
    // Else the server carries out what the process sent last.
    end_waiting(to);
    holder.query_drop("ROLLBACK").unwrap();
    near.redirect(&second.host, second.port);
    near.cut();
    dm.catch_up().expect_success();
    assert_databases_equal(second, Target::Server(to), &[DB]);
    // The marks of before are passed and forgotten, however it goes on.
    let mut conn = second.conn();
    (CHANGES + 1..CHANGES + 4).for_each(|n| numbered_change(&mut conn, flavor, n, &update));
    dm.catch_up().expect_success();
    dm.catch_up().expect_success();
    assert_databases_equal(second, Target::Server(to), &[DB]);
}

#[test]
fn a_failover_brings_another_order() {
    another_order(Flavor::Mysql);
}

#[test]
fn a_failover_brings_another_order_of_domains() {
    another_order(Flavor::Mariadb);
}

/// The process dies while the target works on a statement, which then runs; the replica has it behind
/// transactions that follow it at the first server. It is known by its GTID and does not run again.
fn statement_in_another_order(flavor: Flavor, statement: &str, rows_go_on: bool) {
    let _one = serial();
    let Some((first, second)) = twin_sources(flavor, statement) else { return };
    let Some(to) = Server::target(flavor) else { return };
    let (dm, near) = copied(first, to);
    let mut holder = to.conn();
    holder.query_drop("BEGIN").unwrap();
    holder.query_drop(format!("SELECT * FROM {DB}.p")).unwrap();
    let mut conn = first.conn();
    let mut process = dm.start(&[]);
    numbered_change(&mut conn, flavor, 1, statement);
    process.until_seen_at(to, WAITS_FOR_TABLE);
    (2..=CHANGES).for_each(|n| numbered_change(&mut conn, flavor, n, statement));
    let later = format!("SELECT v FROM {DB}.t WHERE id = 2");
    if rows_go_on {
        wait::until("the later ones are in", DEADLINE, || {
            process.must_run();
            to.value::<u32>(&later) == CHANGES - 1
        });
    } else {
        assert_eq!(to.value::<u32>(&later), 0);
    }
    process.kill();
    holder.query_drop("COMMIT").unwrap();
    near.redirect(&second.host, second.port);
    near.cut();
    dm.catch_up().expect_success();
    assert_databases_equal(second, Target::Server(to), &[DB]);
    dm.catch_up().expect_success();
    assert_databases_equal(second, Target::Server(to), &[DB]);
}

const ADD: &str = "ALTER TABLE w.p ADD COLUMN more INT NOT NULL DEFAULT 5";
/// Nothing tells afterwards whether it ran.
const SWAP: &str = "RENAME TABLE w.p TO w.x, w.q TO w.p, w.x TO w.q";

#[test]
fn a_statement_has_another_place_at_the_replica() {
    statement_in_another_order(Flavor::Mysql, ADD, true);
    statement_in_another_order(Flavor::Mariadb, ADD, true);
}

#[test]
fn tables_change_places_at_another_place_of_the_replica() {
    statement_in_another_order(Flavor::Mysql, SWAP, false);
    statement_in_another_order(Flavor::Mariadb, SWAP, false);
}
