//! Tests of the tests: the comparer sees every difference, the proxy breaks connections, the load
//! writes what it says, servers die and come back, case files are read as `tests/cases/README.md`
//! says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use support::cases::files::{self, Case};
use support::compare::{self, Options, Target, pairs_of_all};
use support::proxy::Proxy;
use support::server::{Address, Flavor, Server};
use support::workload::{Generator, Load, big_transaction};
use support::{serial, sql, wait, workspace};

fn two(flavor: Flavor) -> Option<(&'static Server, &'static Server)> {
    let (one, two) = (Server::shared(flavor, "one")?, Server::shared(flavor, "two")?);
    one.clear();
    two.clear();
    Some((one, two))
}

fn report(source: &Address, target: Target<'_>) -> String {
    let report = compare::compare(&[source], target, &pairs_of_all(&[source]), Options::default());
    if report.0.is_empty() { String::new() } else { report.to_string() }
}

#[test]
fn a_script_is_cut_into_its_statements() {
    let script =
        "-- one; two\nSELECT ';' ; /* ; */ SELECT `a;``b`; # x\n\n;SELECT \"it\\\";\"\n--\n";
    let cut = sql::split(script);
    assert_eq!(
        cut,
        ["-- one; two\nSELECT ';'", "/* ; */ SELECT `a;``b`", "SELECT \"it\\\";\"\n--"]
    );
    assert_eq!(sql::split("/*!50000 SET x=1 */;;").len(), 1);
}

#[test]
fn the_same_seed_gives_the_same_load() {
    let script = Generator::script(7, 400);
    assert_eq!(script, Generator::script(7, 400));
    assert_ne!(script, Generator::script(8, 400));
    for word in [
        "INSERT INTO acct",
        "UPDATE acct SET id",
        "DELETE FROM acct",
        "swap",
        "loose",
        "ROLLBACK TO s",
    ] {
        assert!(script.contains(word), "the load never does: {word}");
    }
}

#[test]
fn all_types_compare_equal_after_the_same_script_and_each_change_is_seen() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb, Flavor::MariadbNew] {
        let Some((a, b)) = two(flavor) else { return };
        let types = std::fs::read_to_string(workspace().join("tests/sql/types.sql")).unwrap();
        for server in [a, b] {
            server.run("", "CREATE DATABASE t DEFAULT CHARSET utf8mb4");
            server.run("t", &types);
        }
        assert_eq!(report(a, Target::Server(b)), "", "{flavor:?}");
        let columns: Vec<(String, String)> = a.rows(
            "SELECT column_name, IFNULL(generation_expression, '') FROM information_schema.columns \
             WHERE table_name = 'all_types' AND column_name <> 'id'",
        );
        for server in [a, b] {
            server.run("t", "REPLACE INTO all_types (id) VALUES (2)");
        }
        for (column, _) in columns.iter().filter(|(_, generated)| generated.is_empty()) {
            let change = format!(
                "UPDATE all_types a JOIN (SELECT `{column}` v FROM all_types WHERE `{column}` IS NOT NULL AND id > 2 \
                 LIMIT 1) b SET a.`{column}` = b.v WHERE a.id = 2"
            );
            b.run("t", &format!("SET sql_mode = ''; {change}"));
            let seen = report(a, Target::Server(b));
            assert!(
                seen.contains(&format!("{column}: ")),
                "{flavor:?}: a change of {column} was not seen: {seen}"
            );
            b.run("t", "REPLACE INTO all_types (id) VALUES (2)");
        }
    }
}

#[test]
fn small_differences_are_seen() {
    let _one = serial();
    let Some((a, b)) = two(Flavor::Mysql) else { return };
    let tables = "CREATE DATABASE d; CREATE TABLE d.f (id INT PRIMARY KEY, f FLOAT, g DOUBLE, j JSON, e ENUM('x',''), \
                  v VARCHAR(20)); CREATE TABLE d.loose (a INT);
                  INSERT INTO d.f VALUES (1, 16777217, 0, '{\"a\": 1.5}', 'x', 'a'); INSERT INTO d.loose VALUES (1), (1), (2)";
    let changes = [
        ("UPDATE d.f SET f = 16777218", "f:"),
        ("UPDATE d.f SET g = -0e0", "g:"),
        // (A server that finds the values equal does not store the other type: NULL first.)
        (
            "UPDATE d.f SET j = NULL; UPDATE d.f SET j = JSON_OBJECT('a', CAST(1.5 AS DECIMAL(3,1)))",
            "types in j",
        ),
        ("UPDATE d.f SET e = ''", "e:"),
        ("UPDATE d.f SET v = 'A'", "v:"),
        ("UPDATE d.f SET v = 'a '", "v:"),
        ("UPDATE d.f SET id = 2", "only at the source: id=1"),
        ("DELETE FROM d.loose WHERE a = 1 LIMIT 1", "3 rows at the source, 2 at the target"),
        ("INSERT INTO d.loose VALUES (2)", "only at the target: a=2"),
        (
            "UPDATE d.loose SET a = 2 WHERE a = 1 LIMIT 1",
            "1 only at the source, 1 only at the target",
        ),
        ("ALTER TABLE d.f ADD KEY k (v)", "KEY `k`"),
        ("ALTER TABLE d.f MODIFY v VARCHAR(21)", "varchar(21)"),
        ("ALTER TABLE d.f ALTER v SET DEFAULT 'x'", "DEFAULT 'x'"),
        ("ALTER TABLE d.f COMMENT 'other'", "COMMENT='other'"),
        ("ALTER TABLE d.f ADD CHECK (id > 0)", "CHECK"),
        ("ALTER TABLE d.f ADD extra INT", "extra is only at the target"),
        ("ALTER TABLE d.f DROP COLUMN v", "v is missing at the target"),
        ("DROP TABLE d.loose", "missing at the target"),
    ];
    for (change, seen) in changes {
        for server in [a, b] {
            server.clear();
            server.run("", tables);
        }
        assert_eq!(report(a, Target::Server(b)), "", "before {change}");
        b.run("", change);
        let text = report(a, Target::Server(b));
        assert!(text.contains(seen), "after {change}: {text}");
    }
}

