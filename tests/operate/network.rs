//! What a task goes through by itself, and where it waits for a person: faults of the network between
//! it and both servers, under load, one table; then servers that are gone, refuse, or have no room.
//!
//! `DM_TEST_STOP_SECONDS` is how long a server stays stopped (2; 300 for a thorough run).

use std::time::Duration;

use serde_json::Value;

use crate::faults::through;
use crate::place::{DB, PATIENCE, Place, fill, servers, wait_rows};
use crate::support::compare::{Target, assert_databases_equal};
use crate::support::dm::{Task, source_yaml};
use crate::support::proxy::Proxy;
use crate::support::server::{Address, Flavor, Server};
use crate::support::workload::Load;
use crate::support::{env_number, serial, wait};

/// The database of the load.
const LOADED: &str = "w";

/// Transactions of the load: a fault lasts as long as the load takes for a number of them.
const PER_SECOND: u64 = 60;

/// Waits of at most a second between two attempts.
const QUICK: &str = "checker: {backoff-max: 1s, backoff-rollback: 1s}\n";

/// What happens on the way between `dm` and a server.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// All connections end.
    Cut,
    /// They end again and again.
    CutOften,
    /// They end, and new ones are refused for a while.
    Away,
    /// New ones are refused, those that are there go on.
    NoNew,
    /// Packets vanish for a while, and come late.
    Hole,
    /// Packets vanish, then the connections end.
    HoleThenCut,
    /// Everything takes its time.
    Slow,
    /// Everything takes its time, and then the connections end in the middle of it.
    SlowThenCut,
    /// Little passes.
    Narrow,
    /// Little passes, and the connections end in the middle of a packet.
    NarrowThenCut,
}

const FAULTS: [Fault; 10] = [
    Fault::Cut,
    Fault::CutOften,
    Fault::Away,
    Fault::NoNew,
    Fault::Hole,
    Fault::HoleThenCut,
    Fault::Slow,
    Fault::SlowThenCut,
    Fault::Narrow,
    Fault::NarrowThenCut,
];

impl Fault {
    /// Lets it happen while the load goes on, and ends it.
    fn happen(self, proxy: &Proxy, load: &Load) {
        let while_it_lasts = || load.advance(20);
        match self {
            Self::Cut => proxy.cut(),
            Self::CutOften => (0..3).for_each(|_| {
                proxy.cut();
                load.advance(4);
            }),
            Self::Away | Self::NoNew => {
                proxy.refuse(true);
                if matches!(self, Self::Away) {
                    proxy.cut();
                }
                while_it_lasts();
                proxy.refuse(false);
            }
            Self::Hole | Self::HoleThenCut => {
                proxy.black_hole(true);
                while_it_lasts();
                if matches!(self, Self::HoleThenCut) {
                    proxy.cut();
                }
                proxy.black_hole(false);
            }
            Self::Slow | Self::SlowThenCut => {
                proxy.delay(Duration::from_millis(30));
                while_it_lasts();
                if matches!(self, Self::SlowThenCut) {
                    proxy.cut();
                }
                proxy.delay(Duration::ZERO);
            }
            Self::Narrow | Self::NarrowThenCut => {
                proxy.throttle(3_000);
                while_it_lasts();
                if matches!(self, Self::NarrowThenCut) {
                    proxy.cut();
                }
                proxy.throttle(0);
            }
        }
    }
}

fn place(from: &Address, to: &Address, databases: &[&str]) -> Place {
    let sources = [from];
    let place = Place::of(&Task::new("all", &sources, Target::Server(to), databases));
    let source = source_yaml(1, from, false);
    place.dm.write("source-1.yaml", &format!("{source}{QUICK}"));
    place.json(&["operate-source", "create", "source-1.yaml"]);
    place
}

