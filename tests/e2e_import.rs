//! Coming from DM: its checkpoint tables of several releases, filled as DM fills them, on real
//! servers; and its workers' files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use support::compare::{Target, assert_databases_equal};
use support::dm::{Dm, Outcome, Task};
use support::serial;
use support::server::{Flavor, Position, Server};
use support::sql;

const DB: &str = "w";

/// DM's tables as 1.0 made them: no GTIDs, no structures.
const LAYOUT_1_0: &str = "CREATE TABLE dm_meta.test_syncer_checkpoint (id VARCHAR(32) NOT NULL, \
    cp_schema VARCHAR(128) NOT NULL, cp_table VARCHAR(128) NOT NULL, binlog_name VARCHAR(128), \
    binlog_pos INT UNSIGNED, is_global BOOLEAN, create_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
    update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, \
    UNIQUE KEY uk_id_schema_table (id, cp_schema, cp_table)); \
    CREATE TABLE dm_meta.test_loader_checkpoint (id VARCHAR(32) NOT NULL, filename VARCHAR(255) NOT NULL, \
    cp_schema VARCHAR(128) NOT NULL, cp_table VARCHAR(128) NOT NULL, offset BIGINT NOT NULL, \
    end_pos BIGINT NOT NULL, UNIQUE KEY uk_id_f (id, filename))";

/// As 2.0 and later make them.
const LAYOUT_2_0: &str = "CREATE TABLE dm_meta.test_syncer_checkpoint (id VARCHAR(32) NOT NULL, \
    cp_schema VARCHAR(128) NOT NULL, cp_table VARCHAR(128) NOT NULL, binlog_name VARCHAR(128), \
    binlog_pos INT UNSIGNED, binlog_gtid TEXT, exit_safe_binlog_name VARCHAR(128) DEFAULT '', \
    exit_safe_binlog_pos INT UNSIGNED DEFAULT 0, exit_safe_binlog_gtid TEXT, table_info JSON NOT NULL, \
    is_global BOOLEAN, UNIQUE KEY uk_id_schema_table (id, cp_schema, cp_table)); \
    CREATE TABLE dm_meta.test_syncer_sharding_meta (source_id VARCHAR(32), target_table_id VARCHAR(144), \
    source_table_id VARCHAR(144), active_index INT, is_global BOOLEAN, data JSON NOT NULL); \
    CREATE TABLE dm_meta.test_onlineddl (id VARCHAR(32) NOT NULL, ghost_schema VARCHAR(128) NOT NULL, \
    ghost_table VARCHAR(128) NOT NULL, ddls TEXT)";

/// A source, a target that DM has written to up to a position, and what it wrote beyond it.
struct Stage {
    from: &'static Server,
    to: &'static Server,
    at: Position,
    dm: Dm,
}

impl Stage {
    fn new(flavor: Flavor, by_gtid: bool, layout: &str) -> Option<Self> {
        let (from, to) = (Server::shared(flavor, "src")?, Server::target(Flavor::Mysql)?);
        from.clear();
        to.clear();
        let made = "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY, v VARCHAR(20)); \
                    INSERT INTO w.t VALUES (1, 'one'), (2, 'two'), (3, 'three')";
        from.run("", made);
        to.run("", made);
        let at = from.position();
        // Beyond the checkpoint: some of it is at the target, because DM notes less than it does.
        let change = |server: &Server, last: bool| {
            server.run(DB, "INSERT INTO t VALUES (4, 'four'); DELETE FROM t WHERE id = 1");
            if last {
                server.run(
                    DB,
                    "UPDATE t SET v = 'zwei' WHERE id = 2; INSERT INTO t VALUES (5, 'five')",
                );
            }
        };
        change(from, true);
        change(to, false);
        to.run("", &format!("CREATE DATABASE dm_meta; {layout}"));
        let sources = [&from.address];
        let mut task = Task::new("all", &sources, Target::Server(&to.address), &[DB]);
        task.gtid = by_gtid;
        Some(Self { from, to, at, dm: Dm::set_up(&task) })
    }

    fn store(&self, with_gtid: bool) {
        let (file, offset) = (sql::text(&self.at.file), self.at.pos);
        let (columns, values) = if with_gtid {
            (", binlog_gtid, table_info", format!(", {}, 'null'", sql::text(&self.at.gtid)))
        } else {
            ("", String::new())
        };
        self.to.run(
            "",
            &format!(
                "INSERT INTO dm_meta.test_syncer_checkpoint \
                 (id, cp_schema, cp_table, binlog_name, binlog_pos, is_global{columns}) \
                 VALUES ('source-1', '', '', {file}, {offset}, 1{values})"
            ),
        );
    }

