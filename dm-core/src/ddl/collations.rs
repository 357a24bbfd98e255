//! Writes out the collations that a statement leaves to its server.
//!
//! `CHARACTER SET utf8mb4` means another collation on every server: utf8mb4_general_ci, utf8mb4_0900_ai_ci,
//! utf8mb4_uca1400_ai_ci, utf8mb4_bin. With `collation_compatible: strict` a target gets the one that the source
//! took, in statements that create or change a table or a database. The rest of the text stays byte for byte.

use std::ops::Range;

use super::ast::{AlterSpec, AlterTable, TableOption};
use super::lexer::{Comments, Token, TokenKind, lex, unquote_ident, unquote_string};
use super::statement::{Body, NameRole, Statement, StatementKind};

/// Words before the columns of an ADD that stand in parentheses.
const ADD: &[&str] = &["ADD", "COLUMN", "IF", "NOT", "EXISTS"];

/// Words behind which no option of a table stands.
const ENDS: &[&str] = &["SELECT", "AS", "WITH", "IGNORE", "REPLACE", "PARTITION"];

impl Statement {
    /// The text of a CREATE or ALTER of a table or database with a COLLATE behind each character set that stands
    /// alone; `None` when there is nothing to put in. `of` says the collation of a character set at the source,
    /// `server` is the one of a new database of which nothing is said (empty: not known).
    ///
    /// The offsets of [`Statement::names`] do not fit the new text: read it again.
    pub fn with_collations(&self, of: impl Fn(&str) -> String, server: &str) -> Option<String> {
        use StatementKind as K;
        if !matches!(
            self.kind,
            K::CreateTable | K::AlterTable | K::CreateDatabase | K::AlterDatabase
        ) {
            return None;
        }
        let lexed = lex(&self.sql, self.context.sql_mode, Comments::All);
        let reader = Reader { sql: &self.sql, tokens: &lexed.tokens, statement: self };
        let mut edits = match &self.body {
            Body::AlterTable(alter) => reader.in_clauses(alter, &of),
            _ => reader.alone(&of),
        };
        if self.kind == K::CreateDatabase && !server.is_empty() && !reader.says_anything() {
            let name = self.names.iter().find(|n| n.role == NameRole::Schema)?;
            edits.push((name.span.end, server.to_owned()));
        }
        if edits.is_empty() {
            return None;
        }
        let mut text = self.sql.clone();
        for (at, collation) in edits.iter().rev() {
            if text.is_char_boundary(*at) {
                text.insert_str(*at, &format!(" COLLATE {collation}"));
            }
        }
        Some(text)
    }
}

struct Reader<'s> {
    sql: &'s str,
    tokens: &'s [Token],
    statement: &'s Statement,
}

