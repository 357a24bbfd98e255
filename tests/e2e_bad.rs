//! Bad input and bad surroundings: a clear error with its code and what to do, nothing lost.
//!
//! Failures that one task file can show are cases (`tests/cases`, with `expect_failure`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use mysql::prelude::Queryable;
use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Outcome, Task, WAITS_FOR_TABLE, source_yaml};
use support::random::Random;
use support::refuser::{Refusal, Refuser};
use support::serial;
use support::server::{Address, Flavor, Server, free_port};
use support::workload::Load;

const DB: &str = "w";

fn stage() -> Option<(&'static Server, &'static Server)> {
    let (from, to) = (Server::shared(Flavor::Mysql, "src")?, Server::target(Flavor::Mysql)?);
    from.clear();
    to.clear();
    from.run("", "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY, v INT); INSERT INTO w.t VALUES (1, 1)");
    Some((from, to))
}

fn nowhere(port: u16) -> Address {
    Address {
        host: "127.0.0.1".to_owned(),
        port,
        user: "mig".to_owned(),
        password: "mig".to_owned(),
        flavor: Flavor::Mysql,
    }
}

/// A failed run names neither password nor anything else that is secret.
fn no_secret(outcome: &Outcome) {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!said.contains("s3cret"), "the password is in the output:\n{said}");
}

#[test]
fn a_wrong_task_file_is_reported_whole_before_anything_is_connected() {
    let away = nowhere(free_port());
    let sources = [&away];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(&away), &[DB]));
    let good = std::fs::read_to_string(dm.path().join("task.yaml")).unwrap();
    let wrongs = [
        (good.replace("task-mode: all", "task-mode: al"), 20020, "task-mode"),
        (format!("{good}unknown-key: 1\n"), 20003, "unknown-key"),
        (format!("{good}name: twice\n"), 20003, "name"),
        (good.replace("block-allow-list: these", "block-allow-list: those"), 20026, "those"),
        (good.replace("source-id: source-1", "source-id: source-9"), 20031, "source-9"),
        (
            format!("{good}routes:\n  unused: {{schema-pattern: a, target-schema: b}}\n"),
            20038,
            "unused",
        ),
        (format!("{good}shard-mode: cautious\n"), 20033, "cautious"),
        ("name: [unclosed\n".to_owned(), 20003, "task.yaml"),
    ];
    for (text, code, word) in wrongs {
        dm.write("task.yaml", &text);
        dm.catch_up().expect_failure(&[&format!("[code={code}]"), word]);
        dm.other(&["validate", "task.yaml", "--source", "source-1.yaml"])
            .expect_failure(&[&format!("[code={code}]")]);
    }
    // Several at once.
    dm.write(
        "task.yaml",
        &format!(
            "{}shard-mode: cautious\nunknown-key: 1\n",
            good.replace("task-mode: all", "task-mode: al")
        ),
    );
    dm.catch_up().expect_failure(&["task-mode", "unknown-key"]);
    dm.write("task.yaml", &good);
    dm.other(&["validate", "task.yaml", "--source", "source-1.yaml"]).expect_success();
    dm.other(&["validate", "no-such-file.yaml", "--source", "source-1.yaml"])
        .expect_failure(&["no-such-file.yaml"]);
}

#[test]
fn servers_that_cannot_be_reached_are_named() {
    let _one = serial();
    let Some((from, to)) = stage() else { return };
    let away = nowhere(free_port());
    let place = format!("127.0.0.1:{}", away.port);
    let (good, bad) = ([&from.address], [&away]);
    Dm::set_up(&Task::new("all", &bad, Target::Server(to), &[DB])).catch_up().expect_failure(&[
        &place,
        "source-1",
        "Workaround:",
    ]);
    Dm::set_up(&Task::new("all", &good, Target::Server(&away), &[DB]))
        .catch_up()
        .expect_failure(&[&place, "Workaround:"]);
    let wrong = Address { password: "s3cret".to_owned(), ..from.address.clone() };
    let outcome = Dm::set_up(&Task::new("all", &[&wrong], Target::Server(to), &[DB])).catch_up();
    no_secret(&outcome);
    outcome.expect_failure(&["1045", "mig", "Workaround:"]);
    assert!(!to.databases().contains(&DB.to_owned()), "nothing was written");
}

/// Something that greets like a server of this version and then ends.
fn greeter(version: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            let mut body = vec![10];
            body.extend(version.as_bytes());
            // Thread id, eight bytes of salt, zero, capabilities (protocol 4.1), latin1, status.
            body.extend(b"\0\x01\0\0\0saltsalt\0\x01\x82\x08\x02\0");
            body.extend([0; 13]);
            body.extend(b"saltsaltsalt\0");
            let length = u8::try_from(body.len()).unwrap();
            let _ = client.write_all(&[&[length, 0, 0, 0], body.as_slice()].concat());
            let _ = client.read(&mut [0; 512]);
        }
    });
    port
}

