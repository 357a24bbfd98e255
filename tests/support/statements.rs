//! Statements that change tables at random while everything else happens.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql::prelude::Queryable;

use super::random::Random;
use super::server::{Address, Flavor};
use super::wait;
use super::workload::{connect, is_gone};

/// Tables of their own that statements change again and again, with rows in between.
pub const SHAPE: &str = "CREATE TABLE shape (id INT AUTO_INCREMENT PRIMARY KEY, a INT DEFAULT 1, b VARCHAR(20)); \
                     INSERT INTO shape (a, b) VALUES (1, 'x'), (2, 'y'), (NULL, NULL); \
                     CREATE TABLE parts (id INT NOT NULL, d INT NOT NULL, v VARCHAR(30), PRIMARY KEY (id, d)) \
                     DEFAULT CHARSET=utf8mb4 PARTITION BY RANGE (d) (PARTITION p0 VALUES LESS THAN (10), \
                     PARTITION p1 VALUES LESS THAN (20), PARTITION pm VALUES LESS THAN MAXVALUE)";

/// Statements that fit at any time; a column or table that is not there is the server's refusal and
/// so no event.
pub fn statements(random: &mut Random, round: u64) -> Vec<String> {
    let mut chosen = vec![statement(random, round)];
    chosen.push(format!("INSERT INTO shape (id) VALUES (NULL), ({})", 100_000 + round));
    chosen.push("UPDATE shape SET b = a".to_owned());
    chosen.push(format!("INSERT INTO parts VALUES ({round}, {}, 'é')", round % 40));
    chosen.push(format!("UPDATE parts SET v = 'x' WHERE d = {}", random.below(40)));
    chosen
}

fn statement(random: &mut Random, round: u64) -> String {
    let n = random.below(4);
    let changes = changes(n, round);
    // Structures of columns, keys and names on one side; partitions, types and character sets on the other.
    if random.one_in(2) {
        random.pick(&changes).clone()
    } else {
        random.pick(&further(n, round)).clone()
    }
}

/// Columns, keys, names; tables that come, go and change places.
fn changes(n: u64, round: u64) -> Vec<String> {
    vec![
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
    ]
}

/// Types, keys, partitions, character sets; tables made of queries and emptied.
fn further(n: u64, round: u64) -> Vec<String> {
    let charset = ["utf8mb4", "latin1", "utf8mb4 COLLATE utf8mb4_bin", "latin1 COLLATE latin1_bin"]
        [usize::try_from(n).unwrap_or(0)];
    vec![
        "ALTER TABLE shape MODIFY a BIGINT".to_owned(),
        "ALTER TABLE shape MODIFY a INT NULL DEFAULT 3, MODIFY b VARCHAR(40)".to_owned(),
        "ALTER TABLE shape CHANGE b b TEXT, ALTER a SET DEFAULT 4".to_owned(),
        "ALTER TABLE shape MODIFY b VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin FIRST".to_owned(),
        "ALTER TABLE shape MODIFY id BIGINT AUTO_INCREMENT".to_owned(),
        "ALTER TABLE shape DROP PRIMARY KEY, ADD PRIMARY KEY (id)".to_owned(),
        "ALTER TABLE shape DROP PRIMARY KEY, ADD PRIMARY KEY (id), ADD UNIQUE KEY u (id)".to_owned(),
        "ALTER TABLE shape DROP KEY u".to_owned(),
        format!("ALTER TABLE shape ADD UNIQUE KEY v{n} (id, a)"),
        format!("ALTER TABLE shape DROP KEY v{n}, ADD KEY w{n} (b(5), a)"),
        format!("ALTER TABLE shape DROP KEY w{n}"),
        format!("ALTER TABLE shape CONVERT TO CHARACTER SET {charset}"),
        format!("ALTER TABLE shape DEFAULT CHARACTER SET {charset}, COMMENT 'round {round}'"),
        format!("ALTER TABLE parts CONVERT TO CHARACTER SET {charset}"),
        "ALTER TABLE parts TRUNCATE PARTITION p0".to_owned(),
        "ALTER TABLE parts DROP PARTITION p2".to_owned(),
        "ALTER TABLE parts REORGANIZE PARTITION pm INTO (PARTITION p2 VALUES LESS THAN (30), \
         PARTITION pm VALUES LESS THAN MAXVALUE)"
            .to_owned(),
        "ALTER TABLE parts REMOVE PARTITIONING".to_owned(),
        "ALTER TABLE parts PARTITION BY RANGE (d) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN \
         (20), PARTITION pm VALUES LESS THAN MAXVALUE)"
            .to_owned(),
        "TRUNCATE TABLE parts".to_owned(),
        format!("CREATE TABLE made{n} (PRIMARY KEY (id)) SELECT id, a FROM shape WHERE id < 100000"),
        format!("DROP TABLE IF EXISTS made{n}"),
    ]
}

/// True for statements after which every server has its table, also when it is killed in the middle of one.
/// MariaDB makes changes of a partitioned table file by file: one that is cut short may leave neither the
/// old table nor the new one, and a directory that cannot be dropped.
pub fn survives_kills(server: Flavor, statement: &str) -> bool {
    server.is_mysql() || !statement.contains("TABLE parts")
}

/// Changes tables until it is told to stop, by the statements that `kept` says; counts those that the
/// server took.
pub fn change_tables(
    source: &Address,
    db: &str,
    seed: u64,
    kept: impl Fn(&str) -> bool,
    stop: &AtomicBool,
    done: &AtomicU64,
) {
    let mut open = None;
    let mut random = Random::new(seed);
    for round in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let conn = open.take().or_else(|| connect(source, db));
        if let Some(mut conn) = conn {
            // What the server refuses (a table that is away, a value that does not fit) is no change.
            let chosen = statements(&mut random, round);
            let lost = chosen.iter().filter(|s| kept(s)).any(|statement| {
                let result = conn.query_drop(statement);
                done.fetch_add(u64::from(result.is_ok()), Ordering::SeqCst);
                result.is_err_and(|e| is_gone(&e))
            });
            open = (!lost).then_some(conn);
        }
        wait::pass(Duration::from_millis(40));
    }
}