#[test]
fn shards_are_compared_together_with_their_target() {
    let _one = serial();
    let Some((a, b)) = two(Flavor::Mysql) else { return };
    let table = "(id INT PRIMARY KEY, v INT)";
    a.run("", &format!("CREATE DATABASE s; CREATE TABLE s.t1 {table}; CREATE TABLE s.t2 {table}"));
    a.run("s", "INSERT INTO t1 VALUES (1, 1); INSERT INTO t2 VALUES (2, 2)");
    b.run(
        "",
        &format!(
            "CREATE DATABASE m; CREATE TABLE m.t {table}; INSERT INTO m.t VALUES (1, 1), (2, 2)"
        ),
    );
    let plan = files::parse_compare("1:s.t1, 1:s.t2 -> m.t").unwrap();
    let check = || compare::compare(&[a], Target::Server(b), &plan.pairs, Options::default()).0;
    assert!(check().is_empty());
    b.run("", "DELETE FROM m.t WHERE id = 2");
    assert!(check().join("\n").contains("only at the source: id=2"));
}

#[test]
fn a_sqlite_copy_is_compared_by_value_and_storage_class() {
    let _one = serial();
    let Some(a) = Server::shared(Flavor::Mysql, "one") else { return };
    a.clear();
    a.run(
        "",
        "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, u BIGINT UNSIGNED, c DECIMAL(9,2), f FLOAT, \
         b VARBINARY(9), s VARCHAR(9) CHARACTER SET latin1, e ENUM('x'), j JSON, dt DATETIME(3), l LONGBLOB);
         INSERT INTO d.t VALUES (1, 18446744073709551615, 1.50, 0.1, X'00FF', 'é', 'x', '{\"b\":1,\"a\":2.0}', \
         '2024-01-02 03:04:05.6', REPEAT('x', 70000))",
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    let target = rusqlite::Connection::open(file.path()).unwrap();
    target
        .execute_batch("CREATE TABLE \"d.t\" (id INTEGER PRIMARY KEY, u, c, f, b, s, e, j, dt, l)")
        .unwrap();
    let insert = |c: &str, b: &str| {
        let rows = format!(
            "DELETE FROM \"d.t\"; INSERT INTO \"d.t\" VALUES (1, '18446744073709551615', {c}, {:?}, {b}, 'é', 'x', \
             '{{\"a\":2,\"b\":1}}', '2024-01-02 03:04:05.600', CAST('{}' AS BLOB))",
            f64::from(0.1_f32),
            "x".repeat(70_000)
        );
        target.execute_batch(&rows).unwrap();
        report(a, Target::Sqlite(file.path()))
    };
    assert_eq!(insert("'1.50'", "X'00FF'"), "");
    assert!(insert("1.5", "X'00FF'").contains("c: target real 1.5"));
    assert!(insert("'1.50'", "'x'").contains("b: target text 78"));
}

#[test]
fn the_load_writes_every_table_and_a_copy_of_it_compares_equal() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some((a, b)) = two(flavor) else { return };
        Load::prepare(a, "w", 5);
        let load = Load::start(a, "w", 5, 3, 2_000);
        load.advance(400);
        assert!(load.finish() >= 400);
        a.run("w", &big_transaction(5_000));
        for table in ["acct", "pair", "swap", "loose", "child"] {
            assert!(a.value::<u64>(&format!("SELECT COUNT(*) FROM w.{table}")) > 5, "{table}");
        }
        assert!(a.value::<u64>("SELECT COUNT(*) FROM w.acct WHERE txt = 'big'") == 5_000);
        // Not the same database: everything is missing.
        assert!(report(a, Target::Server(b)).contains("missing at the target"));
        assert_eq!(report(a, Target::Server(a)), "");
    }
}