#[test]
fn something_that_is_no_usable_server_is_refused() {
    let _one = serial();
    let Some((_, to)) = stage() else { return };
    for version in ["5.0.96-log", "not a version"] {
        let odd = nowhere(greeter(version));
        let outcome = Dm::set_up(&Task::new("all", &[&odd], Target::Server(to), &[DB])).catch_up();
        outcome.expect_failure(&["source-1", "Workaround:"]);
    }
}

#[test]
fn missing_privileges_are_named_before_anything_is_written() {
    let _one = serial();
    let Some((from, to)) = stage() else { return };
    let grants = [
        ("SELECT, RELOAD", "REPLICATION"),
        ("REPLICATION SLAVE, REPLICATION CLIENT, RELOAD", "SELECT"),
    ];
    for (granted, lacking) in grants {
        from.run("", &format!("DROP USER IF EXISTS poor; CREATE USER poor IDENTIFIED BY 's3cret'; GRANT {granted} ON *.* TO poor"));
        let poor = Address {
            user: "poor".to_owned(),
            password: "s3cret".to_owned(),
            ..from.address.clone()
        };
        let outcome = Dm::set_up(&Task::new("all", &[&poor], Target::Server(to), &[DB])).catch_up();
        no_secret(&outcome);
        outcome.expect_failure(&[lacking, "Workaround:"]);
        assert!(!to.databases().contains(&DB.to_owned()), "nothing was written");
    }
    to.run("", "DROP USER IF EXISTS poor; CREATE USER poor IDENTIFIED BY 's3cret'; GRANT SELECT ON *.* TO poor");
    let poor =
        Address { user: "poor".to_owned(), password: "s3cret".to_owned(), ..to.address.clone() };
    let outcome =
        Dm::set_up(&Task::new("all", &[&from.address], Target::Server(&poor), &[DB])).catch_up();
    no_secret(&outcome);
    outcome.expect_failure(&["CREATE", "Workaround:"]);
}

#[test]
fn a_source_that_does_not_log_rows_is_refused() {
    let _one = serial();
    let Some((from, to)) = stage() else { return };
    let task = |source: &Address| {
        Dm::set_up(&Task::new("all", &[source], Target::Server(to), &[DB])).catch_up()
    };
    {
        let _globals = from.with_globals(&[("binlog_format", "'STATEMENT'")]);
        task(from).expect_failure(&["binlog_format", "ROW", "Workaround:"]);
    }
    let Some(silent) = Server::start("silent", Flavor::Mysql, &["--skip-log-bin"]) else { return };
    silent.run("", "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY)");
    task(&silent).expect_failure(&["log_bin", "Workaround:"]);
    silent.wipe();
}

#[test]
fn a_position_that_the_source_no_longer_has_is_an_error_not_a_gap() {
    let _one = serial();
    let Some((from, to)) = stage() else { return };
    let dm = Dm::set_up(&Task::new("all", &[&from.address], Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    from.run("", "INSERT INTO w.t VALUES (2, 2); FLUSH BINARY LOGS; INSERT INTO w.t VALUES (3, 3); FLUSH BINARY LOGS");
    from.run("", &format!("PURGE BINARY LOGS TO '{}'", from.position().file));
    dm.catch_up().expect_failure(&["source-1", "Workaround:"]);
    assert_eq!(
        to.value::<u64>("SELECT COUNT(*) FROM w.t"),
        1,
        "what comes after the gap was not applied"
    );
    // A position beyond the end, in a file that never was, and in the middle of an event.
    let end = from.position();
    let places = [
        (end.file.clone(), end.pos + 1_000_000),
        ("binlog.999999".to_owned(), 4),
        (end.file.clone(), end.pos - 3),
    ];
    for (file, pos) in places {
        let sources = [&from.address];
        let mut task = Task::new("incremental", &sources, Target::Server(to), &[DB]);
        let meta = format!("    meta: {{binlog-name: {file}, binlog-pos: {pos}}}\n");
        task.instance = &meta;
        Dm::set_up(&task).catch_up().expect_failure(&["Workaround:"]);
    }
}

/// What becomes of a file's bytes.
type Damage<'a> = dyn Fn(&[u8]) -> Vec<u8> + 'a;

/// The SQLite files of a state directory.
fn state_files(dm: &Dm) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dm.state()).expect("a state directory");
    let files = entries.map(|e| e.unwrap().path()).filter(|p| p.is_file());
    let files: Vec<PathBuf> =
        files.filter(|p| std::fs::read(p).unwrap().starts_with(b"SQLite format 3\0")).collect();
    assert!(!files.is_empty(), "no SQLite file in the state directory");
    files
}

