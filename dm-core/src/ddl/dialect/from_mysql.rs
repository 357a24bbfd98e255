//! MySQL's words at MariaDB.

use super::super::ast::{AlterSpec, ColumnDef, DropKind};
use super::super::lexer::{Comments, RegionKind, lex};
use super::super::statement::{Body, Statement};
use super::edits::Edits;

/// From these versions on columns and keys may be INVISIBLE, and they stand in the comments.
const OF_COLUMNS: u32 = 80_023;
const OF_KEYS: u32 = 80_000;

impl Edits<'_> {
    /// Keys are VISIBLE and INVISIBLE there, NOT IGNORED and IGNORED here; columns are INVISIBLE in both.
    pub(super) fn visible_keys(&mut self) {
        for at in 1..self.lexed.tokens.len() {
            if self.alters_index(at - 1) {
                self.visibility(at);
            }
            let Some(parts) = self.key_parts(at) else { continue };
            let end = self.list_end(parts + 1);
            (end + 1..self.element_end(end + 1)).for_each(|option| self.visibility(option));
        }
    }

    /// A MySQL prints what is INVISIBLE in comments of its own versions, which a MariaDB passes over.
    pub(super) fn printed_visibility(&mut self, to: u32) {
        let lexed = lex(self.sql, self.mode, Comments::All);
        for (nth, region) in lexed.regions.iter().enumerate() {
            let mut inside = lexed.tokens.iter().filter(|t| t.region == Some(nth));
            let (Some(word), None) = (inside.next(), inside.next()) else { continue };
            let said = self.sql.get(word.span()).unwrap_or_default();
            let instead = match region.kind {
                RegionKind::Versioned(Some(OF_COLUMNS)) if to >= 100_303 => "INVISIBLE",
                RegionKind::Versioned(Some(OF_KEYS)) if to >= 100_600 => "IGNORED",
                _ => continue,
            };
            if said == "INVISIBLE" {
                self.list.push((region.span.clone(), instead.to_owned()));
            }
        }
    }

    fn visibility(&mut self, at: usize) {
        if self.is_word(at, "INVISIBLE") {
            self.replace(at, at, "IGNORED");
        } else if self.is_word(at, "VISIBLE") {
            self.replace(at, at, "NOT IGNORED");
        }
    }

    /// The parenthesis of `KEY [name] [USING type] (`, which begins here.
    fn key_parts(&self, at: usize) -> Option<usize> {
        const KINDS: &[&str] = &["KEY", "INDEX", "UNIQUE", "FULLTEXT", "SPATIAL"];
        let is_kind = |at: usize| KINDS.iter().any(|kind| self.is_word(at, kind));
        if !is_kind(at) {
            return None;
        }
        let mut next = (at..).find(|at| !is_kind(*at))?;
        let using = |at: usize| self.is_word(at, "USING") || self.is_word(at, "TYPE");
        if !self.is_punct(next, b'(') && !using(next) && !self.is_word(next, "CHECK") {
            next += 1;
        }
        if self.is_word(next, "ON") {
            // CREATE INDEX name ON schema.table
            next = (next + 1..self.lexed.tokens.len()).find(|at| self.is_punct(*at, b'('))?;
        }
        if using(next) {
            next += 2;
        }
        self.is_punct(next, b'(').then_some(next)
    }

    /// What says nothing about values.
    pub(super) fn attributes(&mut self, columns: &[&ColumnDef]) {
        let mut from = 0;
        for column in columns {
            let Some(start) = self.find_column(from, &column.name) else { continue };
            for at in start + 2..self.element_end(start + 1) {
                let words = ["SRID", "COLUMN_FORMAT", "STORAGE"];
                if words.iter().any(|word| self.is_word(at, word)) {
                    self.replace(at, at + 1, "");
                }
            }
            from = start + 1;
        }
    }

    /// DROP CHECK is DROP CONSTRAINT.
    pub(super) fn dropped_checks(&mut self, statement: &Statement) {
        let Body::AlterTable(alter) = &statement.body else { return };
        for clause in &alter.clauses {
            if !matches!(clause.spec, AlterSpec::Drop { kind: DropKind::Check, .. }) {
                continue;
            }
            let first = self.lexed.tokens.iter().position(|t| t.start >= clause.span.start);
            if let Some(word) = first.map(|at| at + 1).filter(|at| self.is_word(*at, "CHECK")) {
                self.replace(word, word, "CONSTRAINT");
            }
        }
    }
}
