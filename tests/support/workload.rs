//! A seeded random write load against a source.
//!
//! [`Generator`] makes transactions as SQL text and knows no server: the same seed gives the same
//! text ([`Generator::script`] prints it). [`Load`] runs several generators against a server until
//! it is stopped. What two threads do to each other (deadlocks, duplicate keys, lock waits) is part
//! of the load: the transaction is rolled back and the next one starts.
//!
//! The tables: `acct` has a primary key, two more unique keys and most column types; `pair` a
//! composite key; `swap` a key that rows exchange; `loose` no key at all and rows that are equal;
//! `child` refers to `acct` without a cascade.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;

use super::dm::Process;
use super::random::Random;
use super::server::{Address, Flavor, Server};
use super::{sql, wait};

/// Rows of `acct` and the others are picked from so many ids.
const IDS: u64 = 3_000;

/// The tables that the load writes; run it in the database of the load.
pub const TABLES: &str = "
CREATE TABLE acct (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, code VARCHAR(40) NOT NULL, nr INT NULL,
  bal DECIMAL(30,8) NOT NULL DEFAULT 0, f FLOAT, d DOUBLE, ts TIMESTAMP(6) NULL, dt DATETIME(3), tm TIME(2),
  js JSON, bin VARBINARY(300), txt TEXT, e ENUM('a','b','c,d'), s SET('x','y','z'), bits BIT(17), y YEAR,
  dbl BIGINT AS (nr * 2) STORED, UNIQUE KEY code (code), UNIQUE KEY nr (nr), KEY bal (bal)
) DEFAULT CHARSET=utf8mb4;
CREATE TABLE pair (k1 INT NOT NULL, k2 VARCHAR(20) NOT NULL, v BIGINT, note VARCHAR(200), PRIMARY KEY (k1, k2))
  DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE swap (id INT NOT NULL PRIMARY KEY, u INT NULL, v INT, UNIQUE KEY u (u)) DEFAULT CHARSET=utf8mb4;
CREATE TABLE loose (a INT, b VARCHAR(30), c BLOB) DEFAULT CHARSET=utf8mb4;
CREATE TABLE child (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, acct BIGINT UNSIGNED, n INT) DEFAULT CHARSET=utf8mb4;
INSERT INTO swap SELECT d.n + 10 * e.n + 1, d.n + 10 * e.n + 1, 0 FROM
  (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) d,
  (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) e;
";

/// The ten digits as a table, to make many rows in one statement on every server.
const DIGITS: &str = "(SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 \
                      UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)";

/// Makes transactions.
#[derive(Clone, Debug)]
pub struct Generator {
    random: Random,
    serial: u64,
    thread: u64,
}

impl Generator {
    /// The generator of one thread.
    pub fn new(seed: u64, thread: u64) -> Self {
        Self {
            random: Random::new(seed.wrapping_add(thread.wrapping_mul(7919))),
            serial: 0,
            thread,
        }
    }

    /// The first `count` transactions as a script.
    pub fn script(seed: u64, count: usize) -> String {
        let mut generator = Self::new(seed, 0);
        (0..count).map(|_| generator.transaction().join(";\n") + ";\n").collect()
    }

    /// The statements of the next transaction, BEGIN and COMMIT (or ROLLBACK) included.
    pub fn transaction(&mut self) -> Vec<String> {
        if self.random.one_in(6) {
            return vec![self.change()];
        }
        let mut list = vec!["BEGIN".to_owned()];
        for _ in 0..=self.random.below(5) {
            list.push(self.change());
        }
        if self.random.one_in(10) {
            list.push("SAVEPOINT s".to_owned());
            list.push(self.change());
            list.push("ROLLBACK TO s".to_owned());
            list.push(self.change());
        }
        let end = if self.random.one_in(12) { "ROLLBACK" } else { "COMMIT" };
        list.push(end.to_owned());
        list
    }

    fn change(&mut self) -> String {
        match self.random.below(20) {
            0..=5 => self.insert_acct(),
            6..=8 => self.update_acct(),
            9 => format!("DELETE FROM acct WHERE id = {}", self.id()),
            10 => self.move_key(),
            11 => self.pair(),
            12 => self.pair_key(),
            13 | 14 => self.swap(),
            15 | 16 => self.loose(),
            17 => self.loose_change(),
            18 => format!(
                "INSERT INTO child (acct, n) VALUES ({}, {})",
                self.id(),
                self.random.below(1000)
            ),
            _ => format!("DELETE FROM child WHERE n < {} LIMIT 3", self.random.below(300)),
        }
    }

