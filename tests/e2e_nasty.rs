//! What breaks designs like this one: failovers to servers that wrote the same history in another
//! order or cut it in other pieces, prepared transactions whose binlog is gone, stops while nobody
//! answers, commits that are in the binlog and not visible yet.
//!
//! `DM_TEST_STARTS` is how often a copy is started under the commits that are not visible yet (3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Process, Task};
use support::proxy::Proxy;
use support::random::Random;
use support::replica::{end_replication, follows, replica_of};
use support::server::{Address, Flavor, Server, external_target};
use support::workload::{Load, big_transaction};
use support::{env_number, leave_out, serial, sql, wait};

const DB: &str = "w";
/// What a stop may take in any state.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A file and an offset mean nothing on another server that has a file of that name, too: also a
/// process that is started later knows.
#[test]
fn another_server_behind_the_address_is_noticed() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let (Some(from), Some(to)) = (Server::shared(flavor, "nsrc"), Server::target(flavor))
        else {
            return;
        };
        // Any other server with a binlog will do; the target is one.
        from.clear();
        to.clear();
        from.run("", &format!("CREATE DATABASE {DB}; CREATE TABLE {DB}.t (id INT PRIMARY KEY)"));
        let near = Proxy::start(&from.host, from.port);
        let address = Address { port: near.port, ..from.address.clone() };
        let sources = [&address];
        let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
        dm.catch_up().expect_success();
        if to.external {
            return leave_out("another server", "the external target is no source");
        }
        near.redirect(&to.host, to.port);
        dm.catch_up().expect_code(61_001);
        near.redirect(&from.host, from.port);
        from.run(DB, "INSERT INTO t VALUES (1)");
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// Waits until the running `dm` has carried over a row that is written now.
fn arrives(process: &mut Process, from: &Server, to: &Server, mark: u32) {
    from.run(DB, &format!("INSERT INTO seen VALUES ({mark})"));
    let there = format!("SELECT COUNT(*) FROM {DB}.seen WHERE id = {mark}");
    wait::until("the mark arrives", DEADLINE, || {
        process.must_run();
        let Ok(mut conn) = to.try_conn() else { return false };
        matches!(conn.query_first::<u64, _>(&there), Ok(Some(1)))
    });
}

/// A statement on a connection of its own that stays open.
fn session(server: &Server, statements: &[&str]) -> mysql::Conn {
    let mut conn = server.conn();
    sql::run(&mut conn, &format!("USE {DB}"));
    statements.iter().for_each(|s| conn.query_drop(s).unwrap_or_else(|e| panic!("{e}\nin: {s}")));
    conn
}

fn kept_xids(dm: &Dm) -> i64 {
    let state = rusqlite::Connection::open(dm.state().join("test.db")).unwrap();
    state
        .query_row("SELECT (SELECT count(*) FROM xa) + (SELECT count(*) FROM xa_part)", [], |r| {
            r.get(0)
        })
        .unwrap()
}

