//! Every task mode under a write load: equal when `dm` says that it has caught up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Task};
use support::server::{Address, Flavor, tool};
use support::workload::{Load, big_transaction};
use support::{serial, skip, wait};

const DB: &str = "w";

/// The copy is taken while the load runs; what came later comes by the binlog. The tables are
/// compared after the load has ended and `dm` has caught up.
fn all_under_load(flavor: Flavor, gtid: bool, consistency: &str) {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(DB, flavor) else { return };
    if matches!(consistency, "none" | "snapshot") {
        // Without a lock the rows may hold more than the position says. Without a key such changes
        // cannot be applied a second time: `dm` refuses them (36201) instead of doubling rows.
        from.run(
            DB,
            "ALTER TABLE loose ADD COLUMN loose_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE \
             PRIMARY KEY",
        );
    }
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    task.gtid = gtid;
    task.instance = "    mydumper-config-name: small\n";
    let dumpers = format!(
        "mydumpers:\n  small: {{rows: 200, threads: 4, extra-args: \"--consistency {consistency}\"}}\n"
    );
    task.more = &dumpers;
    let dm = Dm::set_up(&task);
    let load = Load::start(from, DB, seed, 4, 600);
    load.advance(100);
    // `caught-up` is where the source was when it was asked: under load that is a moving end.
    dm.catch_up().expect_success();
    load.advance(200);
    dm.catch_up().expect_success();
    load.finish();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

#[test]
fn all_by_position_on_mysql() {
    all_under_load(Flavor::Mysql, false, "auto");
}

#[test]
fn all_by_gtid_on_mysql() {
    all_under_load(Flavor::Mysql, true, "auto");
}

#[test]
fn all_by_position_on_mariadb() {
    all_under_load(Flavor::Mariadb, false, "auto");
}

#[test]
fn all_by_gtid_on_mariadb() {
    all_under_load(Flavor::Mariadb, true, "auto");
}

#[test]
fn all_without_a_consistent_snapshot() {
    all_under_load(Flavor::Mysql, false, "none");
}

#[test]
fn all_with_each_way_to_a_snapshot() {
    for way in ["flush", "snapshot", "lock"] {
        all_under_load(Flavor::Mysql, false, way);
    }
}

#[test]
fn full_copies_a_table_that_nobody_writes_and_ends() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, seed)) = Load::stage(DB, flavor) else { return };
        from.run(DB, &big_transaction(20_000));
        let sources = [&from.address];
        let mut task = Task::new("full", &sources, Target::Server(to), &[DB]);
        task.instance = "    mydumper-config-name: small\n";
        task.more = "mydumpers:\n  small: {rows: 1000, threads: 4}\n";
        // Another database of the source is written all the time.
        Load::prepare(from, "other", seed);
        let load = Load::start(from, "other", seed, 2, 200);
        Dm::set_up(&task).run(&[]).expect_success();
        load.finish();
        assert_databases_equal(from, Target::Server(to), &[DB]);
        assert!(!to.databases().contains(&"other".to_owned()));
    }
}

