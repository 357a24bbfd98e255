//! Online schema changes: pt-online-schema-change itself under a load, with `dm` killed while it works;
//! gh-ost's statements as its documentation lists them, with a restart behind each of them. Both sides are
//! equal at the end, and the target has none of the tools' tables.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use support::compare::{Target, assert_databases_equal, tables};
use support::dm::{Dm, Task};
use support::random::Random;
use support::server::{Flavor, PASSWORD, Server, USER, tool};
use support::workload::{Load, big_transaction};
use support::{serial, skip, wait};

const DB: &str = "w";
const BOTH: [Flavor; 2] = [Flavor::Mysql, Flavor::Mariadb];

fn pair(flavor: Flavor) -> Option<(&'static Server, &'static Server)> {
    let (from, to) = (Server::shared(flavor, "src")?, Server::target(flavor)?);
    from.clear();
    to.clear();
    Some((from, to))
}

/// Rows, structures and the list of tables.
fn assert_same(from: &Server, to: &Server) {
    assert_databases_equal(from, Target::Server(to), &[DB]);
    let list = |s: &Server| tables(s).into_iter().filter(|(db, _)| db == DB).collect::<Vec<_>>();
    assert_eq!(list(from), list(to), "a table is on one side only");
}

fn assert_no_helpers(to: &Server) {
    let left: Vec<_> = tables(to).into_iter().filter(|(_, table)| table.starts_with('_')).collect();
    assert!(left.is_empty(), "tables of a tool came to the target: {left:?}");
}

// ---------------------------------------------------------------- pt-online-schema-change

/// Ends the kills also when the test fails: the scope waits for their thread.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The tool on one table; in small chunks with pauses, so that there is time to be killed in.
fn pt_osc(server: &Server, table: &str, alter: &str, more: &[&str]) -> Option<Child> {
    let path = tool("pt-online-schema-change")?;
    let mut command = Command::new(path);
    command.args([
        "--execute",
        "--no-version-check",
        "--recursion-method=none",
        "--no-check-replication-filters",
        "--max-load=Threads_running=1000",
        "--critical-load=Threads_running=2000",
        "--chunk-size=150",
        "--chunk-time=0",
        "--sleep=0.03",
        "--no-check-alter",
    ]);
    command.args(more).arg("--alter").arg(alter);
    command.arg(format!(
        "h=127.0.0.1,P={},u={USER},p={PASSWORD},D={DB},t={table}",
        server.address.port
    ));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command.spawn().expect("the tool starts"))
}

fn change(server: &Server, table: &str, alter: &str, more: &[&str]) {
    let output = pt_osc(server, table, alter, more).unwrap().wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{alter} on {table}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn under_load(flavor: Flavor) {
    let _one = serial();
    if tool("pt-online-schema-change").is_none() {
        return skip("pt-online-schema-change", "not installed; tests/servers.sh install tools");
    }
    let Some((from, to)) = pair(flavor) else { return };
    let seed = Random::seed();
    println!("DM_TEST_SEED={seed}");
    Load::prepare(from, DB, seed);
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    let load = Load::start(from, DB, seed, 2, 120);
    let stop = AtomicBool::new(false);
    let killed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let kills = scope.spawn(|| {
            let mut random = Random::new(seed);
            while !stop.load(Ordering::SeqCst) {
                let mut process = dm.start(&[]);
                wait::pass(Duration::from_millis(60 + random.below(700)));
                process.must_run();
                process.kill();
                killed.fetch_add(1, Ordering::SeqCst);
            }
        });
        let ended = StopOnDrop(&stop);
        for (table, alter) in [
            ("acct", "ADD COLUMN extra INT NOT NULL DEFAULT 7, ADD INDEX extra (extra)"),
            ("pair", "MODIFY note VARCHAR(400)"),
            ("swap", "ADD COLUMN w VARCHAR(20) DEFAULT 'é' AFTER id"),
            ("child", "ENGINE=InnoDB"),
            ("acct", "DROP COLUMN extra, ADD COLUMN later DATE"),
        ] {
            change(from, table, alter, &[]);
        }
        // Where the tool is quick, it does more.
        while killed.load(Ordering::SeqCst) < 4 && !kills.is_finished() {
            change(from, "pair", "ENGINE=InnoDB", &[]);
        }
        drop(ended);
        kills.join().unwrap();
    });
    println!("killed {} times", killed.load(Ordering::SeqCst));
    load.advance(50);
    load.finish();
    dm.catch_up().expect_success();
    assert_no_helpers(to);
    assert_same(from, to);
}

