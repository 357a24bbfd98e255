//! What an operator does about single statements and tracked structures: `handle-error`, `binlog`,
//! `ddl-rules`, `operate-schema`, `binlog-schema`; before and after restarts, and with a process that
//! dies in between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use mysql::prelude::Queryable;
use serde_json::Value;
use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Outcome, Task};
use support::refuser::{Refusal, Refuser};
use support::server::{Address, Flavor, Server};
use support::tidb::Tidb;
use support::{serial, wait};

const DB: &str = "op";

/// As TiDB refuses them.
const TIDB: &[Refusal] = &[
    Refusal {
        text: "new_col INT UNIQUE",
        number: 8200,
        message: "unsupported add column 'new_col' constraint UNIQUE KEY when altering 'op.t'",
    },
    Refusal {
        text: "CHANGE c2 c2 DECIMAL",
        number: 8200,
        message: "Unsupported modify column: can't change decimal column precision",
    },
];

struct Stage {
    from: &'static Server,
    to: &'static Server,
}

fn stage() -> Option<Stage> {
    stage_of(Flavor::Mysql)
}

fn stage_of(flavor: Flavor) -> Option<Stage> {
    let (from, to) = (Server::shared(flavor, "src")?, Server::target(flavor)?);
    from.clear();
    to.clear();
    from.run(
        "",
        "CREATE DATABASE op; CREATE TABLE op.t (id INT PRIMARY KEY, c2 DECIMAL(10, 2)); \
         INSERT INTO op.t VALUES (1, 1.25), (2, 2.5)",
    );
    Some(Stage { from, to })
}

impl Stage {
    fn task(&self, target: Target<'_>, more: &str) -> Dm {
        let sources = [&self.from.address];
        let mut task = Task::new("all", &sources, target, &[DB]);
        task.more = more;
        Dm::set_up(&task)
    }

    /// A task that has caught up.
    fn copied(&self, target: Target<'_>) -> Dm {
        let dm = self.task(target, "");
        dm.catch_up().expect_success();
        dm
    }

    fn columns(&self, server: &Server, table: &str) -> Vec<String> {
        server.rows(&format!(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'op' AND \
             table_name = '{table}' ORDER BY ordinal_position"
        ))
    }
}

/// A command of `dm` on the state of the runs.
fn command(dm: &Dm, args: &[&str]) -> Outcome {
    let mut all = args.to_vec();
    all.extend(["--state-dir", "state"]);
    dm.other(&all)
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|e| panic!("{e}: {}", outcome.stdout))
}

/// The message for the first source.
fn said(outcome: &Outcome) -> String {
    json(outcome)["sources"][0]["msg"].as_str().unwrap().to_owned()
}

fn stored_error(dm: &Dm) -> Value {
    let status = json(&command(dm, &["query-status", "test"]).expect_success());
    status["sources"][0]["subTaskStatus"][0]["result"]["errors"][0].clone()
}

/// Where the statement begins that the task has stopped at, as the error message says.
fn failed_at(dm: &Dm) -> String {
    let message = stored_error(dm)["Message"].as_str().unwrap().to_owned();
    let (_, rest) = message.split_once("position: (").unwrap();
    let (place, _) = rest.split_once(')').unwrap();
    place.replace(", ", ":")
}

/// How many statements of a kind were left out, and where the last was.
fn skipped(dm: &Dm, kind: &str) -> Option<(u64, String)> {
    let status = json(&command(dm, &["query-status", "test"]).expect_success());
    let list = status["sources"][0]["subTaskStatus"][0]["skipped"].as_array().unwrap().clone();
    let one = list.iter().find(|s| s["kind"] == kind)?;
    Some((one["count"].as_u64().unwrap(), one["last"].as_str().unwrap().to_owned()))
}

