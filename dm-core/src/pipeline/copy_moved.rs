//! Tables and columns that changed places under a snapshot.
//!
//! Guarantee: what a copied table holds are the rows and columns that bore its names when the
//! snapshot was opened. Obstacle: a snapshot keeps rows, not names. After `RENAME TABLE t TO x, u TO
//! t, x TO u` (or RENAME COLUMN, or a column that was dropped and added again) a SELECT from the old
//! view finds another table's rows under the name, and where the structures fit the server says
//! nothing. A table that was rebuilt under its name is refused (error 1412) by a server that still knows
//! when that was: MySQL keeps it from 8.0 on; others have forgotten it when they read the table's
//! definition again, and the rows that were written meanwhile are found in the old view. Method: when
//! the copy is done, the binlog behind the snapshot tells which such statements ran. A table that one of them names before its last chunk had been read is copied
//! anew. When a table had been read is asked now and then and noted; a table without a note counts
//! as read at the end.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use dm_filter::TableName;

use super::copy::Copy;
use super::copy_work::lock;
use super::windows::contains;
use crate::ddl::{AlterSpec, Body, Flavor, ServerVersion, Statement, StatementKind};
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

/// What a statement may do to those who read its tables from an older view, without an error for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moves {
    /// Nothing.
    Nothing,
    /// There is a key that lacks the rows of older views.
    Keys,
    /// There are the rows of a later moment, where the server writes a table anew to give it a column.
    Columns,
    /// There are the rows of a later moment.
    Rows,
    /// A name means something else.
    Names,
}

impl Moves {
    pub fn by(statement: &Statement) -> Self {
        match (statement.kind, &statement.body) {
            (StatementKind::RenameTable, _) => Self::Names,
            (_, Body::AlterTable(alter)) => alter
                .clauses
                .iter()
                .map(|c| Self::by_clause(&c.spec))
                .max()
                .unwrap_or(Self::Nothing),
            (StatementKind::CreateIndex, _) => Self::Keys,
            (StatementKind::TruncateTable | StatementKind::CreateTable, _) => Self::Rows,
            _ => Self::Nothing,
        }
    }

    fn by_clause(spec: &AlterSpec) -> Self {
        match spec {
            AlterSpec::RenameTable(_)
            | AlterSpec::RenameColumn { .. }
            | AlterSpec::DropColumn { .. }
            | AlterSpec::ChangeColumn { rename: true, .. }
            | AlterSpec::Partition(_) => Self::Names,
            AlterSpec::Add(_) => Self::Keys,
            AlterSpec::AddColumns { .. } => Self::Columns,
            AlterSpec::ColumnDefault { .. }
            | AlterSpec::ColumnVisibility { .. }
            | AlterSpec::RenameKey { .. }
            | AlterSpec::KeyVisibility { .. } => Self::Nothing,
            _ => Self::Rows,
        }
    }

    /// Whether a table that was read from an older view, in so many chunks, may have something else.
    fn concerns(self, server: ServerVersion, chunks: u64) -> bool {
        let forgets = !server.at_least(Flavor::MySql, 80_000);
        match self {
            Self::Nothing => false,
            // Several chunks are read by the key that they are cut by.
            Self::Keys => forgets && chunks < 2,
            Self::Columns => forgets && !server.at_least(Flavor::MariaDb, 100_300),
            Self::Rows => forgets,
            Self::Names => true,
        }
    }
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
        let server = ServerVersion::parse(&self.source.info()?.version);
        for ran in self.statements(&copy.position, upto)?.iter() {
            for name in &ran.tables {
                let known = copy.tables.iter().find(|t| t.copy.info.name == *name);
                let concerned = |t: &&CopyTable| ran.moves.concerns(server, t.chunks);
                let known = known.filter(|t| t.is_finished() && t.chunks > 0);
                let Some(table) = known.filter(concerned) else {
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
    fn what_statements_do_to_older_views() {
        let moves = |sql: &str| Moves::by(&parse(sql, &ParseContext::default()).unwrap());
        for sql in [
            "RENAME TABLE a TO x, b TO a, x TO b",
            "ALTER TABLE a RENAME TO b",
            "ALTER TABLE a RENAME COLUMN x TO y, RENAME COLUMN y TO x",
            "ALTER TABLE a CHANGE x y INT",
            "ALTER TABLE a ADD z INT, DROP COLUMN x",
            "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b",
        ] {
            assert_eq!(moves(sql), Moves::Names, "{sql}");
        }
        for sql in [
            "ALTER TABLE a MODIFY x BIGINT, ADD INDEX (x)",
            "ALTER TABLE a ENGINE = InnoDB",
            "ALTER TABLE a CONVERT TO CHARACTER SET latin1",
            "TRUNCATE TABLE a",
            "CREATE TABLE a (x INT)",
        ] {
            assert_eq!(moves(sql), Moves::Rows, "{sql}");
        }
        for (sql, what) in [
            ("ALTER TABLE a ADD INDEX (x)", Moves::Keys),
            ("CREATE INDEX i ON a (x)", Moves::Keys),
            ("ALTER TABLE a ADD COLUMN x INT", Moves::Columns),
            ("ALTER TABLE a ALTER x SET DEFAULT 5", Moves::Nothing),
            ("DROP TABLE a", Moves::Nothing),
        ] {
            assert_eq!(moves(sql), what, "{sql}");
        }
    }

    #[test]
    fn servers_that_forget_rebuilds() {
        let concerns = |moves: Moves, server: &str, chunks| {
            moves.concerns(ServerVersion::parse(server), chunks)
        };
        for (moves, mysql9, mysql5, mariadb) in [
            (Moves::Names, true, true, true),
            (Moves::Rows, false, true, true),
            (Moves::Columns, false, true, false),
            (Moves::Nothing, false, false, false),
        ] {
            assert_eq!(concerns(moves, "9.7.0", 5), mysql9, "{moves:?}");
            assert_eq!(concerns(moves, "5.7.44-log", 5), mysql5, "{moves:?}");
            assert_eq!(concerns(moves, "10.11.14-MariaDB", 5), mariadb, "{moves:?}");
        }
        assert!(concerns(Moves::Keys, "10.11.14-MariaDB", 1));
        assert!(!concerns(Moves::Keys, "10.11.14-MariaDB", 2));
    }
}
