//! Statements that change tables while everything else happens: under a load, during the copy,
//! between a kill and the next start. Structures and rows are equal at the end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql::prelude::Queryable;
use support::compare::{Target, assert_databases_equal, tables};
use support::dm::{Dm, Process, Task, WAITS_FOR_FENCE, WAITS_FOR_TABLE};
use support::random::Random;
use support::server::{Flavor, Server};
use support::statements::{More, SHAPE, change_tables};
use support::workload::{Load, big_transaction};
use support::{env_number, serial, wait};

const DB: &str = "w";

/// Ends the changes also when the test fails: the scope waits for its thread.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A task that has copied these schemas and caught up.
fn caught_up(from: &Server, to: &Server, schemas: &[&str]) -> Dm {
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), schemas));
    dm.catch_up().expect_success();
    dm
}

fn under_ddl(flavor: Flavor, copied: bool, kills: u64) {
    under_ddl_between(flavor, flavor, copied, kills);
}

fn under_ddl_between(source: Flavor, target: Flavor, copied: bool, kills: u64) {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage_of(DB, source, target) else { return };
    from.run(DB, SHAPE);
    from.run(DB, &big_transaction(3_000));
    from.run(DB, "CREATE TABLE spare LIKE loose; INSERT INTO spare SELECT * FROM loose");
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    (task.instance, task.more) =
        ("    mydumper-config-name: small\n", "mydumpers:\n  small: {rows: 300, threads: 2}\n");
    let dm = Dm::set_up(&task);
    if copied {
        dm.catch_up().expect_success();
    }
    let more = More { own: !to.external && source == target, online: copied };
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let load = Load::start(from, DB, seed, 2, 150);
    let mut random = Random::new(seed);
    std::thread::scope(|scope| {
        let changes =
            scope.spawn(|| change_tables(&from.address, DB, seed, more, |_| true, &stop, &done));
        let ended = StopOnDrop(&stop);
        for _ in 0..kills {
            let mut process = dm.start(&[]);
            wait::pass(Duration::from_millis(100 + random.below(1_500)));
            process.must_run();
            process.kill();
        }
        // The first start sees few of them, the later ones all.
        for part in 1..=3 {
            wait::until("tables are changed", support::dm::DEADLINE, || {
                changes.is_finished() || done.load(Ordering::SeqCst) > part * 20
            });
            dm.catch_up().expect_success();
        }
        drop(ended);
        changes.join().unwrap();
    });
    load.finish();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
    let all = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'w'";
    let real = format!("{all} AND table_type <> 'VIEW'");
    assert_eq!(
        from.value::<u64>(&real),
        to.value::<u64>(all),
        "a table or a view is only at the target"
    );
}

#[test]
fn tables_change_all_the_time_on_mysql() {
    under_ddl(Flavor::Mysql, true, 0);
}

#[test]
fn tables_change_all_the_time_on_mariadb() {
    under_ddl(Flavor::Mariadb, true, 0);
}

#[test]
fn tables_change_and_the_process_is_killed_on_mysql() {
    under_ddl(Flavor::Mysql, true, env_number("DM_TEST_KILLS", 8));
}

#[test]
fn tables_change_and_the_process_is_killed_on_mariadb() {
    under_ddl(Flavor::Mariadb, true, env_number("DM_TEST_KILLS", 8));
}

#[test]
fn tables_change_and_the_process_is_killed_on_the_way_from_mariadb_to_mysql() {
    under_ddl_between(Flavor::Mariadb, Flavor::Mysql, true, env_number("DM_TEST_KILLS", 8));
}

#[test]
fn tables_change_and_the_process_is_killed_on_the_way_from_mysql_to_mariadb() {
    under_ddl_between(Flavor::Mysql, Flavor::Mariadb, true, env_number("DM_TEST_KILLS", 8));
}

#[test]
fn tables_change_while_they_are_copied() {
    under_ddl(Flavor::Mysql, false, 3);
}

#[test]
fn tables_change_while_they_are_copied_from_mariadb() {
    under_ddl(Flavor::Mariadb, false, 3);
}