#[test]
fn a_statement_that_tidb_refuses_is_skipped() {
    let _one = serial();
    let Some(s) = stage() else { return };
    let tidb = Refuser::start(&s.to.address, TIDB);
    let dm = s.copied(Target::Server(&tidb.address));
    s.from.run(
        DB,
        "ALTER TABLE t CHANGE c2 c2 DECIMAL(10,3); INSERT INTO t VALUES (3, 3.125); \
         UPDATE t SET c2 = 9.5 WHERE id = 1",
    );
    let failed = dm.catch_up().expect_failure(&[
        "[code=",
        "Unsupported modify column",
        "origin SQL: [ALTER TABLE t CHANGE c2 c2 DECIMAL(10,3)]",
        "startLocation: [position: (",
        "endLocation: [position: (",
        "`dm handle-error test -s source-1 skip`",
        "`dm handle-error test -s source-1 replace",
        "`dm handle-error test -s source-1 inject",
    ]);
    assert!(failed.stderr.contains("8200"), "{}", failed.stderr);
    let place = failed_at(&dm);
    // A restart changes nothing: it is the same statement.
    dm.catch_up().expect_failure(&["Unsupported modify column"]);
    assert_eq!(failed_at(&dm), place);
    let answer = command(&dm, &["handle-error", "test", "skip"]).expect_success();
    let answer = json(&answer);
    assert_eq!((&answer["result"], &answer["msg"]), (&Value::Bool(true), &Value::from("")));
    assert_eq!(answer["sources"][0]["source"], "source-1");
    dm.catch_up().expect_success();
    let rows: Vec<(i32, String)> = s.to.rows("SELECT id, c2 FROM op.t ORDER BY id");
    let wanted = [(1, "9.50"), (2, "2.50"), (3, "3.13")].map(|(id, v)| (id, v.to_owned()));
    assert_eq!(rows, wanted, "rows follow in the shape that the source has");
    assert_eq!(skipped(&dm, "skipped by the operator"), Some((1, place.clone())));
    assert!(tidb.refused() >= 2);
    // The tracked structure is the source's.
    let tracked =
        command(&dm, &["operate-schema", "get", "test", "-s", "source-1", "-d", "op", "-t", "t"]);
    assert!(said(&tracked.expect_success()).contains("decimal(10,3)"));
    let then = ["operate-schema", "get", "test", "-d", "op", "-t", "t", "--at", &place];
    let then = command(&dm, &then).expect_success();
    assert!(
        said(&then).contains("decimal(10,2)") && json(&then)["sources"][0]["until"].is_string()
    );
    // What is passed can neither be taken back nor be skipped again.
    let again =
        command(&dm, &["handle-error", "test", "skip"]).expect_failure(&["code=36221", "no error"]);
    assert_eq!(json(&again)["result"], false);
}

/// The target has rows that the source does not have.
#[test]
fn a_key_over_duplicates_is_told_plainly() {
    let _one = serial();
    let Some(s) = stage() else { return };
    let dm = s.copied(Target::Server(s.to));
    s.to.run(DB, "INSERT INTO t VALUES (90, 1.25)");
    s.from.run(DB, "ALTER TABLE t ADD UNIQUE KEY once (c2)");
    let said =
        ["have values twice", "HAVING COUNT(*) > 1", "1062", "UNIQUE KEY once", "handle-error"];
    dm.catch_up().expect_failure(&said);
    s.to.run(DB, "DELETE FROM t WHERE id = 90");
    dm.catch_up().expect_success();
    let keys = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = 'op' AND index_name = 'once'";
    assert_eq!(s.to.value::<u64>(keys), 1);
}

