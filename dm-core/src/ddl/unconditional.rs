//! A statement without the words that only MariaDB has: IF \[NOT\] EXISTS of clauses, indexes and renames, and OR
//! REPLACE. Whether what they ask holds is for others to decide ([`crate::schema::Tracker::decided`]); here they
//! are cut out, and everything else stays byte for byte.
//!
//! What stands in comments that servers execute is not taken apart: there the answer is `None`.

use super::ast::{AlterSpec, DropKind, TableElement};
use super::lexer::{Comments, Lexed, TokenKind, lex};
use super::server::ServerVersion;
use super::statement::{Body, ParseContext, Statement};

impl Statement {
    /// True when IF \[NOT\] EXISTS or OR REPLACE stands in the text outside of comments and quotes.
    pub(crate) fn is_conditional(&self) -> bool {
        let cut = Cut::new(&self.sql, &self.context);
        cut.condition().is_some() || cut.or_replace().is_some()
    }

    /// True when a TiDB reads all conditions of the statement (its grammar, `parser.y`): of columns, keys and
    /// foreign keys it does.
    pub(crate) fn conditions_are_known_to_tidb(&self) -> bool {
        match &self.body {
            Body::AlterTable(alter) => {
                !alter.if_exists && alter.clauses.iter().all(|c| is_known_to_tidb(&c.spec))
            }
            Body::CreateIndex(index) => !index.or_replace,
            Body::CreateTable(create) => !create.or_replace,
            Body::RenameTable(_) => !self.is_lenient_rename(),
            _ => true,
        }
    }

    /// An ALTER TABLE with these clauses only, all of them without a condition.
    pub(crate) fn with_clauses(&self, kept: &[usize]) -> Option<String> {
        let Body::AlterTable(alter) = &self.body else { return None };
        if Cut::new(&self.sql, &self.context).is_in_comments() {
            return None;
        }
        let bare = |text: &str| Cut::new(text, &self.context).without_condition();
        let mut text = bare(self.sql.get(..alter.clauses.first()?.span.start)?);
        for (nth, at) in kept.iter().enumerate() {
            let clause = alter.clauses.get(*at)?;
            if nth > 0 {
                // The comma, or whatever stands in its place.
                let before = alter.clauses.get(at.checked_sub(1)?)?;
                text.push_str(self.sql.get(before.span.end..clause.span.start)?);
            }
            text.push_str(&bare(self.sql.get(clause.span.clone())?));
        }
        text.push_str(self.sql.get(alter.clauses.last()?.span.end..)?);
        Some(text)
    }

    /// The text without its first IF \[NOT\] EXISTS and without OR REPLACE.
    pub(crate) fn without_conditions(&self) -> Option<String> {
        let cut = Cut::new(&self.sql, &self.context);
        if cut.is_in_comments() {
            return None;
        }
        let text = cut.without_condition();
        let cut = Cut::new(&text, &self.context);
        Some(match cut.or_replace() {
            Some(at) => cut.without(at, 2),
            None => text,
        })
    }
}

fn is_known_to_tidb(spec: &AlterSpec) -> bool {
    use AlterSpec as A;
    match spec {
        A::RenameColumn { if_exists, .. }
        | A::RenameKey { if_exists, .. }
        | A::ColumnDefault { if_exists, .. } => !if_exists,
        A::Drop { if_exists, kind, .. } => {
            !if_exists || matches!(kind, DropKind::Key | DropKind::ForeignKey)
        }
        A::Add(TableElement::Check(check)) => !check.if_not_exists,
        A::KeyVisibility { .. } | A::AddSystemVersioning | A::DropSystemVersioning => false,
        _ => true,
    }
}

/// A text that words are cut out of.
pub(super) struct Cut<'a> {
    text: &'a str,
    lexed: Lexed,
}

impl<'a> Cut<'a> {
    pub fn new(text: &'a str, context: &ParseContext) -> Self {
        let comments = context.server.map_or(Comments::All, ServerVersion::comments);
        Self { text, lexed: lex(text, context.sql_mode, comments) }
    }

    pub fn is_in_comments(&self) -> bool {
        !self.lexed.regions.is_empty()
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        let token = self.lexed.tokens.get(at).filter(|t| t.kind == TokenKind::Word);
        let said = token.and_then(|t| self.text.get(t.span()));
        said.is_some_and(|said| said.eq_ignore_ascii_case(word))
    }

    /// Where the first condition stands, and of how many words it is.
    pub fn condition(&self) -> Option<(usize, usize)> {
        (0..self.lexed.tokens.len()).find_map(|at| {
            if !self.is_word(at, "IF") {
                return None;
            }
            let words = if self.is_word(at + 1, "NOT") { 3 } else { 2 };
            self.is_word(at + words - 1, "EXISTS").then_some((at, words))
        })
    }

