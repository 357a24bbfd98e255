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
                     CREATE TABLE online (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20)); \
                     INSERT INTO online (v) VALUES ('one'), ('two'); \
                     CREATE TABLE parts (id INT NOT NULL, d INT NOT NULL, v VARCHAR(30), PRIMARY KEY (id, d)) \
                     DEFAULT CHARSET=utf8mb4 PARTITION BY RANGE (d) (PARTITION p0 VALUES LESS THAN (10), \
                     PARTITION p1 VALUES LESS THAN (20), PARTITION pm VALUES LESS THAN MAXVALUE)";

/// What a load may do beside what every load does.
#[derive(Clone, Copy, Debug, Default)]
pub struct More {
    /// Statements that only servers of one family know.
    pub own: bool,
    /// What tools for online schema changes do. A task does not begin while one of them is at work.
    pub online: bool,
}

/// Statements that fit at any time; a column or table that is not there is the server's refusal and
/// so no event.
fn statements(random: &mut Random, round: u64, more: More) -> Vec<String> {
    let mut chosen = match more.online && random.one_in(6) {
        true => online_change(random.below(6), round),
        false => vec![statement(random, round, more.own)],
    };
    chosen.push(format!("INSERT INTO shape (id) VALUES (NULL), ({})", 100_000 + round));
    chosen.push("UPDATE shape SET b = a".to_owned());
    chosen.push(format!("INSERT INTO parts (id, d, v) VALUES ({round}, {}, 'é')", round % 40));
    chosen.push(format!("UPDATE parts SET v = 'x' WHERE d = {}", random.below(40)));
    chosen
}

fn statement(random: &mut Random, round: u64, own: bool) -> String {
    let n = random.below(4);
    // Structures of columns, keys and names; partitions, types and character sets; what stands around tables.
    let list = match random.below(4) {
        0 => changes(n, round),
        1 => further(n, round),
        2 => around(n, round),
        _ if own => of_one_family(n, round),
        // What the source does not know it refuses.
        _ => [of_mariadb(n, round), of_mysql(n)].concat(),
    };
    random.pick(&list).clone()
}

