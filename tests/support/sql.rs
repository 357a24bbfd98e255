//! SQL scripts: cut into statements, run one by one, so that a failure names its statement.

use mysql::prelude::Queryable;

/// The statements of a script, without their semicolons. Knows strings, quoted names and comments;
/// there is no `DELIMITER`. A piece of comments and blanks only is no statement.
pub fn split(script: &str) -> Vec<&str> {
    let bytes = script.as_bytes();
    let (mut statements, mut start, mut at, mut solid) = (Vec::new(), 0, 0, false);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let dashes = rest.starts_with(b"--") && rest.get(2).is_none_or(u8::is_ascii_whitespace);
        if dashes || rest[0] == b'#' {
            at += length_to(rest, b"\n");
        } else if rest.starts_with(b"/*") && !rest.starts_with(b"/*!") {
            at += length_to(rest, b"*/");
        } else if matches!(rest[0], b'\'' | b'"' | b'`') {
            at += quoted(rest);
            solid = true;
        } else {
            if rest[0] == b';' {
                push(&mut statements, &script[start..at], solid);
                (start, solid) = (at + 1, false);
            } else if !rest[0].is_ascii_whitespace() {
                solid = true;
            }
            at += 1;
        }
    }
    push(&mut statements, &script[start..], solid);
    statements
}

fn push<'a>(statements: &mut Vec<&'a str>, text: &'a str, solid: bool) {
    if solid {
        statements.push(text.trim());
    }
}

/// Bytes up to and with the first `end`.
fn length_to(bytes: &[u8], end: &[u8]) -> usize {
    bytes.windows(end.len()).position(|w| w == end).map_or(bytes.len(), |at| at + end.len())
}

/// Length of a quoted piece with its quotes; backslashes escape in strings but not in names.
fn quoted(bytes: &[u8]) -> usize {
    let quote = bytes[0];
    let mut at = 1;
    while at < bytes.len() {
        if bytes[at] == b'\\' && quote != b'`' {
            at += 1;
        } else if bytes[at] == quote {
            return at + 1;
        }
        at += 1;
    }
    bytes.len()
}

/// Runs every statement of a script; panics with the statement that failed.
pub fn run(conn: &mut mysql::Conn, script: &str) {
    if let Err(problem) = try_run(conn, script) {
        panic!("{problem}");
    }
}

/// Runs every statement of a script up to the first that fails.
pub fn try_run(conn: &mut mysql::Conn, script: &str) -> Result<(), String> {
    for statement in split(script) {
        conn.query_drop(statement).map_err(|e| format!("{e}\nin: {}", shorten(statement)))?;
    }
    Ok(())
}

fn shorten(statement: &str) -> String {
    let mut text: String = statement.chars().take(600).collect();
    if text.len() < statement.len() {
        text.push_str(" ...");
    }
    text
}

/// A name in backticks.
pub fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A string literal that every sql_mode reads alike.
pub fn text(value: &str) -> String {
    if value.is_empty() {
        return "''".to_owned();
    }
    let hex: String = value.bytes().map(|b| format!("{b:02X}")).collect();
    format!("CONVERT(X'{hex}' USING utf8mb4)")
}