/// Ten kinds of fault on the way to the source, and the same ten on the way to the target.
#[test]
fn twenty_faults_of_the_network() {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(LOADED, Flavor::Mysql) else { return };
    from.run(LOADED, "CREATE TABLE seen (id INT PRIMARY KEY)");
    let up = Proxy::start(&from.address.host, from.address.port);
    let down = Proxy::start(&to.address.host, to.address.port);
    let place = place(&through(&up, from), &through(&down, to), &[LOADED]);
    place.json(&["start-task", "task.yaml"]);
    place.wait_sync("source-1");
    let load = Load::start(from, LOADED, seed, 2, PER_SECOND);
    let mut count = 0;
    for (side, proxy) in [("source", &up), ("target", &down)] {
        for fault in FAULTS {
            fault.happen(proxy, &load);
            count += 1;
            from.run(LOADED, &format!("INSERT INTO seen VALUES ({count})"));
            wait::until(&format!("{fault:?} on the way to the {side} is over"), PATIENCE, || {
                let there = format!("SELECT COUNT(*) FROM {LOADED}.seen");
                to.value::<u64>(&there) == count
            });
        }
    }
    place.wait_stage("source-1", "Running");
    load.finish();
    place.json(&["stop-task", "test"]);
    place.dm(&["run", "task.yaml", "--until", "caught-up"]).expect_success();
    assert_databases_equal(from, Target::Server(to), &[LOADED]);
}

fn error(status: &Value) -> &Value {
    let error = &status["result"]["errors"][0];
    assert_eq!(status["result"]["isCanceled"], false, "{status:#}");
    assert!(!error["Workaround"].as_str().unwrap_or_default().is_empty(), "no advice: {error:#}");
    error
}

/// A target that is stopped, a source that is started anew: both under load.
#[test]
fn servers_that_are_gone_for_a_while() {
    let _one = serial();
    let Some((from, to, seed)) = Load::stage(LOADED, Flavor::Mariadb) else { return };
    if crate::support::server::external_target().is_some() {
        return crate::support::leave_out("a stopped target", "it is not ours to stop");
    }
    let place = place(&from.address, &to.address, &[LOADED]);
    place.json(&["start-task", "task.yaml"]);
    place.wait_sync("source-1");
    let load = Load::start(from, LOADED, seed, 2, PER_SECOND);
    to.stop();
    load.advance(20);
    let status = place.wait_stage("source-1", "Paused");
    assert_eq!(error(&status)["ErrScope"], "downstream", "{status:#}");
    load.advance(env_number("DM_TEST_STOP_SECONDS", 2) * PER_SECOND);
    to.restart();
    place.wait_stage("source-1", "Running");
    from.kill();
    let status = place.wait_stage("source-1", "Paused");
    assert_eq!(error(&status)["ErrScope"], "upstream", "{status:#}");
    from.restart();
    place.wait_stage("source-1", "Running");
    load.advance(20);
    load.finish();
    place.json(&["stop-task", "test"]);
    place.dm(&["run", "task.yaml", "--until", "caught-up"]).expect_success();
    assert_databases_equal(from, Target::Server(to), &[LOADED]);
}

/// A password that was changed: the task waits, says what to do, and goes on when it is right again.
fn a_wrong_password(flavor: Flavor) {
    let _one = serial();
    let (Some(from), Some(to)) = (Server::shared(flavor, "src"), Server::target(flavor)) else {
        return;
    };
    from.clear();
    to.clear();
    fill(from, "t");
    let login = |server: &Server| {
        server.run(
            "",
            "DROP USER IF EXISTS changing@'%'; CREATE USER changing@'%' IDENTIFIED BY 'right'; \
             GRANT ALL ON *.* TO changing@'%'",
        );
        Address { user: "changing".into(), password: "right".into(), ..server.address.clone() }
    };
    let place = place(&login(from), &login(to), &[DB]);
    place.start(to);
    for (server, scope, id) in [(from, "upstream", 3), (to, "downstream", 4)] {
        server.run("", "ALTER USER changing@'%' IDENTIFIED BY 'wrong'");
        let ours = "SELECT id FROM information_schema.processlist WHERE user = 'changing'";
        for connection in server.rows::<u64>(ours) {
            // It may have ended by itself.
            let _ = crate::support::sql::try_run(&mut server.conn(), &format!("KILL {connection}"));
        }
        from.run(DB, &format!("INSERT INTO t VALUES ({id}, 'more')"));
        let status = wait::poll(PATIENCE, || {
            let status = place.status("source-1");
            let cause = status["result"]["errors"][0]["RawCause"].as_str().unwrap_or_default();
            cause.contains("1045").then_some(status)
        });
        let status = status.unwrap_or_else(|| panic!("{:#}", place.status("source-1")));
        assert_eq!(
            (&status["stage"], &error(&status)["ErrScope"]),
            (&"Paused".into(), &scope.into())
        );
        assert!(error(&status)["Workaround"].as_str().unwrap().contains("password"), "{status:#}");
        server.run("", "ALTER USER changing@'%' IDENTIFIED BY 'right'");
        wait_rows(to, "t", id);
    }
    assert_databases_equal(from, Target::Server(to), &[DB]);
    place.json(&["stop-task", "test"]);
    for server in [from, to] {
        server.run("", "DROP USER changing@'%'");
    }
}

