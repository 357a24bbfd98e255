//! Statements that change structures, run on tables in memory.
//!
//! The numbers of the errors are those of MySQL, so that whoever handles "already exists" or
//! "unknown table" by number meets here what a server answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use dm_filter::TableName;

use super::apply::{Tables, table_mut};
use super::table::{Table, refused};
use crate::ddl::{
    AlterSpec, AlterTable, Body, CreateTable, Flavor, ParseContext, ServerVersion, SqlMode,
    Statement, TableElement,
};
use crate::error::{Error, Result, Scope, codes};
use crate::schema::{Defaults, Tracker, create_table, parse_create_table, same_name};
use crate::sink::{DdlOutcome, TargetDdl};

/// The tables of the target and the schemas that they lie in.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    pub schemas: BTreeSet<String>,
    pub tables: Tables,
}

impl Catalog {
    /// Runs a statement; an error leaves everything as it was.
    pub fn run(&mut self, ddl: &TargetDdl) -> Result<DdlOutcome> {
        let sql_mode = ddl.sql_mode.as_deref().map(SqlMode::from_names).unwrap_or_default();
        let context = ParseContext { sql_mode, ..ParseContext::in_schema(&ddl.schema) };
        let statement = crate::ddl::parse(&ddl.sql, &context)?;
        match &statement.body {
            Body::CreateTable(create) => self.create_table(create, &statement)?,
            Body::AlterTable(alter) => self.alter(alter, &statement)?,
            Body::CreateIndex(index) => {
                self.restructure(&index.table, &statement, None, |name| Some(name.to_owned()))?;
            }
            Body::DropIndex(index) => {
                self.restructure(&index.table, &statement, None, |name| Some(name.to_owned()))?;
            }
            Body::DropTable { tables, if_exists, .. } => self.drop_tables(tables, *if_exists)?,
            Body::RenameTable(pairs) => self.rename(pairs, statement.is_lenient_rename())?,
            Body::TruncateTable(name) => table_mut(&mut self.tables, name)?.clear(),
            Body::CreateDatabase(def) => {
                if !self.schemas.insert(def.name.clone()) && !def.if_not_exists {
                    let text = format!("Can't create database '{}'; database exists", def.name);
                    return Err(refused(1007, text));
                }
            }
            Body::AlterDatabase(def) => self.require_schema(&def.name)?,
            Body::DropDatabase { name, if_exists } => {
                if !self.schemas.remove(name) && !if_exists {
                    let text = format!("Can't drop database '{name}'; database doesn't exist");
                    return Err(refused(1008, text));
                }
                self.tables.retain(|table, _| table.schema != *name);
            }
            Body::Other => {
                return Ok(DdlOutcome::Skipped(format!("{:?} keeps no rows", statement.kind)));
            }
        }
        Ok(DdlOutcome::Done)
    }

    fn require_schema(&self, name: &str) -> Result<()> {
        if self.schemas.contains(name) {
            return Ok(());
        }
        Err(refused(1049, format!("Unknown database '{name}'")))
    }

    fn create_table(&mut self, create: &CreateTable, statement: &Statement) -> Result<()> {
        let name = &create.name;
        self.require_schema(&name.schema)?;
        if self.tables.contains_key(name) {
            if create.if_not_exists {
                return Ok(());
            }
            if !create.or_replace {
                return Err(refused(1050, format!("Table '{}' already exists", name.table)));
            }
        }
        let schema = match &create.like {
            Some(like) => {
                let table = table_mut(&mut self.tables, like)?;
                Arc::clone(&table.schema)
            }
            None => Arc::new(parse_create_table(&statement.sql, statement.context.sql_mode)?),
        };
        let text = create_table(name, &schema);
        self.tables.insert(name.clone(), Table::new(schema, text));
        Ok(())
    }

    fn drop_tables(&mut self, names: &[TableName], if_exists: bool) -> Result<()> {
        if let Some(gone) = names.iter().find(|n| !self.tables.contains_key(n))
            && !if_exists
        {
            return Err(refused(1051, format!("Unknown table '{}.{}'", gone.schema, gone.table)));
        }
        names.iter().for_each(|name| {
            self.tables.remove(name);
        });
        Ok(())
    }

    fn rename(&mut self, pairs: &[(TableName, TableName)], lenient: bool) -> Result<()> {
        let mut names: BTreeSet<&TableName> = self.tables.keys().collect();
        for (old, new) in pairs {
            if !names.remove(old) {
                if lenient {
                    continue;
                }
                let text = format!("Table '{}.{}' doesn't exist", old.schema, old.table);
                return Err(refused(1146, text));
            }
            self.require_schema(&new.schema)?;
            if !names.insert(new) {
                return Err(refused(1050, format!("Table '{}' already exists", new.table)));
            }
        }
        for (old, new) in pairs {
            if let Some(table) = self.tables.remove(old) {
                self.tables.insert(new.clone(), table);
            }
        }
        Ok(())
    }

    /// ALTER TABLE: the tracker says what becomes of the structure, the rows follow their columns.
    fn alter(&mut self, alter: &AlterTable, statement: &Statement) -> Result<()> {
        if alter.if_exists && !self.tables.contains_key(&alter.name) {
            return Ok(());
        }
        let new = alter.clauses.iter().rev().find_map(|clause| match &clause.spec {
            AlterSpec::RenameTable(new) => Some(new),
            _ => None,
        });
        if let Some(new) = new.filter(|new| **new != alter.name) {
            self.require_schema(&new.schema)?;
            if self.tables.contains_key(new) {
                return Err(refused(1050, format!("Table '{}' already exists", new.table)));
            }
        }
        self.restructure(&alter.name, statement, new, |name| name_before(alter, name))
    }

    fn restructure(
        &mut self,
        name: &TableName,
        statement: &Statement,
        new_name: Option<&TableName>,
        before: impl Fn(&str) -> Option<String>,
    ) -> Result<()> {
        let table = table_mut(&mut self.tables, name)?;
        let mut tracker = Tracker::new(Defaults::of(ServerVersion::new(Flavor::MySql, 8, 4, 0)));
        tracker.set(name.clone(), Arc::clone(&table.schema), false);
        tracker.apply(statement)?;
        let new_name = new_name.unwrap_or(name);
        let Some(schema) = tracker.table(new_name).map(Arc::clone) else {
            let text = format!("this target cannot follow `{}`", statement.sql);
            return Err(Error::new(&codes::DB_EXECUTE, text).scope(Scope::Downstream));
        };
        let text = create_table(new_name, &schema);
        let table = table.restructured(schema, text, before)?;
        self.tables.remove(name);
        self.tables.insert(new_name.clone(), table);
        Ok(())
    }
}

/// The name that a column had before an ALTER TABLE; `None` for one that the statement adds. All
/// clauses speak of the table as it was before the statement: columns may change places.
fn name_before(alter: &AlterTable, name: &str) -> Option<String> {
    for clause in &alter.clauses {
        match &clause.spec {
            AlterSpec::RenameColumn { old, new, .. } if same_name(new, name) => {
                return Some(old.clone());
            }
            AlterSpec::ChangeColumn { old, column, .. } if same_name(&column.name, name) => {
                return Some(old.clone());
            }
            AlterSpec::AddColumns { elements, .. } => {
                let adds = elements.iter().any(|element| {
                    matches!(element, TableElement::Column(c) if same_name(&c.name, name))
                });
                if adds {
                    return None;
                }
            }
            _ => {}
        }
    }
    Some(name.to_owned())
}