#[test]
fn a_statement_that_tidb_refuses_is_replaced_by_two() {
    let _one = serial();
    let Some(s) = stage() else { return };
    let tidb = Refuser::start(&s.to.address, TIDB);
    let dm = s.copied(Target::Server(&tidb.address));
    s.from.run(DB, "ALTER TABLE t ADD COLUMN new_col INT UNIQUE; INSERT INTO t VALUES (3, 3, 33)");
    dm.catch_up().expect_failure(&["unsupported add column 'new_col' constraint UNIQUE KEY"]);
    let two = "ALTER TABLE `op`.`t` ADD COLUMN `new_col` INT; ALTER TABLE `op`.`t` ADD UNIQUE(`new_col`);";
    command(&dm, &["handle-error", "test", "-s", "source-1", "replace", two]).expect_success();
    let list = command(&dm, &["binlog", "list", "test"]).expect_success();
    let list: Value = serde_json::from_str(&said(&list)).unwrap();
    assert_eq!(list[0]["op"], "replace");
    assert_eq!(list[0]["sqls"].as_array().unwrap().len(), 2);
    dm.catch_up().expect_success();
    assert_databases_equal(s.from, Target::Server(s.to), &[DB]);
    assert!(skipped(&dm, "replaced by the operator").is_some_and(|(n, _)| n == 1));
    // The next start has nothing to do, and does nothing again.
    s.from.run(DB, "INSERT INTO t VALUES (4, 4, 44)");
    dm.catch_up().expect_success();
    assert_databases_equal(s.from, Target::Server(s.to), &[DB]);
}

#[test]
fn a_later_statement_is_spoken_of_while_the_task_runs() {
    let _one = serial();
    let Some(s) = stage() else { return };
    let dm = s.copied(Target::Server(s.to));
    let process = dm.start(&[]);
    // Where the next statement will stand: behind what is there now, with its GTID event before it.
    let before = s.from.position();
    s.from.run(DB, "CREATE TABLE probe (id INT PRIMARY KEY)");
    let events: Vec<(String, u64, String, u64, u64, String)> =
        s.from.rows(&format!("SHOW BINLOG EVENTS IN '{}' FROM {}", before.file, before.pos));
    let gtid_bytes = events[1].1 - events[0].1;
    let at = |position: support::server::Position| {
        format!("{}:{}", position.file, position.pos + gtid_bytes)
    };
    wait::until("the table is there", DEADLINE, || !s.columns(s.to, "probe").is_empty());
    let skip = at(s.from.position());
    command(&dm, &["binlog", "skip", "test", "-b", &skip]).expect_success();
    s.from.run(DB, "CREATE TABLE unwanted (id INT PRIMARY KEY)");
    let replace = at(s.from.position());
    let sql = "CREATE TABLE op.other (id INT PRIMARY KEY)";
    command(&dm, &["handle-error", "test", "-b", &format!("'{replace}'"), "replace", sql])
        .expect_success();
    s.from.run(DB, "CREATE TABLE replaced (id INT PRIMARY KEY)");
    // The place of the GTID event means the same.
    let inject = format!("{}:{}", s.from.position().file, s.from.position().pos);
    let sql = "CREATE TABLE op.injected (id INT PRIMARY KEY)";
    command(&dm, &["binlog", "inject", "test", "-b", &inject, sql]).expect_success();
    let reverted = format!("{}:4", s.from.position().file.replace("00000", "00001"));
    command(&dm, &["binlog", "skip", "test", "-b", &reverted]).expect_success();
    command(&dm, &["binlog", "revert", "test", "-b", &reverted]).expect_success();
    s.from.run(DB, "CREATE TABLE last (id INT PRIMARY KEY)");
    wait::until("the last table is there", DEADLINE, || !s.columns(s.to, "last").is_empty());
    let tables: Vec<String> = s.to.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'op' ORDER BY 1",
    );
    assert_eq!(tables, ["injected", "last", "other", "probe", "t"]);
    process.interrupt();
    process.wait(DEADLINE).expect_success();
    assert_eq!(skipped(&dm, "skipped by the operator"), Some((1, skip.clone())));
    assert_eq!(skipped(&dm, "replaced by the operator"), Some((1, replace)));
    command(&dm, &["binlog", "revert", "test", "-b", &skip])
        .expect_failure(&["code=36222", "has passed"]);
}