    fn id(&mut self) -> u64 {
        self.random.below(IDS) + 1
    }

    fn number(&mut self) -> i64 {
        i64::try_from(self.random.below(4_000_000_000)).unwrap_or(0) - 2_000_000_000
    }

    fn code(&mut self) -> String {
        self.serial += 1;
        let letters = ["é", "日", "x", "'", "\\", "\"", "%", "ß", "😀"];
        let letter = (*self.random.pick(&letters)).replace('\\', "\\\\").replace('\'', "''");
        format!("'c{}-{}{}'", self.thread, self.serial, letter)
    }

    fn bytes(&mut self, most: u64) -> String {
        let count = self.random.below(most);
        let hex: String = (0..count).map(|_| format!("{:02x}", self.random.below(256))).collect();
        format!("X'{hex}'")
    }

    fn insert_acct(&mut self) -> String {
        let id = if self.random.one_in(2) { "NULL".to_owned() } else { self.id().to_string() };
        let (code, nr, bal) = (self.code(), self.unique_number(), self.number());
        let (f, micros, seconds) =
            (self.number(), self.random.below(1_000_000), self.random.below(86_400));
        format!(
            "INSERT INTO acct (id, code, nr, bal, f, d, ts, dt, tm, js, bin, txt, e, s, bits, y) VALUES ({id}, {code}, \
             {nr}, {bal}.{micros}, {f}e-7, {f}e{}, FROM_UNIXTIME(1700000000.{micros:06}), '2024-02-29 23:59:59.{:03}', \
             SEC_TO_TIME({seconds}), {}, {}, {}, {}, {}, {}, {})",
            self.random.below(200),
            self.random.below(1000),
            self.json(),
            self.bytes(60),
            self.words(),
            ["'a'", "'b'", "'c,d'", "NULL"][usize::try_from(self.random.below(4)).unwrap_or(0)],
            ["''", "'x'", "'x,z'", "NULL"][usize::try_from(self.random.below(4)).unwrap_or(0)],
            self.random.below(1 << 17),
            1901 + self.random.below(250),
        )
    }

    /// A number of the unique key `nr`: rarely NULL, often one that is taken.
    fn unique_number(&mut self) -> String {
        if self.random.one_in(5) {
            "NULL".to_owned()
        } else {
            self.random.below(IDS * 4).to_string()
        }
    }

    fn json(&mut self) -> String {
        let (n, m) = (self.number(), self.random.below(100));
        format!("'{{\"n\": {n}, \"list\": [1, {m}.5, null, true], \"deep\": {{\"k\": \"v{m}\"}}}}'")
    }

    fn words(&mut self) -> String {
        if self.random.one_in(8) {
            return "NULL".to_owned();
        }
        format!("REPEAT('word é {} ', {})", self.random.below(100), self.random.below(40))
    }

    fn update_acct(&mut self) -> String {
        let what = match self.random.below(5) {
            0 => format!("bal = bal + {}.5, f = f / 3", self.random.below(1000)),
            1 => format!("txt = {}, bin = {}", self.words(), self.bytes(200)),
            2 => format!("js = JSON_SET(js, '$.n', {}, '$.more', 'x'), s = 'y'", self.number()),
            3 => format!("nr = {}", self.unique_number()),
            _ => format!("code = {}, bits = {}", self.code(), self.random.below(1 << 17)),
        };
        let id = self.id();
        if self.random.one_in(4) {
            // Several rows in one event; not for the unique columns.
            return format!(
                "UPDATE acct SET bal = bal - 1, d = d / 7 WHERE id BETWEEN {id} AND {}",
                id + 40
            );
        }
        format!("UPDATE acct SET {what} WHERE id = {id}")
    }

    fn move_key(&mut self) -> String {
        format!("UPDATE acct SET id = {} WHERE id = {}", self.id(), self.id())
    }

    fn pair(&mut self) -> String {
        let (k1, k2) = (self.random.below(50), self.random.below(200));
        let v = self.number();
        format!(
            "INSERT INTO pair VALUES ({k1}, 'K{k2}', {v}, 'note {v}') ON DUPLICATE KEY UPDATE v = v + 1, note = 'again'"
        )
    }

    fn pair_key(&mut self) -> String {
        let (a, b) = (self.random.below(50), self.random.below(200));
        match self.random.below(3) {
            0 => format!("UPDATE pair SET k1 = {} WHERE k1 = {a} LIMIT 1", self.random.below(50)),
            // Only the case of the key's letter: the same key by the collation, other bytes.
            1 => format!("UPDATE pair SET k2 = LOWER(k2) WHERE k1 = {a} AND k2 = 'K{b}'"),
            _ => format!("DELETE FROM pair WHERE k1 = {a} AND k2 < 'K{b}' ORDER BY k2 LIMIT 2"),
        }
    }