    fn or_replace(&self) -> Option<usize> {
        let words = |at: &usize| self.is_word(*at, "OR") && self.is_word(at + 1, "REPLACE");
        (1..self.lexed.tokens.len()).find(|at| self.is_word(at - 1, "CREATE") && words(at))
    }

    pub fn without_condition(&self) -> String {
        match self.condition() {
            Some((at, words)) => self.without(at, words),
            None => self.text.to_owned(),
        }
    }

    /// The text without so many tokens, and without the white space behind them.
    fn without(&self, at: usize, count: usize) -> String {
        let tokens = &self.lexed.tokens;
        let from = tokens.get(at).map_or(self.text.len(), |t| t.start);
        let to = tokens.get(at + count).map_or(self.text.len(), |t| t.start);
        let parts = [self.text.get(..from), self.text.get(to..)];
        parts.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn read(sql: &str) -> Statement {
        parse(sql, &ParseContext::in_schema("d")).unwrap()
    }

    #[test]
    fn clauses_are_kept_as_they_are_written() {
        let sql = "ALTER /* a */ TABLE IF EXISTS t  ADD COLUMN IF NOT EXISTS `if` INT DEFAULT 5 ,\n DROP KEY IF EXISTS k,\
                   ADD b VARCHAR(9) DEFAULT 'IF EXISTS', COMMENT 'x' ENGINE = InnoDB /* end */";
        let statement = read(sql);
        assert!(statement.is_conditional());
        assert_eq!(
            statement.with_clauses(&[0, 1, 2, 3, 4]).unwrap(),
            "ALTER /* a */ TABLE t  ADD COLUMN `if` INT DEFAULT 5 ,\n DROP KEY k,\
             ADD b VARCHAR(9) DEFAULT 'IF EXISTS', COMMENT 'x' ENGINE = InnoDB /* end */"
        );
        assert_eq!(
            statement.with_clauses(&[1, 4]).unwrap(),
            "ALTER /* a */ TABLE t  DROP KEY k ENGINE = InnoDB /* end */"
        );
        assert_eq!(read("ALTER TABLE t /*M! ADD IF NOT EXISTS a INT */").with_clauses(&[0]), None);
    }

    #[test]
    fn what_a_tidb_reads_is_left_to_it() {
        for (sql, reads) in [
            ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT, DROP COLUMN IF EXISTS b", true),
            ("ALTER TABLE t ADD KEY IF NOT EXISTS k (a), DROP KEY IF EXISTS l", true),
            ("CREATE INDEX IF NOT EXISTS k ON t (a)", true),
            ("DROP INDEX IF EXISTS k ON t", true),
            ("ALTER TABLE IF EXISTS t ADD a INT", false),
            ("ALTER TABLE t RENAME COLUMN IF EXISTS a TO b", false),
            ("ALTER TABLE t DROP CONSTRAINT IF EXISTS c", false),
            ("ALTER TABLE t ADD SYSTEM VERSIONING", false),
            ("CREATE OR REPLACE TABLE t (a INT)", false),
            ("CREATE OR REPLACE INDEX k ON t (a)", false),
            ("RENAME TABLE IF EXISTS t TO u", false),
            ("RENAME TABLE t TO u", true),
        ] {
            assert_eq!(read(sql).conditions_are_known_to_tidb(), reads, "{sql}");
        }
    }

    #[test]
    fn words_are_cut_out_once() {
        for (sql, left) in [
            ("CREATE OR REPLACE TABLE t (a INT)", "CREATE TABLE t (a INT)"),
            ("create or replace unique index `or` on t (a)", "create unique index `or` on t (a)"),
            ("CREATE INDEX IF NOT EXISTS i ON t (a)", "CREATE INDEX i ON t (a)"),
            ("DROP INDEX IF EXISTS i ON t", "DROP INDEX i ON t"),
            (
                "SET STATEMENT lock_wait_timeout=1 FOR CREATE OR REPLACE INDEX i ON t (a)",
                "SET STATEMENT lock_wait_timeout=1 FOR CREATE INDEX i ON t (a)",
            ),
        ] {
            let statement = read(sql);
            assert!(statement.is_conditional(), "{sql}");
            assert_eq!(statement.without_conditions().unwrap(), left);
        }
        for plain in ["ALTER TABLE t ADD c INT DEFAULT (IF(1, 2, 3))", "DROP TABLE `if`, `exists`"]
        {
            assert!(!read(plain).is_conditional(), "{plain}");
        }
        assert_eq!(read("CREATE /*M! OR REPLACE */ TABLE t (a INT)").without_conditions(), None);
    }
}
