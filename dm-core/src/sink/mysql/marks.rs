//! The mark tables at the target, and the fence.
//!
//! `dm_apply_mark` holds a row per (lane, epoch, worker): written in the target transaction of
//! each batch. `dm_chunk_mark` holds a row per chunk of the copy: inserted first in the chunk's
//! transaction, so that two processes that load the same chunk exclude each other on its key.
//! `dm_late_key` holds the structures of tables whose keys are made after their rows (`late_keys`).
//! `dm_task` ties a task's name to the state file that runs it.
//!
//! What shuts out earlier writers stands in `fence`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_128;

use dm_filter::TableName;

use super::session::Session;
use crate::error::{Error, Result, codes};
use crate::event::{ChunkMark, LaneId, OrdinalSet, StreamMark};
use crate::sink::{Recovered, Slot};
use crate::sql::{push_string, quote_ident};

/// How long a successor waits before it kills the connection that holds its slot.
pub(super) const KILL_AFTER: Duration = Duration::from_secs(3);
/// How long it waits in all: a killed statement may roll back for a while.
pub(super) const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// The mark tables of a meta schema.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    name: String,
    /// The name, quoted.
    schema: String,
}

/// In place of a worker's number: whoever runs a lane's statements.
pub(super) const STATEMENTS: u32 = u32::MAX;

fn lane_key(task: &str, lane: &LaneId) -> String {
    let text = format!("{task}/{}/{}", lane.source, lane.name);
    if text.chars().count() <= 180 { text } else { format!("{:032x}", xxh3_128(text.as_bytes())) }
}

/// A lane, as the mark tables name it.
pub(super) fn lane_literal(task: &str, lane: &LaneId) -> String {
    literal(&lane_key(task, lane))
}

/// A text as a literal.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::new();
    push_string(&mut out, text);
    out
}

