//! Structural statements at a TiDB: jobs that go on without their connection, statements that it takes in
//! pieces only, and what an operator does about those that it refuses.

use std::path::Path;

use dm_core::operate::{HandleError, Operation, all_went_well};

use super::support::dm::DEADLINE;
use super::support::wait;
use super::*;

fn say(state: &Path, operation: Operation) -> bool {
    let command = HandleError { sources: Vec::new(), position: None, operation };
    command.run(state, "t").is_ok_and(|answers| all_went_well(&answers))
}

/// What `ADMIN SHOW DDL JOBS` shows, as a rule.
fn job(state: &str) -> String {
    format!(
        "match: ADMIN SHOW DDL JOBS*\ncolumns: JOB_ID DB_NAME TABLE_NAME SCHEMA_STATE STATE\n\
         row: 6 shop other none running\nrow: 7 shop t public {state}\n\n"
    )
}

const SHOW: &str = "match: SHOW CREATE TABLE `shop`.`t`\ncolumns: Table Create_Table\nrow: t ";

/// The structure that the target shows.
fn shows(columns: &str) -> String {
    format!("{SHOW}CREATE TABLE `t` (`id` bigint NOT NULL, {columns}, PRIMARY KEY (`id`))\n\n")
}

/// A stage that has copied, and a statement that follows.
fn stage(ddl: &str) -> Stage {
    let stage = Stage::new(Tidb::start(""));
    stage.succeeds();
    stage.source.ddl("shop", ddl).unwrap();
    stage
}

fn committed_ddl(stage: &Stage) -> Vec<String> {
    let all = stage.tidb.committed();
    all.into_iter().filter(|s| s.starts_with("ALTER TABLE `shop`")).collect()
}

/// The connection breaks while the job is in the queue: it is waited for, and not given a second time.
#[test]
fn a_job_that_outlives_its_connection_is_waited_for() {
    let stage = stage("ALTER TABLE t ADD COLUMN slow INT");
    let lost = "match: ALTER TABLE*slow*\ntimes: 1\ndrop\n\n";
    let before = shows("`v` varchar(20) DEFAULT NULL");
    stage.tidb.set_rules(&(lost.to_owned() + &job("queueing") + &before));
    let asked = || stage.tidb.count("ADMIN SHOW DDL JOBS");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| stage.run());
        wait::until("the job is asked for", DEADLINE, || run.is_finished() || asked() >= 2);
        let now = shows("`v` varchar(20) DEFAULT NULL, `slow` int DEFAULT NULL");
        stage.tidb.set_rules(&(job("synced") + &now));
        assert_eq!(run.join().unwrap().unwrap(), Outcome::Finished);
    });
    assert_eq!(stage.tidb.count("ADD COLUMN slow"), 1, "it was given again");
    assert!(asked() >= 3);
}

/// The job came to nothing before it did anything: a connection that broke is no reason to lose it.
#[test]
fn a_statement_that_never_became_a_job_runs() {
    let stage = stage("ALTER TABLE t ADD COLUMN slow INT");
    stage.tidb.set_rules("match: ALTER TABLE*slow*\ntimes: 1\ndrop");
    stage.succeeds();
    assert_eq!(stage.tidb.count("ADD COLUMN slow"), 2);
    assert_eq!(committed_ddl(&stage).len(), 1);
}

/// A RENAME TABLE carries a marker that tells whether it has run, but not whether its job still waits.
#[test]
fn a_rename_that_outlives_its_connection_is_waited_for() {
    let stage = stage("RENAME TABLE t TO u");
    let lost = "match: RENAME TABLE*\ntimes: 1\ndrop\n\n";
    stage.tidb.set_rules(&(lost.to_owned() + &job("queueing")));
    let asked = || stage.tidb.count("ADMIN SHOW DDL JOBS");
    let given = || stage.tidb.count("RENAME TABLE `shop`.`t`");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| stage.run());
        wait::until("the job is asked for", DEADLINE, || run.is_finished() || asked() >= 2);
        assert_eq!(given(), 1, "it was given again");
        // The job has ended: the marker has the name that the statement gave it.
        let seen = stage.tidb.seen();
        let text = seen.iter().find(|s| s.starts_with("RENAME TABLE")).unwrap();
        let marker = text.rsplit('`').nth(1).unwrap();
        let shown = format!("match: SHOW TABLES FROM*dm*\ncolumns: Tables\nrow: {marker}\n\n");
        stage.tidb.set_rules(&(job("synced") + &shown));
        assert_eq!(run.join().unwrap().unwrap(), Outcome::Finished);
    });
    assert_eq!(given(), 1, "it was given again");
    // Where nobody may ask, the marker alone tells.
    stage.source.ddl("shop", "RENAME TABLE u TO t").unwrap();
    let denied = "match: ADMIN*\nerror: 1227 42000 Access denied\n\n";
    stage.tidb.set_rules(&(lost.to_owned() + denied));
    stage.succeeds();
    assert_eq!(stage.tidb.count("RENAME TABLE `shop`.`u`"), 2);
}