#[test]
fn the_word_that_is_given_last_counts() {
    let _one = serial();
    let Some(s) = stage() else { return };
    let dm = s.copied(Target::Server(s.to));
    // The target lacks what the statement needs.
    s.to.run(DB, "ALTER TABLE t DROP COLUMN c2");
    s.from.run(DB, "ALTER TABLE t MODIFY c2 DECIMAL(12, 2)");
    dm.catch_up().expect_failure(&["1054", "handle-error"]);
    // Half of it is right: the first statement runs and is not run again.
    let half = "ALTER TABLE op.t ADD COLUMN c2 DECIMAL(12, 2); ALTER TABLE op.nosuch ADD c INT";
    command(&dm, &["handle-error", "test", "replace", half]).expect_success();
    dm.catch_up().expect_failure(&["statement 2 of 2 that were given", "1146"]);
    dm.catch_up().expect_failure(&["statement 2 of 2 that were given", "1146"]);
    // Taken back: the statement itself can run now.
    command(&dm, &["handle-error", "test", "revert"]).expect_success();
    command(&dm, &["handle-error", "test", "revert"]).expect_failure(&["code=36065"]);
    dm.catch_up().expect_success();
    assert_eq!(s.columns(s.to, "t"), ["id", "c2"]);
    // Once more, mended instead of taken back.
    s.to.run(DB, "ALTER TABLE t DROP COLUMN c2");
    s.from.run(DB, "ALTER TABLE t MODIFY c2 DECIMAL(10, 2)");
    command(&dm, &["query-status", "test"]).expect_success();
    dm.catch_up().expect_failure(&["1054"]);
    command(&dm, &["handle-error", "test", "replace", half]).expect_success();
    dm.catch_up().expect_failure(&["statement 2 of 2 that were given"]);
    let mended =
        "ALTER TABLE op.t ADD COLUMN c2 DECIMAL(12, 2); ALTER TABLE op.t MODIFY c2 DECIMAL(10, 2)";
    command(&dm, &["handle-error", "test", "replace", mended]).expect_success();
    dm.catch_up().expect_success();
    let ty: String = s.to.value(
        "SELECT column_type FROM information_schema.columns WHERE table_schema = 'op' AND column_name = 'c2'",
    );
    assert_eq!(ty, "decimal(10,2)");
}

#[test]
fn something_is_run_before_a_statement_that_failed() {
    let _one = serial();
    let Some(s) = stage() else { return };
    let dm = s.copied(Target::Server(s.to));
    s.to.run(DB, "ALTER TABLE t DROP COLUMN c2");
    s.from.run(DB, "ALTER TABLE t MODIFY c2 DECIMAL(12, 2); INSERT INTO t VALUES (3, 3)");
    dm.catch_up().expect_failure(&["1054"]);
    let sql = "ALTER TABLE op.t ADD COLUMN c2 DECIMAL(10, 2)";
    command(&dm, &["handle-error", "test", "inject", sql]).expect_success();
    dm.catch_up().expect_success();
    assert_eq!(s.columns(s.to, "t"), ["id", "c2"]);
    let row: (i32, String) = s.to.rows("SELECT id, c2 FROM op.t WHERE id = 3").remove(0);
    assert_eq!(row, (3, "3.00".to_owned()));
}

/// The task dies while one of the statements of a replace waits at the target: before the restart, or
/// behind it, it runs once, and so do the others.
#[test]
fn a_replace_survives_the_process_that_carries_it_out() {
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        killed_within_a_replace(flavor);
    }
}

