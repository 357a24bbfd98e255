//! How `dm` meets a TiDB: its sessions, its limits and its errors, against a stub that answers as a
//! plain text tells it (`tests/support/tidb`, `tests/tidb/*.answers`). What DM does about each error
//! number is in its manual and its lists of errors; here nothing may be lost or doubled either.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

#[path = "tidb/ddl.rs"]
mod ddl;
mod support;

use std::sync::Arc;

use dm_core::config::{SourceText, TaskPlan};
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::{delete, insert, update};
use dm_core::{Error, Migration, Outcome, TableName, Until, Value};
use support::tidb::Tidb;

/// A source with a table of three rows, and where its state is kept.
struct Stage {
    source: ScriptedSource,
    tidb: Tidb,
    state: tempfile::TempDir,
    session: &'static str,
}

fn table() -> TableName {
    TableName::new("shop", "t")
}

fn row(id: i64, v: &str) -> Vec<Value<'static>> {
    vec![Value::Int(id), Value::Text(v.to_owned().into())]
}

impl Stage {
    fn new(tidb: Tidb) -> Self {
        let source = ScriptedSource::new("live");
        source.ddl("", "CREATE DATABASE shop").unwrap();
        source.ddl("shop", "CREATE TABLE t (id BIGINT PRIMARY KEY, v VARCHAR(20))").unwrap();
        let rows = (1..=3).map(|id| insert(row(id, "copied"))).collect();
        source.commit(vec![(table(), rows)]).unwrap();
        Self { source, tidb, state: tempfile::tempdir().unwrap(), session: "{}" }
    }

    fn run(&self) -> Result<Outcome, Error> {
        let address = &self.tidb.address;
        let task = format!(
            "name: t\ntask-mode: all\ntarget-database: {{host: {}, port: {}, user: {}, session: {}}}\n\
             mysql-instances: [{{source-id: live, syncer-config-name: one}}]\n\
             syncers: {{one: {{worker-count: 1, batch: 100}}}}\n",
            address.host, address.port, address.user, self.session
        );
        let source = "{source-id: live, from: {host: 127.0.0.1, user: dm}}";
        let (plan, _) = TaskPlan::from_yaml(
            &SourceText { name: "task.yaml", text: &task },
            &[SourceText { name: "source.yaml", text: source }],
            &|_| None,
        )
        .unwrap();
        Migration::builder(plan)
            .source("live", Arc::new(self.source.clone()))
            .state_dir(self.state.path())
            .until(Until::CaughtUp)
            .build()
            .run()
    }

    #[track_caller]
    fn succeeds(&self) {
        assert_eq!(self.run().unwrap(), Outcome::Finished);
    }

    /// How often a value was committed at the target.
    fn committed(&self, value: &str) -> usize {
        self.tidb.committed().iter().map(|s| s.matches(&format!("'{value}'")).count()).sum()
    }

    fn insert(&self, id: i64, value: &str) {
        self.source.commit(vec![(table(), vec![insert(row(id, value))])]).unwrap();
    }
}

#[test]
fn sessions_are_optimistic_and_take_the_sources_ids() {
    let mut stage = Stage::new(Tidb::start(""));
    stage.succeeds();
    assert!(stage.tidb.count("tidb_txn_mode='optimistic'") > 0);
    assert!(stage.tidb.count("allow_auto_random_explicit_insert=1") > 0);
    assert_eq!(stage.committed("copied"), 3);

    // What the task says wins.
    stage.tidb = Tidb::start("");
    stage.state = tempfile::tempdir().unwrap();
    stage.session = "{TIDB_TXN_MODE: pessimistic}";
    stage.succeeds();
    assert_eq!(stage.tidb.count("'optimistic'"), 0);
    assert!(stage.tidb.count("'pessimistic'") > 0);

    // Versions before 4.0.3 do not have the second variable.
    stage.tidb = Tidb::start(
        "match: SET SESSION allow_auto_random*\nerror: 1193 HY000 Unknown system variable",
    );
    stage.state = tempfile::tempdir().unwrap();
    stage.succeeds();
}

