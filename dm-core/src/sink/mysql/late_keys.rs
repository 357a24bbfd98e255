//! Keys that serve only reading are made after the rows of a copy: sorted once, in place of being
//! kept in order row by row.
//!
//! Guarantee: a table that the copy has made has, when the copy is finished, every key that it was
//! made with, whatever was killed in between, and also when the task is forgotten half way.
//! Obstacle: a statement that changes a table commits by itself, and goes on running at the server
//! when its client is gone. Method: the table is made whole. Before keys are dropped, the target's
//! own text of the structure is written down beside the marks; only when the table has all keys of
//! that text is the record removed. So at any moment either the table is whole or the record says
//! what it lacks, and what lacks is found by looking at the table, not by remembering what was
//! done. A statement of a killed process that still runs makes ours wait for the table, and then
//! fail with "duplicate key name": it is looked at again.
//!
//! Primary and unique keys stay: they are what rows are found by, and what refuses a second row. So
//! do the keys of tables that foreign keys point to or come from, and those of a kind or with
//! options that a statement of ours might not say as the server meant them.

use std::sync::Arc;

use dm_filter::TableName;

use super::Shared;
use super::marks::{lane_literal, literal};
use crate::ddl::SqlMode;
use crate::error::{Error, Result, codes};
use crate::event::LaneId;
use crate::schema::{
    Key, KeyKind, KeyPart, TableSchema, key_clause, parse_create_table, same_name,
};
use crate::sql::{quote_ident, quote_table};

/// How often the lack of keys is looked at anew.
const LOOKS: u32 = 4;
/// The server has a key of this name by now.
const DUPLICATE_NAME: u16 = 1061;
/// No such database, no such table.
const NOTHING: &[u16] = &[1049, 1146];

/// The keys of a table that can wait; none when it has to stay as it is.
fn waiting(table: &TableSchema) -> Vec<&Key> {
    let leads = |key: &Key, name: &str| {
        key.parts.first().and_then(KeyPart::column).is_some_and(|first| same_name(first, name))
    };
    let counter = table.columns.iter().find(|c| c.auto_increment);
    let counted = counter.is_none_or(|column| {
        table.keys.iter().any(|key| key.kind != KeyKind::Plain && leads(key, &column.name))
    });
    if !counted
        || !table.foreign_keys.is_empty()
        || !table.engine.eq_ignore_ascii_case("InnoDB")
        || table.system_versioned
    {
        return Vec::new();
    }
    let plain: Vec<&Key> = table.keys.iter().filter(|k| k.kind == KeyKind::Plain).collect();
    // All or none: so they come back in the order that they had.
    let simple = |key: &&Key| {
        !key.invisible
            && !key.generated
            && key.options.is_empty()
            && key.parts.iter().all(|part| part.column().is_some())
    };
    if plain.iter().all(simple) { plain } else { Vec::new() }
}

/// The keys of `whole` that `now` does not have.
fn lacking<'k>(whole: &'k TableSchema, now: &TableSchema) -> Vec<&'k Key> {
    let has = |key: &Key| now.keys.iter().any(|have| same_name(&have.name, &key.name));
    waiting(whole).into_iter().filter(|key| !has(key)).collect()
}

fn parsed(text: &str) -> Result<TableSchema> {
    parse_create_table(text, SqlMode::default())
}

/// One table of one lane.
struct Record<'r> {
    shared: &'r Arc<Shared>,
    task: &'r str,
    lane: &'r LaneId,
    table: &'r TableName,
}

impl Record<'_> {
    fn place(&self) -> String {
        format!("{}.`dm_late_key`", self.shared.marks.schema())
    }

    fn condition(&self) -> String {
        format!(
            "`lane`={} AND `target_db`={} AND `target_tbl`={}",
            lane_literal(self.task, self.lane),
            literal(&self.table.schema),
            literal(&self.table.table)
        )
    }

    fn write(&self, structure: &str) -> Result {
        let sql = format!(
            "REPLACE INTO {} VALUES ({},{},{},{})",
            self.place(),
            lane_literal(self.task, self.lane),
            literal(&self.table.schema),
            literal(&self.table.table),
            literal(structure)
        );
        self.shared.ask(|session| session.exec(&sql)).map(|_| ())
    }

    fn read(&self) -> Result<Option<String>> {
        let sql = format!("SELECT `structure` FROM {} WHERE {}", self.place(), self.condition());
        self.shared.ask(|session| session.value(&sql))
    }

    fn remove(&self) -> Result {
        let sql = format!("DELETE FROM {} WHERE {}", self.place(), self.condition());
        self.shared.ask(|session| session.exec(&sql)).map(|_| ())
    }

    /// Changes the table on a connection of its own, which a stop may end.
    fn alter(&self, changes: &[String]) -> Result {
        let sql = format!("ALTER TABLE {} {}", quote_table(self.table), changes.join(","));
        let mut session = self.shared.row_session()?;
        let entry = (self.task.to_owned(), self.lane.clone(), session.id());
        super::lock(&self.shared.writers).push(entry.clone());
        let done = session.exec(&sql);
        super::lock(&self.shared.writers).retain(|open| *open != entry);
        self.shared.forget_structures();
        done.map(|_| ())
    }
}