#[test]
fn a_wrong_password_mysql() {
    a_wrong_password(Flavor::Mysql);
}

#[test]
fn a_wrong_password_mariadb() {
    a_wrong_password(Flavor::Mariadb);
}

/// The target has no room: the task stops there, and goes on when there is some.
#[test]
fn a_target_that_is_full() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    if to.is_tidb() {
        return crate::support::leave_out("a full target", "TiDB has no tables of memory");
    }
    let sources = [&from.address];
    let mut task = Task::new("all", &sources, Target::Server(to), &[DB]);
    // Row by row: a table of memory keeps what a failed statement has written.
    (task.instance, task.more) =
        ("    syncer-config-name: one\n", "syncers:\n  one: {worker-count: 1, batch: 1}\n");
    let place = Place::of(&task);
    place.json(&["operate-source", "create", "source-1.yaml"]);
    place.start(to);
    // It is full as a disk is, and sooner.
    to.run(DB, "SET max_heap_table_size = 16384; ALTER TABLE t ENGINE = MEMORY");
    let rows: Vec<String> =
        (3..600).map(|i| format!("INSERT INTO t VALUES ({i}, 'row {i}')")).collect();
    from.run(DB, &rows.join(";"));
    let status = wait::poll(PATIENCE, || {
        let status = place.status("source-1");
        let cause = status["result"]["errors"][0]["RawCause"].as_str().unwrap_or_default();
        cause.contains("1114").then_some(status)
    });
    let status = status.unwrap_or_else(|| panic!("{:#}", place.status("source-1")));
    assert_eq!(error(&status)["ErrScope"], "downstream", "{status:#}");
    assert!(error(&status)["Workaround"].as_str().unwrap().contains("make room"), "{status:#}");
    to.run(DB, "ALTER TABLE t ENGINE = InnoDB");
    place.json(&["resume-task", "test"]);
    wait_rows(to, "t", 599);
    assert_databases_equal(from, Target::Server(to), &[DB]);
    place.json(&["stop-task", "test"]);
}

/// The source has removed binlog files that were not read: nothing goes on by itself, and the way out is
/// a new copy.
fn a_purged_binlog(flavor: Flavor) {
    let _one = serial();
    let (Some(from), Some(to)) = (Server::shared(flavor, "src"), Server::target(flavor)) else {
        return;
    };
    from.clear();
    to.clear();
    fill(from, "t");
    let place = place(&from.address, &to.address, &[DB]);
    place.start(to);
    place.json(&["stop-task", "test"]);
    from.run(DB, "INSERT INTO t VALUES (3, 'never read')");
    from.reset_binlog();
    from.run(DB, "FLUSH BINARY LOGS; FLUSH BINARY LOGS; INSERT INTO t VALUES (4, 'later')");
    let last = from.position().file;
    from.run("", &format!("PURGE BINARY LOGS TO '{last}'"));
    place.answer(&["start-task", "task.yaml"]);
    let status = place.wait_stage("source-1", "Paused");
    let told = error(&status);
    assert_eq!(told["ErrScope"], "upstream", "{status:#}");
    // Logged behind the stage.
    wait::until("it is said that it does not try again by itself", PATIENCE, || {
        place.log().contains("is paused")
    });
    // The way out.
    place.json(&["stop-task", "test"]);
    to.drop_database(DB);
    place.json(&["start-task", "task.yaml", "--remove-meta"]);
    wait_rows(to, "t", 4);
    assert_databases_equal(from, Target::Server(to), &[DB]);
    place.json(&["stop-task", "test"]);
}

#[test]
fn a_purged_binlog_mysql() {
    a_purged_binlog(Flavor::Mysql);
}

#[test]
fn a_purged_binlog_mariadb() {
    a_purged_binlog(Flavor::Mariadb);
}