#[test]
fn auto_random_columns_keep_the_sources_values() {
    // The target table is there, as a person made it.
    let stage = Stage::new(Tidb::start(
        "match: SHOW CREATE TABLE `shop`.`t`\ncolumns: Table Create_Table\n\
         row: t CREATE TABLE `t` (`id` bigint(20) NOT NULL /*T![auto_rand] AUTO_RANDOM(5) */, `v` varchar(20) \
         DEFAULT NULL, PRIMARY KEY (`id`) /*T![clustered_index] CLUSTERED */) ENGINE=InnoDB DEFAULT \
         CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    ));
    stage.succeeds();
    stage.insert(9, "nine");
    stage.succeeds();
    assert_eq!(stage.tidb.count("CREATE TABLE `t`"), 0, "the table was made anew");
    let committed = stage.tidb.committed();
    assert!(
        committed.iter().any(|s| s.contains("(`id`,`v`)") && s.contains("(9,'nine')")),
        "{committed:?}"
    );
}

#[test]
fn errors_of_the_moment_are_tried_again() {
    let numbers = [
        1205, 1213, 8002, 8005, 8022, 8027, 8028, 8229, 8501, 9001, 9002, 9003, 9004, 9005, 9006,
        9007, 9008, 9010, 9011, 9012, 9013,
    ];
    std::thread::scope(|scope| {
        for number in numbers {
            scope.spawn(move || tried_again(number));
        }
    });
}

fn tried_again(number: u16) {
    let rule =
        |at: &str| format!("match: {at}\ntimes: 1\nerror: {number} HY000 for the moment\n\n");
    let stage = Stage::new(Tidb::start(&rule("INSERT INTO `shop`.`t`*")));
    stage.succeeds();
    stage.tidb.set_rules(
        &(rule("INSERT INTO `shop`.`t`*") + &rule("UPDATE `shop`.`t`*") + &rule("COMMIT")),
    );
    stage.insert(4, "inserted");
    let change = update(row(1, "copied"), row(1, "changed"));
    stage.source.commit(vec![(table(), vec![change, delete(row(2, "copied"))])]).unwrap();
    stage.succeeds();
    for (value, times) in [("copied", 3), ("inserted", 1), ("changed", 1)] {
        assert_eq!(stage.committed(value), times, "{value} after error {number}");
    }
    assert_eq!(stage.tidb.committed().iter().filter(|s| s.starts_with("DELETE")).count(), 1);
}

/// A COMMIT that went through although its answer was lost is not repeated, one that did not is.
#[test]
fn an_unknown_outcome_is_found_out_by_the_marks() {
    let ends = ["drop", "error: 8501 HY000 execution result undetermined"];
    for (end, done) in ends.into_iter().flat_map(|end| [(end, "done\n"), (end, "")]) {
        let rules = format!("match: COMMIT\ntimes: 1\n{done}{end}");
        let stage = Stage::new(Tidb::start(&rules));
        stage.succeeds();
        assert_eq!(stage.committed("copied"), 3, "{rules}");
        stage.tidb.set_rules(&rules);
        stage.insert(4, "once");
        stage.succeeds();
        assert_eq!(stage.committed("once"), 1, "{rules}");
        // The connection breaks in the middle of a transaction.
        stage.tidb.set_rules("match: INSERT INTO `shop`*\ntimes: 2\ndelay: 30\ndrop");
        stage.insert(5, "late");
        stage.succeeds();
        assert_eq!(stage.committed("late"), 1, "{rules}");
    }
}

/// In an optimistic transaction a duplicate key is an error of the COMMIT.
#[test]
fn a_duplicate_at_commit_stops_the_task() {
    let stage = Stage::new(Tidb::start(""));
    stage.succeeds();
    stage
        .tidb
        .set_rules("match: COMMIT\nerror: 1062 23000 Duplicate entry '4' for key 't.PRIMARY'");
    stage.insert(4, "twice");
    let commits_of = |stage: &Stage| stage.tidb.seen().iter().filter(|s| *s == "COMMIT").count();
    let commits = commits_of(&stage);
    let error = stage.run().unwrap_err();
    assert_eq!((error.code().number, error.server_error()), (10006, Some(1062)), "{error}");
    assert!(error.needs_person() && !error.is_transient());
    assert!(error.to_string().contains("Duplicate entry"), "{error}");
    assert_eq!(commits_of(&stage), commits + 1, "it was tried again");
    // The row that stood in the way is removed.
    stage.tidb.set_rules("");
    stage.succeeds();
    assert_eq!(stage.committed("twice"), 1);
}

/// More than two rows in one statement are too many.
const SMALL: &str =
    "match: *INTO `shop`*),(*),(*\nerror: 8004 HY000 Transaction is too large, size: 104857700";

#[test]
fn a_batch_that_is_too_large_is_split() {
    let stage = Stage::new(Tidb::start(""));
    stage.succeeds();
    stage.tidb.set_rules(SMALL);
    for id in 10..30 {
        stage.insert(id, &format!("v{id}"));
    }
    stage.succeeds();
    for id in 10..30 {
        assert_eq!(stage.committed(&format!("v{id}")), 1);
    }
}

/// A transaction of 16 events with one row each, named by these words.
fn insert_many(stage: &Stage, word: &str, first: i64) {
    let one = |id: i64| (table(), vec![insert(row(id, &format!("{word}{id}")))]);
    stage.source.commit((first..first + 16).map(one).collect()).unwrap();
}

#[track_caller]
fn all_are_committed_once(stage: &Stage, word: &str, first: i64) {
    for id in first..first + 16 {
        assert_eq!(stage.committed(&format!("{word}{id}")), 1, "{word}{id}");
    }
}

#[test]
fn a_transaction_that_is_too_large_is_applied_in_parts() {
    let stage = Stage::new(Tidb::start(SMALL));
    stage.tidb.set_rules("");
    stage.succeeds();
    stage.tidb.set_rules(SMALL);
    insert_many(&stage, "whole", 100);
    stage.insert(200, "behind");
    stage.succeeds();
    all_are_committed_once(&stage, "whole", 100);
    assert_eq!(stage.committed("behind"), 1);
    // It is told by the memory that it takes, too.
    stage.tidb.set_rules(&SMALL.replace("8004", "8175"));
    insert_many(&stage, "memory", 300);
    stage.succeeds();
    all_are_committed_once(&stage, "memory", 300);
}

/// The connection breaks at each COMMIT of the parts in turn, before or after it is done: what is in
/// is not repeated, also by another process.
#[test]
fn parts_are_never_repeated() {
    std::thread::scope(|scope| {
        for after in 0..8 {
            scope.spawn(move || parts_with_a_cut(after, "done\n"));
            scope.spawn(move || parts_with_a_cut(after, ""));
        }
    });
}

fn parts_with_a_cut(after: u64, done: &str) {
    let stage = Stage::new(Tidb::start(""));
    stage.succeeds();
    let broken = format!("match: COMMIT\nafter: {after}\ntimes: 1\n{done}drop\n\n{SMALL}");
    stage.tidb.set_rules(&broken);
    insert_many(&stage, "part", 100);
    stage.succeeds();
    all_are_committed_once(&stage, "part", 100);
    // A process that ends for good in the middle, and the next one.
    let refused = "error: 1105 HY000 it stays so";
    stage.tidb.set_rules(&format!("match: COMMIT\nafter: {after}\n{refused}\n\n{SMALL}"));
    insert_many(&stage, "next", 200);
    let error = stage.run().unwrap_err();
    assert_eq!(error.server_error(), Some(1105), "{error}");
    stage.tidb.set_rules(SMALL);
    stage.succeeds();
    all_are_committed_once(&stage, "next", 200);
}

#[test]
fn a_single_event_that_is_too_large_stops_the_task() {
    let stage = Stage::new(Tidb::start(""));
    stage.succeeds();
    stage.tidb.set_rules(SMALL);
    let many = (30..40).map(|id| insert(row(id, "whole"))).collect();
    stage.source.commit(vec![(table(), many)]).unwrap();
    let error = stage.run().unwrap_err();
    assert_eq!(error.server_error(), Some(8004), "{error}");
    assert!(error.needs_person() && error.to_string().contains("txn-total-size-limit"), "{error}");
    assert_eq!(stage.committed("whole"), 0);
    stage.tidb.set_rules("");
    stage.succeeds();
    assert_eq!(stage.committed("whole"), 10);
}

#[test]
fn a_chunk_that_is_too_large_is_cut() {
    let rows = |stage: &Stage| {
        let many = (100..150).map(|id| insert(row(id, &format!("chunk{id}")))).collect();
        stage.source.commit(vec![(table(), many)]).unwrap();
    };
    let stage = Stage::new(Tidb::start(SMALL));
    rows(&stage);
    stage.succeeds();
    for id in 100..150 {
        assert_eq!(stage.committed(&format!("chunk{id}")), 1);
    }
    assert_eq!(stage.committed("copied"), 3);
    // A process that ends in the middle of the pieces, and the next one.
    let stage = Stage::new(Tidb::start(&format!(
        "match: COMMIT\nafter: 6\nerror: 1105 HY000 it stays so\n\n{SMALL}"
    )));
    rows(&stage);
    stage.run().unwrap_err();
    stage.tidb.set_rules(SMALL);
    stage.succeeds();
    for id in 100..150 {
        assert_eq!(stage.committed(&format!("chunk{id}")), 1);
    }
}

/// A TiDB before 6.2: it says that it has no locks, or grants every lock to everybody.
#[test]
fn without_named_locks_the_marks_shut_earlier_writers_out() {
    for no_locks in [
        "match: SELECT GET_LOCK*\nerror: 1235 42000 function GET_LOCK has only noop implementation",
        "match: SELECT GET_LOCK*\ncolumns: v\nrow: 1",
    ] {
        let stage = Stage::new(Tidb::start(no_locks));
        stage.succeeds();
        assert_eq!(stage.committed("copied"), 3);
        stage.insert(4, "followed");
        stage.succeeds();
        assert_eq!(stage.committed("followed"), 1);
        for (end, done) in [("drop", "done\n"), ("drop", "")] {
            let broken = format!("{no_locks}\n\nmatch: COMMIT\ntimes: 1\n{done}{end}");
            stage.tidb.set_rules(&broken);
            let word = format!("once{}", done.len());
            stage.insert(5 + done.len() as i64, &word);
            stage.succeeds();
            assert_eq!(stage.committed(&word), 1, "{broken}");
        }
        // Somebody takes the slot over between the rows and the COMMIT: nothing of it is committed.
        stage.tidb.set_rules(no_locks);
        stage.tidb.take_over_before_commit_of("'lost'");
        stage.insert(50, "lost");
        let error = stage.run().unwrap_err();
        assert!(error.to_string().contains("replaced by another one"), "{error}");
        assert_eq!(stage.committed("lost"), 0);
        stage.succeeds();
        assert_eq!(stage.committed("lost"), 1);
    }
}

/// Errors that stay: the task stops at once, says where and what, and goes on when it is repaired.
#[test]
fn errors_that_stay_stop_the_task() {
    for (number, person, advice) in [
        (8025, true, "txn-entry-size-limit"),
        (1366, true, "character set"),
        (1406, true, "as long as"),
        (1105, false, "RawCause"),
    ] {
        let stage = Stage::new(Tidb::start(""));
        stage.succeeds();
        stage
            .tidb
            .set_rules(&format!("match: INSERT INTO `shop`*\nerror: {number} HY000 it stays so"));
        stage.insert(4, "kept");
        let error = stage.run().unwrap_err();
        assert_eq!(error.server_error(), Some(number), "{error}");
        assert_eq!(error.needs_person(), person, "{error}");
        let text = error.to_string();
        for part in ["code=10006", "it stays so", "shop", advice] {
            assert!(text.contains(part), "{part} is missing: {text}");
        }
        assert_eq!(stage.tidb.count("'kept'"), 1, "it was tried again");
        stage.tidb.set_rules("");
        stage.succeeds();
        assert_eq!(stage.committed("kept"), 1);
    }
}

/// The seeds' statements that TiDB refuses: DM's code, where in the binlog, and which statement.
#[test]
fn refused_ddl_is_told_with_code_position_and_statement() {
    for (create, ddl, number) in [
        (
            "CREATE TABLE tb11 (c1 INT PRIMARY KEY, c2 DECIMAL(8,2))",
            "ALTER TABLE tb11 CHANGE c2 c2 DECIMAL(10,3)",
            8200,
        ),
        (
            "CREATE TABLE tbl1 (id INT PRIMARY KEY)",
            "ALTER TABLE tbl1 ADD COLUMN new_col INT UNIQUE",
            8200,
        ),
        ("CREATE TABLE tbl2 (id INT PRIMARY KEY)", "ALTER TABLE tbl2 ADD COLUMN slow INT", 8214),
    ] {
        let stage = Stage::new(Tidb::with_file("refused-ddl.answers"));
        stage.source.ddl("shop", create).unwrap();
        stage.succeeds();
        stage.source.ddl("shop", ddl).unwrap();
        stage.insert(4, "behind");
        for _ in 0..2 {
            let error = stage.run().unwrap_err();
            assert_eq!(
                (error.code().number, error.server_error()),
                (10006, Some(number)),
                "{error}"
            );
            assert!(error.needs_person(), "{error}");
            let text = error.to_string();
            let origin = format!("], origin SQL: [{ddl}]: ");
            for part in [
                "code=10006:class=database",
                "startLocation: [position: (scripted-bin.000001, ",
                &origin,
                "Workaround: ",
            ] {
                assert!(text.contains(part), "{part} is missing: {text}");
            }
            assert_eq!(stage.committed("behind"), 0);
        }
        stage.tidb.set_rules("");
        stage.succeeds();
        assert_eq!(stage.committed("behind"), 1);
        assert!(stage.tidb.committed().iter().any(|s| s.contains("ALTER TABLE")));
    }
}

/// The stub itself.
mod stub {
    use super::support::tidb::meta::{Meta, count_marks, tuples};
    use super::support::tidb::rules::fits;
    use super::support::tidb::{Answer, Rules};

    #[test]
    fn patterns() {
        assert!(fits("insert*`t`*", "insert into `d`.`t` values (1)"));
        assert!(!fits("insert*`t`", "insert into `d`.`t` values (1)"));
        assert!(fits("commit", "commit") && !fits("commit", "commit;"));
        assert!(fits("a*b*c", "a-b-b-c") && !fits("a*b*c", "a-c"));
    }

    #[test]
    fn rules_are_used_up() {
        let mut rules = Rules::parse(
            "# twice\nmatch: COMMIT\nafter: 1\ntimes: 1\nerror: 9007 HY000 Write conflict\n\nmatch: SHOW *\n\
             columns: a b\nrow: 1 NULL",
        );
        assert!(rules.find("commit").is_none());
        let found = rules.find(" COMMIT ").and_then(|f| f.answer);
        assert!(matches!(found, Some(Answer::Error { number: 9007, .. })));
        assert!(rules.find("COMMIT").is_none());
        let Some(Answer::Rows(columns, rows)) = rules.find("SHOW x").and_then(|f| f.answer) else {
            panic!()
        };
        assert_eq!((columns.len(), rows), (2, vec![vec![Some("1".to_owned()), None]]));
    }

    #[test]
    fn rows_and_marks_are_counted() {
        assert_eq!(tuples("INSERT INTO `t` (`a`) VALUES (1,'),('),((2))"), 2);
        assert_eq!(tuples("INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a=VALUES(a)"), 1);
        assert_eq!(count_marks("INSERT INTO `t?` VALUES (?,'a?\\'?',?)"), 2);
    }

    #[test]
    fn marks_are_kept() {
        let mut meta = Meta::default();
        let register = "INSERT INTO `m`.`dm_apply_mark` VALUES ('l',1,0,0,'','',7) ON DUPLICATE KEY UPDATE \
                        `connection`=7";
        let mark = "INSERT INTO `m`.`dm_apply_mark` VALUES ('l',1,0,5,'b.000001:4','6-8',7) ON DUPLICATE KEY \
                    UPDATE `low`=VALUES(`low`),`connection`=VALUES(`connection`)";
        assert!(meta.write(register) && meta.write(mark) && meta.write(register));
        let Answer::Rows(_, rows) = meta.select(
            "SELECT `applied` FROM `m`.`dm_apply_mark` WHERE `lane`='l' AND `epoch`=1 AND `worker`=0",
        ) else {
            panic!()
        };
        assert_eq!(rows, vec![vec![Some("6-8".to_owned())]]);
        assert!(meta.write("DELETE FROM `m`.`dm_apply_mark` WHERE `lane`='l' AND `epoch`<2"));
        let Answer::Rows(_, rows) =
            meta.select("SELECT `applied` FROM `m`.`dm_apply_mark` WHERE `lane`='l'")
        else {
            panic!()
        };
        assert!(rows.is_empty());
        assert!(!meta.write("INSERT INTO `d`.`t` VALUES (1)"));
    }
}