/// Prepared before the copy, prepared in the stream, the process killed twice, the source restarted,
/// the files of the prepares purged, statements on other tables in between, one of them large.
fn xa_over_everything(flavor: Flavor) {
    let _one = serial();
    let (Some(from), Some(to)) = (Server::shared(flavor, "nsrc"), Server::target(flavor)) else {
        return;
    };
    from.clear();
    to.clear();
    from.run("", &format!("CREATE DATABASE {DB}"));
    from.run(
        DB,
        "CREATE TABLE seen (id INT PRIMARY KEY); CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(200)); \
         CREATE TABLE loose (v INT); CREATE TABLE other (id INT PRIMARY KEY); INSERT INTO a VALUES (1, 'one')",
    );
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
    let mut early = session(
        from,
        &[
            "XA START 'early'",
            "INSERT INTO a VALUES (2, 'early')",
            "INSERT INTO loose VALUES (2), (2)",
            "XA END 'early'",
            "XA PREPARE 'early'",
        ],
    );
    // The copy waits for what was prepared before it.
    let mut process = dm.start(&[]);
    wait::until("the copy says that it waits", DEADLINE, || {
        process.must_run();
        process.stderr().contains("early")
    });
    assert!(!to.databases().contains(&DB.to_owned()), "the copy did not wait");
    early.query_drop("XA COMMIT 'early'").unwrap();
    arrives(&mut process, from, to, 1);
    let mut kept = session(
        from,
        &[
            "XA START 'kept'",
            "INSERT INTO a SELECT 100 + n, REPEAT('x', 150) FROM numbers",
            "XA END 'kept'",
            "XA PREPARE 'kept'",
        ]
        .map(|s| {
            s.replace(
                "FROM numbers",
                &format!("FROM {} s WHERE n < 30000", support::workload::numbers()),
            )
            .leak() as &str
        }),
    );
    let dropped = session(
        from,
        &[
            "XA START 'gone','b',7",
            "DELETE FROM a WHERE id = 1",
            "INSERT INTO loose VALUES (7)",
            "XA END 'gone','b',7",
            "XA PREPARE 'gone','b',7",
        ],
    );
    arrives(&mut process, from, to, 2);
    wait::until("it is in the state file", DEADLINE, || {
        process.must_run();
        kept_xids(&dm) > 2
    });
    process.kill();
    let mut process = dm.start(&[]);
    // Statements on tables that have nothing to do with it go on, and those that leave its tables as they are.
    from.run(DB, "ALTER TABLE other ADD COLUMN v INT DEFAULT 7; INSERT INTO other (id) VALUES (1); RENAME TABLE other TO other2");
    from.run(DB, "CREATE TABLE twin LIKE a; INSERT INTO twin VALUES (1, 'twin')");
    if !flavor.is_mysql() {
        // MySQL lets it wait for the transaction.
        from.run(DB, "ALTER DATABASE w CHARACTER SET latin1; CREATE TABLE late (v VARCHAR(9))");
    }
    arrives(&mut process, from, to, 3);
    let old = from.position().file;
    from.run("", "FLUSH BINARY LOGS");
    arrives(&mut process, from, to, 4);
    process.kill();
    dm.catch_up().expect_success();
    // The low-water mark was not held back: what lies before the new file is not needed any more.
    from.run("", &format!("PURGE BINARY LOGS TO '{}'", from.position().file));
    assert_ne!(old, from.position().file);
    drop(dropped);
    if flavor.is_mysql() {
        kept.query_drop("XA COMMIT 'kept'").unwrap();
    } else {
        // Another session decides, after a restart of the server.
        drop(kept);
        from.kill();
        from.restart();
        from.run("", "XA COMMIT 'kept'");
    }
    assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM w.a"), 2, "prepared is not committed");
    let mut process = dm.start(&[]);
    arrives(&mut process, from, to, 5);
    wait::until("the dropped one is free", DEADLINE, || {
        from.conn().query_drop("XA ROLLBACK 'gone','b',7").is_ok()
    });
    arrives(&mut process, from, to, 6);
    process.kill();
    dm.catch_up().expect_success();
    assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM w.a"), 30_002);
    assert_eq!(kept_xids(&dm), 0, "nothing is left in the state file");
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

#[test]
fn xa_over_everything_mysql() {
    xa_over_everything(Flavor::Mysql);
}

#[test]
fn xa_over_everything_mariadb() {
    xa_over_everything(Flavor::Mariadb);
}

/// Asks a `dm` to stop whose copy waits for a server that nobody hears from any more.
#[test]
fn a_stop_is_not_held_up_by_a_server_that_does_not_answer() {
    if external_target().is_some() {
        return leave_out("stops during a copy", "needs a proxy in front of both servers");
    }
    let _one = serial();
    let flavor = Flavor::Mysql;
    let (Some(from), Some(to)) = (Server::shared(flavor, "nsrc"), Server::target(flavor)) else {
        return;
    };
    from.clear();
    Load::prepare(from, DB, 3);
    from.run(DB, &big_transaction(60_000));
    from.run(DB, "CREATE TABLE seen (id INT PRIMARY KEY)");
    for source_is_dead in [true, false] {
        to.clear();
        let (near, far) = (Proxy::start(&from.host, from.port), Proxy::start(&to.host, to.port));
        let near_address = Address { port: near.port, ..from.address.clone() };
        let far_address = Address { port: far.port, ..to.address.clone() };
        let sources = [&near_address];
        let mut task = Task::new("all", &sources, Target::Server(&far_address), &[DB]);
        (task.instance, task.more) = (
            "    mydumper-config-name: small\n",
            "mydumpers:\n  small: {rows: 1000, threads: 2}\n",
        );
        let dm = Dm::set_up(&task);
        let dead = if source_is_dead { &near } else { &far };
        far.throttle(300_000);
        let mut process = dm.start(&[]);
        wait::until("rows are copied", DEADLINE, || {
            process.must_run();
            to.databases().contains(&DB.to_owned())
                && to.value::<u64>(
                    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'w'",
                ) > 0
        });
        dead.black_hole(true);
        stops_in_time(process);
        // Also one that meets the dead server when it starts.
        let met = dead.accepted();
        let mut process = dm.start(&[]);
        wait::until("it meets the dead server", DEADLINE, || {
            process.must_run();
            dead.accepted() > met
        });
        stops_in_time(process);
        dead.black_hole(false);
        dead.cut();
        far.throttle(0);
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

fn stops_in_time(process: Process) {
    let asked = Instant::now();
    process.interrupt();
    let outcome = process.wait(DEADLINE);
    let took = asked.elapsed();
    assert!(took <= wait::promised(STOP_LIMIT), "a stop took {:.1} s", took.as_secs_f64());
    outcome.expect_success();
}

/// A snapshot keeps rows, not names: tables and columns change places after it was opened and before
/// they are read. Nothing in the structures tells.
#[test]
fn names_that_move_under_a_snapshot() {
    if external_target().is_some() {
        return leave_out("renames during a copy", "needs a proxy in front of the target");
    }
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let (Some(from), Some(to)) = (Server::shared(flavor, "nsrc"), Server::target(flavor))
        else {
            return;
        };
        from.clear();
        to.clear();
        Load::prepare(from, DB, 5);
        from.run(DB, &big_transaction(20_000));
        from.run(
            DB,
            "CREATE TABLE p (id INT PRIMARY KEY, v INT); INSERT INTO p VALUES (1, 1), (2, 2); \
             CREATE TABLE q LIKE p; INSERT INTO q VALUES (2, 20), (3, 30); \
             CREATE TABLE c (id INT PRIMARY KEY, a INT, b INT); INSERT INTO c VALUES (1, 10, 20); \
             CREATE TABLE d (id INT PRIMARY KEY, a INT DEFAULT 5); INSERT INTO d VALUES (1, 10)",
        );
        let far = Proxy::start(&to.host, to.port);
        let far_address = Address { port: far.port, ..to.address.clone() };
        let sources = [&from.address];
        let mut task = Task::new("all", &sources, Target::Server(&far_address), &[DB]);
        // One reader, which begins with the largest table.
        (task.instance, task.more) =
            ("    mydumper-config-name: one\n", "mydumpers:\n  one: {rows: 1000, threads: 1}\n");
        let dm = Dm::set_up(&task);
        far.throttle(300_000);
        let mut process = dm.start(&["--until", "caught-up"]);
        wait::until("rows are copied", DEADLINE, || {
            process.must_run();
            let Ok(mut conn) = to.try_conn() else { return false };
            matches!(conn.query_first::<u64, _>("SELECT 1 FROM w.acct LIMIT 1"), Ok(Some(1)))
        });
        from.run(
            DB,
            "RENAME TABLE p TO x, q TO p, x TO q; INSERT INTO p VALUES (7, 7); \
             ALTER TABLE c RENAME COLUMN a TO b, RENAME COLUMN b TO a; UPDATE c SET a = a + 1; \
             ALTER TABLE d DROP COLUMN a; ALTER TABLE d ADD COLUMN a INT DEFAULT 6",
        );
        far.throttle(0);
        process.wait(DEADLINE).expect_success();
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// The source goes away in the middle of a large transaction; its replica cuts rows in other pieces
/// and compresses them. Then the old source comes back without its last transactions.
fn failover_in_mid_transaction(flavor: Flavor) {
    let _one = serial();
    let (Some(from), Some(to)) = (Server::shared(flavor, "nsrc"), Server::target(flavor)) else {
        return;
    };
    from.clear();
    to.clear();
    from.reset_binlog();
    let options: &[&str] = if flavor.is_mysql() {
        &["--binlog-row-event-max-size=1024", "--binlog-transaction-compression=ON"]
    } else {
        &["--binlog-row-event-max-size=1024", "--log-bin-compress=ON"]
    };
    let Some(replica) = replica_of(from, "ntwin", options) else { return };
    Load::prepare(from, DB, 11);
    from.run(DB, "CREATE TABLE seen (id INT PRIMARY KEY)");
    let near = Proxy::start(&from.host, from.port);
    let address = Address { port: near.port, ..from.address.clone() };
    let sources = [&address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    task.gtid = true;
    let dm = Dm::set_up(&task);
    dm.catch_up().expect_success();
    from.run(
        DB,
        &format!(
            "BEGIN; {}; INSERT INTO loose SELECT id % 5, 'big', NULL FROM acct; COMMIT",
            big_transaction(60_000)
        ),
    );
    follows(from, replica);
    near.throttle(1_500_000);
    let before = near.passed();
    let mut process = dm.start(&[]);
    wait::until("a part of it has been read", DEADLINE, || {
        process.must_run();
        near.passed() > before + 2_500_000
    });
    near.redirect(&replica.host, replica.port);
    near.throttle(0);
    near.cut();
    arrives_on(&mut process, replica, to);
    // Another worker may have been faster with the mark.
    wait::until("the large one is in", DEADLINE, || {
        process.must_run();
        to.value::<u64>("SELECT COUNT(*) FROM w.acct WHERE txt = 'big'") == 60_000
    });
    assert_databases_equal(replica, Target::Server(to), &[DB]);
    // Back to the old one, which lacks what was written since.
    near.redirect(&from.host, from.port);
    near.cut();
    process.wait(DEADLINE).expect_code(61_002);
    near.redirect(&replica.host, replica.port);
    dm.catch_up().expect_success();
    assert_databases_equal(replica, Target::Server(to), &[DB]);
    end_replication(replica);
}

/// Writes at the new source what the old one never gets.
fn arrives_on(process: &mut Process, replica: &Server, to: &Server) {
    end_replication(replica);
    arrives(process, replica, to, 1);
}

#[test]
fn failover_in_mid_transaction_mysql() {
    failover_in_mid_transaction(Flavor::Mysql);
}

#[test]
fn failover_in_mid_transaction_mariadb() {
    failover_in_mid_transaction(Flavor::Mariadb);
}

/// Commits that wait for a slow replica are in the binlog and not visible. A copy that takes no
/// locks starts among them, again and again.
#[test]
fn commits_that_are_not_visible_yet_are_not_lost() {
    let _one = serial();
    let Some(from) = Server::shared(Flavor::Mysql, "nsrc") else { return };
    let Some(to) = Server::target(Flavor::Mysql) else { return };
    from.clear();
    from.reset_binlog();
    let Some(replica) = Server::shared_with(
        Flavor::Mysql,
        "ntwin",
        &["--binlog-row-event-max-size=1024", "--binlog-transaction-compression=ON"],
    ) else {
        return;
    };
    replica.clear();
    replica.reset_binlog();
    let slow = Proxy::start(&from.host, from.port);
    from.run("", "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'; SET GLOBAL rpl_semi_sync_source_timeout = 10000, rpl_semi_sync_source_enabled = ON");
    replica.run("", &format!("INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'; SET GLOBAL rpl_semi_sync_replica_enabled = ON; CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {}, SOURCE_USER = 'mig', SOURCE_PASSWORD = 'mig', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA", slow.port));
    Load::prepare(from, DB, Random::seed());
    // Without locks two positions may enclose the snapshot: rows without a key cannot be followed then.
    from.run(
        DB,
        "ALTER TABLE loose ADD COLUMN rid BIGINT NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY",
    );
    wait::until("the replica answers", DEADLINE, || {
        from.value::<u32>("SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_clients'") > 0
    });
    slow.delay(Duration::from_millis(400));
    for round in 0..env_number("DM_TEST_STARTS", 3) {
        to.clear();
        let sources = [&from.address];
        let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
        (task.gtid, task.instance, task.more) = (
            round % 2 == 1,
            "    mydumper-config-name: none\n",
            "mydumpers:\n  none: {extra-args: \"--consistency none\"}\n",
        );
        let dm = Dm::set_up(&task);
        let load = Load::start(from, DB, round, 12, 2_000);
        load.advance(20);
        // Where XA is in use the stream starts at the end of the binlog, some of which does not count as
        // executed yet.
        from.run(DB, "XA START 'x'; INSERT INTO loose (a) VALUES (7); XA END 'x'; XA PREPARE 'x'");
        let copy = dm.start(&["--until", "caught-up"]);
        wait::until("the copy waits", DEADLINE, || copy.stderr().contains("prepared XA"));
        from.run(DB, "XA COMMIT 'x'");
        copy.wait(DEADLINE).expect_success();
        assert_eq!(from.value::<String>("SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_status'"), "ON", "commits do not wait");
        load.finish();
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
        let executed: String = from.value("SELECT REPLACE(@@GLOBAL.gtid_executed, '\n', '')");
        let status = dm.other(&["query-status", "test", "--json", "--state-dir", "state"]);
        let has = format!("\"syncerBinlogGtid\": \"{executed}\"");
        assert!(status.stdout.contains(&has), "{has}:\n{}", status.stdout);
    }
    slow.delay(Duration::ZERO);
    end_replication(replica);
    from.run("", "SET GLOBAL rpl_semi_sync_source_enabled = OFF");
    replica.run("", "SET GLOBAL rpl_semi_sync_replica_enabled = OFF");
}
