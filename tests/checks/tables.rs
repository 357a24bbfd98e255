//! What is asked of tables and their targets.

use crate::items::each;
use crate::support::server::{Flavor, Server};

use crate::stage::*;

#[test]
fn structures_against_the_target() {
    both(|_, from, to| {
        let name = "table structure compatibility check";
        to.run("", "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY)");
        ALL.check(from, to).finds(name, "fail", &["lacks column `v`", "ADD COLUMN"]);
        to.run("w", "DROP TABLE t; CREATE TABLE t (id INT PRIMARY KEY, v INT, own INT NOT NULL)");
        ALL.check(from, to).finds(name, "fail", &["`own`", "without a default"]);
        to.run("w", "DROP TABLE t; CREATE TABLE t (id INT, v INT NOT NULL PRIMARY KEY, own INT)");
        ALL.check(from, to).finds(name, "warn", &["primary key (id)"]);
        to.run("w", "DROP TABLE t; CREATE TABLE t (id INT PRIMARY KEY, v INT, own INT)");
        ALL.check(from, to).silent(name).silent("downstream table emptiness");
        to.run("w", "INSERT INTO t VALUES (7, 7, 7)");
        ALL.check(from, to).passes().finds(
            "downstream table emptiness",
            "warn",
            &["w`.`t", "is replaced"],
        );
        // A route that adds a column.
        let routed = Case {
            instance: "    route-rules: [r]\n",
            more: "routes:\n  r: {schema-pattern: w, table-pattern: t, target-schema: w, target-table: t, \
                   extract-table: {table-regexp: '(.*)', target-column: whence}}\n",
            ..ALL
        };
        routed.check(from, to).finds(name, "fail", &["whence"]);
        to.run("w", "ALTER TABLE t ADD whence VARCHAR(64)");
        routed.check(from, to).silent(name);
        to.run("w", "DROP TABLE t");
        routed.check(from, to).finds(name, "fail", &["does not exist"]);
        from.run("", "CREATE DATABASE other; CREATE TABLE other.p (id INT PRIMARY KEY); CREATE TABLE w.c (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES other.p (id))");
        ALL.check(from, to).passes().finds(name, "warn", &["other", "not part of the task"]);
        from.run("", "DROP TABLE w.c");
    });
}

#[test]
fn tables_that_come_together() {
    both(|_, from, to| {
        let name = "sharding table consistency checking";
        from.run("w", "DROP TABLE t; CREATE TABLE t_1 (id INT AUTO_INCREMENT PRIMARY KEY, v INT); CREATE TABLE t_2 (id INT AUTO_INCREMENT PRIMARY KEY, v INT, x INT)");
        let merge = Case {
            instance: "    route-rules: [r]\n",
            more: "routes:\n  r: {schema-pattern: w, table-pattern: 't_*', target-schema: w, target-table: t}\n",
            ..ALL
        };
        let checked = merge.check(from, to);
        checked.finds(name, "fail", &["differ", "x"]);
        checked.finds("auto-increment key checking", "warn", &["AUTO_INCREMENT"]);
        from.run("w", "ALTER TABLE t_2 DROP x");
        merge.check(from, to).silent(name).finds("auto-increment key checking", "warn", &[]);
        let more = format!("{}ignore-checking-items: [auto_increment_ID]\n", merge.more);
        Case { more: &more, ..merge }.check(from, to).silent("auto-increment key checking");
        from.run("w", "ALTER TABLE t_1 MODIFY id INT; ALTER TABLE t_2 MODIFY id INT");
        merge.check(from, to).passes().silent("auto-increment key checking");
        from.run("w", "ALTER TABLE t_2 MODIFY v BIGINT");
        merge.check(from, to).passes().finds(name, "warn", &["BigInt"]);
    });
}

#[test]
fn target_names_and_routes() {
    both(|_, from, to| {
        from.run("w", "CREATE TABLE T (id INT PRIMARY KEY)");
        // Linux tells them apart, which deserves a word all the same.
        ALL.check(from, to).passes().finds("target names check", "warn", &["w.T"]);
        // The same with a target whose answer is that it takes both for one.
        let folding: fn(&mut [u8]) = |bytes| {
            replace(bytes, b"lower_case_table_names\x010", b"lower_case_table_names\x011");
        };
        let folding = rewriting(to, folding);
        ALL.check(from, &folding).finds("target names check", "fail", &["w.T", "w.t"]);
        from.run("w", "DROP TABLE T");
        let twice = Case {
            instance: "    route-rules: [a, b]\n",
            more: "routes:\n  a: {schema-pattern: w, target-schema: x}\n  b: {schema-pattern: 'w*', target-schema: y}\n",
            ..ALL
        };
        twice.check(from, to).finds("target names check", "fail", &["`w`.`t`"]);
        ALL.check(from, to).silent("target names check");
    });
}

#[test]
fn tables_without_keys_and_targets_that_want_them() {
    both(|flavor, from, to| {
        from.run("w", "CREATE TABLE bare (v INT)");
        ALL.check(from, to).passes().finds("primary key", "warn", &["bare", "PRIMARY KEY"]);
        // With one of two warnings printed, what is left out is told.
        from.run("w", "CREATE TABLE naked (v INT)");
        let dm = ALL.set_up(from, to);
        let told = dm.other(&["check-task", "task.yaml", "-s", "source-1.yaml", "-w", "1"]);
        assert!(told.stdout.contains("warning: and 1 more"), "{}", told.stdout);
        from.run("w", "DROP TABLE naked");
        let variable =
            if flavor.is_mysql() { "sql_require_primary_key" } else { "innodb_force_primary_key" };
        let name = "sql_require_primary_key check";
        {
            let _globals = to.with_globals(&[(variable, "1")]);
            ALL.check(from, to).finds(name, "fail", &["bare", variable]);
            from.run("w", "DROP TABLE bare");
            ALL.check(from, to).silent(name).silent("primary key");
        }
    });
}

