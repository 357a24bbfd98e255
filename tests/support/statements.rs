//! Statements that change tables at random while everything else happens.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql::prelude::Queryable;

use super::random::Random;
use super::server::Address;
use super::wait;
use super::workload::{connect, is_gone};

/// A table of its own that statements change again and again, with rows in between.
pub const SHAPE: &str = "CREATE TABLE shape (id INT AUTO_INCREMENT PRIMARY KEY, a INT DEFAULT 1, b VARCHAR(20)); \
                     INSERT INTO shape (a, b) VALUES (1, 'x'), (2, 'y'), (NULL, NULL)";

/// Statements that fit at any time; a column or table that is not there is the server's refusal and
/// so no event.
pub fn statements(random: &mut Random, round: u64) -> Vec<String> {
    let n = random.below(4);
    let list: &[String] = &[
        format!("ALTER TABLE shape ADD COLUMN c{n} INT NOT NULL DEFAULT {round} FIRST"),
        format!("ALTER TABLE shape ADD COLUMN c{n} VARCHAR(9) DEFAULT 'é' AFTER a"),
        format!("ALTER TABLE shape DROP COLUMN c{n}"),
        "ALTER TABLE shape RENAME COLUMN a TO b, RENAME COLUMN b TO a".to_owned(),
        "ALTER TABLE shape RENAME COLUMN a TO tmp".to_owned(),
        "ALTER TABLE shape RENAME COLUMN tmp TO a".to_owned(),
        format!("ALTER TABLE shape ADD INDEX i{n} (a)"),
        format!("DROP INDEX i{n} ON shape"),
        "RENAME TABLE shape TO shape2, shape2 TO shape".to_owned(),
        "RENAME TABLE shape TO shape_old".to_owned(),
        "RENAME TABLE shape_old TO shape".to_owned(),
        "RENAME TABLE shape TO x, twin TO shape, x TO twin".to_owned(),
        "CREATE TABLE twin LIKE shape".to_owned(),
        "DROP TABLE IF EXISTS twin".to_owned(),
        "TRUNCATE TABLE shape".to_owned(),
        format!(
            "CREATE TABLE made{n} (id INT PRIMARY KEY, v VARCHAR(40) DEFAULT 'shape, ; -- `x`')"
        ),
        format!("DROP TABLE made{n}"),
        format!("INSERT INTO made{n} (id) VALUES ({round})"),
        format!("ALTER TABLE spare ADD COLUMN extra{n} INT DEFAULT {n}"),
        format!("ALTER TABLE spare DROP COLUMN extra{n}"),
    ];
    let mut chosen = vec![random.pick(list).clone()];
    chosen.push(format!("INSERT INTO shape (id) VALUES (NULL), ({})", 100_000 + round));
    chosen.push("UPDATE shape SET b = a".to_owned());
    chosen
}

/// Changes tables until it is told to stop; counts the statements that the server took.
pub fn change_tables(source: &Address, db: &str, seed: u64, stop: &AtomicBool, done: &AtomicU64) {
    let mut open = None;
    let mut random = Random::new(seed);
    for round in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let conn = open.take().or_else(|| connect(source, db));
        if let Some(mut conn) = conn {
            // What the server refuses (a table that is away, a value that does not fit) is no change.
            let lost = statements(&mut random, round).iter().any(|statement| {
                let result = conn.query_drop(statement);
                done.fetch_add(u64::from(result.is_ok()), Ordering::SeqCst);
                result.is_err_and(|e| is_gone(&e))
            });
            open = (!lost).then_some(conn);
        }
        wait::pass(Duration::from_millis(40));
    }
}
