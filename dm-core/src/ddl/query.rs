//! Finds the tables that a query or a statement of a body names.
//!
//! A query is not parsed: table names stand behind FROM, JOIN, STRAIGHT_JOIN, INTO, UPDATE and
//! after commas of such a list. What looks like a name there but is a function call, a derived
//! table or a common table expression is left alone, and so is the FROM of `EXTRACT(YEAR FROM d)`: within
//! parentheses only a SELECT has a list of tables.

use std::collections::HashMap;
use std::ops::Range;

use super::cursor::Cursor;
use super::lexer::{TokenKind, unquote_ident};
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
    "RETURNING",
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

/// Common table expressions by their names in lower case: the tokens among which each is known.
type CommonTables = HashMap<String, Vec<Range<usize>>>;

/// What is known of a parenthesis while its tokens are gone through.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Behind FROM: tables follow, separated by commas.
    in_list: bool,
    /// A SELECT stands in it.
    selects: bool,
}

impl Cursor<'_> {
    /// Passes over a query (to the end of the statement) and records the tables that it names.
    pub(super) fn query(&mut self, role: NameRole) -> Result {
        self.query_from(role, false)
    }

    /// The same, beginning within a list of tables: UPDATE.
    pub(super) fn query_from(&mut self, role: NameRole, in_list: bool) -> Result {
        let ctes = self.common_tables();
        let mut outer: Vec<Level> = Vec::new();
        let mut level = Level { in_list, selects: true };
        // True just behind FROM, JOIN or a comma of the list: a parenthesis there groups tables.
        let mut expects = in_list && self.is(b'(');
        if in_list {
            self.table_factor(role, &ctes)?;
        }
        while !self.at_end() {
            if self.kind(0) == Some(TokenKind::Invalid) {
                return Err(self.unexpected("valid text"));
            }
            if self.is(b'(') {
                outer.push(level);
                self.advance();
                // `FROM (a, b)` goes on listing; `FROM (SELECT`, `USING (a)` and `f(` do not.
                let lists = level.in_list && expects && (self.is(b'(') || self.list_goes_on());
                level = Level { in_list: lists, selects: false };
                expects = lists && self.is(b'(');
                if lists {
                    self.table_factor(role, &ctes)?;
                }
            } else if self.is(b')') {
                level = outer.pop().unwrap_or_default();
                expects = false;
                self.advance();
            } else if self.begins_list(level) {
                level.in_list = true;
                expects = self.is(b'(');
                self.table_factor(role, &ctes)?;
            } else if (self.follows_kw("INDEX") || self.follows_kw("KEY")) && self.eat_kw("FOR") {
                // `USE INDEX FOR JOIN (k)`: the list of tables goes on behind it.
                self.advance();
            } else {
                expects = false;
                level.selects |= self.is_kw("SELECT");
                let duplicate = self.is_kw("ON") && self.is_kw_at(1, "DUPLICATE");
                if duplicate || self.is_any(ENDS_LIST) {
                    level.in_list = false;
                }
                self.advance();
            }
        }
        Ok(())
    }

    /// Takes what a table follows: FROM, JOIN, a comma of the list, `TABLE` as a query.
    fn begins_list(&mut self, level: Level) -> bool {
        if self.is_kw("FROM") {
            // `a IS DISTINCT FROM b` has no tables either.
            let found = level.selects && !self.follows_kw("DISTINCT");
            self.advance();
            return found;
        }
        self.eat_any(&["JOIN", "STRAIGHT_JOIN"]).is_some()
            || (level.in_list && self.eat(b','))
            || (self.is_kw("TABLE") && self.begins_statement_at())
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
    fn table_factor(&mut self, role: NameRole, ctes: &CommonTables) -> Result {
        self.eat_kw("LATERAL");
        // `{OJ a LEFT JOIN b ON ...}`
        if self.is(b'{') && self.is_kw_at(1, "OJ") {
            self.advance();
            self.advance();
        }
        let function = self.is_ident_at(0) && self.is_punct_at(1, b'(');
        if !self.is_ident_at(0) || function || self.is_any(&["SELECT", "JSON_TABLE", "DUAL"]) {
            return Ok(());
        }
        let (start, at) = (self.names.len(), self.mark());
        let name = self.name(role)?;
        let named = self.names.get(start).is_some_and(|n| n.qualified);
        let scopes = ctes.get(&name.table.to_lowercase()).filter(|_| !named);
        if scopes.is_some_and(|scopes| scopes.iter().any(|scope| scope.contains(&at))) {
            self.names.truncate(start);
        }
        if self.eat_kw("PARTITION") && self.is(b'(') {
            self.parens()?;
        }
        let duplicate = self.is_kw("ON") && self.is_kw_at(1, "DUPLICATE");
        let alias = self.eat_kw("AS")
            || (self.is_ident_at(0)
                && !duplicate
                && !self.is_any(NO_ALIAS)
                && !self.is_any(ENDS_LIST));
        if let Some(found) = self.names.get_mut(start) {
            // Columns may be written with the table's name: it stays as an alias.
            found.alias = !alias;
        }
        Ok(())
    }

    /// Common table expressions in what follows, `name [(columns)] AS (`, each with the tokens among which it is
    /// known: from its end (in a recursive WITH from the beginning) to the end of the parenthesis around it.
    fn common_tables(&mut self) -> CommonTables {
        let mark = self.mark();
        let mut open = vec![With::default()];
        let mut found: Vec<(String, Range<usize>)> = Vec::new();
        while !self.at_end() {
            let (at, inside) = (self.mark(), open.len() > 1);
            let Some(level) = open.last_mut() else { break };
            if self.is(b'(') {
                let body_of = level.next_body.take_if(|(_, body)| *body == at).map(|(cte, _)| cte);
                open.push(With { body_of, ..With::default() });
            } else if self.is(b')') && inside {
                let closed = open.pop().unwrap_or_default();
                for cte in closed.ctes {
                    found.get_mut(cte).into_iter().for_each(|(_, scope)| scope.end = at);
                }
                if let Some((_, scope)) = closed.body_of.and_then(|cte| found.get_mut(cte)) {
                    scope.start = scope.start.min(at);
                }
            } else if self.is_kw("WITH") {
                level.since = Some(if self.is_kw_at(1, "RECURSIVE") { at } else { usize::MAX });
            } else if self.is_any(&["SELECT", "TABLE", "VALUES", "UPDATE", "DELETE"]) {
                level.since = None;
            } else if let Some((since, body)) = level.since.zip(self.common_table()) {
                level.next_body = Some((found.len(), at + body));
                level.ctes.push(found.len());
                let name = self.token(0).map(|t| unquote_ident(self.text_of(t)));
                found.push((name.unwrap_or_default().to_lowercase(), since..usize::MAX));
            }
            self.advance();
        }
        self.reset(mark);
        let mut known = CommonTables::new();
        for (name, scope) in found {
            known.entry(name).or_default().push(scope);
        }
        known
    }

    /// Before `name AS (` and `name (columns) AS (`: how far the last parenthesis is. Only names and commas are
    /// looked at, so that nested parentheses are not gone through again and again.
    fn common_table(&self) -> Option<usize> {
        if !self.is_ident_at(0) {
            return None;
        }
        let mut ahead = 1;
        if self.is_punct_at(1, b'(') {
            ahead = 2;
            while self.is_ident_at(ahead) && self.is_punct_at(ahead + 1, b',') {
                ahead += 2;
            }
            if !self.is_ident_at(ahead) || !self.is_punct_at(ahead + 1, b')') {
                return None;
            }
            ahead += 2;
        }
        let begins = self.is_kw_at(ahead, "AS") && self.is_punct_at(ahead + 1, b'(');
        begins.then_some(ahead + 1)
    }
}

/// A parenthesis while common table expressions are looked for.
#[derive(Default)]
struct With {
    /// Behind WITH: from which token on its tables are known at the earliest.
    since: Option<usize>,
    /// The tables of its WITH.
    ctes: Vec<usize>,
    /// The table whose body it is.
    body_of: Option<usize>,
    /// The table whose body comes next, and where that begins.
    next_body: Option<(usize, usize)>,
}
