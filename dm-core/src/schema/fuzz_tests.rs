//! Texts that nobody wrote: reading them gives a statement or an error, quickly, and never panics.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::ddl::*;

/// Pieces that statements are made of.
const PIECES: &[&str] = &[
    "CREATE",
    "ALTER",
    "DROP",
    "TABLE",
    "DATABASE",
    "INDEX",
    "VIEW",
    "TRIGGER",
    "USER",
    "RENAME",
    "TO",
    "LIKE",
    "IF NOT EXISTS",
    "IF EXISTS",
    "t",
    "`a``b`",
    "db.t",
    "1abc",
    "(",
    ")",
    ",",
    ";",
    "=",
    ".",
    "*",
    "@",
    "INT",
    "VARCHAR(10)",
    "ENUM('x')",
    "NOT NULL",
    "DEFAULT",
    "'x'",
    "\"y\"",
    "5",
    "-1",
    "0x1F",
    "b'1'",
    "PRIMARY KEY",
    "UNIQUE",
    "KEY",
    "CONSTRAINT",
    "FOREIGN KEY",
    "REFERENCES",
    "CHECK",
    "AS",
    "SELECT",
    "FROM",
    "JOIN",
    "WHERE",
    "WITH",
    "UNION",
    "PARTITION BY",
    "ADD",
    "COLUMN",
    "MODIFY",
    "CHANGE",
    "FIRST",
    "AFTER",
    "ORDER BY",
    "CONVERT TO",
    "CHARACTER SET",
    "utf8mb4",
    "COLLATE",
    "ENGINE",
    "COMMENT",
    "ON",
    "UPDATE",
    "SET",
    "BEGIN",
    "XA",
    "GRANT",
    "FOR",
    "/*!50100",
    "*/",
    "/*M!",
    "/*T![x]",
    "/* c */",
    "-- c\n",
    "#",
    "'",
    "`",
    "é",
    "DEFINER=",
    "INTO",
    "VALUES",
    "TTL=",
    "DEFAULT (",
    "NEXT VALUE FOR",
    "EXCHANGE PARTITION",
    "WAIT",
    "SYSTEM",
    "VERSIONING",
    "PERIOD FOR",
    "SET STATEMENT",
    "ANALYZE",
    "LOAD DATA",
    "NATIONAL",
    "LONG",
];

fn soup() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(PIECES);
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn soup_is_read_or_refused(sql in soup(), mode in any::<u64>(), server in 0..SERVERS.len()) {
        let context = ParseContext {
            sql_mode: SqlMode::from_bits(mode),
            default_schema: "d".to_owned(),
            server: SERVERS[server],
        };
        if let Ok(statement) = parse(&sql, &context) {
            prop_assert_eq!(statement.splice(|_| None), sql);
            let mut last = 0;
            for name in &statement.names {
                prop_assert!(name.span.start >= last, "spans overlap");
                last = name.span.end;
            }
            let _ = (statement.is_skipped_by_default(), statement.with_condition());
        }
    }

    /// A statement cut off anywhere is read or refused.
    #[test]
    fn truncated_statements(cut in 0usize..400, line in 0usize..500, server in 0..SERVERS.len()) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/ddl/statements.sql");
        let text = std::fs::read_to_string(path).unwrap();
        let sql: String = text.lines().nth(line).unwrap_or_default().chars().take(cut).collect();
        let _ = parse(&sql, &ParseContext { server: SERVERS[server], ..ParseContext::default() });
    }
}

/// Depth and length cost linear time and no stack.
#[test]
fn long_and_deep_texts() {
    let context = ParseContext::default();
    let deep =
        format!("CREATE TABLE t (a INT DEFAULT {}1{})", "(".repeat(20_000), ")".repeat(20_000));
    assert!(parse(&deep, &context).is_ok());
    let open = format!("SELECT {}", "(".repeat(20_000));
    assert!(parse(&open, &context).is_ok());
    let comments = format!("SELECT 1 {}", "/*! ".repeat(20_000));
    assert!(parse(&comments, &context).is_ok());
    let withs = format!("SELECT {}", "with a ( ".repeat(20_000));
    assert!(parse(&withs, &context).is_ok());
    let columns: Vec<String> = (0..4_000).map(|n| format!("c{n} INT, KEY (c{n})")).collect();
    let wide = format!("CREATE TABLE t ({})", columns.join(", "));
    assert!(parse(&wide, &context).is_ok());
}