#[test]
fn pt_online_schema_change_under_load_with_kills_on_mysql() {
    under_load(Flavor::Mysql);
}

#[test]
fn pt_online_schema_change_under_load_with_kills_on_mariadb() {
    under_load(Flavor::Mariadb);
}

/// The tool works while the tables are copied; the copy is killed, and goes on when the tables are others.
#[test]
fn pt_online_schema_change_during_the_copy() {
    let _one = serial();
    if tool("pt-online-schema-change").is_none() {
        return skip("pt-online-schema-change", "not installed; tests/servers.sh install tools");
    }
    for (flavor, kill) in [(Flavor::Mysql, false), (Flavor::Mysql, true), (Flavor::Mariadb, true)] {
        let Some((from, to)) = pair(flavor) else { return };
        let seed = Random::seed();
        Load::prepare(from, DB, seed);
        from.run(DB, &big_transaction(40_000));
        let sources = [&from.address];
        let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
        (task.instance, task.more) =
            ("    mydumper-config-name: small\n", "mydumpers:\n  small: {rows: 300, threads: 1}\n");
        let dm = Dm::set_up(&task);
        let mut process = dm.start(&[]);
        wait::until("the copy has begun", support::dm::DEADLINE, || {
            process.must_run();
            tables(to).iter().any(|(db, table)| {
                db == DB && to.value::<u64>(&format!("SELECT COUNT(*) FROM {DB}.{table}")) > 0
            })
        });
        let load = Load::start(from, DB, seed, 2, 60);
        if kill {
            process.kill();
        }
        for (table, alter) in [
            ("acct", "ADD COLUMN extra INT NOT NULL DEFAULT 7, ADD INDEX extra (extra)"),
            ("swap", "ADD COLUMN w VARCHAR(20) DEFAULT 'é' AFTER id"),
        ] {
            change(from, table, alter, &["--chunk-size=5000"]);
        }
        if !kill {
            process.must_run();
            process.kill();
        }
        load.finish();
        dm.catch_up().expect_success();
        assert_no_helpers(to);
        assert_same(from, to);
    }
}

/// The other ways of the tool: a swap by DROP and RENAME, a run that is given up, the old table kept.
#[test]
fn pt_online_schema_change_goes_other_ways() {
    let _one = serial();
    if tool("pt-online-schema-change").is_none() {
        return skip("pt-online-schema-change", "not installed; tests/servers.sh install tools");
    }
    for flavor in BOTH {
        let Some((from, to)) = pair(flavor) else { return };
        from.run("", "CREATE DATABASE w");
        from.run(
            DB,
            "CREATE TABLE p (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(9)); INSERT INTO p (v) VALUES ('a'), ('b'); \
             CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
        );
        let sources = [&from.address];
        let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
        dm.catch_up().expect_success();
        change(
            from,
            "t",
            "ADD a INT DEFAULT 5",
            &["--alter-foreign-keys-method=drop_swap", "--force"],
        );
        from.run(DB, "INSERT INTO t VALUES (4, 4, 4)");
        dm.catch_up().expect_success();
        assert_same(from, to);
        change(from, "t", "ADD b INT, DROP a", &["--no-drop-old-table"]);
        from.run(DB, "UPDATE t SET b = id");
        // The name of the old table is taken now: the tool finds another one.
        change(from, "t", "ADD c INT DEFAULT 1", &["--no-drop-old-table"]);
        let given_up = pt_osc(from, "p", "ADD UNIQUE (nowhere)", &[]).unwrap();
        assert!(!given_up.wait_with_output().unwrap().status.success());
        change(from, "p", "ADD d INT FIRST", &[]);
        from.run(DB, "INSERT INTO p (v, d) VALUES ('c', 9)");
        dm.catch_up().expect_success();
        assert_no_helpers(to);
        from.run(DB, "DROP TABLE _t_old, __t_old");
        dm.catch_up().expect_success();
        assert_same(from, to);
    }
}

