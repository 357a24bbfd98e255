//! A statement on its way into the tracker: what it changes is collected and committed together.

use std::collections::BTreeMap;
use std::sync::Arc;

use dm_filter::TableName;

use super::super::alter::{self, AlterContext};
use super::super::build::Builder;
use super::super::table::{ForeignKey, TableSchema, same_name};
use super::{Effects, Tracker};
use crate::ddl::{
    AlterClause, AlterSpec, AlterTable, CreateTable, Flavor, KeyPart, NameRole, PartitionOp,
    Statement, TableOption,
};
use crate::error::{Error, Result, codes};

/// New structures by key: the name, and the structure with its `assumed` mark; `None` is gone.
pub(super) type Changed = BTreeMap<TableName, (TableName, Option<(Arc<TableSchema>, bool)>)>;

/// An ALTER TABLE made up for a statement that means the same.
pub(super) fn synthetic(table: &TableName, specs: Vec<AlterSpec>) -> AlterTable {
    let clauses = specs.into_iter().map(|spec| AlterClause { spec, span: 0..0 }).collect();
    AlterTable { name: table.clone(), if_exists: false, clauses }
}

/// A statement on its way: changes are collected and committed together.
pub(super) struct Work<'a> {
    pub tracker: &'a Tracker,
    pub changed: Changed,
    pub effects: Effects,
}

