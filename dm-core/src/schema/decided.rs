//! What is left of MariaDB's conditions when they are decided: IF \[NOT\] EXISTS of clauses, indexes and renames,
//! and OR REPLACE, for targets that have no such words.
//!
//! Guarantee: what is given comes to the same as the statement does on the table as it is tracked, or nothing is
//! changed about the statement, and the target's own answer tells. Method: clauses that do nothing are left out,
//! the others lose their condition; then both are tried on a copy of the structure. What is tracked is the
//! structure at the statement's place, also behind a restart, so the answer is the same as often as it is asked.

use super::condition::is_void;
use super::table::{KeyKind, same_name};
use super::tracker::Tracker;
use crate::ddl::{AlterSpec, AlterTable, Body, CreateIndex, Statement, parse};
use crate::sql::{quote_ident, quote_table};
use dm_filter::TableName;

impl Tracker {
    /// The statements that do without MariaDB's words what this one does now: none when it does nothing, several
    /// in place of OR REPLACE. `None` for a statement that is to stay as it is: it has no such word, its table is not
    /// tracked, or nobody can say. `partitions` are those of its table, where it asks for them.
    pub fn decided(
        &self,
        statement: &Statement,
        partitions: Option<&[String]>,
    ) -> Option<Vec<Statement>> {
        let texts = match &statement.body {
            Body::AlterTable(_) if statement.asks_for_partitions() => {
                let text = statement.for_partitions(partitions?)?;
                let left = (!text.is_empty()).then_some(text);
                let read = |text: String| parse(&text, &statement.context).ok();
                return left.map_or(Some(Vec::new()), |text| Some(vec![read(text)?]));
            }
            Body::AlterTable(alter) => self.altered(statement, alter)?,
            Body::RenameTable(pairs) if statement.is_lenient_rename() => self.renamed(pairs),
            _ if !statement.is_conditional() => return None,
            Body::CreateIndex(index) => self.indexed(statement, index)?,
            Body::DropIndex(index) => match self.has_index(&index.table, &index.name)? {
                true => vec![statement.without_conditions()?],
                false => Vec::new(),
            },
            Body::CreateTable(create) if create.or_replace && !create.temporary => vec![
                format!("DROP TABLE IF EXISTS {}", quote_table(&create.name)),
                statement.without_conditions()?,
            ],
            _ => return None,
        };
        let read = |text: &String| parse(text, &statement.context).ok();
        let decided = texts.iter().map(read).collect::<Option<Vec<_>>>()?;
        let of_one = !matches!(statement.body, Body::RenameTable(_) | Body::CreateTable(_));
        (!of_one || self.comes_to_the_same(statement, &decided)).then_some(decided)
    }

    fn altered(&self, statement: &Statement, alter: &AlterTable) -> Option<Vec<String>> {
        let keeps_history = |spec: &AlterSpec| {
            matches!(spec, AlterSpec::AddSystemVersioning | AlterSpec::DropSystemVersioning)
        };
        let history = alter.clauses.iter().any(|c| keeps_history(&c.spec));
        if !history && !statement.is_conditional() {
            return None;
        }
        let table = self.table(&alter.name)?;
        let void = |spec: &AlterSpec| match spec {
            AlterSpec::KeyVisibility { name, .. } => {
                !table.keys.iter().any(|k| same_name(&k.name, name))
            }
            _ => keeps_history(spec) || is_void(table, spec),
        };
        let clauses = alter.clauses.iter().enumerate();
        let kept: Vec<usize> = clauses.filter(|(_, c)| !void(&c.spec)).map(|(at, _)| at).collect();
        match kept.as_slice() {
            [] => Some(Vec::new()),
            kept => Some(vec![statement.with_clauses(kept)?]),
        }
    }

    /// One pair behind the other; those of tables that are not there are passed over.
    fn renamed(&self, pairs: &[(TableName, TableName)]) -> Vec<String> {
        let mut moved: Vec<(&TableName, bool)> = Vec::new();
        let mut kept = Vec::new();
        for (old, new) in pairs {
            let last = moved.iter().rev().find(|(name, _)| *name == old);
            let there = last.map_or_else(|| self.table(old).is_some(), |(_, there)| *there);
            if there {
                moved.extend([(old, false), (new, true)]);
                kept.push(format!("{} TO {}", quote_table(old), quote_table(new)));
            }
        }
        match kept.is_empty() {
            true => Vec::new(),
            false => vec![format!("RENAME TABLE {}", kept.join(", "))],
        }
    }

    fn indexed(&self, statement: &Statement, index: &CreateIndex) -> Option<Vec<String>> {
        let name = index.key.name.as_deref()?;
        let there = self.has_index(&index.table, name)?;
        let bare = statement.without_conditions()?;
        Some(match (there, index.or_replace) {
            (true, true) => vec![
                format!("DROP INDEX {} ON {}", quote_ident(name), quote_table(&index.table)),
                bare,
            ],
            (true, false) => Vec::new(),
            (false, _) => vec![bare],
        })
    }