/// Foreign keys of the table, and of tables that refer to it: the tool gives them other names, and the
/// target has those names from then on.
#[test]
fn pt_online_schema_change_renames_foreign_keys() {
    let _one = serial();
    if tool("pt-online-schema-change").is_none() {
        return skip("pt-online-schema-change", "not installed; tests/servers.sh install tools");
    }
    for flavor in BOTH {
        let Some((from, to)) = pair(flavor) else { return };
        from.run("", "CREATE DATABASE w");
        from.run(
            DB,
            "CREATE TABLE p (id INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO p VALUES (1, 'a'), (2, 'b'); \
             CREATE TABLE c (id INT PRIMARY KEY, p INT, q INT, KEY p (p), KEY q (q), \
             CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p (id), \
             CONSTRAINT __c_q FOREIGN KEY (q) REFERENCES p (id) ON DELETE RESTRICT); \
             INSERT INTO c VALUES (1, 1, 2), (2, 2, NULL)",
        );
        let sources = [&from.address];
        let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
        dm.catch_up().expect_success();
        // The table that has them.
        change(from, "c", "ADD a INT DEFAULT 5", &[]);
        dm.catch_up().expect_success();
        assert_same(from, to);
        // The table that they refer to, in both ways; the process is killed in between.
        for (alter, method) in
            [("ADD b INT DEFAULT 6", "rebuild_constraints"), ("ADD c INT DEFAULT 7", "drop_swap")]
        {
            let mut process = dm.start(&[]);
            change(from, "p", alter, &[&format!("--alter-foreign-keys-method={method}")]);
            process.must_run();
            process.kill();
            from.run(
                DB,
                &format!(
                    "INSERT INTO p SELECT MAX(id) + 1, '{}', 1{} FROM p",
                    &alter[4..5],
                    if method == "drop_swap" { ", 2" } else { "" }
                ),
            );
            dm.catch_up().expect_success();
            assert_no_helpers(to);
            assert_same(from, to);
        }
        // By the name that it has at the source now.
        let name: String = from.value(
            "SELECT constraint_name FROM information_schema.key_column_usage WHERE table_schema = 'w' AND \
             table_name = 'c' AND column_name = 'p' AND referenced_table_name IS NOT NULL",
        );
        assert_ne!(name, "c_p");
        from.run(
            DB,
            &format!(
                "ALTER TABLE c DROP FOREIGN KEY {name}; INSERT INTO c VALUES (9, 99, NULL, 1)"
            ),
        );
        dm.catch_up().expect_success();
        assert_same(from, to);
    }
}

// ---------------------------------------------------------------- gh-ost, statement by statement

const TABLE: &str = "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20), KEY v (v)); \
                     INSERT INTO t (v) VALUES ('a'), ('b'), ('c')";

/// What gh-ost does before the cut-over, with changes of an application in between, which the tool takes over.
const PREPARE: &[&str] = &[
    "DROP /* gh-ost */ TABLE IF EXISTS `w`.`_t_gho`",
    "DROP /* gh-ost */ TABLE IF EXISTS `w`.`_t_del`",
    "CREATE /* gh-ost */ TABLE `w`.`_t_ghc` (id BIGINT AUTO_INCREMENT, last_update TIMESTAMP NOT NULL DEFAULT \
     CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint VARCHAR(64) CHARSET ascii NOT NULL, value VARCHAR(4096) \
     CHARSET ascii NOT NULL, PRIMARY KEY (id), UNIQUE KEY hint_uidx (hint)) AUTO_INCREMENT=256",
    "CREATE /* gh-ost */ TABLE `w`.`_t_gho` LIKE `w`.`t`",
    "ALTER /* gh-ost */ TABLE `w`.`_t_gho` ADD COLUMN c11 VARCHAR(20) NOT NULL DEFAULT 'x'",
    "ALTER /* gh-ost */ TABLE `w`.`_t_gho` ADD INDEX c (c11, v)",
    "INSERT /* gh-ost */ INTO `w`.`_t_ghc` (id, hint, value) VALUES (NULLIF(2, 0), 'state', 'GhostTableMigrated') \
     ON DUPLICATE KEY UPDATE last_update = NOW(), value = VALUES(value)",
    "INSERT INTO t (v) VALUES ('while it runs')",
    "INSERT /* gh-ost `w`.`t` */ IGNORE INTO `w`.`_t_gho` (`id`, `v`) (SELECT `id`, `v` FROM `w`.`t` FORCE INDEX \
     (`PRIMARY`) WHERE (((`id` > _binary'1') OR ((`id` = _binary'1')))) LOCK IN SHARE MODE)",
    "UPDATE t SET v = 'changed' WHERE id = 1",
    "REPLACE /* gh-ost */ INTO `w`.`_t_gho` (`id`, `v`) VALUES (1, 'changed')",
    "DELETE FROM t WHERE id = 2",
    "DELETE /* gh-ost */ FROM `w`.`_t_gho` WHERE id = 2",
];