#[test]
fn a_job_that_somebody_cancelled_stops_the_task() {
    let stage = stage("ALTER TABLE t ADD COLUMN slow INT");
    let text = "match: ADMIN SHOW DDL JOB QUERIES 7\ncolumns: QUERY\n\
                row: ALTER TABLE `shop`.`t` ADD COLUMN slow INT\n\n";
    let lost = "match: ALTER TABLE*slow*\ntimes: 1\ndrop\n\n";
    stage.tidb.set_rules(&(lost.to_owned() + &job("cancelled") + text));
    let error = stage.run().unwrap_err();
    assert_eq!(error.code().number, 11_129, "{error}");
    assert!(error.needs_person() && error.to_string().contains("job 7"), "{error}");
    assert_eq!(stage.tidb.count("ADD COLUMN slow"), 1, "it was given again");
    // Whoever starts the task again wants it to run.
    stage.succeeds();
    assert_eq!(stage.tidb.count("ADD COLUMN slow"), 2);
}

/// Without the privilege to ask, nothing is guessed.
#[test]
fn jobs_that_may_not_be_asked_for_stop_the_task() {
    let stage = stage("ALTER TABLE t ADD COLUMN slow INT");
    stage.tidb.set_rules(
        "match: ALTER TABLE*slow*\ntimes: 1\ndrop\n\nmatch: ADMIN*\nerror: 1227 42000 Access denied",
    );
    let error = stage.run().unwrap_err();
    assert_eq!(error.server_error(), Some(1227), "{error}");
    assert!(error.to_string().contains("SUPER"), "{error}");
    assert!(say(stage.state.path(), Operation::Skip), "the statement is known to the operator");
    stage.succeeds();
    assert_eq!(stage.tidb.count("ADD COLUMN slow"), 1);
}

/// Before 6.2 every change is a statement of its own.
#[test]
fn an_old_tidb_is_given_one_change_at_a_time() {
    let version = "match: SELECT*@@version*\ncolumns: @@version @@version_comment\n\
                   row: 5.7.25-TiDB-v5.4.0 TiDB\n\n";
    let stage = Stage::new(Tidb::start(version));
    stage.succeeds();
    stage.source.ddl("shop", "ALTER TABLE t ADD COLUMN (a INT, b INT), MODIFY v TEXT").unwrap();
    stage.succeeds();
    assert_eq!(
        committed_ddl(&stage),
        [
            "ALTER TABLE `shop`.`t` ADD COLUMN a INT",
            "ALTER TABLE `shop`.`t` ADD COLUMN b INT",
            "ALTER TABLE `shop`.`t` MODIFY v TEXT"
        ]
    );
}

/// A new one takes most of them at once, and what it refuses in pieces; what of them it has done stays
/// done when one of them fails.
#[test]
fn a_combination_that_is_refused_runs_in_pieces() {
    let stage = stage("ALTER TABLE t ADD COLUMN a INT, MODIFY v TEXT");
    // Late enough for rows of other tables to have gone on behind another statement.
    let whole = "match: ALTER TABLE*a INT, MODIFY v*\ndelay: 400\n\
                 error: 8200 HY000 Unsupported multi schema change\n\n";
    let busy = "match: ALTER TABLE*MODIFY v*\ntimes: 1\nerror: 8214 HY000 Cancelled DDL job\n\n";
    let now = shows("`v` varchar(20) DEFAULT NULL, `a` int DEFAULT NULL");
    let before = shows("`v` varchar(20) DEFAULT NULL");
    stage.tidb.set_rules(&format!("{whole}{busy}{before}"));
    let error = stage.run().unwrap_err();
    assert_eq!(error.server_error(), Some(8214), "{error}");
    stage.tidb.set_rules(&(now + whole));
    stage.succeeds();
    assert_eq!(
        committed_ddl(&stage),
        ["ALTER TABLE `shop`.`t` ADD COLUMN a INT", "ALTER TABLE `shop`.`t` MODIFY v TEXT"]
    );
}

