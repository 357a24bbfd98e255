//! Gathers what the target tells.

use std::collections::{BTreeMap, BTreeSet};

use dm_filter::TableName;

use super::Subject;
use super::facts::{ServerFacts, SourceFacts, TargetFacts, TargetTable};
use super::gather::about;
use crate::config::{ConnPlan, TargetPlan};
use crate::error::Result;
use crate::mysql::{Connection, Purpose, ServerKind, cell};
use crate::sink::{Sink, TargetDdl};
use crate::sql::{quote_table, quote_text};

/// Asks the target about itself and about the tables that the sources' tables go to.
pub(super) fn target(
    subject: &Subject<'_>,
    sources: &mut [SourceFacts<'_>],
) -> Result<TargetFacts> {
    let mut facts = TargetFacts::default();
    if subject.sources_alone {
        return Ok(facts);
    }
    let named = |e: crate::Error| e.context("target");
    let mut conn = match &subject.plan.target {
        TargetPlan::Mysql(plan) if subject.own_sink => {
            let mut conn = Connection::open(plan, Purpose::Target).map_err(named)?;
            facts.server = Some(about(&mut conn).map_err(named)?);
            let wrong = locks(plan, &mut conn, &subject.plan.name).map_err(named)?;
            // There each connection is the server's own, and the sink asks for locks by itself.
            facts.fenced_by_marks = wrong.is_some() && conn.version().kind == ServerKind::TiDb;
            facts.locks = wrong.filter(|_| !facts.fenced_by_marks);
            Some(conn)
        }
        _ => None,
    };
    let Some(sink) = &subject.sink else { return Ok(facts) };
    let wanted: BTreeSet<TableName> = sources
        .iter()
        .flat_map(|s| s.tables.iter().filter_map(super::facts::TableFacts::target_name))
        .collect();
    tables(&mut facts, conn.as_mut(), &**sink, &wanted).map_err(named)?;
    if let Some(conn) = &mut conn {
        facts.mark_tables = mark_tables(conn, &subject.plan.meta_schema).map_err(named)?;
        triggers(&mut facts, conn).map_err(named)?;
        rows(&mut facts, conn, subject).map_err(named)?;
    }
    for table in sources.iter_mut().flat_map(|s| &mut s.tables) {
        let there = table.target_name().is_some_and(|t| facts.tables.contains_key(&t));
        if let (Some(Ok(info)), false) = (&table.info, there) {
            let ddl = printed(&info.create_sql);
            table.refused = sink.adapt(ddl).err().filter(|e| !e.is_transient());
        }
    }
    Ok(facts)
}

fn printed(sql: &str) -> TargetDdl {
    TargetDdl { sql_mode: Some(String::new()), ..TargetDdl::new(sql, Vec::new()) }
}

fn list(schemas: &BTreeSet<&str>) -> String {
    schemas.iter().map(|s| quote_text(s)).collect::<Vec<_>>().join(", ")
}

/// The structures of those target tables that are there.
fn tables(
    facts: &mut TargetFacts,
    conn: Option<&mut Connection>,
    sink: &dyn Sink,
    wanted: &BTreeSet<TableName>,
) -> Result<()> {
    let schemas: BTreeSet<&str> = wanted.iter().map(|t| t.schema.as_str()).collect();
    let mut there: Option<BTreeSet<(String, String)>> = None;
    if let (Some(conn), false) = (conn, schemas.is_empty()) {
        // One question in place of one per table.
        let rows = conn.rows(&format!(
            "SELECT LOWER(TABLE_SCHEMA), LOWER(TABLE_NAME) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA IN ({})",
            list(&schemas)
        ))?;
        there = Some(rows.iter().map(|r| (cell(r, 0), cell(r, 1))).collect());
    }
    for name in wanted {
        let key = (name.schema.to_lowercase(), name.table.to_lowercase());
        if there.as_ref().is_some_and(|there| !there.contains(&key)) {
            continue;
        }
        match sink.describe(name) {
            Ok(Some(schema)) => {
                let table = TargetTable { schema: Some(schema), ..TargetTable::default() };
                facts.tables.insert(name.clone(), table);
            }
            Ok(None) => {}
            Err(e) if e.is_transient() => return Err(e),
            // A table that cannot be described is there all the same.
            Err(_) => {
                facts.tables.insert(name.clone(), TargetTable::default());
            }
        }
    }
    Ok(())
}

/// The tables of marks that the user sees.
fn mark_tables(conn: &mut Connection, schema: &str) -> Result<Vec<String>> {
    let rows = conn.rows(&format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME IN \
         ('dm_task', 'dm_apply_mark', 'dm_chunk_mark', 'dm_late_key')",
        quote_text(schema)
    ))?;
    Ok(rows.iter().map(|row| cell(row, 0)).collect())
}