const ATOMIC: &[&str] = &[
    "CREATE /* gh-ost */ TABLE `w`.`_t_del` (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB COMMENT='ghost-cut-over-sentry'",
    "DROP /* gh-ost */ TABLE IF EXISTS `w`.`_t_del`",
    "RENAME /* gh-ost */ TABLE `w`.`t` TO `w`.`_t_del`, `w`.`_t_gho` TO `w`.`t`",
];

const TWO_STEP: &[&str] = &[
    "ALTER /* gh-ost */ TABLE `w`.`t` RENAME `_t_del`",
    "ALTER /* gh-ost */ TABLE `w`.`_t_gho` RENAME `t`",
];

const AFTER: &[&str] = &[
    "INSERT INTO t (v, c11) VALUES ('after', 'new')",
    "DROP /* gh-ost */ TABLE IF EXISTS `w`.`_t_ghc`",
    "DROP /* gh-ost */ TABLE IF EXISTS `w`.`_t_del`",
    "UPDATE t SET c11 = 'end' WHERE id = 3",
];

/// Runs the parts; `behind` is called behind each statement.
fn gh_ost(from: &Server, parts: &[&[&str]], mut behind: impl FnMut()) {
    for statement in parts.iter().flat_map(|part| part.iter()) {
        from.run(DB, statement);
        behind();
    }
}

fn staged(flavor: Flavor) -> Option<(&'static Server, &'static Server)> {
    let (from, to) = pair(flavor)?;
    from.run("", "CREATE DATABASE w DEFAULT CHARSET utf8mb4");
    from.run(DB, TABLE);
    Some((from, to))
}

#[test]
fn gh_ost_with_a_restart_behind_each_statement() {
    let _one = serial();
    for flavor in BOTH {
        for cut_over in [ATOMIC, TWO_STEP] {
            let Some((from, to)) = staged(flavor) else { return };
            let sources = [&from.address];
            let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
            task.gtid = flavor.is_mysql();
            let dm = Dm::set_up(&task);
            dm.catch_up().expect_success();
            gh_ost(from, &[PREPARE, cut_over, AFTER], || {
                dm.catch_up().expect_success();
                assert_no_helpers(to);
            });
            assert_same(from, to);
        }
    }
}

#[test]
fn gh_ost_in_one_go_with_kills() {
    let _one = serial();
    for flavor in BOTH {
        let Some((from, to)) = staged(flavor) else { return };
        let sources = [&from.address];
        let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
        dm.catch_up().expect_success();
        let mut random = Random::new(Random::seed());
        for round in 0..4 {
            let columns: String = (0..round).map(|n| format!(", done{n}")).collect();
            let fill = format!("REPLACE INTO _t_gho (id, v{columns}) SELECT id, v{columns} FROM t");
            gh_ost(from, &[PREPARE, &[&fill], ATOMIC, AFTER], || ());
            from.run(
                DB,
                &format!(
                    "ALTER TABLE t RENAME COLUMN c11 TO done{round}, RENAME INDEX c TO done{round}"
                ),
            );
            let mut process = dm.start(&[]);
            wait::pass(Duration::from_millis(20 + random.below(250)));
            process.must_run();
            process.kill();
        }
        dm.catch_up().expect_success();
        assert_no_helpers(to);
        assert_same(from, to);
    }
}

