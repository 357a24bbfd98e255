//! The scenarios of the documents: their task and source files (`fixtures/seeds/*.yaml`) as they stand but
//! for addresses, the commands of `fixtures/dmctl/*.sh`, and what must be at the target then.

use crate::place::{PATIENCE, Place};
use crate::scripts::run_script;
use crate::support::compare::{Target, assert_databases_equal};
use crate::support::proxy::Proxy;
use crate::support::server::{Address, Flavor, Server};
use crate::support::{serial, wait, workspace};

/// A directory of its own, where `dmctl` is a link to `dm`.
fn place() -> Place {
    let mut place = Place::nothing();
    place.call_as("dmctl");
    place
}

/// A file of the documents with the address and the account of a server in the place of theirs.
fn addressed(file: &str, server: &Address) -> String {
    let path = workspace().join("fixtures/seeds").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
    readdressed(&text, server)
}

fn readdressed(text: &str, server: &Address) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let key = line.trim_start().split(':').next().unwrap_or_default();
        let value = match key {
            "host" => server.host.clone(),
            "port" => server.port.to_string(),
            "user" => server.user.clone(),
            "password" => format!("\"{}\"", server.password),
            _ => {
                out += &format!("{line}\n");
                continue;
            }
        };
        out += &format!("{:indent$}{key}: {value}\n", "");
    }
    out
}

fn source_file(id: &str, gtid: bool, server: &Address) -> String {
    let text = format!(
        "source-id: \"{id}\"\nenable-gtid: {gtid}\nfrom:\n  host: x\n  port: 1\n  user: x\n  password: x\n"
    );
    readdressed(&text, server)
}

/// Waits until a query gives a number at the target.
#[track_caller]
fn until(to: &Server, query: &str, expected: u64) {
    use mysql::prelude::Queryable as _;
    wait::until(&format!("{query} gives {expected}"), PATIENCE, || {
        let found: mysql::Result<Option<u64>> = to.conn().query_first(query);
        matches!(found, Ok(Some(n)) if n == expected)
    });
}

#[test]
fn three_instances() {
    let _one = serial();
    let (Some(first), Some(second), Some(third), Some(to)) = (
        Server::shared(Flavor::Mysql, "src"),
        Server::shared(Flavor::Mariadb, "src"),
        Server::shared(Flavor::Mysql, "third"),
        Server::target(Flavor::Mysql),
    ) else {
        return;
    };
    let stores = [["store_bj", "store_tj"], ["store_sh", "store_sz"], ["store_gz", "store_sz"]];
    to.clear();
    let place = place();
    for (at, (server, stores)) in [first, second, third].into_iter().zip(stores).enumerate() {
        server.clear();
        server.run("", "CREATE DATABASE user; CREATE DATABASE store; CREATE DATABASE log");
        let tables = ["user.information", "user.log", "log.messages"].map(str::to_owned);
        let stores = stores.map(|s| format!("store.{s}"));
        for table in tables.iter().chain(&stores) {
            server.run("", &format!("CREATE TABLE {table} (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO {table} VALUES (1, 'at {at}'), (2, 'more')"));
        }
        let n = at + 1;
        place.dm.write(
            &format!("source{n}.yaml"),
            &source_file(&format!("instance-{n}"), false, server),
        );
    }
    place.dm.write("task.yaml", &addressed("15-three-instances.yaml", to));
    run_script(&place, "three-instances.sh", &[]);
    for schema in ["user_north", "user_east", "user_south"] {
        until(to, &format!("SELECT COUNT(*) FROM {schema}.information"), 2);
    }
    let synced = |n: usize| {
        let status =
            place.json(&["query-status", "one-tidb-secondary", "-s", &format!("instance-{n}")]);
        status["sources"][0]["subTaskStatus"][0]["unit"] == "Sync"
    };
    (1..=3).for_each(|n| wait::until("it follows the binlog", PATIENCE, || synced(n)));
    // Requirements of the page: nothing of `log` and `store` is ever deleted, `log` stays behind.
    for server in [first, second, third] {
        server.run("", "TRUNCATE TABLE user.log; DELETE FROM user.information WHERE id = 2; INSERT INTO user.information VALUES (3, 'last')");
    }
    second.run("", "DELETE FROM store.store_sz; DROP TABLE store.store_sh");
    third.run("", "INSERT INTO store.store_sz VALUES (3, 'last')");
    for schema in ["user_north", "user_east", "user_south"] {
        until(to, &format!("SELECT SUM(id) FROM {schema}.information"), 4);
        until(to, &format!("SELECT COUNT(*) FROM {schema}.log"), 2);
    }
    until(to, "SELECT COUNT(*) FROM store.store_shenzhen", 3);
    for table in ["store_bj", "store_tj", "store_sh", "store_suzhou", "store_gz"] {
        until(to, &format!("SELECT COUNT(*) FROM store.{table}"), 2);
    }
    assert!(!to.databases().iter().any(|db| db == "log"));
    place.json(&["stop-task", "one-tidb-secondary"]);
}