/// The copy is killed half way; while nobody looks, tables are swapped, changed, emptied and made.
/// What was copied of them is of another time: they are copied again, alone.
#[test]
fn tables_that_change_between_a_killed_copy_and_its_resumption_are_copied_again() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, seed)) = Load::stage(DB, flavor) else { return };
        from.run(DB, &big_transaction(30_000));
        from.run(
            DB,
            "CREATE TABLE t LIKE acct; INSERT INTO t (id, code, nr) SELECT id, code, nr FROM acct; \
             CREATE TABLE t_new LIKE acct; INSERT INTO t_new (id, code) SELECT id, CONCAT('n', code) FROM acct WHERE id % 2 = 0; \
             CREATE TABLE u (id BIGINT PRIMARY KEY, v INT); INSERT INTO u SELECT id, id % 5 FROM acct; \
             CREATE TABLE keyless (a BIGINT, b INT); INSERT INTO keyless SELECT id % 3, 1 FROM acct",
        );
        let sources = [&from.address];
        let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
        (task.instance, task.more) =
            ("    mydumper-config-name: small\n", "mydumpers:\n  small: {rows: 500, threads: 2}\n");
        let dm = Dm::set_up(&task);
        let mut random = Random::new(seed);
        let mut process = dm.start(&[]);
        // Asked of the tables: the sizes in information_schema may be a day old.
        wait::until("the copy has begun", support::dm::DEADLINE, || {
            process.must_run();
            let mut conn = to.conn();
            ["acct", "t", "t_new"].iter().any(|table| {
                let one = conn.query_first::<u8, _>(format!("SELECT 1 FROM {DB}.{table} LIMIT 1"));
                matches!(one, Ok(Some(_)))
            })
        });
        wait::pass(Duration::from_millis(random.below(400)));
        process.kill();
        from.run(
            DB,
            "RENAME TABLE t TO t_old, t_new TO t; ALTER TABLE u ADD c INT DEFAULT 9 FIRST; UPDATE u SET c = v; \
             TRUNCATE TABLE keyless; INSERT INTO keyless VALUES (7, 7), (7, 7); CREATE TABLE w LIKE t; \
             INSERT INTO w (code) VALUES ('w'); DROP TABLE swap",
        );
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// A DDL that the target works on for a while is neither run twice nor lost when `dm` is killed.
#[test]
fn a_long_statement_survives_the_process_that_sent_it() {
    let _one = serial();
    let Some((from, to, _)) = Load::stage(DB, Flavor::Mysql) else { return };
    from.run(DB, "CREATE TABLE s (a INT PRIMARY KEY, b INT, v INT); INSERT INTO s VALUES (1, 2, 3), (4, 5, 6)");
    let dm = caught_up(from, to, &[DB]);
    // Columns that change places: running it twice is no error and is wrong.
    from.run(DB, "ALTER TABLE s RENAME COLUMN b TO v, RENAME COLUMN v TO b");
    let mut holder = to.conn();
    holder.query_drop("BEGIN").unwrap();
    holder.query_drop("SELECT * FROM w.s").unwrap();
    let mut process = dm.start(&[]);
    process.until_seen_at(to, WAITS_FOR_TABLE);
    killed_and_let_go(&dm, process, to, holder);
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

/// Waits until the table `n` of the target has so many rows.
fn rows_come(process: &mut Process, to: &Server, rows: u64) {
    wait::until("rows of another table come", support::dm::DEADLINE, || {
        process.must_run();
        to.value::<u64>("SELECT COUNT(*) FROM w.n") == rows
    });
}

/// A connection that reads all rows of a table and holds it; it may look at it again, also while a statement
/// waits for it.
fn hold(to: &Server, table: &str) -> mysql::Conn {
    let mut holder = to.conn();
    holder.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN").unwrap();
    holder.query_drop(format!("SELECT * FROM {table}")).unwrap();
    holder
}

/// A statement waits for as long as somebody holds its table. Meanwhile rows of other tables go on; its own
/// wait, and with them what shares a transaction with them.
#[test]
fn rows_of_other_tables_go_on_while_a_statement_waits() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, _)) = Load::stage(DB, flavor) else { return };
        from.run(
            DB,
            "CREATE TABLE s (id INT PRIMARY KEY, v INT); INSERT INTO s VALUES (1, 1); \
             CREATE TABLE n (a INT); CREATE TABLE beside (id INT PRIMARY KEY)",
        );
        let dm = caught_up(from, to, &[DB]);
        let mut holder = hold(to, "w.s");
        let mut held = || holder.query_first::<u64, _>("SELECT COUNT(*) FROM w.s").unwrap();
        assert_eq!(held(), Some(1));
        // Once as it is, once at the end of an online schema change, in the words of gh-ost.
        let change = match flavor {
            Flavor::Mysql => {
                "CREATE TABLE _s_gho LIKE s; ALTER TABLE _s_gho ADD COLUMN c INT NOT NULL DEFAULT 5; \
                 INSERT INTO _s_gho (id, v) SELECT id, v FROM s; RENAME TABLE s TO _s_del, _s_gho TO s"
            }
            _ => "ALTER TABLE s ADD COLUMN c INT NOT NULL DEFAULT 5",
        };
        from.run(
            DB,
            &format!(
                "{change}; INSERT INTO n VALUES (1), (1); \
                 INSERT INTO beside VALUES (1); INSERT INTO s VALUES (2, 2, 2); \
                 BEGIN; INSERT INTO beside VALUES (2); UPDATE s SET c = 6 WHERE id = 1; COMMIT; \
                 UPDATE beside SET id = 3 WHERE id = 1; INSERT INTO n VALUES (2)"
            ),
        );
        let mut process = dm.start(&[]);
        process.until_seen_at(to, WAITS_FOR_TABLE);
        rows_come(&mut process, to, 3);
        from.run(DB, "INSERT INTO n VALUES (3), (3)");
        rows_come(&mut process, to, 5);
        // The next statements wait for it, one on a table that it has nothing to do with; rows do not.
        from.run(
            DB,
            "DROP TABLE IF EXISTS _s_del; ALTER TABLE beside ADD COLUMN d INT NOT NULL DEFAULT 7; \
             CREATE TABLE later (id INT PRIMARY KEY); INSERT INTO later VALUES (1); \
             BEGIN; INSERT INTO n VALUES (4); SAVEPOINT a; INSERT INTO n VALUES (5); ROLLBACK TO a; COMMIT",
        );
        rows_come(&mut process, to, 6);
        assert_eq!(held(), Some(1), "rows of the table wait");
        assert!(!to.rows::<String>("SHOW TABLES FROM w").contains(&"later".to_owned()));
        assert_eq!(to.rows::<u64>("SELECT id FROM w.beside"), [1]);
        wait::until("the status names the statement", support::dm::DEADLINE, || {
            let status = dm.other(&["query-status", "test", "--state-dir", "state"]);
            let text = status.expect_success().stdout;
            text.contains("ADD COLUMN c") && text.contains("more that wait for it")
        });
        killed_and_let_go(&dm, process, to, holder);
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// Rows that are too large to be held go on as well, up to a transaction that has one which waits.
#[test]
fn large_rows_of_other_tables_go_on_while_a_statement_waits() {
    let _one = serial();
    let Some((from, to, _)) = Load::stage(DB, Flavor::Mysql) else { return };
    from.run(
        DB,
        "CREATE TABLE s (id INT PRIMARY KEY, v INT); INSERT INTO s VALUES (1, 1); CREATE TABLE n (a INT); \
         CREATE TABLE blobs (id INT PRIMARY KEY, b LONGBLOB); CREATE TABLE large (id INT PRIMARY KEY, b LONGBLOB)",
    );
    let dm = caught_up(from, to, &[DB]);
    let mut holder = hold(to, "w.s");
    from.run(
        DB,
        "ALTER TABLE s ADD COLUMN c INT NOT NULL DEFAULT 5; \
         BEGIN; UPDATE s SET c = 6; INSERT INTO blobs VALUES (1, REPEAT('a', 1500000)); COMMIT; \
         INSERT INTO large VALUES (1, REPEAT('b', 1500000)), (2, REPEAT('c', 1500000)); \
         INSERT INTO n VALUES (1)",
    );
    let mut process = dm.start(&[]);
    process.until_seen_at(to, WAITS_FOR_TABLE);
    rows_come(&mut process, to, 1);
    assert_eq!(to.rows::<u64>("SELECT LENGTH(b) FROM w.large"), [1_500_000, 1_500_000]);
    // Sent, and not committed: its last row waits.
    from.run(
        DB,
        "BEGIN; INSERT INTO large VALUES (3, REPEAT('d', 1500000)), (4, REPEAT('e', 1500000)); \
         DELETE FROM blobs; COMMIT; INSERT INTO n VALUES (2)",
    );
    wait::until("rows are sent", support::dm::DEADLINE, || {
        process.must_run();
        let locked =
            "SELECT COUNT(*) FROM performance_schema.data_locks WHERE OBJECT_NAME = 'large'";
        to.value::<u64>(locked) > 0
    });
    assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM w.n"), 1);
    assert!(to.rows::<u64>("SELECT id FROM w.blobs").is_empty());
    holder.query_drop("COMMIT").unwrap();
    rows_come(&mut process, to, 2);
    process.kill();
    dm.catch_up().expect_success();
    assert_databases_equal(from, Target::Server(to), &[DB]);
}

