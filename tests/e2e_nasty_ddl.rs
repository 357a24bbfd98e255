//! Statements after which everything looks the same, while the state file is out of reach.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use mysql::prelude::Queryable;
use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Task, WAITS_FOR_FENCE, WAITS_FOR_TABLE};
use support::proxy::Proxy;
use support::serial;
use support::server::{Address, Flavor, Server};
use support::wait;

const DB: &str = "w";
/// Tables of equal structure and columns of one type change places; a name is used again.
const SWAPS: &str = "RENAME TABLE a TO x, b TO a, x TO b; INSERT INTO a VALUES (7, 7); \
    ALTER TABLE t CHANGE a b INT, CHANGE b a INT; UPDATE t SET a = a + 1; \
    ALTER TABLE u DROP COLUMN a, RENAME COLUMN b TO a; INSERT INTO u VALUES (9, 9)";

/// Two servers, and a task that has copied these tables and caught up.
fn caught_up(flavor: Flavor, tables: &str) -> Option<(&'static Server, &'static Server, Dm)> {
    let (from, to) = Server::pair(flavor)?;
    from.run("", &format!("CREATE DATABASE {DB}"));
    from.run(DB, tables);
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    Some((from, to, dm))
}

/// Somebody (a backup, a shell) holds the state file over the moment at which the statements come.
/// Nothing can be written down then, so nothing runs; the process says who is in the way.
fn swaps_while_the_state_is_held(flavor: Flavor, kill: bool) {
    let _one = serial();
    let (Some(from), Some(to)) = (Server::shared(flavor, "nsrc"), Server::target(flavor)) else {
        return;
    };
    from.clear();
    to.clear();
    from.run("", &format!("CREATE DATABASE {DB}"));
    from.run(
        DB,
        "CREATE TABLE a (id INT PRIMARY KEY, v INT); INSERT INTO a VALUES (1, 1); \
         CREATE TABLE b LIKE a; INSERT INTO b VALUES (2, 2); \
         CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT); INSERT INTO t VALUES (1, 10, 20); \
         CREATE TABLE u (id INT PRIMARY KEY, a INT, b INT); INSERT INTO u VALUES (1, 10, 20); \
         CREATE TABLE seen (id INT PRIMARY KEY)",
    );
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    let mut process = dm.start(&[]);
    from.run(DB, "INSERT INTO seen VALUES (1)");
    wait::until("it follows", DEADLINE, || {
        process.must_run();
        to.value::<u64>("SELECT COUNT(*) FROM w.seen") == 1
    });
    let state = rusqlite::Connection::open(dm.state().join("test.db")).unwrap();
    state.busy_timeout(DEADLINE).unwrap();
    state.execute_batch("BEGIN IMMEDIATE").unwrap();
    from.run(DB, SWAPS);
    wait::until("it says who is in the way", DEADLINE, || {
        process.must_run();
        process.stderr().contains("another process holds it locked")
    });
    assert_eq!(to.value::<u32>("SELECT id FROM w.a"), 1, "it ran without a record");
    if kill {
        process.kill();
    }
    state.execute_batch("COMMIT").unwrap();
    if !kill {
        from.run(DB, "INSERT INTO seen VALUES (2)");
        wait::until("it goes on by itself", DEADLINE, || {
            process.must_run();
            to.value::<u64>("SELECT COUNT(*) FROM w.seen") == 2
        });
        process.kill();
    }
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

#[test]
fn swaps_wait_for_the_state_file() {
    swaps_while_the_state_is_held(Flavor::Mysql, false);
}

#[test]
fn swaps_wait_for_the_state_file_and_the_process_is_killed() {
    swaps_while_the_state_is_held(Flavor::Mariadb, true);
}

/// Columns that change names and places come out as they were, and nothing in the structure tells whether they
/// did; a second time they would change back.
#[test]
fn columns_that_look_the_same_afterwards_do_not_change_back() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, dm)) = caught_up(
            flavor,
            "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT); INSERT INTO t VALUES (1, 10, 20)",
        ) else {
            return;
        };
        from.run(DB, "ALTER TABLE t CHANGE b a INT AFTER id, CHANGE a b INT AFTER a");
        killed_while_it_waits(&dm, to);
        wait::until("it has run", DEADLINE, || to.value::<u32>("SELECT a FROM w.t") == 20);
        let stopped = dm.catch_up().expect_code(36208);
        for said in ["before: CREATE TABLE", "after it: CREATE TABLE", "now: CREATE TABLE"] {
            assert!(stopped.stderr.contains(said), "{}", stopped.stderr);
        }
        assert_eq!(to.value::<u32>("SELECT a FROM w.t"), 20, "it ran twice");
        dm.other(&["handle-error", "test", "skip", "--state-dir", "state"]).expect_success();
        from.run(DB, "INSERT INTO t VALUES (2, 3, 4)");
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// The text of a statement that was under way is read as its session wrote it.
#[test]
fn statements_of_other_sql_modes_are_found_to_have_run() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, dm)) =
            caught_up(flavor, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)")
        else {
            return;
        };
        from.run(
            DB,
            "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'; ALTER TABLE \"t\" ADD COLUMN \"c\" VARCHAR(9) DEFAULT \
             'it''s \\', ADD \"d\" INT",
        );
        killed_while_it_waits(&dm, to);
        from.run(DB, "INSERT INTO t (id) VALUES (2)");
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// The connection of a statement that the target works on is killed there, or cut on the way: the target has
/// given it up, or works on. It is run again, or waited for, by the process that goes on.
#[test]
fn a_statement_whose_connection_breaks_runs_once() {
    let _one = serial();
    for (flavor, killed) in [
        (Flavor::Mysql, true),
        (Flavor::Mysql, false),
        (Flavor::Mariadb, true),
        (Flavor::Mariadb, false),
    ] {
        let Some((from, to)) = Server::pair(flavor) else { return };
        from.run("", &format!("CREATE DATABASE {DB}"));
        from.run(
            DB,
            "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT); INSERT INTO t VALUES (1, 10, 20)",
        );
        let way = Proxy::start(&to.address.host, to.address.port);
        let behind = Address { port: way.port, ..to.address.clone() };
        let sources = [&from.address];
        let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(&behind), &[DB]));
        dm.catch_up().expect_success();
        from.run(
            DB,
            "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a; INSERT INTO t VALUES (2, 3, 4)",
        );
        let mut holder = to.conn();
        holder.query_drop("BEGIN").unwrap();
        holder.query_drop("SELECT * FROM w.t").unwrap();
        let mut process = dm.start(&[]);
        process.until_seen_at(to, WAITS_FOR_TABLE);
        let which = "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()";
        let id: u64 = to.value(&format!("{which} AND {WAITS_FOR_TABLE}"));
        if killed {
            to.run("", &format!("KILL {id}"));
        } else {
            way.cut();
        }
        // Where the server has given it up, it is run again; else it is waited for.
        let again = format!("{WAITS_FOR_FENCE} OR ({WAITS_FOR_TABLE} AND id <> {id})");
        process.until_seen_at(to, &again);
        holder.query_drop("COMMIT").unwrap();
        wait::until("it goes on by itself", DEADLINE, || {
            process.must_run();
            to.value::<u64>("SELECT COUNT(*) FROM w.t") == 2
        });
        process.kill();
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// A server that dies drops one of several tables and not the other: MariaDB does that table by table.
#[test]
fn a_drop_of_several_tables_is_finished() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, dm)) = caught_up(
            flavor,
            "CREATE TABLE t (id INT PRIMARY KEY); CREATE TABLE u (id INT PRIMARY KEY); INSERT INTO u VALUES (1)",
        ) else {
            return;
        };
        from.run(
            DB,
            "DROP TABLE t, u; CREATE TABLE u (id INT PRIMARY KEY); INSERT INTO u VALUES (2)",
        );
        let mut holder = to.conn();
        holder.query_drop("BEGIN").unwrap();
        holder.query_drop("SELECT * FROM w.t").unwrap();
        let mut process = dm.start(&[]);
        process.until_seen_at(to, WAITS_FOR_TABLE);
        process.kill();
        let which = "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()";
        let id: u64 = to.value(&format!("{which} AND {WAITS_FOR_TABLE}"));
        to.run("", &format!("KILL {id}"));
        wait::until("its locks are free", DEADLINE, || {
            let all = to.rows::<u64>("SELECT id FROM information_schema.processlist");
            !all.contains(&id)
        });
        holder.query_drop("COMMIT").unwrap();
        to.run(DB, "DROP TABLE u");
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// The process dies while its statement waits for the table `t`, which is free again then.
fn killed_while_it_waits(dm: &Dm, to: &Server) {
    let mut holder = to.conn();
    holder.query_drop("BEGIN").unwrap();
    holder.query_drop("SELECT * FROM w.t").unwrap();
    let mut process = dm.start(&[]);
    process.until_seen_at(to, WAITS_FOR_TABLE);
    process.kill();
    holder.query_drop("COMMIT").unwrap();
}