/// The source that an online schema change is running at is refused before anything is written; told to
/// start all the same, the task reads in the earlier binlog what changed the ghost table.
#[test]
fn a_copy_does_not_begin_while_one_runs() {
    let _one = serial();
    for flavor in BOTH {
        let Some((from, to)) = staged(flavor) else { return };
        from.run(
            DB,
            "CREATE TABLE _alone_new (id INT PRIMARY KEY); CREATE TABLE other (id INT PRIMARY KEY)",
        );
        gh_ost(from, &[PREPARE], || ());
        let sources = [&from.address];
        let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
        let refused = Dm::set_up(&task).catch_up().expect_code(26005);
        let said = ["online_ddl", "_t_gho", "ignore-checking-items"];
        assert!(said.iter().all(|s| refused.stderr.contains(s)), "{}", refused.stderr);
        assert!(!to.databases().contains(&DB.to_owned()), "something was written");
        task.more = "ignore-checking-items: [online_ddl]\n";
        let dm = Dm::set_up(&task);
        from.run("", "FLUSH BINARY LOGS");
        let first = dm.catch_up().expect_success();
        assert!(
            first.stderr.contains("_alone_new"),
            "nothing is said of the table left out:\n{}",
            first.stderr
        );
        from.run("", "FLUSH BINARY LOGS");
        gh_ost(from, &[ATOMIC, AFTER], || ());
        dm.catch_up().expect_success();
        assert_no_helpers(to);
        from.run(DB, "DROP TABLE _alone_new");
        assert_same(from, to);
    }
}

/// The start position lies inside of a running one: the earlier binlog is read. Where that is gone, the
/// task stops and says what to do.
#[test]
fn a_start_position_inside_of_a_running_one() {
    let _one = serial();
    for flavor in BOTH {
        for (gone, gtid) in [(false, false), (false, true), (true, false)] {
            let Some((from, to)) = staged(flavor) else { return };
            to.run("", "CREATE DATABASE w DEFAULT CHARSET utf8mb4");
            to.run(DB, TABLE);
            gh_ost(from, &[&PREPARE[..5]], || ());
            from.run("", "FLUSH BINARY LOGS");
            gh_ost(from, &[&PREPARE[5..6]], || ());
            from.run("", "FLUSH BINARY LOGS");
            let start = from.position();
            if gone {
                from.run("", &format!("PURGE BINARY LOGS TO '{}'", start.file));
            }
            let sources = [&from.address];
            let mut task = Task::new("incremental", &sources, Target::Server(to), &[DB]);
            task.gtid = gtid;
            let meta = if gtid {
                format!("    meta: {{binlog-gtid: \"{}\"}}\n", start.gtid)
            } else {
                format!("    meta: {{binlog-name: {}, binlog-pos: {}}}\n", start.file, start.pos)
            };
            task.instance = &meta;
            let dm = Dm::set_up(&task);
            gh_ost(from, &[&PREPARE[6..], ATOMIC, AFTER], || ());
            if gone {
                let stopped = dm.catch_up().expect_code(36046);
                let said = ["_t_gho", "before the tool made the ghost table"];
                assert!(said.iter().all(|s| stopped.stderr.contains(s)), "{}", stopped.stderr);
                continue;
            }
            dm.catch_up().expect_success();
            assert_no_helpers(to);
            assert_same(from, to);
        }
    }
}

/// With `online-ddl: false` they are tables like any other.
#[test]
fn turned_off_everything_is_carried() {
    let _one = serial();
    for flavor in BOTH {
        let Some((from, to)) = staged(flavor) else { return };
        let sources = [&from.address];
        let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
        task.more = "online-ddl: false\n";
        let dm = Dm::set_up(&task);
        dm.catch_up().expect_success();
        gh_ost(from, &[PREPARE, ATOMIC], || ());
        dm.catch_up().expect_success();
        let at_target = tables(to);
        for table in ["_t_ghc", "_t_del"] {
            assert!(
                at_target.contains(&(DB.to_owned(), table.to_owned())),
                "{table}: {at_target:?}"
            );
        }
        assert_same(from, to);
    }
}
