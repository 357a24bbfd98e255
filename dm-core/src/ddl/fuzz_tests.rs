//! Texts that nobody wrote: reading them gives a statement or an error, quickly, and never panics.

use proptest::prelude::*;

use super::*;

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
    fn soup_is_read_or_refused(sql in soup(), mode in any::<u64>()) {
        let context = ParseContext {
            sql_mode: SqlMode::from_bits(mode),
            default_schema: "d".to_owned(),
            server: None,
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
    fn truncated_statements(cut in 0usize..400, line in 0usize..300) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/ddl/statements.sql");
        let text = std::fs::read_to_string(path).unwrap();
        let sql: String = text.lines().nth(line).unwrap_or_default().chars().take(cut).collect();
        let _ = parse(&sql, &ParseContext::default());
    }
}

/// Depth and length cost linear time and no stack.
#[test]
fn long_and_deep_texts() {
    let context = ParseContext::default();
    let deep =
        format!("CREATE TABLE t (a INT DEFAULT {}1{})", "(".repeat(50_000), ")".repeat(50_000));
    assert!(parse(&deep, &context).is_ok());
    let open = format!("SELECT {}", "(".repeat(100_000));
    assert!(parse(&open, &context).is_ok());
    let comments = format!("SELECT 1 {}", "/*! ".repeat(100_000));
    assert!(parse(&comments, &context).is_ok());
    let withs = format!("SELECT {}", "with a ( ".repeat(20_000));
    assert!(parse(&withs, &context).is_ok());
    let columns: Vec<String> = (0..4_000).map(|n| format!("c{n} INT, KEY (c{n})")).collect();
    let wide = format!("CREATE TABLE t ({})", columns.join(", "));
    assert!(parse(&wide, &context).is_ok());
}