impl Reader<'_> {
    fn word(&self, at: usize) -> &str {
        let token = self.tokens.get(at).filter(|t| t.kind == TokenKind::Word);
        token.and_then(|t| self.sql.get(t.span())).unwrap_or_default()
    }

    fn is(&self, at: usize, words: &[&str]) -> bool {
        words.iter().any(|w| self.word(at).eq_ignore_ascii_case(w))
    }

    fn is_punct(&self, at: usize, punct: u8) -> bool {
        self.tokens.get(at).is_some_and(|t| t.kind == TokenKind::Punct(punct))
    }

    /// Behind the words for "character set" that begin here, and an equals sign.
    fn behind_words(&self, at: usize) -> Option<usize> {
        let mut next = at + 1;
        if self.is(at, &["CHARACTER", "CHAR"]) && self.is(next, &["SET"]) {
            next += 1;
        } else if !self.is(at, &["CHARSET"]) {
            return None;
        }
        Some(if self.is_punct(next, b'=') { next + 1 } else { next })
    }

    /// The name of a character set.
    fn charset(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        let text = self.sql.get(token.span())?;
        let name = match token.kind {
            TokenKind::Word => text.to_owned(),
            TokenKind::QuotedIdent => unquote_ident(text),
            TokenKind::String => unquote_string(text, self.statement.context.sql_mode),
            _ => return None,
        };
        let name = name.to_ascii_lowercase();
        let name = if name == "utf8" { "utf8mb3".to_owned() } else { name };
        (!matches!(name.as_str(), "binary" | "default")).then_some(name)
    }

    /// Where each character set without a collation ends, and the collation.
    fn alone(&self, of: &impl Fn(&str) -> String) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let (mut depth, mut at) = (0_u32, 0);
        while let Some(token) = self.tokens.get(at) {
            match token.kind {
                TokenKind::Punct(b'(') => depth += 1,
                TokenKind::Punct(b')') => depth = depth.saturating_sub(1),
                // Deeper ones stand in expressions.
                _ if depth > 1 => {}
                _ if depth == 0 && at > 2 && self.is(at, ENDS) => break,
                _ => {
                    let name = self.behind_words(at);
                    let charset = name.and_then(|name| self.charset(name));
                    if let (Some(name), Some(charset)) = (name, charset) {
                        let collation = of(&charset);
                        let end = self.tokens.get(name).map_or(0, |t| t.end);
                        if !collation.is_empty() && !self.has_collation(at, name, depth) {
                            found.push((end, collation));
                        }
                        at = name;
                    }
                }
            }
            at += 1;
        }
        found
    }

    /// The same in the clauses of an ALTER TABLE.
    fn in_clauses(&self, alter: &AlterTable, of: &impl Fn(&str) -> String) -> Vec<(usize, String)> {
        let is_collation =
            |spec: &AlterSpec| matches!(spec, AlterSpec::Option(TableOption::Collate(_)));
        let collated = alter.clauses.iter().any(|c| is_collation(&c.spec));
        let may_have = |spec: &AlterSpec| match spec {
            AlterSpec::AddColumns { .. }
            | AlterSpec::ChangeColumn { .. }
            | AlterSpec::Convert { .. } => true,
            AlterSpec::Option(TableOption::Charset(_)) => !collated,
            _ => false,
        };
        let clauses = alter.clauses.iter().filter(|c| may_have(&c.spec));
        clauses.flat_map(|c| self.clause(&c.span).in_clause(of)).collect()
    }

    /// The tokens of one clause.
    fn clause(&self, span: &Range<usize>) -> Self {
        let at = |place: usize| self.tokens.partition_point(|t| t.span().start < place);
        let tokens = self.tokens.get(at(span.start)..at(span.end)).unwrap_or_default();
        Reader { sql: self.sql, tokens, statement: self.statement }
    }

    fn in_clause(&self, of: &impl Fn(&str) -> String) -> Vec<(usize, String)> {
        let head = (0..self.tokens.len()).take_while(|at| self.is(*at, ADD)).count();
        // Several columns stand in parentheses; what is deeper than columns stands in expressions.
        let level = u32::from(head > 0 && self.is_punct(head, b'('));
        let (mut found, mut depth) = (Vec::new(), 0_u32);
        for (at, token) in self.tokens.iter().enumerate() {
            match token.kind {
                TokenKind::Punct(b'(') => depth += 1,
                TokenKind::Punct(b')') => depth = depth.saturating_sub(1),
                _ if depth != level => {}
                _ => {
                    let name = self.behind_words(at);
                    let charset = name.and_then(|name| self.charset(name));
                    if let (Some(name), Some(charset)) = (name, charset)
                        && let collation = of(&charset)
                        && !collation.is_empty()
                        && !self.has_collation(at, name, 1)
                    {
                        let end = self.tokens.get(name).map_or(0, |t| t.end);
                        found.push((end, collation));
                    }
                }
            }
        }
        found
    }

    /// True when a COLLATE (or BINARY, which is short for one) goes with the character set that begins at
    /// `words` and whose name stands at `name`: in a column behind it, among options on either side.
    fn has_collation(&self, words: usize, name: usize, depth: u32) -> bool {
        let mut inside = 0_u32;
        for at in name + 1..self.tokens.len() {
            match self.tokens.get(at).map(|t| t.kind) {
                Some(TokenKind::Punct(b'(')) => inside += 1,
                Some(TokenKind::Punct(b')')) if inside == 0 => break,
                Some(TokenKind::Punct(b')')) => inside -= 1,
                Some(TokenKind::Punct(b',')) if inside == 0 && depth > 0 => break,
                _ if inside == 0 && depth == 0 && self.is(at, ENDS) => break,
                _ if inside == 0 && self.is(at, &["COLLATE", "BINARY"]) => return true,
                _ => {}
            }
        }
        depth == 0 && self.has_earlier_option(words)
    }

    fn has_earlier_option(&self, before: usize) -> bool {
        let mut depth = 0_u32;
        (0..before).any(|at| {
            match self.tokens.get(at).map(|t| t.kind) {
                Some(TokenKind::Punct(b'(')) => depth += 1,
                Some(TokenKind::Punct(b')')) => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && self.is(at, &["COLLATE"])
        })
    }

    /// True when a database's character set or collation is told.
    fn says_anything(&self) -> bool {
        (0..self.tokens.len())
            .any(|at| self.behind_words(at).is_some() || self.is(at, &["COLLATE"]))
    }
}

#[cfg(test)]
mod tests {
    use crate::ddl::{ParseContext, parse};

    fn written(sql: &str) -> Option<String> {
        let statement = parse(sql, &ParseContext::in_schema("d")).unwrap();
        let text = statement.with_collations(|charset| format!("{charset}_x"), "latin1_y")?;
        let again = parse(&text, &ParseContext::in_schema("d")).unwrap();
        assert_eq!(again.with_collations(|c| format!("{c}_x"), "latin1_y"), None, "{text}");
        assert_eq!(again.names.len(), statement.names.len());
        Some(text)
    }

