//! Tables and columns that changed places under a snapshot.
//!
//! Guarantee: what a copied table holds are the rows and columns that bore its names when the
//! snapshot was opened. Obstacle: a snapshot keeps rows, not names. After `RENAME TABLE t TO x, u TO
//! t, x TO u` (or RENAME COLUMN, or a column that was dropped and added again) a SELECT from the old
//! view finds another table's rows under the name, and where the structures fit the server says
//! nothing. Method: when the copy is done, the binlog behind the snapshot tells which such
//! statements ran. A table that one of them names before its last chunk had been read is copied
//! anew. When a table had been read is asked now and then and noted; a table without a note counts
//! as read at the end.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use dm_filter::TableName;

use super::copy::{Copy, lock};
use super::windows::contains;
use crate::ddl::{AlterSpec, Body, Statement, StatementKind};
use crate::error::Result;
use crate::position::Position;
use crate::state::{CopyState, CopyTable};

/// The source is not asked more often where it stands.
const ASK: Duration = Duration::from_millis(200);

/// The tables that have been read since the source was last asked where it stands.
pub(super) struct ReadEnds {
    inner: Mutex<(Vec<(TableName, u32)>, Instant)>,
}

impl ReadEnds {
    pub fn new() -> Self {
        Self { inner: Mutex::new((Vec::new(), Instant::now())) }
    }
}

/// True for a statement after which a name may mean something else, without an error for whoever
/// reads from an older view.
pub(super) fn moves_names(statement: &Statement) -> bool {
    if statement.kind == StatementKind::RenameTable {
        return true;
    }
    let Body::AlterTable(alter) = &statement.body else { return false };
    alter.clauses.iter().any(|clause| {
        matches!(
            clause.spec,
            AlterSpec::RenameTable(_)
                | AlterSpec::RenameColumn { .. }
                | AlterSpec::DropColumn { .. }
                | AlterSpec::ChangeColumn { rename: true, .. }
                | AlterSpec::Partition(_)
        )
    })
}

impl Copy {
    /// Notes that all rows of these tables have been read, soon or at once.
    pub(super) fn note_read(
        &self,
        ends: &ReadEnds,
        tables: impl IntoIterator<Item = (TableName, u32)>,
        at_once: bool,
    ) -> Result {
        let ready = {
            let mut inner = lock(&ends.inner);
            inner.0.extend(tables);
            if inner.0.is_empty() || (!at_once && inner.1.elapsed() < ASK) {
                return Ok(());
            }
            inner.1 = Instant::now();
            std::mem::take(&mut inner.0)
        };
        let here = self.source.end_position()?.to_text();
        for (table, generation) in ready {
            let text = format!("{generation} {here}");
            self.state.set_note(&self.lane, &key(&table), text.as_bytes())?;
        }
        Ok(())
    }

    /// The finished tables whose names, or names of columns, moved before they had been read.
    pub(super) fn moved(&self, copy: &CopyState, upto: &Position) -> Result<HashSet<TableName>> {
        let mut moved = HashSet::new();
        if !self.followed {
            return Ok(moved);
        }
        for ran in self.statements(&copy.position, upto)?.iter().filter(|ran| ran.moves) {
            for name in &ran.tables {
                let known = copy.tables.iter().find(|t| t.copy.info.name == *name);
                let Some(table) = known.filter(|t| t.is_finished() && t.chunks > 0) else {
                    continue;
                };
                let before = |p: &Position| contains(p, &ran.end, ran.gtid.as_ref());
                if before(&table.position) {
                    continue;
                }
                if self.read_end(table)?.is_none_or(|end| before(&end)) {
                    moved.insert(name.clone());
                }
            }
        }
        Ok(moved)
    }

    fn read_end(&self, table: &CopyTable) -> Result<Option<Position>> {
        let note = self.state.reader().note(&self.lane, &key(&table.copy.info.name))?;
        let text = note.map(|n| String::from_utf8_lossy(&n).into_owned()).unwrap_or_default();
        match text.split_once(' ') {
            Some((generation, position)) if generation == table.generation.to_string() => {
                Ok(Some(Position::from_text(position)?))
            }
            _ => Ok(None),
        }
    }
}

fn key(table: &TableName) -> String {
    format!("read {table}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::{ParseContext, parse};

    #[test]
    fn statements_that_move_names() {
        let moves = |sql: &str| moves_names(&parse(sql, &ParseContext::default()).unwrap());
        for sql in [
            "RENAME TABLE a TO x, b TO a, x TO b",
            "ALTER TABLE a RENAME TO b",
            "ALTER TABLE a RENAME COLUMN x TO y, RENAME COLUMN y TO x",
            "ALTER TABLE a CHANGE x y INT",
            "ALTER TABLE a ADD z INT, DROP COLUMN x",
            "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b",
        ] {
            assert!(moves(sql), "{sql}");
        }
        for sql in [
            "ALTER TABLE a ADD COLUMN x INT",
            "ALTER TABLE a MODIFY x BIGINT, ADD INDEX (x)",
            "TRUNCATE TABLE a",
            "CREATE TABLE a (x INT)",
            "DROP TABLE a",
        ] {
            assert!(!moves(sql), "{sql}");
        }
    }
}