    /// Two rows exchange their unique value, in one statement.
    fn swap(&mut self) -> String {
        let (a, b) = (self.random.below(100) + 1, self.random.below(100) + 1);
        match self.random.below(3) {
            0 => format!("UPDATE swap SET u = NULL, v = v + 1 WHERE id = {a}"),
            1 => format!("UPDATE swap SET u = {b}, v = v + 1 WHERE id = {a}"),
            // Moves a range up by one from the top down: each row takes what the next one gave up.
            _ => format!("UPDATE swap SET u = u + 1, v = v + 1 WHERE u >= {a} ORDER BY u DESC"),
        }
    }

    fn loose(&mut self) -> String {
        let (a, b) = (self.random.below(20), self.random.below(5));
        let row = format!("({a}, 'row {b}', X'{:02x}')", b);
        format!("INSERT INTO loose VALUES {row}, {row}, (NULL, NULL, {})", self.bytes(20))
    }

    fn loose_change(&mut self) -> String {
        let a = self.random.below(20);
        match self.random.below(3) {
            0 => format!("UPDATE loose SET b = CONCAT('u', {a}) WHERE a = {a} LIMIT 1"),
            1 => format!("DELETE FROM loose WHERE a = {a} LIMIT 1"),
            _ => format!("DELETE FROM loose WHERE a IS NULL LIMIT {}", a + 1),
        }
    }
}

/// The numbers from 0 to 99,999 as a table with the column `n`.
pub fn numbers() -> String {
    format!(
        "(SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n n \
         FROM {DIGITS} a, {DIGITS} b, {DIGITS} c, {DIGITS} d, {DIGITS} e)"
    )
}

/// One transaction of `rows` (at most 100,000) rows in `acct` with new ids above all others.
pub fn big_transaction(rows: u64) -> String {
    format!(
        "INSERT INTO acct (code, nr, bal, txt) SELECT CONCAT(m.top, '-big-', s.n), NULL, s.n, 'big' FROM \
         (SELECT IFNULL(MAX(id), 0) top FROM acct) m, {} s WHERE s.n < {rows}",
        numbers()
    )
}

/// Runs such a transaction beside a load, which may make it the victim of a deadlock.
pub fn run_big_transaction(source: &Address, db: &str, rows: u64) {
    let mut conn = source.conn();
    sql::run(&mut conn, &format!("USE {}", sql::name(db)));
    loop {
        match conn.query_drop(big_transaction(rows)) {
            Ok(()) => return,
            Err(mysql::Error::MySqlError(e)) if matches!(e.code, 1205 | 1213) => {}
            Err(e) => panic!("a large transaction: {e}"),
        }
    }
}

/// What makes transactions: the statements of the next one, BEGIN and COMMIT included.
pub trait Transactions: Send {
    /// The next transaction.
    fn next(&mut self) -> Vec<String>;
}

impl Transactions for Generator {
    fn next(&mut self) -> Vec<String> {
        self.transaction()
    }
}

