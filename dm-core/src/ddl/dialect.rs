//! A statement of one dialect in the words of another: what has a counterpart is replaced, what
//! has none is refused by name, everything else stays byte for byte.
//!
//! From MariaDB to MySQL and TiDB: UCA 14.0.0 and NOPAD collations, COMPRESSED columns, JSON (at
//! MariaDB a text that is checked), functions as defaults, options of its own engines, IGNORED
//! keys, ONLINE and how long to wait for a lock. Types that only MariaDB has (INET4, INET6, UUID,
//! XMLTYPE) are refused, and VECTOR where the target is of a version before it. From MySQL to
//! MariaDB: collations of the 0900 family (`counterparts`). Conditions are not a matter of
//! words alone ([`crate::schema::Tracker::decided`]).
//!
//! Method: edits over the spans of tokens. What stands in comments that the target does not
//! execute is left alone.

use std::borrow::Cow;
use std::ops::Range;

use super::ast::{AlterSpec, ColumnDef, TableElement, TypeKind};
use super::counterparts::{to_mariadb, to_mysql};
use super::lexer::{Lexed, Token, TokenKind, lex, unquote_ident, unquote_string};
use super::server::{Flavor, ServerVersion};
use super::statement::{Body, NameRole, ParseContext, Statement};
use super::{SqlMode, parse};
use crate::error::{Error, Result, codes};
use crate::sql::quote_ident;

/// The statement as the server `to` takes it.
///
/// `from` is the dialect that it was written in; `None` when it is not known (a printed
/// structure): then only words are replaced that no other dialect has.
///
/// # Errors
///
/// 36067 when the statement cannot be read, 36068 when it uses a type that `to` does not have.
pub fn translate(
    sql: &str,
    mode: SqlMode,
    from: Option<Flavor>,
    to: ServerVersion,
) -> Result<Cow<'_, str>> {
    let context = ParseContext { sql_mode: mode, ..ParseContext::default() };
    let statement = parse(sql, &context)?;
    let lexed = lex(sql, mode, to.comments());
    let mut edits = Edits { sql, mode, lexed, list: Vec::new() };
    let columns = columns(&statement);
    refuse(&columns, to)?;
    match to.flavor {
        Flavor::MariaDb => edits.collations(|name| to_mariadb(name, to.number)),
        Flavor::MySql | Flavor::TiDb => {
            edits.collations(to_mysql);
            if from != Some(Flavor::MySql) {
                edits.columns(&columns, from == Some(Flavor::MariaDb));
                edits.options();
                edits.hints(&statement);
            }
        }
    }
    Ok(edits.applied())
}

