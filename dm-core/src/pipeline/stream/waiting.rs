//! Which tables wait for a statement that runs beside rows of others. Pure.
//!
//! Guarantee: whatever a statement looks at or changes waits, at either side. Obstacle: a statement says its
//! tables in the source's words; foreign keys tie others to them; one on a schema is about all of its tables,
//! also those that nobody has met yet; and another source table may go to the same target table. Method: the
//! names of the statement and their targets, whole schemas by their name alone, and what foreign keys tie to
//! any of them. Names that differ in case alone are taken for one: a table too many waits, never one too few.

use std::collections::HashSet;

use dm_filter::TableName;

use crate::ddl::{Body, NameRole, Statement};
use crate::schema::Tracker;

/// Names of tables, and of schemas of which every table is meant.
#[derive(Debug, Default)]
struct Names {
    tables: HashSet<(String, String)>,
    schemas: HashSet<String>,
}

impl Names {
    /// Adds a table; without a table's name, all of a schema.
    fn add(&mut self, name: &TableName) {
        let schema = name.schema.to_lowercase();
        match name.table.is_empty() {
            true => self.schemas.insert(schema),
            false => self.tables.insert((schema, name.table.to_lowercase())),
        };
    }

    fn join(&mut self, others: &Self) {
        self.tables.extend(others.tables.iter().cloned());
        self.schemas.extend(others.schemas.iter().cloned());
    }

    fn has(&self, table: &TableName) -> bool {
        let schema = table.schema.to_lowercase();
        self.schemas.contains(&schema)
            || self.tables.contains(&(schema, table.table.to_lowercase()))
    }
}

/// The tables that wait, by their names at the source and at the target.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    sources: Names,
    targets: Names,
}

impl Waiting {
    pub fn has(&self, table: &TableName, target: Option<&TableName>) -> bool {
        self.sources.has(table) || target.is_some_and(|target| self.targets.has(target))
    }

    /// Adds all that others are.
    pub fn join(&mut self, others: &Self) {
        self.sources.join(&others.sources);
        self.targets.join(&others.targets);
    }

    /// A table of the source, or all of a schema.
    pub fn add(&mut self, table: &TableName, target: Option<&TableName>) {
        self.sources.add(table);
        target.into_iter().for_each(|target| self.add_target(target));
    }

    /// A table of the target, or all of a schema.
    pub fn add_target(&mut self, target: &TableName) {
        self.targets.add(target);
    }

    /// Adds the tables of which foreign keys point to `names`, and those that keys of theirs point to.
    pub fn add_tied(&mut self, names: &[TableName], tracker: &Tracker) {
        let mut about = Names::default();
        names.iter().for_each(|name| about.add(name));
        for (child, tracked) in tracker.tables() {
            for key in &tracked.schema.foreign_keys {
                let schema = match key.parent_schema.as_str() {
                    "" => &child.schema,
                    named => named,
                };
                let parent = TableName::new(schema, key.parent_table.as_str());
                if about.has(child) || about.has(&parent) {
                    self.sources.add(child);
                    self.sources.add(&parent);
                }
            }
        }
    }
}

