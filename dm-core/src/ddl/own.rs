//! Finds the statement's own table before its columns: `CHECK (t.a > 0)`, `ORDER BY d.t.a`.

use std::ops::Range;

use dm_filter::TableName;

use super::cursor::Cursor;
use super::lexer::{TokenKind, unquote_ident};
use super::statement::{Body, NameRef, NameRole};

impl Cursor<'_> {
    /// Records the table of the statement where an expression writes it before a column: once the table
    /// has another name, the column has to be written with that.
    ///
    /// What a query selects is left alone: there the old name becomes an alias.
    pub(super) fn own_columns(&mut self, body: Option<&Body>) {
        let end = match body {
            Some(Body::CreateTable(create)) => create.select.as_ref().map(|query| query.start),
            Some(Body::AlterTable(_) | Body::CreateIndex(_)) => None,
            _ => return,
        };
        let own = self.names.iter().find(|n| n.role == NameRole::Table).map(|n| n.name.clone());
        let Some(own) = own else { return };
        let mut taken: Vec<Range<usize>> = self.names.iter().map(|n| n.span.clone()).collect();
        taken.sort_by_key(|span| span.start);
        let mut taken = taken.into_iter().peekable();
        self.reset(0);
        while self.token(0).is_some() && end.is_none_or(|end| self.offset() < end) {
            let here = self.offset();
            while taken.next_if(|span| span.end <= here).is_some() {}
            let inside = taken.peek().is_some_and(|span| span.contains(&here));
            let parts = if inside { 1 } else { self.path() };
            let found = match parts {
                2 => self.is_name_of(0, &own.table).then_some(0),
                3 => {
                    (self.is_name_of(0, &own.schema) && self.is_name_of(2, &own.table)).then_some(2)
                }
                _ => None,
            };
            if let Some(last) = found {
                self.own_column(&own, here, last);
            }
            for _ in 0..2 * parts - 1 {
                self.advance();
            }
        }
    }

    /// How many names joined by dots begin here; 1 for anything else.
    fn path(&self) -> usize {
        let joined = |n: &usize| self.is_punct_at(2 * n - 1, b'.') && self.is_ident_at(2 * n);
        if self.is_ident_at(0) { 1 + (1..).take_while(joined).count() } else { 1 }
    }

    fn is_name_of(&self, ahead: usize, name: &str) -> bool {
        let quoted = self.kind(ahead) == Some(TokenKind::QuotedIdent);
        let text = self.token(ahead).map(|t| self.text_of(t)).unwrap_or_default();
        let found = if quoted { unquote_ident(text) } else { text.to_owned() };
        found.eq_ignore_ascii_case(name)
    }

    fn own_column(&mut self, own: &TableName, start: usize, last: usize) {
        let end = self.token(last).map_or(start, |t| t.end);
        self.names.push(NameRef {
            span: start..end,
            role: NameRole::Table,
            name: own.clone(),
            qualified: last > 0,
            apart: None,
            alias: false,
        });
    }
}
