//! What is asked of servers and of the users on them.

use crate::support::compare::{Target, assert_databases_equal};
use crate::support::dm::{Dm, source_yaml};
use crate::support::server::{Address, Server, free_port};
use mysql::prelude::Queryable;
use serde_json::Value;

use crate::items::each;
use crate::stage::*;

#[test]
fn servers_that_are_right_pass_without_a_word() {
    both(|_, from, to| {
        let checked = ALL.check(from, to);
        checked.passes();
        assert_eq!(checked.json["msg"], "check pass!!!", "{:#}", checked.json);
        let summary = &checked.json["detail"]["summary"];
        assert!(summary["total"].as_u64() > Some(25), "{summary}");
        assert_eq!(summary["total"], summary["successful"]);
        let dm = ALL.set_up(from, to);
        dm.other(&["check-source", "source-1.yaml"]).expect_success();
        let json = dm.other(&["check-source", "source-1.yaml", "--json"]).expect_success();
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json["sources"][0]["source"], "source-1");
        assert_eq!(json["result"], true);
    });
}

#[test]
fn settings_of_the_source() {
    both(|flavor, from, to| {
        let cases: &[(&str, &str, &str, &str)] = &[
            ("binlog_format", "'STATEMENT'", "mysql_binlog_format", "fail"),
            ("binlog_row_image", "'MINIMAL'", "mysql_binlog_row_image", "fail"),
        ];
        for (variable, value, name, state) in cases {
            {
                let _globals = from.with_globals(&[(variable, value)]);
                ALL.check(from, to).finds(name, state, &[variable]);
                let run = ALL.set_up(from, to).catch_up().expect_code(26005);
                assert!(run.stderr.contains(variable));
                let mut left_out = ALL;
                let more = format!("ignore-checking-items: [{variable}]\n");
                left_out.more = &more;
                left_out.check(from, to).silent(name).passes();
            }
            ALL.check(from, to).silent(name);
        }
        let retention = ("binlog_expire_logs_seconds", "60");
        {
            let _globals = from.with_globals(&[retention]);
            ALL.check(from, to).passes().finds("binlog retention check", "warn", &["60 s"]);
        }
        ALL.check(from, to).silent("binlog retention check");
        // Long enough for itself, and not for a copy that takes its time.
        {
            let _globals = from.with_globals(&[("binlog_expire_logs_seconds", "20000")]);
            ALL.check(from, to).silent("binlog retention check");
            let slow = Case { more: "max-bytes-per-second: 1\n", ..ALL };
            let said = ["after 20000 s", "takes about", "binlog_expire_logs_seconds = "];
            slow.check(from, to).passes().finds("binlog retention check", "warn", &said);
        }
        // RDS and Aurora have a setting of their own: none, a short one, a long one.
        for (hours, said) in [("NULL", "after 0 s"), ("'0.5'", "after 1800 s"), ("'48'", "")] {
            from.run("mysql", "CREATE TABLE IF NOT EXISTS rds_configuration (name VARCHAR(100), value VARCHAR(100)); DELETE FROM rds_configuration");
            from.run(
                "mysql",
                &format!(
                    "INSERT INTO rds_configuration VALUES ('binlog retention hours', {hours})"
                ),
            );
            let checked = ALL.check(from, to);
            from.run("mysql", "DROP TABLE rds_configuration");
            if said.is_empty() {
                checked.silent("binlog retention check");
            } else {
                let repair = "CALL mysql.rds_set_configuration('binlog retention hours', 24)";
                checked.passes().finds("binlog retention check", "warn", &[said, repair]);
            }
        }
        // MariaDB's begins at 1.
        if flavor.is_mysql() {
            let _globals = from.with_globals(&[("server_id", "0")]);
            ALL.check(from, to).passes().finds("mysql_server_id", "warn", &["server_id"]);
        }
        ALL.check(from, to).silent("mysql_server_id");
    });
}