/// A source with `log.messages` whose first rows are at the target already, and the task file of the page
/// that follows it from there.
fn messages(gtid: bool) -> Option<(Place, &'static Server, &'static Server)> {
    let (from, to) = (Server::shared(Flavor::Mysql, "src")?, Server::target(Flavor::Mysql)?);
    let table = "CREATE DATABASE log; CREATE TABLE log.messages (id INT NOT NULL, message VARCHAR(255) DEFAULT NULL, PRIMARY KEY (id)); INSERT INTO log.messages VALUES (1, 'copied')";
    for server in [from, to] {
        server.clear();
    }
    if gtid {
        // A replica has to find all of it, and earlier tests have purged some.
        from.reset_binlog();
    }
    for server in [from, to] {
        server.run("", table);
    }
    let at = from.position();
    let place = place();
    let text = addressed("01-incremental-position.yaml", to)
        .replace("mysql-bin.000001", &at.file)
        .replace("2022", &at.pos.to_string())
        .replace("09bec856-ba95-11ea-850a-58f2b4af5188:1-9", &at.gtid);
    place.dm.write("task.yaml", &text);
    place.dm.write("source1.yaml", &source_file("mysql-01", gtid, from));
    Some((place, from, to))
}

#[test]
fn incremental_from_a_position() {
    let _one = serial();
    let Some((place, from, to)) = messages(false) else { return };
    run_script(&place, "incremental.sh", &[]);
    from.run("", "INSERT INTO log.messages VALUES (2, 'followed'); UPDATE log.messages SET message = 'new' WHERE id = 1");
    until(to, "SELECT COUNT(*) FROM log.messages", 2);
    wait::until("both are equal", PATIENCE, || {
        to.value::<String>("SELECT message FROM log.messages WHERE id = 1") == "new"
    });
    assert_databases_equal(from, Target::Server(to), &["log"]);
    place.json(&["stop-task", "task-test"]);
}

#[test]
fn more_columns_at_the_target() {
    let _one = serial();
    let Some((place, from, to)) = messages(false) else { return };
    to.run("", "ALTER TABLE log.messages ADD COLUMN later INT DEFAULT NULL");
    place.json(&["operate-source", "create", "source1.yaml"]);
    place.json(&["start-task", "task.yaml"]);
    from.run("", "INSERT INTO log.messages VALUES (2, 'followed')");
    // As the page shows it: the structure is taken from the target, and does not fit.
    let error = wait::poll(PATIENCE, || {
        let json = place.json(&["query-status", "task-test"]);
        let part = &json["sources"][0]["subTaskStatus"][0];
        (part["stage"] == "Paused").then(|| part["result"]["errors"][0].clone())
    });
    assert_eq!(error.unwrap()["ErrCode"], 36027);
    place.dm.write(
        "log.messages.sql",
        "CREATE TABLE `messages` (\n  `id` int(11) NOT NULL,\n  `message` varchar(255) DEFAULT NULL,\n  PRIMARY KEY (`id`)\n)\n",
    );
    run_script(&place, "more-columns.sh", &[]);
    until(to, "SELECT COUNT(*) FROM log.messages WHERE later IS NULL", 2);
    place.json(&["stop-task", "task-test"]);
}