fn killed_within_a_replace(flavor: Flavor) {
    let _one = serial();
    let Some(s) = stage_of(flavor) else { return };
    s.from.run("", "CREATE TABLE op.a (id INT PRIMARY KEY); CREATE TABLE op.b (id INT PRIMARY KEY); CREATE TABLE op.c (id INT PRIMARY KEY)");
    let tidb = Refuser::start(
        &s.to.address,
        &[Refusal { text: "new_col", number: 8200, message: "unsupported" }],
    );
    let dm = s.copied(Target::Server(&tidb.address));
    let waiting =
        "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE '%metadata lock%'";
    for (round, held) in ["a", "b", "c"].into_iter().enumerate() {
        s.from.run(DB, &format!("ALTER TABLE t ADD COLUMN new_col{round} INT"));
        dm.catch_up().expect_failure(&["unsupported"]);
        // Run twice, each of them fails.
        let list = format!(
            "ALTER TABLE op.a ADD x{round} INT; RENAME TABLE op.b TO op.b_, op.c TO op.b, op.b_ TO op.c; \
             ALTER TABLE op.c ADD x{round} INT"
        );
        command(&dm, &["handle-error", "test", "replace", &list]).expect_success();
        let mut holder = s.to.conn();
        holder.query_drop("BEGIN").unwrap();
        // `b` and `c` wait in the second statement, or (after it) in the third.
        holder.query_drop(format!("SELECT * FROM op.{held}")).unwrap();
        let mut process = dm.start(&[]);
        wait::until("a statement waits at the target", DEADLINE, || {
            assert!(process.is_running(), "dm ended by itself:\n{}", process.stderr());
            s.to.value::<u64>(waiting) > 0
        });
        process.kill();
        let second = dm.start(&["--until", "caught-up"]);
        wait::until("the next start waits for it", DEADLINE, || {
            !second.stderr().is_empty() || s.to.value::<u64>(waiting) > 0
        });
        holder.query_drop("COMMIT").unwrap();
        second.wait(DEADLINE).expect_success();
        assert!(s.columns(s.to, "a").contains(&format!("x{round}")));
        assert!(s.columns(s.to, "c").contains(&format!("x{round}")));
    }
    // Three swaps: the tables have changed places an odd number of times.
    assert_eq!(s.columns(s.to, "b"), ["id", "x1"]);
    assert_eq!(s.columns(s.to, "c"), ["id", "x0", "x2"]);
    assert!(skipped(&dm, "replaced by the operator").is_some_and(|(n, _)| n == 3));
}

#[test]
fn wrong_words_get_clear_answers() {
    let _one = serial();
    let Some(s) = stage() else { return };
    let dm = s.copied(Target::Server(s.to));
    let refused = |args: &[&str], texts: &[&str]| {
        command(&dm, args).expect_failure(texts);
    };
    refused(&["handle-error", "nosuch", "skip"], &["code=46018"]);
    refused(
        &["handle-error", "test", "-s", "source-9", "skip"],
        &["code=46034", "source-9", "source-1"],
    );
    refused(&["handle-error", "test", "skip"], &["code=36221", "has no error"]);
    refused(&["handle-error", "test", "-b", "4711", "skip"], &["code=36223"]);
    refused(&["handle-error", "test", "-b", "mysql-bin.000001", "skip"], &["code=36223"]);
    let first = format!("{}:4", s.from.position().file);
    refused(&["handle-error", "test", "-b", &first, "skip"], &["code=36222", "it stands at"]);
    let mistyped = format!("x{}:4711", s.from.position().file);
    refused(&["binlog", "skip", "test", "-b", &mistyped], &["code=36223", "has no binlog file"]);
    refused(&["handle-error", "test", "replace"], &["need the statements"]);
    refused(
        &["handle-error", "test", "skip", "ALTER TABLE t ADD c INT"],
        &["only replace and inject"],
    );
    refused(&["binlog", "replace", "test", "ALTER TABLE t ADD c INT"], &["code=36024"]);
    refused(&["binlog", "replace", "test", "DELETE FROM op.t"], &["code=36064"]);
    refused(&["binlog", "inject", "test", "ALTER TABLE op.t ADD ADD ADD"], &["code=36067"]);
    let list = command(&dm, &["binlog", "list", "task.yaml"]).expect_success();
    assert_eq!(said(&list), "[]", "a task file names the task");
}