#[test]
fn every_failure_is_told_at_once() {
    both(|_, from, to| {
        let _globals = from
            .with_globals(&[("binlog_format", "'STATEMENT'"), ("binlog_row_image", "'MINIMAL'")]);
        let run = ALL.set_up(from, to).catch_up().expect_code(26005);
        for word in ["2 checks failed", "binlog_format", "binlog_row_image"] {
            assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
        }
        assert!(!to.databases().contains(&"w".to_owned()), "nothing was written");
        let dm = ALL.set_up(from, to);
        let text = dm.other(&["check-task", "task.yaml", "-s", "source-1.yaml", "-e", "1"]);
        assert!(text.stdout.contains("failure: and 1 more"), "{}", text.stdout);
    });
}

#[test]
fn a_source_without_a_binlog_can_be_copied_but_not_followed() {
    each(|flavor| {
        let (logging, to) = stage(flavor)?;
        let options: &[&str] = if flavor.is_mysql() {
            &["--skip-log-bin"]
        } else {
            &["--skip-log-bin", "--server-id=0"]
        };
        let from = Server::start(&format!("silent-{}", flavor.word()), flavor, options)?;
        from.run("", "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY, v INT); INSERT INTO w.t VALUES (1, 1)");
        let checked = ALL.check(&from, to);
        checked.finds("mysql_binlog_enable", "fail", &["log_bin"]);
        if !flavor.is_mysql() {
            // MariaDB counts from 1.
            checked.silent("mysql_server_id");
        }
        let full = Case { mode: "full", ..ALL };
        full.check(&from, to).passes();
        full.set_up(&from, to).run(&[]).expect_success();
        assert_databases_equal(&from, Target::Server(to), &["w"]);
        from.wipe();
        ALL.check(logging, to).silent("mysql_binlog_enable");
        Some(())
    });
}

#[test]
fn schemas_that_are_not_logged() {
    each(|flavor| {
        let (whole, to) = stage(flavor)?;
        let name = format!("partly-{}", flavor.word());
        let from = Server::start(&name, flavor, &["--binlog-do-db=other"])?;
        from.run("", "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY)");
        ALL.check(&from, to).finds(
            "binlog_do_db/binlog_ignore_db check",
            "fail",
            &["`w`", "other"],
        );
        Case { mode: "full", ..ALL }.check(&from, to).passes();
        from.wipe();
        ALL.check(whole, to).silent("binlog_do_db/binlog_ignore_db check");
        Some(())
    });
}

#[test]
fn work_tables_of_online_schema_changes() {
    both(|_, from, to| {
        from.run("w", "CREATE TABLE _t_gho (id INT PRIMARY KEY, v INT)");
        let online = Case { more: "online-ddl: true\n", ..ALL };
        let checked = online.check(from, to);
        checked.finds("online ddl checker", "fail", &["_t_gho", "DROP TABLE"]);
        from.run("w", "DROP TABLE _t_gho");
        online.check(from, to).silent("online ddl checker");
    });
}