#[test]
fn from_aurora() {
    let _one = serial();
    let (Some(first), Some(second), Some(to)) = (
        Server::shared(Flavor::Mysql, "src"),
        Server::shared(Flavor::Mysql, "third"),
        Server::target(Flavor::Mysql),
    ) else {
        return;
    };
    to.clear();
    for (server, table) in [(first, "a"), (second, "b")] {
        server.clear();
        server.run("", &format!("CREATE DATABASE migrate_me; CREATE TABLE migrate_me.{table} (id INT PRIMARY KEY); INSERT INTO migrate_me.{table} VALUES (1), (2)"));
    }
    let place = place();
    place.dm.write("source1.yaml", &addressed("23-aurora-source-1.yaml", first));
    place.dm.write("source2.yaml", &addressed("23-aurora-source-2.yaml", second));
    place.dm.write("task.yaml", &addressed("23-aurora-all.yaml", to));
    run_script(&place, "aurora.sh", &[]);
    for (server, table) in [(first, "a"), (second, "b")] {
        until(to, &format!("SELECT COUNT(*) FROM migrate_me.{table}"), 2);
        server.run("", &format!("INSERT INTO migrate_me.{table} VALUES (3)"));
        until(to, &format!("SELECT COUNT(*) FROM migrate_me.{table}"), 3);
    }
    place.json(&["stop-task", "test"]);
}

/// The source's replica takes over, once by another address and once behind the same one.
#[test]
fn the_source_is_switched_by_gtid() {
    let _one = serial();
    let Some((place, from, to)) = messages(true) else { return };
    let Some(replica) = Server::shared(Flavor::Mysql, "third") else { return };
    replica.run("", "STOP REPLICA; RESET REPLICA ALL");
    replica.clear();
    replica.reset_binlog();
    let Address { host, port, user, password, .. } = &from.address;
    replica.run("", &format!("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {port}, SOURCE_USER = '{user}', SOURCE_PASSWORD = '{password}', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA"));
    let caught_up = || {
        let gtid = from.position().gtid;
        wait::until("the replica has it all", PATIENCE, || {
            replica.value::<i32>(&format!("SELECT GTID_SUBSET('{gtid}', @@GLOBAL.gtid_executed)"))
                == 1
        });
    };
    let proxy = Proxy::start(&from.host, from.port);
    let near = Address { host: "127.0.0.1".into(), port: proxy.port, ..from.address.clone() };
    place.dm.write("source1.yaml", &source_file("mysql-01", true, &near));
    place.json(&["operate-source", "create", "source1.yaml"]);
    place.json(&["start-task", "task.yaml"]);
    from.run("", "INSERT INTO log.messages VALUES (2, 'read here')");
    until(to, "SELECT COUNT(*) FROM log.messages", 2);
    // Behind the same address.
    run_script(&place, "switch-vip.sh", &[]);
    from.run("", "INSERT INTO log.messages VALUES (3, 'read there')");
    caught_up();
    proxy.redirect(&replica.host, replica.port);
    proxy.cut();
    place.json(&["resume-task", "task-test"]);
    until(to, "SELECT COUNT(*) FROM log.messages", 3);
    // By another address.
    place.dm.write("new.yaml", &source_file("mysql-01", true, &from.address));
    run_script(&place, "switch-address.sh", &[("NEW", "new.yaml")]);
    from.run("", "INSERT INTO log.messages VALUES (4, 'read here again')");
    until(to, "SELECT COUNT(*) FROM log.messages", 4);
    caught_up();
    assert_databases_equal(from, Target::Server(to), &["log"]);
    place.json(&["stop-task", "task-test"]);
    replica.run("", "STOP REPLICA; RESET REPLICA ALL");
}