/// Two sources go to one target: the word is for the one that has stopped, for the one that is named,
/// or for both, and never for half of those that are meant.
#[test]
fn sources_are_spoken_of_one_by_one_or_together() {
    let _one = serial();
    let Some(s) = stage() else { return };
    let Some(second) = Server::shared(Flavor::Mariadb, "src") else { return };
    second.clear();
    second
        .run("", "CREATE DATABASE op2; CREATE TABLE op2.t (id INT PRIMARY KEY, c2 DECIMAL(10, 2))");
    let tidb = Refuser::start(&s.to.address, TIDB);
    let sources = [&s.from.address, &second.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(&tidb.address), &[DB, "op2"]));
    dm.catch_up().expect_success();
    s.from.run(DB, "ALTER TABLE t CHANGE c2 c2 DECIMAL(10,3)");
    dm.catch_up().expect_failure(&["Unsupported modify column"]);
    let both = command(&dm, &["handle-error", "test", "-s", "source-1,source-2", "skip"]);
    let both = json(&both.expect_failure(&["source source-2 has no error"]));
    assert_eq!(both["sources"][0]["result"], false, "for both or for none: {both}");
    assert_eq!(said(&command(&dm, &["binlog", "list", "test", "-s", "source-1"])), "[]");
    let one = json(&command(&dm, &["handle-error", "test", "skip"]).expect_success());
    assert_eq!(one["sources"].as_array().unwrap().len(), 1);
    second.run("op2", "ALTER TABLE t CHANGE c2 c2 DECIMAL(10,3)");
    dm.catch_up().expect_failure(&["source source-2", "Unsupported modify column"]);
    let named = [
        "handle-error",
        "test",
        "-s",
        "source-2",
        "replace",
        "ALTER TABLE op2.t MODIFY c2 DECIMAL(10, 3)",
    ];
    command(&dm, &named).expect_success();
    dm.catch_up().expect_success();
    let type_of = |db: &str| -> String {
        s.to.value(&format!(
            "SELECT column_type FROM information_schema.columns WHERE table_schema = '{db}' AND \
             table_name = 't' AND column_name = 'c2'"
        ))
    };
    assert_eq!((type_of("op"), type_of("op2")), ("decimal(10,2)".into(), "decimal(10,3)".into()));
}

#[test]
fn rules_of_the_task_file_decide_by_the_text() {
    let _one = serial();
    let Some(s) = stage() else { return };
    let tidb = Refuser::start(&s.to.address, TIDB);
    let rules = "ddl-rules:\n\
                 - {match: 'CHANGE c2 c2 DECIMAL', action: skip}\n\
                 - match: 'TABLE (?<t>\\w+) ADD COLUMN (\\w+) INT UNIQUE'\n  action: replace\n  \
                 sql: 'ALTER TABLE ${t} ADD COLUMN $2 INT; ALTER TABLE ${t} ADD UNIQUE ($2)'\n\
                 - {match: '^drop', action: warn}\n";
    let dm = s.task(Target::Server(&tidb.address), rules);
    dm.catch_up().expect_success();
    s.from.run(
        DB,
        "ALTER TABLE t CHANGE c2 c2 DECIMAL(10,3); ALTER TABLE t ADD COLUMN new_col INT UNIQUE; \
         INSERT INTO t VALUES (3, 3, 3); CREATE TABLE gone (id INT PRIMARY KEY); DROP TABLE gone",
    );
    let outcome = dm.catch_up().expect_success();
    assert!(outcome.stderr.contains("a ddl-rule points at"), "{}", outcome.stderr);
    assert_eq!(s.columns(s.to, "t"), ["id", "c2", "new_col"]);
    assert_eq!(s.to.value::<u64>("SELECT COUNT(*) FROM op.t WHERE new_col = 3"), 1);
    assert!(s.columns(s.to, "gone").is_empty());
    for kind in
        ["skipped by a ddl-rule", "replaced by a ddl-rule", "run, with the warning of a ddl-rule"]
    {
        assert!(skipped(&dm, kind).is_some_and(|(n, _)| n == 1), "{kind}");
    }
    assert_eq!(tidb.refused(), 0, "the target was not even asked");
}