#[test]
fn rights_at_the_source() {
    both(|_, from, to| {
        let full = Case { mode: "full", ..ALL };
        let poor = user(from, "poor", &["REPLICATION SLAVE, REPLICATION CLIENT ON *.*"]);
        ALL.check(&poor, to).finds(
            "source db dump privilege checker",
            "fail",
            &["SELECT", "GRANT"],
        );
        let poor = user(from, "poor", &["SELECT, RELOAD ON *.*"]);
        ALL.check(&poor, to).finds(
            "source db replication privilege checker",
            "fail",
            &["GRANT REPLICATION SLAVE", "REPLICATION CLIENT", "'poor'@'%'"],
        );
        full.check(&poor, to).passes().silent("source db dump privilege checker");
        let all =
            user(from, "poor", &["SELECT, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT ON *.*"]);
        ALL.check(&all, to).passes().silent("source db replication privilege checker");
        // Without RELOAD there are other ways, which are not as quick.
        let poor = user(
            from,
            "poor",
            &["SELECT ON `w`.*", "REPLICATION SLAVE, REPLICATION CLIENT ON *.*"],
        );
        ALL.check(&poor, to).passes().finds(
            "source db dump privilege checker",
            "warn",
            &["RELOAD"],
        );
        let flush = Case { instance: "    mydumper: {extra-args: '--consistency flush'}\n", ..ALL };
        flush.check(&poor, to).finds("source db dump privilege checker", "fail", &["RELOAD"]);
        let lock = Case { instance: "    mydumper: {extra-args: '--consistency lock'}\n", ..ALL };
        lock.check(&poor, to).finds("source db dump privilege checker", "fail", &["LOCK TABLES"]);
        let more = "ignore-checking-items: [dump_privileges, replication_privilege]\n";
        Case { more, ..flush }.check(&poor, to).silent("source db dump privilege checker");
        // A right on columns only, on another schema only.
        let poor = user(from, "poor", &["RELOAD ON *.*", "SELECT (id) ON w.t"]);
        full.check(&poor, to).finds("source db dump privilege checker", "fail", &["SELECT"]);
        // By a role that is active.
        from.run(
            "",
            "DROP ROLE IF EXISTS reader; CREATE ROLE reader; GRANT SELECT, RELOAD ON *.* TO reader",
        );
        let poor = user(from, "poor", &["reader"]);
        let make = if from.flavor.is_mysql() {
            "SET DEFAULT ROLE reader TO poor"
        } else {
            "SET DEFAULT ROLE reader FOR poor"
        };
        from.run("", make);
        full.check(&poor, to).passes().silent("source db dump privilege checker");
    });
}

#[test]
fn rights_at_the_target() {
    both(|_, from, to| {
        let poor = user(to, "poor", &["SELECT, INSERT ON *.*"]);
        ALL.check(from, &poor).finds(
            "target db privilege checker",
            "warn",
            &["CREATE, UPDATE, DELETE", "`w`", "dm_meta", "GRANT"],
        );
        ALL.check(from, to).silent("target db privilege checker");
    });
}

#[test]
fn a_target_without_a_place_for_marks() {
    both(|_, from, to| {
        let name = "marks at target check";
        let poor = user(to, "poor", &["ALL ON `w`.*"]);
        ALL.check(from, &poor).passes().finds(name, "warn", &["dm_meta", "CREATE", "GRANT"]);
        from.run("w", "CREATE TABLE bare (v INT)");
        ALL.check(from, &poor).finds(name, "fail", &["bare", "at-least-once: allow"]);
        ALL.check(from, to).silent(name);
        from.run("w", "DROP TABLE bare");
    });
}

/// The rights that the manual lists for each mode, and none beside them.
#[test]
fn least_rights_can_run_every_mode() {
    both(|_, from, to| {
        let target = user(
            to,
            "least",
            &[
                "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX ON `w`.*",
                "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX ON `dm\\_meta`.*",
            ],
        );
        let copy = &["SELECT ON `w`.*", "RELOAD ON *.*"][..];
        let follow = &["REPLICATION SLAVE, REPLICATION CLIENT ON *.*"][..];
        let all = [copy, follow].concat();
        // Full.
        let source = user(from, "least", copy);
        let full = Case { mode: "full", ..ALL };
        full.check(&source, &target).passes();
        full.set_up(&source, &target).run(&[]).expect_success();
        assert_databases_equal(from, Target::Server(to), &["w"]);
        // Incremental.
        let source = user(from, "least", follow);
        let at = from.position();
        let meta = format!("    meta: {{binlog-name: {}, binlog-pos: {}}}\n", at.file, at.pos);
        from.run("w", "INSERT INTO t VALUES (2, 2); UPDATE t SET v = 3 WHERE id = 1");
        let incremental = Case { mode: "incremental", instance: &meta, ..ALL };
        incremental.check(&source, &target).passes();
        to.run("", "DROP DATABASE dm_meta");
        incremental.set_up(&source, &target).catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &["w"]);
        // All.
        let source = user(from, "least", &all);
        to.run("", "DROP DATABASE dm_meta; DROP DATABASE w");
        ALL.check(&source, &target).passes();
        let dm = ALL.set_up(&source, &target);
        dm.catch_up().expect_success();
        from.run(
            "w",
            "INSERT INTO t VALUES (3, 3); ALTER TABLE t ADD c INT; DELETE FROM t WHERE id = 1",
        );
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &["w"]);
    });
}

