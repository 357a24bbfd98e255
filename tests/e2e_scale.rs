//! What must stay small or quick however large the data is: memory with long rows and long
//! transactions, time with many tables.
//!
//! `DM_TEST_TABLES` is the number of tables (2,000; 20,000 for the figures of the documentation).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::time::{Duration, Instant};

use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Outcome, Process, Task};
use support::server::{Address, Flavor, Server};
use support::workload::{Load, big_transaction};
use support::{env_number, serial, wait};

const DB: &str = "w";
const MIB: u64 = 1 << 20;

/// The most that the process may take, in KiB.
const PEAK: u64 = 150 << 10;

/// The end of a run, and that it stayed below the limit.
#[track_caller]
fn expect_peak(what: &str, (outcome, peak): (Outcome, u64), limit: u64) {
    outcome.expect_success();
    println!("{what}: peak {} MiB", peak >> 10);
    assert!(peak > 0 && peak < limit, "{what}: the process grew to {} MiB", peak >> 10);
}

/// A text of `bytes` bytes, or as many bytes that are no text.
fn value(id: u64, bytes: u64, text: bool) -> String {
    match text {
        true => format!("REPEAT('it''s \\\\ {:09}', {})", id, bytes / 16),
        false => format!("REPEAT(UNHEX(SHA2('{id}', 256)), {})", bytes / 32),
    }
}

fn insert(id: u64, bytes: u64) -> String {
    let (text, binary) = (value(id, bytes, true), value(id, bytes, false));
    match id % 2 {
        0 => format!("INSERT INTO wide VALUES ({id}, {text}, NULL, 'x')"),
        _ => format!("INSERT INTO wide VALUES ({id}, NULL, {binary}, 'x')"),
    }
}

const WIDE: &str = "CREATE TABLE wide (id INT PRIMARY KEY, t LONGTEXT, b LONGBLOB, s VARCHAR(20)); \
                    CREATE TABLE wide_json (id INT PRIMARY KEY, j JSON);";

/// Both sides of the wide tables, value by value, without carrying the values here.
fn assert_wide_equal(from: &Address, to: &Address) {
    let wide = "SELECT CONCAT_WS('/', id, LENGTH(t), SHA2(t, 256), LENGTH(b), SHA2(b, 256), s) \
                FROM w.wide ORDER BY id";
    let json = "SELECT CONCAT_WS('/', id, LENGTH(j), SHA2(CAST(j AS CHAR), 256)) FROM w.wide_json ORDER BY id";
    for query in [wide, json] {
        let rows = from.rows::<String>(query);
        assert!(!rows.is_empty());
        assert_eq!(rows, to.rows::<String>(query));
    }
}