/// An incremental task takes the target's structure for the source's until the binlog says that it
/// is another.
fn more_columns_at_the_target(repair: impl Fn(&Dm, &Address)) {
    let _one = serial();
    let Some(s) = stage() else { return };
    let columns = "id INT PRIMARY KEY, c2 DECIMAL(10, 2)";
    s.to.run("", &format!("CREATE DATABASE op; CREATE TABLE op.t ({columns}, extra INT, more VARCHAR(9) DEFAULT 'm')"));
    let start = s.from.position();
    let instance =
        format!("    meta: {{binlog-name: {}, binlog-pos: {}}}\n", start.file, start.pos);
    s.from.run(DB, "INSERT INTO t VALUES (7, 7.5)");
    let sources = [&s.from.address];
    let mut task = Task::new("incremental", &sources, Target::Server(s.to), &[DB]);
    task.instance = &instance;
    let dm = Dm::set_up(&task);
    let failed = dm.catch_up().expect_code(36_027);
    for text in [
        "tracked since ",
        ", assumed to be as at the target: CREATE TABLE `op`.`t`",
        "the target has: CREATE TABLE `t`",
        "the binlog has: int, ",
        "`dm operate-schema set -s source-1 test -d op -t t FILE`",
    ] {
        assert!(failed.stderr.contains(text), "{text:?} is not in\n{}", failed.stderr);
    }
    let get = ["operate-schema", "get", "test", "-s", "source-1", "-d", "op", "-t", "t"];
    let shown = command(&dm, &get).expect_success();
    assert_eq!(json(&shown)["sources"][0]["assumed"], true);
    let since = json(&shown)["sources"][0]["since"].to_string();
    assert!(since.contains(&start.file), "{since}");
    assert!(said(&shown).contains("`extra`"), "{}", said(&shown));
    // It is no statement that could be left out.
    command(&dm, &["handle-error", "test", "skip"])
        .expect_failure(&["code=36221", "not about a statement"]);
    repair(&dm, &s.from.address);
    dm.catch_up().expect_success();
    let row: (i32, String, Option<i32>, String) = s.to.rows("SELECT * FROM op.t").remove(0);
    assert_eq!(row, (7, "7.50".to_owned(), None, "m".to_owned()));
    let shown = command(&dm, &get).expect_success();
    assert_eq!(json(&shown)["sources"][0].get("assumed"), None);
    assert!(!said(&shown).contains("extra"), "{}", said(&shown));
}

#[test]
fn more_columns_at_the_target_are_repaired_by_a_file() {
    more_columns_at_the_target(|dm, _| {
        dm.write("t.sql", "CREATE TABLE anything (id INT PRIMARY KEY, c2 DECIMAL(10, 2));");
        dm.write("two.sql", "CREATE TABLE a (id INT); CREATE TABLE b (id INT)");
        let set = ["operate-schema", "set", "-s", "source-1", "test", "-d", "op", "-t", "t"];
        command(dm, &[&set[..], &["two.sql"]].concat()).expect_failure(&["code=44009"]);
        command(dm, &set).expect_failure(&["needs a file"]);
        command(dm, &[&set[..], &["t.sql", "--flush", "--sync"]].concat()).expect_success();
    });
}