#[test]
fn connections_at_both_ends() {
    both(|_, from, to| {
        let many = Case { instance: "    mydumper-thread: 60\n    syncer-thread: 60\n", ..ALL };
        let few = [("max_connections", "40")];
        {
            let _globals = from.with_globals(&few);
            many.check(from, to).finds(
                "dumper_conn_number_checker",
                "fail",
                &["62", "max_connections"],
            );
        }
        {
            let _globals = to.with_globals(&few);
            many.check(from, to).passes().finds(
                "loader_conn_number_checker",
                "warn",
                &["max_connections"],
            );
        }
        many.check(from, to)
            .silent("dumper_conn_number_checker")
            .silent("loader_conn_number_checker");
    });
}

#[test]
fn the_place_to_begin_at() {
    both(|flavor, from, to| {
        let at = from.position();
        let place = |file: &str, pos: u64| {
            format!("    meta: {{binlog-name: {file}, binlog-pos: {pos}}}\n")
        };
        let case = |meta: &str, gtid: bool| {
            Case { mode: "incremental", instance: meta, gtid, ..ALL }.check(from, to)
        };
        case(&place(&at.file, at.pos), false).passes().silent("meta position check");
        case(&place("binlog.999999", 4), false).finds(
            "meta position check",
            "fail",
            &["binlog.999999"],
        );
        case(&place(&at.file, at.pos + 1_000_000), false).finds(
            "meta position check",
            "fail",
            &["beyond"],
        );
        let strange = if flavor.is_mysql() {
            "    meta: {binlog-gtid: '11111111-2222-3333-4444-555555555555:1-9'}\n"
        } else {
            "    meta: {binlog-gtid: '7-7-777'}\n"
        };
        case(strange, true).finds("meta position check", "fail", &[]);
    });
}

#[test]
fn gtids_of_the_source() {
    both(|flavor, from, to| {
        let gtid = Case { gtid: true, ..ALL };
        gtid.check(from, to).passes().silent("gtid mode check");
        if !flavor.is_mysql() {
            return;
        }
        from.run("", "SET GLOBAL gtid_mode = ON_PERMISSIVE");
        gtid.check(from, to).passes().finds("gtid mode check", "warn", &["ON_PERMISSIVE"]);
        // And it works.
        let dm = gtid.set_up(from, to);
        dm.catch_up().expect_success();
        from.run("w", "INSERT INTO t VALUES (2, 2)");
        dm.catch_up().expect_success();
        assert_databases_equal(from, Target::Server(to), &["w"]);
        from.run("", "SET GLOBAL gtid_mode = OFF_PERMISSIVE");
        gtid.check(from, to).finds("gtid mode check", "fail", &["OFF_PERMISSIVE", "gtid_mode ON"]);
        ALL.check(from, to).silent("gtid mode check");
        from.run("", "SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON");
    });
}

#[test]
fn a_copy_that_nothing_settles() {
    both(|_, from, to| {
        let loose = "    mydumper: {extra-args: '--consistency none'}\n";
        let full = Case { mode: "full", instance: loose, ..ALL };
        full.check(from, to).passes().finds(
            "dump consistency check",
            "warn",
            &["task-mode: all", "consistency auto"],
        );
        Case { instance: loose, ..ALL }.check(from, to).silent("dump consistency check");
        Case { mode: "full", ..ALL }.check(from, to).silent("dump consistency check");
    });
}

#[test]
fn prepared_transactions() {
    both(|_, from, to| {
        let mut conn = from.conn();
        for sql in [
            "USE w",
            "XA START 'x1'",
            "INSERT INTO t VALUES (9, 9)",
            "XA END 'x1'",
            "XA PREPARE 'x1'",
        ] {
            conn.query_drop(sql).unwrap();
        }
        ALL.check(from, to).passes().finds("prepared XA transactions check", "warn", &["x1"]);
        conn.query_drop("XA ROLLBACK 'x1'").unwrap();
        ALL.check(from, to).silent("prepared XA transactions check");
    });
}