/// Long texts that repeat what might be gone through again and again, with what is done with each.
#[test]
fn what_repeats_is_gone_through_once() {
    let list = |n: usize, of: &dyn Fn(usize) -> String| -> String {
        (0..n).map(of).collect::<Vec<_>>().join(", ")
    };
    let nested =
        |n: usize, open: &str, close: &str| format!("{}{}", open.repeat(n), close.repeat(n));
    let keys = list(2_000, &|_| "KEY (a)".to_owned());
    let functional = list(2_000, &|_| "KEY ((a + 1))".to_owned());
    let foreign = list(500, &|n| format!("c{n} INT, FOREIGN KEY (c{n}) REFERENCES p (id)"));
    let columns = list(2_000, &|n| format!("c{n} VARCHAR(10) DEFAULT 'x'"));
    let changes =
        list(500, &|n| format!("CHANGE c{n} d{n} INT, ADD e{n} INT AFTER c{}", n + 1_000));
    let texts = [
        format!("{} DROP TABLE t", "SET STATEMENT a=1 FOR ".repeat(20_000)),
        format!("SELECT {}", list(20_000, &|n| format!("$a{n}$"))),
        format!("SELECT {}", "$$ ".repeat(20_001)),
        format!("SELECT 1 {}", "/*!99999 /* ".repeat(20_000)),
        format!("SELECT 1 {}", "/*M! /*T![x] ".repeat(20_000)),
        format!("CREATE TABLE t (a INT DEFAULT {})", nested(20_000, "CASE ", "END ")),
        format!("CREATE TABLE t (a INT DEFAULT {}1)", "@".repeat(20_000)),
        format!("CREATE TABLE t (a INT DEFAULT {{{}1}})", "d ".repeat(20_000)),
        format!("CREATE TABLE t (a INT DEFAULT a{})", ".a".repeat(20_000)),
        format!("CREATE TABLE t (a INT CHECK ({}))", "t.a + ".repeat(20_000)),
        format!(
            "CREATE VIEW v AS WITH {} SELECT 1",
            list(5_000, &|n| format!("a{n} AS (SELECT 1 FROM a{n})"))
        ),
        format!("CREATE VIEW v AS {} SELECT 1", "WITH a AS (SELECT * FROM a), ".repeat(5_000)),
        format!("CREATE VIEW v AS SELECT * FROM {}", nested(20_000, "(", ")")),
        format!("CREATE VIEW v AS SELECT * FROM {}", list(5_000, &|n| format!("t{n}"))),
        format!("DROP TABLE {}", list(5_000, &|n| format!("t{n}"))),
        format!("RENAME TABLE {}", list(1_000, &|n| format!("t{n} TO u{n}"))),
        format!("DELETE FROM {} WHERE a", "a, ".repeat(20_000)),
        format!("CREATE TABLE many (a INT, {keys})"),
        format!("CREATE TABLE many2 (a INT, {functional})"),
        format!("CREATE TABLE many3 (a INT, {foreign})"),
        format!("CREATE TABLE wide ({columns})"),
        format!("ALTER TABLE wide {changes}"),
        format!("CREATE TABLE t (a ENUM({}))", list(60_000, &|n| format!("'{n}'"))),
        format!(
            "CREATE TABLE t (a INT) PARTITION BY RANGE (a) ({})",
            list(8_000, &|n| format!("PARTITION p{n} VALUES LESS THAN ({n})"))
        ),
    ];
    let mut tracker = tables();
    for sql in &texts {
        let start = Instant::now();
        read(sql, 0, None, &mut tracker);
        if let Ok(statement) = parse(sql, &ParseContext::default()) {
            let _ = (statement.tables().len(), statement.is_skipped_by_default());
        }
        let took = start.elapsed();
        let head: String = sql.chars().take(60).collect();
        assert!(took < PATIENCE, "{head}: {took:?}");
    }
}