#[test]
fn more_columns_at_the_target_are_repaired_from_the_source() {
    more_columns_at_the_target(|dm, _| {
        let file = std::fs::read_dir(dm.path())
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .find(|f| f.contains("source"))
            .unwrap();
        let update = ["binlog-schema", "update", "task.yaml", "op", "t", "-s", "source-1"];
        // The target's is what did not fit.
        let from_target = [&update[..], &["--from-target", "--source-file", &file]].concat();
        command(dm, &from_target).expect_success();
        dm.catch_up().expect_code(36_027);
        command(dm, &["binlog-schema", "delete", "test", "op", "t", "-s", "source-1"])
            .expect_success();
        dm.catch_up().expect_code(36_027);
        // By its name alone, with the servers that the task was started with.
        let by_name = ["binlog-schema", "update", "test", "op", "t", "-s", "source-1"];
        command(dm, &[&by_name[..], &["--from-source"]].concat()).expect_success();
    });
}

/// The seeds' third case: a TiDB whose table has a column more.
#[test]
fn more_columns_at_a_tidb_are_repaired_by_a_file() {
    let _one = serial();
    let Some(s) = stage() else { return };
    let tidb = Tidb::start(
        "match: SHOW CREATE TABLE `op`.`t`\ncolumns: Table Create_Table\nrow: t CREATE TABLE `t` (`id` int(11) NOT NULL, \
         `c2` decimal(10,2) DEFAULT NULL, `more` int(11) DEFAULT NULL, PRIMARY KEY (`id`)) ENGINE=InnoDB DEFAULT \
         CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    );
    let start = s.from.position();
    let instance =
        format!("    meta: {{binlog-name: {}, binlog-pos: {}}}\n", start.file, start.pos);
    s.from.run(DB, "INSERT INTO t VALUES (7, 7.5)");
    let sources = [&s.from.address];
    let mut task = Task::new("incremental", &sources, Target::Server(&tidb.address), &[DB]);
    task.instance = &instance;
    let dm = Dm::set_up(&task);
    dm.catch_up().expect_code(36_027);
    dm.write("t.sql", "CREATE TABLE t (id INT PRIMARY KEY, c2 DECIMAL(10, 2))");
    let set = ["operate-schema", "set", "-s", "source-1", "test", "-d", "op", "-t", "t", "t.sql"];
    command(&dm, &set).expect_success();
    dm.catch_up().expect_success();
    let rows: Vec<String> =
        tidb.committed().into_iter().filter(|s| s.starts_with("INSERT INTO `op`.`t`")).collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].contains("(`id`,`c2`) VALUES (7,7.50)"), "{rows:?}");
}

#[test]
fn structures_are_shown_while_the_task_runs_and_not_changed() {
    let _one = serial();
    let Some(s) = stage() else { return };
    let dm = s.copied(Target::Server(s.to));
    let mut process = dm.start(&[]);
    s.from.run(DB, "ALTER TABLE t ADD COLUMN more INT");
    let get = ["binlog-schema", "list", "test", "op", "t", "-s", "source-1"];
    wait::until("the new column is tracked", DEADLINE, || {
        assert!(process.is_running(), "dm ended by itself:\n{}", process.stderr());
        said(&command(&dm, &get).expect_success()).contains("`more` int")
    });
    dm.write("t.sql", "CREATE TABLE t (id INT PRIMARY KEY)");
    let set = ["operate-schema", "set", "test", "-s", "source-1", "-d", "op", "-t", "t", "t.sql"];
    command(&dm, &set).expect_failure(&["code=40051", "running"]);
    let remove = ["operate-schema", "remove", "test", "-s", "source-1", "-d", "op", "-t", "t"];
    command(&dm, &remove).expect_failure(&["code=40051"]);
    let unknown = ["operate-schema", "get", "test", "-d", "op", "-t", "nosuch"];
    command(&dm, &unknown).expect_failure(&["code=44005"]);
    process.interrupt();
    process.wait(DEADLINE).expect_success();
    command(&dm, &remove).expect_success();
    // Met again without a structure: the target's is taken, and fits.
    s.from.run(DB, "INSERT INTO t VALUES (5, 5, 5)");
    dm.catch_up().expect_success();
    assert_databases_equal(s.from, Target::Server(s.to), &[DB]);
    assert_eq!(json(&command(&dm, &get).expect_success())["sources"][0]["assumed"], true);
}