#[test]
fn a_state_that_is_broken_foreign_or_cut_short_is_refused() {
    let _one = serial();
    let Some((from, to)) = stage() else { return };
    let dm = Dm::set_up(&Task::new("all", &[&from.address], Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    from.run("", "INSERT INTO w.t VALUES (2, 2)");
    let files = state_files(&dm);
    let good: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    let foreign = tempfile::NamedTempFile::new().unwrap();
    rusqlite::Connection::open(foreign.path())
        .unwrap()
        .execute_batch("CREATE TABLE holiday (photo BLOB)")
        .unwrap();
    let foreign = std::fs::read(foreign.path()).unwrap();
    let broken: [&Damage<'_>; 3] =
        [&|_| b"this is no database".repeat(100), &|_| foreign.clone(), &|bytes| {
            bytes[..bytes.len() / 2].to_vec()
        }];
    for change in broken {
        for (file, bytes) in files.iter().zip(&good) {
            std::fs::write(file, change(bytes)).unwrap();
        }
        dm.catch_up().expect_failure(&["state", "Workaround:"]);
        assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM w.t"), 1, "nothing was written");
    }
    for (file, bytes) in files.iter().zip(&good) {
        std::fs::write(file, bytes).unwrap();
    }
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

/// The state of yesterday on the target of today: the marks at the target say what is in already.
#[test]
fn a_state_restored_from_a_backup_neither_doubles_nor_loses_rows() {
    let _one = serial();
    let Some((from, to)) = stage() else { return };
    let seed = Random::seed();
    println!("DM_TEST_SEED={seed}");
    Load::prepare(from, DB, seed);
    let dm = Dm::set_up(&Task::new("all", &[&from.address], Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    let files = state_files(&dm);
    let old: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    let load = Load::start(from, DB, seed, 2, 400);
    load.advance(300);
    load.finish();
    dm.catch_up().expect_success();
    std::fs::remove_dir_all(dm.state()).unwrap();
    std::fs::create_dir(dm.state()).unwrap();
    for (file, bytes) in files.iter().zip(&old) {
        std::fs::write(file, bytes).unwrap();
    }
    let outcome = dm.catch_up();
    if outcome.status.success() {
        assert_databases_equal(from, Target::Server(to), &[DB]);
    } else {
        // Refusing is right too, when it says why.
        outcome.expect_failure(&["state", "Workaround:"]);
    }
}

#[test]
fn a_task_that_runs_already_is_not_run_twice() {
    let _one = serial();
    let Some((from, to)) = stage() else { return };
    let sources = [&from.address];
    let task = Task::new("all", &sources, Target::Server(to), &[DB]);
    let dm = Dm::set_up(&task);
    dm.catch_up().expect_success();
    let mut first = dm.start(&[]);
    from.run("", "INSERT INTO w.t VALUES (2, 2)");
    support::wait::until("it runs", DEADLINE, || to.value::<u64>("SELECT COUNT(*) FROM w.t") == 2);
    dm.catch_up().expect_failure(&["test", "Workaround:"]);
    // The same task from another directory: its own state knows nothing, the target does.
    Dm::set_up(&task).run(&["--until", "caught-up"]).expect_failure(&["test", "Workaround:"]);
    assert!(first.is_running(), "the first was disturbed:\n{}", first.stderr());
    from.run("", "INSERT INTO w.t VALUES (3, 3)");
    support::wait::until("it still runs", DEADLINE, || {
        to.value::<u64>("SELECT COUNT(*) FROM w.t") == 3
    });
    first.kill();
    // A crash frees the task at once.
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

#[test]
fn a_target_that_becomes_read_only_or_full_stops_the_task_without_loss() {
    let _one = serial();
    let Some((from, to)) = stage() else { return };
    let dm = Dm::set_up(&Task::new("all", &[&from.address], Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    from.run("", "INSERT INTO w.t VALUES (2, 2)");
    // Somebody holds the table; then lets go.
    let mut holder = to.conn();
    holder.query_drop("LOCK TABLES w.t WRITE").unwrap();
    let mut process = dm.start(&["--until", "caught-up"]);
    process.until_seen_at(to, WAITS_FOR_TABLE);
    holder.query_drop("UNLOCK TABLES").unwrap();
    process.wait(DEADLINE).expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

#[test]
fn another_server_behind_the_same_address_is_noticed() {
    let _one = serial();
    let Some((from, to)) = stage() else { return };
    let dm = Dm::set_up(&Task::new("all", &[&from.address], Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    let Some(other) = Server::shared(Flavor::Mysql, "other") else { return };
    other.clear();
    other.run("", "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY, v INT); INSERT INTO w.t VALUES (77, 7)");
    dm.write("source-1.yaml", &source_yaml(1, other, false));
    dm.catch_up().expect_failure(&["source-1", "Workaround:"]);
    assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM w.t WHERE id = 77"), 0);
    dm.write("source-1.yaml", &source_yaml(1, from, false));
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

#[test]
fn a_type_that_the_target_lacks_is_refused_by_column_and_type() {
    let _one = serial();
    let Some(from) = Server::shared(Flavor::MariadbNew, "src") else { return };
    let Some(to) = Server::shared(Flavor::Mysql, "dst") else { return };
    from.clear();
    to.clear();
    from.run("", "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY, v INT)");
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    from.run("w", "INSERT INTO t VALUES (1, 1); ALTER TABLE t ADD address INET6");
    dm.catch_up().expect_failure(&["`address`", "INET6", "Workaround:"]);
    assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM w.t"), 1, "what came before is there");
    let mut task = Task::new("full", &sources, Target::Server(to), &[DB]);
    task.name = "anew";
    to.run("", "DROP DATABASE w");
    Dm::set_up(&task).catch_up().expect_failure(&["`address`", "INET6", "Workaround:"]);
}

/// A server that shuts down interrupts its statements, and then it is gone: that is no refusal.
#[test]
fn an_interrupted_statement_of_a_server_that_goes_is_repeated() {
    let _one = serial();
    let Some((from, to)) = stage() else { return };
    let going = Refuser::once(
        to,
        Refusal {
            text: "UPDATE `w`.`t`",
            number: 1317,
            message: "Query execution was interrupted",
        },
    );
    let dm = Dm::set_up(&Task::new("all", &[&from.address], Target::Server(&going.address), &[DB]));
    dm.catch_up().expect_success();
    from.run("", "UPDATE w.t SET v = 5 WHERE id = 1");
    dm.catch_up().expect_success();
    assert_eq!(going.refused(), 1);
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

/// A connection ends while one of several small transactions, sent together, waits in its COMMIT: it is not in,
/// and a stop at that moment does not take it for done.
#[test]
fn a_commit_without_an_answer_is_not_taken_for_done() {
    const COMMITS: &str = "state LIKE '%backup lock%'";
    let _one = serial();
    let Some((from, to)) = Server::pair(Flavor::Mariadb) else { return };
    from.run(
        "",
        "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY, v INT); INSERT INTO w.t VALUES (1, 0), (2, 0)",
    );
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    (task.instance, task.more) =
        ("    syncer-config-name: one\n", "syncers:\n  one: {worker-count: 1, batch: 1}\n");
    let dm = Dm::set_up(&task);
    dm.catch_up().expect_success();
    let hold = |id: u32| {
        let mut conn = to.conn();
        conn.query_drop("BEGIN").unwrap();
        conn.query_drop(format!("SELECT * FROM w.t WHERE id = {id} FOR UPDATE")).unwrap();
        conn
    };
    let (mut first, mut second) = (hold(1), hold(2));
    let mut process = dm.start(&[]);
    from.run("", "UPDATE w.t SET v = 1 WHERE id = 1");
    process.until_seen_at(to, "info LIKE 'UPDATE `w`.`t` %`id`=1%'");
    // These wait behind it, and go together when it has ended.
    for n in 1..=9 {
        let row = 10 + n;
        from.run(
            "w",
            &format!(
                "BEGIN; UPDATE t SET v = {n} WHERE id = 2; INSERT INTO t VALUES ({row}, 0); COMMIT"
            ),
        );
    }
    process
        .until_seen_at(from, "command LIKE 'Binlog Dump%' AND state LIKE '%has sent all binlog%'");
    first.query_drop("ROLLBACK").unwrap();
    process.until_seen_at(to, "info LIKE 'UPDATE `w`.`t` %`id`=2%'");
    let mut backup = to.conn();
    for stage in ["START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT"] {
        backup.query_drop(format!("BACKUP STAGE {stage}")).unwrap();
    }
    second.query_drop("ROLLBACK").unwrap();
    process.until_seen_at(to, COMMITS);
    let waiting =
        to.value::<u64>(&format!("SELECT id FROM information_schema.processlist WHERE {COMMITS}"));
    to.run("", &format!("KILL {waiting}"));
    process.until_seen_at(to, &format!("{COMMITS} AND id <> {waiting}"));
    process.interrupt();
    let _ = process.wait(DEADLINE);
    backup.query_drop("BACKUP STAGE END").unwrap();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}
