//! Reads the statements of `fixtures/ddl/statements.sql` and compares with `expected.txt`: one
//! line per statement, its class and the names in it with their roles.

use std::fmt::Write as _;
use std::fs;

use super::*;

fn fixture(name: &str) -> String {
    let path = format!("{}/../fixtures/ddl/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn summary(statement: &Statement) -> String {
    let mut line = format!("{:?}", statement.kind);
    for name in &statement.names {
        let written = if name.qualified { "" } else { "~" };
        write!(line, " | {:?} {written}{}", name.role, name.name).unwrap();
    }
    line
}

/// All statements are read, in the default schema `here`, with the class and names written down.
#[test]
fn statements_have_the_expected_class_and_names() {
    let sql = fixture("statements.sql");
    let context = ParseContext::in_schema("here");
    let mut found = String::new();
    for line in sql.lines() {
        match parse(line, &context) {
            Ok(statement) => writeln!(found, "{}", summary(&statement)).unwrap(),
            Err(error) => writeln!(found, "ERROR {} in {line}", error.message()).unwrap(),
        }
    }
    let path = format!("{}/../fixtures/ddl/expected.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let expected = fixture("expected.txt");
    assert_eq!(expected.lines().count(), sql.lines().count());
    for ((line, expected), found) in sql.lines().zip(expected.lines()).zip(found.lines()) {
        assert!(!found.starts_with("ERROR"), "{found}");
        assert_eq!(found, expected, "{line}");
    }
}

/// Renaming nothing, or everything to itself in place, leaves the text as it is.
#[test]
fn identity_splice_is_byte_identical() {
    for line in fixture("statements.sql").lines() {
        let statement = parse(line, &ParseContext::in_schema("here")).unwrap();
        assert_eq!(statement.splice(|_| None), line);
        for name in &statement.names {
            assert!(line.get(name.span.clone()).is_some(), "{line}");
        }
    }
}

/// After renaming all names the statement is of the same class and has the new names.
#[test]
fn renamed_statements_read_back() {
    for line in fixture("statements.sql").lines() {
        let context = ParseContext::in_schema("here");
        let statement = parse(line, &context).unwrap();
        let rename = |n: &NameRef| {
            let table = if n.name.table.is_empty() {
                String::new()
            } else {
                format!("{}-`x", n.name.table)
            };
            Some(dm_filter::TableName::new(format!("{}.é", n.name.schema), table))
        };
        let text = statement.splice(rename);
        let again = parse(&text, &context).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(again.kind, statement.kind, "{text}");
        let expected: Vec<_> = statement.names.iter().filter_map(rename).collect();
        let found: Vec<_> = again.names.iter().map(|n| n.name.clone()).collect();
        assert_eq!(found, expected, "{text}");
    }
}

/// A line as it can come: a statement of a binlog in the default mode; one of a session with ANSI_QUOTES,
/// which its event says; or several, as an operator gives them, which a binlog has one by one.
fn read(line: &str) -> crate::error::Result<Vec<(Statement, &str)>> {
    let context = ParseContext::in_schema("here");
    let parts = split(line);
    if parts.len() > 1
        && let Ok(all) =
            parts.iter().map(|p| Ok((parse(p, &context)?, *p))).collect::<crate::error::Result<_>>()
    {
        return Ok(all);
    }
    let quoted = ParseContext { sql_mode: SqlMode::ANSI_QUOTES, ..context.clone() };
    match parse(line, &context) {
        Err(_) if line.contains('"') => Ok(vec![(parse(line, &quoted)?, line)]),
        other => Ok(vec![(other?, line)]),
    }
}

#[test]
fn lines_are_read_as_they_can_come() {
    let kinds = |line: &str| -> Vec<StatementKind> {
        read(line).unwrap().iter().map(|(s, _)| s.kind).collect()
    };
    use StatementKind::{AlterTable, CreateProcedure, CreateTable, DropTable, Insert};
    assert_eq!(kinds("CREATE TABLE \"t\" (\"a\" INT DEFAULT 1)"), [CreateTable]);
    assert_eq!(
        kinds("DROP TABLE a; ALTER TABLE b ADD c TEXT DEFAULT \";\""),
        [DropTable, AlterTable]
    );
    assert_eq!(kinds("INSERT INTO a VALUES (';'); DROP TABLE a;"), [Insert, DropTable]);
    assert_eq!(kinds("CREATE PROCEDURE p() BEGIN DROP TABLE a; END"), [CreateProcedure]);
    assert!(read("ALTER TABLE \"t\" ADDING c INT").is_err());
}

/// A developer's larger collection, one line each: `DM_DDL_CORPUS=file cargo test corpus`. All of
/// it is recognised.
#[test]
fn corpus_named_by_the_environment() {
    let Some(path) = std::env::var_os("DM_DDL_CORPUS") else { return };
    let bytes = fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let mut failed = Vec::new();
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        match read(line) {
            Ok(all) => all.iter().for_each(|(s, text)| assert_eq!(s.splice(|_| None), *text)),
            Err(error) => failed.push(format!("{}\n    {line}", error.message())),
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}
