//! Going on with a copy: what becomes of its tables when the rest is read from a later view.
//!
//! Guarantee: every row that the copy leaves at the target belongs to the table that bore its name
//! at one instant, whatever was renamed, changed, emptied, dropped or made while the copy stood
//! still. Obstacle: structures alone do not tell (tables of equal structure change places).
//! Method: the binlog between the copy's start and the new view tells which statements ran. A
//! statement about tables that are all finished, or that the copy does not know, is left to the
//! stream (unless it moved names before they had been read, see `copy_moved`). One that touches a table which is not finished makes all tables that it names, and
//! those that hang on them through other statements, *stale*: they are copied anew from the new
//! view or, when they are gone, dropped at the target, and the stream reads over their changes
//! and statements up to there. Tables that are not stale keep their chunks and get a window.

use std::collections::{HashMap, HashSet};

use dm_filter::TableName;

use super::copy::{Copy, Table};
use super::copy_moved::Moves;
use super::stream::judged;
use super::windows::contains;
use crate::ddl::{ParseContext, SqlMode, StatementKind, parse};
use crate::error::{Error, Result, codes};
use crate::position::{BinlogPos, Gtid, Position};
use crate::schema::{TableCopy, differences};
use crate::sink::TargetDdl;
use crate::source::{Body, Polled, Snapshot};
use crate::sql::quote_table;
use crate::state::{CopyState, CopyTable};

/// One statement of the binlog.
pub(super) struct Ran {
    pub end: BinlogPos,
    pub gtid: Option<Gtid>,
    pub tables: Vec<TableName>,
    /// See [`super::copy_moved`].
    pub moves: Moves,
    /// It is about everything in its schemas.
    whole_schemas: bool,
}

impl Copy {
    /// Goes on with a new snapshot. Returns the tables that have chunks to be copied.
    pub(super) fn resume(&self, copy: &CopyState, snapshot: &dyn Snapshot) -> Result<Vec<Table>> {
        has_it_all(copy, snapshot.position())?;
        let fresh: HashMap<&TableName, &TableCopy> =
            snapshot.tables().iter().map(|t| (&t.info.name, t)).collect();
        let moved = match snapshot.is_live() {
            true => self.moved(copy, snapshot.position())?,
            false => HashSet::new(),
        };
        let stale = self.stale(copy, &fresh, moved, snapshot.position())?;
        let mut tables = self.anew(copy, &stale, &fresh, snapshot)?;
        let mut widened = Vec::new();
        let unmarked = self.was_unmarked()?;
        let open = copy.tables.iter().filter(|t| !t.is_finished());
        for old in open.filter(|t| !stale.contains(&t.copy.info.name)) {
            let name = &old.copy.info.name;
            // Without marks, a chunk of the earlier view may be at the target and not be known: only
            // what the window brings takes away the rows that are gone since.
            if old.chunks_done > 0 || (unmarked && old.planned) {
                widened.push(name.clone());
                tables.push(self.table(&old.copy, old.generation, true)?);
            } else if let Some(now) = fresh.get(name) {
                let (position, upto) = (snapshot.position(), snapshot.contained_upto());
                let generation = self.state.restart_table(&self.lane, now, position, upto)?;
                tables.push(self.table(now, generation, false)?);
            }
        }
        self.state.widen_tables(&self.lane, &widened, snapshot.contained_upto())?;
        Ok(tables)
    }

    /// The tables that statements since the copy's start have made stale, in a fixed order.
    fn stale(
        &self,
        copy: &CopyState,
        fresh: &HashMap<&TableName, &TableCopy>,
        mut stale: HashSet<TableName>,
        upto: &Position,
    ) -> Result<Vec<TableName>> {
        let known: HashMap<&TableName, &CopyTable> =
            copy.tables.iter().map(|t| (&t.copy.info.name, t)).collect();
        for old in copy.tables.iter().filter(|t| !t.is_finished()) {
            // For sources whose statements cannot be read, and for what they do not tell.
            let now = fresh.get(&old.copy.info.name);
            let same =
                now.is_some_and(|n| differences(&n.info.schema, &old.copy.info.schema).is_empty());
            if !same {
                stale.insert(old.copy.info.name.clone());
            }
        }
        let statements: Vec<Vec<TableName>> = self
            .statements(&copy.position, upto)?
            .into_iter()
            .map(|ran| touched(ran, &known))
            .collect();
        loop {
            let before = stale.len();
            for tables in &statements {
                let hit = |t: &TableName| {
                    stale.contains(t) || known.get(t).is_some_and(|k| !k.is_finished())
                };
                if tables.iter().any(hit) {
                    stale.extend(tables.iter().cloned());
                }
            }
            if stale.len() == before {
                break;
            }
        }
        let mut stale: Vec<TableName> = stale.into_iter().collect();
        stale.sort();
        Ok(stale)
    }

