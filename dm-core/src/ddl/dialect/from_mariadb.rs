//! MariaDB's words at MySQL and TiDB: attributes of columns, options of its engines, and what it has beside
//! structures.

use std::ops::Range;

use super::super::ast::{ColumnDef, TypeKind};
use super::super::lexer::TokenKind;
use super::super::statement::{Body, NameRole, Statement};
use super::edits::Edits;
use crate::sql::quote_ident;

impl Edits<'_> {
    pub(super) fn columns(&mut self, columns: &[&ColumnDef], json_is_text: bool) {
        let mut at = 0;
        for column in columns {
            let Some(start) = self.find_column(at, &column.name) else { continue };
            let end = self.element_end(start + 1);
            self.column(column, start..end, json_is_text);
            at = start + 1;
        }
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
                self.list_end(at + 2)
            }
            TokenKind::String | TokenKind::Number | TokenKind::Hex | TokenKind::Bit if text => at,
            _ => return,
        };
        let Some(end) = self.token(last).map(|t| t.end) else { return };
        self.insert(first.start, "(");
        self.insert(end, ")");
    }

    /// Options of MariaDB's engines, and keys that it ignores.
    pub(super) fn options(&mut self) {
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

    /// What is set for this statement alone: how long it may take or wait, and what the session told with it.
    /// How long it may wait for a lock, and that others may go on: the target decides by itself.
    pub(super) fn hints(&mut self, statement: &Statement) {
        let mut first = 0;
        while self.is_word(first, "SET") && self.is_word(first + 1, "STATEMENT") {
            let all = first..self.lexed.tokens.len();
            first = all.clone().find(|at| self.is_word(*at, "FOR")).unwrap_or(all.end) + 1;
        }
        if let Some(behind) = self.token(first).filter(|_| first > 0) {
            self.list.push((0..behind.start, String::new()));
        }
        if self.is_word(first, "ALTER") && self.is_word(first + 1, "ONLINE") {
            self.replace(first + 1, first + 1, "");
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