/// Rows of 8 MiB, each a transaction or many in one, and transactions of 100,000 rows: copied and
/// followed, inserted, changed and deleted, with several threads at work.
fn rows_of_8_mib(flavor: Flavor) {
    let _one = serial();
    let (Some(from), Some(to)) = (Server::shared(flavor, "src"), Server::target(flavor)) else {
        return;
    };
    from.clear();
    to.clear();
    Load::prepare(from, DB, 1);
    from.run(DB, WIDE);
    let rows = |ids: std::ops::Range<u64>| ids.map(|id| insert(id, 8 * MIB)).collect::<Vec<_>>();
    from.run(DB, &rows(0..8).join(";"));
    // Short rows beside the long ones, so that the average tells nothing.
    let short: Vec<String> =
        (1_000..30_000).map(|id| format!("({id}, 't', 'b', 'short')")).collect();
    for part in short.chunks(5_000) {
        from.run(DB, &format!("INSERT INTO wide VALUES {}", part.join(",")));
    }
    let json = |id: u64| {
        let text = format!("REPEAT('json {id:011}', {})", 3 * MIB / 16);
        format!("INSERT INTO wide_json VALUES ({id}, CONCAT('[\"', {text}, '\"]'))")
    };
    from.run(DB, &(0..4).map(json).collect::<Vec<_>>().join(";"));
    from.run(DB, &big_transaction(100_000));
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    task.instance = "    mydumper-config-name: small\n";
    task.more = "mydumpers:\n  small: {rows: 5000, threads: 4}\n";
    let dm = Dm::set_up(&task);
    let run = || dm.start(&["--until", "caught-up"]).wait_measuring(DEADLINE);
    expect_peak("copy", run(), PEAK);
    assert_wide_equal(from, to);

    from.run(DB, &rows(10..16).join(";"));
    from.run(DB, &format!("BEGIN; {}; COMMIT", rows(16..20).join(";")));
    // Rows of a size that many workers could hold at a time.
    let middle: Vec<String> = (30..60).map(|id| insert(id, 3 * MIB)).collect();
    from.run(DB, &middle.join(";"));
    from.run(DB, &(10..14).map(json).collect::<Vec<_>>().join(";"));
    from.run(DB, "UPDATE wide SET s = 'kept' WHERE id IN (2, 3)");
    from.run(DB, &format!("UPDATE wide SET t = {} WHERE id = 4", value(77, 8 * MIB, true)));
    from.run(DB, &format!("UPDATE wide SET b = {} WHERE id = 5", value(78, 8 * MIB, false)));
    from.run(DB, "DELETE FROM wide WHERE id = 6");
    from.run(DB, "UPDATE acct SET txt = REPEAT('long', 50)");
    expect_peak("stream", run(), PEAK);
    assert_wide_equal(from, to);
    from.run(DB, "DROP TABLE wide, wide_json");
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

#[test]
fn rows_of_8_mib_and_transactions_of_any_size_stay_below_150_mib_on_mysql() {
    rows_of_8_mib(Flavor::Mysql);
}

#[test]
fn rows_of_8_mib_and_transactions_of_any_size_stay_below_150_mib_on_mariadb() {
    rows_of_8_mib(Flavor::Mariadb);
}

/// Rows as large as a server takes them. What they need beside 150 MiB is five times their size.
fn rows_of_64_mib(flavor: Flavor) {
    let _one = serial();
    // MySQL wants ten times a row's size in its log; a target with the same limit takes the row.
    let log = match flavor.is_mysql() {
        true => "--innodb-redo-log-capacity=1G",
        false => "--innodb-log-file-size=1G",
    };
    let options = ["--max-allowed-packet=66M", log];
    let start = |role: &str| Server::start(&format!("{role}-{}", flavor.word()), flavor, &options);
    let (Some(from), Some(to)) = (start("big-src"), start("big-dst")) else { return };
    from.run("", "CREATE DATABASE w DEFAULT CHARSET utf8mb4");
    from.run(DB, WIDE);
    from.run(DB, "INSERT INTO wide_json VALUES (1, '[]')");
    for id in 0..3 {
        from.run(DB, &insert(id, 64 * MIB));
    }
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(&to), &[DB]));
    let limit = PEAK + 5 * (64 << 10);
    let run = || dm.start(&["--until", "caught-up"]).wait_measuring(DEADLINE);
    expect_peak("copy of 64 MiB", run(), limit);
    assert_wide_equal(&from, &to);
    from.run(DB, &insert(3, 64 * MIB));
    from.run(DB, &insert(4, 64 * MIB));
    from.run(DB, &format!("UPDATE wide SET b = {} WHERE id = 1", value(79, 64 * MIB, false)));
    from.run(DB, "DELETE FROM wide WHERE id = 0");
    expect_peak("stream of 64 MiB", run(), limit);
    assert_wide_equal(&from, &to);
}

#[test]
fn rows_of_64_mib_arrive_on_mysql() {
    rows_of_64_mib(Flavor::Mysql);
}

#[test]
fn rows_of_64_mib_arrive_on_mariadb() {
    rows_of_64_mib(Flavor::Mariadb);
}