    /// Starts the stale tables anew; gives back those of which something is to be copied. All of them are
    /// noted at once: a statement that one of them is known to lie behind tells of the others no more.
    fn anew(
        &self,
        copy: &CopyState,
        stale: &[TableName],
        fresh: &HashMap<&TableName, &TableCopy>,
        snapshot: &dyn Snapshot,
    ) -> Result<Vec<Table>> {
        let mut anew = Vec::with_capacity(stale.len());
        for name in stale {
            let now = fresh.get(name).copied();
            let is_known = copy.tables.iter().any(|t| t.copy.info.name == *name);
            if !name.table.is_empty() && (is_known || now.is_some()) {
                log::warn!(
                    "table {name} was changed by a statement while it was copied: it is copied anew"
                );
                self.refuse_merged(name)?;
                self.drop_target(name)?;
            }
            // What is gone, or never was ours, is a table without columns: nothing is copied, and the
            // stream reads over it up to the view.
            anew.push(now.cloned().unwrap_or_else(|| TableCopy::nothing(name.clone())));
        }
        let (position, upto) = (snapshot.position(), snapshot.contained_upto());
        let generations = self.state.restart_tables(&self.lane, &anew, position, upto)?;
        anew.iter()
            .zip(generations)
            .filter(|(table, _)| fresh.contains_key(&table.info.name))
            .map(|(table, generation)| self.table(table, generation, false))
            .collect()
    }

    fn drop_target(&self, name: &TableName) -> Result {
        let target = self.creator.place(name)?;
        let sql = format!("DROP TABLE IF EXISTS {}", quote_table(&target));
        let ddl = TargetDdl { sql_mode: Some(String::new()), ..TargetDdl::new(sql, vec![target]) };
        self.sink.execute_ddl(&ddl).map(|_| ())
    }

    fn refuse_merged(&self, name: &TableName) -> Result {
        if !self.creator.is_merged(name) {
            return Ok(());
        }
        Err(Error::new(
            &codes::LOAD_FAILED,
            format!(
                "table {name} was changed while its copy stood still, and other tables are copied \
                 into the same target table: it cannot be copied anew alone"
            ),
        )
        .workaround("Empty the target table, then begin the copy anew with `dm reset`."))
    }

    /// The statements that ran behind `from`, up to `upto`.
    pub(super) fn statements(&self, from: &Position, upto: &Position) -> Result<Vec<Ran>> {
        let goal = match &upto.binlog {
            Some(goal) => goal.clone(),
            // A view that is known by its GTIDs only: later statements do no harm here.
            None => match self.source.end_position()?.binlog {
                Some(goal) => goal,
                None => return Ok(Vec::new()),
            },
        };
        let mut found = Vec::new();
        // Files and offsets of two servers are not to be compared.
        let nothing = match (&from.gtid, &upto.gtid) {
            (Some(from), Some(upto)) if !upto.is_empty() => upto.is_subset(from),
            _ => from.binlog.as_ref().is_some_and(|from| *from >= goal),
        };
        if nothing {
            return Ok(found);
        }
        let mut stream = self.source.open(from)?;
        let mut gtid = None;
        loop {
            self.check_stop()?;
            let event = match stream.poll(std::time::Duration::from_millis(100))? {
                Polled::Event(event) => event,
                Polled::Idle => continue,
                Polled::End => return Ok(found),
            };
            match &event.body {
                Body::Gtid { gtid: of, .. } => gtid = of.clone(),
                Body::Query(query) => {
                    let context = ParseContext {
                        sql_mode: SqlMode::from_bits(query.vars.sql_mode.unwrap_or(0)),
                        default_schema: query.schema.to_string(),
                        server: None,
                    };
                    // What cannot be read is for the stream to judge.
                    if let Ok(text) = query.text()
                        && let Ok(statement) = parse(&text, &context)
                        && statement.is_ddl()
                    {
                        found.push(Ran {
                            end: event.end.clone(),
                            gtid: gtid.clone(),
                            moves: Moves::by(&statement),
                            tables: judged(&statement),
                            whole_schemas: statement.kind == StatementKind::DropDatabase,
                        });
                    }
                }
                _ => {}
            }
            if event.end >= goal {
                return Ok(found);
            }
        }
    }
}

/// A replica that took the source's place while the copy stood still must have all that was read
/// before: rows of what it lacks would stay at the target for good.
fn has_it_all(copy: &CopyState, now: &Position) -> Result {
    let Some(now) = &now.gtid else { return Ok(()) };
    let read = copy.tables.iter().map(|t| &t.position).chain([&copy.position]);
    for set in read.filter_map(|position| position.gtid.as_ref()) {
        if set.flavor() == now.flavor() && !set.is_subset(now) {
            return Err(Error::new(
                &codes::SOURCE_GTID_MISSING,
                format!(
                    "the copy goes on at a server that does not have the transactions {}: copied                      up to [{set}], executed there [{now}]",
                    set.minus(now)?
                ),
            ));
        }
    }
    Ok(())
}

/// The names that a statement touched, without tables that were read after it.
fn touched(ran: Ran, known: &HashMap<&TableName, &CopyTable>) -> Vec<TableName> {
    let mut tables = ran.tables;
    if ran.whole_schemas {
        let inside: Vec<TableName> = known
            .keys()
            .filter(|t| tables.iter().any(|s| s.schema == t.schema))
            .map(|t| (*t).clone())
            .collect();
        tables.extend(inside);
    }
    let later = |t: &TableName| {
        known.get(t).is_some_and(|k| contains(&k.position, &ran.end, ran.gtid.as_ref()))
    };
    tables.retain(|t| !later(t));
    tables
}
