//! Literals of a statement whose bytes count, not their characters.
//!
//! A statement is carried in UTF-8, whatever its client spoke: names, comments and strings keep their characters
//! that way. Three kinds of literals would become others, and are written by their bytes: one with an introducer
//! (`_latin1'..'`) is taken as the bytes that the client has sent; the default of a binary column, or of one that
//! the statement does not tell, is the bytes of the string in the connection's character set.

use super::charset::{canonical, statement_from_utf8, statement_to_utf8};
use crate::ddl::{Comments, Lexed, SqlMode, TokenKind, lex, unquote_string};

/// Columns that have bytes, not characters.
const BINARY: &[&str] =
    &["BINARY", "VARBINARY", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "RAW"];

/// The character sets that a statement was written in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spoken {
    /// Of its bytes.
    pub client: &'static str,
    /// Of its strings.
    pub connection: &'static str,
}

impl Spoken {
    /// True when all literals mean the same in UTF-8.
    pub fn is_utf8(self) -> bool {
        is_utf8(self.client) && is_utf8(self.connection)
    }
}

fn is_utf8(charset: &str) -> bool {
    matches!(charset, "utf8mb4" | "utf8mb3")
}

/// The statement with such literals written so that they mean the same when it is sent in UTF-8; `None` for one
/// whose bytes are not known.
pub(super) fn by_bytes(text: &str, spoken: Spoken, mode: SqlMode) -> Option<String> {
    let lexed = lex(text, mode, Comments::All);
    let reader = Reader { text, lexed: &lexed };
    let (mut out, mut done, mut at) = (String::with_capacity(text.len() + 16), 0, 0);
    while let Some(token) = lexed.tokens.get(at) {
        let first = at;
        while lexed.tokens.get(at).is_some_and(|t| t.kind == TokenKind::String) {
            at += 1;
        }
        let Some(strings) = lexed.tokens.get(first..at).filter(|strings| !strings.is_empty())
        else {
            at += 1;
            continue;
        };
        let value: String =
            strings.iter().map(|t| unquote_string(reader.word(t.span()), mode)).collect();
        let end = strings.last().map_or(token.end, |last| last.end);
        let new = match reader.introducer(first) {
            _ if value.is_ascii() => None,
            Some(_) if is_utf8(spoken.client) => None,
            Some(charset) => {
                Some((first - 1, written(charset, &statement_from_utf8(spoken.client, &value)?)))
            }
            None if is_utf8(spoken.connection) || !reader.is_binary_default(first) => None,
            None => {
                let bytes = statement_from_utf8(spoken.connection, &value)?;
                Some((first, written(spoken.connection, &bytes)))
            }
        };
        if let Some((from, literal)) = new {
            let start = lexed.tokens.get(from).map_or(token.start, |t| t.start);
            out.push_str(text.get(done..start)?);
            out.push_str(&literal);
            done = end;
        }
    }
    out.push_str(text.get(done..)?);
    Some(out)
}

/// Bytes of a character set as a literal.
fn written(charset: &str, bytes: &[u8]) -> String {
    if is_utf8(charset)
        && let Some(text) = statement_to_utf8(charset, bytes)
        && !text.chars().any(|c| c == '\\' || c.is_control())
    {
        return format!("_{charset}'{}'", text.replace('\'', "''"));
    }
    let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("_{charset} X'{hex}'")
}

struct Reader<'t> {
    text: &'t str,
    lexed: &'t Lexed,
}

impl Reader<'_> {
    fn word(&self, span: std::ops::Range<usize>) -> &str {
        self.text.get(span).unwrap_or_default()
    }

    /// The character set of the introducer before a string.
    fn introducer(&self, string: usize) -> Option<&'static str> {
        let before = self.lexed.tokens.get(string.checked_sub(1)?)?;
        let name = self.word(before.span()).strip_prefix('_')?;
        canonical(name).filter(|_| before.kind == TokenKind::Word)
    }

    /// True for a string behind DEFAULT, in a column of bytes or of a type that is not told.
    fn is_binary_default(&self, string: usize) -> bool {
        let before = self.lexed.tokens.get(..string).unwrap_or_default();
        let Some((default, before)) = before.split_last() else { return false };
        let is = |t: &crate::ddl::Token, words: &[&str]| {
            t.kind == TokenKind::Word
                && words.iter().any(|word| word.eq_ignore_ascii_case(self.word(t.span())))
        };
        if !is(default, &["DEFAULT"]) {
            return false;
        }
        let mut depth = 0_u32;
        let column = before.iter().rev().take_while(|t| {
            match t.kind {
                TokenKind::Punct(b')') => depth += 1,
                TokenKind::Punct(b'(' | b',') if depth == 0 => return false,
                TokenKind::Punct(b'(') => depth -= 1,
                _ => {}
            }
            true
        });
        let is_set = before.last().is_some_and(|t| is(t, &["SET"]));
        is_set || column.into_iter().any(|t| is(t, BINARY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(client: &'static str, connection: &'static str, text: &str) -> String {
        by_bytes(text, Spoken { client, connection }, SqlMode::default()).unwrap()
    }

    #[test]
    fn an_introducer_speaks_of_the_bytes_that_were_sent() {
        let latin1 = |text| sent("latin1", "latin1", text);
        assert_eq!(latin1("DEFAULT _latin1'é'"), "DEFAULT _latin1 X'E9'");
        assert_eq!(latin1("(_UTF8MB4 'Ã©' 'it''s')"), "(_utf8mb4'éit''s')");
        assert_eq!(latin1("_utf8mb4'é'"), "_utf8mb4 X'E9'", "what the server refuses is sent");
        assert_eq!(
            latin1("_latin1'e' 'é' _no'é'"),
            "_latin1'e' 'é' _no'é'".replace("'e' 'é'", " X'65E9'")
        );
        assert_eq!(sent("gbk", "gbk", "_binary'中'"), "_binary X'D6D0'");
        assert_eq!(sent("utf8mb4", "latin1", "_latin1'é'"), "_latin1'é'");
    }

    #[test]
    fn defaults_of_binary_columns_are_the_connections_bytes() {
        let latin1 = |text| sent("latin1", "latin1", text);
        let column = "CREATE TABLE t (a CHAR(3) DEFAULT 'é', b VARBINARY(9) NOT NULL DEFAULT 'é', c CHAR DEFAULT 'é')";
        let wanted = column.replacen("L DEFAULT 'é'", "L DEFAULT _latin1 X'E9'", 1);
        assert_eq!(latin1(column), wanted);
        assert_eq!(latin1("ALTER c SET DEFAULT 'é'"), "ALTER c SET DEFAULT _latin1 X'E9'");
        assert_eq!(latin1("b BINARY(9) COMMENT 'é'"), "b BINARY(9) COMMENT 'é'");
        assert_eq!(sent("latin1", "utf8mb4", "b BLOB DEFAULT 'é'"), "b BLOB DEFAULT 'é'");
        assert_eq!(sent("utf8mb4", "cp1251", "b BLOB DEFAULT 'П'"), "b BLOB DEFAULT _cp1251 X'CF'");
        assert!(Spoken { client: "utf8mb3", connection: "utf8mb4" }.is_utf8());
    }
}
