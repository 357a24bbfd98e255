//! Puts other names into a statement, and nothing else.
//!
//! The user's text is the best text there is: clauses, comments, spelling and hints that a
//! printer would lose or change stay byte for byte. Replacing goes over the spans that reading the
//! statement found, so a name inside a string, a comment or a column's name is never touched.

use std::ops::Range;

use dm_filter::TableName;

use super::ast::TableOption;
use super::statement::{Body, NameRef, NameRole, Statement, StatementKind};
use crate::sql::quote_ident;

/// A piece of text to put in place of a span.
type Edit = (Range<usize>, String);

/// The statement's text with other names; see [`Statement::splice`].
///
/// A new name is written in back quotes, which every `sql_mode` takes, with its schema unless the
/// new schema is empty. Where a query names a table without an alias, the old name becomes the
/// alias, so that columns written as `table.column` still mean the same.
pub(super) fn splice(
    statement: &Statement,
    mut rename: impl FnMut(&NameRef) -> Option<TableName>,
) -> String {
    let mut edits = Vec::new();
    for name in &statement.names {
        let Some(target) = rename(name) else { continue };
        match &name.apart {
            Some((schema, table)) if !target.schema.is_empty() => {
                let bare = TableName { schema: String::new(), ..target.clone() };
                edits.push((schema.clone(), quote_ident(&target.schema)));
                edits.push((table.clone(), written(name, &bare)));
            }
            _ => edits.push((name.span.clone(), written(name, &target))),
        }
    }
    apply(&statement.sql, edits)
}

fn written(name: &NameRef, target: &TableName) -> String {
    if matches!(name.role, NameRole::Schema | NameRole::GrantedSchema) {
        let schema = quote_ident(&target.schema);
        // A schema that was left out stands behind a word.
        return if name.span.is_empty() { format!(" {schema}") } else { schema };
    }
    let mut text = String::new();
    if !target.schema.is_empty() {
        text.push_str(&quote_ident(&target.schema));
        text.push('.');
    }
    text.push_str(&quote_ident(&target.table));
    if name.alias && target.table != name.name.table {
        text.push_str(" AS ");
        text.push_str(&quote_ident(&name.name.table));
    }
    text
}

/// Replaces spans, which do not overlap.
fn apply(sql: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(span, _)| span.start);
    let mut out = String::with_capacity(sql.len());
    let mut done = 0;
    for (span, text) in edits {
        let Some(before) = sql.get(done..span.start).filter(|_| sql.get(span.clone()).is_some())
        else {
            continue;
        };
        out.push_str(before);
        out.push_str(&text);
        done = span.end;
    }
    out.push_str(sql.get(done..).unwrap_or_default());
    out
}

impl Statement {
    /// The text with IF NOT EXISTS (CREATE) or IF EXISTS (DROP, RENAME) put in where the
    /// statement can have it and has it not. `None` when there is nothing to put in.
    ///
    /// The offsets of [`Statement::names`] do not fit the new text: rename first, read again.
    pub fn with_condition(&self) -> Option<String> {
        let at = self.condition_at?;
        let words = match self.kind {
            StatementKind::CreateTable
            | StatementKind::CreateDatabase
            | StatementKind::CreateIndex => "IF NOT EXISTS ",
            _ => "IF EXISTS ",
        };
        // MariaDB refuses OR REPLACE together with IF NOT EXISTS.
        let replaces = match &self.body {
            Body::CreateTable(create) => create.or_replace,
            Body::CreateDatabase(def) => def.or_replace,
            Body::CreateIndex(index) => index.or_replace,
            _ => false,
        };
        (!replaces).then(|| apply(&self.sql, vec![(at..at, words.to_owned())]))
    }

    /// True for MariaDB's RENAME TABLE IF EXISTS: it passes over tables that are not there, whatever has the name
    /// that they were to get.
    pub(crate) fn is_lenient_rename(&self) -> bool {
        self.kind == StatementKind::RenameTable && self.condition_at.is_none()
    }

    /// The text without START TRANSACTION, which MySQL writes into the binlog for an atomic
    /// CREATE TABLE ... SELECT and which no target takes from a client. `None` without it.
    pub fn without_start_transaction(&self) -> Option<String> {
        let Body::CreateTable(create) = &self.body else { return None };
        let edits: Vec<Edit> = create
            .options
            .iter()
            .filter_map(|o| match o {
                TableOption::StartTransaction(span) => Some((span.clone(), String::new())),
                _ => None,
            })
            .collect();
        (!edits.is_empty()).then(|| apply(&self.sql, edits))
    }

    /// What a statement has done that failed at its source and is logged nevertheless, with its error: MariaDB
    /// drops the old table of a CREATE OR REPLACE TABLE before it makes the new one. `None` where it has done all
    /// that it says.
    pub fn done_by_failure(&self) -> Option<String> {
        match &self.body {
            Body::CreateTable(create) if create.or_replace && !create.temporary => {
                Some(format!("DROP TABLE IF EXISTS {}", create.name))
            }
            _ => None,
        }
    }
}