impl Marks {
    /// The schema, quoted.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    pub fn new(meta_schema: &str) -> Self {
        Self { name: meta_schema.to_owned(), schema: quote_ident(meta_schema) }
    }

    /// The statements that create the schema and its tables.
    pub fn create(&self) -> Vec<String> {
        let s = &self.schema;
        let name = "VARCHAR(180) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL";
        let ident = "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL";
        vec![
            format!("CREATE DATABASE IF NOT EXISTS {s}"),
            format!(
                "CREATE TABLE IF NOT EXISTS {s}.`dm_task` (`task` {name}, `identity` {name}, \
                 PRIMARY KEY (`task`))"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {s}.`dm_apply_mark` (`lane` {name}, \
                 `epoch` BIGINT UNSIGNED NOT NULL, `worker` INT UNSIGNED NOT NULL, \
                 `low` BIGINT UNSIGNED NOT NULL, `low_position` LONGTEXT NOT NULL, \
                 `applied` LONGTEXT NOT NULL, `connection` BIGINT UNSIGNED NOT NULL, \
                 PRIMARY KEY (`lane`,`epoch`,`worker`))"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {s}.`dm_chunk_mark` (`lane` {name}, \
                 `db` {ident}, `tbl` {ident}, `generation` INT UNSIGNED NOT NULL, \
                 `chunk` INT UNSIGNED NOT NULL, `target_db` {ident}, `target_tbl` {ident}, PRIMARY KEY (`lane`,`db`,`tbl`,`generation`,`chunk`))"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {s}.`dm_late_key` (`lane` {name}, `target_db` {ident}, \
                 `target_tbl` {ident}, `structure` LONGTEXT CHARACTER SET utf8mb4 NOT NULL, \
                 PRIMARY KEY (`lane`,`target_db`,`target_tbl`))"
            ),
        ]
    }

    /// True when the schema and its tables are there.
    ///
    /// Asked before [`Marks::create`], as even `IF NOT EXISTS` waits for the locks of a statement
    /// that an earlier process left running in this schema; a stop would have to wait with it.
    pub fn exist(&self, session: &mut Session) -> Result<bool> {
        Ok(self.count(session)?.as_deref() == Some("4"))
    }

    /// True when none of them is there, or the user may do nothing with any.
    pub fn are_none(&self, session: &mut Session) -> Result<bool> {
        Ok(self.count(session)?.as_deref() == Some("0"))
    }

    fn count(&self, session: &mut Session) -> Result<Option<String>> {
        let found = session.value(&format!(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = {} \
             AND table_name IN ('dm_task', 'dm_apply_mark', 'dm_chunk_mark', 'dm_late_key')",
            literal(&self.name)
        ))?;
        Ok(found)
    }

    /// Ties the task to its state file.
    pub fn claim(&self, session: &mut Session, task: &str, identity: &str) -> Result {
        let s = &self.schema;
        let (task_sql, identity_sql) = (literal(task), literal(identity));
        session.exec(&format!(
            "INSERT IGNORE INTO {s}.`dm_task` VALUES ({task_sql},{identity_sql})"
        ))?;
        let have = session
            .value(&format!("SELECT `identity` FROM {s}.`dm_task` WHERE `task`={task_sql}"))?;
        match have {
            Some(have) if have == identity => Ok(()),
            _ => Err(Error::new(
                &codes::TARGET_FOREIGN,
                format!(
                    "the target was written by a task {task:?} with another state file: it knows \
                     that task under the identity {}, the state file says {identity}",
                    have.as_deref().unwrap_or("(none)")
                ),
            )),
        }
    }

    /// The statement that writes a stream mark.
    pub fn write(&self, task: &str, mark: &StreamMark, connection: u64) -> String {
        format!(
            "INSERT INTO {}.`dm_apply_mark` VALUES ({},{},{},{},{},'{}',{connection}) \
             ON DUPLICATE KEY UPDATE `low`=VALUES(`low`),`low_position`=VALUES(`low_position`),\
             `applied`=VALUES(`applied`),`connection`=VALUES(`connection`)",
            self.schema,
            literal(&lane_key(task, &mark.lane)),
            mark.epoch,
            mark.worker,
            mark.low,
            literal(&mark.low_position),
            mark.applied.to_text(),
        )
    }

    /// The statement that writes a stream mark if the writer still owns its slot: it finds one row,
    /// or none.
    pub fn write_owned(&self, task: &str, mark: &StreamMark, owner: u64) -> String {
        format!(
            "UPDATE {}.`dm_apply_mark` SET `low`={},`low_position`={},`applied`='{}' WHERE `lane`={} \
             AND `epoch`={} AND `worker`={} AND `connection`={owner}",
            self.schema,
            mark.low,
            literal(&mark.low_position),
            mark.applied.to_text(),
            literal(&lane_key(task, &mark.lane)),
            mark.epoch,
            mark.worker,
        )
    }

    /// The question whether a writer still owns its slot; it may not lose it before the end of its
    /// transaction, or its COMMIT fails.
    pub fn is_owner(&self, slot: &Slot, owner: u64) -> String {
        format!(
            "SELECT 1 FROM {}.`dm_apply_mark` WHERE `lane`={} AND `epoch`={} AND `worker`={} AND \
             `connection`={owner} FOR UPDATE",
            self.schema,
            literal(&lane_key(&slot.task, &slot.lane)),
            slot.epoch,
            slot.worker,
        )
    }

    /// The statement that takes all slots of a lane over.
    pub fn own_all(&self, task: &str, lane: &LaneId, owner: u64) -> String {
        format!(
            "UPDATE {}.`dm_apply_mark` SET `connection`={owner} WHERE `lane`={}",
            self.schema,
            literal(&lane_key(task, lane)),
        )
    }

    /// Who owns a slot; `None` when nobody has had it.
    pub fn owner(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
        epoch: u64,
        worker: u32,
    ) -> Result<Option<u64>> {
        let owner = session.value(&format!(
            "SELECT `connection` FROM {}.`dm_apply_mark` WHERE `lane`={} AND `epoch`={epoch} AND \
             `worker`={worker}",
            self.schema,
            literal(&lane_key(task, lane)),
        ))?;
        Ok(owner.and_then(|number| number.parse().ok()))
    }

    /// The owners of all slots of a lane.
    pub fn owners(&self, session: &mut Session, task: &str, lane: &LaneId) -> Result<Vec<u64>> {
        self.column(session, "`connection`", task, lane)
    }

    /// The latest run that has written for a lane, or was about to; 0 when there is none.
    pub fn last_epoch(&self, session: &mut Session, task: &str, lane: &LaneId) -> Result<u64> {
        let all = self.column::<u64>(session, "`epoch`", task, lane)?;
        Ok(all.into_iter().max().unwrap_or_default())
    }

    fn column<T: std::str::FromStr>(
        &self,
        session: &mut Session,
        name: &str,
        task: &str,
        lane: &LaneId,
    ) -> Result<Vec<T>> {
        let rows = session.rows(&format!(
            "SELECT DISTINCT {name} FROM {}.`dm_apply_mark` WHERE `lane`={}",
            self.schema,
            literal(&lane_key(task, lane)),
        ))?;
        Ok(rows
            .into_iter()
            .filter_map(|row| row.into_iter().next().flatten()?.parse().ok())
            .collect())
    }

    /// The statement that registers a writer before its first batch, so that a successor finds it.
    pub fn register(&self, task: &str, lane: &LaneId, epoch: u64, worker: u32, id: u64) -> String {
        format!(
            "INSERT INTO {}.`dm_apply_mark` VALUES ({},{epoch},{worker},0,'','',{id}) \
             ON DUPLICATE KEY UPDATE `connection`={id}",
            self.schema,
            literal(&lane_key(task, lane)),
        )
    }

    /// What a slot has committed in an epoch.
    pub fn applied(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
        epoch: u64,
        worker: u32,
    ) -> Result<OrdinalSet> {
        let text = session.value(&format!(
            "SELECT `applied` FROM {}.`dm_apply_mark` WHERE `lane`={} AND `epoch`={epoch} AND \
             `worker`={worker}",
            self.schema,
            literal(&lane_key(task, lane)),
        ))?;
        parse_set(&text.unwrap_or_default())
    }

    /// The workers that have written for a lane.
    pub fn workers(&self, session: &mut Session, task: &str, lane: &LaneId) -> Result<Vec<u32>> {
        self.column(session, "`worker`", task, lane)
    }

    /// What all marks of a lane say together.
    pub fn recover(&self, session: &mut Session, task: &str, lane: &LaneId) -> Result<Recovered> {
        let rows = session.rows(&format!(
            "SELECT `epoch`,`low`,`low_position`,`applied` FROM {}.`dm_apply_mark` WHERE `lane`={}",
            self.schema,
            literal(&lane_key(task, lane)),
        ))?;
        let mut all = Recovered::default();
        for row in rows {
            let [epoch, low, position, applied] = row.as_slice() else { continue };
            let number = |v: &Option<String>| v.as_deref().and_then(|v| v.parse::<u64>().ok());
            let (Some(epoch), Some(low)) = (number(epoch), number(low)) else {
                return Err(damaged("a number of dm_apply_mark"));
            };
            let position = position.clone().unwrap_or_default();
            all.epoch = all.epoch.max(epoch);
            if !position.is_empty() && all.low.as_ref().is_none_or(|(have, _)| *have < low) {
                all.low = Some((low, position));
            }
            all.applied.union(&parse_set(applied.as_deref().unwrap_or_default())?);
        }
        if let Some((low, _)) = &all.low {
            all.applied.forget_upto(*low);
        }
        Ok(all)
    }

    /// Removes all marks of lanes, and the tie to a state file.
    pub fn forget_task(&self, session: &mut Session, task: &str, lanes: &[LaneId]) -> Result {
        /// No such database, no such table: nothing was ever written.
        const NOTHING: &[u16] = &[1049, 1146];
        let s = &self.schema;
        let mut statements = Vec::new();
        for lane in lanes {
            let lane = literal(&lane_key(task, lane));
            statements.push(format!("DELETE FROM {s}.`dm_apply_mark` WHERE `lane`={lane}"));
            statements.push(format!("DELETE FROM {s}.`dm_chunk_mark` WHERE `lane`={lane}"));
        }
        // The tie goes last: what is interrupted here is still known as this task's.
        statements.push(format!("DELETE FROM {s}.`dm_task` WHERE `task`={}", literal(task)));
        for sql in statements {
            match session.exec(&sql) {
                Err(e) if !e.server_error().is_some_and(|n| NOTHING.contains(&n)) => {
                    return Err(e);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the marks of epochs before `epoch`; with `chunks` those of all chunks.
    pub fn forget(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
        epoch: u64,
        chunks: bool,
    ) -> Result {
        let lane = literal(&lane_key(task, lane));
        let s = &self.schema;
        session.exec(&format!(
            "DELETE FROM {s}.`dm_apply_mark` WHERE `lane`={lane} AND `epoch`<{epoch}"
        ))?;
        if chunks {
            session.exec(&format!("DELETE FROM {s}.`dm_chunk_mark` WHERE `lane`={lane}"))?;
        }
        Ok(())
    }

    /// The statement that marks a chunk; it fails with a duplicate key when the chunk is there.
    pub fn write_chunk(&self, task: &str, mark: &ChunkMark, target: &TableName) -> String {
        format!(
            "INSERT INTO {}.`dm_chunk_mark` VALUES ({},{},{},{},{},{},{})",
            self.schema,
            literal(&lane_key(task, &mark.lane)),
            literal(&mark.schema),
            literal(&mark.table),
            mark.generation,
            mark.chunk,
            literal(&target.schema),
            literal(&target.table),
        )
    }

    /// The statement that removes the marks of a target table's chunks.
    pub fn forget_target(&self, task: &str, lane: &LaneId, target: &TableName) -> String {
        format!(
            "DELETE FROM {}.`dm_chunk_mark` WHERE `lane`={} AND `target_db`={} AND `target_tbl`={}",
            self.schema,
            literal(&lane_key(task, lane)),
            literal(&target.schema),
            literal(&target.table),
        )
    }

    /// True when a chunk is there.
    pub fn has_chunk(&self, session: &mut Session, task: &str, mark: &ChunkMark) -> Result<bool> {
        let found = session.value(&format!(
            "SELECT 1 FROM {}.`dm_chunk_mark` WHERE `lane`={} AND `db`={} AND `tbl`={} AND \
             `generation`={} AND `chunk`={}",
            self.schema,
            literal(&lane_key(task, &mark.lane)),
            literal(&mark.schema),
            literal(&mark.table),
            mark.generation,
            mark.chunk,
        ))?;
        Ok(found.is_some())
    }

    /// The chunks that are there.
    pub fn chunks(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
    ) -> Result<Vec<ChunkMark>> {
        let rows = session.rows(&format!(
            "SELECT `db`,`tbl`,`generation`,`chunk` FROM {}.`dm_chunk_mark` WHERE `lane`={}",
            self.schema,
            literal(&lane_key(task, lane)),
        ))?;
        rows.into_iter()
            .map(|row| {
                let mut cells = row.into_iter().flatten();
                let mut next = || cells.next().ok_or_else(|| damaged("a row of dm_chunk_mark"));
                let (schema, table) = (next()?, next()?);
                let mut number =
                    || next()?.parse().map_err(|_| damaged("a number of dm_chunk_mark"));
                let (generation, chunk) = (number()?, number()?);
                Ok(ChunkMark { lane: lane.clone(), schema, table, generation, chunk })
            })
            .collect()
    }
}

fn parse_set(text: &str) -> Result<OrdinalSet> {
    OrdinalSet::from_text(text).ok_or_else(|| damaged("a set of dm_apply_mark"))
}

fn damaged(what: &str) -> Error {
    Error::new(
        &codes::TARGET_FOREIGN,
        format!("{what} cannot be read: the mark tables at the target were changed by hand"),
    )
}

/// The beginning of the names of a lane's marker tables (see [`super::once`]).
pub(super) fn marker_prefix(task: &str, lane: &LaneId) -> String {
    format!("dm_once_{:032x}_", xxh3_128(lane_key(task, lane).as_bytes()))
}

/// The name of a slot's lock: short enough for every server, the same for every process.
pub(super) fn lock_name(task: &str, lane: &LaneId, worker: u32) -> String {
    format!("dm:{:032x}", xxh3_128(format!("{}/{worker}", lane_key(task, lane)).as_bytes()))
}

/// What becomes of the connection that holds a lock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Earlier {
    /// It is killed after a while: what it writes is rolled back.
    Killed,
    /// It is waited for, however long it takes: a statement that changes structures.
    Waited,
}

/// Takes a slot's lock, waiting for the connection that holds it.
///
/// # Errors
///
/// When it cannot be had in time, or `stop` became true.
pub(super) fn take_lock(
    session: &mut Session,
    name: &str,
    earlier: Earlier,
    stop: &AtomicBool,
) -> Result {
    let began = Instant::now();
    let name = literal(name);
    let mut killed = None;
    loop {
        if session.value(&format!("SELECT GET_LOCK({name},1)"))?.as_deref() == Some("1") {
            return Ok(());
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Error::new(&codes::STOPPED, "stopped while waiting for an earlier writer"));
        }
        let waited = began.elapsed();
        if earlier == Earlier::Waited {
            continue;
        }
        if waited > GIVE_UP_AFTER {
            return Err(Error::new(
                &codes::FENCE_HELD,
                format!(
                    "another connection (id {}) still holds the writer's lock after {} s",
                    killed.as_deref().unwrap_or("unknown"),
                    waited.as_secs()
                ),
            ));
        }
        if waited > KILL_AFTER
            && killed.is_none()
            && let Some(id) = session.value(&format!("SELECT IS_USED_LOCK({name})"))?
        {
            log::warn!("killing connection {id} at the target: an earlier writer of this task");
            // It may be gone by now, or not ours to kill: the lock decides.
            let _ = session.exec(&format!("KILL {id}"));
            killed = Some(id);
        }
    }
}

/// Waits until nobody holds a lock.
///
/// # Errors
///
/// As [`take_lock`].
pub(super) fn pass_lock(
    session: &mut Session,
    name: &str,
    earlier: Earlier,
    stop: &AtomicBool,
) -> Result {
    take_lock(session, name, earlier, stop)?;
    session.value(&format!("SELECT RELEASE_LOCK({})", literal(name)))?;
    Ok(())
}