/// A load that runs.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// A source with the database and its tables, and an empty target; `None` when servers are
    /// not installed. The seed is printed for a repetition.
    pub fn stage(db: &str, flavor: Flavor) -> Option<(&'static Server, &'static Server, u64)> {
        Self::stage_of(db, flavor, flavor)
    }

    /// The same with a target of another flavor.
    pub fn stage_of(
        db: &str,
        source: Flavor,
        target: Flavor,
    ) -> Option<(&'static Server, &'static Server, u64)> {
        let (from, to) = Server::pair_of(source, target)?;
        let seed = Random::seed();
        println!("DM_TEST_SEED={seed}");
        Self::prepare(from, db, seed);
        Some((from, to, seed))
    }

    /// Creates the database and its tables with some rows.
    pub fn prepare(source: &Address, db: &str, seed: u64) {
        source.drop_database(db);
        source.run("", &format!("CREATE DATABASE {} DEFAULT CHARSET utf8mb4", sql::name(db)));
        source.run(db, TABLES);
        let mut conn = source.conn();
        sql::run(&mut conn, &format!("USE {}", sql::name(db)));
        let mut generator = Generator::new(seed, 99);
        for _ in 0..300 {
            apply(&mut conn, &generator.transaction()).expect("the source is there");
        }
    }

    /// Starts `threads` writers of together at most `per_second` transactions a second.
    pub fn start(source: &Address, db: &str, seed: u64, threads: u64, per_second: u64) -> Self {
        let writers = (0..threads)
            .map(|thread| Box::new(Generator::new(seed, thread)) as Box<dyn Transactions>)
            .collect();
        Self::start_with(source, db, writers, per_second)
    }

    /// Starts a thread for each writer, together at most `per_second` transactions a second. A
    /// source that goes away is waited for.
    pub fn start_with(
        source: &Address,
        db: &str,
        writers: Vec<Box<dyn Transactions>>,
        per_second: u64,
    ) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let pause = Duration::from_secs(writers.len().max(1) as u64)
            / u32::try_from(per_second.max(1)).unwrap_or(1);
        let start = |mut writer: Box<dyn Transactions>| {
            let (source, db) = (source.clone(), db.to_owned());
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || write(&source, &db, &mut *writer, pause, (&stop, &done)))
        };
        let threads = writers.into_iter().map(start).collect();
        Self { stop, done, threads }
    }

    /// Transactions that went through so far.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    /// Lets a process run until up to `most` further transactions went through, and kills it.
    pub fn kill_meanwhile(&self, mut process: Process, random: &mut Random, most: u64) {
        self.advance(1 + random.below(most));
        process.must_run();
        process.kill();
    }

    /// Waits until `more` further transactions went through.
    pub fn advance(&self, more: u64) {
        const STEP: u64 = 500;
        let goal = self.done() + more;
        while self.done() < goal {
            let next = goal.min(self.done() + STEP);
            wait::until("the load goes on", Duration::from_secs(60), || self.done() >= next);
        }
    }

    /// Stops the writers and gives the number of transactions that went through.
    pub fn finish(mut self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().expect("a writer of the load failed");
        }
        self.done()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn write(
    source: &Address,
    db: &str,
    writer: &mut dyn Transactions,
    pause: Duration,
    shared: (&AtomicBool, &AtomicU64),
) {
    let mut open: Option<mysql::Conn> = None;
    while !shared.0.load(Ordering::SeqCst) {
        let began = Instant::now();
        let Some(mut conn) = open.take().or_else(|| connect(source, db)) else {
            wait::pass(Duration::from_millis(100));
            continue;
        };
        if let Ok(went_through) = apply(&mut conn, &writer.next()) {
            shared.1.fetch_add(u64::from(went_through), Ordering::SeqCst);
            open = Some(conn);
        }
        wait::pass(pause.saturating_sub(began.elapsed()));
    }
}

/// A connection in this database; `None` while the server cannot be reached.
pub fn connect(source: &Address, db: &str) -> Option<mysql::Conn> {
    let mut conn = source.try_conn().ok()?;
    for statement in [
        format!("USE {}", sql::name(db)),
        "SET SESSION innodb_lock_wait_timeout = 2, lock_wait_timeout = 2".to_owned(),
    ] {
        match conn.query_drop(statement) {
            Err(e) if !is_gone(&e) => panic!("{e}"),
            result => result.ok()?,
        }
    }
    Some(conn)
}

/// True when an error says that the connection or its server is gone.
pub fn is_gone(error: &mysql::Error) -> bool {
    // Shutdown, killed, aborted by the network, closed by the server.
    const GONE: &[u16] = &[1053, 1077, 1152, 1158, 1159, 1160, 1161, 1317, 1927, 3169, 4031];
    match error {
        mysql::Error::MySqlError(e) => GONE.contains(&e.code),
        _ => true,
    }
}

/// The connection was lost in the middle of a transaction.
#[derive(Debug)]
struct Gone;

/// Runs a transaction; on an error of the expected kinds rolls it back.
fn apply(conn: &mut mysql::Conn, statements: &[String]) -> Result<bool, Gone> {
    // Deadlock, lock wait, duplicate key, JSON_SET of NULL is fine; out-of-range of FLOAT and others;
    // foreign keys; a table that a statement has changed or taken away.
    const EXPECTED: &[u16] =
        &[1213, 1205, 1062, 1264, 1020, 1690, 1451, 1452, 1412, 1146, 1054, 1048, 1614];
    for statement in statements {
        match conn.query_drop(statement) {
            Ok(()) => {}
            Err(e) if is_gone(&e) => return Err(Gone),
            Err(mysql::Error::MySqlError(e)) if EXPECTED.contains(&e.code) => {
                conn.query_drop("ROLLBACK").map_err(|_| Gone)?;
                return Ok(false);
            }
            Err(e) => panic!("the load's statement failed: {e}\nin: {statement}"),
        }
    }
    Ok(true)
}