    #[test]
    fn each_character_set_that_stands_alone_gets_its_collation() {
        for (sql, wanted) in [
            (
                "CREATE TABLE t (a VARCHAR(5) CHARACTER SET utf8 NOT NULL, b TEXT CHARSET 'gbk' COLLATE gbk_bin, \
                 c ENUM('x', 'CHARSET y') CHAR SET latin1) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT 'x'",
                "CREATE TABLE t (a VARCHAR(5) CHARACTER SET utf8 COLLATE utf8mb3_x NOT NULL, b TEXT CHARSET 'gbk' \
                 COLLATE gbk_bin, c ENUM('x', 'CHARSET y') CHAR SET latin1 COLLATE latin1_x) ENGINE=InnoDB \
                 DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_x COMMENT 'x'",
            ),
            (
                "CREATE TABLE t (a INT, b TEXT AS (CONVERT(a, CHAR CHARACTER SET gbk)) VIRTUAL) /*!40100 \
                 DEFAULT CHARACTER SET `utf8mb4` */ PARTITION BY HASH (a)",
                "CREATE TABLE t (a INT, b TEXT AS (CONVERT(a, CHAR CHARACTER SET gbk)) VIRTUAL) /*!40100 \
                 DEFAULT CHARACTER SET `utf8mb4` COLLATE utf8mb4_x */ PARTITION BY HASH (a)",
            ),
            (
                "CREATE TABLE t CHARSET latin1 SELECT 'a' COLLATE utf8mb4_bin AS a",
                "CREATE TABLE t CHARSET latin1 COLLATE latin1_x SELECT 'a' COLLATE utf8mb4_bin AS a",
            ),
            (
                "ALTER TABLE t ADD COLUMN a TEXT CHARACTER SET gbk NOT NULL FIRST, ADD (b TEXT CHARSET latin1, c \
                 TEXT CHARSET gbk COLLATE gbk_bin, KEY (b(3))), CHANGE d e CHAR(5) CHAR SET 'utf8' DEFAULT 'x'",
                "ALTER TABLE t ADD COLUMN a TEXT CHARACTER SET gbk COLLATE gbk_x NOT NULL FIRST, ADD (b TEXT CHARSET \
                 latin1 COLLATE latin1_x, c TEXT CHARSET gbk COLLATE gbk_bin, KEY (b(3))), CHANGE d e CHAR(5) CHAR \
                 SET 'utf8' COLLATE utf8mb3_x DEFAULT 'x'",
            ),
            (
                "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4, DEFAULT CHARSET gbk",
                "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_x, DEFAULT CHARSET gbk COLLATE gbk_x",
            ),
            ("ALTER DATABASE CHARSET gbk", "ALTER DATABASE CHARSET gbk COLLATE gbk_x"),
            ("CREATE DATABASE `e` CHARSET gbk", "CREATE DATABASE `e` CHARSET gbk COLLATE gbk_x"),
            ("CREATE DATABASE IF NOT EXISTS e /*!80016 DEFAULT ENCRYPTION='N' */", {
                "CREATE DATABASE IF NOT EXISTS e COLLATE latin1_y /*!80016 DEFAULT ENCRYPTION='N' */"
            }),
        ] {
            assert_eq!(written(sql).as_deref(), Some(wanted));
        }
    }

    #[test]
    fn what_says_all_or_nothing_stays() {
        for sql in [
            "CREATE TABLE t (a VARCHAR(5), b TEXT)",
            "CREATE TABLE t (a VARCHAR(5)) COLLATE utf8mb4_bin CHARSET utf8mb4",
            "CREATE TABLE t (a VARCHAR(5) CHARACTER SET utf8 BINARY, b CHAR(2) CHARACTER SET binary)",
            "CREATE TABLE t (`charset` INT, `character` INT) COMMENT 'CHARSET utf8'",
            "CREATE TABLE t LIKE u",
            "CREATE DATABASE e COLLATE utf8mb4_bin",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            "ALTER TABLE t CONVERT TO CHARACTER SET DEFAULT",
            "ALTER TABLE t DEFAULT CHARSET utf8mb4, ADD a INT, COLLATE utf8mb4_bin",
            "ALTER TABLE t ADD a TEXT AS (CONVERT(b, CHAR CHARACTER SET gbk)), COMMENT 'CHARSET gbk'",
            "ALTER TABLE t MODIFY a TEXT CHARACTER SET gbk BINARY, ADD `charset` INT",
            "ALTER DATABASE e COLLATE utf8mb4_bin",
            "DROP DATABASE e",
        ] {
            assert_eq!(written(sql), None, "{sql}");
        }
    }
}