/// The keys of a column go before the column, unless they have other columns.
#[test]
fn a_column_with_keys_is_dropped_with_them() {
    let refused =
        "match: ALTER TABLE*DROP COLUMN v\ntimes: 1\nerror: 8200 HY000 with index covered now\n\n";
    for (keys, done) in
        [("KEY `k` (`v`), UNIQUE KEY `u` (`v`)", true), ("KEY `k` (`v`,`id`)", false)]
    {
        let stage = stage("ALTER TABLE t DROP COLUMN v");
        let now = shows(&format!("`v` varchar(20) DEFAULT NULL, {keys}"));
        stage.tidb.set_rules(&(refused.to_owned() + &now));
        let ended = stage.run();
        if done {
            ended.unwrap();
            let ran = committed_ddl(&stage);
            let wanted = ["DROP INDEX `k`", "DROP INDEX `u`", "DROP COLUMN v"];
            assert_eq!(ran.len(), 3, "{ran:?}");
            assert!(ran.iter().zip(wanted).all(|(ran, end)| ran.ends_with(end)), "{ran:?}");
        } else {
            assert_eq!(ended.unwrap_err().server_error(), Some(8200));
            assert_eq!(committed_ddl(&stage).len(), 0);
        }
    }
}

/// A statement that is tried again and again can be spoken of without its position.
#[test]
fn a_statement_that_is_tried_again_can_be_skipped() {
    let stage = stage("ALTER TABLE t ADD COLUMN slow INT");
    stage.tidb.set_rules("match: ALTER TABLE*slow*\nerror: 9007 HY000 Write conflict");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| stage.run());
        wait::until("the statement is known", DEADLINE, || {
            run.is_finished() || say(stage.state.path(), Operation::Skip)
        });
        assert_eq!(run.join().unwrap().unwrap(), Outcome::Finished);
    });
    assert_eq!(committed_ddl(&stage).len(), 0);
}

/// The seeds' two statements that TiDB refuses, and what their authors did.
#[test]
fn the_seeds_statements_are_skipped_and_replaced() {
    for (create, ddl, operation, ran) in [
        (
            "CREATE TABLE tb11 (c1 INT PRIMARY KEY, c2 DECIMAL(8,2))",
            "ALTER TABLE tb11 CHANGE c2 c2 DECIMAL(10,3)",
            Operation::Skip,
            &[][..],
        ),
        (
            "CREATE TABLE tbl1 (id INT PRIMARY KEY)",
            "ALTER TABLE tbl1 ADD COLUMN new_col INT UNIQUE",
            Operation::Replace(
                "ALTER TABLE `shop`.`tbl1` ADD COLUMN `new_col` INT; \
                 ALTER TABLE `shop`.`tbl1` ADD UNIQUE(`new_col`);"
                    .to_owned(),
            ),
            &[
                "ALTER TABLE `shop`.`tbl1` ADD COLUMN `new_col` INT",
                "ALTER TABLE `shop`.`tbl1` ADD UNIQUE(`new_col`)",
            ],
        ),
    ] {
        let stage = Stage::new(Tidb::with_file("refused-ddl.answers"));
        stage.source.ddl("shop", create).unwrap();
        stage.succeeds();
        stage.source.ddl("shop", ddl).unwrap();
        stage.insert(4, "behind");
        assert_eq!(stage.run().unwrap_err().server_error(), Some(8200));
        assert!(say(stage.state.path(), operation));
        stage.succeeds();
        // Another start has nothing left to do.
        stage.succeeds();
        assert_eq!(committed_ddl(&stage), ran);
        assert_eq!(stage.committed("behind"), 1);
    }
}