/// Drops the keys of a table that can wait. A target that refuses keeps them.
///
/// # Errors
///
/// When the target cannot be asked.
pub(super) fn put_off(
    shared: &Arc<Shared>,
    task: &str,
    lane: &LaneId,
    table: &TableName,
) -> Result {
    let record = Record { shared, task, lane, table };
    let Some(text) = shared.show_create(table)? else { return Ok(()) };
    let whole = parsed(&text)?;
    let drops: Vec<String> =
        waiting(&whole).iter().map(|key| format!("DROP KEY {}", quote_ident(&key.name))).collect();
    if drops.is_empty() {
        return Ok(());
    }
    record.write(&text)?;
    match record.alter(&drops) {
        Err(error) if !error.is_transient() => {
            log::debug!("the keys of {table} stay while its rows are copied: {error}");
            record.remove()
        }
        other => other,
    }
}

/// The tables of a lane whose keys were dropped.
///
/// # Errors
///
/// When the target cannot be asked.
pub(super) fn tables(shared: &Shared, task: &str, lane: &LaneId) -> Result<Vec<TableName>> {
    let sql = format!(
        "SELECT `target_db`,`target_tbl` FROM {}.`dm_late_key` WHERE `lane`={} ORDER BY 1,2",
        shared.marks.schema(),
        lane_literal(task, lane)
    );
    let rows = match shared.ask(|session| session.rows(&sql)) {
        Err(e) if e.server_error().is_some_and(|n| NOTHING.contains(&n)) => return Ok(Vec::new()),
        other => other?,
    };
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let mut cells = row.into_iter().flatten();
            Some(TableName::new(cells.next()?, cells.next()?))
        })
        .collect())
}

/// Gives a table the keys that it lacks.
///
/// # Errors
///
/// What the target answers; doing it again goes on.
pub(super) fn add(shared: &Arc<Shared>, task: &str, lane: &LaneId, table: &TableName) -> Result {
    let record = Record { shared, task, lane, table };
    let Some(text) = record.read()? else { return Ok(()) };
    let whole = parsed(&text)?;
    for _ in 0..LOOKS {
        // A table that is gone lacks nothing.
        let Some(now) = shared.show_create(table)? else { return record.remove() };
        let now = parsed(&now)?;
        let adds: Vec<String> = lacking(&whole, &now)
            .into_iter()
            .map(|key| format!("ADD {}", key_clause(key)))
            .collect();
        if adds.is_empty() {
            return record.remove();
        }
        match record.alter(&adds) {
            Err(e) if e.server_error() == Some(DUPLICATE_NAME) => {}
            other => other.map_err(|e| {
                e.context(format!("making the keys of {table} after its rows: {}", adds.join(", ")))
            })?,
        }
    }
    Err(Error::new(
        &codes::LOAD_FAILED,
        format!("the keys of {table} are made and are not there: somebody else drops them"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(create: &str) -> Vec<String> {
        waiting(&parsed(create).unwrap()).iter().map(|k| k.name.clone()).collect()
    }

    fn table(keys: &str) -> String {
        format!(
            "CREATE TABLE t (id int NOT NULL AUTO_INCREMENT, a int, b varchar(9), {keys}) ENGINE=InnoDB"
        )
    }

    #[test]
    fn keys_that_serve_only_reading_wait() {
        let whole = table("PRIMARY KEY (id), UNIQUE KEY u (a), KEY a (a), KEY b (b(3),a)");
        assert_eq!(names(&whole), ["a", "b"]);
        let whole = parsed(&whole).unwrap();
        let now = parsed(&table("PRIMARY KEY (id), UNIQUE KEY u (a), KEY A (a)")).unwrap();
        let clauses: Vec<String> = lacking(&whole, &now).into_iter().map(key_clause).collect();
        assert_eq!(clauses, ["KEY `b` (`b`(3),`a`)"]);
        assert!(lacking(&whole, &whole).is_empty());
    }

    #[test]
    fn keys_that_something_else_needs_stay() {
        // Without it the counter has no key.
        assert!(names(&table("KEY i (id), KEY a (a)")).is_empty());
        assert!(names(&table("PRIMARY KEY (id), KEY a (a), KEY e ((a + 1))")).is_empty());
        assert!(names(&table("PRIMARY KEY (id), KEY a (a), KEY h (b) USING HASH")).is_empty());
        let parent = "PRIMARY KEY (id), KEY a (a), CONSTRAINT c FOREIGN KEY (a) REFERENCES p (id)";
        assert!(names(&table(parent)).is_empty());
        let other = table("PRIMARY KEY (id), KEY a (a)").replace("InnoDB", "MyISAM");
        assert!(names(&other).is_empty());
        assert_eq!(names(&table("PRIMARY KEY (id), KEY a (a)")), ["a"]);
    }
}