#[test]
fn the_proxy_breaks_what_it_carries() {
    let _one = serial();
    let Some(a) = Server::shared(Flavor::Mysql, "one") else { return };
    let proxy = Proxy::start("127.0.0.1", a.port);
    let through = Address { port: proxy.port, ..a.address.clone() };
    let mut conn = through.conn();
    assert_eq!(conn.query_first::<u8, _>("SELECT 1").unwrap(), Some(1));
    proxy.cut();
    assert!(conn.query_drop("SELECT 1").is_err());
    proxy.refuse(true);
    assert!(through.try_conn().is_err());
    proxy.refuse(false);
    let mut conn = through.conn();
    let began = Instant::now();
    proxy.delay(Duration::from_millis(150));
    conn.query_drop("SELECT 1").unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300), "both directions are delayed");
    proxy.delay(Duration::ZERO);
    proxy.throttle(100_000);
    let began = Instant::now();
    let _: Option<String> = conn.query_first("SELECT REPEAT('x', 50000)").unwrap();
    assert!(began.elapsed() >= Duration::from_millis(400), "50 kB at 100 kB/s");
    proxy.throttle(0);
    proxy.black_hole(true);
    let before = proxy.passed();
    let answer = std::thread::spawn(move || conn.query_first::<u8, _>("SELECT 2").unwrap());
    wait::pass(Duration::from_millis(200));
    assert!(!answer.is_finished() && proxy.passed() <= before + 64, "nothing passes a black hole");
    proxy.black_hole(false);
    assert_eq!(answer.join().unwrap(), Some(2));
    assert!(proxy.accepted() >= 2);
}

#[test]
fn a_server_dies_and_comes_back_with_its_data() {
    let _one = serial();
    for flavor in [Flavor::Mysql, Flavor::Mariadb] {
        let Some(server) = Server::start(&format!("mortal-{}", flavor.word()), flavor, &[]) else {
            return;
        };
        server.run(
            "",
            "CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY); INSERT INTO d.t VALUES (5)",
        );
        let before = server.position();
        assert!(before.pos > 4 && !before.gtid.is_empty());
        server.kill();
        assert!(server.try_conn().is_err());
        server.restart();
        support::server::wait_for(&server);
        assert_eq!(server.value::<u8>("SELECT a FROM d.t"), 5);
        server.stop();
        assert!(server.try_conn().is_err());
        server.restart();
        let globals = server.with_globals(&[("max_connections", "77")]);
        assert_eq!(server.value::<u32>("SELECT @@GLOBAL.max_connections"), 77);
        drop(globals);
        assert_ne!(server.value::<u32>("SELECT @@GLOBAL.max_connections"), 77);
        server.wipe();
    }
}

#[test]
fn case_files_are_read() {
    let compare =
        files::parse_compare("# x\nrows only\n2:`a.b`.`c``d`, s.t -> `x y`.z\nabsent log.m\n")
            .unwrap();
    assert!(compare.rows_only && !compare.all);
    assert_eq!(compare.absent, [("log".to_owned(), "m".to_owned())]);
    let pair = &compare.pairs[0];
    assert_eq!((pair.sources[0].source, pair.sources[0].schema.as_str()), (1, "a.b"));
    assert_eq!((pair.sources[0].table.as_str(), pair.sources[1].source), ("c`d", 0));
    assert_eq!((pair.schema.as_str(), pair.table.as_str()), ("x y", "z"));
    for wrong in ["a -> b", "0:a.b -> c.d", "a.b.c -> d.e", "evrything", "absent x"] {
        assert!(files::parse_compare(wrong).is_err(), "{wrong}");
    }
    let expect =
        files::parse_expect("SELECT 1\nFROM t;\n-> 1\ta\n-> 2\tb\nSELECT 2;\n-> (none)\n").unwrap();
    assert_eq!((expect.len(), expect[0].rows.len(), expect[1].rows.len()), (2, 2, 0));
    assert!(files::parse_expect("-> 1").is_err() && files::parse_expect("SELECT 1").is_err());
    let lines = files::parse_flavors("mysql, mariadb -> sqlite\n").unwrap();
    assert_eq!((lines[0].sources.len(), lines[0].target), (2, None));
    assert!(
        files::parse_flavors("mysql > mysql").is_err()
            && files::parse_flavors("oracle -> mysql").is_err()
    );
}

#[test]
fn every_case_of_the_project_can_be_loaded() {
    let cases = Case::load_all(&workspace().join("tests/cases"));
    let wrong: Vec<&String> = cases.iter().filter_map(|c| c.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let names: BTreeSet<String> = cases.iter().flatten().map(|c| c.name.clone()).collect();
    assert!(names.len() >= 15, "only {} cases", names.len());
}