impl Work<'_> {
    fn get(&self, name: &TableName) -> Option<(Arc<TableSchema>, bool)> {
        match self.changed.get(&self.tracker.key(name)) {
            Some((_, after)) => after.clone(),
            None => self.tracker.tracked(name).map(|t| (t.schema.clone(), t.assumed)),
        }
    }

    fn put(&mut self, name: &TableName, after: Option<(Arc<TableSchema>, bool)>) {
        self.changed.insert(self.tracker.key(name), (name.clone(), after));
    }

    /// Nothing is tracked under this name.
    pub fn is_away(&self, name: &TableName) -> bool {
        self.get(name).is_none()
    }

    pub fn has_key(&self, table: &TableName, name: &str) -> bool {
        self.get(table).is_some_and(|(t, _)| t.keys.iter().any(|k| same_name(&k.name, name)))
    }

    pub fn drop_table(&mut self, name: &TableName) {
        if self.get(name).is_none() {
            self.effects.notes.push(format!("table {name} is not there"));
        }
        self.put(name, None);
    }

    pub fn create(&mut self, create: &CreateTable, statement: &Statement) -> Result {
        if create.temporary || is_sequence(create) {
            return Ok(());
        }
        if let Some((_, assumed)) = self.get(&create.name) {
            if create.if_not_exists && !assumed {
                return Ok(());
            }
            if !create.or_replace && !assumed {
                return Err(Error::new(
                    &codes::SCHEMA_DDL,
                    format!("table {} is tracked already", create.name),
                ));
            }
        }
        if let Some(like) = &create.like {
            return self.create_like(&create.name, like);
        }
        if create.select.is_some() {
            self.put(&create.name, None);
            self.effects.unknown.push(create.name.clone());
            return Ok(());
        }
        let info = self.tracker.schema_info(&create.name.schema);
        let inherited = (info.charset.as_str(), info.collation.as_str());
        let mode = statement.context.sql_mode;
        let builder = Builder::new(&self.tracker.defaults, mode, &create.name.table, inherited);
        let mut table = builder.table(create);
        leave_out_own_schema(&mut table, &create.name.schema);
        self.parent_columns(&mut table, &create.name);
        self.put(&create.name, Some((table.shared(), false)));
        Ok(())
    }

    /// A copy without foreign keys; CHECK constraints with names made up get new ones.
    fn create_like(&mut self, name: &TableName, like: &TableName) -> Result {
        let Some((source, assumed)) = self.get(like) else {
            self.put(name, None);
            self.effects.unknown.push(name.clone());
            return Ok(());
        };
        let mut table = TableSchema::clone(&source);
        table.foreign_keys.clear();
        table.options.retain(|(option, _)| {
            !matches!(option.as_str(), "AUTO_INCREMENT" | "DATA DIRECTORY" | "INDEX DIRECTORY")
        });
        for key in &mut table.keys {
            key.generated = false;
        }
        if self.tracker.defaults.server.flavor == Flavor::MySql {
            // Numbered in the order in which the server keeps them.
            table.checks.sort_by_key(|check| check.name.to_lowercase());
            for (n, check) in table.checks.iter_mut().enumerate() {
                check.name = format!("{}_chk_{}", name.table, n + 1);
            }
        }
        self.put(name, Some((table.shared(), assumed)));
        Ok(())
    }

    pub fn alter(&mut self, alter: &AlterTable, statement: &Statement) -> Result {
        let new_name = alter.clauses.iter().find_map(|c| match &c.spec {
            AlterSpec::RenameTable(name) => Some(name),
            _ => None,
        });
        let Some((old, assumed)) = self.get(&alter.name) else {
            if !alter.if_exists {
                self.put(&alter.name, None);
                if let Some(name) = new_name {
                    self.put(name, None);
                }
                self.effects.unknown.push(new_name.unwrap_or(&alter.name).clone());
            }
            return Ok(());
        };
        let info = self.tracker.schema_info(&alter.name.schema);
        let context = AlterContext {
            defaults: &self.tracker.defaults,
            mode: statement.context.sql_mode,
            table: &alter.name.table,
            sql: &statement.sql,
            schema: (&info.charset, &info.collation),
        };
        let (mut table, altered) = alter::alter(&old, &alter.clauses, &context)?;
        leave_out_own_schema(&mut table, &alter.name.schema);
        self.parent_columns(&mut table, &alter.name);
        self.effects.notes.extend(altered.notes);
        self.convert_partitions(&table, alter, statement);
        self.put(&alter.name, Some((table.shared(), assumed)));
        if !altered.renamed.is_empty() {
            self.rename_parent_columns(&alter.name, &altered.renamed);
        }
        match new_name {
            Some(name) => self.rename(&alter.name, name),
            None => Ok(()),
        }
    }

    /// MariaDB: a partition becomes a table like the one that it was part of, or a table a partition.
    fn convert_partitions(&mut self, of: &TableSchema, alter: &AlterTable, statement: &Statement) {
        let named = statement.names.iter().find(|n| n.role == NameRole::Exchange);
        let Some(other) = named.map(|n| &n.name) else { return };
        for clause in &alter.clauses {
            match clause.spec {
                AlterSpec::Partition(PartitionOp::ConvertToTable) => {
                    let mut table = of.clone();
                    table.partitioning = None;
                    self.put(other, Some((table.shared(), false)));
                }
                AlterSpec::Partition(PartitionOp::ConvertFromTable) => self.put(other, None),
                _ => {}
            }
        }
    }

    /// A foreign key that names no columns of its parent references the primary key (MySQL 9), or the columns of
    /// the same names (MariaDB).
    fn parent_columns(&self, table: &mut TableSchema, name: &TableName) {
        let columns = |of: &TableSchema| -> Vec<String> {
            let parts = of.primary_key().into_iter().flat_map(|key| &key.parts);
            parts.filter_map(KeyPart::column).map(str::to_owned).collect()
        };
        let own = columns(table);
        for key in table.foreign_keys.iter_mut().filter(|key| key.parent_columns.is_empty()) {
            if self.tracker.defaults.server.flavor == Flavor::MariaDb {
                key.parent_columns.clone_from(&key.columns);
                continue;
            }
            let parent = parent_of(key, name);
            key.parent_columns = if self.tracker.key(&parent) == self.tracker.key(name) {
                own.clone()
            } else {
                self.get(&parent).map(|(parent, _)| columns(&parent)).unwrap_or_default()
            };
        }
    }

    pub fn rename(&mut self, old: &TableName, new: &TableName) -> Result {
        let tracked = self.get(old);
        if self.tracker.key(old) == self.tracker.key(new) {
            return Ok(());
        }
        if self.get(new).is_some_and(|(_, assumed)| !assumed) {
            return Err(Error::new(
                &codes::SCHEMA_DDL,
                format!("{old} cannot be renamed: table {new} is tracked already"),
            ));
        }
        self.put(old, None);
        let Some((schema, assumed)) = tracked else {
            self.put(new, None);
            self.effects.unknown.push(new.clone());
            return Ok(());
        };
        let mut table = TableSchema::clone(&schema);
        for key in &mut table.foreign_keys {
            rename_generated(&mut key.name, "_ibfk_", old, new);
            // An unqualified parent lies in the table's schema: it stays where it is.
            if old.schema != new.schema && key.parent_schema.is_empty() {
                key.parent_schema.clone_from(&old.schema);
            }
            if key.parent_schema == new.schema {
                key.parent_schema.clear();
            }
        }
        for check in &mut table.checks {
            rename_generated(&mut check.name, "_chk_", old, new);
        }
        self.put(new, Some((table.shared(), assumed)));
        self.rename_parent(old, new);
        Ok(())
    }

    /// Tables whose foreign keys reference `parent`, with their names.
    fn children(&self, parent: &TableName) -> Vec<(TableName, TableSchema, bool)> {
        let key = self.tracker.key(parent);
        let mut names: Vec<TableName> = self.tracker.tables().map(|(n, _)| n.clone()).collect();
        names.extend(self.changed.values().map(|(name, _)| name.clone()));
        names.sort();
        names.dedup();
        let mut found = Vec::new();
        for name in names {
            let Some((schema, assumed)) = self.get(&name) else { continue };
            let refers = |k: &ForeignKey| self.tracker.key(&parent_of(k, &name)) == key;
            if schema.foreign_keys.iter().any(refers) {
                found.push((name, TableSchema::clone(&schema), assumed));
            }
        }
        found
    }

    fn rename_parent(&mut self, old: &TableName, new: &TableName) {
        for (name, mut table, assumed) in self.children(old) {
            for key in &mut table.foreign_keys {
                if self.tracker.key(&parent_of(key, &name)) == self.tracker.key(old) {
                    key.parent_table.clone_from(&new.table);
                    key.parent_schema.clone_from(&new.schema);
                    if key.parent_schema == name.schema {
                        key.parent_schema.clear();
                    }
                }
            }
            self.put(&name, Some((table.shared(), assumed)));
        }
    }

    fn rename_parent_columns(&mut self, parent: &TableName, renamed: &[(String, String)]) {
        for (name, mut table, assumed) in self.children(parent) {
            for key in &mut table.foreign_keys {
                if self.tracker.key(&parent_of(key, &name)) != self.tracker.key(parent) {
                    continue;
                }
                for column in &mut key.parent_columns {
                    if let Some((_, new)) = renamed.iter().find(|(old, _)| same_name(old, column)) {
                        column.clone_from(new);
                    }
                }
            }
            self.put(&name, Some((table.shared(), assumed)));
        }
    }
}

/// MariaDB: a sequence, written as the table that holds it.
fn is_sequence(create: &CreateTable) -> bool {
    create.options.iter().any(|option| {
        matches!(option, TableOption::Other(name, value) if name == "SEQUENCE" && value != "0")
    })
}

/// A foreign key into the table's own schema does not name it, as servers print it.
fn leave_out_own_schema(table: &mut TableSchema, schema: &str) {
    for key in table.foreign_keys.iter_mut().filter(|key| key.parent_schema == schema) {
        key.parent_schema.clear();
    }
}

/// The table that a foreign key of `child` references.
fn parent_of(key: &ForeignKey, child: &TableName) -> TableName {
    let schema = if key.parent_schema.is_empty() { &child.schema } else { &key.parent_schema };
    TableName::new(schema.clone(), key.parent_table.clone())
}

/// A name that the server made from the table's name follows the table.
fn rename_generated(name: &mut String, infix: &str, old: &TableName, new: &TableName) {
    let prefix = format!("{}{infix}", old.table);
    if let Some(number) = name.strip_prefix(&prefix)
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        *name = format!("{}{infix}{number}", new.table);
    }
}