/// Every column that a statement defines, in the order of the text.
fn columns(statement: &Statement) -> Vec<&ColumnDef> {
    fn add<'a>(list: &mut Vec<&'a ColumnDef>, elements: &'a [TableElement]) {
        list.extend(elements.iter().filter_map(|e| match e {
            TableElement::Column(column) => Some(column),
            _ => None,
        }));
    }
    let mut list = Vec::new();
    match &statement.body {
        Body::CreateTable(create) => add(&mut list, &create.elements),
        Body::AlterTable(alter) => {
            for clause in &alter.clauses {
                match &clause.spec {
                    AlterSpec::AddColumns { elements, .. } => add(&mut list, elements),
                    AlterSpec::ChangeColumn { column, .. } => list.push(column),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    list
}

fn refuse(columns: &[&ColumnDef], to: ServerVersion) -> Result {
    let mariadb = to.flavor == Flavor::MariaDb;
    for column in columns {
        let (name, instead) = match column.ty.kind {
            TypeKind::Inet4 if !mariadb => ("INET4", "VARCHAR(15)"),
            TypeKind::Inet6 if !mariadb => ("INET6", "VARCHAR(39)"),
            TypeKind::Uuid if !mariadb => ("UUID", "CHAR(36)"),
            TypeKind::Xml if !mariadb => ("XMLTYPE", "LONGTEXT"),
            // Its bytes are the same in a binary column.
            TypeKind::Vector if mariadb && to.number < 110_700 => ("VECTOR", "LONGBLOB"),
            TypeKind::Vector if to.flavor == Flavor::MySql && to.number < 90_000 => {
                ("VECTOR", "LONGBLOB")
            }
            _ => continue,
        };
        return Err(Error::new(
            &codes::SYNC_UNSUPPORTED,
            format!(
                "column {} is of type {name}, which {to} does not have",
                quote_ident(&column.name)
            ),
        )
        .workaround(format!(
            "Create the target table (or add the column) by hand with {instead} in its place, \
             exclude the column by the route's `columns`, or exclude the table; then resume."
        )));
    }
    Ok(())
}

/// Changes of a text, collected.
struct Edits<'a> {
    sql: &'a str,
    mode: SqlMode,
    lexed: Lexed,
    list: Vec<(Range<usize>, String)>,
}

impl<'a> Edits<'a> {
    fn token(&self, at: usize) -> Option<Token> {
        self.lexed.tokens.get(at).copied()
    }

    fn text(&self, at: usize) -> &'a str {
        self.token(at).and_then(|t| self.sql.get(t.span())).unwrap_or_default()
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        self.token(at).is_some_and(|t| t.kind == TokenKind::Word)
            && self.text(at).eq_ignore_ascii_case(word)
    }

    fn is_punct(&self, at: usize, punct: u8) -> bool {
        self.token(at).is_some_and(|t| t.kind == TokenKind::Punct(punct))
    }

    /// The name or text of a token, without quotes.
    fn name(&self, at: usize) -> Option<String> {
        match self.token(at)?.kind {
            TokenKind::Word => Some(self.text(at).to_owned()),
            TokenKind::QuotedIdent => Some(unquote_ident(self.text(at))),
            TokenKind::String => Some(unquote_string(self.text(at), self.mode)),
            _ => None,
        }
    }

    /// Replaces the tokens from `first` to `last`.
    fn replace(&mut self, first: usize, last: usize, text: impl Into<String>) {
        if let (Some(first), Some(last)) = (self.token(first), self.token(last)) {
            self.list.push((first.start..last.end, text.into()));
        }
    }

    fn insert(&mut self, at: usize, text: &str) {
        self.list.push((at..at, text.to_owned()));
    }

    fn applied(mut self) -> Cow<'a, str> {
        if self.list.is_empty() {
            return Cow::Borrowed(self.sql);
        }
        self.list.sort_by_key(|(span, _)| (span.start, span.end));
        let mut out = String::with_capacity(self.sql.len() + 64);
        let mut done = 0;
        for (span, text) in &self.list {
            // Two rules that meet: the first one has done it.
            if span.start < done {
                continue;
            }
            out.push_str(self.sql.get(done..span.start).unwrap_or_default());
            out.push_str(text);
            done = span.end;
        }
        out.push_str(self.sql.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }

    fn collations(&mut self, map: impl Fn(&str) -> Option<String>) {
        for at in 0..self.lexed.tokens.len() {
            if !self.is_word(at, "COLLATE") {
                continue;
            }
            let value = if self.is_punct(at + 1, b'=') { at + 2 } else { at + 1 };
            if let Some(new) = self.name(value).and_then(|n| map(&n.to_ascii_lowercase())) {
                self.replace(value, value, new);
            }
        }
    }

    fn columns(&mut self, columns: &[&ColumnDef], json_is_text: bool) {
        let mut at = 0;
        for column in columns {
            let Some(start) = self.find_column(at, &column.name) else { continue };
            let end = self.element_end(start + 1);
            self.column(column, start..end, json_is_text);
            at = start + 1;
        }
    }

    /// The token of a column's name in its definition: a word (its type) follows.
    fn find_column(&self, from: usize, name: &str) -> Option<usize> {
        (from..self.lexed.tokens.len()).find(|&at| {
            self.token(at + 1).is_some_and(|t| t.kind == TokenKind::Word)
                && self.token(at).is_some_and(|t| t.kind != TokenKind::String)
                && self.name(at).is_some_and(|n| n.eq_ignore_ascii_case(name))
        })
    }

    /// The token behind a definition.
    fn element_end(&self, from: usize) -> usize {
        let mut depth = 0_u32;
        let mut at = from;
        while let Some(token) = self.token(at) {
            match token.kind {
                TokenKind::Punct(b'(') => depth += 1,
                TokenKind::Punct(b')') if depth == 0 => break,
                TokenKind::Punct(b')') => depth -= 1,
                TokenKind::Punct(b',') if depth == 0 => break,
                _ => {}
            }
            at += 1;
        }
        at
    }

    fn column(&mut self, column: &ColumnDef, span: Range<usize>, json_is_text: bool) {
        let mut json_seen = false;
        for at in span.start + 1..span.end {
            if json_is_text
                && !json_seen
                && column.ty.kind == TypeKind::Json
                && self.is_word(at, "JSON")
            {
                json_seen = true;
                let text = format!(
                    "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin CHECK (json_valid({}))",
                    quote_ident(&column.name)
                );
                self.replace(at, at, text);
            } else if self.is_word(at, "COMPRESSED") {
                let last = if self.is_punct(at + 1, b'=') { at + 2 } else { at };
                self.replace(at, last, "");
            } else if self.is_word(at, "PERSISTENT") {
                self.replace(at, at, "STORED");
            } else if self.is_word(at, "REF_SYSTEM_ID") {
                self.replace(at, at + 2, "");
            } else if self.is_word(at, "DEFAULT") && at + 1 < span.end {
                self.default(column, at + 1, json_is_text);
            }
        }
    }

    /// MySQL takes a function as a default in parentheses only, and for texts everything.
    fn default(&mut self, column: &ColumnDef, at: usize, json_is_text: bool) {
        use TypeKind as K;
        const NOW: &[&str] = &["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"];
        let kind = column.ty.kind;
        let text = kind.is_text_or_blob() || (json_is_text && kind == K::Json);
        let Some(first) = self.token(at) else { return };
        let last = match first.kind {
            TokenKind::Word if self.is_punct(at + 1, b'(') => {
                if NOW.iter().any(|w| self.is_word(at, w)) {
                    return;
                }
                let mut end = self.element_end(at + 2);
                while self.is_punct(end, b',') {
                    end = self.element_end(end + 1);
                }
                end
            }
            TokenKind::String | TokenKind::Number | TokenKind::Hex | TokenKind::Bit if text => at,
            _ => return,
        };
        let Some(end) = self.token(last).map(|t| t.end) else { return };
        self.insert(first.start, "(");
        self.insert(end, ")");
    }

    /// Options of MariaDB's engines, and keys that it ignores.
    fn options(&mut self) {
        const DROPPED: &[&str] = &[
            "ENCRYPTED",
            "ENCRYPTION_KEY_ID",
            "IETF_QUOTES",
            "PAGE_CHECKSUM",
            "PAGE_COMPRESSED",
            "PAGE_COMPRESSION_LEVEL",
            "TRANSACTIONAL",
        ];
        for at in 0..self.lexed.tokens.len() {
            let option = self.is_punct(at + 1, b'=')
                && self.token(at).is_some_and(|t| t.kind != TokenKind::String)
                && self
                    .name(at)
                    .is_some_and(|n| DROPPED.iter().any(|d| d.eq_ignore_ascii_case(&n)));
            if option {
                self.replace(at, at + 2, "");
            } else if self.is_word(at, "ENGINE") || self.is_word(at, "ROW_FORMAT") {
                let value = if self.is_punct(at + 1, b'=') { at + 2 } else { at + 1 };
                if self.is_word(value, "ARIA") {
                    self.replace(value, value, "InnoDB");
                } else if self.is_word(value, "PAGE") {
                    self.replace(value, value, "DYNAMIC");
                }
            } else if self.is_word(at, "IGNORED") && at > 0 {
                if self.is_word(at - 1, "NOT") {
                    self.replace(at - 1, at, "VISIBLE");
                } else if self.is_punct(at - 1, b')') || self.alters_index(at - 1) {
                    self.replace(at, at, "INVISIBLE");
                }
            } else if self.is_word(at, "WITH")
                && self.is_word(at + 1, "SYSTEM")
                && self.is_word(at + 2, "VERSIONING")
            {
                self.replace(at, at + 2, "");
            }
        }
    }
}

impl Edits<'_> {
    /// True for the name in ALTER INDEX \[IF EXISTS\] name.
    fn alters_index(&self, name: usize) -> bool {
        let before = |back: usize, word: &str| {
            name.checked_sub(back).is_some_and(|at| self.is_word(at, word))
        };
        let back = if before(1, "EXISTS") && before(2, "IF") { 2 } else { 0 };
        (before(back + 1, "INDEX") || before(back + 1, "KEY")) && before(back + 2, "ALTER")
    }

    /// How long a statement may wait for a lock, and that others may go on: the target decides by itself.
    fn hints(&mut self, statement: &Statement) {
        if self.is_word(0, "ALTER") && self.is_word(1, "ONLINE") {
            self.replace(1, 1, "");
        }
        // They stand behind the table's name, where no other name can be.
        let Some(name) = statement.names.iter().find(|n| n.role == NameRole::Table) else { return };
        let end = match &statement.body {
            Body::AlterTable(alter) => alter.clauses.first().map(|c| c.span.start),
            Body::RenameTable(_)
            | Body::DropTable { .. }
            | Body::TruncateTable(_)
            | Body::CreateIndex(_)
            | Body::DropIndex(_) => Some(self.sql.len()),
            _ => return,
        };
        let place = name.span.end..end.unwrap_or(self.sql.len());
        let mut depth = 0_i32;
        for at in 0..self.lexed.tokens.len() {
            match self.token(at).map(|t| t.kind) {
                Some(TokenKind::Punct(b'(')) => depth += 1,
                Some(TokenKind::Punct(b')')) => depth -= 1,
                _ => {}
            }
            if depth != 0 || !self.token(at).is_some_and(|t| place.contains(&t.start)) {
                continue;
            }
            let seconds = self.token(at + 1).is_some_and(|t| t.kind == TokenKind::Number);
            if self.is_word(at, "WAIT") && seconds {
                self.replace(at, at + 1, "");
            } else if self.is_word(at, "NOWAIT") && !self.is_name(statement, at) {
                self.replace(at, at, "");
            }
        }
    }

    fn is_name(&self, statement: &Statement, at: usize) -> bool {
        let start = self.token(at).map(|t| t.start);
        start.is_some_and(|start| statement.names.iter().any(|n| n.span.contains(&start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MYSQL: ServerVersion = ServerVersion::new(Flavor::MySql, 9, 7, 0);
    const MARIADB: ServerVersion = ServerVersion::new(Flavor::MariaDb, 10, 11, 0);

    fn to(sql: &str, server: ServerVersion, from: Option<Flavor>) -> String {
        translate(sql, SqlMode::default(), from, server).unwrap().into_owned()
    }

    #[test]
    fn mariadb_to_mysql() {
        let from = Some(Flavor::MariaDb);
        let cases = [
            (
                "CREATE DATABASE d DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci",
                "CREATE DATABASE d DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci",
            ),
            (
                "CREATE TABLE t (json JSON NOT NULL, b JSON DEFAULT '{}')",
                "CREATE TABLE t (json LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin CHECK (json_valid(`json`)) NOT NULL, \
              b LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin CHECK (json_valid(`b`)) DEFAULT ('{}'))",
            ),
            (
                "CREATE TABLE t (a TEXT COMPRESSED DEFAULT 'x', u CHAR(36) DEFAULT uuid(), d DATETIME DEFAULT current_timestamp()) ENGINE=Aria PAGE_CHECKSUM=1 ROW_FORMAT=COMPRESSED",
                "CREATE TABLE t (a TEXT  DEFAULT ('x'), u CHAR(36) DEFAULT (uuid()), d DATETIME DEFAULT current_timestamp()) ENGINE=InnoDB  ROW_FORMAT=COMPRESSED",
            ),
            (
                "ALTER TABLE t ADD c VARCHAR(9) COLLATE uca1400_swedish_as_cs AFTER json, CHANGE a a JSON",
                "ALTER TABLE t ADD c VARCHAR(9) COLLATE utf8mb4_sv_0900_as_cs AFTER json, CHANGE a a LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin CHECK (json_valid(`a`))",
            ),
            (
                "CREATE TABLE t (a CHAR(9) DEFAULT concat('d', ifnull(1, (2)), 'e'), b INT DEFAULT (f(1, 2)))",
                "CREATE TABLE t (a CHAR(9) DEFAULT (concat('d', ifnull(1, (2)), 'e')), b INT DEFAULT (f(1, 2)))",
            ),
            (
                "CREATE TABLE t (a INT /*M!100301 COMPRESSED*/, KEY k (a) IGNORED) COMMENT='COLLATE utf8mb4_uca1400_ai_ci'",
                "CREATE TABLE t (a INT /*M!100301 COMPRESSED*/, KEY k (a) INVISIBLE) COMMENT='COLLATE utf8mb4_uca1400_ai_ci'",
            ),
            (
                "ALTER ONLINE TABLE t WAIT 10 ADD wait INT, ALTER INDEX i IGNORED",
                "ALTER  TABLE t  ADD wait INT, ALTER INDEX i INVISIBLE",
            ),
            (
                "RENAME TABLE a NOWAIT TO nowait, b WAIT 5 TO a",
                "RENAME TABLE a  TO nowait, b  TO a",
            ),
            ("CREATE INDEX nowait ON t (wait) NOWAIT", "CREATE INDEX nowait ON t (wait) "),
            ("DROP TABLE a, nowait WAIT 3", "DROP TABLE a, nowait "),
        ];
        for (sql, expected) in cases {
            assert_eq!(to(sql, MYSQL, from), expected);
        }
    }

    #[test]
    fn a_type_without_a_counterpart_is_refused_by_name() {
        for sql in [
            "CREATE TABLE t (a INT, x INET6)",
            "ALTER TABLE t ADD x UUID",
            "ALTER TABLE t MODIFY x INET4",
        ] {
            let error = translate(sql, SqlMode::default(), None, MYSQL).unwrap_err();
            assert!(error.message().contains("`x`"), "{error}");
            assert_eq!(to(sql, MARIADB, None), sql);
        }
        let sql = "CREATE TABLE t (a INT, x VECTOR(3))";
        for (flavor, number, has) in [
            (Flavor::MariaDb, (11, 8, 2), true),
            (Flavor::MariaDb, (10, 11, 0), false),
            (Flavor::MySql, (9, 7, 0), true),
            (Flavor::MySql, (8, 4, 0), false),
        ] {
            let server = ServerVersion::new(flavor, number.0, number.1, number.2);
            let told = translate(sql, SqlMode::default(), Some(Flavor::MySql), server);
            assert_eq!(told.is_ok(), has, "{server}");
        }
    }

    #[test]
    fn mysql_to_mariadb_and_mysql() {
        let sql = "CREATE TABLE t (j JSON, v VARCHAR(5) COLLATE utf8mb4_0900_as_cs) COLLATE=utf8mb4_de_pb_0900_ai_ci";
        assert_eq!(to(sql, MYSQL, Some(Flavor::MySql)), sql);
        assert_eq!(to(sql, MYSQL, None), sql);
        assert_eq!(
            to(sql, MARIADB, Some(Flavor::MySql)),
            "CREATE TABLE t (j JSON, v VARCHAR(5) COLLATE utf8mb4_uca1400_nopad_as_cs) COLLATE=utf8mb4_uca1400_german2_nopad_ai_ci"
        );
        let old = ServerVersion::new(Flavor::MariaDb, 10, 6, 0);
        assert!(to(sql, old, None).contains("COLLATE=utf8mb4_unicode_520_nopad_ci"));
    }
}