/// The process dies while its statement waits; the next one waits for that, which its holder lets go then.
fn killed_and_let_go(dm: &Dm, mut process: Process, to: &Server, mut holder: mysql::Conn) {
    process.kill();
    let mut second = dm.start(&["--until", "caught-up"]);
    second.until_seen_at(to, WAITS_FOR_FENCE);
    holder.query_drop("COMMIT").unwrap();
    second.wait(support::dm::DEADLINE).expect_success();
}

/// Statements that are wrong or refused when they run twice: killed while the target works on them.
#[test]
fn statements_that_must_not_run_twice_do_not() {
    let _one = serial();
    let Some((from, to, _)) = Load::stage(DB, Flavor::Mysql) else { return };
    from.run(
        DB,
        "CREATE TABLE k (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT, b INT, c INT NOT NULL, UNIQUE KEY c (c)); \
         INSERT INTO k (a, b, c) VALUES (1, 2, 3), (4, 5, 6); \
         CREATE TABLE r (d INT NOT NULL PRIMARY KEY) PARTITION BY RANGE (d) (PARTITION p0 VALUES LESS THAN (10), \
         PARTITION p1 VALUES LESS THAN (20), PARTITION pm VALUES LESS THAN MAXVALUE); INSERT INTO r VALUES (5), (15), (25)",
    );
    let dm = caught_up(from, to, &[DB]);
    for (table, statement) in [
        ("k", "ALTER TABLE k DROP PRIMARY KEY, ADD PRIMARY KEY (id, c)"),
        ("k", "ALTER TABLE k CHANGE a b INT, CHANGE b a INT"),
        ("k", "ALTER TABLE k DROP COLUMN a, RENAME COLUMN b TO a"),
        ("r", "ALTER TABLE r DROP PARTITION p0"),
    ] {
        from.run(DB, statement);
        let mut holder = to.conn();
        holder.query_drop("BEGIN").unwrap();
        holder.query_drop(format!("SELECT * FROM w.{table}")).unwrap();
        let mut process = dm.start(&[]);
        process.until_seen_at(to, WAITS_FOR_TABLE);
        process.kill();
        holder.query_drop("COMMIT").unwrap();
        from.run(DB, "INSERT INTO k (a, c) SELECT MAX(a) + 1, MAX(c) + 1 FROM k; INSERT INTO r SELECT MAX(d) + 1 FROM r");
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// CREATE TABLE ... SELECT: killed before it comes, while the target makes the table, and when its rows
/// are in.
#[test]
fn a_table_made_of_a_query_survives_kills() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, seed)) = Load::stage(DB, flavor) else { return };
        from.run(DB, &big_transaction(2_000));
        let dm = caught_up(from, to, &[DB]);
        let mut random = Random::new(seed);
        let make = |n: u32| {
            let select = "SELECT id, code, bal FROM acct";
            from.run(DB, &format!("CREATE TABLE made{n} (PRIMARY KEY (id), KEY c (code)) {select}; UPDATE made{n} SET bal = {n}"));
        };
        // Before, and at any moment.
        for n in 0..3 {
            make(n);
            let mut process = dm.start(&[]);
            wait::pass(Duration::from_millis(random.below(600)));
            process.must_run();
            process.kill();
        }
        dm.catch_up().expect_success();
        // While the target makes the table: nobody may change anything there.
        let mut process = dm.start(&[]);
        from.run(DB, "CREATE TABLE sign (id INT)");
        wait::until("it follows", support::dm::DEADLINE, || {
            process.must_run();
            tables(to).contains(&(DB.to_owned(), "sign".to_owned()))
        });
        let mut holder = to.conn();
        holder.query_drop("FLUSH TABLES WITH READ LOCK").unwrap();
        make(3);
        process.until_seen_at(to, "info LIKE 'CREATE TABLE%made3%'");
        process.kill();
        holder.query_drop("UNLOCK TABLES").unwrap();
        // When its rows are in.
        make(4);
        let mut process = dm.start(&[]);
        wait::until("the rows are there", support::dm::DEADLINE, || {
            process.must_run();
            let mut conn = to.conn();
            let one = conn.query_first::<u8, _>("SELECT 1 FROM w.made4 LIMIT 1");
            matches!(one, Ok(Some(_)))
        });
        process.kill();
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// Tables of equal structure that change places: nothing to be seen tells whether it happened. Rows of other
/// tables go on while the statement waits, and the process dies meanwhile; later its state is set back to
/// before the statement.
#[test]
fn tables_that_change_places_do_so_once() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, _)) = Load::stage(DB, flavor) else { return };
        from.run(
            DB,
            "CREATE TABLE p (id INT PRIMARY KEY, v INT); INSERT INTO p VALUES (1, 1); \
             CREATE TABLE q LIKE p; INSERT INTO q VALUES (2, 2); CREATE TABLE n (a INT)",
        );
        let dm = caught_up(from, to, &[DB]);
        let swap = "RENAME TABLE p TO x, q TO p, x TO q -- and back?";
        from.run(
            DB,
            &format!(
                "{swap}\n; INSERT INTO n VALUES (1), (1); INSERT INTO p VALUES (3, 3); \
                 UPDATE q SET v = 9; INSERT INTO n VALUES (2)"
            ),
        );
        let mut holder = hold(to, "w.p");
        let mut process = dm.start(&[]);
        process.until_seen_at(to, WAITS_FOR_TABLE);
        rows_come(&mut process, to, 3);
        let held: Vec<(u32, u32)> = holder.query("SELECT id, v FROM w.p").unwrap();
        assert_eq!(held, [(1, 1)], "rows of the tables wait");
        killed_and_let_go(&dm, process, to, holder);
        assert_databases_equal(from, Target::Server(to), &[DB]);
        let kept = tempfile::tempdir().unwrap();
        copy_files(&dm.state(), kept.path());
        from.run(DB, &format!("{swap}\n; INSERT INTO p VALUES (4, 4)"));
        dm.catch_up().expect_success();
        copy_files(kept.path(), &dm.state());
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &[DB]);
    }
}

