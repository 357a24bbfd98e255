//! Finds the tables that a query or a statement of a body names.
//!
//! A query is not parsed: table names stand behind FROM, JOIN, STRAIGHT_JOIN, INTO, UPDATE and
//! after commas of such a list. What looks like a name there but is a function call, a derived
//! table or a common table expression is left alone.

use super::cursor::Cursor;
use super::lexer::TokenKind;
use super::statement::NameRole;
use crate::error::Result;

/// Words that end the list of tables behind FROM.
const ENDS_LIST: &[&str] = &[
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "WINDOW",
    "FOR",
    "LOCK",
    "PROCEDURE",
    "INTO",
    "SET",
    "SELECT",
    "VALUES",
    "VALUE",
    "DO",
    "THEN",
    "BEGIN",
    "END",
    "WITH",
    "QUALIFY",
];

/// Words that may follow a table in a list without being its alias.
const NO_ALIAS: &[&str] = &[
    "ON",
    "USING",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "CROSS",
    "NATURAL",
    "STRAIGHT_JOIN",
    "USE",
    "IGNORE",
    "FORCE",
    "PARTITION",
    "TABLESAMPLE",
    "OUTER",
    "FULL",
];

impl Cursor<'_> {
    /// Passes over a query (to the end of the statement) and records the tables that it names.
    pub(super) fn query(&mut self, role: NameRole) -> Result {
        let ctes = self.common_tables();
        let mut depth: Vec<bool> = Vec::new();
        let mut in_list = false;
        // True just behind FROM, JOIN or a comma of the list: a parenthesis there groups tables.
        let mut expects = false;
        while !self.at_end() {
            if self.kind(0) == Some(TokenKind::Invalid) {
                return Err(self.unexpected("valid text"));
            }
            if self.is(b'(') {
                depth.push(in_list);
                self.advance();
                // `FROM (a, b)` goes on listing; `FROM (SELECT`, `USING (a)` and `f(` do not.
                in_list = in_list && expects && (self.is(b'(') || self.list_goes_on());
                expects = in_list && self.is(b'(');
                if in_list {
                    self.table_factor(role, &ctes)?;
                }
            } else if self.is(b')') {
                in_list = depth.pop().unwrap_or(false);
                expects = false;
                self.advance();
            } else if self.eat_any(&["FROM", "JOIN", "STRAIGHT_JOIN"]).is_some()
                || (in_list && self.eat(b','))
                || (self.is_kw("TABLE") && self.begins_statement_at())
            {
                in_list = true;
                expects = self.is(b'(');
                self.table_factor(role, &ctes)?;
            } else {
                expects = false;
                if self.is_any(ENDS_LIST) {
                    in_list = false;
                }
                self.advance();
            }
        }
        Ok(())
    }

    /// `TABLE t` as a query.
    fn begins_statement_at(&mut self) -> bool {
        let begins = self.is_ident_at(1);
        if begins {
            self.advance();
        }
        begins
    }

    fn list_goes_on(&self) -> bool {
        self.is_ident_at(0) && !self.is_any(&["SELECT", "WITH", "VALUES", "TABLE"])
    }

    /// A table with its alias; anything else is left to the caller.
    fn table_factor(&mut self, role: NameRole, ctes: &[String]) -> Result {
        self.eat_kw("LATERAL");
        let function = self.is_ident_at(0) && self.is_punct_at(1, b'(');
        if !self.is_ident_at(0) || function || self.is_any(&["SELECT", "JSON_TABLE", "DUAL"]) {
            return Ok(());
        }
        let start = self.names.len();
        let name = self.name(role)?;
        let named = self.names.get(start).is_some_and(|n| n.qualified);
        if !named && ctes.iter().any(|c| c.eq_ignore_ascii_case(&name.table)) {
            self.names.truncate(start);
        }
        if self.eat_kw("PARTITION") && self.is(b'(') {
            self.parens()?;
        }
        let alias = self.eat_kw("AS")
            || (self.is_ident_at(0) && !self.is_any(NO_ALIAS) && !self.is_any(ENDS_LIST));
        if let Some(found) = self.names.get_mut(start) {
            // Columns may be written with the table's name: it stays as an alias.
            found.alias = !alias;
        }
        Ok(())
    }

    /// Names of common table expressions anywhere in what follows: `name [(columns)] AS (`.
    fn common_tables(&mut self) -> Vec<String> {
        let mark = self.mark();
        let mut found = Vec::new();
        let mut with = false;
        while !self.at_end() {
            with |= self.is_kw("WITH");
            if with && self.is_ident_at(0) && self.is_kw_at(1, "AS") && self.is_punct_at(2, b'(') {
                found.extend(self.token(0).map(|t| super::lexer::unquote_ident(self.text_of(t))));
            } else if with && self.is_ident_at(0) && self.is_punct_at(1, b'(') {
                let name = self.token(0).map(|t| super::lexer::unquote_ident(self.text_of(t)));
                let here = self.mark();
                self.advance();
                if self.parens().is_ok() && self.is_kw("AS") && self.is_punct_at(1, b'(') {
                    found.extend(name);
                }
                self.reset(here);
            }
            self.advance();
        }
        self.reset(mark);
        found
    }
}