/// Many tables in many schemas: how long each step takes is printed.
#[test]
fn many_tables_are_checked_made_and_followed_in_time() {
    let _one = serial();
    let tables = env_number("DM_TEST_TABLES", 2_000);
    let schemas = (tables / 40).max(1);
    let options = ["--innodb-file-per-table=OFF", "--table-definition-cache=30000"];
    let start = |role: &str| Server::start(role, Flavor::Mysql, &options);
    let (Some(from), Some(to)) = (start("many-src"), start("many-dst")) else { return };
    std::thread::scope(|scope| {
        for part in 0..4 {
            let from = &from;
            scope.spawn(move || {
                for schema in (part..schemas).step_by(4) {
                    let mut script = format!("CREATE DATABASE many_{schema:03};");
                    for table in 0..tables / schemas {
                        script += &format!(
                            "CREATE TABLE many_{schema:03}.t_{table:02} (id INT AUTO_INCREMENT PRIMARY KEY, a \
                             VARCHAR(100), b DECIMAL(10,2), c DATETIME, KEY (a), KEY (c));"
                        );
                    }
                    from.run("", &script);
                }
            });
        }
    });
    from.run("many_000", "INSERT INTO t_00 VALUES (1, 'copied', 1.5, NOW())");
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(&to), &["many_*"]));
    let timed = |what: &str, step: &dyn Fn() -> Outcome| {
        let begun = Instant::now();
        let outcome = step();
        println!("{tables} tables, {what}: {:.1} s", begun.elapsed().as_secs_f64());
        (outcome.expect_success(), begun.elapsed())
    };
    let patience = Duration::from_secs(600);
    let run = || dm.start(&["--until", "caught-up"]).wait(patience);
    let names = |server: &Address| {
        server.rows::<String>(
            "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables \
             WHERE table_schema LIKE 'many%' ORDER BY 1",
        )
    };
    let files = ["task.yaml", "--source", "source-1.yaml"];
    let other = |verb: &str| {
        let command = dm.command(&[&[verb], files.as_slice()].concat());
        Process::spawn(command).wait_measuring(patience)
    };
    let explain = || other("explain").0;
    let (_, explained) = timed("explained", &explain);
    let begun = Instant::now();
    let (outcome, peak) = other("check-task");
    outcome.expect_success();
    let checked = begun.elapsed();
    let seconds = checked.as_secs_f64();
    println!("{tables} tables, checked: {seconds:.1} s, peak {} MiB", peak >> 10);
    let measured = dm.start(&["--until", "caught-up"]);
    let begun = Instant::now();
    let (outcome, peak) = measured.wait_measuring(patience);
    println!("{tables} tables, copied: {:.1} s", begun.elapsed().as_secs_f64());
    expect_peak("copy of many tables", (outcome, peak), PEAK);
    assert_eq!(names(&from).len() as u64, tables);
    assert_eq!(names(&from), names(&to));
    from.run("many_001", "INSERT INTO t_01 VALUES (7, 'followed', 1.5, NOW())");
    let (_, stream) = timed("followed", &run);
    for (table, value) in [("many_000.t_00", "copied"), ("many_001.t_01", "followed")] {
        assert_eq!(to.value::<String>(&format!("SELECT a FROM {table}")), value);
    }
    expect_a_row_of_each(&dm, (&from.address, &to.address), (schemas, tables / schemas));
    let limit = wait::promised(Duration::from_secs(60));
    assert!(explained < limit && checked < limit);
    assert!(stream < wait::promised(Duration::from_secs(10)));
}

/// A transaction of one row for each of many tables: what is held of a table is held of all of them.
fn expect_a_row_of_each(dm: &Dm, (from, to): (&Address, &Address), (schemas, tables): (u64, u64)) {
    std::thread::scope(|scope| {
        for part in 0..4 {
            scope.spawn(move || {
                for schema in (part..schemas).step_by(4) {
                    let insert = |table| format!("INSERT INTO t_{table:02} (a) VALUES ('each');");
                    let all: String = (0..tables).map(insert).collect();
                    from.run(&format!("many_{schema:03}"), &all);
                }
            });
        }
    });
    let patience = Duration::from_secs(600);
    let run = dm.start(&["--until", "caught-up"]).wait_measuring(patience);
    expect_peak("stream of many tables", run, PEAK);
    let arrived = |schema: u64| {
        let each =
            |table| format!("SELECT COUNT(*) FROM many_{schema:03}.t_{table:02} WHERE a = 'each'");
        let counts: Vec<String> = (0..tables).map(each).collect();
        to.rows::<u64>(&counts.join(" UNION ALL "))
    };
    for schema in [0, schemas / 2, schemas - 1] {
        assert!(arrived(schema).iter().all(|rows| *rows == 1), "schema {schema}");
    }
}