#[test]
fn versions_that_were_not_tried() {
    both(|flavor, from, to| {
        let newer: fn(&mut [u8]) = if flavor.is_mysql() {
            |bytes| replace(bytes, b"9.7.", b"9.9.")
        } else {
            |bytes| replace(bytes, b"10.11.", b"12.11.")
        };
        ALL.check(&rewriting(from, newer), to).passes().finds("mysql_version", "warn", &["newer"]);
        ALL.check(from, &rewriting(to, newer)).passes().finds(
            "downstream version",
            "warn",
            &["newer"],
        );
        ALL.check(from, to).silent("mysql_version").silent("downstream version");
    });
}

#[test]
fn a_proxy_that_gives_connections_other_numbers() {
    both(|_, from, to| {
        // The number stands behind the version in the server's first packet.
        let renumber: fn(&mut [u8]) = |bytes| {
            let greeting = bytes.len() > 20 && bytes[3] == 0 && bytes[4] == 10;
            if let (true, Some(end)) = (greeting, bytes[5..].iter().position(|b| *b == 0)) {
                bytes[5 + end + 3] ^= 0x55;
            }
        };
        ALL.check(from, &rewriting(to, renumber)).finds(
            "named locks check",
            "fail",
            &["greeted", "proxy"],
        );
        ALL.check(from, to).silent("named locks check");
    });
}

#[test]
fn a_replica_that_does_not_pass_on_what_it_receives() {
    each(|flavor| {
        let (from, to) = stage(flavor)?;
        for (logs, option) in [(false, "--log-slave-updates=OFF"), (true, "--log-slave-updates=ON")]
        {
            let name = format!("replica-{}-{}", flavor.word(), u8::from(logs));
            let option = if flavor.is_mysql() {
                option.replace("slave", "replica")
            } else {
                option.to_owned()
            };
            let replica = Server::start(&name, flavor, &[&option])?;
            replica.run("", "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY)");
            let (host, port) = (&from.host, from.port);
            replica.run(
                "",
                &if flavor.is_mysql() {
                    format!("CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', SOURCE_PORT={port}")
                } else {
                    format!("CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}")
                },
            );
            let checked = ALL.check(&replica, to);
            if logs {
                checked.passes().silent("replica source check");
            } else {
                checked.finds("replica source check", "fail", &["updates", "replica"]);
            }
            replica.wipe();
        }
        Some(())
    });
}

#[cfg(unix)]
#[test]
fn a_state_directory_that_everybody_can_write_to() {
    use std::os::unix::fs::PermissionsExt as _;
    both(|_, from, to| {
        let dm = ALL.set_up(from, to);
        let open = dm.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        let args =
            ["check-task", "task.yaml", "-s", "source-1.yaml", "--json", "--state-dir", "open"];
        let found = || Checked::new(serde_json::from_str(&dm.other(&args).stdout).unwrap(), &ALL);
        found().finds("state directory check", "fail", &["everybody", "chmod"]);
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o770)).unwrap();
        found().finds("state directory check", "fail", &["its group", "chmod g-w"]);
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o700)).unwrap();
        found().passes().silent("state directory check");
    });
}

#[test]
fn servers_that_cannot_be_reached_are_a_finding() {
    both(|_, from, to| {
        let away = Address { port: free_port(), ..from.address.clone() };
        ALL.check(&away, to).finds("connection", "fail", &["source-1", &away.port.to_string()]);
        ALL.check(from, &away).finds("connection", "fail", &["target", &away.port.to_string()]);
        let dm = Dm::new();
        dm.write("a.yaml", &source_yaml(1, &away, false));
        let outcome = dm.other(&["check-source", "a.yaml"]);
        assert_eq!(outcome.status.code(), Some(1));
        // One of two is away: the other is checked all the same.
        from.run("w", "CREATE TABLE bare (v INT)");
        let two = check(&ALL.between(&[&away, from], to), 2, &ALL);
        two.finds("connection", "fail", &[]).finds("primary key", "warn", &["bare"]);
    });
}