/// A change as gh-ost makes it, or pt-online-schema-change: a table like the other one is changed and filled, then
/// the two change places. The change is one that no server refuses: a tool would end there.
fn online_change(n: u64, round: u64) -> Vec<String> {
    let (new, old) = [("_online_gho", "_online_del"), ("_online_new", "_online_old")]
        [usize::try_from(round % 2).unwrap_or(0)];
    let change = match n {
        0 => "MODIFY v VARCHAR(40)".to_owned(),
        1 => format!("ADD KEY v{round} (v)"),
        2 => "MODIFY v VARCHAR(30) NULL DEFAULT 'é', ENGINE = InnoDB".to_owned(),
        _ => format!(
            "ADD COLUMN x{round} INT NOT NULL DEFAULT {round} FIRST, COMMENT 'round {round}'"
        ),
    };
    vec![
        format!("DROP TABLE IF EXISTS {new}, {old}, _online_ghc"),
        "CREATE TABLE _online_ghc (id BIGINT PRIMARY KEY, hint VARCHAR(64))".to_owned(),
        format!("CREATE TABLE {new} LIKE online"),
        format!("ALTER TABLE {new} {change}"),
        format!("INSERT INTO {new} (id, v) SELECT id, v FROM online"),
        format!("RENAME TABLE online TO {old}, {new} TO online"),
        "INSERT INTO online (v) VALUES ('behind it')".to_owned(),
        format!("DROP TABLE IF EXISTS {old}, _online_ghc"),
    ]
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
        "ALTER TABLE shape CHANGE b b VARCHAR(60), ALTER a SET DEFAULT 4".to_owned(),
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

/// Columns that follow from others, rules, tables that refer to others; views and triggers, which are not carried;
/// what a schema and a session say of the statements behind.
fn around(n: u64, round: u64) -> Vec<String> {
    let charset = ["utf8mb4", "latin1"][usize::try_from(n % 2).unwrap_or(0)];
    vec![
        format!("ALTER TABLE parts ADD COLUMN g{n} INT AS (d + 1) STORED AFTER id, ADD KEY g{n} (g{n})"),
        format!("ALTER TABLE parts ADD COLUMN g{n} BIGINT GENERATED ALWAYS AS (d * {n}) VIRTUAL"),
        format!("ALTER TABLE parts DROP COLUMN g{n}"),
        format!("ALTER TABLE shape ADD CONSTRAINT k{n} CHECK (id > 0)"),
        format!("ALTER TABLE shape DROP CONSTRAINT k{n}"),
        format!("ALTER TABLE shape ADD COLUMN s{n} ENUM('x', 'it''s', 'é') NOT NULL DEFAULT 'é'"),
        format!("ALTER TABLE shape MODIFY s{n} SET('é', 'x', 'it''s', 'y') NULL DEFAULT 'é,y'"),
        format!("ALTER TABLE shape DROP COLUMN s{n}"),
        format!("ALTER TABLE shape ADD COLUMN t{n} TIMESTAMP NULL DEFAULT '2020-01-0{} 02:00:00'", n + 1),
        format!("ALTER TABLE shape ADD COLUMN t{n} TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)"),
        format!("ALTER TABLE shape DROP COLUMN t{n}"),
        format!("ALTER TABLE shape RENAME INDEX i{n} TO i{}", (n + 1) % 4),
        format!("ALTER TABLE shape AUTO_INCREMENT = {}", 200_000 + round),
        "ALTER TABLE shape ENGINE = InnoDB, FORCE".to_owned(),
        "OPTIMIZE TABLE shape, parts".to_owned(),
        "CREATE TABLE refers (id INT AUTO_INCREMENT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES shape (id))".to_owned(),
        "INSERT INTO refers (p) SELECT id FROM shape LIMIT 5".to_owned(),
        "DROP TABLE IF EXISTS refers".to_owned(),
        "DROP TABLE IF EXISTS refers, swap, twin".to_owned(),
        "CREATE TABLE swap LIKE parts".to_owned(),
        "ALTER TABLE swap REMOVE PARTITIONING".to_owned(),
        format!("INSERT INTO swap (id, d, v) VALUES ({round}, {n}, 'swapped')"),
        format!("RENAME TABLE made{n} TO made, made TO made{}", (n + 1) % 4),
        format!("CREATE OR REPLACE VIEW seen AS SELECT id, {n} AS n FROM shape"),
        "DROP VIEW IF EXISTS seen".to_owned(),
        "CREATE TRIGGER told BEFORE INSERT ON shape FOR EACH ROW SET NEW.a = NEW.id % 7".to_owned(),
        "DROP TRIGGER IF EXISTS told".to_owned(),
        format!("ALTER DATABASE CHARACTER SET {charset}"),
        "SET NAMES latin1".to_owned(),
        "SET NAMES utf8mb4".to_owned(),
        "SET SESSION time_zone = '+05:00'".to_owned(),
        "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,NO_ZERO_DATE'".to_owned(),
        "SET SESSION sql_mode = DEFAULT".to_owned(),
    ]
}

/// What MariaDB alone knows, and every target gets: its conditions, and what has other words elsewhere.
fn of_mariadb(n: u64, round: u64) -> Vec<String> {
    vec![
        format!("ALTER TABLE shape ADD COLUMN IF NOT EXISTS c{n} INT DEFAULT {round}"),
        format!(
            "ALTER TABLE IF EXISTS shape DROP COLUMN IF EXISTS c{n}, ADD KEY IF NOT EXISTS i{n} (a)"
        ),
        format!(
            "ALTER TABLE shape MODIFY COLUMN IF EXISTS c{n} BIGINT, DROP CONSTRAINT IF EXISTS k{n}"
        ),
        format!("CREATE INDEX IF NOT EXISTS i{n} ON shape (b(3), a)"),
        format!("CREATE OR REPLACE INDEX i{n} ON shape (a, id)"),
        format!(
            "CREATE OR REPLACE TABLE made{n} (id INT PRIMARY KEY, v VARCHAR(40), a INT DEFAULT {n})"
        ),
        format!("CREATE OR REPLACE TABLE made{n} LIKE shape"),
        format!(
            "CREATE OR REPLACE TABLE made{n} (id INT PRIMARY KEY) SELECT id, {n} AS a FROM parts LIMIT 3"
        ),
        format!("RENAME TABLE IF EXISTS made{n} WAIT 1 TO made{}", (n + 1) % 4),
        format!("ALTER TABLE shape ALTER INDEX IF EXISTS i{n} IGNORED"),
        "ALTER TABLE parts DROP PARTITION IF EXISTS p2, p9".to_owned(),
        "ALTER TABLE parts ADD PARTITION IF NOT EXISTS (PARTITION p1 VALUES LESS THAN (99))"
            .to_owned(),
        "ALTER TABLE shape ADD SYSTEM VERSIONING".to_owned(),
        "ALTER TABLE shape DROP SYSTEM VERSIONING".to_owned(),
        format!("ALTER TABLE shape ADD COLUMN z{n} VARCHAR(50) COMPRESSED DEFAULT 'zzzz'"),
        format!("ALTER TABLE shape DROP COLUMN IF EXISTS z{n}"),
    ]
}

/// The same of MySQL.
fn of_mysql(n: u64) -> Vec<String> {
    vec![
        format!("ALTER TABLE shape ALTER INDEX i{n} INVISIBLE"),
        format!("ALTER TABLE shape ADD KEY i{n} (a DESC, id) VISIBLE"),
        format!("CREATE INDEX i{n} ON shape (a, b(2)) INVISIBLE"),
        format!(
            "ALTER TABLE shape ADD CONSTRAINT k{n} CHECK (id < 1000000), ALTER INDEX i{n} VISIBLE"
        ),
        format!("ALTER TABLE shape DROP CHECK k{n}"),
        format!(
            "ALTER TABLE shape ADD COLUMN j{n} JSON DEFAULT (JSON_ARRAY(1, {n})), ADD COLUMN h{n} INT INVISIBLE DEFAULT 3"
        ),
        format!("ALTER TABLE shape DROP COLUMN j{n}, DROP COLUMN h{n}"),
        format!(
            "ALTER TABLE shape ADD COLUMN p{n} POINT SRID 4326, ADD COLUMN f{n} INT COLUMN_FORMAT DYNAMIC"
        ),
        format!("ALTER TABLE shape DROP COLUMN p{n}, DROP COLUMN f{n}"),
    ]
}

/// What servers of one family alone know; and what wants two tables to be equal, which they are not where the other
/// family has other collations for their character sets.
fn of_one_family(n: u64, round: u64) -> Vec<String> {
    let mut list = of_mariadb(n, round);
    list.append(&mut of_mysql(n));
    list.extend([
        "ALTER TABLE parts EXCHANGE PARTITION p0 WITH TABLE swap".to_owned(),
        // MySQL wants to be told how much of a text a key holds.
        "ALTER TABLE shape CHANGE b b TEXT, ALTER a SET DEFAULT 4".to_owned(),
        // MySQL lets no column follow from one that is numbered by itself.
        format!(
            "ALTER TABLE shape ADD COLUMN g{n} INT AS (id + 1) STORED AFTER id, ADD KEY g{n} (g{n})"
        ),
        format!("ALTER TABLE shape ADD COLUMN g{n} BIGINT GENERATED ALWAYS AS (id * {n}) VIRTUAL"),
        format!("ALTER TABLE shape DROP COLUMN g{n}"),
        format!("ALTER TABLE shape ADD KEY e{n} ((id + {n}), id DESC)"),
        format!("ALTER TABLE shape DROP KEY e{n}"),
        format!("ALTER TABLE shape ADD CONSTRAINT k{n} CHECK (a < 0) NOT ENFORCED"),
    ]);
    list
}

/// True for statements after which every server has its table, also when it is killed in the middle of one.
/// MariaDB makes changes of a partitioned table file by file: one that is cut short may leave neither the
/// old table nor the new one, and a directory that cannot be dropped.
pub fn survives_kills(server: Flavor, statement: &str) -> bool {
    let rows = statement.starts_with("INSERT") || statement.starts_with("UPDATE");
    let partitioned = ["parts", "swap"].iter().any(|table| statement.contains(table));
    server.is_mysql() || rows || !partitioned
}

/// Changes tables until it is told to stop, by the statements that `kept` says; counts those that the
/// server took.
pub fn change_tables(
    source: &Address,
    db: &str,
    seed: u64,
    more: More,
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
            let chosen = statements(&mut random, round, more);
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
