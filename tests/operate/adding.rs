//! `dm add-table`: tables join a task under load, also when its process is killed meanwhile.

use crate::place::{PATIENCE, Place, servers, wait_rows};
use crate::support::compare::{Target, assert_databases_equal};
use crate::support::dm::Task;
use crate::support::random::Random;
use crate::support::server::Flavor;
use crate::support::workload::{Load, big_transaction};
use crate::support::{serial, wait};

const DB: &str = "w";

/// The table without a key, and the one with three: both are written all the time.
const LATER: &str =
    "    ignore-tables:\n    - {db-name: w, tbl-name: loose}\n    - {db-name: w, tbl-name: acct}\n";

fn adding(place: &Place) -> usize {
    place.status("source-1")["adding"].as_array().map_or(0, Vec::len)
}

fn added_under_load(flavor: Flavor) {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(DB, flavor) else { return };
    from.run(DB, &big_transaction(5_000));
    from.run(DB, "INSERT INTO loose SELECT id % 9, 'copied', NULL FROM acct");
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    (task.instance, task.more) =
        ("    mydumper-config-name: small\n", "mydumpers:\n  small: {rows: 200, threads: 2}\n");
    let place = Place::of(&task);
    place.json(&["operate-source", "create", "source-1.yaml"]);
    let whole = task.yaml();
    let list = format!("    do-dbs: [\"{DB}\"]\n");
    place.dm.write("task.yaml", &whole.replace(&list, &format!("{list}{LATER}")));
    place.json(&["start-task", "task.yaml"]);
    place.wait_sync("source-1");
    let load = Load::start(from, DB, seed, 2, 150);
    load.advance(30);
    // The rules of the running task keep them out, and those of another file are not its own.
    let tables = ["--table", "w.acct", "--table", "w.loose"];
    let refused = |task: &str| place.refused(&["add-table", task, tables[0], tables[1]]);
    assert!(refused("test").contains("[code=66006"));
    place.dm.write("task.yaml", &whole);
    assert!(refused("task.yaml").contains("runs with another file"));
    place.json(&["stop-task", "test"]);
    let mut args = vec!["add-table", "task.yaml"];
    args.extend(tables);
    place.json(&args);
    assert_eq!(adding(&place), 2);
    let mut random = Random::new(seed);
    for _ in 0..3 {
        place.json(&["start-task", "task.yaml"]);
        load.advance(1 + random.below(40));
        place.kill_owner("test");
    }
    place.json(&["resume-task", "test"]);
    wait::until("the tables have joined", PATIENCE, || adding(&place) == 0);
    load.advance(20);
    from.run(DB, "ALTER TABLE loose ADD KEY joined (a)");
    load.finish();
    place.json(&["stop-task", "test"]);
    place.dm(&["run", "task.yaml", "--until", "caught-up"]).expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
    place.json(&["stop-task", "test"]);
}

#[test]
fn tables_join_under_load_mysql() {
    added_under_load(Flavor::Mysql);
}

#[test]
fn tables_join_under_load_mariadb() {
    added_under_load(Flavor::Mariadb);
}

/// A table that stops the task because the target lacks it is copied by one command.
#[test]
fn a_table_that_is_let_in_and_missing_is_copied() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let db = crate::place::DB;
    let place = Place::new(&[from], to);
    place.start(to);
    // Made and filled where no binlog tells of it.
    let made = format!(
        "SET sql_log_bin = 0; CREATE TABLE {db}.u (id INT PRIMARY KEY, v VARCHAR(20)); \
         INSERT INTO {db}.u VALUES (1, 'old'); SET sql_log_bin = 1; \
         INSERT INTO {db}.u VALUES (2, 'new')"
    );
    from.run(db, &made);
    let status = place.wait_stage("source-1", "Paused");
    assert_eq!(status["result"]["errors"][0]["ErrCode"], 36070, "{status:#}");
    // Nothing makes the table but a person: it is not tried again by itself.
    assert!(!place.log().contains("goes on in"), "{}", place.log());
    let said = place.refused(&["add-table", "test", "--table", "op.nowhere"]);
    assert!(said.contains("[code=66006") && said.contains("`op`.`nowhere`"), "{said}");
    assert!(place.refused(&["add-table", "test", "--table", "op.t"]).contains("already"));
    place.json(&["add-table", "test", "--table", "op.u"]);
    // Taken back, and asked for again.
    place.json(&["add-table", "test", "--table", "op.u", "--cancel"]);
    assert!(place.refused(&["add-table", "test", "--table", "op.u", "--cancel"]).contains("66006"));
    place.json(&["add-table", "test", "--table", "op.u"]);
    place.json(&["resume-task", "test"]);
    wait_rows(to, "u", 2);
    wait::until("the table has joined", PATIENCE, || adding(&place) == 0);
    from.run(db, "INSERT INTO u VALUES (3, 'later')");
    wait_rows(to, "u", 3);
    assert_databases_equal(from, Target::Server(to), &[db]);
    // A task that only copies has nothing to join.
    place.dm.write("full.yaml", &place_text(&place).replace("task-mode: all", "task-mode: full"));
    place.json(&["stop-task", "test"]);
    assert!(place.refused(&["add-table", "full.yaml", "--table", "op.u"]).contains("66006"));
}

fn place_text(place: &Place) -> String {
    std::fs::read_to_string(place.path().join("task.yaml")).unwrap()
}
