//! A second random load, over tables whose shapes have broken other tools: keys that a collation
//! calls equal, unique values that go round in a circle, keys made of several columns, of decimals,
//! of bytes, of generated columns, of prefixes, of NULLs; foreign keys; and no key at all.

use super::random::Random;
use super::workload::Transactions;

/// The tables; run it in the database of the load.
pub const TABLES: &str = "
CREATE TABLE hu (k VARCHAR(30) COLLATE utf8mb4_hungarian_ci NOT NULL PRIMARY KEY, v INT);
CREATE TABLE sv (k VARCHAR(30) COLLATE utf8mb4_swedish_ci NOT NULL, n INT NOT NULL, v INT, PRIMARY KEY (k, n));
CREATE TABLE emo (k VARCHAR(30) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, v INT);
CREATE TABLE tri (id INT NOT NULL PRIMARY KEY, u VARCHAR(10) NOT NULL, w INT NULL, v INT, UNIQUE KEY u (u), UNIQUE KEY w (w));
CREATE TABLE par (a INT NOT NULL, b VARCHAR(8) NOT NULL, v INT, PRIMARY KEY (a, b));
CREATE TABLE kid (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(8), n INT,
  CONSTRAINT kid_of FOREIGN KEY (a, b) REFERENCES par (a, b));
CREATE TABLE gen (id INT NOT NULL PRIMARY KEY, a INT, b INT AS (a * 2) VIRTUAL, c INT AS (a % 500) STORED, UNIQUE KEY c (c));
CREATE TABLE pre (id INT NOT NULL PRIMARY KEY, t TEXT, bl BLOB, UNIQUE KEY t (t(4)), KEY bl (bl(3)));
CREATE TABLE nok (f FLOAT, j JSON, t TEXT, d DATETIME(6), e ENUM('a','b','c'));
CREATE TABLE de (d DECIMAL(20,5) NOT NULL, ts TIMESTAMP(3) NOT NULL DEFAULT '2020-01-01 00:00:00', v INT, PRIMARY KEY (d, ts));
CREATE TABLE bin (k VARBINARY(16) NOT NULL PRIMARY KEY, v JSON, m MEDIUMTEXT);
CREATE TABLE nn (a INT NULL, b INT NULL, v INT, UNIQUE KEY ab (a, b));
CREATE TABLE xat (id BIGINT NOT NULL PRIMARY KEY, v INT, s VARCHAR(20));
CREATE TABLE many (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200));
CREATE TABLE many2 (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200), n INT);
INSERT INTO tri VALUES (1,'a',1,0),(2,'b',2,0),(3,'c',3,0),(4,'d',4,0),(5,'e',NULL,0),(6,'f',6,0),(7,'g',7,0),(8,'h',NULL,0);
INSERT INTO par VALUES (1,'x',0),(2,'y',0),(3,'z',0);
";

/// Makes the transactions.
#[derive(Clone, Debug)]
pub struct Shapes {
    random: Random,
}

impl Shapes {
    /// The generator of one thread.
    pub fn new(seed: u64, thread: u64) -> Self {
        Self {
            random: Random::new(seed.wrapping_add(thread.wrapping_mul(104_729)).wrapping_add(5)),
        }
    }

    fn n(&mut self, limit: u64) -> u64 {
        self.random.below(limit)
    }

    fn word(&mut self, words: &[&str]) -> String {
        format!("'{}'", self.random.pick(words))
    }

    /// A change of a table with a key `k` that its collation calls equal in several spellings.
    fn spelled(&mut self, table: &str, words: &[&str], more: &str) -> String {
        let (key, other, v) = (self.word(words), self.word(words), self.n(1000));
        let (columns, values) = if more.is_empty() {
            (String::new(), String::new())
        } else {
            (format!(", {more}"), format!(", {}", self.n(3)))
        };
        match self.n(5) {
            0 => format!("DELETE FROM {table} WHERE k = {key}"),
            1 => format!("UPDATE {table} SET k = {other}, v = {v} WHERE k = {key}"),
            2 => format!("REPLACE INTO {table} (k, v{columns}) VALUES ({key}, {v}{values})"),
            3 => format!(
                "INSERT INTO {table} (k, v{columns}) VALUES ({key}, {v}{values}) ON DUPLICATE KEY UPDATE k = VALUES(k), v = {v}"
            ),
            _ => format!("INSERT IGNORE INTO {table} (k, v{columns}) VALUES ({key}, {v}{values})"),
        }
    }

