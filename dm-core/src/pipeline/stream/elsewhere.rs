//! Statements on tables that another lane of the source is about.
//!
//! While a table is being added, its statements belong to its own lane, and all others to the main
//! one: each runs once. One that ties the two together (a rename, a DROP of several tables) would have
//! to run in both at one place, which they do not have: it stops the task with what to do.

use dm_filter::TableName;

use super::Stream;
use super::statement::judged;
use crate::ddl::{NameRole, Statement, StatementKind};
use crate::error::{Error, Result, codes};
use crate::online_ddl::Follower;
use crate::pipeline::LanePart;

impl Stream<'_> {
    /// Why a statement is another lane's matter, when it is.
    ///
    /// # Errors
    ///
    /// For a statement that is about tables of this lane and of another.
    pub(super) fn elsewhere(&mut self, statement: &Statement) -> Result<Option<&'static str>> {
        match &self.ctx.creator.part {
            LanePart::All => Ok(None),
            LanePart::Without(others) => {
                let changed = changed(statement);
                let theirs = changed.iter().filter(|t| others.contains(t)).count();
                match theirs {
                    0 => Ok(None),
                    n if n == changed.len() => Ok(Some("of a table that is being added")),
                    _ => Err(mixed(&changed)),
                }
            }
            LanePart::Only(one) => {
                let one = std::sync::Arc::clone(one);
                self.beside(&one, statement)
            }
        }
    }

    /// The same for the lane of one table.
    fn beside(&mut self, one: &TableName, statement: &Statement) -> Result<Option<&'static str>> {
        let changed = changed(statement);
        if changed.contains(one) {
            return if changed.len() == 1 { Ok(None) } else { Err(mixed(&changed)) };
        }
        let schema = changed.iter().any(|t| t.table.is_empty() && t.schema == one.schema);
        if schema && statement.kind == StatementKind::DropDatabase {
            return Err(Error::new(
                &codes::SYNC_DDL_IN_COPY,
                format!("the schema of {one} was dropped while the table was being added"),
            )
            .workaround("Take it back with `dm add-table ... --cancel`, then resume the task."));
        }
        if schema {
            // What a table inherits from its schema; the main lane runs it.
            self.track_only(statement);
        }
        Ok(Some("of tables that another lane is about"))
    }

    /// True when an operator's word about a statement is another lane's to carry out. What cannot be
    /// read is the main lane's.
    pub(super) fn is_elsewhere(&mut self, parsed: &Result<Statement>) -> bool {
        match parsed {
            Ok(statement) => matches!(self.elsewhere(statement), Ok(Some(_))),
            Err(_) => matches!(self.ctx.creator.part, LanePart::Only(_)),
        }
    }

    /// True when an online schema change is this lane's matter.
    pub(super) fn is_own_change(&self, statement: &Statement, follower: &Follower) -> bool {
        let LanePart::Only(one) = &self.ctx.creator.part else { return true };
        let names = follower.names();
        judged(statement).iter().any(|t| *t == **one || names.candidates(t).contains(one))
    }
}

/// The tables that a statement changes, without those that it only looks at.
fn changed(statement: &Statement) -> Vec<TableName> {
    let mut tables = judged(statement);
    let looked_at = |t: &TableName| {
        statement.names.iter().filter(|n| n.name == *t).all(|n| n.role == NameRole::Like)
    };
    tables.retain(|t| !looked_at(t));
    tables
}

fn mixed(tables: &[TableName]) -> Error {
    let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
    Error::new(
        &codes::SYNC_DDL_IN_COPY,
        format!("one statement changes {}, of which one is being added to the task", names.join(", ")),
    )
    .workaround(
        "Take the addition back with `dm add-table ... --cancel` and resume the task; when it is past \
         this place, add the table again.",
    )
}
