//! Statements that change structures, inside of an open transaction.
//!
//! SQLite knows little of MySQL's DDL. So a statement is not translated: the tracker works out
//! what the table is after it, from the structure that the catalog keeps, and the SQLite table is
//! brought there. What the statement does to rows besides is done too, or refused when the source
//! alone knows it (a dropped partition takes rows along that nobody names).

use std::sync::Arc;

use dm_filter::TableName;
use rusqlite::Connection;

use crate::ddl::{
    AlterSpec, AlterTable, Body, CreateTable, DatabaseDef, ParseContext, PartitionOp, SqlMode,
    Statement, TableElement, parse,
};
use crate::error::{Error, Result, codes};
use crate::schema::{Defaults, Effects, SchemaInfo, TableSchema, Tracker, charset_of, same_name};
use crate::sink::{DdlOutcome, TargetDdl};

use super::catalog::{self, Entry};
use super::convert::Stamp;
use super::layout::Layout;
use super::name::quote;
use super::rebuild;
use super::store::failed;
use super::writer::known;

/// Runs a statement.
///
/// # Errors
///
/// When it cannot be read, does not fit the tables, or SQLite refuses it. The errors of missing
/// and existing tables and schemas carry MySQL's numbers.
pub fn execute(conn: &Connection, ddl: &TargetDdl) -> Result<DdlOutcome> {
    let context = ParseContext {
        sql_mode: SqlMode::from_names(ddl.sql_mode.as_deref().unwrap_or_default()),
        default_schema: ddl.schema.clone(),
        server: None,
    };
    let statement = parse(&ddl.sql, &context)?;
    if statement.is_temporary() {
        return skipped("temporary tables do not leave their session");
    }
    match &statement.body {
        Body::CreateDatabase(def) => create_schema(conn, ddl, def, &statement),
        Body::AlterDatabase(def) => alter_schema(conn, ddl, def, &statement),
        Body::DropDatabase { name, if_exists } => drop_schema(conn, name, *if_exists),
        Body::CreateTable(create) => create_table(conn, ddl, create, &statement),
        Body::AlterTable(alter) => alter_table(conn, ddl, alter, &statement),
        Body::CreateIndex(index) => change(conn, ddl, &index.table, &[], &statement),
        Body::DropIndex(index) => change(conn, ddl, &index.table, &[], &statement),
        Body::DropTable { tables, if_exists, .. } => drop_tables(conn, tables, *if_exists),
        Body::RenameTable(pairs) => {
            for (from, to) in pairs {
                if !statement.is_lenient_rename() || catalog::find(conn, from)?.is_some() {
                    rename(conn, from, to)?;
                }
            }
            Ok(DdlOutcome::Done)
        }
        Body::TruncateTable(name) => {
            let entry = known(conn, name)?;
            run(conn, &format!("DELETE FROM {}", quote(&entry.ident)))?;
            Ok(DdlOutcome::Done)
        }
        _ => skipped(&format!("SQLite has nothing for {:?}", statement.kind)),
    }
}

fn skipped(why: &str) -> Result<DdlOutcome> {
    Ok(DdlOutcome::Skipped(why.to_owned()))
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.execute_batch(sql).map_err(|e| failed(&format!("SQLite refused {sql}"), &e))
}

/// A failure that MySQL has a number for.
fn refused(number: u16, message: String) -> Error {
    Error::new(&codes::DB_EXECUTE, message)
        .scope(crate::error::Scope::Downstream)
        .server_number(number)
}

fn unsupported(message: String) -> Error {
    Error::new(&codes::TARGET_DDL, message)
}

/// A tracker that knows these tables and their schemas.
fn tracker(conn: &Connection, ddl: &TargetDdl, tables: &[&TableName]) -> Result<Tracker> {
    let mut defaults = Defaults::default();
    if let Some(collation) = ddl.collation_server.as_deref().filter(|c| !c.is_empty()) {
        defaults.charset = charset_of(collation).to_owned();
        defaults.collation = collation.to_owned();
    }
    if let Some(explicit) = ddl.explicit_defaults_for_timestamp {
        defaults.explicit_defaults_for_timestamp = explicit;
    }
    let mut tracker = Tracker::new(defaults);
    for table in tables {
        if let Some((charset, collation)) = catalog::schema(conn, &table.schema)? {
            tracker.set_schema(&table.schema, SchemaInfo { charset, collation });
        }
        if table.table.is_empty() {
            continue;
        }
        if let Some(entry) = catalog::find(conn, table)? {
            tracker.set((*table).clone(), entry.schema, false);
        }
    }
    Ok(tracker)
}

fn track(
    conn: &Connection,
    ddl: &TargetDdl,
    tables: &[&TableName],
    statement: &Statement,
) -> Result<(Tracker, Effects)> {
    let mut tracker = tracker(conn, ddl, tables)?;
    let effects = tracker.apply(statement)?;
    if let Some(name) = effects.unknown.first() {
        return Err(unsupported(format!(
            "the structure of {name} cannot be told from the statement"
        )));
    }
    Ok((tracker, effects))
}

