//! Taking over a task from DM: its positions, read from the tables that it keeps at its target.
//!
//! Guarantee: after it the task follows on from where DM's checkpoint stands, and everything up to
//! the present end of the source's binlog is applied idempotently; nothing is written at the target,
//! and a state that has positions already is left alone.
//!
//! Obstacle: DM's checkpoint is behind what DM has applied by up to its flush interval and, per
//! table, by what it has applied ahead; how far is only known as long as it ends in order. Method:
//! DM has been stopped, so it can have applied nothing beyond the source's present end; up to there
//! a row that is there already is replaced and one that is gone already is not missed. What that
//! cannot repair is a table without a key, into which a row may come twice: the command says so.
//!
//! What does not survive a change of tools is refused: an online schema change under way (DM keeps
//! its statements, half of the binlog that made them is behind the checkpoint), merged tables that
//! wait for each other, a copy that is not finished.

use std::path::Path;

use super::Migration;
use crate::config::{ConnPlan, SourceKind, SourcePlan, TargetPlan, TaskPlan};
use crate::error::{Error, Result, codes};
use crate::event::{LaneId, SourceId};
use crate::mysql::{Connection, Purpose, named_cell};
use crate::position::{BinlogPos, Flavor, GtidSet, Position};
use crate::sql::{quote_ident, quote_text};
use crate::state::StateStore;

/// What was taken over for a source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// The source.
    pub source: String,
    /// Where following goes on.
    pub position: Position,
    /// Up to where everything is applied idempotently.
    pub until: Position,
}

impl Migration {
    /// Reads where DM stands with this task and stores it as the task's own positions.
    ///
    /// DM's task has to be stopped: a later checkpoint of it would not be seen. Nothing is written
    /// unless the positions of all sources can be taken over.
    ///
    /// # Errors
    ///
    /// 66010 when DM's tables do not allow it, with the reason; when the task has positions or runs;
    /// when target or sources cannot be asked.
    pub fn import_dm_checkpoint(&self, dir: &Path) -> Result<Vec<Imported>> {
        let plan = self.plan();
        let TargetPlan::Mysql(target) = &plan.target else {
            return Err(refused("the target is no server, so DM cannot have written to it"));
        };
        let mut tables = Tables::open(target, plan)?;
        tables.check_shards()?;
        let mut found = Vec::new();
        for source in &plan.sources {
            found.push(self.found(&mut tables, source)?);
        }
        let state = StateStore::open(dir, &plan.name)?;
        for imported in &found {
            let lane = LaneId::main(&SourceId::new(imported.source.as_str()));
            if state.reader().lane(&lane)?.is_some_and(|l| l.checkpoint.is_some()) {
                let why = format!("source {} of the task has a position here", imported.source);
                return Err(refused(&why).workaround(
                    "Remove what is stored of the task with `dm reset`, then import again.",
                ));
            }
        }
        for imported in &found {
            let lane = LaneId::main(&SourceId::new(imported.source.as_str()));
            // In this order: without a position the lane has not begun, so a crash in between
            // leaves nothing that a run would go by.
            state.raise_idempotent(&lane, &imported.until)?;
            state.move_checkpoint(&lane, &imported.position)?;
        }
        Ok(found)
    }

    fn found(&self, tables: &mut Tables, source: &SourcePlan) -> Result<Imported> {
        let id = &source.source_id;
        let SourceKind::Mysql(server) = &source.kind else {
            return Err(refused(&format!("source {id} is no server")));
        };
        tables.check_online_ddl(id)?;
        tables.check_copy(id)?;
        let reader = self.source(id)?;
        let flavor = reader.info()?.flavor;
        let stored = tables.checkpoint(id)?;
        let position = stored.position(flavor, server.enable_gtid, id)?;
        Ok(Imported { source: id.clone(), position, until: reader.end_position()? })
    }
}

fn refused(why: &str) -> Error {
    Error::new(&codes::IMPORT_REFUSED, why)
}

/// The global row of a source in DM's checkpoint table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stored {
    name: String,
    offset: u64,
    gtid: String,
}

impl Stored {
    fn position(&self, flavor: Flavor, by_gtid: bool, id: &str) -> Result<Position> {
        let wrong = |what: &str, e: &dyn std::fmt::Display| {
            refused(&format!("the {what} in DM's checkpoint of source {id} cannot be read"))
                .cause(e)
        };
        let gtid = self.gtid.trim();
        let gtid = if by_gtid && !gtid.is_empty() {
            Some(GtidSet::parse(flavor, gtid).map_err(|e| wrong("GTID set", &e))?)
        } else {
            None
        };
        let binlog = if self.name.is_empty() {
            None
        } else {
            // DM writes the number of a relay log's directory into names: `bin|000001.000007`.
            let text = format!("{}:{}", self.name, self.offset);
            let pos: BinlogPos = text.parse().map_err(|e| wrong("position", &e))?;
            Some(BinlogPos::new(pos.file.without_relay(), pos.offset))
        };
        if binlog.is_none() && gtid.is_none() {
            return Err(refused(&format!("DM's checkpoint of source {id} names no position")));
        }
        Ok(Position { binlog, gtid })
    }
}

/// DM's tables of a task; only read.
struct Tables {
    conn: Connection,
    schema: String,
    task: String,
}

impl Tables {
    fn open(target: &ConnPlan, plan: &TaskPlan) -> Result<Self> {
        let conn = Connection::open(target, Purpose::Control)?;
        Ok(Self { conn, schema: plan.meta_schema.clone(), task: plan.name.clone() })
    }

