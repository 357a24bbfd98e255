//! Foreign keys whose actions a source carries out by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use mysql::prelude::Queryable;
use support::compare::{Target, assert_databases_equal};
use support::dm::{DEADLINE, Dm, Task};
use support::proxy::Proxy;
use support::serial;
use support::server::{Address, Flavor, Server};
use support::wait;
use support::workload::numbers;

const DB: &str = "w";
const CHILD: &str = "CREATE TABLE child (id INT PRIMARY KEY, p INT, txt VARCHAR(200)";
const REFERS: &str = ", FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE";

/// Parents with children, of which a copy reads the children first: they are the larger table.
fn families(from: &Server) {
    from.clear();
    from.run("", &format!("CREATE DATABASE {DB}"));
    from.run(
        DB,
        &format!(
            "CREATE TABLE parent (id INT PRIMARY KEY, v INT); {CHILD}{REFERS}); \
             INSERT INTO parent SELECT n, 0 FROM {n} s WHERE n < 400; \
             INSERT INTO child SELECT n, n % 400, REPEAT('x', 200) FROM {n} s WHERE n < 8000",
            n = numbers()
        ),
    );
}

/// What becomes of the child rows is not in the binlog of such a source: refused before anything is
/// written.
#[test]
fn cascades_that_are_not_logged_are_refused() {
    let _one = serial();
    let flavor = Flavor::Mariadb;
    let (Some(from), Some(to)) = (Server::shared(flavor, "nsrc"), Server::target(flavor)) else {
        return;
    };
    families(from);
    to.clear();
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
    dm.catch_up().expect_failure(&["`child`", "ON DELETE CASCADE", "Workaround:"]);
    assert!(!to.databases().contains(&DB.to_owned()));
    // Nothing is lost where nothing is followed.
    Dm::set_up(&Task::new("full", &sources, Target::Server(to), &[DB])).run(&[]).expect_success();
    assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM w.child"), 8_000);
}

/// Parents are deleted while their children are copied, and later: the source logs what goes with
/// them. The target's own foreign key, if it has one, does not count twice.
fn parents_go_while_children_are_copied(refers: &str) {
    let _one = serial();
    let flavor = Flavor::Mysql;
    let (Some(from), Some(to)) = (Server::shared(flavor, "nsrc"), Server::target(flavor)) else {
        return;
    };
    families(from);
    to.clear();
    to.run("", &format!("CREATE DATABASE {DB}"));
    let parent = "CREATE TABLE parent (id INT PRIMARY KEY, v INT)";
    to.run(DB, &format!("{parent}; {CHILD}{refers})"));
    let far = Proxy::start(&to.host, to.port);
    let far_address = Address { port: far.port, ..to.address.clone() };
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(&far_address), &[DB]);
    (task.instance, task.more) = (
        "    mydumper-config-name: one\n",
        "mydumpers:\n  one: {rows: 500, threads: 1, extra-args: \"--consistency none\"}\n\
         ignore-checking-items: [table_schema, downstream_table_empty]\n",
    );
    let dm = Dm::set_up(&task);
    far.throttle(300_000);
    let mut process = dm.start(&["--until", "caught-up"]);
    wait::until("children are copied", DEADLINE, || {
        process.must_run();
        let Ok(mut conn) = to.try_conn() else { return false };
        matches!(conn.query_first::<u8, _>("SELECT 1 FROM w.child LIMIT 1"), Ok(Some(1)))
    });
    from.run(DB, "DELETE FROM parent WHERE id % 3 = 0");
    far.throttle(0);
    process.wait(DEADLINE).expect_success();
    same_families(from, to);
    from.run(
        DB,
        "DELETE FROM parent WHERE id % 5 = 1; INSERT INTO parent VALUES (0, 1); \
         INSERT INTO child VALUES (9000, 0, 'new'); UPDATE parent SET v = 2; \
         REPLACE INTO parent VALUES (0, 3)",
    );
    dm.catch_up().expect_success();
    same_families(from, to);
}

fn same_families(from: &Address, to: &Address) {
    for table in ["parent", "child"] {
        let rows = |server: &Address| -> Vec<mysql::Row> {
            server.rows(&format!("SELECT * FROM {DB}.{table} ORDER BY id"))
        };
        let text = |rows: Vec<mysql::Row>| -> Vec<String> {
            rows.iter().map(|row| format!("{row:?}")).collect()
        };
        assert_eq!(text(rows(from)), text(rows(to)), "{table}");
    }
    let orphans = "SELECT COUNT(*) FROM w.child WHERE p NOT IN (SELECT id FROM w.parent)";
    assert_eq!(to.value::<u64>(orphans), 0);
}

#[test]
fn parents_go_and_the_target_has_the_same_key() {
    parents_go_while_children_are_copied(REFERS);
}

#[test]
fn parents_go_and_the_target_has_no_such_key() {
    parents_go_while_children_are_copied("");
}

/// An SQLite file has no foreign keys that act: what the source logs of its own is what deletes the children.
#[test]
fn parents_go_and_the_target_is_a_file() {
    let _one = serial();
    let Some(from) = Server::shared(Flavor::Mysql, "nsrc") else { return };
    families(from);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("copy.db");
    let near = Proxy::start(&from.host, from.port);
    let address = Address { port: near.port, ..from.address.clone() };
    let sources = [&address];
    let mut task = Task::new("all", &sources, Target::Sqlite(&file), &[DB]);
    (task.instance, task.more) = (
        "    mydumper-config-name: one\n",
        "mydumpers:\n  one: {rows: 500, threads: 1, extra-args: \"--consistency none\"}\n",
    );
    let dm = Dm::set_up(&task);
    near.throttle(300_000);
    let before = near.passed();
    let mut process = dm.start(&["--until", "caught-up"]);
    wait::until("children are copied", DEADLINE, || {
        process.must_run();
        near.passed() > before + 400_000
    });
    from.run(DB, "DELETE FROM parent WHERE id % 3 = 0");
    near.throttle(0);
    process.wait(DEADLINE).expect_success();
    assert_databases_equal(from, Target::Sqlite(&file), &[DB]);
    from.run(
        DB,
        "DELETE FROM parent WHERE id % 5 = 1; INSERT INTO parent VALUES (0, 1); \
         INSERT INTO child VALUES (9000, 0, 'new'); REPLACE INTO parent VALUES (0, 3)",
    );
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Sqlite(&file), &[DB]);
}

/// Neither is a file told what the storage engine of such a source deletes: refused as for a server.
#[test]
fn cascades_that_are_not_logged_are_refused_for_a_file() {
    let _one = serial();
    let Some(from) = Server::shared(Flavor::Mariadb, "nsrc") else { return };
    families(from);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("copy.db");
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Sqlite(&file), &[DB]));
    dm.catch_up().expect_failure(&["`child`", "ON DELETE CASCADE", "Workaround:"]);
}