fn put_schema(conn: &Connection, tracker: &Tracker, name: &str) -> Result<DdlOutcome> {
    let info = tracker.schema(name).cloned().unwrap_or_default();
    catalog::put_schema(conn, name, &info.charset, &info.collation)?;
    Ok(DdlOutcome::Done)
}

fn create_schema(
    conn: &Connection,
    ddl: &TargetDdl,
    def: &DatabaseDef,
    statement: &Statement,
) -> Result<DdlOutcome> {
    if catalog::schema(conn, &def.name)?.is_some() && !def.or_replace {
        return match def.if_not_exists {
            true => skipped("the schema is there"),
            false => Err(refused(1007, format!("schema {} exists at the target", def.name))),
        };
    }
    if def.or_replace {
        drop_schema(conn, &def.name, true)?;
    }
    let (tracker, _) = track(conn, ddl, &[], statement)?;
    put_schema(conn, &tracker, &def.name)
}

fn alter_schema(
    conn: &Connection,
    ddl: &TargetDdl,
    def: &DatabaseDef,
    statement: &Statement,
) -> Result<DdlOutcome> {
    let name = TableName::schema_only(def.name.clone());
    let (tracker, _) = track(conn, ddl, &[&name], statement)?;
    put_schema(conn, &tracker, &def.name)
}

fn drop_schema(conn: &Connection, name: &str, if_exists: bool) -> Result<DdlOutcome> {
    let tables = catalog::tables_of(conn, name)?;
    if tables.is_empty() && catalog::schema(conn, name)?.is_none() {
        return match if_exists {
            true => skipped("there is no such schema"),
            false => Err(refused(1008, format!("schema {name} does not exist at the target"))),
        };
    }
    for table in &tables {
        drop_table(conn, &known(conn, table)?)?;
    }
    catalog::remove_schema(conn, name)?;
    Ok(DdlOutcome::Done)
}

fn drop_table(conn: &Connection, entry: &Entry) -> Result<()> {
    run(conn, &format!("DROP TABLE {}", quote(&entry.ident)))?;
    catalog::remove(conn, &entry.name)
}

fn drop_tables(conn: &Connection, tables: &[TableName], if_exists: bool) -> Result<DdlOutcome> {
    let mut dropped = 0;
    for name in tables {
        match catalog::find(conn, name)? {
            Some(entry) => {
                drop_table(conn, &entry)?;
                dropped += 1;
            }
            None if if_exists => {}
            None => return Err(refused(1051, format!("{name} does not exist at the target"))),
        }
    }
    if dropped == 0 { skipped("there is no such table") } else { Ok(DdlOutcome::Done) }
}

fn create_table(
    conn: &Connection,
    ddl: &TargetDdl,
    create: &CreateTable,
    statement: &Statement,
) -> Result<DdlOutcome> {
    if let Some(entry) = catalog::find(conn, &create.name)? {
        match (create.if_not_exists, create.or_replace) {
            (true, _) => return skipped("the table is there"),
            (_, true) => drop_table(conn, &entry)?,
            _ => return Err(refused(1050, format!("{} exists at the target", create.name))),
        }
    }
    if let Some(like) = &create.like {
        known(conn, like)?;
    }
    let mut tables = vec![&create.name];
    tables.extend(&create.like);
    let (tracker, _) = track(conn, ddl, &tables, statement)?;
    let schema = tracker.table(&create.name).cloned().ok_or_else(|| {
        unsupported(format!("the structure of {} cannot be told from the statement", create.name))
    })?;
    if catalog::schema(conn, &create.name.schema)?.is_none() {
        // Schemas are names here: a table may come before the statement that makes its schema.
        let (charset, collation) = (schema.charset.as_str(), schema.collation.as_str());
        catalog::put_schema(conn, &create.name.schema, charset, collation)?;
    }
    make(conn, &create.name, schema)?;
    Ok(DdlOutcome::Done)
}

/// Makes a table of this structure.
///
/// # Errors
///
/// When SQLite refuses it.
pub fn make(conn: &Connection, name: &TableName, schema: Arc<TableSchema>) -> Result<()> {
    let ident = catalog::free_ident(conn, name)?;
    let notes = rebuild::create(conn, &ident, &schema)?;
    told(name, &notes);
    catalog::put(conn, &Entry { name: name.clone(), ident, schema }, &notes)
}

fn told(name: &TableName, notes: &[String]) {
    for note in notes {
        log::info!("SQLite target, {name}: {note}");
    }
}