    fn import(&self) -> Outcome {
        let sources = ["import-dm-checkpoint", "task.yaml", "--source", "source-1.yaml"];
        self.dm.other(&[&sources[..], &["--state-dir", "state"]].concat())
    }

    /// What DM keeps at the target, row by row.
    fn kept(&self) -> String {
        let tables: Vec<String> = self.to.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'dm_meta' ORDER BY 1",
        );
        let count = |t: &String| {
            let checksum: Vec<(String, Option<u64>)> =
                self.to.rows(&format!("CHECKSUM TABLE dm_meta.{}", sql::name(t)));
            format!("{t}: {checksum:?}\n")
        };
        tables.iter().map(count).collect()
    }

    fn goes_on(&self) {
        let before = self.kept();
        let said = self.import().expect_success();
        assert_eq!(self.kept(), before, "the import wrote to the target");
        assert!(said.stdout.contains("source-1: goes on at"), "{}", said.stdout);
        self.import().expect_code(66010);
        self.dm.catch_up().expect_success();
        assert_databases_equal(self.from, Target::Server(&self.to.address), &[DB]);
    }

    #[track_caller]
    fn refused(&self, row: &str, table: &str, word: &str) {
        self.to.run("dm_meta", row);
        self.import().expect_code(66010).expect_failure(&[word]);
        assert!(!self.dm.state().join("test.db").exists(), "a refused import left something");
        self.to.run("dm_meta", &format!("DELETE FROM {table}"));
    }
}

#[test]
fn a_checkpoint_of_1_0() {
    let _one = serial();
    let Some(stage) = Stage::new(Flavor::Mysql, false, LAYOUT_1_0) else { return };
    stage.import().expect_code(66010).expect_failure(&["0 global row(s)"]);
    stage.store(false);
    let unfinished =
        "INSERT INTO test_loader_checkpoint VALUES ('source-1', 'w.t.sql', 'w', 't', 10, 20)";
    stage.refused(unfinished, "test_loader_checkpoint", "copy of source source-1 is not finished");
    let finished = unfinished.replace("10, 20", "20, 20");
    stage.to.run("dm_meta", &finished);
    stage.goes_on();
}

#[test]
fn a_checkpoint_with_gtids_of_mysql() {
    let _one = serial();
    let Some(stage) = Stage::new(Flavor::Mysql, true, LAYOUT_2_0) else { return };
    stage.store(true);
    let online = "INSERT INTO test_onlineddl VALUES ('source-1', 'w', '_t_gho', '[]')";
    stage.refused(online, "test_onlineddl", "online schema change of source source-1");
    let shard = "INSERT INTO test_syncer_sharding_meta VALUES ('source-1', 'a', 'b', 0, 1, '[]')";
    stage.refused(shard, "test_syncer_sharding_meta", "merged tables");
    stage.goes_on();
}

#[test]
fn a_checkpoint_with_gtids_of_mariadb() {
    let _one = serial();
    let Some(stage) = Stage::new(Flavor::Mariadb, true, LAYOUT_2_0) else { return };
    stage.store(true);
    stage.goes_on();
}

#[test]
fn workers_become_source_files() {
    use std::os::unix::fs::PermissionsExt;
    let dm = Dm::new();
    dm.write(
        "dm-worker.toml",
        "worker-addr = \":8262\"\nserver-id = 101\nsource-id = \"mysql-replica-01\"\n\
         [from]\nhost = \"127.0.0.1\"\nuser = \"root\"\npassword = \"x#y\"\nport = 1\n",
    );
    dm.write(
        "inventory.ini",
        "[dm_worker_servers]\nw1 ansible_host=h source_id=\"b\" mysql_host=127.0.0.1 mysql_port=2\n",
    );
    let args = ["import-dm-worker", "dm-worker.toml", "inventory.ini", "--dir", "sources"];
    let said = dm.other(&args).expect_success();
    assert!(
        said.stderr.contains("mysql-replica-01: means nothing here: worker-addr"),
        "{}",
        said.stderr
    );
    let file = dm.path().join("sources/mysql-replica-01.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("  password: \"x#y\"\n") && text.contains("server-id: 101\n"), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    dm.other(&args).expect_failure(&["cannot be written"]);
    // They are sources: what is wrong with them is only that nobody listens there.
    let checked = dm
        .other(&["check-source", "sources/mysql-replica-01.yaml", "sources/b.yaml"])
        .expect_failure(&[]);
    let said = format!("{}{}", checked.stdout, checked.stderr);
    assert!(said.contains("127.0.0.1:1") && said.contains("127.0.0.1:2"), "{said}");
}