fn triggers(facts: &mut TargetFacts, conn: &mut Connection) -> Result<()> {
    let schemas: BTreeSet<&str> = facts.tables.keys().map(|t| t.schema.as_str()).collect();
    if schemas.is_empty() {
        return Ok(());
    }
    let grants = facts.server.as_ref().and_then(|s| s.grants.as_ref());
    let sees = |schema: &str| grants.is_none_or(|g| g.on_schema("TRIGGER", schema));
    facts.sees_triggers = schemas.iter().filter(|s| sees(s)).map(|s| (*s).to_owned()).collect();
    let rows = conn.rows(&format!(
        "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME \
         FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA IN ({})",
        list(&schemas)
    ))?;
    let mut found: BTreeMap<TableName, Vec<String>> = BTreeMap::new();
    for row in &rows {
        let table = TableName::new(cell(row, 0), cell(row, 1));
        found.entry(table).or_default().push(cell(row, 2));
    }
    for (name, triggers) in found {
        let same = |t: &TableName| {
            t.schema.eq_ignore_ascii_case(&name.schema) && t.table.eq_ignore_ascii_case(&name.table)
        };
        if let Some((_, table)) = facts.tables.iter_mut().find(|(t, _)| same(t)) {
            table.triggers = triggers;
        }
    }
    Ok(())
}

/// Which tables hold rows before the copy.
fn rows(facts: &mut TargetFacts, conn: &mut Connection, subject: &Subject<'_>) -> Result<()> {
    if !subject.plan.mode.copies() {
        return Ok(());
    }
    for (name, table) in &mut facts.tables {
        match conn.rows(&format!("SELECT 1 FROM {} LIMIT 1", quote_table(name))) {
            Ok(rows) => table.has_rows = Some(!rows.is_empty()),
            Err(e) if e.is_transient() => return Err(e),
            // The rights are another check's.
            Err(_) => {}
        }
    }
    Ok(())
}

/// What is wrong with named locks: they must belong to one connection, and the number that the
/// server greets with must be the one that KILL takes. A proxy that shares connections breaks both.
fn locks(plan: &ConnPlan, one: &mut Connection, task: &str) -> Result<Option<String>> {
    let mut other = Connection::open(plan, Purpose::Target)?;
    let id = one.scalar("SELECT CONNECTION_ID()")?.unwrap_or_default();
    // A server that does not tell is no proof.
    // The greeting has room for 32 bits, of which TiDB's number may have more.
    let greeted = id.parse::<u64>().map(|id| id & u64::from(u32::MAX));
    if !id.is_empty() && greeted != Ok(u64::from(one.id())) {
        return Ok(Some(format!(
            "the connection was greeted as number {}, the server knows it as {id}",
            one.id()
        )));
    }
    let hash = xxhash_rust::xxh3::xxh3_64(task.as_bytes());
    let name = quote_text(&format!("dm check {hash:016x} {}", std::process::id()));
    let taken = match one.scalar(&format!("SELECT GET_LOCK({name}, 5)")) {
        Ok(taken) => taken,
        Err(e) if e.is_transient() => return Err(e),
        Err(e) => return Ok(Some(format!("GET_LOCK fails: {}", e.message()))),
    };
    let holder = other.scalar(&format!("SELECT IS_USED_LOCK({name})"));
    let again = other.scalar(&format!("SELECT GET_LOCK({name}, 0)"));
    // The lock goes with the connection in any case.
    let _ = one.run(&format!("DO RELEASE_LOCK({name})"));
    if taken.as_deref() != Some("1") {
        return Ok(Some("a free named lock was not given".to_owned()));
    }
    if again.ok().flatten().as_deref() == Some("1") {
        return Ok(Some("two connections got the same named lock".to_owned()));
    }
    match holder.ok().flatten() {
        Some(holder) if !id.is_empty() && holder != id => {
            Ok(Some(format!("connection {id} took a named lock, {holder} is said to hold it")))
        }
        _ => Ok(None),
    }
}

impl ServerFacts {
    /// True when a right on a schema, or on everything, is there or cannot be told.
    pub fn may_in_schema(&self, right: &str, schema: &str) -> bool {
        self.grants.as_ref().is_none_or(|g| g.on_schema(right, schema))
    }

    /// True when a right on a table is there or cannot be told.
    pub fn may_on_table(&self, right: &str, table: &TableName) -> bool {
        self.grants.as_ref().is_none_or(|g| g.on_table(right, table))
    }

    /// True when one of some rights on everything is there or cannot be told.
    pub fn may(&self, rights: &[&str]) -> bool {
        self.grants.as_ref().is_none_or(|g| g.global_any(rights))
    }
}