    fn has_index(&self, table: &TableName, name: &str) -> Option<bool> {
        let table = self.table(table)?;
        if name.eq_ignore_ascii_case("PRIMARY") {
            return Some(table.keys.iter().any(|k| k.kind == KeyKind::Primary));
        }
        Some(table.keys.iter().any(|k| same_name(&k.name, name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::{ParseContext, ServerVersion};
    use crate::schema::Defaults;

    fn tracker() -> Tracker {
        let mut tracker = Tracker::new(Defaults::of(ServerVersion::parse("10.11.6-MariaDB")));
        for sql in [
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY, a INT, b VARCHAR(9), KEY k (a), CONSTRAINT c CHECK (a > 0))",
            "CREATE TABLE d.u (id INT PRIMARY KEY)",
        ] {
            tracker.apply(&read(sql)).unwrap();
        }
        tracker
    }

    fn read(sql: &str) -> Statement {
        parse(sql, &ParseContext::in_schema("d")).unwrap()
    }

    fn decided(sql: &str) -> Option<Vec<String>> {
        let decided = tracker().decided(&read(sql), None)?;
        Some(decided.into_iter().map(|s| s.sql).collect())
    }

    #[test]
    fn what_does_nothing_is_left_out() {
        for (sql, left) in [
            (
                "ALTER TABLE t ADD COLUMN IF NOT EXISTS c INT AFTER id",
                "ALTER TABLE t ADD COLUMN c INT AFTER id",
            ),
            (
                "ALTER TABLE IF EXISTS t ADD IF NOT EXISTS a INT, ADD c INT, DROP COLUMN IF EXISTS x",
                "ALTER TABLE t ADD c INT",
            ),
            (
                "ALTER TABLE t DROP KEY IF EXISTS k, DROP KEY IF EXISTS n, DROP CONSTRAINT IF EXISTS c",
                "ALTER TABLE t DROP KEY k, DROP CONSTRAINT c",
            ),
            (
                "ALTER TABLE t MODIFY IF EXISTS a BIGINT, CHANGE IF EXISTS z y INT",
                "ALTER TABLE t MODIFY a BIGINT",
            ),
            ("ALTER TABLE t ALTER KEY IF EXISTS k IGNORED", "ALTER TABLE t ALTER KEY k IGNORED"),
            ("ALTER TABLE t ADD SYSTEM VERSIONING, ADD c INT", "ALTER TABLE t ADD c INT"),
            ("CREATE INDEX IF NOT EXISTS n ON t (b)", "CREATE INDEX n ON t (b)"),
            ("DROP INDEX IF EXISTS k ON t", "DROP INDEX k ON t"),
        ] {
            assert_eq!(decided(sql).unwrap(), [left], "{sql}");
        }
        for nothing in [
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS (a INT, b INT)",
            "ALTER TABLE t DROP FOREIGN KEY IF EXISTS f, RENAME KEY IF EXISTS n TO m",
            "ALTER TABLE t ALTER INDEX IF EXISTS n NOT IGNORED",
            "ALTER TABLE t DROP SYSTEM VERSIONING",
            "CREATE INDEX IF NOT EXISTS k ON t (b)",
            "DROP INDEX IF EXISTS n ON t",
            "RENAME TABLE IF EXISTS x TO y",
        ] {
            assert_eq!(decided(nothing).unwrap(), Vec::<String>::new(), "{nothing}");
        }
    }

    #[test]
    fn what_is_replaced_goes_first() {
        assert_eq!(
            decided("CREATE OR REPLACE TABLE t LIKE u").unwrap(),
            ["DROP TABLE IF EXISTS `d`.`t`", "CREATE TABLE t LIKE u"]
        );
        assert_eq!(
            decided("CREATE OR REPLACE UNIQUE INDEX k ON t (b)").unwrap(),
            ["DROP INDEX `k` ON `d`.`t`", "CREATE UNIQUE INDEX k ON t (b)"]
        );
        assert_eq!(
            decided("CREATE OR REPLACE INDEX n ON t (b)").unwrap(),
            ["CREATE INDEX n ON t (b)"]
        );
    }

    #[test]
    fn renames_go_one_behind_the_other() {
        assert_eq!(
            decided("RENAME TABLE IF EXISTS t TO x, t TO y, n TO m, x TO t").unwrap(),
            ["RENAME TABLE `d`.`t` TO `d`.`x`, `d`.`x` TO `d`.`t`"]
        );
    }

    #[test]
    fn what_nobody_can_say_stays() {
        for sql in [
            "ALTER TABLE t ADD c INT",
            "ALTER TABLE unknown ADD COLUMN IF NOT EXISTS c INT",
            // A key is added, the column is not.
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT UNIQUE",
            // Half of it.
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS (a INT, c INT)",
            "ALTER TABLE t DROP PARTITION IF EXISTS p",
            "ALTER TABLE t /*M! ADD COLUMN IF NOT EXISTS c INT */",
            "CREATE TABLE IF NOT EXISTS t (a INT)",
            "CREATE OR REPLACE TEMPORARY TABLE t (a INT)",
            "DROP TABLE IF EXISTS t",
        ] {
            assert_eq!(decided(sql), None, "{sql}");
        }
    }
}