#[test]
fn cascades_that_are_not_logged() {
    each(|flavor| {
        let name = "unlogged cascades check";
        let (from, to) = stage(flavor)?;
        from.run("w", "CREATE TABLE p (id INT PRIMARY KEY); CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)");
        let checked = ALL.check(from, to);
        if flavor.is_mysql() {
            checked.passes().silent(name);
            // One that carries foreign keys out inside of its storage engine logs nothing of it.
            let from = Server::start("native", flavor, &["--innodb-native-foreign-keys=ON"])?;
            from.run("", "CREATE DATABASE w; CREATE TABLE w.p (id INT PRIMARY KEY); CREATE TABLE w.c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES w.p (id) ON UPDATE CASCADE)");
            ALL.check(&from, to).finds(name, "fail", &["ON UPDATE CASCADE"]);
            from.wipe();
        } else {
            checked.finds(name, "fail", &["ON DELETE CASCADE", "`p`"]);
            Case { mode: "full", ..ALL }.check(from, to).passes();
            from.run("w", "DROP TABLE c; CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id))");
            ALL.check(from, to).passes().silent(name);
        }
        Some(())
    });
}

#[test]
fn sequences_of_the_source() {
    both(|flavor, from, to| {
        let name = "sequences check";
        if !flavor.is_mysql() {
            from.run("w", "CREATE SEQUENCE s");
            ALL.check(from, to).passes().finds(name, "warn", &["`w`.`s`", "cut-over"]);
            let more = "    ignore-tables: [{db-name: w, tbl-name: s}]\n";
            let without = Case { more, ..ALL };
            without.check(from, to).silent(name);
            // The advice helps; what the source logs of its counting is passed over.
            let dm = ALL.set_up(from, to);
            dm.catch_up().expect_success();
            from.run("w", "SELECT NEXTVAL(s)");
            dm.catch_up().expect_success();
            to.run("w", "CREATE SEQUENCE s");
            from.run("w", "ALTER SEQUENCE s RESTART 50; INSERT INTO t VALUES (2, 2)");
            dm.catch_up().expect_success();
            assert_eq!(to.value::<u64>("SELECT COUNT(*) FROM w.t"), 2);
            from.run("w", "DROP SEQUENCE s");
        }
        ALL.check(from, to).silent(name);
    });
}

#[test]
fn triggers_and_unique_keys_of_the_target() {
    both(|_, from, to| {
        to.run("", "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY, v INT UNIQUE)");
        to.run("w", "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 5");
        let checked = ALL.check(from, to);
        checked.finds("target triggers check", "fail", &["tr", "DROP TRIGGER"]);
        checked.finds("target unique keys check", "warn", &["(v)", "1062"]);
        let more = "ignore-checking-items: [target_triggers]\n";
        Case { more, ..ALL }.check(from, to).passes();
        to.run("w", "DROP TRIGGER tr; ALTER TABLE t DROP KEY v, ADD UNIQUE KEY both_of (v, id)");
        ALL.check(from, to).silent("target triggers check").silent("target unique keys check");
    });
}

#[test]
fn values_that_the_target_cannot_hold() {
    each(|flavor| {
        let name = "target values check";
        let (from, to) = stage(flavor)?;
        to.run("", "CREATE DATABASE w; CREATE TABLE w.t (id INT PRIMARY KEY, v SMALLINT)");
        ALL.check(from, to).passes().finds(name, "warn", &["`v`", "-32768 to 32767"]);
        to.run("w", "ALTER TABLE t MODIFY v BIGINT");
        ALL.check(from, to).silent(name);
        // A type that only the other family has.
        let (other, strange) =
            if flavor.is_mysql() { (Flavor::Mariadb, "INET6") } else { (Flavor::Mysql, "VECTOR") };
        let (from, _) = stage(other)?;
        from.run("w", &format!("CREATE TABLE net (id INT PRIMARY KEY, address {strange})"));
        ALL.check(from, to).finds(name, "fail", &["address", strange]);
        // The advice helps.
        let (instead, value) = match flavor.is_mysql() {
            true => ("VARCHAR(39)", "'2001:db8::1'"),
            false => ("LONGBLOB", "STRING_TO_VECTOR('[1, 2.5]')"),
        };
        to.run("w", &format!("CREATE TABLE net (id INT PRIMARY KEY, address {instead})"));
        from.run("w", &format!("INSERT INTO net VALUES (1, {value})"));
        let dm = ALL.set_up(from, to);
        dm.catch_up().expect_success();
        from.run("w", &format!("INSERT INTO net VALUES (2, {value})"));
        dm.catch_up().expect_success();
        let text = if flavor.is_mysql() { "CAST(address AS CHAR)" } else { "HEX(address)" };
        let rows = format!("SELECT id, {text} FROM w.net ORDER BY id");
        assert_eq!(from.rows::<(u32, String)>(&rows), to.rows::<(u32, String)>(&rows));
        Some(())
    });
}