/// A schema is dropped of which somebody holds a table, and comes again with another one of that name.
#[test]
fn rows_of_other_schemas_go_on_while_one_is_dropped() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((from, to, _)) = Load::stage(DB, flavor) else { return };
        from.run(
            DB,
            "CREATE TABLE n (a INT); CREATE DATABASE gone; CREATE TABLE gone.s (id INT PRIMARY KEY); \
             INSERT INTO gone.s VALUES (1)",
        );
        let dm = caught_up(from, to, &[DB, "gone"]);
        let mut holder = hold(to, "gone.s");
        from.run(
            DB,
            "INSERT INTO gone.s VALUES (2); DROP DATABASE gone; INSERT INTO n VALUES (1), (2); \
             CREATE DATABASE gone; CREATE TABLE gone.s (v VARCHAR(9)); INSERT INTO gone.s VALUES ('new')",
        );
        let mut process = dm.start(&[]);
        process.until_seen_at(to, WAITS_FOR_TABLE);
        rows_come(&mut process, to, 2);
        let held: Vec<u32> = holder.query("SELECT id FROM gone.s").unwrap();
        assert_eq!(held, [1, 2]);
        killed_and_let_go(&dm, process, to, holder);
        assert_databases_equal(from, Target::Server(to), &[DB, "gone"]);
    }
}

fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    for old in std::fs::read_dir(to).unwrap() {
        std::fs::remove_file(old.unwrap().path()).unwrap();
    }
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
