//! Names, structures and sizes of a server's tables.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dm_filter::TableName;

use crate::config::ConnPlan;
use crate::ddl::SqlMode;
use crate::error::{Error, Result, codes};
use crate::mysql::{Connection, Purpose, cell, numbers, shown};
use crate::schema::parse_create_table;
use crate::source::{SchemaInfo, TableChoice, TableInfo};
use crate::sql::{quote_table, quote_text};
use crate::whose::carried;

/// Schemas of the servers' own, never copied nor followed.
const SYSTEM: &[&str] = &[
    "information_schema",
    "inspection_schema",
    "metrics_schema",
    "mysql",
    "performance_schema",
    "sys",
];

/// More structures than this are asked for over several connections.
const MANY: usize = 64;
const CONNECTIONS: usize = 4;
/// Of up to this many tables the sizes are asked as they are now.
const FRESH_SIZES: usize = 1_000;

/// True for a schema of the server's own.
pub(super) fn is_system(schema: &str) -> bool {
    SYSTEM.iter().any(|s| s.eq_ignore_ascii_case(schema))
}

/// The tables that `choose` wants, ordered by name. Views and sequences hold no rows.
pub(super) fn tables(conn: &mut Connection, choose: &TableChoice) -> Result<Vec<TableName>> {
    let rows = conn.rows(
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
         WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')",
    )?;
    let mut names: Vec<TableName> = rows
        .iter()
        .map(|row| TableName::new(cell(row, 0), cell(row, 1)))
        .filter(|name| !is_system(&name.schema) && choose(name))
        .collect();
    names.sort();
    Ok(names)
}

/// A table's structure; `None` when it does not exist.
pub(crate) fn table(conn: &mut Connection, name: &TableName) -> Result<Option<TableInfo>> {
    let rows = match conn.rows(&format!("SHOW CREATE TABLE {}", quote_table(name))) {
        Ok(rows) => rows,
        Err(e) if matches!(e.server_error(), Some(numbers::NO_SUCH_TABLE | numbers::BAD_DB)) => {
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    let Some(row) = rows.first() else { return Ok(None) };
    let is_table = row.columns_ref().get(1).is_some_and(|c| c.name_str() == "Create Table");
    if !is_table {
        return Ok(None);
    }
    let Some(::mysql::Value::Bytes(text)) = row.as_ref(1) else { return Ok(None) };
    let create_sql: Arc<str> = shown(text).into();
    let schema = parse_create_table(&create_sql, SqlMode::default())
        .map_err(|e| e.context(format!("the structure of {name}")))?;
    Ok(Some(TableInfo { name: name.clone(), create_sql, schema: schema.shared() }))
}

/// The structures of many tables; those that are gone meanwhile are left out.
pub(super) fn all(
    conn: &mut Connection,
    plan: &ConnPlan,
    names: &[TableName],
) -> Result<Vec<TableInfo>> {
    if names.len() <= MANY {
        return names.iter().filter_map(|name| table(conn, name).transpose()).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, TableInfo)>> {
        let mut conn = Connection::open(plan, Purpose::Control)?;
        let mut found = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(name) = names.get(index) else { return Ok(found) };
            found.extend(table(&mut conn, name)?.map(|info| (index, info)));
        }
    };
    let parts: Vec<Result<Vec<(usize, TableInfo)>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(carried(work))).collect();
        threads
            .into_iter()
            .map(|t| {
                t.join().unwrap_or_else(|_| {
                    Err(Error::new(&codes::SYNC_PANIC, "reading structures ended unexpectedly"))
                })
            })
            .collect()
    });
    let mut found = Vec::with_capacity(names.len());
    for part in parts {
        found.extend(part?);
    }
    found.sort_by_key(|(index, _)| *index);
    Ok(found.into_iter().map(|(_, info)| info).collect())
}

/// Estimated rows and bytes of each table of some schemas.
pub(crate) fn sizes(
    conn: &mut Connection,
    names: &[TableName],
) -> Result<HashMap<TableName, (u64, u64)>> {
    if names.len() <= FRESH_SIZES {
        // MySQL 8 tells what was so up to a day ago; to look costs opening each table.
        conn.try_set("information_schema_stats_expiry", "0")?;
    }
    let rows = conn.rows(&format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA IN ({})",
        schema_list(names)
    ))?;
    let number = |row: &::mysql::Row, i| cell(row, i).parse().unwrap_or(0);
    Ok(rows
        .iter()
        .map(|row| (TableName::new(cell(row, 0), cell(row, 1)), (number(row, 2), number(row, 3))))
        .collect())
}

/// The schemas of some tables, and those that `choose` wants although they hold no table yet: the
/// stream may create one in them.
pub(super) fn schemas(
    conn: &mut Connection,
    names: &[TableName],
    choose: &TableChoice,
) -> Result<Vec<SchemaInfo>> {
    let filled: BTreeSet<&str> = names.iter().map(|n| n.schema.as_str()).collect();
    let rows = conn.rows(
        "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME \
         FROM information_schema.SCHEMATA ORDER BY SCHEMA_NAME",
    )?;
    let wanted = |name: &str| {
        filled.contains(name) || (!is_system(name) && choose(&TableName::schema_only(name)))
    };
    Ok(rows
        .iter()
        .map(|row| SchemaInfo {
            name: cell(row, 0),
            charset: cell(row, 1),
            collation: cell(row, 2),
        })
        .filter(|schema| wanted(&schema.name))
        .collect())
}

fn schema_list(names: &[TableName]) -> String {
    let schemas: BTreeSet<&str> = names.iter().map(|n| n.schema.as_str()).collect();
    let list: Vec<String> = schemas.into_iter().map(quote_text).collect();
    if list.is_empty() { "''".to_owned() } else { list.join(", ") }
}