fn alter_table(
    conn: &Connection,
    ddl: &TargetDdl,
    alter: &AlterTable,
    statement: &Statement,
) -> Result<DdlOutcome> {
    if alter.if_exists && catalog::find(conn, &alter.name)?.is_none() {
        return skipped("there is no such table");
    }
    let specs: Vec<&AlterSpec> = alter.clauses.iter().map(|c| &c.spec).collect();
    if let Some(op) = specs.iter().find_map(|s| takes_rows(s)) {
        return Err(unsupported(format!(
            "{op:?} of a partition of {} takes or brings rows that the statement does not name",
            alter.name
        ))
        .workaround("Skip the statement and copy the table again."));
    }
    change(conn, ddl, &alter.name, &specs, statement)
}

fn takes_rows(spec: &AlterSpec) -> Option<PartitionOp> {
    use PartitionOp as P;
    match spec {
        AlterSpec::Partition(
            op @ (P::Drop
            | P::Truncate
            | P::Exchange
            | P::Discard
            | P::Import
            | P::ConvertToTable
            | P::ConvertFromTable),
        ) => Some(*op),
        _ => None,
    }
}

/// Carries out what the tracker says of one table, then a rename if there is one.
fn change(
    conn: &Connection,
    ddl: &TargetDdl,
    name: &TableName,
    specs: &[&AlterSpec],
    statement: &Statement,
) -> Result<DdlOutcome> {
    let entry = known(conn, name)?;
    let renamed = specs.iter().rev().find_map(|s| match s {
        AlterSpec::RenameTable(to) if to != name => Some(to),
        _ => None,
    });
    let (tracker, _) = track(conn, ddl, &[name], statement)?;
    let after = tracker.table(renamed.unwrap_or(name)).cloned().ok_or_else(|| {
        unsupported(format!("the structure of {name} cannot be told from the statement"))
    })?;
    if after != entry.schema {
        let zone = ddl.time_zone.as_deref().and_then(Stamp::zone_of);
        let stamp = Stamp { at: ddl.at, zone };
        let origin = origins(&entry.schema, &after, specs);
        let notes = rebuild::alter(conn, &entry, &after, &origin, &stamp)?;
        told(name, &notes);
        catalog::put(conn, &Entry { schema: after, ..entry }, &notes)?;
    }
    if let Some(to) = renamed {
        rename(conn, name, to)?;
    }
    Ok(DdlOutcome::Done)
}

/// Which column each column was before. The names in the clauses are those before the statement,
/// which is how two columns can swap their names.
fn origins(before: &TableSchema, after: &TableSchema, specs: &[&AlterSpec]) -> Vec<Option<String>> {
    let mut renamed: Vec<(&str, &str)> = Vec::new();
    let mut gone: Vec<&str> = Vec::new();
    let mut added: Vec<&str> = Vec::new();
    for spec in specs {
        match spec {
            AlterSpec::ChangeColumn { old, column, .. } => renamed.push((old, &column.name)),
            AlterSpec::RenameColumn { old, new, .. } => renamed.push((old, new)),
            AlterSpec::DropColumn { name, .. } => gone.push(name),
            AlterSpec::AddColumns { elements, .. } => {
                added.extend(elements.iter().filter_map(|e| match e {
                    // IF NOT EXISTS: the column that is there stays.
                    TableElement::Column(c) if before.column(&c.name).is_none() => {
                        Some(c.name.as_str())
                    }
                    _ => None,
                }));
            }
            _ => {}
        }
    }
    let added_again = |name: &str| {
        gone.iter().any(|g| same_name(g, name)) || added.iter().any(|a| same_name(a, name))
    };
    let origin = |name: &str| -> Option<String> {
        if let Some((old, _)) = renamed.iter().find(|(_, new)| same_name(new, name)) {
            return before.column(old).map(|(_, c)| c.name.clone());
        }
        let moved_away = renamed.iter().any(|(old, _)| same_name(old, name));
        if moved_away || added_again(name) {
            return None;
        }
        before.column(name).map(|(_, c)| c.name.clone())
    };
    after.columns.iter().map(|c| origin(&c.name)).collect()
}

fn rename(conn: &Connection, from: &TableName, to: &TableName) -> Result<()> {
    if from == to {
        return Ok(());
    }
    let entry = known(conn, from)?;
    if catalog::find(conn, to)?.is_some() {
        return Err(refused(1050, format!("{to} exists at the target")));
    }
    let ident = catalog::free_ident(conn, to)?;
    // SQLite cannot rename an index, and the next table of the old name needs the names.
    for (name, _) in Layout::new(&entry.ident, &entry.schema).indexes {
        run(conn, &format!("DROP INDEX {}", quote(&name)))?;
    }
    run(conn, &format!("ALTER TABLE {} RENAME TO {}", quote(&entry.ident), quote(&ident)))?;
    for (_, sql) in Layout::new(&ident, &entry.schema).indexes {
        run(conn, &sql)?;
    }
    catalog::rename(conn, from, to, &ident)
}