    fn change(&mut self) -> Vec<String> {
        let one = match self.n(13) {
            0 => self.spelled(
                "hu",
                &["ccs", "cscs", "CSCS", "Ccs", "ch", "x1", "x2", "dzs", "ddzs"],
                "",
            ),
            1 => self.spelled("sv", &["ü", "y", "Y", "å", "aa", "ö"], "n"),
            2 => self.spelled("emo", &["🍣", "🍺", "a", "a ", "A", "ß", "s"], ""),
            3 | 4 => return self.circle(),
            5 => self.parent(),
            6 => self.child(),
            7 => self.generated(),
            8 => self.prefix(),
            9 => self.keyless(),
            10 => self.decimal(),
            11 => self.bytes(),
            _ => self.nulls(),
        };
        vec![one]
    }

    /// Rows hand their unique values on in a circle, by way of a value that nobody has.
    fn circle(&mut self) -> Vec<String> {
        let (a, b, v) = (self.n(8) + 1, self.n(8) + 1, self.n(1000));
        if a == b {
            return vec![match self.n(3) {
                0 => format!("UPDATE tri SET w = NULL, v = {v} WHERE id = {a}"),
                1 => format!("UPDATE IGNORE tri SET w = {} WHERE id = {a}", self.n(9)),
                _ => {
                    format!("REPLACE INTO tri VALUES ({a}, 'n{}', {}, {v})", self.n(20), self.n(9))
                }
            }];
        }
        let c = (a.max(b) % 8) + 1;
        let mut list = vec![
            format!("SELECT u, w INTO @ua, @wa FROM tri WHERE id = {a} FOR UPDATE"),
            format!("SELECT u, w INTO @ub, @wb FROM tri WHERE id = {b} FOR UPDATE"),
            format!(
                "UPDATE tri SET u = CONCAT('t', CONNECTION_ID() % 1000000), w = NULL WHERE id = {a}"
            ),
            format!("UPDATE tri SET u = @ua, w = @wa, v = {v} WHERE id = {b}"),
            format!("UPDATE tri SET u = @ub, w = @wb WHERE id = {a}"),
        ];
        if c != a && c != b && self.random.one_in(2) {
            list.push(format!("DELETE FROM tri WHERE id = {c}"));
            list.push(format!("INSERT INTO tri VALUES ({c}, 'k{}', NULL, {v})", self.n(30)));
        }
        list
    }

    fn parent(&mut self) -> String {
        let (a, b, v) = (self.n(12), self.word(&["x", "y", "z"]), self.n(1000));
        match self.n(4) {
            0 => format!("DELETE FROM par WHERE a = {a} AND b = {b}"),
            1 => format!("UPDATE par SET v = {v} WHERE a = {a}"),
            2 => format!("UPDATE par SET a = {} WHERE a = {a} AND b = {b}", self.n(12)),
            _ => format!("INSERT INTO par VALUES ({a}, {b}, {v}) ON DUPLICATE KEY UPDATE v = {v}"),
        }
    }

    fn child(&mut self) -> String {
        let (a, b, n) = (self.n(12), self.word(&["x", "y", "z"]), self.n(50));
        match self.n(4) {
            0 => format!("DELETE FROM kid WHERE n = {n} LIMIT 3"),
            1 => format!("UPDATE kid SET a = {a}, b = {b} WHERE n = {n} LIMIT 2"),
            _ => format!("INSERT INTO kid (a, b, n) VALUES ({a}, {b}, {n}), (NULL, {b}, {n})"),
        }
    }

    fn generated(&mut self) -> String {
        let (id, a) = (self.n(300), self.n(5_000));
        match self.n(3) {
            0 => format!("DELETE FROM gen WHERE id = {id}"),
            1 => format!("UPDATE gen SET a = {a} WHERE id = {id}"),
            _ => format!("REPLACE INTO gen (id, a) VALUES ({id}, {a})"),
        }
    }

    fn prefix(&mut self) -> String {
        let (id, p) = (self.n(200), self.n(400));
        let text = format!("CONCAT('{p:03}é', REPEAT('x', {}))", self.n(300));
        match self.n(4) {
            0 => format!("DELETE FROM pre WHERE id = {id}"),
            1 => format!("UPDATE pre SET t = {text} WHERE id = {id}"),
            2 => format!("UPDATE pre SET id = {} WHERE id = {id}", self.n(200)),
            _ => format!("INSERT INTO pre VALUES ({id}, {text}, X'00FF{:02x}')", p % 256),
        }
    }