    /// The columns of one of the task's tables in lower case; none when there is no such table.
    fn columns(&mut self, suffix: &str) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT column_name AS name FROM information_schema.columns \
             WHERE table_schema = {} AND table_name = {}",
            quote_text(&self.schema),
            quote_text(&format!("{}_{suffix}", self.task))
        );
        let rows = self.conn.rows(&sql)?;
        Ok(rows.iter().filter_map(|r| named_cell(r, "name")).map(|n| n.to_lowercase()).collect())
    }

    fn table(&self, suffix: &str) -> String {
        let table = format!("{}_{suffix}", self.task);
        format!("{}.{}", quote_ident(&self.schema), quote_ident(&table))
    }

    /// Rows of a table that meet a condition; none when there is no such table.
    fn count(&mut self, suffix: &str, condition: &str) -> Result<u64> {
        if self.columns(suffix)?.is_empty() {
            return Ok(0);
        }
        let sql = format!("SELECT COUNT(*) FROM {} WHERE {condition}", self.table(suffix));
        Ok(self.conn.scalar(&sql)?.and_then(|n| n.parse().ok()).unwrap_or(0))
    }

    fn check_shards(&mut self) -> Result {
        match self.count("syncer_sharding_meta", "1 = 1")? {
            0 => Ok(()),
            n => Err(refused(&format!(
                "DM holds back statements of merged tables ({n} row(s) in {})",
                self.table("syncer_sharding_meta")
            ))
            .workaround(
                "Let DM resolve its shard DDL locks (`show-ddl-locks` of dmctl), stop the task, \
                 then import again.",
            )),
        }
    }

    fn check_online_ddl(&mut self, id: &str) -> Result {
        let of_source = format!("id = {}", quote_text(id));
        match self.count("onlineddl", &of_source)? {
            0 => Ok(()),
            n => Err(refused(&format!(
                "an online schema change of source {id} is under way ({n} row(s) in {})",
                self.table("onlineddl")
            ))
            .workaround(
                "Let DM follow until the tool has renamed its table and the rows are gone, stop \
                 the task, then import again.",
            )),
        }
    }

    /// DM begins to follow when its copy is done; a row that says otherwise is of a copy that was
    /// begun anew.
    fn check_copy(&mut self, id: &str) -> Result {
        let id_text = quote_text(id);
        let open = format!("id = {id_text} AND `offset` < end_pos");
        let lightning = format!(
            "task_name = {} AND source_name = {id_text} AND status <> 'finished'",
            quote_text(&self.task)
        );
        let open = self.count("loader_checkpoint", &open)?
            + self.count("lightning_checkpoint_list", &lightning)?;
        if open == 0 {
            return Ok(());
        }
        Err(refused(&format!("DM's copy of source {id} is not finished")).workaround(
            "Let DM finish the copy and begin to follow, stop the task, then import again.",
        ))
    }

    /// The source's global row. DM 1.0 has no GTIDs in it.
    fn checkpoint(&mut self, id: &str) -> Result<Stored> {
        let none = |why: &str| {
            refused(&format!("there is no checkpoint of DM for source {id}: {why}")).workaround(
                "See that `name`, `target-database`, `meta-schema` and the source's id are those \
                 of DM's task, and that DM has begun to follow the binlog.",
            )
        };
        let columns = self.columns("syncer_checkpoint")?;
        let table = self.table("syncer_checkpoint");
        if columns.is_empty() {
            return Err(none(&format!("there is no table {table}")));
        }
        let gtid = if columns.iter().any(|c| c == "binlog_gtid") { "binlog_gtid" } else { "''" };
        let sql = format!(
            "SELECT binlog_name, binlog_pos, {gtid} AS binlog_gtid FROM {table} \
             WHERE id = {} AND is_global = 1",
            quote_text(id)
        );
        let rows = self.conn.rows(&sql)?;
        let [row] = rows.as_slice() else {
            return Err(none(&format!("{} global row(s) in {table}", rows.len())));
        };
        let text = |name| named_cell(row, name).unwrap_or_default();
        let offset = text("binlog_pos").parse().unwrap_or(0);
        Ok(Stored { name: text("binlog_name"), offset, gtid: text("binlog_gtid") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(name: &str, gtid: &str) -> Stored {
        Stored { name: name.to_owned(), offset: 345, gtid: gtid.to_owned() }
    }

    #[test]
    fn positions_of_all_releases() {
        let by = |s: &Stored, by_gtid| s.position(Flavor::MySql, by_gtid, "a");
        let plain = by(&stored("mysql-bin.000007", ""), false).unwrap();
        assert_eq!(plain, Position::at("mysql-bin.000007:345".parse().unwrap()));
        let relay = by(&stored("mysql-bin|000001.000007", ""), true).unwrap();
        assert_eq!(relay, plain, "the number of a relay directory means nothing here");
        let set = "3ccc475b-2343-11e7-be21-6c0b84d59f30:1-14";
        let gtid = by(&stored("mysql-bin.000007", set), true).unwrap();
        assert_eq!(gtid.gtid, Some(GtidSet::parse(Flavor::MySql, set).unwrap()));
        assert_eq!(by(&stored("mysql-bin.000007", set), false).unwrap(), plain);
        let domains = stored("", "0-1-100").position(Flavor::MariaDb, true, "a").unwrap();
        assert_eq!(domains, Position::of_gtid(GtidSet::parse(Flavor::MariaDb, "0-1-100").unwrap()));
    }

    #[test]
    fn what_names_no_position_is_refused() {
        for (stored, by_gtid) in [(stored("", ""), true), (stored("nonsense", ""), false)] {
            let e = stored.position(Flavor::MySql, by_gtid, "a").unwrap_err();
            assert_eq!(e.code(), &codes::IMPORT_REFUSED);
        }
        assert!(stored("", "nonsense").position(Flavor::MySql, true, "a").is_err());
    }
}