/// The target begins as a copy of the source made by the same statements; `dm` starts where they
/// ended.
fn incremental(flavor: Flavor, gtid: bool) {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(DB, flavor) else { return };
    copy_first(&from.address, &to.address);
    let at = from.position();
    let meta = if gtid {
        format!("    meta: {{binlog-gtid: \"{}\"}}\n", at.gtid)
    } else {
        format!("    meta: {{binlog-name: {}, binlog-pos: {}}}\n", at.file, at.pos)
    };
    let sources = [&from.address];
    let mut task = Task::new("incremental", &sources, Target::Server(to), &[DB]);
    task.gtid = gtid;
    task.instance = &meta;
    let dm = Dm::set_up(&task);
    let load = Load::start(from, DB, seed, 4, 800);
    load.advance(300);
    dm.catch_up().expect_success();
    from.run("", "FLUSH BINARY LOGS");
    load.advance(300);
    load.finish();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

/// A plain copy of the load's tables, row by row through this process.
fn copy_first(from: &Address, to: &Address) {
    Load::prepare(to, DB, 0);
    for table in ["acct", "pair", "swap", "loose", "child"] {
        let columns: Vec<String> = from.rows(&format!(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = '{DB}' AND table_name = '{table}' \
             AND extra NOT LIKE '%GENERATED%' ORDER BY ordinal_position"
        ));
        let list = columns.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
        // FLOAT in full precision, BIT as a number; the load's JSON has no types that text loses.
        let exact = list.replace("`f`", "`f` + 0e0").replace("`bits`", "`bits` + 0");
        let mut conn = from.conn();
        let rows: Vec<mysql::Row> = mysql::prelude::Queryable::exec(
            &mut conn,
            format!("SELECT {exact} FROM {DB}.{table}"),
            (),
        )
        .unwrap();
        let marks = vec!["?"; columns.len()].join(", ");
        let mut target = to.conn();
        let run = |conn: &mut mysql::Conn, sql: &str| {
            mysql::prelude::Queryable::query_drop(conn, sql).unwrap()
        };
        run(&mut target, &format!("DELETE FROM {DB}.{table}"));
        run(&mut target, "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'");
        run(&mut target, "BEGIN");
        let insert = format!("INSERT INTO {DB}.{table} ({list}) VALUES ({marks})");
        let rows = rows.into_iter().map(|row| mysql::Params::Positional(row.unwrap()));
        mysql::prelude::Queryable::exec_batch(&mut target, insert, rows).unwrap();
        run(&mut target, "COMMIT");
    }
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

#[test]
fn incremental_by_position_on_mysql() {
    incremental(Flavor::Mysql, false);
}

#[test]
fn incremental_by_gtid_on_mysql() {
    incremental(Flavor::Mysql, true);
}

#[test]
fn incremental_by_position_on_mariadb() {
    incremental(Flavor::Mariadb, false);
}

#[test]
fn incremental_by_gtid_on_mariadb() {
    incremental(Flavor::Mariadb, true);
}

#[test]
fn transactions_of_100_000_rows_arrive_whole() {
    let _one = serial();
    let Some((from, to, _)) = Load::stage(DB, Flavor::Mysql) else { return };
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    from.run(
        DB,
        &format!(
            "{}; UPDATE acct SET bal = bal + 1, txt = 'changed' WHERE txt = 'big'; BEGIN; DELETE FROM acct WHERE \
             txt = 'changed' AND id % 3 = 0; INSERT INTO loose SELECT id % 7, code, NULL FROM acct; COMMIT",
            big_transaction(100_000)
        ),
    );
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

#[test]
fn a_run_ends_at_the_position_or_gtid_that_it_was_told() {
    let _one = serial();
    let Some((from, to, _)) = Load::stage(DB, Flavor::Mysql) else { return };
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    task.gtid = true;
    let dm = Dm::set_up(&task);
    dm.catch_up().expect_success();
    from.run(DB, "INSERT INTO loose VALUES (1000, 'first', NULL)");
    let first = from.position();
    from.run(DB, "INSERT INTO loose VALUES (1000, 'second', NULL)");
    let second = from.position();
    from.run(DB, "INSERT INTO loose VALUES (1000, 'third', NULL)");
    let there = || to.rows::<String>("SELECT b FROM w.loose WHERE a = 1000 ORDER BY b");
    dm.run(&["--until", &format!("{}:{}", first.file, first.pos)]).expect_success();
    assert_eq!(there(), ["first"]);
    dm.run(&["--until", &second.gtid]).expect_success();
    assert_eq!(there(), ["first", "second"]);
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

/// A dump that somebody made with mydumper stands in for the copy; the stream starts at the position that
/// its metadata tells. Said in the task file, or once on the command line: a kill does not make `dm`
/// forget it.
#[test]
fn a_dump_directory_replaces_the_copy_and_the_binlog_follows() {
    let _one = serial();
    let Some(mydumper) = tool("mydumper") else {
        return skip("mydumper", "not installed; tests/servers.sh install tools");
    };
    for by_flag in [false, true] {
        let Some((from, to, seed)) = Load::stage(DB, Flavor::Mariadb) else { return };
        // The tool prints six digits of a FLOAT.
        from.run(DB, "ALTER TABLE acct MODIFY f DOUBLE");
        let sources = [&from.address];
        let mode = if by_flag { "all" } else { "load&sync" };
        let mut task = Task::new(mode, &sources, Target::Server(to), &[DB]);
        let mut first: &[&str] = &["--dump-dir", "dump"];
        if !by_flag {
            task.instance = "    loader-config-name: dump\n";
            task.more = "loaders:\n  dump: {dir: ./dump}\n";
            first = &[];
        }
        let dm = Dm::set_up(&task);
        let load = Load::start(from, DB, seed, 2, 200);
        let dumped = std::process::Command::new(&mydumper)
            .args(["--host=127.0.0.1", "--user=mig", "--password=mig", "--trx-consistency-only"])
            .args([&format!("--port={}", from.port), "--database=w"])
            .args(["--threads=2", "--outputdir=dump"])
            .current_dir(dm.path())
            .output()
            .unwrap();
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        let mut process = dm.start(first);
        wait::until("the copy has begun", DEADLINE, || {
            process.must_run();
            to.value::<u64>(
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'w'",
            ) > 0
        });
        process.kill();
        load.finish();
        if by_flag {
            dm.run(&["--dump-dir", "other", "--until", "caught-up"]).expect_code(40081);
            dm.run(&["--dump-dir", "nobody=dump"]).expect_failure(&["no source \"nobody\""]);
        }
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

#[test]
fn a_run_ends_at_the_time_that_it_was_told() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, _)) = Load::stage(DB, flavor) else { return };
        let sources = [&from.address];
        let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
        dm.catch_up().expect_success();
        // Years ahead, so that nothing else was written then.
        for (year, word) in [(2031, "first"), (2032, "second"), (2033, "third")] {
            let second = format!("UNIX_TIMESTAMP('{year}-01-01 00:00:00')");
            from.run(
                DB,
                &format!(
                    "SET TIMESTAMP = {second}; INSERT INTO loose VALUES (1000, '{word}', NULL)"
                ),
            );
        }
        let there = || to.rows::<String>("SELECT b FROM w.loose WHERE a = 1000 ORDER BY b");
        dm.run(&["--until", "2031-06-01 00:00:00"]).expect_success();
        assert_eq!(there(), ["first", "second"]);
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

#[test]
fn ctrl_c_stops_at_a_safe_point_and_says_how_to_go_on() {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(DB, Flavor::Mysql) else { return };
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    let load = Load::start(from, DB, seed, 2, 400);
    let process = dm.start(&[]);
    from.run(DB, "INSERT INTO loose VALUES (2000, 'mark', NULL)");
    support::wait::until("the stream runs", support::dm::DEADLINE, || {
        to.value::<u64>("SELECT COUNT(*) FROM w.loose WHERE a = 2000") == 1
    });
    process.interrupt();
    let outcome = process.wait(std::time::Duration::from_secs(30));
    assert!(outcome.status.code().is_some(), "ended by the signal itself: {}", outcome.stderr);
    assert!(
        outcome.stderr.contains("the same command"),
        "it should say how to go on:\n{}",
        outcome.stderr
    );
    load.finish();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}