    fn keyless(&mut self) -> String {
        let (f, j) = (self.n(40), self.n(9));
        match self.n(4) {
            0 => format!("DELETE FROM nok WHERE t = 'row {j}' LIMIT 2"),
            1 => format!("UPDATE nok SET j = JSON_SET(j, '$.k', {f}), f = f / 7 WHERE t = 'row {j}' LIMIT 3"),
            2 => "INSERT INTO nok VALUES (NULL, NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL, NULL)".to_owned(),
            _ => {
                let row = format!("({f} / 3, '{{\"k\": {j}, \"s\": [1, \"é\"]}}', 'row {j}', '2024-01-01 00:00:00.{f:06}', 'b')");
                format!("INSERT INTO nok VALUES {row}, {row}")
            }
        }
    }

    fn decimal(&mut self) -> String {
        let (d, s, v) = (self.n(60), self.n(50), self.n(1000));
        let key = format!("{d}.{s:03}00");
        match self.n(3) {
            0 => format!("DELETE FROM de WHERE d > {key} ORDER BY d LIMIT 1"),
            1 => format!("UPDATE de SET d = -d, v = {v} WHERE d = {key}"),
            _ => format!("REPLACE INTO de VALUES ({key}, '2024-05-06 07:08:0{}.125', {v})", s % 10),
        }
    }

    fn bytes(&mut self) -> String {
        let (k, v) = (self.n(100), self.n(1000));
        let key = format!("X'{k:02x}00{:02x}'", k % 7);
        match self.n(4) {
            0 => format!("DELETE FROM bin WHERE k = {key}"),
            1 => format!(
                "UPDATE bin SET v = JSON_SET(v, '$.a[1]', {v}, '$.b', 'é{v}') WHERE k = {key}"
            ),
            2 => format!("UPDATE bin SET m = REPEAT('{v} ', {}) WHERE k = {key}", self.n(20_000)),
            _ => format!(
                "REPLACE INTO bin VALUES ({key}, '{{\"a\": [{v}, 2.50, null], \"b\": \"x\"}}', NULL)"
            ),
        }
    }

    fn nulls(&mut self) -> String {
        let (a, b, v) = (self.n(8), self.n(8), self.n(1000));
        match self.n(5) {
            0 => format!("DELETE FROM nn WHERE a = {a} AND b IS NULL LIMIT 1"),
            1 => format!("UPDATE nn SET b = NULL WHERE a = {a} AND b = {b}"),
            2 => format!("UPDATE IGNORE nn SET a = {b} WHERE a = {a} LIMIT 2"),
            3 => format!("INSERT INTO nn VALUES ({a}, NULL, {v}), (NULL, {b}, {v})"),
            _ => format!("INSERT INTO nn VALUES ({a}, {b}, {v}) ON DUPLICATE KEY UPDATE v = {v}"),
        }
    }
}

impl Transactions for Shapes {
    fn next(&mut self) -> Vec<String> {
        let mut list = vec!["BEGIN".to_owned()];
        for _ in 0..=self.random.below(4) {
            list.extend(self.change());
        }
        if self.random.one_in(8) {
            list.push("SAVEPOINT a".to_owned());
            list.extend(self.change());
            list.push("SAVEPOINT b".to_owned());
            list.extend(self.change());
            let back = if self.random.one_in(2) { "a" } else { "b" };
            list.push(format!("ROLLBACK TO {back}"));
            list.extend(self.change());
        }
        list.push(if self.random.one_in(15) { "ROLLBACK" } else { "COMMIT" }.to_owned());
        list
    }
}

/// One transaction over several tables with about `rows` rows in each of its three parts.
pub fn large(rows: u64) -> String {
    let numbers = super::workload::numbers();
    format!(
        "BEGIN; INSERT INTO many (v) SELECT CONCAT('v', s.n) FROM {numbers} s WHERE s.n < {rows}; \
         INSERT INTO many2 (v, n) SELECT v, id % 10 FROM many ORDER BY id DESC LIMIT {rows}; \
         UPDATE many2 SET v = CONCAT(n, '-', v) ORDER BY id DESC LIMIT {rows}; DELETE FROM many WHERE id % 3 = 0; COMMIT"
    )
}