// ---------------------------------------------------------------- for a while

/// So long a text may take: no text of this size takes a thousandth of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Changes texts that are statements: bytes, pieces, parts that change places or stand twice.
struct Mutator {
    state: u64,
    corpus: Vec<String>,
}

impl Mutator {
    fn new(seed: u64) -> Self {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/ddl");
        let mut files = vec![format!("{root}/statements.sql")];
        let sequences = std::fs::read_dir(format!("{root}/sequences")).unwrap();
        files.extend(sequences.map(|f| f.unwrap().path().to_string_lossy().into_owned()));
        files.sort();
        let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
        let corpus = texts.flat_map(|t| t.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        Self { state: seed.wrapping_mul(2).wrapping_add(1), corpus }
    }

    fn below(&mut self, n: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    fn text(&mut self) -> String {
        let at = self.below(self.corpus.len());
        let mut text = self.corpus[at].clone().into_bytes();
        for _ in 0..self.below(6) {
            self.change(&mut text);
        }
        if self.below(200) == 0 {
            // Long ones, where what is not linear shows.
            let part = text.clone();
            while text.len() < 50_000 && !part.is_empty() {
                text.extend_from_slice(&part);
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn change(&mut self, text: &mut Vec<u8>) {
        let (a, b) = (self.below(text.len() + 1), self.below(text.len() + 1));
        let (a, b) = (a.min(b), a.max(b));
        match self.below(6) {
            0 => text.truncate(b),
            1 => drop(text.drain(a..b)),
            2 => {
                let part = text[a..b].to_vec();
                let at = self.below(text.len() + 1);
                text.splice(at..at, part);
            }
            3 => {
                let piece = PIECES[self.below(PIECES.len())];
                text.splice(a..a, format!(" {piece} ").into_bytes());
            }
            4 => {
                let marks = b"'\"`\\()/*!,;.-#\0@=\n\x80\xff09";
                let mark = marks[self.below(marks.len())];
                text.insert(a, mark);
            }
            _ => {
                let other = self.below(self.corpus.len());
                let tail = self.corpus[other].clone().into_bytes();
                let from = self.below(tail.len() + 1);
                text.truncate(b);
                text.extend_from_slice(&tail[from..]);
            }
        }
    }
}

/// Servers whose statements are read in ways of their own: no known one, and those at the ends of what is read.
const SERVERS: [Option<ServerVersion>; 9] = [
    None,
    Some(ServerVersion::new(Flavor::MySql, 5, 6, 51)),
    Some(ServerVersion::new(Flavor::MySql, 5, 7, 44)),
    Some(ServerVersion::new(Flavor::MySql, 8, 0, 36)),
    Some(ServerVersion::new(Flavor::MySql, 9, 7, 4)),
    Some(ServerVersion::new(Flavor::MariaDb, 10, 1, 48)),
    Some(ServerVersion::new(Flavor::MariaDb, 10, 11, 19)),
    Some(ServerVersion::new(Flavor::MariaDb, 11, 8, 6)),
    Some(ServerVersion::new(Flavor::TiDb, 8, 5, 0)),
];

/// Everything that is done with a text of a binlog.
fn read(sql: &str, mode: u64, server: Option<ServerVersion>, tracker: &mut crate::schema::Tracker) {
    let context =
        ParseContext { sql_mode: SqlMode::from_bits(mode), default_schema: "d".to_owned(), server };
    if let Some(server) = server {
        let mut defaults = crate::schema::Defaults::of(server);
        // What a session may have set otherwise.
        defaults.explicit_defaults_for_timestamp ^= mode & 1 == 1;
        defaults.generate_invisible_primary_key = mode & 2 == 2;
        tracker.set_defaults(defaults);
    }
    let _ = split(sql);
    let Ok(statement) = parse(sql, &context) else { return };
    assert_eq!(statement.splice(|_| None), sql, "splicing in nothing changes the text");
    let renamed = statement.splice(|_| Some(dm_filter::TableName::new("x", "y")));
    let _ = (parse(&renamed, &context), statement.pieces(), statement.with_condition());
    let _ = (statement.is_skipped_by_default(), statement.without_start_transaction());
    for to in ["8.4.0", "10.11.6-MariaDB", "8.0.11-TiDB-v7.5.0"] {
        let _ = translate(sql, context.sql_mode, None, ServerVersion::parse(to));
    }
    let _ = tracker.apply(&statement);
}

/// A tracker that knows some of the tables that the statements are about.
fn tables() -> crate::schema::Tracker {
    let mut tracker = crate::schema::Tracker::default();
    for table in ["t", "t1", "t2", "d.t", "db.t", "a"] {
        let sql = format!(
            "CREATE TABLE {table} (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b VARCHAR(20) NOT NULL, c JSON, \
             UNIQUE KEY k1 (a), KEY k2 (b(5), a)) PARTITION BY HASH (id)"
        );
        let statement = parse(&sql, &ParseContext::in_schema("d")).unwrap();
        let _known_already = tracker.apply(&statement);
    }
    tracker
}

/// Texts made of the statements of `fixtures/ddl`, for `DM_FUZZ_SECONDS` (20; a minute in CI), from the
/// seed `DM_FUZZ_SEED` on. A panic and a text that takes too long are told with the seed of the text.
#[test]
fn statements_that_are_not_quite() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let seconds = number("DM_FUZZ_SECONDS").unwrap_or(20);
    let first = number("DM_FUZZ_SEED").unwrap_or(1);
    let (tell, told) = crossbeam_channel::unbounded::<u64>();
    let worker = std::thread::spawn(move || {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut mutator = Mutator::new(first);
        let tracker = tables();
        let mut seed = first;
        while Instant::now() < end {
            // Each text has a seed of its own, so that one is found again without those before it.
            mutator.state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let sql = mutator.text();
            let server = SERVERS[mutator.below(SERVERS.len())];
            let mode = if mutator.below(3) == 0 {
                u64::try_from(mutator.below(1 << 30)).unwrap()
            } else {
                0
            };
            let _ = tell.send(seed);
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                read(&sql, mode, server, &mut tracker.clone());
            }));
            assert!(done.is_ok(), "DM_FUZZ_SEED={seed}, {server:?}, sql_mode {mode}: {sql:?}");
            seed += 1;
        }
        seed - first
    });
    let mut last = first;
    loop {
        match told.recv_timeout(PATIENCE) {
            Ok(seed) => last = seed,
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => break,
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => {
                panic!("DM_FUZZ_SEED={last}: the text is read for {} s", PATIENCE.as_secs())
            }
        }
    }
    let count = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    println!("{count} texts from DM_FUZZ_SEED={first} on in {seconds} s");
    assert!(count > 0);
}

/// What one statement costs beside what a target does with it: a table of 100 columns, read and tracked.
#[test]
fn a_statement_costs_little() {
    let columns: Vec<String> =
        (0..100).map(|n| format!("c{n} VARCHAR(20) NOT NULL DEFAULT 'x' COMMENT 'c'")).collect();
    let create =
        format!("CREATE TABLE wide ({}, PRIMARY KEY (c0), KEY (c1, c2))", columns.join(", "));
    let context = ParseContext::in_schema("d");
    let mut tracker = crate::schema::Tracker::default();
    tracker.apply(&parse(&create, &context).unwrap()).unwrap();
    let best = (0..50)
        .map(|n| {
            let sql =
                format!("ALTER TABLE wide ADD n{n} INT AFTER c{n}, DROP KEY c1, ADD KEY c1 (n{n})");
            let start = Instant::now();
            tracker.apply(&parse(&sql, &context).unwrap()).unwrap();
            start.elapsed()
        })
        .min()
        .unwrap();
    // A millisecond is the promise; what is not optimised may take ten times that.
    assert!(best < Duration::from_millis(if cfg!(debug_assertions) { 10 } else { 1 }), "{best:?}");
}