/// The tables and schemas that a statement is about; `None` where its text does not name them all, or
/// where its rows stand behind it in the same group.
pub(super) fn named(statement: &Statement) -> Option<Vec<TableName>> {
    use NameRole::{Exchange, Like, NewName, Parent, Passing, Schema, Table};
    let known = match &statement.body {
        Body::CreateTable(create) => create.select.is_none() && !create.temporary,
        Body::DropTable { temporary, .. } => !temporary,
        Body::AlterTable(_)
        | Body::CreateIndex(_)
        | Body::DropIndex(_)
        | Body::TruncateTable(_)
        | Body::RenameTable(_)
        | Body::CreateDatabase(_)
        | Body::AlterDatabase(_)
        | Body::DropDatabase { .. } => true,
        _ => false,
    };
    let all = statement.names.iter().all(|name| {
        matches!(name.role, Table | NewName | Passing | Like | Parent | Exchange | Schema)
    });
    let names: Vec<TableName> = statement.names.iter().map(|name| name.name.clone()).collect();
    (known && all && !names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ddl::{ParseContext, ServerVersion, SqlMode, parse};
    use crate::schema::{Defaults, parse_create_table};

    fn tracker(tables: &[(&str, &str)]) -> Tracker {
        let mut tracker = Tracker::new(Defaults::of(ServerVersion::parse("8.4.0")));
        for (name, text) in tables {
            let schema = parse_create_table(text, SqlMode::default()).unwrap();
            tracker.set(TableName::new("d", *name), Arc::new(schema), false);
        }
        tracker
    }

    #[test]
    fn tables_that_foreign_keys_tie_wait_too() {
        let child = "CREATE TABLE c (p INT, FOREIGN KEY (p) REFERENCES p (id))";
        let other = "CREATE TABLE o (p INT, FOREIGN KEY (p) REFERENCES e.far (id))";
        let plain = "CREATE TABLE p (id INT PRIMARY KEY)";
        let tracker = tracker(&[("c", child), ("o", other), ("p", plain), ("x", plain)]);
        let waits = |about: TableName| {
            let mut waiting = Waiting::default();
            waiting.add(&about, None);
            waiting.add_tied(&[about], &tracker);
            let mut names: Vec<String> =
                waiting.sources.tables.into_iter().map(|(_, t)| t).collect();
            names.sort();
            names.join(" ")
        };
        let table = |name: &str| TableName::new("d", name);
        assert_eq!(waits(table("p")), "c p");
        assert_eq!(waits(table("C")), "c p");
        assert_eq!(waits(table("o")), "far o");
        assert_eq!(waits(table("x")), "x");
        assert_eq!(waits(TableName::schema_only("E")), "far o", "a key leads out of the schema");
    }

    #[test]
    fn a_table_waits_by_its_name_at_either_side() {
        let mut waiting = Waiting::default();
        waiting.add(&TableName::new("d", "T"), Some(&TableName::new("far", "t")));
        let name = TableName::new;
        assert!(waiting.has(&name("D", "t"), None));
        assert!(waiting.has(&name("d", "u"), Some(&name("far", "T"))));
        assert!(!waiting.has(&name("far", "t"), Some(&name("d", "t"))));
    }

    #[test]
    fn every_table_of_a_schema_waits() {
        let mut waiting = Waiting::default();
        let (schema, name) = (TableName::schema_only, TableName::new);
        waiting.add(&schema("d"), None);
        waiting.add_target(&schema("far"));
        assert!(waiting.has(&name("D", "any"), None));
        assert!(waiting.has(&name("e", "t"), Some(&name("FAR", "t"))));
        assert!(!waiting.has(&name("e", "d"), Some(&name("e", "far"))));
    }

    #[test]
    fn statements_that_name_all_that_they_are_about() {
        let about = |sql: &str| {
            let statement = parse(sql, &ParseContext::in_schema("d")).unwrap();
            let all = named(&statement)?;
            Some(all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        let text = |text: &str| Some(text.to_owned());
        let swap = "RENAME TABLE a TO x, e.b TO a, x TO e.b";
        assert_eq!(about(swap), text("`d`.`a` `d`.`x` `e`.`b` `d`.`a` `d`.`x` `e`.`b`"));
        assert_eq!(about("ALTER TABLE a RENAME TO e.b"), text("`d`.`a` `e`.`b`"));
        assert_eq!(about("CREATE TABLE a LIKE b"), text("`d`.`a` `d`.`b`"));
        assert_eq!(about("DROP DATABASE e"), text("`e`"));
        assert_eq!(about("ALTER DATABASE CHARACTER SET utf8mb4"), text("`d`"));
        assert_eq!(about("CREATE TABLE a SELECT * FROM b"), None);
        assert_eq!(about("CREATE VIEW v AS SELECT * FROM b"), None);
        assert_eq!(about("CREATE SEQUENCE s"), None);
    }
}
