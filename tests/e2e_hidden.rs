//! Tables whose key MySQL generates and hides (`sql_generate_invisible_primary_key`): their rows
//! carry a column that their statements, and on demand their structures, do not show.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use support::compare::Target;
use support::dm::{Dm, Task};
use support::serial;
use support::server::{Address, Flavor, Server};

const DB: &str = "hidden";

/// Both sides alike, equal rows as often as they are there.
#[track_caller]
fn assert_same(from: &Address, to: &Address, columns: &str, table: &str) {
    let query = format!("SELECT CONCAT_WS('|', {columns}) FROM {DB}.{table} ORDER BY 1");
    let rows = from.rows::<String>(&query);
    assert!(!rows.is_empty(), "{table} is empty");
    assert_eq!(rows, to.rows::<String>(&query), "{table}");
}

/// The key of a table as the server says it, whatever it shows elsewhere.
fn has_generated_key(server: &Address, table: &str) -> bool {
    let mut conn = server.conn();
    let sql = "SET SESSION show_gipk_in_create_table_and_information_schema = ON";
    mysql::prelude::Queryable::query_drop(&mut conn, sql).unwrap();
    let sql = format!("SHOW CREATE TABLE {DB}.{table}");
    let row: Option<(String, String)> =
        mysql::prelude::Queryable::query_first(&mut conn, sql).unwrap();
    row.unwrap().1.contains("`my_row_id`")
}

fn generated_keys(shown: &str, metadata: &str, target_generates: bool) {
    let options = ["--sql-generate-invisible-primary-key=ON"];
    let Some(from) = Server::shared_with(Flavor::Mysql, "gipk", &options) else { return };
    let to = match target_generates {
        true => Server::shared_with(Flavor::Mysql, "gipk-dst", &options),
        false => Server::target(Flavor::Mysql),
    };
    let Some(to) = to else { return };
    from.clear();
    to.clear();
    from.run(
        "",
        &format!(
            "SET GLOBAL show_gipk_in_create_table_and_information_schema = {shown}; \
             SET GLOBAL binlog_row_metadata = {metadata}; CREATE DATABASE {DB}"
        ),
    );
    from.run(
        DB,
        "CREATE TABLE plain (a INT, b VARCHAR(20)); CREATE TABLE bigints (a BIGINT NOT NULL, b BIGINT NOT NULL); \
         CREATE TABLE keyed (a INT PRIMARY KEY, b INT); \
         INSERT INTO plain VALUES (1, 'same'), (1, 'same'), (2, 'two'), (3, NULL); \
         INSERT INTO bigints VALUES (1, 1), (1, 1), (2, 2); INSERT INTO keyed VALUES (1, 1)",
    );
    let sources = [&from.address];
    let dm = Dm::set_up(&Task::new("all", &sources, Target::Server(to), &[DB]));
    dm.catch_up().expect_success();
    for table in ["plain", "bigints"] {
        assert!(has_generated_key(from, table) && has_generated_key(to, table), "{table}");
        // The hidden values themselves are the source's.
        assert_same(from, to, "my_row_id, a, b", table);
    }
    from.run(
        DB,
        "UPDATE plain SET b = 'other' WHERE a = 1 LIMIT 1; DELETE FROM plain WHERE a = 2; \
         INSERT INTO plain VALUES (4, 'four'); UPDATE bigints SET b = 9 WHERE a = 1 LIMIT 1; \
         DELETE FROM bigints WHERE b = 2; ALTER TABLE plain ADD COLUMN c INT DEFAULT 7; \
         INSERT INTO plain VALUES (5, 'five', 5); \
         CREATE TABLE made (a INT, b TEXT); INSERT INTO made VALUES (1, 'x'), (1, 'x'), (2, 'y'); \
         CREATE TABLE made_bigints (a BIGINT, b BIGINT); INSERT INTO made_bigints VALUES (1, 1), (1, 1), (3, 3)",
    );
    dm.catch_up().expect_success();
    from.run(
        DB,
        "UPDATE made SET b = 'z' WHERE a = 1 LIMIT 1; DELETE FROM made WHERE a = 2; \
         UPDATE made_bigints SET b = 2 WHERE a = 1 LIMIT 1; DELETE FROM made_bigints WHERE a = 3; \
         CREATE TABLE taken AS SELECT a, b FROM plain; UPDATE taken SET b = 'q' WHERE a = 1",
    );
    dm.catch_up().expect_success();
    assert_same(from, to, "my_row_id, a, b, c", "plain");
    assert_same(from, to, "my_row_id, a, b", "bigints");
    for table in ["made", "made_bigints", "taken", "keyed"] {
        assert_same(from, to, "a, b", table);
    }
}

#[test]
fn tables_with_a_generated_key_are_copied_and_followed() {
    let _one = serial();
    generated_keys("ON", "MINIMAL", false);
}

#[test]
fn tables_with_a_generated_key_that_is_not_shown_are_copied_and_followed() {
    let _one = serial();
    generated_keys("OFF", "MINIMAL", false);
    generated_keys("OFF", "FULL", false);
}

#[test]
fn a_target_that_generates_keys_itself_gets_the_sources() {
    let _one = serial();
    generated_keys("ON", "MINIMAL", true);
}
